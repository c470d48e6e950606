#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Containment with real servers: what is found is held or taken away, seen to be so, and put back."""
import contextlib
import glob
import grp
import hashlib
import json
import os
import pwd
import shlex
import shutil
import signal
import subprocess

import mta
import mtlib
from dovecot import Dovecot
from mtlib import Site, equal, json_lines, libexec, main, make_message, message_with_payload, program, run, send, test, wait_until

# The queue helper clears its environment: what it has logged is in the machine's zone, and so is all the rest here.
_environment = mtlib.environment


def in_the_machines_zone(**extra):
    env = _environment(**extra)
    env.pop("TZ", None)
    return env


mtlib.environment = in_the_machines_zone


@contextlib.contextmanager
def site_before(mx):
    """A site whose milter is attached to a Postfix, and which follows its log and reaches its queue."""
    folder = f"{mx.queue}/mailtrace"
    os.makedirs(folder)
    site = Site(socket_address=f"unix:{folder}/milter.sock")
    site.set("milter", socket_group="postfix", socket_mode="0660")
    shutil.chown(folder, group="postfix")
    os.chmod(folder, 0o750)
    helper = [f"{libexec()}/queue-helper", "--marks", f"{site.root}/marks", "--mta-config", mx.etc]
    site.set("queue", gateways=f"mx1: {shlex.join(helper)}")
    site.set("collector", expected_followers="mx1-follow")
    site.make_keys()
    site.start_collector()
    site.start_milter()
    site.start_follow(mx.log)
    mx.settings.update(smtpd_milters="unix:mailtrace/milter.sock", non_smtpd_milters="unix:mailtrace/milter.sock")
    mx.write()
    mx.start()
    try:
        yield site
    finally:
        mx.stop()
        site.stop()


MANY = [f"u{number}" for number in range(200)]
NOTABLE = ["moved", "read", "twice", "fetched", "expunged", "namesake", "alone"]
CLIENTS = ["plain", "kept", "taken", "latekept", "latetaken", "latemoved", "lateread", "latesent", "latedeleted"]


@contextlib.contextmanager
def site_that_follows(mx, dovecot):
    """A site before an MTA that delivers to a Dovecot, which it reaches; the logs of both are followed."""
    mx.settings.update(virtual_mailbox_maps="static:mailbox", virtual_transport=f"lmtp:inet:127.0.0.1:{dovecot.ports['lmtp']}")
    with site_before(mx) as site:
        site.set("mailstore", url=dovecot.url, key=dovecot.key, timeout_ms="30000")
        follower = site.follow_too("mbox1", dovecot.log)
        try:
            yield site
        finally:
            follower.stop()
            dovecot.stop()


@contextlib.contextmanager
def site_with_mailboxes():
    """A Postfix that delivers to a Dovecot, with a list that has everybody and one who is elsewhere."""
    mx = mta.Postfix()
    members = [f"{user}@example.org" for user in MANY + NOTABLE if user != "alone"] + ["x@else.example"]
    with open(f"{mx.etc}/aliases", "w") as handle:
        handle.write(f"team@example.org {', '.join(members)}\n")
    with open(f"{mx.etc}/transport", "w") as handle:
        handle.write("else.example discard:\n")
    mx.settings.update(virtual_alias_maps=f"texthash:{mx.etc}/aliases", transport_maps=f"texthash:{mx.etc}/transport",
                       virtual_alias_expansion_limit="1000")
    dovecot = Dovecot(MANY + NOTABLE).start()
    with site_that_follows(mx, dovecot) as site:
        yield site, mx, dovecot


def download(dovecot, user, delete=False):
    with dovecot.pop3(user) as pop3:
        pop3.retr(1)
        if delete:
            pop3.dele(1)


def flag(dovecot, user, flags, expunge=False):
    with dovecot.imap(user) as imap:
        imap.select("INBOX")
        imap.store("1", "+FLAGS", flags)
        if expunge:
            imap.expunge()


def deeds(site, payload):
    """Returns {user: what the log tells that was done with the copy, sorted: Dovecot's processes write as they come}."""
    return {hit["recipient"].split("@")[0]: sorted(act["what"] for final in hit["finals"] if final["folder"] or final["acts"]
                                                   for act in final["acts"]) for hit in site.who(payload)[0]}


def places(site, payload):
    """Returns the final addresses of which the log tells where the copy is."""
    return [final["address"] for hit in site.who(payload)[0] for final in hit["finals"] if final["storage_id"]]


def done_with(site, payload, user):
    return [act["what"] for hit in site.who(payload)[0] for final in hit["finals"]
            if final["address"] == f"{user}@example.org" for act in final["acts"]]


