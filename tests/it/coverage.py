#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Each way mail passes a milter by, and each kind of gap, with a real Postfix: the answer tells."""
import contextlib
import datetime
import glob
import os
import re
import shutil
import smtplib
import socketserver
import threading

import mta
from mtlib import (DEADLINE, Site, equal, free_port, json_lines, main, message_with_payload, run, send, test,
                   wait_until)


@contextlib.contextmanager
def followed_postfix(extra_master="", milters="unix:mailtrace/milter.sock", exempt="", **settings):
    """A site that expects its sensor and its follower, beside a Postfix that lets mail pass when the milter is away."""
    mx = mta.Postfix(milter_default_action="accept", extra_master=extra_master, **settings)
    folder = f"{mx.queue}/mailtrace"
    os.makedirs(folder, exist_ok=True)
    site = Site(socket_address=f"unix:{folder}/milter.sock")
    site.set("milter", socket_group="postfix", socket_mode="0660", exempt_networks=exempt)
    site.set("collector", expected_followers="mx1-follow")
    shutil.chown(folder, group="postfix")
    os.chmod(folder, 0o750)
    site.make_keys()
    site.start_collector()
    site.start_milter()
    mx.settings["smtpd_milters"] = milters
    mx.write(extra_master=extra_master)
    mx.start()
    site.start_follow(mx.log)
    try:
        yield site, mx
    finally:
        mx.stop()
        site.stop()


@contextlib.contextmanager
def hostile_hop(port, claims):
    """A mail server that takes all, and says that it queued it as claims() says."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 hop ESMTP\r\n")
            for line in iter(self.rfile.readline, b""):
                if line[:4].upper() == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    for _ in iter(self.rfile.readline, b".\r\n"):
                        pass
                    self.wfile.write(f"250 2.0.0 Ok: queued as {claims()}\r\n".encode())
                else:
                    self.wfile.write(b"250 2.0.0 Ok\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", port), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


def coverage_of(site, *query):
    return site.who(*(query or ("subject:nothing-like-it",)))[1]


def wait_coverage(site, good, what):
    """Waits until a coverage is as wanted; returns it."""
    try:
        return wait_until(lambda: next((c for c in [coverage_of(site)] if good(c)), None), what)
    except AssertionError:
        raise AssertionError(f"{what}: {coverage_of(site)}") from None


def recorded_mail(site, mx):
    """A message by the milter, so that the answer is complete and reconciled before the test's own."""
    path, payload = message_with_payload(site, "recorded")
    send(mx, ["alice@example.org"], path)
    site.wait_stored(1)
    wait_coverage(site, lambda c: c["reconciled"] and c["complete"], "complete and reconciled")
    return path, payload


def judged(site):
    """Waits until all that is logged by now is held against the records; returns the coverage."""
    past = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)
    return wait_coverage(site, lambda c: c["complete_until"] > past.strftime("%Y-%m-%dT%H:%M:%S.%fZ") and c["reconciled"]
                         and c["complete"], "complete and reconciled until now")


def passes_unseen(site, mx, count=1):
    """Expects the answer to tell of messages that passed unseen, under the queue ids of Postfix's log."""
    found = wait_coverage(site, lambda c: c["unseen"] == count, f"{count} passed unseen")
    equal((found["complete"], found["reconciled"]), (False, False), found)
    gap, = [g for g in found["gaps"] if g["reason"] == "unseen"]
    equal((gap["sensor"], gap["messages"]), ("mx1-follow", count))
    assert gap["from"] and gap["to"], gap
    lines = json_lines(site.mailtrace("--json", "who", "subject:nothing-like-it", "--list-unseen", status=1).stdout)
    rows = [line for line in lines if line["type"] == "unseen"]
    equal(len(rows), count)
    for row in rows:
        assert f"{row['queue_id']}: from=" in mx.logged(), (row, mx.logged())
        assert row["detail"].startswith("from=<") and ", size=" in row["detail"], row
    text = site.mailtrace("who", "subject:nothing-like-it", status=1).stdout
    assert "cannot be signed" in text and "passed unseen" in text, text
    return rows


