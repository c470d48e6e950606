#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Messages damaged at random are read in few ways, and the file is found.

Reads those of damaged_mail.py, whose undamaged forms have nothing but their parts.  Where a
message departs from the standards in one class, a body and a file are at most eight
contents with all that other readings show; where the damage makes several classes of
departures, few of the messages have more, and few of those that are damaged in many
places alike.  DAMAGED in the environment is the number of
messages, and SEED their seed: of others than the usual ones the figures are printed, and how
many files must be found is not known.  Prints TAP.
"""
import collections
import hashlib
import os
import random
import sys
import tempfile

from corpora import Tap, leaves, read
from damaged_mail import damaged, damaged_alike, whole

SEED, COUNT = 11, 6000
MOST_LEAVES = 8
MORE_PART = 1 / 1000  # of all may have more, of several classes at once
FOUND = 4917  # of the files, in this seed's messages; the others are cut off or changed
# The same where the damage is in many places: of a delimiter in two halves readers make much.
MORE_PART_ALIKE, ONE_PART_ALIKE = 1 / 40, 1 / 500
FOUND_ALIKE = 3531


def write(folder, number, content):
    path = os.path.join(folder, f"{number}.eml")
    with open(path, "wb") as handle:
        handle.write(content)
    return path


def forms(payload):
    """The digests of a content, whatever its line ends are and whether one ends it."""
    return {hashlib.sha256(form + end).hexdigest() for form in (payload, payload.replace(b"\r\n", b"\n"))
            for end in (b"", b"\n", b"\r\n")}


def is_found(message, payload):
    return bool(set().union(*message.variants.values()) & forms(payload))


def check_undamaged(tap, folder):
    chance = random.Random(SEED)
    mails = [whole(chance) for _ in range(1000)]
    paths = [write(folder, f"whole{number}", mail.message) for number, mail in enumerate(mails)]
    messages, status = read(paths, "--as-is")
    tap.check(status == 0 and len(messages) == len(mails), f"reads each of {len(mails)} undamaged messages")
    others = [path for path in paths if messages[path].readings or messages[path].anomalies]
    tap.check(not others, "finds no departure and no other reading in them", others)
    lost = [path for path, mail in zip(paths, mails) if not is_found(messages[path], mail.payload)]
    tap.check(not lost, "finds the file in each", lost)


def spread(cases):
    counts = collections.Counter(len(leaves(message)) for _, message in cases)
    print(f"# contents of {len(cases)} messages: " + ", ".join(f"{count} in {number}" for count, number in sorted(counts.items())))


def classes(message):
    return len({name for _, name in message.anomalies})


def check_bounds(tap, cases, more_part, of_one):
    """cases: (Damaged, Message).  more_part: of them may have more; of_one: of one class may, too."""
    cases = [case for case in cases if not case[0].nested]
    spread(cases)
    many = [(classes(message), len(leaves(message)), case.damage) for case, message in cases if len(leaves(message)) > MOST_LEAVES]
    one = [case for case in many if case[0] <= 1]
    tap.check(len(one) <= of_one * len(cases), f"records at most {MOST_LEAVES} contents where one class departs, but of {len(one)}", one)
    tap.check(len(many) <= more_part * len(cases), f"and more in few of the others: {len(many)} of {len(cases)}", many)


def check(tap, folder, cases, least, more_part, of_one):
    """least: so many of the files are found."""
    paths = [write(folder, number, case.message) for number, case in enumerate(cases)]
    messages, status = read(paths, "--as-is")
    tap.check(status == 0 and len(messages) == len(cases), f"reads each of {len(cases)} damaged messages")
    read_cases = [(case, messages[path]) for case, path in zip(cases, paths)]
    check_bounds(tap, read_cases, more_part, of_one)
    found = sum(is_found(message, case.payload) for case, message in read_cases)
    tap.check(found >= least, f"finds the file in {found} of {len(cases)}", [found])


def main():
    tap = Tap()
    seed, count = int(os.environ.get("SEED", SEED)), int(os.environ.get("DAMAGED", COUNT))
    usual = (seed, count) == (SEED, COUNT)
    with tempfile.TemporaryDirectory() as folder:
        check_undamaged(tap, folder)
        check(tap, folder, list(damaged(seed, count)), FOUND if usual else 0, MORE_PART, 0)
        print("# the same damage in many places")
        check(tap, folder, list(damaged_alike(seed, count)), FOUND_ALIKE if usual else 0, MORE_PART_ALIKE, ONE_PART_ALIKE)
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
