# SPDX-License-Identifier: BSD-2-Clause
"""A private Postfix and a private Sendmail, for the tests that need the real thing.

Each has its own configuration, queue and data directories and listens on a free
port of loopback; the system's own mail service is neither used nor touched.
Both need root, as MTAs do.
"""
import atexit
import contextlib
import ctypes
import fcntl
import glob
import grp
import os
import pwd
import shutil
import signal
import smtplib
import socket
import stat
import subprocess

import mtlib

MASTER = """\
{smtp} inet n - {chroot} - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
{extra}
"""


# Who has a mailbox at example.org; anyone else is refused at RCPT.
USERS = ("alice", "bob", "carol", "dave", "eve", "secret", "postmaster")


def need_root():
    if os.geteuid() != 0:
        raise AssertionError("a real MTA needs root: run make check-system as root (./check does, with sudo)")


class Postfix:
    """A Postfix that delivers example.org to Maildirs under root/mail/<user>/."""

    def __init__(self, milters="", chroot="n", extra_master="", world=None, **settings):
        """world: called in each child before it becomes a program of Postfix."""
        need_root()
        self.world = world
        self.root = mtlib.temporary_directory("mailtrace-postfix.")
        self.etc = f"{self.root}/etc"
        self.queue = f"{self.root}/queue"
        self.mail = f"{self.root}/mail"
        self.log = f"{self.root}/maillog"
        self.port = mtlib.free_port()
        owner = pwd.getpwnam("postfix")
        for folder in (self.etc, self.queue, self.mail, f"{self.root}/data"):
            os.makedirs(folder)
        os.chown(f"{self.root}/data", owner.pw_uid, owner.pw_gid)
        os.chown(self.mail, owner.pw_uid, owner.pw_gid)
        self.settings = {
            "compatibility_level": "3.6", "queue_directory": self.queue, "data_directory": f"{self.root}/data",
            "command_directory": "/usr/sbin", "daemon_directory": "/usr/lib/postfix/sbin",
            "mail_owner": "postfix", "setgid_group": "postdrop", "maillog_file": self.log,
            "maillog_file_prefixes": self.root, "myhostname": "mx1.example.org", "mydestination": "",
            "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "mynetworks": "127.0.0.0/8",
            "virtual_mailbox_domains": "example.org", "virtual_mailbox_base": self.mail,
            "virtual_uid_maps": f"static:{owner.pw_uid}",
            "virtual_gid_maps": f"static:{owner.pw_gid}", "virtual_minimum_uid": "1",
            "smtputf8_enable": "yes", "enable_long_queue_ids": "yes", "smtpd_peername_lookup": "no",
            "disable_dns_lookups": "yes", "smtp_host_lookup": "native", "local_recipient_maps": "",
            "smtpd_milters": milters, "non_smtpd_milters": "", "milter_default_action": "tempfail",
            "default_process_limit": "20", "smtpd_client_connection_count_limit": "0", "alias_maps": "",
            "import_environment": "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C",
        }
        self.settings.update(settings)
        # Each recipient has a Maildir of its own, so that a test sees who got what.
        self.settings["virtual_mailbox_maps"] = f"texthash:{self.etc}/boxes"
        with open(f"{self.etc}/boxes", "w") as handle:
            handle.writelines(f"{user}@example.org {user}/\n" for user in USERS)
        self.write(chroot, extra_master)

    def write(self, chroot="n", extra_master=""):
        main = "".join(f"{key} = {value}\n" for key, value in self.settings.items())
        master = MASTER.format(smtp=f"127.0.0.1:{self.port}", chroot=chroot, extra=extra_master)
        # At once: a daemon that starts and reads half of it ends, and none is started for a minute then.
        for name, text in (("main.cf", main), ("master.cf", master)):
            with open(f"{self.etc}/{name}.new", "w") as handle:
                handle.write(text)
            os.replace(f"{self.etc}/{name}.new", f"{self.etc}/{name}")

    def command(self, *argv, status=0):
        return mtlib.run("/usr/sbin/postfix", "-c", self.etc, *argv, status=status, preexec_fn=self.world)

    def start(self):
        self.command("start")
        atexit.register(self.stop)
        mtlib.wait_until(lambda: mtlib.listens(self.port), f"Postfix listens; log:\n{self.logged()}")
        return self

    def stop(self):
        subprocess.run(["/usr/sbin/postfix", "-c", self.etc, "stop"], capture_output=True, check=False)

    def reload(self):
        self.command("reload")

    def logged(self):
        with contextlib.suppress(FileNotFoundError):
            with open(self.log, errors="replace") as handle:
                return handle.read()
        return ""

    def smtp(self):
        try:
            return smtplib.SMTP("127.0.0.1", self.port, local_hostname="client.example", timeout=mtlib.DEADLINE)
        except smtplib.SMTPServerDisconnected as why:
            raise smtplib.SMTPServerDisconnected(f"{why}; log:\n{self.logged()[-4000:]}") from None

    def inbox(self, user):
        """Returns the messages delivered to user@example.org, as bytes."""
        found = []
        for path in sorted(glob.glob(f"{self.mail}/{user}/new/*")):
            with open(path, "rb") as handle:
                found.append(handle.read())
        return found

    def queued(self):
        """Returns the queue as postqueue prints it, an object a message."""
        return mtlib.json_lines(mtlib.run("/usr/sbin/postqueue", "-c", self.etc, "-j").stdout)


