#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The form of events: OCSF's facts, our manual page and the encoder agree."""
import copy
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from mtlib import BUILD, SOURCE, main, test
from ocsf_check import Checker

PAGE = os.path.join(SOURCE, "docs", "mailtrace-event.7")
GOLDEN = os.path.join(SOURCE, "tests", "data", "event.json")
CHECK = os.path.join(SOURCE, "tests", "tools", "ocsf_check.py")


def random_events():
    emit = os.path.join(BUILD, "tests", "tools", "emit_events")
    out = subprocess.run([emit, "500", "20261123"], check=True, capture_output=True, timeout=60).stdout
    return [json.loads(line) for line in out.decode("utf-8").splitlines()]


def golden():
    with open(GOLDEN, encoding="utf-8") as file:
        return json.load(file)


def paths_of(value, prefix=""):
    """All paths of members below a value, without indices: "rcpt.typed"."""
    if isinstance(value, list):
        return set().union(*(paths_of(member, prefix) for member in value))
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, member in value.items():
        path = f"{prefix}.{key}" if prefix else key
        found |= {path} | paths_of(member, path)
    return found


def emitted():
    events = random_events() + [golden()]
    return set().union(*(paths_of(event["unmapped"]["mailtrace"]) for event in events))


def documented():
    """The members that the page lists: items of the list under "unmapped.mailtrace"."""
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    section = re.split(r"\n\.S[sh] ", page.split(".Ss Members of unmapped.mailtrace", 1)[1], maxsplit=1)[0]
    return set(re.findall(r"^\.It Va (\S+)", section, re.M))


@test
def every_event_conforms_to_ocsf():
    checker = Checker()
    for number, event in enumerate(random_events() + [golden()]):
        faults = checker.event(event)
        assert not faults, f"event {number}: {faults}"


@test
def every_member_that_is_emitted_is_in_the_page():
    missing = emitted() - documented()
    assert not missing, f"not in mailtrace-event(7): {sorted(missing)}"


@test
def every_member_of_the_page_is_emitted():
    stale = documented() - emitted()
    assert not stale, f"in mailtrace-event(7) only: {sorted(stale)}"


@test
def page_names_every_flag_variant_verdict_and_kind():
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    with open(os.path.join(SOURCE, "common", "record.c"), encoding="utf-8") as file:
        record = file.read()
    with open(os.path.join(SOURCE, "common", "event.c"), encoding="utf-8") as file:
        event = file.read()
    with open(os.path.join(SOURCE, "common", "delivery.c"), encoding="utf-8") as file:
        delivery = file.read()
    names = set()
    for text in (record, event, delivery):
        for table in re.findall(r"names\[[A-Z_]*\] = \{(.*?)\}", text, re.S):
            names |= set(re.findall(r'"(\w+)"', table))
    assert {"body", "trimmed", "inbound", "tempfail", "deferred"} <= names, names
    missing = {name for name in names if not re.search(rf"\b(Cm|Ql) {name}\b", page)}
    assert not missing, f"not in mailtrace-event(7): {sorted(missing)}"


@test
def page_has_the_version_of_the_code():
    with open(os.path.join(SOURCE, "common", "ocsf.h"), encoding="utf-8") as file:
        version = re.search(r"MAILTRACE_EVENT_VERSION (\d+)", file.read()).group(1)
    with open(os.path.join(SOURCE, "common", "bus.h"), encoding="utf-8") as file:
        wire = re.search(r'BUS_VERSION "(\w+)"', file.read()).group(1)
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    assert f".It Version {version}\n" in page
    assert f".It Wire {wire}\n" in page


def change(path, value):
    """The golden event with one member set, or taken out if value is None."""
    event = copy.deepcopy(golden())
    *above, last = path
    place = event
    for key in above:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return event


@test
def checker_finds_each_kind_of_fault():
    file = ["email", "files", 0]
    faults = [
        (["time"], None), (["time"], 1795383398), (["time"], "1795383398231"),
        (["class_uid"], 4011), (["type_uid"], 400901), (["severity_id"], 42),
        (["direction_id"], None), (["metadata", "product"], {}), (["metadata", "profiles"], []),
        (["from"], "root"), (["to"], "a@b.example"), (["to"], ["user@localhost"]),
        (["smtp_hello"], "x"), (["email"], {"subject": "x"}), (["src_endpoint"], {"port": 25}),
        (["src_endpoint", "port"], 65536), (["src_endpoint", "hostname"], "-x-"),
        (["unmapped", "other"], 1), (file + ["name"], None), (file + ["type_id"], True),
        (file + ["hashes", 0, "algorithm_id"], None), (file + ["hashes", 0, "value"], "xyz"),
        (file + ["digest"], "x"), (["email", "urls"], [{}]), (["malware"], [{"name": "x"}]),
        (["malware"], {}), (["status_id"], 1.0),
    ]
    checker = Checker()
    for path, value in faults:
        assert checker.event(change(path, value)), f"{path} = {value!r} was let pass"


@test
def checker_as_a_program_names_line_and_fault():
    def run(text):
        return subprocess.run([sys.executable, CHECK], input=text.encode(), capture_output=True, timeout=60)
    good = json.dumps(golden())
    bad = json.dumps(change(["direction_id"], None))
    assert run(good + "\n").returncode == 0
    result = run(good + "\n" + bad + "\n")
    assert result.returncode == 1 and b"-:2: event.direction_id: is required" in result.stdout, result
    assert run("{").returncode == 1
    assert run('{"a":1,"a":2}').returncode == 1
    assert run("").returncode == 2


main()
