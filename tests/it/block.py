#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The block list, from the command line to the filter's answer and back."""
import hashlib
import io
import json
import os
import shlex
import shutil
import sqlite3
import sys
import time
import zipfile

import mtlib
from mtlib import (SOURCE, Daemon, Site, equal, journal, json_lines, main, make_message, message_with_payload, program, run, test, wait_until)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "faults"))
import shim  # noqa: E402

RCPT = ["--from", "<sender@example.net>", "--rcpt", "<alice@example.org>"]
REPLY = "550 5.7.1"


def new_site(sensors=("mx1",)):
    site = Site()
    site.make_keys()
    site.set("collector", expected_sensors=";".join(sensors))
    site.start_collector()
    return site


def block(site, *argv, status=0):
    """Runs `mailtrace --json block`; returns {type: line}."""
    done = site.mailtrace("--json", "block", *argv, status=status)
    return {line["type"]: line for line in json_lines(done.stdout)}


def verdict(site, path):
    line = site.play(*RCPT, path)[0]
    return line["verdict"], line.get("quarantine"), line.get("text")


def blocks(site, *argv):
    done = site.mailtrace("--json", "block", "list", *argv, status=None)
    return json_lines(done.stdout)


@test
def a_block_is_in_force_when_the_command_says_so_in_each_of_its_modes():
    site = new_site()
    site.start_milter()
    path, payload = message_with_payload(site, "evil")
    other, _ = message_with_payload(site, "good")
    equal(verdict(site, path)[0], "accept")
    site.wait_stored(1)
    said = block(site, "add", payload)
    equal((said["blocked"]["added"], said["blocked"]["changed"]), (1, 0))
    equal((said["force"]["in_force"], said["force"]["sensors"], said["force"]["missing"]), (1, 1, ""))
    equal(said["received"]["recipients"], 1, "who has it already")
    got = verdict(site, path)
    equal(got[0], "reply")
    assert REPLY in got[2], got
    equal(verdict(site, other)[0], "accept")
    for mode, wanted in (("hold", "accept"), ("discard", "discard"), ("observe", "accept")):
        equal(block(site, "add", payload, "--mode", mode)["blocked"], {"type": "blocked", "added": 0, "changed": 1})
        got = verdict(site, path)
        equal(got[0], wanted, mode)
        equal(got[1] is not None, mode == "hold", mode)
    said = block(site, "remove", hashlib.sha256(open(payload, "rb").read()).hexdigest())
    equal((said["removed"]["removed"], said["force"]["in_force"]), (1, 1))
    equal(verdict(site, path)[0], "accept")
    site.wait_stored(7)
    site.stop()


@test
def who_has_it_already_is_named_and_the_plan_for_it_offered():
    site = new_site()
    site.start_milter()
    path, payload = message_with_payload(site, "evil's", subject="Invoice")
    to = [option for number in range(25) for option in ("--rcpt", f"<u{number}@example.org>")]
    site.play("--from", "<sender@example.net>", *to, path)
    site.wait_stored(1)
    lines = json_lines(site.mailtrace("--json", "block", "add", payload).stdout)
    holders = [line for line in lines if line["type"] == "holder"]
    equal([line["recipient"] for line in holders], [f"u{number}@example.org" for number in range(20)])
    equal({(line["state"], line["subject"], line["event_id"]) for line in holders},
          {("accepted", "Invoice", site.who(payload)[0][0]["event_id"])})
    equal([line["recipients"] for line in lines if line["type"] == "received"], [25])
    # A file in the folder where one stands is one, too; what is offered is typed as it is.
    table = site.mailtrace("block", "add", os.path.basename(payload), cwd=site.root).stdout
    assert "u19@example.org" in table and "u20@" not in table, table
    assert "25 recipients have it already, the first 20 shown." in table, table
    offer, = [line.split("mailtrace ", 1)[1] for line in table.splitlines() if "mailtrace contain" in line]
    site.mailtrace(*shlex.split(offer), cwd=site.root)
    with open(f"{site.root}/plan.json") as handle:
        plan = json.load(handle)
    equal((len(plan["recipients"]), len(plan["commands"])), (25, 26), "a mailbox each, and the file")
    nobody = site.mailtrace("block", "add", "0" * 32).stdout
    assert "Nobody is known to have it." in nobody and "contain" not in nobody, nobody
    site.stop()