@test
def mail_that_the_milter_sees_is_reconciled_and_a_nobody_can_be_signed():
    with followed_postfix() as (site, mx):
        recorded_mail(site, mx)
        text = site.mailtrace("who", "subject:nothing-like-it", status=1).stdout
        assert "cannot be signed" not in text and "; reconciled with" in text, text
        clock = wait_coverage(site, lambda c: [k for k in c["clocks"] if k["sensor"] == "mx1"], "clock")["clocks"][0]
        assert abs(clock["offset_ms"]) < 2000, clock


@test
def mail_of_the_sendmail_command_passes_by_without_non_smtpd_milters():
    with followed_postfix() as (site, mx):
        path, _ = recorded_mail(site, mx)
        with open(path, "rb") as message:
            run("/usr/sbin/sendmail", "-C", mx.etc, "-f", "root@example.org", "bob@example.org",
                stdin=message.read(), text=False, env=dict(os.environ, MAIL_CONFIG=mx.etc))
        rows = passes_unseen(site, mx)
        assert "from=<root@example.org>" in rows[0]["detail"], rows


@test
def bounces_that_postfix_writes_itself_pass_by():
    with followed_postfix(transport_maps="inline:{carol@example.org=local:}") as (site, mx):
        path, _ = recorded_mail(site, mx)
        send(mx, ["carol@example.org"], path, sender="alice@example.org")
        rows = passes_unseen(site, mx)
        assert "from=<>" in rows[0]["detail"], rows


@test
def a_port_with_no_milters_passes_by():
    port = free_port()
    extra = f"127.0.0.1:{port} inet n - n - - smtpd\n  -o receive_override_options=no_milters"
    with followed_postfix(extra_master=extra) as (site, mx):
        path, payload = recorded_mail(site, mx)
        mx.port = port
        send(mx, ["bob@example.org"], path)
        passes_unseen(site, mx)
        equal([hit["recipient"] for hit in site.who(payload)[0]], ["alice@example.org"])


@test
def a_next_hop_that_claims_what_passed_unseen_makes_it_no_more_seen():
    port, hop = free_port(), free_port()
    extra = f"127.0.0.1:{port} inet n - n - - smtpd\n  -o receive_override_options=no_milters"
    with followed_postfix(extra_master=extra, transport_maps=f"inline:{{evil.example=smtp:[127.0.0.1]:{hop}}}") as (site, mx):
        path, _ = recorded_mail(site, mx)
        attached, mx.port = mx.port, port
        send(mx, ["bob@example.org"], path)
        rows = passes_unseen(site, mx)
        mx.port = attached
        with hostile_hop(hop, lambda: rows[0]["queue_id"]):
            path, payload = message_with_payload(site, "claimed")
            send(mx, ["me@evil.example"], path)
            wait_until(lambda: [hit["state"] for hit in site.who(payload)[0]] == ["delivered"], "it is sent on")
        assert f"queued as {rows[0]['queue_id']})" in mx.logged(), mx.logged()
        equal(passes_unseen(site, mx), rows)
        hit, = site.who(payload)[0]
        equal([final["address"] for final in hit["finals"]], ["me@evil.example"])


@test
def a_client_with_disable_in_smtpd_milter_maps_passes_by():
    with followed_postfix() as (site, mx):
        path, _ = recorded_mail(site, mx)
        mx.settings["smtpd_milter_maps"] = "inline:{127.0.0.1=DISABLE}"
        mx.write()
        mx.reload()

        def passed():
            send(mx, ["bob@example.org"], path)
            return len(re.findall(r"qmgr\[\d+\]: \S+: from=", mx.logged())) >= 2 and coverage_of(site)["unseen"]

        wait_until(passed, "the reloaded Postfix lets mail pass")
        count = coverage_of(site)["unseen"]
        passes_unseen(site, mx, count)


