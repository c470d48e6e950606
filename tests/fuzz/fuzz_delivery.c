/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A delivery of any bytes is refused, or comes back the same when it is written
 * and read again.
 */
#include <stdint.h>

#include "ocsf_delivery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(delivery_t) delivery = ocsf_decode_delivery(data, size, NULL), back = NULL;
	g_autoptr(GBytes) json = NULL, again = NULL;

	if (delivery == NULL)
		return 0;
	json = ocsf_encode_delivery(delivery);
	back = ocsf_decode_delivery(g_bytes_get_data(json, NULL), g_bytes_get_size(json), NULL);
	if (back == NULL)
		return 0; /* what one writer escapes more than another may pass the cap */
	again = ocsf_encode_delivery(back);
	if (!g_bytes_equal(json, again))
		g_error("a delivery does not come back the same");
	return 0;
}
