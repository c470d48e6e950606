#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Fills a store, then times questions to it as whole processes.
# usage: store.sh BUILD-DIRECTORY [MESSAGES]
set -eu
build=$1
messages=${2:-1000000}
folder=$(mktemp -d "${TMPDIR:-/tmp}/mailtrace-bench-XXXXXX")
trap 'rm -rf "$folder"' EXIT
store=$folder/store.db

"$build/bench/store" fill "$store" "$messages" 256
ls -l "$folder" | awk 'NR > 1 { print "size", $9, $5 }'

# The middle of 21 whole processes, in milliseconds.
whole() {
	what=$1
	shift
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21; do
		start=$(date +%s%N)
		"$@" >/dev/null || [ $? -eq 1 ]
		echo $((($(date +%s%N) - start) / 1000))
	done | sort -n | awk -v what="$what" \
		'{ t[NR] = $1 } END { printf "%s: p50 %.1f ms, max %.1f ms\n", what, t[11] / 1000, t[NR] / 1000 }'
}
ask() {
	echo "$*:" "$("$build/bench/store" ask "$store" 3 "$@" | tr '\n' ' ')"
}

hash=$("$build/bench/store" hash $((messages / 2)))
# Of this file only: the machine may be others' too.
dd if="$store" iflag=nocache count=0 2>/dev/null
start=$(date +%s%N)
"$build/bench/store" ask "$store" 1 "$hash" >/dev/null
echo "who HASH, store not in the page cache: $((($(date +%s%N) - start) / 1000)) us"
whole "who HASH, store alone" "$build/bench/store" ask "$store" 1 "$hash"
if [ -x "$build/investigate/mailtrace" ]; then
	conf=$folder/mailtrace.conf
	printf '[store]\nurl = sqlite:%s\n[collector]\ncontrol_socket = %s/control\n' \
		"$store" "$folder" >"$conf"
	whole "mailtrace who HASH" "$build/investigate/mailtrace" --config "$conf" who --json "$hash"
	whole "mailtrace who (unknown hash)" "$build/investigate/mailtrace" --config "$conf" who --json \
		0000000000000000000000000000000000000000000000000000000000000000
fi
ask "$hash"
ask 'to:user17@corp.example'
ask 'subject:議事録 to:user17@corp.example'
ask 'subject:請求書 12345'
ask "name:議事録_1777.*"
ask "name:*_1777.*"
ask 'url:site1234.example'
ask 'subject:件'
ask 'from:news12@site12.example'
ask 'ip:198.51.7.7'
