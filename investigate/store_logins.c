/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_logins.h"

#include <string.h>

#include "store_internal.h"
#include "text.h"

/* In the store's files: never changed.  A login is its second, from the first of its stretch, and
 * its session's hash, both of the lowest byte first. */
#define ENTRY_BYTES 12
#define ENTRY_SECOND_BYTES 4

/* ---- a stretch in a row ---- */

static guint64
take_number(const guint8 *bytes, gsize length)
{
	guint64 number = 0;

	while (length-- > 0)
		number = number << 8 | bytes[length];
	return number;
}

static void
put_number(GByteArray *bytes, guint64 number, gsize length)
{
	for (gsize i = 0; i < length; i++, number >>= 8) {
		guint8 byte = (guint8)number;

		g_byte_array_append(bytes, &byte, 1);
	}
}

static void
put_entry(GByteArray *bytes, guint64 second, guint64 hash)
{
	put_number(bytes, second, ENTRY_SECOND_BYTES);
	put_number(bytes, hash, ENTRY_BYTES - ENTRY_SECOND_BYTES);
}

static guint64
entry_second(const guint8 *entry)
{
	return take_number(entry, ENTRY_SECOND_BYTES);
}

static guint64
entry_hash(const guint8 *entry)
{
	return take_number(entry + ENTRY_SECOND_BYTES, ENTRY_BYTES - ENTRY_SECOND_BYTES);
}

static gint64
second_of(gint64 time_us)
{
	return time_us / G_USEC_PER_SEC;
}

/* ---- adding ---- */

/* A login on its way into the table. */
struct arrival {
	struct store *store;
	const struct login *login;
	gint64 tenant, sensor;
	guint8 client[NETWORK_IP_BYTES];
	char *user_key;
	guint64 hash; /* of its session; of its line where it has none */
};

/* The row that takes it; row 0: a new one. */
struct stretch {
	gint64 row, first;   /* first: second */
	GByteArray *entries; /* with the new one */
	gboolean known;
};

static gboolean
begin_arrival(struct arrival *arrival, GError **error)
{
	const struct login *login = arrival->login;
	guint8 id[UUID_BYTES];

	if (!login->tenant || !login->sensor || !login->user || !*login->user ||
	    !network_ip(login->client, arrival->client) || !store_uuid(login->event_id, id)) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_EVENT,
			    "the login has no valid id, tenant, sensor, user or client");
		return FALSE;
	}
	arrival->user_key = address_search_key(login->user);
	arrival->hash = (guint64)store_text_hash(login->session ? login->session : login->event_id);
	return store_make_tenant(arrival->store, login->tenant, &arrival->tenant, error) &&
	       store_make_sensor(arrival->store, arrival->tenant, login->sensor, &arrival->sensor,
				 error);
}

/* Whether the stretch has the login; if not, and it has room, it is the one that takes it. */
static void
look_at(const struct arrival *arrival, struct sql_stmt *row, struct stretch *stretch)
{
	gint64 first = second_of(sql_int(row, 1));
	guint64 second = (guint64)(second_of(arrival->login->time_us) - first);
	gsize length;
	const guint8 *entries = sql_blob(row, 2, &length);

	for (gsize at = 0; entries && at + ENTRY_BYTES <= length; at += ENTRY_BYTES)
		if (entry_second(entries + at) == second &&
		    entry_hash(entries + at) == arrival->hash)
			stretch->known = TRUE;
	if (stretch->row || !entries || length / ENTRY_BYTES >= LOGIN_FOLD_COUNT)
		return;
	stretch->row = sql_int(row, 0);
	stretch->first = first;
	g_byte_array_append(stretch->entries, entries, (guint)length);
}