@test
def sensors_that_have_it_are_counted_and_those_that_do_not_are_named():
    first = new_site(sensors=("mx1", "mx2", "mx3"))
    keys = f"{first.root}/keys"
    first.mailtrace("keygen", "--type", "sensor", keys, "mx2")
    first.mailtrace("sensor", "add", "mx2", f"{keys}/mx2.pub")
    second = Site(site={"sensor": "mx2", "site_key": f"{keys}/site.key"})
    second.set("bus", **{**first.settings["bus"], "sensor_key": f"{keys}/mx2.key"})
    path, payload = message_with_payload(first, "evil")
    other, other_payload = message_with_payload(first, "other")
    for site in (first, second):
        site.start_milter()
    wait_until(lambda: block(first, "add", payload, "--wait", "1000", status=3)["force"]["in_force"] == 2, "both are there")
    said = block(first, "add", other_payload, "--wait", "1000", status=3)["force"]
    equal((said["in_force"], said["sensors"], said["missing"]), (2, 3, "mx3"))
    table = first.mailtrace("block", "add", other_payload, "--wait", "1000", status=3)
    assert "2 of 3 sensors" in table.stdout + table.stderr and "mx3" in table.stdout + table.stderr, table
    for site in (first, second):
        equal([verdict(site, path)[0], verdict(site, other)[0]], ["reply"] * 2, site.root)
    second.milter.stop()
    first.stop()


@test
def an_mta_that_cannot_quarantine_is_told_and_gets_no_mail_that_is_to_be_held():
    site = new_site()
    site.start_milter()
    path, payload = message_with_payload(site, "evil")
    block(site, "add", payload, "--mode", "hold")
    able = site.play(*RCPT, path)[0]
    assert able["quarantine"] and able["verdict"] == "accept", able
    assert "mta-refuses" not in site.milter.text(), site.milter.text()
    line = site.play(*RCPT, "--no-quarantine", path)[0]
    equal((line["verdict"], line.get("quarantine")), ("reply", None), "no quarantine that becomes an accept")
    assert line["text"].startswith("451 4.7.1"), line
    wait_until(lambda: "mta-refuses action=quarantine" in site.milter.text(), "the administrator is told")
    equal(site.play(*RCPT, "--no-quarantine", os.path.join(SOURCE, "tests/data/minimal.eml"))[0]["verdict"], "accept")
    site.wait_stored(3)
    equal([hit["state"] for hit in site.who(payload)[0]], ["held"], "what was refused for a time has not been received")
    site.stop()


@test
def what_was_refused_is_recorded_and_never_counts_as_received():
    site = new_site()
    site.start_milter()
    path, payload = message_with_payload(site, "evil")
    block(site, "add", payload, "--case", "C-7", "--reason", "reported by the EDR")
    verdict(site, path)
    block(site, "add", payload, "--mode", "hold")
    verdict(site, path)
    wait_until(lambda: blocks(site)[0]["hits"] == 2, "both messages are counted as hits")
    hits, coverage = site.who(payload)
    equal([hit["state"] for hit in hits], ["held"])
    equal(sorted(hit["state"] for hit in site.who(payload, "--with-refused")[0]), ["held", "rejected"])
    row = blocks(site)[0]
    equal((row["mode"], row["state"], row["what"]),
          ("hold", "in force", hashlib.sha256(open(payload, "rb").read()).hexdigest()))
    assert row["last_hit_at"] and row["expires_at"] and row["created_at"] and row["actor"].startswith("uid="), row
    equal(row["name"], "evil.exe")
    shown = json_lines(site.mailtrace("--json", "show", hits[0]["event_id"]).stdout)[0]
    ours = shown["unmapped"]["mailtrace"]
    equal([(b["mode"], b["match"], b["file"]) for b in ours["blocks"]], [("hold", "exact", "2")])
    equal((shown["action_id"], shown["disposition_id"], ours["verdict_reason"]), (2, 3, "block = hold"))
    assert "block-hit" in site.milter.text()
    site.stop()


