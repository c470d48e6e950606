# SPDX-License-Identifier: BSD-2-Clause
"""The milter process before a peer that breaks the milter protocol.

Whoever may connect to the socket may say anything in any order: an odd MTA, a
monitor, a port scanner.  None of it ends the process, which would cut every
message under way, nor takes a place among the connections for good.
"""
import contextlib
import os
import random
import socket
import sqlite3
import struct

import mtlib
from mtlib import Daemon, children, environment, equal, program, run, test, wait_until

MINIMAL = os.path.join(mtlib.SOURCE, "tests/data/minimal.eml")
MAX_CONNECTIONS = 8
NO_NOTHING = 0  # no flag of a reply that is left out: each command has its answer
CONNECT = b"client.example\x004" + struct.pack(">H", 25) + b"203.0.113.5\0"
CAP_PACKET_BYTES = 1024 * 1024  # caps.h
SEED = 20261123
CONVERSATIONS = 300  # of the random ones; each has up to 40 packets

PACKETS = [
    (b"O", struct.pack(">III", 6, 0x1FF, NO_NOTHING)), (b"O", struct.pack(">III", 2, 0x3F, 0x7F)),
    (b"O", struct.pack(">III", 6, 0x1FF, 0x1FFFFF)), (b"O", b"\0\0"), (b"C", CONNECT), (b"C", b"local\0U"),
    (b"C", b"x\0L\0\0/run/x\0"), (b"C", b"no nul"), (b"H", b"helo\0"), (b"H", b"\0"), (b"M", b"<a@example.com>\0"),
    (b"M", b"<>\0SIZE=1\0BODY=8BITMIME\0"), (b"M", b"\0"), (b"M", b""), (b"R", b"<b@example.org>\0"), (b"R", b"\0\0\0"),
    (b"R", b""), (b"T", b""), (b"L", b"Subject\0 x\0"), (b"L", b"X-Mailtrace-Id\0 a; s=mx1; m=0\0"), (b"L", b"Name only\0"),
    (b"L", b"\0\0"), (b"N", b""), (b"B", b"body\r\n"), (b"B", b""), (b"E", b""), (b"E", b"tail"), (b"A", b""),
    (b"K", b""), (b"U", b"XCMD\0"), (b"D", b"Mi\0QUEUE\0"), (b"D", b"M"), (b"\xff", b"?"),
]


def packet(command, payload=b""):
    return struct.pack(">I", len(payload) + 1) + command + payload


class Milter:
    """One milter process, whose supervisor and children are looked at."""

    def __init__(self):
        self.root = mtlib.temporary_directory()
        for folder in ("spool", "tmp"):
            os.mkdir(os.path.join(self.root, folder), 0o750)
        self.path = os.path.join(self.root, "milter.sock")
        config = os.path.join(self.root, "mailtrace.conf")
        with open(config, "w") as handle:
            handle.write(f"[site]\nsensor = mx1\n[milter]\nsocket = unix:{self.path}\nsocket_group =\nuser =\n"
                         f"max_connections = {MAX_CONNECTIONS}\ntemp_directory = {self.root}/tmp\n"
                         f"[scanner]\nworkers = 1\n[spool]\ndirectory = {self.root}/spool\n")
        self.daemon = Daemon([program("mailtrace-milter"), "--config", config, "--stderr"], f"{self.root}/log",
                             env=environment())
        wait_until(lambda: " ready " in self.daemon.text() or not self.daemon.alive(), "the milter is ready")
        self.pid = self.process()

    def process(self):
        for pid, command in children(self.daemon.pid).items():
            if command.split(" ")[0].endswith("/milter"):
                return pid
        return None

    def connect(self):
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(mtlib.DEADLINE)
        peer.connect(self.path)
        return peer

    def say(self, *packets):
        """Says everything and hangs up, once the filter has answered or hung up."""
        with self.connect() as peer, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            peer.sendall(b"".join(packet(*p) for p in packets))
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(65536):
                pass

    def play(self, message=MINIMAL):
        done = run(program("milterplay"), "--socket", f"unix:{self.path}", "-r", "<b@example.org>", message,
                   status=None)
        return [line["verdict"] for line in mtlib.json_lines(done.stdout)]

    def events(self):
        with contextlib.closing(sqlite3.connect(f"{self.root}/spool/spool.db")) as spool:
            return [mtlib.json.loads(row[0]) for row in spool.execute("SELECT event FROM entry ORDER BY n")]

    def check(self, what):
        """The process is the one that was started, and every place is free again."""
        equal(self.process(), self.pid, f"{what}: the milter process\n{self.daemon.text()[-4000:]}")
        for _ in range(MAX_CONNECTIONS + 1):
            equal(self.play(), ["accept"], what)

    def stop(self):
        self.daemon.stop()
        assert "Sanitizer" not in self.daemon.text(), self.daemon.text()


