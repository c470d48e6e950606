#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes the test messages of this folder and MANIFEST.json, which says what is in them.

Run without arguments, it writes beside itself; its output is committed with it,
and tests/it/testdata.py checks that they agree.  Nothing here comes from the
program under test: names, sizes and digests are those of what went in.
"""
import base64
import binascii
import hashlib
import io
import json
import os
import sys
import unicodedata
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
CRLF = b"\r\n"


# ---- parts: their bytes, and what a reader must say of them ----

class Part:
    """An entity: header and body as bytes, and the node expected for it."""

    def __init__(self, headers, body, **node):
        self.headers = list(headers)
        self.body = body
        self.kind = node.get("kind", "leaf")
        self.content = node.get("content")
        self.name = node.get("name")
        self.flags = list(node.get("flags", ()))
        self.children = node.get("children", [])
        self.members = node.get("members", [])

    def entity(self):
        return b"".join(line + CRLF for line in self.headers) + CRLF + self.body

    def nodes(self, path):
        """Yields the manifest's entries for this part and those below it."""
        entry = {"path": path, "name": self.name, "flags": sorted(self.flags)}
        if self.content is not None:
            entry["size"] = len(self.content)
            entry["sha256"] = hashlib.sha256(self.content).hexdigest()
        yield entry
        for number, child in enumerate(self.children, 1):
            yield from child.nodes(below(path, self.kind, child.kind, number))

    def member_nodes(self, path):
        """Yields the entries for what is in archives; they stand behind all parts."""
        for name, content in self.members:
            yield {"path": f"{path}!/{name}", "name": name.split("!/")[-1].split("/")[-1],
                   "flags": [], "size": len(content),
                   "sha256": hashlib.sha256(content).hexdigest()}
        for number, child in enumerate(self.children, 1):
            yield from child.member_nodes(below(path, self.kind, child.kind, number))


def below(path, kind, child_kind, number):
    if kind == "message":
        return f"{path}.0" if child_kind == "multipart" else f"{path}.1"
    if path == "0":
        return str(number)
    return f"{path[:-2] if path.endswith('.0') else path}.{number}"


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("ascii")


def b64(content):
    return base64.encodebytes(content).replace(b"\n", CRLF)[:-2] if content else b""


def text(content, charset="us-ascii", encoding=None, subtype="plain"):
    """A body.  content: bytes as they are sent."""
    headers = [b"Content-Type: text/%s; charset=%s" % (as_bytes(subtype), as_bytes(charset))]
    if encoding:
        headers.append(b"Content-Transfer-Encoding: " + as_bytes(encoding))
    return Part(headers, content, content=content, flags=["body"])


def attachment(content, name, parameters, ctype="application/octet-stream", flags=(), members=()):
    """A file in base64.  parameters: the line of Content-Disposition after the token."""
    headers = [b"Content-Type: " + as_bytes(ctype), b"Content-Transfer-Encoding: base64",
               b"Content-Disposition: attachment" + as_bytes(parameters)]
    return Part(headers, b64(content), content=content, name=name, flags=flags, members=members)


def multipart(*children, subtype="mixed", boundary="=_mt", closed=True, preamble=b"", epilogue=b""):
    mark = b"--" + as_bytes(boundary)
    body = preamble
    for child in children:
        body += mark + CRLF + child.entity() + CRLF
    if closed:
        body += mark + b"--" + CRLF + epilogue
    header = b'Content-Type: multipart/%s; boundary="%s"' % (as_bytes(subtype), as_bytes(boundary))
    return Part([header], body, kind="multipart", children=list(children), flags=["multipart"])


def enclosed(inner, encoding=None, name=None, parameters=None):
    """A message in a message.  inner: a Part with a message's header."""
    content = inner.entity()
    headers = [b"Content-Type: message/rfc822"]
    if encoding:
        headers.append(b"Content-Transfer-Encoding: " + as_bytes(encoding))
    if parameters:
        headers.append(b"Content-Disposition: attachment" + as_bytes(parameters))
    return Part(headers, b64(content) if encoding == "base64" else content, kind="message",
                content=content, name=name, children=[inner], flags=["message"])


