#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Evidence: messages brought by an actuator, sealed in a zip that others can open, with a record of custody.

Mailboxes are folders of files, from which a site's own program brings them
([containment] mailstore_command), so that no server is needed.
"""
import hashlib
import json
import os
import pwd
import signal
import stat
import subprocess
import sys

from mtlib import (Site, environment, equal, journal, json_lines, main, message_with_payload, program, run, test,
                   wait_until)

# A mailbox is a file root/boxes/USER.eml; each command is a line of root/asked.  For whom there
# is root/down/USER, the server does not answer; for whom root/lies/USER, nothing is brought, but
# said to be; with root/slow it says nothing at all until that is gone.
ACTUATOR = r'''#!{python}
import json, os, shutil, sys, time
ROOT = {root!r}
folder = sys.argv[sys.argv.index("--evidence-dir") + 1]

def bring(command):
    user = command["target"]["x-mailtrace:message"]["mailbox"].split("@")[0]
    with open(f"{{ROOT}}/asked", "a") as asked:
        asked.write(f"{{command['action']}} {{user}} {{folder}}\n")
    path = f"{{folder}}/{{command['command_id']}}.eml"
    if os.path.exists(f"{{ROOT}}/down/{{user}}"):
        return "unreachable", "the server does not answer", []
    if os.path.exists(f"{{ROOT}}/lies/{{user}}"):
        return "done", path, []
    if not os.path.exists(f"{{ROOT}}/boxes/{{user}}.eml"):
        return "not-found", "no such message", []
    shutil.copyfile(f"{{ROOT}}/boxes/{{user}}.eml", path)
    while os.path.exists(f"{{ROOT}}/slow"):
        time.sleep(0.05)
    return "done", f"{{path}}; as it lay", [dict(folder="INBOX/買掛", guid=f"guid-{{user}}")]

for line in sys.stdin:
    command = json.loads(line)
    outcome, text, copies = bring(command)
    print(json.dumps({{"status": 200, "status_text": text, "results": {{"x-mailtrace": {{
        "command_id": command["command_id"], "outcome": outcome, "copies": copies}}}}}}), flush=True)
'''

WHY = ["--case", "C-7", "--reason", "fraud inquiry"]
PASSWORD = "パスワード of the case"


def new_site(users, absent=(), **containment):
    """A site, and one message that users got; returns it with the path of the message's file."""
    site = Site()
    site.make_keys()
    actuator = f"{site.root}/actuator"
    with open(actuator, "w") as handle:
        handle.write(ACTUATOR.format(python=sys.executable, root=site.root))
    os.chmod(actuator, 0o755)
    for folder in ("boxes", "out", "down", "lies"):
        os.mkdir(f"{site.root}/{folder}")
    with open(f"{site.root}/password", "w") as handle:
        handle.write(PASSWORD + "\n")
    site.set("containment", mailstore_command=actuator, **containment)
    site.start_collector()
    site.start_milter()
    return site, deliver(site, users, absent, "evil", 1)


def deliver(site, users, absent, name, count):
    path, payload = message_with_payload(site, name)
    arguments = ["--from", "<sender@example.net>"]
    for user in users:
        arguments += ["--rcpt", f"<{user}@example.org>"]
    equal(site.play(*arguments, path)[0]["verdict"], "accept")
    site.wait_stored(count)
    for user in users:
        if user not in absent:
            with open(path, "rb") as message, open(f"{site.root}/boxes/{user}.eml", "wb") as box:
                box.write(message.read() + user.encode())
    return payload


def mark(site, what, user):
    open(f"{site.root}/{what}/{user}", "w").close()


def out(site, name="evidence.zip"):
    return f"{site.root}/out/{name}"


def fetch(site, *argv, status=0, why=tuple(WHY)):
    """Runs fetch --json; returns its lines by type, and what it said."""
    done = site.mailtrace("--json", *why, "fetch", *argv, status=status)
    lines = {}
    for line in json_lines(done.stdout):
        lines.setdefault(line["type"], []).append(line)
    return lines, done.stderr


