# SPDX-License-Identifier: BSD-2-Clause
"""Messages that readers read differently: variants of each class of ambiguity.

cases() yields them, always the same ones: each has one payload where some reader in use
shows it, and says whose reading that is.  tests/it/readings.py has them all read.
"""
import base64
import binascii
import hashlib
import itertools
import quopri
import random
import struct
import zlib

CRLF = b"\r\n"
PAYLOAD = b"PROOF-OF-READING" + random.Random(3).randbytes(67)  # 83: its base64 ends with one "="
TEXT = b"-=Proof, of reading: = and a long line that is folded by every encoder that there is, 100 = 64 + 36=-\r\nsecond line\r\n"
BASE64 = base64.encodebytes(PAYLOAD).replace(b"\n", CRLF)
QUOTED = quopri.encodestring(PAYLOAD).replace(b"\n", CRLF)
NAME = b"proof.exe"
HELLO = b"Hello.\r\n"
DISPOSITION = b'Content-Disposition: attachment; filename="proof.exe"\r\n'
TYPE = b"Content-Type: application/octet-stream\r\n"
ENCODING = b"Content-Transfer-Encoding: base64\r\n"
HEAD = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: s\r\nMIME-Version: 1.0\r\n"
BODIES = {b"base64": BASE64, b"quoted-printable": QUOTED, b"7bit": PAYLOAD + CRLF}
LEAF = TYPE + ENCODING + DISPOSITION + CRLF + BASE64


class Case:
    """A message, the contents any of which is the payload, and whose reading shows it."""

    def __init__(self, family, name, message, reader="", accept=(PAYLOAD,), lines=True, name_wanted=None):
        self.family = family
        self.name = name
        self.message = message
        self.reader = reader
        self.digests = {hashlib.sha256(one + end).hexdigest() for one in accept
                        for end in ((b"", b"\n", b"\r\n") if lines else (b"",))}
        self.name_wanted = name_wanted  # a file name that some reader shows


def mixed(*parts, boundary=b"BND", parameter=None, kind=b"multipart/mixed", preamble=b"", epilogue=b"", close=True):
    """A multipart as header fields and body; parameter: as it stands in the field."""
    parameter = b'; boundary="' + boundary + b'"' if parameter is None else parameter
    body = preamble
    for part in parts:
        body += b"--" + boundary + CRLF + part
        if not part.endswith(CRLF):
            body += CRLF
    if close:
        body += b"--" + boundary + b"--" + CRLF
    return b"Content-Type: " + kind + parameter + CRLF + CRLF + body + epilogue


def hello():
    return b"Content-Type: text/plain\r\n\r\n" + HELLO


def leaf(encoding=ENCODING, body=BASE64, kind=TYPE, disposition=DISPOSITION):
    return kind + encoding + disposition + CRLF + body


def message(*parts, **options):
    return HEAD + mixed(hello(), *parts, **options)


def both(family, name, content, reader="", **options):
    """A leaf by itself and as a part of a multipart."""
    yield Case(family, name + " (alone)", HEAD + content, reader, **options)
    yield Case(family, name + " (part)", message(content), reader, **options)


def shown(value):
    return value.decode("latin-1").encode("unicode_escape").decode()[:60]


# ---- transfer encodings ----

def encodings_twice():
    values = (b"base64", b"7bit", b"8bit", b"binary", b"quoted-printable", b"x-foo", b"")
    for first, last in itertools.permutations(values, 2):
        for real in {first, last} & {b"base64", b"quoted-printable", b"7bit"}:
            fields = b"".join(b"Content-Transfer-Encoding: " + one + CRLF for one in (first, last))
            yield from both("encoding-twice", f"{shown(first)}, {shown(last)} of {shown(real)}",
                            leaf(fields, BODIES[real]), "the first counts for Python, the last for JavaMail")
    for values in itertools.product((b"base64", b"quoted-printable", b"7bit"), repeat=3):
        fields = b"".join(b"Content-Transfer-Encoding: " + one + CRLF for one in values)
        for real in {values[0], values[2]}:
            yield Case("encoding-twice", f"{shown(b','.join(values))} of {shown(real)}",
                       message(leaf(fields, BODIES[real])), "first or last")
    for between in (b"X-Other: 1\r\n", DISPOSITION, TYPE):
        fields = b"Content-Transfer-Encoding: 7bit\r\n" + between + ENCODING
        yield from both("encoding-twice", "apart", leaf(fields, BASE64, b"", b""), "last")


# What stands for "%", which is the encoding's name.
ENCODING_VALUES = (
    b"%;", b"%; x=y", b"%;charset=utf-8", b"% ;x", b" %  ", b"\t%\t", b"%,", b"%, 7bit", b"7bit, %", b"%, quoted-printable",
    b"% 7bit", b"7bit %", b"%/7bit", b'"%"', b"'%'", b'"%', b'%"', b"<%>", b"[%]", b"%.", b"%:", b"%-", b"-%", b"%!", b"=%", b"%=",
    b"x-%", b"%5", b"%-encoded", b"%\0", b"\0%", b"\x0b%", b"\x0c%", b"%\x0b", b"%\x0c", b"%\xa0", b"\xa0%", b"%\xc2\xa0",
    b"\xef\xbb\xbf%", b"\xe2\x80\x8b%", b"(c)%", b"(c) %", b"% (c)", b"%(c)", b"(a(b)c)%", b"%(a(b)c)", b"(\\)) %", b"(a;b) %", b"%(", b"% (a(b)",
    b"% )", b"(=?) %", b"=?utf-8?Q?%?=", b"=?us-ascii?q?%?=", b"\r\n %", b"\r\n\t%", b"\r\n  \r\n %", b" \r\n %\r\n ", b"(c)\r\n %", b"%\r\n (c)",
    b"\n %", b"\r %", b"%\r", b": %", b"Content-Transfer-Encoding: %", b"%\r\n x", b"\\%", b"%\\", b"encoding=%", b"% garbage text",
)
SPLIT_VALUES = (b" ", b"\t", b"\r\n ", b"\r\n\t", b"\n ", b"\r ", b"\0", b"(c)", b"(c)\r\n ", b"\x0b", b"\x0c", b"\\", b"-", b"_", b"?=\r\n =?utf-8?Q?", b"\xad", b"\x7f")


def encoding_values():
    for real in (b"base64", b"quoted-printable"):
        for value in ENCODING_VALUES:
            for name in (real, real.swapcase()):
                field = b"Content-Transfer-Encoding: " + value.replace(b"%", name) + CRLF
                yield from both("encoding-value", f"{shown(value)} of {shown(name)}", leaf(field, BODIES[real]),
                                "lenient matching, or by the content")
        for inside in SPLIT_VALUES:
            value = real[:3] + inside + real[3:]
            yield from both("encoding-value", f"{shown(value)}", leaf(b"Content-Transfer-Encoding: " + value + CRLF, BODIES[real]),
                            "blanks, folds and NULs are squeezed")
        for name in (real.title(), real.capitalize(), b"".join(bytes((c ^ 32 if i % 2 and 96 < c < 123 else c,)) for i, c in enumerate(real))):
            yield from both("encoding-value", shown(name), leaf(b"Content-Transfer-Encoding:" + name + CRLF, BODIES[real]), "every reader")
    for wrong in (b"b64", b"b", b"base-64", b"base_64", b"mime", b"x-base64", b"base85", b"gzip64", b"us-ascii", b"utf-8", b"none", b"7 bit", b"binary;", b"8", b"?"):
        yield from both("encoding-value", f"base64 called {shown(wrong)}", leaf(b"Content-Transfer-Encoding: " + wrong + CRLF), "by the content")
    for wrong in (b"q", b"qp", b"quoted", b"quotedprintable", b"quoted_printable", b"printable", b"x-qp", b"quoted-print", b"q-encoding"):
        yield from both("encoding-value", f"quoted-printable called {shown(wrong)}", leaf(b"Content-Transfer-Encoding: " + wrong + CRLF, QUOTED), "by the content")


# The name of a field, by which readers may or may not know it.
FIELD_NAMES = (
    b"% :", b"%\t:", b"%  \t :", b"%\0:", b"\0%:", b"%\x0b:", b"%\x0c:", b"%\xa0:", b"\xa0%:", b"\xef\xbb\xbf%:", b"%\x7f:", b"%\r\n :", b"%\r\n\t:", b"% \r\n :",
    b"%:%:", b"%: %:", b"X: y\r%:", b"X: y\n%:", b"%\xc2\xa0:", b"\x01%:", b"\x7f%:", b"%(c):", b"% (c):",
)


def field_names(field, value, rest, real_name, **options):
    for form in FIELD_NAMES:
        yield from both("field-name", f"{shown(form)} {real_name}", form.replace(b"%", field) + b" " + value + CRLF + rest, "lenient names", **options)
    for inside in (b"\0", b"\xa0", b"\xad", b" ", b"\x0b", b"\x0c", b"\x01", b"\t"):
        odd = field[:9] + inside + field[9:]
        yield from both("field-name", f"{shown(odd)} {real_name}", odd + b": " + value + CRLF + rest, "NULs and 8-bit are passed over", **options)
    for odd in (field.upper(), field.lower(), field.swapcase(), field.replace(b"-", b"_"), field.replace(b"-", b"_", 1)):
        yield from both("field-name", f"{shown(odd)} {real_name}", odd + b":" + value + CRLF + rest, "any case", **options)


def encoding_names():
    yield from field_names(b"Content-Transfer-Encoding", b"base64", TYPE + DISPOSITION + CRLF + BASE64, "of base64")
    yield from field_names(b"Content-Transfer-Encoding", b"quoted-printable", TYPE + DISPOSITION + CRLF + QUOTED, "of quoted-printable")
    multipart = mixed(hello(), LEAF)
    kind, rest = multipart.split(CRLF, 1)
    yield from field_names(b"Content-Type", kind.split(b": ", 1)[1], rest, "of a multipart")


def encoding_lies():
    """What the header says is not what the content is."""
    for said, real in ((b"quoted-printable", b"base64"), (b"7bit", b"base64"), (b"8bit", b"base64"), (b"binary", b"base64"), (b"x-uuencode", b"base64"),
                       (b"uuencode", b"base64"), (b"base64", b"7bit"), (b"quoted-printable", b"7bit")):
        body = BODIES[real]
        accept = (PAYLOAD,)
        if real == b"7bit" and said == b"quoted-printable":
            body = PAYLOAD.replace(b"=", b"-") + CRLF
            accept = (PAYLOAD.replace(b"=", b"-"),)
        if said == b"base64":
            continue  # nobody shows binary as it stands then
        yield from both("encoding-lie", f"{shown(said)} is {shown(real)}", leaf(b"Content-Transfer-Encoding: " + said + CRLF, body),
                        "by the content", accept=accept)
    for kind in (b"", b"Content-Type: text/plain\r\n", b"Content-Type: text/html\r\n", b"Content-Type: image/png\r\n", b"Content-Type: application/zip; name=a.zip\r\n"):
        for disposition in (b"", DISPOSITION, b"Content-Disposition: inline\r\n", b"Content-Disposition: attachment\r\n"):
            yield from both("encoding-lie", f"no encoding, {shown(kind)} {shown(disposition[21:])}", leaf(b"", BASE64, kind, disposition), "by the content")
    inner = HEAD + mixed(hello(), LEAF)
    for kind in (b"message/rfc822", b"message/global", b"message/news", b"message/RFC822", b"message/partial; id=a; number=1; total=1", b"message/x-other"):
        for encoding in (b"", b"base64", b"quoted-printable", b"8bit", b"7bit", b"x-foo", b"binary"):
            body = base64.encodebytes(inner).replace(b"\n", CRLF) if encoding == b"base64" else \
                quopri.encodestring(inner.replace(CRLF, b"\n")).replace(b"\n", CRLF) if encoding == b"quoted-printable" else inner
            field = b"Content-Transfer-Encoding: " + encoding + CRLF if encoding else b""
            for disposition in (b"", b"Content-Disposition: attachment; filename=a.eml\r\n"):
                yield from both("message", f"{shown(kind)} {shown(encoding)} {shown(disposition[21:])}", b"Content-Type: " + kind + CRLF + field + disposition + CRLF + body, "every reader")
            if encoding in (b"base64", b"quoted-printable"):
                yield from both("message", f"{shown(kind)} not {shown(encoding)}", b"Content-Type: " + kind + CRLF + field + CRLF + inner, "RFC 2046 allows it none: it is passed over")
    for encoding, body in ((b"base64", base64.encodebytes(mixed(hello(), LEAF).split(b"\r\n\r\n", 1)[1]).replace(b"\n", CRLF)),
                           (b"quoted-printable", quopri.encodestring(mixed(hello(), LEAF).split(b"\r\n\r\n", 1)[1].replace(CRLF, b"\n")).replace(b"\n", CRLF))):
        field = b'Content-Type: multipart/mixed; boundary="BND"\r\nContent-Transfer-Encoding: ' + encoding + CRLF + CRLF
        yield from both("encoded-multipart", shown(encoding), field + body, "multiparts are decoded first")
        yield from both("encoded-multipart", "not " + shown(encoding), field + mixed(hello(), LEAF).split(b"\r\n\r\n", 1)[1], "RFC 2045: it has no effect")
    for encoding in (b"base64", b"quoted-printable"):
        yield Case("encoded-multipart", "inherited " + shown(encoding), HEAD + b"Content-Transfer-Encoding: " + encoding + CRLF +
                   mixed(hello(), leaf(b"", BODIES[encoding])), "what the multipart has goes for its parts")


