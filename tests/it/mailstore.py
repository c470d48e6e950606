#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Messages are taken out of the mailboxes of a real Dovecot, and put back."""
import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import os
import smtplib
import stat
import threading
import time
import uuid

import actuators
from actuators import command
from dovecot import Dovecot
from mtlib import PAYLOAD, Site, equal, main, test

USERS = ["ann", "ben", "cat", "dan", "eva", "fay", "gus", "hal", "ida", "jon", "kim", "leo", "mia", "ned", "ole", "pia"]
MANY = [f"m{number}" for number in range(24)]
DOVECOT = Dovecot(USERS + MANY, bare=["solo"]).start()
SITE = Site()
SITE.mailtrace("keygen", "--type", "site", f"{SITE.root}/keys", "site")
SITE.set("mailstore", url=DOVECOT.url, key=DOVECOT.key, timeout_ms=30000)
EVIDENCE = f"{SITE.root}/evidence"
os.makedirs(EVIDENCE)


def message(name, payload=PAYLOAD, subject="Invoice 42", **keywords):
    return actuators.message(SITE, name, payload, subject, **keywords)


def start(jobs=8, site=SITE):
    return actuators.start(site, EVIDENCE, jobs)


def carry_out(*commands, site=SITE, complaint=""):
    return actuators.carry_out(site, EVIDENCE, *commands, complaint=complaint)


def one(wanted, site=SITE):
    return carry_out(wanted, site=site)[wanted["command_id"]]


def contain(user, outcome="done", **known):
    done = one(command("contain", user, **known))
    equal(done["outcome"], outcome, done["text"])
    return done


def restore(user, copies, outcome="done", **known):
    done = one(command("restore", user, {"copies": copies}, **known))
    equal(done["outcome"], outcome, done["text"])
    return done


def quarantined(user):
    """Returns where the quarantine has messages, as its administrator sees it."""
    rows = DOVECOT.api("fetch", user=f"{user}@example.org", field=["mailbox"],
                       query=["mailbox", f"mailtrace-quarantine{DOVECOT.separator}*", "ALL"])
    return sorted(row["mailbox"].split(DOVECOT.separator, 1)[1] for row in rows)


def subjects(user):
    return {folder: [subject for subject, _, _ in mails] for folder, mails in DOVECOT.folders(user).items()}


def stamp(event_id, sensor="mx1", forge=False):
    with open(f"{SITE.root}/keys/site.key", encoding="ascii") as handle:
        key = bytes.fromhex([line for line in handle.read().split("\n") if line and line[0] != "#"][0])
    mac = hmac.new(b"\0" * 32 if forge else key, f"{event_id}\0{sensor}".encode(), "sha256").hexdigest()[:16]
    return f"X-Mailtrace-Id: {event_id}; s={sensor}; m={mac}"


@test
def a_message_is_gone_from_its_folder_and_comes_back_as_it_was():
    guid = DOVECOT.deliver("ann", message("plain"))
    DOVECOT.deliver("ann", message("other", payload=b"harmless", subject="Lunch"))
    with DOVECOT.imap("ann") as imap:
        imap.select("INBOX")
        imap.store("1", "+FLAGS", "(\\Flagged \\Seen Important)")
    before = DOVECOT.folders("ann")
    done = contain("ann", storage_id=guid, message_id="<plain@example.net>", folder="INBOX")
    equal(subjects("ann"), {"INBOX": ["Lunch"]})
    equal(quarantined("ann"), ["INBOX"])
    copy, = done["copies"]
    equal((copy["guid"], copy["folder"], sorted(copy["flags"]), copy["sha256_verified"]),
          (guid, "INBOX", ["Important", "\\Flagged", "\\Seen"], True))
    with DOVECOT.pop3("ann") as pop3:
        equal(pop3.stat()[0], 1, "messages that POP3 offers")
    again = contain("ann", "already-gone", storage_id=guid, message_id="<plain@example.net>", folder="INBOX")
    equal(again["copies"], done["copies"])
    back = restore("ann", done["copies"])
    equal({folder: sorted(mails) for folder, mails in DOVECOT.folders("ann").items()},
          {folder: sorted(mails) for folder, mails in before.items()})
    equal((quarantined("ann"), back["copies"][0]["folder"]), ([], "INBOX"))
    restore("ann", done["copies"], "already-gone")
    equal(sorted(subjects("ann")["INBOX"]), ["Invoice 42", "Lunch"])


