/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal_tail.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-journal.h>

#include "caps.h"
#include "journal_entry.h"

#define ENTRIES_AT_ONCE 4096 /* looked at before the caller has its turn: some milliseconds */
#define THRESHOLD (CAP_LOG_LINE_BYTES + 64) /* of a field with its name; what is longer is cut */
#define NOWHERE "-"			    /* the place before all that will be there */

G_DEFINE_QUARK(mailtrace_journal_tail_error, journal_tail_error)

/* What is the same of an entry in whatever file it stands. */
struct identity {
	char boot[33];
	guint64 monotonic_us, hash;
};

struct journal_tail {
	char *where;
	sd_journal *journal; /* NULL: it could not be opened anew */
	GArray *uids;	     /* of uid_t: who is trusted */
	char *cursor;	     /* of the last entry that was looked at; NULL: before all */
	gboolean is_placed;  /* the journal stands at that entry, or before one not yet looked at */
	gboolean is_unread;  /* before: at it, rather */
	gboolean is_failing; /* reading failed, which was told */
	GPtrArray *gaps;     /* of char *: not yet told */
	guint64 oversized;
};

/* Opens the journal, anew if it is open.  Returns less than 0 if it cannot be. */
static int
open_journal(struct journal_tail *tail)
{
	int done;

	if (tail->journal != NULL)
		sd_journal_close(tail->journal);
	tail->journal = NULL;
	if (g_path_is_absolute(tail->where))
		done = sd_journal_open_directory(&tail->journal, tail->where, 0);
	else
		done = sd_journal_open_namespace(&tail->journal, *tail->where ? tail->where : NULL,
						 SD_JOURNAL_LOCAL_ONLY);
	if (done >= 0)
		done = sd_journal_set_data_threshold(tail->journal, THRESHOLD);
	/* From here on it notices what comes. */
	if (done >= 0)
		done = sd_journal_get_fd(tail->journal);
	return done;
}

/* ---- places ---- */

/* The parts of a cursor, as sd_journal_get_cursor(3) writes them and nobody else. */
static gboolean
identity_of(const char *cursor, struct identity *ret_identity)
{
	struct identity identity;

	if (sscanf(cursor,
		   "s=%*32[0-9a-f];i=%*16[0-9a-f];b=%32[0-9a-f];m=%16" G_GINT64_MODIFIER
		   "x;t=%*16[0-9a-f];x=%16" G_GINT64_MODIFIER "x",
		   identity.boot, &identity.monotonic_us, &identity.hash) != 3)
		return FALSE;
	*ret_identity = identity;
	return TRUE;
}

static gboolean
is_same_entry(const char *cursor, const char *other)
{
	struct identity one, two;

	return identity_of(cursor, &one) && identity_of(other, &two) &&
	       strcmp(one.boot, two.boot) == 0 && one.monotonic_us == two.monotonic_us &&
	       one.hash == two.hash;
}

/* Whether the journal stands at the entry of the place. */
static gboolean
is_at_place(const struct journal_tail *tail)
{
	char *cursor = NULL;
	gboolean is_it;

	if (sd_journal_get_cursor(tail->journal, &cursor) < 0)
		return FALSE;
	is_it = is_same_entry(cursor, tail->cursor);
	free(cursor);
	return is_it;
}

static void
note_place(struct journal_tail *tail)
{
	char *cursor = NULL;

	if (sd_journal_get_cursor(tail->journal, &cursor) < 0)
		return;
	g_free(tail->cursor);
	tail->cursor = g_strdup(cursor);
	free(cursor);
}

char *
journal_tail_place(const struct journal_tail *tail)
{
	return g_strdup(tail->cursor ? tail->cursor : NOWHERE);
}

static gboolean
take_place(struct journal_tail *tail, const char *place, GError **error)
{
	struct identity identity;

	if (strcmp(place, NOWHERE) == 0)
		return TRUE;
	if (!identity_of(place, &identity) || sd_journal_seek_cursor(tail->journal, place) < 0) {
		g_set_error(error, JOURNAL_TAIL_ERROR, JOURNAL_TAIL_ERROR_PLACE,
			    "it is no cursor of a journal");
		return FALSE;
	}
	tail->cursor = g_strdup(place);
	return TRUE;
}

