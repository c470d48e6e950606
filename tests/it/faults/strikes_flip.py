# SPDX-License-Identifier: BSD-2-Clause
"""A byte at rest flips: it is found and reported with the remedy, and nothing is half-read.

What a flip took from the spool is reported as a dead letter, and then is no
record that was lost unnoticed; the other flips are mended as told.
"""
import contextlib
import json
import os
import uuid

from mtlib import equal, json_lines
from strikes_power import copy_database

PAGE = 4096
# The first byte of a B-tree's page.
INTERIOR, INDEX_LEAF = 0x05, 0x0a
# What the milter says of a spool that it cannot use, or of an entry.
REMEDY = "check the disk"
# And of one that it mended, when it started.
MENDED = " spool-mended "


def flip(path, offset):
    with open(path, "r+b") as handle:
        handle.seek(offset)
        byte = handle.read(1)[0]
        handle.seek(offset)
        handle.write(bytes([byte ^ 0x40]))


def places_of(path, wanted):
    """Returns where in a file the bytes are."""
    with open(path, "rb") as handle:
        content = handle.read()
    found, at = [], content.find(wanted)
    while at >= 0:
        found.append(at)
        at = content.find(wanted, at + 1)
    return found


# ---- the spool ----


def collect_entries(stage, source):
    stage.kill_collector()
    stage.wait_accepted(count=source.randint(3, 8))


def put_to_rest(stage):
    """Nobody has the spool open, and all is in the file itself."""
    stage.kill_gateway()
    stage.checkpoint(stage.spool)


def entries(stage):
    return stage.ask(stage.spool, "SELECT n, digest, event FROM entry ORDER BY n")


def queue_id_of(event):
    return json.loads(event)["unmapped"]["mailtrace"]["queue_id"]


def flip_spool_payload(stage, source):
    """One record is damaged: it is told, and those behind it do not wait."""
    collect_entries(stage, source)
    put_to_rest(stage)
    # What the store has, and whose acknowledgement was lost, is never read again.
    stored = {row[0] for row in stage.wait(lambda: stage.ask(stage.store, "SELECT queue_id FROM events"),
                                           "the store can be read")}
    n, _, event = source.choice([entry for entry in entries(stage) if queue_id_of(entry[2]) not in stored])
    queue_id = queue_id_of(event)
    for place in places_of(stage.spool, queue_id.encode()):
        flip(stage.spool, place)
        if (n, event) not in [(number, content) for number, _, content in entries(stage)]:
            break
        flip(stage.spool, place)  # of an entry that was removed
    else:
        raise AssertionError("the record is nowhere in the file")
    told = stage.said("milter.log", "spool-damaged")
    stage.told.add(queue_id)
    stage.start_milter()
    stage.start_collector()
    stage.wait(lambda: stage.said("milter.log", "spool-damaged") > told, "the damage is told")
    stage.wait_progress()
    equal(stage.ask(stage.store, "SELECT count(*) FROM events WHERE queue_id=?", queue_id), [(0,)], "half-read")


@contextlib.contextmanager
def damaged_spool(stage, source):
    """Gives a spool at rest that is to be damaged, while no mail comes; then the sound one is put back."""
    copy = f"{stage.site.root}/spool.copy"
    collect_entries(stage, source)
    with stage.traffic.held():
        put_to_rest(stage)
        copy_database(stage.spool, copy)
        yield
        stage.kill_gateway()
        take_away_damaged(stage)
        copy_database(copy, stage.spool)
        stage.shim.forget(stage.spool)
        stage.start_milter()
        stage.wait_drained()


def take_away_damaged(stage):
    """As the administrator is told to."""
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{stage.spool}.damaged{suffix}")


def start_damaged_spool(stage, expected, place):
    """Starts the milter; returns whether it told of the damage, and how to mend it, or else stored all there was."""
    told = stage.said("milter.log", REMEDY)
    stage.start_milter()
    stage.start_collector()

    def is_told():
        return stage.said("milter.log", REMEDY) > told

    def is_stored():
        return expected <= {row[0] for row in stage.ask(stage.store, "SELECT queue_id FROM events") or []}

    stage.wait(lambda: is_told() or is_stored(), f"the damage at {place} is told, or all entries are stored")
    return is_told()