def fetch_sealed(site, *argv, **keywords):
    return fetch(site, *argv, "-o", out(site), "--password-file", f"{site.root}/password", **keywords)


def unseal(site, path, password=PASSWORD, status=0):
    """Opens a zip; returns {name: content}."""
    folder = f"{site.root}/unsealed-{len(os.listdir(site.root))}"
    os.mkdir(folder)
    done = run(program("tests/tools/unseal"), path, folder, stdin=password + "\n", status=status)
    listed = dict(reversed(line.split("\t")) for line in done.stdout.splitlines())
    for method in listed.values():
        assert method.startswith("aes-256+"), listed
    contents = {}
    for name in os.listdir(folder):
        with open(f"{folder}/{name}", "rb") as handle:
            contents[name] = handle.read()
    if status == 0:
        equal(sorted(contents), sorted(listed))
    return contents


def asked(site):
    """Returns whose mailboxes were looked into, in order."""
    try:
        with open(f"{site.root}/asked") as handle:
            lines = [line.split() for line in handle]
    except FileNotFoundError:
        return []
    equal({action for action, _, _ in lines}, {"copy"})
    return [user for _, user, _ in lines]


def nothing_is_left(site, files=("evidence.zip",)):
    equal(sorted(os.listdir(f"{site.root}/out")), sorted(files))


@test
def one_copy_comes_with_its_custody_in_a_zip_that_others_open():
    site, payload = new_site(["alice", "bob"])
    lines, said = fetch_sealed(site, payload)
    equal((len(asked(site)), said), (1, ""), "one copy is enough")
    (user,) = asked(site)
    (item,), (evidence,) = lines["item"], lines["evidence"]
    path = out(site)
    with open(path, "rb") as handle:
        content = handle.read()
    equal((evidence["path"], evidence["size"], evidence["sha256"]),
          (path, len(content), hashlib.sha256(content).hexdigest()))
    equal((evidence["copies"], evidence["messages"], evidence["left"]), (1, 1, 0))
    equal(stat.S_IMODE(os.stat(path).st_mode), 0o600)
    contents = unseal(site, path)
    equal(sorted(contents), sorted(["custody.json", item["file"]]))
    with open(f"{site.root}/boxes/{user}.eml", "rb") as handle:
        message = handle.read()
    equal(contents[item["file"]], message)
    digest = hashlib.sha256(message).hexdigest()
    equal((item["sha256"], item["size"], item["outcome"], item["text"]), (digest, len(message), "done", "as it lay"))
    custody = json.loads(contents["custody.json"])
    equal((custody["type"], custody["version"], custody["case"], custody["reason"], custody["query"]),
          ("mailtrace-custody", 1, "C-7", "fraud inquiry", [payload]))
    equal(custody["actor"], f"uid={os.getuid()}({pwd.getpwuid(os.getuid()).pw_name})")
    assert custody["began"] <= custody["items"][0]["answered"] <= custody["sealed"], custody
    (kept,) = custody["items"]
    equal(kept["source"], {"role": "mailstore", "gateway": None, "queue_id": None, "mailbox": f"{user}@example.org",
                           "folder": "INBOX/買掛", "guid": f"guid-{user}"})
    equal({name: kept[name] for name in ("command_id", "event_id", "file", "size", "sha256", "outcome", "recipient")},
          {name: item[name] for name in ("command_id", "event_id", "file", "size", "sha256", "outcome", "recipient")})
    equal(kept["event_id"], site.who(payload)[0][0]["event_id"])
    unseal(site, path, password="another password", status=1)
    nothing_is_left(site)
    site.stop()


