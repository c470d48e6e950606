# SPDX-License-Identifier: BSD-2-Clause
"""What Postfix accepted, against what the store says of it."""
import collections
import glob
import re
import time

from mtlib import json_lines
from traffic import SENDER

ACCEPTED = re.compile(r"qmgr\[\d+\]: (\w+): from=<([^>]*)>, size=\d+, nrcpt=(\d+) \(queue active\)")
DELIVERED = re.compile(r"virtual\[\d+\]: (\w+): to=<([^>]*)>.*status=sent")
RECEIVED = re.compile(rb"^\s+by mx1\.example\.org \(Postfix\) with \w+ id (\w+)", re.MULTILINE)
RECEIVED_STATES = {"accepted", "held", "delivered", "deferred"}
FOR = re.compile(rb"^Delivered-To: (\S+)", re.MULTILINE)


def accepted_by(mx):
    """Returns {queue id: number of recipients} of what Postfix's queue manager took up."""
    return {queue_id: int(count) for queue_id, sender, count in ACCEPTED.findall(mx.logged()) if sender == SENDER}


def delivered_by(mx):
    """Returns the pairs of queue id and recipient in Postfix's log, and those in the mailboxes."""
    logged = collections.Counter(DELIVERED.findall(mx.logged()))
    found = collections.Counter()
    for path in glob.glob(f"{mx.mail}/*/new/*"):
        with open(path, "rb") as handle:
            head = handle.read(4096)
        found[RECEIVED.search(head)[1].decode(), FOR.search(head)[1].decode()] += 1
    return logged, found


def lost_mail(promised, accepted, logged, boxes):
    """Returns the queue ids of mail for which somebody vouched, and that is not in each of its mailboxes."""
    owed = {(queue_id, one) for queue_id, recipients in promised.items() for one in recipients} | set(logged)
    delivered = collections.Counter(queue_id for queue_id, _ in boxes)
    return sorted({queue_id for queue_id, _ in owed - set(boxes)} |
                  {queue_id for queue_id, count in accepted.items() if delivered[queue_id] < count})


def answers_of(site):
    """Returns how often the answer has a pair of queue id and recipient, the event ids and the states of each id."""
    # A clock that was set forward had mail come tomorrow.
    done = site.mailtrace("--json", "who", f"from:{SENDER}", "--limit", "0", "--until", "2100-01-01", status=None)
    # Found, and perhaps not complete; an answer that did not come would count nothing.
    assert done.returncode in (0, 3), done.stderr
    pairs, events, states = collections.Counter(), collections.defaultdict(set), collections.defaultdict(set)
    for line in json_lines(done.stdout):
        if line["type"] == "hit":
            pairs[line["queue_id"], line["recipient"]] += 1
            events[line["queue_id"]].add(line["event_id"])
            states[line["queue_id"]].add(line["state"])
    return pairs, events, states


def explain(stage, left):
    """Prints what there is to learn why phantoms are not settled."""
    began = time.monotonic()
    answers_of(stage.site)
    print(f"{len(left)} phantoms are not settled; the answer takes {time.monotonic() - began:.1f} s", flush=True)
    print(stage.site.follower.text()[-2000:], stage.site.mailtrace("status", status=None).stdout, sep="\n", flush=True)
    lines = stage.mx.logged().splitlines()
    for queue_id in left[:3]:
        print(*[line for line in lines if queue_id in line], "", sep="\n", flush=True)


def counted_phantoms(stage, phantoms):
    """Returns the phantoms that the answer still counts as received, once a follower has read Postfix's log."""
    def counted():
        states = answers_of(stage.site)[2]
        return {queue_id for queue_id in phantoms if states[queue_id] & RECEIVED_STATES}
    left = counted()
    if left:
        stage.start_follow()
    # A long run's log is long: it goes on as long as one more is settled in time.
    while left:
        try:
            stage.wait(lambda: counted() < left, "the log settles a phantom")
        except AssertionError:
            explain(stage, sorted(left))
            break
        left = counted()
    return sorted(left)


class Balance:
    """The account of a run."""

    def __init__(self, stage):
        traffic, mx, site = stage.traffic, stage.mx, stage.site
        accepted = accepted_by(mx)
        logged, boxes = delivered_by(mx)
        pairs, events, _ = answers_of(site)
        rows = stage.wait(lambda: stage.ask(stage.store, "SELECT queue_id, count(*) FROM events GROUP BY queue_id"),
                          "the store can be read")
        self.accepted = len(accepted)
        self.deferred = traffic.deferred
        self.unsure = traffic.unsure
        self.refused = traffic.refused
        self.recorded = len(set(events) & set(accepted))
        # A recipient without a row is a record lost, too.
        self.lost = sorted({queue_id for queue_id, _ in set(boxes) - set(pairs)} | (set(accepted) - set(events)))
        self.told = stage.told & set(self.lost)
        self.lost = [queue_id for queue_id in self.lost if queue_id not in self.told]
        self.duplicated = sorted({pair[0] for pair, count in pairs.items() if count > 1} |
                                 {queue_id for queue_id, count in rows if count > 1})
        self.phantoms = sorted(set(events) - set(accepted))
        self.counted = counted_phantoms(stage, self.phantoms)
        self.flaws = json_lines(site.mailtrace("--json", "verify", status=None).stdout)
        self.lost_mail = lost_mail(traffic.promised, accepted, logged, boxes)

    def is_good(self):
        return not any(self.faults().values())

    def faults(self):
        """Returns what should be empty."""
        return {"lost": self.lost, "duplicated": self.duplicated, "lost mail": self.lost_mail,
                "phantoms that count": self.counted, "refused": self.refused, "flaws of the store": self.flaws}

    def lines(self):
        yield f"accepted {self.accepted}, deferred {self.deferred}, unsure {self.unsure}, refused {len(self.refused)}"
        yield (f"recorded {self.recorded}, lost {len(self.lost)}, duplicated {len(self.duplicated)}, "
               f"phantoms {len(self.phantoms)}, without a record and told {len(self.told)}")
        yield f"lost mail {len(self.lost_mail)}"
        for what, found in self.faults().items():
            if found:
                yield f"{what}: {' '.join(map(str, found[:20]))}"
