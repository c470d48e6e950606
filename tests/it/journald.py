#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A real Postfix that logs to a real systemd-journald, which is followed."""
import contextlib
import os
import random
import socket
import sqlite3
import subprocess
import time

import mta
from dovecot import Dovecot
from followed import FollowedSite, agent
from mtlib import (Daemon, equal, free_port, main, make_message, message_with_payload, program, send,
                   temporary_directory, test, wait_until)

NOBODY = 65534


class JournaldSite(FollowedSite):
    """A site on a machine whose mail log is the journal, as Debian 12 has it."""

    def __init__(self, root=None, flushed=True):
        super().__init__(root)
        self.journald = mta.Journald(flushed)
        self.set("follow", log="journal:")
        self.set("milter", socket_group="postfix", socket_mode="0660")
        self.start_collector()
        self.start_milter()
        self.mx = None

    def start_postfix(self, **settings):
        self.mx = mta.Postfix(self.socket, world=self.journald.writer, maillog_file="", **settings).start()
        self.start_follower()

    def start_follower(self):
        self.follower = Daemon([program("mailtrace"), "--config", self.config, "follow"],
                               f"{self.root}/follow.log", preexec_fn=lambda: self.journald.reader(self.root))
        return self.follower

    def send(self, subject, *recipients):
        send(self.mx, recipients, make_message(f"{self.root}/{subject}.eml", subject=subject))

    def queue_id(self, subject):
        hits, _ = self.who(f"subject:{subject}", status=None)
        return hits[0]["queue_id"]

    def told(self):
        """(queue id, kind, recipient) of each delivery in the store."""
        with contextlib.closing(sqlite3.connect(f"file:{self.root}/store/mailtrace.db?mode=ro", uri=True)) as store:
            return store.execute("SELECT queue_id, kind, recipient FROM deliveries").fetchall()

    def stop(self):
        super().stop()
        if self.mx:
            self.mx.stop()
        self.journald.stop()