# ---- messages ----

MESSAGES = []


class Message:
    """One file of this folder."""

    def __init__(self, name, description, part, subject, raw=None, message_id=None, **expected):
        self.file = name + ".eml"
        self.description = description
        self.bytes = raw if raw is not None else part.entity()
        self.subject = subject
        self.message_id = message_id
        top = "0" if part.kind == "multipart" else "1"
        self.files = list(part.nodes(top)) + list(part.member_nodes(top))
        self.expected = expected
        MESSAGES.append(self)


def header(name, subject, sender=b"Hanako <hanako@example.jp>", to=b"taro@example.com", more=()):
    lines = [b"From: " + sender, b"To: " + to, b"Date: Mon, 02 Nov 2026 09:30:00 +0900",
             b"Message-ID: <%s@example.jp>" % as_bytes(name)]
    if subject is not None:
        lines.append(b"Subject: " + as_bytes(subject))
    return lines + list(more) + [b"MIME-Version: 1.0"]


def message(name, description, part, subject_line="a test", subject=None, **more):
    expected = more.pop("expect", {})
    part.headers[:0] = header(name, subject_line, **more)
    return Message(name, description, part,
                   subject if subject is not None or subject_line is None else subject_line,
                   message_id=f"<{name}@example.jp>", **expected)


def word(charset, encoding, content):
    """An encoded word of bytes."""
    if encoding == "B":
        coded = base64.b64encode(content)
    else:
        coded = b"".join(b"%c" % c if chr(c).isalnum() and c < 128 else b"=%02X" % c
                         for c in content)
    return b"=?%s?%s?%s?=" % (as_bytes(charset), as_bytes(encoding), coded)


def percent(content):
    return b"".join(b"%c" % c if chr(c).isalnum() and c < 128 else b"%%%02X" % c for c in content)


def body():
    return text(b"See the attached file.")


def with_file(name, description, file_name, parameters, subject_line="a test", subject=None,
              flags=(), ctype="application/pdf"):
    """A message with one attachment, whose name is the matter."""
    part = multipart(body(), attachment(PDF, file_name, parameters, ctype, flags))
    return message(name, description, part, subject_line, subject)


PDF = (b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
       b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
       b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\n"
       b"xref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000052 00000 n \n"
       b"0000000101 00000 n \ntrailer<</Size 4/Root 1 0 R>>\nstartxref\n164\n%%EOF\n")


# What an attacker would send in a zip, with nothing in it that could do harm.
INVOICE = [("invoice.js", b"// harmless: this sample does nothing\n"),
           ("readme.txt", b"Sample data of mailtrace.\n")]


def zipped(contents):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in contents:
            info = zipfile.ZipInfo(name, (2026, 11, 2, 9, 30, 0))
            info.create_system = 3
            archive.writestr(info, content)
    return buffer.getvalue()


