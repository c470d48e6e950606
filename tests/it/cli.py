# SPDX-License-Identifier: BSD-2-Clause
"""mailtrace(1) as people and programs use it: real programs, a private store."""
import bz2
import csv
import gzip
import hashlib
import io
import json
import lzma
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import zipfile

import mtlib
from mtlib import SOURCE, Site, equal, journal, json_lines, make_message, program, run, test

HIT = ["type", "received_at", "recipient", "state", "match", "variant", "file", "name", "sha256", "subject",
       "from", "message_id", "queue_id", "sensor", "event_id", "finals"]
COVERAGE = ["type", "messages", "unread", "sensors", "complete_until", "reconciled", "gaps", "since", "until",
            "unseen", "reconciled_until", "recorded_since", "expired_before", "exempt", "erased", "clocks", "complete",
            "warnings"]
PDF = b"%PDF-1.4\n" + bytes(range(256)) * 4


def path_of(site, name):
    return os.path.join(site.root, name)


def write(site, name, content):
    path = path_of(site, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as handle:
        handle.write(content)
    return path


def message(site, name, **keywords):
    return make_message(path_of(site, name), **keywords)


def delivered(site, name, source, recipient):
    """The copy of a message as it lies in a mailbox: LF, with trace fields in front."""
    with open(source, "rb") as handle:
        content = handle.read().replace(b"\r\n", b"\n")
    trace = f"Return-Path: <sender@example.net>\nX-Original-To: list@example.org\nDelivered-To: {recipient}\nReceived: from x by y; now\n"
    return write(site, name, trace.encode() + content)


def imported(site, *paths, status=0, **keywords):
    lines = json_lines(site.mailtrace("--json", "import", *paths, status=status, **keywords).stdout)
    return lines[0]["messages"], lines[0]["added"]


def recipients(site, *query, **keywords):
    return sorted(hit["recipient"] for hit in site.who(*query, **keywords)[0])


@test
def keygen_makes_private_keys_and_never_overwrites():
    site = Site()
    site.make_keys()
    keys = path_of(site, "keys")
    for name in ("site.key", "collector.key", "mx1.key"):
        equal(stat.S_IMODE(os.stat(os.path.join(keys, name)).st_mode), 0o600, name)
    before = open(f"{keys}/mx1.key").read()
    done = site.mailtrace("keygen", keys, "mx1", status=2)
    equal(done.stdout, "")
    equal(done.stderr.count("\n"), 1, done.stderr)
    equal(open(f"{keys}/mx1.key").read(), before)
    site.mailtrace("keygen", keys, "../mx2", status=2)
    site.mailtrace("keygen", "--type", "door", keys, "mx2", status=2)
    equal(json_lines(site.mailtrace("--json", "keygen", keys, "mx2").stdout),
          [{"type": "key", "key": f"{keys}/mx2.key", "kind": "sensor", "name": "mx2"}])


@test
def sensors_are_added_once_listed_and_removed():
    site = Site()
    site.make_keys()
    keys = path_of(site, "keys")
    site.mailtrace("keygen", keys, "mx2")
    site.mailtrace("sensor", "add", "mx1", f"{keys}/mx2.pub", status=2)
    site.mailtrace("--tenant", "b", "sensor", "add", "--role", "publish,subscribe", "mx2", f"{keys}/mx2.pub")
    rows = json_lines(site.mailtrace("--json", "sensor", "list").stdout)
    equal([(r["name"], r["tenant"], r["roles"]) for r in rows],
          [("mx1", "default", "publish"), ("mx2", "b", "publish,subscribe")])
    site.mailtrace("sensor", "remove", "mx1")
    site.mailtrace("sensor", "remove", "mx1", status=1)
    site.mailtrace("sensor", "add", "--role", "emperor", "mx3", f"{keys}/mx1.pub", status=2)
    equal(len(json_lines(site.mailtrace("--json", "sensor", "list").stdout)), 1)


@test
def inspect_prints_events_in_order_and_goes_on_after_a_bad_file():
    site = Site()
    good = [message(site, f"{i}.eml", subject=f"s{i}", attachments=[("a.pdf", "application/pdf", PDF)])
            for i in range(3)]
    bad = write(site, "bad.eml", b"\x00\x01\x02 no message\n")
    done = site.mailtrace("--json", "inspect", good[2], bad, good[0], "/nonexistent", good[1], status=3)
    events = json_lines(done.stdout)
    equal([e["email"]["subject"] for e in events], ["s2", "s0", "s1"])
    equal(done.stderr.count("\n"), 2, done.stderr)
    for event in events:
        hashes = {h["algorithm"]: h["value"] for h in event["email"]["files"][0]["hashes"]}
        equal(hashes["SHA-256"], hashlib.sha256(PDF).hexdigest())
        equal(hashes["MD5"], hashlib.md5(PDF).hexdigest())
    again = site.mailtrace("--json", "inspect", good[2], good[0], good[1]).stdout
    equal(again, done.stdout, "the same message gives the same event")
    site.mailtrace("inspect", bad, status=2)
    out = write(site, "events.jsonl", done.stdout.encode())
    run(sys.executable, os.path.join(SOURCE, "tests/tools/ocsf_check.py"), out)


@test
def who_finds_what_is_in_an_archive_in_an_archive():
    script = b"// harmless: this sample does nothing\n"
    site = Site()
    samples = [os.path.join(SOURCE, "testdata", name) for name in ("invoice.eml", "zip-in-zip.eml")]
    equal(imported(site, *samples, "--rcpt", "carol@example.org"), (2, 2))
    for query in (hashlib.sha256(script).hexdigest(), hashlib.md5(script).hexdigest(),
                  write(site, "invoice.js", script), "name:invoice.js"):
        found = site.who(query)[0]
        equal(sorted(hit["file"] for hit in found), ["2!/invoice.js", "2.2!/dir/inner.zip!/invoice.js"])
        equal({(hit["recipient"], hit["match"], hit["name"]) for hit in found},
              {("carol@example.org", "exact", "invoice.js")})
    shown = site.mailtrace("inspect", samples[0]).stdout
    assert re.search(r"\n    2  invoice\.zip.*\n      2!/invoice\.js  .*\n    3  ", shown, re.S), shown


def zipped(**members):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


@test
def who_asks_for_the_members_of_a_file_where_it_is_told_to():
    site = Site()
    evil, text = b"MZ" + b"evil" * 50, b"line one of it\nline two\n"
    given = write(site, "given.zip", zipped(a=zipped(evil=evil, tiny=b"x" * 15, empty=b""), b=text))
    imported(site, message(site, "whole.eml", attachments=[("g.zip", "application/zip", open(given, "rb").read())]),
             "--rcpt", "whole@example.org")
    imported(site, message(site, "member.eml", attachments=[("x.exe", "application/octet-stream", evil)]),
             "--rcpt", "member@example.org")
    imported(site, message(site, "text.eml", attachments=[("t.txt", "text/plain", text.replace(b"\n", b"\r\n"))]),
             "--rcpt", "text@example.org")
    imported(site, message(site, "tiny.eml", attachments=[("y", "application/octet-stream", b"x" * 15),
                                                          ("z", "application/octet-stream", b"")]),
             "--rcpt", "tiny@example.org")
    equal(recipients(site, given), ["whole@example.org"])
    done = site.mailtrace("--json", "who", "--members", given)
    hits = [line for line in json_lines(done.stdout) if line["type"] == "hit"]
    equal(sorted({hit["recipient"] for hit in hits}),
          ["member@example.org", "text@example.org", "whole@example.org"])
    member = [hit for hit in hits if hit["recipient"] == "member@example.org"]
    equal([(hit["match"], hit["variant"], hit["file"], hit["sha256"]) for hit in member],
          [("exact", "member", "2", hashlib.sha256(evil).hexdigest())])
    equal({hit["variant"] for hit in hits if hit["recipient"] == "whole@example.org"}, {"exact"})
    assert "3 members are asked for too, 2 below 16 bytes" in done.stderr, done.stderr
    equal(site.mailtrace("--quiet", "who", "--members", "--file", given).stderr, "")
    done = site.mailtrace("who", "--members", "-f", "-", stdin="x" * 20, status=2)
    assert "standard input" in done.stderr, done.stderr
    # A hash has no members, and what is no archive has none: the answer is as without.
    equal(recipients(site, "--members", hashlib.md5(evil).hexdigest()), ["member@example.org", "whole@example.org"])
    equal(recipients(site, "--members", write(site, "x.exe", evil)), ["member@example.org", "whole@example.org"])


@test
def who_says_when_members_of_a_file_cannot_be_read():
    site = Site()
    imported(site, message(site, "some.eml"), "--rcpt", "bob@example.org")
    whole = zipped(a=bytes(range(256)) * 40)
    broken = write(site, "broken.zip", whole[:60] + b"\0\0\0\0" + whole[64:])
    done = site.mailtrace("who", "--members", broken, status=1)
    assert "could not be read" in done.stderr, done.stderr


LOCKED = b"MZ what was locked away\n" * 20


def sample(name):
    """An encrypted zip of tests/data: LOCKED as evil.exe, under the password x7kQ!9."""
    with open(os.path.join(SOURCE, "tests", "data", name), "rb") as handle:
        return handle.read()


@test
def a_member_of_an_encrypted_zip_is_a_candidate_until_a_word_of_the_mail_opens_it():
    site = Site()
    evil = write(site, "evil.exe", LOCKED)
    for kind, matches in (("zipcrypto", 1), ("aes-256", 0)):
        zipped_file = ("invoice.zip", "application/zip", sample(f"locked-{kind}.zip"))
        imported(site, message(site, f"{kind}-shut.eml", attachments=[zipped_file], subject=kind),
                 "--rcpt", f"shut-{kind}@example.org")
        hits = site.who(evil, f"to:shut-{kind}@example.org")[0]
        equal([(hit["match"], hit["file"]) for hit in hits], [("candidate", "2!/evil.exe")] * matches, kind)
        body = "添付ファイルのパスワード：x7kQ!9\r\n"
        imported(site, message(site, f"{kind}-open.eml", attachments=[zipped_file], body=body, subject=f"{kind} 2"),
                 "--rcpt", f"open-{kind}@example.org")
        hits = site.who(evil, f"to:open-{kind}@example.org")[0]
        equal([(hit["match"], hit["file"], hit["sha256"]) for hit in hits],
              [("exact", "2!/evil.exe", hashlib.sha256(LOCKED).hexdigest())], kind)
        imported(site, message(site, f"{kind}-subject.eml", attachments=[zipped_file], subject=f"PW: x7kQ!9 {kind}"),
                 "--rcpt", f"subject-{kind}@example.org")
        equal(site.who(evil, f"to:subject-{kind}@example.org")[0][0]["match"], "exact")
    event = json_lines(site.mailtrace("--json", "inspect", path_of(site, "zipcrypto-open.eml")).stdout)[0]
    member = [f for f in event["unmapped"]["mailtrace"]["files"] if f["path"] == "2!/evil.exe"][0]
    equal((member["method"], member.get("flags")), ("zipcrypto+deflate+opened", None))
    assert "x7kQ!9" not in json.dumps(member), "the password stands in the record of the member"
    shown = site.mailtrace("inspect", path_of(site, "zipcrypto-shut.eml")).stdout
    assert re.search(r"2!/evil\.exe .*\[encrypted\]\n +crc32 +[0-9a-f]{8}\n +method +zipcrypto\+deflate", shown), shown


@test
def links_in_documents_are_found():
    site = Site()
    linked = b"%PDF-1.4\n1 0 obj\n<< /S /URI /URI (https://phish.example/login?id=7) >>\nendobj\n"
    document = io.BytesIO()
    with zipfile.ZipFile(document, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/_rels/settings.xml.rels", "<Relationships><Relationship Id='r1' Target="
                         "'https://templates.example/evil.dotm' TargetMode='External'/></Relationships>")
    imported(site, message(site, "links.eml", attachments=[("a.pdf", "application/pdf", linked),
                                                           ("b.docx", "application/octet-stream", document.getvalue())]))
    for term in ("url:phish.example", "url:https://templates.example/evil.dotm"):
        equal(len(site.who(term)[0]), 1, term)


@test
def inspect_reads_the_standard_input_and_shows_a_tree():
    site = Site()
    path = message(site, "a.eml", subject="=?utf-8?B?6KuL5rGC5pu4?=", attachments=[("b.pdf", "application/pdf", PDF)])
    with open(path, "rb") as handle:
        done = site.mailtrace("inspect", "-", stdin=handle.read(), text=False)
    shown = done.stdout.decode()
    assert "請求書" in shown and "b.pdf" in shown and hashlib.sha256(PDF).hexdigest() in shown, shown


@test
def every_kind_of_mailbox_is_imported_once():
    site = Site()
    plain = [open(message(site, f"m/{i}.eml".replace("m/", "m"), subject=f"mail {i}",
                          message_id=f"<{i}@example.net>"), "rb").read().replace(b"\r\n", b"\n") for i in range(8)]
    mbox = b"".join(b"From a@example.net Mon Nov 23 01:00:00 2026\n" + m.replace(b"\nFrom ", b"\n>From ") + b"\n"
                    for m in plain[:3])
    write(site, "box/all.mbox", mbox)
    write(site, "box/one.eml.gz", gzip.compress(plain[3]))
    write(site, "box/one.eml.xz", lzma.compress(plain[4]))
    write(site, "box/one.eml.bz2", bz2.compress(plain[5]))
    write(site, "box/Maildir/cur/1795395600.M1P1.mx:2,S", plain[6])
    write(site, "box/Maildir/new/1795395601.M1P1.mx", plain[7])
    write(site, "box/Maildir/tmp/1795395602.M1P1.mx", b"Subject: unfinished\n\n")
    equal(imported(site, path_of(site, "box")), (8, 8))
    equal(imported(site, path_of(site, "box"), status=1), (8, 0))
    hits, coverage = site.who("subject:mail")
    equal(sorted(h["subject"] for h in hits), [f"mail {i}" for i in range(8)])
    equal({h["sensor"] for h in hits}, {"import"})
    equal({h["received_at"] for h in hits if h["subject"] == "mail 0"}, {"2026-11-23T01:00:00.000000Z"})
    equal(coverage["messages"], 8)
    packed = run("zstd", "-q", "-c", write(site, "z.eml", plain[0]), text=False).stdout
    equal(imported(site, write(site, "z.eml.zst", packed), status=1), (1, 0))


@test
def one_mail_in_two_mailboxes_is_two_recipients_and_two_mails_with_one_id_are_two():
    site = Site()
    source = message(site, "a.eml", attachments=[("a.pdf", "application/pdf", PDF)], message_id="<same@example.net>")
    other = message(site, "b.eml", subject="another", message_id="<same@example.net>")
    copies = [delivered(site, f"{name}.eml", source, f"{name}@example.org") for name in ("u1", "u2")]
    equal(imported(site, *copies), (2, 2))
    equal(imported(site, delivered(site, "u1-again.eml", source, "u1@example.org"), status=1), (1, 0))
    equal(imported(site, other, "--rcpt", "u1@example.org", "--rcpt", "u3@example.org"), (1, 1))
    equal(recipients(site, write(site, "a.pdf", PDF)), ["u1@example.org", "u2@example.org"])
    equal(recipients(site, "id:<same@example.net>"),
          ["u1@example.org", "u1@example.org", "u2@example.org", "u3@example.org"])


@test
def a_damaged_compressed_file_is_told_and_the_others_are_imported():
    site = Site()
    good = message(site, "a.eml")
    packed = gzip.compress(open(good, "rb").read())
    cut = write(site, "cut.eml.gz", packed[:-12])
    done = site.mailtrace("--json", "import", cut, good, status=3)
    equal(json_lines(done.stdout)[0], {"type": "import", "messages": 1, "added": 1, "known": 0, "failed": 1})
    assert "cut.eml.gz" in done.stderr and "decompressed" in done.stderr, done.stderr


@test
def who_finds_a_file_by_path_and_each_hash():
    site = Site()
    imported(site, message(site, "a.eml", attachments=[("a.pdf", "application/pdf", PDF)]))
    file = write(site, "found.bin", PDF)
    for query in ([file], ["--file", file], [hashlib.sha256(PDF).hexdigest()], [hashlib.sha1(PDF).hexdigest()],
                  [hashlib.md5(PDF).hexdigest().upper()], ["name:*.pdf"], ["ext:pdf", "subject:test"]):
        hits, coverage = site.who(*query, status=0)
        equal([h["recipient"] for h in hits], ["someone@example.org"], query)
        equal((list(hits[0]), list(coverage)), (HIT, COVERAGE), query)
        equal(hits[0]["sha256"], hashlib.sha256(PDF).hexdigest())
    equal(hits[0]["received_at"], "2026-11-23T01:00:00.000000Z")
    hits, coverage = site.who("0" * 64, status=1)
    equal((hits, coverage["messages"], coverage["reconciled"]), ([], 1, False))


@test
def who_takes_lists_of_hashes_counts_and_groups():
    site = Site()
    for i in range(6):
        imported(site, message(site, f"{i}.eml", subject=f"s{i % 2}", attachments=[(f"{i}.pdf", "application/pdf",
                                                                                    PDF + bytes([i % 3]))]))
    hashes = [hashlib.sha256(PDF + bytes([i])).hexdigest() for i in range(2)]
    listed = write(site, "iocs.csv", f"# indicators\n{hashes[0]},first\n{hashes[1]},second\n".encode())
    equal(len(site.who("--hashes", listed)[0]), 4)
    lines = json_lines(site.mailtrace("--json", "who", "--hashes", listed, "--count").stdout)
    equal((lines[0], lines[-1]["type"]), ({"type": "count", "count": 4}, "coverage"))
    lines = json_lines(site.mailtrace("--json", "who", "ext:pdf", "--group-by", "subject").stdout)
    equal(lines[:-1], [{"type": "group", "subject": "s0", "count": 3}, {"type": "group", "subject": "s1", "count": 3}])
    lines = json_lines(site.mailtrace("--json", "who", "ext:pdf", "--group-by", "day").stdout)
    equal(lines[:-1], [{"type": "group", "day": "2026-11-23", "count": 6}])
    equal(site.mailtrace("who", "ext:pdf", "--count").stdout.splitlines()[0], "6")


@test
def pages_of_an_answer_are_the_answer():
    site = Site()
    for i in range(7):
        imported(site, message(site, f"{i}.eml", subject="page"), "--rcpt", "u1@example.org", "--rcpt", "u2@example.org")
    whole = site.who("subject:page")[0]
    equal(len(whole), 14)
    got, cursor = [], []
    for _ in range(14):
        lines = json_lines(site.mailtrace("--json", "who", "subject:page", "--limit", "4", *cursor).stdout)
        got += [l for l in lines if l["type"] == "hit"]
        more = [l for l in lines if l["type"] == "more"]
        if not more:
            break
        cursor = ["--cursor", more[0]["cursor"]]
    equal(got, whole)


@test
def times_bound_an_answer():
    site = Site()
    imported(site, message(site, "a.eml"))
    equal(len(site.who("subject:test", "--since", "2026-11-23T01:00:00Z")[0]), 1)
    equal(len(site.who("subject:test", "--until", "2026-11-23T01:00:00Z", status=1)[0]), 0)
    # local midnight; the tests' zone is nine hours ahead
    equal(len(site.who("subject:test", "--since", "2026-11-23", "--until", "2026-11-24")[0]), 1)
    equal(site.who("subject:test", "--since", "2026-11-23")[1]["since"], "2026-11-22T15:00:00.000000Z")
    site.mailtrace("who", "subject:test", "--since", "yesterday", status=2)


@test
def csv_has_a_row_a_hit_and_the_coverage_apart():
    site = Site()
    imported(site, message(site, "a.eml", subject='=HYPERLINK("http://x"),y'))
    done = site.mailtrace("--csv", "who", "subject:hyperlink")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    equal(list(rows[0]), HIT[1:-1])
    equal(rows[0]["subject"], "'=HYPERLINK(\"http://x\"),y")
    assert "not reconciled with the MTA's log" in done.stderr, done.stderr


@test
def nothing_of_a_mail_reaches_the_terminal_raw():
    site = Site()
    subject = "=?utf-8?B?G1szMW1yZWQbXTA7dGl0bGUHIOKArmdwai5leGU=?="
    path = message(site, "a.eml", subject=subject, attachments=[("=?utf-8?B?GyNldmlsLnBkZg==?=", "application/pdf", PDF)])
    imported(site, path)
    event = site.who("subject:red")[0][0]["event_id"]
    for argv in (["who", "subject:red"], ["show", event], ["inspect", path]):
        shown = site.mailtrace(*argv).stdout
        assert "red" in shown, argv
        equal(re.findall("[\x00-\x09\x0b-\x1f\x7f\x80-\x9f\u202a-\u202e]", shown), [], argv)


@test
def people_are_told_what_the_answer_did_not_see():
    site = Site()
    imported(site, message(site, "a.eml"))
    shown = site.mailtrace("--utc", "who", "subject:test").stdout
    assert "2026-11-23 01:00:00 +0000" in shown, shown
    assert "Of 1 messages" in shown and "not reconciled with the MTA's log" in shown, shown
    assert "mx1 was never seen" in shown, shown
    shown = site.mailtrace("who", "subject:absent", status=1).stdout
    assert shown.startswith("0 recipients."), shown
    assert "+0900" in site.mailtrace("who", "subject:test").stdout


@test
def show_gives_the_event_as_stored():
    site = Site()
    path = message(site, "a.eml", attachments=[("a.pdf", "application/pdf", PDF)])
    imported(site, path, "--rcpt", "u1@example.org")
    event = site.who("subject:test")[0][0]["event_id"]
    lines = json_lines(site.mailtrace("--json", "show", event).stdout)
    equal((len(lines), lines[0]["metadata"]["uid"]), (1, event))
    shown = site.mailtrace("show", event).stdout
    for fact in (event, "u1@example.org", "a.pdf", hashlib.md5(PDF).hexdigest()):
        assert fact in shown, fact
    site.mailtrace("show", event[:-1] + ("0" if event[-1] != "0" else "1"), status=1)
    site.mailtrace("show", "nonsense", status=2)
    site.mailtrace("--tenant", "b", "show", event, status=1)


@test
def every_question_is_in_the_journal():
    site = Site()
    imported(site, message(site, "a.eml"))
    site.mailtrace("--case", "C-7", "--reason", "調査", "who", "subject:請求書", status=1)
    site.mailtrace("who", "subject:test", "--count")
    site.mailtrace("show", site.who("subject:test")[0][0]["event_id"])
    rows = journal(site)
    equal([r["verb"] for r in rows], ["import", "who", "who", "who", "show"])
    equal(rows[1]["arguments"], ["subject:請求書"])
    equal((rows[1]["results"], rows[2]["results"]), (0, 1))
    equal((rows[1]["uid"], rows[1]["case"], rows[1]["reason"]), (os.getuid(), "C-7", "調査"))


@test
def no_audit_no_answer():
    site = Site()
    imported(site, message(site, "a.eml"))
    server = socket.socket(socket.AF_UNIX)
    server.bind(path_of(site, "run/control.sock"))
    server.listen()

    def refuse():
        peer, _ = server.accept()
        peer.recv(65536)
        peer.sendall(b'{"ok":false,"error":"the disk is full"}\n')
        peer.close()

    thread = threading.Thread(target=refuse, daemon=True)
    thread.start()
    done = site.mailtrace("--json", "who", "subject:test", status=2)
    thread.join(10)
    server.close()
    equal(done.stdout, "")
    assert "the disk is full" in done.stderr, done.stderr


@test
def tenants_see_their_own_alone():
    site = Site()
    path = message(site, "a.eml", attachments=[("a.pdf", "application/pdf", PDF)])
    for tenant, users in (("a", ["u1"]), ("b", ["u2", "u3"])):
        for user in users:
            site.mailtrace("--tenant", tenant, "import", "--rcpt", f"{user}@{tenant}.example", path)
    digest = hashlib.sha256(PDF).hexdigest()
    for tenant, wanted in (("a", ["u1@a.example"]), ("b", ["u2@b.example", "u3@b.example"])):
        lines = json_lines(site.mailtrace("--json", "--tenant", tenant, "who", digest).stdout)
        equal(sorted(l["recipient"] for l in lines[:-1]), wanted)
        equal(lines[-1]["messages"], len(wanted))
    equal(recipients(site, digest, status=1), [])


@test
def wrong_usage_and_wrong_configuration_are_one_line_and_status_2():
    site = Site()
    for argv in (["who"], ["who", "word"], ["who", "--limit", "-1", "subject:x"], ["who", "--group-by", "mood", "subject:x"],
                 ["frobnicate"], ["who", "--nonsense", "x"], ["import"], ["inspect"], ["show"], ["sensor", "paint"],
                 ["--json", "--csv", "who", "subject:x"], ["watch"], ["collect", "now"]):
        done = site.mailtrace(*argv, status=2)
        equal((done.stdout, done.stderr.count("\n")), ("", 1), f"{argv}: {done.stderr}")
    write(site, "mailtrace.conf", b"[site]\nsensorr = x\n")
    done = site.mailtrace("who", "subject:x", status=2)
    equal((done.stdout, done.stderr.count("\n")), ("", 1), done.stderr)
    assert "mailtrace.conf:2" in done.stderr, done.stderr
    run(program("mailtrace"), "--config", path_of(site, "absent.conf"), "status", status=2)
    run(program("mailtrace"), status=2)


@test
def a_full_disk_is_no_answer():
    site = Site()
    imported(site, message(site, "a.eml"))
    with open("/dev/full", "wb") as full:
        done = subprocess.run([program("mailtrace"), "--config", site.config, "--json", "who", "subject:test"],
                              stdout=full, stderr=subprocess.PIPE, env=mtlib.environment(), check=False)
    equal(done.returncode, 2, done.stderr)


@test
def an_import_that_is_interrupted_keeps_and_tells_what_it_did():
    site = Site()
    mails = [b"From a@example.net Mon Nov 23 01:00:00 2026\nSubject: mail %d\nTo: u1@example.org\n\nx\n\n" % i
             for i in range(700)]
    child = subprocess.Popen([program("mailtrace"), "--config", site.config, "--json", "import", "-"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             # A shell's job in the background inherits that SIGINT is ignored.
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                             env=mtlib.environment())
    child.stdin.write(b"".join(mails[:300]))
    child.stdin.flush()
    mtlib.wait_until(lambda: site.mailtrace("status", "--json", status=None).stdout.find('"events":256') > 0,
                     "the first batch is stored")
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(b"".join(mails[300:]), timeout=60)
    done = json_lines(out.decode())[0]
    equal((child.returncode, err.count(b"\n")), (3, 1), err)
    assert b"interrupted" in err, err
    assert 256 <= done["messages"] < 700 and done["messages"] == done["added"] and done["failed"] == 0, done
    equal(len(site.who("subject:mail")[0]), done["added"])
    again = json_lines(site.mailtrace("--json", "import", write(site, "all.mbox", b"".join(mails))).stdout)[0]
    equal((again["messages"], again["added"], again["known"]), (700, 700 - done["added"], done["added"]))


@test
def compressed_mail_is_read_from_a_pipe_too():
    site = Site()
    plain = open(message(site, "a.eml"), "rb").read()
    for number, pack in enumerate((gzip.compress, lzma.compress, bz2.compress)):
        mail = plain.replace(b"Subject: test", b"Subject: pipe %d" % number)
        done = site.mailtrace("--json", "import", "-", stdin=pack(mail), text=False)
        equal(json.loads(done.stdout)["added"], 1)
    equal(sorted(h["subject"] for h in site.who("subject:pipe")[0]), ["pipe 0", "pipe 1", "pipe 2"])


@test
def a_message_of_unknown_time_on_a_pipe_is_received_by_now():
    site = Site()
    site.mailtrace("import", "-", stdin="Subject: undated\nTo: u1@example.org\n\nx\n")
    equal(len(site.who("subject:undated", "--since", "1d")[0]), 1)
    assert site.who("subject:undated")[0][0]["received_at"] is not None


@test
def somebody_named_twice_is_one_recipient():
    site = Site()
    path = write(site, "a.eml", b"Subject: twice\nTo: u1@example.org, U1 <u1@EXAMPLE.org>, u2@example.org\n\nx\n")
    imported(site, path)
    equal(recipients(site, "subject:twice"), ["u1@example.org", "u2@example.org"])


@test
def a_recipient_is_an_address():
    site = Site()
    path = message(site, "a.eml")
    for address in ("", "a\nb@example.org", "a\x1b[31m@example.org", "a" * 1025):
        done = site.mailtrace("import", "--rcpt", address, path, status=2)
        equal((done.stdout, done.stderr.count("\n")), ("", 1), done.stderr)
    equal(imported(site, "--rcpt", "root", path), (1, 1))


@test
def who_may_connect_is_changed_in_the_journal_once_there_is_one():
    site = Site()
    site.make_keys()
    keys = path_of(site, "keys")
    equal(os.listdir(path_of(site, "store")), [], "a store that root made would shut out the collector")
    imported(site, message(site, "a.eml"))
    site.mailtrace("keygen", keys, "mx2")
    site.mailtrace("--case", "C-8", "sensor", "add", "mx2", f"{keys}/mx2.pub")
    site.mailtrace("sensor", "remove", "mx2")
    rows = journal(site)[1:]
    equal([(r["verb"], r["arguments"][:2]) for r in rows],
          [("sensor", ["add", "mx2"]), ("sensor", ["remove", "mx2"])])
    equal(rows[0]["case"], "C-8")


def with_descriptors(site, shell, *argv):
    """Runs mailtrace under a shell's redirections."""
    return subprocess.run(["sh", "-c", f'exec "$0" "$@" {shell}', program("mailtrace"), "--config", site.config,
                           *argv], capture_output=True, env=mtlib.environment(), check=False, timeout=60)


@test
def an_answer_that_nobody_gets_is_a_failure_in_every_verb():
    site = Site()
    path = message(site, "a.eml")
    imported(site, path)
    event = site.who("subject:test")[0][0]["event_id"]
    for argv in (["who", "subject:test"], ["show", event], ["inspect", path], ["import", path], ["status"],
                 ["--help"], ["who", "--help"], ["--version"]):
        for shell in (">/dev/full", ">&-"):
            equal(with_descriptors(site, shell, *argv).returncode, 2, f"{argv} {shell}")
        # and a closed one is never given to a file of ours, which the answer would then be written into
        equal(with_descriptors(site, "<&- 2>&-", *argv).returncode, 1 if argv[0] == "import" else 0, argv)


@test
def a_list_that_is_not_read_whole_asks_nothing():
    site = Site()
    imported(site, message(site, "a.eml", attachments=[("a.pdf", "application/pdf", PDF)]))
    digest = hashlib.sha256(PDF).hexdigest()
    utf16 = write(site, "utf16.txt", (digest + "\n").encode("utf-16"))
    cut = write(site, "cut.txt", f"{digest[:-1]}\n{'0' * 64}\n".encode())
    behind = write(site, "nul.txt", b"0" * 64 + b"\n\0" + digest.encode() + b"\n")
    for path in (utf16, cut, behind):
        done = site.mailtrace("who", "--hashes", path, status=2)
        equal((done.stdout, done.stderr.count("\n")), ("", 1), path)
    equal(recipients(site, "--hashes", "-", stdin=f"{'0' * 64}\n{digest}\n"), ["someone@example.org"])
    equal(site.mailtrace("who", "--file", "-", "--count", stdin="not this one", status=1).stdout[:2], "0\n")


@test
def a_question_that_nothing_can_answer_is_no_nobody():
    site = Site()
    imported(site, message(site, "a.eml"))
    for argv in (["--tenant", "", "who", "subject:test"], ["--tenant", "a b", "who", "subject:test"],
                 ["--tenant", "../a", "import", path_of(site, "a.eml")],
                 ["who", "subject:test", "--since", "1d", "--until", "2d"],
                 ["who", "subject:test", "--since", "2026-11-23", "--until", "2026-11-23"],
                 ["who", "subject:test", "--count", "--group-by", "day"],
                 ["who", "subject:test", "--group-by", "recipient", "--limit", "3"],
                 ["who", "subject:test", "--count", "--cursor", "0"]):
        done = site.mailtrace(*argv, status=2)
        equal((done.stdout, done.stderr.count("\n")), ("", 1), f"{argv}: {done.stderr}")


@test
def it_is_quiet_when_piped():
    site = Site()
    done = site.mailtrace("import", message(site, "a.eml"))
    equal(done.stderr, "")
    equal(site.mailtrace("who", "subject:t").stderr, "")


@test
def arguments_are_taken_as_typed_in_any_locale():
    site = Site()
    imported(site, message(site, "a.eml", subject="=?utf-8?B?6KuL5rGC5pu4?="))
    env = mtlib.environment(LC_ALL="C")
    lines = json_lines(site.mailtrace("--json", "--reason", "調査", "who", "subject:請求", env=env).stdout)
    equal(lines[0]["subject"], "請求書")


mtlib.main()
