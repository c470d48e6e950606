# SPDX-License-Identifier: BSD-2-Clause
"""The follower on systemd's journal: real journal files, written by systemd-journal-remote(8)."""
import contextlib
import os
import random
import re
import sqlite3
import subprocess
import time

from followed import FollowedSite, agent, deliveries, queued
from mtlib import equal, main, test, wait_until

REMOTE = "/lib/systemd/systemd-journal-remote"
BOOT = "0123456789abcdef0123456789abcdef"


def entry(line, **fields):
    """One entry of the export format, as syslog(3) of "smtp[9]: text" by Postfix makes it."""
    program, pid, text = re.fullmatch(r"(\S+)\[(\d+)\]: (.*)", line).groups()
    fields = {"__REALTIME_TIMESTAMP": time.time_ns() // 1000, "__MONOTONIC_TIMESTAMP": time.monotonic_ns() // 1000,
              "_BOOT_ID": BOOT, "_HOSTNAME": "mx1", "_TRANSPORT": "syslog", "_UID": 0,
              "SYSLOG_IDENTIFIER": f"postfix/{program}", "SYSLOG_PID": pid, "MESSAGE": text, **fields}
    return "".join(f"{name}={value}\n" for name, value in fields.items()).encode() + b"\n"


class JournalSite(FollowedSite):
    """A site whose MTA logs to a journal of its own."""

    def __init__(self):
        super().__init__()
        self.journal = f"{self.root}/journal"
        os.makedirs(self.journal)
        self.file = f"{self.journal}/system.journal"
        self.set("follow", log=f"journal:{self.journal}")
        self.files = 0

    def write(self, *lines, path=None, **fields):
        done = subprocess.run([REMOTE, "-o", path or self.file, "-"], capture_output=True, check=False,
                              input=b"".join(entry(line, **fields) for line in lines))
        equal(done.returncode, 0, done.stderr.decode())

    def rotate(self):
        """As journald does: the file has another name, and the next entry makes a new one."""
        self.files += 1
        os.rename(self.file, f"{self.journal}/system@{self.files}.journal")

    def gaps(self):
        return self.follower.text().count("log-gap")


def story(queue_id):
    """What Postfix says of one message to an alias, a deferred one and one that bounces."""
    return [queued(queue_id, 3),
            agent(queue_id, "final@example.org").replace(", relay=", ", orig_to=<alias@example.org>, relay="),
            agent(queue_id, "later@example.org", "deferred", "450 4.2.0 later (\u00e9)", "4.2.0"),
            agent(queue_id, "nobody@example.org", "bounced", "550 5.1.1 nobody; from=<x>", "5.1.1"),
            f"smtpd[1]: disconnect from unknown[192.0.2.1]"]


def told(site):
    """Each delivery as the store has it, but for its id, time and what is made of these."""
    with contextlib.closing(sqlite3.connect(f"file:{site.root}/store/mailtrace.db?mode=ro", uri=True)) as store:
        store.row_factory = sqlite3.Row
        rows = [dict(row) for row in store.execute("SELECT * FROM deliveries")]
    rows = [{name: value for name, value in row.items() if not isinstance(value, bytes) and name != "time_us"}
            for row in rows]
    return sorted(rows, key=str)


def finals(hit):
    """Its final addresses, without times."""
    return [{name: value for name, value in final.items() if name != "at"} for final in hit["finals"]]


@test
def what_the_journal_says_is_what_a_file_says():
    answers, rows = [], []
    for kind in (FollowedSite, JournalSite):
        site = kind()
        site.start()
        queue_id = site.mail("story", "alias@example.org", "later@example.org", "nobody@example.org",
                             queue_id="4Xyz12BbCzzzKq")
        site.write(*story(queue_id))
        site.wait_states("story", {"alias@example.org": "delivered", "later@example.org": "deferred",
                                   "nobody@example.org": "bounced"})
        hits, _ = site.who("subject:story", "--with-refused", status=None)
        answers.append(sorted((hit["recipient"], hit["state"], str(finals(hit))) for hit in hits))
        rows.append(told(site))
        site.stop()
    equal(answers[1], answers[0])
    equal(rows[1], rows[0])
    equal(len(rows[0]), 4)


