#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Fuzzes, one target after the other, each for so many seconds; what each finds new goes
# to fuzz/NAME beside it, and an input that fails to fuzz/NAME-crash-… (…-timeout-…,
# …-oom-…).  Prints how many inputs were run, and how many failed.
# usage: run.sh SECONDS [NAME…]   (in a build folder made --with-fuzzer; make fuzz)
set -u
seconds=${1:-60}
[ $# -gt 0 ] && shift
corpora=${top_srcdir:-.}/tests/fuzz/corpus
failed=0

# A target that ends at a finding says so by its status.  The worker's memory is limited
# by the system, here the sanitizer takes its place.
fuzz() {
	mkdir -p "fuzz/$1"
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=1024 \
		"tests/fuzz/fuzz_$1" -max_total_time="$seconds" -timeout=60 -malloc_limit_mb=9000 \
		-rss_limit_mb=5000 -print_final_stats=1 -artifact_prefix="fuzz/$1-" \
		"fuzz/$1" "$corpora/$1" >"fuzz/$1.log" 2>&1
}

if [ $# -eq 0 ]; then
	for source in "${top_srcdir:-.}"/tests/fuzz/fuzz_*.c; do
		name=${source##*/fuzz_}
		set -- "$@" "${name%.c}"
	done
fi
for name; do
	result=passed
	fuzz "$name" || result=FAILED
	[ $result = passed ] || failed=$((failed + 1))
	executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "fuzz/$name.log")
	echo "$name: ${executed:-no} inputs, $result"
	[ $result = passed ] || tail -n 30 "fuzz/$name.log"
done
echo "$# targets, $failed failed"
[ $failed -eq 0 ]
