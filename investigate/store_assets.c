/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_assets.h"

#include <string.h>

#include "store_internal.h"

#define SECOND_US ((gint64)G_USEC_PER_SEC) /* logs have whole seconds */
#define SHARED ""			   /* in the store: the device of a shared address */
#define DECIDE_ROWS 64 /* more that meet in ten seconds are no answer but "ambiguous" */

const char *
device_certainty_name(enum device_certainty certainty)
{
	static const char *const names[] = {"unknown", "known", "ambiguous"};

	return names[certainty];
}

/* ---- deciding ---- */

/* Whether an asset's period touches a time, widened by a margin. */
static gboolean
touches(const struct store_asset *asset, gint64 at_us, gint64 margin_us)
{
	return asset->from_us < at_us + SECOND_US + margin_us &&
	       (asset->until_us == ASSET_UNTIL_OPEN || asset->until_us > at_us - margin_us);
}

/* At which of three times the device had the address. */
struct holding {
	gboolean then, before, after;
};

static void
note_holding(struct holding *holding, const struct store_asset *asset, gint64 at_us, gint64 off_us)
{
	holding->then = holding->then || touches(asset, at_us, 0);
	holding->before = holding->before || touches(asset, at_us - off_us, 0);
	holding->after = holding->after || touches(asset, at_us + off_us, 0);
}

enum device_certainty
device_decide(const struct store_asset *assets, gsize count, gint64 at_us, gint64 off_us,
	      const char **ret_device)
{
	struct holding holding = {FALSE, FALSE, FALSE};
	const char *device = NULL;

	*ret_device = NULL;
	for (gsize i = 0; i < count; i++) {
		if (!touches(&assets[i], at_us, ASSET_SKEW_US + off_us))
			continue;
		if (!assets[i].device || (device && g_ascii_strcasecmp(device, assets[i].device)))
			return DEVICE_AMBIGUOUS;
		device = assets[i].device;
		note_holding(&holding, &assets[i], at_us, off_us);
	}
	if (!holding.then && !holding.before && !holding.after)
		return DEVICE_UNKNOWN;
	if (!holding.then || !holding.before || !holding.after)
		return DEVICE_AMBIGUOUS;
	*ret_device = device;
	return DEVICE_KNOWN;
}

static struct store_asset
asset_of(struct sql_stmt *row)
{
	struct store_asset asset = {.from_us = sql_int(row, 2), .until_us = sql_int(row, 3)};
	const char *device = sql_text(row, 1);
	gsize length;
	const void *ip = sql_blob(row, 0, &length);

	asset.device = device && *device ? device : NULL;
	if (ip && length == NETWORK_IP_BYTES)
		memcpy(asset.ip, ip, NETWORK_IP_BYTES);
	return asset;
}

static void
clear_asset(void *data)
{
	g_free((char *)((struct store_asset *)data)->device);
}

/* By how much the clock of a log that is followed is off, if that is more than ever counts. */
static gboolean
read_off(struct store *store, gint64 tenant, gint64 *ret_off_us, GError **error)
{
	gint64 off_us;

	if (!sql_number(sql_bind(store->sql,
				 "SELECT coalesce(max(abs(offset_us)), 0) FROM sensors"
				 " WHERE tenant=?1 AND counters LIKE '%\"log_lines\"%'",
				 "i", tenant),
			0, &off_us, error))
		return FALSE;
	*ret_off_us = off_us > ASSET_SKEW_US ? off_us : 0;
	return TRUE;
}

/* Reads what touches a time; more than DECIDE_ROWS are cut after one too many. */
static gboolean
read_near(struct store *store, gint64 tenant, const guint8 *ip, gint64 at_us, gint64 off_us,
	  GArray *assets, GError **error)
{
	struct sql_stmt *rows =
		sql_bind(store->sql,
			 "SELECT ip, device, from_us, until_us FROM assets WHERE tenant=?1"
			 " AND ip=?2 AND from_us<?3 AND until_us>?4 LIMIT ?5",
			 "ibiii", tenant, ip, (gsize)NETWORK_IP_BYTES,
			 at_us + SECOND_US + ASSET_SKEW_US + off_us, at_us - ASSET_SKEW_US - off_us,
			 (gint64)DECIDE_ROWS + 1);
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		struct store_asset asset = asset_of(rows);

		asset.device = g_strdup(asset.device);
		g_array_append_val(assets, asset);
	}
	return more == 0;
}