def plain_messages():
    message("plain", "one line of text", text(b"Hello.\r\n"), "a plain mail")
    Message("empty", "nothing at all", Part([], b"", content=b"", flags=["body"]), None, raw=b"")
    Message("no-header", "a body alone, which has no colon in its first line",
            Part([], b"", content=b"Just text\r\nof two lines\r\n", flags=["body"]), None,
            raw=b"Just text\r\nof two lines\r\n")
    Message("no-body", "a header, the empty line, and nothing",
            Part([], b"", content=b"", flags=["body"]), "no body",
            raw=b"Subject: no body\r\nMessage-ID: <no-body@example.jp>\r\n\r\n",
            message_id="<no-body@example.jp>")
    Message("header-only", "a header that ends without the empty line",
            Part([], b"", content=b"", flags=["body"]), "header only",
            raw=b"Subject: header only\r\nMessage-ID: <header-only@example.jp>\r\n",
            message_id="<header-only@example.jp>")
    Message("mbox-line", "an mbox's From_ line above the header",
            Part([], b"", content=b"x\r\n", flags=["body"]), "from an mbox",
            raw=b"From taro@example.com Mon Nov  2 09:30:00 2026\r\nSubject: from an mbox\r\n\r\n"
                b"x\r\n")
    bare = multipart(text(b"one\ntwo"), attachment(PDF, "a.pdf", "; filename=a.pdf"))
    bare.headers[:0] = header("bare-lf", "bare LF")
    raw = bare.entity().replace(CRLF, b"\n")
    Message("bare-lf", "line ends that are LF alone", bare, "bare LF", raw=raw,
            message_id="<bare-lf@example.jp>")
    message("eight-bit", "a body in 8bit UTF-8",
            text("こんにちは。\r\n".encode(), "utf-8", "8bit"), "8bit")
    message("smtputf8", "addresses in UTF-8 (RFC 6532)", text(b"x\r\n"), "SMTPUTF8",
            sender="山田 花子 <花子@例え.jp>".encode(), to="用户@例子.广告".encode(),
            expect={"from": ["花子@例え.jp"]})
    message("undisclosed", "an empty group for To", text(b"x\r\n"), "to whom?",
            to=b"undisclosed-recipients:;", expect={"to": []})
    message("group", "a group, comments, quoted local parts", text(b"x\r\n"), "a group",
            to=b'Team: "a b"@example.com, (who) c@example.com (why);, d@example.com',
            expect={"to": ["\"a b\"@example.com", "c@example.com", "d@example.com"]})
    message("word-with-comma", "an encoded name that holds what divides addresses", text(b"x\r\n"),
            "a comma", sender=b"=?utf-8?Q?Doe=2C_Jane_=3Cx=40y=3E?= <jane@example.com>",
            expect={"from": ["jane@example.com"]})
    message("links", "links of an HTML body",
            text(b'<p>See <a href="https://example.com/a?b=1&amp;c=2">http://shown.example/</a>'
                 b"</p>\r\n", subtype="html"), "links",
            expect={"urls": ["https://example.com/a?b=1&c=2", "http://shown.example/"]})


def nested_messages():
    deepest = multipart(body(), attachment(PDF, "deep.pdf", "; filename=deep.pdf"))
    deepest.headers[:0] = header("nested-3", "level 3")
    level2 = multipart(text(b"level 2"), enclosed(deepest), boundary="=_two")
    level2.headers[:0] = header("nested-2", "level 2")
    level1 = multipart(text(b"level 1"), enclosed(level2, name="fwd.eml",
                                                  parameters="; filename=fwd.eml"),
                       boundary="=_one")
    message("nested-message", "message/rfc822 three deep, a file in the last", level1, "level 1")

    inner = text(b"only text")
    inner.headers[:0] = header("inner", "inner")
    message("message-of-text", "an enclosed message that is no multipart",
            multipart(body(), enclosed(inner)), "enclosing text")

    inner = multipart(body(), attachment(PDF, "in.pdf", "; filename=in.pdf"), boundary="=_in")
    inner.headers[:0] = header("inner64", "inner")
    message("message-base64", "an enclosed message in base64, which RFC 2046 forbids",
            multipart(body(), enclosed(inner, "base64")), "base64 around a mail")

    first, second = text(b"first"), text(b"second")
    for number, one in enumerate((first, second)):
        one.headers[:0] = header(f"digest-{number}", "of a digest")
    parts = [enclosed(first), enclosed(second)]
    for part in parts:
        part.headers = []
    message("digest", "multipart/digest, whose parts are messages by default",
            multipart(*parts, subtype="digest"), "a digest")

    html = text(b"<p>Hello</p>", subtype="html")
    image = attachment(b"\x89PNG\r\n\x1a\n-", "logo.png", "; filename=logo.png", "image/png")
    related = multipart(html, image, subtype="related", boundary="=_rel")
    both = multipart(text(b"Hello"), related, subtype="alternative", boundary="=_alt")
    message("newsletter", "alternative and related within mixed",
            multipart(both, attachment(PDF, "n.pdf", "; filename=n.pdf")), "news")


