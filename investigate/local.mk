# SPDX-License-Identifier: BSD-2-Clause
# The command line links GLib, SQLite, libcrypto and jansson only; what needs
# more is a helper in libexec.
noinst_LIBRARIES += investigate/libcli.a
investigate_libcli_a_SOURCES = \
	investigate/control.c \
	investigate/control.h \
	investigate/out.c \
	investigate/out.h
investigate_libcli_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
# Asking the store: GLib, libcrypto, SQLite only, since the command line links it.
noinst_LIBRARIES += investigate/libstore.a
investigate_libstore_a_SOURCES = \
	investigate/query.c investigate/query.h
investigate_libstore_a_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) $(SQLITE_CFLAGS)
STORE_LIBS = investigate/libstore.a $(SQLITE_LIBS)
