/* SPDX-License-Identifier: BSD-2-Clause */
#include "fingerprint.h"

#include <string.h>

/* The LF form is made in pieces of this size. */
#define PIECE_BYTES (16 * 1024)

struct fingerprint {
	struct digester *exact;
	struct digester *lf; /* without the line breaks that are pending */
	struct digester *branch;
	guint64 size;
	guint64 lf_size; /* likewise */
	guint64 pending; /* line breaks at the end so far */
	gboolean variants;
	gboolean begun;	   /* and not finished: a content that could not be read to its end */
	guint64 carriages; /* CRs that came last, and are not in the LF form yet */
	char piece[PIECE_BYTES];
	gsize used;
};

struct fingerprint *
fingerprint_new(void)
{
	struct fingerprint *fingerprint = g_new(struct fingerprint, 1);

	fingerprint->exact = digester_new();
	fingerprint->lf = digester_new();
	fingerprint->branch = digester_new();
	fingerprint_begin(fingerprint, FALSE);
	return fingerprint;
}

void
fingerprint_begin(struct fingerprint *fingerprint, gboolean variants)
{
	if (fingerprint->begun) {
		digester_restart(fingerprint->exact);
		digester_restart(fingerprint->lf);
	}
	fingerprint->begun = TRUE;
	fingerprint->variants = variants;
	fingerprint->size = fingerprint->lf_size = fingerprint->pending = 0;
	fingerprint->used = 0;
	fingerprint->carriages = 0;
}

static void
flush_piece(struct fingerprint *fingerprint)
{
	digester_add(fingerprint->lf, fingerprint->piece, fingerprint->used);
	fingerprint->lf_size += fingerprint->used;
	fingerprint->used = 0;
}

/* Appends bytes that are not the end of a line to the LF form. */
static void
append_lf(struct fingerprint *fingerprint, const char *bytes, gsize length)
{
	while (length > 0) {
		gsize some = MIN(length, PIECE_BYTES - fingerprint->used);

		memcpy(fingerprint->piece + fingerprint->used, bytes, some);
		fingerprint->used += some;
		bytes += some;
		length -= some;
		if (fingerprint->used == PIECE_BYTES)
			flush_piece(fingerprint);
	}
}

static void
append_pending(struct fingerprint *fingerprint)
{
	for (; fingerprint->pending > 0; fingerprint->pending--)
		append_lf(fingerprint, "\n", 1);
}

static void
append_text(struct fingerprint *fingerprint, const char *bytes, gsize length)
{
	if (!length)
		return;
	append_pending(fingerprint);
	append_lf(fingerprint, bytes, length);
}

/* Adds to the LF form as it is; line breaks wait until something follows them. */
void
fingerprint_add_lf(struct fingerprint *fingerprint, const void *bytes, gsize length)
{
	const char *at = bytes;
	gsize end = length;

	while (end && at[end - 1] == '\n')
		end--;
	append_text(fingerprint, at, end);
	fingerprint->pending += length - end;
}

static void
append_carriages(struct fingerprint *fingerprint)
{
	for (; fingerprint->carriages > 0; fingerprint->carriages--)
		append_text(fingerprint, "\r", 1);
}

/*
 * Adds to the LF form what has CR LF.  Of CR CR LF no CR stays: what was stored
 * with LF keeps one, which the next reader takes for its line end's.
 */
static void
add_converted(struct fingerprint *fingerprint, const char *at, gsize length)
{
	const char *end = at + length;

	while (at < end) {
		const char *feed = memchr(at, '\n', (gsize)(end - at));
		const char *stop = feed ? feed : end, *text_end = stop;

		while (text_end > at && text_end[-1] == '\r')
			text_end--;
		if (text_end > at) {
			append_carriages(fingerprint);
			append_text(fingerprint, at, (gsize)(text_end - at));
		}
		fingerprint->carriages += (gsize)(stop - text_end);
		if (!feed)
			return;
		fingerprint->carriages = 0;
		fingerprint->pending++;
		at = feed + 1;
	}
}

void
fingerprint_add_exact(struct fingerprint *fingerprint, const void *bytes, gsize length)
{
	digester_add(fingerprint->exact, bytes, length);
	fingerprint->size += length;
}

void
fingerprint_add(struct fingerprint *fingerprint, const void *bytes, gsize length)
{
	fingerprint_add_exact(fingerprint, bytes, length);
	if (fingerprint->variants)
		add_converted(fingerprint, bytes, length);
}

/* Takes the digests of what was added so far, and goes on. */
static void
branch_digests(struct fingerprint *fingerprint, const struct digester *from, const void *more,
	       gsize length, struct digests *ret_digests)
{
	digester_copy(fingerprint->branch, from);
	digester_add(fingerprint->branch, more, length);
	digester_finish(fingerprint->branch, ret_digests);
}

static void
finish_variants(struct fingerprint *fingerprint, struct file *file)
{
	struct digests trimmed, lf;
	guint64 trimmed_size;
	gboolean ends;

	append_carriages(fingerprint);
	flush_piece(fingerprint);
	trimmed_size = fingerprint->lf_size;
	ends = fingerprint->pending > 0;
	if (ends)
		branch_digests(fingerprint, fingerprint->lf, NULL, 0, &trimmed);
	append_pending(fingerprint);
	flush_piece(fingerprint);
	digester_finish(fingerprint->lf, &lf);
	if (fingerprint->lf_size != fingerprint->size)
		file_add_variant(file, VARIANT_LF, fingerprint->lf_size, &lf);
	if (ends)
		file_add_variant(file, VARIANT_TRIMMED, trimmed_size, &trimmed);
}

void
fingerprint_finish(struct fingerprint *fingerprint, const void *line_break, gsize break_bytes,
		   struct file *file)
{
	struct digests digests;

	if (fingerprint->variants && break_bytes) {
		branch_digests(fingerprint, fingerprint->exact, line_break, break_bytes, &digests);
		file_add_variant(file, VARIANT_DELIMITER, fingerprint->size + break_bytes,
				 &digests);
	}
	file->size = fingerprint->size;
	digester_finish(fingerprint->exact, &file->digests);
	if (fingerprint->variants)
		finish_variants(fingerprint, file);
	fingerprint->begun = FALSE;
}

void
fingerprint_free(struct fingerprint *fingerprint)
{
	if (!fingerprint)
		return;
	digester_free(fingerprint->exact);
	digester_free(fingerprint->lf);
	digester_free(fingerprint->branch);
	g_free(fingerprint);
}