@test
def nobody_sees_or_makes_the_quarantine():
    contain("ann", message_id="<plain@example.net>")
    with DOVECOT.imap("ann") as imap:
        equal(imap.list()[1], [b'(\\HasNoChildren) "/" INBOX'])
        equal(imap.list('""', '"mailtrace-quarantine/*"')[1], [None])
        for name in ("mailtrace-quarantine", "mailtrace-quarantine/INBOX", "mailtrace-quarantine/mine"):
            equal(imap.select(name)[0], "NO", f"SELECT {name}")
        equal(imap.create("mailtrace-quarantine/mine")[0], "NO", "CREATE")
        imap.select("INBOX")
        equal(imap.copy("1", "mailtrace-quarantine/INBOX")[0], "NO", "COPY")


@test
def another_message_with_the_same_message_id_stays():
    DOVECOT.deliver("ben", message("twin", payload=b"another file", subject="The twin"))
    DOVECOT.deliver("ben", message("twin"))
    DOVECOT.deliver("ben", message("twin", payload=None, subject="No file"))
    done = contain("ben", message_id="<twin@example.net>")
    assert "2 alike" in done["text"], done
    equal(subjects("ben"), {"INBOX": ["The twin", "No file"]})
    found = contain("ben", "not-found", message_id="<twin@example.net>", sha256=["0" * 64])
    assert "without the file" in found["text"], found


@test
def message_ids_are_compared_whole():
    for name in ("XID.1", "id.1", "Id.1", "id.12"):
        DOVECOT.deliver("cat", message(name, subject=name))
    folded = message("folded", subject="folded").replace(b"Message-ID: <", b"Message-ID:\r\n <")
    DOVECOT.deliver("cat", folded)
    contain("cat", message_id="<id.1@example.net>")
    contain("cat", message_id="<folded@example.net>")
    equal(subjects("cat"), {"INBOX": ["XID.1", "Id.1", "id.12"]})


@test
def a_stamp_counts_if_it_verifies():
    event, other = str(uuid.uuid4()), str(uuid.uuid4())
    DOVECOT.deliver("dan", message("s1", subject="ours", extra=stamp(event)))
    DOVECOT.deliver("dan", message("s2", subject="forged", extra=stamp(event, forge=True)))
    DOVECOT.deliver("dan", message("s3", subject="another", extra=stamp(other)))
    DOVECOT.deliver("dan", message("s4", subject="two", extra=stamp(event, forge=True) + "\n" + stamp(event)))
    contain("dan", event_id=event, message_id="<changed-on-the-way@example.net>")
    equal(subjects("dan"), {"INBOX": ["forged", "another"]})


@test
def what_is_known_must_agree_where_there_is_no_file():
    DOVECOT.deliver("dan", message("s5", payload=None, subject="The real one"))
    contain("dan", "not-found", message_id="<s5@example.net>", subject="Another", sha256=None)
    contain("dan", message_id="<s5@example.net>", subject="The real one", sha256=None)


@test
def a_message_without_ids_is_known_by_its_size_and_file():
    raw = b"\r\n".join(line for line in message("none", subject="nameless").split(b"\r\n")
                       if not line.startswith(b"Message-ID"))
    DOVECOT.deliver("dan", raw)
    now = 1000 * int(1000 * time.time())
    contain("dan", "not-found", size=len(raw), received_at_us=now, sha256=["1" * 64])
    contain("dan", size=len(raw), received_at_us=now)
    assert "nameless" not in subjects("dan")["INBOX"]
    contain("dan", "failed", sha256=None)


@test
def every_copy_in_every_folder_is_found_and_put_back_where_it_was():
    guid = DOVECOT.deliver("eva", message("copies"))
    with DOVECOT.imap("eva") as imap:
        for folder in ("Trash", "Archive/2026", "&ZeVnLIqe-"):
            imap.create(folder)
        imap.select("INBOX")
        imap.copy("1", "Trash")
        imap.store("1", "+FLAGS", "(\\Answered)")
        imap.copy("1", "Archive/2026")
        # What a client does that moves between accounts: another guid, and no stamp.
        data = imap.fetch("1", "(RFC822)")[1][0][1]
        imap.append("&ZeVnLIqe-", "(\\Seen)", '"23-Nov-2026 10:00:00 +0900"', data)
    before = DOVECOT.folders("eva")
    done = contain("eva", storage_id=guid, message_id="<copies@example.net>", folder="INBOX")
    equal(set(map(len, DOVECOT.folders("eva").values())), {0})
    equal(sorted(copy["folder"] for copy in done["copies"]), ["Archive/2026", "INBOX", "Trash", "日本語"])
    restore("eva", done["copies"])
    equal(DOVECOT.folders("eva"), before)


