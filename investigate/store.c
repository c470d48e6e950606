/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "store_schema.h"

G_DEFINE_QUARK(mailtrace_store_error, store_error)

/* ---- opening ---- */

/*
 * Not on the database itself: closing any descriptor of it would drop the
 * locks that SQLite holds there (POSIX advisory locks belong to the process).
 */
static gboolean
take_lock(struct store *store, const char *path, GError **error)
{
	g_autofree char *lock_path = g_strconcat(path, ".lock", NULL);

	store->lock_fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->lock_fd < 0) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_OPEN, "cannot open %s: %s", lock_path,
			    g_strerror(errno));
		return FALSE;
	}
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return TRUE;
	g_set_error(error, STORE_ERROR, STORE_ERROR_LOCKED,
		    "another process writes the store %s; a running collector takes imports itself",
		    path);
	return FALSE;
}

static gboolean
open_path(struct store *store, const char *path, GError **error)
{
	gboolean writable = store->mode == STORE_WRITE;
	const char *const *steps;
	gsize count;

	if (writable && !take_lock(store, path, error))
		return FALSE;
	store->sql = sql_open(path, writable, error);
	if (!store->sql)
		return FALSE;
	steps = store_schema_steps(&count);
	if (writable ? store_schema_upgrade(store->sql, steps, count, error)
		     : store_schema_check(store->sql, count, error))
		return TRUE;
	g_prefix_error(error, "%s: ", path);
	return FALSE;
}

struct store *
store_open(const char *url, enum store_mode mode, GError **error)
{
	static const char scheme[] = "sqlite:";
	g_autoptr(store_t) store = NULL;

	if (!g_str_has_prefix(url, scheme) || !url[sizeof(scheme) - 1]) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_OPEN,
			    "'%s' is no store: write sqlite:/path/to/store.db", url);
		return NULL;
	}
	store = g_new0(struct store, 1);
	store->mode = mode;
	store->lock_fd = -1;
	store->tenants = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	if (!open_path(store, url + sizeof(scheme) - 1, error))
		return NULL;
	return g_steal_pointer(&store);
}

void
store_close(struct store *store)
{
	if (!store)
		return;
	/* A reader that closes last cannot do it, and each process after it would have to. */
	if (store->sql && store->mode == STORE_WRITE)
		sql_checkpoint(store->sql);
	sql_close(store->sql);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	g_hash_table_unref(store->tenants);
	g_clear_object(&store->compressor);
	g_free(store);
}

/* ---- transactions ---- */

gboolean
store_begin(struct store *store, GError **error)
{
	return sql_script(store->sql, "BEGIN IMMEDIATE", error);
}

gboolean
store_commit(struct store *store, GError **error)
{
	return sql_script(store->sql, "COMMIT", error);
}

void
store_rollback(struct store *store)
{
	/* The cache may name tenants that the rollback takes away. */
	g_hash_table_remove_all(store->tenants);
	if (sql_in_transaction(store->sql))
		sql_script(store->sql, "ROLLBACK", NULL);
}

gboolean
store_begin_question(struct store *store, gboolean *ret_own, GError **error)
{
	gboolean own = !sql_in_transaction(store->sql);

	if (own && !sql_script(store->sql, "BEGIN", error))
		return FALSE;
	*ret_own = own;
	return TRUE;
}

void
store_end_question(struct store *store, gboolean own)
{
	/* COMMIT keeps the temporary table, and the statements prepared for it. */
	if (own && sql_in_transaction(store->sql) && !sql_script(store->sql, "COMMIT", NULL))
		sql_script(store->sql, "ROLLBACK", NULL);
}

gboolean
store_begin_change(struct store *store, GError **error)
{
	return sql_script(store->sql, "SAVEPOINT change", error);
}

gboolean
store_end_change(struct store *store, gboolean done, GError **error)
{
	if (done && sql_script(store->sql, "RELEASE change", error))
		return TRUE;
	g_hash_table_remove_all(store->tenants);
	if (sql_in_transaction(store->sql))
		sql_script(store->sql, "ROLLBACK TO change; RELEASE change", NULL);
	return FALSE;
}

