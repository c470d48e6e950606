#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The journal: what is in it, who reads it, and that no change of it goes unseen."""
import contextlib
import hashlib
import json
import os
import pwd
import re
import shutil
import sqlite3
import sys
import threading

from mtlib import (BUILD, SOURCE, Site, equal, journal, json_lines, main, make_message, run, temporary_directory, test,
                   wait_until)

COLUMNS = "seq, time_us, tenant, hash, entry"


def filled(entries=6):
    """A site with so many entries, made without a collector."""
    site = Site()
    site.mailtrace("import", make_message(f"{site.root}/a.eml"))
    for number in range(1, entries):
        site.mailtrace("--case", f"C-{number % 2}", "who", f"subject:word{number}", status=1)
    return site


def database(site):
    return os.path.join(site.root, "store", "mailtrace.db")


@contextlib.contextmanager
def altered(site):
    """The store opened as one would who may write the file, and knows SQLite."""
    with contextlib.closing(sqlite3.connect(database(site), isolation_level=None)) as store:
        store.execute("DROP TRIGGER journal_no_update")
        store.execute("DROP TRIGGER journal_no_delete")
        yield store


def actions(site, *argv, **keywords):
    return json_lines(site.mailtrace("--json", "actions", *argv, **keywords).stdout)


def flaws(site, *argv, status=3):
    """Verifies; returns [(kind, entry)] of the flaws, and the summary."""
    lines = actions(site, "--verify", *argv, status=status)
    return [(line["kind"], line["entry"]) for line in lines[:-1]], lines[-1]


def rows(store):
    return store.execute(f"SELECT {COLUMNS} FROM journal ORDER BY seq").fetchall()


def put(store, row):
    store.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?)", row)


def forged(entries):
    """Entries with one of them told otherwise, and every hash after it made to fit."""
    made, before = [], None
    for seq, time_us, tenant, _, text in entries:
        event = json.loads(text)
        if seq == 2:
            event["unmapped"]["mailtrace"]["arguments"] = ["subject:harmless"]
        if before:
            event["unmapped"]["attestation_list"][0]["prev_event"]["fingerprint"]["value"] = before
        line = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
        before = hashlib.sha256(line).hexdigest()
        made.append((seq, time_us, tenant, bytes.fromhex(before), line))
    return made


@test
def lists_newest_first_and_filters():
    site = filled()
    mine = pwd.getpwuid(os.getuid()).pw_name
    listed = actions(site)
    equal([line["verb"] for line in listed], ["actions", "who", "who", "who", "who", "who", "import"])
    equal([line["entry"] for line in listed], [7, 6, 5, 4, 3, 2, 1])
    equal((listed[1]["arguments"], listed[1]["case"], listed[1]["results"]), ("subject:word5", "C-1", 0))
    equal([line["entry"] for line in actions(site, "--verb", "who", "--limit", "2")], [6, 5])
    equal([line["entry"] for line in actions(site, "--case", "C-0", "--verb", "who")], [5, 3])
    for actor, status in ((mine, 0), (str(os.getuid()), 0), (f"uid={os.getuid()}({mine})", 0), ("nobody-else", 1)):
        equal(len(actions(site, "--actor", actor, "--verb", "import", status=status)), 1 - status, actor)
    equal(actions(site, "--until", "1d", status=1), [])
    equal(len(actions(site, "--since", "1d", "--verb", "import")), 1)
    equal(actions(site, "--command", "0190a1b2-0000-7000-8000-000000000001", status=1), [])
    event = actions(site, "--verb", "import")[0]["event"]
    equal([line["verb"] for line in actions(site, "--event", event)][-1], "import")
    site.mailtrace("actions", "--limit", "-1", status=2)
    site.mailtrace("actions", "word", status=2)
    table = site.mailtrace("actions", "--verb", "import").stdout
    assert "a.eml" in table and "VERB" in table, table
    assert site.mailtrace("--csv", "actions", "--verb", "import").stdout.startswith("entry,time,actor,verb,")


@test
def tenants_have_their_own_entries_in_one_chain():
    site = filled(2)
    site.mailtrace("--tenant", "b", "who", "subject:x", status=1)
    equal([line["verb"] for line in actions(site)], ["actions", "who", "import"])
    equal([line["verb"] for line in json_lines(site.mailtrace("--tenant", "b", "--json", "actions").stdout)],
          ["actions", "who"])
    equal([line["tenant"] for line in actions(site, "--all-tenants")],
          ["default", "b", "default", "b", "default", "default"])
    equal(flaws(site, status=0)[0], [])


