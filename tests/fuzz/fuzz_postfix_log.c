/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line of any bytes says nothing, or gives a delivery that the codec takes
 * within its cap; the same line gives the same.
 */
#include <stdint.h>
#include <string.h>

#include "caps.h"
#include "ocsf_delivery.h"
#include "../../milter/postfix_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
	gint64 now_us = (gint64)1795383398 * G_USEC_PER_SEC;
	const char *line = (const char *)data;
	g_autoptr(delivery_t) delivery = postfix_log_parse(line, size, 7, now_us, utc);
	g_autoptr(delivery_t) again = postfix_log_parse(line, size, 7, now_us, utc), back = NULL;
	g_autoptr(GBytes) json = NULL;
	g_autoptr(GError) error = NULL;

	if ((delivery == NULL) != (again == NULL))
		g_error("a line says something once only");
	if (delivery == NULL)
		return 0;
	if (strcmp(delivery->event_id, again->event_id) != 0)
		g_error("a line has two ids");
	json = ocsf_encode_delivery(delivery);
	back = ocsf_decode_delivery(g_bytes_get_data(json, NULL), g_bytes_get_size(json), &error);
	if (back == NULL)
		g_error("what a line says cannot be read again: %s", error->message);
	return 0;
}
