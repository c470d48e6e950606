# SPDX-License-Identifier: BSD-2-Clause
"""What the measurements of containment share: a real Dovecot with full mailboxes, and a shell's way of emptying them."""
import os
import pwd
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ["top_srcdir"], "tests", "it"))
from dovecot import OWNER, Dovecot  # noqa: E402
from mtlib import PAYLOAD, make_message  # noqa: E402

OTHERS = 20
MESSAGE_ID = "<bench@example.net>"


def wanted_message(folder):
    """Writes the message that is in every mailbox; returns its path."""
    return make_message(f"{folder}/wanted.eml", message_id=MESSAGE_ID, attachments=[("a.exe", "application/octet-stream", PAYLOAD)])


def stored(path):
    with open(path, "rb") as handle:
        return handle.read().replace(b"\r\n", b"\n")


def start_full(users):
    """Starts a Dovecot in which each user has the message and others, as a delivery leaves them, and was at his mail."""
    dovecot = Dovecot(users, logging="")  # doveadm would tell each of its moves on the terminal
    owner = pwd.getpwnam(OWNER)
    wanted = stored(wanted_message(dovecot.root))
    other = stored(make_message(f"{dovecot.root}/other.eml", message_id="<other@example.net>"))
    for user in users:
        maildir = f"{dovecot.root}/mail/{user}/Mail"
        for folder in ("cur", "new", "tmp"):
            os.makedirs(f"{maildir}/{folder}")
        for number in range(OTHERS + 1):
            content = wanted if number == OTHERS // 2 else other.replace(b"<other@", b"<other%d@" % number)
            with open(f"{maildir}/new/{1795000000 + number}.M{number}P1.bench", "wb") as handle:
                handle.write(content)
    subprocess.run(["chown", "-R", f"{owner.pw_uid}:{owner.pw_gid}", f"{dovecot.root}/mail"], check=True)
    dovecot.start()
    for user in users:
        dovecot.api("fetch", user=f"{user}@example.org", field=["hdr.message-id"], query=["ALL"])
    return dovecot


LOOP = """\
while read -r user; do
	doveadm -c "$1" move -u "$user" mailtrace-quarantine/INBOX mailbox INBOX HEADER Message-ID "$2"
done
"""


def shell_loop(dovecot, users):
    """Moves the message out of each mailbox with doveadm, one after the other; returns the seconds."""
    began = time.monotonic()
    subprocess.run(["sh", "-c", LOOP, "loop", dovecot.config, MESSAGE_ID], check=True,
                   input="".join(f"{user}@example.org\n" for user in users), text=True)
    took = time.monotonic() - began
    assert not left_in(dovecot, users), "the loop did not move the message"
    return took


def left_in(dovecot, users):
    """Returns how many of some of the users still have the message in their INBOX."""
    return sum(len(dovecot.api("fetch", user=f"{user}@example.org", field=["mailbox"],
                               query=["mailbox", "INBOX", "HEADER", "Message-ID", MESSAGE_ID]))
               for user in users[:: max(1, len(users) // 50)])
