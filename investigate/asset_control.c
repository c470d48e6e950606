/* SPDX-License-Identifier: BSD-2-Clause */
#include "asset_control.h"

#include <string.h>

#include "assets_csv.h"
#include "store_assets.h"

static gboolean
refuse(GError **error, const char *why)
{
	g_set_error(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED, "%s", why);
	return FALSE;
}

static gboolean
read_asset(const json_t *value, struct store_asset *ret_asset, GError **error)
{
	ret_asset->device = json_get_text(value, "device");
	ret_asset->from_us = json_get_int(value, "from_us", 0);
	ret_asset->until_us = json_get_int(value, "until_us", ASSET_UNTIL_OPEN);
	if (!network_ip(json_get_text(value, "address"), ret_asset->ip))
		return refuse(error, "an asset has an address");
	if (ret_asset->device && !asset_device_is_valid(ret_asset->device))
		return refuse(error, "a device has a name of at most 253 bytes");
	return (ret_asset->from_us >= 0 && ret_asset->from_us < ret_asset->until_us) ||
	       refuse(error, "an asset ends before it begins");
}

static gboolean
put_assets(struct store *store, const char *tenant, const json_t *request, guint64 *changed,
	   GError **error)
{
	const json_t *assets = json_object_get(request, "assets"), *value;
	gsize i;

	if (json_array_size(assets) == 0 || json_array_size(assets) > ASSETS_AT_ONCE)
		return refuse(error, "a request has 1 to 1000 assets");
	json_array_foreach (assets, i, value) {
		struct store_asset asset;
		gboolean is_new;

		if (!read_asset(value, &asset, error) ||
		    !store_asset_put(store, tenant, &asset, &is_new, error))
			return FALSE;
		*changed += is_new;
	}
	return TRUE;
}

static gboolean
remove_assets(struct store *store, const char *tenant, const json_t *request, guint64 *changed,
	      GError **error)
{
	const json_t *addresses = json_object_get(request, "addresses"), *value;
	gsize i;

	if (json_array_size(addresses) == 0 || json_array_size(addresses) > ASSETS_AT_ONCE)
		return refuse(error, "a request has 1 to 1000 addresses");
	json_array_foreach (addresses, i, value) {
		guint8 ip[NETWORK_IP_BYTES];
		guint64 count;

		if (!network_ip(json_string_value(value), ip))
			return refuse(error, "an address is IPv4 or IPv6");
		if (!store_asset_remove(store, tenant, ip, &count, error))
			return FALSE;
		*changed += count;
	}
	return TRUE;
}

static gboolean
enter(struct store *store, const struct control_caller *caller, const char *tenant,
      const json_t *request, guint64 changed, GError **error)
{
	const char *arguments = json_get_text(request, "arguments");
	const struct store_audit audit = {
		.time_us = caller->time_us,
		.actor = (char *)caller->actor,
		.tenant = (char *)tenant,
		.verb = (char *)"assets",
		.arguments = (char *)(arguments ? arguments : "[]"),
		.case_id = (char *)json_get_text(request, "case"),
		.reason = (char *)json_get_text(request, "reason"),
		.results = (gint64)changed,
	};

	return store_add_audit(store, &audit, error);
}

gboolean
asset_control_serve(struct store *store, const struct control_caller *caller, const json_t *request,
		    json_t *answer, GError **error)
{
	const char *tenant = json_get_text(request, "tenant");
	gboolean removes = g_strcmp0(json_get_text(request, "op"), "asset-remove") == 0;
	guint64 changed = 0;

	if (!tenant || !*tenant)
		return refuse(error, "the request needs a tenant");
	if (!store_begin(store, error))
		return FALSE;
	if (!(removes ? remove_assets(store, tenant, request, &changed, error)
		      : put_assets(store, tenant, request, &changed, error)) ||
	    !enter(store, caller, tenant, request, changed, error) || !store_commit(store, error)) {
		store_rollback(store);
		return FALSE;
	}
	json_put_int(answer, "changed", (gint64)changed);
	return TRUE;
}
