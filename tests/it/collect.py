# SPDX-License-Identifier: BSD-2-Clause
"""The collector as a whole program: what it stores, refuses, publishes and survives."""
import json
import os
import signal
import socket
import sqlite3

import mtlib
from mtlib import Daemon, equal, json_lines, make_message, program, test, wait_until
from sensor import event, send, site_with_keys, watcher

def status(site):
    lines = json_lines(site.mailtrace("--json", "status").stdout)
    return lines[0], [l for l in lines if l["type"] == "sensor"]


@test
def a_batch_is_stored_acknowledged_and_asked_for():
    site = site_with_keys()
    site.start_collector()
    answers = send(site, 1, *[event(site, i) for i in range(1, 6)])
    equal(answers, ["welcome 0", "ack 5"])
    hits, coverage = site.who("subject:mail")
    equal(sorted(h["recipient"] for h in hits), [f"u{i}@example.org" for i in range(1, 6)])
    equal({h["sensor"] for h in hits}, {"mx1"})
    equal(coverage["sensors"], ["mx1"])
    site.stop()


@test
def an_analyst_asks_without_write_permission_while_the_collector_runs():
    site = site_with_keys()
    collector = site.start_collector()
    send(site, 1, *[event(site, i) for i in range(1, 6)])
    # the group's view: the store is read-only; root asks as somebody else, since nothing binds root
    other = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    store = os.path.join(site.root, "store")
    for name in os.listdir(store):
        os.chmod(os.path.join(store, name), 0o444)
    os.chmod(store, 0o555)
    os.chmod(f"{site.root}/run", 0o755)
    os.chmod(f"{site.root}/run/control.sock", 0o666)
    try:
        equal(len(site.who("subject:mail", status=0, **other)[0]), 5)
        site.mailtrace("status", **other)
        assert collector.alive(), collector.text()
    finally:
        os.chmod(store, 0o750)
    site.stop()


@test
def what_is_sent_again_is_stored_once():
    site = site_with_keys()
    site.start_collector()
    events = [event(site, i) for i in range(1, 4)]
    send(site, 1, *events)
    equal(send(site, 1, *events), ["welcome 3", "ack 3"])
    equal(status(site)[0]["events"], 3)
    site.stop()


@test
def a_collector_that_was_killed_goes_on_where_it_stood():
    site = site_with_keys()
    site.start_collector()
    send(site, 1, event(site, 1), event(site, 2))
    site.collector.process.kill()
    site.collector.process.wait()
    os.unlink(f"{site.root}/collect.log")
    # its socket is left behind, and must not stand in the way
    assert os.path.exists(f"{site.root}/run/control.sock")
    site.collector = Daemon([program("mailtrace"), "--config", site.config, "collect"],
                            f"{site.root}/collect.log")
    wait_until(lambda: "started" in site.collector.text(), "the collector is back")
    equal(send(site, 3, event(site, 3)), ["welcome 2", "ack 3"])
    equal(len(site.who("subject:mail")[0]), 3)
    site.stop()


@test
def poison_is_put_aside_and_those_behind_it_go_on():
    site = site_with_keys()
    site.start_collector()
    answers = send(site, 1, event(site, 1), "{\"class_uid\":1}", "\x01garbage", event(site, 4))
    equal(answers[0], "welcome 0")
    equal([a.split()[:2] for a in answers if a.startswith("refuse")], [["refuse", "2"], ["refuse", "3"]])
    equal(answers[-1], "ack 4")
    store, _ = status(site)
    equal((store["events"], store["dead_letters"]), (2, 2))
    wait_until(lambda: site.collector.text().count("event-refused") == 2, "the log names them")
    site.stop()


def dead_letters(site, *argv, status=0):
    return json_lines(site.mailtrace("--json", "dead-letters", *argv, status=status).stdout)


def mend(site, letter, text):
    """Puts other bytes into a dead letter, such as a newer reader would understand."""
    with sqlite3.connect(site.settings["store"]["url"].removeprefix("sqlite:")) as database:
        database.execute("UPDATE dead_letters SET json=? WHERE id=?", (text.encode(), letter))
    database.close()