# ---- Content-Type ----

def types():
    body = mixed(hello(), LEAF).split(b"\r\n\r\n", 1)[1]
    kind = b'multipart/mixed; boundary="BND"'
    others = (b"text/plain", b"text/html", b"application/octet-stream", b"", b"multipart/mixed", b'multipart/mixed; boundary="OTHER"', b"garbage", b"message/rfc822", b"text")
    for other in others:
        for order in ((kind, other), (other, kind), (kind, other, other), (other, other, kind), (kind, other, kind)):
            fields = b"".join(b"Content-Type: " + one + CRLF for one in order)
            yield Case("type-twice", shown(b" | ".join(order)), HEAD + fields + CRLF + body, "first or last")
            yield Case("type-twice", "inner " + shown(b" | ".join(order)), message(fields + CRLF + body, boundary=b"OUT"), "first or last")
    for other in others[:6]:
        fields = b"Content-Type: " + other + CRLF
        for order in (fields + TYPE, TYPE + fields, fields + TYPE + fields):
            yield from both("type-twice", "leaf " + shown(order), leaf(kind=order), "first or last")
    values = (
        b'multipart / mixed; boundary="BND"', b'multipart/ mixed; boundary="BND"', b'multipart /mixed; boundary="BND"', b'Multipart/MIXED; BOUNDARY="BND"',
        b'multipart/mixed boundary="BND"', b'multipart/mixed, boundary="BND"', b'multipart/mixed;; boundary="BND"', b'multipart/mixed; ; boundary="BND"', b'multipart/mixed;boundary=BND',
        b'multipart/mixed;\tboundary=BND', b'multipart/mixed;\r\n\tboundary=BND', b'multipart/mixed\r\n ;boundary=BND', b'multipart/mixed;\x0bboundary=BND', b'multipart/mixed;\x0cboundary=BND',
        b'multipart/mixed; x; boundary=BND', b'multipart/mixed; =y; boundary=BND', b'multipart/mixed; x=; boundary=BND', b'multipart/mixed; x="; boundary=BND', b'multipart/mixed; x=(; boundary=BND',
        b'multipart/mixed; x=y z; boundary=BND', b'multipart/mixed; x="a;b"; boundary=BND', b'multipart/mixed; charset="utf-8"; boundary=BND; x=y', b'multipart/mixed; "x"=y; boundary=BND', b'multipart/mixed; x y=z; boundary=BND',
        b'multipart/(c)mixed; boundary=BND', b'multipart(c)/mixed; boundary=BND', b'(c)multipart/mixed; boundary=BND', b'multipart/mixed(c); boundary=BND', b'multipart/mixed (a(b)); boundary=BND', b'multipart/mixed (a;b="c"); boundary=BND',
        b'multipart/mixed; (c)boundary=BND', b'multipart/mixed; (boundary=X) boundary=BND', b'multipart/mixed; boundary(c)=BND', b'multipart/mixed; boundary=(c)BND', b'multipart/mixed; boundary=BND(c)', b'multipart/mixed; boundary=BND (c)',
        b'multipart/mixed; boundary =BND', b'multipart/mixed; boundary= BND', b'multipart/mixed; boundary\t=\tBND', b'multipart/mixed; boundary\r\n =\r\n BND', b'multipart/mixed; boundary=\r\n "BND"',
        b'"multipart/mixed"; boundary=BND', b"'multipart/mixed'; boundary=BND", b'multipart/"mixed"; boundary=BND', b'<multipart/mixed>; boundary=BND', b'multipart/mixed/x; boundary=BND', b'multipart//mixed; boundary=BND', b'multipart\\/mixed; boundary=BND',
        b'multipart; boundary=BND', b'multipart/; boundary=BND', b'/mixed; boundary=BND', b'mixed; boundary=BND', b'multipart-mixed; boundary=BND', b'multipart mixed; boundary=BND', b'x-multipart/mixed; boundary=BND', b'multipartx/mixed; boundary=BND',
        b'multi\0part/mixed; boundary=BND', b'multipart/mixed\0; boundary=BND', b'\0multipart/mixed; boundary=BND', b'multipart/mixed;\0boundary=BND', b'multipart/mixed; boundary\0=BND', b'multipart/mixed; boundary=\0BND', b'multipart/mixed; boundary=BND\0', b'multipart/mixed; boundary="BND\0X"',
        b'multipart/mixed; boundary=BND;', b'multipart/mixed; boundary="BND";;', b'multipart/mixed; boundary=BND; boundary=', b'multipart/mixed; boundary=; boundary=BND', b'multipart/mixed; boundary; boundary=BND',
        b'text/plain; boundary=BND', b'text/html; boundary="BND"', b'application/octet-stream; boundary=BND', b'*/*; boundary=BND', b'; boundary=BND', b'; multipart/mixed; boundary=BND', b'text/plain, multipart/mixed; boundary=BND', b'multipart/mixed; boundary=BND, text/plain',
        b'text/plain; multipart/mixed; boundary=BND', b'=?utf-8?Q?multipart/mixed?=; boundary=BND', b'\xef\xbb\xbfmultipart/mixed; boundary=BND', b'multipart/mixed\xa0; boundary=BND', b'multipart/mi\r\n xed; boundary=BND', b'multi\r\n part/mixed; boundary=BND', b'multipart/mixed; boun\r\n dary=BND', b'multipart/mixed; boundary="B\r\n ND"', b'multipart/mixed; boundary="B\r\nND"',
        b'Content-Type: multipart/mixed; boundary=BND', b': multipart/mixed; boundary=BND', b'multipart/mixed:boundary=BND', b'multipart/mixed: boundary=BND', b'multipart/mixed; boundary:BND', b'multipart/mixed; boundary: BND', b'multipart/mixed; boundary BND', b'multipart/mixed; boundary==BND', b'multipart/mixed; boundary=="BND"',
        b'multipart/mixed; Boundary="BND"', b'multipart/mixed; xboundary=X; boundary=BND', b'multipart/mixed; x-boundary=X; boundary=BND', b'multipart/mixed; boundaryx=X; boundary=BND', b'multipart/mixed; name="boundary=X"; boundary=BND', b'multipart/mixed; name="; boundary=X"; boundary=BND',
        b'multipart/mixed; boundry=BND', b'multipart/mixed; bondary=BND', b'multipart/mixed; delimiter=BND', b'multipart/mixed', b'multipart/mixed;', b'multipart/mixed; boundary', b'multipart/mixed; boundary=', b'multipart/mixed; boundary=""', b'multipart/mixed; boundary=" "', b'multipart/mixed; "boundary"=BND', b'multipart/mixed; boundary*=BND', b"multipart/mixed; boundary*=''BND", b"multipart/mixed; boundary*=us-ascii'en'BN%44",
    )
    for value in values:
        yield Case("type-value", shown(value), HEAD + b"Content-Type: " + value + CRLF + CRLF + body, "lenient parameters")
        yield Case("type-value", "inner " + shown(value), message(b"Content-Type: " + value + CRLF + CRLF + body, boundary=b"OUT"), "lenient parameters")
    for sub in (b"x-unknown", b"alternative", b"related", b"digest", b"parallel", b"report", b"signed", b"encrypted", b"form-data", b"byteranges", b"appledouble", b"header-set", b"voice-message", b"x-mixed-replace", b"multilingual", b"vnd.bint.med-plus", b"mixed+x", b"1"):
        yield Case("container", shown(sub), HEAD + mixed(hello(), LEAF, kind=b"multipart/" + sub), "every reader")
        if sub == b"digest":
            yield Case("container", "untyped in digest", HEAD + mixed(CRLF + HEAD + LEAF, kind=b"multipart/digest"), "every reader")
        else:
            yield Case("container", "untyped in " + shown(sub), HEAD + mixed(hello(), ENCODING + DISPOSITION + CRLF + BASE64, kind=b"multipart/" + sub), "every reader")
    for kind_field in (b"", b"Content-Type:\r\n", b"Content-Type: \r\n", b"Content-Type: garbage\r\n", b"Content-Type: /\r\n", b"Content-Type: text\r\n", b"Content-Type: application\r\n", b"Content-Type: multipart/mixed\r\n", b"Content-Type: message/rfc822\r\n",
                       b"Content-Type: message/external-body; access-type=local-file; name=x\r\n", b"Content-Type: message/partial\r\n", b"Content-Type: text/calendar\r\n", b"Content-Type: image/png\r\n", b"Content-Type: text/plain; charset=utf-16\r\n", b"Content-Type: multipart\r\n",
                       b"Content-Type: message/delivery-status\r\n", b"Content-Type: text/rfc822-headers\r\n", b"Content-Type: application/pkcs7-mime\r\n", b"Content-Type: application/ms-tnef\r\n", b"Content-Type: application/pgp-encrypted\r\n", b"Content-Type: multipart/mixed; boundary=NOPE\r\n"):
        for disposition in (DISPOSITION, b"Content-Disposition: attachment\r\n", b"Content-Disposition: garbage; filename=proof.exe\r\n", b'Content-Disposition: filename="proof.exe"\r\n'):
            yield from both("type-of-attachment", f"{shown(kind_field)} {shown(disposition)}", leaf(kind=kind_field, disposition=disposition), "by the disposition")


# ---- boundaries ----