@test
def a_message_that_its_user_moved_is_told_so_and_a_removed_folder_is_made_again():
    guid = DOVECOT.deliver("fay", message("moved"))
    with DOVECOT.imap("fay") as imap:
        imap.create("Later")
        imap.select("INBOX")
        imap.store("1", "+FLAGS", "(\\Seen)")
        imap.uid("MOVE", "1", "Later")
    done = contain("fay", "moved-by-user", storage_id=guid, folder="INBOX")
    equal(done["copies"][0]["folder"], "Later")
    with DOVECOT.imap("fay") as imap:
        imap.delete("Later")
    restore("fay", done["copies"])
    seen = DOVECOT.folders("fay")
    equal([(subject, flags) for subject, flags, _ in seen["Later"]], [("Invoice 42", (b"\\Seen",))])
    with DOVECOT.imap("fay") as imap:
        assert b"Later" in imap.lsub()[1][0], "the folder is not subscribed"


@test
def a_message_that_its_user_deleted_is_gone():
    guid = DOVECOT.deliver("gus", message("deleted"))
    with DOVECOT.imap("gus") as imap:
        imap.select("INBOX")
        imap.store("1", "+FLAGS", "(\\Deleted)")
        imap.expunge()
    contain("gus", "already-gone", storage_id=guid, message_id="<deleted@example.net>")
    contain("gus", "not-found", message_id="<deleted@example.net>")


@test
def only_one_user_is_ever_touched():
    DOVECOT.deliver("hal", message("hal"))
    contain("nobody", "not-found", message_id="<hal@example.net>")
    for pattern in ("*@example.org", "?al@example.org", "*"):
        contain(pattern, "not-found", message_id="<hal@example.net>")
    equal(subjects("hal"), {"INBOX": ["Invoice 42"]})


@test
def a_detail_in_an_address_is_no_part_of_the_users_name():
    DOVECOT.deliver("ned", message("detail"), detail="+list")
    contain("ned+list@example.org", message_id="<detail@example.net>", folder="INBOX")
    contain("nobody+list@example.org", "not-found", message_id="<detail@example.net>")
    contain("+list@example.org", "not-found", message_id="<detail@example.net>")
    equal(subjects("ned"), {"INBOX": []})


@test
def users_can_be_without_domain():
    with smtplib.LMTP("127.0.0.1", DOVECOT.ports["lmtp"]) as lmtp:
        lmtp.sendmail("sender@example.net", "solo", message("solo"))
    site = Site(mailstore={"url": DOVECOT.url, "key": DOVECOT.key, "user_format": "local-part"}, site={"site_key": ""})
    equal(one(command("contain", "solo+x@example.org", message_id="<solo@example.net>"), site=site)["outcome"], "done")
    equal(one(command("contain", "solo@example.org", message_id="<solo@example.net>"), site=site)["outcome"], "already-gone")
    equal(one(command("contain", "ned@example.org", message_id="<detail@example.net>"), site=site)["outcome"], "not-found")


@test
def a_large_message_is_read_too():
    large = os.urandom(6 << 20)
    guid = DOVECOT.deliver("ole", message("large", payload=large, subject="large"))
    DOVECOT.deliver("ole", message("large", subject="small"))
    contain("ole", "not-found", storage_id=guid, message_id="<large@example.net>", sha256=["2" * 64])
    done = contain("ole", storage_id=guid, message_id="<large@example.net>", sha256=[hashlib.sha256(large).hexdigest()])
    equal(([copy["sha256_verified"] for copy in done["copies"]], subjects("ole")), ([True], {"INBOX": ["small"]}))
    wanted = command("copy", "ole", message_id="<large@example.net>", sha256=[hashlib.sha256(large).hexdigest()])
    equal(one(wanted)["outcome"], "done")
    with open(f"{EVIDENCE}/{wanted['command_id']}.eml", "rb") as handle:
        assert base64.encodebytes(large) in handle.read()


