#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""From the envelope to the mailbox, and what its user did: a real Postfix before a real Dovecot, real clients."""
import contextlib
import json
import os
import shutil

import mta
from dovecot import Dovecot, documented_logging
from mtlib import Site, equal, json_lines, main, message_with_payload, send, test, wait_until

SIEVE = """\
require ["fileinto", "copy"];
if header :contains "subject" "junk" { discard; stop; }
if header :contains "subject" "both" { redirect :copy "out@else.example"; }
if header :contains "subject" "away" { redirect "out@else.example"; stop; }
if header :contains "subject" "work" { fileinto "Work"; stop; }
"""

# A mailbox is one test's alone: the site is shared by all that can.
USERS = ["ann", "ben", "cem", "dan", "filtered", "reader", "twin", "popper", "counter", "namer", "tidy"]
SHARED = None


@contextlib.contextmanager
def site_with_mailboxes(logging=None):
    """A site, a Postfix that delivers over LMTP, and the Dovecot; a follower for each log."""
    mailboxes = Dovecot(USERS, logging=logging, sieve=SIEVE).start()
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
    mx.settings.update(smtpd_milters="unix:mailtrace/milter.sock", virtual_mailbox_maps="static:mailbox")
    mx.write()
    mx.start()
    postfix = site.start_follow(mx.log)
    dovecot = site.follow_too("mbox1", mailboxes.log)
    try:
        yield site, mx, mailboxes
    finally:
        dovecot.stop()
        postfix.stop()
        mx.stop()
        mailboxes.stop()
        site.stop()


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


def shown(final):
    return [("perhaps " if act["perhaps"] else "") + f"{act['what']} {act['detail'] or ''}".rstrip()
            for act in final["acts"]]


def deliver(site, mx, name, *users, **keywords):
    path, payload = message_with_payload(site, name, **keywords)
    send(mx, [f"{user}@example.org" for user in users], path)
    return payload


@test
def who_tells_folder_and_storage_id_of_each_of_several_recipients():
    site, mx, mailboxes = SHARED
    payload = deliver(site, mx, "plain", "ann", "ben", "cem")
    for user in ("ann", "ben", "cem"):
        final = wait_final(site, payload, user, lambda f: f["storage_id"], "the storage id")
        equal((final["state"], final["folder"], final["user"], final["acts"]),
              ("delivered", "INBOX", f"{user}@example.org", []))
        equal([final["storage_id"]], mailboxes.guids(user), "what doveadm finds it by")
    payload = deliver(site, mx, "work", "dan", subject="work to do")
    final = wait_final(site, payload, "dan", lambda f: f["folder"], "the folder that Sieve chose")
    equal((final["state"], final["folder"]), ("delivered", "Work"))
    shown = site.mailtrace("show", site.who(payload)[0][0]["event_id"]).stdout
    assert "  stored  dan@example.org" in shown and ", in Work" in shown, shown
    table = site.mailtrace("who", payload).stdout
    assert ", in Work" in table, table


@test
def dovecots_own_form_of_the_line_tells_the_folder():
    with site_with_mailboxes(logging="") as (site, mx, mailboxes):
        payload = deliver(site, mx, "plain", "ann", "ben", subject="work to do")
        for user in ("ann", "ben"):
            final = wait_final(site, payload, user, lambda f: f["folder"], "the folder")
            equal((final["state"], final["folder"], final["storage_id"]), ("delivered", "Work", None))
        with mailboxes.imap("ann", "Work") as imap:
            imap.fetch("1", "(FLAGS BODY.PEEK[HEADER])")
        with mailboxes.imap("ben", "Work") as imap:
            imap.fetch("1", "(BODY.PEEK[2])")
        wait_final(site, payload, "ben", lambda f: shown(f) == ["perhaps fetched"], "the session had a body")
        equal(shown(final_of(site, payload, "ann")), [], "headers alone are no body")


