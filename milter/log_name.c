/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_name.h"

#include <string.h>

gboolean
log_name_is_old(const char *name, const char *base, gboolean *ret_compressed)
{
	static const char *const endings[] = {".gz", ".xz", ".bz2", ".zst", ".lz4", ".lzma", ".Z"};
	const char *suffix = name + strlen(base);
	gsize length;

	if (!g_str_has_prefix(name, base) || *suffix == '\0')
		return FALSE;
	length = strlen(suffix);
	*ret_compressed = FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(endings) && !*ret_compressed; i++) {
		*ret_compressed = g_str_has_suffix(suffix, endings[i]);
		if (*ret_compressed)
			length -= strlen(endings[i]);
	}
	return length > 0 && strspn(suffix, "0123456789.-") >= length;
}
