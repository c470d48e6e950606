/* SPDX-License-Identifier: BSD-2-Clause */
/* A word of any bytes is no anchor, or is written the same again, and is found in a text. */
#include <stdint.h>
#include <string.h>

#include "anchor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	g_autofree char *again = NULL;
	struct anchor anchor, found;

	if (anchor_parse(text, size, &anchor)) {
		again = anchor_format(&anchor);
		if (strlen(again) != size || memcmp(again, text, size) != 0)
			g_error("an anchor does not come back the same");
		if (anchor_find(text, size, &found) != text + size)
			g_error("an anchor is not found in itself");
	} else if (size) {
		const char *at = anchor_find(text, size, &found);

		if (at && at > text + size)
			g_error("an anchor was found behind the end");
	}
	return 0;
}
