# SPDX-License-Identifier: BSD-2-Clause
"""What the MTA's log says, from the bus to the answers of the command line."""
import json
import sqlite3
import uuid

from mtlib import equal, json_lines, main, test, wait_until
from sensor import event, send, site_with_keys, watcher

QUEUE_ID = "4Xyz12AbCdz9kL3"


def queued(site, number, *recipients, queue_id=QUEUE_ID, parent=None):
    """The event of a message with a queue id."""
    value = json.loads(event(site, number))
    ours = value["unmapped"]["mailtrace"]
    ours["queue_id"] = queue_id
    ours["rcpt"] = [{"typed": f"<{r}>", "address": r} for r in recipients]
    if parent:
        ours["parent_event"] = parent
    return value


def line(of, kind, recipient=None, sensor="mx1", tenant="default", **members):
    """A delivery of an event's queue id, a second after it."""
    ours = of["unmapped"]["mailtrace"]
    delivery = {"kind": kind, "host": "mx1", "queue_id": ours["queue_id"],
                "time_us": of["time"] * 1000 + 1000000, **members}
    if recipient:
        delivery["recipient"] = recipient
    number = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(delivery)).hex
    return json.dumps({
        "metadata": {"version": "1.8.0", "log_name": "log",
                     "uid": str(uuid.UUID(number[:12] + "8" + number[13:])),
                     "product": {"name": "mailtrace", "vendor_name": "mailtrace"}},
        "category_uid": 4, "class_uid": 4009, "activity_id": 4, "type_uid": 400904,
        "severity_id": 1, "time": delivery["time_us"] // 1000, "status": kind,
        "message_trace_uid": f"mx1/{ours['queue_id']}", "email": {"to": []},
        "unmapped": {"mailtrace": {"version": 1, "origin": "log", "sensor": sensor,
                                   "tenant": tenant, "delivery": delivery}}})


def states(site, *query):
    hits, coverage = site.who(*query)
    return {h["recipient"].split("@")[0]: h["state"] for h in hits}, coverage["messages"]


@test
def each_recipient_has_the_state_that_the_log_tells():
    site = site_with_keys()
    site.start_collector()
    mail = queued(site, 1, "bob@example.org", "carol@example.org", "team@example.org")
    answers = send(site, 1, line(mail, "queued", recipients=3), json.dumps(mail),
                   line(mail, "sent", "bob@example.org", dsn="2.0.0"),
                   line(mail, "bounced", "carol@example.org", dsn="5.1.1"),
                   line(mail, "deferred", "x@else.example", original="team@example.org"))
    equal(answers, ["welcome 0", "ack 5"])
    equal(states(site, "subject:mail"),
          ({"bob": "delivered", "carol": "bounced", "team": "deferred"}, 1))
    equal(states(site, "subject:mail", "state:deferred")[0], {"team": "deferred"})
    table = site.mailtrace("who", "subject:mail").stdout
    assert "delivered" in table and "bounced" in table, table
    site.stop()


@test
def a_phantom_is_no_hit_and_is_not_counted():
    site = site_with_keys()
    site.start_collector()
    kept, phantom = queued(site, 1, "bob@example.org"), queued(site, 2, "eve@example.org", queue_id="5Y")
    send(site, 1, json.dumps(kept), json.dumps(phantom))
    equal(states(site, "subject:mail"), ({"bob": "accepted", "eve": "accepted"}, 2))
    send(site, 3, line(phantom, "refused", detail="5.7.1 not here"))
    equal(states(site, "subject:mail"), ({"bob": "accepted"}, 1))
    equal(states(site, "--with-refused", "subject:mail")[0], {"bob": "accepted", "eve": "rejected"})
    site.mailtrace("who", "to:eve@example.org", status=1)
    site.stop()


@test
def a_recipient_whom_a_later_filter_refused_in_silence_is_rejected():
    site = site_with_keys()
    site.start_collector()
    mail = queued(site, 1, "bob@example.org", "carol@example.org")
    send(site, 1, json.dumps(mail), line(mail, "queued", recipients=1),
         line(mail, "sent", "bob@example.org"), line(mail, "done"))
    equal(states(site, "subject:mail"), ({"bob": "delivered"}, 1))
    equal(states(site, "--with-refused", "subject:mail")[0], {"bob": "delivered", "carol": "rejected"})
    site.stop()


