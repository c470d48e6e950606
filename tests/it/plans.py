#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Plans of containment: made, refused, applied, interrupted, undone.

The gateways are ours; mailboxes are folders of files, on which a site's own
program acts ([containment] mailstore_command), so that no server is needed.
"""
import hashlib
import json
import os
import pty
import signal
import stat
import subprocess
import sys

from mtlib import (DEADLINE, Site, environment, equal, journal, json_lines, main, message_with_payload, program, run, test,
                   wait_until)

# A site's own actuator.  Mailboxes are root/boxes/USER/FOLDER/FILE; each act is a line
# of root/acts.  With root/slow it takes its time over every command.
ACTUATOR = r'''#!{python}
import json, os, sys, time
ROOT = {root!r}

def find(user):
    for folder in sorted(os.listdir(f"{{ROOT}}/boxes/{{user}}")):
        for name in os.listdir(f"{{ROOT}}/boxes/{{user}}/{{folder}}"):
            yield folder, name

def act(command):
    target = command["target"]["x-mailtrace:message"]
    user = target["mailbox"].split("@")[0]
    if not os.path.isdir(f"{{ROOT}}/boxes/{{user}}"):
        return "not-found", "no such user", []
    copies = [dict(folder=f, guid=n) for f, n in find(user)]
    if command["action"] == "contain":
        held = [dict(folder=c["folder"][12:], guid=c["guid"], quarantine=c["folder"])
                for c in copies if c["folder"].startswith("Quarantine--")]
        moved = [c for c in copies if not c["folder"].startswith("Quarantine--")]
        for copy in moved:
            copy["quarantine"] = "Quarantine--" + copy["folder"]
            move(user, copy["guid"], copy["folder"], copy["quarantine"])
        if not moved:
            return "already-gone", "was gone", held
        other = any(c["folder"] != "INBOX" for c in moved)
        return ("moved-by-user" if other else "done"), "moved", moved + held
    for copy in command["args"]["x-mailtrace"]["copies"]:
        move(user, copy["guid"], copy["quarantine"], copy["folder"])
    return "done", "put back", []

def move(user, name, before, after):
    os.makedirs(f"{{ROOT}}/boxes/{{user}}/{{after}}", exist_ok=True)
    os.rename(f"{{ROOT}}/boxes/{{user}}/{{before}}/{{name}}", f"{{ROOT}}/boxes/{{user}}/{{after}}/{{name}}")
    with open(f"{{ROOT}}/acts", "a") as acts:
        acts.write(f"{{user}} {{before}} {{after}}\n")

for line in sys.stdin:
    command = json.loads(line)
    if os.path.exists(f"{{ROOT}}/slow"):
        time.sleep(0.1)
    outcome, text, copies = act(command)
    print(json.dumps({{"status": 200, "status_text": text, "results": {{"x-mailtrace": {{
        "command_id": command["command_id"], "outcome": outcome, "copies": copies}}}}}}), flush=True)
'''


def new_site(**containment):
    site = Site()
    site.make_keys()
    actuator = f"{site.root}/actuator"
    with open(actuator, "w") as handle:
        handle.write(ACTUATOR.format(python=sys.executable, root=site.root))
    os.chmod(actuator, 0o755)
    site.set("containment", mailstore_command=actuator, **containment)
    site.start_collector()
    return site


def deliver(site, users, name="evil"):
    """Has a message recorded, and puts it into the users' mailboxes; returns the path of its file."""
    path, payload = message_with_payload(site, name)
    arguments = ["--from", "<sender@example.net>"]
    for user in users:
        arguments += ["--rcpt", f"<{user}@example.org>"]
    equal(site.play(*arguments, path)[0]["verdict"], "accept")
    for user in users:
        put(site, user, "INBOX")
    return payload


def put(site, user, folder):
    os.makedirs(f"{site.root}/boxes/{user}/{folder}", exist_ok=True)
    open(f"{site.root}/boxes/{user}/{folder}/1.eml", "w").close()


