# SPDX-License-Identifier: BSD-2-Clause
"""Processes are killed, at random and at phases."""
import contextlib
import os
import signal

from shim import MILTER_PHASES, PHASES
from stage import TARGETS

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


def strikes():
    for target in TARGETS:
        yield f"kill {target}", "at random", kill_at_random(target)
        for phase in NAMED:
            yield f"kill {target}", phase, kill_at_phase(target, phase)
    for phase in PHASES:
        if phase not in NAMED:
            yield f"kill {own(phase)}", phase, kill_at_phase(own(phase), phase)
