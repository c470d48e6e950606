/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include <unistd.h>

#include "asset_control.h"
#include "assets_csv.h"
#include "assets_isc.h"
#include "command.h"
#include "progress.h"

/* Where assets are changed: one of both is there. */
struct changing {
	struct command *command;
	struct control *control;
	struct store *store;
};

/* ---- the store's writer ---- */

/* By the collector where one runs, and else as the store's writer, so that none starts meanwhile.
 */
static gboolean
changing_open(struct changing *changing, struct command *command, GError **error)
{
	GError *why = NULL;

	changing->command = command;
	changing->control = control_connect(command->settings->control_socket, &why);
	if (changing->control)
		return TRUE;
	if (!g_error_matches(why, CONTROL_ERROR, CONTROL_ERROR_ABSENT)) {
		g_propagate_error(error, why);
		return FALSE;
	}
	g_error_free(why);
	changing->store = store_open(command->store_url, STORE_WRITE, error);
	return changing->store != NULL;
}

static void
changing_clear(struct changing *changing)
{
	control_free(changing->control);
	store_close(changing->store);
}

/* Has a request served; adds what it changed. */
static gboolean
change(const struct changing *changing, const json_t *request, gint64 *changed, GError **error)
{
	g_autoptr(json_t) answer = NULL;
	gboolean done;

	if (changing->control) {
		answer = control_call(changing->control, request, error);
		done = answer != NULL;
	} else {
		g_autofree char *actor = control_actor(getuid());

		answer = json_object();
		done = asset_control_serve(
			changing->store,
			&(struct control_caller){getuid(), actor, g_get_real_time()}, request,
			answer, error);
	}
	if (done)
		*changed += json_get_int(answer, "changed", 0);
	return done;
}

/* ---- import ---- */

static json_t *
asset_value(const struct store_asset *asset)
{
	g_autofree char *address = network_ip_text(asset->ip);
	json_t *value = json_object();

	json_put_text(value, "address", address);
	if (asset->device)
		json_put_text(value, "device", asset->device);
	json_put_int(value, "from_us", asset->from_us);
	if (asset->until_us != ASSET_UNTIL_OPEN)
		json_put_int(value, "until_us", asset->until_us);
	return value;
}

static gboolean
send_assets(struct command *command, const GPtrArray *assets, gint64 *changed, GError **error)
{
	struct changing changing = {NULL, NULL, NULL};
	gboolean done = changing_open(&changing, command, error);
	struct progress progress;

	progress_init(&progress, command->quiet);
	for (guint at = 0; done && at < assets->len;) {
		g_autoptr(json_t) request = command_request(command, "asset-import");
		json_t *batch = json_array();
		guint end = MIN(at + ASSETS_AT_ONCE, assets->len);

		for (; at < end; at++)
			json_array_append_new(batch, asset_value(assets->pdata[at]));
		json_object_set_new(request, "assets", batch);
		done = change(&changing, request, changed, error);
		progress_draw(&progress, (double)at / assets->len, "of the assets");
	}
	progress_end(&progress);
	changing_clear(&changing);
	return done;
}

static GPtrArray *
read_file(const char *path, GError **error)
{
	g_autofree char *text = NULL;
	gsize length;

	if (!g_file_get_contents(path, &text, &length, error))
		return NULL;
	return assets_isc_is(text, length) ? assets_isc_read(text, length, error)
					   : assets_csv_read(text, length, error);
}

static int
write_sum(struct command *command, gint64 assets, gint64 changed)
{
	static const struct out_column columns[] = {
		{"assets", "", OUT_INT, 0}, {"changed", "", OUT_INT, 0}, {NULL}};
	struct out *out = command_out(command);

	out_begin(out, "assets", columns);
	out_row(out, (const struct out_value[]){{NULL, assets}, {NULL, changed}});
	out_end(out);
	out_note(out, "%" G_GINT64_FORMAT " assets, %" G_GINT64_FORMAT " of them new or changed.",
		 assets, changed);
	return command_end(command, out, changed ? EXIT_FOUND : EXIT_NOTHING);
}

