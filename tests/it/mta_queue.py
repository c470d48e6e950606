#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Messages in the queues of a real Postfix and a real Sendmail: held, released, copied, and nothing else touched."""
import contextlib
import json
import os
import pwd
import shlex
import shutil
import socket
import stat
import subprocess
import threading
import time
import uuid

import mta
from mtlib import (Site, environment, equal, json_lines, libexec, main, make_message, message_with_payload, run, send,
                   temporary_directory, test, wait_until)

HELPER = f"{libexec()}/queue-helper"
ACTUATOR = f"{libexec()}/actuator-queue"
SENDER = "sender@example.net"


class Gateway:
    """An MTA, and the configuration by which the actuator reaches its queue."""

    def __init__(self, mx, *options, command=None, preexec_fn=None, timeout_ms=60000):
        self.mx = mx
        self.root = temporary_directory("mailtrace-queue.")
        self.marks = f"{self.root}/marks"
        self.helper = [HELPER, "--marks", self.marks, *options]
        self.preexec_fn = preexec_fn
        self.configure(command or shlex.join(self.helper), timeout_ms)

    def configure(self, command, timeout_ms=60000):
        with open(f"{self.root}/mailtrace.conf", "w") as handle:
            handle.write(f"[queue]\ngateways = mx1: {command}\ntimeout_ms = {timeout_ms}\n")

    def ask(self, request, status=0, **keywords):
        """Runs the privileged helper itself; returns its answer."""
        text = request if isinstance(request, (str, bytes)) else json.dumps(request) + "\n"
        done = run(*self.helper, stdin=text, text=isinstance(text, str), status=status,
                   preexec_fn=self.preexec_fn, **keywords)
        return json.loads(done.stdout.splitlines()[0]) if done.stdout else None

    def start(self, *commands, options=()):
        """Starts an actuator with commands on its standard input."""
        with open(f"{self.root}/{uuid.uuid4()}", "w+") as handle:
            handle.writelines(json.dumps(command) + "\n" for command in commands)
            handle.seek(0)
            return subprocess.Popen([ACTUATOR, "--config", f"{self.root}/mailtrace.conf", *options], stdin=handle,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
                                    preexec_fn=self.preexec_fn)

    def responses(self, process):
        out, err = process.communicate(timeout=120)
        equal(process.returncode, 0, err)
        return {line["results"]["x-mailtrace"]["command_id"]: line for line in json_lines(out)}

    def carry_out(self, *commands, options=()):
        """Returns (outcome, copies, text) of each command, in their order."""
        got = self.responses(self.start(*commands, options=options))
        equal(sorted(got), sorted({command["command_id"] for command in commands}), "each is answered")
        return [(line["results"]["x-mailtrace"]["outcome"], line["results"]["x-mailtrace"]["copies"],
                 line["status_text"]) for line in (got[command["command_id"]] for command in commands)]


def openc2(action, message, copies=None, command_id=None):
    """Returns a command; message: the members of its target."""
    ours = {} if copies is None else {"copies": copies}
    return {"action": action, "target": {"x-mailtrace:message": {"gateway": "mx1", **message}},
            "args": {"response_requested": "complete", "x-mailtrace": ours},
            "actuator": {"x-mailtrace": {"role": "queue"}}, "command_id": command_id or str(uuid.uuid4())}


