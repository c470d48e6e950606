#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Logins and assets through the whole programs: lines of logs, CSV files, answers, the journal."""
import contextlib
import sqlite3

from mtlib import Site, equal, journal, json_lines, main, test, wait_until

SITE = None
DAY = "2026-11-20"

# As Dovecot 2.3.19, Postfix 3.7 and Sendmail 8.17 write them; each is of one user.
LINES = {
    "dora": "mbox1 dovecot: imap-login: Login: user=<dora>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=7, TLS, session=<abc>",
    "dirk": "mbox1 dovecot[9]: pop3-login: Login: user=<dirk>, method=PLAIN, rip=2001:db8::7, lip=::1, mpid=7, TLS, session=<abd>",
    "dave": "mbox1 dovecot: managesieve-login: Login: user=<dave>, method=PLAIN, rip=::ffff:192.0.2.7, lip=::1, mpid=7, session=<abe>",
    "paul": "mx1 postfix/submission/smtpd[7]: 4Xyz12BbCbzKq: client=pc[192.0.2.7]:4711, sasl_method=PLAIN, sasl_username=paul",
    "sara": "mx2 sm-mta[7]: AUTH=server, relay=pc.example [192.0.2.7] (may be forged), authid=sara, mech=LOGIN, bits=0",
}
SERVICES = {"dora": "imap", "dirk": "pop3", "dave": "managesieve", "paul": "submission", "sara": "smtp"}


def log(clock, line):
    """A line of the log of some hour of a day that is over."""
    with open(f"{SITE.root}/mail.log", "a", encoding="utf-8") as handle:
        handle.write(f"{DAY}T{clock}Z {line}\n")


def logins(who, *argv):
    """Returns the rows of an answer, in short."""
    rows = json_lines(SITE.mailtrace("--json", "logins", who, *argv, status=None).stdout)
    return [(row["user"], row["address"], row["device"], row["certainty"], row["service"], row["first"][11:19],
             row["last"][11:19], row["logins"]) for row in rows]


def csv(text):
    path = f"{SITE.root}/assets.csv"
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)
    return path


def assets(*argv):
    return [(row["address"], row["device"], row["from"], row["until"], row["shared"]) for row in
            json_lines(SITE.mailtrace("--json", "assets", "list", *argv, status=None).stdout)]


@test
def each_kind_of_line_is_a_login():
    for number, line in enumerate(LINES.values()):
        log(f"08:00:0{number}", line)
    wait_until(lambda: all(logins(user) for user in LINES), "all are in the store")
    for number, user in enumerate(LINES):
        address = "2001:db8::7" if user == "dirk" else "192.0.2.7"
        at = f"08:00:0{number}"
        equal(logins(user), [(user, address, None, "unknown", SERVICES[user], at, at, 1)])
    equal(sorted(row[0] for row in logins("192.0.2.7")), ["dave", "dora", "paul", "sara"])
    equal(logins("nobody"), [])
    SITE.mailtrace("logins", "nobody", status=1)


@test
def a_lease_that_changed_hands_gives_the_device_of_the_time_or_ambiguous():
    for clock in ("09:00:00", "09:30:00", "09:59:58", "10:00:10", "10:30:00", "12:00:00"):
        log(clock, f"mbox1 dovecot: imap-login: Login: user=<lea>, method=PLAIN, rip=192.0.2.50, lip=::1, "
                   f"mpid=7, session=<l{clock.replace(':', '')}>")
    wait_until(lambda: sum(row[-1] for row in logins("lea")) == 6, "all are in the store")
    done = SITE.mailtrace("assets", "import", csv(
        f"address,device,from,until\n192.0.2.50,pc-old,{DAY}T08:00:00Z,{DAY}T10:00:00Z\n"
        f"192.0.2.50,pc-new,{DAY}T10:00:00Z,{DAY}T11:00:00Z\n192.0.2.7,nat,,\n2001:db8:0::7,pc-dirk,,\n"))
    assert "4 assets, 4 of them new or changed." in done.stdout, done
    lea = ("lea", "192.0.2.50")
    equal(logins("lea"), [lea + ("pc-old", "known", "imap", "09:00:00", "09:30:00", 2),
                          lea + (None, "ambiguous", "imap", "09:59:58", "09:59:58", 1),
                          lea + ("pc-new", "known", "imap", "10:00:10", "10:30:00", 2),
                          lea + (None, "unknown", "imap", "12:00:00", "12:00:00", 1)])
    equal(logins("lea", "--since", f"{DAY}T10:00:00Z", "--until", f"{DAY}T10:30:00Z"),
          [lea + ("pc-new", "known", "imap", "10:00:10", "10:00:10", 1)])
    equal([row[2:4] for row in logins("dora") + logins("dirk")], [(None, "ambiguous"), ("pc-dirk", "known")])
    table = SITE.mailtrace("--utc", "logins", "lea").stdout
    assert all(word in table for word in ("pc-old", "ambiguous", "pc-new", "unknown")), table


