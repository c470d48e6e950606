# SPDX-License-Identifier: BSD-2-Clause
"""A private Dovecot, for the tests that need the real thing.

Its own configuration, mailboxes and users in a temporary directory, listening on
free ports of loopback with IMAP, POP3, LMTP and the doveadm HTTP API; the
system's own service is neither used nor touched.  Needs root, as Dovecot does.
The quarantine is configured as mailtrace-mailstore(8) tells administrators to, and
what it logs as mailtrace.conf(5) does.
"""
import atexit
import base64
import contextlib
import glob
import imaplib
import json
import os
import poplib
import pwd
import signal
import smtplib
import ssl
import subprocess
import urllib.request

import mtlib

# Debian's user of the mail group; mail processes must not be root.
OWNER = "mail"
PASSWORD = "secret"
API_KEY = "an-api-key-of-the-tests"

CONF = """\
base_dir = {root}/run
state_dir = {root}/state
log_path = {log}
protocols = imap pop3 lmtp
listen = 127.0.0.1
{tls}
disable_plaintext_auth = no
auth_mechanisms = plain
first_valid_uid = 1
# Many users are read in little time, and often.
auth_cache_size = 1M
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {root}/users
}}
userdb {{
  driver = passwd-file
  args = {root}/users
}}
mail_location = {form}:~/Mail
mail_fsync = never
{logging}
{sieve}
namespace inbox {{
  inbox = yes
  separator = {separator}
}}
{quarantine}
doveadm_api_key = {key}
service doveadm {{
  inet_listener http {{
    address = 127.0.0.1
    port = {http}
    ssl = {https}
  }}
  service_count = 500
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
"""

# Copies are known by their storage ids.
EXACT = ('deliver_log_format = "msgid=%m: size=%p, env_from=<%e>, env_to=<%{to_envelope}>, '
         'storage_id=%{storage_id}: %$"\n')
SIEVE = """\
protocol lmtp {{
  mail_plugins = $mail_plugins sieve
}}
plugin {{
  sieve = file:{root}/sieve/all.sieve
}}
lda_mailbox_autocreate = yes
sendmail_path = {root}/sendmail
"""


def documented(page):
    """Returns the configuration that a manual page gives, to be added to Dovecot's."""
    with open(os.path.join(mtlib.SOURCE, f"docs/{page}.in"), encoding="utf-8") as handle:
        parts = handle.read().split(".\\\" dovecot.conf: begin\n")[1:]
    lines = "".join(part.split(".\\\" dovecot.conf: end\n")[0] for part in parts).splitlines()
    return "\n".join(line.replace("\\e", "\\") for line in lines if not line.startswith(".")).replace("\\\n", "")


def documented_logging():
    """Returns the configuration with which all that users do is logged."""
    return EXACT + documented("mailtrace.conf.5")


def documented_quarantine(form, separator):
    text = documented("mailtrace-mailstore.8").replace("prefix = mailtrace-quarantine/",
                                                       f"prefix = mailtrace-quarantine{separator}")
    text = text.replace("separator = /", f"separator = {separator}")
    return text.replace("location = maildir:", f"location = {form}:")


