/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_mailbox.h"

#include <string.h>

#include "caps.h"
#include "store_logins.h"
#include "store_mailbox_internal.h"

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

static struct store_act *
act_new(struct following *following, const char *what, const struct deed *deed, const char *detail)
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
	return act;
}

/* Tells what was done.  what: static.  detail: may be NULL. */
static void
add_act(struct following *following, const char *what, const struct deed *deed, const char *detail)
{
	act_new(following, what, deed, detail);
}

void
mailbox_add_act_once(struct following *following, const char *what, const struct deed *deed,
		     gboolean perhaps)
{
	if (g_hash_table_add(
		    following->known,
		    g_strdup_printf("%s %s %d", what, deed->detail ? deed->detail : "", perhaps)))
		act_new(following, what, deed, deed->detail)->perhaps = perhaps;
}

/* Is it told for certain what this act says perhaps? */
static gboolean
is_told(const struct following *following, const struct store_act *perhaps)
{
	for (guint i = 0; i < following->acts->len; i++) {
		const struct store_act *act = g_ptr_array_index(following->acts, i);

		if (!act->perhaps && strcmp(act->what, perhaps->what) == 0 &&
		    (!perhaps->detail || g_strcmp0(act->detail, perhaps->detail) == 0))
			return TRUE;
	}
	return FALSE;
}

static void
drop_told(struct following *following)
{
	for (guint i = following->acts->len; i > 0; i--) {
		const struct store_act *act = g_ptr_array_index(following->acts, i - 1);

		if (act->perhaps && is_told(following, act))
			g_ptr_array_remove_index(following->acts, i - 1);
	}
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

static void
end_place(struct trace_place *place, const struct deed *deed)
{
	place->until_us = MAX(deed->time_us, 1);
	place->until_line = deed->id;
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

		if (strcmp(act->what, "copied") != 0 || act->line != place->line)
			continue;
		act->what = "moved";
		act->at_us = deed->time_us;
		act->line = deed->id;
		return TRUE;
	}
	return FALSE;
}

static void
add_place(struct following *following, const char *folder, guint uid, gint64 from_us, gint64 line)
{
	struct trace_place *place = trace_place_new(folder, uid, from_us);

	place->line = line;
	g_ptr_array_add(following->final->places, place);
}

static void
take_copied(struct following *following, const struct deed *deed)
{
	if (!deed->folder || !find_place(following, deed->from_folder, 0))
		return;
	add_place(following, deed->folder, deed->uid, deed->time_us, deed->id);
	add_act(following, "copied", deed, deed->folder);
}

/*
 * Returns what a folder is called after a renaming, or NULL if it keeps its name.  Folders
 * below it go with it, which the log does not say; a "." is a separator only where no name
 * has a "/" (Dovecot has the one or the other).  Free with g_free().
 */
static char *
renamed_folder(const char *folder, const struct deed *deed)
{
	gsize length = deed->from_folder ? strlen(deed->from_folder) : 0;
	const char *below;

	if (!deed->folder || !length || strncmp(folder, deed->from_folder, length) != 0)
		return NULL;
	below = folder + length;
	if (*below == '/' || (*below == '.' && !strchr(folder, '/') && !strchr(deed->folder, '/')))
		return g_strconcat(deed->folder, below, NULL);
	return *below ? NULL : g_strdup(deed->folder);
}

static void
take_renamed(struct following *following, const struct deed *deed)
{
	const GPtrArray *places = following->final->places;
	guint count = places->len;

	for (guint i = 0; i < count; i++) {
		struct trace_place *place = g_ptr_array_index(places, i);
		g_autofree char *name =
			place->until_us ? NULL : renamed_folder(place->folder, deed);

		if (!name)
			continue;
		end_place(place, deed);
		add_place(following, name, place->uid, deed->time_us, place->line);
		add_act(following, "renamed", deed, name);
	}
}