SENDMAIL_MC = """\
divert(-1)include(`{cf}/m4/cf.m4')divert(0)dnl
OSTYPE(`linux')dnl
define(`confLOG_LEVEL', `14')dnl
define(`confPID_FILE', `{root}/sendmail.pid')dnl
define(`QUEUE_DIR', `{root}/queue')dnl
define(`STATUS_FILE', `')dnl
define(`HELP_FILE', `')dnl
define(`ALIAS_FILE', `{root}/aliases')dnl
define(`confCW_FILE', `-o {root}/local-host-names')dnl
define(`confCT_FILE', `-o {root}/trusted-users')dnl
define(`confDEF_USER_ID', `mail:mail')dnl
define(`confDOMAIN_NAME', `mx2.example.org')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe')dnl
define(`confTO_IDENT', `0')dnl
define(`confBIND_OPTS', `-DNSRCH -DEFNAMES')dnl
define(`confSERVICE_SWITCH_FILE', `{root}/service.switch')dnl
define(`confDELIVERY_MODE', `i')dnl
define(`confQUEUE_LA', `10000')dnl
define(`confREFUSE_LA', `10000')dnl
define(`LOCAL_MAILER_PATH', `{sink}')dnl
define(`LOCAL_MAILER_ARGS', `sink $u')dnl
MODIFY_MAILER_FLAGS(`LOCAL', `-wfrm')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
DAEMON_OPTIONS(`Name=MTA, Addr=127.0.0.1, Port={port}')dnl
{milters}
MAILER_DEFINITIONS
MAILER(`local')dnl
MAILER(`smtp')dnl
LOCAL_CONFIG
Cwexample.org
"""


