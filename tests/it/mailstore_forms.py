#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Other ways to keep mail than Maildir, and to reach a mail store: real Dovecots with sdbox, mdbox and TLS."""
import contextlib

import actuators
from actuators import command
from certificates import Authority
from dovecot import Dovecot
from mtlib import Site, equal, main, temporary_directory, test

KEYS = temporary_directory()


@contextlib.contextmanager
def site_with(users, **form):
    """A Dovecot and a site that acts on it."""
    dovecot = Dovecot(users, **form).start()
    try:
        yield dovecot, Site(mailstore={"url": dovecot.url, "key": dovecot.key, "timeout_ms": "30000"}, site={"site_key": ""})
    finally:
        dovecot.stop()


def one(site, wanted):
    return actuators.carry_out(site, None, wanted)[wanted["command_id"]]


def subjects(dovecot, user):
    return {folder: [subject for subject, _, _ in mails] for folder, mails in dovecot.folders(user).items() if mails}


def seen(dovecot, user):
    return {folder: sorted(mails or []) for folder, mails in dovecot.folders(user).items()}


def everything_comes_back(form):
    with site_with(["ann", "ben"], form=form) as (dovecot, site):
        guid = dovecot.deliver("ann", actuators.message(site, "evil"))
        dovecot.deliver("ann", actuators.message(site, "evil", payload=b"another file", subject="The namesake"))
        dovecot.deliver("ben", actuators.message(site, "evil"))
        with dovecot.imap("ann") as imap:
            imap.create("Archive/2026")
            imap.select("INBOX")
            imap.store("1", "+FLAGS", "(\\Flagged \\Seen Important)")
            imap.copy("1", "Archive/2026")
            data = imap.fetch("1", "(RFC822)")[1][0][1]
            imap.append("INBOX", "(\\Answered)", '"23-Nov-2026 10:00:00 +0900"', data)
        before = seen(dovecot, "ann")
        known = {"storage_id": guid, "message_id": "<evil@example.net>", "folder": "INBOX"}
        done = one(site, command("contain", "ann", **known))
        equal((done["outcome"], [copy["sha256_verified"] for copy in done["copies"]]), ("done", [True] * 3), done["text"])
        equal(subjects(dovecot, "ann"), {"INBOX": ["The namesake"]})
        equal(sorted(copy["folder"] for copy in done["copies"]), ["Archive/2026", "INBOX", "INBOX"])
        again = one(site, command("contain", "ann", **known))
        equal(again["outcome"], "already-gone", again["text"])
        equal(one(site, command("restore", "ann", {"copies": done["copies"]}, **known))["outcome"], "done")
        equal(seen(dovecot, "ann"), before, "each is where it was, with flags and date")
        equal(one(site, command("restore", "ann", {"copies": done["copies"]}, **known))["outcome"], "already-gone")
        equal(subjects(dovecot, "ben"), {"INBOX": ["Invoice 42"]})


@test
def a_message_is_taken_out_of_sdbox_and_comes_back():
    everything_comes_back("sdbox")


@test
def a_message_is_taken_out_of_mdbox_and_comes_back():
    everything_comes_back("mdbox")


@test
def the_api_is_reached_by_tls_and_its_certificate_must_be_the_authoritys():
    authority, stranger = Authority(KEYS), Authority(KEYS, "stranger")
    with site_with(["ann"], authority=authority) as (dovecot, site):
        dovecot.deliver("ann", actuators.message(site, "evil"))
        wanted = command("contain", "ann", message_id="<evil@example.net>")
        for settings, complaint in (({"ca": stranger.ca}, "[mailstore] ca"), ({}, "[mailstore] ca"),
                                    ({"ca": f"{KEYS}/absent.pem"}, "absent.pem"),
                                    ({"ca": authority.ca, "url": dovecot.url.replace("127.0.0.1", "localhost")}, "localhost")):
            site.settings["mailstore"].pop("ca", None)
            site.set("mailstore", **{"url": dovecot.url, **settings})
            done = one(site, wanted)
            assert done["outcome"] == "failed" and complaint in done["text"], (settings, done)
        equal(subjects(dovecot, "ann"), {"INBOX": ["Invoice 42"]}, "nothing was done")
        site.set("mailstore", url=dovecot.url, ca=authority.ca)
        done = one(site, wanted)
        equal((done["outcome"], subjects(dovecot, "ann")), ("done", {}), done["text"])
        equal(one(site, command("restore", "ann", {"copies": done["copies"]}))["outcome"], "done")


main()