static int
import_file(struct command *command, const char *path)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) assets = read_file(path, &error);
	gint64 changed = 0;

	if (!assets)
		return command_fail(command, "%s: %s; nothing is imported", path, error->message);
	if (!send_assets(command, assets, &changed, &error)) {
		command_fail(command, "%s", error->message);
		return changed ? EXIT_PARTLY : EXIT_TROUBLE;
	}
	return write_sum(command, assets->len, changed);
}

/* ---- remove ---- */

static int
remove_addresses(struct command *command, char **words)
{
	struct changing changing = {NULL, NULL, NULL};
	g_autoptr(json_t) request = command_request(command, "asset-remove");
	json_t *addresses = json_array();
	g_autoptr(GError) error = NULL;
	gint64 changed = 0;
	guint8 ip[NETWORK_IP_BYTES];
	gboolean done;

	json_object_set_new(request, "addresses", addresses);
	for (; *words; words++) {
		if (!network_ip(*words, ip))
			return command_fail(command, "%s is no address", *words);
		json_array_append_new(addresses, json_string(*words));
	}
	done = changing_open(&changing, command, &error) &&
	       change(&changing, request, &changed, &error);
	changing_clear(&changing);
	if (!done)
		return command_fail(command, "%s", error->message);
	return write_sum(command, changed, changed);
}

/* ---- list ---- */

struct listing {
	struct out *out;
	guint64 count;
};

static gboolean
list_row(const struct store_asset *asset, void *data)
{
	struct listing *listing = data;
	g_autofree char *address = network_ip_text(asset->ip);
	gint64 until_us = asset->until_us == ASSET_UNTIL_OPEN ? 0 : asset->until_us;

	listing->count++;
	out_row(listing->out, (const struct out_value[]){{address, 0},
							 {asset->device ? asset->device : "nat", 0},
							 {NULL, asset->from_us},
							 {NULL, until_us},
							 {NULL, !asset->device}});
	return TRUE;
}

static int
list(struct command *command, const char *address)
{
	static const struct out_column columns[] = {
		{"address", "ADDRESS", OUT_TEXT, 0}, {"device", "DEVICE", OUT_TEXT, 0},
		{"from", "FROM", OUT_TIME, 0},	     {"until", "UNTIL", OUT_TIME, 0},
		{"shared", "", OUT_BOOL, 0},	     {NULL},
	};
	g_autoptr(store_t) store = command_store(command);
	struct listing listing = {NULL, 0};
	g_autoptr(GError) error = NULL;
	guint8 ip[NETWORK_IP_BYTES];
	gboolean read;

	if (!store)
		return EXIT_TROUBLE;
	if (address && !network_ip(address, ip))
		return command_fail(command, "%s is no address", address);
	listing.out = command_out(command);
	out_begin(listing.out, "asset", columns);
	read = store_assets(store, command->tenant, address ? ip : NULL, list_row, &listing,
			    &error);
	out_end(listing.out);
	if (!read)
		command_fail(command, "%s", error->message);
	return command_end(command, listing.out,
			   !read	   ? EXIT_TROUBLE
			   : listing.count ? EXIT_FOUND
					   : EXIT_NOTHING);
}

/* ---- the verb ---- */

int
cmd_assets(struct command *command, int argc, char **argv)
{
	const GOptionEntry entries[] = {{NULL}};

	if (!command_parse(
		    command, entries, "import FILE.csv | list [ADDRESS] | remove ADDRESS...",
		    "Keeps which device had which address when, so that a login names its\n"
		    "device.  import reads a CSV file with the columns address, device, from\n"
		    "and until, or leases of Kea or dhcpd; the device nat is an address that\n"
		    "several share.  A line that is wrong is told, and nothing is imported.",
		    &argc, &argv))
		return EXIT_TROUBLE;
	if (argc == 3 && strcmp(argv[1], "import") == 0)
		return import_file(command, argv[2]);
	if ((argc == 2 || argc == 3) && strcmp(argv[1], "list") == 0)
		return list(command, argv[2]);
	if (argc > 2 && strcmp(argv[1], "remove") == 0)
		return remove_addresses(command, argv + 2);
	return command_fail(command, "say import FILE, list [ADDRESS], or remove ADDRESS...");
}