def requeue(mx):
    """Has the one message that waits queued anew; returns both of its queue ids."""
    former = wait_until(lambda: mx.queued(), "a message waits")[0]["queue_id"]
    run("/usr/sbin/postsuper", "-c", mx.etc, "-r", former)

    def picked_up():
        # a pickup that has just ended does not hear it
        run("/usr/sbin/postkick", "-c", mx.etc, "public", "pickup", "W", status=None)
        return [m for m in mx.queued() if m["queue_id"] != former]

    wait_until(picked_up, "requeued")
    queue_id, = [m["queue_id"] for m in mx.queued()]
    wait_until(lambda: f"{queue_id}: from=" in mx.logged(), "active again")
    return former, queue_id


@test
def mail_that_is_requeued_passes_by_and_was_seen_if_it_was_recorded_before():
    with followed_postfix(defer_transports="virtual") as (site, mx):
        path, payload = message_with_payload(site, "requeued")
        send(mx, ["bob@example.org"], path)
        site.wait_stored(1)
        wait_coverage(site, lambda c: c["reconciled"] and c["complete"], "complete and reconciled")
        for _ in range(2):
            _, queue_id = requeue(mx)
            show = ("show", site.who(payload)[0][0]["event_id"])
            wait_until(lambda: f"/{queue_id}  queued" in site.mailtrace(*show).stdout, "what the log says of its new number")
        found = wait_coverage(site, lambda c: c["reconciled"] and c["complete"], "complete and reconciled")
        equal((found["unseen"], site.who(payload)[0][0]["state"]), (0, "deferred"))
        run("/usr/sbin/postsuper", "-c", mx.etc, "-d", "ALL")
        site.milter.stop()
        send(mx, ["carol@example.org"], path)
        passed = requeue(mx)
        site.start_milter()
        rows = passes_unseen(site, mx, 2)
        equal([row["queue_id"] for row in rows], list(passed))


@test
def mail_while_the_milter_is_down_passes_by_with_accept():
    with followed_postfix() as (site, mx):
        path, _ = recorded_mail(site, mx)
        site.milter.stop()
        send(mx, ["bob@example.org"], path)
        wait_until(lambda: mx.inbox("bob"), "mail passes without the milter")
        site.start_milter()
        passes_unseen(site, mx)
        assert "down" in [gap["reason"] for gap in coverage_of(site)["gaps"]], coverage_of(site)


@test
def a_milter_that_was_down_while_no_mail_came_is_forgiven_by_the_log():
    with followed_postfix() as (site, mx):
        recorded_mail(site, mx)
        site.milter.stop()
        site.start_milter()
        found = wait_coverage(site, lambda c: any(g["reason"] == "down" for g in c["gaps"]) and c["reconciled"], "down")
        equal((found["complete"], found["warnings"]), (True, []))


@test
def what_passes_a_closed_spool_is_told_and_so_is_another_spool():
    with followed_postfix() as (site, mx):
        path, _ = recorded_mail(site, mx)
        site.milter.stop()
        site.set("policy", on_unrecorded="accept")
        site.set("spool", max_bytes="1")
        site.start_milter()
        send(mx, ["bob@example.org"], path)
        found = wait_coverage(site, lambda c: any(g["reason"] == "unrecorded" for g in c["gaps"]), "unrecorded")
        gap, = [g for g in found["gaps"] if g["reason"] == "unrecorded"]
        equal((gap["sensor"], gap["messages"]), ("mx1", 1))
        equal(found["complete"], False)
        site.milter.stop()
        for file in glob.glob(f"{site.root}/spool/spool.*"):
            os.unlink(file)
        site.start_milter()
        wait_coverage(site, lambda c: any(g["reason"] == "epoch" for g in c["gaps"]), "epoch")


@test
def what_comes_by_a_connection_above_the_cap_is_told():
    with followed_postfix() as (site, mx):
        path, _ = recorded_mail(site, mx)
        site.set("milter", max_connections="1")
        site.set("policy", on_unrecorded="accept")
        site.milter.stop()
        # A connection that asks whether it is there would have the one place that there is, for a moment.
        site.launch_milter()
        wait_until(lambda: site.milter.text().count(" ready ") == 2, "the milter is ready")
        with mx.smtp() as held:
            held.ehlo()  # Postfix has told the milter of it
            send(mx, ["bob@example.org"], path)
        found = wait_coverage(site, lambda c: any(g["reason"] == "unrecorded" for g in c["gaps"]), "unrecorded")
        equal((found["complete"], [g["messages"] for g in found["gaps"] if g["reason"] == "unrecorded"]), (False, [1]))