@test
def exported_events_are_ocsf_and_verify_themselves():
    site = filled()
    exported = site.mailtrace("actions", "--export", "--all-tenants").stdout
    path = os.path.join(site.root, "journal.jsonl")
    with open(path, "w") as handle:
        handle.write(exported)
    run(sys.executable, os.path.join(SOURCE, "tests/tools/ocsf_check.py"), path)
    before = None
    lines = exported.splitlines()
    equal(len(lines), 7)
    for number, line in enumerate(lines, 1):
        event = json.loads(line)
        attestation = event["unmapped"]["attestation_list"][0]
        equal(event["metadata"]["sequence"], number)
        equal(attestation.get("prev_event", {}).get("fingerprint", {}).get("value"), before)
        before = hashlib.sha256(line.encode()).hexdigest()
    equal(flaws(site, status=0)[1]["hash"], before, "the head is the last line's hash")


@test
def entries_of_each_kind_are_ocsf():
    lines = run(os.path.join(BUILD, "tests/tools/emit_journal")).stdout
    events = json_lines(lines)
    equal({event["class_uid"] for event in events}, {6003, 7001})
    equal({event["status_id"] for event in events if event["class_uid"] == 7001}, {1, 2, 3, 4, 5, 6})
    equal({event["status_id"] for event in events if event["class_uid"] == 6003}, {1, 2, 99})
    run(sys.executable, os.path.join(SOURCE, "tests/tools/ocsf_check.py"), stdin=lines)
    # and the check itself has teeth
    for key in ("command_uid", "metadata"):
        broken = {name: value for name, value in events[-1].items() if name != key}
        run(sys.executable, os.path.join(SOURCE, "tests/tools/ocsf_check.py"), stdin=json.dumps(broken), status=1)


@test
def a_journal_as_written_verifies_and_verifying_writes_nothing():
    site = filled()
    before = journal(site)
    found, summary = flaws(site, status=0)
    equal(found, [])
    equal((summary["entries"], summary["flaws"], summary["last"]), (6, 0, 6))
    equal(journal(site), before)
    empty = Site()
    empty.mailtrace("import", make_message(f"{empty.root}/a.eml"))
    assert "1 entries, 0 flaws" in empty.mailtrace("actions", "--verify").stdout


@test
def a_changed_entry_is_found():
    site = filled()
    with altered(site) as store:
        store.execute("UPDATE journal SET entry=CAST(replace(entry, 'word2', 'word9') AS BLOB) WHERE seq=3")
    equal(flaws(site)[0], [("changed", 3)])


@test
def a_changed_entry_whose_hash_was_made_to_fit_is_found():
    site = filled()
    with altered(site) as store:
        _, _, _, digest, text = forged(rows(store))[1]
        store.execute("UPDATE journal SET entry=?, hash=? WHERE seq=2", (text, digest))
    found, _ = flaws(site)
    equal(found, [("changed", 3)])
    told = site.mailtrace("actions", "--verify", status=3).stdout
    assert "one of them was written anew" in told, told


@test
def a_removed_entry_is_found():
    site = filled()
    with altered(site) as store:
        store.execute("DELETE FROM journal WHERE seq IN (3, 4)")
    equal(flaws(site)[0], [("removed", 3)])
    assert "2 entries are missing before entry 5" in site.mailtrace("actions", "--verify", status=3).stdout


@test
def a_removed_entry_whose_place_was_closed_is_found():
    site = filled()
    with altered(site) as store:
        store.execute("DELETE FROM journal WHERE seq=3")
        for seq in (4, 5, 6):
            store.execute("UPDATE journal SET seq=? WHERE seq=?", (seq - 1, seq))
        store.execute("UPDATE journal_chain SET seq=5")
    equal(flaws(site)[0], [("reordered", 3), ("reordered", 4), ("reordered", 5)])


@test
def entries_in_another_order_are_found():
    site = filled()
    with altered(site) as store:
        kept = {row[0]: row for row in rows(store)}
        store.execute("DELETE FROM journal WHERE seq IN (3, 5)")
        put(store, (3,) + kept[5][1:])
        put(store, (5,) + kept[3][1:])
    equal(flaws(site)[0], [("reordered", 3), ("reordered", 5)])


@test
def an_entry_hidden_from_its_tenant_is_found():
    site = filled()
    with altered(site) as store:
        store.execute("UPDATE journal SET tenant='b' WHERE seq=2")
        store.execute("UPDATE journal SET time_us=0 WHERE seq=4")
    equal(flaws(site)[0], [("changed", 2), ("changed", 4)])