class Sendmail:
    """A Sendmail, unpacked from its package, that delivers example.org to files under root/mail/<user>/.

    milters: name -> (socket equate, F= flag), in order.  syslog: the socket of whoever takes its log, in place of
    an rsyslogd of its own.  users: who may log in, with their passwords.
    """

    def __init__(self, milters, syslog=None, users=None):
        need_root()
        # Not below /tmp: Sendmail distrusts whatever stands in a directory that all may write.
        self.root = mtlib.temporary_directory("mailtrace-sendmail.", "/run")
        self.package = unpack_sendmail()
        self.mail = f"{self.root}/mail"
        self.log = f"{self.root}/maillog"
        self.log_socket = syslog or f"{self.root}/log.sock"
        self.syslog = None
        self.port = mtlib.free_port()
        for folder in ("queue", "mail"):
            os.makedirs(f"{self.root}/{folder}")
        mail = pwd.getpwnam("mail")
        os.chown(self.mail, mail.pw_uid, mail.pw_gid)
        for name in ("aliases", "local-host-names", "trusted-users"):
            open(f"{self.root}/{name}", "w").close()
        with open(f"{self.root}/service.switch", "w") as handle:
            handle.write("hosts files\naliases files\n")
        self.sink = f"{self.root}/sink"
        with open(self.sink, "w") as handle:
            handle.write(f"#!/bin/sh\nset -eu\numask 022\nmkdir -p '{self.mail}'/\"$1\"\n"
                         f"exec cat > '{self.mail}'/\"$1\"/$$.$(date +%s%N)\n")
        os.chmod(self.sink, 0o755)
        lines = [f"INPUT_MAIL_FILTER(`{name}', `S={where}, F={flag}, T=C:10s;S:30s;R:30s;E:2m')dnl"
                 for name, (where, flag) in milters.items()]
        self.sasl = None
        if users:
            self.know_users(users)
            lines.append("define(`confAUTH_MECHANISMS', `CRAM-MD5 DIGEST-MD5 PLAIN LOGIN')dnl")
        self.make_cf("\n".join(lines))

    def know_users(self, users):
        """Cyrus SASL with a database of its own: user -> password, in the realm of this host's name."""
        self.sasl = f"{self.root}/sasl2"
        shutil.copytree(sasl_plugins(), self.sasl)
        with open(f"{self.sasl}/Sendmail.conf", "w") as handle:
            handle.write("pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: CRAM-MD5 DIGEST-MD5 PLAIN LOGIN\n"
                         f"sasldb_path: {self.root}/sasldb2\n")
        for user, password in users.items():
            mtlib.run(f"{self.package}/usr/sbin/saslpasswd2", "-p", "-c", "-f", f"{self.root}/sasldb2",
                      "-u", "mx2.example.org", user, stdin=password)
        os.chmod(f"{self.root}/sasldb2", 0o600)

    def make_cf(self, milters):
        cf = f"{self.package}/usr/share/sendmail/cf"
        source = SENDMAIL_MC.format(cf=cf, root=self.root, port=self.port, sink=self.sink, milters=milters)
        with open(f"{self.root}/sendmail.mc", "w") as handle:
            handle.write(source)
        made = mtlib.run("m4", f"-D_CF_DIR_={cf}/", f"{self.root}/sendmail.mc")
        with open(f"{self.root}/sendmail.cf", "w") as handle:
            handle.write(made.stdout)

    def sendmail(self, *argv, status=0):
        return mtlib.run(f"{self.package}/usr/libexec/sendmail/sendmail", f"-C{self.root}/sendmail.cf", *argv,
                         status=status, preexec_fn=self.own_world)

    def own_world(self):
        """In the child: a host name of its own, and a /dev/log that is this Sendmail's syslogd."""
        own_host_name()
        own_dev_log(self.log_socket)
        if self.sasl:
            own_file(sasl_plugins(), self.sasl)

    def start_syslog(self):
        """Sendmail logs by syslog(3) only: a real rsyslogd listens for it, and for nobody else."""
        if os.path.exists(self.log_socket):
            return
        with open(f"{self.root}/rsyslog.conf", "w") as handle:
            handle.write('module(load="imuxsock" SysSock.Use="off")\n'
                         f'input(type="imuxsock" Socket="{self.log_socket}" RateLimit.Interval="0")\n'
                         f'action(type="omfile" file="{self.root}/maillog" template="RSYSLOG_FileFormat"'
                         ' fileOwner="root")\n')
        self.syslog = mtlib.Daemon(["/usr/sbin/rsyslogd", "-n", "-f", f"{self.root}/rsyslog.conf",
                                    "-i", f"{self.root}/rsyslog.pid"], f"{self.root}/rsyslog.log",
                                   preexec_fn=own_host_name)
        mtlib.wait_until(lambda: os.path.exists(self.log_socket) or not self.syslog.alive(),
                         "rsyslogd listens")
        assert self.syslog.alive(), self.syslog.text()

    def logged(self):
        with contextlib.suppress(FileNotFoundError):
            with open(self.log, errors="replace") as handle:
                return handle.read()
        return ""

    def start(self):
        self.start_syslog()
        self.sendmail("-bi")
        self.daemon = mtlib.Daemon([f"{self.package}/usr/libexec/sendmail/sendmail", f"-C{self.root}/sendmail.cf",
                                    "-bD", "-q1h", "-X", f"{self.root}/traffic"], f"{self.root}/daemon.log",
                                   preexec_fn=self.own_world)
        mtlib.wait_until(lambda: mtlib.listens(self.port) or not self.daemon.alive(), "Sendmail listens")
        assert self.daemon.alive(), self.daemon.text()
        return self

    def stop(self):
        self.daemon.kill()
        if self.syslog:
            self.syslog.kill()

    def smtp(self):
        try:
            return smtplib.SMTP("127.0.0.1", self.port, local_hostname="client.example", timeout=mtlib.DEADLINE)
        except smtplib.SMTPServerDisconnected as why:
            raise smtplib.SMTPServerDisconnected(f"{why}; log:\n{self.logged()[-4000:]}") from None

    def inbox(self, user):
        found = []
        for path in sorted(glob.glob(f"{self.mail}/{user}/*")):
            with open(path, "rb") as handle:
                found.append(handle.read())
        return found

    def queue_files(self, prefix):
        """Returns the control files of the queue: "qf" waiting, "hf" quarantined."""
        return sorted(glob.glob(f"{self.root}/queue/{prefix}*"))


