# SPDX-License-Identifier: BSD-2-Clause
"""Makes rars of one stored member, by the format's public descriptions (technote.txt of RAR 4.20 and of RAR 5).

No free program packs them; 7-Zip reads them, and decrypts what is encrypted here.
"""
import hashlib
import hmac
import struct
import subprocess
import zlib

SALT, IV = bytes(range(16)), bytes(range(100, 116))
ROUNDS = 4  # of version 5, as a power of two


def aes(key, iv, data):
    padded = data + bytes(-len(data) % 16)
    argv = ["openssl", "enc", f"-aes-{8 * len(key)}-cbc", "-K", key.hex(), "-iv", iv.hex(), "-nopad"]
    return subprocess.run(argv, input=padded, stdout=subprocess.PIPE, check=True).stdout


def number(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def numbers(*values):
    return b"".join(number(value) for value in values)


def key_of_5(password, more=0):
    return hashlib.pbkdf2_hmac("sha256", password, SALT, (1 << ROUNDS) + more)


def tweak(password, crc32):
    """Mixes the password into a CRC-32, as RAR 5 does unless it is told otherwise."""
    mixed = hmac.new(key_of_5(password, 16), struct.pack("<I", crc32), "sha256").digest()
    return bytes(a ^ b ^ c ^ d ^ e ^ f ^ g ^ h for a, b, c, d, e, f, g, h in
                 zip(*(mixed[i:i + 4] for i in range(0, 32, 4))))


def rar5(name, content, password=None, tweaked=True, hidden=False, mode=0o100644):
    """hidden: the headers are encrypted too."""
    def head(body):
        sized = number(len(body)) + body
        return struct.pack("<I", zlib.crc32(sized)) + sized

    def block(body):
        return IV + aes(key_of_5(password), IV, head(body)) if hidden else head(body)

    out, extra, data = b"Rar!\x1a\x07\x01\0", b"", content
    crc32 = struct.pack("<I", zlib.crc32(content))
    if hidden:
        out += head(numbers(4, 0, 0, 0) + bytes([ROUNDS]) + SALT)
    if password:
        data = aes(key_of_5(password), IV, content)
        record = numbers(1, 0, 2 if tweaked else 0) + bytes([ROUNDS]) + SALT + IV
        extra = number(len(record)) + record
        if tweaked:
            crc32 = tweak(password, zlib.crc32(content))
    body = numbers(2, 3, len(extra)) if extra else numbers(2, 2)
    body += numbers(len(data), 4, len(content), mode) + crc32 + numbers(0, 1, len(name)) + name + extra
    return out + block(numbers(1, 0, 0)) + block(body) + data + block(numbers(5, 0, 0))


def key_of_4(password, salt):
    """Returns key and IV: SHA-1 of 262,144 rounds."""
    seed = password.decode().encode("utf-16-le") + salt
    state, iv = hashlib.sha1(), b""
    for count in range(0x40000):
        state.update(seed + struct.pack("<I", count)[:3])
        if count % 0x4000 == 0:
            iv += state.copy().digest()[19:]
    return struct.pack("<4I", *struct.unpack(">4I", state.digest()[:16])), iv


def rar4(name, content, password=None, hidden=False, mode=0o100644):
    salt = SALT[:8]
    key, iv = key_of_4(password, salt) if password else (None, None)

    def head(kind, flags, rest):
        header = struct.pack("<BHH", kind, flags, 7 + len(rest)) + rest
        return struct.pack("<H", zlib.crc32(header) & 0xFFFF) + header

    def block(*parts):
        return salt + aes(key, iv, head(*parts)) if hidden else head(*parts)

    data = aes(key, iv, content) if password else content
    rest = struct.pack("<IIBIIBBHI", len(data), len(content), 3, zlib.crc32(content), 0, 29, 0x30, len(name), mode)
    rest += name + (salt if password else b"")
    out = b"Rar!\x1a\x07\0" + head(0x73, 0x80 if hidden else 0, bytes(6))
    return out + block(0x74, 0x8000 | (0x404 if password else 0), rest) + data + block(0x7B, 0x4000, b"")