def structure_messages():
    message("preamble", "text before the first and after the last delimiter",
            multipart(body(), attachment(PDF, "p.pdf", "; filename=p.pdf"),
                      preamble=b"This is a MIME message.\r\n", epilogue=b"the end\r\n"), "preamble")
    message("unclosed", "no closing delimiter",
            multipart(body(), attachment(PDF, "u.pdf", "; filename=u.pdf"), closed=False),
            "unclosed")
    # Without a closing delimiter the last line break is the file's, and base64 ignores it.
    inner = multipart(attachment(PDF, "i.pdf", "; filename=i.pdf"), boundary="=_mt-inner",
                      closed=False)
    message("boundary-prefix", "an inner boundary that begins with the outer one, unclosed",
            multipart(body(), inner, attachment(PDF + b"2", "o.pdf", "; filename=o.pdf")),
            "boundaries")
    message("empty-file", "a file of no bytes",
            multipart(body(), attachment(b"", "empty.bin", "; filename=empty.bin")), "empty")
    content = b"a,b\r\n1,2"
    csv = Part([b"Content-Type: text/csv; name=t.csv"], content, content=content, name="t.csv")
    message("seven-bit-file", "a text file in 7bit, the line break before the delimiter not its own",
            multipart(body(), csv), "7bit")
    content = "caf\u00e9 = \r\nend".encode("iso-8859-1")
    quoted = Part([b"Content-Type: text/plain; charset=iso-8859-1",
                   b"Content-Transfer-Encoding: quoted-printable",
                   b"Content-Disposition: attachment; filename=q.txt"],
                  b"caf=E9 =3D=20\r\ne=\r\nnd", content=content, name="q.txt")
    message("quoted-printable-file", "a text file in quoted-printable", multipart(body(), quoted),
            "quoted")
    content = b"0123456789\n" * 9
    lines = [content[i:i + 45] for i in range(0, len(content), 45)]
    uu = b"begin 644 uu.bin" + CRLF + b"".join(
        binascii.b2a_uu(line).rstrip(b"\n") + CRLF for line in lines) + b"`\r\nend"
    message("uuencode-file", "a file whose transfer encoding is x-uuencode",
            multipart(body(), Part([b"Content-Type: application/octet-stream; name=uu.bin",
                                    b"Content-Transfer-Encoding: x-uuencode"], uu,
                                   content=content, name="uu.bin")), "uuencode")
    message("unpadded-base64", "base64 whose padding is missing",
            multipart(body(), Part([b"Content-Type: application/octet-stream; name=a.bin",
                                    b"Content-Transfer-Encoding: base64"], b"YWJjZGU",
                                   content=b"abcde", name="a.bin", flags=["truncated"])),
            "unpadded")


JAPANESE = "請求書（11月分）.pdf"
SUBJECT = "【重要】お支払いのお願い"


def encoded_names():
    for charset, codec in (("ISO-2022-JP", "iso2022_jp"), ("Shift_JIS", "cp932"),
                           ("EUC-JP", "euc_jp"), ("UTF-8", "utf-8"), ("GB18030", "gb18030")):
        key = charset.lower().replace("_", "-")
        with_file(f"words-{key}", f"subject and name in encoded words of {charset}", JAPANESE,
                  b';\r\n filename="' + word(charset, "B", JAPANESE.encode(codec)) + b'"',
                  word(charset, "B", SUBJECT.encode(codec)), SUBJECT)
        with_file(f"rfc2231-{key}", f"RFC 2231 name in {charset}", JAPANESE,
                  b";\r\n filename*=" + as_bytes(charset) + b"''" + percent(JAPANESE.encode(codec)))
    coded = percent(JAPANESE.encode("iso2022_jp"))
    cut = [coded[i:i + 30] for i in range(0, len(coded), 30)]
    pieces = b"".join(b";\r\n filename*%d*=%s%s" % (i, b"iso-2022-jp'ja'" if i == 0 else b"", piece)
                      for i, piece in enumerate(cut))
    with_file("rfc2231-continued", "RFC 2231 continuations, a language, cut within escapes",
              JAPANESE, pieces)
    with_file("rfc2231-disordered", "continuations in another order, one not encoded",
              "bill 2026 é.pdf", b"; filename*2*=%C3%A9.pdf; filename*0*=utf-8''bill%20;"
              b' filename*1="2026 "')
    with_file("rfc2047-unquoted", "an encoded word in a parameter, without quotes", JAPANESE,
              b"; filename=" + word("UTF-8", "B", JAPANESE.encode()))
    with_file("rfc2047-folded", "a name of two words in a folded parameter", JAPANESE,
              b';\r\n filename="' + word("UTF-8", "B", JAPANESE[:4].encode()) + b"\r\n "
              + word("UTF-8", "B", JAPANESE[4:].encode()) + b'"')
    with_file("word-unknown-charset", "a name in a set that nobody knows",
              "=?x-klingon?B?cXFx?=", b'; filename="=?x-klingon?B?cXFx?="', flags=["undecoded"])
    with_file("rfc2231-unknown-charset", "an RFC 2231 name in a set that nobody knows", "abc.pdf",
              b"; filename*=x-klingon''abc.pdf", flags=["undecoded"])


