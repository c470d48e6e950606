#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Run by boot.sh within the container, once: the rest of the README's steps, then
# mail while the services are reloaded, restarted and killed.
set -eux

say() {
	echo "boot: $*"
}

fail() {
	say "$*"
	journalctl --no-pager --lines 60
	exit 1
}

# Waits until a command succeeds, a minute at most.
await() {
	for _ in $(seq 120); do
		! "$@" >/dev/null 2>&1 || return 0
		sleep 0.5
	done
	fail "not within a minute: $*"
}

hits() {
	mailtrace who --json "$@" | grep -c '"type":"hit"'
}

has_hits() {
	count=$1
	shift
	[ "$(hits "$@")" = "$count" ]
}

are_active() {
	for service in $services; do
		systemctl -q is-active "$service" || return 1
	done
}

is_reconciled() {
	mailtrace who "to:$load" | grep 'reconciled with the MTA'
}

kill_one() {
	kill -KILL "$1" && sleep 0.5
}

# A boot may follow another, which left its records.
boot=$(cat /proc/sys/kernel/random/uuid)
load=$boot@example.org
# shellcheck disable=SC1091
[ -e /etc/mailtrace/site.key ] || . /root/configure
services='mailtrace-collect mailtrace-milter mailtrace-follow'
# shellcheck disable=SC2086
systemctl -q enable --now $services || fail 'a service does not start'
await are_active
say "$services are active"

cat - /root/main.cf >/etc/postfix/main.cf <<'END'
compatibility_level = 3.6
myhostname = mx1.example.org
mydestination = example.org
inet_interfaces = loopback-only
local_recipient_maps =
mailbox_transport = discard:
END
newaliases
systemctl restart postfix
echo "$boot" >/root/f.js
tar -C /root -czf /root/f.tgz f.js
await swaks --silent 2 --server 127.0.0.1 --from a@example.net --to bob@example.org \
	--attach-type application/gzip --attach @/root/f.tgz
await has_hits 1 /root/f.js
say 'a file in an archive is found'

# Who is put off ends a round, and the next one begins.
(
	trap 'rounds=' TERM
	rounds=yes
	while [ "$rounds" ]; do
		smtp-source -s 4 -m 40 -l 20000 -f a@example.net -t "$load" 127.0.0.1:25 || sleep 0.2
	done
) >/root/load.log 2>&1 &
sender=$!
for _ in 1 2 3; do
	sleep 0.3
	systemctl reload mailtrace-milter || fail 'no reload'
done
systemctl restart mailtrace-milter
kill_one "$(pgrep -f 'mailtrace/scanner' | head -n 1)"
kill_one "$(systemctl show -p MainPID --value mailtrace-milter)"
kill_one "$(systemctl show -p MainPID --value mailtrace-collect)"
systemctl restart mailtrace-follow
sleep 1
kill "$sender"
wait "$sender" || fail 'the load did not end'
await are_active
accepted=$(journalctl --no-pager --identifier postfix/discard | grep -c "to=<$load>.*status=sent")
[ "$accepted" -gt 100 ] || fail "only $accepted messages were accepted"
await has_hits "$accepted" "to:$load"
say "$accepted messages accepted and recorded, through reloads, restarts and kills"
await is_reconciled
say 'reconciled with the journal'
for service in $services; do
	systemctl stop "$service"
	[ "$(systemctl show -p Result --value "$service")" = success ] || fail "$service was not stopped"
done
say 'stopped'
