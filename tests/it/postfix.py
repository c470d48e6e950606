#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A real Postfix with the milter attached: mail is delivered, every message is recorded."""
import contextlib
import os
import re
import shutil
import smtplib
import socket

import mta
from mtlib import (DEADLINE, Daemon, Site, equal, free_port, listens, main, make_message, message_with_payload, program, send,
                   stopped_scanner, test, wait_until)


@contextlib.contextmanager
def site_and_postfix(postfix=None, milters="{ours}", postfix_options=None, **settings):
    """A site whose milter listens inside Postfix's queue directory, and the Postfix."""
    mx = postfix or mta.Postfix(**(postfix_options or {}))
    folder = f"{mx.queue}/mailtrace"
    os.makedirs(folder, exist_ok=True)
    site = Site(socket_address=f"unix:{folder}/milter.sock", **settings)
    site.set("milter", socket_group="postfix", socket_mode="0660")
    shutil.chown(folder, group="postfix")
    os.chmod(folder, 0o750)
    site.make_keys()
    site.start_collector()
    site.start_milter()
    # Relative to the queue directory, where a chrooted smtpd is and any other starts.
    mx.settings["smtpd_milters"] = milters.format(ours="unix:mailtrace/milter.sock")
    mx.write(**{k: v for k, v in (postfix_options or {}).items() if k in ("chroot", "extra_master")})
    mx.start()
    try:
        yield site, mx
    finally:
        mx.stop()
        site.stop()


def recipients_of(hits):
    return sorted(hit["recipient"] for hit in hits)


@test
def names_exactly_the_recipients_of_a_file_bcc_included():
    with site_and_postfix() as (site, mx):
        path, payload = message_with_payload(site, "invoice", subject="=?utf-8?b?6KuL5rGC5pu4?=")
        other, _ = message_with_payload(site, "harmless")
        send(mx, ["alice@example.org", "bob@example.org", "secret@example.org"], path)
        send(mx, ["carol@example.org"], other)
        site.wait_stored(2)
        hits, coverage = site.who(payload, status=0)
        equal(recipients_of(hits), ["alice@example.org", "bob@example.org", "secret@example.org"])
        equal({hit["subject"] for hit in hits}, {"請求書"})
        equal({hit["match"] for hit in hits}, {"exact"})
        equal({hit["sensor"] for hit in hits}, {"mx1"})
        queue_id = re.search(r"cleanup\[\d+\]: (\S+): message-id=<invoice.eml@", mx.logged())[1]
        equal({hit["queue_id"] for hit in hits}, {queue_id}, "the queue id that Postfix logged")
        equal((coverage["type"], coverage["messages"], coverage["reconciled"]), ("coverage", 2, False))
        for user in ("alice", "bob", "secret", "carol"):
            wait_until(lambda: mx.inbox(user), f"mail is delivered to {user}")


@test
def a_chrooted_smtpd_reaches_the_default_kind_of_socket():
    with site_and_postfix(postfix_options={"chroot": "y"}) as (site, mx):
        path, payload = message_with_payload(site, "chrooted")
        send(mx, ["alice@example.org"], path)
        wait_until(lambda: mx.inbox("alice"), "mail is delivered")
        site.wait_stored(1)
        equal(recipients_of(site.who(payload)[0]), ["alice@example.org"])


@test
def every_accepted_message_is_recorded_once_under_its_queue_id():
    with site_and_postfix() as (site, mx):
        path, _ = message_with_payload(site, "many")
        with open(path, "rb") as handle:
            content = handle.read()
        for _ in range(4):
            with mx.smtp() as smtp:
                for _ in range(10):
                    smtp.sendmail("sender@example.net", ["alice@example.org", "bob@example.org"], content)
                smtp.mail("x@example.net")
                smtp.rcpt("carol@example.org")
                smtp.rset()
        site.wait_stored(40)
        logged = sorted(re.findall(r"cleanup\[\d+\]: (\S+): message-id=", mx.logged()))
        hits, _ = site.who("to:alice@example.org", "--limit", "1000")
        equal(sorted(hit["queue_id"] for hit in hits), logged)
        equal(site.who("to:carol@example.org")[0], [], "a message that was given up")


