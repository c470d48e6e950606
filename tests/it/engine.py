#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""ClamAV's own test files, each a container of one program, through the milter.

Without signatures the program is found in all of them; with them they are matched
besides.  Databases are made here: of ClamAV's official one nothing is needed.
"""
import contextlib
import glob
import hashlib
import io
import os
import signal
import struct
import zipfile

from mtlib import Site, children, equal, json_lines, main, make_message, run, program, test, wait_until

FILES = "/usr/share/clamav-testfiles"
WITHIN = f"{FILES}/clam.exe"
HOW_MANY = 44
# caps.h
CAP_SIGNATURES = 64
CAP_SIGNATURE_BYTES = 256
CAP_SCAN_LEVELS = 32
RCPT = ("--rcpt", "<alice@example.org>")


def digests(path):
    with open(path, "rb") as handle:
        content = handle.read()
    return hashlib.md5(content).hexdigest(), len(content), content


def write_database(folder, name):
    """A database of one signature, of clam.exe whole: ClamAV's .hdb form."""
    os.makedirs(folder, exist_ok=True)
    md5, size, _ = digests(WITHIN)
    with open(f"{folder}/test.hdb", "w") as handle:
        handle.write(f"{md5}:{size}:{name}\n")


def messages(site):
    """Writes a message for each of ClamAV's files; returns their paths by the file's name."""
    names = sorted(os.listdir(FILES))
    equal(len(names), HOW_MANY, "ClamAV's test files")
    return {name: make_message(f"{site.root}/{name}.eml", message_id=f"<{name}@example.net>", attachments=[
        (name, "application/octet-stream", digests(f"{FILES}/{name}")[2])]) for name in names}


@contextlib.contextmanager
def running(**scanner):
    site = Site(scanner={"workers": "2", **scanner})
    site.make_keys()
    site.start_collector()
    site.start_milter()
    try:
        yield site
    finally:
        site.stop()


def found(site, *terms):
    """Returns the names of the files whose messages answer."""
    hits, _ = site.who(*terms, status=None)
    return {hit["message_id"].strip("<>").removesuffix("@example.net") for hit in hits}


def folders(scanner):
    return glob.glob(f"/dev/shm/mailtrace-{scanner}-*")


@test
def the_program_is_found_in_all_of_them_without_signatures():
    with running() as site:
        scanner, = [pid for pid, line in children(site.milter.pid).items() if "scanner" in line]
        paths = messages(site)
        site.play(*RCPT, *paths.values())
        site.wait_stored(HOW_MANY)
        equal(set(paths) - found(site, WITHIN), set(), "files in which it was not found")
        equal(found(site, "malware:*"), set(), "matches of no signatures")
        assert folders(scanner), "each worker has one"
    equal(folders(scanner), [], "temporary folders left")


@test
def signatures_name_what_they_match():
    with running(database="") as site:
        paths = messages(site)
        write_database(f"{site.root}/signatures", "Test.Program-1")
        site.set("scanner", database=f"{site.root}/signatures")
        site.milter.stop()
        site.start_milter()
        site.play(*RCPT, *paths.values())
        harmless = make_message(f"{site.root}/harmless.eml", message_id="<harmless@example.net>",
                                attachments=[("a.txt", "text/plain", b"nothing to see\n")])
        site.play(*RCPT, harmless)
        site.wait_stored(HOW_MANY + 1)
        equal(set(paths) - found(site, WITHIN), set(), "files in which it was not found")
        matched = found(site, "malware:Test.Program-1*")
        equal(matched - set(paths), set(), "a match of another file")
        print(f"# {len(matched)} of {HOW_MANY} match by the whole program's hash")
        assert {"clam.exe", "clam.zip", "clam.pdf", "clam.ole.doc", "clam.7z", "clam.tnef"} <= matched, matched
        hits, _ = site.who("malware:test.program*", status=None)
        shown = site.mailtrace("show", hits[0]["event_id"]).stdout
        assert "malware Test.Program-1" in shown and "\nScanner      ClamAV " in shown, shown


@test
def a_broken_database_keeps_no_mail_from_being_read():
    with running() as site:
        folder = f"{site.root}/signatures"
        os.makedirs(folder)
        with open(f"{folder}/broken.hdb", "w") as handle:
            handle.write("this is no signature\n")
        site.set("scanner", database=folder)
        site.milter.stop()
        site.start_milter()
        path = messages(site)["clam.ole.doc"]
        site.play(*RCPT, path)
        site.wait_stored(1)
        equal(found(site, WITHIN), {"clam.ole.doc"})
        assert "no-signatures" in site.milter.text(), site.milter.text()


@test
def a_reload_takes_the_signatures_of_now():
    with running() as site:
        folder = f"{site.root}/signatures"
        write_database(folder, "Test.Former-1")
        site.set("scanner", database=folder)
        site.milter.signal(signal.SIGHUP)
        path = messages(site)["clam.zip"]
        count = 0

        def named(name):
            nonlocal count
            count += 1
            site.play(*RCPT, path)
            site.wait_stored(count)
            return found(site, f"malware:{name}") == {"clam.zip"}

        wait_until(lambda: named("Test.Former-1*"), "the first signatures are matched")
        write_database(folder, "Test.Later-1")
        site.milter.signal(signal.SIGHUP)
        wait_until(lambda: named("Test.Later-1*"), "those of now are matched")


