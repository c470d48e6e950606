#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Encrypted archives of each kind: flagged always, names and CRC-32 where they are visible, and candidates by them."""
import hashlib
import os
import struct
import subprocess
import zlib

from mtlib import SOURCE, Site, equal, json_lines, main, make_message, run, test
from rar import rar4, rar5

CAP_PASSWORDS = 20
PASSWORD = b"secret-Kn9"
NAME = b"evil.exe"
CONTENT = b"MZ what was locked away\n" * 20
CRC32 = f"{zlib.crc32(CONTENT):08x}"


def seven(site, name, *options, beside=False):
    """Has 7-Zip make an archive, of another file beside if asked; returns its bytes."""
    work = f"{site.root}/seven"
    os.makedirs(work, exist_ok=True)
    with open(f"{work}/evil.exe", "wb") as handle:
        handle.write(CONTENT)
    with open(f"{work}/other.txt", "wb") as handle:
        handle.write(b"another file that stands beside it")
    run("7z", "a", f"-p{PASSWORD.decode()}", *options, f"{work}/{name}", f"{work}/evil.exe",
        *([f"{work}/other.txt"] if beside else []))
    with open(f"{work}/{name}", "rb") as handle:
        return handle.read()


# What is visible without the password: the name and the CRC-32, the name, or nothing.
CRC, NAMED, NOTHING = "CRC-32", "name", "nothing"


def archives(site):
    """Returns {name: (bytes, what is visible, method)}."""
    return {
        "four.rar": (rar4(NAME, CONTENT, PASSWORD), CRC, "rar4"),
        "four-hidden.rar": (rar4(NAME, CONTENT, PASSWORD, hidden=True), NOTHING, None),
        "five.rar": (rar5(NAME, CONTENT, PASSWORD, tweaked=False), CRC, "rar5"),
        "five-tweaked.rar": (rar5(NAME, CONTENT, PASSWORD), NAMED, "rar5"),
        "five-hidden.rar": (rar5(NAME, CONTENT, PASSWORD, tweaked=False, hidden=True), NOTHING, None),
        "plain.7z": (seven(site, "plain.7z"), CRC, "7z"),
        "stored.7z": (seven(site, "stored.7z", "-mx=0"), CRC, "7z"),
        "compressed.7z": (seven(site, "compressed.7z", beside=True), NAMED, None),  # its header too
        "hidden.7z": (seven(site, "hidden.7z", "-mhe=on"), NOTHING, None),
        "crypto.zip": (seven(site, "crypto.zip"), CRC, "zipcrypto+deflate"),
        "aes.zip": (seven(site, "aes.zip", "-mem=AES256"), NAMED, "aes-256+deflate"),  # AE-2
    }


