# SPDX-License-Identifier: BSD-2-Clause
"""A gateway and a collector under continuous mail, kept running as an init system does."""
import contextlib
import os
import shutil
import signal
import sqlite3
import time

import mta
from ground import DISKS, Disk, Link
from mtlib import Daemon, Site, children, environment, program, wait_until
from shim import FIELDS, Shim, state
from traffic import Traffic

TARGETS = ("supervisor", "milter process", "scanner", "worker", "collector")
# At the collector's end of the link, where nobody else is.
PORT = 7500
# A child that lived so long is started again without a pause (milter/child.c).
STEADY_S = 11
# Signs of life come as often; the supervisor takes one who gives none for a minute to hang.
SIGN_S = 3


class Stage:
    """Postfix, the milter, the collector, and mail; wait_progress() holds that all of it works."""

    def __init__(self, seed):
        self.mx = mta.Postfix(smtpd_milters="unix:mailtrace/milter.sock")
        folder = f"{self.mx.queue}/mailtrace"
        os.makedirs(folder)
        shutil.chown(folder, group="postfix")
        os.chmod(folder, 0o750)
        self.site = Site(socket_address=f"unix:{folder}/milter.sock")
        self.site.set("milter", socket_group="postfix", socket_mode="0660")
        self.link = Link()
        self.site.set("bus", collector=f"tcp://{self.link.far}:{PORT}")
        self.site.set("collector", listen=f"tcp://{self.link.far}:{PORT}")
        self.shim = Shim(self.site.root)
        self.disks = {name: Disk(f"{self.site.root}/{name}", size) for name, size in DISKS.items()}
        self.spool = f"{self.site.root}/spool/spool.db"
        self.store = f"{self.site.root}/store/mailtrace.db"
        self.wanted = {"milter": False, "collector": False}
        self.seed = seed
        self.traffic = None
        self.daemons = []
        self.passed = 0
        self.told = set()  # queue ids of messages without a record, of which somebody was told

    def __enter__(self):
        return self

    def __exit__(self, kind, why, trace):
        self.stop(good=kind is None)

    # ---- programs ----

    def start(self):
        self.site.make_keys()
        self.start_collector()
        self.start_milter()
        self.mx.start()
        self.traffic = Traffic(self.mx, self.seed)
        self.wait_progress()
        return self

    def launch(self, argv, log):
        daemon = Daemon(argv, f"{self.site.root}/{log}", env=environment(**self.shim.environment()))
        self.daemons.append(daemon)
        return daemon

    def start_milter(self):
        self.wanted["milter"] = True
        self.site.milter = self.launch([program("mailtrace-milter"), "--config", self.site.config, "--stderr"],
                                       "milter.log")

    def reload_milter(self):
        before = self.said("milter.log", " reloaded ")
        self.site.milter.signal(signal.SIGHUP)
        self.wait(lambda: self.said("milter.log", " reloaded ") > before, "the milter reloads")

    def start_collector(self):
        self.wanted["collector"] = True
        argv = [program("mailtrace"), "--config", self.site.config, "collect"]
        self.site.collector = self.launch(self.link.command(argv), "collect.log")

    def start_follow(self):
        """Has Postfix's log read, from its beginning; the clock is right by now."""
        self.site.start_follow(self.mx.log)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.wait_pid("collector"), signal.SIGHUP)  # for the follower's key

    def tend(self):
        """Starts again what has ended and should not have."""
        if self.wanted["milter"] and not self.site.milter.alive():
            self.start_milter()
        if self.wanted["collector"] and not self.site.collector.alive():
            self.start_collector()

    def pid(self, target):
        """Returns the pid of a process of ours, None while there is none; one of the workers."""
        if target in ("supervisor", "collector"):
            daemon = self.site.milter if target == "supervisor" else self.site.collector
            return daemon.pid if daemon.alive() else None
        found = children(self.site.milter.pid)
        if target == "milter process":
            return next((pid for pid, line in found.items() if line.split(" ")[0].endswith("/milter")), None)
        scanner = next((pid for pid, line in found.items() if line.split(" ")[0].endswith("/scanner")), None)
        if target == "scanner":
            return scanner
        return next(iter(children(scanner)), None) if scanner else None

    def wait_pid(self, target):
        return self.wait(lambda: self.pid(target), f"there is a {target}")

    def kill(self, target):
        pid = self.wait_pid(target)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        for daemon in self.daemons:
            if daemon.pid == pid:
                daemon.process.wait()
        return pid

    def kill_gateway(self):
        """All processes beside the MTA at once, as when the machine stops; they stay away until start_milter()."""
        self.wanted["milter"] = False
        supervisor = self.site.milter.process
        if self.site.milter.alive():
            # It starts nobody meanwhile.
            supervisor.send_signal(signal.SIGSTOP)
            wait_until(lambda: state(supervisor.pid) in "TZX", "the supervisor stands still")
        pids = list(children(supervisor.pid))
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        supervisor.kill()
        supervisor.wait()
        wait_until(lambda: all(state(pid) in "XZ" for pid in pids), "they are gone")

    def kill_collector(self):
        """It stays away until start_collector()."""
        self.wanted["collector"] = False
        self.site.collector.process.kill()
        self.site.collector.process.wait()

    def cut_power(self, *machines):
        """The gateway's or the collector's machine stops, without what it had not synced, and starts again."""
        if "gateway" in machines:
            self.kill_gateway()
        if "collector" in machines:
            self.kill_collector()
        for machine, database, start in (("gateway", self.spool, self.start_milter),
                                         ("collector", self.store, self.start_collector)):
            if machine in machines:
                self.shim.cut_power(database)
                start()

    # ---- how it stands ----

    def wait(self, condition, what):
        """Waits as wait_until(), starting again what ends meanwhile."""
        def tended():
            self.tend()
            return condition()
        try:
            return wait_until(tended, what)
        except AssertionError as why:
            raise AssertionError(f"{why}\n{self.logs()}") from None

    def logs(self):
        """Returns the ends of the logs, and how all stands, for whoever looks for a cause."""
        lines = [f"steering { {name: self.shim.get(name) for name in FIELDS} }",
                 f"pids { {target: self.pid(target) for target in TARGETS} }"]
        if self.traffic:
            lines.append(f"mail: {self.traffic.count()} promised, {self.traffic.deferred} deferred")
        for name in ("milter.log", "collect.log"):
            with open(f"{self.site.root}/{name}", errors="replace") as handle:
                lines += [f"--- {name}", *handle.read().splitlines()[-25:]]
        return "\n".join(lines)

    def checkpoint(self, database):
        """Brings all into the file itself, synced; the next write needs room in an empty log."""
        def done():
            try:
                with contextlib.closing(sqlite3.connect(database, timeout=5)) as opened:
                    return opened.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
            except sqlite3.Error:
                return False
        self.wait(done, f"{database} is checkpointed")
        self.shim.forget(database)

    def said(self, log, text):
        """Returns how often a log has the text."""
        with open(f"{self.site.root}/{log}", errors="replace") as handle:
            return handle.read().count(text)

    def said_last(self, log, text, other):
        """Returns whether a log has the text, and not the other one behind it."""
        with open(f"{self.site.root}/{log}", errors="replace") as handle:
            words = handle.read()
        return words.rfind(text) > words.rfind(other)

    def ask(self, database, sql, *values):
        """Reads of a database, None while that cannot be."""
        try:
            with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=1)) as opened:
                return opened.execute(sql, values).fetchall()
        except sqlite3.Error:
            return None

    def recorded(self):
        rows = self.ask(self.store, "SELECT count(*) FROM events")
        return rows[0][0] if rows else 0

    def waiting(self):
        """Entries in the spool; None while it cannot be read."""
        rows = self.ask(self.spool, "SELECT count(*) FROM entry")
        return rows[0][0] if rows else None

    def pass_time(self):
        """Has the supervisor forget that its children died lately."""
        if time.monotonic() - self.passed > SIGN_S:
            self.passed = time.monotonic()
            self.shim.pass_time(STEADY_S, STEADY_S)

    def wait_accepted(self, what="mail is accepted", count=1):
        before = self.traffic.count()
        self.wait(lambda: self.traffic.count() >= before + count, what)

    def wait_progress(self):
        """All processes are there, and a message that is accepted from now on comes to the store."""
        for target in TARGETS:
            self.wait_pid(target)
        self.wait_accepted()
        queue_id = self.traffic.newest()
        self.wait(lambda: self.ask(self.store, "SELECT 1 FROM events WHERE tenant=1 AND queue_id=?", queue_id),
                  f"{queue_id} comes to the store")

    def wait_drained(self):
        self.wait(lambda: self.waiting() == 0, "the spool is empty")

    # ---- the end ----

    def finish(self):
        """Stops the mail, and waits until all that was accepted should be where it belongs."""
        self.traffic.stop()
        self.shim.disarm()
        self.wait_drained()
        self.mx.command("flush")
        wait_until(lambda: not self.mx.queued(), "Postfix's queue is empty")

    def stop(self, good=True):
        """Ends all; of a run that was good also in good order."""
        self.wanted = {"milter": False, "collector": False}
        if self.traffic:
            self.traffic.stop()
        self.mx.stop()
        for daemon in (self.site.follower, self.site.milter, self.site.collector):
            if daemon and daemon.alive():
                (daemon.stop if good else daemon.kill)()
        for disk in self.disks.values():
            disk.remove()
        self.link.remove()
