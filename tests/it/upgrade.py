#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Sensors and collectors of different versions: what was recorded of 0.1 is played to this one, both ways."""
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import threading

import mtlib
from mtlib import SOURCE, equal, json_lines, make_message, program, test, wait_until
from sensor import event, send, site_with_keys

RECORDED = os.path.join(SOURCE, "tests", "data", "upgrade")
FRAMES = os.path.join(mtlib.BUILD, "tests/tools/frames")
MAGIC, KIND, EPOCH, NUMBER, COUNT = range(5)
BATCH_EVENTS = 5


class End:
    """An end of the bus that is played by hand; messages are lists of frames of bytes."""

    def __init__(self, site, *argv):
        self.process = subprocess.Popen([FRAMES, *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.came = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.site = site

    def read(self):
        for line in self.process.stdout:
            self.came.append([b"" if word == "-" else bytes.fromhex(word) for word in line.split()])

    def say(self, frames):
        self.process.stdin.write(" ".join(frame.hex() or "-" for frame in frames) + "\n")
        self.process.stdin.flush()

    def wait_kind(self, kind, count=1):
        """Waits for so many messages of a kind; returns the last."""
        def found():
            return [m for m in list(self.came) if m[KIND] == kind]
        return wait_until(lambda: len(found()) >= count and found()[count - 1], f"{kind} in {self.came}")

    def close(self):
        self.process.stdin.close()
        equal(self.process.wait(mtlib.DEADLINE), 0)
        self.reader.join()
        self.process.stdout.close()


def sensor_end(site):
    keys = f"{site.root}/keys"
    return End(site, "connect", site.settings["bus"]["collector"], f"{keys}/mx1.key", f"{keys}/collector.pub")


def collector_end(site):
    return End(site, "bind", site.settings["bus"]["collector"], f"{site.root}/keys/collector.key")


def recorded(name):
    """The messages of a recording, by their kinds: a line each, its frames in hexadecimal."""
    with open(os.path.join(RECORDED, name)) as handle:
        lines = [line.split() for line in handle if not line.startswith("#")]
    messages = [[b"" if word == "-" else bytes.fromhex(word) for word in line] for line in lines]
    return {message[KIND]: message for message in messages}


def numbered(n):
    return n.to_bytes(8, "big")


@test
def a_sensor_of_the_first_version_is_understood_and_answered_as_then():
    site = site_with_keys()
    site.start_collector()
    sensor, answers = recorded("sensor-0.1.txt"), recorded("collector-0.1.txt")
    end = sensor_end(site)
    end.say(sensor[b"HELLO"])
    equal(end.wait_kind(b"WELCOME"), answers[b"WELCOME"])
    end.say(sensor[b"BATCH"])
    equal(end.wait_kind(b"ACK"), answers[b"ACK"])
    end.say(sensor[b"BEAT"])
    events = [json.loads(frame) for frame in sensor[b"BATCH"][BATCH_EVENTS:]]
    hits = site.who("subject:recorded")[0]
    equal([h["event_id"] for h in hits], [e["metadata"]["uid"] for e in events])
    equal(hits[0]["recipient"], "alice@example.org")
    shown = json_lines(site.mailtrace("--json", "show", hits[0]["event_id"]).stdout)[0]
    equal(shown, events[0], "it is kept as it came")
    wait_until(lambda: json_lines(site.mailtrace("--json", "status").stdout)[1]["counters"], "its beat")
    # it is told once more and nothing is twice
    end.say(sensor[b"BATCH"])
    end.wait_kind(b"ACK", 2)
    equal(len(site.who("subject:recorded")[0]), len(events))
    end.close()
    site.mailtrace("verify")
    site.stop()


@test
def what_a_newer_sensor_says_besides_is_passed_over():
    site = site_with_keys()
    site.start_collector()
    sensor = recorded("sensor-0.1.txt")
    value = json.loads(sensor[b"BATCH"][BATCH_EVENTS])
    value["later"] = {"a": [1, None]}
    value["email"]["later"] = "x"
    value["unmapped"]["later"] = value["unmapped"]["mailtrace"]["later"] = {"b": True}
    value["unmapped"]["mailtrace"]["files"][0]["later"] = 1.5
    value["unmapped"]["mailtrace"]["rcpt"][0]["later"] = []
    text = json.dumps(value).encode()
    end = sensor_end(site)
    end.say(sensor[b"HELLO"])
    end.wait_kind(b"WELCOME")
    end.say([b"MT1", b"LATER", sensor[b"HELLO"][EPOCH], b"what nobody knows yet"])
    end.say([b"MT1", b"HAVE", sensor[b"HELLO"][EPOCH], b"later", b"\0\1"])
    end.say(sensor[b"BATCH"][:NUMBER] + [numbered(1), numbered(1), text])
    equal(end.wait_kind(b"ACK")[NUMBER], numbered(1))
    counters = json.loads(sensor[b"BEAT"][-1])
    end.say(sensor[b"BEAT"][:NUMBER] + [numbered(1), json.dumps({**counters, "later": {"x": 1}}).encode()])
    wait_until(lambda: "later" in str(json_lines(site.mailtrace("--json", "status").stdout)[1]["counters"]), "its beat")
    hit, = site.who("subject:recorded")[0]
    assert '"later"' in site.mailtrace("--json", "show", hit["event_id"]).stdout
    equal(json_lines(site.mailtrace("--json", "status").stdout)[0]["dead_letters"], 0)
    # what would be misunderstood is put aside, and nothing behind it waits
    value["unmapped"]["mailtrace"]["version"] = 2
    value["metadata"]["uid"] = "01900000-0000-7000-8000-000000000002"
    end.say(sensor[b"BATCH"][:NUMBER] + [numbered(2), numbered(1), json.dumps(value).encode()])
    end.wait_kind(b"REFUSE")
    equal(end.wait_kind(b"ACK", 2)[NUMBER], numbered(2))
    equal(json_lines(site.mailtrace("--json", "dead-letters", "list").stdout)[0]["number"], 2)
    end.close()
    site.stop()


@test
def a_collector_of_the_first_version_is_understood_and_so_is_a_newer_one():
    site = site_with_keys()
    answers = recorded("collector-0.1.txt")
    end = collector_end(site)
    site.start_milter()
    epoch = end.wait_kind(b"HELLO")[EPOCH]

    def answer(kind, *rest):
        end.say([*answers[kind][:EPOCH], epoch, *(rest or answers[kind][NUMBER:])])

    end.say([b"MT1", b"LATER", epoch, b"what nobody knows yet"])
    answer(b"WELCOME")
    site.play("--queue-id", "Q1", "--rcpt", "<alice@example.org>",
              make_message(f"{site.root}/1.eml", subject="first"))
    batch = end.wait_kind(b"BATCH")
    equal(batch[NUMBER], numbered(1))
    assert json.loads(batch[BATCH_EVENTS])["email"]["subject"] == "first"
    answer(b"ACK", batch[NUMBER])
    answer(b"TELL", b"later", b"bytes of a topic that nobody knows yet")
    end.wait_kind(b"BEAT")
    answer(b"TELL")
    site.play("--queue-id", "Q2", "--rcpt", "<alice@example.org>",
              make_message(f"{site.root}/2.eml", subject="second"))
    equal(end.wait_kind(b"BATCH", 2)[NUMBER], numbered(2))
    answer(b"ACK", numbered(2))
    # after a beat that says that nothing waits, the spool is empty
    wait_until(lambda: json.loads(end.came[-1][-1]).get("spool_entries") == 0 if end.came[-1][KIND] == b"BEAT" else None,
               "an empty spool")
    equal({m[MAGIC] for m in end.came}, {b"MT1"})
    site.milter.stop()
    end.close()


def content(path):
    """The bytes of a store, of which none wait in the log of what is written."""
    log = f"{path}-wal"
    equal(os.path.getsize(log) if os.path.exists(log) else 0, 0, "the log")
    with open(path, "rb") as handle:
        return hashlib.sha256(handle.read()).hexdigest()


@test
def a_store_of_a_newer_schema_is_refused_and_left_as_it_is():
    site = site_with_keys()
    site.start_collector()
    send(site, 1, event(site, 1))
    site.stop()
    path = site.settings["store"]["url"].removeprefix("sqlite:")
    store = sqlite3.connect(path)
    store.execute("PRAGMA user_version=999")
    store.commit()
    store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    before = content(path)
    for argv in (["who", "subject:mail"], ["status"], ["verify"], ["backup", f"{site.root}/copy.db"],
                 ["expire", "--older-than", "90d"], ["--reason", "x", "erase", "a@example.org"],
                 ["import", f"{site.root}/1.eml"]):
        done = site.mailtrace(*argv, status=2)
        assert re.search("made by a newer mailtrace", done.stderr), (argv, done.stderr)
        equal(content(path), before, argv)
    done = mtlib.run(program("mailtrace"), "--config", site.config, "collect", status=1)
    assert "made by a newer mailtrace" in done.stderr, done.stderr
    equal(content(path), before, "collect")


mtlib.main()
