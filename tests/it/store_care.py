# SPDX-License-Identifier: BSD-2-Clause
"""The store is copied while it is written, and damage to it is found and never half-read."""
import hashlib
import os
import random
import re
import shutil
import sqlite3
import stat
import threading

import mtlib
from mtlib import Site, equal, journal, json_lines, make_message, test
from sensor import event, send, site_with_keys

PDF = b"%PDF-1.4\n" + bytes(range(256)) * 4
PAGE = 4096


def database(site):
    return os.path.join(site.root, "store", "mailtrace.db")


def filled(count=20):
    """A site with a store of so many messages, that nobody has open."""
    site = Site()
    paths = [make_message(os.path.join(site.root, f"{i}.eml"), subject=f"mail {i}",
                          attachments=[("a.pdf", "application/pdf", PDF + bytes([i]))]) for i in range(count)]
    site.mailtrace("import", *paths)
    assert not os.path.exists(database(site) + "-wal"), "nobody has it open"
    return site


def flip(path, offset):
    with open(path, "r+b") as handle:
        handle.seek(offset)
        byte = handle.read(1)[0]
        handle.seek(offset)
        handle.write(bytes([byte ^ 0x40]))


def ask(path, sql, *values):
    store = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return store.execute(sql, values).fetchall()
    finally:
        store.close()


def verified(site, status, *options):
    done = site.mailtrace("--json", *options, "verify", status=status)
    return json_lines(done.stdout), done.stderr


@test
def a_whole_store_has_no_flaw():
    flaws, said = verified(filled(), 0)
    equal((flaws, said), ([], ""))


@test
def a_byte_flipped_in_a_record_is_found_and_the_record_refused():
    site = filled()
    number, = ask(database(site), "SELECT json FROM event_json WHERE event=3")[0]
    content = open(database(site), "rb").read()
    start = content.find(number[:64])
    assert start > 0 and content.find(number[:64], start + 1) < 0
    flip(database(site), start + 40)
    flaws, said = verified(site, 3)
    equal([f["kind"] for f in flaws], ["event"])
    equal(said.count("\n"), 1, said)
    assert "put back a backup" in said, said
    shown = site.mailtrace("--json", "show", flaws[0]["id"], status=2)
    equal((shown.stdout, shown.stderr.count("\n")), ("", 1), shown.stderr)
    others = [h["event_id"] for h in site.who("subject:mail")[0] if h["event_id"] != flaws[0]["id"]]
    equal(len(others), 19)
    site.mailtrace("--json", "show", others[0])


@test
def a_byte_flipped_in_the_index_of_hashes_is_found():
    site = filled()
    digest = hashlib.sha256(PDF + b"\x05").digest()
    content = open(database(site), "rb").read()
    # its first eight bytes are the key; in the table of files the others follow
    places = [found.start() for found in re.finditer(re.escape(digest[:8]), content)
              if content[found.end():found.end() + 4] != digest[8:12]]
    equal(len(places), 1)
    # the last byte keeps its place in the order, where SQLite's own check sees nothing
    flip(database(site), places[0] + 7)
    equal(site.who(digest.hex(), status=1)[0], [], "the wrong nobody that this must find")
    flaws, said = verified(site, 3)
    assert "digest" in [f["kind"] for f in flaws], flaws
    assert "put back a backup" in said, said


@test
def a_page_of_an_index_that_is_overwritten_is_found():
    site = filled()
    page, = ask(database(site), "SELECT rootpage FROM sqlite_schema WHERE name='events_time'")[0]
    with open(database(site), "r+b") as handle:
        handle.seek((page - 1) * PAGE)
        handle.write(os.urandom(64))
    flaws, _ = verified(site, 3)
    assert flaws and {f["kind"] for f in flaws} == {"file"}, flaws


def answers(site, ids):
    """Returns all that the store can be asked for its messages, of answers that were given."""
    hits = [hit for hit in site.who("subject:mail", "--limit", "0", status=None)[0]]
    shown = [site.mailtrace("--json", "show", event_id, status=None) for event_id in ids]
    return sorted(map(str, hits)), [one.stdout for one in shown]


