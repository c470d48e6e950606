#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Where each copy went, on a real Postfix: aliases, forwards, requeued mail, a content filter."""
import contextlib
import os
import pwd
import re
import shutil
import smtplib
import socketserver
import threading

import mta
from mtlib import (Daemon, Site, equal, free_port, json_lines, listens, main, message_with_payload, run, send, test,
                   wait_until)

FORWARDER = "games"  # a user that each Debian has, with a .forward
BACK = """\
127.0.0.1:{port} inet n - n - - smtpd
 -o smtpd_milters= -o content_filter= -o smtpd_authorized_xforward_hosts=127.0.0.0/8
"""


class ContentFilter:
    """A filter as amavis is: takes a message over SMTP, and sends it back over SMTP before it answers.

    xforward: it passes on the queue id that Postfix told it, and keeps to itself the new one.
    """

    def __init__(self, back, xforward=False):
        self.port = free_port()
        owner = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                owner.talk(self)

        self.back, self.xforward = back, xforward
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Handler, bind_and_activate=False)
        self.server.allow_reuse_address = self.server.daemon_threads = True
        self.server.server_bind()
        self.server.server_activate()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def talk(self, handler):
        def say(text):
            handler.wfile.write(text.encode() + b"\r\n")

        say("220 filter ESMTP")
        envelope = {"from": "", "to": [], "forward": ""}
        for line in iter(handler.rfile.readline, b""):
            word = line.decode().strip()
            if word.upper().startswith("EHLO"):
                say("250-filter")
                say("250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE")
                say("250 8BITMIME")
            elif word.upper().startswith("XFORWARD"):
                found = re.search(r"IDENT=(\S+)", word)
                envelope["forward"] = found[1] if found else envelope["forward"]
                say("250 2.0.0 Ok")
            elif word.upper().startswith("MAIL FROM:"):
                envelope["from"] = re.search(r"<(.*?)>", word)[1]
                say("250 2.1.0 Ok")
            elif word.upper().startswith("RCPT TO:"):
                envelope["to"].append(re.search(r"<(.*?)>", word)[1])
                say("250 2.1.5 Ok")
            elif word.upper() == "DATA":
                say("354 go on")
                content = b"".join(iter(handler.rfile.readline, b".\r\n"))
                say(self.send_back(envelope, content))
            else:
                say("221 2.0.0 Bye" if word.upper() == "QUIT" else "250 2.0.0 Ok")
                if word.upper() == "QUIT":
                    return

    def send_back(self, envelope, content):
        with smtplib.SMTP("127.0.0.1", self.back, local_hostname="filter.example") as smtp:
            smtp.ehlo()
            if self.xforward:
                equal(smtp.docmd("XFORWARD", f"IDENT={envelope['forward']}")[0], 250)
            smtp.mail(envelope["from"])
            for recipient in envelope["to"]:
                smtp.rcpt(recipient)
            code, text = smtp.data(content)
        if self.xforward:
            return "250 2.0.0 Ok, passed on"
        return f"250 2.0.0 from MTA(smtp:[127.0.0.1]:{self.back}): {code} {text.decode()}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def followed(content_filter=None, back=None, **settings):
    """A site and a Postfix whose log is followed: team@example.org is three people.

    One has a mailbox, one forwards to else.example, one is at gone.example, which refuses him.
    """
    mx = mta.Postfix(extra_master=BACK.format(port=back) if back else "")
    hop = free_port()
    home = f"{mx.root}/forward"
    os.makedirs(home)
    with open(f"{home}/{FORWARDER}", "w") as handle:
        handle.write("away@else.example\n")
    owner = pwd.getpwnam(FORWARDER)
    os.chown(f"{home}/{FORWARDER}", owner.pw_uid, owner.pw_gid)
    texts = {"aliases": f"{FORWARDER}s {FORWARDER}@here.example, dave@example.org\n",
             "virtual": f"team@example.org alice@example.org, {FORWARDER}@here.example, "
                        "nobody@gone.example\n",
             "transport": f"else.example smtp:[127.0.0.1]:{hop}\ngone.example error:5.1.1 no such user\n"}
    for name, text in texts.items():
        with open(f"{mx.etc}/{name}", "w") as handle:
            handle.write(text)
    mx.settings.update({
        "mydestination": "here.example", "alias_maps": f"texthash:{mx.etc}/aliases",
        "virtual_alias_maps": f"texthash:{mx.etc}/virtual", "transport_maps": f"texthash:{mx.etc}/transport",
        "forward_path": f"{home}/$user",
        "smtp_send_xforward_command": "yes", **settings})
    if content_filter:
        mx.settings["content_filter"] = f"smtp:[127.0.0.1]:{content_filter}"
    folder = f"{mx.queue}/mailtrace"
    os.makedirs(folder)
    site = Site(socket_address=f"unix:{folder}/milter.sock")
    site.set("milter", socket_group="postfix", socket_mode="0660")
    shutil.chown(folder, group="postfix")
    os.chmod(folder, 0o750)
    site.make_keys()
    site.start_collector()
    site.start_milter()
    mx.settings["smtpd_milters"] = "unix:mailtrace/milter.sock"
    mx.write(extra_master=BACK.format(port=back) if back else "")
    mx.start()
    site.start_follow(mx.log)
    mx.hop = hop
    try:
        yield site, mx
    finally:
        mx.stop()
        site.stop()


