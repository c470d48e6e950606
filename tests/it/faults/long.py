# SPDX-License-Identifier: BSD-2-Clause
"""The long run: `make faults FAULTS=1000 SEED=1`.  Exit status 0 only if nothing was lost or counted twice."""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from run import run  # noqa: E402
from strikes import ALL  # noqa: E402

# Of each kind and phase, if nobody says otherwise.
EACH = 20


def main(count="", seed=""):
    balance = run(int(count or max(1000, EACH * len(ALL))), seed or str(random.randrange(1_000_000)))
    sys.exit(0 if balance.is_good() else 1)


main(*sys.argv[1:])
