#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Each way a message can come ends in exactly the record of its golden file, or in none.

MAILTRACE_UPDATE_GOLDEN=1 writes the golden files anew; read the difference.
"""
import hashlib
import json
import os
import re

from mtlib import Daemon, SOURCE, Site, equal, json_lines, main, make_message, program, test, wait_until

GOLDEN = os.path.join(SOURCE, "tests", "data", "golden")
STAGES = ("connect", "helo", "mail", "rcpt", "data", "header", "eoh", "body")

site = Site(site={"trusted_hops": "192.0.2.7/32", "local_networks": "10.0.0.0/8;::1/128"})
site.make_keys()
site.start_collector()
site.start_milter()
KEYS = f"{site.root}/keys"
site.mailtrace("keygen", "--type", "client", KEYS, "reader")
site.mailtrace("sensor", "--role", "subscribe", "add", "reader", f"{KEYS}/reader.pub")
watch = Daemon([program("mailtrace"), "--config", site.config, "--json", "watch", "--key", f"{KEYS}/reader.key"],
               f"{site.root}/watch.jsonl")
RCPT = ("--rcpt", "<alice@example.org>")
marks = seen = 0


def mark():
    """Plays a message that is known again, and returns its Message-ID."""
    global marks
    marks += 1
    name = f"<mark.{marks}@example.net>"
    site.play(*RCPT, make_message(f"{site.root}/mark.eml", message_id=name))
    return name


def message_id(event):
    return event["email"].get("message_uid", "")


def events():
    """Returns the events that the live stream gave so far, oldest first."""
    text = watch.text()
    return json_lines(text[:text.rfind("\n") + 1])


def play(*argv, expect=1):
    """Plays messages and returns milterplay's lines and the events that they made, in order."""
    global seen
    lines = site.play(*argv)
    last = mark()
    # What comes after in the stream shows that all that was to come before is there.
    wait_until(lambda: last in map(message_id, events()[seen:]), "the live stream")
    made = [event for event in events()[seen:] if not message_id(event).startswith("<mark.")]
    seen = len(events())
    equal(len(made), expect, "events made")
    return lines, made


# The subscription takes effect at some moment after it was asked for.
wait_until(lambda: mark() and events(), "the live stream")


def normal(value):
    """The event without what differs from run to run: ids, times, our version."""
    if isinstance(value, dict):
        return {key: "…" if key in ("uid", "time", "received_at_us", "parent_event", "product") else normal(member)
                for key, member in value.items()}
    if isinstance(value, list):
        return [normal(member) for member in value]
    return value


def golden(name, event):
    path = os.path.join(GOLDEN, f"{name}.json")
    text = json.dumps(normal(event), ensure_ascii=False, indent=1) + "\n"
    if os.environ.get("MAILTRACE_UPDATE_GOLDEN"):
        os.makedirs(GOLDEN, exist_ok=True)
        with open(path, "w") as handle:
            handle.write(text)
    with open(path) as handle:
        equal(json.loads(text), json.load(handle), f"the record of {path}")


def check(name, *argv):
    _, made = play(*argv)
    golden(name, made[0])
    return made[0]


def attached(name, **keywords):
    return make_message(f"{site.root}/{name}.eml", attachments=[("a.bin", "application/octet-stream", b"0123456789" * 30)],
                        **keywords)


@test
def a_plain_message_with_every_fact_of_its_envelope():
    check("envelope", "--from", "<sender@example.net> SIZE=1234 BODY=8BITMIME", "--rcpt",
          "<alice@example.org> NOTIFY=NEVER ORCPT=rfc822;alice@example.org", "--rcpt", "<Bob@Example.ORG>",
          "--queue-id", "4Xyz12AbCdzKq", "--macro", "helo:{tls_version}=TLSv1.3", "--macro",
          "helo:{cipher}=TLS_AES_256_GCM_SHA384", "--macro", "helo:{cipher_bits}=256", "--macro",
          "helo:{cert_subject}=client.example", "--macro", "mail:{auth_type}=PLAIN", "--macro",
          "mail:{auth_authen}=alice", "--macro", "mail:{auth_author}=alice2", attached("envelope"))


@test
def sendmail_gives_its_queue_id_at_mail():
    event = check("sendmail", "--mta", "sendmail", "--queue-id", "6AN4F2M5004598", *RCPT, attached("sendmail"))
    assert "6AN4F2M5004598" in json.dumps(event)


@test
def a_bcc_is_a_recipient_like_any_other():
    check("bcc", *RCPT, "--rcpt", "<secret@example.org>", attached("bcc"))


@test
def a_null_sender():
    check("null-sender", "--from", "<>", *RCPT, attached("null-sender"))


@test
def addresses_in_utf8_and_raw_bytes():
    check("smtputf8", "--from", "<送信@例え.jp> SMTPUTF8", "--rcpt", "<アリス@example.org>", attached("smtputf8"))


