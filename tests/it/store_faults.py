# SPDX-License-Identifier: BSD-2-Clause
"""The disk under the store is full, or somebody locks it, while mail goes on through the real milter.

Needs root for a small file system of its own.
"""
import contextlib
import os
import sqlite3

import mtlib
from mtlib import equal, json_lines, make_message, run, test, wait_until
from sensor import site_with_keys


@contextlib.contextmanager
def small_disk(path, size="16m"):
    run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0750", "tmpfs", path)
    try:
        yield
    finally:
        run("umount", "--lazy", path)


def fill(path):
    """Takes every byte that is left."""
    with open(path, "wb", buffering=0) as handle, contextlib.suppress(OSError):
        while handle.write(b"x" * 4096):
            pass


def play(site, first, count):
    """Mail with these numbers; each is accepted, whatever the store does."""
    for number in range(first, first + count):
        path = make_message(os.path.join(site.root, f"{number}.eml"), subject=f"mail {number}")
        equal([line["verdict"] for line in site.play("--rcpt", "<u1@example.org>", path)], ["accept"])


def numbers(site):
    return sorted(int(hit["subject"].split()[1]) for hit in site.who("subject:mail")[0])


def stands_after(site, break_it, mend_it):
    """Mail before, during and after a trouble of the store is there once."""
    site.start_collector()
    site.start_milter()
    play(site, 0, 3)
    site.wait_stored(3)
    break_it()
    play(site, 3, 5)
    wait_until(lambda: "store-write-failed" in site.collector.text(), "the collector says so")
    line, = [l for l in site.collector.text().splitlines() if "store-write-failed" in l][:1]
    assert "remedy" in line and "make room" in line, line
    equal(json_lines(site.mailtrace("--json", "status").stdout)[0]["events"], 3, "readers see nothing half")
    done = site.mailtrace("who", "subject:mail", status=2)
    equal((done.stdout, done.stderr.count("\n")), ("", 1), "no answer without its entry in the journal")
    mend_it()
    play(site, 8, 2)
    site.wait_stored(10)
    equal(numbers(site), list(range(10)), "nothing lost, nothing twice")
    assert "store-write-recovered" in site.collector.text()
    assert site.collector.alive() and site.milter.alive()
    equal(site.mailtrace("--json", "verify").stdout, "")
    site.stop()


@test
def a_full_disk_loses_nothing_and_heals_when_there_is_room():
    site = site_with_keys()
    store = os.path.join(site.root, "store")
    with small_disk(store):
        filler = os.path.join(store, "filler")
        stands_after(site, lambda: fill(filler), lambda: os.unlink(filler))


@test
def a_store_that_somebody_locks_loses_nothing_and_heals_when_it_is_let_go():
    site = site_with_keys()
    held = []

    def lock():
        other = sqlite3.connect(os.path.join(site.root, "store", "mailtrace.db"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        held.append(other)

    stands_after(site, lock, lambda: held.pop().close())


mtlib.main()
