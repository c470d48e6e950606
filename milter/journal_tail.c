/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal_tail.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <systemd/sd-messages.h>

#include "caps.h"

#define ENTRIES_AT_ONCE 4096 /* looked at before the caller has its turn: some milliseconds */
#define TAG_MAX 128	     /* of SYSLOG_IDENTIFIER: names of instance, service and program */
#define HOST_MAX 255	     /* RFC 1035 2.3.4 */
#define UNIT_MAX 255	     /* systemd.unit(5) */
#define DIGITS_MAX 20	     /* of a 64-bit number */
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

/*
 * Returns the value of a field, borrowed until the next call, or NULL.  *ret_length: it
 * may hold any bytes.
 */
static const char *
field(const struct journal_tail *tail, const char *name, gsize *ret_length)
{
	gsize named = strlen(name) + 1, length;
	const void *data;

	if (sd_journal_get_data(tail->journal, name, &data, &length) < 0 || length < named)
		return NULL;
	*ret_length = length - named;
	return (const char *)data + named;
}

/* Copies a field if it has at most max bytes, all of them visible ASCII; NULL if not. */
static char *
field_word(const struct journal_tail *tail, const char *name, gsize max)
{
	gsize length = 0;
	const char *value = field(tail, name, &length);

	if (value == NULL || length == 0 || length > max)
		return NULL;
	for (gsize i = 0; i < length; i++)
		if (value[i] <= ' ' || value[i] > '~')
			return NULL;
	return g_strndup(value, length);
}

static gboolean
field_number(const struct journal_tail *tail, const char *name, guint64 *ret_number)
{
	g_autofree char *digits = field_word(tail, name, DIGITS_MAX);

	return digits != NULL &&
	       g_ascii_string_to_unsigned(digits, 10, 0, G_MAXINT64, ret_number, NULL);
}

/* Whether a name, of a program or a unit, is one of an MTA's or of Dovecot's. */
static gboolean
is_of_mail(const char *name)
{
	static const char *const begins[] = {"postfix", "sendmail", "sm-mta", "dovecot"};

	for (gsize i = 0; i < G_N_ELEMENTS(begins); i++)
		if (g_str_has_prefix(name, begins[i]))
			return TRUE;
	return FALSE;
}

/*
 * journald tells, before it takes the next entry of a unit, how many it has not
 * taken.  "driver" is trusted: journald itself says it.  A unit that is not
 * named may be the MTA's.
 */
static gboolean
note_dropped(struct journal_tail *tail)
{
	g_autofree char *transport = field_word(tail, "_TRANSPORT", TAG_MAX);
	g_autofree char *id = field_word(tail, "MESSAGE_ID", TAG_MAX);
	g_autofree char *unit = NULL;
	guint64 count = 0;

	if (g_strcmp0(transport, "driver") != 0 ||
	    g_strcmp0(id, SD_MESSAGE_JOURNAL_DROPPED_STR) != 0)
		return FALSE;
	unit = field_word(tail, "OBJECT_SYSTEMD_UNIT", UNIT_MAX);
	if (unit != NULL && !is_of_mail(unit))
		return TRUE;
	field_number(tail, "N_DROPPED", &count);
	note_gap(tail,
		 "journald dropped %" G_GUINT64_FORMAT " entries of %s; raise its RateLimitBurst",
		 count, unit ? unit : "a unit that it does not name");
	return TRUE;
}

/* The kernel's time of the datagram, if it can be that; else journald's of the entry. */
static guint64
entry_time_us(const struct journal_tail *tail)
{
	guint64 at_us = 0, source_us;

	sd_journal_get_realtime_usec(tail->journal, &at_us);
	if (field_number(tail, "_SOURCE_REALTIME_TIMESTAMP", &source_us) && source_us <= at_us &&
	    at_us - source_us <= G_TIME_SPAN_DAY)
		return source_us;
	return at_us;
}

static gboolean
append_stamp(const struct journal_tail *tail, GString *line)
{
	guint64 at_us = entry_time_us(tail);
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc((gint64)(at_us / G_USEC_PER_SEC));
	g_autofree char *seconds = time ? g_date_time_format(time, "%Y-%m-%dT%H:%M:%S") : NULL;

	if (seconds == NULL)
		return FALSE;
	g_string_append_printf(line, "%s.%06u+00:00 ", seconds, (guint)(at_us % G_USEC_PER_SEC));
	return TRUE;
}

/* As much of a message as shows that it is too long, if it is. */
static void
append_message(const char *message, gsize length, GString *line)
{
	for (gsize i = 0; i < length && line->len <= CAP_LOG_LINE_BYTES; i++) {
		guchar c = (guchar)message[i];

		if (c < ' ' || c == 0x7f)
			g_string_append_printf(line, "#%03o", c);
		else
			g_string_append_c(line, (char)c);
	}
}

/* What tells apart two lines of the same text and time; the same wherever the entry stands. */
static guint64
entry_number(const struct journal_tail *tail)
{
	struct identity identity;

	return identity_of(tail->cursor, &identity) ? identity.hash ^ identity.monotonic_us : 0;
}

static void
add_line(struct journal_tail *tail, const char *tag, GPtrArray *lines)
{
	g_autoptr(GString) line = g_string_new(NULL);
	g_autofree char *host = field_word(tail, "_HOSTNAME", HOST_MAX);
	const char *message;
	gsize length = 0;
	guint64 pid;

	if (!append_stamp(tail, line))
		return;
	g_string_append_printf(line, "%s %s", host ? host : g_get_host_name(), tag);
	if (field_number(tail, "SYSLOG_PID", &pid) || field_number(tail, "_PID", &pid))
		g_string_append_printf(line, "[%" G_GUINT64_FORMAT "]", pid);
	g_string_append(line, ": ");
	message = field(tail, "MESSAGE", &length);
	if (message != NULL)
		append_message(message, length, line);
	if (line->len > CAP_LOG_LINE_BYTES)
		tail->oversized++;
	else if (message != NULL)
		g_ptr_array_add(lines, log_line_new(line->str, line->len, entry_number(tail)));
}

/* A tag with the marks that end one in a line is none. */
static void
take_entry(struct journal_tail *tail, GPtrArray *lines)
{
	g_autofree char *tag = field_word(tail, "SYSLOG_IDENTIFIER", TAG_MAX);

	if (tag == NULL || strpbrk(tag, ":[]") != NULL || note_dropped(tail) || !is_of_mail(tag))
		return;
	add_line(tail, tag, lines);
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