def where(site, user):
    """Returns the folder that a user's copy is in."""
    return [folder for folder in sorted(os.listdir(f"{site.root}/boxes/{user}"))
            if os.listdir(f"{site.root}/boxes/{user}/{folder}")]


def acts(site):
    try:
        with open(f"{site.root}/acts") as handle:
            return handle.read().splitlines()
    except FileNotFoundError:
        return []


def contain(site, *query, path=None, status=0):
    """Makes a plan; returns its path and the lines of the command by type."""
    path = path or f"{site.root}/plan-{len(os.listdir(site.root))}.json"
    done = site.mailtrace("--json", "contain", *query, "-o", path, status=status)
    lines = {}
    for line in json_lines(done.stdout):
        lines.setdefault(line["type"], []).append(line)
    return path, lines


def carry(site, verb, *argv, status=0):
    """Runs apply or undo; returns {mailbox or "": outcome} and all lines."""
    done = site.mailtrace("--json", verb, "--yes", *argv, status=status)
    lines = json_lines(done.stdout)
    return {line["target"]: line["outcome"] for line in lines if line["type"] == "target"}, done


def states(site, payload):
    return {hit["recipient"].split("@")[0]: hit["state"] for hit in site.who(payload)[0]}


def verdict(site, path):
    return site.play("--from", "<sender@example.net>", "--rcpt", "<alice@example.org>", path)[0]["verdict"]


@test
def a_plan_is_made_and_nothing_is_done():
    site = new_site()
    site.start_milter()
    payload = deliver(site, ["alice", "bob", "postmaster"])
    site.wait_stored(1)
    path, lines = contain(site, payload)
    equal(sorted(line["target"] for line in lines["command"] if line["role"] == "mailstore"),
          ["mailbox alice@example.org", "mailbox bob@example.org"])
    equal([line["action"] for line in lines["command"] if line["role"] == "gateway"], ["deny"])
    equal([(line["recipient"], line["why"]) for line in lines["beyond"]],
          [("postmaster@example.org", "is never touched: postmaster@")])
    equal((lines["plan"][0]["targets"], lines["plan"][0]["mailboxes"], lines["plan"][0]["beyond"]), (3, 2, 1))
    assert "coverage" in lines, lines
    equal(stat.S_IMODE(os.stat(path).st_mode), 0o600)
    with open(path) as handle:
        plan = json.load(handle)
    equal((plan["type"], plan["kind"], plan["query"], plan["view"]["messages"]), ("mailtrace-plan", "contain", [payload], 1))
    digest = plan.pop("digest")
    canonical = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    equal(hashlib.sha256(canonical.encode()).hexdigest(), digest, "as the manual says")
    equal((acts(site), verdict(site, f"{site.root}/evil.eml")), ([], "accept"))
    refused = site.mailtrace("contain", payload, "-o", path, status=2)
    assert "exists" in refused.stderr, refused.stderr
    printed = json.loads(site.mailtrace("contain", payload, "-o", "-").stdout)
    equal(printed["type"], "mailtrace-plan")
    table = site.mailtrace("contain", payload, status=0).stdout
    assert "alice@example.org" in table and "BEYOND REACH" in table and "Nothing is done" in table, table
    contain(site, "subject:nothing-of-the-kind", status=1)
    for wrong in (["--scope", "attic"], ["--expires", "never"], ["--expires", "2001-01-01"]):
        assert site.mailtrace("contain", payload, *wrong, status=2).stderr.count("\n") == 1, wrong
    site.stop()


