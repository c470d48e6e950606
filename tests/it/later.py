#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The password that comes in the next mail, through the milter and the collector."""
import contextlib
import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "faults"))

from shim import Shim
from mtlib import SOURCE, Daemon, Site, equal, json_lines, main, make_message, program, run, test, wait_until

PASSWORD = "x7kQ!9"  # of tests/data/locked-*.zip, in which is evil.exe
LOCKED = b"MZ what was locked away\n" * 20
SHA256 = hashlib.sha256(LOCKED).hexdigest()
LATER_TEXT_BYTES = 256 * 1024  # CAP_LATER_TEXT_BYTES
ALICE, BOB, CAROL = "<alice@partner.example>", "<bob@example.org>", "<carol@example.org>"
DAVE = "<dave@example.org>"
MINUTE_S, DAY_S = 60, 24 * 3600


@contextlib.contextmanager
def running(shim=False, **spool):
    """With the shim, the clock of both programs is site.shim's."""
    site = Site(scanner={"workers": "1"})
    site.set("spool", **spool)
    site.make_keys()
    site.shim = Shim(site.root) if shim else None
    clock = site.shim.environment() if shim else {}
    site.start_collector(**clock)
    site.start_milter(**clock)
    site.sent = 0
    try:
        yield site
    finally:
        site.stop()


def send(site, name, sender, *recipients, body="Hello.\r\n", subject=None, attachments=()):
    """Sends a message and waits until it is stored."""
    path = make_message(f"{site.root}/{name}.eml", message_id=f"<{name}@example.net>", subject=subject or name,
                        body=body, attachments=attachments)
    to = [option for recipient in recipients for option in ("--rcpt", recipient)]
    site.play("--from", sender, *to, "--queue-id", name.upper(), path)
    site.sent += 1
    site.wait_stored(site.sent)


def locked(site, name, sender, *recipients, kind="aes-256"):
    with open(os.path.join(SOURCE, "tests", "data", f"locked-{kind}.zip"), "rb") as handle:
        zipped = handle.read()
    send(site, name, sender, *recipients, attachments=[("invoice.zip", "application/zip", zipped)])
    kept = f"{site.settings['spool']['directory']}/locked"
    wait_until(lambda: any(entry.endswith(".sealed") for entry in os.listdir(kept)), "the kept message")


def who(site):
    return site.who(SHA256, status=None)[0]


@test
def a_later_mail_opens_what_an_earlier_one_brought():
    with running() as site:
        locked(site, "first", ALICE, BOB, CAROL)
        equal(who(site), [], "nobody knows what is in it")
        send(site, "second", ALICE, BOB, body=f"Password: {PASSWORD}\r\n")
        wait_until(lambda: who(site), "what the password opened")
        hits = who(site)
        equal({(hit["recipient"], hit["match"], hit["file"], hit["queue_id"], hit["message_id"]) for hit in hits},
              {(rcpt.strip("<>"), "exact", "2!/evil.exe", "FIRST", "<first@example.net>") for rcpt in (BOB, CAROL)})
        event, added = [line for line in json_lines(site.mailtrace("show", "--json", hits[0]["event_id"]).stdout)
                        if line["activity_id"] == 2]
        equal(added["unmapped"]["mailtrace"]["supplements"], event["metadata"]["uid"])
        assert PASSWORD not in str(added), added
        shown = site.mailtrace("show", hits[0]["event_id"]).stdout
        assert SHA256 in shown and "Adds to" in shown, shown
        equal(site.who(SHA256)[1]["messages"], 2, "a supplement is no message")
        kept = f"{site.settings['spool']['directory']}/locked"
        wait_until(lambda: not os.listdir(kept), "what was opened to be let go of")


def kept(site):
    """Counts the kept messages."""
    return len([name for name in os.listdir(f"{site.settings['spool']['directory']}/locked")
                if name.endswith(".sealed")])


