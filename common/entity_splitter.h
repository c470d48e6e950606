/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * entity_splitter.h - what the files of the splitter share; of no interest to others.
 *
 * entity.c makes the tree, entity_header.c reads an entity's header, entity_lines.c finds
 * lines and delimiters.  Pure; any thread.
 */
#ifndef MAILTRACE_ENTITY_SPLITTER_H
#define MAILTRACE_ENTITY_SPLITTER_H

#include "entity.h"

/* A multipart whose closing delimiter has not come. */
struct boundary {
	int entity;
	GBytes *text;
	const char *bytes; /* its bytes, for each line is compared to each of these */
	gsize size;
	guint running; /* entities that were running when it was opened, itself included */
};

struct splitter {
	const struct split_options *options;
	const char *bytes;
	gsize length;
	guint base_depth;
	guint max_entities;
	struct entities *out;
	GArray *boundaries; /* of struct boundary, outermost first */
	GArray *running;    /* of int: entities that have not ended, outermost first */
	gboolean crlf;	    /* CR LF ended a line of a header, or was about a delimiter */
	gboolean lf;	    /* likewise a lone LF */
	gsize searched;	    /* bytes about the parts of multiparts, for others */
	gsize last_dashes;  /* where the last line of two dashes begins that delimits nothing */
};

/* A line: [begin, end), its break and the begin of the next. */
struct line {
	gsize begin;
	gsize end;
	gsize next;
};

/* A delimiter line that was found. */
struct delimiter {
	struct line line;
	guint level; /* index in boundaries */
	gboolean closes;
};

/* ---- entity_lines.c ---- */

/* Notes a cap that was met, once.  name: static. */
void splitter_note_cap(struct splitter *splitter, const char *name);

/* Notes a departure from the standards.  name: static. */
void splitter_note_departure(struct splitter *splitter, const char *name, gsize offset);

/* Notes where readers part ways, with the first place of each kind as a departure. */
void splitter_note_doubt(struct splitter *splitter, enum doubt doubt, const char *name,
			 gsize offset);

/* Returns an entity, borrowed until another one is begun. */
struct entity *splitter_entity(struct splitter *splitter, int index);

/* Returns the line that begins at an offset. */
struct line splitter_line_at(const struct splitter *splitter, gsize begin);

/* Notes how a line that matters ends; readers part ways where both ends are in use. */
void splitter_note_line_end(struct splitter *splitter, gsize end);

/* Returns whether a line delimits an open multipart, the innermost first. */
gboolean splitter_line_delimits(struct splitter *splitter, struct line line,
				struct delimiter *ret_delimiter);

/* Finds the next delimiter line at or after the line that begins at from. */
gboolean splitter_find_delimiter(struct splitter *splitter, gsize from,
				 struct delimiter *ret_delimiter);

/* ---- entity_header.c ---- */

/* Returns whether a line begins with a field of MIME's own. */
gboolean splitter_begins_content_field(const struct splitter *splitter, gsize at);

/* Returns whether a header begins there that has such a field, in its first lines. */
gboolean splitter_begins_content_header(const struct splitter *splitter, gsize at);

/* Reads the header of an entity from begin on; returns where the body begins. */
gsize splitter_read_header(struct splitter *splitter, int index, gsize begin);
#endif
