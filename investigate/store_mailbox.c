/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_mailbox.h"

#include <stdio.h>
#include <string.h>

#include "caps.h"
#include "store_logins.h"

/* A copy being followed through its mailbox. */
struct following {
	struct store *store;
	gint64 tenant;
	struct trace_final *final;
	GPtrArray *acts;   /* of struct store_act */
	GHashTable *known; /* of "what detail": told once */
};

/* A deed of the log. */
struct deed {
	enum delivery_kind kind;
	gint64 time_us;
	gint64 id;
	char *folder, *from_folder, *detail, *service, *session, *client;
	gint64 login_us;
	guint uid;
};

static void
act_free(void *data)
{
	struct store_act *act = data;

	g_free(act->detail);
	g_free(act->by);
	g_free(act->client);
	g_free(act->device);
	g_free(act);
}

static void
deed_free(void *data)
{
	struct deed *deed = data;

	g_free(deed->folder);
	g_free(deed->from_folder);
	g_free(deed->detail);
	g_free(deed->service);
	g_free(deed->session);
	g_free(deed->client);
	g_free(deed);
}

/* ---- what to tell ---- */

static void
add_act(struct following *following, const char *what, const struct deed *deed, const char *detail)
{
	struct store_act *act = g_new0(struct store_act, 1);

	act->what = what;
	act->at_us = deed->time_us;
	act->line = deed->id;
	act->detail = g_strdup(detail);
	act->by = g_strdup(deed->service);
	act->client = g_strdup(deed->client);
	act->login_us = deed->login_us;
	g_ptr_array_add(following->acts, act);
}

/* The same again, which tells nothing new, is left out. */
static void
add_act_once(struct following *following, const char *what, const struct deed *deed)
{
	if (g_hash_table_add(following->known,
			     g_strdup_printf("%s %s", what, deed->detail ? deed->detail : "")))
		add_act(following, what, deed, deed->detail);
}

/* ---- where it is ---- */

static gboolean
is_place(const struct trace_place *place, const char *folder, guint uid)
{
	return !place->until_us && folder && strcmp(place->folder, folder) == 0 &&
	       (!place->uid || !uid || place->uid == uid);
}

/* Returns a place where the copy is that a line speaks of, or NULL. */
static struct trace_place *
find_place(const struct following *following, const char *folder, guint uid)
{
	const GPtrArray *places = following->final->places;

	for (guint i = 0; i < places->len; i++) {
		struct trace_place *place = g_ptr_array_index(places, i);

		if (is_place(place, folder, uid))
			return place;
	}
	return NULL;
}

/* Returns the place to which it was put last, of those where it is; or NULL. */
static struct trace_place *
newest_place(const struct following *following)
{
	const GPtrArray *places = following->final->places;

	for (guint i = places->len; i > 0; i--) {
		struct trace_place *place = g_ptr_array_index(places, i - 1);

		if (!place->until_us)
			return place;
	}
	return NULL;
}

/* A copy that was told, and then left alone, was a move: the act becomes that. */
static gboolean
make_move(struct following *following, const struct trace_place *place, const struct deed *deed)
{
	for (guint i = following->acts->len; i > 0; i--) {
		struct store_act *act = g_ptr_array_index(following->acts, i - 1);

		if (strcmp(act->what, "copied") != 0 || strcmp(act->detail, place->folder) != 0)
			continue;
		act->what = "moved";
		act->at_us = deed->time_us;
		act->line = deed->id;
		return TRUE;
	}
	return FALSE;
}

static void
take_copied(struct following *following, const struct deed *deed)
{
	if (!deed->folder || !find_place(following, deed->from_folder, 0))
		return;
	g_ptr_array_add(following->final->places,
			trace_place_new(deed->folder, deed->uid, deed->time_us));
	add_act(following, "copied", deed, deed->folder);
}

/* A POP3 session says at its end how many it took and deleted, not which. */
static gboolean
take_pop3(struct following *following, const struct deed *deed, GError **error)
{
	g_autoptr(sql_stmt_t) row =
		sql_bind(following->store->sql,
			 "SELECT detail FROM deliveries INDEXED BY deliveries_queue WHERE tenant=?1"
			 " AND queue_id=?2 AND recipient_key=?3 AND kind=16 AND uid=0 LIMIT 1",
			 "iss", following->tenant, deed->session, following->final->user_key);
	guint taken = 0, deleted = 0;
	int more = sql_next(row, error);

	if (more <= 0)
		return more == 0;
	if (sscanf(sql_text(row, 0), "retr=%9u, del=%9u", &taken, &deleted) == 2 && taken > 0)
		add_act(following, "downloaded", deed,
			taken >= deleted ? NULL : "perhaps: not all that were deleted were taken");
	return TRUE;
}

