/* SPDX-License-Identifier: BSD-2-Clause */
#include "assets_csv.h"

#include <string.h>

#include "caps.h"
#include "lease_names.h"
#include "query_time.h"

G_DEFINE_QUARK(mailtrace - assets - error - quark, assets_error)

#define COLUMNS_MAX 64 /* Kea's has fifteen */
#define SHARED_WORD "nat"
#define KEA_ASSIGNED "0"

/* The columns that matter, by their place; -1: not there. */
enum column {
	ADDRESS,
	DEVICE,
	FROM,
	UNTIL,
	HWADDR,
	DUID,
	LIFETIME,
	EXPIRE,
	HOSTNAME,
	STATE,
	COLUMNS,
};

struct reading {
	int places[COLUMNS];
	gboolean is_kea;
	guint line;
	GPtrArray *assets;
	struct lease_names *names; /* of Kea's leases */
};

static gboolean
refuse(const struct reading *reading, GError **error, const char *why)
{
	g_set_error(error, ASSETS_ERROR, ASSETS_ERROR_LINE, "line %u: %s", reading->line, why);
	return FALSE;
}

void
asset_free(void *data)
{
	struct store_asset *asset = data;

	if (!asset)
		return;
	g_free((char *)asset->device);
	g_free(asset);
}

gboolean
asset_device_is_valid(const char *device)
{
	gsize length = strlen(device);

	if (length == 0 || length > CAP_DEVICE_BYTES || !g_utf8_validate(device, -1, NULL))
		return FALSE;
	for (; *device; device = g_utf8_next_char(device))
		if (!g_unichar_isprint(g_utf8_get_char(device)))
			return FALSE;
	return TRUE;
}

/* ---- fields ---- */

/* Takes a quoted field, its first quote taken; NULL if it does not end, or more stands behind it.
 */
static char *
take_quoted(const char **at)
{
	GString *field = g_string_new(NULL);
	gboolean ended = FALSE;

	for (; **at && !ended; (*at)++) {
		if (**at == '"' && (*at)[1] != '"')
			ended = TRUE;
		else
			g_string_append_c(field, **at == '"' ? *++*at : **at);
	}
	*at += strspn(*at, " \t");
	if (ended && (**at == ',' || **at == '\0'))
		return g_string_free(field, FALSE);
	g_string_free(field, TRUE);
	return NULL;
}

/* Splits a line; NULL if it is no CSV, or has too many fields. */
static GPtrArray *
split(const char *line)
{
	g_autoptr(GPtrArray) fields = g_ptr_array_new_with_free_func(g_free);
	const char *at = line;

	for (;;) {
		char *field;

		at += strspn(at, " \t");
		if (*at == '"') {
			at++;
			field = take_quoted(&at);
		} else {
			gsize length = strcspn(at, ",");

			field = g_strchomp(g_strndup(at, length));
			at += length;
		}
		if (!field || fields->len == COLUMNS_MAX) {
			g_free(field);
			return NULL;
		}
		g_ptr_array_add(fields, field);
		if (*at == '\0')
			return g_steal_pointer(&fields);
		at++;
	}
}

/* A field of a line; "" if there is no such column. */
static const char *
field_of(const struct reading *reading, const GPtrArray *fields, enum column column)
{
	int place = reading->places[column];

	return place >= 0 && (guint)place < fields->len ? fields->pdata[place] : "";
}

/* ---- lines ---- */

/* What others call a period's ends: left out, a lease would be for good. */
static gboolean
is_period(const char *name)
{
	static const char *const names[] = {
		"start",    "starts",	   "begin",	  "begins",    "since",	     "end",
		"ends",	    "expire",	   "expires",	  "expiry",    "to",	     "valid_from",
		"valid_to", "valid_until", "lease_start", "lease_end", "start_time", "end_time",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_ascii_strcasecmp(name, names[i]) == 0)
			return TRUE;
	return FALSE;
}

