#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the pages say is so: caps, links, names of files and of tests."""
import os
import re

from mtlib import BUILD, SOURCE, equal, main, program, run, test

UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
PAGES = ("README.md", "ARCHITECTURE.md", "SECURITY.md", "CONTRIBUTING.md")


def read(name):
    with open(os.path.join(SOURCE, name), encoding="utf-8") as file:
        return file.read()


def caps_of_the_header():
    """Returns {name: value} of caps.h; the names noted in records are left out."""
    found = re.findall(r"^#define ((?:CAP|WORKER)_\w+)[ \t]+([^/\n]+?)[ \t]*(?:/\*.*)?$",
                       read("common/caps.h"), re.M)
    caps = {}
    for name, expression in found:
        if name.endswith("_NAME"):
            continue
        assert re.fullmatch(r"[\d\s()*L]+", expression), f"{name} is no plain number: {expression}"
        caps[name] = eval(expression.replace("L", ""))  # pylint: disable=eval-used
    return caps


def caps_of_the_page():
    """Returns {name: (value, reason)} of SECURITY.md's table."""
    caps = {}
    for name, number, unit, reason in re.findall(
            r"^\| `((?:CAP|WORKER)_\w+)` \| ([\d,]+)(?: (\w+))? \| (.+?) \|$", read("SECURITY.md"), re.M):
        caps[name] = (int(number.replace(",", "")) * UNITS[unit], reason)
    return caps


@test
def every_cap_stands_in_security_md_with_its_value_and_a_reason():
    header, page = caps_of_the_header(), caps_of_the_page()
    assert len(header) > 25, header
    equal({name: value for name, (value, _) in page.items()}, header)
    short = [name for name, (_, reason) in page.items() if len(reason) < 15]
    assert not short, f"no reason: {short}"


@test
def no_row_of_a_table_stands_twice():
    for name in PAGES:
        for table in read(name).split("\n\n"):
            firsts = re.findall(r"^\| ([^|]+) \|", table, re.M)
            equal(sorted({first for first in firsts if firsts.count(first) > 1}), [], f"rows of {name} that begin alike")


@test
def every_cap_stands_in_the_page_of_the_configuration():
    with open(os.path.join(BUILD, "docs", "mailtrace.conf.5"), encoding="utf-8") as handle:
        section = handle.read().split(".Sh LIMITS")[1].split(".Sh FILES")[0]
    named = dict(re.findall(r"^\.It Cm (\S+) : No (.*)$", section, re.M))
    noted = dict(re.findall(r'^#define (\w+)_NAME "(\S+)"', read("common/caps.h"), re.M))
    for cap, (value, reason) in caps_of_the_page().items():
        name = noted.get(cap) or re.sub("^cap_", "", cap.lower()).replace("_", "-")
        number, _, unit = named.get(name, "").partition(" ")
        equal(int(number.replace(",", "") or 0) * UNITS[unit], value, name)
        assert reason.split(" ")[0].strip("`") in section, reason
    shown = section.split(".Ss Others")[0]
    equal([name for cap, name in noted.items() if f"Cm {name}" not in shown], [], "names that records have")


def text_of_the_tests():
    texts = []
    for folder in ("tests", "tests/it"):
        for name in sorted(os.listdir(os.path.join(SOURCE, folder))):
            if re.fullmatch(r"test_\w+\.c|\w+\.py", name) and name != "docs.py":
                texts.append(read(f"{folder}/{name}"))
    return "\n".join(texts)


@test
def every_cap_is_named_in_a_test():
    words = set(re.findall(r"\w+", text_of_the_tests()))
    unnamed = {name for name in caps_of_the_header() if not {name, name + "_NAME"} & words}
    equal(sorted(unnamed), [], "caps that no test names")


@test
def tests_have_the_numbers_of_the_header():
    header = caps_of_the_header()
    named = re.findall(r"^((?:CAP|WORKER)_\w+) = ([\d* ]+?)(?:  #.*)?$", text_of_the_tests(), re.M)
    assert len(named) > 5, named
    for name, expression in named:
        value = eval(expression)  # pylint: disable=eval-used
        equal(value, header[name], name)


@test
def every_file_a_page_names_exists():
    missing = []
    for page in PAGES:
        text = read(page)
        named = set(re.findall(r"\]\(([^)#:]+)\)", text))
        named |= set(re.findall(r"`((?:common|milter|investigate|tests|docs|contrib|scripts)/[\w./-]+)`", text))
        for name in sorted(named):
            made = name.endswith(".a")
            if not made and not os.path.exists(os.path.join(SOURCE, name)):
                missing.append(f"{page}: {name}")
    assert not missing, "\n".join(missing)


@test
def every_setting_a_page_names_exists():
    table = re.findall(r'^#(\w+) =', read("contrib/mailtrace.conf.in"), re.M)
    page = set(re.findall(r"`(on_\w+|max_\w+)`", read("SECURITY.md") + read("README.md")))
    equal(sorted(page - set(table)), [])
    assert len(page) >= 4, page


@test
def the_milters_page_and_help_name_the_same_options():
    shown = run(program("mailtrace-milter"), "--help").stdout
    told = set(re.findall(r"--([a-z]+)", shown.split("Application Options:")[1]))
    options = read("docs/mailtrace-milter.8.in").split(".Sh SIGNALS")[0]
    equal(set(re.findall(r"^\.It .*Fl -([a-z]+)", options, re.M)), told)
    assert "test" in told, shown


@test
def the_queue_programs_page_and_helps_name_the_same_options():
    page = read("docs/mailtrace-queue.8.in").split(".Ss Requests")[0].split("\nThose of\n")
    for part, name in zip(page, ("actuator-queue", "queue-helper")):
        shown = run(program(f"investigate/{name}"), "--help").stdout
        told = set(re.findall(r"--([a-z-]+)", shown.split("Application Options:")[1]))
        assert len(told) >= 3, shown
        equal(set(re.findall(r"^\.It Fl -([a-z-]+)", part, re.M)), told, name)


main()
