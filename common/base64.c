/* SPDX-License-Identifier: BSD-2-Clause */
#include "base64.h"

#define GROUP_OF_VALID (BASE64_VALID << 18 | BASE64_VALID << 12 | BASE64_VALID << 6 | BASE64_VALID)

/* clang-format off */
const guint8 base64_values[256] = {
	['A'] = 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76,
	77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89,
	['a'] = 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102,
	103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115,
	['0'] = 116, 117, 118, 119, 120, 121, 122, 123, 124, 125,
	['+'] = 126,
	['/'] = 127,
};
/* clang-format on */

gsize
base64_decode_clean(const char *bytes, gsize length, guint8 *ret_bytes, gsize *ret_taken)
{
	const guint8 *at = (const guint8 *)bytes, *end = at + length;
	guint8 *out = ret_bytes;

	while (end - at >= 4) {
		guint a = base64_values[at[0]], b = base64_values[at[1]], c = base64_values[at[2]],
		      d = base64_values[at[3]];

		if (a & b & c & d & BASE64_VALID) {
			guint group = (a << 18) + (b << 12) + (c << 6) + d - GROUP_OF_VALID;

			*out++ = (guint8)(group >> 16);
			*out++ = (guint8)(group >> 8);
			*out++ = (guint8)group;
			at += 4;
		} else if (*at == '\r' || *at == '\n') {
			at++;
		} else {
			break;
		}
	}
	*ret_taken = (gsize)(at - (const guint8 *)bytes);
	return (gsize)(out - ret_bytes);
}
