/* SPDX-License-Identifier: BSD-2-Clause */
#include "quarantine.h"

#include <string.h>

#define ESCAPE '='
/* A folder's name never begins so: its "=" is escaped too. */
#define DIGEST_PREFIX "=="

static gboolean
is_plain(guchar byte)
{
	return g_ascii_isalnum(byte) || byte == '-' || byte == '_' || byte >= 0x80;
}

char *
quarantine_mailbox(const char *prefix, const char *folder)
{
	g_autoptr(GString) name = g_string_new(NULL);

	for (const char *at = folder; *at; at++) {
		if (is_plain((guchar)*at))
			g_string_append_c(name, *at);
		else
			g_string_append_printf(name, "%c%02X", ESCAPE, (guchar)*at);
	}
	if (name->len > QUARANTINE_NAME_BYTES) {
		g_autofree char *digest =
			g_compute_checksum_for_string(G_CHECKSUM_SHA256, folder, -1);

		return g_strconcat(prefix, DIGEST_PREFIX, digest, NULL);
	}
	return g_strconcat(prefix, name->str, NULL);
}

gboolean
quarantine_has(const char *prefix, const char *mailbox)
{
	gsize length = strlen(prefix);

	if (g_str_has_prefix(mailbox, prefix))
		return TRUE;
	return length > 1 && strlen(mailbox) == length - 1 &&
	       strncmp(mailbox, prefix, length - 1) == 0;
}

/* Reads "XX" behind an escape; 0 if it is none, which no folder's name has. */
static guchar
read_escape(const char *digits)
{
	int high = g_ascii_xdigit_value(digits[0]);
	int low = high < 0 ? -1 : g_ascii_xdigit_value(digits[1]);

	return low < 0 ? 0 : (guchar)(high << 4 | low);
}

char *
quarantine_folder(const char *prefix, const char *mailbox)
{
	g_autoptr(GString) folder = g_string_new(NULL);

	if (!g_str_has_prefix(mailbox, prefix))
		return NULL;
	for (const char *at = mailbox + strlen(prefix); *at; at++) {
		guchar byte = (guchar)*at;

		if (byte == ESCAPE) {
			byte = read_escape(at + 1);
			at += 2;
		} else if (!is_plain(byte)) {
			return NULL;
		}
		if (!byte)
			return NULL;
		g_string_append_c(folder, (char)byte);
	}
	if (!folder->len || !g_utf8_validate(folder->str, (gssize)folder->len, NULL))
		return NULL;
	return g_string_free(g_steal_pointer(&folder), FALSE);
}