@test
def a_flood_of_one_message_id_keeps_nothing_in_its_folder():
    guid = DOVECOT.deliver("pia", message("flood", subject="The one"))
    DOVECOT.fill("pia", ["Message-ID: <flood@example.net>\nSubject: flood\n\n."] * 1001)
    known = {"storage_id": guid, "message_id": "<flood@example.net>"}
    done = contain("pia", "failed", **known)
    assert "1 moved" in done["text"] and "claim its ids" in done["text"], done
    equal((quarantined("pia"), len(done["copies"]), DOVECOT.guids("pia", "mailbox", "INBOX", "guid", guid)), (["INBOX"], 1, []))
    restore("pia", done["copies"])
    over = contain("pia", "failed", message_id="<flood@example.net>")
    assert "over 1000" in over["text"], over
    # One less, and each is looked at.
    with DOVECOT.imap("pia") as imap:
        imap.select("INBOX")
        numbers = imap.search(None, "SUBJECT", "flood")[1][0].split()
        imap.store(b",".join(numbers[:950]), "+FLAGS.SILENT", "(\\Deleted)")
        imap.expunge()
    contain("pia", **known)
    equal(subjects("pia"), {"INBOX": ["flood"] * 51})


@test
def what_does_not_lie_in_the_quarantine_is_not_moved_by_restore():
    guid = DOVECOT.guids("hal")[0]
    for quarantine, folder in (("INBOX", "Elsewhere"), ("mailtrace-quarantine/INBOX", "mailtrace-quarantine/x"), ("*", "INBOX")):
        restore("hal", [{"guid": guid, "folder": folder, "flags": [], "quarantine": quarantine}],
                "already-gone" if quarantine.startswith("mail") else "failed", message_id="<hal@example.net>")
    equal(subjects("hal"), {"INBOX": ["Invoice 42"]})


@test
def restore_needs_no_answer_kept():
    contain("hal", message_id="<hal@example.net>")
    restore("hal", [], message_id="<hal@example.net>")
    equal(subjects("hal"), {"INBOX": ["Invoice 42"]})


@test
def text_that_the_api_cannot_show_is_moved_only_if_it_is_surely_meant():
    raw = (b"From: a@example.net\r\nSubject: latin\r\nMessage-ID: <latin@example.net>\r\nMIME-Version: 1.0\r\n"
           b"Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n"
           b"Content-Disposition: attachment; filename=a.html\r\n\r\n<p>caf\xe9</p>\r\n")
    guid = DOVECOT.deliver("ida", raw)
    digest = hashlib.sha256(b"<p>caf\xe9</p>\n").hexdigest()
    found = contain("ida", "failed", message_id="<latin@example.net>", sha256=[digest])
    assert "by hand" in found["text"], found
    equal(subjects("ida"), {"INBOX": ["latin"]})
    done = contain("ida", storage_id=guid, sha256=[digest])
    equal(done["copies"][0]["sha256_verified"], False)
    # Where all bytes can be shown, the file is looked for.
    guid = DOVECOT.deliver("ida", raw.replace(b"caf\xe9", "café".encode()).replace(b"<latin@", b"<utf8@"))
    contain("ida", "not-found", storage_id=guid, sha256=[digest])
    contain("ida", storage_id=guid, sha256=[hashlib.sha256("<p>café</p>\n".encode()).hexdigest()])


@test
def evidence_is_the_message_itself():
    raw = message("evidence")
    DOVECOT.deliver("jon", raw)
    wanted = command("copy", "jon", message_id="<evidence@example.net>")
    done = one(wanted)
    path = f"{EVIDENCE}/{wanted['command_id']}.eml"
    equal((done["outcome"], done["text"]), ("done", path))
    equal(stat.S_IMODE(os.stat(path).st_mode), 0o600)
    with open(path, "rb") as handle:
        assert handle.read().endswith(raw.replace(b"\r\n", b"\n")), "not the message that was delivered"
    assert not [name for name in os.listdir(EVIDENCE) if not name.endswith(".eml")], os.listdir(EVIDENCE)
    equal(one(wanted)["outcome"], "already-gone")
    equal(subjects("jon"), {"INBOX": ["Invoice 42"]})
    contain("jon", message_id="<evidence@example.net>")
    equal(one(command("copy", "jon", message_id="<evidence@example.net>"))["outcome"], "done")
    equal(one(command("copy", "jon", message_id="<none@example.net>"))["outcome"], "not-found")