@test
def a_recipient_or_message_refused_by_a_filter_before_ours_is_not_counted():
    port = free_port()
    with site_and_postfix(milters=f"inet:127.0.0.1:{port}, {{ours}}") as (site, mx):
        refuser = Daemon([program("tests/tools/refuser"), f"inet:{port}@127.0.0.1"], f"{site.root}/refuser.log")
        wait_until(lambda: listens(port), "the other filter listens")
        path, payload = message_with_payload(site, "partly")
        send(mx, ["alice@example.org", "eve@example.org"], path)
        refused, refused_payload = message_with_payload(site, "refused", extra="X-Refuse: yes")
        try:
            send(mx, ["bob@example.org"], refused)
            raise AssertionError("the message was not refused")
        except smtplib.SMTPResponseException as answer:
            equal(answer.smtp_code, 550)
        last, _ = message_with_payload(site, "last")
        send(mx, ["carol@example.org"], last)
        site.wait_stored(2)
        equal(recipients_of(site.who(payload)[0]), ["alice@example.org"])
        equal(site.who(refused_payload, status=1)[0], [])
        refuser.kill()


def states(hits):
    return {hit["recipient"]: hit["state"] for hit in hits}


@test
def what_a_filter_behind_ours_refuses_does_not_count_as_received():
    port = free_port()
    with site_and_postfix(milters=f"{{ours}}, inet:127.0.0.1:{port}") as (site, mx):
        refuser = Daemon([program("tests/tools/refuser"), f"inet:{port}@127.0.0.1"], f"{site.root}/refuser.log")
        wait_until(lambda: listens(port), "the other filter listens")
        site.start_follow(mx.log)
        # eve is refused after we were told of her: first, before there is a queue id, and last.
        first, first_payload = message_with_payload(site, "first")
        send(mx, ["eve@example.org", "alice@example.org"], first)
        partly, partly_payload = message_with_payload(site, "partly")
        send(mx, ["alice@example.org", "eve@example.org", "bob@example.org"], partly)
        refused, refused_payload = message_with_payload(site, "refused", extra="X-Refuse: yes")
        try:
            send(mx, ["carol@example.org"], refused)
            raise AssertionError("the message was not refused")
        except smtplib.SMTPResponseException as answer:
            equal(answer.smtp_code, 550)
        wait_until(lambda: states(site.who(partly_payload)[0]) == {"alice@example.org": "delivered",
                                                                   "bob@example.org": "delivered"},
                   "eve's copy that never was is settled")
        wait_until(lambda: states(site.who(first_payload)[0]) == {"alice@example.org": "delivered"}, "likewise")
        wait_until(lambda: site.who(refused_payload)[0] == [], "the refused message is settled")
        equal(states(site.who(refused_payload, "--with-refused")[0]), {"carol@example.org": "rejected"})
        refuser.kill()


@test
def a_collector_killed_in_the_middle_loses_and_doubles_nothing():
    with site_and_postfix() as (site, mx):
        path, _ = message_with_payload(site, "kept")
        with open(path, "rb") as handle:
            content = handle.read()
        with mx.smtp() as smtp:
            for number in range(60):
                if number in (15, 35):
                    site.collector.kill()
                if number in (25, 50):
                    site.start_collector()
                smtp.sendmail("sender@example.net", ["alice@example.org"], content)
        site.wait_stored(60)
        hits, _ = site.who("to:alice@example.org", "--limit", "1000")
        logged = sorted(re.findall(r"cleanup\[\d+\]: (\S+): message-id=", mx.logged()))
        equal(sorted(hit["queue_id"] for hit in hits), logged)


