#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What real readers decode from damaged mail is in our record.

tests/data/readers.json has messages with one damage each, of thousands that were given
to some thirty readers of Debian 12: those that showed what only a few readers find.  Of
each it tells the damage, the readers from which the attached file came out, and its digests,
in any form of its line ends.  Prints TAP.
"""
import base64
import json
import os
import sys
import tempfile

from corpora import TOP, Tap, read


def cases():
    with open(os.path.join(TOP, "tests", "data", "readers.json"), encoding="utf-8") as handle:
        return json.load(handle)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        written = []
        for number, case in enumerate(cases()):
            path = os.path.join(folder, f"{number}.eml")
            with open(path, "wb") as handle:
                handle.write(base64.b64decode(case["message"]))
            written.append((case, path))
        messages, status = read([path for _, path in written], "--as-is")
        tap.check(status == 0 and len(messages) == len(written), f"reads each of {len(written)} messages")
    by_reader = {}
    for case, path in written:
        recorded = set().union(*messages[path].variants.values()) if path in messages else set()
        for reader in case["readers"]:
            by_reader.setdefault(reader, []).append((case["damage"], bool(recorded & set(case["sha256"]))))
    for reader, found in sorted(by_reader.items()):
        lost = [damage for damage, is_found in found if not is_found]
        tap.check(not lost, f"has what {reader} decodes from each of {len(found)}", lost)
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