@test
def a_password_of_its_own_is_told_once_and_stands_nowhere():
    site, payload = new_site(["alice"])
    _, said = fetch(site, payload, "-o", out(site))
    password = said.split("shown this once: ")[1].strip()
    assert len(password) == 24, said
    unseal(site, out(site), password=password)
    _, other = fetch(site, payload, "-o", out(site, "other.zip"))
    assert password not in other and "shown this once" in other, other
    assert password not in json.dumps(journal(site)), "it is in the journal"
    site.stop()


@test
def the_next_copy_has_its_turn_and_all_means_every_one():
    users = ["alice", "bob", "carol", "dave"]
    site, payload = new_site(users, absent=["alice"])
    mark(site, "lies", "bob")
    mark(site, "down", "carol")
    lines, _ = fetch_sealed(site, payload)
    outcomes = {item["target"].split()[1].split("@")[0]: item["outcome"] for item in lines["item"]}
    equal(outcomes["dave"], "done", "the only one that can be had")
    wanted = {"alice": "not-found", "bob": "failed", "carol": "unreachable", "dave": "done"}
    equal(outcomes, {user: wanted[user] for user in asked(site)})
    equal([item["file"] is None for item in lines["item"]], [False if user == "dave" else True for user in asked(site)])
    os.unlink(out(site))
    os.unlink(f"{site.root}/asked")
    lines, _ = fetch_sealed(site, payload, "--all", status=3)
    equal(sorted(asked(site)), users)
    equal((lines["evidence"][0]["copies"], lines["evidence"][0]["left"]), (1, 1))
    custody = json.loads(unseal(site, out(site))["custody.json"])
    equal(sorted(item["outcome"] for item in custody["items"]), sorted(wanted.values()), "what could not be had stands there")
    for folder, user in (("lies", "bob"), ("down", "carol")):
        os.unlink(f"{site.root}/{folder}/{user}")
    os.unlink(out(site))
    lines, _ = fetch_sealed(site, payload, "--limit", "2")
    equal(lines["evidence"][0]["copies"], 2)
    nothing_is_left(site)
    site.stop()


@test
def of_several_messages_each_comes_and_what_is_left_is_told():
    site, _ = new_site(["alice"])
    deliver(site, ["bob"], (), "second", 2)
    deliver(site, ["postmaster"], (), "third", 3)
    lines, _ = fetch_sealed(site, "from:sender@example.net", status=3)
    equal(sorted(asked(site)), ["alice", "bob"], "who is never touched is not looked at")
    equal((lines["evidence"][0]["copies"], lines["evidence"][0]["messages"], lines["evidence"][0]["left"]), (2, 3, 1))
    equal([line["why"] for line in lines["beyond"]], ["is never touched: postmaster@"])
    custody = json.loads(unseal(site, out(site))["custody.json"])
    equal([entry["recipient"] for entry in custody["beyond"]], ["postmaster@example.org"])
    site.stop()


@test
def what_is_not_had_leaves_no_file():
    site, payload = new_site(["alice"], absent=["alice"])
    lines, said = fetch(site, payload, "-o", out(site), status=3)
    equal((lines["evidence"][0]["path"], lines["evidence"][0]["copies"], said), (None, 0, ""))
    fetch(site, "from:nobody@example.net", "-o", out(site), status=1)
    nothing_is_left(site, [])
    for bad in ("/bin/false", "/no/such/program"):
        site.set("containment", mailstore_command=bad)
        lines, _ = fetch_sealed(site, payload, status=3)
        equal([item["outcome"] for item in lines["item"]], ["unreachable"])
    nothing_is_left(site, [])
    site.stop()