@test
def null_sender_smtputf8_and_eight_bit_mail_are_recorded_as_they_came():
    with site_and_postfix() as (site, mx):
        path = make_message(f"{site.root}/utf8.eml", subject="ありがとう", body="8 bit: é\r\n")
        with mx.smtp() as smtp, open(path, "rb") as message:
            content = message.read()
            smtp.ehlo()
            smtp.mail("送信@example.net", ["SMTPUTF8", "BODY=8BITMIME"])
            smtp.rcpt("alice@example.org")
            equal(smtp.data(content)[0], 250)
            smtp.sendmail("", ["bob@example.org"], content, mail_options=["BODY=8BITMIME"])
        site.wait_stored(2)
        hits, _ = site.who("subject:ありがとう")
        equal({hit["recipient"]: hit["from"] for hit in hits},
              {"alice@example.org": "送信@example.net", "bob@example.org": "<>"})


@test
def mail_whose_files_cannot_be_read_is_held_where_the_site_says_so():
    settings = {"policy": {"on_unread": "hold"}, "scanner": {"workers": "1", "read_timeout_ms": "1000"}}
    with site_and_postfix(**settings) as (site, mx):
        path, _ = message_with_payload(site, "unreadable")
        with stopped_scanner(site):
            send(mx, ["alice@example.org"], path)
        queue = mx.queued()
        equal([entry["queue_name"] for entry in queue], ["hold"])
        site.wait_stored(1)
        hits, coverage = site.who("to:alice@example.org")
        equal((hits[0]["state"], hits[0]["queue_id"]), ("held", queue[0]["queue_id"]))
        equal(coverage["unread"], 1)


AMBIGUOUS = b"""From: sender@example.net
To: alice@example.org
Subject: two boundaries
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=a
Content-Type: multipart/mixed; boundary=b

--a
Content-Disposition: attachment; filename=first

a file that some programs see
--a--
--b
Content-Disposition: attachment; filename=last

a file that the others see
--b--
"""


def ambiguous_message(site):
    """Writes a message with two boundaries; returns its path, and those of what each of them shows."""
    contents = {"two.eml": AMBIGUOUS, "first": b"a file that some programs see", "last": b"a file that the others see"}
    for name, content in contents.items():
        with open(f"{site.root}/{name}", "wb") as handle:
            handle.write(content)
    return [f"{site.root}/{name}" for name in contents]


def apply_policy(site, **settings):
    site.set("policy", **settings)
    site.milter.stop()
    site.start_milter()


@test
def an_ambiguous_message_is_tagged_held_or_rejected_as_the_site_says():
    with site_and_postfix(policy={"ambiguous": "tag"}) as (site, mx):
        path, *files = ambiguous_message(site)
        plain, _ = message_with_payload(site, "plain")
        send(mx, ["alice@example.org"], path)
        send(mx, ["bob@example.org"], plain)
        wait_until(lambda: mx.inbox("alice") and mx.inbox("bob"), "tagged and plain mail is delivered")
        found, = re.findall(rb"(?m)^X-Mailtrace-Ambiguous: (.*)$", mx.inbox("alice")[0])
        assert b"last-content-type" in [label.strip() for label in found.split(b",")], found
        equal(b"X-Mailtrace-Ambiguous" in mx.inbox("bob")[0], False)
        apply_policy(site, ambiguous="hold")
        send(mx, ["alice@example.org"], path)
        equal([entry["queue_name"] for entry in mx.queued()], ["hold"])
        apply_policy(site, ambiguous="reject")
        code, text = refusal(mx, path)
        equal((code, "5.6.0" in text), (554, True), text)
        site.wait_stored(4)
        for file in files:
            hits, _ = site.who("--with-refused", file, "to:alice@example.org")
            equal(sorted(hit["state"] for hit in hits), ["accepted", "held", "rejected"])


def refusal(mx, path):
    """Sends a message that must be refused; returns code and text."""
    try:
        send(mx, ["alice@example.org", "bob@example.org"], path)
    except smtplib.SMTPResponseException as answer:
        return answer.smtp_code, answer.smtp_error.decode()
    raise AssertionError("the message was not refused")


