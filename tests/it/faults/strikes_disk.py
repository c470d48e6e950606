# SPDX-License-Identifier: BSD-2-Clause
"""Disks that are full, fail or are locked."""
import contextlib
import sqlite3
import time

from shim import SPOOL, STORE

# How long a lock is held: shorter than SQLite waits for it.
SHORT_S = 1
# What a sensor waits for an acknowledgement before it sends again, and a little more.
RESENT_S = 31
# A sensor tells its counters so often, and a little more.
HEARTBEAT_S = 6


def wait_refusals(stage, what):
    """Waits until the policy has decided over some mail."""
    before = stage.traffic.deferred
    stage.wait(lambda: stage.traffic.deferred >= before + 3, f"mail is deferred: {what}")


@contextlib.contextmanager
def store_fails(stage):
    """Waits within until the collector says that it cannot write, while mail is accepted."""
    before = stage.said("collect.log", "store-write-failed")
    yield
    stage.wait(lambda: stage.said("collect.log", "store-write-failed") > before, "the collector says so")
    stage.wait_accepted("mail is accepted whatever the store does")


def fill_spool(stage, source):
    disk = stage.disks["spool"]
    stage.checkpoint(stage.spool)
    disk.fill()
    try:
        wait_refusals(stage, "the spool's disk is full")
    finally:
        disk.make_room()


def fill_store(stage, source):
    disk = stage.disks["store"]
    try:
        with store_fails(stage):
            stage.checkpoint(stage.store)
            disk.fill()
    finally:
        disk.make_room()
    stage.shim.pass_time(RESENT_S)


def fail_spool(stage, source):
    """A sync of the spool fails: it closes, and stays closed until it is opened anew."""
    closed = stage.said("milter.log", "the spool is closed to writing")
    stage.shim.set(eio=SPOOL)
    try:
        stage.wait(lambda: stage.said("milter.log", "the spool is closed to writing") > closed, "the spool closes")
    finally:
        stage.shim.set(eio=0)
    with stage.traffic.held():
        before = stage.traffic.count()
    wait_refusals(stage, "the spool is closed")
    assert stage.traffic.count() == before, "mail was accepted with the spool closed"
    # What could not be synced is not on disk, whatever the page cache says.
    stage.cut_power("gateway")


def fail_spool_and_accept(stage, source):
    """As before, but the administrator chose that mail passes: each message that did is told in the coverage."""
    stage.site.set("policy", on_unrecorded="accept")
    stage.reload_milter()
    with stage.traffic.held():
        stage.wait_drained()
        former, counted = set(stage.traffic.promised), unrecorded(stage)
    stage.shim.set(eio=SPOOL)
    try:
        stage.wait(lambda: len(passed(stage, former)) >= 3, "mail passes without a record")
    finally:
        stage.shim.set(eio=0)
    stage.site.set("policy", on_unrecorded="tempfail")
    with stage.traffic.held():
        stage.shim.pass_time(HEARTBEAT_S)
        stage.wait(lambda: unrecorded(stage) - counted == len(passed(stage, former)), "each of them is told")
        stage.told |= passed(stage, former)
        stage.cut_power("gateway")


def passed(stage, former):
    """Returns the messages since former that have no record."""
    rows = stage.ask(stage.store, "SELECT queue_id FROM events") or []
    with stage.traffic.lock:
        return set(stage.traffic.promised) - former - {queue_id for queue_id, in rows}


def unrecorded(stage):
    """Returns how many messages the coverage says to have passed without a record."""
    return (stage.ask(stage.store, "SELECT total(messages) FROM intervals WHERE reason='unrecorded'") or [(0,)])[0][0]


def fail_store(stage, source):
    try:
        with store_fails(stage):
            stage.shim.set(eio=STORE)
    finally:
        stage.shim.set(eio=0)
    if source.random() < 0.5:
        stage.cut_power("collector")
    stage.shim.pass_time(RESENT_S)


@contextlib.contextmanager
def locked(database):
    """Somebody holds the lock for writing meanwhile."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None, timeout=60)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def lock_briefly(name):
    def strike(stage, source):
        with locked(getattr(stage, name)):
            time.sleep(SHORT_S * source.uniform(0.3, 1))
    return strike


@contextlib.contextmanager
def without_patience(stage):
    """Who waits for a lock meanwhile soon has waited as long as it would."""
    stage.shim.set(no_sleep=1)
    try:
        yield
    finally:
        stage.shim.set(no_sleep=0)


def lock_spool_for_long(stage, source):
    with locked(stage.spool), without_patience(stage):
        wait_refusals(stage, "the spool is locked")


def lock_store_for_long(stage, source):
    with locked(stage.store), without_patience(stage), store_fails(stage):
        pass
    stage.shim.pass_time(RESENT_S)


def strikes():
    yield "disk full", "under the spool", fill_spool
    yield "disk full", "under the store", fill_store
    yield "EIO from fdatasync", "of the spool, policy tempfail", fail_spool
    yield "EIO from fdatasync", "of the spool, policy accept", fail_spool_and_accept
    yield "EIO from fdatasync", "of the store", fail_store
    yield "locked", "the spool, briefly", lock_briefly("spool")
    yield "locked", "the spool, for long", lock_spool_for_long
    yield "locked", "the store, briefly", lock_briefly("store")
    yield "locked", "the store, for long", lock_store_for_long