def sealed(site, name, content, *options, password):
    """Has 7-Zip make an encrypted zip of one file, evil.exe; returns its bytes."""
    work = f"{site.root}/{name}"
    os.makedirs(work)
    with open(f"{work}/evil.exe", "wb") as handle:
        handle.write(content)
    run("7z", "a", "-tzip", f"-p{password}", *options, f"{work}/a.zip", f"{work}/evil.exe")
    with open(f"{work}/a.zip", "rb") as handle:
        return handle.read()


def supplements(site):
    """Returns the events that add to another, of all that were stored of the first message."""
    event_id = site.who("queue:FIRST", status=None)[0][0]["event_id"]
    return [line for line in json_lines(site.mailtrace("show", "--json", event_id).stdout)
            if line["unmapped"]["mailtrace"].get("supplements")]


@test
def each_of_two_zips_is_opened_by_its_mail_and_told_once():
    other = LOCKED + b"another"
    with running() as site:
        for content in (LOCKED, other):
            site.mailtrace("block", "add", hashlib.sha256(content).hexdigest(), "--mode", "observe")
        send(site, "first", ALICE, BOB, attachments=[
            ("a.zip", "application/zip", sealed(site, "a", LOCKED, password="Alpha77x")),
            ("b.zip", "application/zip", sealed(site, "b", other, "-mem=AES256", password="Bravo88y"))])
        wait_until(lambda: kept(site) == 1, "the kept message")
        first, second = "Password: Alpha77x\r\n", "Password: Bravo88y\r\n"
        send(site, "second", ALICE, BOB, body=first)
        wait_until(lambda: who(site), "what the first password opened")
        site.milter.stop()  # what is known of it is on the disk
        site.start_milter()
        equal(kept(site), 1, "the other zip waits")
        send(site, "third", ALICE, BOB, body=first)
        send(site, "fourth", BOB, ALICE, body=second)
        sha256 = hashlib.sha256(other).hexdigest()
        wait_until(lambda: site.who(sha256, status=None)[0], "what the second password opened")
        wait_until(lambda: kept(site) == 0, "nothing to be kept any more")
        send(site, "fifth", ALICE, BOB, body=first + second)
        equal(len(supplements(site)), 2, "the third and the fifth tell nothing")
        equal(sorted(row["hits"] for row in blocks(site)), [1, 1])


@test
def a_zip_in_a_zip_waits_for_both_passwords():
    with running() as site:
        inner = sealed(site, "inner", LOCKED, password="Alpha77x")
        outer = sealed(site, "outer", inner, password="Bravo88y")
        send(site, "first", ALICE, BOB, attachments=[("a.zip", "application/zip", outer)])
        wait_until(lambda: kept(site) == 1, "the kept message")
        send(site, "second", ALICE, BOB, body="Password: Bravo88y\r\n")
        wait_until(lambda: len(supplements(site)) == 1, "what the first password opened")
        equal(kept(site), 1, "the inner zip waits")
        send(site, "third", ALICE, BOB, body="Password: Alpha77x\r\nPassword: Bravo88y\r\n")
        wait_until(lambda: who(site), "what both opened")
        wait_until(lambda: kept(site) == 0, "nothing to be kept any more")


@test
def a_zip_behind_other_bytes_is_kept_too():
    with running() as site:
        content = b"Dear Bob, this is text." + sealed(site, "a", LOCKED, password="Alpha77x")
        send(site, "first", ALICE, BOB, attachments=[("a.zip", "application/zip", content)])
        wait_until(lambda: kept(site) == 1, "the kept message")
        send(site, "second", ALICE, BOB, body="Password: Alpha77x\r\n")
        wait_until(lambda: who(site), "what the password opened")
        wait_until(lambda: kept(site) == 0, "nothing to be kept any more")