static gboolean
take_expunged(struct following *following, const struct deed *deed, GError **error)
{
	struct trace_place *place = find_place(following, deed->folder, deed->uid);
	const struct trace_place *other;

	if (!place)
		return TRUE;
	place->until_us = MAX(deed->time_us, 1);
	if (g_strcmp0(deed->service, "pop3") == 0 && !take_pop3(following, deed, error))
		return FALSE;
	other = newest_place(following);
	if (!other || !make_move(following, other, deed))
		add_act(following, "deleted", deed, place->folder);
	return TRUE;
}

static gboolean
take_deed(struct following *following, const struct deed *deed, GError **error)
{
	const char *folder = deed->folder;

	switch (deed->kind) {
	case DELIVERY_COPIED:
		take_copied(following, deed);
		return TRUE;
	case DELIVERY_EXPUNGED:
		return take_expunged(following, deed, error);
	case DELIVERY_SEEN:
		if (find_place(following, folder, deed->uid))
			add_act_once(following, "seen", deed);
		return TRUE;
	case DELIVERY_DOWNLOADED:
		if (find_place(following, folder, deed->uid))
			add_act_once(following, "downloaded", deed);
		return TRUE;
	case DELIVERY_FORWARDED:
		if (!folder || find_place(following, folder, deed->uid))
			add_act_once(following, "forwarded", deed);
		return TRUE;
	default:
		return TRUE;
	}
}

/* ---- reading ---- */

#define DEED_COLUMNS                                                                        \
	"SELECT id, kind, time_us, folder, from_folder, detail, relay, queue_id, uid,"      \
	" (SELECT l.detail FROM deliveries l INDEXED BY deliveries_queue WHERE l.tenant=?1" \
	" AND l.queue_id=deliveries.queue_id AND l.recipient_key=?2 AND l.kind=20 LIMIT 1)" \
	" FROM deliveries"

/* What is known of the message by its Message-ID, of its session, and of whole folders. */
static const char deeds_of_message[] = DEED_COLUMNS
	" INDEXED BY deliveries_message WHERE tenant=?1 AND recipient_key=?2 AND message_key=?3"
	" AND kind BETWEEN 12 AND 18 AND time_us>=?4 UNION " DEED_COLUMNS
	" INDEXED BY deliveries_queue WHERE tenant=?1 AND queue_id=?5 AND recipient_key=?2"
	" AND kind=13 UNION " DEED_COLUMNS
	" INDEXED BY deliveries_emptied WHERE tenant=?1 AND recipient_key=?2 AND kind=18 AND uid=0"
	" AND time_us>=?4 ORDER BY time_us, id LIMIT ?6";
/* What is known by folder and UID, of a message without an ordinary Message-ID. */
static const char deeds_of_uid[] = DEED_COLUMNS
	" INDEXED BY deliveries_folder WHERE tenant=?1 AND recipient_key=?2 AND folder=?3"
	" AND kind BETWEEN 12 AND 18 AND kind<>15 AND uid=?4 AND time_us>=?5 UNION " DEED_COLUMNS
	" INDEXED BY deliveries_queue WHERE tenant=?1 AND queue_id=?6 AND recipient_key=?2"
	" AND kind=13 ORDER BY time_us, id LIMIT ?7";

static gboolean
read_deeds(struct sql_stmt *rows, GPtrArray *deeds, GError **error)
{
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		struct deed *deed = g_new0(struct deed, 1);

		deed->id = sql_int(rows, 0);
		deed->kind = (enum delivery_kind)sql_int(rows, 1);
		deed->time_us = sql_int(rows, 2);
		deed->folder = g_strdup(sql_text(rows, 3));
		deed->from_folder = g_strdup(sql_text(rows, 4));
		deed->detail = g_strdup(sql_text(rows, 5));
		deed->service = g_strdup(sql_text(rows, 6));
		deed->session = g_strdup(sql_text(rows, 7));
		deed->uid = (guint)sql_int(rows, 8);
		deed->client = g_strdup(sql_text(rows, 9));
		g_ptr_array_add(deeds, deed);
	}
	return more == 0;
}