def boundary_values():
    """(parameter as it stands, what delimits): by some reader's rule."""
    two = b"; boundary=AAA; boundary=BBB"
    for one in (b"AAA", b"BBB"):
        yield two, one
        yield b'; boundary="AAA";\r\n boundary="BBB"', one
        yield b"; boundary=AAA; boundary*0=BB; boundary*1=B", one
        yield b"; boundary*0=BB; boundary*1=B; boundary=AAA", one
        yield b"; boundary=AAA; boundary*=us-ascii''BBB", one
        yield b"; boundary*=us-ascii''BBB; boundary=AAA", one
        yield b"; boundary*=''AAA; boundary*0=BBB", one
        yield b"; Boundary=AAA; BOUNDARY=BBB", one
        yield b"; boundary=AAA (boundary=x); boundary=BBB", one
        yield b"; boundary=AAA boundary=BBB", one
        yield b"; boundary=AAA, boundary=BBB", one
        yield b'; boundary="AAA" boundary="BBB"', one
    for one in (b"AAA", b"CCC"):
        yield b"; boundary=AAA; boundary=BBB; boundary=CCC", one
    for text, reads in {
        b'"B N D"': (b"B N D", b"BND", b"B"), b"B N D": (b"B", b"B N D"), b'" BND"': (b" BND", b"BND"), b'"BND "': (b"BND", b"BND "), b'"  BND  "': (b"  BND", b"BND"), b"BND ": (b"BND",),
        b'"BND': (b"BND", b'"BND'), b'BND"': (b"BND", b'BND"'), b'"BND"x': (b"BND", b"BNDx"), b'x"BND"': (b'x"BND"', b"xBND", b"x"), b'""BND': (b"BND",), b'"BND""': (b"BND",), b'""BND""': (b"BND",), b"'BND'": (b"'BND'", b"BND"), b"`BND`": (b"`BND`",),
        b'"B\\ND"': (b"BND", b"B\\ND"), b'"B\\\\ND"': (b"B\\ND", b"B\\\\ND"), b'"B\\"ND"': (b'B"ND', b'B\\"ND', b"B"), b"B\\ND": (b"B\\ND", b"BND", b"B"), b'"\\B\\N\\D"': (b"BND",),
        b'"B;ND"': (b"B;ND", b"B"), b"B;ND": (b"B", b"B;ND"), b"B,ND": (b"B,ND", b"B"), b'"B,ND"': (b"B,ND",), b"BND,": (b"BND", b"BND,"), b"B:ND": (b"B:ND",), b"B=ND": (b"B=ND", b"B"), b'"B=ND"': (b"B=ND",), b"B/ND": (b"B/ND",), b"B?ND": (b"B?ND",), b"B@ND": (b"B@ND",), b"[BND]": (b"[BND]",), b"<BND>": (b"<BND>",), b"=BND=": (b"=BND=",), b"{BND}": (b"{BND}",),
        b"BND(c)": (b"BND", b"BND(c)"), b"(c)BND": (b"BND", b"(c)BND"), b"B(c)ND": (b"BND", b"B(c)ND", b"B"), b"BND (c)": (b"BND",), b'"BND(c)"': (b"BND(c)", b"BND"), b'"(c)BND"': (b"(c)BND",), b"BND(": (b"BND", b"BND("), b"(BND": (b"(BND",), b"BND)": (b"BND)", b"BND"), b'BND("x")': (b"BND",), b'"BND" (c)': (b"BND",), b'(c) "BND"': (b"BND",), b"(a(b)c)BND": (b"BND",), b"BND(a(b)c)": (b"BND", b"BND(a(b)c)"), b"(\\))BND": (b"BND",),
        b"=?us-ascii?Q?BND?=": (b"=?us-ascii?Q?BND?=", b"BND"), b'"=?us-ascii?Q?BND?="': (b"=?us-ascii?Q?BND?=", b"BND"), b'"=?utf-8?B?Qk5E?="': (b"=?utf-8?B?Qk5E?=", b"BND"), b'"B=?us-ascii?Q?ND?="': (b"B=?us-ascii?Q?ND?=", b"BND"), b'"=?us-ascii?Q?B?= =?us-ascii?Q?ND?="': (b"BND",), b'"=?us-ascii?Q?BN?=D"': (b"=?us-ascii?Q?BN?=D", b"BND"),
        b'"B\0ND"': (b"BND", b"B", b"B\0ND"), b"B\0ND": (b"BND", b"B"), b'"BND\0"': (b"BND",), b'"\0BND"': (b"BND",), b'"B\tND"': (b"B\tND", b"BND", b"B"), b'"B\x0bND"': (b"B\x0bND", b"BND"), b'"B\x0cND"': (b"B\x0cND",), b'"B\xe9ND"': (b"B\xe9ND",), b"B\xe9ND": (b"B\xe9ND",), b'"\xe2\x80\x8bBND"': (b"\xe2\x80\x8bBND",), b"B\x7fND": (b"B\x7fND",),
        b'"B\r\n ND"': (b"B ND", b"BND", b"B"), b'"B\r\n\tND"': (b"B\tND", b"BND", b"B ND"), b"B\r\n ND": (b"B", b"BND", b"B ND"), b"\r\n BND": (b"BND",), b'\r\n "BND"': (b"BND",), b'"BND\r\n "': (b"BND",), b'"BND"\r\n ': (b"BND",), b'"\r\n BND"': (b"BND",),
        b"B" * 70: (b"B" * 70,), b"B" * 71: (b"B" * 71, b"B" * 70), b"B" * 200: (b"B" * 200, b"B" * 70), b'"' + b"B" * 990 + b'"': (b"B" * 990,), b"b" * 2000: (b"b" * 2000,), b"-": (b"-",), b"--": (b"--",), b"----": (b"----",), b"BND--": (b"BND--",), b"--BND": (b"--BND", ), b'"--BND--"': (b"--BND--",), b"0": (b"0",), b'""': (b"",), b"": (b"",), b'"."': (b".",), b".BND": (b".BND",), b"+": (b"+",), b"_=_": (b"_=_",), b"%42ND": (b"%42ND",), b"&BND": (b"&BND",),
    }.items():
        for one in reads:
            yield b"; boundary=" + text, one
            yield b"; boundary=" + text + b"; charset=x", one
    for text, one in ((b"boundary*0=B; boundary*1=ND", b"BND"), (b"boundary*1=ND; boundary*0=B", b"BND"), (b"boundary*0=B; boundary*2=ND", b"B"), (b"boundary*0=B; boundary*2=ND", b"BND"), (b"boundary*1=BND", b"BND"), (b"boundary*0=BND; boundary*0=X", b"BND"), (b"boundary*0=X; boundary*0=BND", b"BND"), (b"boundary*00=B; boundary*01=ND", b"BND"),
                      (b"boundary*0*=us-ascii''B%4E; boundary*1=D", b"BND"), (b"boundary*0=B; boundary*1*=%4ED", b"BND"), (b"boundary*0*=''BN; boundary*1*=%44", b"BND"), (b"boundary*=utf-8'en'%42ND", b"BND"), (b"boundary*=%42ND", b"BND"), (b"boundary*=BND", b"BND"), (b"boundary*=us-ascii'BND", b"BND"), (b"boundary*=\"us-ascii''BND\"", b"BND"), (b"boundary*0=\"B\"; boundary*1=\"ND\"", b"BND"), (b"boundary*0*=us-ascii''BND; boundary*0=X", b"BND"),
                      (b"boundary*=us-ascii''B%4", b"B%4"), (b"boundary*=us-ascii''B%zzND", b"B%zzND"), (b"boundary*x=BND", b"BND"), (b"boundary*0 = B; boundary*1 = ND", b"BND"), (b"BOUNDARY*0=B; boundary*1=ND", b"BND"), (b"boundary*0=B;\r\n boundary*1=N;\r\n boundary*2=D", b"BND"), (b"boundary*=us-ascii''BND; boundary*=us-ascii''X", b"BND"), (b"boundary*=us-ascii''X; boundary*=us-ascii''BND", b"BND"), (b"boundary*10=D; boundary*9=N; boundary*0=B", b"BND")):
        yield b"; " + text, one


def boundaries():
    for parameter, delimits in boundary_values():
        name = f"{shown(parameter)} as {shown(delimits)}"
        yield Case("boundary", name, message(LEAF, boundary=delimits, parameter=parameter), "a rule of boundary.c")
        yield Case("boundary", "inner " + name, message(mixed(hello(), LEAF, boundary=delimits, parameter=parameter), boundary=b"OUT"), "a rule of boundary.c")
    # Two boundaries that both occur; the file is under one.
    for parameter in (b"; boundary=AAA; boundary=BBB", b"; boundary=BBB; boundary=AAA", b'; boundary="AAA BBB"', b"; boundary=AAA, BBB", b"; boundary=AAA(c); boundary*=''BBB"):
        for under, other in ((b"AAA", b"BBB"), (b"BBB", b"AAA")):
            if parameter.startswith((b'; boundary="AAA B', b"; boundary=AAA,")) and under == b"BBB":
                continue
            for order in (0, 1):
                sets = [mixed(hello(), LEAF, boundary=under).split(b"\r\n\r\n", 1)[1], mixed(hello(), boundary=other).split(b"\r\n\r\n", 1)[1]]
                body = b"".join(sets[::-1] if order else sets)
                yield Case("boundary", f"both, {shown(parameter)} under {shown(under)} {order}", HEAD + b"Content-Type: multipart/mixed" + parameter + CRLF + CRLF + body, "each rule")
    yield Case("boundary", "of the disposition", HEAD + b'Content-Disposition: inline; boundary=BND\r\nContent-Type: multipart/mixed\r\n\r\n' + mixed(hello(), LEAF).split(b"\r\n\r\n", 1)[1], "by the body")
    yield Case("boundary", "parent and child equal", message(mixed(hello(), LEAF)), "innermost")


# ---- delimiter lines ----