def raw_names():
    for charset, codec in (("ISO-2022-JP", "iso2022_jp"), ("Shift_JIS", "cp932"),
                           ("EUC-JP", "euc_jp"), ("UTF-8", "utf-8")):
        key = charset.lower().replace("_", "-")
        with_file(f"raw-{key}", f"subject and name in raw {charset}", JAPANESE,
                  b'; filename="' + JAPANESE.encode(codec) + b'"', SUBJECT.encode(codec), SUBJECT)
    with_file("raw-shift-jis-backslash", "a raw Shift_JIS name whose second byte is a backslash",
              "予定表.xls", b'; filename="' + "予定表.xls".encode("cp932") + b'"')
    with_file("raw-iso-2022-jp-quote", "a raw ISO-2022-JP name with a quote among its bytes",
              "あ.pdf", b'; filename="' + "あ.pdf".encode("iso2022_jp") + b'"')
    with_file("raw-windows-1252", "a raw name in Windows-1252, its quote no Shift_JIS",
              "Ren\u00e9\u2019s r\u00e9sum\u00e9.pdf",
              b'; filename="' + "Ren\u00e9\u2019s r\u00e9sum\u00e9.pdf".encode("cp1252") + b'"',
              "it\u2019s here".encode("cp1252"), "it\u2019s here")
    with_file("unquoted-blanks", "a name with blanks and no quotes", "my file (1).pdf",
              b"; filename=my file (1).pdf")
    with_file("backslashes", "a path of Windows in quotes", "C:\\temp\\new.pdf",
              b'; filename="C:\\\\temp\\\\new.pdf"')
    with_file("no-semicolon", "a parameter without a semicolon before it", "a.pdf",
              b' filename="a.pdf"')


