/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_source.h"

#include <string.h>

#include "caps.h"
#include "journal_tail.h"
#include "log_history.h"
#include "log_tail.h"
#include "settings.h"

#define JOURNAL_PLACE "mailtrace-follow 1\njournal "

G_DEFINE_QUARK(mailtrace_log_source_error, log_source_error)

/* Either of a journal or of a file. */
struct log_source {
	struct journal_tail *journal;
	struct log_tail *tail;
	struct log_history *history; /* at the first start, until all of it was given */
	char *trouble;	       /* the last old file that could not be read, once they are all */
	guint64 gaps;	       /* of the tail, that were told */
	guint64 oversized;     /* lines over the cap, that were told */
	guint64 old_oversized; /* such lines of old files */
};

/* ---- opening ---- */

static gboolean
refuse_place(GError **error)
{
	g_set_error(error, LOG_SOURCE_ERROR, LOG_SOURCE_ERROR_PLACE,
		    "is no place in this log; remove it to begin anew");
	return FALSE;
}

static gboolean
open_file(struct log_source *source, const struct log_source_options *options, const char *place,
	  GError **error)
{
	struct log_position position;

	if (place && !log_position_parse(place, &position))
		return refuse_place(error);
	source->tail = log_tail_new(options->log, place ? &position : NULL, options->from_end);
	if (place || options->from_end)
		return TRUE;
	/* The old files, but the one that is open already, whatever it is called by now. */
	log_tail_position(source->tail, &position);
	source->history =
		log_history_new(options->log, position.device, position.inode, options->decompress);
	return TRUE;
}

static gboolean
open_journal(struct log_source *source, const struct log_source_options *options, const char *where,
	     const char *place, GError **error)
{
	g_autofree char *cursor = NULL;
	g_autoptr(GError) why = NULL;

	if (place) {
		if (!g_str_has_prefix(place, JOURNAL_PLACE) || !g_str_has_suffix(place, "\n"))
			return refuse_place(error);
		cursor = g_strndup(place + strlen(JOURNAL_PLACE),
				   strlen(place) - strlen(JOURNAL_PLACE) - 1);
	}
	source->journal = journal_tail_new(where, options->users, cursor, options->from_end, &why);
	if (g_error_matches(why, JOURNAL_TAIL_ERROR, JOURNAL_TAIL_ERROR_PLACE))
		return refuse_place(error);
	if (why)
		g_propagate_error(error, g_steal_pointer(&why));
	return source->journal != NULL;
}

struct log_source *
log_source_new(const struct log_source_options *options, const char *place, GError **error)
{
	struct log_source *source = g_new0(struct log_source, 1);
	gboolean opened;

	if (g_str_has_prefix(options->log, FOLLOW_JOURNAL))
		opened = open_journal(source, options, options->log + strlen(FOLLOW_JOURNAL), place,
				      error);
	else
		opened = open_file(source, options, place, error);
	if (!opened)
		g_clear_pointer(&source, log_source_free);
	return source;
}

/* ---- reading ---- */

int
log_source_fd(const struct log_source *source)
{
	if (source->journal)
		return journal_tail_fd(source->journal);
	return source->history ? log_history_fd(source->history) : log_tail_fd(source->tail);
}

static GPtrArray *
read_file(struct log_source *source, guint max_lines, gboolean *ret_all)
{
	GPtrArray *lines = NULL;

	*ret_all = FALSE;
	if (source->history) {
		lines = log_history_read(source->history, max_lines);
		if (lines)
			return lines;
		source->trouble = log_history_trouble(source->history);
		source->old_oversized = log_history_oversized(source->history);
		g_clear_pointer(&source->history, log_history_free);
	}
	lines = log_tail_read(source->tail, max_lines);
	*ret_all = lines->len == 0;
	return lines;
}

GPtrArray *
log_source_read(struct log_source *source, guint max_lines, gboolean *ret_all)
{
	if (source->journal)
		return journal_tail_read(source->journal, max_lines, ret_all);
	return read_file(source, max_lines, ret_all);
}

char *
log_source_place(const struct log_source *source)
{
	g_autofree char *cursor = NULL;
	struct log_position position;

	if (source->journal) {
		cursor = journal_tail_place(source->journal);
		return g_strdup_printf(JOURNAL_PLACE "%s\n", cursor);
	}
	log_tail_position(source->tail, &position);
	if (position.inode == 0 || source->history)
		return NULL;
	return log_position_format(&position);
}

/* Returns how many lines over the cap were passed over so far. */
static guint64
oversized(const struct log_source *source)
{
	if (source->journal)
		return journal_tail_oversized(source->journal);
	return log_tail_oversized(source->tail) +
	       (source->history ? log_history_oversized(source->history) : source->old_oversized);
}

char *
log_source_gap(struct log_source *source)
{
	if (source->oversized < oversized(source)) {
		source->oversized++;
		return g_strdup_printf("a line of over %d bytes was passed over",
				       CAP_LOG_LINE_BYTES);
	}
	if (source->journal)
		return journal_tail_gap(source->journal);
	if (source->gaps == log_tail_gaps(source->tail))
		return NULL;
	source->gaps++;
	return g_strdup(
		"what stood next is in none of the log's files but, perhaps, a compressed one; it goes on "
		"behind that");
}

char *
log_source_trouble(struct log_source *source)
{
	return source->history ? log_history_trouble(source->history)
			       : g_steal_pointer(&source->trouble);
}

void
log_source_free(struct log_source *source)
{
	if (source == NULL)
		return;
	journal_tail_free(source->journal);
	log_tail_free(source->tail);
	log_history_free(source->history);
	g_free(source->trouble);
	g_free(source);
}