def delimiter_lines():
    begin = b"Content-Type: multipart/mixed; boundary=BND\r\n\r\n--BND\r\n" + hello()
    for tail in (b" ", b"\t", b" \t ", b"\0", b"\x0b", b"\x0c", b"\r", b" x", b"x", b"-", b"- ", b";", b" (c)", b"\xa0", b".", b"--x", b"-- x", b" --", b"\r\r", b":", b'"', b"=", b"=20", b"_", b"0", b"\x00x", b"--\0", b"-\r\n", b"\r\n ", b"\r\n\t"):
        for close in (b"--BND--\r\n", b""):
            yield Case("delimiter", f"tail {shown(tail)} {shown(close)}", HEAD + begin + b"--BND" + tail + CRLF + LEAF + close, "text after it is passed over")
        if b"--" not in tail:
            yield Case("delimiter", f"every tail {shown(tail)}", HEAD + begin.replace(b"--BND\r\n", b"--BND" + tail + CRLF) + b"--BND" + tail + CRLF + LEAF + b"--BND--" + tail + CRLF, "text after it is passed over")
        yield Case("delimiter", f"tail of the close {shown(tail)}", HEAD + begin + b"--BND" + CRLF + LEAF + b"--BND--" + tail + CRLF, "every reader")
    for lead in (b" ", b"\t", b"-", b"\0", b".", b">", b"> ", b"x", b"\r", b"\x0c", b"=\r\n", b"\n", b"\xef\xbb\xbf", b"\xa0"):
        yield Case("delimiter", f"lead {shown(lead)}", HEAD + begin + lead + b"--BND\r\n" + LEAF + b"--BND--\r\n", "it need not begin a line")
    for dashes in (b"", b"---", b"----"):
        yield Case("delimiter", f"dashes {shown(dashes)}", HEAD + begin + dashes + b"BND\r\n" + LEAF + b"--BND--\r\n", "it need not have two dashes")
        yield Case("delimiter", f"dashes everywhere {shown(dashes)}", HEAD + begin.replace(b"--BND", dashes + b"BND") + dashes + b"BND\r\n" + LEAF + dashes + b"BND--\r\n", "by the body")
    for line_end in (b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\r\n", b"\r\n\n", b"\n\n", b"\r\r", b"\x0b\n", b" \r\n \r\n"):
        yield Case("delimiter", f"ended by {shown(line_end)}", HEAD + begin + b"--BND" + line_end + LEAF + b"--BND--\r\n", "lines end in other ways")
        yield Case("delimiter", f"after {shown(line_end)}", HEAD + begin[:-2] + line_end + b"--BND" + CRLF + LEAF + b"--BND--\r\n", "lines end in other ways")
        yield Case("delimiter", f"close after {shown(line_end)}", HEAD + begin + b"--BND\r\n" + LEAF[:-2] + line_end + b"--BND--" + line_end, "lines end in other ways")
    for form in (b"--bnd", b"--Bnd", b"--BNd"):
        yield Case("delimiter", f"case {shown(form)}", HEAD + begin.replace(b"--BND", form) + form + CRLF + LEAF + form + b"--\r\n", "by the body")
    for end in (b"", b"--BND", b"--BND-", b"--BND-\r\n", b"--BN\r\n", b"--BNDX--\r\n", b"--\r\n", b"\r\n", b"--BND--", b"--BND --\r\n", b"--BND\r\n", b"--BND\r\n--BND--\r\n", b"BND--\r\n", b"-----BND--\r\n"):
        yield Case("delimiter", f"end {shown(end)}", HEAD + begin + b"--BND\r\n" + LEAF + end, "every reader")
        yield Case("delimiter", f"end {shown(end)}, no break", HEAD + begin + b"--BND\r\n" + LEAF[:-2] + CRLF + end, "every reader")
    for body in (b"--BND--\r\n", b"--BND--\r\n--BND--\r\n", b"\r\n--BND--\r\n\r\n"):
        yield Case("delimiter", f"close before {shown(body)}", HEAD + b"Content-Type: multipart/mixed; boundary=BND\r\n\r\n" + body + b"--BND\r\n" + LEAF + b"--BND--\r\n", "what follows a close counts")
    yield Case("delimiter", "after close", HEAD + begin + b"--BND--\r\n--BND\r\n" + LEAF + b"--BND--\r\n", "what follows a close counts")
    yield Case("delimiter", "after close, text between", HEAD + begin + b"--BND--\r\ntext\r\n--BND\r\n" + LEAF + b"--BND--\r\n", "what follows a close counts")
    yield Case("delimiter", "after close, no delimiter", HEAD + begin + b"--BND--\r\n" + LEAF, "what follows a close counts")
    yield Case("delimiter", "after close, blank lines", HEAD + begin + b"--BND--\r\n\r\n\r\n" + LEAF, "what follows a close counts")
    yield Case("delimiter", "close with no dashes then part", HEAD + begin + b"--BND--x\r\n" + LEAF + b"--BND--\r\n", "text after it is passed over")
    # The preamble.
    head = HEAD + b"Content-Type: multipart/mixed; boundary=BND\r\n\r\n"
    uu = uuencoded()
    for before in (LEAF, CRLF + LEAF, b"text\r\n" + LEAF):
        yield Case("preamble", shown(before[:20]), head + before + b"--BND\r\n" + hello() + b"--BND--\r\n", "the preamble is a part")
        yield Case("preamble", "no other " + shown(before[:20]), head + before + b"--BND--\r\n", "the preamble is a part")
        if not before.startswith(b"text"):
            yield Case("preamble", "no delimiter " + shown(before[:20]), head + before, "the preamble is a part")
    yield Case("preamble", "uuencode", head + uu + b"--BND\r\n" + hello() + b"--BND--\r\n", "the preamble is a text")
    yield Case("epilogue", "uuencode", head + b"--BND\r\n" + hello() + b"--BND--\r\n" + uu, "the epilogue is a text")
    # Nesting.
    inner = mixed(hello(), LEAF, boundary=b"INN", close=False)
    yield Case("nesting", "inner not closed", message(inner), "every reader")
    yield Case("nesting", "inner not closed, outer neither", message(inner, close=False), "every reader")
    for a, b in ((b"BND", b"BND2"), (b"BND2", b"BND"), (b"BND", b"BND"), (b"BND", b"bnd"), (b"BND", b"BND--"), (b"BND", b"BND "), (b"--BND", b"BND"), (b"b", b"bb"), (b"bb", b"b"), (b"BND", b"BND=")):
        for close in (True, False):
            yield Case("nesting", f"outer {shown(a)} inner {shown(b)} {close}", message(mixed(hello(), LEAF, boundary=b, close=close), hello(), boundary=a), "innermost or outermost")
            yield Case("nesting", f"outer {shown(a)} inner {shown(b)} {close}, file in the outer", message(mixed(hello(), boundary=b, close=close), LEAF, boundary=a), "innermost or outermost")
    yield Case("nesting", "inner goes on", message(mixed(hello(), boundary=b"INN", close=False)) + b"--INN\r\n" + LEAF + b"--INN--\r\n", "the inner one goes on")
    yield Case("nesting", "inner goes on, outer closed twice", message(mixed(hello(), boundary=b"INN", close=False)) + b"--INN\r\n" + LEAF + b"--INN--\r\n--BND--\r\n", "the inner one goes on")
    yield Case("nesting", "inner of outer's parameter", message(b"Content-Type: multipart/mixed\r\n\r\n--BND\r\n" + LEAF), "no boundary of its own")
    yield Case("nesting", "inner without a boundary", message(b"Content-Type: multipart/mixed\r\n\r\n--INN\r\n" + LEAF + b"--INN--\r\n"), "by the body")
    yield Case("nesting", "inner without a boundary, alternative", message(b"Content-Type: multipart/alternative;\r\n\r\n--INN\r\n" + hello() + b"--INN\r\n" + LEAF + b"--INN--\r\n"), "by the body")
    yield Case("nesting", "outer delimiter in inner's place", message(b"Content-Type: multipart/mixed; boundary=INN\r\n\r\n--BND\r\n" + LEAF), "every reader")
    yield Case("nesting", "inner deleted", message(b"Content-Type: multipart/mixed; boundary=INN\r\n\r\n", LEAF), "every reader")
    yield Case("nesting", "inner headless", message(b"Content-Type: multipart/mixed; boundary=INN\r\n\r\n" + LEAF), "the preamble is a part")
    for depth in (3, 30, 120, 200):
        deep = LEAF
        for level in range(depth):
            deep = mixed(hello(), deep, boundary=b"D%d." % level) if level % 2 else b"Content-Type: message/rfc822\r\n\r\n" + HEAD + deep
        yield Case("nesting", f"{depth} deep", message(deep), "Thunderbird, Python")


# ---- header and body, lines ----

def separators():
    forms = {b"".join(form) for length in (1, 2, 3, 4) for form in itertools.product((b"\r", b"\n"), repeat=length)}
    forms |= {b"\r\n \r\n", b"\r\n\t\r\n", b"\r\n \t \r\n", b"\r\n\0\r\n", b"\r\n\x0b\r\n", b"\r\n\x0c\r\n", b"\r\n:\r\n", b"\r\n-\r\n", b"\r\n\r \n", b"\r\n \n", b"\n \n", b"\r \r", b"\r\nx\r\n\r\n", b"\r\ntext without a colon\r\n\r\n", b"\r\n\r\n\r\n", b"\r\n\r\n\r\n\r\n", b"\r\n\r\n \r\n", b"\r\n \r\n\r\n", b"\r\n\x00\r\n\r\n",
              b"\r\n\r\r\n", b"\r\r\n\r\r\n", b"\r\n.\r\n", b" \r\n\r\n", b"\r\n=\r\n", b"\r\n\r\n=\r\n"}
    for separator in sorted(forms):
        for real, body in ((b"base64", BASE64), (b"quoted-printable", QUOTED)):
            if separator in (b"\n", b"\r", b"\r\n", b"\r\n=\r\n", b"\r\n-\r\n", b"\r\n.\r\n", b"\r\nx\r\n", b"\r\n:\r\n") and real != b"base64":
                continue
            accept = [PAYLOAD]
            # What more there is of line breaks stands before the content for some readers.
            for more in (b"\n", b"\r\n", b"\r", b"\r\r", b"\n\n", b"\r\n\r\n", b"\r\r\n", b"\n\r\n", b"\r\n\n", b"\r\n ", b" \r\n"):
                accept.append(more + PAYLOAD)
            head = TYPE + DISPOSITION + b"Content-Transfer-Encoding: " + real
            yield from both("separator", f"{shown(separator)} {shown(real)}", head + separator + body, "lines end in other ways", accept=accept)
        multipart = mixed(hello(), LEAF).split(b"\r\n\r\n", 1)
        yield Case("separator", f"{shown(separator)} multipart", HEAD + multipart[0] + separator + multipart[1], "lines end in other ways")
    for line in (b"no colon here\r\n", b"From x@y Thu Jan  1 00:00:00 1970\r\n", b">From x\r\n", b":empty\r\n", b": \r\n", b"\0\r\n", b"X\0Y\r\n", b"X Y: z\r\n", b"X\r\n", b"\xe9\xe9: x\r\n", b"\xef\xbb\xbfX: y\r\n", b" folded first\r\n", b"\tfolded first\r\n", b"--\r\n", b"=\r\n", b"(c)\r\n", b"X-Long: " + b"x" * 70000 + CRLF, b"X-No-Blank:x\r\n", b"X: y\r\n \r\n", b"X: y\r\n\t\r\n", b"X: y\r\n  z\r\n", b"\x0b\r\n", b"\x0c\r\n", b"\r\r\n", b"\xa0\r\n", b"X: \rY: z\r\n", b"X: \nY: z\r\n", b"- x: y\r\n", b"<x>\r\n", b"\x1a\r\n", b"Content: x\r\n", b"Content-\r\n", b"Content-Type\r\n", b"content type: text/plain\r\n", b"http://x.example/ y\r\n"):
        fields = (TYPE, ENCODING, DISPOSITION)
        for at in range(4):
            yield from both("header-line", f"{shown(line)} at {at}", b"".join(fields[:at]) + line + b"".join(fields[at:]) + CRLF + BASE64, "garbage is passed over or folds")
        multipart = mixed(hello(), LEAF)
        yield Case("header-line", f"{shown(line)} before a multipart", HEAD + line + multipart, "garbage is passed over or folds")
        yield Case("header-line", f"{shown(line)} first", line + HEAD + multipart, "garbage is passed over or folds")
        kind, rest = multipart.split(CRLF, 1)
        yield Case("header-line", f"{shown(line)} after a multipart's type", HEAD + kind + CRLF + line + rest, "garbage is passed over or folds")
    for first in (b"\r\n", b"\n", b" \r\n", b"\r\n\r\n", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"From x Thu Jan  1 00:00:00 1970\r\n", b"\r", b"220 hello\r\n", b"* 1 FETCH\r\n"):
        yield Case("first-line", shown(first), first + HEAD + mixed(hello(), LEAF), "what stands before is passed over")
        if first != b"\0":
            yield Case("first-line", "of a part " + shown(first), message(first + LEAF), "what stands before is passed over")
    for blank in (b" ", b"\t", b"  \t", b"\x0b", b"\x0c"):
        for at in range(3):
            fields = [TYPE, ENCODING, DISPOSITION]
            fields[at] = blank + fields[at]
            yield from both("header-line", f"{shown(blank)} before field {at}", b"".join(fields) + CRLF + BASE64, "fields may be indented")
    for order in itertools.permutations((TYPE, ENCODING, DISPOSITION)):
        for at in (0, 1, 2):
            yield from both("header-line", f"fields after an empty line {at} {shown(order[0][8:12])}", b"".join(order[:at]) + CRLF + b"".join(order[at:]) + CRLF + BASE64, "the header goes on")


def line_ends():
    whole = message(LEAF)
    for name, end in (("LF", b"\n"), ("CR", b"\r"), ("CR CR LF", b"\r\r\n"), ("LF CR", b"\n\r")):
        yield Case("line-end", name, whole.replace(CRLF, end), "lines end in other ways")
        head, body = whole.split(b"\r\n\r\n", 1)
        yield Case("line-end", name + " in the body", head + b"\r\n\r\n" + body.replace(CRLF, end), "lines end in other ways")
        yield Case("line-end", name + " in the head", head.replace(CRLF, end) + end + end + body, "lines end in other ways")
        yield Case("line-end", name + " in the head, separator not", head.replace(CRLF, end) + b"\r\n\r\n" + body, "lines end in other ways")
        yield Case("line-end", name + " in base64", whole.replace(BASE64, BASE64.replace(CRLF, end)), "lines end in other ways")
        part = LEAF.split(b"\r\n\r\n", 1)
        yield Case("line-end", name + " in the part's head", message(part[0].replace(CRLF, end) + end + end + part[1]), "lines end in other ways")
        yield Case("line-end", name + " about delimiters", whole.replace(CRLF + b"--BND", end + b"--BND").replace(b"--BND\r\n", b"--BND" + end), "lines end in other ways")
        alone = HEAD + LEAF
        yield Case("line-end", name + " alone", alone.replace(CRLF, end), "lines end in other ways")
    for stray in (b" ", b"\0", b"\t"):
        yield Case("line-end", f"{shown(stray)} in CR LF", message(LEAF).replace(b"\r\n\r\n" + BASE64[:8], b"\r\n\r" + stray + b"\n" + BASE64[:8]), "lines end in other ways")


# ---- base64 and quoted-printable ----

def chunks(data, size):
    return [data[at:at + size] for at in range(0, len(data), size)]


def base64_bodies():
    plain = base64.b64encode(PAYLOAD)
    for width in (1, 2, 3, 4, 5, 6, 7, 13, 61, 63, 75, 76, 77, 78, 100, 998, 5000):
        yield f"width {width}", CRLF.join(chunks(plain, width)) + CRLF
    for junk in (b".", b"#", b"_", b"*", b"-", b"!", b"\x01", b"\x7f", b"\0", b"\xff", b"\\", b" ", b"\t", b"\r", b"\n", b"\x0b", b"\x0c", b"\xa0", b"%", b"&", b"?", b"\xe2\x80\x8b", b":", b"(", b")", b"<>", b"\r\r\n", b"\n\r", b","):
        for every in (1, 2, 3, 4, 5, 20):
            yield f"{shown(junk)} each {every}", junk.join(chunks(plain, every)) + CRLF
        yield f"{shown(junk)} at a line's begin", CRLF.join(junk + line for line in chunks(plain, 40)) + CRLF
        yield f"{shown(junk)} at a line's end", CRLF.join(line + junk for line in chunks(plain, 40)) + CRLF
        yield f"{shown(junk)} first", junk + BASE64
        yield f"{shown(junk)} in a line of its own", BASE64.replace(CRLF, CRLF + junk + CRLF)
        yield f"{shown(junk)} last", BASE64 + junk
    stripped = plain.rstrip(b"=")
    for end in (b"", b"=", b"==", b"===", b"====", b"=\r\n=", b"= =", b"=\r\n==", b"\r\n=", b" =", b"=A", b"=AAAA", b"=\r\n\r\ntext after it", b"=-- \r\nsignature", b"=\r\n--\r\n", b"=.", b"=\0", b"=3D", b"=20", b"A", b"AA=", b"=\r\nAAAA===="):
        yield f"end {shown(end)}", stripped + end + CRLF
    for size in (1, 2, 4, 5, 7, 10, 19, 30, 57, 58):
        for join in (b"", CRLF, b" ", b"\r\n\r\n"):
            yield f"streams of {size} by {shown(join)}", join.join(base64.b64encode(one) for one in chunks(PAYLOAD, size)) + CRLF
    yield "a pad at each line's end", b"=\r\n".join(chunks(plain, 76)) + CRLF
    yield "a pad at each line's end of 40", b"=\r\n".join(chunks(plain, 40)) + CRLF
    yield "two pads at each line's end", b"==\r\n".join(chunks(plain, 76)) + CRLF
    yield "pad first", b"=" + BASE64
    yield "pads first", b"====" + BASE64
    yield "empty stream first", b"AAAA====\r\n" + BASE64
    yield "pad within a four", plain[:10] + b"=" + plain[10:] + CRLF
    yield "pad after a four", plain[:12] + b"=" + plain[12:] + CRLF
    yield "pads after a four", plain[:12] + b"==" + plain[12:] + CRLF
    yield "URL-safe", base64.urlsafe_b64encode(PAYLOAD) + CRLF
    yield "URL-safe in lines", CRLF.join(chunks(base64.urlsafe_b64encode(PAYLOAD).rstrip(b"="), 76)) + CRLF
    for before in (b"-----BEGIN FILE-----\r\n", b"begin-base64 644 proof.exe\r\n", b"This is base64:\r\n", b"Content-Type: text/plain\r\n\r\n", b"\r\n\r\n\r\n", b" \r\n", b"(comment)\r\n", b"#\r\n", b"> "):
        yield f"before it {shown(before)}", before + BASE64
    yield "armour", b"-----BEGIN FILE-----\r\n" + BASE64 + b"-----END FILE-----\r\n"
    yield "quoted", b"".join(b"> " + line + CRLF for line in chunks(plain, 60))
    yield "dots doubled", b"".join(b"." + line + CRLF for line in chunks(plain, 60))
    yield "dots first", b"".join(b"..." + line + CRLF for line in chunks(plain, 60))
    yield "in quoted-printable too", quopri.encodestring(base64.encodebytes(PAYLOAD)).replace(b"\n", CRLF)
    yield "soft breaks", b"=\r\n".join(chunks(plain, 60)) + CRLF
    yield "twice", base64.encodebytes(base64.encodebytes(PAYLOAD)).replace(b"\n", CRLF)
    yield "twice, no breaks", base64.b64encode(plain) + CRLF
    yield "truncated", plain[:-4] + plain[-4:-1].rstrip(b"=") + CRLF
    yield "bits left", stripped[:-1] + bytes((stripped[-1] + 1,)) + b"=" + CRLF
    yield "wide", CRLF.join(b"".join(bytes((c, 0)) for c in line) for line in chunks(plain, 30)) + CRLF
    yield "empty lines", b"\r\n\r\n".join(chunks(plain, 60)) + b"\r\n\r\n"
    yield "a line of text with a dot", CRLF.join((plain[:60], b"a text.", plain[60:])) + CRLF
    yield "a field", CRLF.join((plain[:60], b"X-Header: value", plain[60:])) + CRLF


def quoted_bodies():
    lines = QUOTED.replace(b"=\r\n", b"").rstrip()
    atoms = []
    at = 0
    while at < len(lines):
        size = 3 if lines[at] == 61 else 1
        atoms.append(lines[at:at + size])
        at += size
    full = [b"=%02X" % byte for byte in PAYLOAD]
    for name, items in (("", atoms), ("all, ", full)):
        for soft in (b"=\r\n", b"=\n", b"=\r", b"=\r\r\n", b"=\r\n\n", b"=\n\r", b"= \r\n", b"=\t\r\n", b"=  \t\r\n", b"= \n", b"=\0\r\n", b"==\r\n", b"= =\r\n", b"=\r\n=\r\n", b"=\x0c\r\n", b"=\r \n"):
            yield f"{name}soft break {shown(soft)}", soft.join(b"".join(items[i:i + 20]) for i in range(0, len(items), 20)) + CRLF
        yield f"{name}no soft breaks", b"".join(items) + CRLF
        yield f"{name}lower case", b"".join(items).replace(b"=\r\n", b"") .lower() + CRLF if name else b"".join(i.lower() if i[:1] == b"=" else i for i in items) + CRLF
        for end in (b"", b"=", b"=\r\n", b"=\r\n\r\n", b" ", b"\t\r\n", b"= ", b"=\r\n=", b"=\r\n=\r\n"):
            yield f"{name}end {shown(end)}", b"".join(items) + end
    for between in (b" ", b"\t", b"  ", b"\0"):
        yield f"{shown(between)} within an octet", b"".join(b"=" + between + item[1:] if len(item) == 3 else item for item in atoms) + CRLF
    yield "raw octets", PAYLOAD.replace(b"=", b"=3D") + CRLF
    yield "raw octets that are no control", b"".join(bytes((c,)) if c > 127 else b"=%02X" % c for c in PAYLOAD) + CRLF
    yield "each on its line", b"=\r\n".join(full) + b"=\r\n"
    yield "indented", b"=\r\n    ".join(b"".join(full[i:i + 20]) for i in range(0, len(full), 20)) + CRLF
    yield "indented by a tab", b"=\r\n\t".join(b"".join(full[i:i + 20]) for i in range(0, len(full), 20)) + CRLF
    yield "hard breaks", b"\r\n".join(b"".join(full[i:i + 20]) for i in range(0, len(full), 20)) + CRLF
    yield "split octet", b"".join(atoms[:5]) + b"=\r\n".join((b"", b"".join(atoms[5:]))) + CRLF


def bodies():
    for name, body in base64_bodies():
        # What characters that are too many stand for is shown as well.
        accept = [PAYLOAD] + [PAYLOAD + b"\0"] * ("end A" in name or "bits left" in name) + [b"\0\0\0" + PAYLOAD] * ("empty" in name)
        yield Case("base64", name, message(leaf(body=body)), "lenient decoders", accept=accept)
        yield Case("base64", name + " (alone)", HEAD + leaf(body=body), "lenient decoders", accept=accept)
    for name, body in quoted_bodies():
        field = b"Content-Transfer-Encoding: quoted-printable\r\n"
        yield Case("quoted", name, message(leaf(field, body)), "lenient decoders")
        yield Case("quoted", name + " (alone)", HEAD + leaf(field, body), "lenient decoders")
    for tail in (b"=4", b"=", b"=G1", b"=@", b"==", b"=ZZ"):
        yield Case("quoted", f"bad at the end {shown(tail)}", message(leaf(b"Content-Transfer-Encoding: quoted-printable\r\n", QUOTED.rstrip() + tail + CRLF)), "it stays as it is, or goes",
                   accept=(PAYLOAD, PAYLOAD + tail, PAYLOAD + tail[:-1], PAYLOAD + tail[1:]))


# ---- uuencode, yEnc, BinHex, TNEF ----

def uuencoded(name=NAME, mode=b"644", grave=False, end=b"`\r\nend\r\n", begin=b"begin ", trim=False, data=PAYLOAD):
    out = begin + mode + b" " + name + CRLF
    for piece in chunks(data, 45):
        line = binascii.b2a_uu(piece, backtick=grave)[:-1]
        out += (line.rstrip() if trim else line) + CRLF
    return out + end


def yenc(data=PAYLOAD, name=NAME, line=128, head=b"", part=b"", crc=True, size=None):
    def escaped():
        for byte in data:
            byte = (byte + 42) & 255
            yield b"=%c" % ((byte + 64) & 255) if byte in (0, 10, 13, 61) else bytes((byte,))
    out = b"=ybegin " + head + b"line=%d size=%d name=" % (line, size or len(data)) + name + CRLF + part
    row = b""
    for one in escaped():
        row += one
        if len(row) >= line:
            out, row = out + row + CRLF, b""
    return out + row + CRLF * bool(row) + b"=yend size=%d" % len(data) + (b" crc32=%08x" % zlib.crc32(data) if crc else b"") + CRLF


BINHEX = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"


def binhex(data=PAYLOAD, name=NAME, resource=b"", width=64, runs=True):
    def checksum(piece):
        return struct.pack(">H", binascii.crc_hqx(piece, 0))
    head = bytes((len(name),)) + name + b"\0" + b"????" + b"????" + b"\0\0" + struct.pack(">II", len(data), len(resource))
    raw = head + checksum(head) + data + checksum(data) + resource + checksum(resource)
    packed = b""
    at = 0
    while at < len(raw):
        count = 1
        while runs and at + count < len(raw) and raw[at + count] == raw[at] and count < 255:
            count += 1
        if count > 3 and raw[at] != 0x90:
            packed += raw[at:at + 1] + b"\x90" + bytes((count,))
        else:
            count = 1
            packed += raw[at:at + 1] + (b"\0" if raw[at] == 0x90 else b"")
        at += count
    bits = "".join(f"{byte:08b}" for byte in packed)
    bits += "0" * (-len(bits) % 6)
    text = b":" + bytes(BINHEX[int(bits[i:i + 6], 2)] for i in range(0, len(bits), 6)) + b":"
    return b"(This file must be converted with BinHex 4.0)\r\n\r\n" + CRLF.join(chunks(text, width)) + CRLF


def tnef(*files, extra=b"", unicode_names=False):
    """A winmail.dat; files: (name, bytes), in the order of MS-OXTNEF."""
    def attribute(level, ident, value):
        return bytes((level,)) + struct.pack("<II", ident, len(value)) + value + struct.pack("<H", sum(value) & 0xffff)
    out = struct.pack("<IH", 0x223e9f78, 1) + attribute(1, 0x00089006, struct.pack("<I", 0x10000)) + attribute(1, 0x00069007, struct.pack("<II", 1252, 0)) + extra
    for name, data in files:
        out += attribute(2, 0x00069002, b"\1\0\0\0\0\0\0\0\0\0\0\0\0\0")
        if unicode_names:
            wide = name.decode().encode("utf-16-le") + b"\0\0"
            padded = wide + b"\0" * (-len(wide) % 4)
            out += attribute(2, 0x0006800f, data)
            out += attribute(2, 0x00069005, struct.pack("<I", 1) + struct.pack("<HH", 0x001f, 0x3707) + struct.pack("<II", 1, len(wide)) + padded)
        else:
            out += attribute(2, 0x00018010, name + b"\0") + attribute(2, 0x0006800f, data)
    return out


def tnef_property(data, ident=0x3701, kind=0x0102):
    """A winmail.dat with the data as a MAPI property (PR_ATTACH_DATA_BIN) of the attachment."""
    def attribute(level, tag, value):
        return bytes((level,)) + struct.pack("<II", tag, len(value)) + value + struct.pack("<H", sum(value) & 0xffff)
    padded = data + b"\0" * (-len(data) % 4)
    props = struct.pack("<I", 1) + struct.pack("<HH", kind, ident) + struct.pack("<II", 1, len(data)) + padded
    return struct.pack("<IH", 0x223e9f78, 1) + attribute(1, 0x00089006, struct.pack("<I", 0x10000)) + attribute(2, 0x00069002, b"\1\0\0\0\0\0\0\0\0\0\0\0\0\0") + attribute(2, 0x00018010, NAME + b"\0") + attribute(2, 0x00069005, props)


def text_carriers(family, name, block, reader, **options):
    """A block in a text: by itself, among text, in HTML, encoded, as a file."""
    yield Case(family, name + " alone", HEAD + CRLF + block, reader, **options)
    yield Case(family, name + " in text", HEAD + b"Content-Type: text/plain\r\n\r\nHello\r\n\r\n" + block + b"\r\nBye\r\n", reader, **options)
    yield Case(family, name + " in a part", message(b"Content-Type: text/plain; charset=utf-8\r\n\r\nHello\r\n" + block), reader, **options)
    yield Case(family, name + " in html", HEAD + b"Content-Type: text/html\r\n\r\n<p>Hello\r\n<pre>\r\n" + block + b"</pre>\r\n", reader, **options)
    yield Case(family, name + " in quoted-printable", HEAD + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
               quopri.encodestring((b"Hello\r\n" + block).replace(CRLF, b"\n"), quotetabs=True).replace(b"\n", CRLF), reader, **options)
    yield Case(family, name + " in base64", HEAD + b"Content-Type: text/plain\r\n" + ENCODING + CRLF + base64.encodebytes(b"Hello\r\n" + block).replace(b"\n", CRLF), reader, **options)
    yield Case(family, name + " as a file", message(b"Content-Type: text/plain; name=a.txt\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\n" + block), reader, **options)
    yield Case(family, name + " as a file of octets", message(b"Content-Type: application/octet-stream; name=a\r\n\r\n" + block), reader, **options)
    yield Case(family, name + " as a file in base64", message(b"Content-Type: application/octet-stream; name=a.txt\r\n" + ENCODING + CRLF + base64.encodebytes(block).replace(b"\n", CRLF)), reader, **options)


def embedded():
    forms = {"plain": uuencoded(), "grave": uuencoded(grave=True), "trimmed": uuencoded(trim=True), "no end": uuencoded(end=b""), "mode 0644": uuencoded(mode=b"0644"), "mode 100644": uuencoded(mode=b"100644"), "mode 600": uuencoded(mode=b"600"), "two blanks": uuencoded(begin=b"begin  "), "name with blanks": uuencoded(name=b"a proof.exe"), "8-bit name": uuencoded(name=b"pr\xe9.exe"), "blank end": uuencoded(end=b" \r\nend\r\n"), "end only": uuencoded(end=b"end\r\n"), "LF": uuencoded().replace(CRLF, b"\n"), "quoted name": uuencoded(name=b'"proof.exe"'),
             "two files": uuencoded(name=b"a.txt", data=b"first") + CRLF + uuencoded(), "size line": uuencoded(end=b"`\r\nend\r\nsize 83\r\n"), "section lines": b"section 1 of 1 of file proof.exe < uuencode >\r\n\r\n" + uuencoded(), "trailing blanks": uuencoded(begin=b"begin ", name=b"proof.exe  "), "check characters": b"".join(line + b"A" * (line[:1] == b"M") + CRLF for line in uuencoded().split(CRLF)[:-1])}
    for name, block in forms.items():
        if name in ("LF", "check characters"):
            yield Case("uuencode", name, HEAD + CRLF + block, "lenient decoders")
            continue
        yield from text_carriers("uuencode", name, block, "Thunderbird, Outlook: uuencode in a text", lines=False)
    yield from text_carriers("uuencode", "no mode", uuencoded().replace(b"begin 644 ", b"begin  "), "Outlook", lines=False)
    lines = uuencoded().split(CRLF)[:-1]
    lenient = {"empty lines": b"".join(line + CRLF + CRLF for line in lines), "empty line after begin": uuencoded().replace(CRLF, CRLF + CRLF, 1), "blank at line ends": b"".join(line + b" \r\n" for line in lines), "blanks at line ends": b"".join(line + b"  \r\n" for line in lines), "tab at line ends": b"".join(line + b"\t\r\n" for line in lines),
               "odd check characters": b"".join(line + b"z" * (line[:1] == b"M") + CRLF for line in lines), "line of words": CRLF.join(lines[:2] + [b"this is a text of somebody"] + lines[2:]) + CRLF, "begin in capitals": uuencoded(begin=b"BEGIN "), "end in capitals": uuencoded(end=b"`\r\nEND\r\n"), "tabs after begin": uuencoded(begin=b"begin\t", mode=b"644\t")}
    for name, block in lenient.items():
        yield from text_carriers("uuencode", name, block, "MIME-tools, ripMIME, UUDeview", lines=False)
    for value in (b"uuencode", b"x-uuencode", b"x-uue", b"uue", b"UUENCODE", b"x-UUENCODE", b'"uuencode"', b"uuencode;", b"x-uuencoded", b"uuencoded", b"uu"):
        for name in ("plain", "grave", "no end", "trimmed", "name with blanks"):
            yield from both("uuencode", f"encoding {shown(value)} {name}", leaf(b"Content-Transfer-Encoding: " + value + CRLF, forms[name]), "Thunderbird, Outlook")
        yield from both("uuencode", f"encoding {shown(value)} text before", leaf(b"Content-Transfer-Encoding: " + value + CRLF, b"Hello\r\n\r\n" + forms["plain"]), "Thunderbird, Outlook")
    base = b"begin-base64 644 proof.exe\r\n" + BASE64 + b"====\r\n"
    yield from text_carriers("uuencode", "base64", base, "uudecode", lines=False)
    yield from text_carriers("uuencode", "base64 without an end", base[:-6], "uudecode", lines=False)
    half = len(PAYLOAD) // 2
    yforms = {"plain": yenc(), "line 40": yenc(line=40), "no crc": yenc(crc=False), "name with blanks": yenc(name=b"a proof.exe"), "total": yenc(head=b"part=1 total=1 ", part=b"=ypart begin=1 end=%d\r\n" % len(PAYLOAD)), "dots": yenc(line=64),
              "two files": yenc(b"first", b"a.txt") + yenc(), "no end": yenc().split(b"=yend")[0],
              "two parts": yenc(PAYLOAD[:half], head=b"part=1 total=2 ", part=b"=ypart begin=1 end=%d\r\n" % half, size=len(PAYLOAD)) + CRLF + yenc(PAYLOAD[half:], head=b"part=2 total=2 ", part=b"=ypart begin=%d end=%d\r\n" % (half + 1, len(PAYLOAD)), size=len(PAYLOAD))}
    for name, block in yforms.items():
        yield from (case for case in text_carriers("yenc", name, block, "Thunderbird, news readers", lines=False))
    open_yenc = b"=ybegin line=128 size=5 name=x\r\nabc\r\n\r\n"
    binhex_line = binhex().split(CRLF)[0] + CRLF
    hiding = {"behind open yEnc": open_yenc + uuencoded(), "in ended yEnc": open_yenc + uuencoded() + b"=yend size=5\r\n", "behind BinHex's line and a colon": binhex_line + b"\r\n:\r\nhello\r\n" + uuencoded(), "yEnc behind open yEnc": open_yenc + yenc(), "base64 behind open yEnc": open_yenc + base,
              "CR behind words": b"Hello\r" + uuencoded().replace(CRLF, b"\r"), "CR behind a begin of none": b"begin 644 a.txt\rnothing of the kind, words only\r" + uuencoded().replace(CRLF, b"\r"), "yEnc with CR": b"Hello\r" + yenc().replace(CRLF, b"\r"),
              "CR in yEnc's first line": yenc(name=NAME + b"\rabc"), "begin in yEnc's first line": yenc(name=b"a\rbegin 644 " + NAME)}
    for name, block in hiding.items():
        yield from text_carriers("hidden", name, block, "UUDeview, ripMIME", lines=False)
    for name, line in {"begin in yEnc": b"begin 644 x", "BinHex's line in yEnc": binhex_line.rstrip()}.items():
        data = PAYLOAD + bytes((byte - 42) & 255 for byte in line) + PAYLOAD
        block = yenc(PAYLOAD, size=len(data)).split(b"=yend")[0]
        block += line + CRLF + yenc(PAYLOAD).split(CRLF, 1)[1].split(b"=yend")[0]
        yield from text_carriers("hidden", name, block, "readers that go by the size", accept=(data,), lines=False)
    for value in (b"x-yenc", b"yenc", b"x-yencode", b"x-yencoded", b"binary", b"8bit"):
        yield from both("yenc", f"encoding {shown(value)}", leaf(b"Content-Transfer-Encoding: " + value + CRLF, yforms["plain"]), "Thunderbird", lines=False)
    hforms = {"plain": binhex(), "no runs": binhex(runs=False), "resource": binhex(resource=b"resource fork"), "width 40": binhex(width=40), "one line": binhex(width=9999), "other words": binhex().replace(b"BinHex 4.0)", b"BinHex  4.0)"), "version": binhex().replace(b"4.0)", b"3.0)"), "no blank line": binhex().replace(b")\r\n\r\n", b")\r\n"), "noise before": b"some words\r\n\r\n" + binhex(),
              "blanks at ends": binhex().replace(CRLF, b" \r\n"), "runs": None}
    for name, block in hforms.items():
        if name == "runs":
            data = PAYLOAD + b"\x90\x90" + b"A" * 300 + b"\x90" * 20
            yield from text_carriers("binhex", name, binhex(data), "Apple Mail, Thunderbird", accept=(data,), lines=False)
        else:
            yield from text_carriers("binhex", name, block, "Apple Mail, Thunderbird", lines=False)
            yield from both("binhex", "typed, " + name, b"Content-Type: application/mac-binhex40; name=proof.hqx\r\n\r\n" + block, "Apple Mail, Thunderbird", lines=False)
            yield from both("binhex", "typed, base64, " + name, b"Content-Type: application/mac-binhex40; name=proof.hqx\r\n" + ENCODING + CRLF + base64.encodebytes(block).replace(b"\n", CRLF), "Apple Mail, Thunderbird", lines=False)
            yield from both("binhex", "encoding, " + name, leaf(b"Content-Transfer-Encoding: x-binhex40\r\n", block), "Apple Mail", lines=False)
    tforms = {"one": tnef((NAME, PAYLOAD)), "two": tnef((b"a.txt", b"first"), (NAME, PAYLOAD)), "wide name": tnef((NAME, PAYLOAD), unicode_names=True), "property": tnef_property(PAYLOAD), "nested": tnef((b"winmail.dat", tnef((NAME, PAYLOAD)))), "body before": tnef((NAME, PAYLOAD), extra=b"\1" + struct.pack("<II", 0x0002800c, 5) + b"hello" + struct.pack("<H", sum(b"hello"))),
              "message": tnef((b"a.eml", HEAD + mixed(hello(), LEAF))), "trailing": tnef((NAME, PAYLOAD)) + b"\0" * 7,
              "object": tnef_property(b"\x07\x03\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46" + tnef((NAME, PAYLOAD)), 0x3701, 0x000d)}
    for name, data in tforms.items():
        body = base64.encodebytes(data).replace(b"\n", CRLF)
        for head in (b"Content-Type: application/ms-tnef; name=winmail.dat\r\n", b"Content-Type: application/octet-stream; name=winmail.dat\r\n", b"Content-Type: application/vnd.ms-tnef\r\n", b"Content-Type: application/octet-stream; name=x.bin\r\n", b"Content-Type: application/MS-TNEF\r\n", b"Content-Type: application/x-other\r\nContent-Disposition: attachment; filename=WINMAIL.DAT\r\n", b"Content-Type: text/plain; name=winmail.dat\r\n"):
            yield from both("tnef", f"{name} {shown(head)}", head + ENCODING + CRLF + body, "Outlook", lines=False)
        yield from both("tnef", f"{name} quoted-printable", b"Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=\r\n".join(b"".join(b"=%02X" % c for c in piece) for piece in chunks(data, 20)) + CRLF, "Outlook", lines=False)


# ---- what S/MIME signs: RFC 5652, with an encoding of BER or with names of types in odd places ----

DATA_OID, SIGNED_OID, SHA256_OID = (bytes.fromhex(text) for text in ("06092a864886f70d010701", "06092a864886f70d010702", "0609608648016503040201"))


def der(tag, value, indefinite=False):
    if indefinite:
        return bytes([tag, 0x80]) + value + b"\0\0"
    size = len(value)
    return bytes([tag]) + (bytes([size]) if size < 128 else b"\x82" + struct.pack(">H", size)) + value


def signed_data(octets, kind=DATA_OID, algorithms=b"", indefinite=False, oid=SIGNED_OID):
    def put(tag, value):
        return der(tag, value, indefinite)
    return put(0x30, oid + put(0xa0, put(0x30, der(2, b"\1") + put(0x31, algorithms + put(0x30, SHA256_OID)) + put(0x30, kind + put(0xa0, octets)) + der(0x31, b""))))


def signed():
    inner = LEAF
    halves = der(4, inner[:40]), der(4, inner[40:])
    nested = [b"".join(halves)]
    for depth in range(6):
        nested.append(der(0x24, nested[-1], depth % 2))
    decoy = der(0x30, DATA_OID + der(0xa0, der(4, b"Content-Type: text/plain\r\n\r\nHello\r\n")))
    forms = {f"octets {depth} deep": signed_data(octets, indefinite=depth % 2) for depth, octets in enumerate(nested) if depth}
    forms.update({"one string": signed_data(der(4, inner)), "indefinite": signed_data(der(0x24, b"".join(halves), True), indefinite=True), "nested apart": signed_data(der(0x24, halves[0] + der(0x24, der(0x24, b"") + halves[1], True))),
                  "indefinite in definite": signed_data(der(0x24, der(0x24, halves[0], True) + halves[1])), "indefinite in definite twice": signed_data(der(0x24, der(0x24, der(0x24, halves[0], True)) + halves[1])),
                  "pieces of other kinds": signed_data(der(0x24, b"\x0c" + halves[0][1:] + b"\x80" + halves[1][1:])), "length with zeros": signed_data(b"\x04\x88" + struct.pack(">Q", len(inner)) + inner), "other type": signed_data(der(4, inner), bytes.fromhex("06032a0304")),
                  "type's length in two bytes": signed_data(der(4, inner), b"\x06\x81" + DATA_OID[1:], oid=b"\x06\x81" + SIGNED_OID[1:]),
                  "algorithm of data": signed_data(der(4, inner), algorithms=der(0x30, DATA_OID)), "parameter of data": signed_data(der(4, inner), algorithms=der(0x30, SHA256_OID + DATA_OID)), "content in a parameter": signed_data(der(4, inner), algorithms=der(0x30, SHA256_OID + decoy)),
                  "content in a parameter, indefinite": signed_data(der(4, inner), algorithms=der(0x30, SHA256_OID + decoy, True), indefinite=True)})
    for name, data in forms.items():
        body = ENCODING + CRLF + base64.encodebytes(data).replace(b"\n", CRLF)
        yield from both("signed", name, b"Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\n" + body, "OpenSSL", lines=False)


# ---- character sets, pasted and partial messages, links ----

def charsets():
    uu = b"Hello\r\n" + uuencoded()
    for charset, codec in (("utf-16", "utf-16"), ("utf-16le", "utf-16-le"), ("utf-16be", "utf-16-be"), ("UTF-16", "utf-16-be"), ("utf-32", "utf-32"), ("utf-32le", "utf-32-le"), ("utf-32be", "utf-32-be"), ("utf-7", "utf-7"), ("unicode-1-1-utf-7", "utf-7"), ("UTF7", "utf-7"), ("utf-16; x=y", "utf-16-le"), ("ucs-2", "utf-16-be"), ("iso-10646-ucs-2", "utf-16-be")):
        for kind in ("text/plain", "text/html"):
            text = uu.decode("latin-1")
            if kind == "text/html":
                text = "<pre>\r\n" + text + "</pre>"
            field = f"Content-Type: {kind}; charset={charset}\r\n".encode()
            yield from both("charset", f"{charset} {kind}", field + ENCODING + CRLF + base64.encodebytes(text.encode(codec)).replace(b"\n", CRLF), "shown as a text with a file", lines=False)
            if "7" in charset:
                yield from both("charset", f"{charset} {kind} 7bit", field + CRLF + text.encode(codec), "shown as a text with a file", lines=False)
    link = '<a href="data:application/octet-stream;base64,' + base64.b64encode(PAYLOAD).decode() + '">x</a>\r\n'
    for charset, codec in (("utf-16", "utf-16"), ("utf-16le", "utf-16-le"), ("utf-16be", "utf-16-be"), ("utf-7", "utf-7"), ("utf-32", "utf-32"), ("utf-8", "utf-8-sig"), ("us-ascii", "utf-16")):
        yield from both("charset", f"link in {charset}", f"Content-Type: text/html; charset={charset}\r\n".encode() + ENCODING + CRLF + base64.encodebytes(link.encode(codec)).replace(b"\n", CRLF), "Outlook, browsers", lines=False)
    body = mixed(hello(), LEAF).split(b"\r\n\r\n", 1)[1].decode("latin-1")
    for codec in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"):
        field = b"Content-Type: multipart/mixed; boundary=BND\r\n"
        yield from both("charset", f"multipart in {codec}", field + CRLF + body.encode(codec), "converted before it is split")
        yield from both("charset", f"multipart in {codec} and base64", field + ENCODING + CRLF + base64.encodebytes(body.encode(codec)).replace(b"\n", CRLF), "converted before it is split")


def messages_inside():
    inner = HEAD + mixed(hello(), LEAF)
    for before in (b"", b"From x@y Thu Jan  1 00:00:00 1970\r\n", b">From x@y Thu Jan  1 00:00:00 1970\r\n", CRLF, b"\r\n\r\n", b" \r\n", b"\xef\xbb\xbf", b"\n", b"Return-Path: <x>\r\n"):
        yield Case("inside", f"rfc822 begins {shown(before)}", message(b"Content-Type: message/rfc822\r\n\r\n" + before + inner), "every reader")
        yield Case("inside", f"rfc822 alone begins {shown(before)}", HEAD + b"Content-Type: message/rfc822\r\n\r\n" + before + inner, "every reader")
    for kind, name in ((b"application/octet-stream", b"a.eml"), (b"application/octet-stream", b"A.EML"), (b"text/plain", b"a.eml"), (b"message/x-unknown", b"a.eml"), (b"application/x-mimearchive", b"a.mht"), (b"multipart/related", b"a.mht"), (b"application/octet-stream", b"a.mhtml"), (b"application/eml", b"x"), (b"text/x-eml", b"x.eml"), (b"application/rfc822", b"x"), (b"application/octet-stream", b"a.msg"), (b"application/octet-stream", b"a.txt"), (b"application/octet-stream", b"a.nws"), (b"application/mbox", b"a.mbox")):
        for encoding in (b"base64", b"quoted-printable", b"8bit"):
            content = b"From x@y Thu Jan  1 00:00:00 1970\r\n" + inner if name == b"a.mbox" else inner
            body = base64.encodebytes(content).replace(b"\n", CRLF) if encoding == b"base64" else quopri.encodestring(content.replace(CRLF, b"\n")).replace(b"\n", CRLF) if encoding == b"quoted-printable" else content
            yield Case("inside", f"{shown(kind)} {shown(name)} {shown(encoding)}", message(b"Content-Type: " + kind + b"; name=" + name + b"\r\nContent-Transfer-Encoding: " + encoding + CRLF + CRLF + body), "opened by a click")
    for marker in (b"-----Original Message-----\r\n", b"---------- Forwarded message ---------\r\n", b"Hello\r\n\r\n", b"", b"Begin forwarded message:\r\n\r\n"):
        yield Case("inside", f"pasted after {shown(marker)}", HEAD + b"Content-Type: text/plain\r\n\r\n" + marker + inner, "mail programs that open a source")
        yield Case("inside", f"pasted alone after {shown(marker)}", HEAD + b"Content-Type: text/plain\r\n\r\n" + marker + HEAD + LEAF, "mail programs that open a source")
    yield Case("inside", "bounce of old", HEAD + b"Content-Type: text/plain\r\n\r\nUndelivered.\r\n\r\n--- Below this line is a copy of the message.\r\n\r\nReturn-Path: <a@example.org>\r\nReceived: by x; now\r\n" + inner, "bounces")
    whole = HEAD + mixed(hello(), LEAF)
    half = len(whole) // 2
    for number, total, piece in ((1, 1, whole), (1, b"", whole)):
        total_field = b"; total=%d" % total if total else b""
        for identity in (b'"a@b"', b"a"):
            field = b"Content-Type: message/partial; id=" + identity + b"; number=%d" % number + total_field + CRLF
            yield from both("partial", f"{number} of {total} {shown(identity)}", field + CRLF + piece, "complete by itself")
            yield from both("partial", f"{number} of {total} {shown(identity)} 8bit", field + b"Content-Transfer-Encoding: 8bit\r\n" + CRLF + piece, "complete by itself")
    yield from both("partial", "no parameters", b"Content-Type: message/partial\r\n\r\n" + whole, "complete by itself")
    yield from both("external", "with the content", b"Content-Type: message/external-body; access-type=local-file; name=x\r\n\r\n" + LEAF, "phantom body")
    for kind in (b"message/delivery-status", b"message/disposition-notification", b"message/feedback-report", b"message/http", b"message/s-http", b"message/sip", b"message/tracking-status", b"message/global-headers", b"message/x-emlx", b"message/anything"):
        yield from both("inside", "a file typed " + shown(kind), leaf(kind=b"Content-Type: " + kind + CRLF), "by the disposition")


def calendars():
    code = base64.b64encode(PAYLOAD)
    for head in (b"ATTACH;VALUE=BINARY;ENCODING=BASE64;X-FILENAME=proof.exe:", b"attach;fmttype=application/octet-stream;encoding=b;value=binary:", b'ATTACH;FILENAME="a:b;c.exe";ENCODING=BASE64;VALUE=BINARY:'):
        for fold in (b"", b"\r\n ", b"\r\n\t"):
            text = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\n" + head + (fold.join(chunks(code, 60)) if fold else code) + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
            for kind in (b"text/calendar; method=REQUEST; charset=utf-8", b"application/ics; name=invite.ics", b"application/octet-stream; name=a.ICS"):
                name = f"{shown(head)} {shown(fold)} {shown(kind)}"
                yield from both("calendar", name, b"Content-Type: " + kind + CRLF + CRLF + text, "Thunderbird, Apple Calendar", lines=False)
                yield from both("calendar", name + " in base64", b"Content-Type: " + kind + CRLF + ENCODING + CRLF + base64.encodebytes(text).replace(b"\n", CRLF), "Thunderbird, Apple Calendar", lines=False)


def links():
    code = base64.b64encode(PAYLOAD).decode()
    percent = "".join(f"%{byte:02x}" for byte in PAYLOAD)
    forms = (f'<a href="data:application/octet-stream;base64,{code}">x</a>', f"<a href='data:application/octet-stream;base64,{code}'>x</a>", f"<a href=data:application/octet-stream;base64,{code}>x</a>", f'<A HREF="DATA:application/octet-stream;BASE64,{code}">x</A>', f'<a href = "data:;base64,{code}">x</a>', f'<a href="data:application/zip;charset=utf-8;base64,{code}">x</a>', f'<a href="data:application/octet-stream,{percent}">x</a>', f'<a href=" data:application/octet-stream;base64,{code}">x</a>', f'<a\r\nhref="data:application/octet-stream;base64,\r\n{code[:40]}\r\n{code[40:]}">x</a>',
             f'<a download="proof.exe" href="data:application/octet-stream;base64,{code}">x</a>', f'<iframe src="data:application/octet-stream;base64,{code}"></iframe>', f'<embed src="data:application/x-msdownload;base64,{code}">', f'<object data="data:application/octet-stream;base64,{code}"></object>', f'<a href="data:application/octet-stream;base64,{code.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")}">x</a>', f'<a href="&#100;ata:application/octet-stream;base64,{code}">x</a>', f'<a href="data&colon;application/octet-stream;base64,{code}">x</a>', f'<a href="data&#58;application/octet-stream;base64,{code}">x</a>', f'<a href="da\tta:application/octet-stream;base64,{code}">x</a>', f'<a href="data:application/octet-stream ; base64,{code}">x</a>', f'<a href="data:application/octet-stream;name=proof.exe;base64,{code}">x</a>', f'<form action="data:application/octet-stream;base64,{code}">', f'<meta http-equiv="refresh" content="0; url=data:application/octet-stream;base64,{code}">',
             f'<img src="data:image/png;base64,{code}"><a href="data:application/octet-stream;base64,{code}">x</a>', f'<a href="data:application/octet-stream;base64,{code.rstrip("=")}">x</a>', f'<area href="data:application/octet-stream;base64,{code}">', f'<svg><a xlink:href="data:application/octet-stream;base64,{code}">x</a></svg>')
    for form in forms:
        html = ("<html><body>\r\n" + form + "\r\n</body></html>\r\n").encode()
        field = b"Content-Type: text/html; charset=utf-8\r\n"
        yield Case("link", shown(form.replace(code, "…").replace(percent, "…").encode()), HEAD + field + CRLF + html, "browsers", lines=False)
        yield Case("link", "encoded " + shown(form.replace(code, "…").replace(percent, "…").encode()), message(field + ENCODING + CRLF + base64.encodebytes(html).replace(b"\n", CRLF)), "browsers", lines=False)
    yield Case("link", "in a file", message(b"Content-Type: text/html; name=a.html\r\nContent-Disposition: attachment; filename=a.html\r\n" + ENCODING + CRLF + base64.encodebytes(forms[0].encode()).replace(b"\n", CRLF)), "browsers", lines=False)
    yield Case("link", "in a file of octets", message(b"Content-Type: application/octet-stream; name=a.htm\r\n" + ENCODING + CRLF + base64.encodebytes(forms[0].encode()).replace(b"\n", CRLF)), "browsers", lines=False)


FAMILIES = (encodings_twice, encoding_values, encoding_names, encoding_lies, types, boundaries, delimiter_lines, separators, line_ends, bodies, embedded, signed, charsets, messages_inside, calendars, links)


def cases():
    for family in FAMILIES:
        yield from family()


# ---- several oddities at once ----

def quoted_with(soft):
    octets = [b"=%02X" % byte for byte in PAYLOAD]
    return soft.join(b"".join(octets[i:i + 20]) for i in range(0, len(octets), 20)) + CRLF


PLAIN_BASE64 = base64.b64encode(PAYLOAD)
QUOTED_FIELD = b"Content-Transfer-Encoding: quoted-printable\r\n"

# Leaves: name -> header and body.
ODD_LEAVES = {
    "encoding twice, last": leaf(b"Content-Transfer-Encoding: 7bit\r\n" + ENCODING),
    "encoding twice, first": leaf(ENCODING + QUOTED_FIELD),
    "encoding twice, quoted-printable last": leaf(ENCODING + QUOTED_FIELD, QUOTED),
    "encoding unknown": leaf(b"Content-Transfer-Encoding: x-foo\r\n"),
    "encoding with a comment": leaf(b"Content-Transfer-Encoding: (c) base64 (d)\r\n"),
    "encoding folded": leaf(b"Content-Transfer-Encoding: bas\r\n e64\r\n"),
    "encoding quoted": leaf(b'Content-Transfer-Encoding: "quoted-printable"\r\n', QUOTED),
    "encoding none": leaf(b""),
    "encoding's name with a blank": leaf(b"Content-Transfer-Encoding : base64\r\n"),
    "encoding's name with a NUL": leaf(b"Content-Transfer-Encoding\0: base64\r\n"),
    "encoding's name folded": leaf(b"Content-Transfer-Encoding\r\n : quoted-printable\r\n", QUOTED),
    "encoding after a garbage line": leaf(b"garbage\r\n" + QUOTED_FIELD, QUOTED),
    "encoding after a bare CR": leaf(b"X: y\r" + QUOTED_FIELD, QUOTED),
    "encoding after an empty line": TYPE + DISPOSITION + CRLF + QUOTED_FIELD + CRLF + QUOTED,
    "encoding indented": leaf(b" " + QUOTED_FIELD, QUOTED),
    "separator of blanks": TYPE + DISPOSITION + QUOTED_FIELD + b" \r\n" + QUOTED,
    "type twice, multipart first": leaf(kind=b"Content-Type: multipart/mixed; boundary=NOPE\r\n" + TYPE),
    "type twice, multipart last": leaf(kind=TYPE + b"Content-Type: multipart/mixed; boundary=NOPE\r\n"),
    "type of no use": leaf(kind=b"Content-Type: garbage\r\n"),
    "base64 with dots": leaf(body=b".".join(chunks(PLAIN_BASE64, 4)) + CRLF),
    "base64 in streams": leaf(body=CRLF.join(base64.b64encode(one) for one in chunks(PAYLOAD, 10)) + CRLF),
    "base64 padded at each line": leaf(body=b"=\r\n".join(chunks(PLAIN_BASE64, 40)) + CRLF),
    "base64 in armour": leaf(body=b"-----BEGIN FILE-----\r\n" + BASE64 + b"-----END FILE-----\r\n"),
    "base64 twice": leaf(body=base64.encodebytes(base64.encodebytes(PAYLOAD)).replace(b"\n", CRLF)),
    "quoted-printable with bare CR": leaf(QUOTED_FIELD, quoted_with(b"=\r")),
    "quoted-printable with blanks": leaf(QUOTED_FIELD, quoted_with(b"= \t\r\n")),
    "quoted-printable with = =": leaf(QUOTED_FIELD, quoted_with(b"= =\r\n")),
    "uuencode in a text": hello() + uuencoded(),
    "uuencode by a name": leaf(b"Content-Transfer-Encoding: uue\r\n", uuencoded()),
    "yEnc in a text": hello() + yenc(),
    "TNEF": b"Content-Type: application/ms-tnef\r\n" + ENCODING + CRLF + base64.encodebytes(tnef((NAME, PAYLOAD))).replace(b"\n", CRLF),
    "message in base64": b"Content-Type: message/rfc822\r\n" + ENCODING + CRLF + base64.encodebytes(HEAD + LEAF).replace(b"\n", CRLF),
    "message in a file": b"Content-Type: application/octet-stream; name=a.eml\r\n" + ENCODING + CRLF + base64.encodebytes(HEAD + LEAF).replace(b"\n", CRLF),
}


def mixed_body(content, boundary=b"BND", close=True):
    return mixed(hello(), content, boundary=boundary, close=close).split(b"\r\n\r\n", 1)[1]


def typed(fields, body):
    return fields + CRLF + body


MIXED = b"Content-Type: multipart/mixed; boundary=BND\r\n"

# Multiparts around a content: name -> function.
ODD_MULTIPARTS = {
    "type twice, last": lambda content: typed(b"Content-Type: text/plain\r\n" + MIXED, mixed_body(content)),
    "type twice, first": lambda content: typed(MIXED + b"Content-Type: text/plain\r\n", mixed_body(content)),
    "boundary twice, last": lambda content: typed(b"Content-Type: multipart/mixed; boundary=AAA; boundary=BND\r\n", mixed_body(content)),
    "boundary twice, both there": lambda content: typed(b"Content-Type: multipart/mixed; boundary=AAA; boundary=BND\r\n", mixed_body(hello(), b"AAA") + mixed_body(content)),
    "boundary with a comment": lambda content: typed(b"Content-Type: multipart/mixed; boundary=BND(c)\r\n", mixed_body(content, b"BND(c)")),
    "boundary encoded": lambda content: typed(b'Content-Type: multipart/mixed; boundary="=?us-ascii?Q?BND?="\r\n', mixed_body(content)),
    "boundary misspelt": lambda content: typed(b"Content-Type: multipart/mixed; boundry=BND\r\n", mixed_body(content)),
    "boundary with a NUL": lambda content: typed(b'Content-Type: multipart/mixed; boundary="B\0ND"\r\n', mixed_body(content)),
    "boundary folded": lambda content: typed(b'Content-Type: multipart/mixed; boundary="B\r\n ND"\r\n', mixed_body(content)),
    "boundary in pieces": lambda content: typed(b"Content-Type: multipart/mixed; boundary*1=D; boundary*0=BN\r\n", mixed_body(content)),
    "not closed": lambda content: typed(MIXED, mixed_body(content, close=False)),
    "text after the delimiter": lambda content: typed(MIXED, mixed_body(content).replace(b"--BND\r\n", b"--BND text\r\n")),
    "delimiter in a line": lambda content: typed(MIXED, mixed_body(content).replace(b"Hello.\r\n--BND", b"Hello. --BND")),
    "delimiter without dashes": lambda content: typed(MIXED, mixed_body(content).replace(b"Hello.\r\n--BND", b"Hello.\r\nBND")),
    "delimiter after a bare CR": lambda content: typed(MIXED, mixed_body(content).replace(b"Hello.\r\n--BND", b"Hello.\r--BND")),
    "in the preamble": lambda content: typed(MIXED, content + CRLF * (not content.endswith(CRLF)) + mixed_body(hello())),
    "in the epilogue": lambda content: typed(MIXED, mixed_body(hello()) + b"--BND\r\n" + content + CRLF * (not content.endswith(CRLF)) + b"--BND--\r\n"),
    "in base64": lambda content: typed(MIXED + ENCODING, base64.encodebytes(mixed_body(content)).replace(b"\n", CRLF)),
    "called base64": lambda content: typed(MIXED + ENCODING, mixed_body(content)),
    "not called multipart": lambda content: typed(b"Content-Type: text/plain; boundary=BND\r\n", mixed_body(content)),
    "type without a semicolon": lambda content: typed(b"Content-Type: multipart/mixed boundary=BND\r\n", mixed_body(content)),
    "type's name with a NUL": lambda content: typed(MIXED.replace(b"Type:", b"Type\0:"), mixed_body(content)),
    "type after a garbage line": lambda content: typed(b"garbage\r\n" + MIXED, mixed_body(content)),
    "type after an empty line": lambda content: typed(b"X-A: b\r\n\r\n" + MIXED, mixed_body(content)),
    "type indented": lambda content: typed(b"X-A: b\r\n " + MIXED, mixed_body(content)),
    "type after a bare CR": lambda content: typed(b"X-A: b\r" + MIXED, mixed_body(content)),
    "inner one goes on": lambda content: mixed(mixed(hello(), boundary=b"INN", close=False), boundary=b"OUT") + b"--INN\r\n" + content + b"\r\n--INN--\r\n",
    "of one boundary in another": lambda content: mixed(mixed(hello(), content)),
}

# What is around all: name -> function.
ODD_MESSAGES = {
    "BOM": lambda content: b"\xef\xbb\xbf" + HEAD + content,
    "mbox": lambda content: b"From x Thu Jan  1 00:00:00 1970\r\n" + HEAD + content,
    "LF": lambda content: (HEAD + content).replace(CRLF, b"\n"),
    "CR": lambda content: (HEAD + content).replace(CRLF, b"\r"),
    "LF CR": lambda content: (HEAD + content).replace(CRLF, b"\n\r"),
    "garbage line": lambda content: HEAD + b"garbage\r\n" + content,
    "blank line": lambda content: HEAD + b" \r\n" + content,
    "8-bit name": lambda content: HEAD + b"X-\xe9: y\r\n" + content,
    "message": lambda content: message(b"Content-Type: message/rfc822\r\n\r\n" + HEAD + content, boundary=b"TOP"),
    "message in base64": lambda content: message(b"Content-Type: message/rfc822\r\n" + ENCODING + CRLF + base64.encodebytes(HEAD + content).replace(b"\n", CRLF), boundary=b"TOP"),
    "file of a message": lambda content: message(b"Content-Type: application/octet-stream; name=a.eml\r\n" + ENCODING + CRLF + base64.encodebytes(HEAD + content).replace(b"\n", CRLF), boundary=b"TOP"),
    "partial": lambda content: HEAD + b"Content-Type: message/partial; number=1; total=1; id=a\r\n\r\n" + HEAD + content,
}

def is_sensible(*names):
    """Whether one reader can do all of it: not where lines end as the others' do not."""
    ends = {"LF", "CR", "LF CR"} & set(names)
    return not ends or not any("bare CR" in name or "folded" in name or "indented" in name for name in set(names) - ends)


def nested(inner, around):
    """A multipart in another one, each odd in its way; None where one reader cannot do both."""
    if inner in ("in base64", "boundary in pieces") or inner.split(" ")[0] == around.split(" ")[0] or {"delimiter in a line", "delimiter without dashes", "delimiter after a bare CR"} >= {inner, around}:
        return None
    content = ODD_MULTIPARTS[inner](LEAF)
    for name in (b"BND", b"AAA", b"OUT", b"INN"):
        content = content.replace(name, b"I" + name[:2])
    return ODD_MULTIPARTS[around](content)


def combined(nests=None, triples=None):
    """Pairs of oddities, of multiparts in multiparts so many, and so many triples; None: all of them."""
    def some(items, count, seed):
        items = list(items)
        return items if count is None else random.Random(seed).sample(items, count)
    for leaf_name, name in itertools.product(ODD_LEAVES, ODD_MULTIPARTS):
        yield Case("pair", f"{leaf_name} + {name}", HEAD + ODD_MULTIPARTS[name](ODD_LEAVES[leaf_name]), "both at once")
    for leaf_name, name in itertools.product(ODD_LEAVES, ODD_MESSAGES):
        if is_sensible(leaf_name, name):
            yield Case("pair", f"{leaf_name} + {name}", ODD_MESSAGES[name](mixed(hello(), ODD_LEAVES[leaf_name])), "both at once")
    for inner, name in itertools.product(ODD_MULTIPARTS, ODD_MESSAGES):
        if is_sensible(inner, name):
            yield Case("pair", f"{inner} + {name}", ODD_MESSAGES[name](ODD_MULTIPARTS[inner](LEAF)), "both at once")
    for inner, around in some(itertools.product(ODD_MULTIPARTS, repeat=2), nests, 7):
        content = nested(inner, around)
        if content:
            yield Case("pair", f"{inner} in {around}", HEAD + content, "both at once")
    for a, b, c in some(itertools.product(ODD_LEAVES, ODD_MULTIPARTS, ODD_MESSAGES), triples, 5):
        if is_sensible(a, c) and is_sensible(b, c):
            yield Case("triple", f"{a} + {b} + {c}", ODD_MESSAGES[c](ODD_MULTIPARTS[b](ODD_LEAVES[a])), "all at once")
