/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line of any bytes says nothing, or gives deliveries that the codec takes
 * within their cap and that have ids of their own.
 */
#include <stdint.h>
#include <string.h>

#include "caps.h"
#include "login.h"
#include "ocsf_delivery.h"
#include "../../milter/dovecot_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct delivery *delivery)
{
	g_autoptr(GBytes) json = ocsf_encode_delivery(delivery);
	g_autoptr(GError) error = NULL;
	g_autoptr(delivery_t) back =
		ocsf_decode_delivery(g_bytes_get_data(json, NULL), g_bytes_get_size(json), &error);

	if (back == NULL)
		g_error("what a line says cannot be read again: %s", error->message);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
	gint64 now_us = (gint64)1795383398 * G_USEC_PER_SEC;
	g_autoptr(GPtrArray) deliveries =
		g_ptr_array_new_with_free_func((GDestroyNotify)delivery_free);
	g_autoptr(GPtrArray) logins = g_ptr_array_new_with_free_func((GDestroyNotify)login_free);
	g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);

	dovecot_log_parse((const char *)data, size, 7, now_us, utc, "mbox1", deliveries, logins);
	for (guint i = 0; i < deliveries->len; i++) {
		const struct delivery *delivery = deliveries->pdata[i];

		check(delivery);
		if (!g_hash_table_add(ids, delivery->event_id))
			g_error("two deliveries of a line have one id");
	}
	return 0;
}
