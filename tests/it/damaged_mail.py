# SPDX-License-Identifier: BSD-2-Clause
"""Messages with one body and one attachment, damaged at random.

damaged() yields such with damage in one place, damaged_alike() with the same in each delimiter or
in each line of a content; for a seed always the same ones.  The damage is of the kinds that
transports and attackers make: bytes left out, put in, replaced or repeated, lines left
out, moved or ended otherwise, the message cut off.
"""
import base64
import binascii
import collections
import quopri
import random

CRLF = b"\r\n"
HEAD = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: s\r\nMIME-Version: 1.0\r\n"
BOUNDARIES = (b"BND", b"b1_abc", b"----=_Part_12_34.56", b"_000_ABCexchange_", b"0__=A'+:x", b"with blank", b"--x", b"a" * 70)
KINDS = (b"mixed", b"mixed", b"mixed", b"alternative", b"related", b"report", b"x-foo")
TYPES = (b"application/octet-stream", b"application/pdf; name=proof.pdf", b"text/csv", b"image/png; name=\"proof.png\"", b"application/zip;\r\n\tname=proof.zip")
DISPOSITIONS = (b"Content-Disposition: attachment; filename=proof.exe\r\n", b"Content-Disposition: attachment\r\n", b"",
                b"Content-Disposition: attachment;\r\n filename=\"proof.exe\"\r\n")
# What is put into a place: syntax of mail, and what stands beside it.
TOKENS = (b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\r\n ", b"\r\n\t", b"\r\n \r\n", b" ", b"\t", b"\0", b"\x0b", b"\x80", b"\xff", b"\xa0", b"=", b"==", b"=\r\n", b"=3D",
          b"-", b"--", b"--BND\r\n", b"\r\n--BND\r\n", b"\r\n--BND--\r\n", b";", b":", b"::", b",", b"/", b"\\", b"\"", b"'", b"\\\"", b"(", b")", b"(c)", b"(a(b)c)", b"<", b">", b"[",
          b"@", b"#", b"%", b"*", b"*0*", b"x", b"x-", b"A", b"base64", b"7bit", b"=?utf-8?Q?x?=", b"?=", b"X: y\r\n", b"\r\nX: y", b"From x\r\n", b".", b"..\r\n", b"&", b"!", b"~", b"`", b"begin 644 x\r\n", b"end\r\n",
          b"\r\nContent-Transfer-Encoding: 7bit", b"\r\nContent-Transfer-Encoding: base64", b"\r\nContent-Transfer-Encoding: quoted-printable", b"\r\nContent-Type: text/plain",
          b"Content-Type: text/html\r\n", b"boundary=BND", b"; boundary=BND")
