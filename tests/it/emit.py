#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Commands published for a site's own automation, and an example of one."""
import json
import os
import subprocess
import threading
import uuid

import mtlib
from mtlib import (Site, environment, equal, json_lines, libexec, main, message_with_payload, program, test,
                   wait_until)

SENSOR = os.path.join(mtlib.BUILD, "tests/tools/sensor")


class Automation:
    """A program of the site's own: takes commands from the stream, acts once on each, and answers."""

    def __init__(self, site, key="soar", outcome=lambda command: "done"):
        self.site, self.key, self.outcome = site, f"{site.root}/keys/{key}.key", outcome
        self.server_key = f"{site.root}/keys/emit.pub"
        self.commands, self.heard, self.refused, self.sender = {}, 0, 0, None
        self.stream = subprocess.Popen([f"{libexec()}/watch", site.settings["containment"]["emit_publish"], self.key,
                                        self.server_key, "default"], stdout=subprocess.PIPE, text=True,
                                       env=environment())
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        for line in self.stream.stdout:
            command = json.loads(line)
            self.heard += 1
            # What has no answer is published again: whoever acts knows a command by its id.
            if command["command_id"] not in self.commands:
                self.commands[command["command_id"]] = command
                self.answer(command)

    def answer(self, command):
        outcome = self.outcome(command)
        if outcome is None:
            return
        response = {"status": 200, "status_text": "by the automation", "results": {"x-mailtrace": {
            "command_id": command["command_id"], "outcome": outcome, "copies": []}}}
        self.sender = subprocess.Popen([SENSOR, self.site.settings["containment"]["emit_listen"], self.key,
                                        self.server_key, str(uuid.uuid4()), "1"], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True, env=environment())
        out, _ = self.sender.communicate(json.dumps(response) + "\n")
        self.refused += "ack 1" not in out.splitlines()

    def stop(self):
        """Ends it, also while it waits for an acknowledgement that does not come."""
        self.stream.terminate()
        while self.thread.is_alive():
            if self.sender and self.sender.poll() is None:
                self.sender.terminate()
            self.thread.join(0.1)
        self.stream.wait()


def new_site():
    site = Site()
    site.make_keys()
    site.set("containment", emit_publish=f"ipc://{site.root}/run/commands.sock",
             emit_listen=f"ipc://{site.root}/run/responses.sock", emit_key=f"{site.root}/keys/emit.key")
    site.mailtrace("keygen", "--type", "collector", f"{site.root}/keys", "emit")
    for name, roles in (("soar", "publish,subscribe,command"), ("reader", "publish,subscribe")):
        site.mailtrace("keygen", "--type", "client", f"{site.root}/keys", name)
        site.mailtrace("sensor", "add", "--role", roles, name, f"{site.root}/keys/{name}.pub")
    site.start_collector()
    site.start_milter()
    path, payload = message_with_payload(site, "evil")
    site.play("--from", "<sender@example.net>", "--rcpt", "<alice@example.org>", "--rcpt", "<bob@example.org>", path)
    site.wait_stored(1)
    site.mailtrace("contain", payload, "--device", "pc-017", "-o", f"{site.root}/plan.json")
    site.plan = f"{site.root}/plan.json"
    return site


def outcomes(site, verb, status=0):
    done = site.mailtrace("--json", verb, "--yes", "--emit-only", site.plan, status=status)
    return {line["target"].split()[0]: line["outcome"] for line in json_lines(done.stdout) if line["type"] == "target"}


@test
def automation_takes_all_commands_and_its_answers_count():
    site = new_site()
    automation = Automation(site)
    equal(outcomes(site, "apply"), {"mailbox": "done", "file": "done", "device": "done"})
    equal(len(automation.commands), 4)
    equal({(c["action"], list(c["actuator"])[0]) for c in automation.commands.values()},
          {("contain", "x-mailtrace"), ("deny", "x-mailtrace"), ("contain", "er")})
    equal(json_lines(site.mailtrace("--json", "block", "list", status=1).stdout), [], "nothing was done by us")
    before = automation.heard
    outcomes(site, "apply", status=1)
    equal(automation.heard, before, "what is settled is not published again")
    equal(outcomes(site, "undo"), {"file": "done", "device": "done"})
    equal({c["action"] for c in list(automation.commands.values())[4:]}, {"allow"})
    equal(automation.refused, 0)
    automation.stop()
    site.stop()


@test
def who_comes_late_misses_nothing_and_acts_once():
    site = new_site()
    apply = subprocess.Popen([program("mailtrace"), "--config", site.config, "apply", "--yes", "--emit-only", site.plan],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    wait_until(lambda: os.path.exists(f"{site.root}/run/commands.sock"), "commands are published")
    automation = Automation(site)
    out, err = apply.communicate(timeout=120)
    equal(apply.returncode, 0, out + err)
    equal(len(automation.commands), 4)
    automation.stop()
    site.stop()


@test
def a_key_without_the_role_does_not_answer():
    site = new_site()
    site.set("containment", actuator_timeout_ms="4000")
    automation = Automation(site, key="reader")
    equal(set(outcomes(site, "apply", status=3).values()), {"unreachable"})
    automation.stop()
    assert automation.commands and automation.refused, "it heard a command, and tried"
    site.stop()


@test
def what_is_not_answered_is_left_for_the_next_time():
    site = new_site()
    site.set("containment", actuator_timeout_ms="4000")
    automation = Automation(site, outcome=lambda command: "done" if "er" in command["actuator"] else None)
    equal(outcomes(site, "apply", status=3), {"mailbox": "unreachable", "file": "unreachable", "device": "done"})
    automation.stop()
    site.stop()


@test
def without_endpoints_it_says_so():
    site = new_site()
    site.set("containment", emit_publish="")
    done = site.mailtrace("apply", "--yes", "--emit-only", site.plan, status=3)
    assert "emit_publish" in done.stderr, done.stderr
    site.stop()


main()
