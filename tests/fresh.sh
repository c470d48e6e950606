#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What a newcomer sees: runs a command in a clone of this tree, on a minimal
# Debian 12 that has nothing else, and fails if anything goes on running.  ROOT is
# made if it is not there, else what was installed in it stays; with --user the
# command is run by a user who has sudo, else by root, who has none.  Needs root,
# debootstrap and the network.  What is mounted goes with the run.
# usage: fresh.sh [--user] ROOT COMMAND [ARGUMENT…]
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
corpora=${MAILTRACE_CORPORA:-$source/../shared/corpora}
who=root
home=/root

if [ "${1:-}" = --user ]; then
	who=newcomer
	home=/home/newcomer
	shift
fi
if [ $# -lt 2 ]; then
	sed -n 's/^# usage: /usage: /p' "$0" >&2
	exit 2
fi

# Mounts and processes of its own: none is left.
if [ -z "${FRESH_INSIDE:-}" ]; then
	root=$1
	shift
	[ "$who" = root ] || set -- --user "$root" "$@"
	[ "$who" != root ] || set -- "$root" "$@"
	FRESH_INSIDE=yes exec unshare --mount --pid --fork --kill-child "$0" "$@"
fi
root=$1
shift

inside() {
	env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
		chroot "$root" "$@"
}

if [ ! -e "$root/etc/debian_version" ]; then
	debootstrap --variant=minbase bookworm "$root" >"$root.log" 2>&1 ||
		{ tail -n 20 "$root.log" >&2; exit 1; }
	# As Debian's installer has it.
	cat >"$root/etc/apt/sources.list" <<-END
		deb http://deb.debian.org/debian bookworm main
		deb http://deb.debian.org/debian bookworm-updates main
		deb http://deb.debian.org/debian-security bookworm-security main
	END
fi
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
# What a process does to the mounts of its own, it does to the one that is "/".
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/dev/shm"
if [ "$who" != root ] && ! inside id "$who" >/dev/null 2>&1; then
	inside sh -c 'apt-get -qq update && apt-get -qqy install --no-install-recommends sudo' >/dev/null 2>&1
	inside useradd --create-home --shell /bin/bash "$who"
	echo "$who ALL=(ALL) NOPASSWD: ALL" >"$root/etc/sudoers.d/$who"
fi
if [ ! -e "$root$home/mailtrace" ]; then
	git clone --quiet --no-hardlinks "file://$source" "$root$home/mailtrace"
	if [ -d "$corpora" ]; then
		mkdir -p "$root$home/shared"
		cp -r "$corpora" "$root$home/shared/corpora"
	fi
	inside chown -R "$who:" "$home"
fi

status=0
# shellcheck disable=SC2016
inside su - "$who" -c 'cd ~/mailtrace && exec "$@"' -- sh "$@" </dev/null || status=$?
# This one is the first of its own processes, and has only children of the command.
for process in "$root"/proc/[0-9]*; do
	line=$(tr '\0' ' ' 2>/dev/null <"$process/cmdline") || continue
	if [ "${process##*/}" != 1 ] && [ -n "$line" ]; then
		echo "fresh.sh: still running: $line" >&2
		status=1
	fi
done
exit $status
