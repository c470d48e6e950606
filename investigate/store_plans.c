/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_plans.h"

#include <string.h>

#include "store_internal.h"
#include "text.h"

/* The columns of a command, in the order of read_command(). */
#define COMMAND_COLUMNS                                                                          \
	"c.id, c.plan, c.command_id, c.role, c.json, c.undoes, c.denied, c.outcome, c.settled, " \
	"c.undone, c.answered_us, c.response, c.block"

void
store_plan_clear(struct store_plan *plan)
{
	g_free(plan->plan_id);
	g_free(plan->digest);
	g_free(plan->created_by);
	g_free(plan->begun_by);
	g_free(plan->case_id);
	g_free(plan->reason);
}

void
store_command_clear(struct store_command *command)
{
	g_free(command->command_id);
	g_free(command->json);
	g_free(command->denied);
	g_free(command->response);
}

/* ---- plans ---- */

gboolean
store_plan_find(struct store *store, const char *tenant, const char *plan_id,
		struct store_plan *ret_plan, gboolean *ret_found, GError **error)
{
	g_autoptr(sql_stmt_t) row =
		sql_bind(store->sql,
			 "SELECT p.id, p.plan_id, p.digest, p.kind, p.created_by, p.created_us,"
			 " p.expires_us, p.begun_by, p.begun_us, p.case_id, p.reason FROM tenants t"
			 " CROSS JOIN plans p ON p.tenant=t.id AND p.plan_id=?2 WHERE t.name=?1",
			 "ss", tenant, plan_id);
	int more = sql_next(row, error);

	if (more < 0)
		return FALSE;
	*ret_found = more > 0;
	if (more > 0)
		*ret_plan = (struct store_plan){
			.number = sql_int(row, 0),
			.plan_id = g_strdup(sql_text(row, 1)),
			.digest = g_strdup(sql_text(row, 2)),
			.kind = (int)sql_int(row, 3),
			.created_by = g_strdup(sql_text(row, 4)),
			.created_us = sql_int(row, 5),
			.expires_us = sql_int(row, 6),
			.begun_by = g_strdup(sql_text(row, 7)),
			.begun_us = sql_int(row, 8),
			.case_id = g_strdup(sql_text(row, 9)),
			.reason = g_strdup(sql_text(row, 10)),
		};
	return TRUE;
}

gboolean
store_plan_add(struct store *store, const char *tenant, struct store_plan *plan, GError **error)
{
	gint64 id;

	if (!store_make_tenant(store, tenant, &id, error) ||
	    !sql_run(sql_bind(store->sql,
			      "INSERT INTO plans (tenant, plan_id, digest, kind, created_by,"
			      " created_us, expires_us, begun_by, begun_us, case_id, reason)"
			      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
			      "issisiisiss", id, plan->plan_id, plan->digest, (gint64)plan->kind,
			      plan->created_by, plan->created_us, plan->expires_us, plan->begun_by,
			      plan->begun_us, plan->case_id, plan->reason),
		     error))
		return FALSE;
	plan->number = sql_last_id(store->sql);
	return TRUE;
}

static gboolean
add_link(struct store *store, gint64 command, gint64 recipient, GError **error)
{
	return sql_run(sql_bind(store->sql,
				"INSERT INTO plan_links (command, recipient) VALUES (?1, ?2)", "ii",
				command, recipient),
		       error);
}

gboolean
store_plan_recipient(struct store *store, gint64 plan, const char *event_id, const char *recipient,
		     const gint64 *commands, gsize count, GError **error)
{
	g_autofree char *key = address_search_key(recipient);
	guint8 uuid[UUID_BYTES];
	gint64 id;

	if (!store_uuid(event_id, uuid))
		return TRUE;
	if (!sql_run(sql_bind(store->sql,
			      "INSERT INTO plan_recipients (plan, event, key, unsettled)"
			      " VALUES (?1, ?2, ?3, ?4)",
			      "ibsi", plan, uuid, (gsize)UUID_BYTES, key, (gint64)count),
		     error))
		return FALSE;
	id = sql_last_id(store->sql);
	for (gsize i = 0; i < count; i++)
		if (!add_link(store, commands[i], id, error))
			return FALSE;
	return TRUE;
}

/* ---- commands ---- */

gboolean
store_command_add(struct store *store, const char *tenant, struct store_command *command,
		  GError **error)
{
	gint64 id;

	if (!store_make_tenant(store, tenant, &id, error) ||
	    !sql_run(sql_bind(store->sql,
			      "INSERT INTO plan_commands (plan, tenant, command_id, role, json,"
			      " undoes, denied) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
			      "iisisis", command->plan, id, command->command_id,
			      (gint64)command->role, command->json, command->undoes,
			      command->denied),
		     error))
		return FALSE;
	command->number = sql_last_id(store->sql);
	return TRUE;
}

