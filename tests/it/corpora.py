#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Reads other projects' test messages, where they are at hand, and compares.

The folder is MAILTRACE_CORPORA, else ../shared/corpora beside the source tree.
Prints TAP.
"""
import base64
import collections
import json
import os
import subprocess
import sys
import tempfile

TOP = os.environ.get("top_srcdir", ".")
BUILD = os.environ.get("top_builddir", ".")
CORPORA = os.environ.get("MAILTRACE_CORPORA", os.path.join(TOP, "..", "shared", "corpora"))
READER = os.path.join(BUILD, "tests", "tools", "read_corpus")

# Messages made to meet a cap, and the cap; a field of Google's is long by itself.
CAPS = {
    "flanker__long-header.eml": "subject-bytes",
    "f_long_cont.eml": "name-bytes",
    "maildir__mac__lhost-googleworkspace-01.eml": "field-bytes",
}

# Messages of the truth that can be read in two ways all the same, and would give
# another named file then: encodings that nobody knows or declares, fields twice.
OTHERWISE = {
    "enmime__testdata__low-quality__unk-encoding-part.eml",
    "core__src__test__resources__mimetools-testmsgs__x-gzip64.eml",
    "MIME-tools__testin__x-gzip64.eml",
    "php-mime-mail-parser__issue126.eml",
    "mixed-html-zip.eml",
}

# Files that are in a text or a wrapper, which the parsers of the truth leave there.
EMBEDDED = {"base64-in-text", "binhex-in-text", "calendar-attachment", "data-link", "message-in-file", "message-in-text", "part-in-text", "signed-content", "tnef",
            "uuencode-in-text", "yenc-in-text"}

# Met where a message has many departures: not all threes of them are tried, and one in a
# hundred messages of test suites may say so.
TRIPLES = "triple-readings"
TRIPLES_PART = 0.01

# The least part of the ambiguous messages in which the payload is to be found.
LEAST = {"high": 1, "medium": 1, "low": 1}


class Message:
    """What the reader said of one message."""

    def __init__(self, caps):
        self.caps = caps
        self.files = []  # (path, size, sha256, flags, type, name)
        self.variants = {}  # path: {sha256}
        self.readings = {}  # path: names of the readings that alone show it
        self.names = set()
        self.anomalies = []  # (offset, name)
        self.invalid = []

    def other_caps(self):
        """The caps without the end of triples."""
        return ",".join(cap for cap in self.caps.split(",") if cap != TRIPLES)


def read(paths, *options):
    """Returns {path: Message} and the reader's exit status."""
    done = subprocess.run([READER, *options], input="\n".join(paths) + "\n", stdout=subprocess.PIPE,
                          text=True, errors="surrogateescape", timeout=600, check=False)
    messages = {}
    message = None
    for line in done.stdout.split("\n"):
        fields = line.split("\t")
        if fields[0] == "message":
            message = messages[fields[1]] = Message(fields[2])
        elif fields[0] == "file":
            message.files.append(fields[1:])
            message.variants[fields[1]] = {fields[3]}
        elif fields[0] == "variant":
            message.variants[fields[1]].add(fields[2])
        elif fields[0] == "reading":
            message.readings.setdefault(fields[1], []).append(fields[2])
        elif fields[0] == "anomaly":
            message.anomalies.append((int(fields[1]), fields[2]))
        elif fields[0] == "name":
            message.names.add(fields[2])
        elif fields[0] == "invalid":
            message.invalid.append(fields[1])
    try:
        done.stdout.encode("utf-8")
    except UnicodeEncodeError as error:
        message.invalid.append(str(error))
    return messages, done.returncode


def every_message():
    for folder, _, names in os.walk(CORPORA):
        for name in sorted(names):
            if name.endswith(".eml"):
                yield os.path.join(folder, name)


def truths():
    with open(os.path.join(CORPORA, "truth.jsonl"), encoding="utf-8") as handle:
        return [json.loads(line) for line in handle]


# Where members.json tells what one extractor made of damage: zeros in place of what has
# a wrong checksum, the first of bytes that are more than the archive says, more than 4 GiB.
DAMAGED = {
    ("zip.zip", "file2"),
    ("zip_size_exceeds_declared_stored.zip", "first"),
    ("read_data_into_fd_size_exceeds_declared_stored.zip", "first"),
    ("zip_uncompressed_size_off_by_4gib.zip", "hello.txt"),
}


def archive_messages(folder):
    """Writes a message around each archive; returns {name: (path of the message, members)}."""
    with open(os.path.join(CORPORA, "archives", "members.json"), encoding="utf-8") as handle:
        archives = json.load(handle)
    made = {}
    for name, members in archives.items():
        with open(os.path.join(CORPORA, "archives", name), "rb") as handle:
            encoded = base64.encodebytes(handle.read())
        made[name] = os.path.join(folder, name + ".eml"), members
        with open(made[name][0], "wb") as handle:
            handle.write(b"Content-Type: application/octet-stream; name=" + name.encode()
                         + b"\nContent-Transfer-Encoding: base64\n\n" + encoded)
    return made


def missing_members(archives, messages):
    """Yields the members of archives that are not recorded with their digest."""
    for name, (path, members) in archives.items():
        found = {file[2] for file in messages[path].files} if path in messages else set()
        for member, sha256 in members.items():
            if sha256 not in found:
                yield name, member


