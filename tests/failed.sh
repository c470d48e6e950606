#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Tells which tests failed in a build, and the beginning of what its program said of it.
# usage: failed.sh BUILD
set -u
find "$1" -name '*.trs' -exec grep -lE '^:test-result: (FAIL|XPASS|ERROR)' {} + | sort |
	while read -r result; do
		log=${result%.trs}.log
		grep -E '^(FAIL|XPASS|ERROR): ' "$log"
		grep -vE '^(ok|not ok|PASS|FAIL|XPASS|ERROR|1\.\.)' "$log" | head -n 20
	done
