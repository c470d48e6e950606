# SPDX-License-Identifier: BSD-2-Clause
"""Disks that are full, fail or are locked."""
import contextlib
import sqlite3
import time

from shim import SPOOL, STORE

# How long a lock is held: shorter than SQLite waits for it, or until writing has failed.
SHORT_S = 1
# What a sensor waits for an acknowledgement before it sends again, and a little more.
RESENT_S = 31


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


def strikes():
    yield "disk full", "under the spool", fill_spool
    yield "disk full", "under the store", fill_store
    yield "EIO from fdatasync", "of the spool", fail_spool
    yield "EIO from fdatasync", "of the store", fail_store
    yield "locked", "the spool", lock_briefly("spool")
    yield "locked", "the store", lock_briefly("store")
