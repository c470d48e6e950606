# SPDX-License-Identifier: BSD-2-Clause
"""mailtrace-milter as a whole: configuration, reload, restart and stop."""
import contextlib
import glob
import grp
import os
import pwd
import re
import signal
import socket
import sqlite3
import stat
import struct
import subprocess
import time

import mtlib
from mtlib import Daemon, children, environment, equal, program, run, test, wait_until

MINIMAL = os.path.join(mtlib.SOURCE, "tests/data/minimal.eml")
LOAD = 600  # messages played while the configuration is reloaded


class Place:
    """A configuration without a bus: what is recorded stays in the spool."""

    def __init__(self, **milter):
        self.root = mtlib.temporary_directory()
        for folder in ("spool", "tmp", "run"):
            os.mkdir(os.path.join(self.root, folder), 0o750)
        key = os.path.join(self.root, "site.key")
        with open(key, "w") as handle:
            handle.write("42" * 32 + "\n")
        os.chmod(key, 0o600)
        self.config = os.path.join(self.root, "mailtrace.conf")
        self.path = os.path.join(self.root, "run", "milter.sock")
        self.log = os.path.join(self.root, "log")
        self.keys = {
            "site": {"sensor": "mx1", "local_domains": "example.org", "site_key": key},
            "milter": {"socket": f"unix:{self.path}", "socket_group": "", "user": "",
                       "temp_directory": f"{self.root}/tmp", **milter},
            "scanner": {"workers": "2"},
            "spool": {"directory": f"{self.root}/spool"},
        }
        self.write()
        self.daemon = None

    def write(self, extra=""):
        with open(self.config, "w") as handle:
            for group, values in self.keys.items():
                handle.write(f"[{group}]\n")
                for key, value in values.items():
                    handle.write(f"{key} = {value}\n")
            handle.write(extra)

    def check(self, status):
        return run(program("mailtrace-milter"), "--config", self.config, "-t", status=status)

    def start(self, **env):
        self.daemon = Daemon([program("mailtrace-milter"), "--config", self.config, "--stderr"], self.log,
                             env=environment(**env))
        wait_until(lambda: " ready " in self.daemon.text() or not self.daemon.alive(), "the milter is ready")
        assert self.daemon.alive(), self.daemon.text()
        return self.daemon

    def stop(self):
        """Stops it, and reads in its log that no sanitizer had a complaint."""
        self.daemon.stop()
        assert "Sanitizer" not in self.daemon.text(), self.daemon.text()

    def child(self, name):
        """Returns the pid of a child, None while there is none."""
        for pid, command in children(self.daemon.pid).items():
            if command.split(" ")[0].endswith("/" + name):
                return pid
        return None

    def new_child(self, name, former):
        return wait_until(lambda: (lambda pid: pid != former and pid)(self.child(name)), f"a new {name}")

    def play(self, *argv, status=0):
        done = run(program("milterplay"), "--socket", self.keys["milter"]["socket"], "--client", "203.0.113.5",
                   "-r", "<b@example.org>", *argv, status=status)
        return mtlib.json_lines(done.stdout)

    def play_one(self, verdict="accept"):
        lines = self.play(MINIMAL)
        equal([line["verdict"] for line in lines], [verdict], self.daemon.text())

    def events(self):
        with contextlib.closing(sqlite3.connect(f"{self.root}/spool/spool.db")) as spool:
            return [mtlib.json.loads(row[0]) for row in spool.execute("SELECT event FROM entry ORDER BY n")]

    def count(self):
        with contextlib.closing(sqlite3.connect(f"{self.root}/spool/spool.db")) as spool:
            return spool.execute("SELECT count(*) FROM entry").fetchone()[0]


