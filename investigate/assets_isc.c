/* SPDX-License-Identifier: BSD-2-Clause */
#include "assets_isc.h"

#include <stdio.h>
#include <string.h>

#include "assets_csv.h"
#include "caps.h"
#include "lease_names.h"

/* A lease being read. */
struct lease {
	struct store_asset asset;
	gboolean open, has_start, has_end, abandoned;
	char *host, *hardware;
};

struct reading {
	guint line;
	struct lease lease;
	struct lease_names *names;
	GPtrArray *assets;
};

static gboolean
refuse(const struct reading *reading, GError **error, const char *why)
{
	g_set_error(error, ASSETS_ERROR, ASSETS_ERROR_LINE, "line %u: %s", reading->line, why);
	return FALSE;
}

static void
lease_clear(struct lease *lease)
{
	g_free(lease->host);
	g_free(lease->hardware);
	*lease = (struct lease){.open = FALSE};
}

/* ---- statements ---- */

/* "4 2026/11/26 10:00:00;" in UTC, "epoch 1795860000; # …", "never;" */
static gboolean
read_time(const char *text, gint64 never_us, gint64 *ret_us)
{
	int year, month, day, hour, minute, second, end = 0;
	g_autoptr(GDateTime) time = NULL;
	gint64 epoch;

	if (strcmp(text, "never;") == 0) {
		*ret_us = never_us;
		return TRUE;
	}
	if (sscanf(text, "epoch %11" G_GINT64_FORMAT ";", &epoch) == 1 && epoch > 0) {
		*ret_us = epoch * (gint64)G_USEC_PER_SEC;
		return TRUE;
	}
	if (sscanf(text, "%*1d %4d/%2d/%2d %2d:%2d:%2d;%n", &year, &month, &day, &hour, &minute,
		   &second, &end) != 6 ||
	    end == 0)
		return FALSE;
	time = g_date_time_new_utc(year, month, day, hour, minute, second);
	if (!time || g_date_time_to_unix(time) <= 0)
		return FALSE;
	*ret_us = g_date_time_to_unix(time) * (gint64)G_USEC_PER_SEC;
	return TRUE;
}

/* "pc1"; of one with an escape, or that is no name, nothing. */
static char *
quoted_name(const char *text)
{
	gsize length = strlen(text);
	g_autofree char *name = NULL;

	if (length < 4 || *text != '"' || strcmp(text + length - 2, "\";") != 0)
		return NULL;
	name = g_strndup(text + 1, length - 3);
	return !strpbrk(name, "\"\\") && asset_device_is_valid(name) ? g_steal_pointer(&name)
								     : NULL;
}

/* "ethernet 02:00:5e:00:53:01;" */
static char *
hardware_of(const char *text)
{
	const char *blank = strchr(text, ' ');
	gsize length = blank ? strspn(blank + 1, "0123456789abcdefABCDEF:") : 0;

	return length > 0 && length <= CAP_DEVICE_BYTES && strcmp(blank + 1 + length, ";") == 0
		       ? g_strndup(blank + 1, length)
		       : NULL;
}

/* Returns what stands behind a word and a blank, or NULL. */
static const char *
behind(const char *line, const char *word)
{
	gsize length = strlen(word);

	return strncmp(line, word, length) == 0 && line[length] == ' ' ? line + length + 1 : NULL;
}

static gboolean
read_statement(struct reading *reading, const char *line, GError **error)
{
	static const char wrong[] = "a time is written 4 2026/11/26 10:00:00, epoch N, or never";
	struct lease *lease = &reading->lease;
	const char *value;

	if ((value = behind(line, "starts"))) {
		lease->has_start = read_time(value, 0, &lease->asset.from_us);
		return lease->has_start || refuse(reading, error, wrong);
	}
	if ((value = behind(line, "ends"))) {
		lease->has_end = read_time(value, ASSET_UNTIL_OPEN, &lease->asset.until_us);
		return lease->has_end || refuse(reading, error, wrong);
	}
	if ((value = behind(line, "hardware"))) {
		g_free(lease->hardware);
		lease->hardware = hardware_of(value);
	} else if ((value = behind(line, "client-hostname"))) {
		g_free(lease->host);
		lease->host = quoted_name(value);
	} else if (strcmp(line, "binding state abandoned;") == 0) {
		lease->abandoned = TRUE;
	}
	return TRUE;
}

