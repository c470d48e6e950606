# SPDX-License-Identifier: BSD-2-Clause
"""The record is on disk before the MTA is answered.

A shim that is preloaded writes down the order of writes to the spool, of syncs
and of answers.  Before each answer the spool's log must have been written, and
synced after its last write.  The checker itself is checked: with the syncs
taken out it must find the mistake.
"""
import os

from mtlib import (BUILD, SOURCE, Daemon, environment, equal, main, program, run, temporary_directory,
                   test, wait_until)

COUNT = 20
MESSAGES = 5
WAL = "spool.db-wal"
MINIMAL = os.path.join(SOURCE, "tests/data/minimal.eml")
# SMFIR_CONTINUE and SMFIR_ACCEPT: a length of one in four bytes, and the code.
VERDICTS = ("answer 0000000163", "answer 0000000161")


def shimmed(directory, watched, answer, **extra):
    """Returns the environment for a program whose order is written down, and the file."""
    log = os.path.join(directory, "order")
    # A sanitizer wants to be loaded first, but can do without.
    sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    return log, environment(ASAN_OPTIONS=sanitizer, SYNC_SHIM_LOG=log, SYNC_SHIM_PROGRAM=watched,
                            LD_PRELOAD=os.path.join(BUILD, "tests/tools/sync_shim.so"),
                            SYNC_SHIM_ANSWER=answer, **extra)


def lines_of(log):
    with open(log) as handle:
        return handle.read().splitlines()


def order_of_appends(*argv, **extra):
    """Runs the program that appends and answers; returns what the shim wrote down."""
    directory = temporary_directory()
    log, env = shimmed(directory, "spool_append", "pipe:", **extra)
    done = run(program("tests/tools/spool_append"), directory, COUNT, *argv, env=env)
    equal(done.stdout.split(), [str(n) for n in range(1, COUNT + 1)], "numbers answered")
    return [l.split()[0] if l.startswith("answer") else l for l in lines_of(log)]


def order_of_messages(**extra):
    """Plays messages through the milter; returns what the shim wrote down of it."""
    directory = temporary_directory()
    socket = f"unix:{directory}/milter.sock"
    config = os.path.join(directory, "mailtrace.conf")
    for folder in ("spool", "tmp"):
        os.mkdir(os.path.join(directory, folder), 0o750)
    with open(config, "w") as handle:
        handle.write(f"[site]\nsensor = mx1\n[milter]\nsocket = {socket}\nsocket_group =\nuser =\n"
                     f"temp_directory = {directory}/tmp\n[scanner]\nworkers = 1\n"
                     f"[spool]\ndirectory = {directory}/spool\n")
    log, env = shimmed(directory, "milter", "socket:", **extra)
    milter = Daemon([program("mailtrace-milter"), "--config", config, "--stderr"],
                    os.path.join(directory, "log"), env=env)

    def play(*argv):
        return run(program("milterplay"), "--socket", socket, "-r", "<b@example.org>", *argv, MINIMAL,
                   status=None).returncode == 0

    wait_until(lambda: play("--timeout", "5", "--stop-at", "connect") or not milter.alive(), "it listens")
    for _ in range(MESSAGES):
        equal(play(), True, f"a message is played; log:\n{milter.text()}")
    milter.stop()
    return ["answer" if l in VERDICTS else l for l in lines_of(log)]


def faults(lines, count):
    """Returns what is wrong with the order: a line for each entry answered for too early."""
    written, dirty, answers, found = False, False, 0, []
    for line in lines:
        if line == f"write {WAL}":
            written = dirty = True
        elif line == f"sync {WAL}":
            dirty = False
        elif line == "answer" and written and answers < count:
            answers += 1
            if dirty:
                found.append(f"answer {answers} before the sync")
            written = False
    if answers < count:
        found.append(f"{answers} answers to a write seen, not {count}")
    return found


@test
def every_append_returns_after_the_sync_of_its_entry():
    equal(faults(order_of_appends(), COUNT), [], "too early")


@test
def an_acknowledgement_waits_for_no_sync_and_takes_none_from_the_append_after_it():
    lines = order_of_appends("0")
    answers = [place for place, line in enumerate(lines) if line == "answer"]
    syncs = lines[answers[0]:answers[-1]].count(f"sync {WAL}")
    equal(faults(lines, COUNT), [], "too early")
    equal(syncs, COUNT - 1, f"syncs between the first and the last of {COUNT} appends, each acknowledged")


@test
def the_checker_goes_red_when_the_syncs_are_taken_out():
    equal(len(faults(order_of_appends(SYNC_SHIM_NO_SYNC="1"), COUNT)), COUNT, "found too early")


@test
def the_mta_is_answered_after_the_sync_of_the_record():
    equal(faults(order_of_messages(), MESSAGES), [], "too early")


@test
def the_checker_goes_red_for_the_milter_too():
    equal(len(faults(order_of_messages(SYNC_SHIM_NO_SYNC="1"), MESSAGES)), MESSAGES, "found too early")


if __name__ == "__main__":
    main()
