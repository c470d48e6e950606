/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mime_reader.h - what the files of the MIME reader share; of no interest to others.
 *
 * mime.c walks the tree and its other readings, mime_header.c reads the message's own
 * fields, mime_describe.c an entity's, mime_names.c and mime_name_forms.c names, mime_transfer.c
 * decodes, mime_leaf.c reads a content, and mime_otherwise.c the same as other readers have it. One
 * thread, in the sandboxed worker.
 */
#ifndef MAILTRACE_MIME_READER_H
#define MAILTRACE_MIME_READER_H

#include <glib.h>

#include "archive_behind.h"
#include "entity.h"
#include "fingerprint.h"
#include "recode.h"
#include "record.h"
#include "zip_end.h"

/* Encoded bytes are decoded in pieces of this size. */
#define PIECE_BYTES (32 * 1024)

/* All zero: as the standards say, and where they are broken, as most readers do. */
extern const struct split_options mime_plain_reading;

/* Room for the name of a character set; all that are known fit. */
#define CHARSET_NAME_BYTES 48

/* What ends a line in the reading in hand. */
enum line_rule {
	LINES_PLAIN,
	LINES_CARRIAGE, /* a lone CR too */
	LINES_LF_CR,	/* LF CR too */
	LINES_CR_CR_LF, /* LF, with any number of CR before it */
	LINE_RULES,
};

struct reader {
	struct record *record;
	struct fingerprint *fingerprint;
	struct record *result; /* the record, also while that of a reading is made */
	struct unpacker *unpacker;
	gsize names_bytes;    /* of names kept so far */
	gsize derived_bytes;  /* of those made of others */
	gsize url_scan_bytes; /* of text searched for links so far */
	gsize enclosed_bytes; /* of enclosed messages hashed so far */
	guint delivered;      /* Delivered-To fields so far */
	/* Character sets that Content-Type declares: the first one's, and the entity's in hand. */
	char first_charset[CHARSET_NAME_BYTES];
	char charset[CHARSET_NAME_BYTES];
	const struct split_options *options;
	guint doubts;		       /* of enum doubt, met by the plain reading */
	guint readings;		       /* other readings and decodings tried so far */
	guint64 reading_bytes;	       /* and what they read */
	gsize runs_room;	       /* bytes that runs of BinHex may make yet */
	const char *whole;	       /* the message in hand, as it came */
	gsize leaf_begin;	       /* of it: where the leaf in hand begins, for those in that */
	GHashTable *spans;	       /* set of contents of it that the plain reading saw */
	GHashTable *others;	       /* likewise, of those that another reading saw */
	GByteArray *lines[LINE_RULES]; /* it with CR LF for each line's end, once it was wanted */
	enum line_rule line_rule;
	guint rows;  /* of the table that the reading in hand is of */
	guint depth; /* levels above the message, of one that is in an archive */
	char *piece; /* PIECE_BYTES * 2 */
};

/* A message in hand: the whole, or one that was decoded from a part. */
struct source {
	const char *bytes;
	gsize length;
	struct entities *entities;
	int *files; /* index of each entity's file */
};

/* A content while it is decoded. */
struct content {
	struct zip_tail tail;
	struct archive_mark mark;
	GByteArray *kept; /* the first bytes of it */
	gsize keep;	  /* as many of them; of archives all */
	gboolean known;	  /* whether it is an archive was asked */
	gboolean attachment;
	gboolean truncated;
};

/* ---- mime.c ---- */

/*
 * Reads a message, and those in it; recurses only into encoded ones, CAP_NESTING
 * at most.  nullable: an empty one may be NULL, as an empty GByteArray has it.
 * parent: index of the file that it is in, or -1.  depth: levels above it.
 */
void mime_read_message(struct reader *reader, const char *nullable, gsize length, int parent,
		       guint depth);

/*
 * Notes a departure that the plain reading met, each name once at its offset: that of a
 * message in a leaf is where the leaf begins.
 */
void mime_note_anomaly(struct reader *reader, const struct source *source, const char *name,
		       gsize offset);

/* ---- mime_header.c ---- */

/* Opens what reading headers will need; before the sandbox. */
void mime_header_preload(void);

/* Narrows a span to what is between the blanks around it. */
struct span mime_trim(const struct source *source, struct span span);

/*
 * Returns bytes as text of at most max_bytes; notes the cap, by its name, when there were
 * more.  Free with g_free().
 */
char *mime_bounded_text(struct reader *reader, const char *bytes, gsize length, gsize max_bytes,
			const char *cap);

/* Returns a field's text as written, unfolded, CAP_FIELD_BYTES at most.  Free with g_free(). */
char *mime_field_text(struct reader *reader, const struct source *source, struct span span);