/* ---- names and ids ---- */

gboolean
store_read_ids(struct sql_stmt *stmt, GArray **ret_ids, GError **error)
{
	g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(gint64));
	int more;

	while ((more = sql_next(stmt, error)) > 0) {
		gint64 id = sql_int(stmt, 0);

		g_array_append_val(ids, id);
	}
	if (more < 0)
		return FALSE;
	*ret_ids = g_steal_pointer(&ids);
	return TRUE;
}

const char *
store_state_name(enum recipient_state state)
{
	static const char *const names[] = {
		[STATE_UNKNOWN] = "unknown",	 [STATE_ACCEPTED] = "accepted",
		[STATE_HELD] = "held",		 [STATE_REJECTED] = "rejected",
		[STATE_DELIVERED] = "delivered", [STATE_DEFERRED] = "deferred",
		[STATE_BOUNCED] = "bounced",	 [STATE_RETRACTED] = "retracted",
		[STATE_RESTORED] = "restored",	 [STATE_RELEASED] = "released",
		[STATE_DELETED] = "deleted",	 [STATE_EXPIRED] = "expired",
		[STATE_DISCARDED] = "discarded", [STATE_FORWARDED] = "forwarded",
	};

	return (gsize)state < G_N_ELEMENTS(names) ? names[state] : names[STATE_UNKNOWN];
}

gboolean
store_uuid(const char *text, guint8 ret_uuid[UUID_BYTES])
{
	char hex[2 * UUID_BYTES + 1];
	gsize length = 0;

	if (!text || !event_id_is_valid(text))
		return FALSE;
	for (; *text; text++) {
		if (*text != '-')
			hex[length++] = *text;
	}
	hex[length] = '\0';
	return hex_decode(hex, ret_uuid, UUID_BYTES);
}

char *
store_uuid_text(const guint8 uuid[UUID_BYTES])
{
	g_autofree char *hex = hex_encode(uuid, UUID_BYTES);

	return g_strdup_printf("%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
			       hex + 20);
}

gboolean
store_find_tenant(struct store *store, const char *name, gint64 *ret_tenant, GError **error)
{
	const gint64 *known = g_hash_table_lookup(store->tenants, name);
	gint64 id;

	if (!known) {
		if (!sql_number(
			    sql_bind(store->sql, "SELECT id FROM tenants WHERE name=?1", "s", name),
			    0, &id, error))
			return FALSE;
		if (id)
			g_hash_table_insert(store->tenants, g_strdup(name),
					    g_memdup2(&id, sizeof(id)));
		*ret_tenant = id;
	} else {
		*ret_tenant = *known;
	}
	return TRUE;
}

gboolean
store_make_tenant(struct store *store, const char *name, gint64 *ret_tenant, GError **error)
{
	gint64 id;

	if (!store_find_tenant(store, name, &id, error))
		return FALSE;
	if (!id) {
		if (!sql_run(sql_bind(store->sql, "INSERT INTO tenants (name) VALUES (?1)", "s",
				      name),
			     error))
			return FALSE;
		id = sql_last_id(store->sql);
	}
	*ret_tenant = id;
	return TRUE;
}

gboolean
store_make_sensor(struct store *store, gint64 tenant, const char *name, gint64 *ret_sensor,
		  GError **error)
{
	gint64 id;

	if (!sql_number(sql_bind(store->sql, "SELECT id FROM sensors WHERE tenant=?1 AND name=?2",
				 "is", tenant, name),
			0, &id, error))
		return FALSE;
	if (!id) {
		if (!sql_run(sql_bind(store->sql,
				      "INSERT INTO sensors (tenant, name) VALUES (?1, ?2)", "is",
				      tenant, name),
			     error))
			return FALSE;
		id = sql_last_id(store->sql);
	}
	*ret_sensor = id;
	return TRUE;
}
