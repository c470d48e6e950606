/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An event of any bytes is refused, or comes back the same when it is written
 * and read again.
 */
#include <stdint.h>
#include <string.h>

#include "caps.h"
#include "ocsf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(event_t) event = ocsf_decode_event(data, size, NULL), back = NULL;
	g_autoptr(GBytes) json = NULL, again = NULL;
	g_autoptr(GError) error = NULL;

	if (event == NULL)
		return 0;
	json = ocsf_encode_event(event, CAP_EVENT_BYTES);
	back = ocsf_decode_event(g_bytes_get_data(json, NULL), g_bytes_get_size(json), &error);
	if (back == NULL)
		g_error("an event that was read cannot be read again: %s", error->message);
	again = ocsf_encode_event(back, CAP_EVENT_BYTES);
	if (!g_bytes_equal(json, again))
		g_error("an event does not come back the same");
	return 0;
}
