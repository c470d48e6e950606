#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every member of archives as real tools write them is recorded, by digest and by name.

tests/data/archives.json holds what 7-Zip, Info-ZIP, libarchive, GNU tar, cpio and ar,
gcab, jlha, genisoimage, dpkg-deb and rpmbuild made of one program, and two 7z whose attributes
call it a device and a folder; what Python's own modules write, and what stands before, behind or within another, is made here.  Prints TAP.
"""
import base64
import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import struct
import sys
import tarfile
import tempfile
import zipfile
import zlib
from urllib.parse import quote

from corpora import TOP, Tap, read
from rar import rar4, rar5

with open(os.path.join(TOP, "tests", "data", "archives.json"), encoding="utf-8") as _file:
    _DATA = json.load(_file)
PROOF = base64.b64decode(_DATA["proof.exe"])
SAMPLES = {name: base64.b64decode(text) for name, text in _DATA["archives"].items()}
STUB = b"MZ" + b"\0" * 510
TYPES = (b"application/octet-stream", b"image/jpeg", b"text/plain", b"application/pdf", b"application/msword")


def zipped(*names, content=PROOF, method=zipfile.ZIP_DEFLATED, replace=(b"", b"")):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name in names:
            archive.writestr(name, content)
    return out.getvalue().replace(*replace) if replace[0] else out.getvalue()


class Pipe(io.RawIOBase):
    """What cannot be sought, so that sizes stand behind the content."""

    def __init__(self):
        super().__init__()
        self.bytes = b""

    def writable(self):
        return True

    def write(self, data):
        self.bytes += bytes(data)
        return len(data)


def behind(head, comment=b"", trailer=b""):
    """A zip behind other bytes, with such a comment, and such bytes behind it."""
    out = io.BytesIO()
    out.write(head)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("proof.exe", PROOF)
        archive.comment = comment
    return out.getvalue() + trailer


# What stands before zips that people open by their end; the last is a whole content.
HEADS = {"text": b"hello, this is text\n" * 5, "jpg": b"\xff\xd8\xff\xe0" + b"j" * 99, "pdf": b"%PDF-1.4\n%%EOF\n", "gz": gzip.compress(b"x" * 99)}
# An end record that has no directory; 7-Zip and Java pass it.
FALSE_END = b"PK\5\6" + b"\0" * 16 + b"\xff\xff"


# What looks like more of what is compressed; xz and zstd write what is before it, and complain.
JUNK = {"junk": b"junk and more", "footer": b"junk" + b"\0" * 8 + b"CRC4\1\0\0\0\0\1YZ", "stream": b"junk!" + lzma.compress(b"more"),
        "frame": b"\x28\xb5\x2f\xfd" + b"junk" * 10, "skippable": b"\x50\x2a\x4d\x18\xff\xff\0\0junk"}


def streamed(method):
    out = Pipe()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("proof.exe", PROOF)
        archive.writestr("last.txt", b"last")
    return out.bytes


def zip64():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open(zipfile.ZipInfo("proof.exe"), "w", force_zip64=True) as member:
        member.write(PROOF)
    return out.getvalue()


def called(host, attributes):
    """A zip whose program is no file by its attributes, for those who go by them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        member = zipfile.ZipInfo("proof.exe")
        member.create_system, member.external_attr = host, attributes
        archive.writestr(member, PROOF)
        archive.writestr("other.txt", b"other")
    return out.getvalue()


def zip_by_hand(method, packed, extra=b"", comment=b""):
    """A zip of one member as Python does not write it."""
    name, crc = b"proof.exe", zlib.crc32(PROOF)
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 63, 0, method, 0, 0, crc, len(packed), len(PROOF), len(name), 0) + name + packed
    central = struct.pack("<4s6H3I5H2I", b"PK\1\2", 63, 63, 0, method, 0, 0, crc, len(packed), len(PROOF), len(name), len(extra), 0, 0, 0, 0, 0) + name + extra
    return local + central + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local), len(comment)) + comment


def tarred(*names, mode="w", content=PROOF, form=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=form) as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, names[0]
        archive.addfile(link)
    return out.getvalue()


def nested():
    """Five archives one in another."""
    content = zipped("proof.exe")
    for make in (lambda inner: tarred("a.zip", mode="w:gz", content=inner), lambda inner: zipped("b.tgz", content=inner),
                 lambda inner: tarred("c.zip", mode="w:bz2", content=inner), lzma.compress, gzip.compress):
        content = make(content)
    return content


