# SPDX-License-Identifier: BSD-2-Clause

# The life of a message between the MTA and the spool; knows no libmilter.
noinst_LIBRARIES += milter/libsession.a
milter_libsession_a_SOURCES = \
	milter/direction.c \
	milter/direction.h \
	milter/engine.c \
	milter/engine.h \
	milter/message.c \
	milter/message.h \
	milter/policy.c \
	milter/policy.h \
	milter/session.c \
	milter/session.h

# Events on disk until the collector has them; SQLite's owner in the milter.
noinst_LIBRARIES += milter/libspool.a
milter_libspool_a_SOURCES = milter/spool.c milter/spool.h
milter_libspool_a_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
SPOOL_LIBS = milter/libspool.a $(SQLITE_LIBS)
	milter/policy.h
