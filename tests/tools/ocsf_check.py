#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Checks events, one JSON object a line, against the facts of OCSF 1.8.

usage: ocsf_check.py [FILE.jsonl ...]     ("-" or none: standard input)

Prints "FILE:LINE: path: what is wrong" for each fault; the exit status is 1 if
there is any, 2 if there was nothing to check.  The facts are in
tests/data/ocsf-1.8-email_activity.json and, for logins and the classes of the journal,
tests/data/ocsf-1.8-authentication.json and tests/data/ocsf-1.8-journal.json.
"""
import json
import os
import re
import sys

FACTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data",
                     "ocsf-1.8-email_activity.json")
OTHER_FACTS = [os.path.join(os.path.dirname(FACTS), f"ocsf-1.8-{name}.json") for name in ("authentication", "journal")]
# Kinds of JSON value of OCSF's types; those with a pattern are strings.
KINDS = {"string_t": str, "boolean_t": bool, "integer_t": int, "long_t": int,
         "timestamp_t": int, "port_t": int}
RANGES = {"integer_t": (-2**31, 2**31 - 1), "long_t": (-2**53, 2**53), "port_t": (0, 65535),
          # Milliseconds: a value in seconds or microseconds falls out of these years, 1990 to 2100.
          "timestamp_t": (631152000000, 4102444800000)}


class Checker:
    """Holds the facts, and collects faults as (path, reason)."""

    def __init__(self, facts=None):
        if facts is None:
            with open(FACTS, encoding="utf-8") as file:
                facts = json.load(file)
        self.objects = dict(facts["objects"])
        for name in OTHER_FACTS:
            with open(name, encoding="utf-8") as file:
                self.objects = {**json.load(file)["objects"], **self.objects}
        self.patterns = {name: re.compile(pattern) for name, pattern in facts["types"].items()}
        self.facts = facts
        self.faults = []

    def fault(self, path, reason):
        self.faults.append((path, reason))

    def scalar(self, path, value, kind):
        """A value of one of OCSF's simple types."""
        if kind in self.patterns:
            if not isinstance(value, str) or not self.patterns[kind].fullmatch(value):
                self.fault(path, f"{value!r} is no {kind}")
            return
        if type(value) is not KINDS[kind]:
            self.fault(path, f"{value!r} is no {kind}")
            return
        low, high = RANGES.get(kind, (None, None))
        if low is not None and not low <= value <= high:
            self.fault(path, f"{value} is out of the range of {kind}")

    def one(self, path, value, fact):
        """A value that is not an array."""
        kind = fact.get("type")
        if kind is None:
            return
        if kind in self.objects:
            self.object(path, value, kind)
        else:
            self.scalar(path, value, kind)
        if "enum" in fact and value not in fact["enum"]:
            self.fault(path, f"{value!r} is none of the values of the schema")

    def attribute(self, path, value, fact):
        if not fact.get("array"):
            self.one(path, value, fact)
        elif not isinstance(value, list):
            self.fault(path, "is not an array")
        else:
            for index, member in enumerate(value):
                self.one(f"{path}[{index}]", member, fact)

    def object(self, path, value, name):
        if not isinstance(value, dict):
            self.fault(path, "is not an object")
            return
        schema = self.objects[name]
        for key in schema.get("required", []):
            if key not in value:
                self.fault(f"{path}.{key}", "is required")
        one_of = schema.get("at_least_one")
        if one_of and not any(key in value for key in one_of):
            self.fault(path, "has none of " + ", ".join(one_of))
        for key, member in value.items():
            fact = schema["attributes"].get(key)
            if fact is None:
                self.fault(f"{path}.{key}", f"is no attribute of {name}, or a deprecated one")
            else:
                self.attribute(f"{path}.{key}", member, fact)

    def name_of(self, event):
        """The schema of its class; that of mail when it has none of ours."""
        name = f"event_{event.get('class_uid')}" if isinstance(event, dict) else "event"
        return name if name in self.objects else "event"

    def relations(self, event):
        """What holds between attributes."""
        if event.get("category_uid") != event.get("class_uid", 0) // 1000:
            self.fault("category_uid", "is not that of the class")
        if event.get("type_uid") != event.get("class_uid", 0) * 100 + event.get("activity_id", 0):
            self.fault("type_uid", "is not class_uid * 100 + activity_id")
        profiles = event.get("metadata", {}).get("profiles", [])
        for key in event:
            profile = self.objects[self.name_of(event)]["attributes"].get(key, {}).get("profile")
            if profile and profile not in profiles:
                self.fault(key, f"is of the profile {profile}, which is not in metadata.profiles")

    def event(self, event):
        """Returns the faults of one event."""
        self.faults = []
        self.object("event", event, self.name_of(event))
        if not self.faults:
            self.relations(event)
        return self.faults


def reject_duplicates(pairs):
    """An object whose keys differ; RFC 8259 4 leaves others to chance."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object has one key twice")
    return value


def check_stream(checker, name, stream):
    """Returns how many events and how many faults there were."""
    events = faults = 0
    for number, line in enumerate(stream, 1):
        events += 1
        try:
            found = checker.event(json.loads(line, object_pairs_hook=reject_duplicates))
        except ValueError as error:
            found = [("event", f"is not JSON: {error}")]
        for path, reason in found:
            print(f"{name}:{number}: {path}: {reason}")
        faults += len(found)
    return events, faults


def main(names):
    checker = Checker()
    events = faults = 0
    for name in names or ["-"]:
        if name == "-":
            counts = check_stream(checker, "-", sys.stdin)
        else:
            with open(name, encoding="utf-8") as stream:
                counts = check_stream(checker, name, stream)
        events += counts[0]
        faults += counts[1]
    if events == 0:
        print("no event to check", file=sys.stderr)
        return 2
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
