#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The site's own list of passwords, tried on encrypted archives."""
import itertools
import os
import signal

from mtlib import SOURCE, Site, equal, json_lines, main, make_message, test, wait_until

PASSWORD = "x7kQ!9"  # of tests/data/locked-*.zip, in which is evil.exe
LOCKED = b"MZ what was locked away\n" * 20


def write_list(site, *words):
    path = f"{site.root}/passwords"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write("# of our partners\n\n" + "\n".join(words) + "\n")
    return path


def locked_message(site, name):
    with open(os.path.join(SOURCE, "tests", "data", "locked-zipcrypto.zip"), "rb") as handle:
        return make_message(f"{site.root}/{name}.eml", message_id=f"<{name}@example.net>", subject=name,
                            attachments=[("invoice.zip", "application/zip", handle.read())])


def evil(site):
    path = f"{site.root}/evil.exe"
    with open(path, "wb") as handle:
        handle.write(LOCKED)
    return path


@test
def a_listed_password_opens_and_a_reload_takes_a_new_list():
    site = Site(scanner={"workers": "1"})
    site.set("scanner", passwords=write_list(site, "not this", "nor that"))
    site.make_keys()
    site.start_collector()
    site.start_milter()
    stored = itertools.count(1)

    def recorded(name):
        """Sends the archive; returns how who finds what is in it."""
        site.play("--rcpt", "<alice@example.org>", locked_message(site, name))
        site.wait_stored(next(stored))
        return site.who(evil(site), f"id:<{name}@example.net>")[0][0]["match"]

    equal(recorded("before"), "candidate")
    write_list(site, "not this", PASSWORD)
    equal(recorded("unread"), "candidate", "a list that was changed before a reload")
    site.milter.signal(signal.SIGHUP)
    names = (f"after{number}" for number in itertools.count())
    wait_until(lambda: recorded(next(names)) == "exact", "the new list")
    site.stop()


@test
def the_command_line_uses_the_list_and_records_no_password():
    site = Site()
    path = locked_message(site, "locked")
    site.set("scanner", passwords=write_list(site, PASSWORD))
    done = site.mailtrace("--json", "inspect", path)
    files = {f["path"]: f for f in json_lines(done.stdout)[0]["unmapped"]["mailtrace"]["files"]}
    equal(files["2!/evil.exe"]["method"], "zipcrypto+deflate+opened")
    assert PASSWORD not in done.stdout, done.stdout
    site.set("scanner", passwords=f"{site.root}/nothing")
    files = {f["path"]: f
             for f in json_lines(site.mailtrace("--json", "inspect", path).stdout)[0]["unmapped"]["mailtrace"]["files"]}
    equal(files["2!/evil.exe"]["method"], "zipcrypto+deflate")


main()