static gboolean
check_header(const struct reading *reading, const GPtrArray *fields, GError **error)
{
	for (guint i = 0; i < fields->len; i++) {
		if (!reading->is_kea && is_period(fields->pdata[i]))
			return refuse(reading, error,
				      "the ends of a period are called from and until");
		for (int column = 0; column < COLUMNS; column++)
			if (reading->places[column] > (int)i &&
			    g_ascii_strcasecmp(fields->pdata[i],
					       fields->pdata[reading->places[column]]) == 0)
				return refuse(reading, error, "it names a column twice");
	}
	return TRUE;
}

static gboolean
read_header(struct reading *reading, const GPtrArray *fields, GError **error)
{
	static const char *const names[COLUMNS] = {"address",  "device", "from",	   "until",
						   "hwaddr",   "duid",	 "valid_lifetime", "expire",
						   "hostname", "state"};

	for (int column = 0; column < COLUMNS; column++) {
		reading->places[column] = -1;
		for (guint i = 0; i < fields->len; i++)
			if (g_ascii_strcasecmp(fields->pdata[i], names[column]) == 0)
				reading->places[column] = (int)i;
	}
	reading->is_kea = reading->places[DEVICE] < 0 && reading->places[EXPIRE] >= 0 &&
			  reading->places[LIFETIME] >= 0 && reading->places[STATE] >= 0;
	if (reading->places[ADDRESS] >= 0 && (reading->places[DEVICE] >= 0 || reading->is_kea))
		return check_header(reading, fields, error);
	return refuse(reading, error,
		      "it has to name the columns: address,device,from,until, or those of Kea");
}

/*
 * The same time by the clock, an hour away: one that comes twice in the night of a change.
 * Returns at_us if there is none.
 */
static gint64
twin_of(gint64 at_us, int hours)
{
	gint64 twin_us = at_us + hours * G_TIME_SPAN_HOUR;
	g_autoptr(GDateTime) at = g_date_time_new_from_unix_local(at_us / G_USEC_PER_SEC);
	g_autoptr(GDateTime) twin = g_date_time_new_from_unix_local(twin_us / G_USEC_PER_SEC);

	return at && twin && g_date_time_get_hour(at) == g_date_time_get_hour(twin) ? twin_us
										    : at_us;
}

/*
 * is_end: of a period.  One that may be two is the earlier one of a beginning and the later
 * one of an end: so two devices are ambiguous, and none is wrong.
 */
static gboolean
read_time(const struct reading *reading, const char *text, gboolean is_end, gint64 *ret_us,
	  GError **error)
{
	if (*text == '\0')
		return TRUE;
	/* Not "7d": what is imported again tomorrow would be another. */
	if (strlen(text) >= 10 && text[4] == '-' &&
	    query_parse_time(text, g_get_real_time(), ret_us, NULL) && *ret_us > 0) {
		if (!strpbrk(text + 10, "Zz+-"))
			*ret_us = twin_of(*ret_us, is_end ? 1 : -1);
		return TRUE;
	}
	return refuse(reading, error, "a time is written 2026-11-28T10:00:00Z or 2026-11-28");
}

static gboolean
read_own(const struct reading *reading, const GPtrArray *fields, struct store_asset *asset,
	 GError **error)
{
	const char *device = field_of(reading, fields, DEVICE);

	if (!asset_device_is_valid(device))
		return refuse(reading, error, "a device has a name, of at most 253 bytes, or nat");
	if (g_ascii_strcasecmp(device, SHARED_WORD) != 0)
		asset->device = g_strdup(device);
	return read_time(reading, field_of(reading, fields, FROM), FALSE, &asset->from_us, error) &&
	       read_time(reading, field_of(reading, fields, UNTIL), TRUE, &asset->until_us, error);
}

