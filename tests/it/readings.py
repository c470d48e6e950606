#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Each class of ambiguity holds for its variants, and for several oddities at once.

Reads the messages of odd_mail.py: the payload is among the contents recorded of each,
as the MTA hands it over and with its line ends made CR LF on the way; and each name
that odd_names.py says a reader shows is among the names of the file.  Of large
families every third message is read, and some of those with several oddities; all of
them with READINGS=all in the environment.  Prints TAP.
"""
import itertools
import os
import sys
import tempfile

from corpora import Tap, leaves, read
import odd_names
from odd_mail import BASE64, CRLF, ENCODING, HEAD, cases, combined

# Nests and triples of all that there are; the pairs are all read.
ALL = os.environ.get("READINGS") == "all"
NESTS, TRIPLES = (None, 2000) if ALL else (100, 200)
LARGE = 200  # messages of one family
MOST_LEAVES = 8  # of a message with one oddity
SEVERAL = {"pair", "triple"}


def write_all(folder):
    """Returns [(case, path)]."""
    families = {}
    for case in itertools.chain(cases(), combined(NESTS, TRIPLES)):
        families.setdefault(case.family, []).append(case)
    chosen = [case for family in families.values() for case in family[::3 if len(family) > LARGE and not ALL else 1]]
    written = []
    for number, case in enumerate(chosen):
        path = os.path.join(folder, f"{number}.eml")
        with open(path, "wb") as handle:
            handle.write(case.message)
        written.append((case, path))
    return written


def is_found(case, message):
    return bool(message and set().union(*message.variants.values()) & case.digests)


def check_found(tap, written, messages, how):
    families = {}
    for case, path in written:
        families.setdefault(case.family, []).append((case, messages.get(path)))
    for family, members in families.items():
        lost = [f"{case.name} ({case.reader})" for case, message in members if not is_found(case, message)]
        tap.check(not lost, f"finds the payload in each of {len(members)} of {family}, {how}", lost)


def check_bounds(tap, written, messages):
    single = [(case, messages[path]) for case, path in written if case.family not in SEVERAL and path in messages]
    many = [f"{case.family} {case.name}: {len(leaves(message))}" for case, message in single
            if len(leaves(message)) > MOST_LEAVES]
    tap.check(not many, f"records at most {MOST_LEAVES} contents of a message with one oddity", many)
    capped = [f"{case.family} {case.name}: {message.caps}" for case, message in single if message.other_caps()]
    tap.check(not capped, "meets no cap but the end of threes in a message with one oddity", capped)


def check_names(tap, folder):
    written = []
    for number, (fields, names) in enumerate(odd_names.cases()):
        path = os.path.join(folder, f"name{number}.eml")
        with open(path, "wb") as file:
            file.write(HEAD + fields + ENCODING + CRLF + BASE64)
        written.append((path, fields, names))
    messages, status = read([path for path, _, _ in written], "--as-is")
    tap.check(status == 0 and len(messages) == len(written), f"reads each of {len(written)} with a name")
    lost = [f"{fields} {name}" for path, fields, names in written for name in names
            if name not in messages[path].names]
    tap.check(not lost, "records each name that some reader shows", lost)
    capped = [f"{fields}" for path, fields, _ in written if messages[path].caps]
    tap.check(not capped, "meets no cap by names", capped)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        written = write_all(folder)
        paths = [path for _, path in written]
        messages, status = read(paths, "--as-is")
        tap.check(status == 0 and len(messages) == len(paths), f"reads each of {len(paths)} messages", [status] * bool(status))
        check_found(tap, written, messages, "as it is")
        check_bounds(tap, written, messages)
        # One of each few: with what a transport makes of lone LF, little differs.
        some = [(case, path) for case, path in written[::1 if ALL else 9] if b"=\r\n\n" not in case.message]
        messages, status = read([path for _, path in some])
        tap.check(status == 0 and len(messages) == len(some), f"reads each of {len(some)} with CR LF", [status] * bool(status))
        check_found(tap, some, messages, "with CR LF")
        check_names(tap, folder)
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