@test
def any_digest_blocks_at_any_depth_and_under_any_name():
    site = new_site()
    site.start_milter()
    content = b"the file that nobody is to have\n" * 20
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("deep/holiday.txt", content)
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.zip", inner.getvalue())
    path = make_message(f"{site.root}/nested.eml", attachments=[("outer.zip", "application/zip", outer.getvalue())])
    for make in (hashlib.md5, hashlib.sha1, hashlib.sha256):
        digest = make(content).hexdigest()
        equal(verdict(site, path)[0], "accept")
        block(site, "add", digest.upper())
        equal(verdict(site, path)[0], "reply", digest)
        block(site, "remove", digest)
    site.stop()


@test
def line_ends_do_not_hide_a_blocked_file():
    site = new_site()
    site.start_milter()
    text = f"{site.root}/script.js"
    with open(text, "w", newline="") as handle:
        handle.write("var a = 1;\nrun(a);\n")
    path = make_message(f"{site.root}/text.eml",
                        attachments=[("other.js", "text/plain", b"var a = 1;\r\nrun(a);\r\n")])
    block(site, "add", text)
    equal(verdict(site, path)[0], "reply")
    site.stop()


@test
def an_encrypted_member_is_a_candidate_that_may_only_be_observed_or_held():
    site = new_site()
    site.start_milter()
    payload = f"{site.root}/tool.exe"
    with open(payload, "wb") as handle:
        handle.write(b"MZ" + b"x" * 500)
    for mode in ("reject", "discard"):
        refused = site.mailtrace("block", "add", payload, "--match", "candidate", "--mode", mode, status=2)
        assert "observed or held" in refused.stderr, refused.stderr
    site.mailtrace("block", "add", "0" * 32, "--match", "candidate", status=2)
    block(site, "add", payload, "--match", "candidate")
    row = blocks(site)[0]
    equal((row["mode"], row["what"].startswith("crc32=")), ("hold", True))
    equal(block(site, "remove", row["what"])["removed"]["removed"], 1)
    # An archive that no word of its mail opens, and the file that is in it.
    with open(payload, "wb") as handle:
        handle.write(b"MZ what was locked away\n" * 20)
    with open(os.path.join(SOURCE, "tests/data/locked-zipcrypto.zip"), "rb") as handle:
        path = make_message(f"{site.root}/locked.eml", attachments=[("a.zip", "application/zip", handle.read())])
    block(site, "add", payload, "--mode", "reject")
    equal(verdict(site, path)[0], "accept", "by its digest nobody knows it")
    block(site, "add", payload, "--match", "candidate", "--mode", "observe")
    equal(verdict(site, path)[:2], ("accept", None))
    block(site, "add", payload, "--match", "candidate")
    got = verdict(site, path)
    assert got[0] == "accept" and got[1], got
    wait_until(lambda: [row["hits"] for row in blocks(site) if row["what"].startswith("crc32=")] == [2], "both are counted")
    site.stop()


