/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recode.h - the other ways to decode a content.
 *
 * Beside the plain reading of a transfer encoding (RFC 2045 6) stand those of
 * decoders that are stricter, or more lenient, or that go by the content where
 * the header leaves it open.  Each is a row of a table: a name, when it is
 * worth trying, how it decodes.  A content that is well-formed meets none of
 * them.  Pure; any thread; no more memory than the content has.
 */
#ifndef MAILTRACE_RECODE_H
#define MAILTRACE_RECODE_H

#include <glib.h>

enum encoding {
	ENCODING_IDENTITY, /* 7bit, 8bit, binary, or a name that nobody knows */
	ENCODING_BASE64,
	ENCODING_QUOTED_PRINTABLE,
	ENCODING_UUENCODE,
};

/* A content as it stands in the message, and what the plain reading made of it. */
struct encoded {
	const char *bytes;
	gsize length;
	enum encoding declared; /* by the plain reading */
	gboolean certain;	/* the header says just that, once */
	guint64 decoded_size;	/* by the plain reading */
	gboolean text;		/* by its type, so that its line ends mean something */
	gboolean body;		/* and shown in place, so that blanks at their ends mean nothing */
	enum encoding hinted;	/* where not certain: what it resembles, or ENCODING_IDENTITY */
	gboolean irregular;	/* set by recode_each(): base64 that not all decode alike */
	gboolean damaged;	/* set by recode_each(): and whose lines are to be mended */
};

/* One other decoding, by its names (static): its own, and the anomaly that calls for it. */
struct decoding {
	const char *name;
	const char *anomaly;
};

/*
 * Tries each decoding of a content that another reader could have, and calls
 * found with it and the bytes, which are not kept.
 */
void recode_each(const struct encoded *encoded,
		 void (*found)(const struct decoding *decoding, const GByteArray *bytes,
			       gpointer user),
		 gpointer user);

/*
 * Decodes base64 as the lenient do: other characters are passed over, and what
 * follows padding is decoded too.  Free with g_byte_array_unref().
 */
GByteArray *recode_base64(const char *bytes, gsize length);

/*
 * Decodes uuencode up to "end" as those do that take each line for as many bytes as it
 * says, whatever its characters and their number.  Free with g_byte_array_unref().
 */
GByteArray *recode_uuencode_by_lines(const struct encoded *encoded);

/* Returns whether a line, its break left out, is of base64's characters alone; empty is none. */
gboolean recode_is_base64_line(const char *line, gsize length);
#endif