@test
def apply_contains_every_copy_and_undo_puts_each_back_where_it_was():
    site = new_site()
    site.start_milter()
    payload = deliver(site, ["alice", "bob", "carol", "nobody"])
    os.rename(f"{site.root}/boxes/bob/INBOX", f"{site.root}/boxes/bob/Later")
    subprocess.run(["rm", "-r", f"{site.root}/boxes/carol/INBOX/1.eml", f"{site.root}/boxes/nobody"], check=True)
    site.wait_stored(1)
    path, _ = contain(site, payload, "--scope", "mailbox")
    outcomes, done = carry(site, "apply", path, status=3)
    equal(outcomes, {"mailbox alice@example.org": "done", "mailbox bob@example.org": "moved-by-user",
                     "mailbox carol@example.org": "already-gone", "mailbox nobody@example.org": "not-found"})
    equal((where(site, "alice"), where(site, "bob")), (["Quarantine--INBOX"], ["Quarantine--Later"]))
    equal(states(site, payload), {"alice": "retracted", "bob": "retracted", "carol": "retracted", "nobody": "accepted"})
    before = acts(site)
    outcomes, _ = carry(site, "apply", path, status=3)
    equal(acts(site), before, "nothing is acted on twice")
    outcomes, done = carry(site, "undo", path)
    equal(outcomes, {"mailbox alice@example.org": "done", "mailbox bob@example.org": "done"})
    assert "1 targets were not changed" in done.stderr, done.stderr
    equal((where(site, "alice"), where(site, "bob"), where(site, "carol")), (["INBOX"], ["Later"], []))
    equal(states(site, payload), {"alice": "restored", "bob": "restored", "carol": "retracted", "nobody": "accepted"})
    before = acts(site)
    carry(site, "undo", path, status=1)
    equal(acts(site), before, "nothing is put back twice")
    site.stop()


@test
def one_command_is_undone_by_its_id():
    site = new_site()
    site.start_milter()
    payload = deliver(site, ["alice", "bob"])
    site.wait_stored(1)
    path, _ = contain(site, payload, "--scope", "mailbox")
    _, done = carry(site, "apply", path)
    ids = {line["target"]: line["command_id"] for line in json_lines(done.stdout) if line["type"] == "target"}
    carry(site, "undo", ids["mailbox bob@example.org"])
    equal((where(site, "alice"), where(site, "bob")), (["Quarantine--INBOX"], ["INBOX"]))
    site.mailtrace("undo", "--yes", "01234567-89ab-4cde-8f01-23456789abcd", status=2)
    site.stop()


@test
def a_file_is_blocked_and_the_block_of_others_survives_undo():
    site = new_site()
    site.start_milter()
    payload = deliver(site, ["alice"])
    other = deliver(site, ["alice"], "other")
    site.wait_stored(2)
    path, _ = contain(site, payload, "--scope", "gateway")
    outcomes, done = carry(site, "apply", path)
    equal(list(outcomes.values()), ["done"])
    force = [line for line in json_lines(done.stdout) if line["type"] == "force"][0]
    equal((force["in_force"], force["sensors"]), (1, 1))
    equal(verdict(site, f"{site.root}/evil.eml"), "reply")
    carry(site, "apply", path, status=1)
    carry(site, "undo", path)
    equal(verdict(site, f"{site.root}/evil.eml"), "accept")
    site.mailtrace("block", "add", hashlib.sha256(open(other, "rb").read()).hexdigest())
    path, _ = contain(site, other, "--scope", "gateway")
    outcomes, _ = carry(site, "apply", path)
    equal(list(outcomes.values()), ["already-gone"])
    carry(site, "undo", path, status=1)
    equal(verdict(site, f"{site.root}/other.eml"), "reply")
    site.stop()


