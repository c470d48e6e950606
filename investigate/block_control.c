/* SPDX-License-Identifier: BSD-2-Clause */
#include "block_control.h"

#include <string.h>

#include "record.h"

static gboolean
refuse(GError **error, const char *why)
{
	g_set_error(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED, "%s", why);
	return FALSE;
}

/* Returns what a candidate is known by: "crc32=1a2b3c4d,size=99".  Free with g_free(). */
static char *
what_of_candidate(guint32 crc32, guint64 size)
{
	return g_strdup_printf("crc32=%08x,size=%" G_GUINT64_FORMAT, crc32, size);
}

/* ---- changes ---- */

/* A change under way, in a transaction. */
struct change {
	const struct block_control *blocks;
	const struct control_caller *caller;
	const json_t *request;
	const char *tenant;
	gint64 added, changed, removed;
	const char *missing; /* borrowed from the request */
};

static gboolean
write_audit(const struct change *change, gint64 results, GError **error)
{
	const json_t *request = change->request;
	const char *arguments = json_get_text(request, "arguments");
	const struct store_audit audit = {
		.time_us = change->caller->time_us,
		.actor = (char *)change->caller->actor,
		.tenant = (char *)change->tenant,
		.verb = (char *)"block",
		.arguments = (char *)(arguments ? arguments : "[]"),
		.case_id = (char *)json_get_text(request, "case"),
		.reason = (char *)json_get_text(request, "reason"),
		.results = results,
	};

	return store_add_audit(change->blocks->store, &audit, error);
}

/* Runs a change as one transaction with its audit entry, and tells the sensors. */
static gboolean
carry_out(struct change *change, gboolean (*apply)(struct change *change, GError **error),
	  json_t *answer, GError **error)
{
	struct store *store = change->blocks->store;
	struct block_state state;

	if (!store_begin(store, error))
		return FALSE;
	if (!apply(change, error) ||
	    !write_audit(change, change->added + change->changed + change->removed, error) ||
	    !store_block_state(store, &state, error) || !store_commit(store, error)) {
		store_rollback(store);
		return FALSE;
	}
	json_put_int(answer, "version", (gint64)state.version);
	return block_feed_changed(change->blocks->feed, error);
}

/* ---- adding ---- */

static gboolean
read_hashes(const json_t *hashes, struct store_block *block, struct block_key *ret_keys,
	    gsize *ret_count, GError **error)
{
	const json_t *value;
	gsize i;

	if (json_array_size(hashes) == 0 || json_array_size(hashes) > BLOCK_CONTROL_HASHES)
		return refuse(error, "a block has 1 to 16 hashes");
	json_array_foreach (hashes, i, value) {
		const char *hex = json_string_value(value);
		struct digest digest;

		if (!hex || !digest_from_hex(hex, &digest))
			return refuse(error, "a hash is MD5, SHA-1 or SHA-256 in hexadecimal");
		block_key_of_digest(&digest, &ret_keys[i]);
		if (i == 0)
			block->what = g_ascii_strdown(hex, -1);
	}
	*ret_count = json_array_size(hashes);
	return TRUE;
}

static gboolean
read_candidate(const json_t *value, struct store_block *block, struct block_key *ret_keys,
	       gsize *ret_count, GError **error)
{
	gint64 crc32 = json_get_int(value, "crc32", -1), size = json_get_int(value, "size", -1);

	if (crc32 < 0 || crc32 > G_MAXUINT32 || size < CANDIDATE_MIN_BYTES)
		return refuse(error, "a candidate has a CRC-32 and a size of 16 bytes or more");
	if (block->mode > BLOCK_HOLD)
		return refuse(error, "CRC-32 and size can be made to agree: candidates may only "
				     "be observed or held");
	block_key_of_candidate((guint32)crc32, (guint64)size, ret_keys);
	block->what = what_of_candidate((guint32)crc32, (guint64)size);
	*ret_count = 1;
	return TRUE;
}

/* Fills a block with what all of the request have in common. */
static gboolean
read_common(const struct change *change, struct store_block *ret_block, GError **error)
{
	const json_t *request = change->request;

	*ret_block = (struct store_block){
		.created_us = change->caller->time_us,
		.expires_us = json_get_int(request, "expires_us", 0),
		.actor = (char *)change->caller->actor,
		.case_id = (char *)json_get_text(request, "case"),
		.reason = (char *)json_get_text(request, "reason"),
	};
	if (!block_mode_parse(json_get_text(request, "mode"), &ret_block->mode))
		return refuse(error, "mode is observe, hold, reject or discard");
	if (ret_block->expires_us != 0 && ret_block->expires_us <= change->caller->time_us)
		return refuse(error, "the time of expiry has passed");
	return TRUE;
}

