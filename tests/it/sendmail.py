#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A real Sendmail with the milter attached: mail is delivered, every message is recorded."""
import contextlib
import re
import smtplib

import mta
from mtlib import (DEADLINE, Daemon, Site, equal, free_port, json_lines, listens, main, message_with_payload, program, send,
                   stopped_scanner, temporary_directory, test, wait_until)


@contextlib.contextmanager
def site_and_sendmail(behind=None, aliases="", users=None, **settings):
    # Not below /tmp: Sendmail takes no socket from a directory that all may write.
    site = Site(root=temporary_directory(parent="/run"), **settings)
    site.make_keys()
    site.start_collector()
    site.start_milter()
    mx = mta.Sendmail({"mailtrace": (f"local:{site.root}/milter.sock", "T"), **(behind or {})},
                      users=users)
    with open(f"{mx.root}/aliases", "w") as handle:
        handle.write(aliases)
    mx.start()
    try:
        yield site, mx
    finally:
        mx.stop()
        site.stop()


@test
def names_exactly_the_recipients_of_a_file_bcc_included():
    with site_and_sendmail() as (site, mx):
        path, payload = message_with_payload(site, "invoice", subject="=?iso-2022-jp?b?GyRCQEE1YT1xGyhC?=")
        other, _ = message_with_payload(site, "harmless")
        send(mx, ["alice@example.org", "bob@example.org", "secret@example.org"], path)
        send(mx, ["carol@example.org"], other)
        site.wait_stored(2)
        hits, coverage = site.who(payload, status=0)
        equal(sorted(hit["recipient"] for hit in hits),
              ["alice@example.org", "bob@example.org", "secret@example.org"])
        equal({hit["subject"] for hit in hits}, {"請求書"})
        for user in ("alice", "bob", "secret", "carol"):
            wait_until(lambda: mx.inbox(user), f"mail is delivered to {user}")
        received = re.search(rb"with ESMTP id (\S+)", mx.inbox("alice")[0])[1].decode()
        equal({hit["queue_id"] for hit in hits}, {received.rstrip(";")}, "the queue id that Sendmail gave")
        equal(coverage["messages"], 2)
        equal(len(re.findall(rb"(?m)^X-Mailtrace-Id: ", mx.inbox("alice")[0])), 1)


@test
def several_messages_of_one_connection_are_each_recorded():
    with site_and_sendmail() as (site, mx):
        path, _ = message_with_payload(site, "many")
        with open(path, "rb") as handle:
            content = handle.read()
        with mx.smtp() as smtp:
            for _ in range(10):
                smtp.sendmail("sender@example.net", ["alice@example.org"], content)
            smtp.mail("x@example.net")
            smtp.rcpt("carol@example.org")
            smtp.rset()
            smtp.sendmail("", ["bob@example.org"], content)
        site.wait_stored(11)
        hits, _ = site.who("to:alice@example.org", "--limit", "100")
        equal(len({hit["queue_id"] for hit in hits}), 10)
        equal([hit["from"] for hit in site.who("to:bob@example.org")[0]], ["<>"])
        equal(site.who("to:carol@example.org")[0], [])


@test
def mail_whose_files_cannot_be_read_is_quarantined_where_the_site_says_so():
    settings = {"policy": {"on_unread": "hold"}, "scanner": {"workers": "1", "read_timeout_ms": "1000"}}
    with site_and_sendmail(**settings) as (site, mx):
        path, _ = message_with_payload(site, "unreadable")
        with stopped_scanner(site):
            send(mx, ["alice@example.org"], path)
        equal(len(mx.queue_files("hf")), 1, "a quarantined control file")
        equal(mx.inbox("alice"), [])
        site.wait_stored(1)
        equal(site.who("to:alice@example.org")[0][0]["state"], "held")


@test
def a_blocked_file_is_rejected_held_or_discarded_by_the_real_thing():
    with site_and_sendmail() as (site, mx):
        path, payload = message_with_payload(site, "evil")
        site.mailtrace("block", "add", payload)
        try:
            send(mx, ["alice@example.org"], path)
            raise AssertionError("the message was not refused")
        except smtplib.SMTPResponseException as answer:
            equal((answer.smtp_code, b"5.7.1" in answer.smtp_error), (550, True), answer.smtp_error)
        site.mailtrace("block", "add", payload, "--mode", "hold")
        send(mx, ["alice@example.org", "bob@example.org"], path)
        equal(len(mx.queue_files("hf")), 1, "a quarantined control file")
        site.mailtrace("block", "add", payload, "--mode", "discard")
        send(mx, ["alice@example.org"], path)
        site.mailtrace("block", "add", payload, "--mode", "observe")
        send(mx, ["carol@example.org"], path)
        wait_until(lambda: mx.inbox("carol"), "an observed message is delivered")
        equal((len(mx.queue_files("hf")), mx.inbox("alice"), mx.inbox("bob")), (1, [], []))
        site.wait_stored(4)
        equal(sorted(hit["state"] for hit in site.who(payload)[0]), ["accepted", "held", "held"])


def states(hits):
    return {hit["recipient"]: hit["state"] for hit in hits}


def refused(mx, path, recipient):
    try:
        send(mx, [recipient], path)
    except smtplib.SMTPResponseException as answer:
        return answer.smtp_code
    raise AssertionError("the message was not refused")