@test
def commands_before_negotiation_end_nothing():
    milter = Milter()
    for command, payload in PACKETS:
        milter.say((command, payload))
        milter.say((command, payload), (b"M", b"<a@example.com>\0"), (b"R", b"<b@example.org>\0"), (b"E", b""))
    milter.check("without negotiation")
    milter.stop()


@test
def a_connection_is_used_again_after_quit():
    """SMFIC_QUIT_NC: what follows is a new connection, with no new negotiation."""
    milter = Milter()
    mail = [(b"C", CONNECT), (b"H", b"helo\0"), (b"M", b"<a@example.com>\0"), (b"R", b"<b@example.org>\0"),
            (b"L", b"Subject\0 again\0"), (b"N", b""), (b"B", b"x\r\n"), (b"E", b"")]
    milter.say((b"O", struct.pack(">III", 6, 0x1FF, NO_NOTHING)), *mail, (b"K", b""), *mail, (b"K", b""), *mail)
    equal([event["email"]["subject"] for event in milter.events()], ["again"] * 3, milter.daemon.text())
    milter.check("after QUIT_NC")
    milter.stop()


@test
def any_order_of_commands_ends_nothing():
    milter = Milter()
    chance = random.Random(SEED)
    for number in range(CONVERSATIONS):
        start = [PACKETS[0]] if chance.random() < 0.8 else []
        milter.say(*start, *(chance.choice(PACKETS) for _ in range(chance.randrange(40))))
        if number % 50 == 49:
            milter.check(f"seed {SEED}, conversation {number}")
    milter.stop()


@test
def a_header_field_over_64_kib_is_read():
    """libmilter by itself hangs up there; Postfix cuts such fields, not every MTA does."""
    milter = Milter()
    message = os.path.join(milter.root, "long.eml")
    to = ",\r\n ".join(f"user{number:06}@example.org" for number in range(102400 // 23))
    with open(message, "wb") as handle:
        handle.write(f"From: a@example.com\r\nTo: {to}\r\nSubject: long\r\n\r\nbody\r\n".encode())
    equal(milter.play(message), ["accept"], milter.daemon.text())
    event, = milter.events()
    equal(event["email"]["subject"], "long")
    assert "unread" not in event["unmapped"]["mailtrace"], event["unmapped"]["mailtrace"]
    milter.stop()


@test
def a_packet_ends_at_its_cap():
    milter = Milter()
    for length, wanted in ((CAP_PACKET_BYTES - 1, b"c"), (CAP_PACKET_BYTES, b"c"), (CAP_PACKET_BYTES + 1, b"")):
        with milter.connect() as peer, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            field = b"X\0" + b"x" * (length - 3) + b"\0"
            peer.sendall(packet(b"O", struct.pack(">III", 6, 0x1FF, NO_NOTHING)))
            peer.recv(65536)
            for each in ((b"C", CONNECT), (b"M", b"<a@example.com>\0"), (b"R", b"<b@example.org>\0"), (b"L", field)):
                got = b""
                peer.sendall(packet(*each))
                got = peer.recv(5)[4:]
        equal(got, wanted, f"a field of {length} bytes")
    milter.check("after a packet over the cap")
    milter.stop()


if __name__ == "__main__":
    mtlib.main()
