#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Measures the milter beside a filter that does nothing, in one run.

Prints messages per second and CPU per message at 2, 8 and 32 connections
(typical mail, default configuration, collector running), and, where memory
control groups can be made, the peak memory with 32 connections that each send
a 10 MB message.  Load generator and filter share the machine: read the ratios,
not the figures.  usage: milter.py [ROUNDS]
"""
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
os.environ.setdefault("top_srcdir", SOURCE)
sys.path.insert(0, os.path.join(SOURCE, "tests", "it"))
import mtlib  # noqa: E402  (the path to it was just set)

HERTZ = os.sysconf("SC_CLK_TCK")
TOTAL = {2: 1200, 8: 1200, 32: 1200}


def tree(pid):
    yield pid
    for child in mtlib.children(pid):
        yield from tree(child)


def cpu_seconds(pid):
    """CPU of a process and its descendants, those already ended and waited for included."""
    total = 0
    for member in tree(pid):
        try:
            with open(f"/proc/{member}/stat") as handle:
                fields = handle.read().rsplit(")", 1)[1].split()
            total += sum(int(field) for field in fields[11:15])
        except FileNotFoundError:
            pass
    return total / HERTZ


def play(socket, connections, files, total):
    argv = [mtlib.program("milterplay"), "--socket", socket, "--connections", connections, "--total", total,
            "--per-connection", 20, "--rcpt", "<user@example.org>"] + files
    return json.loads(mtlib.run(*argv).stdout)


def measure(name, socket, pids, files, rounds):
    rows = []
    for connections, total in TOTAL.items():
        play(socket, connections, files, 200)
        rates, costs, p99 = [], [], []
        for _ in range(rounds):
            before = sum(cpu_seconds(pid) for pid in pids)
            figures = play(socket, connections, files, total)
            costs.append((sum(cpu_seconds(pid) for pid in pids) - before) / total * 1000)
            rates.append(figures["per_second"])
            p99.append(figures["p99_ms"])
        rows.append((name, connections, statistics.median(rates), statistics.median(costs), statistics.median(p99)))
    return rows


def memory_group():
    """Returns (folder, peak file) of a new memory control group, or None where none can be made."""
    for parent, peak in (("/sys/fs/cgroup/memory", "memory.max_usage_in_bytes"), ("/sys/fs/cgroup", "memory.peak")):
        folder = f"{parent}/mailtrace-bench-{os.getpid()}"
        try:
            os.mkdir(folder)
        except OSError:
            continue
        if os.path.exists(f"{folder}/{peak}"):
            return folder, f"{folder}/{peak}"
        os.rmdir(folder)
    return None


def peak_memory(files):
    group = memory_group()
    if not group:
        print("memory: no control group can be made here (needs root)")
        return
    folder, peak = group
    site = mtlib.Site()
    site.make_keys()
    with open(f"{folder}/cgroup.procs", "w") as handle:
        handle.write(str(os.getpid()))
    try:
        site.start_milter()
    finally:
        os.system(f"echo {os.getpid()} > {os.path.dirname(folder)}/cgroup.procs")
    figures = play(site.socket, 32, files, 64)
    with open(peak) as handle:
        used = int(handle.read())
    site.stop()
    print(f"memory: peak {used / 2**20:.0f} MiB with 32 connections, each sending {os.path.getsize(files[0]) / 2**20:.1f}"
          f" MiB ({figures['failed']} failed)")
    os.rmdir(folder)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory(prefix="mailtrace-bench.") as folder:
        for kind in ("typical", "large"):
            subprocess.run([sys.executable, f"{SOURCE}/bench/corpus.py", kind, f"{folder}/{kind}"], check=True)
        files = sorted(glob.glob(f"{folder}/typical/*.eml"))
        nothing = f"{folder}/nothing.sock"
        idle = mtlib.Daemon([os.path.join(mtlib.BUILD, "bench/do_nothing"), f"unix:{nothing}"], f"{folder}/idle.log")
        mtlib.wait_until(lambda: os.path.exists(nothing), "the idle filter listens")
        site = mtlib.Site()
        site.make_keys()
        site.start_collector()
        site.start_milter()
        rows = measure("do-nothing", f"unix:{nothing}", [idle.pid], files, rounds)
        ours = measure("mailtrace", site.socket, [site.milter.pid], files, rounds)
        idle.kill()
        site.stop()
        print("filter      connections  messages/s  CPU ms/message  p99 ms")
        for name, connections, rate, cost, p99 in rows + ours:
            print(f"{name:<11} {connections:>11}  {rate:>10.0f}  {cost:>14.3f}  {p99:>6.1f}")
        for base, row in zip(rows, ours):
            print(f"ratio at {row[1]} connections: {row[2] / base[2]:.3f} of do-nothing's messages/s")
        peak_memory(sorted(glob.glob(f"{folder}/large/*.eml")))


main()