@test
def what_a_filter_discards_or_sends_on_is_in_no_mailbox():
    site, mx, _ = SHARED
    junk = deliver(site, mx, "junk", "filtered", subject="junk")
    away = deliver(site, mx, "away", "filtered", subject="away")
    both = deliver(site, mx, "both", "filtered", subject="both")
    final = wait_final(site, junk, "filtered", lambda f: f["user"], "what Sieve did")
    equal((final["state"], final["folder"], acts(final)), ("discarded", None, []))
    equal(site.who(junk)[0][0]["state"], "discarded")
    final = wait_final(site, away, "filtered", lambda f: f["user"], "what Sieve did")
    equal((final["state"], final["folder"], acts(final)), ("forwarded", None, [("forwarded", "out@else.example")]))
    final = wait_final(site, both, "filtered", lambda f: f["folder"] and f["acts"], "what Sieve did")
    equal((final["state"], final["folder"], acts(final)), ("delivered", "INBOX", [("forwarded", "out@else.example")]))


@test
def what_an_imap_client_did_has_a_word_each():
    site, mx, mailboxes = SHARED
    payload = deliver(site, mx, "seen", "reader")
    wait_final(site, payload, "reader", lambda f: f["folder"], "it is in the folder")
    with mailboxes.imap("reader", "INBOX") as imap:
        uid = imap.uid("SEARCH", "ALL")[1][0].decode()
        imap.uid("FETCH", uid, "(FLAGS BODY.PEEK[HEADER])")
        imap.uid("STORE", uid, "+FLAGS", "(\\Seen)")
        wait_final(site, payload, "reader", lambda f: acts(f) == [("seen", None)], "seen, and not fetched")
        imap.uid("FETCH", uid, "(BODY.PEEK[2])")
        wait_final(site, payload, "reader", lambda f: ("fetched", "2") in acts(f), "the part that was fetched")
        imap.create("Trash")
        imap.uid("COPY", uid, "Trash")
        wait_final(site, payload, "reader", lambda f: ("copied", "Trash") in acts(f), "copied")
        imap.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
        imap.expunge()
        final = wait_final(site, payload, "reader", lambda f: ("moved", "Trash") in acts(f), "copied and deleted")
        equal((final["folder"], acts(final)), ("Trash", [("seen", None), ("fetched", "2"), ("moved", "Trash")]))
    with mailboxes.imap("reader", "Trash") as imap:
        uid = imap.uid("SEARCH", "ALL")[1][0].decode()
        imap.uid("FETCH", uid, "(RFC822)")
        imap.uid("STORE", uid, "+FLAGS", "($Forwarded)")
        imap.uid("MOVE", uid, "INBOX")
        imap.select("INBOX")
        imap.uid("STORE", imap.uid("SEARCH", "ALL")[1][0].decode(), "+FLAGS", "(\\Deleted)")
        imap.expunge()
    final = wait_final(site, payload, "reader", lambda f: not f["folder"], "deleted")
    equal(acts(final)[3:], [("fetched", "whole"), ("forwarded", None), ("moved", "INBOX"), ("deleted", "INBOX")])
    equal(final["state"], "delivered", "what the mail server did stands")
    equal({(act["by"], act["client"]) for act in final["acts"]}, {("imap", "127.0.0.1")})
    shown = site.mailtrace("show", site.who(payload)[0][0]["event_id"]).stdout
    for words in ("seen  2", "fetched 2  2", "moved Trash  2", "forwarded  2", "deleted INBOX  2"):
        assert f"   {words}" in shown, (words, shown)


@test
def one_of_two_mails_with_one_message_id_has_its_own_deeds():
    site, mx, mailboxes = SHARED
    payloads = []
    for name in ("first", "second"):
        path, payload = message_with_payload(site, name, message_id="<same@example.net>")
        send(mx, ["twin@example.org"], path)
        wait_final(site, payload, "twin", lambda f: f["folder"], "it is in the folder")
        payloads.append(payload)
    with mailboxes.imap("twin", "INBOX") as imap:
        uids = imap.uid("SEARCH", "ALL")[1][0].decode().split()
        imap.uid("STORE", uids[1], "+FLAGS", "(\\Seen)")
    wait_final(site, payloads[1], "twin", lambda f: acts(f) == [("seen", None)], "the second is seen")
    equal(acts(final_of(site, payloads[0], "twin")), [], "and the first is not")


