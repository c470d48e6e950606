# SPDX-License-Identifier: BSD-2-Clause
"""A run: strikes in an order of the seed's, while mail goes on, and the account at the end."""
import collections
import functools
import random
import time

from balance import Balance
from stage import Stage
from strikes import ALL


def planned(count, seed):
    """Returns count strikes, each of the table as often as the others, mixed."""
    source = random.Random(seed)
    plan = [ALL[n % len(ALL)] for n in range(count)]
    source.shuffle(plan)
    return plan, source


def strike_all(stage, plan, source, say):
    for number, strike in enumerate(plan, 1):
        begun = time.monotonic()
        try:
            strike.strike(stage, source)
            stage.pass_time()
            stage.wait_progress()
        except Exception as why:
            raise AssertionError(f"fault {number}, {strike.kind} {strike.phase}: {why}") from None
        say(f"fault {number}: {strike.kind}, {strike.phase} ({time.monotonic() - begun:.1f} s)")


def run(count, seed, say=functools.partial(print, flush=True)):
    """Strikes so many times; returns the account."""
    plan, source = planned(count, seed)
    stage = Stage(seed)
    say(f"seed {seed}")
    with stage:
        stage.start()
        strike_all(stage, plan, source, say)
        stage.finish()
        balance = Balance(stage)
    for line in summary(seed, plan, balance):
        say(line)
    return balance


def summary(seed, plan, balance):
    yield f"seed {seed}, {len(plan)} faults"
    counted = collections.Counter((strike.kind, strike.phase) for strike in plan)
    for (kind, phase), count in sorted(counted.items()):
        yield f"{count:5d}  {kind}, {phase}"
    yield from balance.lines()