def unicode_names():
    nfd = unicodedata.normalize("NFD", "ガイドブック.pdf")
    with_file("nfd", "a decomposed name, as macOS sends it", nfd,
              b"; filename*=utf-8''" + percent(nfd.encode()), word("UTF-8", "B", nfd.encode()), nfd)
    content = SUBJECT.encode()
    with_file("split-utf-8", "characters cut between adjacent words", "x.pdf", "; filename=x.pdf",
              CRLF.join(b" " * (i > 0) + word("utf-8", "B", content[i:i + 7])
                        for i in range(0, len(content), 7)), SUBJECT)
    content = SUBJECT.encode("cp932")
    with_file("split-shift-jis", "Shift_JIS cut between words in Q", "x.pdf", "; filename=x.pdf",
              b" ".join(word("Shift_JIS", "Q", content[i:i + 5])
                        for i in range(0, len(content), 5)), SUBJECT)
    kana = "ﾃｽﾄｶﾅ.txt"
    jis = b"\x1b(I" + bytes(b & 0x7f for b in "ﾃｽﾄｶﾅ".encode("cp932")) + b"\x1b(B.txt"
    with_file("half-width-jis", "half-width katakana in ISO-2022-JP (ESC ( I)", kana,
              b'; filename="' + word("ISO-2022-JP", "B", jis) + b'"',
              word("ISO-2022-JP", "B", jis), kana)
    with_file("half-width-shift-jis", "half-width katakana in raw Shift_JIS", kana,
              b'; filename="' + kana.encode("cp932") + b'"', kana.encode("cp932"), kana)
    special = "①髙﨑㈱.pdf"
    with_file("nec-ibm-jis", "NEC and IBM characters in what calls itself ISO-2022-JP",
              "①㈱.pdf", b'; filename="' + word("ISO-2022-JP", "B",
                                                b"\x1b$B\x2d\x21\x2d\x6a\x1b(B.pdf") + b'"')
    with_file("ibm-shift-jis", "IBM's characters in Shift_JIS", special,
              b'; filename="' + word("Shift_JIS", "B", special.encode("cp932")) + b'"')
    emoji = "👩‍💻 report 🇯🇵.pdf"
    with_file("emoji", "joined emoji and a flag", emoji,
              b"; filename*=utf-8''" + percent(emoji.encode()),
              word("UTF-8", "Q", emoji.encode()), emoji)
    with_file("escape-sequences", "a subject and name that would drive a terminal",
              "a\x1b]0;owned\x07.pdf", b'; filename="' + word("UTF-8", "B", b"a\x1b]0;owned\x07.pdf")
              + b'"', word("UTF-8", "B", b"\x1b[2J\x1b[1;31mred"), "\x1b[2J\x1b[1;31mred")
    with_file("right-to-left", "a name that shows its extension the other way round",
              "invoice\u202efdp.exe", b"; filename*=utf-8''"
              + percent("invoice\u202efdp.exe".encode()))


def archives():
    inner = zipped(INVOICE)
    members = [("dir/inner.zip", inner), *((f"dir/inner.zip!/{name}", content)
                                           for name, content in INVOICE)]
    part = attachment(zipped(members[:1]), "outer.zip", "; filename=outer.zip", "application/zip",
                      members=members)
    nested = multipart(body(), part, boundary="=_in")
    nested.headers[:0] = header("forwarded", "the inner one")
    message("zip-in-zip", "a zip in a zip, in a message in the message",
            multipart(body(), enclosed(nested)))


def sample():
    """The mail of the quickstart."""
    greeting = ("お世話になっております。\r\n請求書をお送りします。ご確認ください。\r\n\r\n"
                "-- \r\n株式会社サンプル 経理部\r\n").encode("iso2022_jp")
    part = multipart(
        text(greeting, "iso-2022-jp", "7bit"),
        attachment(zipped(INVOICE), "invoice.zip", "; filename=invoice.zip", "application/zip",
                   members=INVOICE),
        attachment(PDF, JAPANESE, b";\r\n filename*=utf-8''" + percent(JAPANESE.encode()),
                   "application/pdf"))
    message("invoice", "a realistic mail with invoice.zip and a PDF of Japanese name", part,
            word("ISO-2022-JP", "B", "【請求書】2026年11月分のご請求について".encode("iso2022_jp")),
            "【請求書】2026年11月分のご請求について",
            sender=word("ISO-2022-JP", "B", "経理部".encode("iso2022_jp"))
            + b" <billing@example.net>", to=b"taro@example.com, hanako@example.com",
            expect={"from": ["billing@example.net"]})


def manifest():
    entries = []
    for one in MESSAGES:
        entry = {"file": one.file, "description": one.description, "subject": one.subject,
                 "message_id": one.message_id, "size": len(one.bytes)}
        entry.update(one.expected)
        entry["files"] = one.files
        entries.append(entry)
    return json.dumps(entries, ensure_ascii=True, indent=1).encode() + b"\n"


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else HERE
    for make in (plain_messages, nested_messages, structure_messages, encoded_names, raw_names,
                 unicode_names, archives, sample):
        make()
    for one in MESSAGES:
        with open(os.path.join(folder, one.file), "wb") as handle:
            handle.write(one.bytes)
    with open(os.path.join(folder, "MANIFEST.json"), "wb") as handle:
        handle.write(manifest())
    return 0


if __name__ == "__main__":
    sys.exit(main())
