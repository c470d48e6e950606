#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Makes configure and what it needs from a clean checkout.
set -eu
cd "$(dirname "$0")"
mkdir -p m4 build-aux
exec autoreconf --install --force "$@"