def request(verb, message, **changed):
    """Returns what the helper is asked, of the same message."""
    return {"verb": verb, "queue_id": message["queue_id"], "sender": message["sender"], "size": message["size"],
            "arrival": message["received_at_us"] // 1000000, "command_id": str(uuid.uuid4()), **changed}


_shared = []


@contextlib.contextmanager
def postfix(**settings):
    """A Postfix that cannot write to its mailboxes for the moment; one for all tests, unless they need settings."""
    mx = _shared[0] if _shared and not settings else mta.Postfix(**settings).start()
    if not settings and not _shared:
        _shared.append(mx)
    keep_back(mx)
    try:
        yield mx, Gateway(mx, "--mta-config", mx.etc)
    finally:
        if settings:
            mx.stop()
        else:
            run("/usr/sbin/postsuper", "-c", mx.etc, "-d", "ALL")
            for user in os.listdir(mx.mail):
                shutil.rmtree(f"{mx.mail}/{user}")


# By permissions, not by a setting: what is tried again just after a reload may still meet the old one.
def keep_back(mx):
    os.chown(mx.mail, 0, 0)
    os.chmod(mx.mail, 0o700)


def deliver_again(mx):
    os.chown(mx.mail, pwd.getpwnam("postfix").pw_uid, 0)


def queued_message(mx, name, recipients, sender=SENDER):
    """Sends a message that waits; returns what a record says of it, and the path of its file."""
    before = {entry["queue_id"] for entry in mx.queued()}
    path = make_message(f"{mx.root}/{name}.eml", attachments=[("a.bin", "application/octet-stream", os.urandom(3000))])
    received_at = int(time.time() * 1000000)
    send(mx, recipients, path, sender=sender)

    def waiting():
        new = [entry for entry in mx.queued() if entry["queue_id"] not in before]
        return new if new and all(entry["queue_name"] == "deferred" for entry in new) else None
    entry, = wait_until(waiting, "the message is deferred")
    return {"queue_id": entry["queue_id"], "sender": sender, "received_at_us": received_at,
            "size": os.path.getsize(path)}, path


def queues(mx):
    """Returns {queue id: queue}."""
    return {entry["queue_id"]: entry["queue_name"] for entry in mx.queued()}


@test
def a_message_is_held_and_released_once_to_those_who_were_meant():
    with postfix() as (mx, gateway):
        message, _ = queued_message(mx, "evil", ["alice@example.org", "bob@example.org"])
        other, _ = queued_message(mx, "good", ["carol@example.org"])
        hold = openc2("contain", message)
        (outcome, copies, text), = gateway.carry_out(hold)
        equal((outcome, [(c["guid"], c["folder"], c["quarantine"]) for c in copies]),
              ("done", [(message["queue_id"], "", "hold")]), text)
        equal(queues(mx), {message["queue_id"]: "hold", other["queue_id"]: "deferred"})
        again, = gateway.carry_out(hold)
        equal(again[:2], ("already-gone", copies), "run again, it knows its own hold")
        another, = gateway.carry_out(openc2("contain", message))
        equal(another[:2], ("already-gone", []), "another command has nothing to undo")
        left, = gateway.carry_out(openc2("restore", message, copies=[]))
        equal((left[0], queues(mx)[message["queue_id"]]), ("already-gone", "hold"))
        deliver_again(mx)
        release = openc2("restore", message, copies=copies)
        equal(gateway.carry_out(release)[0][0], "done")
        wait_until(lambda: mx.inbox("alice") and mx.inbox("bob"), "it is delivered")
        wait_until(lambda: message["queue_id"] not in queues(mx), "it has left the queue")
        equal(gateway.carry_out(release)[0][0], "already-gone", "run again after it was delivered")
        equal(gateway.carry_out(openc2("restore", message, copies=copies))[0][0], "not-found")
        equal((len(mx.inbox("alice")), len(mx.inbox("bob")), len(mx.inbox("carol"))), (1, 1, 0))


@contextlib.contextmanager
def site_before(mx):
    """A site whose milter is attached to a Postfix that is not yet started."""
    folder = f"{mx.queue}/mailtrace"
    os.makedirs(folder)
    site = Site(socket_address=f"unix:{folder}/milter.sock")
    site.set("milter", socket_group="postfix", socket_mode="0660")
    shutil.chown(folder, group="postfix")
    os.chmod(folder, 0o750)
    site.make_keys()
    site.start_collector()
    site.start_milter()
    mx.settings.update(smtpd_milters="unix:mailtrace/milter.sock", non_smtpd_milters="unix:mailtrace/milter.sock")
    mx.write()
    mx.start()
    try:
        yield site
    finally:
        mx.stop()
        site.stop()


def recorded(site, query):
    """What the store knows of the one message that a query finds, as a plan would have it."""
    hit = site.who(query)[0][0]
    event = json_lines(site.mailtrace("--json", "show", hit["event_id"]).stdout)[0]
    return {"queue_id": hit["queue_id"], "sender": hit["from"], "received_at_us": event["time"] * 1000,
            "size": event["email"]["size"], "event_id": hit["event_id"]}


@test
def what_is_released_does_not_pass_the_milter_and_its_block_again():
    mx = mta.Postfix()
    with site_before(mx) as site:
        keep_back(mx)
        gateway = Gateway(mx, "--mta-config", mx.etc)
        path, payload = message_with_payload(site, "evil")
        send(mx, ["alice@example.org"], path)
        site.wait_stored(1)
        ours = recorded(site, payload)
        held, = gateway.carry_out(openc2("contain", ours))
        equal(held[0], "done", held[2])
        site.mailtrace("block", "add", payload, "--mode", "hold")
        send(mx, ["bob@example.org"], path)
        site.wait_stored(2)
        blocked = recorded(site, "to:bob@example.org")
        equal(queues(mx), {ours["queue_id"]: "hold", blocked["queue_id"]: "hold"})
        by_block, = gateway.carry_out(openc2("contain", blocked))
        equal(by_block[:2], ("already-gone", []), "what the block holds is not ours to release")
        deliver_again(mx)
        released = gateway.carry_out(openc2("restore", ours, copies=held[1]),
                                     openc2("restore", blocked, copies=by_block[1]))
        equal([r[0] for r in released], ["done", "already-gone"])
        wait_until(lambda: mx.inbox("alice"), "what was ours is delivered")
        wait_until(lambda: queues(mx) == {blocked["queue_id"]: "hold"}, "and the other is still on hold")
        # Were it read again, there would be one record more before this third one.
        plain, _ = message_with_payload(site, "plain")
        send(mx, ["carol@example.org"], plain)
        site.wait_stored(3)
        equal((len(mx.inbox("alice")), mx.inbox("bob")), (1, []))


@test
def a_message_that_differs_from_the_record_is_left_alone():
    with postfix(enable_long_queue_ids="no") as (mx, gateway):
        message, _ = queued_message(mx, "new", ["alice@example.org"])
        null, _ = queued_message(mx, "null", ["bob@example.org"], sender="")
        hour = 3600 * 1000000
        wrong = [{"sender": "somebody@example.net"}, {"sender": ""}, {"size": 900000}, {"size": 10000000},
                 {"received_at_us": message["received_at_us"] - hour},
                 {"received_at_us": message["received_at_us"] + hour}]
        for outcome, copies, text in gateway.carry_out(*[openc2("contain", {**message, **w}) for w in wrong]):
            equal((outcome, copies), ("not-found", []), text)
            assert "another message" in text, text
        got = gateway.carry_out(openc2("contain", {**message, "queue_id": "0123456789"}),
                                openc2("contain", {**message, "gateway": "mx9"}),
                                openc2("contain", {k: v for k, v in message.items() if k != "sender"}),
                                openc2("contain", {**message, "queue_id": "ALL"}))
        equal([g[0] for g in got], ["not-found", "failed", "failed", "failed"])
        assert "left the queue" in got[0][2] and "[queue] gateways" in got[1][2], got
        equal(set(queues(mx).values()), {"deferred"})
        got = gateway.carry_out(openc2("contain", {**message, "sender": "sender@EXAMPLE.NET", "size": 0}),
                                openc2("contain", {**null, "sender": "<>"}))
        equal([g[0] for g in got], ["done", "done"], "what agrees is held")


@test
def a_sender_that_is_rewritten_is_let_pass_by_option_for_ids_that_are_unique():
    rewrite = {"sender_canonical_maps": f"inline:{{{SENDER}=srs0@relay.example}}", "sender_canonical_classes":
               "envelope_sender"}
    for long_ids, wanted in (("yes", "done"), ("no", "not-found")):
        with postfix(enable_long_queue_ids=long_ids, **rewrite) as (mx, gateway):
            message, _ = queued_message(mx, "rewritten", ["alice@example.org"])
            equal(mx.queued()[0]["sender"], "srs0@relay.example")
            equal(gateway.carry_out(openc2("contain", message))[0][0], "not-found")
            gateway.configure(shlex.join([*gateway.helper, "--rewritten-senders"]))
            got = gateway.carry_out(openc2("contain", {**message, "received_at_us": 10 ** 15}), openc2("contain", message))
            equal([g[0] for g in got], ["not-found", wanted], got)


ATTACKS = [{"queue_id": i} for i in ("ALL", "all", "-", "--", "-d", "-hALL", "", "A1B2C", "A" * 33, "../../etc",
                                     "hold/A1B2C3D4", "A1B2C3D4\nALL", "A1B2C3D4 ALL", "A1B2C3D4,ALL", "A1B2C3D4*",
                                     "A1B2C3D4\u0000", "A1B2C3D4\u3042", None, 7, ["ALL"])]
ATTACKS += [{"verb": v} for v in ("", "Hold", "hold\n", "flush", "requeue", None, 1)]
ATTACKS += [{"sender": s} for s in ("a\nb@x", "a\u0000b", "x" * 1025, None, 3)]
ATTACKS += [{"arrival": a} for a in (0, -1, "1", None, 1.5, 10 ** 30)] + [{"size": s} for s in (-1, "1", None)]
ATTACKS += [{"command_id": c} for c in ("", "x y", "../a", "a" * 37, None)] + [{"config": "/tmp"}, {"MAIL_CONFIG": "/"}]


@test
def the_helper_takes_no_request_but_those_of_its_form():
    with postfix() as (mx, gateway):
        message, _ = queued_message(mx, "kept", ["alice@example.org"])
        before = queues(mx)
        for change in ATTACKS:
            for verb in ("hold", "copy"):
                asked = {**request(verb, message), **change}
                try:
                    line = json.dumps(asked) + "\n"
                    answer = gateway.ask(line)
                except Exception as why:
                    raise AssertionError(f"{asked}: {why}") from why
                equal(answer["result"], "refused", f"{asked}: {answer}")
        good = json.dumps(request("hold", message))
        equal(gateway.ask(""), None, "no request, no answer")
        for text in ("\n", "hold ALL\n", "[]\n", f"[{good}]\n", good[:-1] + ',"verb":"hold"}\n', good[:-1],
                     good.replace("hold", "hold\\u0000"), " " * 70000 + good, good + good):
            equal(gateway.ask(text)["result"], "refused", text[-200:])
        for raw in (b"\xff\xfe\n", good.encode()[:-1] + b'\0}\n', os.urandom(3000)):
            equal(gateway.ask(raw)["result"], "refused")
        equal(queues(mx), before)
        assert not os.path.exists(gateway.marks), "nothing was done, and nothing noted"
        equal(gateway.ask(request("delete", message))["result"], "refused", "not without --allow-delete")
        equal(gateway.ask(request("list", message))["result"], "done")
        # Several requests are answered in their order: the second one sees what the first has done.
        other = json.dumps(request("list", message))
        done = run(*gateway.helper, stdin="\n".join(["nonsense", good, other, good, json.dumps(request("copy", message)),
                                                     json.dumps(request("hold", message))]))
        equal([(a["result"], a["ours"]) for a in json_lines(done.stdout)],
              [("refused", False), ("done", True), ("done", False), ("already", True), ("refused", False),
               ("already", False)])
        again = [json.dumps(request(verb, message, command_id="c1")) for verb in ("hold", "delete", "list", "release")]
        done = run(*gateway.helper, stdin="\n".join(again))
        equal([(a["result"], a["queue_name"]) for a in json_lines(done.stdout)],
              [("already", "hold"), ("refused", None), ("done", "hold"), ("done", "hold")])
        other = json.dumps(request("list", queued_message(mx, "other", ["bob@example.org"])[0]))
        done = run(*gateway.helper, stdin=f"{other}\n" * 257)
        equal([a["result"] for a in json_lines(done.stdout)], ["done"] * 256, "and what is beyond is not read")


def refused(*argv, **keywords):
    """Runs a helper that must not get as far as its request; returns why."""
    done = run(HELPER, *argv, stdin="{}\n", status=2, **keywords)
    equal(done.stdout, "")
    return done.stderr


@test
def the_helper_trusts_no_path_that_others_can_change():
    with postfix() as (mx, gateway):
        message, _ = queued_message(mx, "kept", ["alice@example.org"])
        loose = f"{gateway.root}/loose"
        os.makedirs(f"{loose}/etc")
        nobody = pwd.getpwnam("nobody")
        for spoil in (lambda: os.chmod(loose, 0o777), lambda: os.chown(loose, nobody.pw_uid, 0)):
            os.chmod(loose, 0o755)
            spoil()
            for option in ("--mta-config", "--programs"):
                assert "others than root" in refused(option, f"{loose}/etc"), option
            answer = json.loads(run(HELPER, "--mta-config", mx.etc, "--marks", f"{loose}/marks",
                                    stdin=json.dumps(request("hold", message)) + "\n").stdout)
            equal(answer["result"], "failed", answer)
            equal(os.listdir(loose), ["etc"], "nothing is made where others could change it")
        os.symlink(f"{loose}/etc", f"{gateway.root}/link")
        assert "others than root" in refused("--mta-config", f"{gateway.root}/link")
        assert "absolute" in refused("--mta-config", "etc")
        assert "No such" in refused("--mta-config", "/no/such/directory")
        assert refused("--mta", "exim") and refused("ALL") and refused("--verb", "hold")
        # As nobody it refuses to run at all, whatever it is told.
        assert "as root" in refused("--mta-config", mx.etc, user="nobody", group="nogroup")
        # The environment says nothing to it: this would make Postfix's programs look elsewhere.
        answer = gateway.ask(request("list", message), env=environment(MAIL_CONFIG=f"{loose}/etc", PATH=loose))
        equal(answer["result"], "done", answer)
        equal(set(queues(mx).values()), {"deferred"})


@test
def a_queue_that_does_not_answer_is_unreachable_and_tried_again():
    with postfix() as (mx, gateway):
        message, _ = queued_message(mx, "late", ["alice@example.org"])
        hold = openc2("contain", message)
        works = shlex.join(gateway.helper)
        for command in ("/no/such/helper", "/bin/false", "/bin/echo nonsense", "/bin/echo '{\"result\":\"done\"}'",
                        "/usr/bin/yes", "/bin/cat"):
            gateway.configure(command)
            for action in (hold, openc2("copy", message)):
                got, = gateway.carry_out(action, options=("--evidence-dir", gateway.root))
                equal(got[0], "unreachable", f"{command}: {got}")
                assert "mx1" in got[2] or "no answer" in got[2], got
        gateway.configure("/bin/sleep 1000", timeout_ms=200)
        equal(gateway.carry_out(hold)[0][0], "unreachable")
        equal(set(queues(mx).values()), {"deferred"})
        gateway.configure(works)
        equal(gateway.carry_out(hold)[0][0], "done")
        equal([name for name in os.listdir(gateway.root) if "eml" in name], [], "no evidence is begun in vain")


@test
def an_answer_that_was_lost_is_given_again():
    with postfix() as (mx, gateway):
        message, _ = queued_message(mx, "lost", ["alice@example.org"])
        hold = openc2("contain", message)
        asked = json.dumps(request("hold", message, command_id=hold["command_id"]))
        with open("/dev/full", "w") as full:
            done = subprocess.run(gateway.helper, input=asked + "\n", text=True, stdout=full, check=False)
        equal((done.returncode, queues(mx)), (1, {message["queue_id"]: "hold"}))
        outcome, copies, _ = gateway.carry_out(hold)[0]
        equal((outcome, len(copies)), ("already-gone", 1))


@test
def commands_at_once_hold_each_message_once():
    with postfix() as (mx, gateway):
        messages = [queued_message(mx, f"m{n}", ["alice@example.org"])[0] for n in range(6)]
        first = [openc2("contain", message) for message in messages]
        second = [openc2("contain", message) for message in messages]
        running = [gateway.start(*commands, options=("--jobs", "4")) for commands in (first, second)]
        one, two = (gateway.responses(process) for process in running)
        for a, b in zip(first, second):
            pair = [one[a["command_id"]], two[b["command_id"]]]
            equal(sorted(r["results"]["x-mailtrace"]["outcome"] for r in pair), ["already-gone", "done"])
            equal(sorted(len(r["results"]["x-mailtrace"]["copies"]) for r in pair), [0, 1])
        equal(set(queues(mx).values()), {"hold"})


@test
def a_message_is_copied_as_evidence_without_being_touched():
    with postfix() as (mx, gateway):
        message, path = queued_message(mx, "proof", ["alice@example.org"])
        evidence = f"{gateway.root}/evidence"
        os.makedirs(evidence)
        copy, other = openc2("copy", message), openc2("copy", {**message, "sender": "x@y.example"})
        got = gateway.carry_out(copy, other, options=("--evidence-dir", evidence))
        equal([g[0] for g in got], ["done", "not-found"], got)
        equal(os.listdir(evidence), [f"{copy['command_id']}.eml"])
        file = f"{evidence}/{copy['command_id']}.eml"
        equal((got[0][2], stat.S_IMODE(os.stat(file).st_mode)), (file, 0o600))
        with open(file, "rb") as taken, open(path, "rb") as sent:
            copied, original = taken.read(), sent.read().replace(b"\r\n", b"\n")
        assert copied.startswith(b"Received: from client.example"), copied[:100]
        equal(copied.partition(b"From: ")[2].rstrip(b"\n"), original.partition(b"From: ")[2].rstrip(b"\n"))
        equal(queues(mx), {message["queue_id"]: "deferred"})
        equal(gateway.carry_out(copy, options=("--evidence-dir", evidence))[0][0], "already-gone")
        equal(gateway.carry_out(openc2("copy", message))[0][0], "failed", "without a directory")


@test
def only_what_is_on_hold_is_deleted_and_only_where_that_is_allowed():
    with postfix() as (mx, gateway):
        message, _ = queued_message(mx, "gone", ["alice@example.org"])
        kept, _ = queued_message(mx, "kept", ["alice@example.org"])
        gateway.helper.append("--allow-delete")
        equal(gateway.ask(request("delete", message))["result"], "refused")
        equal(gateway.ask(request("hold", message))["result"], "done")
        equal(gateway.ask(request("delete", message, sender="x@y.example"))["result"], "other")
        delete = request("delete", message)
        equal([gateway.ask(delete)["result"] for _ in range(2)], ["done", "already"])
        equal(gateway.ask(request("delete", message))["result"], "gone")
        equal(queues(mx), {kept["queue_id"]: "deferred"})


class SlowHost:
    """A mail server that keeps its answer to a message back until it is told to give it."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.messages = 0
        self.has_one, self.answer = threading.Event(), threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            with self.listener.accept()[0] as client, client.makefile("rwb", buffering=0) as lines:
                lines.write(b"220 slow.example\r\n")
                for line in lines:
                    if line.upper().startswith(b"QUIT"):
                        break
                    lines.write(b"354 go on\r\n" if line.upper().startswith(b"DATA") else b"250 ok\r\n")
                    if line.upper().startswith(b"DATA"):
                        while lines.readline() not in (b".\r\n", b""):
                            pass
                        self.messages += 1
                        self.has_one.set()
                        self.answer.wait()
                        lines.write(b"250 taken\r\n")


@test
def a_message_that_is_held_while_it_is_delivered_is_neither_lost_nor_sent_twice():
    host = SlowHost()
    with postfix(transport_maps=f"inline:{{{{example.com=smtp:[127.0.0.1]:{host.port}}}}}") as (mx, gateway):
        path = make_message(f"{mx.root}/slow.eml")
        received_at = int(time.time() * 1000000)
        send(mx, ["x@example.com", "alice@example.org"], path, sender=SENDER)
        assert host.has_one.wait(60), mx.logged()
        queue_id, = queues(mx)
        message = {"queue_id": queue_id, "sender": SENDER, "received_at_us": received_at, "size": os.path.getsize(path)}
        equal(queues(mx), {queue_id: "active"})
        outcome, copies, text = gateway.carry_out(openc2("contain", message))[0]
        equal((outcome, queues(mx)), ("done", {queue_id: "hold"}))
        assert "being delivered" in text, text
        host.answer.set()
        wait_until(lambda: f"{queue_id}: to=<x@example.com>" in mx.logged(), "the delivery under way ends")
        wait_until(lambda: [r["address"] for r in mx.queued()[0]["recipients"]] == ["alice@example.org"],
                   "and is marked in the message on hold")
        equal((queues(mx), mx.inbox("alice")), ({queue_id: "hold"}, []))
        deliver_again(mx)
        equal(gateway.carry_out(openc2("restore", message, copies=copies))[0][0], "done")
        wait_until(lambda: mx.inbox("alice") and not queues(mx), "who had not had it has it now")
        equal((len(mx.inbox("alice")), host.messages), (1, 1))


@test
def an_id_that_is_given_anew_between_look_and_hold_leaves_the_other_message_free():
    with postfix() as (mx, _):
        message, _ = queued_message(mx, "first", ["alice@example.org"])
        other, _ = queued_message(mx, "second", ["bob@example.org"], sender="other@example.net")
        # Postfix's own programs, but for the moment in which the id changes hands.
        programs = f"{mx.root}/programs"
        os.makedirs(programs)
        for name in ("postqueue", "postcat"):
            os.symlink(f"/usr/sbin/{name}", f"{programs}/{name}")
        with open(f"{programs}/postsuper", "w") as handle:
            handle.write(f"""#!/bin/sh
if [ "$3" = -h ]; then
	/usr/sbin/postsuper -c '{mx.etc}' -d "$4"
	mv "$(find '{mx.queue}/deferred' -name '{other['queue_id']}')" '{mx.queue}/incoming/'"$4"
fi
exec /usr/sbin/postsuper "$@"
""")
        os.chmod(f"{programs}/postsuper", 0o755)
        gateway = Gateway(mx, "--mta-config", mx.etc, "--programs", programs)
        outcome, copies, text = gateway.carry_out(openc2("contain", message))[0]
        equal((outcome, copies), ("not-found", []), text)
        assert "another sender" in text, text
        # Asked for until it does not move between queues, when it may be shown twice or not at all.
        wait_until(lambda: [(e["queue_id"], e["sender"], e["queue_name"]) for e in mx.queued()] ==
                   [(message["queue_id"], other["sender"], "deferred")], "the other message waits as before")
        assert f"{message['queue_id']}: released from hold" in mx.logged(), "it was on hold for a moment"
        deliver_again(mx)
        wait_until(lambda: run("/usr/sbin/postqueue", "-c", mx.etc, "-f") and mx.inbox("bob"), "and is delivered")
        equal((len(mx.inbox("bob")), mx.inbox("alice")), (1, []))


def as_nobody_with(sudoers):
    """In the child: nobody, in a world whose sudoers(5) is this file."""
    def become():
        mta.own_file("/etc/sudoers", sudoers)
        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
    return become


@test
def sudo_lets_an_actuator_without_rights_do_just_that():
    with postfix() as (mx, _):
        message, _ = queued_message(mx, "evil", ["alice@example.org"])
        other, _ = queued_message(mx, "other", ["alice@example.org"])
        sudoers = f"{mx.root}/sudoers"
        gateway = Gateway(mx, "--mta-config", mx.etc, preexec_fn=as_nobody_with(sudoers))
        line = [os.path.realpath(gateway.helper[0]), *gateway.helper[1:]]
        with open(sudoers, "w") as handle:
            handle.write(f"nobody ALL=(root) NOPASSWD: {' '.join(line)}\n")
        os.chmod(sudoers, 0o440)
        gateway.configure(shlex.join(["/usr/bin/sudo", "-n", *line]))
        got, = gateway.carry_out(openc2("contain", message))
        equal((got[0], len(got[1])), ("done", 1), got)
        # Without sudo, or with one option more than the line has, nothing is done.
        for argv in (line, ["/usr/bin/sudo", "-n", *line, "--allow-delete"], ["/usr/bin/sudo", "-n", line[0]]):
            gateway.configure(shlex.join(argv))
            refusal, = gateway.carry_out(openc2("contain", other))
            equal(refusal[0], "unreachable", refusal)
            assert "root" in refusal[2] or "password is required" in refusal[2], refusal
        equal(queues(mx), {message["queue_id"]: "hold", other["queue_id"]: "deferred"})


# ---- Sendmail ----

@contextlib.contextmanager
def sendmail():
    """A Sendmail whose deliveries fail for the moment."""
    mx = mta.Sendmail({})
    with open(mx.sink) as handle:
        script = handle.read()
    with open(mx.sink, "w") as handle:
        handle.write(script.replace("set -eu\n", f"set -eu\n[ ! -e '{mx.root}/later' ] || exit 75\n"))
    open(f"{mx.root}/later", "w").close()
    shutil.copy(f"{mx.package}/usr/libexec/sendmail/sendmail", f"{mx.root}/sendmail")
    mx.start()
    try:
        yield mx, Gateway(mx, "--mta", "sendmail", "--mta-config", f"{mx.root}/sendmail.cf", "--programs", mx.root,
                          preexec_fn=mx.own_world)
    finally:
        mx.stop()


def waiting(mx):
    return {os.path.basename(name) for prefix in ("qf", "hf") for name in mx.queue_files(prefix)}


def waiting_message(mx, name, recipients, sender=SENDER):
    before = waiting(mx)
    path = make_message(f"{mx.root}/{name}.eml", attachments=[("a.bin", "application/octet-stream", os.urandom(3000))])
    received_at = int(time.time() * 1000000)
    send(mx, recipients, path, sender=sender)
    control, = wait_until(lambda: waiting(mx) - before, "the message waits")
    # While Sendmail is at a delivery it has the control file locked, and passes it by.
    wait_until(lambda: len(mx.logged().split(f"{control[2:]}: to=")) > 1 and "stat=Deferred" in mx.logged(),
               "its delivery has failed for now")
    return {"queue_id": control[2:], "sender": sender, "received_at_us": received_at,
            "size": os.path.getsize(path)}, path


@test
def sendmail_quarantines_and_releases_once():
    with sendmail() as (mx, gateway):
        message, path = waiting_message(mx, "evil", ["alice@example.org", "bob@example.org"])
        other, _ = waiting_message(mx, "good", ["carol@example.org"], sender="")
        queue_id, kept = message["queue_id"], f"qf{other['queue_id']}"
        hold = openc2("contain", message)

        def held():
            got, = gateway.carry_out(hold)
            return got if got[0] != "failed" else None
        # Sendmail passes by what another of its processes still has locked.
        outcome, copies, text = wait_until(held, "it is quarantined")
        equal((outcome, len(copies)), ("done", 1), text)
        equal(waiting(mx), {f"hf{queue_id}", kept})
        with open(f"{mx.root}/queue/hf{queue_id}", "rb") as handle:
            assert f"\nqmailtrace {hold['command_id']}\n".encode() in handle.read()
        equal(gateway.carry_out(hold)[0][:2], ("already-gone", copies))
        equal(gateway.carry_out(openc2("contain", message))[0][:2], ("already-gone", []))
        wrong = [{"sender": "x@y.example"}, {"size": 900000},
                 {"received_at_us": message["received_at_us"] + 9000 * 1000000}]
        got = gateway.carry_out(*[openc2("restore", {**message, **w}, copies=copies) for w in wrong])
        equal([g[0] for g in got], ["not-found"] * 3, got)
        equal(gateway.carry_out(openc2("contain", {**other, "queue_id": other["queue_id"][:8]}))[0][0], "not-found")
        equal(waiting(mx), {f"hf{queue_id}", kept})
        evidence, = gateway.carry_out(openc2("copy", message), options=("--evidence-dir", gateway.root))
        equal(evidence[0], "done", evidence[2])
        with open(evidence[2], "rb") as taken, open(path, "rb") as sent:
            copied, original = taken.read(), sent.read().replace(b"\r\n", b"\n")
        equal(copied.partition(b"From: ")[2].rstrip(b"\n"), original.partition(b"From: ")[2].rstrip(b"\n"))
        os.remove(f"{mx.root}/later")
        release = openc2("restore", message, copies=copies)
        equal(gateway.carry_out(release)[0][0], "done")
        wait_until(lambda: mx.inbox("alice") and mx.inbox("bob"), "it is delivered")
        wait_until(lambda: waiting(mx) == {kept}, "it has left the queue")
        equal(gateway.carry_out(release)[0][0], "already-gone")
        equal((len(mx.inbox("alice")), len(mx.inbox("bob")), len(mx.inbox("carol"))), (1, 1, 0))


@test
def sendmail_is_not_asked_when_it_would_act_on_a_second_message():
    with sendmail() as (mx, gateway):
        message, _ = waiting_message(mx, "short", ["alice@example.org"])
        queue_id = message["queue_id"]
        # An id that has the other within it, as an older Sendmail's spool beside a newer one's could.
        shutil.copy(f"{mx.root}/queue/qf{queue_id}", f"{mx.root}/queue/qf{queue_id}9")
        got, = gateway.carry_out(openc2("contain", message))
        equal(got[0], "failed", got)
        assert "both" in got[2], got
        equal(waiting(mx), {f"qf{queue_id}", f"qf{queue_id}9"})


main()
