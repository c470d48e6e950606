# SPDX-License-Identifier: BSD-2-Clause
"""One message out of N mailboxes of a real Dovecot: actuator-mailstore beside a shell loop.

usage: make bench-mailstore [MAILBOXES="200 5000"] [JOBS=8]
Each mailbox has the message and 20 others.  The actuator looks, reads the file,
moves, and looks again; `doveadm move -u`, run for one user after the other, moves
whatever has the Message-ID.  Both move the same messages, in the same run; each
mailbox was opened before, as by its user's client, and the loop finds the
quarantine made.  Needs root, as Dovecot does.
"""
import hashlib
import json
import os
import pwd
import subprocess
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.environ["top_srcdir"], "tests", "it"))
import mtlib  # noqa: E402
from dovecot import OWNER, Dovecot  # noqa: E402
from mtlib import PAYLOAD, Site, make_message  # noqa: E402

OTHERS = 20
MESSAGE_ID = "<bench@example.net>"
SHA256 = hashlib.sha256(PAYLOAD).hexdigest().upper()


def stored(path):
    with open(path, "rb") as handle:
        return handle.read().replace(b"\r\n", b"\n")


def fill(dovecot, users):
    """Writes Maildirs as a delivery leaves them."""
    owner = pwd.getpwnam(OWNER)
    wanted = stored(make_message(f"{dovecot.root}/wanted.eml", message_id=MESSAGE_ID,
                                 attachments=[("a.exe", "application/octet-stream", PAYLOAD)]))
    other = stored(make_message(f"{dovecot.root}/other.eml", message_id="<other@example.net>"))
    for user in users:
        maildir = f"{dovecot.root}/mail/{user}/Maildir"
        for folder in ("cur", "new", "tmp"):
            os.makedirs(f"{maildir}/{folder}")
        for number in range(OTHERS + 1):
            content = wanted if number == OTHERS // 2 else other.replace(b"<other@", b"<other%d@" % number)
            with open(f"{maildir}/new/{1795000000 + number}.M{number}P1.bench", "wb") as handle:
                handle.write(content)
    subprocess.run(["chown", "-R", f"{owner.pw_uid}:{owner.pw_gid}", f"{dovecot.root}/mail"], check=True)


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


LOOP = """\
while read -r user; do
	doveadm -c "$1" move -u "$user" mailtrace-quarantine/INBOX mailbox INBOX HEADER Message-ID "$2"
done
"""


def shell_loop(dovecot, users):
    began = time.monotonic()
    subprocess.run(["sh", "-c", LOOP, "loop", dovecot.config, MESSAGE_ID], check=True,
                   input="".join(f"{user}@example.org\n" for user in users), text=True)
    return time.monotonic() - began


def measure(count, jobs):
    users = [f"u{number}" for number in range(count)]
    dovecot = Dovecot(users)
    fill(dovecot, users)
    dovecot.start()
    site = Site(mailstore={"url": dovecot.url, "key": dovecot.key}, site={"site_key": ""})
    for user in users:
        dovecot.api("fetch", user=f"{user}@example.org", field=["hdr.message-id"], query=["ALL"])
    wanted = [command("contain", user) for user in users]
    ours, answers = act(site, jobs, wanted)
    back, _ = act(site, jobs, [command("restore", user, copies=answers[c["command_id"]]["copies"])
                               for user, c in zip(users, wanted)])
    loop = shell_loop(dovecot, users)
    rest = {row["mailbox"] for user in users[:: max(1, count // 50)]
            for row in dovecot.api("fetch", user=f"{user}@example.org", field=["mailbox"],
                                   query=["mailbox", "INBOX", "HEADER", "Message-ID", MESSAGE_ID])}
    assert not rest, "the loop did not move the message"
    dovecot.stop()
    print(f"{count} mailboxes: actuator-mailstore --jobs {jobs} {ours:.2f} s ({1000 * ours / count:.1f} ms each,"
          f" verified), put back {back:.2f} s; loop of doveadm move -u {loop:.2f} s ({1000 * loop / count:.1f} ms each);"
          f" the loop takes {loop / ours:.2f} times as long", flush=True)


for mailboxes in (os.environ.get("MAILBOXES") or "200 5000").split():
    measure(int(mailboxes), os.environ.get("JOBS") or "8")
