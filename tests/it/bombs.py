#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Messages made to cost much: each is read within bounds, says which cap ended it, and harms no other.

Each bomb meets a milter of its own, with the engine and without signatures.  A
worker that met a bomb is replaced, so what was used is told by who waits for it: a
program around the scanner tells its getrusage(RUSAGE_CHILDREN) at the end.
Memory is the most that one process, the scanner or a worker, had resident
(ru_maxrss; files of its folder on tmpfs are not in it unless mapped), processor
time that of the scanner from its start and of all its workers together, so the
bomb's own is less than what is shown.
"""
import base64
import contextlib
import hashlib
import io
import os
import sqlite3
import struct
import sys
import threading
import zipfile
import zlib

import mtlib
from mtlib import Site, equal, main, make_message, test, wait_until

RCPT = ("--client", "203.0.113.5", "--rcpt", "<b@example.org>")
CPU_SECONDS = 5.0
MEMORY_KB = 256 * 1024
BESIDE = 5
# caps.h
CAP_KEPT_BYTES = 128 * 1024 * 1024
CLEAN = b"the file of a message that is no bomb\n" * 50
FIRST = ("From: s@example.net\r\nTo: b@example.org\r\nSubject: bomb\r\nMIME-Version: 1.0\r\n")


# Around the scanner: its descriptor 3 is handed on and not kept, as its end is told by that;
# in a session of its own, to outlive a milter that is killed.
AROUND = """#!{python}
import os, resource, signal, subprocess, sys
os.setsid()
scanner = subprocess.Popen([{scanner!r}, *sys.argv[1:]], pass_fds=(3,))
os.close(3)
signal.signal(signal.SIGTERM, lambda *_: scanner.terminate())
status = scanner.wait()
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open({told!r} + ".part", "w") as handle:
    handle.write(f"{{used.ru_utime + used.ru_stime}} {{used.ru_maxrss}}")
