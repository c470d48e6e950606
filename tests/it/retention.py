#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""How long records stay: what is too old goes, while mail comes and questions are answered."""
import concurrent.futures
import datetime
import hashlib
import json
import os
import signal
import sqlite3
import threading
import time

import mtlib
from mtlib import equal, journal, json_lines, test, wait_until
from sensor import event, send, site_with_keys

BATCH = 200
DAY_US = 24 * 3600 * 10 ** 6


def now_us():
    return time.time_ns() // 1000


def aged(text, days, message_id=None, **ours):
    """An event as if it had been received so many days ago."""
    value = json.loads(text)
    received = now_us() - int(days * DAY_US)
    value["time"], value["unmapped"]["mailtrace"]["received_at_us"] = received // 1000, received
    value["email"]["message_uid"] = message_id or f"<{value['metadata']['uid']}@example.net>"
    value["unmapped"]["mailtrace"].update(ours)
    return json.dumps(value)


def site_with_mail(days, **settings):
    """A collector that has a message from each of so many days ago."""
    site = site_with_keys(**settings)
    site.start_collector()
    model = event(site, 0)
    send_all(site, 1, [aged(numbered(model, n), age) for n, age in enumerate(days, 1)])
    return site


def send_all(site, first, events):
    """Sends as many batches as it takes."""
    for at in range(0, len(events), BATCH):
        batch = events[at:at + BATCH]
        equal(send(site, first + at, *batch)[-1], f"ack {first + at + len(batch) - 1}")


def numbered(model, number):
    value = json.loads(model)
    value["metadata"]["uid"] = f"01900000-0000-7000-8000-{number:012x}"
    value["email"]["subject"] = f"mail {number}"
    value["unmapped"]["mailtrace"]["rcpt"] = [
        {"typed": f"<u{number}@example.org>", "address": f"u{number}@example.org"}]
    return json.dumps(value)


def expire(site, *argv, status=0, **keywords):
    return json_lines(site.mailtrace("--json", "expire", *argv, status=status, **keywords).stdout)[0]


def recipients(site, *query):
    return sorted(h["recipient"] for h in site.who(*query)[0])


def database(site):
    return site.settings["store"]["url"].removeprefix("sqlite:")


def ask(site, sql):
    store = sqlite3.connect(f"file:{database(site)}?mode=ro", uri=True)
    try:
        return store.execute(sql).fetchall()
    finally:
        store.close()


def verified(site):
    equal(site.mailtrace("--json", "verify").stdout, "")
    equal(ask(site, "PRAGMA foreign_key_check"), [])