def native(path, **fields):
    """Sends an entry by journald's own protocol, as a program of a user may."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto("".join(f"{name}={value}\n" for name, value in fields.items()).encode(), path)


def as_nobody(function):
    """Runs a function in a process of a user who is trusted with nothing."""
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        function()
        os._exit(0)
    equal(os.waitpid(child, 0)[1], 0)


@test
def what_became_of_each_message_is_read_from_the_journal():
    site = JournaldSite()
    site.start_postfix(transport_maps=f"inline:{{carol@example.org=smtp:[127.0.0.1]:{free_port()}}}")
    site.send("plain", "alice@example.org", "bob@example.org")
    site.wait_states("plain", {"alice@example.org": "delivered", "bob@example.org": "delivered"})
    equal((len(site.mx.inbox("alice")), len(site.mx.inbox("bob"))), (1, 1))
    event = site.who("subject:plain")[0][0]["event_id"]
    assert "delivered to maildir" in site.mailtrace("show", event).stdout, site.mailtrace("show", event).stdout

    # What others write in Postfix's name stands in the journal, and is not believed.
    site.send("forged", "carol@example.org")
    site.wait_states("forged", {"carol@example.org": "deferred"})
    line = agent(site.queue_id("forged"), "carol@example.org").partition(": ")[2]
    run = f"{site.journald.run}/systemd/journal"
    subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "logger", "-u",
                    site.journald.socket, "-t", "postfix/smtp", "--id=9", "-p", "mail.info", line], check=True)
    as_nobody(lambda: native(f"{run}/socket", SYSLOG_IDENTIFIER="postfix/smtp", SYSLOG_PID=9, _UID=0,
                             _TRANSPORT="syslog", MESSAGE=line))
    as_nobody(lambda: native(f"{run}/socket", SYSLOG_IDENTIFIER="systemd-journald", _UID=0, _TRANSPORT="driver",
                             MESSAGE_ID="a596d6fe7bfa4994828e72309e95d61e", MESSAGE="Suppressed"))
    wait_until(lambda: len(site.journald.lines(f"_UID={NOBODY}")) == 3, "the forged ones are in the journal")
    equal(site.journald.lines(f"_UID={NOBODY}", "SYSLOG_IDENTIFIER=postfix/smtp"), [line, line])
    site.send("after", "bob@example.org")
    site.wait_states("after", {"bob@example.org": "delivered"})
    equal(site.states("forged"), {"carol@example.org": "deferred"})
    assert "log-gap" not in site.follower.text(), site.follower.text()
    site.stop()


@test
def postfix_and_dovecot_tell_in_one_journal_in_which_folder_it_is():
    site = JournaldSite()
    mailboxes = Dovecot(["alice"], world=site.journald.writer).start()
    site.start_postfix(virtual_transport=f"lmtp:inet:127.0.0.1:{mailboxes.ports['lmtp']}")
    path, payload = message_with_payload(site, "filed")
    send(site.mx, ["alice@example.org"], path)

    def final(found):
        hits, _ = site.who(payload, status=None)
        return bool(hits) and bool(hits[0]["finals"]) and found(hits[0]["finals"][0])

    wait_until(lambda: final(lambda f: (f["state"], f["folder"]) == ("delivered", "INBOX")), "it is in the folder")
    with mailboxes.imap("alice", "INBOX") as imap:
        imap.uid("STORE", imap.uid("SEARCH", "ALL")[1][0].decode(), "+FLAGS", "(\\Seen)")
    wait_until(lambda: final(lambda f: [act["what"] for act in f["acts"]] == ["seen"]), "it was seen")
    mailboxes.stop()
    site.stop()


@test
def sendmail_tells_in_the_journal():
    # Sendmail connects to no socket below a directory that all may write.
    site = JournaldSite(temporary_directory("mailtrace-site.", "/run"))
    sendmail = mta.Sendmail({"mailtrace": (f"local:{site.root}/milter.sock", "T")}, syslog=site.journald.socket)
    sendmail.start()
    site.start_follower()
    path, payload = message_with_payload(site, "sendmail")
    send(sendmail, ["alice@example.org"], path)
    wait_until(lambda: [hit["state"] for hit in site.who(payload, status=None)[0]] == ["delivered"], "it is delivered")
    equal(len(sendmail.inbox("alice")), 1)
    sendmail.stop()
    site.stop()


@test
def what_journald_moves_to_disk_is_read_once():
    for is_down in (False, True):
        site = JournaldSite(flushed=False)
        site.start_follower()
        ids = [f"4Xyz12BbCf{number}xzKq" for number in range(6)]

        def say(*queue_ids):
            for queue_id in queue_ids:
                site.journald.say("postfix/smtp", agent(queue_id, "alice@example.org").partition(": ")[2])

        say(*ids[:2])
        wait_until(lambda: len(site.told()) == 2, "what stands in memory is read")
        if is_down:
            site.follower.kill()
            say(ids[2])
        site.journald.flush()
        say(*ids[2 + is_down:4])
        if is_down:
            site.start_follower()
        wait_until(lambda: len(site.told()) >= 4, "what came after it is read")
        site.follower.kill()
        site.start_follower()
        say(*ids[4:])
        wait_until(lambda: len(site.told()) >= 6, "it goes on where it stood")
        equal(sorted(row[0] for row in site.told()), ids)
        assert "log-gap" not in site.follower.text(), site.follower.text()
        site.stop()


@test
def kills_while_mail_goes_on_lose_nothing_and_repeat_nothing():
    site = JournaldSite()
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"# seed {seed}", flush=True)
    chance = random.Random(seed)
    site.start_postfix()
    subjects = []
    for number in range(8):
        for message in range(6):
            subjects.append(f"killed-{number}-{message}")
            site.send(subjects[-1], "alice@example.org", "bob@example.org")
        # A moment, whichever.
        time.sleep(chance.uniform(0, 0.2))
        site.follower.kill()
        if number % 2:
            site.journald.rotate()
        site.start_follower()
    wait_until(lambda: len([row for row in site.told() if row[2]]) >= 2 * len(subjects), "all is told")
    hits, _ = site.who("subject:killed", status=None)
    equal(sorted((hit["subject"], hit["state"]) for hit in hits),
          sorted((subject, "delivered") for subject in 2 * subjects))
    logged = [line for line in site.journald.lines("SYSLOG_IDENTIFIER=postfix/virtual") if "status=sent" in line]
    sent = [row for row in site.told() if row[2]]
    equal((len(logged), len(sent), len(set(sent))), (2 * len(subjects),) * 3)
    assert "log-gap" not in site.follower.text(), site.follower.text()

    # What journald throws away unread is told.
    site.follower.stop()
    site.send("unread", "alice@example.org")
    wait_until(lambda: not site.mx.queued(), "it is delivered")
    for _ in range(2):
        site.journald.rotate()
    subprocess.run(["journalctl", "-q", "-D", site.journald.folder, "--vacuum-files=1"], capture_output=True,
                   check=True)
    site.start_follower()
    wait_until(lambda: "no longer in the journal" in site.follower.text(), "the gap is told")
    site.send("read", "alice@example.org")
    site.wait_states("read", {"alice@example.org": "delivered"})
    equal(site.follower.text().count("log-gap"), 1)
    site.stop()


main()
