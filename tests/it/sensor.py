# SPDX-License-Identifier: BSD-2-Clause
"""A sensor and a watcher of the live stream, for tests of the collector."""
import json
import os
import uuid

import mtlib
from mtlib import Daemon, Site, json_lines, make_message, program, run

SENSOR = os.path.join(mtlib.BUILD, "tests/tools/sensor")


def site_with_keys(**settings):
    site = Site(**settings)
    site.make_keys()
    site.epoch = str(uuid.uuid4())
    return site


def event(site, number, sensor="mx1", tenant="default", subject=None):
    """An event as a sensor sends it: the record of a message, with an id of its own."""
    path = make_message(os.path.join(site.root, f"{number}.eml"), subject=subject or f"mail {number}")
    value = json_lines(site.mailtrace("--json", "inspect", path).stdout)[0]
    ours = value["unmapped"]["mailtrace"]
    value["metadata"]["uid"] = f"01900000-0000-7000-8000-{number:012x}"
    value["metadata"]["tenant_uid"] = ours["tenant"] = tenant
    ours["sensor"] = sensor
    value["metadata"]["log_name"] = ours["origin"] = "milter"
    ours["rcpt"] = [{"typed": f"<u{number}@example.org>", "address": f"u{number}@example.org"}]
    return json.dumps(value)


def send(site, first, *events, key="mx1", status=0, epoch=None):
    """Sends a batch as a sensor; returns the collector's answers."""
    done = run(SENSOR, site.settings["bus"]["collector"], f"{site.root}/keys/{key}.key",
               f"{site.root}/keys/collector.pub", epoch or site.epoch, first,
               stdin="".join(e + "\n" for e in events), status=status)
    return done.stdout.splitlines()


def watcher(site, count, form="json", key="soc"):
    """Starts `mailtrace watch`, for programs or as text; its lines go to a file."""
    options = ["--json"] if form == "json" else []
    return Daemon([program("mailtrace"), "--config", site.config, *options, "watch", "--key",
                   f"{site.root}/keys/{key}.key", "--max", count], f"{site.root}/watch.log")