/* ---- leases ---- */

static gboolean
begin_lease(struct reading *reading, const char *rest, GError **error)
{
	g_autofree char *address = g_strndup(rest, strcspn(rest, " "));

	reading->lease.open = network_ip(address, reading->lease.asset.ip) &&
			      strcmp(rest + strlen(address), " {") == 0;
	return reading->lease.open || refuse(reading, error, "is no lease of an address");
}

static gboolean
end_lease(struct reading *reading, GError **error)
{
	struct lease *lease = &reading->lease;
	struct store_asset *asset;

	if (!lease->abandoned && lease->hardware) {
		if (!lease->has_start || !lease->has_end)
			return refuse(reading, error, "the lease says not when it starts and ends");
		/* One that was given back before it began is nobody's. */
		if (lease->asset.from_us < lease->asset.until_us) {
			asset = g_memdup2(&lease->asset, sizeof(*asset));
			g_ptr_array_add(reading->assets, asset);
			lease_names_add(reading->names, asset, lease->host ? lease->host : "",
					lease->hardware);
		}
	}
	lease_clear(lease);
	return TRUE;
}

static gboolean
read_line(struct reading *reading, const char *line, GError **error)
{
	const char *rest = behind(line, "lease");

	if (!g_utf8_validate(line, -1, NULL))
		return refuse(reading, error, "is no text");
	if (rest && !reading->lease.open)
		return begin_lease(reading, rest, error);
	if (rest)
		return refuse(reading, error, "the lease before it has no end");
	if (!reading->lease.open)
		return TRUE;
	return strcmp(line, "}") == 0 ? end_lease(reading, error)
				      : read_statement(reading, line, error);
}

static gboolean
read_lines(struct reading *reading, const char *text, gsize length, GError **error)
{
	const char *end = text + length;

	while (text < end) {
		const char *stop = memchr(text, '\n', (gsize)(end - text));
		gsize size = (gsize)((stop ? stop : end) - text);
		g_autofree char *line = g_strndup(text, size);

		reading->line++;
		if (!read_line(reading, g_strstrip(line), error))
			return FALSE;
		text += size + 1;
	}
	return !reading->lease.open || refuse(reading, error, "the lease has no end");
}

gboolean
assets_isc_is(const char *text, gsize length)
{
	static const char *const words[] = {"lease ", "authoring-byte-order ", "server-duid ",
					    "failover "};
	const char *end = text + length;

	while (text < end && (*text == '#' || *text == '\n')) {
		const char *stop = memchr(text, '\n', (gsize)(end - text));

		text = stop ? stop + 1 : end;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
		if ((gsize)(end - text) > strlen(words[i]) &&
		    strncmp(text, words[i], strlen(words[i])) == 0)
			return TRUE;
	return FALSE;
}

GPtrArray *
assets_isc_read(const char *text, gsize length, GError **error)
{
	g_autoptr(GPtrArray) assets = g_ptr_array_new_with_free_func(asset_free);
	g_autoptr(lease_names_t) names = lease_names_new();
	struct reading reading = {.names = names, .assets = assets};
	gboolean done;

	if (length > CAP_ASSETS_BYTES) {
		g_set_error(error, ASSETS_ERROR, ASSETS_ERROR_SIZE,
			    "it has more than %d bytes; split it", CAP_ASSETS_BYTES);
		return NULL;
	}
	done = read_lines(&reading, text, length, error);
	lease_clear(&reading.lease);
	lease_names_settle(names);
	return done ? g_steal_pointer(&assets) : NULL;
}
