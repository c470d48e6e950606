#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every third-party library has one owner file, and dependencies point one way.

Reads the sources; a new owner must be added here and in ARCHITECTURE.md.
"""
import os
import re

from mtlib import SOURCE, main, test

FOLDERS = ("common", "milter", "investigate")
# Header, as it stands between the angle brackets -> who may include it.
OWNERS = {
    r"gmime/.*": {"common/mime_header.c", "common/mime_transfer.c"},
    r"clamav\.h": {"common/scan.c"},
    r"archive(_entry)?\.h": {"common/archive.c"},
    r"lzma(/.*)?\.h": {"common/compressed_end.c"},
    r"zip\.h": {"common/encrypted_zip.c", "investigate/seal.c"},
    r"zmq\.h": {"common/bus_socket.c"},
    r"jansson\.h": {"common/ocsf.c", "common/ocsf_json.h", "common/ocsf_mailtrace.c",
                     "common/ocsf_members.c", "common/ocsf_read.c", "common/json.h"},
    r"microhttpd\.h": {"common/metrics_server.c"},
    r"libmilter/.*": {"milter/callbacks.c", "milter/main.c"},
    r"seccomp\.h|linux/landlock\.h|linux/seccomp\.h": {"milter/sandbox.c"},
    r"sqlite3\.h": {"milter/spool_private.h", "investigate/store_sqlite.c"},
    r"systemd/sd-(journal|messages)\.h": {"milter/journal_entry.c", "milter/journal_tail.c"},
    r"curl/.*": {"investigate/http.c"},
    r"openssl/.*": {"common/digest.c", "common/keys.c", "common/sealed.c", "common/signing_key.c"},
}


def sources():
    """Yields (path below the source tree, text) of every C file of the programs."""
    for folder in FOLDERS:
        for directory, _, names in os.walk(os.path.join(SOURCE, folder)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    path = os.path.join(directory, name)
                    with open(path, encoding="utf-8") as file:
                        yield os.path.relpath(path, SOURCE), file.read()


def system_headers(text):
    return re.findall(r'^\s*#\s*include\s*<([^>]+)>', text, re.M)


def offences():
    for path, text in sources():
        for header in system_headers(text):
            for pattern, owners in OWNERS.items():
                if re.fullmatch(pattern, header) and path not in owners:
                    yield f"{path} includes <{header}>, owned by {', '.join(sorted(owners))}"


@test
def each_library_is_included_by_its_owner_alone():
    found = list(offences())
    assert not found, "\n".join(found)


@test
def every_owner_includes_what_it_owns():
    texts = dict(sources())
    idle = [f"{owner} does not include {pattern}" for pattern, owners in OWNERS.items()
            for owner in sorted(owners)
            if not any(re.fullmatch(pattern, header)
                       for header in system_headers(texts.get(owner, "")))]
    assert not idle, "\n".join(idle)


@test
def the_programs_do_not_include_each_other():
    found = []
    headers = {folder: {name for name in os.listdir(os.path.join(SOURCE, folder))
                        if name.endswith(".h")} for folder in FOLDERS}
    allowed = {"common": {"common"}, "milter": {"common", "milter"},
               "investigate": {"common", "investigate"}}
    for path, text in sources():
        folder = path.split(os.sep)[0]
        for header in re.findall(r'^\s*#\s*include\s*"([^"]+)"', text, re.M):
            homes = {home for home in FOLDERS if os.path.basename(header) in headers[home]}
            if homes and not homes & allowed[folder]:
                found.append(f"{path} includes {header} of {', '.join(homes)}")
    assert not found, "\n".join(found)


@test
def architecture_names_every_owner():
    with open(os.path.join(SOURCE, "ARCHITECTURE.md"), encoding="utf-8") as file:
        text = file.read()
    missing = sorted({owner for owners in OWNERS.values() for owner in owners
                      if owner not in text})
    assert not missing, missing


main()
