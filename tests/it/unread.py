#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""who --list-unread names each message whose files were not fully read, and why; and no other."""
import io
import re
import zipfile

from mtlib import Site, equal, json_lines, main, make_message, stopped_scanner, test


def zip_of(members):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return data.getvalue()


def listed(site, *query):
    """Returns {subject: row} of the answer to a question that nothing matches, and its coverage."""
    lines = json_lines(site.mailtrace("--json", "who", "subject:nothing-like-it", *query, "--list-unread", status=1).stdout)
    rows = [line for line in lines if line["type"] == "unread"]
    equal(len({row["event_id"] for row in rows}), len(rows), "each once")
    return {row["subject"]: row for row in rows}, lines[-1]


@test
def each_message_that_was_not_fully_read_is_named_with_the_reason_and_no_other():
    site = Site(scanner={"workers": "1", "read_timeout_ms": "2000"})
    site.make_keys()
    site.start_collector()
    site.start_milter()
    whole = zip_of([("a.txt", b"text" * 500), ("b.txt", bytes(range(256)) * 50)])
    attached = {"plain": None, "whole": whole, "cut": whole[:len(whole) // 2],
                "deep": zip_of([("x.zip", zip_of([("y.zip", whole[:len(whole) // 2])]))])}
    for number, (subject, content) in enumerate(attached.items()):
        path = make_message(f"{site.root}/{number}.eml", subject=subject,
                            attachments=[(f"{subject}.zip", "application/zip", content)] if content else [])
        site.play("--queue-id", f"Q{number}", "--rcpt", "<a@example.org>", path)
    with stopped_scanner(site):
        site.play("--queue-id", "Q9", "--rcpt", "<a@example.org>",
                  make_message(f"{site.root}/9.eml", subject="late"))
    site.wait_stored(5)
    rows, coverage = listed(site)
    equal((sorted(rows), coverage["messages"], coverage["unread"]), (["cut", "deep", "late"], 5, 3))
    for subject, queue_id, why in (("cut", "Q2", r"2.*: incomplete"), ("deep", "Q3", r"2!.*x\.zip!.*y\.zip.*: incomplete"),
                                   ("late", "Q9", "no worker|did not answer|in time")):
        row = rows[subject]
        equal((row["queue_id"], row["sensor"]), (queue_id, "mx1"))
        assert re.search(why, row["why"]), row
        shown = site.mailtrace("show", row["event_id"]).stdout
        assert subject in shown, shown
    equal([row["received_at"] for row in rows.values()], sorted(row["received_at"] for row in rows.values()))
    # Those of the time that is asked.
    equal(sorted(listed(site, "--since", rows["late"]["received_at"])[0]), ["late"])
    equal(sorted(listed(site, "--until", rows["late"]["received_at"])[0]), ["cut", "deep"])
    text = site.mailtrace("who", "subject:nothing-like-it", "--list-unread", status=1).stdout
    assert "UNREAD EVENT" in text and rows["cut"]["event_id"] in text and "incomplete" in text, text
    assert "UNREAD EVENT" not in site.mailtrace("who", "subject:nothing-like-it", status=1).stdout
    site.stop()


main()