class Dovecot:
    """A Dovecot with users of example.org, and some without domain, each with mailboxes and a quarantine.

    form: of the mailboxes.  authority: signs a certificate, and its API is had by HTTPS.
    logging: what is logged, as configuration; None: all.  sieve: everybody's filter.
    world: called in the child before it becomes Dovecot, which then logs by syslog(3).
    """

    def __init__(self, users, separator="/", bare=(), form="maildir", authority=None, logging=None, sieve=None,
                 world=None):
        if os.geteuid() != 0:
            raise AssertionError("a real Dovecot needs root: run make check-system as root")
        self.root = mtlib.temporary_directory("mailtrace-dovecot.")
        self.separator = separator
        self.ports = {name: mtlib.free_port() for name in ("http", "imap", "pop3", "lmtp")}
        self.url = f"http{'s' if authority else ''}://127.0.0.1:{self.ports['http']}/doveadm/v1"
        self.key = f"{self.root}/doveadm.key"
        self.log = f"{self.root}/dovecot.log"
        self.world = world
        self.config = f"{self.root}/dovecot.conf"
        self.tls = authority and ssl.create_default_context(cafile=authority.ca)
        tls = "ssl = yes\nssl_cert = <{}\nssl_key = <{}".format(*authority.sign("mail")) if authority else "ssl = no"
        owner = pwd.getpwnam(OWNER)
        for folder in ("mail", "sieve"):
            os.makedirs(f"{self.root}/{folder}")
            os.chown(f"{self.root}/{folder}", owner.pw_uid, owner.pw_gid)
        self.write(self.config, CONF.format(root=self.root, log="syslog" if world else self.log, key=API_KEY, separator=separator, form=form, **self.ports,
                                            tls=tls, https="yes" if authority else "no",
                                            quarantine=documented_quarantine(form, separator),
                                            logging=documented_logging() if logging is None else logging,
                                            sieve=SIEVE.format(root=self.root) if sieve else ""))
        self.write(f"{self.root}/users", "".join(
            f"{user}{domain}:{PASSWORD}:{owner.pw_uid}:{owner.pw_gid}::{self.root}/mail/{user}::\n"
            for domain, names in (("@example.org", users), ("", bare)) for user in names), 0o644)
        self.write(self.key, API_KEY + "\n")
        if sieve:
            self.write(f"{self.root}/sieve/all.sieve", sieve, 0o644)
            self.write(f"{self.root}/sendmail", "#!/bin/sh\nexec cat >/dev/null\n", 0o755)

    @staticmethod
    def write(path, text, mode=0o600):
        with open(path, "w", encoding="utf-8") as handle:
            handle.write(text)
        os.chmod(path, mode)

    def start(self):
        # Not through pipes, which its daemon would keep open.
        with open(f"{self.root}/start.log", "wb") as log:
            subprocess.run(["/usr/sbin/dovecot", "-c", self.config], check=True, stdin=subprocess.DEVNULL,
                           stdout=log, stderr=log, env=mtlib.environment(), preexec_fn=self.world)
        atexit.register(self.stop)
        mtlib.wait_until(lambda: all(mtlib.listens(port) for port in self.ports.values()),
                         f"Dovecot listens; log:\n{self.logged()}")
        return self

    def stop(self):
        subprocess.run(["/usr/bin/doveadm", "-c", self.config, "stop"], capture_output=True, check=False)
        mtlib.wait_until(lambda: not os.path.exists(f"{self.root}/run/master.pid"), "Dovecot has ended")

    def pids(self):
        """Returns the master and all its processes."""
        with open(f"{self.root}/run/master.pid", encoding="ascii") as handle:
            master = int(handle.read())
        return [master] + list(mtlib.children(master))

    def kill(self):
        """As when the machine loses power: no process ends in good order."""
        # The master first stands still, so that it makes no others meanwhile.
        os.kill(self.pids()[0], signal.SIGSTOP)
        for pid in reversed(self.pids()):
            os.kill(pid, signal.SIGKILL)
        mtlib.wait_until(lambda: not any(mtlib.listens(port) for port in self.ports.values()), "nobody listens")
        os.unlink(f"{self.root}/run/master.pid")
        # A lock file of the dead, which does not say whose it is, holds up who comes for two minutes.
        for path in glob.glob(f"{self.root}/mail/**/*.lock", recursive=True, include_hidden=True):
            os.unlink(path)

    @contextlib.contextmanager
    def standing_still(self):
        """Nothing answers meanwhile, though connections are taken."""
        stopped = self.pids()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in reversed(stopped):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def logged(self):
        with contextlib.suppress(FileNotFoundError):
            with open(self.log, errors="replace", encoding="utf-8") as handle:
                return handle.read()
        return ""

    # What people and MTAs do.

    def deliver(self, user, message, detail=""):
        """Delivers over LMTP; returns the guid of the copy."""
        before = set(self.guids(user))
        with smtplib.LMTP("127.0.0.1", self.ports["lmtp"]) as lmtp:
            lmtp.sendmail("sender@example.net", f"{user}{detail}@example.org", message)
        return (set(self.guids(user)) - before).pop()

    def fill(self, user, messages):
        """Puts messages into a user's INBOX, many in little time, as a delivery agent would."""
        owner = pwd.getpwnam(OWNER)
        for number, content in enumerate(messages):
            path = f"{self.root}/mail/{user}/Mail/new/{1795000000 + number}.M{number}P1.test"
            self.write(path, content)
            os.chown(path, owner.pw_uid, owner.pw_gid)

    @contextlib.contextmanager
    def imap(self, user, folder=None):
        connection = imaplib.IMAP4("127.0.0.1", self.ports["imap"], timeout=mtlib.DEADLINE)
        connection.login(f"{user}@example.org", PASSWORD)
        if folder:
            mtlib.equal(connection.select(folder)[0], "OK")
        try:
            yield connection
        finally:
            with contextlib.suppress(Exception):
                connection.logout()

    @contextlib.contextmanager
    def pop3(self, user):
        connection = poplib.POP3("127.0.0.1", self.ports["pop3"], timeout=mtlib.DEADLINE)
        connection.user(f"{user}@example.org")
        connection.pass_(PASSWORD)
        yield connection
        connection.quit()

    def folders(self, user):
        """What an IMAP client sees: {folder: [(subject, flags, internal date)]}."""
        seen = {}
        with self.imap(user) as imap:
            for line in imap.list()[1]:
                if line and b"\\Noselect" not in line:
                    name = line.decode().split(f'"{self.separator}" ', 1)[1].strip('"')
                    seen[name] = self.messages(imap, name)
        return seen

    @staticmethod
    def messages(imap, folder):
        status, _ = imap.select(f'"{folder}"', readonly=True)
        if status != "OK":
            return None
        found = []
        numbers = imap.search(None, "ALL")[1][0].split()
        for number in numbers:
            parts = imap.fetch(number, "(FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
            head = parts[0][0].decode() + (parts[1].decode() if isinstance(parts[1], bytes) else "")
            flags = tuple(sorted(flag for flag in imaplib.ParseFlags(head.encode()) if flag != b"\\Recent"))
            date = head.split('INTERNALDATE "')[1].split('"')[0]
            found.append((parts[0][1].decode().strip().removeprefix("Subject: "), flags, date))
        return found

    def api(self, name, **parameters):
        """Asks the doveadm HTTP API; returns the rows, or raises with the error."""
        body = json.dumps([[name, parameters, "t"]]).encode()
        request = urllib.request.Request(self.url, body, {
            "Authorization": "X-Dovecot-API " + base64.b64encode(API_KEY.encode()).decode(),
            "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=mtlib.DEADLINE, context=self.tls) as answer:
            kind, rows, _ = json.loads(answer.read())[0]
        if kind != "doveadmResponse":
            raise AssertionError(f"{name} {parameters}: {rows}")
        return rows

    def guids(self, user, *query):
        rows = self.api("fetch", user=f"{user}@example.org", field=["guid"], query=list(query) or ["ALL"])
        return [row["guid"] for row in rows]
