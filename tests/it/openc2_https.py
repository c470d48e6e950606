#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Commands sent to an OpenC2 consumer over HTTPS, and what it may answer."""
import contextlib
import json
import os
import ssl
import subprocess
import threading
import uuid

import actuators
import mtlib
from certificates import Authority
from mtlib import (Site, environment, equal, free_port, journal, json_lines, main, message_with_payload, program,
                   temporary_directory, test, wait_until)
from openc2_consumer import Consumer, Said, hanging_up

CAP_OPENC2_ANSWER_BYTES = 1024 * 1024
TOKEN = "a-token-of-the-tests.0123456789~+/="
KEYS = temporary_directory()
AUTHORITY, STRANGER = Authority(KEYS), Authority(KEYS, "stranger")
CERTIFICATE, KEY = AUTHORITY.sign("mailtrace", "DNS:mailtrace.example.org")


def secret(name, text):
    path = f"{KEYS}/{name}"
    with open(path, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as handle:
        handle.write(text)
    return path


TOKEN_FILE = secret("token", TOKEN + "\n")


def settings(consumer, **other):
    return {"url": consumer.url, "ca": AUTHORITY.ca, "token": TOKEN_FILE, "transfer": consumer.transfer, "timeout_ms": "30000",
            **other}


def device(host="pc-017", action="contain"):
    return {"action": action, "target": {"device": {"hostname": host}},
            "args": {"response_requested": "complete", "er": {"device_containment": "network_isolation"}},
            "actuator": {"er": {}}, "command_id": str(uuid.uuid4())}


def carry_out(consumer, *commands, **other):
    """Runs the actuator; returns the answers in the order of the commands."""
    site = Site(openc2=settings(consumer, **other))
    answers = actuators.carry_out(site, None, *commands, name="actuator-openc2")
    return [answers[command["command_id"]] for command in commands]


def one(consumer, **other):
    (done,) = carry_out(consumer, device(), **other)
    return done["outcome"], done["text"]


def new_site(consumer, **containment):
    """A site with one message, and a plan for devices of its recipients."""
    site = Site(openc2=settings(consumer))
    site.set("containment", **containment)
    site.make_keys()
    site.start_collector()
    site.start_milter()
    path, site.payload = message_with_payload(site, "evil")
    site.play("--from", "<sender@example.net>", "--rcpt", "<alice@example.org>", path)
    site.wait_stored(1)
    return site


def plan_for(site, *hosts, scope="device"):
    path = f"{site.root}/plan.json"
    site.mailtrace("contain", site.payload, "--scope", scope, "-o", path, *[word for host in hosts for word in ("--device", host)])
    return path


def outcomes(site, verb, path, status=0):
    done = site.mailtrace("--json", verb, "--yes", path, status=status)
    return {line["target"]: line["outcome"] for line in json_lines(done.stdout) if line["type"] == "target"}


@test
def a_device_is_contained_and_let_go_by_a_consumer_that_knows_us_by_certificate_and_token():
    with Consumer(AUTHORITY, clients=AUTHORITY, token=TOKEN) as consumer:
        site = new_site(consumer)
        site.set("openc2", certificate=CERTIFICATE, key=KEY)
        path = plan_for(site, "pc-017", "pc-018")
        equal(outcomes(site, "apply", path), {"device pc-017": "done", "device pc-018": "done"})
        equal(outcomes(site, "apply", path, status=1), {"device pc-017": "done", "device pc-018": "done"})
        equal(len(consumer.posts), 2, "what is settled is not sent again")
        equal(outcomes(site, "undo", path), {"device pc-017": "done", "device pc-018": "done"})
        site.mailtrace("undo", "--yes", path, status=1)
        commands = consumer.commands()
        equal(sorted((c["action"], c["target"]["device"]["hostname"]) for c in commands),
              [("allow", "pc-017"), ("allow", "pc-018"), ("contain", "pc-017"), ("contain", "pc-018")])
        equal({c["args"]["er"]["device_containment"] for c in commands}, {"network_isolation"})
        undone = {c["target"]["device"]["hostname"]: c["args"]["x-mailtrace"]["undoes"] for c in commands if c["action"] == "allow"}
        equal(undone, {c["target"]["device"]["hostname"]: c["command_id"] for c in commands if c["action"] == "contain"})
        equal((consumer.complaints, set(consumer.acts.values())), ([], {1}))
        site.mailtrace("actions", "--verify")
        site.stop()
        with open(site.config, encoding="utf-8") as config:
            said = config.read() + site.collector.text() + site.milter.text() + json.dumps(journal(site))
        assert TOKEN not in said, "the token is told"


@test
def both_versions_of_the_transfer_are_spoken():
    for transfer in ("1.1", "1.0"):
        with Consumer(AUTHORITY, transfer=transfer, token=TOKEN) as consumer:
            equal(one(consumer)[0], "done")
            equal((consumer.complaints, len(consumer.posts)), ([], 1), transfer)
    with Consumer(token=TOKEN) as consumer:
        equal((one(consumer)[0], consumer.complaints), ("done", []), "on the same host without TLS")
    # Whatever it is sent, a consumer may answer in the form of the other version.
    with Consumer(AUTHORITY, say=lambda *_: Said(message=False, kind="application/openc2-rsp+json; version=1.0")) as consumer:
        equal(one(consumer)[0], "done")
    with Consumer(AUTHORITY, path="/siem/openc2") as consumer:
        equal((one(consumer, url=consumer.url + "/siem/openc2")[0], consumer.complaints), ("done", []))


@test
def each_status_has_its_meaning():
    wanted = {200: "done", 400: "failed", 401: "failed", 403: "failed", 404: "not-found", 500: "failed", 501: "failed",
              503: "unreachable"}
    for http in (None, 200):
        def say(command, _, http=http):
            return Said(int(command["target"]["device"]["hostname"]), http=http, status_text="for \x1b[31mpeople")
        with Consumer(AUTHORITY, say=say) as consumer:
            answers = carry_out(consumer, *[device(str(status)) for status in wanted])
            equal([done["outcome"] for done in answers], list(wanted.values()))
            for status, done in zip(wanted, answers):
                assert f"answered {status}," in done["text"] and "for \\x1b[31mpeople" in done["text"], done


def ours(**members):
    return {"x-mailtrace": {"command_id": "", "outcome": "done", "copies": [], **members}}


@test
def what_is_no_answer_to_the_command_has_failed():
    cases = [
        (Said(body=b""), "not one JSON object"), (Said(body=b"[" * 100000), "not one JSON object"),
        (Said(body=b'{"status":200,"status":500}'), "not one JSON object"), (Said(body=b"{}"), "no status"),
        (Said(299), "no status"), (Said(200, http=500), "another status than HTTP"), (Said(500, http=404), "another status"),
        (Said(headers={"request_id": str(uuid.uuid4())}), "to another request"), (Said(headers={"request_id": 7}), "to another request"),
        (Said(body=b'{"body":{"openc2":{"request":{}}}}'), "without a response"), (Said(body=b'{"status":"200"}'), "no status"),
        (Said(kind="text/html", body=b"<html>"), "is no OpenC2"), (Said(kind="application/openc2+json;version=2.0"), "is no OpenC2"),
        (Said(kind="\x1b[31m"), "is no OpenC2"), (Said(302, kind="text/html"), "HTTP status 302"),
        (Said(401, kind="text/plain"), "does not take our certificate or token"), (Said(404, kind="text/plain"), "is [openc2] url"),
        (Said(results=ours(command_id=str(uuid.uuid4()))), "to another command"),
        (Said(results={"x-mailtrace": 7}), "command_id"), (Said(results=ours()), "command_id"),
    ]
    with Consumer(AUTHORITY, say=lambda command, _: cases[int(command["target"]["device"]["hostname"])][0]) as consumer:
        answers = carry_out(consumer, *[device(str(number)) for number in range(len(cases))])
        for (_, complaint), done in zip(cases, answers):
            assert done["outcome"] == "failed" and complaint in done["text"] and "\x1b" not in done["text"], (complaint, done)
        equal((len(consumer.posts), consumer.complaints), (len(cases), []), "each is sent once, and no redirect followed")
    for status in (429, 502, 503, 504):
        with Consumer(AUTHORITY, say=lambda *_, status=status: Said(status, kind="text/plain")) as consumer:
            equal(one(consumer)[0], "unreachable")


@test
def an_answer_has_at_most_its_cap():
    for over, wanted in ((-1, "done"), (0, "done"), (1, "failed")):
        with Consumer(AUTHORITY, say=lambda *_, over=over: Said(length=CAP_OPENC2_ANSWER_BYTES + over)) as consumer:
            outcome, text = one(consumer)
            equal((outcome, "over 1048576 bytes" in text), (wanted, over > 0), text)


@test
def a_consumer_that_works_on_it_is_asked_again_until_it_is_done():
    with Consumer(AUTHORITY, say=lambda _, times: Said(102 if times < 3 else 200)) as consumer:
        equal(one(consumer)[0], "done")
        ids = {command["command_id"] for command in consumer.commands()}
        requests = {headers["X-Request-ID"] for headers, _ in consumer.posts}
        equal((len(ids), len(requests), list(consumer.acts.values()), consumer.complaints), (1, 3, [1], []))
    ready = threading.Event()
    with Consumer(AUTHORITY, say=lambda *_: Said(200 if ready.is_set() else 102)) as consumer:
        site = new_site(consumer)
        site.set("openc2", timeout_ms="1000")
        path = plan_for(site, "pc-017")
        equal(outcomes(site, "apply", path, status=3), {"device pc-017": "unreachable"})
        ready.set()
        equal(outcomes(site, "apply", path), {"device pc-017": "done"})
        equal((len(consumer.asked), list(consumer.acts.values())), (1, [1]), "the same command, and done once")
        site.stop()


@test
def a_connection_that_breaks_is_tried_once_more():
    for broken in (Said(cut=20), None):
        with Consumer(AUTHORITY, say=lambda _, times, broken=broken: broken if times == 1 else Said()) as consumer:
            equal(one(consumer)[0], "done")
            equal((list(consumer.asked.values()), list(consumer.acts.values())), ([2], [1]))
        with Consumer(AUTHORITY, say=lambda *_, broken=broken: broken) as consumer:
            equal((one(consumer)[0], list(consumer.asked.values())), ("unreachable", [2]))


@test
def a_consumer_that_is_away_or_silent_is_unreachable():
    released = threading.Event()
    with Consumer(AUTHORITY, say=lambda *_: released.wait(mtlib.DEADLINE) and Said()) as consumer:
        equal(one(consumer, timeout_ms="500")[0], "unreachable")
        released.set()
    equal(one(consumer, url=f"https://127.0.0.1:{free_port()}")[0], "unreachable")
    with hanging_up() as (port, count):
        equal((one(consumer, url=f"https://127.0.0.1:{port}")[0], len(count)), ("unreachable", 2))
        commands = [device(f"pc-{number}") for number in range(60)]
        answers = carry_out(consumer, *commands, url=f"https://127.0.0.1:{port}")
        equal({done["outcome"] for done in answers}, {"unreachable"})
        assert sum("not tried" in done["text"] for done in answers) > 30, "a plan of thousands would wait for each"


@test
def nothing_is_said_to_a_server_that_is_not_the_consumer():
    cases = ({"ca": STRANGER.ca}, {"ca": ""}, {"ca": f"{KEYS}/absent.pem"})
    with Consumer(AUTHORITY) as consumer:
        for wrong in (*cases, {"url": consumer.url.replace("127.0.0.1", "localhost")}):
            outcome, text = one(consumer, **wrong)
            assert outcome == "failed" and "[openc2]" in text, (wrong, outcome, text)
        equal(consumer.posts, [])
    with Consumer(AUTHORITY, days="-1") as consumer:
        outcome, text = one(consumer)
        equal((outcome, "expired" in text, consumer.posts), ("failed", True, []), text)
    with Consumer(AUTHORITY, newest=ssl.TLSVersion.TLSv1_1) as consumer:
        equal((one(consumer)[0], consumer.posts), ("unreachable", []))
    with Consumer(AUTHORITY, newest=ssl.TLSVersion.TLSv1_2) as consumer:
        equal((one(consumer)[0], consumer.complaints), ("done", []))


@test
def who_is_not_known_to_the_consumer_has_nothing_done():
    stranger = STRANGER.sign("mailtrace")
    with Consumer(AUTHORITY, clients=AUTHORITY) as consumer:
        for certificate, key in (("", ""), stranger):
            outcome, text = one(consumer, certificate=certificate, key=key)
            equal((outcome, "may not take our certificate" in text), ("unreachable", True), text)
        equal(consumer.posts, [])
        equal(one(consumer, certificate=CERTIFICATE, key=KEY, token="")[0], "done")
    with Consumer(AUTHORITY, token="a newer one") as consumer:
        outcome, text = one(consumer)
        assert outcome == "failed" and "401" in text and "the token is expired" in text and TOKEN not in text, text
        equal(consumer.acts, {})


@test
def a_wrong_configuration_is_told_before_anything_is_sent():
    open_token, open_key = secret("open-token", TOKEN), secret("open-key", "x")
    for path in (open_token, open_key):
        os.chmod(path, 0o644)
    with Consumer(AUTHORITY) as consumer:
        for wrong, complaint in (({"url": ""}, "url is not set"), ({"token": ""}, "neither certificate and key nor token"),
                                 ({"certificate": CERTIFICATE}, "belong together"), ({"key": KEY}, "belong together"),
                                 ({"token": f"{KEYS}/absent"}, "absent"), ({"token": open_token}, "open-token"),
                                 ({"token": secret("two", "a b\n")}, "is no bearer token"),
                                 ({"certificate": CERTIFICATE, "key": open_key}, "open-key"),
                                 ({"url": "http://192.0.2.1/"}, "https"), ({"transfer": "2.0"}, "transfer")):
            process = actuators.start(Site(openc2=settings(consumer, **wrong)), None, name="actuator-openc2")
            _, err = process.communicate(json.dumps(device()) + "\n", timeout=60)
            equal((process.returncode, err.count("\n")), (2, 1), err)
            assert complaint in err and TOKEN not in err, (wrong, err)
        equal(consumer.posts, [])


@contextlib.contextmanager
def applying(site, path, *argv):
    """apply under way, in the background."""
    process = subprocess.Popen([program("mailtrace"), "--config", site.config, "apply", "--yes", *argv, path],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@test
def nothing_is_done_twice_when_apply_is_killed_in_the_middle():
    held, hosts = threading.Event(), [f"pc-{number:02}" for number in range(30)]

    def say(command, _):
        if command["target"]["device"]["hostname"] >= "pc-10":
            held.wait(mtlib.DEADLINE)
        return Said()
    with Consumer(AUTHORITY, token=TOKEN, say=say) as consumer:
        site = new_site(consumer)
        path = plan_for(site, *hosts)
        with applying(site, path, "--jobs", "2") as apply:
            wait_until(lambda: len(consumer.asked) >= 12, "ten are done, two are under way")
            wait_until(lambda: len(settled(site)) >= 8, "the collector has been told of most of them")
            actuator = mtlib.children(apply.pid)
            equal(len(actuator), 1)
            assert TOKEN not in str(actuator), "the token is on a command line"
            apply.kill()
            apply.wait()
            held.set()
            wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in actuator), "its actuator has ended")
        before, done = settled(site), dict(consumer.asked)
        equal(set(outcomes(site, "apply", path).values()), {"done"})
        equal((len(consumer.acts), set(consumer.acts.values())), (len(hosts), {1}), "each is done, and once")
        again = {name for name, times in consumer.asked.items() if times > 1}
        assert not again & before and len(done) < len(hosts), "what the collector knew of is not sent again"
        assert len(again) <= 4 + 2, f"no more is sent again than was under way: {len(again)}"
        site.stop()


