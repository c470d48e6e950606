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
