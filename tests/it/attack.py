#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A worker that a message took over: what stops it, and that mail goes on beside it.

The scanner is the product's own with the reading of one message replaced
(tests/tools/hostile_scanner.c).  Each attack tells how it was answered: by the
kernel, with an error or with death, or by whoever checks the worker's answer.
"""
import os

from attacked import Attack, Attacked, landlock_interface
from mtlib import equal, main, test, wait_until

WORKER_MESSAGES = 200  # caps.h: then a worker is replaced
SECRET = "the-secret-of-another-message"  # hostile_scanner.c looks for it


@test
def seccomp_kills_who_calls_for_network_processes_and_signals():
    site = Attacked()
    for name in ("socket", "signal", "owner", "trace", "fork", "exec", "clock"):
        attack = Attack(site, name)
        attack.dies_of("SYS")
        equal(attack.told(), [], "it came back from the call")
    site.stop()


@test
def landlock_refuses_paths_and_the_spool_among_them():
    # seccomp's answer is EPERM: without Landlock it gives no folder, and refuses every path
    answer = "EACCES" if landlock_interface() > 0 else "EPERM"
    print(f"# Landlock's interface {landlock_interface()}: {answer}")
    site = Attacked()
    for name in ("passwd", "spool"):
        attack = Attack(site, name)
        equal((attack.told(), attack.reason), ([answer], None), attack.log())
    site.stop()


@test
def seccomp_refuses_to_open_the_spool_to_others():
    site = Attacked()
    mode = os.stat(site.spool).st_mode
    attack = Attack(site, "mode")
    equal((attack.told(), attack.reason), (["EPERM"], None), attack.log())
    equal(os.stat(site.spool).st_mode, mode)
    site.stop()


@test
def a_folder_is_removed_however_deep_its_worker_made_it():
    site = Attacked()
    attack = Attack(site, "burrow")
    attack.dies_of("ABRT")
    equal(attack.told(), ["done"] * 2 if landlock_interface() > 0 else ["EPERM"] * 2)
    wait_until(lambda: len(site.worker_folders()) <= 1, "only the folder of the worker that lives")
    site.stop()


@test
def limits_end_who_fills_memory_or_its_folder():
    site = Attacked()
    attack = Attack(site, "memory")
    attack.dies_of("ABRT")
    equal(attack.told(), ["ENOMEM"] * 2)
    Attack(site, "file").dies_of("XFSZ")
    site.stop()


@test
def the_timeout_ends_who_loops():
    site = Attacked(read_timeout_ms=3000)
    attack = Attack(site, "loop")
    assert attack.reason and "time" in attack.reason, (attack.reason, attack.log())
    site.stop()


@test
def the_check_refuses_garbage_another_ticket_and_a_flood():
    site = Attacked()
    for name in ("garbage", "ticket", "flood"):
        attack = Attack(site, name)
        assert attack.reason, f"{name}: believed\n{attack.log()}"
    site.stop()


@test
def nothing_of_an_earlier_message_is_left_to_find():
    site = Attacked()
    # in a field, a body and an encoded file; small messages come in the packet, large ones as a file
    site.pass_mail(site.mail(SECRET, body=f"{SECRET}\r\n", file=SECRET.encode() * 3),
                   site.mail("large " + SECRET, body=f"{SECRET}\r\n" * 20000, file=SECRET.encode() * 9000))
    attack = Attack(site, "others")
    equal((attack.told(), attack.reason), (["nothing"], None), attack.log())
    site.stop()


@test
def a_liar_lies_of_no_more_messages_than_a_worker_serves():
    site = Attacked()
    site.pass_mail(site.mail("attack", "liar"))
    site.pass_mail(*[site.mail(f"clean-{i}", file=b"malware") for i in range(WORKER_MESSAGES + 30)])
    seen = [len(event["unmapped"]["mailtrace"]["files"]) for event in site.events()[1:]]
    lied = sum(1 for files in seen if files < 3)
    equal(lied, WORKER_MESSAGES - 1)
    equal(seen[lied:], [3] * (len(seen) - lied), "after its end everything is read")
    site.stop()


main()