@test
def a_message_that_comes_back_from_a_content_filter_counts_once():
    with site_and_postfix(site={"trusted_hops": "127.0.0.1/32", "local_networks": "192.0.2.0/24"}) as (site, mx):
        path, payload = message_with_payload(site, "filtered")
        send(mx, ["alice@example.org"], path)
        wait_until(lambda: mx.inbox("alice"), "mail is delivered")
        delivered = mx.inbox("alice")[0]
        equal(len(re.findall(rb"(?m)^X-Mailtrace-Id: ", delivered)), 1)
        with mx.smtp() as smtp:
            smtp.sendmail("sender@example.net", ["alice@example.org"], delivered)
        site.wait_stored(2)
        wait_until(lambda: len(mx.inbox("alice")) == 2, "the second copy is delivered")
        again = [copy for copy in mx.inbox("alice") if copy != delivered][0]
        equal(len(re.findall(rb"(?m)^X-Mailtrace-Id: ", again)), 1, "stamped once")
        equal(recipients_of(site.who(payload)[0]), ["alice@example.org"])


@test
def a_blocked_file_is_rejected_held_or_discarded_by_the_real_thing():
    with site_and_postfix() as (site, mx):
        path, payload = message_with_payload(site, "evil")
        site.mailtrace("block", "add", payload)
        code, text = refusal(mx, path)
        equal((code, "5.7.1" in text), (550, True), text)
        equal(mx.queued(), [], "nothing of a rejected message is queued")
        site.mailtrace("block", "add", payload, "--mode", "hold")
        send(mx, ["alice@example.org", "bob@example.org"], path)
        queue = mx.queued()
        equal([entry["queue_name"] for entry in queue], ["hold"])
        equal(len(queue[0]["recipients"]), 2, "the whole message is held")
        site.wait_stored(2)
        equal(states(site.who(payload)[0]), {"alice@example.org": "held", "bob@example.org": "held"})
        site.mailtrace("block", "add", payload, "--mode", "discard")
        send(mx, ["alice@example.org", "bob@example.org"], path)
        equal(len(mx.queued()), 1, "a discarded message is not queued")
        site.mailtrace("block", "add", payload, "--mode", "observe")
        send(mx, ["carol@example.org"], path)
        wait_until(lambda: mx.inbox("carol"), "an observed message is delivered")
        equal([mx.inbox(user) for user in ("alice", "bob")], [[], []])


@test
def a_hit_alarms_by_syslog():
    site = Site()
    site.make_keys()
    site.start_collector()
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as syslog:
        syslog.bind(f"{site.root}/log.sock")
        syslog.settimeout(DEADLINE)
        site.milter = Daemon([program("mailtrace-milter"), "--config", site.config], f"{site.root}/milter.log",
                             preexec_fn=lambda: mta.own_dev_log(f"{site.root}/log.sock"))
        wait_until(site.milter_answers, "the milter listens")
        path, payload = message_with_payload(site, "evil")
        site.mailtrace("block", "add", payload, "--mode", "hold")
        site.play("--from", "<s@example.net>", "--rcpt", "<alice@example.org>", "--queue-id", "4XyzEVIL", path)
        lines = []
        while not lines or "block-hit" not in lines[-1]:
            lines.append(syslog.recv(8192).decode())
    event, = site.who(payload)[0] or wait_until(lambda: site.who(payload)[0], "it is recorded")
    assert lines[-1].startswith("<20>"), f"facility mail, severity warning: {lines[-1]}"
    for said in ("mailtrace-milter", "queue_id=4XyzEVIL", f"event_id={event['event_id']}", "mode=hold", "match=exact"):
        assert said in lines[-1], (said, lines[-1])
    site.stop()


@test
def mail_waits_at_the_client_while_the_milter_is_down():
    with site_and_postfix() as (site, mx):
        site.milter.stop()
        path, payload = message_with_payload(site, "waiting")
        try:
            send(mx, ["alice@example.org"], path)
            raise AssertionError("mail passed with the milter down")
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as answer:
            code = answer.smtp_code if hasattr(answer, "smtp_code") else list(answer.recipients.values())[0][0]
            equal(code, 451)
        site.start_milter()
        send(mx, ["alice@example.org"], path)
        site.wait_stored(1)
        equal(recipients_of(site.who(payload)[0]), ["alice@example.org"])


main()
