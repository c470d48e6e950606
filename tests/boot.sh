#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What an administrator sees: installs this tree by the README's words on a minimal
# Debian 12 below ROOT, boots it with its systemd in a container without a network,
# and asks tests/boot-inside.sh whether all serves and no record is lost.  Needs
# root, debootstrap, systemd-nspawn (systemd-container) and the network to install.
# usage: boot.sh ROOT
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -ne 1 ]; then
	sed -n 's/^# usage: /usage: /p' "$0" >&2
	exit 2
fi
root=$1

# The N-th block of a section of the README: block SECTION N.
block() {
	awk -v section="## $1" -v wanted="$2" '
		/^## / { inside = $0 == section }
		/^```/ { if (inside) { if (!open) n++; open = !open } next }
		inside && open && n == wanted' "$here/../README.md"
}

echo "boot: installing below $root"
# Who runs it is root already, and the tests have a run of their own.
block Install 1 | sed 's/sudo //; s/ && make check//' >"$root.install"
"$here/fresh.sh" "$root" sh -ec "
	scripts/install-deps --tests >/dev/null
	apt-get -qqy install --no-install-recommends dbus systemd-sysv >/dev/null
	rm -rf build
	$(cat "$root.install")" >"$root.install.log" 2>&1 || { tail -n 20 "$root.install.log"; exit 1; }

{
	block Install 2
	echo 'cat >mailtrace.conf <<END'
	block Install 3
	block 'Follow its log' 1
	echo END
	echo 'mailtrace keygen --type sensor . mx1-follow'
	echo 'mailtrace sensor add mx1-follow mx1-follow.pub'
	echo 'chown mailtrace mx1-follow.key'
} >"$root/root/configure"
block 'Attach it to Postfix' 1 >"$root/root/main.cf"
cp "$here/boot-inside.sh" "$root/root/"
cat >"$root/etc/systemd/system/boot-inside.service" <<'END'
[Unit]
After=multi-user.target
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
ExecStart=/bin/sh /root/boot-inside.sh
StandardOutput=truncate:/root/boot-inside.log
StandardError=inherit
TimeoutStartSec=300
[Install]
WantedBy=default.target
END
chroot "$root" systemctl -q enable boot-inside
echo 'boot: booting'
status=0
systemd-nspawn --quiet --directory="$root" --boot --register=no --keep-unit --private-network \
	</dev/null >"$root.boot.log" 2>&1 || status=$?
if [ "$status" = 0 ]; then
	grep '^boot: ' "$root/root/boot-inside.log"
else
	tail -n 80 "$root/root/boot-inside.log"
	echo 'boot: failed'
fi
exit "$status"