gboolean
store_command_deny(struct store *store, const char *tenant, const char *command_id,
		   const char *entry, GError **error)
{
	gint64 id;

	return store_find_tenant(store, tenant, &id, error) &&
	       sql_run(sql_bind(store->sql,
				"UPDATE plan_commands SET denied=?3"
				" WHERE tenant=?1 AND command_id=?2 AND settled=0",
				"iss", id, command_id, entry),
		       error);
}

/* What it points to lives until the next row. */
static struct store_command
read_command(struct sql_stmt *row)
{
	return (struct store_command){
		.number = sql_int(row, 0),
		.plan = sql_int(row, 1),
		.command_id = (char *)sql_text(row, 2),
		.role = (int)sql_int(row, 3),
		.json = (char *)sql_text(row, 4),
		.undoes = sql_int(row, 5),
		.denied = (char *)sql_text(row, 6),
		.outcome = (int)sql_int(row, 7),
		.settled = sql_int(row, 8) != 0,
		.undone = sql_int(row, 9) != 0,
		.answered_us = sql_int(row, 10),
		.response = (char *)sql_text(row, 11),
		.block = sql_int(row, 12),
	};
}

gboolean
store_command_each(struct store *store, gint64 plan, store_command_fn each, void *data,
		   GError **error)
{
	g_autoptr(sql_stmt_t) rows = sql_bind(store->sql,
					      "SELECT " COMMAND_COLUMNS
					      " FROM plan_commands c WHERE c.plan=?1 ORDER BY c.id",
					      "i", plan);
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		const struct store_command command = read_command(rows);

		if (!each(&command, data))
			return TRUE;
	}
	return more == 0;
}

gboolean
store_command_find(struct store *store, const char *tenant, const char *command_id,
		   struct store_command *ret_command, gboolean *ret_found, GError **error)
{
	g_autoptr(sql_stmt_t) row =
		sql_bind(store->sql,
			 "SELECT " COMMAND_COLUMNS " FROM tenants t CROSS JOIN plan_commands c"
			 " ON c.tenant=t.id AND c.command_id=?2 WHERE t.name=?1",
			 "ss", tenant, command_id);
	int more = sql_next(row, error);

	if (more < 0)
		return FALSE;
	*ret_found = more > 0;
	if (more > 0) {
		*ret_command = read_command(row);
		ret_command->command_id = g_strdup(ret_command->command_id);
		ret_command->json = g_strdup(ret_command->json);
		ret_command->denied = g_strdup(ret_command->denied);
		ret_command->response = g_strdup(ret_command->response);
	}
	return TRUE;
}

/* ---- what follows from an answer ---- */

/* A recipient of a plan whose state changes. */
struct changing {
	guint8 event[UUID_BYTES];
	char *key;
};

static void
changing_clear(void *data)
{
	g_free(((struct changing *)data)->key);
}

/* Reads the recipients (event, key) of a statement. */
static gboolean
read_changing(struct sql_stmt *rows, GArray *ret_changing, GError **error)
{
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		struct changing changing;
		gsize length;
		const void *event = sql_blob(rows, 0, &length);

		if (length != UUID_BYTES)
			continue;
		memcpy(changing.event, event, UUID_BYTES);
		changing.key = g_strdup(sql_text(rows, 1));
		g_array_append_val(ret_changing, changing);
	}
	return more == 0;
}

/* On each hop, so that the newest tells it; who was refused never had a copy. */
static gboolean
set_state(struct store *store, gint64 tenant, const struct changing *changing,
	  enum recipient_state state, GError **error)
{
	return sql_run(sql_bind(store->sql,
				"UPDATE recipients SET state=?1 WHERE state<>?1 AND state<>3"
				" AND (?1<>8 OR state=7)"
				" AND address IN (SELECT id FROM texts WHERE tenant=?2 AND kind=4"
				" AND hash=?3 AND coalesce(key, text)=?4)"
				" AND event IN (SELECT e.id FROM events e, (SELECT coalesce(chain,"
				" event_id) AS root FROM events WHERE tenant=?2 AND event_id=?5) r"
				" WHERE e.tenant=?2 AND (e.event_id=r.root OR e.chain=r.root))",
				"iiisb", (gint64)state, tenant, store_text_hash(changing->key),
				changing->key, changing->event, (gsize)UUID_BYTES),
		       error);
}

