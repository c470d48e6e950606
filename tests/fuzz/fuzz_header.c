/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes are a header field's text, and a Content-* field's parameters. */
#include <stdlib.h>

#include "charset.h"
#include "content_field.h"
#include "encoded_word.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
	g_autofree char *text = header_decode(data, size, NULL);
	g_autoptr(content_field_t) field = content_field_parse(data, size);

	if (!g_utf8_validate(text, -1, NULL) || !g_utf8_validate(field->token, -1, NULL))
		abort();
	for (guint i = 0; i < field->parameters->len; i++) {
		const struct parameter *parameter = g_ptr_array_index(field->parameters, i);
		gsize length;
		const void *bytes = g_bytes_get_data(parameter->value, &length);
		g_autofree char *value =
			charset_guess(bytes ? bytes : "", length, parameter->charset, NULL);

		/* What a quoted string without an end has within is read again, once. */
		if (length > 2 * size || !g_utf8_validate(value, -1, NULL))
			abort();
	}
	return 0;
}
