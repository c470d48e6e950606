# SPDX-License-Identifier: BSD-2-Clause
"""The record is on disk before the MTA is answered.

A shim that is preloaded writes down the order of writes to the spool, of syncs
and of answers.  Before each answer the spool's log must have been written, and
synced after its last write.  The checker itself is checked: with the syncs
taken out it must find the mistake.
"""
import os

from mtlib import BUILD, environment, equal, main, program, run, temporary_directory, test

COUNT = 20
WAL = "spool.db-wal"


def order_of(**extra):
    """Runs the program that appends and answers; returns what the shim wrote down."""
    directory = temporary_directory()
    log = os.path.join(directory, "order")
    # A sanitizer wants to be loaded first, but can do without.
    sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    env = environment(ASAN_OPTIONS=sanitizer, LD_PRELOAD=os.path.join(BUILD, "tests/tools/sync_shim.so"),
                      SYNC_SHIM_LOG=log, SYNC_SHIM_ANSWER="pipe:", **extra)
    done = run(program("tests/tools/spool_append"), directory, COUNT, env=env)
    equal(done.stdout.split(), [str(n) for n in range(1, COUNT + 1)], "numbers answered")
    with open(log) as handle:
        return handle.read().splitlines()


def faults(lines):
    """Returns what is wrong with the order, one line for each answer that came too early."""
    written, dirty, answers, found = False, False, 0, []
    for line in lines:
        if line == f"write {WAL}":
            written = dirty = True
        elif line == f"sync {WAL}":
            dirty = False
        elif line == "answer" and answers < COUNT:
            answers += 1
            if not written:
                found.append(f"answer {answers} without a write")
            elif dirty:
                found.append(f"answer {answers} before the sync")
            written = False
    if answers < COUNT:
        found.append(f"{answers} answers seen, not {COUNT}")
    return found


@test
def every_answer_comes_after_the_sync_of_its_entry():
    equal(faults(order_of()), [], "too early")


@test
def the_checker_goes_red_when_the_syncs_are_taken_out():
    equal(len(faults(order_of(SYNC_SHIM_NO_SYNC="1"))), COUNT, "answers found too early")


if __name__ == "__main__":
    main()