def flip_spool_index(stage, source):
    """Somewhere in the page by which entries are found: it is told, or the entries are found all the same."""
    with damaged_spool(stage, source):
        page = (stage.ask(stage.spool, "SELECT rootpage FROM sqlite_schema WHERE name='entry'")[0][0] - 1) * PAGE
        expected = {queue_id_of(event) for _, _, event in entries(stage)}
        place = source.choice(used_bytes(stage.spool, page))
        flip(stage.spool, page + place)
        start_damaged_spool(stage, expected, place)


def used_bytes(path, page):
    """Returns the places in a B-tree page that say something: its head, the list of cells, the head of each cell."""
    with open(path, "rb") as handle:
        handle.seek(page)
        content = handle.read(PAGE)
    head, cells = 12 if content[0] == INTERIOR else 8, int.from_bytes(content[3:5], "big")
    places = list(range(head + 2 * cells))
    for n in range(cells):
        cell = int.from_bytes(content[head + 2 * n:head + 2 * n + 2], "big")
        places += range(cell, cell + 6)
    return places


def flip_spool_head(stage, source):
    with damaged_spool(stage, source):
        expected = {queue_id_of(event) for _, _, event in entries(stage)}
        place = source.randrange(16)
        flip(stage.spool, place)
        mended = stage.said("milter.log", MENDED)
        assert start_damaged_spool(stage, expected, place), "a damaged head was taken for a spool"
        assert stage.said("milter.log", MENDED) > mended, "it is not replaced"


# ---- the store ----


@contextlib.contextmanager
def damaged_store(stage, source):
    """Gives a store at rest that is to be damaged, while mail goes on; then the sound one is put back."""
    copy = f"{stage.site.root}/store.copy"
    stage.kill_collector()
    stage.checkpoint(stage.store)
    copy_database(stage.store, copy)
    yield
    copy_database(copy, stage.store)
    stage.shim.forget(stage.store)
    stage.start_collector()


def verified(stage):
    """Returns what verify found, and holds that it tells the remedy."""
    done = stage.site.mailtrace("--json", "verify", status=3)
    assert "put back a backup" in done.stderr, done.stderr
    return json_lines(done.stdout)


def events(stage, source):
    """Returns events in an order of chance: id, and JSON as it is stored."""
    found = stage.ask(stage.store, "SELECT e.event_id, j.json FROM events e JOIN event_json j ON j.event=e.id")
    return source.sample(found, len(found))


def flip_store_payload(stage, source):
    with damaged_store(stage, source):
        event_id, place = next((event_id, places[0]) for event_id, json in events(stage, source)
                               for places in [places_of(stage.store, json[16:48])] if len(places) == 1)
        flip(stage.store, place + source.randrange(32))
        event_id = str(uuid.UUID(bytes=event_id))
        equal([flaw["id"] for flaw in verified(stage) if flaw["kind"] == "event"], [event_id])
        shown = stage.site.mailtrace("--json", "show", event_id, status=2)
        equal((shown.stdout, shown.stderr.count("\n")), ("", 1), shown.stderr)


def flip_store_index(stage, source):
    """The last byte of a key, which keeps its place in the order: only a look at what it stands for finds it."""
    with damaged_store(stage, source):
        with open(stage.store, "rb") as handle:
            content = handle.read()
        place = next(place for event_id, _ in events(stage, source) for place in places_of(stage.store, event_id)
                     if content[place // PAGE * PAGE] == INDEX_LEAF)
        flip(stage.store, place + 15)
        assert verified(stage)


def flip_store_head(stage, source):
    with damaged_store(stage, source):
        flip(stage.store, source.randrange(16))
        for verb in (["verify"], ["who", "subject:fault"], ["status"]):
            done = stage.site.mailtrace("--json", *verb, status=2)
            equal((done.stdout, done.stderr.count("\n")), ("", 1), done.stderr)
            assert "put back a backup" in done.stderr, done.stderr
        told = stage.said("collect.log", "put back a backup")
        stage.start_collector()
        stage.wanted["collector"] = False
        stage.wait(lambda: not stage.site.collector.alive(), "the collector refuses the store")
        assert stage.said("collect.log", "put back a backup") > told


def strikes():
    yield "flipped byte", "in the spool's payload", flip_spool_payload
    yield "flipped byte", "in the spool's index", flip_spool_index
    yield "flipped byte", "in the spool's head", flip_spool_head
    yield "flipped byte", "in the store's payload", flip_store_payload
    yield "flipped byte", "in the store's index", flip_store_index
    yield "flipped byte", "in the store's head", flip_store_head