static gboolean
add_block(struct change *change, const json_t *value, const struct store_block *common,
	  GError **error)
{
	const json_t *hashes = json_object_get(value, "hashes");
	struct block_key keys[BLOCK_CONTROL_HASHES];
	struct store_block block = *common;
	gboolean is_new = FALSE, done;
	gsize count = 0;

	block.name = (char *)json_get_text(value, "name");
	done = (hashes ? read_hashes(hashes, &block, keys, &count, error)
		       : read_candidate(value, &block, keys, &count, error)) &&
	       store_block_add(change->blocks->store, change->tenant, &block, keys, count, &is_new,
			       error);
	g_free(block.what);
	change->added += done && is_new;
	change->changed += done && !is_new;
	return done;
}

static gboolean
apply_add(struct change *change, GError **error)
{
	const json_t *list = json_object_get(change->request, "blocks"), *value;
	struct store_block common;
	gsize i;

	if (json_array_size(list) == 0 || json_array_size(list) > BLOCK_CONTROL_BLOCKS)
		return refuse(error, "a request has 1 to 1000 blocks");
	if (!read_common(change, &common, error))
		return FALSE;
	json_array_foreach (list, i, value)
		if (!add_block(change, value, &common, error))
			return FALSE;
	return TRUE;
}

gboolean
block_control_add(const struct block_control *blocks, const struct control_caller *caller,
		  const json_t *request, json_t *answer, GError **error)
{
	struct change change = {
		.blocks = blocks,
		.caller = caller,
		.request = request,
		.tenant = json_get_text(request, "tenant"),
	};

	if (!change.tenant)
		return refuse(error, "block-add needs a tenant");
	if (!carry_out(&change, apply_add, answer, error))
		return FALSE;
	json_put_int(answer, "added", change.added);
	json_put_int(answer, "changed", change.changed);
	return TRUE;
}

/* ---- removing ---- */

static gboolean
apply_remove(struct change *change, GError **error)
{
	const json_t *list = json_object_get(change->request, "what"), *value;
	gsize i;

	if (json_array_size(list) == 0 || json_array_size(list) > BLOCK_CONTROL_BLOCKS)
		return refuse(error, "a request has 1 to 1000 blocks");
	json_array_foreach (list, i, value) {
		const char *what = json_string_value(value);
		gboolean removed;

		if (!what)
			return refuse(error, "what is a text");
		if (!store_block_remove(change->blocks->store, change->tenant, what,
					change->caller->time_us, &removed, error))
			return FALSE;
		change->removed += removed;
		if (!removed && !change->missing)
			change->missing = what;
	}
	return TRUE;
}

gboolean
block_control_remove(const struct block_control *blocks, const struct control_caller *caller,
		     const json_t *request, json_t *answer, GError **error)
{
	struct change change = {
		.blocks = blocks,
		.caller = caller,
		.request = request,
		.tenant = json_get_text(request, "tenant"),
	};

	if (!change.tenant)
		return refuse(error, "block-remove needs a tenant");
	if (!carry_out(&change, apply_remove, answer, error))
		return FALSE;
	json_put_int(answer, "removed", change.removed);
	json_put_text(answer, "missing", change.missing);
	return TRUE;
}

/* ---- in force ---- */

gboolean
block_control_force(const struct block_control *blocks, const json_t *request, json_t *answer,
		    GError **error)
{
	const char *tenant = json_get_text(request, "tenant");
	gint64 version = json_get_int(request, "version", -1);
	json_t *list = json_array();
	g_autoptr(GArray) sensors = NULL;

	json_object_set_new(answer, "sensors", list);
	if (!tenant || version < 0)
		return refuse(error, "block-force needs tenant and version");
	sensors = block_feed_sensors(blocks->feed, tenant, (guint64)version, blocks->expected);
	for (guint i = 0; i < sensors->len; i++) {
		const struct block_feed_sensor *sensor =
			&g_array_index(sensors, struct block_feed_sensor, i);
		json_t *value = json_object();

		json_put_text(value, "sensor", sensor->sensor);
		json_object_set_new(value, "current", json_boolean(sensor->current));
		json_array_append_new(list, value);
	}
	return TRUE;
}