@test
def a_plan_that_was_edited_or_has_expired_is_refused():
    site = new_site()
    site.start_milter()
    payload = deliver(site, ["alice"])
    site.wait_stored(1)
    path, _ = contain(site, payload)
    with open(path) as handle:
        text = handle.read()
    with open(path, "w") as handle:
        handle.write(text.replace("alice@example.org", "boss1@example.org"))
    refused = site.mailtrace("apply", "--yes", path, status=2)
    assert "was changed" in refused.stderr and refused.stderr.count("\n") == 1, refused.stderr
    plan = json.loads(text)
    plan["expires_us"] = plan["created_us"] + 1
    del plan["digest"]
    canonical = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    plan["digest"] = hashlib.sha256(canonical.encode()).hexdigest()
    with open(path, "w") as handle:
        json.dump(plan, handle)
    refused = site.mailtrace("apply", "--yes", path, status=2)
    assert "has expired" in refused.stderr, refused.stderr
    for name, content in (("none", None), ("empty", ""), ("text", "{}")):
        other = f"{site.root}/{name}"
        if content is not None:
            with open(other, "w") as handle:
                handle.write(content)
        assert site.mailtrace("apply", "--yes", other, status=2).stderr.count("\n") == 1
    equal((acts(site), where(site, "alice")), ([], ["INBOX"]))
    site.stop()