@test
def ten_minutes_later_under_another_queue_id_the_password_opens_it():
    with running(shim=True) as site:
        locked(site, "first", ALICE, BOB)
        site.shim.step_clock(10 * MINUTE_S)
        send(site, "unrelated", CAROL, BOB, body=f"Password: {PASSWORD}\r\n")
        send(site, "second", ALICE, BOB, body=f"Password: {PASSWORD}\r\n")
        hits = wait_until(lambda: who(site), "what the password opened")
        equal([(hit["queue_id"], hit["file"]) for hit in hits], [("FIRST", "2!/evil.exe")])
        ids = [site.who(f"queue:{name}", status=None)[0][0]["event_id"] for name in ("FIRST", "SECOND")]
        times = [json_lines(site.mailtrace("show", "--json", event_id).stdout)[0]["time"] for event_id in ids]
        later = (times[1] - times[0]) / 1000
        assert 10 * MINUTE_S <= later < 12 * MINUTE_S, f"the second came {later} s later"


@test
def it_is_let_go_of_after_a_day():
    with running(shim=True) as site:
        body = f"Password: {PASSWORD}\r\n"
        locked(site, "first", ALICE, BOB)
        locked(site, "second", ALICE, CAROL)
        wait_until(lambda: kept(site) == 2, "both are kept")
        site.shim.step_clock(DAY_S - 2 * MINUTE_S)
        send(site, "third", ALICE, BOB, body=body)
        wait_until(lambda: [hit["queue_id"] for hit in who(site)] == ["FIRST"], "a little before, it is opened")
        site.shim.step_clock(4 * MINUTE_S)
        locked(site, "fourth", ALICE, DAVE)
        send(site, "fifth", ALICE, CAROL, body=body)
        send(site, "sixth", ALICE, DAVE, body=body)
        # The thread takes them in order, so that the fifth had its turn.
        wait_until(lambda: len(who(site)) > 1, "what the sixth opened")
        equal({hit["queue_id"] for hit in who(site)}, {"FIRST", "FOURTH"})
        wait_until(lambda: kept(site) == 0, "nothing is kept any more")


@test
def the_answer_opens_it_and_a_subject_does():
    with running() as site:
        locked(site, "first", ALICE, BOB, kind="zipcrypto")
        send(site, "second", BOB, ALICE, subject=f"PW: {PASSWORD}")
        wait_until(lambda: who(site), "what the password opened")


@test
def an_unrelated_mail_opens_nothing():
    with running() as site:
        locked(site, "first", ALICE, BOB)
        body = f"Password: {PASSWORD}\r\n"
        send(site, "second", "<mallory@other.example>", BOB, body=body)
        send(site, "third", ALICE, CAROL, body=body)
        send(site, "fourth", CAROL, BOB, body=body)
        send(site, "fifth", ALICE, BOB, body="Password: another1\r\n")
        # The thread takes them in order, so that this one's turn comes after all of theirs.
        send(site, "sixth", ALICE, BOB, body=body)
        wait_until(lambda: who(site), "what the password opened")
        added = [line for line in json_lines(site.mailtrace("show", "--json", who(site)[0]["event_id"]).stdout)
                 if line["unmapped"]["mailtrace"].get("supplements")]
        equal(len(added), 1, "supplements")