@test
def a_wrong_use_is_refused_before_any_mailbox_is_opened():
    site, payload = new_site(["alice"])
    short = f"{site.root}/short"
    with open(short, "w") as handle:
        handle.write("seven77\nand more")
    with open(out(site, "there"), "w") as handle:
        handle.write("kept")
    os.symlink("/no/such/file", out(site, "link"))
    for said, wrong in (("--case and --reason", ["fetch", payload, "-o", out(site)]),
                        ("--case and --reason", ["--case", "1", "fetch", payload, "-o", out(site)]),
                        ("-o FILE", [*WHY, "fetch", payload]), ("-o FILE", [*WHY, "fetch", payload, "-o", "-"]),
                        ("", [*WHY, "fetch", "-o", out(site)]),
                        ("--limit", [*WHY, "fetch", payload, "-o", out(site), "--limit", "0"]),
                        ("--csv", [*WHY, "--csv", "fetch", payload, "-o", out(site)]),
                        ("exists", [*WHY, "fetch", payload, "-o", out(site, "there")]),
                        ("exists", [*WHY, "fetch", payload, "-o", out(site, "link")]),
                        ("No such file", [*WHY, "fetch", payload, "-o", out(site, "no/folder/x.zip")]),
                        ("8 to 1024 bytes", [*WHY, "fetch", payload, "-o", out(site), "--password-file", short]),
                        ("No such file", [*WHY, "fetch", payload, "-o", out(site), "--password-file", "/no/such"])):
        refused = site.mailtrace(*wrong, status=2)
        equal((refused.stderr.count("\n"), refused.stdout), (1, ""), f"{wrong}: {refused.stderr}")
        assert refused.stderr.startswith("mailtrace fetch: ") and said in refused.stderr, refused.stderr
    with open(out(site, "there")) as handle:
        equal(handle.read(), "kept")
    nothing_is_left(site, ["link", "there"])
    equal((asked(site), journal(site)), ([], []))
    site.stop()


@test
def both_entries_are_in_the_journal_the_second_with_the_zips_digest():
    site, payload = new_site(["alice"])
    lines, _ = fetch_sealed(site, payload)
    first, second = journal(site)
    equal([(entry["verb"], entry["case"], entry["reason"]) for entry in (first, second)],
          [("fetch", "C-7", "fraud inquiry")] * 2)
    assert payload in first["arguments"], first
    equal(second["arguments"], ["result", out(site), f"sha256={lines['evidence'][0]['sha256']}", "messages=1 left=0"])
    site.mailtrace("actions", "--verify")
    site.set("roles", auditors=str(os.getuid()))
    site.collector.stop()
    site.start_collector()
    refused = site.mailtrace(*WHY, "fetch", payload, "-o", out(site, "other.zip"), status=2)
    assert "analyst or approver" in refused.stderr, refused.stderr
    equal(asked(site), ["alice"])
    nothing_is_left(site)
    site.stop()


@test
def what_cannot_be_sealed_is_told_and_leaves_nothing():
    site, payload = new_site(["alice"])
    failed = site.mailtrace(*WHY, "fetch", payload, "-o", out(site), status=2,
                            env=environment(MAILTRACE_LIBEXEC_DIR="/no/such/folder"))
    equal((failed.stderr.count("\n"), failed.stdout), (1, ""))
    assert "/no/such/folder/seal" in failed.stderr and "password" not in failed.stderr, failed.stderr
    equal(asked(site), ["alice"])
    equal([entry["arguments"][2:] for entry in journal(site)][1:], [["sha256=none", "messages=1 left=0"]])
    nothing_is_left(site, [])
    site.stop()


@test
def killed_in_the_middle_it_leaves_no_mail_behind():
    site, payload = new_site(["alice"])
    mark(site, ".", "slow")
    fetching = subprocess.Popen([program("mailtrace"), "--config", site.config, *WHY, "fetch", payload, "-o", out(site)],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())

    def brought():
        return [name for folder, _, names in os.walk(f"{site.root}/out") for name in names]

    wait_until(brought, "the message was brought")
    (folder,) = os.listdir(f"{site.root}/out")
    equal(stat.S_IMODE(os.stat(f"{site.root}/out/{folder}").st_mode), 0o700)
    fetching.send_signal(signal.SIGKILL)
    fetching.wait()
    os.unlink(f"{site.root}/slow")
    wait_until(lambda: not os.listdir(f"{site.root}/out"), "the folder is gone")
    site.stop()


main()