@test
def what_was_taken_by_pop3_is_downloaded():
    site, mx, mailboxes = SHARED
    kept, taken, left = (deliver(site, mx, name, "popper", padding=5000) for name in ("kept", "taken", "left"))
    for payload in (kept, taken, left):
        wait_final(site, payload, "popper", lambda f: f["folder"], "it is in the folder")
    with mailboxes.pop3("popper") as pop3:
        subjects = [b"\n".join(pop3.top(n, 0)[1]) for n in (1, 2, 3)]
        number = {name: n + 1 for name in ("kept", "taken") for n, head in enumerate(subjects)
                  if f"<{name}.eml@".encode() in head}
        pop3.retr(number["kept"])
        pop3.retr(number["taken"])
        pop3.dele(number["taken"])
    wait_final(site, kept, "popper", lambda f: acts(f) == [("downloaded", None)], "downloaded, and left there")
    final = wait_final(site, taken, "popper", lambda f: ("downloaded", None) in acts(f), "downloaded and deleted")
    equal((sorted(shown(final)), final["folder"]), (["deleted INBOX", "downloaded"], None))
    equal(acts(final_of(site, left, "popper")), [], "what was only looked at is not downloaded")
    for payload, beyond in ((kept, ["was downloaded by POP3"]), (left, [])):
        plan = json_lines(site.mailtrace("--json", "contain", payload, "--scope", "mailbox", "-o",
                                         f"{payload}.json").stdout)
        equal([line["why"] for line in plan if line["type"] == "beyond"], beyond)
        equal([line["target"] for line in plan if line["type"] == "command"], ["mailbox popper@example.org"])
        with open(f"{payload}.json") as handle:
            message, = [command["target"]["x-mailtrace:message"] for command in json.load(handle)["commands"]]
        equal((message["folder"], message["storage_id"]), ("INBOX", final_of(site, payload, "popper")["storage_id"]))


def deliver_all(site, mx, user, *names):
    """Delivers messages one after the other, so that they have the UIDs 1, 2, …; returns their payloads."""
    payloads = []
    for name in names:
        payloads.append(deliver(site, mx, name, user))
        wait_final(site, payloads[-1], user, lambda f: f["folder"], "it is in the folder")
    return payloads


@test
def what_is_fetched_by_sequence_numbers_is_known_by_what_dovecot_opened():
    site, mx, mailboxes = SHARED
    gone, first, second, third = deliver_all(site, mx, "counter", "gone", "one", "two", "three")
    with mailboxes.imap("counter", "INBOX") as imap:
        imap.fetch("1:*", "(FLAGS BODYSTRUCTURE BODY.PEEK[HEADER])")
        imap.store("1", "+FLAGS", "(\\Deleted)")
        imap.expunge()
        imap.fetch("2", "(BODY.PEEK[2.MIME])")
        imap.fetch("2", "(BODY.PEEK[2])")
        imap.fetch("2:*", "(BODY.PEEK[1])")
        imap.fetch("*", "(RFC822.SIZE BODY.PEEK[])")
        imap.uid("FETCH", "1:*", "(BODY.PEEK[TEXT])")
    last = wait_final(site, third, "counter", lambda f: "fetched TEXT" in shown(f), "the last command")
    equal(shown(last), ["fetched 1", "fetched whole", "fetched TEXT"])
    equal(shown(final_of(site, second, "counter")), ["fetched 2", "fetched 1", "fetched TEXT"])
    equal(shown(final_of(site, first, "counter")), ["fetched TEXT"])
    equal(shown(final_of(site, gone, "counter")), ["deleted INBOX"])


COARSE = documented_logging().replace("event=mail_opened", "event=none")


