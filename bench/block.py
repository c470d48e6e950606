# SPDX-License-Identifier: BSD-2-Clause
"""From `mailtrace block add` to enforcement on SENSORS gateways: real milters, one collector.

usage: make bench-block [SENSORS=10] [ROUNDS=20]
Each round blocks another file, and every gateway is then given a message with it:
all must refuse, the first time they are asked.  Prints the least, median and largest
number of milliseconds until all sensors have the block on disk and in force, as the
command says; of the whole command; and until the last of them has refused its message.
"""
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.environ["top_srcdir"], "tests", "it"))
from mtlib import Site, json_lines, message_with_payload  # noqa: E402

sensors = int(os.environ.get("SENSORS") or 10)
rounds = int(os.environ.get("ROUNDS") or 20)
names = [f"mx{number + 1}" for number in range(sensors)]
first = Site()
first.make_keys()
first.set("collector", expected_sensors=";".join(names))
gateways = [first]
for name in names[1:]:
    keys = f"{first.root}/keys"
    first.mailtrace("keygen", "--type", "sensor", keys, name)
    first.mailtrace("sensor", "add", name, f"{keys}/{name}.pub")
    gateway = Site(site={"sensor": name, "site_key": f"{keys}/site.key"})
    gateway.set("bus", **{**first.settings["bus"], "sensor_key": f"{keys}/{name}.key"})
    gateways.append(gateway)
first.start_collector()
for gateway in gateways:
    gateway.start_milter()
force, whole, refused = [], [], []
for number in range(rounds + 1):
    path, payload = message_with_payload(first, f"round{number}")
    began = time.monotonic()
    done = first.mailtrace("--json", "block", "add", payload)
    took = time.monotonic() - began
    line = [l for l in json_lines(done.stdout) if l["type"] == "force"][0]
    assert line["in_force"] == sensors, line
    for gateway in gateways:
        verdict = gateway.play("--from", "<s@example.net>", "--rcpt", "<a@example.org>", path)[0]["verdict"]
        assert verdict == "reply", f"{gateway.root}: {verdict}"
    if number:  # the first waits for the sensors to connect
        force.append(line["ms"])
        whole.append(took * 1000)
        refused.append((time.monotonic() - began) * 1000)
for what, values in (("in force", force), ("whole command", whole), ("last of them refused a message", refused)):
    print(f"{sensors} sensors, {rounds} rounds, {what}: least {min(values):.0f} ms,"
          f" median {statistics.median(values):.0f} ms, most {max(values):.0f} ms")
for gateway in gateways:
    if gateway.milter.alive():
        gateway.milter.stop()
first.stop()
