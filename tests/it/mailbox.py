#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""From the envelope to the mailbox, and what its user did: a real Postfix before a real Dovecot, real clients."""
import atexit
import contextlib
import imaplib
import json
import os
import poplib
import pwd
import shutil
import subprocess

import mta
from mtlib import (DEADLINE, Daemon, Site, environment, equal, free_port, json_lines, listens, main, message_with_payload,
                   program, run, send, temporary_directory, test, wait_until)

CONF = """\
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
protocols = lmtp imap pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:{root}/mail/%n
mail_fsync = never
mail_plugins = $mail_plugins notify mail_log
{extra}
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/mail/%n allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  mailbox Trash {{
    auto = create
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
protocol lmtp {{
  mail_plugins = $mail_plugins sieve
}}
sendmail_path = {root}/sendmail
lda_mailbox_autocreate = yes
plugin {{
  mail_log_events = save copy expunge flag_change mailbox_delete
  mail_log_fields = uid box msgid size flags
  sieve = file:{root}/sieve/%n.sieve
}}
event_exporter mailtrace {{
  format = json
  format_args = time-rfc3339
  transport = log
}}
metric mailtrace {{
  exporter = mailtrace
  filter = event=imap_command_finished AND cmd_name="UID FETCH"
}}
"""
# As mailtrace.conf(5) recommends it.
EXACT = ('deliver_log_format = "msgid=%m: size=%p, env_from=<%e>, env_to=<%{to_envelope}>, '
         'storage_id=%{storage_id}: %$"')
SIEVE = """\
require ["fileinto", "copy"];
if header :contains "subject" "junk" { discard; stop; }
if header :contains "subject" "both" { redirect :copy "out@else.example"; }
if header :contains "subject" "away" { redirect "out@else.example"; stop; }
if header :contains "subject" "work" { fileinto "Work"; stop; }
"""


class Mailboxes:
    """A Dovecot where each user of example.org has a mailbox, and all one filter."""

    def __init__(self, extra=EXACT):
        mta.need_root()
        self.root = temporary_directory("mailtrace-mailbox.")
        self.ports = {name: free_port() for name in ("lmtp", "imap", "pop3")}
        self.log = f"{self.root}/dovecot.log"
        owner = pwd.getpwnam("mail")
        for folder in ("mail", "sieve"):
            os.makedirs(f"{self.root}/{folder}")
            os.chown(f"{self.root}/{folder}", owner.pw_uid, owner.pw_gid)
        self.write("dovecot.conf", CONF.format(root=self.root, extra=extra, uid=owner.pw_uid, gid=owner.pw_gid,
                                               **self.ports))
        self.write("sendmail", "#!/bin/sh\nexec cat >/dev/null\n", 0o755)
        for user in mta.USERS:
            self.write(f"sieve/{user}.sieve", SIEVE)

    def write(self, name, text, mode=0o644):
        with open(f"{self.root}/{name}", "w") as handle:
            handle.write(text)
        os.chmod(f"{self.root}/{name}", mode)

    def start(self):
        with open(f"{self.root}/start.log", "wb") as log:
            subprocess.run(["/usr/sbin/dovecot", "-c", f"{self.root}/dovecot.conf"], check=True,
                           stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment())
        atexit.register(self.stop)
        wait_until(lambda: all(listens(port) for port in self.ports.values()), "Dovecot listens")
        return self

    def stop(self):
        if os.path.exists(f"{self.root}/run/master.pid"):
            subprocess.run(["/usr/bin/doveadm", "-c", f"{self.root}/dovecot.conf", "stop"], capture_output=True,
                           check=False)
            wait_until(lambda: not os.path.exists(f"{self.root}/run/master.pid"), "Dovecot has ended")

    @contextlib.contextmanager
    def imap(self, user, folder="INBOX"):
        imap = imaplib.IMAP4("127.0.0.1", self.ports["imap"], timeout=DEADLINE)
        imap.login(f"{user}@example.org", "secret")
        equal(imap.select(folder)[0], "OK")
        yield imap
        imap.logout()

    @contextlib.contextmanager
    def pop3(self, user):
        pop3 = poplib.POP3("127.0.0.1", self.ports["pop3"], timeout=DEADLINE)
        pop3.user(f"{user}@example.org")
        pop3.pass_("secret")
        yield pop3
        pop3.quit()


@contextlib.contextmanager
def site_with_mailboxes(extra=EXACT):
    """A site, a Postfix that delivers over LMTP, and the Dovecot; a follower for each log."""
    mailboxes = Mailboxes(extra).start()
    mx = mta.Postfix(virtual_transport=f"lmtp:inet:127.0.0.1:{mailboxes.ports['lmtp']}",
                     lmtp_destination_recipient_limit="10")
    folder = f"{mx.queue}/mailtrace"
    os.makedirs(folder)
    site = Site(socket_address=f"unix:{folder}/milter.sock")
    site.set("milter", socket_group="postfix", socket_mode="0660")
    shutil.chown(folder, group="postfix")
    os.chmod(folder, 0o750)
    site.make_keys()
    site.start_collector()
    site.start_milter()
    mx.settings["smtpd_milters"] = "unix:mailtrace/milter.sock"
    mx.write()
    mx.start()
    postfix = site.start_follow(mx.log)
    dovecot = follow_mailboxes(site, mailboxes)
    try:
        yield site, mx, mailboxes
    finally:
        dovecot.stop()
        postfix.stop()
        mx.stop()
        mailboxes.stop()
        site.stop()


