# SPDX-License-Identifier: BSD-2-Clause
"""One message out of N mailboxes of a real Dovecot: actuator-mailstore beside a shell loop.

usage: make bench-mailstore [MAILBOXES="200 5000"] [JOBS=8]
Each mailbox has the message and 20 others.  The actuator looks, reads the file,
moves, and looks again; `doveadm move -u`, run for one user after the other, moves
whatever has the Message-ID.  Both move the same messages, in the same run; each
mailbox was opened before, as by its user's client, and the loop finds the
quarantine made.  Needs root, as Dovecot does.  `make bench-contain` measures the
whole command.
"""
import hashlib
import json
import os
import time
import uuid

from mailboxes import MESSAGE_ID, shell_loop, start_full
import mtlib
from mtlib import PAYLOAD, Site

SHA256 = hashlib.sha256(PAYLOAD).hexdigest().upper()


def command(action, user, **arguments):
    return {"action": action, "target": {"x-mailtrace:message": {
        "mailbox": f"{user}@example.org", "message_id": MESSAGE_ID, "sha256": [SHA256]}},
        "args": {"x-mailtrace": arguments}, "actuator": {"x-mailtrace": {"role": "mailstore"}},
        "command_id": str(uuid.uuid4())}


def act(site, jobs, commands):
    """Returns the seconds and the answers by command id; all must have done what they should."""
    began = time.monotonic()
    done = mtlib.run(mtlib.program("investigate/actuator-mailstore"), "--config", site.config, "--jobs", jobs,
                     stdin="".join(json.dumps(c) + "\n" for c in commands), timeout=3600)
    took = time.monotonic() - began
    answers = {a["results"]["x-mailtrace"]["command_id"]: a["results"]["x-mailtrace"] for a in mtlib.json_lines(done.stdout)}
    outcomes = {answers[c["command_id"]]["outcome"] for c in commands}
    assert outcomes == {"done"}, outcomes
    return took, answers


def measure(count, jobs):
    users = [f"u{number}" for number in range(count)]
    dovecot = start_full(users)
    site = Site(mailstore={"url": dovecot.url, "key": dovecot.key}, site={"site_key": ""})
    wanted = [command("contain", user) for user in users]
    ours, answers = act(site, jobs, wanted)
    back, _ = act(site, jobs, [command("restore", user, copies=answers[c["command_id"]]["copies"])
                               for user, c in zip(users, wanted)])
    loop = shell_loop(dovecot, users)
    dovecot.stop()
    print(f"{count} mailboxes: actuator-mailstore --jobs {jobs} {ours:.2f} s ({1000 * ours / count:.1f} ms each,"
          f" verified), put back {back:.2f} s; loop of doveadm move -u {loop:.2f} s ({1000 * loop / count:.1f} ms each);"
          f" the loop takes {loop / ours:.2f} times as long", flush=True)


for mailboxes in (os.environ.get("MAILBOXES") or "200 5000").split():
    measure(int(mailboxes), os.environ.get("JOBS") or "8")