static gboolean
set_states(struct store *store, gint64 tenant, struct sql_stmt *rows, enum recipient_state state,
	   GError **error)
{
	g_autoptr(GArray) changing = g_array_new(FALSE, FALSE, sizeof(struct changing));

	g_array_set_clear_func(changing, changing_clear);
	if (!read_changing(rows, changing, error))
		return FALSE;
	for (guint i = 0; i < changing->len; i++)
		if (!set_state(store, tenant, &g_array_index(changing, struct changing, i), state,
			       error))
			return FALSE;
	return TRUE;
}

/* The numbers are counted down, since one alias may lead to thousands of copies. */
static gboolean
settle_contained(struct store *store, gint64 tenant, gint64 command, GError **error)
{
	return sql_run(sql_bind(store->sql,
				"UPDATE plan_recipients SET unsettled=unsettled-1 WHERE id IN"
				" (SELECT recipient FROM plan_links WHERE command=?1)",
				"i", command),
		       error) &&
	       set_states(store, tenant,
			  sql_bind(store->sql,
				   "SELECT r.event, r.key FROM plan_links l"
				   " CROSS JOIN plan_recipients r ON r.id=l.recipient"
				   " WHERE l.command=?1 AND r.unsettled=0",
				   "i", command),
			  STATE_RETRACTED, error);
}

static gboolean
settle_undone(struct store *store, gint64 tenant, gint64 undoes, GError **error)
{
	return sql_run(sql_bind(store->sql, "UPDATE plan_commands SET undone=1 WHERE id=?1", "i",
				undoes),
		       error) &&
	       set_states(store, tenant,
			  sql_bind(store->sql,
				   "SELECT r.event, r.key FROM plan_links l"
				   " CROSS JOIN plan_recipients r ON r.id=l.recipient"
				   " WHERE l.command=?1",
				   "i", undoes),
			  STATE_RESTORED, error);
}

gboolean
store_command_answer(struct store *store, const char *tenant, const struct store_command *command,
		     GError **error)
{
	gint64 id;

	if (!store_make_tenant(store, tenant, &id, error) ||
	    !sql_run(sql_bind(store->sql,
			      "UPDATE plan_commands SET outcome=?2, settled=?3, answered_us=?4,"
			      " response=?5, block=?6 WHERE id=?1 AND settled=0",
			      "iiiisi", command->number, (gint64)command->outcome,
			      (gint64)command->settled, command->answered_us, command->response,
			      command->block),
		     error))
		return FALSE;
	if (!command->settled || sql_changes(store->sql) == 0)
		return TRUE;
	return command->undoes ? settle_undone(store, id, command->undoes, error)
			       : settle_contained(store, id, command->number, error);
}

/* ---- approvals ---- */

gboolean
store_approval_add(struct store *store, const char *tenant, const struct store_approval *approval,
		   gboolean *ret_new, GError **error)
{
	gint64 id;

	if (!store_make_tenant(store, tenant, &id, error) ||
	    !sql_run(sql_bind(store->sql,
			      "INSERT INTO approvals (tenant, digest, name, fingerprint, user, uid,"
			      " actor, time_us, signature)"
			      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
			      " ON CONFLICT (tenant, digest, name) DO NOTHING",
			      "issssisis", id, approval->digest, approval->name,
			      approval->fingerprint, approval->user, (gint64)approval->uid,
			      approval->actor, approval->time_us, approval->signature),
		     error))
		return FALSE;
	*ret_new = sql_changes(store->sql) > 0;
	return TRUE;
}

gboolean
store_approval_each(struct store *store, const char *tenant, const char *digest,
		    store_approval_fn each, void *data, GError **error)
{
	g_autoptr(sql_stmt_t) rows =
		sql_bind(store->sql,
			 "SELECT a.digest, a.name, a.fingerprint, a.user, a.uid, a.actor,"
			 " a.time_us, a.signature FROM tenants t CROSS JOIN approvals a"
			 " ON a.tenant=t.id AND a.digest=?2 WHERE t.name=?1 ORDER BY a.id",
			 "ss", tenant, digest);
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		const struct store_approval approval = {
			.digest = (char *)sql_text(rows, 0),
			.name = (char *)sql_text(rows, 1),
			.fingerprint = (char *)sql_text(rows, 2),
			.user = (char *)sql_text(rows, 3),
			.uid = (guint)sql_int(rows, 4),
			.actor = (char *)sql_text(rows, 5),
			.time_us = sql_int(rows, 6),
			.signature = (char *)sql_text(rows, 7),
		};

		if (!each(&approval, data))
			return TRUE;
	}
	return more == 0;
}