@test
def assets_are_listed_replaced_and_removed():
    old = [("192.0.2.50", "pc-old", f"{DAY}T08:00:00Z", f"{DAY}T10:00:00Z", False)]
    new = [("192.0.2.50", "pc-new", f"{DAY}T10:00:00Z", f"{DAY}T11:00:00Z", False)]
    shown = [(a, d, f and f[:19] + "Z", u and u[:19] + "Z", s) for a, d, f, u, s in assets()]
    equal(shown, [("192.0.2.7", "nat", None, None, True)] + old + new + [("2001:db8::7", "pc-dirk", None, None, False)])
    again = csv(f"address,device,from,until\n192.0.2.50,pc-new,{DAY}T10:00:00Z,{DAY}T12:00:00Z\n")
    SITE.mailtrace("assets", "import", again)
    SITE.mailtrace("assets", "import", again, status=1)
    equal([row[3][11:16] for row in assets("192.0.2.50")], ["10:00", "12:00"])
    SITE.mailtrace("assets", "remove", "::ffff:192.0.2.50")
    equal(assets("192.0.2.50"), [])
    SITE.mailtrace("assets", "remove", "192.0.2.50", status=1)


@test
def many_assets_go_in_small_steps_each_with_its_entry():
    before = len([entry for entry in journal(SITE) if entry["verb"] == "assets"])
    SITE.mailtrace("assets", "import", csv("address,device\n" + "".join(
        f"10.9.{n // 250}.{n % 250},host{n}\n" for n in range(2500))))
    entries = [entry for entry in journal(SITE) if entry["verb"] == "assets"][before:]
    equal(len(entries), 3)
    equal(len([row for row in assets() if row[0].startswith("10.9.")]), 2500)


@test
def a_wrong_line_is_named_and_nothing_is_imported():
    before = assets()
    done = SITE.mailtrace("assets", "import", csv("address,device\n192.0.2.60,pc60\n192.0.2.61\n"), status=2)
    assert "assets.csv: line 3: a device has a name" in done.stderr and "nothing is imported" in done.stderr, done
    SITE.mailtrace("assets", "import", f"{SITE.root}/none.csv", status=2)
    SITE.mailtrace("assets", "list", "pc60", status=2)
    SITE.mailtrace("assets", "remove", "pc60", status=2)
    SITE.mailtrace("assets", status=2)
    equal(assets(), before)


@test
def the_journal_has_who_asked_for_logins():
    rows = logins("lea", "--since", DAY)
    entry = [entry for entry in journal(SITE) if entry["verb"] == "logins"][-1]
    equal((entry["results"], "lea" in entry["arguments"]), (len(rows), True))


@test
def without_a_collector_the_command_line_writes_itself():
    SITE.collector.stop()
    try:
        SITE.mailtrace("assets", "import", csv("address,device\n192.0.2.70,pc70\n"))
        equal([row[1] for row in assets("192.0.2.70")], ["pc70"])
    finally:
        SITE.start_collector()


@test
def a_follower_that_is_told_not_to_sends_no_logins():
    SITE.follower.stop()
    SITE.set("follow", logins="no")
    SITE.start_follow(f"{SITE.root}/mail.log")
    log("13:00:00", LINES["dora"].replace("dora", "silent"))
    log("13:00:01", "mx1 postfix/qmgr[1]: 4Xyz12BbCbzKr: from=<a@x.example>, size=1, nrcpt=1 (queue active)")

    def read():
        with contextlib.closing(sqlite3.connect(f"file:{SITE.root}/store/mailtrace.db?mode=ro", uri=True)) as store:
            return store.execute("SELECT count(*) FROM deliveries").fetchone()[0]

    wait_until(read, "the line behind it is in the store")
    equal(logins("silent"), [])


SITE = Site()
SITE.make_keys()
SITE.start_collector()
SITE.start_follow(f"{SITE.root}/mail.log")
try:
    main()
finally:
    SITE.follower.stop()
    SITE.stop()