static gboolean
find_stretch(const struct arrival *arrival, struct stretch *stretch, GError **error)
{
	const struct login *login = arrival->login;
	g_autoptr(sql_stmt_t) rows = sql_bind(
		arrival->store->sql,
		"SELECT id, first_us, entries FROM logins INDEXED BY logins_user WHERE tenant=?1"
		" AND user_key=?2 AND first_us<=?6 AND first_us>?7 AND client=?3 AND service=?4"
		" AND sensor=?5 ORDER BY first_us DESC",
		"isbsiii", arrival->tenant, arrival->user_key, arrival->client,
		(gsize)NETWORK_IP_BYTES, login->service, arrival->sensor, login->time_us,
		login->time_us - LOGIN_FOLD_US);
	int more = 0;

	while (!stretch->known && (more = sql_next(rows, error)) > 0)
		look_at(arrival, rows, stretch);
	return stretch->known || more == 0;
}

static gboolean
write_stretch(const struct arrival *arrival, struct stretch *stretch, GError **error)
{
	const struct login *login = arrival->login;
	struct sql *sql = arrival->store->sql;
	gint64 time_us = second_of(login->time_us) * G_USEC_PER_SEC;
	gboolean same = strcmp(login->user, arrival->user_key) == 0;

	if (!stretch->row)
		stretch->first = second_of(login->time_us);
	put_entry(stretch->entries, (guint64)(second_of(login->time_us) - stretch->first),
		  arrival->hash);
	if (stretch->row)
		return sql_run(sql_bind(sql,
					"UPDATE logins SET last_us=max(last_us, ?2), entries=?3"
					" WHERE id=?1",
					"iib", stretch->row, time_us, stretch->entries->data,
					(gsize)stretch->entries->len),
			       error);
	return sql_run(sql_bind(sql,
				"INSERT INTO logins (tenant, sensor, user, user_key, client,"
				" service, first_us, last_us, entries)"
				" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8)",
				"iissbsib", arrival->tenant, arrival->sensor,
				same ? NULL : login->user, arrival->user_key, arrival->client,
				(gsize)NETWORK_IP_BYTES, login->service, time_us,
				stretch->entries->data, (gsize)stretch->entries->len),
		       error);
}

static gboolean
add_once(struct arrival *arrival, gboolean *ret_added, GError **error)
{
	g_autoptr(GByteArray) entries = g_byte_array_new();
	struct stretch stretch = {.entries = entries};

	if (!begin_arrival(arrival, error) || !find_stretch(arrival, &stretch, error))
		return FALSE;
	*ret_added = !stretch.known;
	return stretch.known || write_stretch(arrival, &stretch, error);
}

gboolean
store_add_login(struct store *store, const struct login *login,
		const struct store_sequence *sequence, gboolean *ret_added, GError **error)
{
	struct arrival arrival = {.store = store, .login = login};
	gboolean added = FALSE, done;

	if (!store_begin_change(store, error))
		return FALSE;
	done = add_once(&arrival, &added, error) &&
	       (!sequence ||
		store_note_number(store, login->sensor, sequence, login->time_us, error));
	g_free(arrival.user_key);
	if (!store_end_change(store, done, error))
		return FALSE;
	*ret_added = added;
	return TRUE;
}

/* ---- asking ---- */

static gint
compare_times(gconstpointer first, gconstpointer second)
{
	gint64 a = *(const gint64 *)first, b = *(const gint64 *)second;

	return (a > b) - (a < b);
}

/* The times of a stretch that were asked for. */
static GArray *
times_of(const struct store_logins_question *question, struct sql_stmt *row)
{
	GArray *times = g_array_new(FALSE, FALSE, sizeof(gint64));
	gsize length;
	const guint8 *entries = sql_blob(row, 5, &length);

	for (gsize at = 0; entries && at + ENTRY_BYTES <= length; at += ENTRY_BYTES) {
		gint64 time_us = sql_int(row, 4) +
				 (gint64)entry_second(entries + at) * (gint64)G_USEC_PER_SEC;

		if (time_us >= question->since_us &&
		    (!question->until_us || time_us < question->until_us))
			g_array_append_val(times, time_us);
	}
	g_array_sort(times, compare_times);
	return times;
}