@test
def another_quarantine_can_be_named():
    DOVECOT.deliver("kim", message("named"))
    wanted = command("contain", "kim", {"destination": "mailtrace-quarantine/case-7"}, message_id="<named@example.net>")
    done = one(wanted)
    equal((done["outcome"], done["copies"][0]["quarantine"], done["copies"][0]["folder"]),
          ("done", "mailtrace-quarantine/case-7/INBOX", "INBOX"))
    undo = command("restore", "kim", {"destination": "mailtrace-quarantine/case-7", "copies": done["copies"]},
                   message_id="<named@example.net>")
    equal(one(undo)["outcome"], "done")
    equal(subjects("kim"), {"INBOX": ["Invoice 42"]})
    bad = command("contain", "kim", {"destination": "INBOX*"}, message_id="<named@example.net>")
    equal(one(bad)["outcome"], "failed")


@test
def lines_that_are_no_commands_are_named_and_the_rest_goes_on():
    DOVECOT.deliver("leo", message("lines"))
    good = command("contain", "leo", message_id="<lines@example.net>")
    wrong = command("explode", "leo", message_id="<lines@example.net>")
    queue = command("contain", "leo", message_id="<lines@example.net>")
    queue["actuator"]["x-mailtrace"]["role"] = "queue"
    queue["target"]["x-mailtrace:message"].update(queue_id="4Xyz", gateway="mx1")
    answers = carry_out("no JSON", "", "[" * 3000, "x" * (2 << 20), wrong, queue, good, complaint="a line is no command")
    equal({key: value["outcome"] for key, value in answers.items()},
          {wrong["command_id"]: "failed", queue["command_id"]: "failed", good["command_id"]: "done"})


@test
def a_wrong_configuration_is_told_before_anything_is_done():
    for setting, complaint in ((("url", ""), "url is not set"), (("key", "/nonexistent"), "cannot open"),
                               (("quarantine", "mailtrace-*/"), "quarantine"), (("url", "http://192.0.2.1/"), "loopback|https")):
        site = Site(mailstore={"url": DOVECOT.url, "key": DOVECOT.key, setting[0]: setting[1]})
        os.makedirs(f"{site.root}/keys", exist_ok=True)
        site.set("site", site_key="")
        process = start(site=site)
        _, err = process.communicate("", timeout=60)
        equal(process.returncode, 2, err)
        assert any(word in err for word in complaint.split("|")) and err.count("\n") == 1, err


