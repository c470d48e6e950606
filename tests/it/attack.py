#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A worker that a message took over: what stops it, and that mail goes on beside it.

The scanner is the product's own with the reading of one message replaced
(tests/tools/hostile_scanner.c).  Each attack tells how it was answered: by the
kernel, with an error or with death, or by whoever checks the worker's answer.
"""
import contextlib
import os
import re
import sqlite3

import mtlib
from mtlib import Site, equal, main, test, wait_until

RCPT = ("--client", "203.0.113.5", "-r", "<b@example.org>")
READ_TIMEOUT_MS = 30000  # half of it an attempt; long, so that another barrier is met first
WORKER_MESSAGES = 200  # caps.h: then a worker is replaced
SECRET = "the-secret-of-another-message"  # hostile_scanner.c looks for it


class Attacked(Site):
    """A milter whose scanner does what messages say."""

    def __init__(self, read_timeout_ms=READ_TIMEOUT_MS):
        shm = mtlib.temporary_directory(prefix="mailtrace-attack.", parent="/dev/shm")
        super().__init__(scanner={"workers": 1, "temp_directory": shm, "read_timeout_ms": read_timeout_ms})
        os.makedirs(f"{self.root}/libexec")
        for name in os.listdir(mtlib.libexec()):
            target = "tests/tools/hostile_scanner" if name == "scanner" else f"tests/libexec/{name}"
            os.symlink(os.path.join(mtlib.BUILD, target), f"{self.root}/libexec/{name}")
        self.make_keys()
        self.spool = f"{self.root}/spool/spool.db"
        self.start_milter(MAILTRACE_LIBEXEC_DIR=f"{self.root}/libexec", MAILTRACE_ATTACK_SPOOL=self.spool)

    def log(self):
        return self.milter.text()

    def mail(self, name, attack=None, body="hello\r\n", file=None):
        path = os.path.join(self.root, f"{name}.eml")
        extra = f"X-Attack: {attack}\r\n" if attack else ""
        mtlib.make_message(path, subject=name, body=body, attachments=[("a.bin", "application/octet-stream", file)] if file else [],
                           extra=extra)
        return path

    def pass_mail(self, *paths):
        """Plays messages; every one is accepted, whatever became of its reading."""
        lines = self.play(*RCPT, *paths)
        equal({line["verdict"] for line in lines}, {"accept"}, self.log())

    def events(self):
        with contextlib.closing(sqlite3.connect(self.spool)) as spool:
            return [mtlib.json.loads(row[0]) for row in spool.execute("SELECT event FROM entry ORDER BY n")]


class Attack:
    """One message that attacks, between two that do not."""

    def __init__(self, site, name):
        before, seen = len(site.log()), len(site.events())
        site.pass_mail(site.mail("before"), site.mail("attack", name), site.mail("after"))
        events = site.events()[seen:]
        equal([event["email"]["subject"] for event in events], ["before", "attack", "after"])
        unread = [event["unmapped"]["mailtrace"].get("unread") for event in events]
        equal((unread[0], unread[2]), (None, None), site.log())
        self.site, self.name, self.before = site, name, before
        self.reason = unread[1]

    def log(self):
        return self.site.log()[self.before:]

    def told(self):
        """What the attack said of itself, each time that it was made."""
        return re.findall(rf"attack {self.name}: (.*)", self.log())

    def dies_of(self, signal):
        """A message is tried again in a fresh worker, once: two die, and the message is let pass unread."""
        assert self.reason, f"{self.name}: read all the same\n{self.log()}"
        died = rf"worker-died .*signal={signal}\b"
        wait_until(lambda: len(re.findall(died, self.log())) == 2, f"{self.name}: two deaths of {signal} in the log")


@test
def seccomp_kills_who_calls_for_network_processes_and_signals():
    site = Attacked()
    for name in ("socket", "signal", "trace", "fork", "exec", "clock"):
        attack = Attack(site, name)
        attack.dies_of("SYS")
        equal(attack.told(), [], "it came back from the call")
    site.stop()


@test
def landlock_refuses_paths_and_the_spool_among_them():
    site = Attacked()
    for name in ("passwd", "spool"):
        attack = Attack(site, name)
        equal((attack.told(), attack.reason), (["EACCES"], None), attack.log())
    site.stop()


@test
def limits_end_who_fills_memory_or_its_folder():
    site = Attacked()
    attack = Attack(site, "memory")
    attack.dies_of("ABRT")
    equal(attack.told(), ["ENOMEM"] * 2)
    Attack(site, "file").dies_of("XFSZ")
    site.stop()


@test
def the_timeout_ends_who_loops():
    site = Attacked(read_timeout_ms=3000)
    attack = Attack(site, "loop")
    assert attack.reason and "time" in attack.reason, (attack.reason, attack.log())
    site.stop()


@test
def the_check_refuses_garbage_another_ticket_and_a_flood():
    site = Attacked()
    for name in ("garbage", "ticket", "flood"):
        attack = Attack(site, name)
        assert attack.reason, f"{name}: believed\n{attack.log()}"
    site.stop()


@test
def nothing_of_an_earlier_message_is_left_to_find():
    site = Attacked()
    # in a field, a body and an encoded file; small messages come in the packet, large ones as a file
    site.pass_mail(site.mail(SECRET, body=f"{SECRET}\r\n", file=SECRET.encode() * 3),
                   site.mail("large " + SECRET, body=f"{SECRET}\r\n" * 20000, file=SECRET.encode() * 9000))
    attack = Attack(site, "others")
    equal((attack.told(), attack.reason), (["nothing"], None), attack.log())
    site.stop()


@test
def a_liar_lies_of_no_more_messages_than_a_worker_serves():
    site = Attacked()
    site.pass_mail(site.mail("attack", "liar"))
    site.pass_mail(*[site.mail(f"clean-{i}", file=b"malware") for i in range(WORKER_MESSAGES + 30)])
    seen = [len(event["unmapped"]["mailtrace"]["files"]) for event in site.events()[1:]]
    lied = sum(1 for files in seen if files < 3)
    equal(lied, WORKER_MESSAGES - 1)
    equal(seen[lied:], [3] * (len(seen) - lied), "after its end everything is read")
    site.stop()


main()
