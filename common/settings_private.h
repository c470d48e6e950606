/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings_private.h - what the files of settings.h share: settings_keys.c has the table
 * of keys, settings_value.c reads one value, settings.c a file.
 */
#ifndef MAILTRACE_SETTINGS_PRIVATE_H
#define MAILTRACE_SETTINGS_PRIVATE_H

#include "settings.h"

/* How a value is written; settings_value.c has the functions. */
enum settings_kind {
	KIND_TEXT,
	KIND_LIST,
	KIND_NETWORKS,
	KIND_GATEWAYS,
	KIND_PATH,
	KIND_OPTIONAL_PATH,
	KIND_NUMBER,
	KIND_SIZE,
	KIND_MODE,
	KIND_CHOICE,
	KIND_CHOICES,
	KIND_SOCKET,
	KIND_ENDPOINT,
	KIND_ENDPOINTS,
	KIND_STORE,
	KIND_LOOPBACK,
	KIND_HTTP,
	KIND_COMMAND,
	KIND_LOG,
};

/* How a key is read, and into which member. */
struct settings_binding {
	enum settings_kind kind;
	gsize offset;
	guint64 least, most;
	const char *choices; /* separated by '|'; in the order of the member's enum */
};

/* Returns that of the key at a place of settings_keys(). */
const struct settings_binding *settings_binding(gsize index);

/* Reads a value as written into a member, once; FALSE with SETTINGS_ERROR_INVALID. */
gboolean settings_value_read(const struct settings_binding *binding, const char *value,
			     void *ret_field, GError **error);

/* Frees what a member owns. */
void settings_value_release(const struct settings_binding *binding, void *field);

/* Sets SETTINGS_ERROR_INVALID, made safe for a terminal; returns FALSE. */
gboolean settings_refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
#endif