@test
def dead_letters_are_listed_read_again_and_given_up():
    site = site_with_keys()
    site.start_collector()
    garbage = "\x01garbage"
    send(site, 1, event(site, 1), garbage, garbage, garbage)
    letters = dead_letters(site, "list")
    equal([(l["sensor"], l["number"], l["bytes"]) for l in letters],
          [("mx1", 2, len(garbage)), ("mx1", 3, len(garbage)), ("mx1", 4, len(garbage))])
    assert all(l["reason"] for l in letters), letters
    equal(site.mailtrace("dead-letters", "show", letters[0]["id"]).stdout, garbage)
    # none can be read yet, and all stay
    refused = dead_letters(site, "replay", "--all", status=3)
    equal([l.get("id") for l in refused], [l["id"] for l in letters] + [None])
    equal(refused[-1], {"type": "replayed", "replayed": 0})
    mend(site, letters[0]["id"], event(site, 2))
    # one whose claim is another sensor's stays poison
    mend(site, letters[1]["id"], event(site, 3, sensor="mx2"))
    answer = dead_letters(site, "replay", letters[0]["id"], letters[1]["id"], status=3)
    equal([l.get("id") for l in answer], [letters[1]["id"], None])
    equal(answer[-1]["replayed"], 1)
    equal(sorted(h["recipient"] for h in site.who("subject:mail")[0]), ["u1@example.org", "u2@example.org"])
    equal(dead_letters(site, "drop", letters[2]["id"]), [{"type": "dropped", "dropped": 1}])
    equal([l["id"] for l in dead_letters(site, "list")], [letters[1]["id"]])
    equal(dead_letters(site, "drop", "--all")[-1]["dropped"], 1)
    equal(dead_letters(site, "list", status=1), [])
    # their numbers stay counted as stored
    equal(status(site)[0]["dead_letters"], 0)
    equal(send(site, 5, event(site, 5)), ["welcome 4", "ack 5"])
    site.stop()


@test
def dead_letters_are_of_one_tenant():
    site = site_with_keys()
    site.start_collector()
    send(site, 1, "garbage")
    letter = dead_letters(site, "list")[0]["id"]
    other = site.mailtrace("--json", "--tenant", "b", "dead-letters", "drop", letter, status=1)
    equal(json_lines(other.stdout), [{"type": "dropped", "dropped": 0}])
    equal(len(dead_letters(site, "list")), 1)
    for wrong in (["drop"], ["drop", "x"], ["drop", "0"], ["replay", "--all", letter], ["burn"], []):
        site.mailtrace("dead-letters", *wrong, status=2)
    site.stop()


@test
def a_key_speaks_for_its_own_sensor_and_tenant_alone():
    site = site_with_keys()
    site.mailtrace("keygen", f"{site.root}/keys", "mx2")
    site.mailtrace("--tenant", "b", "sensor", "add", "mx2", f"{site.root}/keys/mx2.pub")
    site.start_collector()
    answers = send(site, 1, event(site, 1, sensor="mx2"), event(site, 2, tenant="b"), event(site, 3))
    equal(sorted(a.split()[1] for a in answers if a.startswith("refuse")), ["1", "2"])
    equal([h["recipient"] for h in site.who("subject:mail")[0]], ["u3@example.org"])
    lines = json_lines(site.mailtrace("--json", "--tenant", "b", "who", "subject:mail", status=1).stdout)
    equal([l["type"] for l in lines], ["coverage"])
    # the same numbers of another sensor are its own
    equal(send(site, 1, event(site, 7, sensor="mx2", tenant="b"), key="mx2")[-1], "ack 1")
    site.stop()


@test
def an_event_without_identity_gets_its_keys():
    site = site_with_keys()
    site.start_collector()
    value = json.loads(event(site, 1))
    del value["metadata"]["tenant_uid"], value["unmapped"]["mailtrace"]["sensor"]
    value["unmapped"]["mailtrace"].pop("tenant", None)
    equal(send(site, 1, json.dumps(value))[-1], "ack 1")
    equal([(h["recipient"], h["sensor"]) for h in site.who("subject:mail")[0]], [("u1@example.org", "mx1")])
    site.stop()


@test
def keys_come_and_go_while_it_runs():
    site = site_with_keys()
    site.mailtrace("keygen", f"{site.root}/keys", "mx2")
    site.start_collector()
    equal(send(site, 1, event(site, 1, sensor="mx2"), key="mx2"), ["denied"])
    site.mailtrace("sensor", "add", "mx2", f"{site.root}/keys/mx2.pub")
    equal(send(site, 1, event(site, 1, sensor="mx2"), key="mx2"), ["welcome 0", "ack 1"])
    site.mailtrace("sensor", "remove", "mx2")
    equal(send(site, 2, event(site, 2, sensor="mx2"), key="mx2"), ["denied"])
    equal(status(site)[0]["events"], 1)
    site.stop()


