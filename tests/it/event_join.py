#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A message and its copy in a mailbox have one content key, and good events.

Over messages made here, those of tests and testdata, and the test messages of
other projects where they are at hand (MAILTRACE_CORPORA, else
../shared/corpora beside the source tree).
"""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from mtlib import BUILD, SOURCE, main, test
from ocsf_check import Checker

CORPORA = os.environ.get("MAILTRACE_CORPORA", os.path.join(SOURCE, "..", "shared", "corpora"))
HEAD = b"Message-ID: <1@b.example>\nDate: Mon, 23 Nov 2026 04:00:00 +0900\nFrom: A <a@b.example>\nSubject: x\n"
PARTED = b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"


def made():
    """Messages by name."""
    zipped = b"--b\nContent-Type: application/zip; name=a.zip\nContent-Transfer-Encoding: base64\n\nUEsDBAo=\n"
    return {
        "plain": HEAD + b"\nhello\nworld\n",
        "no-final-break": HEAD + b"\nhello",
        "blank-lines-inside": HEAD + b"\nhello\n\n\nworld\n",
        "empty-body": HEAD + b"\n",
        "no-body": HEAD,
        "other-text": HEAD + b"\nhello\nworld!\n",
        "other-subject": HEAD.replace(b"Subject: x", b"Subject: y") + b"\nhello\nworld\n",
        "other-date": HEAD.replace(b"23 Nov", b"24 Nov") + b"\nhello\nworld\n",
        "folded-date": HEAD.replace(b", 23", b",\n 25") + b"\nhello\n",
        "quoted-printable": HEAD + b"Content-Transfer-Encoding: quoted-printable\n\nh=C3=A9llo=\n w\nx\n",
        "base64": HEAD + b"Content-Transfer-Encoding: base64\n\naGVsbG8NCndvcmxkDQo=\n",
        "base64-file": HEAD + b"Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\nJVBERi0=\n",
        "parts": HEAD + PARTED + b"--b\n\nhello\n" + zipped + b"--b--\n",
        "parts-unended": HEAD + PARTED + b"--b\n\nhello\n" + zipped + b"--b\n\nlast text\n",
        "mail-in-mail": HEAD + PARTED + b"--b\nContent-Type: message/rfc822\n\nSubject: in\n\ninner\n--b--\n",
        "only-mail-in-mail": HEAD + b"Content-Type: message/rfc822\n\nSubject: in\n\ninner two\n",
        "html": HEAD + b"Content-Type: text/html\n\n<p>https://x.example/</p>\n",
        "8bit": HEAD + b"Content-Type: text/plain; charset=utf-8\n\n\xe8\xab\x8b\xe6\xb1\x82\n",
        "no-header": b"\nhello\n",
        "no-message-id": HEAD.split(b"\n", 1)[1] + b"\nhello\n",
    }


def run(paths):
    """Returns the events, and the lines of complaint by their kind."""
    tool = os.path.join(BUILD, "tests", "tools", "record_twice")
    done = subprocess.run([tool], input="\n".join(paths).encode() + b"\n", capture_output=True, timeout=600)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    events = [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]
    assert len(events) == len(paths), (len(events), len(paths))
    said = {"key": [], "unlike": [], "refused": []}
    for line in done.stderr.decode(errors="replace").splitlines():
        kind, rest = line.split(" ", 1)
        said[kind].append(rest)
    return events, said


def run_made():
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, content in made().items():
            paths.append(os.path.join(folder, name))
            with open(paths[-1], "wb") as file:
                file.write(content)
        return run(paths)


def found(folder):
    for place, _, names in sorted(os.walk(folder)):
        yield from (os.path.join(place, name) for name in sorted(names) if name.endswith(".eml"))


def conforming(events):
    checker = Checker()
    for event in events:
        faults = checker.event(event)
        assert not faults, f"{event['metadata']['uid']}: {faults}"


@test
def copy_in_a_mailbox_has_the_key_of_the_message():
    events, said = run_made()
    assert not said["unlike"] and not said["refused"], said
    conforming(events)


@test
def different_messages_with_one_message_id_have_different_keys():
    _, said = run_made()
    keys = {}
    for line in said["key"]:
        path, key = line.rsplit(" ", 1)
        keys.setdefault(key, []).append(os.path.basename(path))
    # The same text by another transfer encoding is the same text; an empty body is no body.
    same = sorted(sorted(names) for names in keys.values() if len(names) > 1)
    assert same == [["base64", "plain"], ["empty-body", "no-body"]], same


@test
def tests_own_messages_have_good_events_and_one_key():
    paths = list(found(os.path.join(SOURCE, "tests", "data"))) + list(found(os.path.join(SOURCE, "testdata")))
    assert paths
    events, said = run(paths)
    assert not said["refused"], said
    conforming(events)
    # Line ends that are themselves ambiguous may part the two; that is rare, and on the safe side.
    assert len(said["unlike"]) <= len(paths) // 10, said["unlike"]


def messages_of_other_projects_have_good_events_and_one_key():
    paths = list(found(CORPORA))
    events, said = run(paths)
    assert not said["refused"], said
    conforming(events)
    # Those that begin with "From " or end within a line of uuencode cannot be told from damage.
    assert len(said["unlike"]) * 100 <= len(paths), said["unlike"]


if os.path.isdir(CORPORA):
    test(messages_of_other_projects_have_good_events_and_one_key)

main()
