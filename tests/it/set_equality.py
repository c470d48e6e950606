#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Nothing is recorded that is not in the message, with the ClamAV engine and without it.

Every file of the messages of truth.jsonl (corpora.py) is looked for with Python's own
readers: as a part, as a member of an archive, or, of what the engine opens, as a stretch
or a compressed stream of the file that it is in.  So what a reader of ours or the engine
made up, rewrote or left behind while working has nowhere to stand.  Prints TAP.
"""
import bz2
import contextlib
import email
import gzip
import hashlib
import io
import lzma
import os
import re
import sys
import tarfile
import tempfile
import zipfile
import zlib

from corpora import CORPORA, OTHERWISE, Tap, digests, read, truths

# Of the engine's finds, those with these first bytes are looked for as they stand.
STRETCHES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"MZ", b"\xd0\xcf\x11\xe0")
# Where a zip's member begins: its header's length without the name and the extra field.
LOCAL_HEADER_BYTES = 30

# Members of rar archives, which Python does not open; corpora.py has others'.
UNSHOWN = {"gargantua.eml 41!/1.txt", "rar-date-bad-ext.eml 1!/06.12.2017.scr", "rar4.eml 1!/fake.exe"}
# Python shows what is of these types as messages, not as the text that stands there.
STATUS = re.compile(rb"message/(?!rfc822)", re.IGNORECASE)
# The words that stand in mails beside their encrypted zips.
PASSWORDS = (b"sa", b"test")


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def line_forms(content):
    """A text may be meant with either line end, and with the delimiter's own or without."""
    plain = content.replace(b"\r\n", b"\n")
    for form in (plain, plain.removesuffix(b"\n"), plain + b"\n"):
        yield form
        yield form.replace(b"\n", b"\r\n")


def mail_contents(raw):
    """The decoded contents of all parts."""
    for part in email.message_from_bytes(STATUS.sub(b"application/x-", raw)).walk():
        if not part.is_multipart():
            yield part.get_payload(decode=True) or b""
        else:
            yield from (bytes(child) for child in part.get_payload())


def read_zipped(archive, member):
    for password in PASSWORDS:
        with contextlib.suppress(RuntimeError):
            return archive.read(member, password)
    return b""


def zip_contents(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            yield read_zipped(archive, member)


def tar_contents(content):
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            if member.isfile():
                yield archive.extractfile(member).read()


def carved_streams(content):
    """What is compressed or stored at a zip's local headers, wherever they stand."""
    at = content.find(b"PK\3\4")
    while at >= 0:
        head = content[at:at + LOCAL_HEADER_BYTES]
        names = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        body = at + LOCAL_HEADER_BYTES + names
        try:
            yield zlib.decompressobj(-zlib.MAX_WBITS).decompress(content[body:])
        except zlib.error:
            yield content[body:body + int.from_bytes(head[22:26], "little")]
        at = content.find(b"PK\3\4", at + 1)


def archive_contents(content):
    """What Python's readers find in a content."""
    for reader in (zip_contents, tar_contents, lambda b: [gzip.decompress(b)], lambda b: [bz2.decompress(b)],
                   lambda b: [lzma.decompress(b)]):
        try:
            yield from reader(content)
        except (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, tarfile.TarError, zipfile.BadZipFile,
                lzma.LZMAError, zlib.error):
            continue


def stands_in(content, size, digest):
    """Whether a stretch of the content has this size and digest."""
    for beginning in STRETCHES:
        at = content.find(beginning)
        while at >= 0:
            if sha256(content[at:at + size]) == digest:
                return True
            at = content.find(beginning, at + 1)
    return False


class Held:
    """What a message holds, as far as Python's readers show it."""

    def __init__(self, raw):
        self.digests = set()
        self.contents = []
        for content in mail_contents(raw):
            self.digests.update(map(sha256, line_forms(content)))
            self.digests.add(sha256(content))
            self.add_within(content, 4)

    def add_within(self, content, depth):
        self.contents.append(content)
        self.digests.add(sha256(content))
        for member in archive_contents(content) if depth else ():
            self.add_within(member, depth - 1)

    def within(self, size, digest):
        """Whether the engine's find is in one of the contents."""
        return any(stands_in(content, size, digest) or digest in map(sha256, carved_streams(content))
                   or digest in map(sha256, mail_contents(content)) for content in self.contents)


def has_content(file):
    return not set(file[3].split(",")) & {"body", "multipart", "message", "encrypted", "incomplete"}


def made_up(entry, message):
    """Yields the files of a message that nobody else finds in it."""
    with open(os.path.join(CORPORA, entry["file"]), "rb") as handle:
        held = Held(handle.read())
    wanted = held.digests.union(*map(digests, entry["attachments"]))
    for file in filter(has_content, message.files):
        if file[0] not in message.readings and not message.variants[file[0]] & wanted \
                and not held.within(int(file[1]), file[2]):
            yield f"{os.path.basename(entry['file'])} {file[0]}"


def check(tap, what, *options):
    entries = [entry for entry in truths() if os.path.basename(entry["file"]) not in OTHERWISE]
    messages, status = read([os.path.join(CORPORA, entry["file"]) for entry in entries], *options)
    tap.check(status == 0 and len(messages) == len(entries), f"reads {len(entries)} messages, {what}",
              [f"status {status}, {len(messages)} read"])
    found = {line for entry in entries for line in made_up(entry, messages[os.path.join(CORPORA, entry["file"])])}
    tap.check(found == UNSHOWN, f"records no file that is not in the message, {what}", sorted(found ^ UNSHOWN))
    return {name: {tuple(file) for file in message.files} for name, message in messages.items()}


def check_options(tap, name, folder):
    """Reads a message in which the engine opens more, with LF, in each way that the reader's options allow."""
    with open(os.path.join(CORPORA, name), "rb") as handle:
        content = handle.read().replace(b"\r\n", b"\n")
    path = os.path.join(folder, "lf.eml")
    with open(path, "wb") as handle:
        handle.write(content)
    as_is, engine = ("--as-is",), ("--engine", folder)
    alone, sent, both, turned = read_by = [read([path], *options)[0][path].files for options in (
        as_is, engine, as_is + engine, engine + as_is)]
    os.unlink(path)
    tap.check(both == turned and len(both) == len(sent) > len(alone) and both[0] == alone[0] != sent[0],
              f"the reader reads {os.path.basename(name)} as it is and with the engine",
              [f"{len(files)} files, {files[0][1]} bytes" for files in read_by])
    tap.check(read([], "--as-it-is")[1] == 2, "the reader refuses what is no option of it")


def main():
    if not os.path.isdir(CORPORA):
        print(f"1..0 # SKIP no messages in {CORPORA}")
        return 0
    tap = Tap()
    without = check(tap, "without the engine")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        engine = check(tap, "with it", "--engine", folder)
        more = min(name for name, files in without.items() if len(engine[name]) > len(files))
        check_options(tap, more, folder)
        tap.check(not os.listdir(folder), "leaves no temporary file", os.listdir(folder))
    lost = [name for name, files in without.items() if files - engine[name]]
    tap.check(not lost, "loses no file by the engine", lost)
    tap.check(without != engine, "opens more with the engine")
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
