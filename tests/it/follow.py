# SPDX-License-Identifier: BSD-2-Clause
"""The follower as a whole program: what a Postfix log says reaches the store, once."""
import bz2
import gzip
import lzma
import os
import sqlite3
import time

import mtlib
from followed import FollowedSite, agent, deliveries, queued
from mtlib import equal, main, test, wait_until


@test
def each_recipient_has_the_state_that_the_log_tells():
    site = FollowedSite()
    site.start()
    queue_id = site.mail("states", "u1@example.org", "u2@example.org", "u3@example.org")
    site.write(queued(queue_id, 3), agent(queue_id, "u1@example.org"),
               agent(queue_id, "u2@example.org", "deferred", "450 4.2.0 later", "4.2.0"),
               agent(queue_id, "u3@example.org", "bounced", "550 5.1.1 nobody", "5.1.1"))
    site.wait_states("states", {"u1@example.org": "delivered", "u2@example.org": "deferred",
                                "u3@example.org": "bounced"})
    site.stop()


@test
def what_was_refused_after_the_record_was_not_received():
    site = FollowedSite()
    site.start()
    queue_id = site.mail("phantom", "u1@example.org")
    site.write(f"cleanup[8]: {queue_id}: milter-reject: END-OF-MESSAGE from c[192.0.2.9]: 5.7.1 no; "
               "from=<s@example.net> to=<u1@example.org> proto=ESMTP helo=<c>")
    site.wait_states("phantom", {"u1@example.org": "rejected"})
    equal(site.who("subject:phantom", status=1)[0], [])
    site.stop()


@test
def rotation_and_truncation_lose_nothing():
    site = FollowedSite()
    site.start()
    ids = [site.mail(f"rotated-{i}", "u1@example.org") for i in range(4)]
    done = {"u1@example.org": "delivered"}
    site.write(agent(ids[0], "u1@example.org"))
    site.wait_states("rotated-0", done)
    os.rename(site.log, f"{site.log}.1")
    site.write(agent(ids[1], "u1@example.org"), path=f"{site.log}.1")
    site.wait_states("rotated-1", done)
    site.write(agent(ids[2], "u1@example.org"))
    site.wait_states("rotated-2", done)
    os.truncate(site.log, 0)
    site.write(agent(ids[3], "u1@example.org"))
    site.wait_states("rotated-3", done)
    site.stop()


@test
def a_killed_follower_loses_nothing_and_repeats_nothing():
    site = FollowedSite()
    site.start()
    rounds = 6
    ids = [site.mail(f"killed-{i}", "u1@example.org") for i in range(rounds)]
    site.write("smtpd[1]: the first start has a place to come back to")
    wait_until(lambda: os.path.exists(f"{site.root}/follow/position"), "the first place is written down")
    for i, queue_id in enumerate(ids):
        site.write(queued(queue_id, 1), *[f"smtpd[1]: noise {n}" for n in range(200)])
        site.follower.kill()
        site.write(agent(queue_id, "u1@example.org"), f"qmgr[7]: {queue_id}: removed")
        if i == rounds // 2:
            os.rename(site.log, f"{site.log}.1")
        site.start_follower()
    for i in range(rounds):
        site.wait_states(f"killed-{i}", {"u1@example.org": "delivered"})
    assert "log-gap" not in site.follower.text(), site.follower.text()
    event, = {hit["event_id"] for hit in site.who("subject:killed-0")[0]}
    shown = site.mailtrace("show", event).stdout
    equal(shown.count("250 2.0.0 Ok"), 1, f"deliveries shown:\n{shown}")
    site.stop()


@test
def what_the_log_says_while_the_collector_is_away_comes_later():
    site = FollowedSite()
    site.start()
    queue_id = site.mail("away", "u1@example.org")
    site.wait_stored(1)
    site.collector.stop()
    site.write(agent(queue_id, "u1@example.org"))
    wait_until(lambda: os.path.exists(f"{site.root}/follow/position"), "the place is written down")
    site.follower.kill()
    site.start_collector()
    site.start_follower()
    site.wait_states("away", {"u1@example.org": "delivered"})
    site.stop()


@test
def it_ends_cleanly_and_a_wrong_configuration_is_one_line():
    site = FollowedSite()
    site.start_collector()
    site.write("qmgr[7]: x")
    site.start_follower()
    wait_until(lambda: os.path.exists(f"{site.root}/follow/position"), "the first place is written down")
    site.follower.stop()
    text = site.follower.text()
    assert "started" in text and "stopped" in text, text
    for values, named in (({"key": f"{site.root}/none.key"}, "key"), ({"spool_directory": "/nonexistent"}, "directory"),
                          ({"log": site.root}, "log"), ({"from": "middle"}, "from")):
        before = dict(site.settings["follow"])
        site.set("follow", **values)
        done = site.mailtrace("follow", status=2)
        lines = done.stderr.splitlines()
        equal(len(lines), 1, done.stderr)
        assert f"{named}:" in lines[0] or named in lines[0], lines
        site.settings["follow"] = before
    site.set("bus", collector="")
    assert "collector" in site.mailtrace("follow", status=2).stderr
    site.stop()