def follow_mailboxes(site, mailboxes):
    """Follows Dovecot's log with a second follower, which has a key and a configuration of its own."""
    site.mailtrace("keygen", "--type", "sensor", f"{site.root}/keys", "mbox1-follow")
    site.mailtrace("sensor", "add", "mbox1-follow", f"{site.root}/keys/mbox1-follow.pub")
    wait_until(lambda: os.path.exists(mailboxes.log), "Dovecot's log")
    other = Site(root=temporary_directory())
    other.settings = {group: dict(values) for group, values in site.settings.items()}
    os.makedirs(f"{other.root}/follow")
    other.set("follow", log=mailboxes.log, format="dovecot", spool_directory=f"{other.root}/follow",
              key=f"{site.root}/keys/mbox1-follow.key", **{"from": "beginning"})
    return Daemon([program("mailtrace"), "--config", other.config, "follow"], f"{other.root}/follow.log")


def final_of(site, payload, user):
    """Returns the one final address of a recipient, or None."""
    for hit in site.who(payload)[0]:
        if hit["recipient"] == f"{user}@example.org" and len(hit["finals"]) == 1:
            return hit["finals"][0]
    return None


def wait_final(site, payload, user, condition, what):
    found = []

    def holds():
        found[:] = [final_of(site, payload, user)]
        return found[0] and condition(found[0])

    try:
        wait_until(holds, what)
    except AssertionError as error:
        raise AssertionError(f"{error}; got {found}") from None
    return found[0]


def acts(final):
    return [(act["what"], act["detail"]) for act in final["acts"]]


def deliver(site, mx, name, *users, subject="test"):
    path, payload = message_with_payload(site, name, subject=subject)
    send(mx, [f"{user}@example.org" for user in users], path)
    return payload


def guid(mailboxes, user):
    """What doveadm calls the one copy of a user, wherever it is."""
    done = run("/usr/bin/doveadm", "-c", f"{mailboxes.root}/dovecot.conf", "fetch", "-u", f"{user}@example.org",
               "guid", "ALL")
    return done.stdout.split("guid: ")[1].strip()


@test
def who_tells_folder_and_storage_id_of_each_of_several_recipients():
    with site_with_mailboxes() as (site, mx, mailboxes):
        payload = deliver(site, mx, "plain", "alice", "bob", "carol")
        for user in ("alice", "bob", "carol"):
            final = wait_final(site, payload, user, lambda f: f["storage_id"], "the storage id")
            equal((final["state"], final["folder"], final["user"], final["acts"]),
                  ("delivered", "INBOX", f"{user}@example.org", []))
            equal(final["storage_id"], guid(mailboxes, user), "what doveadm finds it by")
        payload = deliver(site, mx, "work", "dave", subject="work to do")
        final = wait_final(site, payload, "dave", lambda f: f["folder"], "the folder that Sieve chose")
        equal((final["state"], final["folder"]), ("delivered", "Work"))
        shown = site.mailtrace("show", site.who(payload)[0][0]["event_id"]).stdout
        assert "  stored  dave@example.org" in shown and ", in Work" in shown, shown
        table = site.mailtrace("who", payload).stdout
        assert ", in Work" in table, table


@test
def dovecots_own_form_of_the_line_tells_the_folder():
    with site_with_mailboxes(extra="") as (site, mx, _):
        payload = deliver(site, mx, "plain", "alice", "bob", subject="work to do")
        for user in ("alice", "bob"):
            final = wait_final(site, payload, user, lambda f: f["folder"], "the folder")
            equal((final["state"], final["folder"], final["storage_id"]), ("delivered", "Work", None))


@test
def what_a_filter_discards_or_sends_on_is_in_no_mailbox():
    with site_with_mailboxes() as (site, mx, _):
        junk = deliver(site, mx, "junk", "alice", subject="junk")
        away = deliver(site, mx, "away", "alice", subject="away")
        both = deliver(site, mx, "both", "alice", subject="both")
        final = wait_final(site, junk, "alice", lambda f: f["user"], "what Sieve did")
        equal((final["state"], final["folder"], acts(final)), ("discarded", None, []))
        equal(site.who(junk)[0][0]["state"], "discarded")
        final = wait_final(site, away, "alice", lambda f: f["user"], "what Sieve did")
        equal((final["state"], final["folder"], acts(final)), ("forwarded", None, [("forwarded", "out@else.example")]))
        final = wait_final(site, both, "alice", lambda f: f["folder"] and f["acts"], "what Sieve did")
        equal((final["state"], final["folder"], acts(final)), ("delivered", "INBOX", [("forwarded", "out@else.example")]))