def cpio(mode):
    """A cpio of newc whose one member has such a mode."""
    def entry(name, content, kind):
        head = b"070701" + b"".join(b"%08X" % n for n in (1, kind, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)) + name + b"\0"
        return b"".join(part + bytes(-len(part) % 4) for part in (head, content))
    return entry(b"proof.exe", PROOF, mode) + entry(b"TRAILER!!!", b"", 0)


def ar(mode):
    return b"!<arch>\n" + b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (b"proof.exe/", 0, 0, 0, mode, len(PROOF)) + PROOF + b"\n" * (len(PROOF) % 2)


def xar(kind):
    data = (f"<data><offset>0</offset><length>{len(PROOF)}</length><size>{len(PROOF)}</size>"
            '<encoding style="application/octet-stream"/></data>')
    contents = f'<?xml version="1.0"?><xar><toc><file id="1"><name>proof.exe</name><type>{kind}</type>{data}</file></toc></xar>'.encode()
    packed = zlib.compress(contents)
    return struct.pack(">4sHHQQI", b"xar!", 28, 1, len(packed), len(contents), 0) + packed + PROOF


def made():
    """Yields (name, archive); the program is in each."""
    yield from SAMPLES.items()
    plain = zipped("d/proof.exe")
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield f"method {method}.zip", zipped("proof.exe", method=method)
        yield f"streamed {method}.zip", streamed(method)
    yield "xz.zip", zip_by_hand(95, lzma.compress(PROOF))
    for kind, comment in (("a comment", b"words"), ("an end record", b"c" + FALSE_END)):
        yield f"a directory that libarchive gives up, and {kind}.zip", zip_by_hand(0, PROOF, b"\0", comment)
    for kind, host, attributes in (("link", 3, 0o120777 << 16), ("folder", 3, 0o40755 << 16), ("folder of DOS", 0, 0x10), ("device", 3, 0o20644 << 16),
                                   ("socket", 3, 0o140644 << 16), ("nothing known", 3, 0o150644 << 16)):
        yield f"called a {kind}.zip", called(host, attributes)
    for kind, mode in (("file", 0o100644), ("device", 0o20644), ("socket", 0o140644)):
        yield f"called a {kind}.4.rar", rar4(b"proof.exe", PROOF, mode=mode)
        yield f"called a {kind}.5.rar", rar5(b"proof.exe", PROOF, mode=mode)
    for kind, mode in (("device", 0o20644), ("pipe", 0o10644), ("socket", 0o140644)):
        yield f"called a {kind}.cpio", cpio(mode)
    yield "called a link.ar", ar(0o120777)
    yield "called a link.xar", xar("symlink")
    for before in (600, 0x10008, 300000, 2 << 20):
        yield f"rar 4 behind a program of {before}.exe", (STUB + b"Rar!\x1a\7\0").ljust(before, b"x") + rar4(b"proof.exe", PROOF)
        yield f"rar 5 behind a program of {before}.exe", STUB.ljust(before, b"x") + rar5(b"proof.exe", PROOF)
    yield "called a folder.5.rar", rar5(b"proof.exe", PROOF, mode=0o40755)
    yield "zip64.zip", zip64()
    yield "comment.zip", plain[:-2] + b"\5\0hello"
    yield "no directory.zip", plain[:plain.rindex(b"PK\1\2")]
    for name in ("/etc/proof.exe", "../../proof.exe", "d\\proof.exe", "請求書.exe", "x" * 300 + ".exe", " ", "proof.exe\u202egpj"):
        yield f"zip of {name[:20]}", zipped(name)
    yield "twice.zip", zipped("a.exe", "A.EXE")
    yield "cp932.zip", zipped("XXXXXX.exe", replace=(b"XXXXXX", "請求書".encode("cp932")))
    yield "cp437.zip", zipped("XXX.exe", replace=(b"XXX", "äöü".encode("cp437")))
    for around in (b"garbage\n", b"\0" * 100, b"\xff\xd8\xff\xe0 no picture"):
        yield f"{around[:4]} first.zip", around + plain
        yield f"{around[:4]} last.zip", plain + around
    for kind, head in {"nothing": b"", "MZ": STUB, **HEADS}.items():
        yield f"first of two behind {kind}.zip", head + plain + zipped("other.txt", content=b"other")
        yield f"end record in the comment behind {kind}.zip", behind(head, b"c" + FALSE_END)
    for kind, head in HEADS.items():
        yield f"a line break behind {kind}.zip", behind(head, trailer=b"\n")
    large = HEADS["jpg"] + bytes(range(256)) * 200
    for kind, content in (("comment", behind(large, comment=b"x" * 300)), ("lines", behind(large, trailer=b"\n" * 300))):
        yield f"long {kind} behind a picture.zip", content
        yield f"long {kind} behind a picture in a zip.zip", zipped("p.jpg", content=content)
    yield "behind a picture in the first of two.zip", zipped("p.jpg", content=behind(large)) + zipped("a.txt", content=b"aaa")
    yield "behind much text.zip", b"some text\n" * 5000 + plain
    yield "behind many bytes.zip", b"\1\2\xff" * 20000 + plain
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        yield f"format {form}.tar", tarred("proof.exe", form=form)
    for mode in ("gz", "bz2", "xz"):
        yield f"tar.{mode}", tarred("d/proof.exe", mode="w:" + mode)
    yield "names.tar", tarred("/abs.exe", "../up.exe", "a/../b.exe", "請.exe", "y" * 300)
    yield "two.tar", tarred("a.exe") + tarred("b.exe")
    yield "junk behind.tar", tarred("a.exe") + b"junk" * 200
    half = len(PROOF) // 2
    for name, compress in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
        yield f"proof.exe.{name}", compress(PROOF)
        yield f"members.{name}", compress(PROOF[:half]) + compress(PROOF[half:])
        yield f"twice.{name}.{name}", compress(compress(PROOF))
    yield "alone.lzma", lzma.compress(PROOF, lzma.FORMAT_ALONE)
    for name, packed in (("xz", lzma.compress(PROOF)), ("zst", SAMPLES["zst.tar.zst"])):
        for kind, junk in JUNK.items():
            yield f"{kind} behind.{name}", packed + junk
    yield "junk behind.gz", gzip.compress(PROOF) + b"\0" * 64
    yield "every field.gz", b"\x1f\x8b\x08\x1c" + b"\0" * 6 + struct.pack("<H", 4) + b"abcdproof.exe\0a comment\0" + gzip.compress(PROOF)[10:]
    yield "nested", nested()
    behind_picture = {name: SAMPLES[name] for name in ("lzma2.7z", "mszip.cab", "lh5.lzh")}
    behind_picture |= {"4.rar": rar4(b"proof.exe", PROOF), "5.rar": rar5(b"proof.exe", PROOF)}
    for name, archive in behind_picture.items():
        yield f"behind a picture {name}.jpg", HEADS["jpg"] + archive
        yield f"behind a large picture {name}.jpg", large + archive
        yield f"behind a picture in a zip {name}.zip", zipped("p.jpg", content=large + archive)
    for name in ("lzma2.7z", "info-zip.zip", "mszip.cab", "lh5.lzh"):
        yield f"self-extracting {name}.exe", STUB + SAMPLES[name]