def check_archives(tap):
    with tempfile.TemporaryDirectory() as folder:
        archives = archive_messages(folder)
        messages, status = read([path for path, _ in archives.values()])
    missing = set(missing_members(archives, messages))
    tap.check(status == 0 and missing == DAMAGED,
              f"finds every member of {len(archives)} archives",
              sorted(map(repr, missing ^ (DAMAGED))))
    caps = {name: messages[path].caps for name, (path, _) in archives.items()
            if path in messages and messages[path].caps}
    tap.check(not caps, "meets no cap in an archive", map(repr, caps.items()))


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = False

    def check(self, good, what, details=()):
        self.count += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {what}")
        for detail in list(details)[:40]:
            print(f"# {detail}")
        self.failed = self.failed or not good


def digests(attachment):
    """The digests of an attachment: as it is and, for text, with LF or CR LF for line ends."""
    return {attachment[key] for key in ("sha256", "sha256_lf", "sha256_crlf")
            if key in attachment}


def missing_attachments(truth, messages):
    """Yields what two independent parsers find and we do not."""
    for entry in truth:
        message = messages.get(os.path.join(CORPORA, entry["file"]))
        found = set().union(*message.variants.values()) if message else set()
        for attachment in entry["attachments"]:
            if attachment["sha256"] not in found:
                yield f"{entry['file']} {attachment['path']} {attachment['ctype']}"


def is_named_file(file):
    """Whether the parsers of the truth would count it as an attachment, had they found it.

    They leave out what mail programs exchange (message/delivery-status and its
    kin), unnamed parts that are shown in place, and what is in archives.
    """
    return not set(file[3].split(",")) & {"body", "multipart", "message"} \
        and not file[4].startswith("message/") and file[5] and "!/" not in file[0]


def surplus_files(truth, messages):
    """Yields named files that are none of the attachments."""
    for entry in truth:
        message = messages[os.path.join(CORPORA, entry["file"])]
        wanted = set().union(*map(digests, entry["attachments"]))
        for file in filter(is_named_file, message.files):
            if file[0] not in message.readings and not message.variants[file[0]] & wanted:
                yield f"{entry['file']}: {file[0]} {file[4]} {file[5]}"


def files_of_other_readings(truth, messages):
    """Yields messages in which another reading shows a named file more."""
    for entry in truth:
        message = messages[os.path.join(CORPORA, entry["file"])]
        if any(not EMBEDDED.issuperset(message.readings.get(file[0], ())) for file in filter(is_named_file, message.files)):
            yield os.path.basename(entry["file"])


def ambiguous_cases():
    with open(os.path.join(CORPORA, "ambiguity.json"), encoding="utf-8") as handle:
        # Of the first of two fragments nobody can show the payload.
        return [case for case in json.load(handle)["cases"] if case["accept"]]


def leaves(message):
    """The distinct contents of a message, containers and messages aside."""
    return {file[2] for file in message.files
            if not set(file[3].split(",")) & {"multipart", "message"}}


def check_ambiguity(tap, messages):
    """Whether the payload is found wherever some reader would find it."""
    found = {}
    for case in ambiguous_cases():
        message = messages[os.path.join(CORPORA, case["file"])]
        hit = bool(set().union(*message.variants.values()) & set(case["accept"]))
        for group in (case["likelihood"], case["class"]):
            found.setdefault(group, {})[case["id"]] = hit
    for group, cases in sorted(found.items()):
        lost = [name for name, hit in cases.items() if not hit]
        print(f"# {group}: {len(cases) - len(lost)} of {len(cases)}", *lost[:20])
    for likelihood, least in LEAST.items():
        cases = found[likelihood]
        tap.check(sum(cases.values()) >= least * len(cases),
                  f"finds the payload in {least:.0%} of the cases of {likelihood} likelihood")
    many = {case["file"]: len(leaves(messages[os.path.join(CORPORA, case["file"])]))
            for case in ambiguous_cases() if not case["id"].startswith("n_many_parts")}
    counts = collections.Counter(many.values())
    print("# contents of a case:", ", ".join(f"{count} in {counts[count]}" for count in sorted(counts)))
    tap.check(max(many.values()) <= 8, "records at most eight contents of an ambiguous message",
              [f"{name}: {count}" for name, count in many.items() if count > 8])


def main():
    if not os.path.isdir(CORPORA):
        print(f"1..0 # SKIP no messages in {CORPORA}")
        return 0
    tap = Tap()
    paths = list(every_message())
    messages, status = read(paths)
    tap.check(status == 0 and len(messages) == len(paths),
              f"reads each of {len(paths)} messages", [f"status {status}, {len(messages)} read"])
    tap.check(not any(m.invalid for m in messages.values()), "says nothing that is no UTF-8",
              [path for path, m in messages.items() if m.invalid])
    caps = {os.path.basename(path): m.other_caps() for path, m in messages.items() if m.other_caps()}
    tap.check(caps == CAPS, "meets no cap but in messages made to meet one",
              [f"{name}: {cap}" for name, cap in caps.items() if CAPS.get(name) != cap])
    ends = [os.path.basename(path) for path, m in messages.items() if TRIPLES in m.caps]
    tap.check(len(ends) <= TRIPLES_PART * len(paths), "tries all threes of departures but in few messages", ends)
    truth = truths()
    missing = list(missing_attachments(truth, messages))
    tap.check(not missing, f"finds every attachment of {len(truth)} messages", missing)
    surplus = list(surplus_files(truth, messages))
    tap.check(not surplus, "takes nothing else for a named file", surplus)
    others = set(files_of_other_readings(truth, messages))
    tap.check(others == OTHERWISE, "adds no file of another reading where all read alike",
              sorted(others ^ OTHERWISE))
    check_ambiguity(tap, messages)
    check_archives(tap)
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