os.rename({told!r} + ".part", {told!r})
sys.exit(status)
"""


class Measured(Site):
    """A milter that runs, and of whose scanner it is told at its end what it used."""

    def __init__(self):
        super().__init__(scanner={"workers": 2})
        os.makedirs(f"{self.root}/libexec")
        for name in os.listdir(mtlib.libexec()):
            if name != "scanner":
                os.symlink(os.path.join(mtlib.libexec(), name), f"{self.root}/libexec/{name}")
        with open(f"{self.root}/libexec/scanner", "w") as handle:
            handle.write(AROUND.format(python=sys.executable, scanner=os.path.join(mtlib.libexec(), "scanner"),
                                       told=f"{self.root}/used"))
        os.chmod(f"{self.root}/libexec/scanner", 0o755)
        self.make_keys()
        self.start_milter(MAILTRACE_LIBEXEC_DIR=f"{self.root}/libexec")

    def used(self):
        """Ends it; returns (seconds of processor time, KB of one process)."""
        # Killed, as a milter without collector takes seconds to end; its scanner ends in order.
        self.milter.kill()
        wait_until(lambda: os.path.exists(f"{self.root}/used"), "the scanner's end")
        with open(f"{self.root}/used") as handle:
            seconds, most_kb = handle.read().split()
        return float(seconds), int(most_kb)


def records(site):
    """Returns {subject: what is told of that message}."""
    with contextlib.closing(sqlite3.connect(f"{site.root}/spool/spool.db")) as spool:
        events = [mtlib.json.loads(row[0]) for row in spool.execute("SELECT event FROM entry ORDER BY n")]
    return {event["email"]["subject"]: event for event in events}


def clean(site, name):
    return make_message(f"{site.root}/{name}.eml", subject=name,
                        attachments=[("clean.bin", "application/octet-stream", CLEAN)])


def check_clean(event):
    """It is read whole, its file found."""
    ours = event["unmapped"]["mailtrace"]
    equal((ours.get("unread"), ours.get("caps")), (None, None), event["email"]["subject"])
    assert hashlib.sha256(CLEAN).hexdigest() in mtlib.json.dumps(event), event


def check_bomb(name, ours, caps, cut):
    """It was read as far as its caps, and says so; cut: whether a file is not there whole for it."""
    print(f"# {name}: caps {ours.get('caps')}, {len(ours['files'])} files", flush=True)
    equal(ours.get("unread"), None, name)
    equal(set(caps) - set(ours.get("caps", [])), set(), f"caps of {name}")
    equal(any("incomplete" in file.get("flags", []) for file in ours["files"]), cut, f"{name}: incomplete files")


def explode(name, bomb, *caps, cut=True):
    """Passes a bomb with clean messages beside and after it; checks all that is told of them."""
    site = Measured()
    path = f"{site.root}/bomb.eml"
    with open(path, "wb") as handle:
        handle.write(bomb)
    verdicts = []
    beside = threading.Thread(target=lambda: verdicts.extend(
        site.play(*RCPT, *[clean(site, f"beside-{i}") for i in range(BESIDE)])))
    beside.start()
    verdicts += site.play(*RCPT, path)
    beside.join()
    verdicts += site.play(*RCPT, clean(site, "after"))
    seconds, most_kb = site.used()
    print(f"# {name}: {len(bomb)} bytes, {seconds:.2f} s of CPU, {most_kb // 1024} MB resident", flush=True)
    equal([line["verdict"] for line in verdicts], ["accept"] * (BESIDE + 2), site.milter.text())
    assert "worker-died" not in site.milter.text(), site.milter.text()
    told = records(site)
    check_bomb(name, told.pop("bomb")["unmapped"]["mailtrace"], caps, cut)
    equal(sorted(told), ["after", *(f"beside-{i}" for i in range(BESIDE))])
    for event in told.values():
        check_clean(event)
    assert seconds <= CPU_SECONDS and most_kb <= MEMORY_KB, f"{seconds} s, {most_kb} KB"


def attached(name, content):
    """Returns a message's bytes with this file attached."""
    path = make_message(f"{mtlib.temporary_directory()}/m.eml", subject="bomb",
                        attachments=[(name, "application/octet-stream", content)])
    with open(path, "rb") as handle:
        return handle.read()


def zip_of_zeros():
    """A zip of one member of almost 4 GiB of zeros, as those of 42.zip; made of one block that repeats."""
    block = bytes(16 << 20)
    count = 255
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    once = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = once * count + b"\x03\x00"
    crc = 0
    for _ in range(count):
        crc = zlib.crc32(block, crc)
    common = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0x21, crc, len(packed), len(block) * count, 5, 0)
    local = b"PK\3\4" + common + b"0.dll" + packed
    central = b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + b"0.dll"
    return local + central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)


