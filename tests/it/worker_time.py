#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The seconds that a message may take, at their own numbers: on this side of them it is read.

Whoever waits for a worker that stands still does so for a whole minute; only the
processor's clock of a worker runs faster (tests/tools/hostile_scanner.c).
"""
import contextlib
import os
import re
import signal
import subprocess
import threading
import time

import mtlib
from attacked import RCPT, Attack, Attacked
from mtlib import Site, equal, main, test, wait_until

WORKER_TIMEOUT_MS = 60000
WORKER_CPU_SECONDS = 30
WHOLE = WORKER_TIMEOUT_MS / 1000
ATTEMPT = WHOLE / 2  # a message is tried again in a fresh worker, once
EDGE = 1.5  # seconds beside it, for a machine that is busy


def signal_all(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def stand_still(parent):
    """Stops the scanner of a process and its workers; returns the scanner and the workers."""
    def scanner_with_workers():
        scanners = [pid for pid, line in mtlib.children(parent).items() if "scanner" in line]
        return scanners and mtlib.children(scanners[0]) and scanners[0]

    scanner = wait_until(scanner_with_workers, "a scanner with workers")
    os.kill(scanner, signal.SIGSTOP)  # or it may replace them meanwhile
    workers = list(mtlib.children(scanner))
    signal_all(workers, signal.SIGSTOP)
    return scanner, workers


def sleep_until(moment):
    time.sleep(max(0, moment - time.monotonic()))


class Waiting:
    """Somebody waits for a message to be read, while scanner and worker stand still for some seconds."""

    def __init__(self, seconds, replaceable=False):
        self.site = Site(scanner={"workers": 1, "read_timeout_ms": WORKER_TIMEOUT_MS})
        self.site.make_keys()
        self.site.start_milter()
        self.path = mtlib.make_message(f"{self.site.root}/1.eml")
        self.scanner, self.workers = stand_still(self.site.milter.pid)
        if replaceable:
            os.kill(self.scanner, signal.SIGCONT)
        self.seconds = seconds

    def pass_mail(self):
        """Returns why the message was not read, if so, and how long its sender waited."""
        began = time.monotonic()
        resumer = threading.Thread(target=self.go_on, args=(began + self.seconds,))
        resumer.start()
        lines = self.site.play(*RCPT, "--timeout", "100", self.path)
        took = time.monotonic() - began
        resumer.join()
        equal([line["verdict"] for line in lines], ["accept"], self.site.milter.text())
        reasons = re.findall(r'message queue_id=.* unread="([^"]*)"', self.site.milter.text())
        self.site.stop()
        return reasons, took

    def go_on(self, moment):
        sleep_until(moment)
        signal_all([self.scanner, *self.workers], signal.SIGCONT)


def inspection(seconds):
    """Returns status and words of `inspect`, whose scanner and workers stand still for some seconds."""
    site = Site(scanner={"workers": 1})
    with open(mtlib.make_message(f"{site.root}/1.eml"), "rb") as handle:
        message = handle.read()
    with subprocess.Popen([mtlib.program("mailtrace"), "--config", site.config, "inspect", "-"], env=mtlib.environment(),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asked:
        scanner, workers = stand_still(asked.pid)
        began = time.monotonic()
        asked.stdin.write(message)
        asked.stdin.close()
        sleep_until(began + seconds)
        signal_all([scanner, *workers], signal.SIGCONT)
        words = asked.stdout.read().decode() + asked.stderr.read().decode()
    return asked.returncode, words


def runs(pid):
    """Whether a process is there that has not ended: who is to reap it may take a while."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def orphaned():
    """Returns whether a worker at rest is there shortly before and after its time, its milter being dead."""
    site = Site(scanner={"workers": 1})
    site.make_keys()
    site.start_milter()
    scanner, workers = stand_still(site.milter.pid)
    began = time.monotonic()
    os.kill(site.milter.pid, signal.SIGKILL)
    os.kill(scanner, signal.SIGCONT)
    sleep_until(began + WHOLE - EDGE)
    before = [runs(pid) for pid in (scanner, *workers)]
    sleep_until(began + WHOLE + EDGE)
    return before, [runs(pid) for pid in (scanner, *workers)]


def at_once(**calls):
    """Calls each; returns what they returned, by name."""
    results = {}
    threads = [threading.Thread(target=lambda name=name, call=call: results.update({name: call()}))
               for name, call in calls.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(sorted(results), sorted(calls), "each came to an end")
    return results


@test
def who_waits_for_a_message_waits_for_its_time_and_no_longer():
    got = at_once(early=Waiting(ATTEMPT - EDGE).pass_mail, again=Waiting(WHOLE, replaceable=True).pass_mail,
                  late=Waiting(WHOLE - EDGE).pass_mail, never=Waiting(WHOLE + EDGE).pass_mail,
                  seen=lambda: inspection(WHOLE - EDGE), unseen=lambda: inspection(WHOLE + EDGE), orphaned=orphaned)
    for name, least, most in (("early", ATTEMPT - EDGE, ATTEMPT), ("again", ATTEMPT, ATTEMPT + EDGE),
                              ("late", WHOLE - EDGE, WHOLE), ("never", WHOLE, WHOLE + EDGE)):
        reasons, took = got[name]
        assert least <= took < most, (name, took)
        equal(len(reasons), 1 if name == "never" else 0, (name, reasons))
    equal(got["seen"][0], 0, got["seen"])
    equal(got["unseen"][0], 2, got["unseen"])
    equal(got["orphaned"], ([True, True], [False, False]))


@test
def a_worker_has_so_many_seconds_of_a_processor_for_a_message():
    site = Attacked(read_timeout_ms=200000)
    attack = Attack(site, "nearly")
    equal(attack.reason, None, attack.log())
    attack = Attack(site, "beyond")
    attack.dies_of("PROF")
    site.stop()


main()
