# SPDX-License-Identifier: BSD-2-Clause
"""The scanner under many threads, and while it is replaced by another."""
import os
import re
import signal
import subprocess
import sys
import time

BUILD = os.environ.get("top_builddir", ".")
SCANNER = os.path.join(BUILD, "milter", "scanner")
SOURCE = os.environ.get("top_srcdir", ".")
STRESS = os.path.join(BUILD, "tests", "tools", "scanner_stress")


def stress(workers, threads, messages, swaps):
    """Runs the stress program; returns its figures, or what it said when it failed."""
    command = [STRESS, SCANNER] + [str(n) for n in (workers, threads, messages, swaps)]
    environment = dict(os.environ)
    environment.setdefault("TSAN_OPTIONS", f"suppressions={SOURCE}/tests/tsan.supp")
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
    if done.returncode != 0:
        return None, done.stderr[-4000:]
    return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", done.stdout)}, done.stderr[-4000:]


def all_read_by_many_threads():
    figures, said = stress(2, 16, 100, 0)
    assert figures is not None, said
    assert figures["read"] == 1600 and figures["retried"] == 0, figures


def none_lost_while_scanners_are_replaced():
    figures, said = stress(2, 8, 150, 10)
    assert figures is not None, said
    assert figures["read"] == 1200 and figures["failed"] == 0, figures


def more_workers_than_threads():
    figures, said = stress(6, 2, 300, 1)
    assert figures is not None, said
    assert figures["read"] == 600, figures


def interrupt_of_the_terminal_is_not_for_the_scanner():
    """Ctrl-C goes to the whole group; messages under way must still be answered."""
    command = [STRESS, SCANNER, "1", "2", "400", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    deadline = time.monotonic() + 60
    # A worker is there once the scanner has its signals in order.
    while process.poll() is None and not any(map(children, children(process.pid))):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    for _ in range(5):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
    out, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "read=800" in out, out


def children(pid):
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as stat:
                if int(stat.read().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(name))
        except OSError:
            continue
    return found


TESTS = [all_read_by_many_threads, none_lost_while_scanners_are_replaced,
         more_workers_than_threads, interrupt_of_the_terminal_is_not_for_the_scanner]


def main():
    print(f"1..{len(TESTS)}", flush=True)
    failed = 0
    for number, test in enumerate(TESTS, 1):
        try:
            test()
            print(f"ok {number} - {test.__name__}", flush=True)
        except (AssertionError, subprocess.SubprocessError, OSError) as error:
            failed += 1
            print(f"not ok {number} - {test.__name__}", flush=True)
            for line in str(error).splitlines():
                print(f"# {line}", flush=True)
    return 1 if failed else 0


sys.exit(main())
