# SPDX-License-Identifier: BSD-2-Clause
"""What the whole-program tests share: TAP, processes, waiting, a private site.

A test script defines functions decorated with @test and ends with main().
Everything lives in one temporary directory, everything that was started is
ended by its pid, and nothing waits by sleeping: wait_until() asks for the
condition until its deadline.
"""
import atexit
import base64
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback

SOURCE = os.path.abspath(os.environ.get("top_srcdir") or os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.abspath(os.environ.get("top_builddir") or os.path.join(SOURCE, "build"))
TESTDATA = os.path.join(SOURCE, "testdata")
# What a loaded machine may need; conditions are met far sooner.
DEADLINE = float(os.environ.get("MAILTRACE_TEST_DEADLINE", "60"))

_tests = []


def test(function):
    """Marks a function as a test, named for the property it shows."""
    _tests.append(function)
    return function


class Skip(Exception):
    """Raised only where the machine lacks what the test is about, never to pass."""


def main():
    """Runs the tests in order and prints TAP; the exit status says if all passed."""
    only = sys.argv[1:]
    chosen = [t for t in _tests if not only or t.__name__ in only]
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    for number, function in enumerate(chosen, 1):
        name = function.__name__
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Skip as why:
            print(f"ok {number} - {name} # SKIP {why}", flush=True)
        except Exception:
            failed += 1
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
            print(f"not ok {number} - {name}", flush=True)
    sys.exit(1 if failed else 0)


def equal(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{what}\n  wanted {wanted!r}\n  got    {got!r}")


def wait_until(condition, what, deadline=DEADLINE):
    """Returns the first true value of condition(); raises after deadline seconds."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {what}")
        time.sleep(0.02)


# Below those that Linux gives to connections, which come and go.
PORTS = range(10000, 32768)
_ports = []


def free_port():
    """Returns a TCP port of loopback that nobody listens at; until this test ends, no other test is given it."""
    while True:
        port = random.choice(PORTS)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            # A name that ends with the process that has it.
            ours = socket.socket(socket.AF_UNIX)
            ours.bind(f"\0mailtrace-test-port-{port}")
            _ports.append(ours)
            return port


def listens(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def accepts(path):
    """Whether somebody listens at a unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def temporary_directory(prefix="mailtrace-test.", parent=None):
    """Makes a directory that is removed at the end, unless MAILTRACE_KEEP is set."""
    path = tempfile.mkdtemp(prefix=prefix, dir=parent)
    os.chmod(path, 0o755)
    if not os.environ.get("MAILTRACE_KEEP"):
        atexit.register(shutil.rmtree, path, True)
    return path


def program(name):
    """Returns the path of a program of the build tree."""
    places = {"mailtrace": "investigate/mailtrace", "mailtrace-milter": "milter/mailtrace-milter",
              "milterplay": "tests/tools/milterplay"}
    path = os.path.join(BUILD, places.get(name, name))
    if not os.access(path, os.X_OK):
        raise AssertionError(f"{path} is not built")
    return path


def libexec():
    """Makes one folder of links to the helpers of the build tree, as if installed."""
    folder = os.path.join(BUILD, "tests", "libexec")
    os.makedirs(folder, exist_ok=True)
    for source in ("milter/milter", "milter/scanner", "investigate/collect", "investigate/watch", "investigate/emit",
                   "milter/decompress", "milter/follow", "investigate/actuator-mailstore", "investigate/actuator-openc2",
                   "investigate/actuator-queue", "investigate/queue-helper", "investigate/seal"):
        target = os.path.join(BUILD, source)
        link = os.path.join(folder, os.path.basename(source))
        if os.path.exists(target) and not os.path.lexists(link):
            with contextlib.suppress(FileExistsError):
                os.symlink(target, link)
    return folder


def environment(**extra):
    env = dict(os.environ, MAILTRACE_LIBEXEC_DIR=libexec(), LC_ALL="C.UTF-8", TZ="Asia/Tokyo")
    env.pop("NOTIFY_SOCKET", None)
    env.update(extra)
    return env


def run(*argv, status=0, stdin=None, text=True, **keywords):
    """Runs a program to its end; status is the exit status it must have (None: any)."""
    done = subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, text=text,
                          env=keywords.pop("env", None) or environment(),
                          timeout=keywords.pop("timeout", 300), check=False, **keywords)
    if status is not None and done.returncode != status:
        raise AssertionError(f"{argv}: exit {done.returncode}, wanted {status}\n"
                             f"stdout: {done.stdout}\nstderr: {done.stderr}")
    return done


class Daemon:
    """A program in the background, its output in a file, ended by pid."""

    def __init__(self, argv, log, env=None, **keywords):
        self.log = log
        self.output = open(log, "ab")
        self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=subprocess.STDOUT,
                                        env=env or environment(), start_new_session=True, **keywords)
        atexit.register(self.kill)

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def text(self):
        with open(self.log, errors="replace") as handle:
            return handle.read()

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, status=0, deadline=DEADLINE):
        """Asks it to end, and checks how it did."""
        self.process.terminate()
        got = self.process.wait(deadline)
        equal(got, status, f"exit status of {self.process.args[0]}; log:\n{self.text()}")

    def kill(self):
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.output.close()