static void
take_expunged(struct following *following, const struct deed *deed)
{
	struct trace_place *place = find_place(following, deed->folder, deed->uid);
	const struct trace_place *other;

	if (!place)
		return;
	end_place(place, deed);
	other = newest_place(following);
	if (!other || !make_move(following, other, deed))
		add_act(following, "deleted", deed, place->folder);
}

static void
take_deed(struct following *following, const struct deed *deed)
{
	gboolean there = find_place(following, deed->folder, deed->uid) != NULL;

	switch (deed->kind) {
	case DELIVERY_COPIED:
		take_copied(following, deed);
		break;
	case DELIVERY_EXPUNGED:
		take_expunged(following, deed);
		break;
	case DELIVERY_RENAMED:
		take_renamed(following, deed);
		break;
	case DELIVERY_SEEN:
		if (there)
			mailbox_add_act_once(following, "seen", deed, FALSE);
		break;
	case DELIVERY_DOWNLOADED:
		if (there)
			mailbox_add_act_once(following, "downloaded", deed, FALSE);
		break;
	case DELIVERY_FORWARDED:
		if (!deed->folder || there)
			mailbox_add_act_once(following, "forwarded", deed, FALSE);
		break;
	default:
		break;
	}
}

/* ---- reading ---- */

/* What is known of the message by its Message-ID, of its session, and of whole folders. */
static const char deeds_of_message[] = DEED(
	"detail",
	"0") " INDEXED BY deliveries_message WHERE tenant=?1 AND recipient_key=?2 AND message_key=?3"
	     " AND kind BETWEEN 12 AND 18 AND time_us>=?4 UNION " DEED(
		     "detail",
		     "0") " INDEXED BY deliveries_queue WHERE tenant=?1 AND queue_id=?5 AND recipient_key=?2"
			  " AND kind=13 UNION " DEED(
				  "detail",
				  "0") " INDEXED BY deliveries_emptied WHERE tenant=?1 AND recipient_key=?2 AND kind=18 AND uid=0"
				       " AND time_us>=?4 UNION " DEED(
					       "detail",
					       "0") " INDEXED BY deliveries_renamed WHERE tenant=?1 AND recipient_key=?2 AND kind=22"
						    " AND time_us>=?4 ORDER BY time_us, id LIMIT ?6";
/* What is known by folder and UID, of a message without an ordinary Message-ID. */
static const char deeds_of_uid[] = DEED(
	"detail",
	"0") " INDEXED BY deliveries_folder WHERE tenant=?1 AND recipient_key=?2 AND folder=?3"
	     " AND kind BETWEEN 12 AND 18 AND kind<>15 AND uid=?4 AND time_us>=?5 UNION " DEED(
		     "detail",
		     "0") " INDEXED BY deliveries_queue WHERE tenant=?1 AND queue_id=?6"
			  " AND recipient_key=?2 AND kind=13 UNION " DEED(
				  "detail",
				  "0") " INDEXED BY deliveries_emptied WHERE tenant=?1 AND recipient_key=?2 AND kind=18 AND uid=0"
				       " AND time_us>=?5 UNION " DEED(
					       "detail",
					       "0") " INDEXED BY deliveries_renamed WHERE tenant=?1 AND recipient_key=?2 AND kind=22"
						    " AND time_us>=?5 ORDER BY time_us, id LIMIT ?7";

GPtrArray *
mailbox_deeds_new(void)
{
	return g_ptr_array_new_with_free_func(deed_free);
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

gboolean
mailbox_read_deeds(const struct following *following, struct sql_stmt *rows, GPtrArray *deeds,
		   GError **error)
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
		deed->extra = sql_int(rows, 10);
		g_ptr_array_add(deeds, deed);
	}
	return more == 0 && name_clients(following, deeds, error);
}