@contextlib.contextmanager
def next_hop(mx):
    """The mail server of else.example: takes all, and says nothing of queue ids."""
    sink = Daemon(["/usr/sbin/smtp-sink", "-u", "nobody", f"127.0.0.1:{mx.hop}", "10"], f"{mx.root}/sink.log")
    wait_until(lambda: listens(mx.hop), "the next hop listens")
    try:
        yield sink
    finally:
        sink.kill()


def finals_of(site, payload, recipient=None, options=()):
    """Returns the state of a file's one recipient, and {final address: state}."""
    hits = [h for h in site.who(payload, *options)[0] if recipient in (None, h["recipient"])]
    if not hits:
        return None, {}
    equal(len(hits), 1, "one row for each envelope recipient")
    return hits[0]["state"], {f["address"]: f["state"] for f in hits[0]["finals"]}


def wait_finals(site, payload, state, finals, **keywords):
    got = []

    def settled():
        got[:] = [finals_of(site, payload, **keywords)]
        return got[0] == (state, finals)

    try:
        wait_until(settled, f"{state}, {finals}")
    except AssertionError as error:
        raise AssertionError(f"{error}; got {got}") from None


@test
def an_alias_of_three_of_whom_one_forwards_and_one_bounces():
    with followed() as (site, mx):
        path, payload = message_with_payload(site, "invoice")
        away = "away@else.example"
        rest = {"alice@example.org": "delivered", "nobody@gone.example": "bounced"}
        send(mx, ["team@example.org", "carol@example.org"], path)
        wait_finals(site, payload, "delivered", {**rest, away: "deferred"}, recipient="team@example.org")
        with next_hop(mx):
            mx.command("flush")
            wait_finals(site, payload, "delivered", {**rest, away: "delivered"}, recipient="team@example.org")
        wait_finals(site, payload, "delivered", {"carol@example.org": "delivered"}, recipient="carol@example.org")
        hit = [h for h in site.who(payload)[0] if h["recipient"] == "team@example.org"][0]
        final = {f["address"]: f for f in hit["finals"]}
        equal([final[a]["dsn"] for a in ("alice@example.org", "nobody@gone.example")], ["2.0.0", "5.1.1"])
        equal((final[away]["relay"], final["alice@example.org"]["relay"]), (f"127.0.0.1[127.0.0.1]:{mx.hop}", "virtual"))
        assert final[away]["at"] >= final["alice@example.org"]["at"] >= hit["received_at"][:19], final
        table = site.mailtrace("who", payload).stdout
        print("".join(f"# {line}\n" for line in table.splitlines()), end="")
        lines = [line for line in table.splitlines() if line.startswith("    ")]
        equal([line.split()[:2] for line in sorted(lines)],
              [["alice@example.org", "delivered"], [away, "delivered"], ["nobody@gone.example", "bounced"]])
        shown = site.mailtrace("show", hit["event_id"]).stdout
        for said in (f"sent  {FORWARDER}@here.example (for team@example.org) via local", f"deferred  {away}",
                     f"sent  {away}", "bounced  nobody@gone.example"):
            assert said in shown, shown
        times = re.findall(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) .*  mx1/", shown)
        equal(times, sorted(times), "in order of time")


@test
def an_alias_of_local_and_a_forward_behind_it():
    with followed() as (site, mx), next_hop(mx):
        path, payload = message_with_payload(site, "nested")
        send(mx, [f"{FORWARDER}s@here.example"], path)
        wait_finals(site, payload, "delivered", {"away@else.example": "delivered", "dave@example.org": "delivered"})