@test
def a_line_that_another_user_wrote_is_not_believed():
    site = JournalSite()
    site.start()
    queue_id = site.mail("forged", "u1@example.org", "u2@example.org")
    site.write(agent(queue_id, "u1@example.org"), _UID=1000)
    site.write(agent(queue_id, "u1@example.org"), _UID="", _TRANSPORT="kernel")
    site.write(agent(queue_id, "u2@example.org"))
    site.wait_states("forged", {"u1@example.org": "accepted", "u2@example.org": "delivered"})
    equal(deliveries(site), 1)
    # Who that is the site says: postfix may have any uid on the host whose journal it is.
    site.follower.stop()
    site.set("follow", journal_users="0; 1000", spool_directory=f"{site.root}/follow-again")
    os.makedirs(f"{site.root}/follow-again")
    site.start_follower()
    site.wait_states("forged", {"u1@example.org": "delivered", "u2@example.org": "delivered"})
    equal(deliveries(site), 2, "the true one is the same event")
    site.stop()


@test
def kills_and_rotation_lose_nothing_and_repeat_nothing():
    site = JournalSite()
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"# seed {seed}", flush=True)
    chance = random.Random(seed)
    site.start_collector()
    site.start_follower()
    wanted = set()
    for number in range(10):
        ids = [f"4Xyz12BbC{number}x{line:03}zKq".translate(str.maketrans("aeiou", "bcdfg")) for line in range(200)]
        wanted.update(ids)
        lines = [agent(queue_id, "u1@example.org") for queue_id in ids]
        site.write(*lines[:100])
        # A moment, whichever: in the middle of reading, of the spool's sync, of writing down the place.
        time.sleep(chance.uniform(0, 0.1))
        site.follower.kill()
        site.write(*lines[100:])
        if chance.random() < 0.4:
            site.rotate()
        site.start_follower()

    def stored():
        with contextlib.closing(sqlite3.connect(f"file:{site.root}/store/mailtrace.db?mode=ro", uri=True)) as store:
            return [row[0] for row in store.execute("SELECT queue_id FROM deliveries")]

    wait_until(lambda: len(stored()) >= len(wanted), f"{len(wanted)} deliveries")
    found = stored()
    equal((len(found), set(found)), (len(wanted), wanted))
    equal(site.gaps(), 0, site.follower.text())
    site.stop()


@test
def what_was_vacuumed_or_dropped_unread_makes_no_answer_complete():
    site = JournalSite()
    site.set("collector", expected_followers="mx1-follow")
    site.start()
    seen = [site.mail(f"seen-{i}", "u1@example.org") for i in range(2)]
    site.write(queued(seen[0], 1))

    def gaps():
        """Of the follower; None while the answer is not complete for another reason."""
        _, coverage = site.who("subject:none", status=None)
        lost = [gap["reason"] for gap in coverage["gaps"] if gap["sensor"] == "mx1-follow"]
        return lost if bool(lost) != coverage["reconciled"] else None

    wait_until(lambda: deliveries(site) == 1, "the first line")
    wait_until(lambda: gaps() == [], "answers are reconciled")
    site.follower.stop()
    os.remove(site.file)
    site.write(queued(seen[1], 1))
    site.start_follower()
    wait_until(lambda: deliveries(site) == 2, "it goes on with the next")
    assert "no longer in the journal" in site.follower.text(), site.follower.text()
    wait_until(lambda: gaps() and len(gaps()) == 1, "the answer says so")
    site.write("journald[1]: Suppressed 77 messages from postfix@-.service", SYSLOG_IDENTIFIER="systemd-journald",
               _TRANSPORT="driver", MESSAGE_ID="a596d6fe7bfa4994828e72309e95d61e", N_DROPPED=77,
               OBJECT_SYSTEMD_UNIT="postfix@-.service")
    wait_until(lambda: site.gaps() == 2, "what journald dropped is told")
    assert "77 entries of postfix@-.service" in site.follower.text(), site.follower.text()
    site.stop()


@test
def a_wrong_journal_is_one_line():
    site = JournalSite()
    site.start_collector()
    site.write(queued("4Xyz12BbCfstzKq", 1))
    for values, named in (({"log": f"journal:{site.root}/none"}, "log:"), ({"log": "journal:a/b"}, "log:"),
                          ({"journal_users": "root; nobody-of-that-name"}, "journal_users:")):
        before = dict(site.settings["follow"])
        site.set("follow", **values)
        lines = site.mailtrace("follow", status=2).stderr.splitlines()
        equal(len(lines), 1, str(lines))
        assert named in lines[0], lines
        site.settings["follow"] = before
    site.write_config()
    site.start_follower()
    wait_until(lambda: deliveries(site) == 1, "it reads")
    wait_until(lambda: os.path.exists(f"{site.root}/follow/position"), "the place is written down")
    site.follower.stop()
    # The place in a journal is none in a file, and the other way round.
    site.set("follow", log=site.log)
    done = site.mailtrace("follow", status=1)
    assert "is no place in this log; remove it" in done.stderr, done.stderr
    site.stop()


main()