static gboolean
follow_by_message(struct following *following, gint64 since_us, GError **error)
{
	g_autoptr(GPtrArray) deeds = mailbox_deeds_new();
	const struct trace_final *final = following->final;

	if (!mailbox_read_deeds(following,
				sql_bind(following->store->sql, deeds_of_message, "issisi",
					 following->tenant, final->user_key, final->message_key,
					 since_us, final->session, (gint64)CAP_TRACE_LINES),
				deeds, error))
		return FALSE;
	for (guint i = 0; i < deeds->len; i++)
		take_deed(following, g_ptr_array_index(deeds, i));
	return TRUE;
}

/* Takes deeds that are behind *after, to the one that renames the folder; *after: that one. */
static gboolean
take_until_renamed(struct following *following, const GPtrArray *deeds, struct deed *after)
{
	for (guint i = 0; i < deeds->len; i++) {
		const struct deed *deed = g_ptr_array_index(deeds, i);
		guint places = following->final->places->len;

		if (deed->time_us == after->time_us && deed->id <= after->id)
			continue;
		take_deed(following, deed);
		if (deed->kind != DELIVERY_RENAMED || following->final->places->len == places)
			continue;
		after->time_us = deed->time_us;
		after->id = deed->id;
		return TRUE;
	}
	return FALSE;
}

/* The names that the folder has had are asked for one by one. */
static gboolean
follow_by_uid(struct following *following, const struct trace_place *place, GError **error)
{
	const struct trace_final *final = following->final;
	struct deed after = {.time_us = place->from_us};
	gboolean renamed = TRUE;

	for (guint names = 0; renamed && place && names < CAP_FOLDER_NAMES; names++) {
		g_autoptr(GPtrArray) deeds = mailbox_deeds_new();

		if (!mailbox_read_deeds(following,
					sql_bind(following->store->sql, deeds_of_uid, "issiisi",
						 following->tenant, final->user_key, place->folder,
						 (gint64)place->uid, after.time_us, final->session,
						 (gint64)CAP_TRACE_LINES),
					deeds, error))
			return FALSE;
		renamed = take_until_renamed(following, deeds, &after);
		place = newest_place(following);
	}
	return TRUE;
}

static gboolean
follow_copy(struct following *following, GError **error)
{
	static const struct trace_place nowhere = {.folder = (char *)""};
	const GPtrArray *places = following->final->places;
	const struct trace_place *first = places->len ? g_ptr_array_index(places, 0) : &nowhere;

	return following->final->message_key ? follow_by_message(following, first->from_us, error)
					     : follow_by_uid(following, first, error);
}

/* Within a second the server's processes write in any order; what is deleted was there. */
static gint
compare_acts(gconstpointer first, gconstpointer second)
{
	const struct store_act *a = *(const struct store_act *const *)first;
	const struct store_act *b = *(const struct store_act *const *)second;
	gboolean a_last = strcmp(a->what, "deleted") == 0, b_last = strcmp(b->what, "deleted") == 0;

	if (a->at_us != b->at_us)
		return a->at_us < b->at_us ? -1 : 1;
	if (a_last != b_last)
		return a_last ? 1 : -1;
	return (a->line > b->line) - (a->line < b->line);
}

static gboolean
follow_all(struct following *following, GError **error)
{
	if (!follow_copy(following, error) || !mailbox_taken(following, error))
		return FALSE;
	drop_told(following);
	g_ptr_array_sort(following->acts, compare_acts);
	return TRUE;
}

gboolean
mailbox_acts(struct store *store, gint64 tenant, gint64 event, struct trace_final *final,
	     char **ret_folder, GPtrArray **ret_acts, GError **error)
{
	g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct following following = {
		.store = store,
		.tenant = tenant,
		.event = event,
		.final = final,
		.acts = g_ptr_array_new_with_free_func(act_free),
		.known = known,
	};
	const struct trace_place *place;

	*ret_acts = following.acts; /* the caller's from now on */
	if (final->user_key && !follow_all(&following, error))
		return FALSE;
	place = newest_place(&following);
	*ret_folder = place ? g_strdup(place->folder) : NULL;
	return TRUE;
}