@test
def mail_of_an_exempt_network_is_told_as_exempt_and_is_no_alarm():
    with followed_postfix(exempt="127.9.0.0/16", defer_transports="virtual") as (site, mx):
        path, payload = message_with_payload(site, "exempt")
        for client in ("127.9.0.7", "127.9.8.9"):
            with smtplib.SMTP("127.0.0.1", mx.port, timeout=DEADLINE, source_address=(client, 0)) as smtp:
                with open(path, "rb") as message:
                    smtp.sendmail("probe@example.net", ["bob@example.org"], message.read())
                smtp.mail("probe@example.net")
                smtp.rcpt("bob@example.org")
                smtp.rset()  # what does not end has not passed
        queued = wait_until(lambda: len(re.findall(r"qmgr\[\d+\]: \S+: from=<probe", mx.logged())) == 2, "both are queued")
        assert queued
        send(mx, ["alice@example.org"], path)
        site.wait_stored(1)
        found = judged(site)
        equal((found["messages"], found["exempt"], found["unseen"], found["warnings"]), (1, 2, 0, []))
        gap, = [g for g in found["gaps"] if g["reason"] == "exempt"]
        equal((gap["sensor"], gap["messages"]), ("mx1", 2))
        assert gap["from"] <= gap["to"] <= found["complete_until"], found
        equal([hit["recipient"] for hit in site.who(payload)[0]], ["alice@example.org"])
        text = site.mailtrace("who", "subject:nothing-like-it", status=1).stdout
        assert "mx1: 2 messages of exempt networks passed unrecorded, as configured, from " in text, text
        assert "cannot be signed" not in text and "passed unseen" not in text, text
        equal(site.mailtrace("status", "--check", status=0).stdout.split(" | ")[0],
              "MAILTRACE OK - all sensors are heard")
        for former in [m["queue_id"] for m in mx.queued() if m["sender"] == "probe@example.net"]:
            run("/usr/sbin/postsuper", "-c", mx.etc, "-r", former)
        run("/usr/sbin/postkick", "-c", mx.etc, "public", "pickup", "W")
        wait_until(lambda: len(re.findall(r"qmgr\[\d+\]: \S+: from=<probe", mx.logged())) == 4, "queued anew")
        found = judged(site)
        equal((found["exempt"], found["unseen"]), (2, 0))


@test
def sensors_that_were_never_seen_or_are_expected_by_nobody_are_told():
    with followed_postfix() as (site, mx):
        recorded_mail(site, mx)
        equal(site.mailtrace("status", "--check", status=0).stdout.split(" | ")[0],
              "MAILTRACE OK - all sensors are heard")
        checked = json_lines(site.mailtrace("--json", "status", "--check", "--warning", "silence=0", status=1).stdout)
        equal([row["name"] for row in checked if row["state"] == "WARNING"], ["silence"])
        site.mailtrace("status", "--check", "--critical", "silence=0", status=2)
        site.mailtrace("status", "--check", "--critical", "nothing=0", status=3)
        equal(site.mailtrace("--store", "sqlite:/nonexistent/x", "status", "--check", status=2).stdout[:18],
              "MAILTRACE CRITICAL")
        began = coverage_of(site)["recorded_since"]
        site.set("collector", expected_sensors="mx1; mx7")
        text = site.mailtrace("status", "--check", status=2).stdout
        assert "mx7: 300 s without a sign of life" in text, text
        asked = coverage_of(site, "--since", "30d", "subject:nothing-like-it")
        gap, = [g for g in asked["gaps"] if g["reason"] == "not-begun"]
        equal((gap["sensor"], gap["from"], gap["to"], asked["complete"]), ("mx1", asked["since"], began, False))
        found = coverage_of(site)
        equal([(g["sensor"], g["reason"]) for g in found["gaps"]], [("mx7", "never-seen")])
        equal((found["complete"], found["complete_until"]), (False, None))
        site.set("collector", expected_sensors="")
        assert "no sensors are expected" in " ".join(coverage_of(site)["warnings"])


main()
