#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The journal: what is in it, who reads it, and that no change of it goes unseen."""
import contextlib
import hashlib
import json
import os
import pwd
import shutil
import sqlite3
import sys

from mtlib import SOURCE, Site, equal, journal, json_lines, main, make_message, run, temporary_directory, test

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


main()