@test
def a_truncated_journal_is_found():
    site = filled()
    with altered(site) as store:
        store.execute("DELETE FROM journal WHERE seq>4")
    equal(flaws(site)[0], [("truncated", 5)])
    with altered_again(site) as store:
        store.execute("DELETE FROM journal")
    found, summary = flaws(site)
    equal((found, summary["entries"]), ([("truncated", 1)], 0))


@contextlib.contextmanager
def altered_again(site):
    with contextlib.closing(sqlite3.connect(database(site), isolation_level=None)) as store:
        yield store


@test
def a_chain_that_goes_on_after_a_change_keeps_the_flaw():
    site = filled()
    with altered(site) as store:
        store.execute("UPDATE journal SET entry=CAST(replace(entry, 'word5', 'word9') AS BLOB) WHERE seq=6")
    site.mailtrace("who", "subject:more", status=1)
    equal(flaws(site)[0], [("changed", 6)])


@test
def an_entry_that_is_none_is_told_by_the_list_too():
    site = filled()
    with altered(site) as store:
        store.execute("UPDATE journal SET entry=x'7b7d' WHERE seq=2")
    done = site.mailtrace("--json", "actions")
    assert "entry 2 cannot be read" in done.stderr, done.stderr
    equal([line["entry"] for line in json_lines(done.stdout)], [7, 6, 5, 4, 3, 1])
    equal(flaws(site)[0], [("changed", 2)])


@test
def a_copy_is_verified_where_it_lies():
    site = filled()
    copy = os.path.join(temporary_directory(), "copy.db")
    site.mailtrace("backup", copy)
    equal(site.mailtrace("--store", f"sqlite:{copy}", "--json", "actions", "--verify").returncode, 0)
    with open(copy, "rb") as handle:
        before = hashlib.sha256(handle.read()).hexdigest()
    site.mailtrace("--store", f"sqlite:{copy}", "actions", "--verify")
    with open(copy, "rb") as handle:
        equal(hashlib.sha256(handle.read()).hexdigest(), before)
    shutil.rmtree(os.path.dirname(copy))


@test
def arguments_are_kept_to_their_cap_and_cases_refused_beyond():
    site = filled(1)
    words = [f"subject:{'x' * 90}{n}" for n in range(200)]
    site.mailtrace("who", *words, status=1)
    entry = journal(site)[-1]["event"]["unmapped"]["mailtrace"]
    equal(len(entry["arguments"]) + entry["arguments_left_out"], 200)
    assert entry["arguments"] == words[:len(entry["arguments"])] and len(entry["arguments_sha256"]) == 64
    for option, most in (("--case", 256), ("--reason", 1024)):
        site.mailtrace(option, "x" * most, "who", "subject:y", status=1)
        site.mailtrace(option, "x" * (most + 1), "who", "subject:y", status=2)



# ---- anchors ----

CAP_JOURNAL_ANCHORS = 1000000


def anchored(*, key=True, sensor=True):
    """A site whose collector and milter ran over a journal of seven entries, and stopped."""
    site = filled()
    site.make_keys()
    if key:
        site.mailtrace("keygen", "--type", "journal", f"{site.root}/keys", "journal")
        site.set("collector", journal_key=f"{site.root}/keys/journal.key")
    site.start_collector()
    if sensor:
        site.start_milter()
        wait_until(lambda: kept(site), "the sensor keeps the anchor")
    site.stop()
    return site


def sensor_file(site):
    return os.path.join(site.root, "spool", "journal-anchors")


def kept(site):
    """The anchors that the sensor keeps."""
    if not os.path.exists(sensor_file(site)):
        return []
    with open(sensor_file(site)) as handle:
        return re.findall(r"^[0-9TZ:-]+ (mja1\.\S+)$", handle.read(), re.M)


def rewrite(site, upto=None):
    """Forges the journal, with all that the store says of it, as far as one can without a key."""
    with altered(site) as store:
        made = forged(rows(store))[:upto]
        store.execute("DELETE FROM journal")
        for row in made:
            put(store, row)
        store.execute("UPDATE journal_chain SET seq=?, hash=?, last_uid=?, anchor=NULL",
                      (made[-1][0], made[-1][3], json.loads(made[-1][4])["metadata"]["uid"]))


