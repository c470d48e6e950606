#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the benchmark's mail into a folder, the same bytes for the same seed.

typical: 400 mails, median about 10 KB, mean about 160 KB: 75 % text and HTML,
20 % with an 80,000-byte PDF of random bytes, 5 % with 2 MB in one to three
attachments, one of them a zip.  large: one mail with a 10 MB attachment.
usage: corpus.py typical|large FOLDER
"""
import io
import os
import random
import sys
import zipfile
from email.message import EmailMessage
from email.policy import SMTP

WORDS = "the of report invoice meeting please find attached regards project order delivery 請求書 会議 資料".split()


def text(rng, size):
    lines, length = [], 0
    while length < size:
        line = " ".join(rng.choice(WORDS) for _ in range(12))
        lines.append(line)
        length += len(line)
    return "\n".join(lines) + "\n"


def zipped(rng, size):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, size in (("report.pdf", size * 3 // 4), ("table.csv", size // 8), ("data.bin", size // 8)):
            info = zipfile.ZipInfo(name, (2026, 11, 23, 10, 0, 0))
            archive.writestr(info, rng.randbytes(size))
    return memory.getvalue()


def mail(rng, number):
    message = EmailMessage(policy=SMTP)
    message["From"] = f"Sender {number} <sender{number}@example.net>"
    message["To"] = f"user{number}@example.org"
    message["Subject"] = f"{rng.choice(WORDS)} {rng.choice(WORDS)} {number}"
    message["Date"] = "Mon, 23 Nov 2026 10:00:00 +0900"
    message["Message-ID"] = f"<{number}.{rng.getrandbits(64):x}@example.net>"
    body = text(rng, 4000)
    message.set_content(body)
    message.add_alternative(f"<html><body><p>{body}</p><a href='https://www.example.net/{number}'>link</a></body></html>",
                            subtype="html")
    return message


def typical(rng, number):
    message = mail(rng, number)
    kind = number % 20
    if kind in (1, 6, 11, 16):
        message.add_attachment(b"%PDF-1.7\n" + rng.randbytes(80_000), maintype="application", subtype="pdf",
                               filename=f"report{number}.pdf")
    elif kind == 3:
        count = 1 + number // 20 % 3
        for index in range(count):
            size = 2_000_000 // count
            content = zipped(rng, size) if index == 0 else rng.randbytes(size)
            message.add_attachment(content, maintype="application", subtype="zip" if index == 0 else "octet-stream",
                                   filename=f"file{index}." + ("zip" if index == 0 else "bin"))
    return message


def large(rng, number):
    message = mail(rng, number)
    message.add_attachment(rng.randbytes(10_000_000), maintype="application", subtype="octet-stream",
                           filename="large.bin")
    return message


def main():
    kind, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    rng = random.Random(4009)
    for number in range(400 if kind == "typical" else 1):
        with open(f"{folder}/{number:03}.eml", "wb") as handle:
            handle.write((typical if kind == "typical" else large)(rng, number).as_bytes())


main()
