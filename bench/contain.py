# SPDX-License-Identifier: BSD-2-Clause
"""One message out of N mailboxes of a real Dovecot, by the whole command: contain, apply, undo; beside a shell loop.

usage: make bench-contain [MAILBOXES="200 5000"] [JOBS=8]
The message is recorded by the milter, one recipient a mailbox.  `apply` begins the
plan at the collector, has the actuator look, read the file, move and look again in
every mailbox, and keeps each answer with its signed entry in the journal, on disk;
its time is from its start to the last verified target and the table.  Beside it, in
the same run and over the same mailboxes, `doveadm move -u` for one user after the
other, which looks at no file, verifies nothing and keeps no record.  The actuator
alone is what `make bench-mailstore` measures.  Needs root, as Dovecot does.
"""
import os
import time

from mailboxes import left_in, shell_loop, start_full, wanted_message
from mtlib import Site, json_lines

TIMEOUT = 3600


def timed(site, *argv, status=0):
    """Returns the seconds that a command took, and its lines."""
    began = time.monotonic()
    done = site.mailtrace("--json", *argv, status=status, timeout=TIMEOUT)
    return time.monotonic() - began, json_lines(done.stdout)


def recorded(site, users):
    """Has the milter record the message for all users; several times, if one envelope cannot hold them."""
    path = wanted_message(site.root)
    for begin in range(0, len(users), 1000):
        to = [option for user in users[begin:begin + 1000] for option in ("--rcpt", f"<{user}@example.org>")]
        site.play("--from", "<sender@example.net>", *to, path)
    site.wait_stored((len(users) + 999) // 1000)


def measure(count, jobs):
    users = [f"u{number}" for number in range(count)]
    dovecot = start_full(users)
    site = Site(mailstore={"url": dovecot.url, "key": dovecot.key, "timeout_ms": "30000"})
    site.set("containment", approval_threshold=str(count))
    site.make_keys()
    site.start_collector()
    site.start_milter()
    recorded(site, users)
    plan = f"{site.root}/plan.json"
    planned, lines = timed(site, "contain", "subject:test", "--scope", "mailbox", "-o", plan)
    assert [line["mailboxes"] for line in lines if line["type"] == "plan"] == [count], lines[-3:]
    applied, lines = timed(site, "apply", "--yes", "--jobs", jobs, plan)
    outcomes = [(line["outcome"], line["targets"]) for line in lines if line["type"] == "outcome"]
    assert outcomes == [("done", count)] and not left_in(dovecot, users), outcomes
    undone, _ = timed(site, "undo", "--yes", "--jobs", jobs, plan)
    site.mailtrace("actions", "--verify")
    loop = shell_loop(dovecot, users)
    site.stop()
    dovecot.stop()
    print(f"{count} mailboxes: contain {planned:.2f} s, apply --jobs {jobs} {applied:.2f} s ({1000 * applied / count:.1f} ms each,"
          f" verified and in the journal), undo {undone:.2f} s; loop of doveadm move -u {loop:.2f} s"
          f" ({1000 * loop / count:.1f} ms each); the loop takes {loop / applied:.2f} times as long", flush=True)


for mailboxes in (os.environ.get("MAILBOXES") or "200 5000").split():
    measure(int(mailboxes), os.environ.get("JOBS") or "8")
