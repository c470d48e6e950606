# SPDX-License-Identifier: BSD-2-Clause
# Unit tests are Criterion programs, one a module, named tests/test_<module>.
# UNIT_CFLAGS and UNIT_LIBS go into each.
UNIT_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
UNIT_LIBS = $(CRITERION_LIBS)
EXTRA_DIST += tests/unit.sh
