# SPDX-License-Identifier: BSD-2-Clause
"""Actuators as programs: OpenC2 commands on their standard input, answers on their output."""
import hashlib
import json
import subprocess
import uuid

import mtlib
from mtlib import PAYLOAD, equal, make_message

SHA256 = hashlib.sha256(PAYLOAD).hexdigest()


def message(site, name, payload=PAYLOAD, subject="Invoice 42", **keywords):
    """Returns a message as bytes; name gives its Message-ID."""
    path = f"{site.root}/{uuid.uuid4()}.eml"
    attachments = [("a.exe", "application/octet-stream", payload)] if payload else []
    make_message(path, subject=subject, message_id=f"<{name}@example.net>", attachments=attachments, **keywords)
    with open(path, "rb") as handle:
        return handle.read()


def command(action, user, arguments=None, **known):
    """Returns a command about a message in a mailbox; what is known of it by the names of its form."""
    digests = known.pop("sha256", [SHA256])
    target = {"mailbox": user if "@" in user else f"{user}@example.org",
              **{name: value for name, value in known.items() if value is not None}}
    if digests:
        target["sha256"] = [digest.upper() for digest in digests]
    return {"action": action, "target": {"x-mailtrace:message": target},
            "args": {"x-mailtrace": arguments or {}}, "actuator": {"x-mailtrace": {"role": "mailstore"}},
            "command_id": str(uuid.uuid4())}


def start(site, evidence, jobs=8, name="actuator-mailstore", **keywords):
    argv = [mtlib.program(f"investigate/{name}"), "--config", site.config, "--jobs", str(jobs)]
    return subprocess.Popen(argv + (["--evidence-dir", evidence] if evidence else []), stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=mtlib.environment(), text=True, **keywords)


def carry_out(site, evidence, *commands, complaint="", **keywords):
    """Runs an actuator to its end; returns {command_id: its answer as a dictionary}."""
    process = start(site, evidence, **keywords)
    out, err = process.communicate("".join((c if isinstance(c, str) else json.dumps(c)) + "\n" for c in commands),
                                   timeout=300)
    equal(process.returncode, 0, err)
    assert complaint in err if complaint else not err, err
    return {line["results"]["x-mailtrace"]["command_id"]: answer(line) for line in mtlib.json_lines(out)}


def answer(line):
    ours = line["results"]["x-mailtrace"]
    return {"outcome": ours["outcome"], "text": line["status_text"], "copies": ours.get("copies", [])}