gboolean
store_device_at(struct store *store, const char *tenant, const guint8 ip[NETWORK_IP_BYTES],
		gint64 at_us, enum device_certainty *ret_certainty, char **ret_device,
		GError **error)
{
	g_autoptr(GArray) assets = g_array_new(FALSE, FALSE, sizeof(struct store_asset));
	const char *device = NULL;
	gint64 id, off_us;

	g_array_set_clear_func(assets, clear_asset);
	if (!store_find_tenant(store, tenant, &id, error) || !read_off(store, id, &off_us, error) ||
	    !read_near(store, id, ip, at_us, off_us, assets, error))
		return FALSE;
	*ret_certainty = assets->len > DECIDE_ROWS
				 ? DEVICE_AMBIGUOUS
				 : device_decide((const struct store_asset *)(void *)assets->data,
						 assets->len, at_us, off_us, &device);
	*ret_device = g_strdup(device);
	return TRUE;
}

/* ---- changing ---- */

static gboolean
put_once(struct store *store, const char *tenant, const struct store_asset *asset,
	 gboolean *ret_changed, GError **error)
{
	gint64 id;

	if (!store_make_tenant(store, tenant, &id, error) ||
	    !sql_run(
		    sql_bind(
			    store->sql,
			    "INSERT INTO assets (tenant, ip, device, from_us, until_us)"
			    " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (tenant, ip, from_us, device)"
			    " DO UPDATE SET until_us=excluded.until_us"
			    " WHERE until_us<>excluded.until_us",
			    "ibsii", id, asset->ip, (gsize)NETWORK_IP_BYTES,
			    asset->device ? asset->device : SHARED, asset->from_us,
			    asset->until_us),
		    error))
		return FALSE;
	*ret_changed = sql_changes(store->sql) > 0;
	return TRUE;
}

gboolean
store_asset_put(struct store *store, const char *tenant, const struct store_asset *asset,
		gboolean *ret_changed, GError **error)
{
	gboolean changed = FALSE, done;

	if (!store_begin_change(store, error))
		return FALSE;
	done = put_once(store, tenant, asset, &changed, error);
	if (!store_end_change(store, done, error))
		return FALSE;
	*ret_changed = changed;
	return TRUE;
}

gboolean
store_asset_remove(struct store *store, const char *tenant, const guint8 ip[NETWORK_IP_BYTES],
		   guint64 *ret_count, GError **error)
{
	gint64 id;
	gboolean done;

	if (!store_begin_change(store, error))
		return FALSE;
	done = store_find_tenant(store, tenant, &id, error) &&
	       sql_run(sql_bind(store->sql, "DELETE FROM assets WHERE tenant=?1 AND ip=?2", "ib",
				id, ip, (gsize)NETWORK_IP_BYTES),
		       error);
	*ret_count = done ? (guint64)sql_changes(store->sql) : 0;
	return store_end_change(store, done, error);
}

/* ---- asking ---- */

gboolean
store_assets(struct store *store, const char *tenant, const guint8 *ip, store_asset_fn each,
	     void *data, GError **error)
{
	g_autoptr(sql_stmt_t) rows = NULL;
	gint64 id;
	int more;

	if (!store_find_tenant(store, tenant, &id, error))
		return FALSE;
	rows = sql_bind(store->sql,
			"SELECT ip, device, from_us, until_us FROM assets WHERE tenant=?1"
			" AND (?2 IS NULL OR ip=?2) ORDER BY ip, from_us, device",
			"ib", id, ip, (gsize)NETWORK_IP_BYTES);
	while ((more = sql_next(rows, error)) > 0) {
		struct store_asset asset = asset_of(rows);

		if (!each(&asset, data))
			return TRUE;
	}
	return more == 0;
}