/* FALSE if the caller has enough. */
static gboolean
tell(const struct store_logins_question *question, struct sql_stmt *row, store_login_fn fn,
     void *data)
{
	g_autoptr(GArray) times = times_of(question, row);
	struct store_login login = {
		.user = sql_text(row, 0),
		.service = sql_text(row, 1),
		.sensor = sql_text(row, 2),
		.times_us = (const gint64 *)(void *)times->data,
		.count = times->len,
	};
	gsize length;
	const void *client = sql_blob(row, 3, &length);

	if (!times->len || !client || length != NETWORK_IP_BYTES)
		return TRUE;
	memcpy(login.client, client, NETWORK_IP_BYTES);
	return fn(&login, data);
}

#define LOGIN_COLUMNS                                                       \
	"SELECT coalesce(l.user, l.user_key), l.service, s.name, l.client," \
	" l.first_us, l.entries FROM logins l INDEXED BY "
#define LOGIN_TIMES \
	" AND l.first_us>?3 AND l.first_us<?4 AND l.last_us>=?5 ORDER BY l.first_us, l.id"
#define WITH_SENSOR " CROSS JOIN sensors s ON s.id=l.sensor WHERE l.tenant=?1"

gboolean
store_logins(struct store *store, const struct store_logins_question *question, store_login_fn fn,
	     void *data, GError **error)
{
	g_autofree char *key = question->user ? address_search_key(question->user) : NULL;
	gint64 until_us = question->until_us ? question->until_us : G_MAXINT64;
	gint64 from_us = question->since_us - LOGIN_FOLD_US;
	g_autoptr(sql_stmt_t) rows = NULL;
	gint64 tenant;
	int more = 0;

	if (!store_find_tenant(store, question->tenant, &tenant, error))
		return FALSE;
	if (key)
		rows = sql_bind(store->sql,
				LOGIN_COLUMNS "logins_user" WITH_SENSOR " AND l.user_key=?2 AND"
					      " (?6 IS NULL OR l.client=?6)" LOGIN_TIMES,
				"isiiib", tenant, key, from_us, until_us, question->since_us,
				question->client, (gsize)NETWORK_IP_BYTES);
	else
		rows = sql_bind(store->sql,
				LOGIN_COLUMNS "logins_client" WITH_SENSOR
					      " AND l.client=?2" LOGIN_TIMES,
				"ibiii", tenant, question->client, (gsize)NETWORK_IP_BYTES, from_us,
				until_us, question->since_us);
	while ((more = sql_next(rows, error)) > 0)
		if (!tell(question, rows, fn, data))
			return TRUE;
	return more == 0;
}

/* Whether a stretch has the session; *ret_time_us: its last time. */
static gboolean
has_session(struct sql_stmt *row, guint64 hash, gint64 before_us, gint64 *ret_time_us)
{
	gsize length;
	const guint8 *entries = sql_blob(row, 2, &length);
	gboolean found = FALSE;

	for (gsize at = 0; entries && at + ENTRY_BYTES <= length; at += ENTRY_BYTES) {
		gint64 time_us = sql_int(row, 1) +
				 (gint64)entry_second(entries + at) * (gint64)G_USEC_PER_SEC;

		if (entry_hash(entries + at) != hash || time_us > before_us)
			continue;
		*ret_time_us = time_us;
		found = TRUE;
	}
	return found;
}

gboolean
store_session_login(struct store *store, gint64 tenant, const char *user_key, const char *session,
		    gint64 before_us, struct store_session *ret_session, GError **error)
{
	guint64 hash = (guint64)store_text_hash(session);
	struct store_session found = {.time_us = 0};
	g_autoptr(sql_stmt_t) rows =
		sql_bind(store->sql,
			 "SELECT client, first_us, entries FROM logins INDEXED BY logins_user"
			 " WHERE tenant=?1 AND user_key=?2 AND first_us<=?3"
			 " ORDER BY first_us DESC LIMIT ?4",
			 "isii", tenant, user_key, before_us, (gint64)LOGIN_LOOK_BACK);
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		gsize length;
		const void *client = sql_blob(rows, 0, &length);

		if (length != NETWORK_IP_BYTES ||
		    !has_session(rows, hash, before_us, &found.time_us))
			continue;
		memcpy(found.client, client, NETWORK_IP_BYTES);
		break;
	}
	if (more >= 0)
		*ret_session = found;
	return more >= 0;
}
