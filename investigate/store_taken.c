/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was taken of a copy: fetched by IMAP, downloaded by POP3.
 *
 * A server that tells which message it opened leaves no doubt, and then nothing else of
 * its session counts.  Where it does not, a message that could be meant is told as
 * perhaps taken: a sequence number is never above its UID (RFC 9051 2.3.1.1), and a
 * POP3 session says at its end how many it took, of what was there when it began.
 */
#include <stdio.h>
#include <string.h>

#include "caps.h"
#include "record.h"
#include "store_mailbox_internal.h"

#define SECOND_US ((gint64)G_USEC_PER_SEC)
#define MINUTE_US (60 * SECOND_US)

/*
 * Of a question ?3 is the folder, ?4 the copy's UID in it (0: not known), ?5 when it came
 * there, ?6 and ?8 the time and the line with which it left.
 */
#define OF_FOLDER                                                            \
	" INDEXED BY deliveries_folder WHERE tenant=?1 AND recipient_key=?2" \
	" AND folder=?3 AND time_us>=?5 AND time_us<=?6 AND ?8>=0"
/*
 * What the server says it opened, by a UID that no other message of the folder has: another
 * process of it may have its line in the log before or behind.
 */
#define OF_FOLDER_ABOUT                                                      \
	" INDEXED BY deliveries_folder WHERE tenant=?1 AND recipient_key=?2" \
	" AND folder=?3 AND time_us+60000000>=?5 AND time_us-60000000<=?6 AND ?8>=0"
#define ORDER " ORDER BY time_us, id LIMIT ?7"

/* Another line, o, of the session of one. */
#define OF_SESSION                                                         \
	" FROM deliveries o INDEXED BY deliveries_queue WHERE o.tenant=?1" \
	" AND o.queue_id=deliveries.queue_id AND o.recipient_key=?2"
#define BEFORE " AND (o.time_us, o.id)<(deliveries.time_us, deliveries.id)"
#define BEHIND " AND (o.time_us, o.id)>(deliveries.time_us, deliveries.id)"

/* Does the session tell what it opens?  Then it did before. */
#define TELLS_NO_FETCHES " AND NOT EXISTS (SELECT 1" OF_SESSION " AND o.kind=21" BEFORE ")"
#define TELLS_NO_DOWNLOADS \
	" AND NOT EXISTS (SELECT 1" OF_SESSION " AND o.kind IN (16, 21) AND o.number>0)"

/* In the second in which it left it may have been asked for in vain. */
static const char fetched_by_uid[] = DEED("detail", "time_us=?6 AND id>?8") OF_FOLDER
	" AND kind=15 AND uid>0"
	" AND (?4=0 OR uid<=?4 AND uid_last>=?4)" TELLS_NO_FETCHES ORDER;

static const char fetched_by_number[] = DEED("detail", "0") OF_FOLDER
	" AND kind=15 AND uid=0"
	" AND (?4=0 OR number<=?4 OR number_last=4294967295)" TELLS_NO_FETCHES ORDER;

/* What the server opened, with the part that the session's next command for it asked for. */
#define PART                                                                                 \
	"(SELECT o.detail" OF_SESSION " AND o.kind=15 AND o.folder=deliveries.folder" BEHIND \
	" AND (o.number_last=4294967295"                                                     \
	" OR o.uid>0 AND deliveries.uid BETWEEN o.uid AND o.uid_last"                        \
	" OR o.number>0 AND deliveries.number BETWEEN o.number AND o.number_last)"           \
	" ORDER BY o.time_us, o.id LIMIT 1)"
static const char opened[] =
	DEED(PART, "0") OF_FOLDER_ABOUT " AND kind=21 AND relay='imap' AND (?4=0 OR uid=?4)" ORDER;

/*
 * Sessions of IMAP that tell neither what they opened nor what numbers they asked for,
 * with the most bodies that the UIDs they asked for can have been.
 */
#define ASKED                                                                      \
	"(SELECT coalesce(sum((o.uid_last-o.uid+1)"                                \
	"*(1+length(o.detail)-length(replace(o.detail, ' ', '')))), 0)" OF_SESSION \
	" AND o.kind=15 AND o.uid>0)"