@test
def without_what_dovecot_opened_each_that_can_be_meant_is_perhaps():
    with site_with_mailboxes(logging=COARSE) as (site, mx, mailboxes):
        first, second, third = deliver_all(site, mx, "counter", "one", "two", "three")
        kept, taken, seen = deliver_all(site, mx, "popper", "kept", "taken", "seen")
        with mailboxes.imap("counter", "INBOX") as imap:
            imap.fetch("2", "(BODY.PEEK[2])")
            imap.uid("FETCH", "3", "(BODY.PEEK[1])")
        with mailboxes.pop3("popper") as pop3:
            pop3.retr(2)
            pop3.dele(2)
            pop3.retr(3)
        wait_final(site, third, "counter", lambda f: shown(f) == ["perhaps fetched 2", "fetched 1"], "by number, by UID")
        wait_final(site, second, "counter", lambda f: shown(f) == ["perhaps fetched 2"], "by number")
        equal(shown(final_of(site, first, "counter")), [], "a number is not above the UID")
        wait_final(site, kept, "popper", lambda f: shown(f) == ["perhaps downloaded"], "one of two")
        wait_final(site, taken, "popper", lambda f: sorted(shown(f)) == ["deleted INBOX", "perhaps downloaded"], "deleted")
        equal(shown(final_of(site, seen, "popper")), ["downloaded"])
        text = site.mailtrace("show", site.who(kept)[0][0]["event_id"]).stdout
        assert "   perhaps downloaded  2" in text, text
        plan = json_lines(site.mailtrace("--json", "contain", kept, "--scope", "mailbox", "-o", f"{kept}.json").stdout)
        equal([line["why"] for line in plan if line["type"] == "beyond"], ["was perhaps downloaded by POP3"])


def contained(site, mailboxes, payload, outcome):
    """Plans and applies; returns the command's message."""
    site.set("mailstore", url=mailboxes.url, key=mailboxes.key, timeout_ms="30000")
    site.mailtrace("contain", payload, "--scope", "mailbox", "-o", f"{payload}.json")
    done = json_lines(site.mailtrace("--json", "apply", "--yes", f"{payload}.json").stdout)
    equal([row["outcome"] for row in done if row["type"] == "target"], [outcome], done)
    with open(f"{payload}.json") as handle:
        message, = [command["target"]["x-mailtrace:message"] for command in json.load(handle)["commands"]]
    return message


@test
def a_copy_in_a_renamed_folder_is_found_and_taken_away():
    site, mx, mailboxes = SHARED
    payload = deliver(site, mx, "named", "namer")
    wait_final(site, payload, "namer", lambda f: f["folder"], "it is in the folder")
    with mailboxes.imap("namer", "INBOX") as imap:
        imap.create("Old/in")
        imap.uid("MOVE", "1", "Old/in")
        imap.rename("Old", "New")
        imap.rename("New/in", '"a -> b"')
    final = wait_final(site, payload, "namer", lambda f: f["folder"] == "a -> b", "it is where its folder is")
    equal(shown(final), ["moved Old/in", "renamed New/in", "renamed a -> b"])
    text = site.mailtrace("show", site.who(payload)[0][0]["event_id"]).stdout
    assert ", in a -> b" in text and "   renamed New/in  2" in text, text
    equal([(name, len(mails)) for name, mails in mailboxes.folders("namer").items() if mails], [("a -> b", 1)])
    message = contained(site, mailboxes, payload, "moved-by-user")
    equal((message["folder"], message["storage_id"]), ("INBOX", final["storage_id"]), "where it was delivered, and what it is")
    equal([name for name, mails in mailboxes.folders("namer").items() if mails], [])


@test
def a_copy_in_a_deleted_folder_is_gone():
    site, mx, mailboxes = SHARED
    payload = deliver(site, mx, "tidied", "tidy")
    wait_final(site, payload, "tidy", lambda f: f["folder"], "it is in the folder")
    with mailboxes.imap("tidy", "INBOX") as imap:
        imap.create("Temp")
        imap.uid("MOVE", "1", "Temp")
        imap.rename("Temp", "Trash")
        imap.delete("Trash")
    final = wait_final(site, payload, "tidy", lambda f: not f["folder"], "it is gone")
    equal(shown(final), ["moved Temp", "renamed Trash", "deleted Trash"])
    contained(site, mailboxes, payload, "already-gone")


with site_with_mailboxes() as SHARED:
    main()
