# SPDX-License-Identifier: BSD-2-Clause
"""The strikes, as a table: kind, phase, and what is done.

A strike is a function of a Stage and a source of chance.  It breaks something
while mail goes on, and mends it as an administrator or an init system would;
the caller then waits until mail is accepted and recorded again.
"""
import collections
import contextlib
import os
import shutil
import signal

from shim import MILTER_PHASES, PHASES
from stage import TARGETS

Strike = collections.namedtuple("Strike", "kind phase strike")

# The phases that each process is killed at, whosever phase it is.
NAMED = ("before the spool's commit", "after the spool's commit", "before the reply", "before the store's commit",
         "after the store's commit", "before the acknowledgement")


def kill_at_random(target):
    def strike(stage, source):
        stage.wait_accepted(count=source.randint(1, 4))
        stage.kill(target)
    return strike


@contextlib.contextmanager
def standing_at(stage, phase, skip=0):
    """Whoever comes to the phase stands still there meanwhile; gives its pid."""
    stage.shim.arm(phase, skip)
    pid = stage.wait(stage.shim.stopped, f"somebody stands {phase}")
    try:
        yield pid
    finally:
        stage.shim.disarm()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def kill_at_phase(target, phase):
    def strike(stage, source):
        with standing_at(stage, phase, source.randint(0, 3)):
            stage.kill(target)
    return strike


def own(phase):
    return "milter process" if phase in MILTER_PHASES else "collector"


def kills():
    for target in TARGETS:
        yield Strike(f"kill {target}", "at random", kill_at_random(target))
        for phase in NAMED:
            yield Strike(f"kill {target}", phase, kill_at_phase(target, phase))
    for phase in PHASES:
        if phase not in NAMED:
            yield Strike(f"kill {own(phase)}", phase, kill_at_phase(own(phase), phase))


# ---- power ----


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


def power_cuts():
    yield Strike("power cut, gateway", "at random", cut_at_random("gateway"))
    yield Strike("power cut, collector", "at random", cut_at_random("collector"))
    yield Strike("power cut, both", "at random", cut_at_random("gateway", "collector"))
    for phase in ("before the spool's commit", "after the spool's commit", "before the reply"):
        yield Strike("power cut, gateway", phase, cut_at_phase("gateway", phase))
    for phase in ("before the store's commit", "after the store's commit", "after the acknowledgement"):
        yield Strike("power cut, collector", phase, cut_at_phase("collector", phase))


# ---- copies ----


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


def copies():
    yield Strike("spool put back from a copy", "entries in the store", put_back_spool)


ALL = [*kills(), *power_cuts(), *copies()]
