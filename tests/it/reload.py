#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""One thousand reloads under load drop no connection and end no daemon."""
import os
import signal
import socket
import subprocess
import time

from mtlib import DEADLINE, Site, children, environment, equal, json_lines, main, make_message, program, test, wait_until

RELOADS = int(os.environ.get("MAILTRACE_TEST_RELOADS", "1000"))


class Notified:
    """The service manager's end of sd_notify(3)."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(DEADLINE)

    def wait(self, state):
        """Reads notices until one has the line state."""
        while state not in self.socket.recv(4096).decode().splitlines():
            pass


def stays_alive(pids, seconds):
    """Watches processes for a while: libmilter's late exit comes seconds after its cause."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for pid in pids:
            os.kill(pid, 0)
        time.sleep(0.1)


@test
def reloads_under_load_drop_nothing_and_end_nothing():
    site = Site()
    site.make_keys()
    site.start_collector()
    notified = Notified(f"{site.root}/notify")
    site.start_milter(NOTIFY_SOCKET=notified.path)
    notified.wait("READY=1")
    # A process has its own command line only after it was forked.
    wait_until(lambda: {line.partition(" ")[0].rpartition("/")[2] for line in children(site.milter.pid).values()} ==
               {"milter", "scanner"}, "milter process and scanner")
    before = children(site.milter.pid)
    path = make_message(f"{site.root}/load.eml", attachments=[("a.bin", "application/octet-stream", b"x" * 3000)])
    batches = []

    def load():
        return subprocess.Popen([program("milterplay"), "--socket", site.socket, "--connections", "8", "--total", "400",
                                 "--per-connection", "5", "--rcpt", "<alice@example.org>", path],
                                stdout=subprocess.PIPE, text=True, env=environment())

    player = load()
    for number in range(1, RELOADS + 1):
        if player.poll() is not None:
            batches += json_lines(player.stdout.read())
            player = load()
        # Each reload differs from the last, so that something is really swapped.
        if number % 100 == 0:
            site.set("policy", on_unread="hold" if number % 200 else "accept")
        site.milter.signal(signal.SIGHUP)
        notified.wait("RELOADING=1")
        notified.wait("READY=1")
    batches += json_lines(player.communicate()[0])
    equal([batch["failed"] for batch in batches], [0] * len(batches), "messages that failed")
    stays_alive([site.milter.pid, site.collector.pid] + list(before), 11)
    equal(children(site.milter.pid), before, "the same processes")
    sent = sum(batch["messages"] for batch in batches)
    site.wait_stored(sent)
    site.stop()


main()
