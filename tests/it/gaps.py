#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Each kind of gap that a sensor or a follower can have of its own: who tells it, to people and to programs.

Mail that passes a milter by is coverage.py's.
"""
import contextlib
import datetime
import glob
import gzip
import os
import sqlite3
import sys

from followed import FollowedSite, agent, queued
from mtlib import environment, equal, json_lines, main, stopped_scanner, test, wait_until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "faults"))
import shim  # noqa: E402

NOTHING = "subject:nothing-like-it"
CAP_LOG_LINE_BYTES = 8192
STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


def now(seconds=0):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime(STAMP)


@contextlib.contextmanager
def site_with_follower(**settings):
    site = FollowedSite()
    for group, values in settings.items():
        site.set(group, **values)
    site.set("collector", expected_followers="mx1-follow")
    site.start()
    site.write("anvil[1]: the log has begun")
    try:
        yield site
    finally:
        site.stop()


def coverage_of(site, *query, **keywords):
    return site.who(*(query or (NOTHING,)), status=1, **keywords)[1]


def wait_coverage(site, good, what, *query):
    try:
        return wait_until(lambda: next((c for c in [coverage_of(site, *query)] if good(c)), None), what)
    except AssertionError:
        raise AssertionError(f"{what}: {coverage_of(site, *query)}") from None


def wait_signed(site):
    """Waits until a "nobody" can be signed until now."""
    past = now()
    return wait_coverage(site, lambda c: c["complete"] and c["reconciled"] and c["complete_until"] > past, "signed")


def is_told(site, found, sensor, reason, words, messages=None, **keywords):
    """Expects one gap of the reason in the coverage, and a "nobody" that names it and is not signed."""
    gap, = [g for g in found["gaps"] if g["reason"] == reason]
    equal((gap["sensor"], gap["messages"], found["complete"]), (sensor, messages, False), found)
    assert [w for w in found["warnings"] if words in w and sensor in w], found
    text = site.mailtrace("who", NOTHING, status=1, **keywords).stdout
    said, = [line for line in text.splitlines() if line.startswith('"Nobody" cannot be signed: ')]
    assert words in said, text
    assert [line for line in text.splitlines() if line.startswith(f"{sensor}: {words}")], text
    return gap


@test
def what_a_store_lacks_that_was_put_back_from_a_backup_is_a_gap():
    with site_with_follower() as site:
        site.mail("first", "u1@example.org")
        site.wait_stored(1)
        wait_signed(site)
        site.mailtrace("backup", f"{site.root}/backup.db")
        before = now()
        site.mail("second", "u1@example.org")
        site.wait_stored(2)
        wait_signed(site)
        site.collector.stop()
        for file in glob.glob(f"{site.root}/store/mailtrace.db*"):
            os.unlink(file)
        os.rename(f"{site.root}/backup.db", f"{site.root}/store/mailtrace.db")
        site.start_collector()
        site.mail("third", "u1@example.org")
        site.wait_stored(2)
        found = wait_coverage(site, lambda c: [g for g in c["gaps"] if g["reason"] == "epoch" and g["sensor"] == "mx1"],
                              "epoch")
        gap = is_told(site, found, "mx1", "epoch", "its numbers began anew")
        assert gap["from"] < before < gap["to"], gap
        equal([g["reason"] for g in coverage_of(site, NOTHING, "--until", found["recorded_since"])["gaps"]], [])


@test
def a_record_that_is_lost_in_the_spool_is_told_also_when_its_dead_letter_is_given_up():
    with site_with_follower() as site:
        site.mail("first", "u1@example.org")
        site.wait_stored(1)
        wait_signed(site)
        site.collector.stop()
        before = now()
        for name in ("second", "third", "fourth"):
            site.mail(name, "u1@example.org")
        site.milter.stop()
        with contextlib.closing(sqlite3.connect(f"{site.root}/spool/spool.db")) as spool, spool:
            equal(spool.execute("DELETE FROM entry WHERE n=3").rowcount, 1)
        site.start_collector()
        site.start_milter()
        site.wait_stored(3)
        for _ in range(2):
            found = wait_coverage(site, lambda c: [g for g in c["gaps"] if g["reason"] == "dead-letter"], "dead-letter")
            gap = is_told(site, found, "mx1", "dead-letter", "1 message came and could not be read", 1)
            assert gap["from"] < before < gap["to"], gap
            for letter in json_lines(site.mailtrace("--json", "dead-letters", "list", status=None).stdout):
                if letter.get("id"):
                    site.mailtrace("dead-letters", "drop", letter["id"])
        assert not coverage_of(site, NOTHING, "--since", now())["gaps"]


@test
def a_sensor_without_a_sign_of_life_is_silent():
    with site_with_follower() as site:
        site.mail("first", "u1@example.org")
        site.wait_stored(1)
        signed = wait_signed(site)
        site.milter.stop()
        clock = shim.Shim(site.root)
        clock.step_clock(55)
        later = environment(**clock.environment())
        equal([g for g in coverage_of(site, env=later)["gaps"] if g["reason"] == "silent"], [], "not yet a minute")
        clock.step_clock(60)
        found = coverage_of(site, env=later)
        gaps = {(g["sensor"], g["reason"]): g for g in found["gaps"]}
        equal((gaps["mx1", "silent"]["to"], found["complete"]), (None, False))
        assert gaps["mx1", "silent"]["from"] >= signed["complete_until"], found
        text = site.mailtrace("who", NOTHING, status=1, env=later).stdout
        assert "\nmx1: not seen from " in text and " to now." in text, text
        assert "cannot be signed: it is complete only until " in text, text
        # Of the time before nothing is missing.
        before = coverage_of(site, NOTHING, "--until", signed["complete_until"], env=later)
        equal((before["gaps"], before["complete"], before["warnings"]), ([], True, []))
        # --until beyond what is complete is told, whoever is silent.
        assert not coverage_of(site, NOTHING, "--until", now(30), env=later)["complete"]


@test
def a_log_that_was_taken_away_unread_is_a_gap():
    with site_with_follower() as site:
        first = site.mail("first", "u1@example.org")
        site.write(queued(first, 1), agent(first, "u1@example.org"))
        site.wait_states("first", {"u1@example.org": "delivered"})
        wait_signed(site)
        wait_until(lambda: os.path.exists(f"{site.root}/follow/position"), "the first place is written down")
        site.follower.stop()
        lost = site.mail("lost", "u1@example.org")
        site.write(agent(lost, "u1@example.org"))
        os.unlink(site.log)
        site.write("anvil[1]: another log")
        site.start_follower()
        found = wait_coverage(site, lambda c: [g for g in c["gaps"] if g["reason"] == "log-gap"], "log-gap")
        is_told(site, found, "mx1-follow", "log-gap", "the MTA's log was not read")
        equal((found["reconciled"], site.states("lost")), (False, {"u1@example.org": "accepted"}))
        assert "; not reconciled with the MTA's log." in site.mailtrace("who", NOTHING, status=1).stdout


@test
def a_log_that_was_rotated_twice_and_packed_before_it_was_read_is_a_gap():
    with site_with_follower() as site:
        ids = [site.mail(name, "u1@example.org") for name in ("first", "second", "third", "fourth")]
        for queue_id in ids[:2]:
            site.write(agent(queue_id, "u1@example.org"))
        site.wait_states("second", {"u1@example.org": "delivered"})
        wait_signed(site)
        os.kill(site.follower.pid, 19)
        for number, queue_id in ((2, ids[2]), (1, None)):
            old = f"{site.log}.{number}"
            os.rename(site.log, old)
            os.utime(old, (0, os.stat(old).st_mtime - 100 * number))
            with open(old, "rb") as plain, gzip.open(f"{old}.gz", "wb") as packed:
                packed.write(plain.read())
            os.utime(f"{old}.gz", (0, os.stat(old).st_mtime))
            os.unlink(old)
            if queue_id:
                site.write(agent(queue_id, "u1@example.org"))
        site.write(agent(ids[3], "u1@example.org"))
        os.kill(site.follower.pid, 18)
        site.wait_states("fourth", {"u1@example.org": "delivered"})
        equal(site.states("third"), {"u1@example.org": "accepted"})
        found = wait_coverage(site, lambda c: [g for g in c["gaps"] if g["reason"] == "log-gap"], "log-gap")
        is_told(site, found, "mx1-follow", "log-gap", "the MTA's log was not read")


@test
def a_line_that_is_too_long_to_be_read_is_a_gap():
    with site_with_follower() as site:
        first, second = [site.mail(name, "u1@example.org") for name in ("first", "second")]
        site.write(agent(first, "u1@example.org"))
        wait_signed(site)
        site.write(agent(second, "u1@example.org") + "x" * CAP_LOG_LINE_BYTES)
        found = wait_coverage(site, lambda c: [g for g in c["gaps"] if g["reason"] == "log-gap"], "log-gap")
        is_told(site, found, "mx1-follow", "log-gap", "the MTA's log was not read")
        equal((site.states("first"), site.states("second")), ({"u1@example.org": "delivered"}, {"u1@example.org": "accepted"}))
        assert f"a line of over {CAP_LOG_LINE_BYTES} bytes was passed over" in site.follower.text(), site.follower.text()


@test
def so_is_one_of_an_old_log_at_the_first_start():
    site = FollowedSite()
    with gzip.open(f"{site.log}.2.gz", "wt") as packed:
        packed.write("x" * CAP_LOG_LINE_BYTES + "\n" + "x" * (CAP_LOG_LINE_BYTES + 1) + "\n")
    site.start()
    site.write("anvil[1]: the log has begun")
    wait_until(lambda: " log-gap " in site.follower.text(), "a gap")
    wait_coverage(site, lambda c: [g for g in c["gaps"] if g["reason"] == "log-gap"], "log-gap")
    equal(site.follower.text().count(" log-gap "), 1)
    site.stop()


@test
def files_that_nobody_read_are_told_where_the_question_is_about_files():
    with site_with_follower(scanner={"workers": "1", "read_timeout_ms": "1000"}) as site:
        with stopped_scanner(site):
            site.mail("late", "u1@example.org")
        site.wait_stored(1)
        wait_until(lambda: coverage_of(site, "name:nothing")["complete_until"], "complete")
        found = coverage_of(site, "name:nothing")
        equal((found["unread"], found["complete"]), (1, False))
        assert "the files of 1 messages were not fully read" in found["warnings"], found
        text = site.mailtrace("who", "name:nothing", status=1).stdout
        assert "\nThe files of 1 messages were not fully read.\n" in text and "cannot be signed" in text, text
        rows = [line for line in json_lines(site.mailtrace("--json", "who", "name:nothing", "--list-unread", status=1).stdout)
                if line["type"] == "unread"]
        equal([row["subject"] for row in rows], ["late"])


@test
def an_answer_without_a_follower_says_that_it_is_not_reconciled():
    site = FollowedSite()
    site.start_collector()
    site.start_milter()
    site.mail("first", "u1@example.org")
    site.wait_stored(1)
    found = wait_coverage(site, lambda c: c["complete"], "complete")
    equal((found["reconciled"], found["reconciled_until"], found["warnings"]), (False, None, []))
    text = site.mailtrace("who", NOTHING, status=1).stdout
    assert "; not reconciled with the MTA's log." in text and "cannot be signed" not in text, text
    site.stop()


main()