def requeue(mx, queue_id):
    run("/usr/sbin/postsuper", "-c", mx.etc, "-r", queue_id)

    def picked_up():
        # a pickup that has just ended does not hear it
        run("/usr/sbin/postkick", "-c", mx.etc, "public", "pickup", "W", status=None)
        return [m for m in mx.queued() if m["queue_id"] != queue_id and m["queue_name"] == "deferred"]

    wait_until(picked_up, "requeued")


@test
def requeued_mail_is_that_of_its_first_event():
    with followed() as (site, mx):
        path, payload = message_with_payload(site, "again")
        send(mx, ["away@else.example"], path)
        wait_finals(site, payload, "deferred", {"away@else.example": "deferred"})
        for _ in range(2):
            requeue(mx, mx.queued()[0]["queue_id"])
        with next_hop(mx):
            mx.command("flush")
            wait_finals(site, payload, "delivered", {"away@else.example": "delivered"})
        equal(len(site.who(payload)[0]), 1)


def passes_a_filter(xforward):
    back = free_port()
    content_filter = ContentFilter(back, xforward)
    with followed(content_filter=content_filter.port, back=back) as (site, mx):
        path, payload = message_with_payload(site, "filtered")
        send(mx, ["alice@example.org", "away@else.example"], path)
        wait_finals(site, payload, "delivered", {"alice@example.org": "delivered"}, recipient="alice@example.org")
        wait_finals(site, payload, "deferred", {"away@else.example": "deferred"}, recipient="away@else.example")
        with next_hop(mx):
            mx.command("flush")
            wait_finals(site, payload, "delivered", {"away@else.example": "delivered"},
                        recipient="away@else.example")
        hits = site.who(payload)[0]
        equal({f["relay"] for h in hits for f in h["finals"]}, {"virtual", f"127.0.0.1[127.0.0.1]:{mx.hop}"})
    content_filter.stop()


@test
def mail_that_a_content_filter_injects_again_and_tells_the_new_queue_id():
    passes_a_filter(False)


@test
def mail_that_a_content_filter_injects_again_with_the_old_queue_id():
    passes_a_filter(True)


@test
def held_released_and_deleted_are_states():
    with followed() as (site, mx):
        path, payload = message_with_payload(site, "held")
        mx.settings["defer_transports"] = "smtp"
        mx.write()
        mx.reload()
        send(mx, ["away@else.example"], path)
        wait_finals(site, payload, "deferred", {"away@else.example": "deferred"})
        queue_id = mx.queued()[0]["queue_id"]
        for option, state in (("-h", "held"), ("-H", "deferred"), ("-h", "held"), ("-d", "deleted")):
            run("/usr/sbin/postsuper", "-c", mx.etc, option, queue_id)
            wait_finals(site, payload, state, {"away@else.example": state})
        equal(len(site.who(payload, "state:deleted")[0]), 1)
        shown = site.mailtrace("show", site.who(payload)[0][0]["event_id"]).stdout
        for kind in ("held", "released", "deleted"):
            assert f"  {kind}, postsuper" in shown, shown


@test
def mail_that_was_held_before_it_was_tried_is_released():
    with followed() as (site, mx):
        path, payload = message_with_payload(site, "evil")
        site.mailtrace("block", "add", payload, "--mode", "hold")
        send(mx, ["alice@example.org"], path)
        wait_finals(site, payload, "held", {})
        mx.settings["defer_transports"] = "virtual"
        mx.write()
        mx.reload()
        run("/usr/sbin/postsuper", "-c", mx.etc, "-H", mx.queued()[0]["queue_id"])
        wait_finals(site, payload, "released", {})


@test
def mail_that_expires_in_the_queue_is_expired_where_it_was_not_sent():
    with followed() as (site, mx):
        path, payload = message_with_payload(site, "late")
        send(mx, ["alice@example.org", "away@else.example"], path)
        wait_finals(site, payload, "deferred", {"away@else.example": "deferred"}, recipient="away@else.example")
        run("/usr/sbin/postsuper", "-c", mx.etc, "-e", mx.queued()[0]["queue_id"])
        mx.command("flush")
        wait_finals(site, payload, "expired", {"away@else.example": "expired"}, recipient="away@else.example")
        wait_finals(site, payload, "delivered", {"alice@example.org": "delivered"}, recipient="alice@example.org")


main()
