/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's answer of any bytes is refused, or is a record that keeps the
 * invariants: it can be written as an event, read back, and answered again as
 * the same bytes.
 */
#include <stdint.h>
#include <string.h>

#include "answer.h"
#include "caps.h"
#include "ocsf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_event(struct record *record)
{
	g_autoptr(event_t) event = event_new(), back = NULL;
	g_autoptr(GBytes) json = NULL;
	g_autoptr(GError) error = NULL;

	record_free(event->record);
	event->record = record;
	event->event_id = event_id_of("", 0);
	event->origin = g_strdup("milter");
	json = ocsf_encode_event(event, CAP_EVENT_BYTES);
	back = ocsf_decode_event(g_bytes_get_data(json, NULL), g_bytes_get_size(json), &error);
	if (back == NULL)
		g_error("an answer became an event that cannot be read: %s", error->message);
	event->record = record_new();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(record_t) record = NULL;
	g_autoptr(GBytes) again = NULL;
	guint64 ticket = 0;

	if (size >= sizeof(ticket))
		memcpy(&ticket, data, sizeof(ticket));
	record = answer_decode(data, size, ticket, NULL);
	if (record == NULL)
		return 0;
	again = answer_encode(record, ticket);
	if (g_bytes_get_size(again) != size ||
	    memcmp(g_bytes_get_data(again, NULL), data, size) != 0)
		g_error("an answer does not come back as it was");
	check_event(record);
	return 0;
}
