# SPDX-License-Identifier: BSD-2-Clause
"""Each fault once, while real Postfix takes mail: no record is lost or counted twice, and no mail is lost.

The seed is printed; `make faults SEED=…` strikes in its order, and for longer.
"""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mtlib import equal, main, test  # noqa: E402
from run import run  # noqa: E402
from strikes import ALL  # noqa: E402


@test
def each_fault_once_loses_nothing_and_counts_nothing_twice():
    seed = os.environ.get("SEED") or str(random.randrange(1_000_000))
    balance = run(len(ALL), seed, say=lambda line: print(f"# {line}", flush=True))
    equal({what: found for what, found in balance.faults().items() if found}, {})
    assert balance.accepted >= len(ALL), balance.accepted


main()