/* *ret_skip: a lease that nobody has. */
static gboolean
read_kea(struct reading *reading, const GPtrArray *fields, struct store_asset *asset,
	 gboolean *ret_skip, GError **error)
{
	const char *hardware = field_of(reading, fields, HWADDR);
	const char *name = field_of(reading, fields, HOSTNAME);
	guint64 lifetime, expire;

	if (!g_ascii_string_to_unsigned(field_of(reading, fields, LIFETIME), 10, 0, G_MAXUINT32,
					&lifetime, NULL) ||
	    !g_ascii_string_to_unsigned(field_of(reading, fields, EXPIRE), 10, 0,
					G_MAXINT64 / G_USEC_PER_SEC, &expire, NULL) ||
	    lifetime > expire)
		return refuse(reading, error, "valid_lifetime or expire is no number of seconds");
	*ret_skip = lifetime == 0 || strcmp(field_of(reading, fields, STATE), KEA_ASSIGNED) != 0;
	if (*hardware == '\0')
		hardware = field_of(reading, fields, DUID);
	if (!asset_device_is_valid(hardware) || (*name && !asset_device_is_valid(name)))
		return refuse(reading, error,
			      "a lease needs hwaddr or duid, and a host name of at "
			      "most 253 bytes");
	asset->from_us = (gint64)(expire - lifetime) * (gint64)G_USEC_PER_SEC;
	asset->until_us = (gint64)expire * (gint64)G_USEC_PER_SEC;
	if (!*ret_skip)
		lease_names_add(reading->names, asset, name, hardware);
	return TRUE;
}

static gboolean
read_asset(struct reading *reading, const GPtrArray *fields, GError **error)
{
	struct store_asset *asset = g_new0(struct store_asset, 1);
	gboolean skip = FALSE, done;

	asset->until_us = ASSET_UNTIL_OPEN;
	done = network_ip(field_of(reading, fields, ADDRESS), asset->ip) ||
	       refuse(reading, error, "address is no IPv4 or IPv6 address");
	done = done && (reading->is_kea ? read_kea(reading, fields, asset, &skip, error)
					: read_own(reading, fields, asset, error));
	if (done && !skip && asset->from_us >= asset->until_us)
		done = refuse(reading, error, "it ends before it begins");
	if (done && !skip)
		g_ptr_array_add(reading->assets, asset);
	else
		asset_free(asset);
	return done;
}

static gboolean
read_line(struct reading *reading, const char *line, gboolean *header, GError **error)
{
	g_autoptr(GPtrArray) fields = NULL;

	if (*line == '\0' || *line == '#')
		return TRUE;
	fields = split(line);
	if (!fields)
		return refuse(reading, error, "is no line of CSV");
	if (!*header)
		return read_asset(reading, fields, error);
	*header = FALSE;
	return read_header(reading, fields, error);
}

static gboolean
read_lines(struct reading *reading, const char *text, gsize length, GError **error)
{
	const char *end = text + length;
	gboolean header = TRUE;

	if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (text < end) {
		const char *stop = memchr(text, '\n', (gsize)(end - text));
		gsize size = (gsize)((stop ? stop : end) - text);
		g_autofree char *line = NULL;

		reading->line++;
		if (memchr(text, '\0', size))
			return refuse(reading, error, "is no text");
		line = g_strchomp(g_strndup(text, size));
		if (!read_line(reading, line, &header, error))
			return FALSE;
		text += size + 1;
	}
	return !header || refuse(reading, error, "there is nothing in it");
}

GPtrArray *
assets_csv_read(const char *text, gsize length, GError **error)
{
	g_autoptr(GPtrArray) assets = g_ptr_array_new_with_free_func(asset_free);
	g_autoptr(lease_names_t) names = lease_names_new();
	struct reading reading = {.assets = assets, .names = names};
	gboolean done;

	if (length > CAP_ASSETS_BYTES) {
		g_set_error(error, ASSETS_ERROR, ASSETS_ERROR_SIZE,
			    "it has more than %d bytes; split it", CAP_ASSETS_BYTES);
		return NULL;
	}
	done = read_lines(&reading, text, length, error);
	lease_names_settle(names);
	return done ? g_steal_pointer(&assets) : NULL;
}
