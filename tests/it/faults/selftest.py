# SPDX-License-Identifier: BSD-2-Clause
"""The account of the faults can fail: it goes red over each mistake that it is there to find."""
import contextlib
import os
import random
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from balance import Balance  # noqa: E402
from mtlib import equal, main, test  # noqa: E402
from shim import SPOOL, STORE  # noqa: E402
from stage import Stage  # noqa: E402
from strikes_kill import standing_at  # noqa: E402
from strikes_power import put_back_spool  # noqa: E402


def account_of(mistake):
    """Runs mail with one mistake; returns the account."""
    with Stage(mistake.__name__) as stage:
        stage.start()
        mistake(stage)
        stage.finish()
        return Balance(stage)


def records_wait_in_the_spool(stage):
    stage.kill_collector()
    stage.wait_accepted(count=5)


def without_a_mistake(stage):
    records_wait_in_the_spool(stage)
    stage.cut_power("gateway")
    stage.start_collector()
    put_back_spool(stage, random.Random(1))
    with standing_at(stage, "after the acknowledgement"):
        removed(stage)
        stage.cut_power("collector")
    stage.wait_progress()


def without_syncs(stage):
    stage.shim.set(no_sync=SPOOL)
    records_wait_in_the_spool(stage)
    stage.cut_power("gateway")
    stage.shim.set(no_sync=0)
    stage.start_collector()
    stage.wait_progress()


def removed(stage):
    """Waits until the sensor has removed what was acknowledged."""
    def is_removed():
        epoch, acknowledged = (stage.ask(stage.spool, "SELECT epoch, acknowledged FROM state") or [("", 0)])[0]
        stored = stage.ask(stage.store, "SELECT max(r.last) FROM ranges r JOIN epochs e ON e.id=r.epoch"
                           " WHERE e.epoch=?", epoch)
        return stored and stored[0][0] is not None and acknowledged >= stored[0][0]
    stage.wait(is_removed, "the sensor takes the acknowledgement")


def with_the_acknowledgement_before_the_commit(stage):
    """What the collector writes is not on disk when it acknowledges, and its machine stops then."""
    stage.shim.set(no_sync=STORE)
    # The next acknowledgement could be of what was synced before.
    stage.wait_progress()
    with standing_at(stage, "after the acknowledgement"):
        removed(stage)
        stage.cut_power("collector")
    stage.shim.set(no_sync=0)
    stage.wait_progress()


def without_the_dedupe(stage):
    """No event is known by its id any more; then events come again."""
    with contextlib.closing(sqlite3.connect(stage.store, timeout=60)) as store:
        store.execute("DROP INDEX events_event_id")
        store.execute("CREATE TRIGGER unknown AFTER INSERT ON events BEGIN"
                      " UPDATE events SET event_id=randomblob(16) WHERE id=new.id; END")
    put_back_spool(stage, random.Random(1))


@test
def the_account_is_green_without_a_mistake():
    balance = account_of(without_a_mistake)
    equal({what: found for what, found in balance.faults().items() if found}, {})


def red(balance, lost, duplicated):
    for line in balance.lines():
        print(f"# {line}")
    equal((bool(balance.lost), bool(balance.duplicated), balance.is_good()), (lost, duplicated, False))


@test
def the_account_goes_red_when_fdatasync_is_taken_out():
    red(account_of(without_syncs), lost=True, duplicated=False)


@test
def the_account_goes_red_when_the_acknowledgement_goes_before_the_commit():
    red(account_of(with_the_acknowledgement_before_the_commit), lost=True, duplicated=False)


@test
def the_account_goes_red_when_the_dedupe_is_removed():
    red(account_of(without_the_dedupe), lost=False, duplicated=True)


main()