def wait_deeds(site, payload, **wanted):
    told = wait_until(lambda: (lambda got: got if all(got.get(user) == acts for user, acts in wanted.items()) else None)(
        deeds(site, payload)), f"the log tells {wanted}")
    return told


def use_mailboxes(dovecot, dupe):
    """What people did before anybody knew."""
    for user, action in (("moved", "move"), ("twice", "copy")):
        with dovecot.imap(user) as imap:
            imap.create("Work")
            imap.select("INBOX")
            if action == "copy":
                imap.copy("1", "Work")
            else:
                imap.xatom("MOVE", "1", "Work")
    with dovecot.imap("read") as imap:
        imap.select("INBOX")
        imap.store("1", "+FLAGS", "(\\Seen \\Flagged Important)")
    download(dovecot, "fetched", delete=True)
    with dovecot.imap("expunged") as imap:
        imap.select("INBOX")
        imap.store("1", "+FLAGS", "(\\Deleted)")
        imap.expunge()
    with open(dupe, "rb") as handle:
        dovecot.deliver("namesake", handle.read())


def seen(dovecot, users):
    return {user: {folder: sorted(mails) for folder, mails in dovecot.folders(user).items()} for user in users}


def subjects(dovecot, user):
    return {folder: [subject for subject, _, _ in mails] for folder, mails in dovecot.folders(user).items() if mails}


# What a mailbox may not be written to for waits in the queue.
def keep_back(mx):
    os.chown(mx.mail, 0, 0)
    os.chmod(mx.mail, 0o700)


def deliver_again(mx):
    os.chown(mx.mail, pwd.getpwnam("postfix").pw_uid, 0)


def queues(mx):
    """Returns {queue id: queue}."""
    return {entry["queue_id"]: entry["queue_name"] for entry in mx.queued()}


def states(site, payload):
    return {hit["recipient"].split("@")[0]: hit["state"] for hit in site.who(payload)[0]}


def plan_of(site, *query):
    """Makes a plan; returns its path and its targets."""
    path = f"{site.root}/plan-{len(os.listdir(site.root))}.json"
    done = site.mailtrace("--json", "contain", *query, "-o", path)
    return path, sorted(line["target"] for line in json_lines(done.stdout) if line["type"] == "command")


def outcomes(site, verb, *argv, status=0):
    """Runs apply or undo; returns {target: outcome}."""
    done = site.mailtrace("--json", verb, "--yes", *argv, status=status)
    return {line["target"]: line["outcome"] for line in json_lines(done.stdout) if line["type"] == "target"}


def as_user(site, user, *argv, status=0):
    """Runs mailtrace as another user of the site's group."""
    return run("setpriv", f"--reuid={user}", f"--regid={grp.getgrnam('mail').gr_gid}", "--clear-groups",
               program("mailtrace"), "--config", site.config, *argv, status=status)


def share(site, *paths):
    """Lets the group of as_user() at what the site's own group may have."""
    for path in (site.root, f"{site.root}/run", f"{site.root}/run/control.sock", f"{site.root}/store", site.config,
                 *glob.glob(f"{site.root}/store/*"), *paths):
        shutil.chown(path, group="mail")
        os.chmod(path, 0o750 if os.path.isdir(path) else 0o660)


@test
def above_the_threshold_another_user_with_a_key_is_needed():
    mx = mta.Postfix()
    with site_before(mx) as site:
        keys, users = f"{site.root}/keys", {name: pwd.getpwnam(name).pw_uid for name in ("games", "news")}
        site.mailtrace("keygen", "--type", "approver", f"{site.root}", "news")
        with open(f"{keys}/approval_keys", "w") as handle:
            handle.write(f"news {site.root}/news.pub news\n")
        site.set("containment", approval_threshold="0", approval_keys=f"{keys}/approval_keys")
        site.set("roles", analysts="", approvers="games;news")
        site.collector.stop()
        site.start_collector()
        keep_back(mx)
        path, payload = message_with_payload(site, "evil")
        send(mx, ["alice@example.org"], path)
        wait_until(lambda: queues(mx), "it waits")
        site.set("roles", analysts="root")
        site.collector.signal(signal.SIGHUP)
        wait_until(lambda: site.mailtrace("who", "to:alice", status=None).returncode == 0, "the roles are in force")
        plan, (target,) = plan_of(site, payload, "--scope", "queue")
        share(site, plan)
        os.chown(f"{site.root}/news.key", users["news"], -1)
        os.chmod(f"{site.root}/news.key", 0o600)
        approve = ["approve", "--yes", "--key", f"{site.root}/news.key", plan]
        refused = as_user(site, users["games"], "apply", "--yes", plan, status=2)
        assert "another person" in refused.stderr, refused.stderr
        assert as_user(site, users["games"], *approve, status=2).stderr.count("\n") == 1
        refused = site.mailtrace(*approve, status=2)
        assert "approver" in refused.stderr, refused.stderr
        shown = as_user(site, users["news"], *approve)
        assert target in shown.stdout and "Approved." in shown.stderr, shown.stdout + shown.stderr
        refused = as_user(site, users["news"], "apply", "--yes", plan, status=2)
        assert "another person" in refused.stderr, refused.stderr
        with open(plan) as handle:
            text = handle.read()
        with open(plan, "w") as handle:
            handle.write(text.replace("alice@example.org", "carol@example.org"))
        assert "was changed" in site.mailtrace("apply", "--yes", plan, status=2).stderr
        with open(plan, "w") as handle:
            handle.write(text)
        equal(outcomes(site, "apply", plan), {target: "done"})