def children(pid):
    """Returns {pid: command line} of a process's children."""
    found = {}
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        with open(f"/proc/{pid}/task/{pid}/children") as handle:
            for child in handle.read().split():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    with open(f"/proc/{child}/cmdline", "rb") as command:
                        found[int(child)] = command.read().replace(b"\0", b" ").decode().strip()
    return found


def json_lines(text):
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def journal(site):
    """The journal's entries, oldest first, as the store keeps them."""
    entries = []
    with contextlib.closing(sqlite3.connect(f"file:{site.root}/store/mailtrace.db?mode=ro", uri=True)) as store:
        for (text,) in store.execute("SELECT entry FROM journal ORDER BY seq"):
            event = json.loads(text)
            ours = event["unmapped"]["mailtrace"]
            user = event["actor"]["user"]
            entries.append({"verb": ours["verb"], "arguments": ours["arguments"], "results": ours.get("results"),
                            "case": event["metadata"].get("correlation_uid"), "reason": ours.get("reason"),
                            "uid": int(user.get("uid", -1)), "tenant": event["metadata"]["tenant_uid"],
                            "status": event["status"], "detail": event.get("status_detail"), "event": event})
    return entries


class Site:
    """A private mailtrace: configuration, keys, milter and collector."""

    def __init__(self, root=None, socket_address=None, **settings):
        self.root = root or temporary_directory()
        self.config = os.path.join(self.root, "mailtrace.conf")
        self.socket = socket_address or f"unix:{self.root}/milter.sock"
        self.milter = self.collector = self.follower = None
        for folder in ("keys", "spool", "store", "run", "tmp"):
            os.makedirs(os.path.join(self.root, folder), exist_ok=True)
            os.chmod(os.path.join(self.root, folder), 0o750)
        self.settings = {
            "site": {"sensor": "mx1", "tenant": "default", "local_domains": "example.org",
                     "local_networks": "127.0.0.0/8;::1/128", "site_key": f"{self.root}/keys/site.key"},
            "milter": {"socket": self.socket, "socket_group": "", "user": "",
                       "temp_directory": f"{self.root}/tmp"},
            "scanner": {"workers": "2"},
            "policy": {},
            "spool": {"directory": f"{self.root}/spool"},
            "bus": {"collector": f"ipc://{self.root}/run/bus.sock",
                    "sensor_key": f"{self.root}/keys/mx1.key",
                    "collector_public_key": f"{self.root}/keys/collector.pub"},
            "collector": {"listen": f"ipc://{self.root}/run/bus.sock",
                          "publish": f"ipc://{self.root}/run/live.sock",
                          "key": f"{self.root}/keys/collector.key",
                          "authorized_keys": f"{self.root}/keys/authorized_keys",
                          "control_socket": f"{self.root}/run/control.sock",
                          "expected_sensors": "mx1"},
            "store": {"url": f"sqlite:{self.root}/store/mailtrace.db"},
        }
        for group, values in settings.items():
            self.settings.setdefault(group, {}).update(values)
        self.write_config()

    def write_config(self):
        with open(self.config, "w") as handle:
            for group, values in self.settings.items():
                handle.write(f"[{group}]\n")
                for key, value in values.items():
                    handle.write(f"{key} = {value}\n")

    def set(self, group, **values):
        self.settings.setdefault(group, {}).update(values)
        self.write_config()

    def mailtrace(self, *argv, **keywords):
        return run(program("mailtrace"), "--config", self.config, *argv, **keywords)

    def make_keys(self):
        keys = f"{self.root}/keys"
        self.mailtrace("keygen", "--type", "site", keys, "site")
        self.mailtrace("keygen", "--type", "collector", keys, "collector")
        self.mailtrace("keygen", "--type", "sensor", keys, "mx1")
        self.mailtrace("sensor", "add", "mx1", f"{keys}/mx1.pub")

    def start_collector(self, **env):
        log = f"{self.root}/collect.log"
        self.collector = Daemon([program("mailtrace"), "--config", self.config, "collect"], log,
                                env=environment(**env))
        # A socket is there a moment before anybody listens at it.
        wait_until(lambda: accepts(f"{self.root}/run/control.sock") or not self.collector.alive(),
                   "the collector listens")
        assert self.collector.alive(), self.collector.text()
        return self.collector

    def launch_milter(self, **env):
        self.milter = Daemon([program("mailtrace-milter"), "--config", self.config, "--stderr"], f"{self.root}/milter.log",
                             env=environment(**env))

    def start_milter(self, **env):
        self.launch_milter(**env)
        wait_until(lambda: self.milter_answers() or not self.milter.alive(), "the milter listens")
        assert self.milter.alive(), self.milter.text()
        return self.milter

    def start_follow(self, log):
        """Follows an MTA's log, with a key of its own."""
        os.makedirs(f"{self.root}/follow", exist_ok=True)
        self.set("follow", log=log, **{"from": "beginning"}, spool_directory=f"{self.root}/follow",
                 key=f"{self.root}/keys/mx1-follow.key")
        if not os.path.exists(f"{self.root}/keys/mx1-follow.key"):
            self.mailtrace("keygen", "--type", "sensor", f"{self.root}/keys", "mx1-follow")
            self.mailtrace("sensor", "add", "mx1-follow", f"{self.root}/keys/mx1-follow.pub")
        self.follower = Daemon([program("mailtrace"), "--config", self.config, "follow"], f"{self.root}/follow.log")
        return self.follower

    def follow_too(self, name, log, form="dovecot"):
        """Follows the log of another server with a follower, a key and a configuration of its own."""
        self.mailtrace("keygen", "--type", "sensor", f"{self.root}/keys", f"{name}-follow")
        self.mailtrace("sensor", "add", f"{name}-follow", f"{self.root}/keys/{name}-follow.pub")
        wait_until(lambda: os.path.exists(log), f"{log} is there")
        other = Site(root=temporary_directory())
        other.settings = {group: dict(values) for group, values in self.settings.items()}
        os.makedirs(f"{other.root}/follow")
        other.set("follow", log=log, format=form, spool_directory=f"{other.root}/follow",
                  key=f"{self.root}/keys/{name}-follow.key", **{"from": "beginning"})
        return Daemon([program("mailtrace"), "--config", other.config, "follow"], f"{other.root}/follow.log")

    def milter_answers(self):
        return run(program("milterplay"), "--socket", self.socket, "--timeout", "5", "--stop-at", "connect",
                   os.path.join(SOURCE, "tests/data/minimal.eml"), status=None).returncode == 0

    def play(self, *argv, status=0):
        """Plays messages through the milter; returns milterplay's lines."""
        return json_lines(run(program("milterplay"), "--socket", self.socket, *argv, status=status).stdout)

    def who(self, *argv, status=None, **keywords):
        """Asks; returns (hits, coverage)."""
        lines = json_lines(self.mailtrace("--json", "who", *argv, status=status, **keywords).stdout)
        return [l for l in lines if l["type"] == "hit"], lines[-1]

    def wait_stored(self, count, what="events in the store"):
        """Waits until the store holds this many messages."""
        def stored():
            done = self.mailtrace("--json", "status", status=None)
            for line in json_lines(done.stdout):
                if line.get("events") is not None and line["events"] >= count:
                    return line["events"]
            return None
        equal(wait_until(stored, f"{count} {what}"), count, what)

    def stop(self):
        for daemon in (self.follower, self.milter, self.collector):
            if daemon and daemon.alive():
                daemon.stop()


