# SPDX-License-Identifier: BSD-2-Clause
"""Header fields with a file's name as mailers and attackers write it, and what readers show.

cases() yields (fields, names): each of the names is one that some reader in use makes of
these fields.  tests/it/readings.py has them all read.
"""
import base64

JAPANESE = "請求書.exe"
DECLARED = (
    ("windows-1250", "źródło.exe"),
    ("iso-8859-2", "zażółć.exe"),
    ("iso-8859-7", "τιμολόγιο.exe"),
    ("windows-1254", "ğüşİ.exe"),
    ("windows-1255", "חשבון.exe"),
    ("windows-1256", "فاتورة.exe"),
    ("windows-874", "ใบแจ้ง.exe"),
)
OCTETS = b"Content-Type: application/octet-stream"


def percent(data):
    return b"".join(b"%%%02X" % byte for byte in data)


def dispositions():
    """Values of Content-Disposition, and names."""
    yield b'attachment; filename=proof.exe', ['proof.exe']
    yield b'attachment; filename="proof.exe"', ['proof.exe']
    yield b"attachment; filename='proof.exe'", ["proof.exe","'proof.exe'"]
    yield b'attachment; filename=proof file.exe', ['proof file.exe']
    yield b'attachment; filename="proof.exe', ['proof.exe']
    yield b'attachment; filename=proof.exe"', ['proof.exe']
    yield b'attachment; filename="pr\\"oof.exe"', ['pr"oof.exe']
    yield b'attachment; filename="C:\\temp\\proof.exe"', ['C:\\temp\\proof.exe','proof.exe']
    yield b'attachment; filename="../../proof.exe"', ['../../proof.exe','proof.exe']
    yield b'attachment; filename="/etc/proof.exe"', ['proof.exe']
    yield b'attachment; filename="..\\..\\proof.exe"', ['proof.exe']
    yield b'attachment; filename="a/b\\proof.exe"', ['proof.exe']
    yield b"attachment; filename*=UTF-8''"+percent(JAPANESE.encode()), [JAPANESE]
    yield b"attachment; filename*=utf-8'ja'"+percent(JAPANESE.encode()), [JAPANESE]
    yield b"attachment; filename*=iso-2022-jp''"+percent(JAPANESE.encode('iso-2022-jp')), [JAPANESE]
    yield b"attachment; filename*=shift_jis''"+percent(JAPANESE.encode('shift_jis')), [JAPANESE]
    yield b"attachment; filename*=''"+percent(JAPANESE.encode()), [JAPANESE]
    yield b"attachment; filename*="+percent(JAPANESE.encode()), [JAPANESE]
    yield b"attachment; filename*=utf-8''proof.exe; filename=other.txt", ['proof.exe','other.txt']
    yield b"attachment; filename=other.txt; filename*=utf-8''proof.exe", ['proof.exe','other.txt']
    yield b"attachment; filename*0=pro; filename*1=of.exe", ['proof.exe']
    yield b"attachment; filename*1=of.exe; filename*0=pro", ['proof.exe']
    yield b"attachment; filename*0=proof; filename*2=.exe", ['proof','proof.exe']
    yield b"attachment; filename*1=proof; filename*2=.exe", ['proof.exe']
    yield b"attachment; filename*0=proof; filename*0=x; filename*1=.exe", ['proof.exe','x.exe']
    yield b"attachment; filename*0*=utf-8''%70roof; filename*1*=%2Eexe", ['proof.exe']
    yield b"attachment; filename*0*=utf-8''%70roof; filename*1=%2Eexe", ['proof%2Eexe','proof.exe']
    yield b"attachment; filename*0=%70roof; filename*1*=%2Eexe", ['%70roof.exe']
    yield b"attachment; filename*0*=utf-8''%E8%AB; filename*1*=%8B.exe", ['請.exe']
    yield b'attachment; filename*0="pro"; filename*1="of.exe"', ['proof.exe']
    yield b"attachment; filename*=utf-8''%zzproof.exe", ['%zzproof.exe']
    yield b"attachment; filename*=utf-8'proof.exe", ["utf-8'proof.exe"]
    yield b'attachment; filename*="utf-8\'\'proof.exe"', ['proof.exe']
    yield b"attachment; filename*=x-unknown''proof.exe", ['proof.exe']
    yield b'attachment; filename="=?utf-8?B?'+base64.b64encode(JAPANESE.encode())+b'?="', [JAPANESE]
    yield b'attachment; filename==?utf-8?B?'+base64.b64encode(JAPANESE.encode())+b'?=', [JAPANESE]
    yield b'attachment; filename="=?utf-8?Q?proof=2Eexe?="', ['proof.exe']
    yield b'attachment; filename="=?utf-8?Q?pro?= =?utf-8?Q?of.exe?="', ['proof.exe']
    yield b'attachment; filename="=?utf-8?Q?pro?=\r\n =?utf-8?Q?of.exe?="', ['proof.exe']
    yield b'attachment; filename="x=?utf-8?Q?proof?=.exe"', ['xproof.exe']
    yield b'attachment; filename="=?utf-8?Q?proof_file.exe?="', ['proof file.exe']
    yield b'attachment; filename="=?utf-8*ja?Q?proof.exe?="', ['proof.exe']
    yield b"attachment; filename*=utf-8''=?utf-8?Q?proof.exe?=", ['proof.exe','=?utf-8?Q?proof.exe?=']
    yield b'attachment; filename="=?utf-8?X?proof.exe?="', ['=?utf-8?X?proof.exe?=']
    # GMime, Camel, KMime, Sylpheed, Python and Ruby go on with a character set of their own.
    yield b'attachment; filename="=?u8?B?'+base64.b64encode(JAPANESE.encode())+b'?="', [JAPANESE]
    yield b'attachment; filename="=?utf-8 ?Q?proof.exe?="', ['proof.exe']
    yield b'attachment; filename="=?utf-8?Q?pro?= =?tf-8?Q?of.exe?="', ['proof.exe']
    # Most readers show a blank for a tab or a vertical tab, and none at the end.
    yield b'attachment; filename="my\r\n\tproof\x0b.exe"', ['my proof .exe']
    yield b'attachment; filename=proof.exe\x0b; size=1', ['proof.exe']
    yield b'attachment; filename*0="=?utf-8?Q?pro"; filename*1="of.exe?="', ['proof.exe']
    yield b'attachment; filename="'+JAPANESE.encode()+b'"', [JAPANESE]
    yield b'attachment; filename="'+JAPANESE.encode('shift_jis')+b'"', [JAPANESE]
    yield b'attachment; filename="'+JAPANESE.encode('euc-jp')+b'"', [JAPANESE]
    yield b'attachment; filename="'+JAPANESE.encode('iso-2022-jp')+b'"', [JAPANESE]
    yield 'attachment; filename="Rechnung für.exe"'.encode('latin-1'), ['Rechnung für.exe']
    yield 'attachment; filename="счёт.exe"'.encode('koi8-r'), ['счёт.exe']
    yield 'attachment; filename="счёт.exe"'.encode('cp1251'), ['счёт.exe']
    yield 'attachment; filename="发票.exe"'.encode('gb18030'), ['发票.exe']
    yield 'attachment; filename="發票.exe"'.encode('big5'), ['發票.exe']
    yield 'attachment; filename="청구.exe"'.encode('euc-kr'), ['청구.exe']
    yield b'filename=proof.exe', ['proof.exe']
    yield b'attachment filename=proof.exe', ['proof.exe']
    yield b'attachment, filename=proof.exe', ['proof.exe']
    yield b'attachment; FileName = "proof.exe"', ['proof.exe']
    yield b'attachment; filename\r\n =\r\n "proof.exe"', ['proof.exe']
    yield b'attachment; filename="pro\r\n of.exe"', ['pro of.exe']
    yield b'attachment; filename="proof.exe\0.txt"', ['proof.exe', 'proof.exe.txt']
    yield b'attachment; filename="proof.exe "', ['proof.exe']
    yield b'attachment; filename="proof.exe."', ['proof.exe.','proof.exe']
    yield b'attachment; filename="proof.exe" (c)', ['proof.exe']
    yield b'attachment; filename=(c)proof.exe', ['proof.exe']
    yield b'attachment; filename=proof.exe(c)', ['proof.exe','proof.exe(c)']
    yield b'attachment; filename=proof (1).exe', ['proof (1).exe']
    yield b'attachment; filename="a;b.exe"', ['a;b.exe']
    yield b'attachment; filename=a;b.exe', ['a']
    yield b'attachment; filename="a"b.exe"', ['a']
    yield b'attachment; filename=%70roof.exe', ['%70roof.exe']
    yield b'attachment; filename="&#112;roof.exe"', ['&#112;roof.exe']
    yield b'attachment; filename*=utf-8\'\'..%2F..%2Fproof.exe', ['proof.exe']
    yield b'attachment; filename="proof.exe";filename="x', ['proof.exe']
    yield b'attachment; filename="=?iso-2022-jp?B?'+base64.b64encode(JAPANESE.encode('iso-2022-jp'))+b'?="', [JAPANESE]
    yield b'attachment; filename="=?shift_jis?Q?'+b"".join(b"=%02X"%c for c in JAPANESE.encode('shift_jis'))+b'?="', [JAPANESE]
    yield b'attachment; filename="=?utf-8?B?'+base64.b64encode(JAPANESE.encode()).rstrip(b'=')+b'?="', [JAPANESE]
    yield b'attachment; filename="=?utf-8?b?'+base64.b64encode(JAPANESE.encode())[:8]+b'?= =?utf-8?b?'+base64.b64encode(JAPANESE.encode())[8:]+b'?="', [JAPANESE]
    yield b'attachment; filename="=?utf-8?Q?pro of.exe?="', ['pro of.exe']
    yield b'attachment; filename="=?UTF-8?Q?proof.exe?=', ['proof.exe']
    yield b"attachment; filename*0*=utf-8''"+percent(JAPANESE.encode())[:7]+b"; filename*1*="+percent(JAPANESE.encode())[7:], [JAPANESE]
    # Python takes a character set off each section.
    yield b"attachment; filename*0*=utf-8''pro; filename*1*=utf-8''of.exe", ['proof.exe']
    yield b'attachment; filename=<proof.exe>', ['proof.exe']
    yield b'attachment; filename="<proof.exe>"', ['proof.exe']
    yield b'attachment; filename="a/b/"', ['b']
    yield b'attachment; filename="proof.exe/"', ['proof.exe']
    yield b'attachment; filename="proof.exe\\\\"', ['proof.exe']
    yield b'attachment; filename="proof.exe\xc2\xa0"', ['proof.exe']
    yield b'attachment; filename="pro\r\n\tof.exe"', ['pro of.exe', 'proof.exe']
    yield b'attachment; filename=proof file.exe', ['proof file.exe', 'proof']


