# SPDX-License-Identifier: BSD-2-Clause
"""A site whose scanner's workers do what messages say (tests/tools/hostile_scanner.c), and such a message."""
import contextlib
import ctypes
import os
import re
import sqlite3

import mtlib
from mtlib import Site, equal, wait_until

RCPT = ("--client", "203.0.113.5", "-r", "<b@example.org>")
READ_TIMEOUT_MS = 30000  # half of it an attempt; long, so that another barrier is met first


def landlock_interface():
    """The number of the kernel's Landlock, or -1: landlock_create_ruleset(2), which has this number everywhere."""
    return ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1)


class Attacked(Site):
    """A milter whose scanner does what messages say."""

    def __init__(self, read_timeout_ms=READ_TIMEOUT_MS):
        self.shm = shm = mtlib.temporary_directory(prefix="mailtrace-attack.", parent="/dev/shm")
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

    def worker_folders(self):
        return os.listdir(self.shm)

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