/* The last entry that there is, be it of whom it may. */
static int
go_to_end(struct journal_tail *tail)
{
	int found = sd_journal_seek_tail(tail->journal);

	if (found >= 0)
		found = sd_journal_previous(tail->journal);
	if (found > 0)
		note_place(tail);
	return found;
}

static void note_gap(struct journal_tail *tail, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
note_gap(struct journal_tail *tail, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	g_ptr_array_add(tail->gaps, g_strdup_vprintf(format, arguments));
	va_end(arguments);
}

/* Has the journal show the entries of trusted users alone. */
static int
only_trusted(struct journal_tail *tail)
{
	int done = 0;

	for (guint i = 0; i < tail->uids->len && done >= 0; i++) {
		g_autofree char *match =
			g_strdup_printf("_UID=%u", (guint)g_array_index(tail->uids, uid_t, i));

		done = sd_journal_add_match(tail->journal, match, 0);
	}
	return done;
}

/* Goes to the place, or to where it would be.  Returns as sd_journal_next(3). */
static int
seek_place(struct journal_tail *tail)
{
	int done = tail->cursor ? sd_journal_seek_cursor(tail->journal, tail->cursor)
				: sd_journal_seek_head(tail->journal);

	return done < 0 ? done : sd_journal_next(tail->journal);
}

static gboolean
has_place(struct journal_tail *tail)
{
	return tail->cursor == NULL || (seek_place(tail) > 0 && is_at_place(tail));
}

/* Makes the entry before which the missing one would be the next: a gap is told once. */
static void
pass_gap(struct journal_tail *tail)
{
	note_gap(tail,
		 "the entry where it stood is no longer in the journal; it goes on with the next");
	if (seek_place(tail) <= 0) {
		g_clear_pointer(&tail->cursor, g_free);
		go_to_end(tail);
		return;
	}
	g_clear_pointer(&tail->cursor, g_free);
	if (sd_journal_previous(tail->journal) > 0)
		note_place(tail);
}

/*
 * Goes to where it stood, and sees whether that entry is still there: it may be
 * one of somebody who is not trusted, where the first start began.  A file that
 * is being renamed may be missed, so that all are looked for anew before it is
 * told that one is gone.
 */
static int
resume(struct journal_tail *tail)
{
	int found;

	sd_journal_flush_matches(tail->journal);
	if (!has_place(tail)) {
		found = open_journal(tail);
		if (found < 0)
			return found;
		if (!has_place(tail))
			pass_gap(tail);
	}
	found = only_trusted(tail);
	if (found >= 0)
		found = seek_place(tail);
	if (found < 0)
		return found;
	tail->is_unread = found > 0 && !(tail->cursor && is_at_place(tail));
	tail->is_placed = TRUE;
	return 0;
}

/* ---- entries ---- */

/* What tells apart two lines of the same text and time; the same wherever the entry stands. */
static guint64
entry_number(const struct journal_tail *tail)
{
	struct identity identity;

	return identity_of(tail->cursor, &identity) ? identity.hash ^ identity.monotonic_us : 0;
}

static void
take_entry(struct journal_tail *tail, GPtrArray *lines)
{
	char *reason = journal_entry_dropped(tail->journal);
	struct log_line *line;
	gboolean is_oversized;

	if (reason != NULL)
		g_ptr_array_add(tail->gaps, reason);
	line = journal_entry_line(tail->journal, entry_number(tail), &is_oversized);
	if (line != NULL)
		g_ptr_array_add(lines, line);
	tail->oversized += is_oversized;
}

/* Takes up to max_lines.  Returns as sd_journal_next(3): 0 if there are no more. */
static int
take_entries(struct journal_tail *tail, guint max_lines, GPtrArray *lines)
{
	for (guint looked = 0; looked < ENTRIES_AT_ONCE && lines->len < max_lines; looked++) {
		int found = tail->is_unread ? 1 : sd_journal_next(tail->journal);

		if (found <= 0)
			return found;
		tail->is_unread = FALSE;
		note_place(tail);
		take_entry(tail, lines);
	}
	return 1;
}

GPtrArray *
journal_tail_read(struct journal_tail *tail, guint max_lines, gboolean *ret_all)
{
	GPtrArray *lines = g_ptr_array_new_with_free_func(log_line_free);
	int found = tail->journal ? sd_journal_process(tail->journal) : open_journal(tail);

	/* Files came or went: entries not yet read may be among those. */
	if (found == SD_JOURNAL_INVALIDATE)
		tail->is_placed = FALSE;
	if (found >= 0 && !tail->is_placed)
		found = resume(tail);
	if (found >= 0)
		found = take_entries(tail, max_lines, lines);
	if (found < 0) {
		if (!tail->is_failing)
			note_gap(tail, "the journal cannot be read: %s", g_strerror(-found));
		tail->is_placed = FALSE;
	}
	tail->is_failing = found < 0;
	*ret_all = found == 0;
	return lines;
}

/* ---- life ---- */

static void
add_uid(struct journal_tail *tail, uid_t uid)
{
	g_array_append_val(tail->uids, uid);
}

static gboolean
add_user(struct journal_tail *tail, const char *name)
{
	const struct passwd *user;
	guint64 uid;

	if (g_ascii_string_to_unsigned(name, 10, 0, G_MAXUINT32 - 1, &uid, NULL)) {
		add_uid(tail, (uid_t)uid);
		return TRUE;
	}
	user = getpwnam(name);
	if (user != NULL)
		add_uid(tail, user->pw_uid);
	return user != NULL;
}

static gboolean
add_users(struct journal_tail *tail, const char *const *users, GError **error)
{
	if (*users == NULL) {
		add_uid(tail, 0);
		add_user(tail, "postfix");
	}
	for (; *users; users++)
		if (!add_user(tail, *users)) {
			g_set_error(error, JOURNAL_TAIL_ERROR, JOURNAL_TAIL_ERROR_OPEN,
				    "there is no user \"%s\"", *users);
			return FALSE;
		}
	return TRUE;
}

struct journal_tail *
journal_tail_new(const char *where, const char *const *users, const char *place, gboolean from_end,
		 GError **error)
{
	struct journal_tail *tail = g_new0(struct journal_tail, 1);
	int done;

	tail->uids = g_array_new(FALSE, FALSE, sizeof(uid_t));
	tail->gaps = g_ptr_array_new_with_free_func(g_free);
	tail->where = g_strdup(where);
	done = open_journal(tail);
	if (done >= 0 && !place && from_end)
		done = go_to_end(tail);
	if (done < 0)
		g_set_error(error, JOURNAL_TAIL_ERROR, JOURNAL_TAIL_ERROR_OPEN,
			    "the journal %s cannot be opened: %s", where, g_strerror(-done));
	if (done < 0 || !add_users(tail, users, error) ||
	    (place && !take_place(tail, place, error)))
		g_clear_pointer(&tail, journal_tail_free);
	return tail;
}

int
journal_tail_fd(const struct journal_tail *tail)
{
	return tail->journal ? sd_journal_get_fd(tail->journal) : -1;
}

char *
journal_tail_gap(struct journal_tail *tail)
{
	return tail->gaps->len > 0 ? g_ptr_array_steal_index(tail->gaps, 0) : NULL;
}

guint64
journal_tail_oversized(const struct journal_tail *tail)
{
	return tail->oversized;
}

void
journal_tail_free(struct journal_tail *tail)
{
	if (tail == NULL)
		return;
	if (tail->journal != NULL)
		sd_journal_close(tail->journal);
	g_array_unref(tail->uids);
	g_ptr_array_unref(tail->gaps);
	g_free(tail->cursor);
	g_free(tail->where);
	g_free(tail);
}