@test
def what_an_imap_client_did_has_a_word_each():
    with site_with_mailboxes() as (site, mx, mailboxes):
        payload = deliver(site, mx, "seen", "alice")
        wait_final(site, payload, "alice", lambda f: f["folder"], "it is in the folder")
        with mailboxes.imap("alice") as imap:
            uid = imap.uid("SEARCH", "ALL")[1][0].decode()
            imap.uid("FETCH", uid, "(FLAGS BODY.PEEK[HEADER])")
            imap.uid("STORE", uid, "+FLAGS", "(\\Seen)")
            wait_final(site, payload, "alice", lambda f: acts(f) == [("seen", None)], "seen, and not fetched")
            imap.uid("FETCH", uid, "(BODY.PEEK[2])")
            wait_final(site, payload, "alice", lambda f: ("fetched", "2") in acts(f), "the part that was fetched")
            imap.uid("COPY", uid, "Trash")
            wait_final(site, payload, "alice", lambda f: ("copied", "Trash") in acts(f), "copied")
            imap.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
            imap.expunge()
            final = wait_final(site, payload, "alice", lambda f: ("moved", "Trash") in acts(f), "copied and deleted")
            equal((final["folder"], acts(final)), ("Trash", [("seen", None), ("fetched", "2"), ("moved", "Trash")]))
        with mailboxes.imap("alice", "Trash") as imap:
            uid = imap.uid("SEARCH", "ALL")[1][0].decode()
            imap.uid("FETCH", uid, "(RFC822)")
            imap.uid("STORE", uid, "+FLAGS", "($Forwarded)")
            imap.uid("MOVE", uid, "INBOX")
            imap.select("INBOX")
            imap.uid("STORE", imap.uid("SEARCH", "ALL")[1][0].decode(), "+FLAGS", "(\\Deleted)")
            imap.expunge()
        final = wait_final(site, payload, "alice", lambda f: not f["folder"], "deleted")
        equal(acts(final)[3:], [("fetched", "whole"), ("forwarded", None), ("moved", "INBOX"), ("deleted", "INBOX")])
        equal(final["state"], "delivered", "what the mail server did stands")
        equal({(act["by"], act["client"]) for act in final["acts"]}, {("imap", "127.0.0.1")})
        shown = site.mailtrace("show", site.who(payload)[0][0]["event_id"]).stdout
        for words in ("seen  2", "fetched 2  2", "moved Trash  2", "forwarded  2", "deleted INBOX  2"):
            assert f"   {words}" in shown, (words, shown)


@test
def one_of_two_mails_with_one_message_id_has_its_own_deeds():
    with site_with_mailboxes() as (site, mx, mailboxes):
        payloads = []
        for name in ("first", "second"):
            path, payload = message_with_payload(site, name, message_id="<same@example.net>")
            send(mx, ["alice@example.org"], path)
            wait_final(site, payload, "alice", lambda f: f["folder"], "it is in the folder")
            payloads.append(payload)
        with mailboxes.imap("alice") as imap:
            uids = imap.uid("SEARCH", "ALL")[1][0].decode().split()
            imap.uid("STORE", uids[1], "+FLAGS", "(\\Seen)")
        wait_final(site, payloads[1], "alice", lambda f: acts(f) == [("seen", None)], "the second is seen")
        equal(acts(final_of(site, payloads[0], "alice")), [], "and the first is not")


@test
def what_was_taken_by_pop3_is_downloaded():
    with site_with_mailboxes() as (site, mx, mailboxes):
        kept, taken, left = (deliver(site, mx, name, "bob") for name in ("kept", "taken", "left"))
        for payload in (kept, taken, left):
            wait_final(site, payload, "bob", lambda f: f["folder"], "it is in the folder")
        with mailboxes.pop3("bob") as pop3:
            subjects = [b"\n".join(pop3.top(n, 0)[1]) for n in (1, 2, 3)]
            number = {name: n + 1 for name in ("kept", "taken") for n, head in enumerate(subjects)
                      if f"<{name}.eml@".encode() in head}
            pop3.retr(number["kept"])
            pop3.retr(number["taken"])
            pop3.dele(number["taken"])
        wait_final(site, kept, "bob", lambda f: acts(f) == [("downloaded", None)], "downloaded, and left there")
        final = wait_final(site, taken, "bob", lambda f: ("downloaded", None) in acts(f), "downloaded and deleted")
        equal((acts(final), final["folder"]), ([("downloaded", None), ("deleted", "INBOX")], None))
        equal(acts(final_of(site, left, "bob")), [], "what was only looked at is not downloaded")
        for payload, beyond in ((kept, ["was downloaded by POP3"]), (left, [])):
            plan = json_lines(site.mailtrace("--json", "contain", payload, "--scope", "mailbox", "-o",
                                             f"{payload}.json").stdout)
            equal([line["why"] for line in plan if line["type"] == "beyond"], beyond)
            equal([line["target"] for line in plan if line["type"] == "command"], ["mailbox bob@example.org"])
            with open(f"{payload}.json") as handle:
                message, = [command["target"]["x-mailtrace:message"] for command in json.load(handle)["commands"]]
            equal((message["folder"], message["storage_id"]), ("INBOX", final_of(site, payload, "bob")["storage_id"]))


main()
