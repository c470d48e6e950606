/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * readings.h - the other readings of a message that real readers could have.
 *
 * Where a message departs from the standards, mail programs and gateways
 * disagree on what is in it.  The splitter notes each place where readers part
 * ways (enum doubt); this is the table of what they do then.  A class of
 * ambiguity is one row: a name, the doubts that make it worth reading, and how
 * that reader splits.  A message without a doubt is read once, and nothing
 * here is called.  Knows records, no bytes.  Pure; any thread.
 *
 * A row names a behaviour that exists: see SECURITY.md for whose it is.
 */
#ifndef MAILTRACE_READINGS_H
#define MAILTRACE_READINGS_H

#include <glib.h>

#include "entity.h"
#include "record.h"

/* Of a joined reading's name, its end included: a label has 64 bytes (record.h). */
#define READING_NAME_BYTES 64

/* One way to read a message. */
struct reading {
	const char *name;	 /* a label of record.h */
	guint doubts;		 /* of enum doubt: any of them calls for it */
	gboolean carriage_lines; /* a lone CR ends a line */
	gboolean lf_cr_lines;	 /* LF CR does */
	gboolean cr_cr_lf_lines; /* so does LF with any number of CR before it */
	struct split_options options;
};

/* Returns the table, static, in the order in which it is tried. */
const struct reading *readings_table(gsize *ret_count);

/*
 * Makes the reading of one who does what two rows say, as whoever meets two
 * departures at once.  Returns FALSE, with nothing made, when they exclude each
 * other.  Where one row has all that the other has it is that row, by its own
 * name; else ret_name, of READING_NAME_BYTES, becomes "first+second" and is
 * ret_joined's name.
 */
gboolean readings_join(const struct reading *first, const struct reading *second, char *ret_name,
		       struct reading *ret_joined);

/*
 * Returns a message with each lone CR made CR LF.  bytes: length bytes.  Free
 * with g_byte_array_unref().
 */
GByteArray *readings_carriage_lines(const char *bytes, gsize length);

/* The same with CR LF for each LF that more than one CR stands before. */
GByteArray *readings_cr_cr_lf_lines(const char *bytes, gsize length);

/* The same with CR LF for each LF CR, and for a CR before one, which a transport may have put
 * there. */
GByteArray *readings_lf_cr_lines(const char *bytes, gsize length);

/*
 * Takes the contents of another reading into the record: each distinct one, by
 * SHA-256, that it lacks, with the reading's name and "@name" after its path.
 * Containers, messages and empty contents are left out.  One that another such
 * reading showed before gets this name too, and one that the record has gets the names that
 * the reading gives its file.  At most CAP_READING_OBJECTS are
 * kept, and that cap is noted; other's caps are.  A joined reading's name
 * ("a+b") is given only to what no single one shows.  record: with files.  other:
 * loses the files that are taken.  parent: the file that other was read from,
 * whose path stands before theirs ("2.1@name"), or -1 for the whole message.  Returns how many
 * were taken.
 */
guint readings_merge(struct record *record, struct record *other, int parent, const char *name);

/*
 * Adds the names that another reading gives a content to the record's file of it, up to
 * CAP_NAMES, which is noted.
 */
void readings_add_names(struct record *record, struct file *file, const struct file *other);

/*
 * Appends a file for a content that a reading of parent shows ("2@name", or
 * "2@name.2" for a second one), with parent's names and types.  digests: its.
 * Returns it, borrowed, or NULL if the record has the content or may have no
 * more of them.
 */
struct file *readings_add(struct record *record, int parent, const char *name, guint64 size,
			  const struct digests *digests);
#endif