def settled(site):
    """Returns the ids of the commands that the journal has the result of."""
    return {entry["arguments"][0] for entry in journal(site) if entry["verb"] == "result"}


@test
def a_consumer_that_knows_our_profile_acts_on_mailboxes_too():
    copy = {"guid": "6a0b", "folder": "INBOX", "flags": ["\\Seen"], "quarantine": "Quarantine"}

    def say(command, _):
        copies = [copy] if command["action"] == "contain" else []
        return Said(status_text="by the consumer", results=ours(command_id=command["command_id"], copies=copies))
    with Consumer(AUTHORITY, say=say) as consumer:
        site = new_site(consumer, mailstore_command=program("investigate/actuator-openc2"))
        path = plan_for(site, scope="mailbox")
        equal(outcomes(site, "apply", path), {"mailbox alice@example.org": "done"})
        equal(outcomes(site, "undo", path), {"mailbox alice@example.org": "done"})
        contained, restored = consumer.commands()
        equal(contained["target"]["x-mailtrace:message"]["mailbox"], "alice@example.org")
        given = restored["args"]["x-mailtrace"]["copies"]
        equal([{name: each[name] for name in copy} for each in given], [copy], "what it answered is what it is given back")
        equal(consumer.complaints, [])
        site.stop()
        copying = actuators.command("copy", "alice", message_id="<evil@example.net>")
        (done,) = carry_out(consumer, copying)
        equal((done["outcome"], len(consumer.posts)), ("failed", 2), "evidence is not brought over OpenC2")


main()