@test
def one_message_in_hundreds_of_mailboxes_is_taken_away_and_comes_back_as_it_was():
    with site_with_mailboxes() as (site, mx, dovecot):
        path, payload = message_with_payload(site, "evil", subject="Invoice")
        dupe = make_message(f"{site.root}/dupe.eml", subject="Namesake", message_id="<evil.eml@example.net>")
        send(mx, ["team@example.org", "alone@example.org"], path)
        event = wait_until(lambda: site.who(payload)[0], "it is recorded")[0]["event_id"]
        wait_until(lambda: "  done" in site.mailtrace("show", event).stdout, "the log tells that all have it")
        equal(states(site, payload), {"team": "delivered", "alone": "delivered"})
        wait_until(lambda: len(places(site, payload)) == len(MANY + NOTABLE), "and Dovecot's, where each copy is")
        use_mailboxes(dovecot, dupe)
        wait_until(lambda: sorted(done_with(site, payload, "fetched")) == ["deleted", "downloaded"], "and what was done with it")
        watched = NOTABLE + MANY[:20]
        before = seen(dovecot, watched)
        path = f"{site.root}/plan.json"
        done = json_lines(site.mailtrace("--json", "contain", payload, "--scope", "mailbox", "-o", path).stdout)
        equal(len([line for line in done if line["type"] == "command"]), len(MANY + NOTABLE), "aliases are expanded")
        equal({line["address"]: line["kind"] for line in done if line["type"] == "beyond"},
              {"x@else.example": "no-copy", "fetched@example.org": "downloaded"})
        site.set("containment", approval_threshold="1000")
        site.collector.stop()
        site.start_collector()
        apply = subprocess.Popen([program("mailtrace"), "--config", site.config, "apply", "--yes", path],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=mtlib.environment())
        wait_until(lambda: not dovecot.guids(MANY[150], "mailbox", "INBOX"), "it is under way")
        actuators = mtlib.children(apply.pid)
        apply.kill()
        apply.wait()
        # What it had given to the actuator is still done, by nobody's hand: then it ends, too.
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in actuators), "its actuator has ended")
        assert "unreachable" in outcomes_while_dovecot_is_down(site, dovecot, path).values()
        got = outcomes(site, "apply", path, status=3)
        left = {target: outcome for target, outcome in got.items()
                if outcome not in ("done", "already-gone", "moved-by-user")}
        equal(left, {"mailbox fetched@example.org": "downloaded"})
        equal([got[f"mailbox {user}@example.org"] for user in ("moved", "expunged")], ["moved-by-user", "already-gone"])
        for user in MANY + NOTABLE:
            equal(subjects(dovecot, user), {"INBOX": ["Namesake"]} if user == "namesake" else {}, user)
        equal(states(site, payload), {"team": "delivered", "alone": "retracted"}, "one of the list's copies was downloaded")
        undone = outcomes(site, "undo", path)
        equal(set(undone.values()), {"done"})
        equal(seen(dovecot, watched), before, "each is where it was, with flags and date")
        for user in MANY:
            equal(subjects(dovecot, user), {"INBOX": ["Invoice"]}, user)
        equal(states(site, payload), {"team": "delivered", "alone": "restored"})
        site.mailtrace("actions", "--verify")


def carried(site, path, status):
    """Runs apply; returns {user: (outcome, contained)}, {user: kind} of what is beyond reach, and what people see."""
    lines = json_lines(site.mailtrace("--json", "apply", "--yes", path, status=status).stdout)
    user = lambda address: address.split("@")[0]
    return ({user(line["recipient"]): (line["outcome"], line["contained"]) for line in lines if line["type"] == "target"},
            {user(line["address"]): line["kind"] for line in lines if line["type"] == "beyond"})


