# SPDX-License-Identifier: BSD-2-Clause
"""From `mailtrace block add` to its being in force on SENSORS gateways: real milters, one collector.

usage: make bench-block [SENSORS=10] [ROUNDS=20]
Prints the least, median and largest number of milliseconds that the command
waited for all sensors, and of the whole command.
"""
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.environ["top_srcdir"], "tests", "it"))
from mtlib import Site, json_lines  # noqa: E402

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
force, whole = [], []
for number in range(rounds + 1):
    began = time.monotonic()
    done = first.mailtrace("--json", "block", "add", f"{number:032x}")
    line = [l for l in json_lines(done.stdout) if l["type"] == "force"][0]
    assert line["in_force"] == sensors, line
    if number:  # the first waits for the sensors to connect
        force.append(line["ms"])
        whole.append((time.monotonic() - began) * 1000)
for what, values in (("in force", force), ("whole command", whole)):
    print(f"{sensors} sensors, {rounds} rounds, {what}: least {min(values):.0f} ms,"
          f" median {statistics.median(values):.0f} ms, most {max(values):.0f} ms")
for gateway in gateways:
    if gateway.milter.alive():
        gateway.milter.stop()
first.stop()