def fields():
    """Whole fields, and names."""
    yield b'Content-Type: ' + b'application/octet-stream; name=proof.exe' + b'\r\n', ['proof.exe']
    yield b'Content-Type: application/octet-stream; name=a.txt\r\nContent-Disposition: attachment; filename=proof.exe\r\n', ['a.txt','proof.exe']
    yield b'Content-Type: application/octet-stream; name="=?utf-8?Q?a.txt?="\r\nContent-Disposition: attachment; filename*=utf-8\'\'proof.exe\r\n', ['a.txt','proof.exe']
    yield b'Content-Type: application/octet-stream; name=a.txt; name=b.txt\r\nContent-Disposition: attachment; filename=c.exe; filename=d.exe\r\n', ['a.txt','b.txt','c.exe','d.exe']
    yield b'Content-Disposition: attachment; filename=a.exe\r\nContent-Disposition: inline; filename=b.exe\r\n', ['a.exe','b.exe']
    yield b'Content-Type: application/octet-stream; name=a.exe\r\nContent-Type: text/plain; name=b.exe\r\n', ['a.exe','b.exe']
    yield b'Content-Type: application/octet-stream; filename=proof.exe\r\n', ['proof.exe']
    yield b'Content-Type: application/octet-stream\r\nContent-Disposition: attachment; name=proof.exe\r\n', ['proof.exe']
    yield b'Content-Type: application/octet-stream\r\nContent-Location: http://example.org/dir/proof.exe\r\n', ['proof.exe']
    yield b'Content-Type: application/octet-stream\r\nContent-Location: proof%20file.exe?x=1\r\n', ['proof file.exe']
    # Readers take raw bytes for the character set that is declared.
    for charset, name in DECLARED:
        raw = name.encode(charset.replace("windows-", "cp"))
        declared = b'Content-Type: text/plain; charset='+charset.encode()
        yield declared+b'; name="'+raw+b'"\r\n', [name]
        yield declared+b'\r\nContent-Disposition: attachment; filename="'+raw+b'"\r\n', [name]


def cases():
    for value, names in dispositions():
        yield OCTETS + b"\r\nContent-Disposition: " + value + b"\r\n", names
    yield from fields()
