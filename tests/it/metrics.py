#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Milter and collector serve OpenMetrics that Prometheus' own parser takes."""
import contextlib
import os
import re
import signal
import socket
import sys
import urllib.error
import urllib.request

from mtlib import Site, children, equal, free_port, listens, main, make_message, stopped_scanner, test, wait_until

# Debian's package, whichever Python runs the tests.
sys.path.append("/usr/lib/python3/dist-packages")
from prometheus_client.openmetrics.parser import text_string_to_metric_families  # noqa: E402

# caps.h
CAP_METRICS_CONNECTIONS = 16
CAP_METRICS_REQUEST_BYTES = 16384
WORKER_MESSAGES = 200


def metrics_site(**scanner):
    site = Site(scanner=scanner)
    site.ports = {"milter": free_port(), "collector": free_port()}
    for group, port in site.ports.items():
        site.set(group, metrics=f"127.0.0.1:{port}")
    site.make_keys()
    site.start_collector()
    site.start_milter()
    for port in site.ports.values():
        wait_until(lambda port=port: listens(port), "metrics are served")
    return site


def scrape(site, group):
    """Returns {(sample, label values…): value} of one scrape, parsed strictly."""
    with urllib.request.urlopen(f"http://127.0.0.1:{site.ports[group]}/metrics", timeout=30) as answer:
        equal(answer.headers["Content-Type"], "application/openmetrics-text; version=1.0.0; charset=utf-8")
        text = answer.read().decode()
    assert text.endswith("# EOF\n"), text
    return {(sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text) for sample in family.samples}


@test
def each_message_is_in_the_milters_metrics():
    site = metrics_site()
    before = scrape(site, "milter")
    for i in range(3):
        site.play("--queue-id", f"Q{i}", "--rcpt", "<a@example.org>", make_message(f"{site.root}/{i}.eml"))
    after = scrape(site, "milter")
    for name in ("mailtrace_messages_total", "mailtrace_messages_recorded_total",
                 "mailtrace_message_latency_seconds_count"):
        equal(after[(name,)] - before[(name,)], 3, name)
    equal(after[("mailtrace_verdicts_total", "accept")], 3)
    equal(after[("mailtrace_message_latency_seconds_bucket", "+Inf")], 3)
    assert after[("mailtrace_message_latency_seconds_sum",)] > 0, after
    equal((after[("mailtrace_spool_writable",)], after[("mailtrace_messages_unrecorded_total",)]), (1, 0))
    site.stop()


@test
def a_message_that_nobody_read_is_counted():
    site = metrics_site(workers="1", read_timeout_ms="500")
    with stopped_scanner(site):
        site.play("--queue-id", "Q1", "--rcpt", "<a@example.org>", make_message(f"{site.root}/1.eml"))
    got = scrape(site, "milter")
    equal([got[(f"mailtrace_messages_unread{why}_total",)] for why in ("", "_failed", "_no_room", "_too_large")],
          [1, 1, 0, 0])
    site.stop()


def workers_of(site):
    scanner, = [pid for pid, line in children(site.milter.pid).items() if "scanner" in line]
    return list(children(scanner))


@test
def workers_that_are_replaced_are_counted():
    site = metrics_site(workers="1")
    message = make_message(f"{site.root}/1.eml")
    site.play("--queue-id", "Q1", "--rcpt", "<a@example.org>", message)
    equal(scrape(site, "milter")[("mailtrace_workers_replaced_total",)], 0)
    before, = workers_of(site)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: workers_of(site) not in ([], [before]), "another worker")
    site.play("--queue-id", "Q2", "--rcpt", "<a@example.org>", message)
    wait_until(lambda: scrape(site, "milter")[("mailtrace_workers_replaced_total",)] == 1, "one was replaced")
    site.play("--queue-id", "Q3", "--rcpt", "<a@example.org>", *[message] * WORKER_MESSAGES)
    wait_until(lambda: scrape(site, "milter")[("mailtrace_workers_replaced_total",)] == 2, "it had read its number")
    equal(scrape(site, "milter")[("mailtrace_messages_retried_total",)], 0)
    site.stop()


@test
def the_collector_tells_of_its_sensors():
    site = metrics_site()
    site.play("--queue-id", "Q1", "--rcpt", "<a@example.org>", make_message(f"{site.root}/1.eml"))
    site.wait_stored(1)
    wait_until(lambda: scrape(site, "collector").get(("mailtrace_sensor_lag", "default/mx1")) == 0, "the sensor's beat")
    got = scrape(site, "collector")
    equal((got[("mailtrace_collector_events_total",)], got[("mailtrace_sensor_gaps", "default/mx1")]), (1, 0))
    assert got[("mailtrace_sensor_seen_timestamp_seconds", "default/mx1")] > 1.7e9, got
    site.stop()