@test
def the_head_is_signed_logged_and_kept_by_sensors():
    site = anchored()
    entries = len(journal(site))
    words = kept(site)
    equal([word.split(".")[2] for word in words], [str(entries)])
    equal(words[0].split(".")[4], flaws(site, status=0)[1]["hash"])
    assert f"journal-anchor anchor={words[0]} signed=yes" in site.collector.text(), site.collector.text()
    found, summary = flaws(site, "--anchor", sensor_file(site), "--anchor", f"{site.root}/collect.log", status=0)
    equal((found, summary["anchors"], summary["signatures"]), ([], 3, 3))
    # with a public key from elsewhere, and with one that is another's
    equal(flaws(site, "--key", f"{site.root}/keys/journal.pub", status=0)[0], [])
    site.mailtrace("keygen", "--type", "journal", f"{site.root}/keys", "other")
    equal(flaws(site, "--key", f"{site.root}/keys/other.pub", "--anchor", sensor_file(site))[0],
          [("forged", entries)] * 2)


@test
def without_a_key_anchors_are_kept_and_say_so():
    site = anchored(key=False)
    assert kept(site)[0].endswith(".-"), kept(site)
    assert 'signed="no: [collector] journal_key is not set"' in site.collector.text(), site.collector.text()
    found, summary = flaws(site, "--anchor", sensor_file(site), status=0)
    equal((found, summary["anchors"], summary["signatures"]), ([], 2, 0))
    rewrite(site)
    equal(flaws(site, status=0)[0], [], "by itself, a chain that was written anew is whole")
    equal(flaws(site, "--anchor", sensor_file(site))[0], [("rewritten", len(journal(site)))])


@test
def a_journal_written_anew_is_found():
    site = anchored()
    last = len(journal(site))
    rewrite(site)
    equal(flaws(site)[0], [("unsigned", last)], "who has no key cannot sign")
    found, summary = flaws(site, "--anchor", sensor_file(site))
    equal((found, summary["flaws"]), ([("unsigned", last), ("rewritten", last)], 2))
    told = site.mailtrace("actions", "--verify", "--anchor", f"{site.root}/collect.log", status=3).stdout
    assert "was another" in told, told


@test
def a_journal_begun_anew_with_another_chain_is_found():
    site = anchored(key=False)
    with altered(site) as store:
        chain = store.execute("SELECT uid FROM journal_chain").fetchone()[0]
        new = chain[:-1] + ("0" if chain[-1] != "0" else "1")
        kept_rows = [row[:4] + (row[4].replace(chain.encode(), new.encode()),) for row in rows(store)]
        store.execute("DELETE FROM journal")
        for row in forged(kept_rows):
            put(store, row)
        store.execute("UPDATE journal_chain SET uid=?, hash=?, anchor=NULL", (new, forged(kept_rows)[-1][3]))
    equal(flaws(site, status=0)[0], [])
    equal(flaws(site, "--anchor", sensor_file(site))[0], [("rewritten", 1)])


@test
def a_journal_cut_off_with_its_head_is_found():
    site = anchored(key=False)
    with altered(site) as store:
        store.execute("DELETE FROM journal WHERE seq>4")
        store.execute("UPDATE journal_chain SET seq=4, hash=(SELECT hash FROM journal WHERE seq=4), anchor=NULL")
    equal(flaws(site, status=0)[0], [], "what the store says of itself was cut too")
    equal(flaws(site, "--anchor", sensor_file(site))[0], [("truncated", 5)])
    with altered_again(site) as store:
        store.execute("DELETE FROM journal")
        store.execute("UPDATE journal_chain SET seq=0, hash=zeroblob(32)")
    equal(flaws(site, "--anchor", sensor_file(site))[0], [("truncated", 1)])


@test
def a_sensor_warns_of_an_anchor_that_does_not_follow():
    site = anchored()
    rewrite(site, upto=3)
    site.start_collector()
    site.start_milter()
    wait_until(lambda: "journal-anchor-does-not-follow" in site.milter.text(), "the sensor warns")
    site.stop()
    equal([word.split(".")[2] for word in kept(site)], ["7", "3"], "and keeps both")


@test
def a_sensor_keeps_an_anchor_once_and_catches_up():
    site = anchored()
    site.start_milter()
    site.mailtrace("who", "subject:more", status=1)
    site.start_collector()
    wait_until(lambda: len(kept(site)) == 2, "the sensor has the next anchor")
    site.mailtrace("who", "subject:still", status=1)
    site.collector.stop()
    equal(site.collector.text().count(" anchor=mja1."), 3, "at the end the last entries are anchored too")
    site.stop()
    equal([word.split(".")[2] for word in kept(site)][:2], ["7", "8"])
    equal(flaws(site, "--anchor", f"{site.root}/collect.log", status=0)[0], [])