def rfc3339(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@test
def old_mail_goes_and_answers_say_so():
    site = site_with_mail([200, 100, 91, 89, 1])
    would = expire(site, "--older-than", "90d", "--dry-run")
    equal((would["type"], would["messages"]), ("expirable", 3))
    equal(len(recipients(site, "subject:mail")), 5)
    equal(site.who("subject:mail")[1]["expired_before"], None)
    gone = expire(site, "--case", "C-7", "--older-than", "90d")
    equal((gone["type"], gone["messages"]), ("expired", 3))
    equal(recipients(site, "subject:mail"), ["u4@example.org", "u5@example.org"])
    hits, coverage = site.who("subject:mail", "--since", "120d")
    equal((len(hits), coverage["messages"], coverage["complete"]), (2, 2, False))
    equal(coverage["expired_before"], gone["before"])
    assert any("has expired" in why for why in coverage["warnings"]), coverage
    # --since 90d is asked later, and so of a later time
    coverage = site.who("subject:mail", "--since", "90d")[1]
    equal((coverage["expired_before"], [w for w in coverage["warnings"] if "expired" in w]), (None, []))
    text = site.mailtrace("who", "subject:nothing", "--since", "120d", status=1).stdout
    assert "has expired" in text.split("cannot be signed")[1], text
    # nothing is left to take
    equal(expire(site, "--older-than", "90d", status=1)["messages"], 0)
    equal([(e["case"], e["results"]) for e in journal(site) if e["verb"] == "expire"], [("C-7", 3)])
    verified(site)
    site.stop()


@test
def without_a_collector_it_is_done_directly():
    site = site_with_mail([100, 1])
    site.stop()
    equal(expire(site, "--older-than", "30d")["messages"], 1)
    equal(recipients(site, "subject:mail"), ["u2@example.org"])
    verified(site)


@test
def what_cannot_be_meant_is_refused():
    site = site_with_mail([1])
    for wrong in ([], ["--older-than", "9"], ["--older-than", "2999-01-01"], ["--older-than", "90d", "x"],
                  ["--older-than", "1000000d"]):
        done = site.mailtrace("expire", *wrong, status=2)
        equal((done.stdout, done.stderr.count("\n")), ("", 1), done.stderr)
    equal(len(recipients(site, "subject:mail")), 1)
    equal(expire(site, "--tenant", "b", "--older-than", "1m", status=1)["messages"], 0)
    equal(len(recipients(site, "subject:mail")), 1)
    site.stop()


@test
def the_collector_takes_by_itself_what_is_older_than_keep_days():
    site = site_with_mail([50, 40, 31, 29, 1], store={"keep_days": "0"})
    equal(len(recipients(site, "subject:mail")), 5)
    site.set("store", keep_days="30")
    site.collector.signal(signal.SIGHUP)
    wait_until(lambda: recipients(site, "subject:mail") == ["u4@example.org", "u5@example.org"],
               "what is older has gone")
    coverage = site.who("subject:mail", "--since", "60d")[1]
    border = time.time() - rfc3339(coverage["expired_before"])
    assert 0 <= border - 30 * 86400 < 120, border
    # what comes late is too old as well
    equal(send(site, 6, aged(numbered(event(site, 0), 6), 33)), ["welcome 5", "ack 6"])
    site.stop()
    verified(site)


def hold(site, *argv, status=0, case=("--case", "C-9", "--reason", "litigation")):
    return json_lines(site.mailtrace("--json", *case, "legal-hold", *argv, status=status).stdout)


@test
def what_is_on_legal_hold_does_not_expire():
    site = site_with_mail([100] * 300 + [1])
    made, = hold(site, "add", "subject:mail 2")
    held = sorted(f"u{n}@example.org" for n in range(1, 301) if str(n).startswith("2"))
    equal((made["number"], made["messages"]), (1, len(held)))
    small, = hold(site, "add", "to:u301@example.org", "--expires", "1d")
    equal((small["number"], small["messages"]), (2, 1))
    listed = hold(site, "list")
    equal([(l["number"], l["state"], l["events"], l["case"], l["reason"]) for l in listed],
          [(1, "in force", len(held), "C-9", "litigation"), (2, "in force", 1, "C-9", "litigation")])
    equal(json.loads(listed[0]["what"]), ["add", "subject:mail 2"])
    # what comes later is not held
    send_all(site, 302, [aged(numbered(event(site, 0), 20000), 100)])
    dry = expire(site, "--older-than", "30d", "--dry-run")
    equal((dry["messages"], dry["held"]), (301 - len(held), len(held)))
    gone = expire(site, "--older-than", "30d")
    equal((gone["messages"], gone["held"]), (301 - len(held), len(held)))
    equal(recipients(site, "subject:mail"), sorted(held + ["u301@example.org"]))
    verified(site)
    # a store of which nothing else is left lets them go as well
    hold(site, "remove", 1)
    equal([l["state"] for l in hold(site, "list", "--all")], ["removed", "in force"])
    equal(expire(site, "--older-than", "30d")["messages"], len(held))
    equal(recipients(site, "subject:mail"), ["u301@example.org"])
    equal([(e["arguments"][0], e["case"], e["results"]) for e in journal(site) if e["verb"] == "legal-hold"],
          [("add", "C-9", len(held)), ("add", "C-9", 1), ("remove", "C-9", None)])
    verified(site)
    site.stop()


@test
def a_hold_needs_a_case_and_messages():
    site = site_with_mail([100])
    for wrong in (["add", "subject:mail"], ["add"], ["add", "nonsense"], ["remove"], ["remove", "x"], ["burn"], []):
        done = site.mailtrace("legal-hold", *wrong, status=2)
        equal((done.stdout, done.stderr.count("\n")), ("", 1), done.stderr)
    hold(site, "add", "subject:mail", case=("--case", "C-9"), status=2)
    hold(site, "add", "subject:mail", "--expires", "2001-01-01", status=2)
    equal(hold(site, "add", "subject:nothing", status=1), [])
    equal(hold(site, "remove", 7, status=2), [])
    equal(hold(site, "list", "--all", status=1), [])
    site.stop()
    # and goes without a collector
    equal(hold(site, "add", "--until", "50d")[0]["messages"], 1)
    equal(expire(site, "--older-than", "30d", status=1)["held"], 1)
    equal(len(recipients(site, "subject:mail")), 1)


def erase(site, *addresses, status=0, reason="asked for in letter 12"):
    options = ["--reason", reason] if reason else []
    return json_lines(site.mailtrace("--json", *options, "erase", *addresses, status=status).stdout)


def shown(site, *query):
    """All records of a question's messages, as text."""
    return "".join(site.mailtrace("--json", "show", h["event_id"]).stdout for h in site.who(*query)[0])


@test
def a_persons_addresses_are_erased_on_request():
    site = site_with_mail([])
    model = event(site, 0)
    alone = numbered(model, 1)
    shared = json.loads(numbered(model, 2))
    rcpt = shared["unmapped"]["mailtrace"]["rcpt"]
    rcpt.append({"typed": "<U1@Example.org>", "address": "U1@Example.org"})
    shared["email"]["subject"] = "about u1@example.org"
    send_all(site, 1, [aged(alone, 1), aged(json.dumps(shared), 1), aged(numbered(model, 3), 1)])
    equal(recipients(site, "to:u1@example.org"), ["U1@Example.org", "u1@example.org"])
    done, = erase(site, "u1@example.org")
    equal((done["messages"], done["removed"], done["held"]), (1, 1, 0))
    equal(site.who("to:u1@example.org", status=1)[0], [])
    equal(len(recipients(site, "sensor:mx1")), 3)
    assert "u2@example.org" in recipients(site, "sensor:mx1")
    text = shown(site, "sensor:mx1")
    assert "u1@" not in text.lower() and "erased.invalid" in text and '"erased_us"' in text, text
    coverage = site.who("subject:nothing", status=1)[1]
    equal((coverage["erased"], coverage["messages"], coverage["complete"]), (1, 2, False))
    assert "1 messages were erased on request" in coverage["warnings"], coverage
    verified(site)
    site.mailtrace("actions", "--verify")
    entries = [e for e in journal(site) if e["verb"] == "erase"]
    hashed = "sha256:" + hashlib.sha256(b"u1@example.org").hexdigest()
    equal([(e["arguments"], e["results"], e["detail"]) for e in entries],
          [([hashed], None, None), ([hashed], 2, "1 changed, 1 removed, 0 on legal hold")])
    equal(erase(site, "u1@example.org", status=1)[0]["messages"], 0)
    site.stop()
    # and without a collector
    equal(erase(site, "u3@example.org", "someone@example.org")[0]["removed"], 1)
    equal(site.who("to:u3@example.org", status=1)[0], [])
    verified(site)


@test
def what_is_on_legal_hold_is_not_erased():
    site = site_with_mail([1, 1])
    hold(site, "add", "to:u1@example.org")
    done = erase(site, "u1@example.org", "u2@example.org", status=3)[0]
    equal((done["removed"], done["held"]), (1, 1))
    said = site.mailtrace("--reason", "again", "erase", "u1@example.org", status=3).stderr
    assert "1 records are on legal hold" in said and "u1@" not in said, said
    equal(recipients(site, "sensor:mx1"), ["u1@example.org"])
    hold(site, "remove", 1)
    equal(erase(site, "u1@example.org")[0]["removed"], 1)
    equal(recipients(site, "sensor:mx1"), [])
    for wrong in (["u1"], [], ["<u1@example.org>"]):
        erase(site, *wrong, status=2)
    erase(site, "u1@example.org", status=2, reason=None)
    verified(site)
    site.stop()


@test
def mail_comes_in_and_questions_are_answered_meanwhile():
    old, new = 1500, 40
    site = site_with_mail([100 + n / old for n in range(old)])
    model = event(site, 0)
    came, asked, over = [], [], threading.Event()

    def deliver():
        for number in range(old + 1, old + new + 1):
            began = time.monotonic()
            send_all(site, number, [aged(numbered(model, number), 1)])
            came.append(time.monotonic() - began)

    def question():
        while not over.is_set():
            began = time.monotonic()
            site.who("to:u1@example.org")
            asked.append(time.monotonic() - began)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        jobs = [pool.submit(deliver), pool.submit(question)]
        gone = expire(site, "--older-than", "90d")
        concurrent.futures.wait(jobs[:1])
        over.set()
    for job in jobs:
        job.result()
    equal((gone["messages"], len(came)), (old, new))
    assert max(came + asked) < mtlib.DEADLINE / 2, (max(came), max(asked))
    equal(len(recipients(site, "subject:mail")), new)
    equal(site.who("subject:mail")[1]["messages"], new)
    verified(site)
    # the room is used again
    site.stop()
    size = os.path.getsize(database(site))
    site.start_collector()
    send_all(site, old + new + 1, [aged(numbered(model, old + new + n), 1) for n in range(1, 400)])
    equal(len(recipients(site, "subject:mail")), new + 399)
    site.stop()
    assert os.path.getsize(database(site)) <= size * 1.1, (size, os.path.getsize(database(site)))


mtlib.main()