#define TELLS_NO_NUMBERS \
	" AND NOT EXISTS (SELECT 1" OF_SESSION " AND o.number>0 AND o.kind IN (15, 21))"
static const char imap_sessions[] = DEED(
	"detail",
	ASKED) " INDEXED BY deliveries_sessions WHERE tenant=?1 AND recipient_key=?2 AND kind=15"
	       " AND folder IS NULL AND ?3 IS NOT NULL AND ?4>=0 AND ?6>0 AND ?8>=0"
	       " AND time_us>=?5" TELLS_NO_NUMBERS ORDER;

static const char downloaded[] = DEED("detail", "0") OF_FOLDER_ABOUT
	" AND kind=16 AND uid>0 AND number>0 AND (?4=0 OR uid=?4)" ORDER;

/* What TOP gave the beginning of, and all that the session's TOPs gave. */
#define SESSIONS_END "(SELECT o.detail" OF_SESSION " AND o.kind=16 AND o.uid=0 LIMIT 1)"
static const char looked_at[] = DEED(SESSIONS_END, "0") OF_FOLDER_ABOUT
	" AND kind=21 AND relay='pop3' AND (?4=0 OR uid=?4)" ORDER;

/*
 * Sessions of POP3 that do not tell what they opened, with how many messages they marked
 * as seen: those have been taken.
 */
#define MARKED "(SELECT count(DISTINCT o.uid)" OF_SESSION " AND o.kind=16 AND o.uid>0)"
static const char pop3_sessions[] = DEED(
	"detail",
	MARKED) " INDEXED BY deliveries_folder WHERE tenant=?1 AND recipient_key=?2 AND folder=?3"
		" AND kind=16 AND uid=0 AND ?4>=0 AND ?6>0 AND ?8>=0"
		" AND time_us>=?5" TELLS_NO_DOWNLOADS ORDER;

static gboolean
ask(const struct following *following, const char *question, const struct trace_place *place,
    GPtrArray *deeds, GError **error)
{
	return mailbox_read_deeds(
		following,
		sql_bind(following->store->sql, question, "issiiiii", following->tenant,
			 following->final->user_key, place->folder, (gint64)place->uid,
			 place->from_us, place->until_us ? place->until_us : G_MAXINT64,
			 (gint64)CAP_TRACE_LINES, place->until_us ? place->until_line : G_MAXINT64),
		deeds, error);
}

/* ---- IMAP ---- */

/* Adds what was fetched; headers of parts are no content. */
static void
add_fetched(struct following *following, const struct deed *deed, gboolean perhaps)
{
	if (g_strcmp0(deed->detail, "headers") != 0)
		mailbox_add_act_once(following, "fetched", deed, perhaps);
}

static void
add_by_uid(struct following *following, const struct trace_place *place, const struct deed *deed)
{
	add_fetched(following, deed, !place->uid || deed->extra);
}

/* A session that had more bodies than it is known to have asked for, while the copy was there. */
static void
add_session(struct following *following, const struct trace_place *place, struct deed *end)
{
	guint bodies = 0;

	if (place->until_us && end->login_us > place->until_us)
		return;
	if (end->detail && sscanf(end->detail, "bodies=%9u", &bodies) == 1 && bodies <= end->extra)
		return;
	g_clear_pointer(&end->detail, g_free); /* it is of the session */
	mailbox_add_act_once(following, "fetched", end, TRUE);
}

static gboolean
read_fetches(struct following *following, const struct trace_place *place, GError **error)
{
	g_autoptr(GPtrArray) by_uid = mailbox_deeds_new();
	g_autoptr(GPtrArray) by_number = mailbox_deeds_new();
	g_autoptr(GPtrArray) opens = mailbox_deeds_new();
	g_autoptr(GPtrArray) ends = mailbox_deeds_new();

	if (!ask(following, fetched_by_uid, place, by_uid, error) ||
	    !ask(following, fetched_by_number, place, by_number, error) ||
	    !ask(following, opened, place, opens, error) ||
	    !ask(following, imap_sessions, place, ends, error))
		return FALSE;
	for (guint i = 0; i < by_uid->len; i++)
		add_by_uid(following, place, g_ptr_array_index(by_uid, i));
	for (guint i = 0; i < by_number->len; i++)
		add_fetched(following, g_ptr_array_index(by_number, i), TRUE);
	for (guint i = 0; i < opens->len; i++) {
		const struct deed *deed = g_ptr_array_index(opens, i);

		/* Without an end of its command it may not have been sent. */
		add_fetched(following, deed, !place->uid || !deed->detail);
	}
	for (guint i = 0; i < ends->len; i++)
		add_session(following, place, g_ptr_array_index(ends, i));
	return TRUE;
}