@test
def it_goes_on_after_it_was_killed_and_acts_on_nothing_twice():
    site = new_site()
    site.start_milter()
    users = [f"u{number}" for number in range(30)]
    payload = deliver(site, users)
    site.wait_stored(1)
    path, _ = contain(site, payload, "--scope", "mailbox")
    open(f"{site.root}/slow", "w").close()
    apply = subprocess.Popen([program("mailtrace"), "--config", site.config, "apply", "--yes", "--jobs", "2", path],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    wait_until(lambda: len(acts(site)) >= 5, "it has begun")
    apply.send_signal(signal.SIGKILL)
    apply.wait()
    os.unlink(f"{site.root}/slow")
    outcomes, _ = carry(site, "apply", path)
    equal(set(outcomes.values()) <= {"done", "already-gone"}, True, outcomes)
    equal(sorted(acts(site)), sorted(f"{user} INBOX Quarantine--INBOX" for user in users), "each was moved once")
    equal(set(states(site, payload).values()), {"retracted"})
    carry(site, "undo", path)
    equal({user: where(site, user) for user in users}, {user: ["INBOX"] for user in users})
    site.stop()


@test
def what_is_never_touched_is_denied_by_the_collector_too():
    site = new_site(never_touch="postmaster@")
    site.start_milter()
    payload = deliver(site, ["alice", "boss"])
    site.wait_stored(1)
    path, lines = contain(site, payload, "--scope", "mailbox")
    equal(len(lines["command"]), 2)
    site.collector.stop()
    site.set("containment", never_touch="boss@example.org")
    site.start_collector()
    outcomes, done = carry(site, "apply", path, status=3)
    equal(outcomes, {"mailbox alice@example.org": "done", "mailbox boss@example.org": "denied"})
    assert "never touched: boss@example.org" in done.stdout, done.stdout
    equal(where(site, "boss"), ["INBOX"])
    site.stop()


@test
def above_the_threshold_nothing_is_done_without_approval():
    site = new_site(approval_threshold="2")
    site.start_milter()
    payload = deliver(site, ["alice", "bob", "carol"])
    site.wait_stored(1)
    path, _ = contain(site, payload, "--scope", "mailbox")
    refused = site.mailtrace("apply", "--yes", path, status=2)
    assert "approval_threshold (2)" in refused.stderr, refused.stderr
    equal(acts(site), [])
    site.stop()


@test
def people_are_asked_on_the_terminal():
    site = new_site()
    site.start_milter()
    payload = deliver(site, ["alice"])
    site.wait_stored(1)
    path, _ = contain(site, payload, "--scope", "mailbox")
    refused = site.mailtrace("apply", path, status=2)
    assert "--yes" in refused.stderr, refused.stderr
    for answer, status, folder in (("n", 1, "INBOX"), ("", 1, "INBOX"), ("y", 0, "Quarantine--INBOX")):
        ours, theirs = pty.openpty()
        os.write(ours, f"{answer}\n".encode())
        done = subprocess.run([program("mailtrace"), "--config", site.config, "apply", path], stdin=theirs,
                              capture_output=True, text=True, env=environment(), timeout=DEADLINE, check=False)
        os.close(ours)
        os.close(theirs)
        equal((done.returncode, where(site, "alice")), (status, [folder]), f"{answer}: {done.stderr}")
        assert "with 1 targets?" in done.stderr, done.stderr
    site.stop()


@test
def people_see_how_far_it_is():
    site = new_site()
    site.start_milter()
    payload = deliver(site, [f"u{number}" for number in range(12)])
    site.wait_stored(1)
    path, _ = contain(site, payload, "--scope", "mailbox")
    open(f"{site.root}/slow", "w").close()
    ours, theirs = pty.openpty()
    done = subprocess.run([program("mailtrace"), "--config", site.config, "apply", "--yes", path], stdout=subprocess.PIPE,
                          stderr=theirs, text=True, env=environment(), timeout=DEADLINE, check=True)
    os.close(theirs)
    drawn = os.read(ours, 65536).decode()
    os.close(ours)
    assert "1 of 12 targets" in drawn and "[##" in drawn and "%" in drawn, drawn
    assert drawn.endswith("\r\x1b[K") and "of 12 targets" not in done.stdout, drawn
    site.stop()


@test
def an_actuator_that_misbehaves_leaves_its_targets_to_the_next_time():
    site = new_site(actuator_timeout_ms="1000")
    site.start_milter()
    payload = deliver(site, ["alice", "bob"])
    site.wait_stored(1)
    path, _ = contain(site, payload, "--scope", "mailbox")
    ours = site.settings["containment"]["mailstore_command"]
    for bad in ("/bin/cat", "/bin/false", "/no/such/program", "/bin/sh -c 'exec sleep 600'"):
        site.set("containment", mailstore_command=bad)
        outcomes, _ = carry(site, "apply", path, status=3)
        equal(set(outcomes.values()), {"unreachable"}, bad)
    site.set("containment", mailstore_command=ours)
    outcomes, _ = carry(site, "apply", path)
    equal(set(outcomes.values()), {"done"})
    site.stop()


@test
def devices_wait_for_a_program_that_acts_on_them():
    site = new_site()
    site.start_milter()
    payload = deliver(site, ["alice"])
    site.wait_stored(1)
    path, _ = contain(site, payload, "--scope", "device", "--device", "pc-017")
    outcomes, done = carry(site, "apply", path, status=3)
    equal(list(outcomes.values()), ["failed"])
    assert "endpoint_command" in done.stdout, done.stdout
    site.stop()


@test
def plans_and_results_are_in_the_journal_and_found_by_the_command():
    site = new_site()
    site.start_milter()
    payload = deliver(site, ["alice"])
    site.wait_stored(1)
    path, lines = contain(site, payload, "--scope", "mailbox", "--case", "C-9")
    command = lines["command"][0]["command_id"]
    site.mailtrace("--case", "C-9", "--reason", "drill", "apply", "--yes", path)
    site.mailtrace("undo", "--yes", path)
    entries = journal(site)
    equal([entry["verb"] for entry in entries], ["contain", "apply", "result", "undo", "result"])
    equal((entries[2]["case"], entries[2]["reason"], entries[2]["status"]), ("C-9", "drill", "success"))
    equal(entries[2]["arguments"], [command, "contain", "mailbox alice@example.org", "done"])
    equal([(entry["event"]["class_uid"], entry["event"]["activity_id"]) for entry in entries if entry["verb"] == "result"],
          [(7001, 2), (7001, 3)])
    found = json_lines(site.mailtrace("--json", "actions", "--command", command).stdout)
    equal(len([line for line in found if line.get("verb") == "result"]), 2, found)
    site.mailtrace("actions", "--verify")
    site.stop()


@test
def without_a_collector_nothing_is_done():
    site = new_site()
    site.start_milter()
    payload = deliver(site, ["alice"])
    site.wait_stored(1)
    path, _ = contain(site, payload, "--scope", "mailbox")
    site.collector.stop()
    refused = site.mailtrace("apply", "--yes", path, status=2)
    assert "collector" in refused.stderr, refused.stderr
    equal(acts(site), [])
    site.stop()


main()