def sasl_plugins():
    """Where libsasl2 has its plugins, and looks for what Sendmail asks of it."""
    return glob.glob("/usr/lib/*/sasl2")[0]


def own_host_name():
    """Gives the calling process a host name of its own: Sendmail sleeps a minute over one without a dot."""
    clone_newuts = 0x04000000
    if ctypes.CDLL(None, use_errno=True).unshare(clone_newuts) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    socket.sethostname("mx2.example.org")


def own_mounts():
    """Gives the calling process mounts of its own; returns a function that makes one."""
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newns, ms_private = 0x00020000, 0x40000

    def checked(what, result):
        if result != 0:
            raise OSError(ctypes.get_errno(), what)

    def mount(source, target, kind, flags):
        checked(f"mount {target}", libc.mount(source.encode(), target.encode(), kind, flags, None))

    checked("unshare", libc.unshare(clone_newns))
    mount("none", "/", None, MS_REC | ms_private)
    return mount


MS_BIND, MS_REC = 0x1000, 0x4000


def own_file(target, path):
    """Gives the calling process a file of its own under the name of one that exists."""
    own_mounts()(path, target, None, MS_BIND)


def own_dev_log(path):
    """Gives the calling process a /dev of its own, where /dev/log is the socket at path."""
    mount = own_mounts()
    mount("tmpfs", "/dev", b"tmpfs", 0)
    os.chmod("/dev", 0o755)
    for name, minor in (("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)):
        os.mknod(f"/dev/{name}", 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        os.chmod(f"/dev/{name}", 0o666)
    open("/dev/log", "w").close()
    mount(path, "/dev/log", None, MS_BIND)


def machine_id():
    with open("/etc/machine-id", encoding="ascii") as handle:
        return handle.read().strip()


class Journald:
    """A systemd-journald of its own: who is in its world logs to it, and reads it as this machine's journal.

    flushed: it writes to disk from the beginning, as after boot; else to /run until it is told to flush.
    """

    def __init__(self, flushed=True):
        need_root()
        self.root = mtlib.temporary_directory("mailtrace-journald.")
        self.run, self.log = f"{self.root}/run", f"{self.root}/log"
        self.socket = f"{self.run}/systemd/journal/dev-log"
        os.makedirs(f"{self.run}/systemd/journal")
        os.makedirs(f"{self.run}/log")
        os.makedirs(f"{self.log}/journal")
        if flushed:
            open(f"{self.run}/systemd/journal/flushed", "w").close()
        with open(f"{self.root}/journald.conf", "w") as handle:
            handle.write("[Journal]\nStorage=persistent\nAudit=\nReadKMsg=no\nForwardToSyslog=no\n"
                         "ForwardToWall=no\nSystemMaxUse=64M\nSystemMaxFileSize=8M\n")
        self.daemon = mtlib.Daemon(["/lib/systemd/systemd-journald"], f"{self.root}/journald.log",
                                   preexec_fn=self.own_folders)
        self.wait_file(self.log if flushed else f"{self.run}/log")
        self.folder = f"{self.log}/journal/{machine_id()}"

    def wait_file(self, folder):
        mtlib.wait_until(lambda: os.path.exists(f"{folder}/journal/{machine_id()}/system.journal") or
                         not self.daemon.alive(), "journald writes")
        assert self.daemon.alive(), self.daemon.text()

    def flush(self):
        self.daemon.signal(signal.SIGUSR1)
        self.wait_file(self.log)

    def own_folders(self):
        """In the child: /run, /var/log and the configuration of this journald, and no way to the kernel's audit."""
        clone_newnet = 0x40000000
        mount = own_mounts()
        mount(f"{self.root}/journald.conf", "/etc/systemd/journald.conf", None, MS_BIND)
        mount(self.log, "/var/log", None, MS_BIND)
        mount(self.run, "/run", None, MS_BIND)
        if ctypes.CDLL(None, use_errno=True).unshare(clone_newnet) != 0:
            raise OSError(ctypes.get_errno(), "unshare")

    def reader(self, keep):
        """In the child: this journal is the machine's.  keep: a folder that is needed, be it in /run."""
        mount = own_mounts()
        if keep.startswith("/run/"):
            os.makedirs(self.root + keep, exist_ok=True)
            mount(keep, self.root + keep, None, MS_BIND)
        mount(self.log, "/var/log", None, MS_BIND)
        mount(self.run, "/run", None, MS_BIND | MS_REC)

    def writer(self):
        """In the child: syslog(3) leads here."""
        own_dev_log(self.socket)

    def say(self, tag, text):
        """An entry of root's, by logger(1)."""
        mtlib.run("logger", "-u", self.socket, "-t", tag, "--id=9", "-p", "mail.info", text)

    def rotate(self):
        before = len(os.listdir(self.folder))
        self.daemon.signal(signal.SIGUSR2)
        mtlib.wait_until(lambda: len(os.listdir(self.folder)) > before, "journald rotates")

    def lines(self, *matches):
        """What journalctl(1) shows, a line an entry."""
        return mtlib.run("journalctl", "-q", "-D", self.folder, "-o", "cat", *matches).stdout.splitlines()

    def stop(self):
        self.daemon.stop()


def unpack_sendmail():
    """Unpacks Debian's Sendmail, which conflicts with Postfix, into a folder of the build tree."""
    folder = os.path.join(mtlib.BUILD, "tests", "sendmail")
    with alone_in(os.path.dirname(folder)):
        if not all(os.access(f"{folder}/usr/{name}", os.X_OK) for name in ("libexec/sendmail/sendmail", "sbin/saslpasswd2")):
            unpack_sendmail_into(folder)
    return folder


@contextlib.contextmanager
def alone_in(folder):
    """No other test is in here meanwhile, with the same folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def unpack_sendmail_into(folder):
    work = f"{folder}.tmp"
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(f"{work}/deb")
    mtlib.run("apt-get", "download", "-q", "sendmail-bin", "sendmail-cf", "sendmail-base", "sasl2-bin",
              cwd=f"{work}/deb", timeout=600)
    for package in glob.glob(f"{work}/deb/*.deb"):
        mtlib.run("dpkg", "-x", package, work)
    shutil.rmtree(f"{work}/deb")
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(work, folder)


def group_exists(name):
    with contextlib.suppress(KeyError):
        return bool(grp.getgrnam(name))
    return False