ENDS = (b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\r", b" \r\n", b"\t\r\n", b"=\r\n", b"\r\n\r\n", b"\x0b\r\n", b"\0\r\n", b"")


# payload: of the attachment.  nested: it is in a message in another one, with a body of its own.
Mail = collections.namedtuple("Mail", "message payload nested")
Damaged = collections.namedtuple("Damaged", "damage message payload nested")


def uuencoded(content):
    lines = [binascii.b2a_uu(content[at:at + 45]).rstrip(b"\n") for at in range(0, len(content), 45)]
    return b"begin 644 proof.exe\r\n" + CRLF.join(lines) + b"\r\n`\r\nend\r\n"


def word(chance):
    return bytes(chance.choices(b"etaoinshrdlucmfwypvbgkqjxz", range(26, 0, -1), k=chance.randrange(1, 10)))


def text(chance):
    return b"".join(b"%d %s = %s\r\n" % (i, chance.randbytes(6).hex().encode(), b" ".join(word(chance) for _ in range(chance.randrange(18))))
                    for i in range(chance.randrange(2, 8)))


def binary(chance):
    """Bytes without a break, which quoted-printable might leave as it is."""
    return chance.randbytes(chance.randrange(20, 400)).replace(b"\r", b"").replace(b"\n", b"")


def attachment(chance):
    """A content that nothing else has, and its part."""
    encoding = chance.choice((b"base64", b"base64", b"base64", b"quoted-printable", b"quoted-printable", b"x-uuencode", b"7bit"))
    content = binary(chance) if encoding != b"7bit" and chance.random() < 0.7 else text(chance)
    if encoding == b"base64":
        body = base64.encodebytes(content).replace(b"\n", CRLF)
    elif encoding == b"quoted-printable":
        body = quopri.encodestring(content.replace(CRLF, b"\n")).replace(b"\n", CRLF)
        body += b"" if body.endswith(CRLF) else CRLF
    else:
        body = content if encoding == b"7bit" else uuencoded(content)
    fields = [b"Content-Type: " + chance.choice(TYPES) + CRLF, b"Content-Transfer-Encoding: " + encoding + CRLF, chance.choice(DISPOSITIONS)]
    if chance.random() < 0.3:
        fields.append(b"Content-ID: <a@b>\r\n")
    chance.shuffle(fields)
    return content, b"".join(fields) + CRLF + body


def multipart(chance, part):
    boundary = chance.choice(BOUNDARIES)
    fold = chance.choice((b" ", b"\r\n\t", b" charset=utf-8; "))
    text = chance.choice((b"", b"Content-Type: text/plain\r\n", b"Content-Type: text/html; charset=utf-8\r\n")) + \
        b"\r\nHello.\r\n" + chance.choice((b"", b"\r\n", b"Second line.\r\n"))
    return b"".join((b"Content-Type: multipart/", chance.choice(KINDS), b";", fold, b'boundary="', boundary, b'"\r\n\r\n',
                     chance.choice((b"", b"", b"This is a multi-part message in MIME format.\r\n")),
                     b"--", boundary, CRLF, text, b"--", boundary, CRLF, part, b"--", boundary, b"--\r\n",
                     chance.choice((b"", b"", b"\r\n", b"bye\r\n"))))


def enclosed(chance, content):
    """A message below another one, in base64 or as it is."""
    if chance.random() < 0.5:
        part = b"Content-Type: message/rfc822\r\n\r\n" + HEAD + content
    else:
        part = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + \
            base64.encodebytes(HEAD + content).replace(b"\n", CRLF)
    return b"Content-Type: multipart/mixed; boundary=TOP\r\n\r\n--TOP\r\n\r\nOuter.\r\n--TOP\r\n" + part + b"\r\n--TOP--\r\n"


def whole(chance):
    """A Mail as programs write it: a text and a file, sometimes a level deeper, or the file alone."""
    payload, part = attachment(chance)
    kind = chance.random()
    if kind < 0.1:
        return Mail(HEAD + part, payload, False)
    content = multipart(chance, part)
    if kind < 0.2:
        return Mail(HEAD + enclosed(chance, content), payload, True)
    return Mail(HEAD + content, payload, False)


def shown(value):
    return repr(value if len(value) < 64 else value[:61] + b"...")[1:]


def damage(chance, mail):
    """Returns what was done to a message, and what became of it."""
    lines = [line + CRLF for line in mail.split(CRLF)[:-1]]
    # Content has many lines, and syntax few: both are hit alike.
    syntax = [i for i, line in enumerate(lines) if b":" in line[:40] or line.startswith((b"--", b" ", b"\t", b"begin", b"end", b"`")) or line == CRLF]
    at = chance.choice(syntax) if chance.random() < 0.7 else chance.randrange(len(lines))
    line = lines[at]
    how = chance.choice(("del", "ins", "ins", "ins", "rep", "cut", "dup", "copy", "move", "end", "case", "truncated", "space"))
    place = chance.randrange(len(line))
    if how == "del":
        stop = place + chance.choice((1, 1, 2, 3))
        name, lines[at] = f"del {line[place:stop]} in {shown(line)}", line[:place] + line[stop:]
    elif how == "ins":
        token = chance.choice(TOKENS)
        name, lines[at] = f"ins {token} in {shown(line)} at {place}", line[:place] + token + line[place:]
    elif how == "rep":
        token = chance.choice(TOKENS)
        name, lines[at] = f"rep {line[place:place + 1]} by {token} in {shown(line)} at {place}", line[:place] + token + line[place + 1:]
    elif how == "cut":
        name, lines[at] = f"cut line {shown(line)}", b""
    elif how == "dup":
        name, lines[at] = f"dup line {shown(line)}", line * 2
    elif how == "copy":
        other = chance.randrange(len(lines))
        name = f"copy {shown(line)} before {shown(lines[other])}"
        lines[other] = line + lines[other]
    elif how == "move":
        other = chance.randrange(len(lines))
        name = f"move {shown(line)} before {shown(lines[other])}"
        lines[at] = b""
        lines[other] = line + lines[other]
    elif how == "end":
        end = chance.choice(ENDS)
        name, lines[at] = f"end {end} of {shown(line)}", line[:-2] + end
    elif how == "case":
        name, lines[at] = f"case of {shown(line)}", line.swapcase()
    elif how == "truncated":
        name, lines[at:] = f"truncated in {shown(line)}", [line[:place]]
    else:
        name, lines[at] = f"blanks before {shown(line)}", b" " * chance.randrange(1, 3) + line
    return name, b"".join(lines)


def damage_alike(chance, mail):
    """Likewise, with the same bytes put into each line of one sort."""
    lines = [line + CRLF for line in mail.split(CRLF)[:-1]]
    delimiters = [i for i, line in enumerate(lines) if line.startswith(b"--")]
    content = [i for i, line in enumerate(lines) if delimiters and delimiters[-2] < i < delimiters[-1] and b":" not in line and len(line) > 2]
    token, sort = chance.choice(TOKENS), chance.choice((delimiters, content))
    place = chance.choice((0, -2, chance.randrange(1, 60), None))
    for i in sort:
        at = chance.randrange(len(lines[i])) if place is None else place
        lines[i] = lines[i][:at] + token + lines[i][at:]
    return f"ins {token} in each of {len(sort)} lines as {shown(lines[sort[0]]) if sort else None} at {place}", b"".join(lines)


def damaged_alike(seed, count):
    """Yields so many Damaged, the same in many places."""
    return damaged(seed, count, damage_alike)


def damaged(seed, count, damage=damage):
    """Yields so many Damaged; one in whom nothing changed is none."""
    chance = random.Random(seed)
    while count:
        mail = whole(chance)
        name, broken = damage(chance, mail.message)
        if broken != mail.message:
            count -= 1
            yield Damaged(name, broken, mail.payload, mail.nested)