/* Tells from where the user of each deed had logged in; the statement's client is that of old
 * lines. */
static gboolean
name_clients(const struct following *following, GPtrArray *deeds, GError **error)
{
	for (guint i = 0; i < deeds->len; i++) {
		struct deed *deed = g_ptr_array_index(deeds, i);
		struct store_session login;

		if (deed->client || !deed->session)
			continue;
		if (!store_session_login(following->store, following->tenant,
					 following->final->user_key, deed->session, deed->time_us,
					 &login, error))
			return FALSE;
		if (!login.time_us)
			continue;
		deed->client = network_ip_text(login.client);
		deed->login_us = login.time_us;
	}
	return TRUE;
}

static gboolean
follow_copy(struct following *following, GError **error)
{
	g_autoptr(GPtrArray) deeds = g_ptr_array_new_with_free_func(deed_free);
	const struct trace_final *final = following->final;
	const struct trace_place *first =
		final->places->len ? g_ptr_array_index(final->places, 0) : NULL;
	gint64 since_us = first ? first->from_us : 0;
	struct sql *sql = following->store->sql;
	struct sql_stmt *rows =
		final->message_key
			? sql_bind(sql, deeds_of_message, "issisi", following->tenant,
				   final->user_key, final->message_key, since_us, final->session,
				   (gint64)CAP_TRACE_LINES)
			: sql_bind(sql, deeds_of_uid, "issiisi", following->tenant, final->user_key,
				   first ? first->folder : "", first ? (gint64)first->uid : 0,
				   since_us, final->session, (gint64)CAP_TRACE_LINES);

	if (!read_deeds(rows, deeds, error) || !name_clients(following, deeds, error))
		return FALSE;
	for (guint i = 0; i < deeds->len; i++)
		if (!take_deed(following, g_ptr_array_index(deeds, i), error))
			return FALSE;
	return TRUE;
}

/* What was fetched of a copy in a place: the export of events knows no Message-ID. */
static gboolean
read_fetches(struct following *following, const struct trace_place *place, GError **error)
{
	g_autoptr(GPtrArray) deeds = g_ptr_array_new_with_free_func(deed_free);

	if (!place->uid)
		return TRUE;
	if (!read_deeds(sql_bind(following->store->sql,
				 DEED_COLUMNS
				 " INDEXED BY deliveries_folder WHERE tenant=?1"
				 " AND recipient_key=?2 AND folder=?3 AND kind=15 AND uid<=?4 AND"
				 " uid_last>=?4 AND time_us>=?5 AND time_us<=?6"
				 " ORDER BY time_us, id LIMIT ?7",
				 "issiiii", following->tenant, following->final->user_key,
				 place->folder, (gint64)place->uid, place->from_us,
				 place->until_us ? place->until_us : G_MAXINT64,
				 (gint64)CAP_TRACE_LINES),
			deeds, error) ||
	    !name_clients(following, deeds, error))
		return FALSE;
	for (guint i = 0; i < deeds->len; i++)
		add_act_once(following, "fetched", g_ptr_array_index(deeds, i));
	return TRUE;
}

static gint
compare_acts(gconstpointer first, gconstpointer second)
{
	const struct store_act *a = *(const struct store_act *const *)first;
	const struct store_act *b = *(const struct store_act *const *)second;

	if (a->at_us != b->at_us)
		return a->at_us < b->at_us ? -1 : 1;
	return (a->line > b->line) - (a->line < b->line);
}

static gboolean
follow_all(struct following *following, GError **error)
{
	if (!follow_copy(following, error))
		return FALSE;
	for (guint i = 0; i < following->final->places->len; i++)
		if (!read_fetches(following, g_ptr_array_index(following->final->places, i), error))
			return FALSE;
	g_ptr_array_sort(following->acts, compare_acts);
	return TRUE;
}

gboolean
mailbox_acts(struct store *store, gint64 tenant, struct trace_final *final, char **ret_folder,
	     GPtrArray **ret_acts, GError **error)
{
	g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct following following = {store, tenant, final,
				      g_ptr_array_new_with_free_func(act_free), known};
	const struct trace_place *place;

	*ret_acts = following.acts; /* the caller's from now on */
	if (final->user_key && !follow_all(&following, error))
		return FALSE;
	place = newest_place(&following);
	*ret_folder = place ? g_strdup(place->folder) : NULL;
	return TRUE;
}