@test
def the_live_stream_shows_what_was_stored_to_those_who_may():
    site = site_with_keys()
    keys = f"{site.root}/keys"
    site.mailtrace("keygen", "--type", "client", keys, "soc")
    site.mailtrace("sensor", "add", "--role", "subscribe", "soc", f"{keys}/soc.pub")
    site.start_collector()
    reader = watcher(site, 1)
    seen = []

    def arrives():
        # a subscription takes a moment to reach the publisher, and nothing is kept for it
        number = len(seen) + 1
        seen.append(number)
        send(site, number, event(site, number))
        return not reader.alive()

    wait_until(arrives, "an event on the live stream")
    equal(reader.process.returncode, 0, reader.text())
    shown = json_lines(reader.text())
    equal(len(shown), 1)
    assert shown[0]["email"]["subject"].startswith("mail "), shown
    site.stop()


@test
def a_sensors_key_reads_no_stream():
    site = site_with_keys()
    site.start_collector()
    done = site.mailtrace("watch", "--key", f"{site.root}/keys/mx1.key", status=2)
    assert "does not let this key in" in done.stderr, done.stderr
    site.stop()


@test
def a_beat_is_a_sign_of_life():
    site = site_with_keys()
    site.start_collector()
    send(site, 0)
    sensors = wait_until(lambda: status(site)[1], "the sensor in the status")
    equal((sensors[0]["sensor"], sensors[0]["tenant"], sensors[0]["lag"]), ("mx1", "default", 0))
    assert sensors[0]["last_seen"], sensors
    site.stop()


@test
def imports_go_through_it_and_its_lock_keeps_others_out():
    site = site_with_keys()
    site.start_collector()
    path = make_message(f"{site.root}/a.eml", subject="imported")
    equal(json_lines(site.mailtrace("--json", "import", path).stdout)[0]["added"], 1)
    equal(len(site.who("subject:imported")[0]), 1)
    site.set("collector", control_socket=f"{site.root}/run/other.sock")
    done = site.mailtrace("import", path, status=2)
    equal(done.stderr.count("\n"), 1, done.stderr)
    site.stop()


@test
def a_second_collector_does_not_start():
    site = site_with_keys()
    site.start_collector()
    done = site.mailtrace("collect", status=1)
    assert "not-started" in done.stderr, done.stderr
    equal(send(site, 1, event(site, 1))[-1], "ack 1")
    site.stop()


@test
def it_reloads_on_sighup_and_keeps_its_keys_when_the_file_is_wrong():
    site = site_with_keys()
    site.start_collector()
    site.collector.signal(signal.SIGHUP)
    wait_until(lambda: "keys-reloaded" in site.collector.text(), "keys are read again")
    with open(f"{site.root}/keys/authorized_keys", "a") as handle:
        handle.write("nonsense\n")
    site.collector.signal(signal.SIGHUP)
    wait_until(lambda: "reload-failed" in site.collector.text(), "the wrong line is told")
    equal(send(site, 1, event(site, 1))[-1], "ack 1")
    site.stop()


@test
def it_tells_the_service_manager_how_it_is():
    site = site_with_keys()
    path = f"{site.root}/run/notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(mtlib.DEADLINE)
        site.start_collector(NOTIFY_SOCKET=path)
        said = ""
        while "READY=1" not in said or "WATCHDOG=1" not in said:
            said += manager.recv(4096).decode() + "\n"
        site.collector.process.terminate()
        while "STOPPING=1" not in said:
            said += manager.recv(4096).decode() + "\n"
    equal(site.collector.process.wait(mtlib.DEADLINE), 0)
    assert not os.path.exists(f"{site.root}/run/control.sock")


@test
def a_wrong_configuration_is_one_line_and_nothing_is_opened():
    site = site_with_keys()
    os.unlink(f"{site.root}/keys/collector.key")
    done = site.mailtrace("collect", status=2)
    equal(done.stderr.count("\n"), 1, done.stderr)
    assert "mailtrace.conf:" in done.stderr and "collector.key" in done.stderr, done.stderr
    equal(os.listdir(f"{site.root}/store"), [])


@test
def garbage_on_its_socket_does_no_harm():
    site = site_with_keys()
    site.start_collector()
    for garbage in (b"GET / HTTP/1.0\r\n\r\n", bytes(range(256)) * 64, b"\xff" * 70):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(f"{site.root}/run/bus.sock")
            peer.sendall(garbage)
    equal(send(site, 1, event(site, 1))[-1], "ack 1")
    site.stop()


mtlib.main()
