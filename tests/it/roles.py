# SPDX-License-Identifier: BSD-2-Clause
"""Who may have what done: other users at the real collector, and each refusal.

Needs root, to be other users.
"""
import grp
import hashlib
import json
import os
import pwd
import signal
import socket
import subprocess

import mtlib
from mtlib import Site, equal, journal, json_lines, make_message, message_with_payload, program, test, wait_until

SOCKET_GROUP, STORE_GROUP = 70000, 70010
ROLES = {"analyst": 70001, "approver": 70002, "auditor": 70003, "administrator": 70004, "stranger": 70005}
HASH = "0" * 64


def new_site():
    """A site with a role for each user, and a collector that they reach."""
    site = Site()
    site.make_keys()
    site.mailtrace("import", make_message(f"{site.root}/a.eml"))
    os.chmod(f"{site.root}/a.eml", 0o644)
    site.set("roles", analysts="70001", approvers="70002", auditors="70003", administrators="70004")
    give(site)
    return site


def give(site):
    """Has the groups reach the socket and read the store, as an installation would."""
    site.start_collector()
    for path in ("run", "run/control.sock"):
        os.chown(os.path.join(site.root, path), 0, SOCKET_GROUP)
    os.chown(f"{site.root}/store", 0, STORE_GROUP)
    for name in os.listdir(f"{site.root}/store"):
        if not name.endswith(".lock"):
            os.chown(os.path.join(site.root, "store", name), 0, STORE_GROUP)


def as_user(site, role, *argv, store=True):
    """Runs mailtrace as a user; store: who may read the store's file, so that it is the role that refuses."""
    groups = [SOCKET_GROUP] + ([STORE_GROUP] if store else [])
    return subprocess.run([program("mailtrace"), "--config", site.config, *argv], capture_output=True, text=True,
                          env=mtlib.environment(), check=False, timeout=60, stdin=subprocess.DEVNULL,
                          user=ROLES[role], group=ROLES[role], extra_groups=groups, cwd="/")


def site_event(site):
    done = as_user(site, "analyst", "--json", "who", "subject:test")
    return json_lines(done.stdout)[0]["event_id"]


@test
def each_verb_is_for_its_roles_and_refused_to_all_others():
    site = new_site()
    event = site_event(site)
    verbs = {("who", "subject:test"): {"analyst", "approver"}, ("show", event): {"analyst", "approver"},
             ("block", "add", HASH, "--wait", "0"): {"approver", "administrator"},
             ("block", "remove", HASH, "--wait", "0"): {"approver", "administrator"},
             ("actions",): {"auditor"}, ("actions", "--verify"): {"auditor"},
             ("actions", "--export"): {"auditor"}, ("import", f"{site.root}/a.eml"): {"administrator"},
             ("--reason", "x", "erase", "nobody@example.org"): {"administrator"},
             ("--case", "C-1", "--reason", "x", "legal-hold", "add", "subject:test"): {"approver", "administrator"}}
    for role in set(ROLES) - {"administrator"}:
        assert "it needs the role" in as_user(site, role, "expire", "--older-than", "1m").stderr, role
    for argv, allowed in verbs.items():
        for role in ROLES:
            done = as_user(site, role, *argv)
            if role not in allowed:
                equal((done.returncode, done.stdout), (2, ""), f"{role}: {argv}")
                assert "it needs the role" in done.stderr, f"{role}: {argv}: {done.stderr}"
            else:
                # blocks are told to no sensor here: 3; an import that adds nothing: 1
                assert done.returncode in (0, 1, 3), f"{role}: {argv}: {done.returncode} {done.stderr}"
                assert "needs the role" not in done.stderr, done.stderr
    site.stop()


@test
def a_refusal_is_an_entry_of_the_journal_with_who_and_why():
    site = new_site()
    as_user(site, "auditor", "--case", "C-9", "who", "subject:test")
    as_user(site, "analyst", "block", "add", HASH)
    refused = journal(site)[-2:]
    equal([(r["verb"], r["uid"], r["status"], r["detail"]) for r in refused],
          [("who", 70003, "failure", "refused: it needs the role analyst or approver"),
           ("block-add", 70001, "failure", "refused: it needs the role approver or administrator")])
    equal((refused[0]["case"], refused[0]["arguments"]), ("C-9", ["subject:test"]))
    listed = json_lines(as_user(site, "auditor", "--json", "actions", "--actor", "70001").stdout)
    equal([(line["verb"], line["status"]) for line in listed], [("block-add", "failure")])
    equal(as_user(site, "auditor", "--json", "actions", "--verify").returncode, 0)
    site.stop()


@test
def an_auditor_reads_the_journal_and_not_the_store():
    site = new_site()
    done = as_user(site, "auditor", "status", store=False)
    equal(done.returncode, 2, "the store's file is not the auditor's to read")
    exported = as_user(site, "auditor", "actions", "--export", "--all-tenants", store=False).stdout.splitlines()
    equal([json.loads(line)["metadata"]["sequence"] for line in exported], list(range(1, len(exported) + 1)))
    equal(json.loads(exported[-1])["actor"]["user"]["uid"], "70003", "to read it is an entry")
    site.stop()


