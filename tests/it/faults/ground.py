# SPDX-License-Identifier: BSD-2-Clause
"""What the programs stand on, made so that it can be taken away: disks, and the network between two machines.

Both need root.
"""
import atexit
import os
import random
import subprocess

from mtlib import run

NETWORK = "198.18"  # RFC 2544: for tests between two interfaces
DISKS = {"spool": "256m", "store": "2g"}  # limits: a tmpfs takes what is in it


class Disk:
    """A file system of its own at a folder."""

    def __init__(self, folder, size):
        self.folder = folder
        self.size = size
        run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0750", "tmpfs", folder)
        atexit.register(self.remove)

    def remount(self, size):
        return run("mount", "-o", f"remount,size={size}", self.folder, status=None).returncode == 0

    def fill(self):
        """Leaves no room: the disk ends where what is on it ends."""
        while True:
            there = os.statvfs(self.folder)
            if self.remount((there.f_blocks - there.f_bfree) * there.f_frsize):
                return

    def make_room(self):
        assert self.remount(self.size)

    def remove(self):
        subprocess.run(["umount", "--lazy", self.folder], capture_output=True, check=False)


class Link:
    """A wire between this machine and another, which is a network namespace."""

    def __init__(self):
        net = random.SystemRandom().randrange(256 * 64)
        self.name = f"mtfault{net}"
        self.wire = f"mtf{net}"
        base, self.near, self.far = (f"{NETWORK}.{net // 64}.{net % 64 * 4 + n}" for n in range(3))
        self.other_way = ["unreachable", f"{base}/30", "metric", "4000"]
        run("ip", "netns", "add", self.name)
        atexit.register(self.remove)
        # While the wire is cut, nothing is to leave by another way.
        run("ip", "route", "add", *self.other_way)
        run("ip", "link", "add", self.wire, "type", "veth", "peer", "name", "wire", "netns", self.name)
        run("ip", "address", "add", f"{self.near}/30", "dev", self.wire)
        run("ip", "-n", self.name, "address", "add", f"{self.far}/30", "dev", "wire")
        run("ip", "-n", self.name, "link", "set", "lo", "up")
        run("ip", "-n", self.name, "link", "set", "wire", "up")
        self.restore()

    def command(self, argv):
        """Returns the command that runs argv on the other machine, under the same pid."""
        return ["nsenter", f"--net=/run/netns/{self.name}", *argv]

    def cut(self):
        run("ip", "link", "set", self.wire, "down")

    def restore(self):
        run("ip", "link", "set", self.wire, "up")

    def remove(self):
        # The wire goes at once, the namespace when the kernel comes to it.
        for argv in (["ip", "link", "delete", self.wire], ["ip", "netns", "delete", self.name],
                     ["ip", "route", "delete", *self.other_way]):
            subprocess.run(argv, capture_output=True, check=False)