/* Returns whether a text is just these bytes. */
gboolean mime_same_bytes(const char *text, const void *bytes, gsize length);

/* Takes a field of the message's own header into the record. */
void mime_read_field(struct reader *reader, const struct source *source, const struct field *field);

/* ---- mime_names.c ---- */

/* A name as a header has it. */
struct written_name {
	char *text;
	char *reading;	  /* the parameter, with a star for a form of RFC 2231 */
	GBytes *raw;	  /* its bytes there */
	GBytes *word;	  /* the first word, where quotes are missing; or NULL */
	GBytes *token;	  /* and the first token */
	GBytes *unquoted; /* all of it, quotes and comments left out; or NULL */
	gboolean charset; /* it says its character set */
	gboolean extended;
};

/* A file that is given its names. */
struct naming {
	struct reader *reader;
	struct file *file;
	GPtrArray *written; /* of struct written_name, owned */
};

/* Begins to name a file. */
struct naming mime_naming_begin(struct reader *reader, struct file *file);

/* Adds what readers make of the names, as far as those that are written leave room. */
void mime_naming_end(struct naming *naming);

/* Adds the names that one field gives by a parameter, of one form (RFC 2231 or plain). */
void mime_add_names(const struct naming *naming, const struct content_field *field,
		    const char *name, gboolean extended);

/*
 * Adds the name that ends the path of a Content-Location (RFC 2557), as it is without
 * percent-encoding and with it, if it looks like one of a file.
 */
void mime_add_location(const struct naming *naming, const struct source *source,
		       struct span location);

/* ---- mime_name_forms.c ---- */

/*
 * Adds what readers make of the names that are written: the last part of a path, bytes in
 * other character sets, what is before a NUL.
 */
void mime_add_name_forms(const struct naming *naming);

/* ---- mime_describe.c ---- */

/* Sets what the entity's own header says of the file: types, names, flags. */
void mime_describe(struct reader *reader, const struct source *source, const struct entity *entity,
		   struct file *file);

/* Return whether it is opened as that, by its type or by the end of a name. */
gboolean mime_is_html(const struct entity *entity);
gboolean mime_is_tnef(const struct file *file);
gboolean mime_is_signed(const struct file *file);
gboolean mime_is_calendar(const struct file *file);

/* Returns whether a click on the file opens it as a page, links and all. */
gboolean mime_opens_in_browser(const struct file *file);

/* Returns whether mail programs open a leaf as a message though it is none by its type. */
gboolean mime_is_message_otherwise(const struct file *file);

/* ---- mime_transfer.c ---- */

/* Returns the transfer encoding (RFC 2045 6) that a described file has by the plain reading. */
enum encoding mime_encoding(const struct file *file);

/* Returns whether the header names a transfer encoding that all readers know, and does so once. */
gboolean mime_encoding_is_certain(const struct source *source, const struct entity *entity);

/* Returns what the name of the transfer encoding, or of that of the multipart around, resembles. */
enum encoding mime_resembled_encoding(const struct source *source, const struct entity *entity);

/* Decodes bytes into the reader's fingerprint, and keeps the first of them in content. */
void mime_decode(struct reader *reader, const char *bytes, gsize length, enum encoding encoding,
		 struct content *content);

/*
 * Returns the bytes of the delimiter's line break that would be part of the
 * decoded content: none in base64, none after a soft line break (RFC 2045 6.7).
 */
gsize mime_visible_break(const char *bytes, gsize length, gsize break_bytes,
			 enum encoding encoding);

/* ---- mime_leaf.c ---- */

/* Returns an empty set of contents that were read; free with g_hash_table_unref(). */
GHashTable *mime_spans_new(void);

/* Reads a leaf, or an encoded message as one.  index: of its file. */
void mime_read_leaf(struct reader *reader, const struct source *source, const struct entity *entity,
		    int index);

/* Returns a decoded multipart with its Content-Type before it.  Free with g_string_free(). */
GString *mime_multipart_message(const struct source *source, const struct entity *entity,
				const GByteArray *kept);

/* Reads an archive, but not of a reading that is merged, whose files are another record's. */
void mime_look_inside(struct reader *reader, guint index, const GByteArray *bytes, guint depth);

/* ---- mime_otherwise.c ---- */

/* Counts one more reading, of so many bytes; returns whether it may be tried. */
gboolean mime_may_read(struct reader *reader, guint64 bytes);

/* Reads a leaf's content by the other decodings that it calls for.  encoding: the plain one. */
void mime_read_decodings(struct reader *reader, const struct source *source,
			 const struct entity *entity, int index, enum encoding encoding);

/* Reads what stands in a leaf without MIME's saying so.  kept: of its decoded content. */
void mime_read_embedded(struct reader *reader, const struct source *source,
			const struct entity *entity, int index, const GByteArray *kept);
#endif
