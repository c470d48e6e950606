#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The messages of testdata are those that their generator makes.  Prints TAP."""
import filecmp
import os
import subprocess
import sys
import tempfile

TESTDATA = os.path.join(os.environ.get("top_srcdir", "."), "testdata")


def main():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, os.path.join(TESTDATA, "make.py"), folder], check=True)
        made = sorted(os.listdir(folder))
        kept = sorted(name for name in os.listdir(TESTDATA) if not name.endswith(".py"))
        _, differ, missing = filecmp.cmpfiles(folder, TESTDATA, made, shallow=False)
    surplus = sorted(set(kept) - set(made))
    good = not differ and not missing and not surplus
    print("1..1")
    print(f"{'ok' if good else 'not ok'} 1 - testdata is what make.py makes")
    for name in differ + missing + surplus:
        print(f"# {name}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