@test
def a_hit_runs_the_sites_command():
    site = new_site()
    keys = f"{site.root}/keys"
    site.mailtrace("keygen", "--type", "client", keys, "soc")
    site.mailtrace("sensor", "add", "--role", "subscribe", "soc", f"{keys}/soc.pub")
    site.start_milter()
    path, payload = message_with_payload(site, "evil", subject="evil")
    other, _ = message_with_payload(site, "good", subject="good")
    block(site, "add", payload, "--mode", "observe")
    command = f"{site.root}/alert"
    with open(command, "w") as handle:
        handle.write('#!/bin/sh\necho "$1" >>"$0.said"; cat >>"$0.said"; echo >>"$0.said"\n')
    os.chmod(command, 0o755)
    watch = Daemon([program("mailtrace"), "--config", site.config, "watch", "--key", f"{keys}/soc.key", "--hits",
                    "--exec", f"{command} 'two words; $HOME'"], f"{site.root}/watch.log")

    def is_said():
        # a subscription takes a moment to reach the publisher, and nothing is kept for it
        verdict(site, other)
        verdict(site, path)
        return os.path.exists(f"{command}.said") and watch.alive()

    wait_until(is_said, "the command was run")
    # all that came before the last is there, and every one of it is a hit
    wait_until(lambda: open(f"{command}.said").read().endswith("}\n"), "it has read the event")
    with open(f"{command}.said") as handle:
        said = handle.read().splitlines()
    events = [json.loads(line) for line in said[1::2]]
    equal(set(said[0::2]), {"two words; $HOME"})
    equal({event["email"]["subject"] for event in events}, {"evil"})
    equal({len(event["unmapped"]["mailtrace"]["blocks"]) for event in events}, {1})
    watch.process.terminate()
    watch.process.wait()
    site.stop()


@test
def a_block_holds_without_the_collector_and_over_restarts():
    site = new_site()
    site.start_milter()
    path, payload = message_with_payload(site, "evil")
    block(site, "add", payload)
    site.collector.stop()
    equal(verdict(site, path)[0], "reply")
    site.milter.stop()
    site.start_milter()
    equal(verdict(site, path)[0], "reply", "after a restart")
    site.milter.kill()
    wait_until(lambda: not site.milter_answers(), "its processes have ended with it")
    site.start_milter()
    equal(verdict(site, path)[0], "reply", "after a crash")
    site.stop()


@test
def a_sensor_that_was_away_is_named_and_caught_up():
    site = new_site()
    site.start_milter()
    path, payload = message_with_payload(site, "evil")
    other, other_payload = message_with_payload(site, "other")
    block(site, "add", payload)
    site.milter.stop()
    said = block(site, "add", other_payload, "--wait", "50", status=3)
    equal((said["force"]["in_force"], said["force"]["missing"]), (0, "mx1"))
    block(site, "remove", hashlib.sha256(open(payload, "rb").read()).hexdigest(), "--wait", "50", status=3)
    site.start_milter()
    wait_until(lambda: verdict(site, other)[0] == "reply", "the new block comes into force")
    wait_until(lambda: verdict(site, path)[0] == "accept", "the removed one ends")
    site.stop()


@test
def a_collector_with_another_store_tells_the_whole_list_anew():
    site = new_site()
    site.start_milter()
    path, payload = message_with_payload(site, "evil")
    other, other_payload = message_with_payload(site, "other")
    block(site, "add", payload)
    site.collector.stop()
    shutil.rmtree(f"{site.root}/store")
    os.makedirs(f"{site.root}/store", 0o750)
    site.start_collector()
    block(site, "add", other_payload)
    equal(verdict(site, other)[0], "reply")
    equal(verdict(site, path)[0], "accept")
    site.stop()


@test
def a_block_ends_by_itself_when_its_time_is_up():
    site = new_site()
    site.start_milter()
    path, payload = message_with_payload(site, "evil")
    refused = site.mailtrace("block", "add", payload, "--expires", "2020-01-01", status=2)
    assert "passed" in refused.stderr, refused.stderr
    block(site, "add", payload, "--expires", "1h")
    row = blocks(site)[0]
    equal(verdict(site, path)[0], "reply")
    # The hour is over: as the collector will see it when the clock says so.
    with sqlite3.connect(f"{site.root}/store/mailtrace.db") as store:
        store.execute("UPDATE blocks SET expires_us=1")
    wait_until(lambda: verdict(site, path)[0] == "accept", "the block ends")
    equal(blocks(site), [])
    equal([b["state"] for b in blocks(site, "--all")], ["expired"])
    assert row["expires_at"], row
    block(site, "add", payload, "--expires", "never")
    equal(blocks(site)[0]["expires_at"], None)
    site.stop()