def make_message(path, subject="test", body="hello\r\n", attachments=(), message_id=None, extra=""):
    """Writes a message with CR LF line ends; attachments: (name, type, bytes)."""
    boundary = "=_mailtrace_test"
    lines = [f"From: Sender <sender@example.net>", "To: Someone <someone@example.org>",
             f"Subject: {subject}", "Date: Mon, 23 Nov 2026 10:00:00 +0900",
             f"Message-ID: {message_id or f'<{os.path.basename(path)}@example.net>'}", "MIME-Version: 1.0"]
    if extra:
        lines += extra.splitlines()
    if not attachments:
        text = "\r\n".join(lines + ["Content-Type: text/plain; charset=utf-8", "", body])
    else:
        lines += [f'Content-Type: multipart/mixed; boundary="{boundary}"', "", f"--{boundary}",
                  "Content-Type: text/plain; charset=utf-8", "", body]
        for name, kind, content in attachments:
            lines += [f"--{boundary}", f'Content-Type: {kind}; name="{name}"',
                      f'Content-Disposition: attachment; filename="{name}"',
                      "Content-Transfer-Encoding: base64", "",
                      base64.encodebytes(content).decode().replace("\n", "\r\n").rstrip()]
        text = "\r\n".join(lines + [f"--{boundary}--", ""])
    with open(path, "wb") as handle:
        handle.write(text.encode())
    return path


PAYLOAD = b"MZ not really a program, but the file that is asked for\n" * 40


def message_with_payload(site, name, padding=0, **keywords):
    """Writes a message with an attachment of its own; returns the paths of the message and of the file."""
    payload = f"{site.root}/{name}.exe"
    content = PAYLOAD + name.encode() + b"." * padding
    with open(payload, "wb") as handle:
        handle.write(content)
    return make_message(f"{site.root}/{name}.eml",
                        attachments=[(f"{name}.exe", "application/octet-stream", content)], **keywords), payload


@contextlib.contextmanager
def stopped_scanner(site):
    """Nobody reads messages meanwhile: the scanner and its workers stand still."""
    scanner = [pid for pid, line in children(site.milter.pid).items() if "scanner" in line][0]
    # Workers first: the scanner would replace them.
    stopped = list(children(scanner)) + [scanner]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(stopped):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def send(mx, recipients, path, sender="sender@example.net"):
    """Sends a message file to a real MTA over SMTP."""
    with mx.smtp() as smtp, open(path, "rb") as message:
        smtp.sendmail(sender, recipients, message.read())