def fill_spool(site, count, first=1):
    for number in range(first, first + count):
        site.play("--queue-id", f"Q{number}", "--rcpt", "<a@example.org>", site.message)


def spool_site(events):
    """A milter without a collector, whose spool has room for about so many events."""
    site = metrics_site()
    site.collector.stop()
    site.message = make_message(f"{site.root}/1.eml")
    fill_spool(site, 1)
    size = int(scrape(site, "milter")[("mailtrace_spool_bytes",)])
    site.milter.stop()
    site.set("spool", max_bytes=str(size * events))
    site.start_milter()
    return site


def alarm(site):
    return scrape(site, "milter")[("mailtrace_spool_alarm_percent",)]


def spool_lines(site):
    return re.findall(r"(spool-(?:fills|empties)) percent=(\d+)", site.milter.text())


@test
def a_spool_that_fills_is_told_at_50_and_80_percent():
    site = spool_site(20)
    equal(alarm(site), 0)
    fill_spool(site, 11, first=2)
    equal(alarm(site), 50)
    wait_until(lambda: spool_lines(site) == [("spool-fills", "50")], "the first alarm")
    fill_spool(site, 6, first=20)
    equal(alarm(site), 80)
    wait_until(lambda: spool_lines(site)[1:] == [("spool-fills", "80")], "the second")
    site.start_collector()
    wait_until(lambda: alarm(site) == 0, "the spool is empty")
    wait_until(lambda: spool_lines(site)[2:] == [("spool-empties", "80")], "and it is said")
    site.stop()


@test
def the_alarm_is_in_status_and_in_the_collectors_metrics():
    site = spool_site(10)
    # what the collector refuses stays in the spool: here, of a tenant that is not the key's
    site.milter.stop()
    site.set("site", tenant="another")
    site.start_milter()
    fill_spool(site, 6, first=2)
    site.set("site", tenant="default")
    site.start_collector()
    wait_until(lambda: scrape(site, "collector").get(("mailtrace_sensor_spool_alarm_percent", "default/mx1")) == 50,
               "the sensor's beat")
    wait_until(lambda: site.mailtrace("status", "--check", status=None).stdout.count("% of the spool are full"),
               "status warns")
    site.stop()


def status_of(site, path, **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{site.ports['milter']}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code


@test
def what_is_asked_wrongly_or_too_long_is_refused_and_mail_goes_on():
    site = metrics_site()
    equal([status_of(site, path) for path in ("/metrics", "/", "/metrics/x")], [200, 404, 404])
    equal(status_of(site, "/metrics", Long="x" * (CAP_METRICS_REQUEST_BYTES // 2)), 200)
    assert status_of(site, "/metrics", Long="x" * (CAP_METRICS_REQUEST_BYTES + 1)) in (413, 431)
    site.stop()


@test
def scrapers_that_hang_take_their_own_places_only():
    site = metrics_site()
    hanging = [socket.create_connection(("127.0.0.1", site.ports["milter"])) for _ in range(CAP_METRICS_CONNECTIONS - 1)]
    for one in hanging:
        one.sendall(b"GET /met")
    equal(status_of(site, "/metrics"), 200, "one below the cap")
    hanging.append(socket.create_connection(("127.0.0.1", site.ports["milter"])))
    hanging[-1].sendall(b"GET /met")
    extra = socket.create_connection(("127.0.0.1", site.ports["milter"]), timeout=1)
    extra.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    with contextlib.suppress(TimeoutError, ConnectionError):
        equal(extra.recv(100), b"", "one above the cap")
    site.play("--queue-id", "Q1", "--rcpt", "<a@example.org>", make_message(f"{site.root}/1.eml"))
    for one in hanging + [extra]:
        one.close()
    wait_until(lambda: scrape(site, "milter")[("mailtrace_messages_total",)] == 1, "it serves again")
    site.stop()


@test
def an_address_beyond_loopback_is_refused():
    site = Site()
    site.make_keys()
    for address in ("0.0.0.0:9464", "192.0.2.1:9464", "127.0.0.1", "127.0.0.1:0", "[::]:9464", "::1:9464"):
        site.set("collector", metrics=address)
        assert "is not of loopback" in site.mailtrace("collect", status=2).stderr, address


main()
