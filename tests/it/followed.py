# SPDX-License-Identifier: BSD-2-Clause
"""A site with a follower beside its milter, and the lines that its log is made of."""
import os
import sqlite3
import time

from mtlib import Daemon, Site, equal, make_message, program, wait_until

QUEUE_IDS = iter(f"4Xyz12BbC{first}{second}zKq" for first in "bcdfghjk" for second in "bcdfghjklmnpqrstvwxy")


class FollowedSite(Site):
    """A site with a follower beside its milter."""

    def __init__(self, root=None):
        super().__init__(root)
        self.log = f"{self.root}/mail.log"
        self.follower = None
        os.makedirs(f"{self.root}/follow", mode=0o750)
        self.set("follow", log=self.log, **{"from": "beginning"}, spool_directory=f"{self.root}/follow",
                 key=f"{self.root}/keys/mx1-follow.key")
        self.make_keys()
        keys = f"{self.root}/keys"
        self.mailtrace("keygen", "--type", "sensor", keys, "mx1-follow")
        self.mailtrace("sensor", "add", "mx1-follow", f"{keys}/mx1-follow.pub")

    def start_follower(self):
        self.follower = Daemon([program("mailtrace"), "--config", self.config, "follow"],
                               f"{self.root}/follow.log")
        return self.follower

    def start(self):
        self.start_collector()
        self.start_milter()
        self.start_follower()

    def stop(self):
        if self.follower and self.follower.alive():
            self.follower.stop()
        super().stop()

    def mail(self, subject, *recipients, queue_id=None):
        """A message through the milter; returns its queue id."""
        queue_id = queue_id or next(QUEUE_IDS)
        rcpts = [argument for recipient in recipients for argument in ("--rcpt", f"<{recipient}>")]
        path = make_message(f"{self.root}/{queue_id}.eml", subject=subject)
        self.play("--queue-id", queue_id, *rcpts, path)
        return queue_id

    def write(self, *lines, path=None):
        """Lines of Postfix's log, stamped now."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        with open(path or self.log, "a") as handle:
            handle.writelines(f"{stamp} mx1 postfix/{line}\n" for line in lines)

    def states(self, subject):
        """{recipient: state} as `who` tells it, refused ones included."""
        hits, _ = self.who(f"subject:{subject}", "--with-refused", status=None)
        return {hit["recipient"]: hit["state"] for hit in hits}

    def wait_states(self, subject, wanted):
        try:
            wait_until(lambda: self.states(subject) == wanted, subject)
        except AssertionError:
            equal(self.states(subject), wanted, f"states of {subject}; log:\n{self.follower.text()}")


def queued(queue_id, count):
    return f"qmgr[7]: {queue_id}: from=<s@example.net>, size=1000, nrcpt={count} (queue active)"


def agent(queue_id, recipient, status="sent", text="250 2.0.0 Ok", dsn="2.0.0"):
    return (f"smtp[9]: {queue_id}: to=<{recipient}>, relay=m.example.org[192.0.2.1]:25, delay=1, "
            f"delays=0/0/0/1, dsn={dsn}, status={status} ({text})")


def deliveries(site):
    with sqlite3.connect(f"file:{site.root}/store/mailtrace.db?mode=ro", uri=True) as store:
        return store.execute("SELECT count(*) FROM deliveries").fetchone()[0]
