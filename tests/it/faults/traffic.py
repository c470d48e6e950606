# SPDX-License-Identifier: BSD-2-Clause
"""Continuous mail: clients that do as MTAs do, and try again what was not taken."""
import contextlib
import random
import re
import smtplib
import threading

import mta
from mtlib import wait_until

SENDER = "faults@example.net"
RECIPIENTS = [f"{user}@example.org" for user in mta.USERS[:5]]
QUEUED = re.compile(rb"queued as (\S+)")
# What a large message takes, the worker is struck in.
LARGE = 400_000


def text(number, source):
    """A message: most are small, some have a file, and a few a large one."""
    lines = [f"From: <{SENDER}>", "To: <undisclosed@example.org>", f"Subject: fault {number}",
             "Date: Mon, 23 Nov 2026 10:00:00 +0900", f"Message-ID: <{number}@faults.example.net>",
             "MIME-Version: 1.0"]
    size = source.choice([0, 0, 0, 600, 6000, LARGE])
    if not size:
        return "\r\n".join(lines + ["", f"number {number}", ""])
    row = f"{number:064d}" + "m" * 12
    return "\r\n".join(lines + ['Content-Type: application/octet-stream; name="f.bin"',
                                "Content-Transfer-Encoding: base64", ""] + [row] * (size // 76 + 1) + [""])


class Traffic:
    """Clients of an MTA, until stop(); what they were told is what Postfix promised."""

    def __init__(self, mx, seed, clients=3, pause=0.05):
        self.mx = mx
        self.pause = pause
        self.stopping = threading.Event()
        self.running = threading.Event()  # cleared: nobody begins a message
        self.running.set()
        self.lock = threading.Lock()
        self.under_way = 0
        self.numbers = 0
        self.promised = {}    # queue id -> recipients, of each 250
        self.deferred = 0     # 4xx, and lost connections before the end of the message
        self.unsure = 0       # the connection was lost when the answer to the message was due
        self.refused = []     # 5xx: a real MTA would bounce
        self.threads = [threading.Thread(target=self.send, args=(random.Random(f"{seed}/{n}"),), daemon=True)
                        for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def number(self):
        with self.lock:
            self.numbers += 1
            return self.numbers

    def count(self):
        with self.lock:
            return len(self.promised)

    def newest(self):
        with self.lock:
            return next(reversed(self.promised))

    def send(self, source):
        waiting = []
        while not self.stopping.is_set():
            if not waiting:
                waiting = [text(self.number(), source) for _ in range(source.randint(1, 5))]
            self.running.wait()
            try:
                with self.mx.smtp() as smtp:
                    while waiting and self.running.is_set() and not self.stopping.wait(self.pause * source.random() * 2):
                        with self.message_under_way() as may:
                            if not may:
                                break
                            self.send_one(smtp, waiting[-1], source.sample(RECIPIENTS, source.randint(1, 3)))
                        waiting.pop()
            except (smtplib.SMTPException, OSError) as why:
                self.note_failure(why)
                self.stopping.wait(0.1)

    @contextlib.contextmanager
    def message_under_way(self):
        """Gives whether a message may be begun."""
        with self.lock:
            may = self.running.is_set()
            self.under_way += may
        try:
            yield may
        finally:
            with self.lock:
                self.under_way -= may

    @contextlib.contextmanager
    def held(self):
        """No mail comes meanwhile."""
        with self.lock:
            self.running.clear()
        try:
            wait_until(lambda: self.under_way == 0, "the messages under way are done")
            yield
        finally:
            self.running.set()

    def send_one(self, smtp, message, recipients):
        for code, said in [smtp.ehlo(), smtp.mail(SENDER)] + [smtp.rcpt(one) for one in recipients]:
            if code not in (250, 251):
                raise smtplib.SMTPResponseException(code, said)
        try:
            code, said = smtp.data(message)
        except smtplib.SMTPServerDisconnected:
            with self.lock:
                self.unsure += 1
            raise
        if code != 250:
            raise smtplib.SMTPResponseException(code, said)
        with self.lock:
            self.promised[QUEUED.search(said)[1].decode()] = sorted(recipients)

    def note_failure(self, why):
        code = getattr(why, "smtp_code", 0)
        with self.lock:
            self.deferred += 1
            if code >= 500:
                self.refused.append(f"{code} {why.smtp_error}")

    def stop(self):
        self.stopping.set()
        self.running.set()
        for thread in self.threads:
            thread.join()