class Mta:
    """The MTA's side of one connection, a step at a time."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(mtlib.DEADLINE)
        self.socket.connect(path)

    def send(self, command, payload=b""):
        self.socket.sendall(struct.pack(">I", len(payload) + 1) + command + payload)

    def read(self, count):
        got = b""
        while len(got) < count:
            piece = self.socket.recv(count - len(got))
            if not piece:
                raise EOFError("the milter hung up")
            got += piece
        return got

    def reply(self):
        body = self.read(struct.unpack(">I", self.read(4))[0])
        return body[:1], body[1:]

    def negotiate(self):
        """Offers a version 6 MTA without no-reply flags: each command has its answer."""
        self.send(b"O", struct.pack(">III", 6, 0x1FF, 0))
        equal(self.reply()[0], b"O", "negotiation")

    def step(self, command, payload=b""):
        self.send(command, payload)
        return self.reply()[0]

    def begin(self):
        self.negotiate()
        equal(self.step(b"C", b"client.example\x004" + struct.pack(">H", 25) + b"203.0.113.5\0"), b"c")
        equal(self.step(b"H", b"client.example\0"), b"c")
        equal(self.step(b"M", b"<a@example.com>\0"), b"c")
        equal(self.step(b"R", b"<b@example.org>\0"), b"c")
        equal(self.step(b"L", b"Subject\0 slow\0"), b"c")
        equal(self.step(b"N"), b"c")

    def end(self):
        """Returns the final answer, changes of the header left out."""
        self.send(b"E")
        command = b"i"
        while command in (b"i", b"h", b"m", b"p"):
            command = self.reply()[0]
        return command


# ---- configuration ----


@test
def a_good_configuration_is_said_to_be_good_in_one_line_and_nothing_is_opened():
    place = Place()
    done = place.check(0)
    equal(len(done.stdout.splitlines()), 1, done.stdout)
    equal(done.stderr, "")
    equal(os.path.exists(place.path), False, "the socket")
    equal(os.listdir(f"{place.root}/spool"), [], "the spool")


def refused(place, pattern):
    """Both -t and a start say the same one line, with exit status 2, and open nothing."""
    for argv in (["-t"], []):
        done = run(program("mailtrace-milter"), "--config", place.config, *argv, status=2)
        equal(done.stdout, "")
        equal(len(done.stderr.splitlines()), 1, done.stderr)
        assert re.search(pattern, done.stderr), done.stderr
        equal(os.path.exists(place.path), False, "the socket")
        equal(os.listdir(f"{place.root}/spool"), [], "the spool")


@test
def a_wrong_configuration_is_one_line_with_file_and_line_and_exit_status_2():
    place = Place()
    place.keys["milter"]["sockte"] = "x"
    place.write()
    refused(place, r"mailtrace\.conf:\d+: .*sockte.*socket")
    for group, key, value in (("milter", "socket", "tcp:1"), ("site", "site_key", "/nonexistent/key"),
                              ("milter", "temp_directory", "/nonexistent/tmp"),
                              ("spool", "directory", "/nonexistent/spool"), ("milter", "backlog", "-1")):
        place = Place()
        place.keys[group][key] = value
        place.write()
        refused(place, r"mailtrace\.conf:\d+: ")


@test
def a_configuration_that_is_not_there_or_too_large_is_refused():
    place = Place()
    os.unlink(place.config)
    refused(place, r"mailtrace\.conf: cannot be read: No such file")
    place.write("#" + "x" * 64 * 1024 + "\n")
    refused(place, r"mailtrace\.conf:1: larger than")


@test
def unknown_options_and_arguments_are_refused():
    for argv in (["--nonsense"], ["surplus"]):
        done = run(program("mailtrace-milter"), *argv, status=2)
        equal(len(done.stderr.splitlines()), 1, done.stderr)


# ---- the socket ----


@test
def the_socket_has_its_mode_and_group_and_is_removed_at_the_end():
    group = grp.getgrgid(os.getgid()).gr_name
    place = Place(socket_mode="0620", socket_group=group)
    daemon = place.start()
    status = os.stat(place.path)
    equal(stat.S_IMODE(status.st_mode), 0o620)
    equal(status.st_gid, os.getgid())
    place.stop()
    equal(os.path.exists(place.path), False)


@test
def a_socket_left_behind_is_replaced_and_a_live_one_is_not():
    place = Place()
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as left:
        left.bind(place.path)
    place.start()
    place.play_one()
    done = run(program("mailtrace-milter"), "--config", place.config, "--stderr", status=1)
    assert "another process listens" in done.stderr, done.stderr
    place.play_one()
    place.stop()


@test
def a_file_in_the_place_of_the_socket_is_left_alone():
    place = Place()
    with open(place.path, "w") as handle:
        handle.write("precious")
    run(program("mailtrace-milter"), "--config", place.config, "--stderr", status=2)
    with open(place.path) as handle:
        equal(handle.read(), "precious")


@test
def it_serves_over_tcp():
    port = mtlib.free_port()
    place = Place(socket=f"inet:{port}@127.0.0.1")
    place.start()
    place.play_one()
    place.stop()


@test
def no_process_keeps_the_rights_of_root_when_a_user_is_set():
    name = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    user = pwd.getpwnam(name)
    place = Place(user=name)
    if os.getuid() == 0:
        for folder in ("", "spool", "tmp", "run", "site.key", "mailtrace.conf"):
            os.chown(os.path.join(place.root, folder), user.pw_uid, user.pw_gid)
    daemon = place.start()
    place.play_one()
    for pid in [daemon.pid, *children(daemon.pid)]:
        with open(f"/proc/{pid}/status") as handle:
            ids = re.search(r"^Uid:\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)$", handle.read(), re.M).groups()
        equal(set(ids), {str(user.pw_uid)}, f"of {pid}")
    place.stop()


# ---- reload ----


def notify_socket(place):
    """Takes the service manager's place."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(f"{place.root}/notify")
    listener.settimeout(mtlib.DEADLINE)
    return listener