@test
def a_block_ends_at_its_time_without_the_collector():
    site = new_site()
    clock = shim.Shim(site.root)
    site.start_milter(**clock.environment())
    path, payload = message_with_payload(site, "evil")
    block(site, "add", payload, "--expires", "1h")
    site.collector.stop()
    clock.step_clock(3600 - 60)
    equal(verdict(site, path)[0], "reply", "in the hour")
    clock.step_clock(60 + 60)  # a sensor counts minutes
    equal(verdict(site, path)[0], "accept", "after it")
    site.stop()


@test
def a_list_of_hashes_is_imported():
    site = new_site()
    site.start_milter()
    path, payload = message_with_payload(site, "evil")
    digest = hashlib.sha1(open(payload, "rb").read()).hexdigest()
    hashes = f"{site.root}/feed.csv"
    with open(hashes, "w") as handle:
        handle.write("sha256,family\n")
        for number in range(2500):
            handle.write(f"{hashlib.sha256(str(number).encode()).hexdigest()},x\n")
        handle.write(f"{digest},y\n")
    said = block(site, "import", hashes, "--mode", "reject", "--expires", "90d")
    equal(said["blocked"]["added"], 2501)
    equal(said["force"]["in_force"], 1)
    equal(len(blocks(site)), 2501)
    equal(verdict(site, path)[0], "reply")
    # One a line, as another program leaves it: in capitals, with CR, a comment and an empty line.
    other, other_payload = message_with_payload(site, "other")
    with open(hashes, "wb") as handle:
        handle.write(b"# of today\r\n\r\n" + hashlib.md5(open(other_payload, "rb").read()).hexdigest().upper().encode() + b"\r\n")
    equal(block(site, "import", hashes)["blocked"], {"type": "blocked", "added": 1, "changed": 0})
    equal(verdict(site, other)[0], "reply")
    site.stop()


@test
def what_cannot_be_done_is_said_and_changes_nothing():
    site = new_site()
    for argv in (["add"], ["add", "/no/such/file"], ["add", "abc", "--mode", "hold"], ["remove"], ["frob"],
                 ["add", "0" * 32, "--mode", "quarantine"], ["add", "0" * 32, "--match", "fuzzy"],
                 ["add", "0" * 32, "--expires", "soon"], ["import", "/no/such/list"]):
        done = site.mailtrace("block", *argv, status=2)
        assert done.stderr.count("\n") == 1 and not done.stdout, (argv, done.stderr, done.stdout)
    done = site.mailtrace("block", "remove", "0" * 32, status=1)
    assert "is not blocked" in done.stderr, done.stderr
    site.mailtrace("block", "list", status=1)
    site.collector.stop()
    done = site.mailtrace("block", "add", "0" * 32, status=2)
    assert "no collector listens" in done.stderr, done.stderr


@test
def every_change_is_in_the_journal_with_who_and_why():
    site = new_site()
    block(site, "add", "0" * 32, "--wait", "0", "--case", "C-1", "--reason", "drill", status=3)
    block(site, "remove", "0" * 32, "--wait", "0", "--case", "C-1", status=3)
    rows = journal(site)
    equal([(r["verb"], r["arguments"][:2], r["case"], r["reason"], r["uid"]) for r in rows],
          [("block", ["add", "0" * 32], "C-1", "drill", os.getuid()),
           ("who", ["0" * 32], "C-1", "drill", os.getuid()),
           ("block", ["remove", "0" * 32], "C-1", None, os.getuid())], "to tell who has it is a question, too")
    site.stop()


@test
def tenants_block_for_themselves():
    site = new_site()
    site.start_milter()
    path, payload = message_with_payload(site, "evil")
    site.mailtrace("--tenant", "other", "block", "add", payload, "--wait", "0", status=3)
    block(site, "add", "0" * 32)
    equal(verdict(site, path)[0], "accept")
    equal([b["what"] for b in blocks(site)], ["0" * 32])
    site.stop()


main()
