/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "trace_id.h"

#include <string.h>

#define MAC_BYTES 8	 /* of HMAC-SHA-256; see trace_id.h */
#define SENSOR_BYTES 64	 /* keys.h: the longest name */
#define BLANKS " \t\r\n" /* RFC 5322 folding white space */

/* What a field's value says, in slices of the value. */
struct claim {
	const char *event_id;
	gsize event_id_length;
	const char *sensor;
	gsize sensor_length;
	const char *mac;
	gsize mac_length;
	guint fields;  /* in all, the id included */
	gboolean ours; /* any of its "s=" names one of our sensors */
};

static void
mac_of(const guint8 key[SITE_KEY_BYTES], const char *event_id, const char *sensor,
       guint8 ret_mac[MAC_BYTES])
{
	GHmac *hmac = g_hmac_new(G_CHECKSUM_SHA256, key, SITE_KEY_BYTES);
	guint8 full[SHA256_BYTES];
	gsize length = sizeof(full);

	g_hmac_update(hmac, (const guchar *)event_id, (gssize)strlen(event_id) + 1);
	g_hmac_update(hmac, (const guchar *)sensor, (gssize)strlen(sensor));
	g_hmac_get_digest(hmac, full, &length);
	g_hmac_unref(hmac);
	memcpy(ret_mac, full, MAC_BYTES);
}

char *
trace_id_make(const guint8 key[SITE_KEY_BYTES], const char *event_id, const char *sensor)
{
	g_autofree char *hex = NULL;
	guint8 mac[MAC_BYTES];

	mac_of(key, event_id, sensor, mac);
	hex = hex_encode(mac, sizeof(mac));
	return g_strdup_printf("%s; s=%s; m=%s", event_id, sensor, hex);
}

/* Narrows a slice to what stands between its white space. */
static void
trim(const char **start, gsize *length)
{
	while (*length > 0 && strchr(BLANKS, **start)) {
		(*start)++;
		(*length)--;
	}
	while (*length > 0 && strchr(BLANKS, (*start)[*length - 1]))
		(*length)--;
}

static gboolean
is_own_sensor(const char *name, gsize length, const char *const *own_sensors)
{
	for (gsize i = 0; own_sensors[i]; i++)
		if (strlen(own_sensors[i]) == length &&
		    g_ascii_strncasecmp(own_sensors[i], name, length) == 0)
			return TRUE;
	return FALSE;
}

static void
claim_add_field(struct claim *claim, const char *field, gsize length,
		const char *const *own_sensors)
{
	trim(&field, &length);
	if (claim->fields++ == 0) {
		claim->event_id = field;
		claim->event_id_length = length;
	} else if (length >= 2 && strncmp(field, "s=", 2) == 0) {
		claim->sensor = field + 2;
		claim->sensor_length = length - 2;
		claim->ours |= is_own_sensor(field + 2, length - 2, own_sensors);
	} else if (length >= 2 && strncmp(field, "m=", 2) == 0) {
		claim->mac = field + 2;
		claim->mac_length = length - 2;
	}
}

static void
claim_read(struct claim *claim, const char *value, const char *const *own_sensors)
{
	gsize length;

	for (;; value += length + 1) {
		length = strcspn(value, ";");
		claim_add_field(claim, value, length, own_sensors);
		if (!value[length])
			return;
	}
}

/* Compares in a time that does not tell where they differ. */
static gboolean
macs_equal(const guint8 *a, const guint8 *b)
{
	guint8 difference = 0;

	for (gsize i = 0; i < MAC_BYTES; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

static gboolean
claim_verify(const struct claim *claim, const guint8 key[SITE_KEY_BYTES], const char *event_id)
{
	g_autofree char *sensor = NULL;
	g_autofree char *hex = NULL;
	guint8 told[MAC_BYTES], right[MAC_BYTES];

	sensor = g_strndup(claim->sensor, claim->sensor_length);
	hex = g_strndup(claim->mac, claim->mac_length);
	if (!key_name_is_valid(sensor) || !hex_decode(hex, told, sizeof(told)))
		return FALSE;
	mac_of(key, event_id, sensor, right);
	return macs_equal(told, right);
}

enum trace_id_kind
trace_id_judge(const guint8 key[SITE_KEY_BYTES], const char *value, const char *const *own_sensors,
	       char ret_event_id[EVENT_ID_LENGTH + 1])
{
	struct claim claim = {0};
	char event_id[EVENT_ID_LENGTH + 1] = "";

	claim_read(&claim, value, own_sensors);
	if (claim.fields == 3 && claim.sensor && claim.mac &&
	    claim.event_id_length == EVENT_ID_LENGTH && claim.sensor_length <= SENSOR_BYTES &&
	    claim.mac_length == 2 * MAC_BYTES) {
		memcpy(event_id, claim.event_id, EVENT_ID_LENGTH);
		if (event_id_is_valid(event_id) && claim_verify(&claim, key, event_id)) {
			if (ret_event_id)
				memcpy(ret_event_id, event_id, sizeof(event_id));
			return TRACE_ID_VALID;
		}
	}
	return claim.ours ? TRACE_ID_FORGED : TRACE_ID_FOREIGN;
}