def wait_notice(listener, wanted):
    """Reads notices until one has this line, signs of life aside."""
    while True:
        lines = listener.recv(4096).decode().splitlines()
        if wanted in lines:
            return lines


@test
def reloads_under_load_drop_no_connection_and_end_no_process():
    place = Place()
    with contextlib.closing(notify_socket(place)) as manager:
        daemon = place.start(NOTIFY_SOCKET=f"{place.root}/notify")
        wait_notice(manager, "READY=1")
        before = (place.new_child("milter", None), place.new_child("scanner", None))
        player = subprocess.Popen(
            [program("milterplay"), "--socket", f"unix:{place.path}", "--client", "203.0.113.5",
             "-f", "<a@example.com>", "-r", "<b@example.org>", "--connections", "4", "--per-connection", "5", "--total", str(LOAD), MINIMAL],
            stdout=subprocess.PIPE, text=True)
        for number in range(50):
            place.keys["milter"]["backlog"] = str(100 + number)
            place.write()
            daemon.signal(signal.SIGHUP)
            wait_notice(manager, "RELOADING=1")
            wait_notice(manager, "READY=1")
        figures = mtlib.json_lines(player.communicate(timeout=mtlib.DEADLINE)[0])[0]
        equal(player.returncode, 0, str(figures))
        equal(figures["failed"], 0)
        equal((place.child("milter"), place.child("scanner")), before, "the processes")
        equal(place.count(), LOAD, "events")
        place.stop()
        wait_notice(manager, "STOPPING=1")


@test
def a_burst_of_reloads_ends_with_the_newest_configuration():
    place = Place(stamp="inbound")
    place.start()
    for number in range(20):
        place.keys["milter"]["stamp"] = "outbound" if number % 2 else "inbound"
        place.write()
        place.daemon.signal(signal.SIGHUP)
    wait_until(lambda: place.play(MINIMAL)[0]["changes"] == [], "the last configuration holds")
    place.stop()


@test
def a_wrong_new_configuration_is_told_and_the_former_one_stays():
    place = Place()
    place.start()
    place.write("[milter]\nnonsense = 1\n")
    place.daemon.signal(signal.SIGHUP)
    wait_until(lambda: "reload-refused" in place.daemon.text(), "the refusal is logged")
    assert re.search(r"reload-refused.*mailtrace\.conf:\d+", place.daemon.text()), place.daemon.text()
    place.play_one()
    place.stop()


@test
def a_new_number_of_workers_brings_a_new_scanner_and_loses_no_message():
    place = Place()
    place.start()
    former = place.new_child("scanner", None)
    place.keys["scanner"]["workers"] = "1"
    place.write()
    place.daemon.signal(signal.SIGHUP)
    wait_until(lambda: former not in children(place.daemon.pid), "the former scanner has ended")
    place.new_child("scanner", former)
    place.play_one()
    equal([event["unmapped"]["mailtrace"].get("unread") for event in place.events()], [None])
    place.stop()


# ---- restart ----


@test
def a_milter_process_that_is_killed_is_replaced_and_no_connection_refused():
    place = Place()
    place.start()
    for _ in range(3):
        former = place.child("milter")
        os.kill(former, signal.SIGKILL)
        place.play_one()
        place.new_child("milter", former)
    equal(place.count(), 3, "events")
    place.stop()


@test
def a_scanner_that_is_killed_is_replaced_and_messages_are_read():
    place = Place()
    place.start()
    place.play_one()
    for _ in range(3):
        former = place.new_child("scanner", None)
        os.kill(former, signal.SIGKILL)
        place.new_child("scanner", former)
        place.play_one()
    equal([event["unmapped"]["mailtrace"].get("unread") for event in place.events()], [None] * 4)
    place.stop()


@test
def the_temporary_folder_of_a_worker_that_ends_goes_with_it():
    place = Place()
    place.start()
    place.play_one()
    scanner = place.child("scanner")

    def folders():
        return set(glob.glob(f"/dev/shm/mailtrace-{scanner}-*"))

    wait_until(lambda: len(folders()) == len(children(scanner)) > 0, "each worker has a folder")
    former = folders()
    for folder in former:
        os.makedirs(f"{folder}/clamav/deep")
        os.symlink(place.config, f"{folder}/clamav/deep/link")
    for worker in children(scanner):
        os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not former & folders(), "their folders go")
    equal(place.child("scanner"), scanner, "which is the same")
    assert os.path.exists(place.config), "no link is followed"
    place.play_one()
    place.stop()
    equal(folders(), set())