/* ---- POP3 ---- */

/* Of the message the smallest file, without which nothing of it was taken; 0 if it has none. */
static gboolean
read_smallest(const struct following *following, gint64 *ret_size, GError **error)
{
	return sql_number(sql_bind(following->store->sql,
				   "SELECT coalesce(min(size), 0) FROM parts WHERE event=?1"
				   " AND NOT flags & ?2",
				   "ii", following->event,
				   (gint64)(FILE_BODY | FILE_MULTIPART | FILE_MESSAGE)),
			  0, ret_size, error);
}

/* Can a file have been in what TOP gave, as the session's end says? */
static gboolean
top_has_file(const char *end, gint64 smallest)
{
	guint taken, deleted, looked, bytes;

	if (!end ||
	    sscanf(end, "retr=%9u, del=%9u, top=%9u/%10u", &taken, &deleted, &looked, &bytes) != 4)
		return TRUE;
	return looked > 0 && bytes >= smallest;
}

/*
 * A session of POP3 sees what was there when it began; a log has whole seconds.  One whose
 * login is not known is taken to be short.
 */
static gboolean
was_there(const struct trace_place *place, const struct deed *end)
{
	gint64 began_us = end->login_us ? end->login_us : end->time_us;

	return began_us + SECOND_US >= place->from_us &&
	       (!place->until_us || began_us - (end->login_us ? 0 : MINUTE_US) <= place->until_us);
}

/* Did the session take more than those that are known? */
static gboolean
took_others(const struct deed *end, gint64 smallest)
{
	guint taken = 0;

	if (!end->detail || sscanf(end->detail, "retr=%9u", &taken) != 1)
		return TRUE;
	return taken > end->extra ||
	       (strstr(end->detail, "top=") && top_has_file(end->detail, smallest));
}

static void
add_downloaded(struct following *following, struct deed *deed, gboolean perhaps)
{
	g_clear_pointer(&deed->detail, g_free); /* it is of the session */
	mailbox_add_act_once(following, "downloaded", deed, perhaps);
}

static gboolean
read_downloads(struct following *following, const struct trace_place *place, GError **error)
{
	g_autoptr(GPtrArray) taken = mailbox_deeds_new();
	g_autoptr(GPtrArray) looked = mailbox_deeds_new();
	g_autoptr(GPtrArray) ends = mailbox_deeds_new();
	gint64 smallest = 0;

	if (!ask(following, downloaded, place, taken, error) ||
	    !ask(following, looked_at, place, looked, error) ||
	    !ask(following, pop3_sessions, place, ends, error) ||
	    ((looked->len || ends->len) && !read_smallest(following, &smallest, error)))
		return FALSE;
	for (guint i = 0; i < taken->len; i++)
		add_downloaded(following, g_ptr_array_index(taken, i), !place->uid);
	for (guint i = 0; i < looked->len; i++)
		if (top_has_file(((struct deed *)looked->pdata[i])->detail, smallest))
			add_downloaded(following, g_ptr_array_index(looked, i), TRUE);
	for (guint i = 0; i < ends->len; i++)
		if (was_there(place, g_ptr_array_index(ends, i)) &&
		    took_others(g_ptr_array_index(ends, i), smallest))
			add_downloaded(following, g_ptr_array_index(ends, i), TRUE);
	return TRUE;
}

gboolean
mailbox_taken(struct following *following, GError **error)
{
	const GPtrArray *places = following->final->places;

	for (guint i = 0; i < places->len; i++) {
		const struct trace_place *place = g_ptr_array_index(places, i);

		if (!read_fetches(following, place, error) ||
		    !read_downloads(following, place, error))
			return FALSE;
	}
	return TRUE;
}