@test
def mail_is_read_with_the_former_signatures_while_others_are_loaded():
    with running() as site:
        folder = f"{site.root}/signatures"
        write_database(folder, "Test.Former-1")
        site.set("scanner", database=folder)
        site.milter.stop()
        site.start_milter()
        path = messages(site)["clam.zip"]
        former = set(children(site.milter.pid))
        # A database that is not at its end until we say so; the engine opens it more than once.
        os.remove(f"{folder}/test.hdb")
        os.mkfifo(f"{folder}/test.hdb")
        site.milter.signal(signal.SIGHUP)
        wait_until(lambda: set(children(site.milter.pid)) - former, "the new scanner")
        with open(f"{folder}/test.hdb", "w"):
            for _ in range(3):
                site.play(*RCPT, path)
            site.wait_stored(3)
            equal(len(site.who("malware:Test.Former-1*", status=None)[0]), 3, "matches while others are loaded")
            write_database(f"{folder}/made", "Test.Later-1")
            os.rename(f"{folder}/made/test.hdb", f"{folder}/test.hdb")

        def later():
            site.play(*RCPT, path)
            return site.who("malware:Test.Later-1*", status=None)[0]

        wait_until(later, "those of now are matched")


@test
def inspect_opens_them_too_and_names_what_matches():
    with running() as site:
        write_database(f"{site.root}/signatures", "Test.Program-1")
        site.set("scanner", database=f"{site.root}/signatures")
        path = messages(site)["clam.chm"]
        text = run(program("mailtrace"), "--config", site.config, "inspect", path).stdout
        assert hashlib.sha256(digests(WITHIN)[2]).hexdigest() in text, text
        assert "\nScanner      ClamAV " in text, text


def matched(site, names):
    """Returns what inspect tells of a file in which signatures of these names match: names, and caps met."""
    folder = f"{site.root}/capped"
    texts = [f"what number {i:04d} matches\n" for i in range(len(names))]
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/test.ndb", "w") as handle:
        for name, text in zip(names, texts):
            handle.write(f"{name}:0:*:{text.encode().hex()}\n")
    site.set("scanner", database=folder)
    path = make_message(f"{site.root}/capped.eml", attachments=[
        ("a.bin", "application/octet-stream", "".join(texts).encode())])
    event, = json_lines(site.mailtrace("--json", "inspect", path).stdout)
    told = event["unmapped"]["mailtrace"]
    return next(file["malware"] for file in told["files"] if file.get("malware")), told.get("caps")


@test
def names_of_signatures_and_their_length_end_at_their_caps():
    site = Site()
    for count in range(CAP_SIGNATURES - 1, CAP_SIGNATURES + 2):
        names, caps = matched(site, [f"Test.Many-{i}" for i in range(count)])
        equal(len(names), min(count, CAP_SIGNATURES))
        equal(caps, ["signatures"] if count > CAP_SIGNATURES else None)
    # the engine adds to names of signatures that are not ClamAV's own
    added = len(".UNOFFICIAL")
    for length in range(CAP_SIGNATURE_BYTES - 1, CAP_SIGNATURE_BYTES + 2):
        (name,), caps = matched(site, ["T" * (length - added)])
        equal(len(name), min(length, CAP_SIGNATURE_BYTES))
        equal(caps, ["signature-bytes"] if length > CAP_SIGNATURE_BYTES else None)


def szdd(content):
    """What COMPRESS.EXE makes of a content, without compressing any of it; only the engine opens it."""
    literal = b"".join(b"\xff" + content[i:i + 8] for i in range(0, len(content), 8))
    return b"SZDD\x88\xf0'3A\0" + struct.pack("<I", len(content)) + literal


def zip_in_zips(levels, content):
    for level in range(levels):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(f"{level}.bin", content)
        content = packed.getvalue()
    return content


@test
def the_engine_opens_files_in_files_up_to_its_cap_and_says_so_beyond():
    site = Site()
    innermost = digests(WITHIN)[2]
    for layers in range(CAP_SCAN_LEVELS - 1, CAP_SCAN_LEVELS + 2):
        # The first is what SZDD makes, the last the program.
        path = make_message(f"{site.root}/{layers}.eml", attachments=[
            ("a.bi_", "application/octet-stream", szdd(zip_in_zips(layers - 2, innermost)))])
        event, = json_lines(site.mailtrace("--json", "inspect", path).stdout)
        told = event["unmapped"]["mailtrace"]
        over = layers > CAP_SCAN_LEVELS
        digest = hashlib.sha256(innermost).hexdigest()
        equal(told.get("caps"), ["scan"] if over else None, layers)
        equal(next(file for file in told["files"] if file["path"] == "2").get("flags"),
              ["incomplete"] if over else None, layers)
        equal(any(file.get("sha256") == digest for file in told["files"]), not over, layers)


main()