@test
def a_program_that_is_not_there_is_told_and_the_start_given_up():
    place = Place()
    done = run(program("mailtrace-milter"), "--config", place.config, "--stderr", status=1,
               env=environment(MAILTRACE_LIBEXEC_DIR=place.root))
    assert "process-ended" in done.stderr and "127" in done.stderr, done.stderr
    equal(os.path.exists(place.path), False)


@test
def a_spool_in_use_is_told_and_the_start_given_up():
    place = Place()
    place.start()
    other = Place()
    other.keys["spool"]["directory"] = place.keys["spool"]["directory"]
    other.write()
    done = run(program("mailtrace-milter"), "--config", other.config, "--stderr", status=1)
    assert re.search("start-failed.*spool", done.stderr), done.stderr
    place.play_one()
    place.stop()


@test
def after_a_supervisor_that_was_killed_the_next_starts_at_once_and_takes_over():
    place = Place()
    place.start()
    mta = Mta(place.path)
    mta.begin()
    place.daemon.process.kill()  # it alone: its children wait for the end of the message
    place.daemon.process.wait()
    former = place.daemon
    place.daemon = Daemon([program("mailtrace-milter"), "--config", place.config, "--stderr"], place.log + ".next",
                          env=environment())
    mta.socket.close()
    wait_until(lambda: " ready " in place.daemon.text() or not place.daemon.alive(), "the next one is ready")
    assert place.daemon.alive(), place.daemon.text() + former.text()
    place.play_one()
    equal(place.count(), 1, "events")
    place.stop()


# ---- stop ----


@test
def a_message_under_way_is_finished_before_the_end():
    place = Place()
    place.start()
    mta = Mta(place.path)
    mta.begin()
    place.daemon.signal(signal.SIGTERM)
    wait_until(lambda: " stopping" in place.daemon.text(), "the stop has begun")
    late = Mta(place.path)  # waits in the queue; is not served any more
    equal(mta.step(b"B", b"body\r\n"), b"c")
    equal(mta.end() in (b"a", b"c"), True, "accepted")
    mta.send(b"Q")
    mta.socket.close()
    equal(place.daemon.process.wait(mtlib.DEADLINE), 0, place.daemon.text())
    late.socket.close()
    equal(place.count(), 1, "events")


@test
def a_connection_that_does_not_end_is_cut_in_time():
    place = Place()
    place.start()
    mta = Mta(place.path)
    mta.begin()
    begun = time.monotonic()
    place.stop()
    assert time.monotonic() - begun < 30, "the deadline of the stop"
    mta.socket.close()
    equal(place.count(), 0, "events")


@test
def an_idle_one_stops_at_once():
    place = Place()
    place.start()
    begun = time.monotonic()
    place.stop()
    assert time.monotonic() - begun < 4, f"{time.monotonic() - begun} s"


@test
def a_reader_of_its_log_that_goes_ends_nothing():
    """As `mailtrace-milter --stderr 2>&1 | logger` may see; SIGPIPE would end the supervisor."""
    place = Place()
    place.write()
    reader = subprocess.Popen([program("mailtrace-milter"), "--config", place.config, "--stderr"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              env=environment(), start_new_session=True)
    with contextlib.ExitStack() as ending:
        ending.callback(lambda: reader.poll() is None and os.killpg(reader.pid, signal.SIGKILL))
        while b" ready " not in (line := reader.stderr.readline()):
            assert line, "it ended before it was ready"
        reader.stderr.close()
        reader.send_signal(signal.SIGHUP)  # "reloaded" has nobody to read it
        equal([line["verdict"] for line in place.play(MINIMAL)], ["accept"])
        reader.terminate()
        equal(reader.wait(mtlib.DEADLINE), 0, "exit status")


@test
def no_process_survives_a_supervisor_that_is_killed():
    place = Place()
    place.start()
    left = list(children(place.daemon.pid))
    equal(len(left), 2)
    place.daemon.process.kill()
    place.daemon.process.wait()
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in left), "its children have ended")


@test
def the_service_manager_hears_of_life():
    place = Place()
    with contextlib.closing(notify_socket(place)) as manager:
        place.start(NOTIFY_SOCKET=f"{place.root}/notify")
        wait_notice(manager, "READY=1")
        for _ in range(2):
            wait_notice(manager, "WATCHDOG=1")
        place.stop()


mtlib.main()
