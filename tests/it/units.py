#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a package installs for systemd, given to systemd's own programs: units, users and folders."""
import glob
import grp
import os
import re
import stat

import mtlib
from mtlib import SOURCE, equal, main, program, run, test

# systemd-analyze security tells ten times what it prints: 0 has nothing left, 100 may do all.
EXPOSURE_MAX = 20
# Groups that other packages make: who may read logs, and systemd's own.
OTHERS_GROUPS = {"adm", "systemd-journal"}


def filled_in(root):
    """Makes the templates of contrib into files below root, with programs that exist; returns the folder."""
    folders = {name: f"{root}/{name}" for name in ("bindir", "sbindir", "units")}
    for folder in folders.values():
        os.makedirs(folder)
    os.symlink(program("mailtrace"), f"{folders['bindir']}/mailtrace")
    os.symlink(program("mailtrace-milter"), f"{folders['sbindir']}/mailtrace-milter")
    places = {"sysconfdir": "/etc", "localstatedir": "/var", "runstatedir": "/run", "libexecdir": "/usr/libexec",
              "datadir": "/usr/share", **folders}
    for path in glob.glob(f"{SOURCE}/contrib/*.in"):
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"@(\w+)@", lambda found: places[found[1]], file.read())
        with open(f"{folders['units']}/{os.path.basename(path)[:-len('.in')]}", "w", encoding="utf-8") as file:
            file.write(text)
    return folders["units"]


FOLDER = filled_in(mtlib.temporary_directory("mailtrace-units."))
UNITS = sorted(glob.glob(f"{FOLDER}/*.service"))


def values(unit, key):
    """The words of a key of a unit."""
    with open(unit, encoding="utf-8") as file:
        return [word for line in re.findall(rf"^{key}=(.*)$", file.read(), re.M) for word in line.split()]


@test
def units_say_nothing_that_systemd_does_not_understand():
    equal(len(UNITS), 3)
    for unit in UNITS:
        done = run("systemd-analyze", "verify", "--man=no", unit, status=None)
        # A misspelt key is a warning, with the status of success.
        equal((done.returncode, done.stderr + done.stdout), (0, ""), unit)


@test
def units_may_do_little():
    for unit in UNITS:
        done = run("systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", unit, status=None)
        equal(done.returncode, 0, done.stdout)


@test
def the_users_and_folders_of_units_are_made():
    root = mtlib.temporary_directory("mailtrace-root.")
    os.makedirs(f"{root}/etc")
    os.makedirs(f"{root}/var/spool/postfix")
    with open(f"{root}/etc/group", "w", encoding="ascii") as file:
        file.write("root:x:0:\npostfix:x:104:\n")
    with open(f"{root}/etc/passwd", "w", encoding="ascii") as file:
        file.write("root:x:0:0::/root:/bin/sh\n")
    run("systemd-sysusers", f"--root={root}", f"{FOLDER}/mailtrace.sysusers.conf")
    with open(f"{root}/etc/passwd", encoding="ascii") as file:
        users = {line.split(":")[0]: int(line.split(":")[2]) for line in file}
    with open(f"{root}/etc/group", encoding="ascii") as file:
        groups = {line.split(":")[0]: int(line.split(":")[2]) for line in file}
    for unit in UNITS:
        needed = set(values(unit, "Group") + values(unit, "SupplementaryGroups")) - OTHERS_GROUPS
        assert needed <= set(groups), (unit, needed, groups)
        assert set(values(unit, "User")) <= set(users), (unit, users)
    run("systemd-tmpfiles", f"--root={root}", "--create", f"{FOLDER}/mailtrace.tmpfiles.conf")
    for path, mode, user, group in (("/etc/mailtrace", 0o755, "root", "root"),
                                    ("/run/mailtrace-events", 0o2750, "mailtrace-collect", "mailtrace-events"),
                                    ("/var/spool/postfix/mailtrace", 0o2750, "mailtrace", "postfix")):
        found = os.stat(root + path)
        equal((stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid), (mode, users[user], groups[group]), path)


@test
def the_workers_folder_is_on_a_tmpfs_of_its_own_with_a_size():
    unit = next(unit for unit in UNITS if unit.endswith("mailtrace-milter.service"))
    with open(f"{FOLDER}/mailtrace.conf", encoding="utf-8") as file:
        folder = re.search(r"\[scanner\].*?^#temp_directory = (\S+)$", file.read(), re.M | re.S)[1]
    mounts = dict(word.split(":", 1) for word in values(unit, "TemporaryFileSystem"))
    options = mounts[folder].split(",")
    assert any(option.startswith("size=") for option in options), options
    assert any(option.startswith("nr_inodes=") for option in options), options
    # The service is not root's.
    assert "mode=1777" in options, options


@test
def the_groups_of_others_are_there():
    for group in OTHERS_GROUPS:
        grp.getgrnam(group)


main()
