# SPDX-License-Identifier: BSD-2-Clause
"""Machines stop without what they had not synced, and a spool comes back that is older than it should be."""
import contextlib
import os
import shutil

from strikes_kill import standing_at


def cut_at_random(*machines):
    def strike(stage, source):
        stage.wait_accepted(count=source.randint(1, 4))
        stage.cut_power(*machines)
    return strike


def cut_at_phase(machine, phase):
    def strike(stage, source):
        with standing_at(stage, phase, source.randint(0, 3)):
            stage.cut_power(machine)
    return strike


def put_back_spool(stage, source):
    """A copy of the spool, made while entries waited, comes back when they are long in the store."""
    copy = f"{stage.site.root}/spool.copy"
    stage.kill_collector()
    stage.wait_accepted(count=source.randint(2, 5))
    stage.kill_gateway()
    copy_database(stage.spool, copy)
    stage.start_milter()
    stage.start_collector()
    stage.wait_progress()
    with stage.traffic.held():
        stage.wait_drained()
        stage.kill_gateway()
        copy_database(copy, stage.spool)
        stage.shim.forget(stage.spool)
        stage.start_milter()
        stage.wait_drained()


def copy_database(source, target):
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target + suffix)
        if suffix != "-shm" and os.path.exists(source + suffix):
            shutil.copy2(source + suffix, target + suffix)


def strikes():
    yield "power cut, gateway", "at random", cut_at_random("gateway")
    yield "power cut, collector", "at random", cut_at_random("collector")
    yield "power cut, both", "at random", cut_at_random("gateway", "collector")
    for phase in ("before the spool's commit", "after the spool's commit", "before the reply"):
        yield "power cut, gateway", phase, cut_at_phase("gateway", phase)
    for phase in ("before the store's commit", "after the store's commit", "after the acknowledgement"):
        yield "power cut, collector", phase, cut_at_phase("collector", phase)
    yield "spool put back from a copy", "entries in the store", put_back_spool