@test
def what_has_no_role_is_for_whoever_reads_the_file_and_names_nobody():
    site = new_site()
    equal(as_user(site, "approver", "block", "add", HASH, "--wait", "0").returncode, 3)
    for role in ROLES:
        for argv in (["status"], ["verify"], ["block", "list"], ["legal-hold", "list"]):
            done = as_user(site, role, *argv)
            assert done.returncode in (0, 1) and "example.org" not in done.stdout, f"{role} {argv}: {done}"
    site.stop()


@test
def who_has_a_blocked_file_is_named_to_those_alone_who_may_ask():
    site = new_site()
    site.mailtrace("import", message_with_payload(site, "evil")[0])
    with open(f"{site.root}/evil.exe", "rb") as handle:
        sha256 = hashlib.sha256(handle.read()).hexdigest()
    for role, names in (("approver", True), ("administrator", False)):
        lines = json_lines(as_user(site, role, "--json", "block", "add", sha256, "--wait", "0").stdout)
        equal(([line["recipients"] for line in lines if line["type"] == "received"],
               any(line["type"] == "holder" for line in lines)), ([1], names), role)
    equal([(r["verb"], r["uid"]) for r in journal(site)][-3:],
          [("block", 70002), ("who", 70002), ("block", 70004)], "to be named is an entry")
    site.stop()


def talk(path, requests):
    """Returns what the collector answers, a line each."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(path)
        lines = peer.makefile("rw")
        for request in requests:
            print(json.dumps(request), file=lines, flush=True)
            yield lines.readline()


def say(site, role, *requests):
    """Says to the socket, as a user, what no command line of ours would; returns the answers."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([SOCKET_GROUP])
            os.setgid(ROLES[role])
            os.setuid(ROLES[role])
            os.write(theirs, "".join(talk(f"{site.root}/run/control.sock", requests)).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as answers:
        text = answers.read()
    os.waitpid(child, 0)
    return json_lines(text)


@test
def what_a_request_claims_gives_no_right():
    site = new_site()
    entry = {"op": "audit", "tenant": "default", "arguments": "[]", "actor": "uid=0(root)", "uid": 0}
    answers = say(site, "stranger", {**entry, "verb": "who"}, {**entry, "verb": "approve"},
                  {"op": "reload", "uid": 0}, {"op": "journal-read"}, {"op": "journal-head"},
                  {"op": "ingest", "tenant": "default", "events": []}, {"op": "no-such"})
    equal(len(answers), 7)
    assert all(not answer["ok"] and "it needs the role" in answer["error"] for answer in answers), answers
    # an entry of a verb that is somebody else's cannot be put in by who has another role
    equal([a["ok"] for a in say(site, "auditor", {**entry, "verb": "actions"}, {**entry, "verb": "who"},
                                {**entry, "verb": "apply"})], [True, False, False])
    equal({row["uid"] for row in journal(site)[-10:]}, {70003, 70005})
    site.stop()


@test
def root_is_administrator_and_no_more():
    site = new_site()
    site.mailtrace("block", "add", HASH, "--wait", "0", status=3)
    for argv in (["who", "subject:test"], ["actions"]):
        assert "it needs the role" in site.mailtrace(*argv, status=2).stderr, argv
    site.stop()


@test
def a_reload_changes_roles_and_groups_give_them():
    site = new_site()
    user = pwd.getpwnam("daemon")
    ROLES["daemon"] = user.pw_uid
    equal(as_user(site, "daemon", "actions").returncode, 2)
    site.set("roles", auditors=f"@{grp.getgrgid(user.pw_gid).gr_name}")
    site.collector.signal(signal.SIGHUP)
    wait_until(lambda: "keys-reloaded" in site.collector.text(), "the collector has read its settings")
    equal(as_user(site, "daemon", "actions").returncode, 0)
    equal(as_user(site, "auditor", "actions").returncode, 2)
    del ROLES["daemon"]
    site.stop()


@test
def with_no_role_given_everybody_at_the_socket_may_all():
    site = new_site()
    site.stop()
    del site.settings["roles"]
    site.write_config()
    give(site)
    for argv in (["who", "subject:test"], ["block", "add", HASH, "--wait", "0"], ["actions"]):
        done = as_user(site, "administrator", *argv)
        assert done.returncode in (0, 3), f"{argv}: {done.stderr}"
    # and nobody else gets there
    done = subprocess.run([program("mailtrace"), "--config", site.config, "who", "subject:test"], capture_output=True,
                          text=True, env=mtlib.environment(), check=False, timeout=60, user=70009, group=70009,
                          extra_groups=[STORE_GROUP], cwd="/")
    equal(done.returncode, 2)
    assert "no permission" in done.stderr, done.stderr
    site.stop()


mtlib.main()