@test
def a_byte_flipped_anywhere_is_found_or_changes_no_answer():
    """In each page two: one of its head, and one of the rest."""
    site = filled(3)
    ids = [hit["event_id"] for hit in site.who("subject:mail")[0]]
    store, sound = database(site), answers(site, ids)
    source, size, found = random.Random(20261128), os.path.getsize(store), 0
    for page in range(0, size, PAGE):
        for place in (page + source.randrange(12), page + source.randrange(12, PAGE)):
            flip(store, place)
            done = site.mailtrace("--json", "verify", status=None)
            if done.returncode in (2, 3):
                assert "put back a backup" in done.stderr, (place, done.stderr)
                found += 1
            else:
                equal((done.returncode, answers(site, ids)), (0, sound), f"byte {place}")
            flip(store, place)
    equal(answers(site, ids), sound)
    print(f"# {size // PAGE * 2} flips, {found} found")
    assert found > size // PAGE // 2, found


@test
def a_column_whose_name_is_damaged_is_told_with_the_remedy():
    site = filled(1)
    content = open(database(site), "rb").read()
    flip(database(site), content.index(b"md5 BLOB"))
    for verb in (["verify"], ["who", "0" * 32]):
        done = site.mailtrace("--json", *verb, status=None)
        assert done.returncode in (2, 3) and "put back a backup" in done.stderr, (verb, done.stderr)


@test
def a_store_with_a_damaged_head_is_refused_with_the_remedy():
    for offset in (0, 5, 15):
        site = filled(1)
        flip(database(site), offset)
        before = open(database(site), "rb").read()
        for verb in (["verify"], ["who", "subject:mail"], ["status"]):
            done = site.mailtrace("--json", *verb, status=2)
            equal((done.stdout, done.stderr.count("\n")), ("", 1), done.stderr)
            assert "put back a backup" in done.stderr, done.stderr
        equal(open(database(site), "rb").read(), before, "it is left as it is")


@test
def a_backup_made_under_writing_is_whole_and_answers():
    site = site_with_keys()
    site.start_collector()
    send(site, 1, *[event(site, i) for i in range(1, 6)])
    more = [event(site, i) for i in range(6, 40)]
    failed = []

    def write():
        for number, one in enumerate(more, 6):
            if send(site, number, one) != [f"welcome {number - 1}", f"ack {number}"]:
                failed.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    counts = []
    for n in range(4):
        copy = os.path.join(site.root, f"copy{n}.db")
        row, = json_lines(site.mailtrace("--json", "--case", "C-1", "backup", copy).stdout)
        equal((row["type"], row["path"]), ("backup", copy))
        equal(stat.S_IMODE(os.stat(copy).st_mode), 0o600)
        assert not os.path.exists(copy + ".part")
        equal(verified(site, 0, "--store", f"sqlite:{copy}")[0], [])
        counts.append(row["events"])
    writer.join()
    equal(failed, [], "the collector went on")
    assert counts == sorted(counts) and counts[0] >= 5, counts
    equal(len(site.who("subject:mail")[0]), 39)
    # put back, it is what it was, and takes new mail
    site.stop()
    for name in os.listdir(os.path.join(site.root, "store")):
        os.unlink(os.path.join(site.root, "store", name))
    shutil.copy(os.path.join(site.root, "copy3.db"), database(site))
    hits, coverage = site.who("subject:mail")
    equal((len(hits), coverage["messages"]), (counts[3], counts[3]))
    site.start_collector()
    equal(send(site, counts[3] + 1, event(site, counts[3] + 1)),
          [f"welcome {counts[3]}", f"ack {counts[3] + 1}"])
    equal(len(site.who("subject:mail")[0]), counts[3] + 1)
    equal([row["case"] for row in journal(site) if row["verb"] == "backup"][0], "C-1")
    site.stop()


@test
def a_backup_replaces_nothing_and_leaves_nothing_half():
    site = filled(1)
    there = os.path.join(site.root, "there.db")
    for name in (there, os.path.join(site.root, "cut.db.part")):
        with open(name, "w") as handle:
            handle.write("mine")
    for path in (there, os.path.join(site.root, "cut.db"), os.path.join(site.root, "no/such/folder.db"), ""):
        done = site.mailtrace("backup", path, status=2)
        equal((done.stdout, done.stderr.count("\n")), ("", 1), done.stderr)
    equal(open(there).read(), "mine")
    assert not os.path.exists(os.path.join(site.root, "cut.db"))


mtlib.main()