def zip_of(members):
    space = io.BytesIO()
    with zipfile.ZipFile(space, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return space.getvalue()


@test
def a_zip_of_zips_of_zeros_ends_at_the_ratio():
    content = zip_of_zeros()
    for level in ("page", "doc", "chapter", "book", "lib"):
        content = zip_of((f"{level} {i:x}.zip", content) for i in range(16))
    assert len(content) < 100000, len(content)
    explode("42.zip", attached("42.zip", content), "unpack-ratio")


@test
def folders_of_a_zip_that_hold_zeros_end_at_the_time():
    """Without a directory the end of a folder's content is where it was decompressed to."""
    block = bytes(16 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = (packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)) * 40 + b"\x03\x00"
    local = b"PK\3\4" + struct.pack("<HHHHHIIIHH", 20, 8, 8, 0, 0x21, 0, 0, 0, 2, 0) + b"d/" + packed
    folder = local + struct.pack("<4sIII", b"PK\7\x08", 0, len(packed), len(block) * 40)
    explode("folders", attached("folders.zip", zip_of([("inner.zip", folder * 20)])), "unpack-cpu")


@test
def an_archive_of_100000_members_ends_at_the_members():
    content = zip_of((f"{i}.txt", str(i)) for i in range(100000))
    explode("members", attached("many.zip", content), "members")


@test
def multiparts_in_multiparts_end_at_the_nesting():
    text = FIRST + "".join(f"Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n" for i in range(10000))
    explode("nesting", (text + "\r\nleaf\r\n").encode(), "nesting")


@test
def a_message_of_100000_parts_ends_at_the_parts():
    text = FIRST + "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    explode("parts", (text + "--b\r\n\r\nx\r\n" * 100000 + "--b--\r\n").encode(), "parts")


@test
def a_megabyte_of_parameters_ends_at_theirs():
    parameters = "".join(f";\r\n name*{i}*=%41{i}" for i in range(50000))[:1 << 20]
    text = (FIRST + "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
            "--b\r\nContent-Type: application/octet-stream" + parameters + "\r\n"
            "\r\nx\r\n--b--\r\n")
    explode("parameters in a part", text.encode(), "parameters", "header-bytes")
    # in the first header, whose fields come in packets that end below a MiB
    text = FIRST + "Content-Type: application/octet-stream" + parameters[:1000000] + "\r\n\r\nx\r\n"
    explode("parameters in the header", text.encode(), "parameters", cut=False)


@test
def comments_without_end_end_with_their_field():
    comments = "(" * (1 << 20)
    text = (FIRST + "Cc: " + comments[:500000] + "\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
            "--b\r\nContent-Type: " + comments + "\r\nContent-Disposition: attachment " + comments[:1000] + "\r\n"
            "Content-Transfer-Encoding: " + comments[:1000] + "\r\n\r\nx\r\n--b--\r\n")
    explode("comments", text.encode(), "addresses", "header-bytes")
    explode("names", (FIRST + comments[:200000] + "\r\n\r\nx\r\n").encode(), cut=False)


@test
def line_breaks_and_delimiters_alone_are_looked_at_once():
    quoted = FIRST + "Content-Type: a/b; name=x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    explode("breaks", (quoted + "\n" * 200000).encode(), cut=False)
    explode("soft", (quoted + "=\r" * 100000).encode(), cut=False)
    explode("closings", (FIRST + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + "--b--\r\n" * 28000).encode(), "parts",
            cut=False)


@test
def lines_of_dashes_in_many_open_multiparts_cost_what_they_are():
    parts = "".join(f"--z{i}\r\nContent-Type: multipart/mixed; boundary=z{i + 1}\r\n\r\n" for i in range(250))
    text = FIRST + "Content-Type: multipart/mixed; boundary=z0\r\n\r\n" + parts
    explode("dashes", (text + "--zz\r\n" * 200000).encode(), "reading-bytes", cut=False)


@test
def links_of_a_pdf_are_read_once():
    for name, key in (("hexadecimal", "/URI<"), ("literal", "/URI(")):
        explode(name, attached("a.pdf", ("%PDF-1.4\n" + key * 200000).encode()), cut=False)


def binhex(prefix, length):
    """A file in BinHex, as text, of this many bytes: the prefix, and runs of one character."""
    head = b"\1a\0TEXTtext\0\0" + struct.pack(">II", length, 0) + b"\0\0"
    packed = head + prefix + b"\r\n!" + b"\x90\xff" * ((length - len(prefix)) // 254)
    # Base64 with another alphabet.
    text = base64.b64encode(packed + bytes(-len(packed) % 3)).translate(bytes.maketrans(
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"))
    return b"(This file must be converted with BinHex 4.0)\r\n\r\n:" + text + b":\r\n"


@test
def runs_of_binhex_in_runs_make_no_more_than_their_cap():
    text = b""
    for _ in range(3):
        # It begins as no text, which the engine would look into.
        text = binhex(b"\0\r\n" + text, CAP_KEPT_BYTES // 2)
    assert len(text) < CAP_KEPT_BYTES // 32, len(text)
    explode("binhex", FIRST.encode() + b"Content-Type: application/mac-binhex40; name=a.hqx\r\n\r\n" + text,
            "kept-bytes")


main()