@test
def another_program_takes_the_rars_for_encrypted_ones():
    site = Site()
    for name, (content, _, _) in archives(site).items():
        path = f"{site.root}/{name}"
        with open(path, "wb") as handle:
            handle.write(content)
        run("7z", "t", f"-p{PASSWORD.decode()}", path)
        assert subprocess.run(["7z", "t", "-pwrong", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL, check=False).returncode != 0, f"{name} opens with any password"


@test
def each_is_flagged_and_tells_what_is_visible_and_no_more():
    site = Site()
    samples = archives(site)
    path = make_message(f"{site.root}/all.eml", attachments=[(name, "application/octet-stream", content)
                                                             for name, (content, _, _) in samples.items()])
    recorded = json_lines(site.mailtrace("--json", "inspect", path).stdout)[0]["unmapped"]["mailtrace"]["files"]
    files = {file["path"]: file for file in recorded}
    outer = {file["names"][0]["text"]: file for file in recorded if file.get("names") and "!/" not in file["path"]}
    for name, (_, visible, method) in samples.items():
        assert outer[name].get("flags") == ["encrypted"], (name, outer[name])
        member = files.get(f"{outer[name]['path']}!/evil.exe")
        if visible == NOTHING:
            equal([path for path in files if path.startswith(outer[name]["path"] + "!/")], [], name)
            continue
        equal((member["flags"], member["size"], member.get("method")), (["encrypted"], len(CONTENT), method), name)
        equal(member.get("crc32"), CRC32 if visible == CRC else None, name)
        assert "sha256" not in member, f"{name}: a digest of what was not decrypted"


@test
def who_finds_the_file_as_a_candidate_where_a_crc_32_tells_it():
    site = Site(scanner={"workers": "1"})
    site.make_keys()
    site.start_collector()
    site.start_milter()
    samples = archives(site)
    path = f"{site.root}/evil.exe"
    with open(path, "wb") as handle:
        handle.write(CONTENT)
    for number, (name, (content, _, _)) in enumerate(samples.items(), 1):
        site.play("--rcpt", f"<{name}@example.org>", "--queue-id", f"Q{number}",
                  make_message(f"{site.root}/{name}.eml", attachments=[(name, "application/octet-stream", content)]))
        site.wait_stored(number)
    hits = site.who(path)[0]
    equal({(hit["recipient"], hit["match"], hit["file"]) for hit in hits},
          {(f"{name}@example.org", "candidate", "2!/evil.exe") for name, (_, visible, _) in samples.items()
           if visible == CRC})
    # A file of the same size that is another is none.
    with open(path, "wb") as handle:
        handle.write(CONTENT[:-1] + b"!")
    equal(site.who(path)[0], [])
    site.stop()


@test
def ae_2_says_that_it_has_no_crc_32():
    site = Site()
    path = make_message(f"{site.root}/ae2.eml",
                        attachments=[("aes.zip", "application/zip", seven(site, "aes.zip", "-mem=AES256"))])
    shown = site.mailtrace("inspect", path).stdout
    assert "aes-256+deflate" in shown and "none, as AE-2 has it" in shown, shown


def commented(zipped, comment):
    assert zipped.endswith(b"\0\0"), "a zip that has a comment"
    return zipped[:-2] + struct.pack("<H", len(comment)) + comment


def called_link(zipped):
    """A zip whose members are links by their attributes (host and mode of APPNOTE 4.4.2 and 4.4.15)."""
    zipped, at = bytearray(zipped), 0
    while (at := zipped.find(b"PK\1\2", at)) >= 0:
        zipped[at + 5], zipped[at + 40:at + 42] = 3, struct.pack("<H", 0o120777)
        at += 4
    return bytes(zipped)


def locked_again(site, zipped):
    """A zip with another password around one."""
    work = f"{site.root}/again"
    os.makedirs(work, exist_ok=True)
    with open(f"{work}/inner.zip", "wb") as handle:
        handle.write(zipped)
    run("7z", "a", "-pthe-outer-1", f"{work}/outer.zip", f"{work}/inner.zip")
    with open(f"{work}/outer.zip", "rb") as handle:
        return handle.read()


@test
def the_password_may_stand_in_an_attached_text_or_in_the_archives_name_or_comment():
    site = Site()
    zipped = seven(site, "crypto.zip")
    word = PASSWORD.decode()
    ways = {
        "text": [("crypto.zip", "application/zip", zipped), ("password.txt", "text/plain", f"{word}\r\n".encode())],
        "page": [("readme.html", "text/html", f"<p>Password: <b>{word}</b></p>".encode()), ("crypto.zip", "application/zip", zipped)],
        "untyped": [("crypto.zip", "application/zip", zipped),
                    ("password.txt", "application/octet-stream", f"Password: {word}".encode())],
        "name": [(f"offer_pass-{word}.zip", "application/zip", zipped)],
        "comment": [("crypto.zip", "application/zip", commented(zipped, f"Password: {word}\r\n".encode()))],
        "comment of many words": [("crypto.zip", "application/zip", commented(zipped, b"PK\5\6 a line\r\n" * 3000 + f"Password: {word}".encode()))],
        "beside a long comment": [("password.txt", "text/plain", word.encode()), ("crypto.zip", "application/zip", commented(zipped, b"a line\r\n" * 7000))],
        "link": [("crypto.zip", "application/zip", called_link(zipped)), ("password.txt", "text/plain", word.encode())],
        "comment of one in another": [("outer.zip", "application/zip", locked_again(site, commented(zipped, f"Password: {word}".encode()))),
                                      ("password.txt", "text/plain", b"the-outer-1")],
        "nowhere": [("crypto.zip", "application/zip", zipped), ("readme.txt", "text/plain", b"Password: another")],
    }
    for way, attachments in ways.items():
        path = make_message(f"{site.root}/{way}.eml", attachments=attachments)
        files = json_lines(site.mailtrace("--json", "inspect", path).stdout)[0]["unmapped"]["mailtrace"]["files"]
        member = next(file for file in files if file["path"].endswith("!/evil.exe"))
        equal(member.get("sha256"), hashlib.sha256(CONTENT).hexdigest() if way != "nowhere" else None, way)


@test
def the_twentieth_word_is_tried_and_no_further_one():
    site = Site()
    with open(os.path.join(SOURCE, "tests", "data", "locked-zipcrypto.zip"), "rb") as handle:
        zipped = handle.read()
    for place in (CAP_PASSWORDS - 1, CAP_PASSWORDS, CAP_PASSWORDS + 1):
        words = [f"wrong{number}" for number in range(1, place)] + ["x7kQ!9"]
        path = make_message(f"{site.root}/{place}.eml", body="".join(f"Password: {word}\r\n" for word in words),
                            attachments=[("invoice.zip", "application/zip", zipped)])
        told = json_lines(site.mailtrace("--json", "inspect", path).stdout)[0]["unmapped"]["mailtrace"]
        member = next(file for file in told["files"] if file["path"] == "2!/evil.exe")
        equal(member["method"], "zipcrypto+deflate" + ("+opened" if place <= CAP_PASSWORDS else ""), place)
        equal(member.get("flags"), None if place <= CAP_PASSWORDS else ["encrypted"], place)
        equal(told.get("caps"), None if place <= CAP_PASSWORDS else ["passwords"], place)


main()