@test
def what_was_downloaded_or_sent_on_is_never_contained_and_named():
    mx, dovecot = mta.Postfix(), Dovecot(CLIENTS).start()
    with site_that_follows(mx, dovecot) as site:
        path, payload = message_with_payload(site, "evil", subject="Invoice")
        send(mx, [f"{user}@example.org" for user in CLIENTS], path)
        wait_until(lambda: len(places(site, payload)) == len(CLIENTS), "the logs tell where each copy is")
        download(dovecot, "kept")
        download(dovecot, "taken", delete=True)
        wait_deeds(site, payload, kept=["downloaded"], taken=["deleted", "downloaded"])
        plan = f"{site.root}/plan.json"
        lines = json_lines(site.mailtrace("--json", "contain", payload, "--scope", "mailbox", "-o", plan).stdout)
        equal({line["address"].split("@")[0]: line["kind"] for line in lines if line["type"] == "beyond"},
              {"kept": "downloaded", "taken": "downloaded"})
        # What people do between the plan and its being applied.
        download(dovecot, "latekept")
        download(dovecot, "latetaken", delete=True)
        flag(dovecot, "lateread", "(\\Seen)")
        flag(dovecot, "latesent", "($Forwarded)")
        flag(dovecot, "latedeleted", "(\\Deleted)", expunge=True)
        with dovecot.imap("latemoved") as imap:
            imap.create("Work")
            imap.select("INBOX")
            imap.xatom("MOVE", "1", "Work")
        wait_deeds(site, payload, latekept=["downloaded"], latetaken=["deleted", "downloaded"], lateread=["seen"],
                   latesent=["forwarded"], latedeleted=["deleted"], latemoved=["moved"])
        wanted = {"plain": ("done", True), "lateread": ("done", True), "latemoved": ("moved-by-user", True),
                  "latedeleted": ("already-gone", True), "kept": ("done", False), "latekept": ("done", False),
                  "latesent": ("done", False), "taken": ("downloaded", False), "latetaken": ("downloaded", False)}
        beyond = {"kept": "downloaded", "taken": "downloaded", "latekept": "downloaded", "latetaken": "downloaded",
                  "latesent": "forwarded"}
        equal(carried(site, plan, status=3), (wanted, beyond))
        for user in CLIENTS:
            equal(subjects(dovecot, user), {}, user)
        contained = [user for user, (_, whole) in wanted.items() if whole]
        equal(states(site, payload), {user: "retracted" if user in contained else "delivered" for user in CLIENTS})
        equal(carried(site, plan, status=3), (wanted, beyond), "nothing changes when it is run again")
        shown = site.mailtrace("apply", "--yes", plan, status=3).stdout
        assert "5 copies are beyond reach: the message is not contained." in shown and "Run it again" not in shown, shown
        assert "1 moved to quarantine; was forwarded by its user" in shown, shown
        site.mailtrace("undo", "--yes", plan)
        equal({user for user in CLIENTS if subjects(dovecot, user)},
              {"plain", "lateread", "latemoved", "kept", "latekept", "latesent"}, "what was taken away is back")
        equal(subjects(dovecot, "latemoved"), {"Work": ["Invoice"]})
        site.mailtrace("actions", "--verify")


def outcomes_while_dovecot_is_down(site, dovecot, path):
    dovecot.kill()
    site.set("mailstore", timeout_ms="1000")
    got = outcomes(site, "apply", path, status=3)
    site.set("mailstore", timeout_ms="30000")
    dovecot.start()
    return got


@test
def what_waits_in_the_queue_is_held_and_after_undo_delivered_once():
    mx = mta.Postfix()
    with site_before(mx) as site:
        keep_back(mx)
        path, payload = message_with_payload(site, "evil")
        send(mx, ["alice@example.org", "bob@example.org"], path)
        wait_until(lambda: states(site, payload) == {"alice": "deferred", "bob": "deferred"}, "the log tells that it waits")
        (queue_id,) = queues(mx)
        target = f"queue {queue_id} of mx1"
        plan, targets = plan_of(site, payload, "--scope", "queue")
        equal(targets, [target])
        equal(outcomes(site, "apply", plan), {target: "done"})
        equal(queues(mx), {queue_id: "hold"})
        wait_until(lambda: set(states(site, payload).values()) == {"held"}, "the log tells that it is held")
        equal(outcomes(site, "apply", plan, status=1), {target: "done"})
        deliver_again(mx)
        equal(outcomes(site, "undo", plan), {target: "done"})
        wait_until(lambda: mx.inbox("alice") and mx.inbox("bob"), "it is delivered")
        site.mailtrace("undo", "--yes", plan, status=1)
        wait_until(lambda: not queues(mx), "the queue is empty")
        equal((len(mx.inbox("alice")), len(mx.inbox("bob"))), (1, 1), "each has it once")
        wait_until(lambda: set(states(site, payload).values()) == {"delivered"}, "the log tells that it is delivered")


