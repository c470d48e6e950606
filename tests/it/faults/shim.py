# SPDX-License-Identifier: BSD-2-Clause
"""The other end of tests/tools/fault_shim.c: phases, syncs that fail, moved clocks, power cuts."""
import contextlib
import mmap
import os
import struct

import mtlib

LIBRARY = os.path.join(mtlib.BUILD, "tests/tools/fault_shim.so")

# enum phase: of the milter process, then of the collector.
MILTER_PHASES = {"before the spool's commit": 1, "after the spool's commit": 2, "before the reply": 3,
                 "batch sent": 4, "before removal from the spool": 5}
COLLECTOR_PHASES = {"before the store's commit": 6, "after the store's commit": 7, "before the acknowledgement": 8,
                    "after the acknowledgement": 9}
PHASES = {**MILTER_PHASES, **COLLECTOR_PHASES}

# enum place.
SPOOL, STORE = 1, 2

# struct control.
FIELDS = {"wall_ns": ("q", 0), "steady_ns": ("q", 8), "supervisor_ns": ("q", 16), "armed": ("I", 24),
          "skip": ("I", 28), "reached": ("I", 32), "reached_pid": ("I", 36), "no_sync": ("I", 40), "eio": ("I", 44),
          "no_sleep": ("I", 48)}
SIZE = 56
NS = 1_000_000_000
UNDO = struct.Struct("qqq")


def state(pid):
    """Returns the letter that ps(1) shows: T stopped, Z ended; X when there is no such process."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        with open(f"/proc/{pid}/stat") as handle:
            return handle.read().rsplit(")", 1)[1].split()[0]
    return "X"


class Shim:
    """Steers all programs that were started with its environment."""

    def __init__(self, root):
        self.undo = os.path.join(root, "undo")
        os.makedirs(self.undo)
        self.path = os.path.join(root, "shim")
        with open(self.path, "wb") as handle:
            handle.write(bytes(SIZE))
        with open(self.path, "r+b") as handle:
            self.memory = mmap.mmap(handle.fileno(), SIZE)

    def environment(self):
        # A sanitizer wants to be loaded first, but can do without.
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return {"LD_PRELOAD": LIBRARY, "FAULT_SHIM_CONTROL": self.path, "FAULT_SHIM_UNDO": self.undo,
                "ASAN_OPTIONS": sanitizer}

    def get(self, name):
        kind, offset = FIELDS[name]
        return struct.unpack_from(kind, self.memory, offset)[0]

    def set(self, **values):
        for name, value in values.items():
            kind, offset = FIELDS[name]
            struct.pack_into(kind, self.memory, offset, value)

    def arm(self, phase, skip=0):
        """The next process that comes to the phase (after so many times) stops itself there."""
        self.set(armed=0, skip=skip, reached=0, reached_pid=0)
        self.set(armed=PHASES[phase])

    def disarm(self):
        self.set(armed=0)

    def stopped(self):
        """Returns the pid of the process that stands at the armed phase, 0 while there is none."""
        pid = self.get("reached_pid") if self.get("reached") else 0
        return pid if pid and state(pid) == "T" else 0

    def pass_time(self, seconds, supervisor=0):
        """Lets time pass at once: for the milter process and the collector, and for the supervisor.

        The supervisor takes a milter process that is silent for a minute to hang.
        """
        self.set(steady_ns=self.get("steady_ns") + int(seconds * NS),
                 supervisor_ns=self.get("supervisor_ns") + int(supervisor * NS))

    def step_clock(self, seconds):
        """Sets the time of day forward or back."""
        self.set(wall_ns=self.get("wall_ns") + int(seconds * NS))

    def cut_power(self, database):
        """What the dead programs wrote to a database and did not sync is gone."""
        for name, log in self.logs_of(database):
            if os.path.exists(name):
                undo_writes(name, log)
            os.unlink(log)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(database + "-shm")

    def forget(self, database):
        """The files of a database are others now, and on disk."""
        for _, log in self.logs_of(database):
            os.unlink(log)

    def logs_of(self, database):
        """Returns the files of a database that have writes to undo, with what is kept of them."""
        names = [(name, os.path.join(self.undo, os.path.basename(name)))
                 for name in (database, database + "-wal", database + "-journal")]
        return [(name, log) for name, log in names if os.path.exists(log)]


def undo_writes(path, log):
    """Gives a file back what it was when it was last synced."""
    with open(log, "rb") as handle:
        content = handle.read()
    writes, at = [], 0
    while at + UNDO.size <= len(content):
        offset, count, size = UNDO.unpack_from(content, at)
        at += UNDO.size
        # A write whose note was cut off did not happen.
        if at + count <= len(content):
            writes.append((offset, size, at, count))
        at += count
    with open(path, "r+b") as handle:
        for offset, size, start, count in reversed(writes):
            handle.seek(offset)
            handle.write(content[start:start + count])
            handle.truncate(size)