def old_log(site, name, pack, *lines):
    """An old file of the log, as rotation left it."""
    path = f"{site.root}/{name}"
    site.write(*lines, path=path)
    with open(path, "rb") as handle:
        content = handle.read()
    with open(path, "wb") as handle:
        handle.write(pack(content))


@test
def old_logs_are_read_at_the_first_start_compressed_or_not():
    site = FollowedSite()
    site.start_collector()
    site.start_milter()
    ways = {"mail.log.1": bytes, "mail.log.2.gz": gzip.compress, "mail.log-20261101.xz": lzma.compress,
            "mail.log.4.bz2": bz2.compress, "mail.log.5.gz": lambda content: gzip.compress(content)[:-40]}
    for name, pack in ways.items():
        noise = [f"smtpd[1]: disconnect from unknown[192.0.2.1] {os.urandom(9).hex()}" for _ in range(2000)]
        old_log(site, name, pack, agent(site.mail(name, "bob@example.org"), "bob@example.org"), *noise)
    other = site.mail("other", "bob@example.org")
    old_log(site, "mail.log.old", bytes, agent(other, "bob@example.org"))
    site.write(agent(site.mail("current", "bob@example.org"), "bob@example.org"))
    site.start_follower()
    for subject in [*ways, "current"]:
        site.wait_states(subject, {"bob@example.org": "delivered"})
    equal(site.states("other"), {"bob@example.org": "accepted"}, "a file of another name")
    wait_until(lambda: "old-log-not-read" in site.follower.text(), "the damaged one is told")
    assert "mail.log.5.gz" in site.follower.text() and "mail.log.4" not in site.follower.text(), site.follower.text()

    # Begun anew, and one of the files plain by now: nothing counts twice.
    wait_until(lambda: os.path.exists(f"{site.root}/follow/position"), "the first start is done")
    site.follower.stop()
    count = deliveries(site)
    os.remove(f"{site.root}/follow/position")
    os.remove(f"{site.root}/mail.log.5.gz")
    with open(f"{site.root}/mail.log.2.gz", "rb") as packed, open(f"{site.root}/mail.log.2", "wb") as plain:
        plain.write(gzip.decompress(packed.read()))
    site.write(agent(site.mail("fresh", "bob@example.org"), "bob@example.org"))
    site.start_follower()
    site.wait_states("fresh", {"bob@example.org": "delivered"})
    equal(deliveries(site), count + 1)
    site.stop()


@test
def stamps_without_a_year_are_of_the_time_when_their_file_was_written():
    site = FollowedSite()
    site.start_collector()
    written = time.time() - 500 * 86400
    for name, pack in (("mail.log.3", bytes), ("mail.log.4.gz", gzip.compress)):
        stamp = time.strftime("%b %e %H:%M:%S", time.gmtime(written - 60 + 9 * 3600))  # the follower is in Tokyo
        path = f"{site.root}/{name}"
        with open(path, "wb") as handle:
            handle.write(pack(f"{stamp} mx1 postfix/{queued(name.replace('mail.log.', '4Xyz12BbC')[:10] + 'zKq', 1)}\n".encode()))
        os.utime(path, (written, written))
    site.write("anvil[1]: the log")
    site.start_follower()
    wait_until(lambda: deliveries(site) == 2, "both are in the store")
    with sqlite3.connect(f"file:{site.root}/store/mailtrace.db?mode=ro", uri=True) as store:
        times = [row[0] / 1e6 for row in store.execute("SELECT time_us FROM deliveries")]
    equal([int(at) for at in times], [int(written - 60)] * 2)
    site.stop()


@test
def status_recommends_long_queue_ids_where_short_ones_are_used():
    site = FollowedSite()
    site.start()

    def advice():
        return [line["sensor"] for line in mtlib.json_lines(site.mailtrace("--json", "status").stdout)
                if line.get("type") == "advice"]

    site.write(agent(site.mail("long", "u1@example.org"), "u1@example.org"))
    site.wait_states("long", {"u1@example.org": "delivered"})
    equal(advice(), [])
    site.write(agent("3F2A1B0C9D", "u1@example.org"))
    wait_until(lambda: advice() == ["mx1-follow"], "the advice")
    assert "enable_long_queue_ids" in site.mailtrace("status").stdout
    site.stop()


main()