@test
def what_has_left_the_queue_since_the_plan_is_named_and_found_by_the_next_plan():
    mx = mta.Postfix()
    with site_before(mx) as site:
        keep_back(mx)
        path, payload = message_with_payload(site, "evil")
        send(mx, ["alice@example.org"], path)
        wait_until(lambda: states(site, payload) == {"alice": "deferred"}, "the log tells that it waits")
        plan, targets = plan_of(site, payload, "--scope", "queue,mailbox")
        equal(len(targets), 1)
        deliver_again(mx)
        run("/usr/sbin/postqueue", "-c", mx.etc, "-f")
        wait_until(lambda: states(site, payload) == {"alice": "delivered"}, "it is delivered after all")
        equal(outcomes(site, "apply", plan, status=3), {targets[0]: "not-found"})
        equal(plan_of(site, payload, "--scope", "queue,mailbox")[1], ["mailbox alice@example.org"])


@test
def what_a_block_held_stays_on_hold_after_undo():
    mx = mta.Postfix()
    with site_before(mx) as site:
        path, payload = message_with_payload(site, "evil")
        site.mailtrace("block", "add", payload, "--mode", "hold")
        send(mx, ["alice@example.org"], path)
        site.wait_stored(1)
        plan, targets = plan_of(site, payload, "--scope", "queue")
        equal(outcomes(site, "apply", plan), {targets[0]: "already-gone"})
        site.mailtrace("undo", "--yes", plan, status=1)
        equal((list(queues(mx).values()), mx.inbox("alice")), (["hold"], []))


@test
def evidence_comes_from_hold_and_from_a_mailbox_and_stays_there():
    with site_with_mailboxes() as (site, mx, dovecot):
        messages = {}
        for name, user in (("first", "alone"), ("second", "read")):
            path, payload = message_with_payload(site, name, subject=name)
            if name == "second":
                site.mailtrace("block", "add", payload, "--mode", "hold")
            send(mx, [f"{user}@example.org"], path)
            with open(path, "rb") as handle:
                messages[name] = handle.read().replace(b"\r\n", b"\n").split(b"\n\n", 1)[1].strip()
        wait_until(lambda: states(site, "from:sender@example.net") == {"alone": "delivered", "read": "held"},
                   "the log tells that one is delivered and one held")
        (queue_id,) = queues(mx)
        before = seen(dovecot, ["alone"])
        zip_path, folder, password = f"{site.root}/evidence.zip", f"{site.root}/unsealed", f"{site.root}/password"
        os.mkdir(folder)
        with open(password, "w") as handle:
            handle.write("a password of the case\n")
        done = site.mailtrace("--json", "--case", "C-7", "--reason", "inquiry", "fetch", "from:sender@example.net", "-o", zip_path,
                              "--password-file", password)
        items = {line["target"]: line for line in json_lines(done.stdout) if line["type"] == "item"}
        equal({target: item["outcome"] for target, item in items.items()},
              {f"queue {queue_id} of mx1": "done", "mailbox alone@example.org": "done"})
        run(program("tests/tools/unseal"), zip_path, folder, stdin="a password of the case\n")
        for target, name in ((f"queue {queue_id} of mx1", "second"), ("mailbox alone@example.org", "first")):
            with open(f"{folder}/{items[target]['file']}", "rb") as handle:
                text = handle.read()
            equal(hashlib.sha256(text).hexdigest(), items[target]["sha256"])
            equal(text.replace(b"\r\n", b"\n").split(b"\n\n", 1)[1].strip(), messages[name], name)
        with open(f"{folder}/custody.json", "rb") as handle:
            sources = [item["source"] for item in json.load(handle)["items"]]
        equal(sorted((source["queue_id"] or source["guid"], source["folder"]) for source in sources),
              sorted([(queue_id, None), (dovecot.guids("alone", "mailbox", "INBOX")[0], "INBOX")]))
        equal((queues(mx), seen(dovecot, ["alone"])), ({queue_id: "hold"}, before), "each is where it was, unread")


main()
