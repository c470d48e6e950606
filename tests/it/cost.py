#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the other readings of a message cost, in instructions (valgrind).

On clean typical mail, the part of reading it that looks for departures from the
standards and finds none; on the ambiguous messages of the corpora, the cost of
all their readings, as a ratio to a clean message of the same size.
MESSAGES in the environment is how many clean ones.
"""
import base64
import glob
import os
import random
import re
import statistics
import subprocess
import sys

import corpora
import mtlib
from mtlib import SOURCE, equal, main, run, test

CLEAN_MESSAGES = 60
CLEAN_PART_MOST = 0.03
AMBIGUOUS_RATIO_MOST = 2

# What only ambiguous messages need; READING_CHECK keeps them from being put into others.
CHECKS = {"boundary_is_doubtful", "splitter_note_doubt", "note_place", "splitter_note_line_end", "note_preamble",
          "note_epilogue", "note_end", "mime_read_decodings", "read_otherwise", "was_read", "wide_is", "pasted_messages",
          "pasted_parts", "undeclared_wide_text", "embedded_begins", "mail_file_begins"}


def callgrind(paths, folder, *options):
    """Runs the reader under callgrind; returns its output files in order."""
    for old in glob.glob(os.path.join(folder, "callgrind.*")):
        os.unlink(old)
    subprocess.run(["valgrind", "--quiet", "--tool=callgrind",
                    "--callgrind-out-file=" + os.path.join(folder, "callgrind"), *options, corpora.READER, "--as-is"],
                   input="\n".join(paths) + "\n", stdout=subprocess.DEVNULL, text=True, check=True)
    return sorted(glob.glob(os.path.join(folder, "callgrind.*")), key=lambda name: int(name.rsplit(".", 1)[1]))


def costs(paths, folder):
    """Returns the instructions of reading each message."""
    found = []
    for dump in callgrind(paths, folder, "--zero-before=mime_read", "--dump-after=mime_read")[:len(paths)]:
        with open(dump, encoding="utf-8", errors="replace") as handle:
            found.append(int(re.search(r"^totals: (\d+)", handle.read(), re.MULTILINE)[1]))
    return found


def share(paths, folder):
    """Returns the instructions of reading the messages, and {check: its part}."""
    callgrind(paths, folder, "--toggle-collect=mime_read")
    text = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100",
                           os.path.join(folder, "callgrind")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    whole = int(re.search(r"([\d,]+) \([\d. ]+%\)\s+PROGRAM TOTALS", text)[1].replace(",", ""))
    found = {}
    for line in text.splitlines():
        match = re.match(r"\s*([\d,]+) \([\d. ]+%\)\s+\S*:(\w+)", line)
        # A function has a line for each file whose code was put into it: the first has all.
        if match and match[2] in CHECKS:
            found.setdefault(match[2], int(match[1].replace(",", "")) / whole)
    return whole, found


def clean_message(size):
    """A message of about this size, with a text and a file."""
    head = (b"From: Sender <a@example.org>\r\nTo: Rcpt <b@example.org>\r\nSubject: clean\r\n"
            b"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <clean@example.org>\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: multipart/mixed; boundary=\"=_Bnd.7731\"\r\n\r\n--=_Bnd.7731\r\n"
            b"Content-Type: text/plain; charset=us-ascii\r\n\r\nHello, the file is attached.\r\n--=_Bnd.7731\r\n"
            b"Content-Type: application/octet-stream; name=\"trigger.exe\"\r\n"
            b"Content-Disposition: attachment; filename=\"trigger.exe\"\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n")
    rest = max(size - len(head) - 20, 80) * 57 // 78
    encoded = base64.encodebytes(random.Random(size).randbytes(rest)).replace(b"\n", b"\r\n")
    return head + encoded + b"--=_Bnd.7731--\r\n"


def write(folder, name, content):
    path = os.path.join(folder, name)
    with open(path, "wb") as handle:
        handle.write(content)
    return path


def clean_mail(folder, count):
    subprocess.run([sys.executable, os.path.join(SOURCE, "bench", "corpus.py"), "typical", folder], check=True)
    paths = sorted(glob.glob(os.path.join(folder, "*.eml")))[:count]
    return paths


def ambiguous_mail(folder):
    """Yields (name, path, path of a clean message of its size) of each ambiguous message."""
    for case in corpora.ambiguous_cases():
        with open(os.path.join(corpora.CORPORA, case["file"]), "rb") as handle:
            content = handle.read()
        yield (case["id"], write(folder, case["id"] + ".eml", content),
               write(folder, case["id"] + ".clean.eml", clean_message(len(content))))


@test
def each_check_is_a_function_of_its_own():
    symbols = {line.split()[-1].split(".")[0] for line in run("nm", corpora.READER).stdout.splitlines()}
    equal(CHECKS - symbols, set(), "they would not be counted")


@test
def clean_mail_pays_next_to_nothing():
    folder = mtlib.temporary_directory("mailtrace-cost.")
    paths = clean_mail(folder, int(os.environ.get("MESSAGES") or CLEAN_MESSAGES))
    whole, found = share(paths, folder)
    print(f"# {len(paths)} clean messages: {whole:,} instructions, of which for other readings {sum(found.values()):.2%}")
    for name, part in sorted(found.items(), key=lambda item: -item[1]):
        print(f"#   {name}: {part:.2%}")
    assert 0 < sum(found.values()) < CLEAN_PART_MOST, found


@test
def an_ambiguous_message_costs_less_than_two():
    folder = mtlib.temporary_directory("mailtrace-cost.")
    cases = list(ambiguous_mail(folder))
    # The first message of a process also pays for what is made once.
    figures = costs([cases[0][2]] + [path for case in cases for path in case[1:]], folder)[1:]
    ratios = sorted((figures[2 * i] / figures[2 * i + 1], case[0]) for i, case in enumerate(cases))
    median = statistics.median(ratio for ratio, _ in ratios)
    print(f"# {len(ratios)} ambiguous messages, to a clean one of the size: median {median:.2f}, most",
          ", ".join(f"{name} {ratio:.1f}" for ratio, name in ratios[-8:]))
    assert median < AMBIGUOUS_RATIO_MOST, ratios


main()
