#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""From the user to the device: real clients log in to a real Dovecot and a real Postfix.

Each client has an address of its own: 127.0.0.0/8 is all loopback.
"""
import contextlib
import imaplib
import os
import poplib
import shutil
import smtplib
import socket

import mta
import mtlib
from dovecot import PASSWORD, Dovecot, documented_logging
from mtlib import Daemon, Site, equal, json_lines, main, message_with_payload, program, send, test, wait_until

ANN_PC, HALL, LEASED, UNKNOWN = "127.0.0.7", "127.0.0.8", "127.0.0.9", "127.0.0.10"
ASSETS = f"""\
address,device,from,until
{ANN_PC},pc-ann.example.org,,
{HALL},nat,,
{LEASED},pc-before.example.org,2020-01-01T00:00:00Z,2026-01-01T00:00:00Z
{LEASED},pc-now.example.org,2026-01-01T00:00:00Z,
"""
SASL = """
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""
SUBMISSION = """\
127.0.0.1:{port} inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sasl_type=dovecot
  -o smtpd_sasl_path=inet:127.0.0.1:{sasl}
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
"""
SITE = None


class Imap(imaplib.IMAP4):
    """A client at an address."""

    def __init__(self, mailboxes, user, address):
        self.address = address
        super().__init__("127.0.0.1", mailboxes.ports["imap"], timeout=mtlib.DEADLINE)
        self.login(f"{user}@example.org", PASSWORD)

    def _create_socket(self, timeout):
        return socket.create_connection((self.host, self.port), timeout, (self.address, 0))


class Pop3(poplib.POP3):
    """The same over POP3."""

    def __init__(self, mailboxes, user, address):
        self.address = address
        super().__init__("127.0.0.1", mailboxes.ports["pop3"], timeout=mtlib.DEADLINE)
        self.user(f"{user}@example.org")
        self.pass_(PASSWORD)

    def _create_socket(self, timeout):
        return socket.create_connection((self.host, self.port), timeout, (self.address, 0))


def submit(port, user, address, message):
    with smtplib.SMTP("127.0.0.1", port, timeout=mtlib.DEADLINE, source_address=(address, 0)) as client:
        client.login(f"{user}@example.org", PASSWORD)
        client.sendmail(f"{user}@example.org", ["ben@example.org"], message)


