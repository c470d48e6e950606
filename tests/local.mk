# SPDX-License-Identifier: BSD-2-Clause
# Unit tests are Criterion programs, one a module, named tests/test_<module>.
# UNIT_CFLAGS and UNIT_LIBS go into each.
UNIT_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
UNIT_LIBS = $(CRITERION_LIBS)
EXTRA_DIST += tests/unit.sh

# The MTA's side of the milter protocol: for whole-program tests, the benchmark
# and ./quickstart.
noinst_PROGRAMS += tests/tools/milterplay
tests_tools_milterplay_SOURCES = tests/tools/milterplay.c tests/tools/milter_wire.c \
	tests/tools/milter_wire.h
tests_tools_milterplay_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_tools_milterplay_LDADD = $(JANSSON_LIBS) $(GLIB_LIBS)

# Shared by the whole-program tests.
EXTRA_DIST += tests/it/mtlib.py tests/data/minimal.eml
