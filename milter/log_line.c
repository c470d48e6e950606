/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_line.h"

#include <string.h>

struct log_line *
log_line_new(const char *bytes, gsize length, guint64 offset)
{
	struct log_line *line = g_new0(struct log_line, 1);

	line->offset = offset;
	line->length = length;
	line->bytes = g_malloc(length + 1);
	memcpy(line->bytes, bytes, length);
	line->bytes[length] = '\0';
	return line;
}

void
log_line_free(void *data)
{
	struct log_line *line = data;

	g_free(line->bytes);
	g_free(line);
}