# ---- through the collector ----

@test
def through_the_collector_the_journal_is_the_same():
    site = filled(2)
    words = [f"subject:{'x' * 90}{n}" for n in range(80)]
    for number in range(30):
        site.mailtrace("--case", f"C-{number}", "who", *words, status=1)
    site.make_keys()
    direct = site.mailtrace("actions", "--export", "--until", "2100-01-01").stdout.splitlines()
    assert len("\n".join(direct)) > 4 * 65536, "several answers"
    mine = str(os.getuid())
    site.set("roles", auditors=mine, analysts=mine, administrators=mine)
    site.start_collector()
    # the store's file is out of reach meanwhile, so that it is not what is read
    os.chmod(f"{site.root}/store", 0)
    try:
        through = site.mailtrace("actions", "--export", "--all-tenants").stdout.splitlines()
        equal(through[:len(direct)], direct)
        listed = actions(site, "--limit", "3", "--verb", "who")
        equal([line["case"] for line in listed], ["C-29", "C-28", "C-27"])
        equal(len(actions(site, "--verb", "who")), 31)
        equal(actions(site, "--until", "1d", status=1), [])
        found, summary = flaws(site, status=0)
        equal((found, summary["entries"]), ([], len(through) + 3))
        equal(summary["anchors"], 1, "and the store's own anchor is held against it")
    finally:
        os.chmod(f"{site.root}/store", 0o750)
    site.stop()


@test
def a_journal_that_grows_meanwhile_has_no_flaw():
    for roles in ({}, {role: os.getuid() for role in ("analysts", "auditors", "administrators")}):
        site = filled(1)
        site.make_keys()
        site.set("roles", **roles)
        site.start_collector()
        growing = threading.Thread(target=lambda: [site.mailtrace("who", "subject:x", status=1) for _ in range(40)])
        growing.start()
        rounds = 0
        while growing.is_alive() or rounds < 5:
            equal(flaws(site, status=0)[0], [])
            rounds += 1
        growing.join()
        site.stop()


@test
def a_flaw_is_found_through_the_collector_too():
    site = filled()
    site.make_keys()
    mine = str(os.getuid())
    site.set("roles", auditors=mine, administrators=mine)
    with altered(site) as store:
        store.execute("UPDATE journal SET entry=CAST(replace(entry, 'word2', 'word9') AS BLOB) WHERE seq=3")
        store.execute("UPDATE journal SET entry=zeroblob(100000) WHERE seq=4")
        store.execute("UPDATE journal SET hash=x'00' WHERE seq=5")
    site.start_collector()
    equal(flaws(site)[0], [("changed", 3), ("changed", 4), ("changed", 5), ("changed", 6)])
    site.stop()


@test
def no_anchor_is_left_out_without_a_word():
    site = anchored(key=False)
    word, = kept(site)
    path = f"{site.root}/many"
    # With the store's own one below the cap, and then at it.
    with open(path, "w") as handle:
        handle.write(f"{word}\n" * (CAP_JOURNAL_ANCHORS - 2))
    for number in (CAP_JOURNAL_ANCHORS - 1, CAP_JOURNAL_ANCHORS):
        found, summary = flaws(site, "--anchor", path, status=0)
        equal((found, summary["anchors"]), ([], number))
        with open(path, "a") as handle:
            handle.write(f"{word}\n")
    done = site.mailtrace("actions", "--verify", "--anchor", path, status=2)
    assert f"more than {CAP_JOURNAL_ANCHORS} anchors" in done.stderr, done.stderr


@test
def a_file_without_an_anchor_and_a_wrong_key_are_refused():
    site = filled(1)
    empty, text = os.path.join(site.root, "empty"), os.path.join(site.root, "text")
    for path, content in ((empty, ""), (text, "mja1.nothing\n" * 10)):
        with open(path, "w") as handle:
            handle.write(content)
        done = site.mailtrace("actions", "--verify", "--anchor", path, status=2)
        assert "has no anchor" in done.stderr, done.stderr
        site.mailtrace("actions", "--verify", "--key", path, status=2)
    site.mailtrace("actions", "--verify", "--anchor", f"{site.root}/absent", status=2)
    site.mailtrace("actions", "--anchor", text, status=2)


main()
