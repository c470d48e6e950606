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

#include "boundary.h"
#include "content_field.h"

/* Of a function that looks for other readings: tests/it/cost.py counts what it costs by its name.
 */
#define READING_CHECK G_NO_INLINE

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
	FIELD_CONTENT_LOCATION,
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
};
#define ENTITY_FIELD_KINDS (FIELD_CONTENT_LOCATION + 1)

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

/* Where readers part ways: a bit each, noted while splitting (readings.h). */
enum doubt {
	DOUBT_TYPE_TWICE = 1 << 0,	 /* two Content-Type fields */
	DOUBT_ENCODING_TWICE = 1 << 1,	 /* two Content-Transfer-Encoding fields */
	DOUBT_BOUNDARY = 1 << 2,	 /* more than one boundary can be read */
	DOUBT_NO_PARTS = 1 << 3,	 /* a multipart without a delimiter of it, or boundary */
	DOUBT_TYPE = 1 << 4,		 /* a boundary, but no multipart */
	DOUBT_HEADER_LINE = 1 << 5,	 /* a line of a header that is no field */
	DOUBT_FIELD_NAME = 1 << 6,	 /* a name that some readers mend */
	DOUBT_FIELD_BLANK = 1 << 7,	 /* a folded line that looks like a field */
	DOUBT_HEADER_END = 1 << 8,	 /* fields of MIME after the header's end */
	DOUBT_BLANK_LINE = 1 << 9,	 /* a line of blanks within a header */
	DOUBT_BARE_CR = 1 << 10,	 /* where it matters whether CR ends a line */
	DOUBT_DELIMITER_TAIL = 1 << 11,	 /* a delimiter, and text after it */
	DOUBT_DELIMITER_PLACE = 1 << 12, /* a delimiter, not where a line begins */
	DOUBT_PREAMBLE = 1 << 13,	 /* what looks like a part before the first delimiter */
	DOUBT_EPILOGUE = 1 << 14,	 /* or after the last */
	DOUBT_UNCLOSED = 1 << 15,	 /* a multipart in another has no end of its own */
	DOUBT_ONE_PART = 1 << 16,	 /* a multipart with one part */
	DOUBT_ENCODED = 1 << 17,	 /* a multipart with a transfer encoding, without parts */
	DOUBT_BARE_LF = 1 << 18,	 /* a lone LF ends some of the lines that matter */
	DOUBT_WIDE = 1 << 19,		 /* a multipart without parts, in UTF-16 */
	DOUBT_LF_CR = 1 << 20,		 /* a line of a header that begins with CR */
	DOUBT_CR_CR_LF = 1 << 21,	 /* more than one CR before LF, where it matters */
	DOUBT_DELIMITER_CASE = 1 << 22,	 /* a delimiter but for capitals and small letters */
	DOUBT_HEADER_CUT = 1 << 23,	 /* a delimiter within a header */
	DOUBT_CLOSE = 1 << 24,		 /* no end, but a line of two dashes in the last part */
	DOUBT_NAMELESS = 1 << 25,	 /* a line of a header that begins with its colon */
};

/* What becomes of a line in a header that is no field. */
enum header_garbage {
	GARBAGE_ENDS, /* the body begins with it: the plain reading */
	GARBAGE_IS_SKIPPED,
	GARBAGE_FOLDS, /* it belongs to the field before it */
};

/* How a message is split; all zero for the plain reading. */
struct split_options {
	guint last_fields; /* of 1 << enum field_kind: the last one counts, not the first */
	enum boundary_rule boundary;
	gboolean boundary_decides; /* a type with a boundary is a multipart */
	enum header_garbage garbage;
	gboolean mend_names;	     /* NULs, 8-bit and blanks in field names are passed over */
	gboolean blank_fields;	     /* a field may begin with blanks */
	gboolean nameless_fields;    /* or with its colon, and is passed over */
	gboolean header_goes_on;     /* fields of MIME after an empty line are header */
	gboolean blank_line_ends;    /* a line of blanks ends a header */
	gboolean delimiter_prefix;   /* text after a delimiter is ignored */
	gboolean delimiter_anywhere; /* a delimiter need not begin a line */
	gboolean delimiter_undashed; /* nor have its dashes */
	gboolean delimiter_any_case; /* nor be in the case of its parameter */
	gboolean header_is_whole;    /* a delimiter does not end a header */
	gboolean dashes_close;	     /* what has no end ends at the last line of two dashes */
	gboolean preamble_is_part;
	gboolean close_is_ignored; /* parts may follow the closing delimiter */
	gboolean inner_goes_on;	   /* a multipart goes on after one around it */
	gboolean decode_multiparts;
	gboolean wide_multiparts; /* a body in UTF-16 is converted before it is split */
	gboolean strict_lines;	  /* CR LF alone ends a line */
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
	gboolean wrapped;  /* a multipart that this reading decodes before it splits it */
	guint children;	   /* of a multipart */
	guint doubts;	   /* of enum doubt, those of its header */
	struct span fields[ENTITY_FIELD_KINDS]; /* the one of each kind; begin 0 if none */
	/* The other one, where Content-Type or Content-Disposition stands there twice. */
	struct span again[FIELD_CONTENT_DISPOSITION + 1];
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
	guint doubts;	    /* of enum doubt */
	guint64 compared; /* boundaries to lines, where many are open: each costs as a byte does */
};

/*
 * Splits a message.  options: NULL for the plain reading; borrowed for the call.  bytes: length
 * bytes, kept by the caller while the result is used.  base_depth: levels already above it.
 * max_entities: at least 1; no more are split off.  Never fails.  Free with entities_free().
 */
struct entities *entities_split(const struct split_options *options, const void *bytes,
				gsize length, guint base_depth, guint max_entities);

/* Returns whether an entity is a message by its type, encoded or not. */
gboolean entity_is_message(const struct entity *entity);

/* Frees the list and what it owns.  NULL is allowed. */
void entities_free(struct entities *entities);

typedef struct entities entities_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(entities_t, entities_free)
#endif