def mail(name, content, kind=TYPES[0]):
    return (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello.\r\n--b\r\nContent-Type: " + kind + b"; name*=utf-8''"
            + quote(name).encode() + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(content).replace(b"\n", b"\r\n") + b"--b--\r\n")


def messages():
    """Yields (name, message): each archive, and two that are called something else."""
    for name, content in made():
        yield name, mail(name, content)
    for kind in TYPES:
        for name in ("a.jpg", "a.txt", "a", "a.html", "a.p7m", "winmail.dat", "a.eml"):
            yield f"{kind.decode()} {name}", mail(name, zipped("proof.exe"), kind)
            yield f"{kind.decode()} {name}, 7z", mail(name, SAMPLES["lzma2.7z"], kind)


def main():
    tap = Tap()
    wanted = hashlib.sha256(PROOF).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for number, (name, content) in enumerate(messages()):
            paths[name] = os.path.join(folder, f"{number}.eml")
            with open(paths[name], "wb") as file:
                file.write(content)
        found, status = read(list(paths.values()), "--as-is")
    tap.check(status == 0 and len(found) == len(paths), f"reads each of {len(paths)} messages")
    files = {name: found[path].files for name, path in paths.items()}
    lost = [name for name, members in files.items() if wanted not in {file[2] for file in members}]
    tap.check(not lost, "records the program in each archive", lost)
    nameless = [name for name in SAMPLES if "/" not in name and not any(
        file[2] == wanted and ("proof.exe" in file[5].lower() or name.startswith("f.")) for file in files[name])]
    tap.check(not nameless, "and by its name in each that real tools made", nameless)
    capped = [name for name, path in paths.items() if found[path].caps]
    tap.check(not capped, "meets no cap", capped)
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