@test
def a_key_that_is_not_taken_is_told():
    with open(f"{SITE.root}/wrong.key", "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as handle:
        handle.write("wrong\n")
    site = Site(mailstore={"url": DOVECOT.url, "key": f"{SITE.root}/wrong.key"}, site={"site_key": ""})
    done = one(command("contain", "leo", message_id="<lines@example.net>"), site=site)
    assert done["outcome"] == "failed" and "doveadm_api_key" in done["text"], done


def impatient():
    return Site(mailstore={"url": DOVECOT.url, "key": DOVECOT.key, "timeout_ms": "1500"}, site={"site_key": ""})


@test
def a_server_that_hangs_or_is_away_is_unreachable_and_a_later_run_goes_on():
    DOVECOT.deliver("mia", message("away"))
    wanted = command("contain", "mia", message_id="<away@example.net>")
    with DOVECOT.standing_still():
        equal(one(wanted, site=impatient())["outcome"], "unreachable")
    DOVECOT.stop()
    equal(one(wanted, site=impatient())["outcome"], "unreachable")
    many = [command("contain", "mia", message_id="<away@example.net>") for _ in range(200)]
    answers = carry_out(*many, site=impatient())
    equal({value["outcome"] for value in answers.values()}, {"unreachable"})
    assert sum("not tried" in value["text"] for value in answers.values()) > 150, answers
    DOVECOT.start()
    equal(one(wanted)["outcome"], "done")
    equal((subjects("mia"), quarantined("mia")), ({"INBOX": []}, ["INBOX"]))


def deliver_to_many(name):
    for user in MANY:
        DOVECOT.deliver(user, message(name))
    return [command("contain", user, message_id=f"<{name}@example.net>") for user in MANY]


def first_answers(process, count):
    return [json.loads(process.stdout.readline()) for _ in range(count)]


def other_answers(process):
    """What comes until the end; not by communicate(), which forgets what was read ahead."""
    process.stdin.close()
    lines = [json.loads(line) for line in process.stdout]
    equal((process.wait(), process.stderr.read()), (0, ""))
    return lines


@test
def a_server_killed_in_the_middle_is_waited_for():
    commands = deliver_to_many("killed")
    process = start(jobs=4)
    process.stdin.write("".join(json.dumps(c) + "\n" for c in commands))
    process.stdin.flush()
    first_answers(process, 4)
    DOVECOT.kill()
    DOVECOT.start()
    equal(len(other_answers(process)), len(MANY) - 4)
    # Whatever each answer was, a second run finds how things stand.
    answers = carry_out(*commands)
    assert {value["outcome"] for value in answers.values()} <= {"done", "already-gone"}, answers
    # Dovecot moves by copying first: killed in between, it has the message twice, as its user may have had.
    twins = [user for user in MANY if quarantined(user) == ["INBOX", "INBOX"]]
    assert len(twins) <= 4, twins
    for user in MANY:
        equal((subjects(user), quarantined(user)), ({"INBOX": []}, ["INBOX"] * (1 + (user in twins))), user)


@test
def an_actuator_killed_in_the_middle_goes_on_and_knows_the_folders():
    before = {user: quarantined(user) for user in MANY}
    commands = deliver_to_many("interrupted")
    process = start(jobs=4)
    process.stdin.write("".join(json.dumps(c) + "\n" for c in commands))
    process.stdin.flush()
    first_answers(process, 4)
    process.kill()
    process.communicate()
    answers = carry_out(*commands)
    outcomes = [value["outcome"] for value in answers.values()]
    assert set(outcomes) <= {"done", "already-gone"} and outcomes.count("already-gone") >= 4, outcomes
    undo = [command("restore", user, {"copies": answers[c["command_id"]]["copies"]}, message_id=f"<interrupted@example.net>")
            for user, c in zip(MANY, commands)]
    equal({value["outcome"] for value in carry_out(*undo).values()}, {"done"})
    for user in MANY:
        equal((subjects(user), quarantined(user)), ({"INBOX": ["Invoice 42"]}, before[user]), user)


class Hostile(http.server.BaseHTTPRequestHandler):
    """A server that is not what it should be; what it says is a test's choice."""

    said = b""
    status = 200
    asked = []

    def do_POST(self):
        type(self).asked.append((self.path, self.headers.get("Authorization")))
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(64 if len(self.said) == 1 << 20 else 1):
                self.wfile.write(self.said)

    def log_message(self, *_):
        pass


@test
def a_hostile_server_is_not_believed():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    site = Site(mailstore={"url": f"http://127.0.0.1:{server.server_port}/doveadm/v1", "key": DOVECOT.key, "timeout_ms": "5000"},
                site={"site_key": ""})
    for status, said, wanted in ((200, b"", "not JSON"), (200, b"[" * 100000, "not JSON"), (200, b" " * (1 << 20), "over"),
                                 (500, b"", "HTTP status 500"), (302, b"", "HTTP status 302"),
                                 (200, b'[["error",{"type":"\\u001b[31m"},"mailtrace"]]', "no known type")):
        Hostile.status, Hostile.said = status, said
        done = one(command("contain", "ann", message_id="<x@example.net>"), site=site)
        assert done["outcome"] == "failed" and wanted in done["text"] and "\x1b" not in done["text"], (said[:20], done)
    server.shutdown()
    equal({path for path, _ in Hostile.asked}, {"/doveadm/v1"})


@test
def a_site_whose_folders_are_separated_by_dots():
    global DOVECOT
    DOVECOT.stop()
    DOVECOT = Dovecot(["nat"], separator=".").start()
    site = Site(mailstore={"url": DOVECOT.url, "key": DOVECOT.key, "quarantine": "mailtrace-quarantine."}, site={"site_key": ""})
    DOVECOT.deliver("nat", message("dots"))
    with DOVECOT.imap("nat") as imap:
        imap.create("Archive.2026")
        imap.select("INBOX")
        imap.uid("MOVE", "1", "Archive.2026")
    wanted = command("contain", "nat", message_id="<dots@example.net>", folder="INBOX")
    done = one(wanted, site=site)
    equal((done["outcome"], done["copies"][0]["folder"]), ("moved-by-user", "Archive.2026"))
    equal(quarantined("nat"), ["Archive=2E2026"])
    equal(one(command("restore", "nat", {"copies": done["copies"]}, message_id="<dots@example.net>"), site=site)["outcome"], "done")
    equal(subjects("nat"), {"INBOX": [], "Archive.2026": ["Invoice 42"]})


main()
