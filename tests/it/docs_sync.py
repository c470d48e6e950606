# SPDX-License-Identifier: BSD-2-Clause
"""--help, the manual page and the completion name the same verbs and options."""
import os
import re

import mtlib
from mtlib import SOURCE, equal, program, run, test

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
NOT_OURS = {"--help", "--help-all"}


def read(*path):
    with open(os.path.join(SOURCE, *path)) as handle:
        return handle.read()


def help_of(*verb):
    return run(program("mailtrace"), *verb, "--help").stdout


def verbs():
    text = help_of()
    return re.findall(r"^  ([a-z-]+) +\S", text.split("Verbs:")[1].split("Global")[0], re.M)


def options_of(verb):
    """The long options of a verb's own, as its help lists them."""
    columns = re.findall(r"^  (-.*?)(?:  .*)?$", help_of(verb), re.M)
    return {name for column in columns for name in OPTION.findall(column)} - NOT_OURS


def page():
    return read("docs", "mailtrace.1.in")


def page_options(text):
    return {"--" + name for name in re.findall(r"Fl -([a-z][a-z-]*)", text)}


def section(verb):
    """The page's part on a verb."""
    return re.search(rf"^\.Ss {verb}\n(.*?)(?=^\.S[sh] )", page(), re.M | re.S).group(1)


@test
def every_verb_is_in_page_and_completion():
    assert len(verbs()) >= 9, verbs()
    equal(sorted(re.findall(r"^\.Ss (.*)$", page(), re.M)), sorted(verbs()), "verbs of the page")
    completion = re.search(r'verbs="(.*)"', read("docs", "completions", "mailtrace.bash")).group(1)
    equal(sorted(completion.split()), sorted(verbs()), "verbs of the completion")


@test
def global_options_are_in_page_and_completion():
    ours = set(OPTION.findall(help_of().split("Global options")[1].split("Exit status")[0])) | {"--help"}
    before_verbs = page().split(".Ss who")[0]
    equal(page_options(before_verbs), ours, "global options of the page")
    completion = re.search(r'globals="(.*)"', read("docs", "completions", "mailtrace.bash")).group(1)
    equal(set(OPTION.findall(completion)), ours, "global options of the completion")


@test
def options_of_each_verb_are_in_page_and_completion():
    completion = read("docs", "completions", "mailtrace.bash")
    found = 0
    for verb in verbs():
        ours = options_of(verb)
        found += len(ours)
        globals_named = {"--json", "--csv", "--tenant"}
        equal(page_options(section(verb)) - globals_named, ours, f"options of {verb} in the page")
        listed = re.search(rf'^\t{verb}\) echo "(.*)"', completion, re.M)
        equal(set(OPTION.findall(listed.group(1))) if listed else set(), ours,
              f"options of {verb} in the completion")
    assert found >= 15, "the help was not understood"


@test
def terms_of_who_are_in_help_page_and_completion():
    terms = set(re.findall(r"\b([a-z]+):(?=[A-Z])", help_of("who")))
    assert {"name", "subject", "size", "state"} <= terms, terms
    equal(set(re.findall(r"Cm ([a-z]+):", section("who"))), terms, "terms of the page")
    completion = re.search(r'terms="(.*)"', read("docs", "completions", "mailtrace.bash")).group(1)
    equal(set(re.findall(r"([a-z]+):", completion)), terms, "terms of the completion")


@test
def groups_of_who_are_in_help_page_and_completion():
    groups = ["recipient", "sender", "sensor", "subject", "file", "day"]
    assert "recipient, sender, sensor, subject, file or day" in help_of("who")
    assert "recipient , sender , sensor , subject , file" in section("who")
    assert " ".join(groups) in read("docs", "completions", "mailtrace.bash")


@test
def exit_statuses_are_in_help_and_page():
    statuses = re.search(r"Exit status: (.*)\.", help_of()).group(1)
    equal(re.findall(r"\b([0-9]) ", statuses), ["0", "1", "2", "3"])
    part = page().split(".Sh EXIT STATUS")[1]
    equal(re.findall(r"^\.It ([0-9])$", part, re.M), ["0", "1", "2", "3"])


mtlib.main()
