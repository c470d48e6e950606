# SPDX-License-Identifier: BSD-2-Clause
"""What the programs link: the command line little, the sandboxed ones nothing that talks."""
import os
import re
import shutil

import mtlib
from mtlib import Skip, equal, program, run, test


def needed(path):
    """Returns the names of the libraries that a program asks for."""
    if not shutil.which("readelf"):
        raise Skip("no readelf")
    text = run("readelf", "-d", path).stdout
    return {re.sub(r"\.so.*", "", name) for name in re.findall(r"NEEDED.*\[(.*)\]", text)}


SYSTEM = {"libc", "libasan", "libubsan", "libtsan", "ld-linux-x86-64", "libm", "libpthread"}


GLIB = {"libglib-2.0", "libgobject-2.0", "libgio-2.0"}


@test
def the_command_line_links_four_libraries():
    equal(needed(program("mailtrace")) - SYSTEM - GLIB, {"libsqlite3", "libcrypto", "libjansson"})


@test
def the_collector_links_no_parser_of_mail():
    found = needed(os.path.join(mtlib.BUILD, "investigate/collect"))
    equal(found & {"libgmime-3.0", "libarchive", "libmilter", "libcurl"}, set())
    assert {"libzmq", "libsqlite3", "libsystemd"} <= found, found


@test
def what_reads_hostile_bytes_links_nothing_that_stores_or_talks():
    for name in ("milter/scanner", "milter/decompress"):
        found = needed(os.path.join(mtlib.BUILD, name))
        equal(found & {"libzmq", "libsqlite3", "libmilter", "libcurl"}, set(), name)


mtlib.main()