class MailSite:
    """A site, a Postfix with submission, the Dovecot behind it; a follower for each log."""

    def __init__(self):
        sasl, self.submission = mtlib.free_port(), mtlib.free_port()
        self.mailboxes = Dovecot(["ann", "ben", "cem", "dan"],
                                 logging=documented_logging() + SASL.format(port=sasl)).start()
        self.mx = mta.Postfix(virtual_transport=f"lmtp:inet:127.0.0.1:{self.mailboxes.ports['lmtp']}")
        folder = f"{self.mx.queue}/mailtrace"
        os.makedirs(folder)
        shutil.chown(folder, group="postfix")
        os.chmod(folder, 0o750)
        self.site = Site(socket_address=f"unix:{folder}/milter.sock")
        self.site.set("milter", socket_group="postfix", socket_mode="0660")
        self.site.make_keys()
        self.site.start_collector()
        self.site.start_milter()
        self.mx.settings.update(smtpd_milters="unix:mailtrace/milter.sock", virtual_mailbox_maps="static:mailbox")
        self.mx.write(extra_master=SUBMISSION.format(port=self.submission, sasl=sasl))
        self.mx.start()
        self.postfix = self.site.start_follow(self.mx.log)
        self.dovecot = self.follow_mailboxes()

    def follow_mailboxes(self):
        """Dovecot's log has a follower of its own."""
        self.site.mailtrace("keygen", "--type", "sensor", f"{self.site.root}/keys", "mbox1-follow")
        self.site.mailtrace("sensor", "add", "mbox1-follow", f"{self.site.root}/keys/mbox1-follow.pub")
        wait_until(lambda: os.path.exists(self.mailboxes.log), "Dovecot's log")
        other = Site(root=mtlib.temporary_directory())
        other.settings = {group: dict(values) for group, values in self.site.settings.items()}
        os.makedirs(f"{other.root}/follow")
        other.set("follow", log=self.mailboxes.log, spool_directory=f"{other.root}/follow",
                  key=f"{self.site.root}/keys/mbox1-follow.key", **{"from": "beginning"})
        return Daemon([program("mailtrace"), "--config", other.config, "follow"], f"{other.root}/follow.log")

    def stop(self):
        self.dovecot.stop()
        self.postfix.stop()
        self.mx.stop()
        self.mailboxes.stop()
        self.site.stop()

    def logins(self, who):
        rows = json_lines(self.site.mailtrace("--json", "logins", who, status=None).stdout)
        return {(row["user"], row["address"], row["service"], row["device"], row["certainty"]) for row in rows}

    def deliver(self, name, *users):
        path, payload = message_with_payload(self.site, name)
        send(self.mx, [f"{user}@example.org" for user in users], path)
        return payload

    def finals(self, payload):
        """Returns the final addresses with their devices, by recipient."""
        hits, _ = self.site.who(payload, "--devices")
        return {hit["recipient"]: hit["finals"][0] for hit in hits if len(hit["finals"]) == 1}

    def wait_final(self, payload, user, condition, what):
        found = []

        def holds():
            found[:] = [self.finals(payload).get(f"{user}@example.org")]
            return found[0] and condition(found[0])

        try:
            wait_until(holds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; got {found}") from None
        return found[0]


def uses(final):
    return {(use["device"], use["certainty"], use["address"], use["service"]) for use in final["devices"]}


def acts(final):
    return {(act["what"], act["client"], act["device"], act["certainty"]) for act in final["acts"]}


@test
def each_login_of_a_real_client_has_its_device():
    ann = "ann@example.org"
    Imap(SITE.mailboxes, "ann", ANN_PC).logout()
    Pop3(SITE.mailboxes, "ann", HALL).quit()
    Imap(SITE.mailboxes, "ann", LEASED).logout()
    Imap(SITE.mailboxes, "ann", UNKNOWN).logout()
    submit(SITE.submission, "ann", ANN_PC, "Subject: test\r\n\r\nx\r\n")
    expected = {(ann, ANN_PC, "imap", "pc-ann.example.org", "known"), (ann, HALL, "pop3", None, "ambiguous"),
                (ann, LEASED, "imap", "pc-now.example.org", "known"), (ann, UNKNOWN, "imap", None, "unknown"),
                (ann, ANN_PC, "submission", "pc-ann.example.org", "known")}
    wait_until(lambda: len(SITE.logins(ann)) == len(expected), "all are in the store")
    equal(SITE.logins(ann), expected)
    equal({row[1:] for row in SITE.logins(HALL)}, {(HALL, "pop3", None, "ambiguous")})
    with contextlib.suppress(imaplib.IMAP4.error):
        client = Imap(SITE.mailboxes, "nobody", ANN_PC)
        raise AssertionError(f"nobody could log in: {client}")
    equal(SITE.logins("nobody@example.org"), set())


@test
def who_names_the_devices_of_each_copy():
    payload = SITE.deliver("copies", "ben", "cem")
    for user in ("ben", "cem"):
        SITE.wait_final(payload, user, lambda f: f["folder"], "it is in the folder")
    imap = Imap(SITE.mailboxes, "ben", ANN_PC)
    imap.select("INBOX")
    imap.uid("FETCH", "1:*", "(BODY[])")
    imap.logout()
    Imap(SITE.mailboxes, "ben", LEASED).logout()
    pop3 = Pop3(SITE.mailboxes, "cem", HALL)
    pop3.retr(1)
    pop3.quit()
    ben = SITE.wait_final(payload, "ben", lambda f: f["acts"] and len(f["devices"]) == 2, "what ben did")
    equal(uses(ben), {("pc-ann.example.org", "known", ANN_PC, "imap"), ("pc-now.example.org", "known", LEASED, "imap")})
    assert ("fetched", ANN_PC, "pc-ann.example.org", "known") in acts(ben), ben
    cem = SITE.wait_final(payload, "cem", lambda f: f["acts"] and f["devices"], "what cem did")
    equal((uses(cem), acts(cem)), ({(None, "ambiguous", HALL, "pop3")}, {("downloaded", HALL, None, "ambiguous")}))
    table = SITE.site.mailtrace("who", payload, "--devices").stdout
    assert "pc-now.example.org" in table and "ambiguous" in table, table
    assert "devices" not in SITE.site.who(payload)[0][0]["finals"][0]


@test
def a_plan_has_the_devices_that_are_certain_and_lists_the_others():
    payload = SITE.deliver("plan", "dan")
    SITE.wait_final(payload, "dan", lambda f: f["folder"], "it is in the folder")
    for address in (ANN_PC, UNKNOWN):
        Imap(SITE.mailboxes, "dan", address).logout()
    Pop3(SITE.mailboxes, "dan", HALL).quit()
    SITE.wait_final(payload, "dan", lambda f: len(f["devices"]) == 3, "the logins")

    def plan(*argv):
        lines = json_lines(SITE.site.mailtrace("--json", "contain", payload, *argv, status=None).stdout)
        return ({(line["target"], line["role"]) for line in lines if line["type"] == "command"},
                {line["why"] for line in lines if line["type"] == "beyond"})

    beyond = {f"was read from {HALL}, which was not one device's alone",
              f"was read from {UNKNOWN}, whose device is not known"}
    targets, left = plan("--scope", "mailbox,device")
    equal(targets, {("mailbox dan@example.org", "mailstore"), ("device pc-ann.example.org", "endpoint")})
    equal(left, beyond)
    targets, left = plan("--scope", "mailbox,device", "--device", "PC-Ann.example.org", "--device", "other")
    equal(len(targets), 3)
    equal(plan("--device", "other")[0] - {("device other", "endpoint")}, plan()[0])
    SITE.site.set("containment", never_touch="pc-ann.example.org")
    targets, left = plan("--scope", "mailbox,device")
    equal(targets, {("mailbox dan@example.org", "mailstore")})
    equal(left - beyond, {"was read on pc-ann.example.org, which is never touched: pc-ann.example.org"})


SITE = MailSite()
try:
    csv = f"{SITE.site.root}/assets.csv"
    with open(csv, "w", encoding="utf-8") as text:
        text.write(ASSETS)
    SITE.site.mailtrace("assets", "import", csv)
    main()
finally:
    SITE.stop()