@test
def what_a_filter_behind_ours_refuses_does_not_count_as_received():
    port = free_port()
    refuser = Daemon([program("tests/tools/refuser"), f"inet:{port}@127.0.0.1"], "/dev/null")
    wait_until(lambda: listens(port), "the other filter listens")
    with site_and_sendmail({"refuser": (f"inet:{port}@127.0.0.1", "T")}) as (site, mx):
        site.start_follow(mx.log)
        partly, partly_payload = message_with_payload(site, "partly")
        send(mx, ["alice@example.org", "eve@example.org", "bob@example.org"], partly)
        phantom, phantom_payload = message_with_payload(site, "phantom", extra="X-Refuse: yes")
        equal(refused(mx, phantom, "carol@example.org"), 554)
        wait_until(lambda: states(site.who(partly_payload)[0]) == {"alice@example.org": "delivered",
                                                                   "bob@example.org": "delivered"},
                   "eve's copy that never was is settled")
        wait_until(lambda: site.who(phantom_payload)[0] == [], "the refused message is settled")
        equal(states(site.who(partly_payload, "--with-refused")[0])["eve@example.org"], "rejected")
        equal(states(site.who(phantom_payload, "--with-refused")[0]), {"carol@example.org": "rejected"})
        equal(site.who("subject:test")[1]["messages"], 1, "a phantom is no message")
    refuser.kill()


@test
def the_log_tells_what_became_of_each_recipient():
    with site_and_sendmail() as (site, mx):
        site.start_follow(mx.log)
        path, payload = message_with_payload(site, "fates")
        send(mx, ["alice@example.org", "x@[127.0.0.9]", "y@nowhere.invalid"], path)
        wait_until(lambda: states(site.who(payload)[0]) == {
            "alice@example.org": "delivered", "x@[127.0.0.9]": "deferred", "y@nowhere.invalid": "bounced"},
            "each has its state")
        site.mailtrace("block", "add", payload, "--mode", "hold")
        send(mx, ["bob@example.org"], path)
        wait_until(lambda: states(site.who(payload)[0]).get("bob@example.org") == "held", "the quarantine is seen")
        shown = site.mailtrace("show", site.who(payload, "to:x@[127.0.0.9]")[0][0]["event_id"]).stdout
        assert "Connection refused" in shown, shown


@test
def each_final_address_of_an_alias_has_its_state():
    aliases = "team: nest, bob, away@[127.0.0.9]\nnest: alice, carol\n"
    with site_and_sendmail(aliases=aliases) as (site, mx):
        site.start_follow(mx.log)
        path, payload = message_with_payload(site, "alias")
        send(mx, ["team@example.org", "dave@example.org"], path)

        def finals():
            return {h["recipient"]: (h["state"], {f["address"]: f["state"] for f in h["finals"]})
                    for h in site.who(payload)[0]}

        wanted = {"team@example.org": ("delivered", {"alice": "delivered", "carol": "delivered", "bob": "delivered",
                                                     "away@[127.0.0.9]": "deferred"}),
                  "dave@example.org": ("delivered", {"dave@example.org": "delivered"})}
        try:
            wait_until(lambda: finals() == wanted, "each final address")
        except AssertionError:
            equal(finals(), wanted, mx.logged())


@test
def each_login_of_a_real_client_is_known_with_its_user_and_address():
    with site_and_sendmail(users={"ann": "one", "ben": "two"}) as (site, mx):
        site.start_follow(mx.log)
        path, payload = message_with_payload(site, "login")
        tries = ("127.0.0.7", "ann", "one"), ("127.0.0.8", "ben", "two"), ("127.0.0.7", "ben", "one")
        for address, user, password in tries:
            with smtplib.SMTP("127.0.0.1", mx.port, timeout=DEADLINE, source_address=(address, 0)) as client:
                try:
                    client.login(user, password)
                except smtplib.SMTPAuthenticationError:
                    equal((user, password), ("ben", "one"), mx.logged())
                    continue
                with open(path, "rb") as message:
                    client.sendmail(f"{user}@example.org", ["carol@example.org"], message.read())

        def logins(user):
            rows = json_lines(site.mailtrace("--json", "logins", user, status=None).stdout)
            return [(row["address"], row["service"]) for row in rows]

        equal(mx.logged().count("AUTH=server, relay="), 2, mx.logged())
        wait_until(lambda: logins("ann") and logins("ben"), "both logins")
        equal((logins("ann"), logins("ben")), ([("127.0.0.7", "smtp")], [("127.0.0.8", "smtp")]))
        equal(len(site.who(payload)[0]), 2)


@test
def mail_waits_at_the_client_while_the_milter_is_down():
    with site_and_sendmail() as (site, mx):
        site.milter.stop()
        path, payload = message_with_payload(site, "waiting")
        try:
            send(mx, ["alice@example.org"], path)
            raise AssertionError("mail passed with the milter down")
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as answer:
            code = answer.smtp_code if hasattr(answer, "smtp_code") else list(answer.recipients.values())[0][0]
            equal(code // 100, 4)
        site.start_milter()
        send(mx, ["alice@example.org"], path)
        site.wait_stored(1)
        equal([hit["recipient"] for hit in site.who(payload)[0]], ["alice@example.org"])


main()
