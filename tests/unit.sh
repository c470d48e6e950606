#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Runs one Criterion program and prints its TAP; fails on a sanitizer's report,
# which Criterion by itself would overlook (a leak leaves its test "ok").
# usage: unit.sh PROGRAM
set -u
reports=$(mktemp -d) || exit 99
trap 'rm -rf "$reports"' EXIT
ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}log_path=$reports/asan:detect_leaks=1"
UBSAN_OPTIONS="${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}log_path=$reports/ubsan:print_stacktrace=1"
export ASAN_OPTIONS UBSAN_OPTIONS
# Its runner listens at a path with its process's number, and ends without a word where a
# run of another user that was killed left such a file: another number, then.
taken=75
while :; do
	# shellcheck disable=SC2016
	sh -c '[ ! -e "/tmp/criterion_$$.sock" ] || exit "$0"; exec "$@"' "$taken" "$@" --tap=- --jobs 2
	status=$?
	[ "$status" = "$taken" ] || break
done
for report in "$reports"/*; do
	[ -e "$report" ] || continue
	echo "Bail out! sanitizer report"
	cat "$report" >&2
	exit 1
done
exit "$status"
