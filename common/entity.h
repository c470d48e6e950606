/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * entity.h - where the parts of a message are: header, body, delimiters.
 *
 * Splits a message (RFC 5322, RFC 2046) into entities given as offsets into
 * the caller's bytes.  It is our own because three of our promises need exact
 * offsets, which no parser that builds objects keeps: the raw bytes of a
 * message/rfc822, the line break that belongs to a delimiter (RFC 2046 5.1.1),
 * and where an anomaly stands; and because the memory and time of those
 * parsers grow with hostile nesting.  One pass, no recursion; the work is
 * proportional to the length, times CAP_NESTING at worst.  Knows nothing of
 * transfer encodings but that an encoded message cannot be split in place.
 * Pure; any thread.
 */
#ifndef MAILTRACE_ENTITY_H
#define MAILTRACE_ENTITY_H

#include <glib.h>

#include "content_field.h"

/* Bytes [begin, begin + length) of the message. */
struct span {
	gsize begin;
	gsize length;
};

/* The header fields that we read; all others are passed over. */
enum field_kind {
	FIELD_CONTENT_TYPE, /* of every entity */
	FIELD_CONTENT_DISPOSITION,
	FIELD_CONTENT_TRANSFER_ENCODING,
	FIELD_CONTENT_ID,
	FIELD_SUBJECT, /* of the first entity, from here on */
	FIELD_MESSAGE_ID,
	FIELD_DATE,
	FIELD_FROM,
	FIELD_TO,
	FIELD_CC,
	FIELD_REPLY_TO,
	FIELD_LIST_ID,
	FIELD_DELIVERED_TO,
	FIELD_ORIGINAL_TO, /* X-Original-To */
	FIELD_AUTHENTICATION_RESULTS,
	FIELD_KINDS,
};
#define ENTITY_FIELD_KINDS (FIELD_CONTENT_ID + 1)

/* A header field. */
struct field {
	enum field_kind kind;
	struct span value; /* after the colon, folded, without the last line break */
};

enum entity_kind {
	ENTITY_LEAF,	  /* content */
	ENTITY_MULTIPART, /* its children follow */
	ENTITY_MESSAGE,	  /* message/rfc822 or message/global; not encoded: one child follows */
};

/* One entity. */
struct entity {
	enum entity_kind kind;
	int parent;	   /* index of the enclosing one, -1 for the first */
	guint number;	   /* among its parent's children, from 1 */
	guint depth;	   /* 0 for the first, plus the base */
	struct span body;  /* without the delimiter's line break */
	gsize break_bytes; /* of that line break, following the body: 0, 1 or 2 */
	gboolean cut;	   /* a cap kept something below from being split */
	gboolean has_type; /* a Content-Type was there */
	struct span fields[ENTITY_FIELD_KINDS]; /* first of each kind; begin 0 if none */
	struct content_field *type; /* Content-Type, or the default for the place; not NULL */
};

/* A departure from the standards. */
struct departure {
	const char *name; /* static */
	gsize offset;
};

/* A message, split. */
struct entities {
	GArray *list;	    /* of struct entity, parents first, in order */
	GArray *fields;	    /* of struct field: all of the first entity's */
	GArray *departures; /* of struct departure, at most CAP_ANOMALIES */
	GPtrArray *caps;    /* of char *, static: caps that were met */
};

/*
 * Splits a message.  bytes: length bytes, kept by the caller while the result
 * is used.  base_depth: levels already above it.  max_entities: at least 1; no
 * more are split off.  Never fails.  Free with entities_free().
 */
struct entities *entities_split(const void *bytes, gsize length, guint base_depth,
				guint max_entities);

/* Returns whether an entity is a message by its type, encoded or not. */
gboolean entity_is_message(const struct entity *entity);

/* Frees the list and what it owns.  NULL is allowed. */
void entities_free(struct entities *entities);

typedef struct entities entities_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(entities_t, entities_free)
#endif