@test
def show_tells_the_whole_history_of_each_hop():
    site = site_with_keys()
    site.start_collector()
    first = queued(site, 1, "bob@example.org")
    second = queued(site, 2, "bob@example.org", queue_id="5Y", parent=first["metadata"]["uid"])
    send(site, 1, json.dumps(first), json.dumps(second),
         line(first, "sent", "bob@example.org", relay="127.0.0.1[127.0.0.1]:10024",
              detail="250 2.0.0 queued as 5Y", next_queue_id="5Y"),
         line(second, "deferred", "bob@example.org", detail="\x1b[31mbusy"),
         line(second, "done"))
    equal(states(site, "subject:mail"), ({"bob": "deferred"}, 1))
    text = site.mailtrace("show", second["metadata"]["uid"]).stdout
    order = [text.index(word) for word in
             ("mx1/5Y  deferred  bob@example.org", "mx1/5Y  done", "next queue id 5Y")]
    equal(order, sorted(order), text)
    assert "\x1b" not in text, text
    shown = json_lines(site.mailtrace("--json", "show", second["metadata"]["uid"]).stdout)
    equal([(v["activity_id"], v["metadata"]["uid"]) for v in shown if v["activity_id"] != 4],
          [(2, second["metadata"]["uid"]), (2, first["metadata"]["uid"])])
    equal([v["unmapped"]["mailtrace"]["delivery"]["kind"] for v in shown if v["activity_id"] == 4],
          ["deferred", "done", "sent"])
    site.stop()


@test
def a_delivery_that_cannot_be_is_put_aside():
    site = site_with_keys()
    site.start_collector()
    mail = queued(site, 1, "bob@example.org")
    answers = send(site, 1, line(mail, "eaten", "bob@example.org"),
                   line(mail, "sent", "bob@example.org", sensor="mx9"),
                   line(mail, "sent", "bob@example.org", tenant="b"),
                   json.dumps(mail), line(mail, "sent", "bob@example.org"))
    equal([a.split()[1] for a in answers if a.startswith("refuse")], ["1", "2", "3"])
    equal(answers[-1], "ack 5")
    equal(states(site, "subject:mail")[0], {"bob": "delivered"})
    equal(json_lines(site.mailtrace("--json", "status").stdout)[0]["dead_letters"], 3)
    site.stop()


@test
def what_is_sent_again_is_kept_once():
    site = site_with_keys()
    site.start_collector()
    mail = queued(site, 1, "bob@example.org")
    lines = [json.dumps(mail), line(mail, "sent", "bob@example.org")]
    send(site, 1, *lines)
    send(site, 1, *lines, epoch=str(uuid.uuid4()))
    with sqlite3.connect(f"file:{site.root}/store/mailtrace.db?mode=ro", uri=True) as store:
        equal(store.execute("SELECT count(*), count(event) FROM deliveries").fetchone(), (1, 1))
    site.stop()


def watched(site, number, *options):
    """Sends deliveries until one shows on the live stream; returns what was printed."""
    reader = watcher(site, 1, *options)
    sent = [number]

    def arrives():
        # a subscription takes a moment to reach the publisher, and nothing is kept for it
        mail = queued(site, sent[0], "bob@example.org", queue_id=f"Q{sent[0]}")
        send(site, sent[0], line(mail, "sent", "bob@example.org"))
        sent[0] += 1
        return not reader.alive()

    wait_until(arrives, "a delivery on the live stream")
    equal(reader.process.returncode, 0, reader.text())
    return reader.text(), sent[0]


@test
def the_live_stream_has_deliveries_that_can_be_told_from_events():
    site = site_with_keys()
    keys = f"{site.root}/keys"
    site.mailtrace("keygen", "--type", "client", keys, "soc")
    site.mailtrace("sensor", "add", "--role", "subscribe", "soc", f"{keys}/soc.pub")
    site.start_collector()
    text, following = watched(site, 1)
    equal([v["activity_id"] for v in json_lines(text)], [4])
    text, _ = watched(site, following, "text")
    assert "  mx1/Q" in text and "  sent  bob@example.org" in text, text
    site.stop()


main()
