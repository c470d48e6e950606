/* SPDX-License-Identifier: BSD-2-Clause */
/* Any UTF-8 is a body; its first byte says whether of HTML. */
#include <stdlib.h>
#include <string.h>

#include "caps.h"
#include "record.h"
#include "url.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
	g_autoptr(record_t) record = record_new();
	g_autofree char *text = NULL;

	if (!size)
		return 0;
	text = g_utf8_make_valid((const char *)data + 1, (gssize)(size - 1));
	url_collect(record, text, strlen(text), data[0] & 1);
	if (record->urls->len > CAP_URLS)
		abort();
	for (guint i = 0; i < record->urls->len; i++) {
		const char *url = g_ptr_array_index(record->urls, i);

		if (strlen(url) > CAP_URL_BYTES || !g_utf8_validate(url, -1, NULL))
			abort();
	}
	return 0;
}