@test
def a_password_counts_to_the_cap_of_the_later_text():
    head = b"From: alice@partner.example\r\nSubject: s\r\nMessage-Id: <%d@example.net>\r\n\r\n"
    end = b"\r\nPassword: " + PASSWORD.encode()
    with running() as site:
        for size in (LATER_TEXT_BYTES + 1, LATER_TEXT_BYTES, LATER_TEXT_BYTES - 1):  # in order: the last ends it
            recipient = f"<to{size}@example.org>"
            locked(site, f"first{size}", ALICE, recipient)
            line = b"x " * 30 + b"\r\n"
            text = (line * (size // len(line)))[:size - len(head % size) - len(end)]
            path = f"{site.root}/{size}.eml"
            with open(path, "wb") as handle:
                handle.write(head % size + text + end)
            site.play("--from", ALICE, "--rcpt", recipient, "--queue-id", f"Q{size}", "--no-newline", path)
            site.sent += 1
            site.wait_stored(site.sent)
        wait_until(lambda: len(who(site)) == 2, "what the passwords opened")
        equal({hit["recipient"] for hit in who(site)},
              {f"to{size}@example.org" for size in (LATER_TEXT_BYTES - 1, LATER_TEXT_BYTES)})


@test
def it_is_kept_over_a_restart():
    with running() as site:
        locked(site, "first", ALICE, BOB)
        site.milter.stop()
        site.start_milter()
        send(site, "second", ALICE, BOB, body=f"Password: {PASSWORD}\r\n")
        wait_until(lambda: who(site), "what the password opened")


@test
def a_key_that_cannot_be_used_keeps_no_mail_from_being_recorded():
    with running() as site:
        site.milter.stop()
        os.chmod(f"{site.settings['spool']['directory']}/locked.key", 0o644)
        site.start_milter()
        send(site, "first", ALICE, BOB)
        with open(site.milter.log) as log:
            assert "archives-not-kept" in log.read(), "nobody is told"


def watch_hits(site):
    """Runs a site's command for each hit; returns what reads the events that it was given."""
    keys, command = f"{site.root}/keys", f"{site.root}/alert"
    site.mailtrace("keygen", "--type", "client", keys, "soc")
    site.mailtrace("sensor", "add", "--role", "subscribe", "soc", f"{keys}/soc.pub")
    with open(command, "w") as handle:
        handle.write('#!/bin/sh\ncat >>"$0.said"; echo >>"$0.said"\n')
    os.chmod(command, 0o755)
    site.watch = Daemon([program("mailtrace"), "--config", site.config, "watch", "--key", f"{keys}/soc.key", "--hits",
                         "--exec", command], f"{site.root}/watch.log")
    return lambda: said(f"{command}.said")


def said(path):
    with contextlib.suppress(FileNotFoundError):
        with open(path) as handle:
            return [json.loads(line) for line in handle if line.endswith("}\n")]
    return []


def blocks(site):
    return json_lines(site.mailtrace("--json", "block", "list").stdout)


@test
def a_block_alarms_of_what_is_opened_as_of_any_other_hit():
    with running() as site:
        alerts = watch_hits(site)
        probe = b"a file that is blocked too\n"
        site.mailtrace("block", "add", hashlib.sha256(probe).hexdigest(), "--mode", "observe")

        def is_heard():
            # A subscription takes a moment to reach the publisher, and nothing is kept for it.
            send(site, f"probe{site.sent}", CAROL, CAROL, attachments=[("p.bin", "application/octet-stream", probe)])
            return alerts()

        wait_until(is_heard, "the alarm of an ordinary hit")
        site.mailtrace("block", "add", SHA256, "--mode", "reject")
        locked(site, "first", ALICE, BOB)
        send(site, "second", ALICE, BOB, body=f"Password: {PASSWORD}\r\n")
        event, = wait_until(lambda: [event for event in alerts() if event["email"]["message_uid"] == "<first@example.net>"],
                            "the site's command is run")
        hit = wait_until(lambda: who(site), "what the password opened")[0]
        ours = event["unmapped"]["mailtrace"]
        equal((ours["supplements"], [(b["mode"], b["match"], b["file"]) for b in ours["blocks"]]),
              (hit["event_id"], [("reject", "exact", "2!/evil.exe")]))
        row, = [row for row in blocks(site) if row["what"] == SHA256]
        equal(row["hits"], 1, "block list counts it")
        assert row["last_hit_at"], row
        lines = [line for line in site.milter.text().splitlines() if "block-hit" in line and hit["event_id"] in line]
        equal(len(lines), 1, lines)
        assert "has passed" in lines[0] and "mode=reject" in lines[0] and "queue_id=FIRST" in lines[0], lines
        site.watch.process.terminate()
        site.watch.process.wait()


@test
def none_is_kept_where_that_is_switched_off():
    with running(locked_hours="0") as site:
        with open(os.path.join(SOURCE, "tests", "data", "locked-aes-256.zip"), "rb") as handle:
            zipped = handle.read()
        send(site, "first", ALICE, BOB, attachments=[("invoice.zip", "application/zip", zipped)])
        send(site, "second", ALICE, BOB, body=f"Password: {PASSWORD}\r\n")
        equal(os.listdir(f"{site.settings['spool']['directory']}/locked"), [])
        equal(who(site), [])


main()
