/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rar_headers.h - what a rar says of its members: which are encrypted, and their CRC-32.
 *
 * The headers of a rar, of version 4 (technote.txt of RAR 4.20) and of version 5
 * (technote.txt of RAR 5), have each member's CRC-32 in the clear, of the content before
 * it was encrypted, which libarchive does not tell; of version 5 it does not even tell
 * that a member is encrypted.  Most of version 5 have one that the password was mixed into,
 * which is left out.  Behind a program the rar is looked for as archive.c does.  Hostile
 * bytes; decrypts nothing.  Pure; any thread.
 */
#ifndef MAILTRACE_RAR_HEADERS_H
#define MAILTRACE_RAR_HEADERS_H

#include <glib.h>

/* The headers of a rar, and where we are among them. */
struct rar_headers {
	const guint8 *bytes; /* borrowed */
	gsize length;
	gsize at;
	guint version;	 /* 4, 5, or 0: it is no rar */
	gboolean hidden; /* headers from here on are encrypted: their members are not shown */
};

/* A member with a content of its own, which is no folder. */
struct rar_member {
	const char *name; /* as it stands, in the rar; name_length bytes */
	gsize name_length;
	guint64 size; /* of the content */
	gboolean encrypted;
	gboolean has_crc32; /* of the content, which is whole in this volume */
	guint32 crc32;
};

/* Begins with the first header.  bytes: length bytes, kept by the caller meanwhile. */
void rar_headers_init(struct rar_headers *headers, const void *bytes, gsize length);

/*
 * Goes to the next member.  FALSE at the end, where the headers are encrypted too, and
 * where it is no rar.  Moves on by at least 7 bytes a header, so that it ends.
 */
gboolean rar_headers_next(struct rar_headers *headers, struct rar_member *ret_member);
#endif