@test
def a_body_of_bare_line_feeds():
    path = f"{site.root}/bare-lf.eml"
    with open(path, "wb") as handle:
        handle.write(b"Subject: bare\nMessage-ID: <bare@example.net>\n\none\ntwo\n")
    check("bare-lf", "--raw", *RCPT, path)


@test
def a_message_without_header():
    path = f"{site.root}/no-header.eml"
    with open(path, "wb") as handle:
        handle.write(b"this is no header field\r\nsecond line\r\n")
    check("no-header", *RCPT, path)


@test
def a_message_without_body():
    path = f"{site.root}/no-body.eml"
    with open(path, "wb") as handle:
        handle.write(b"Subject: nothing follows\r\nMessage-ID: <nobody@example.net>\r\n\r\n")
    check("no-body", "--no-newline", *RCPT, path)


@test
def a_message_of_fifty_megabytes():
    content = hashlib.sha256(b"seed").digest() * (37 * 1024 * 1024 // 32)
    path = make_message(f"{site.root}/fifty.eml", attachments=[("fifty.bin", "application/octet-stream", content)])
    assert os.path.getsize(path) > 50 * 1000 * 1000
    event = check("fifty-megabytes", *RCPT, path)
    assert hashlib.sha256(content).hexdigest() in json.dumps(event)


@test
def a_recipient_that_the_mta_refused_is_marked():
    check("refused-recipient", *RCPT, "--rcpt", "<nobody@example.org>", "--refuse", "2", attached("refused"))
    equal(site.who("to:nobody@example.org")[0], [])


@test
def clients_of_every_family():
    check("ipv6", "--client", "2001:db8::25", "--client-name", "[2001:db8::25]", *RCPT, attached("ipv6"))
    check("local", "--client", "local", "--client-name", "localhost", *RCPT, attached("local"))


@test
def a_body_cut_anywhere_gives_the_same_record():
    path = attached("cut")
    _, whole = play(*RCPT, path)
    for seed in (1, 2, 3):
        _, cut = play("--random-chunks", str(seed), "--chunk", "97", *RCPT, path)
        equal(normal(cut[0]), normal(whole[0]), f"seed {seed}")


@test
def a_leading_blank_more_or_less_is_kept_where_the_mta_can():
    path = f"{site.root}/blank.eml"
    with open(path, "wb") as handle:
        handle.write(b"Subject:  two blanks\r\nX-None:none\r\nMessage-ID: <blank@example.net>\r\n\r\nx\r\n")
    event = check("leading-blanks", *RCPT, path)
    with open(path, "rb") as handle:
        assert hashlib.sha256(handle.read()).hexdigest() in json.dumps(event), "the message's own digest"


@test
def several_messages_of_one_connection_are_apart():
    paths = [attached(f"several{n}", subject=f"several {n}") for n in range(3)]
    _, made = play(*RCPT, *paths, expect=3)
    equal([event["email"]["subject"] for event in made], [f"several {n}" for n in range(3)])


@test
def a_message_given_up_at_any_stage_leaves_no_record():
    path = attached("given-up")
    for stage in STAGES:
        for how in ("abort", "disconnect", "quit"):
            play("--stop-at", stage, "--stop-how", how, *RCPT, path, expect=0)
    _, made = play(*RCPT, path)


@test
def an_id_of_ours_is_stamped_kept_from_trusted_hops_and_removed_when_forged():
    lines, made = play(*RCPT, attached("stamped"))
    stamps = [change for change in lines[0]["changes"] if "X-Mailtrace-Id: " in change]
    equal(len(stamps), 1, "one stamp")
    # With SMFIP_HDR_LEADSPC the blank after the colon is the filter's to write.
    assert stamps[0].startswith("insert") or stamps[0].startswith("add"), stamps
    stamp = stamps[0].split("X-Mailtrace-Id: ", 1)[1].strip()
    equal(stamp.split(";")[0], made[0]["metadata"]["uid"])

    again = attached("stamped-again", extra=f"X-Mailtrace-Id: {stamp}")
    lines, kept = play("--client", "192.0.2.7", *RCPT, again)
    equal(lines[0]["changes"], [], "kept, and not stamped again")
    assert made[0]["metadata"]["uid"] in json.dumps(kept[0]), "the parent is recorded"

    lines, _ = play("--client", "203.0.113.9", *RCPT, again)
    assert any(re.match(r"change 1 X-Mailtrace-Id: $", change) for change in lines[0]["changes"]), lines
    forged = attached("forged", extra=f"X-Mailtrace-Id: {stamp[:-4]}0000\nX-Mailtrace-Id: 1; s=stranger; m=2")
    lines, _ = play("--client", "192.0.2.7", *RCPT, forged)
    removed = [change for change in lines[0]["changes"] if change.startswith("change")]
    equal(removed, ["change 1 X-Mailtrace-Id: "], "ours that does not verify goes, the stranger's stays")


main()
