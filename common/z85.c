/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "z85.h"

#include <string.h>

/* Four bytes, big-endian, in five digits of base 85. */
static const char z85_digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 ".-:+=^!/*?&<>()[]{}@%$#";

void
z85_encode(const guint8 bytes[CURVE_KEY_BYTES], char ret_text[KEY_Z85_LENGTH + 1])
{
	for (guint group = 0; group < CURVE_KEY_BYTES / 4; group++) {
		guint32 value = 0;
		for (guint i = 0; i < 4; i++)
			value = value << 8 | bytes[group * 4 + i];
		for (guint i = 5; i-- > 0; value /= 85)
			ret_text[group * 5 + i] = z85_digits[value % 85];
	}
	ret_text[KEY_Z85_LENGTH] = '\0';
}

/* Reads five digits; FALSE when one is none, or when they are above 2^32 - 1. */
static gboolean
z85_decode_group(const char *text, guint8 ret_bytes[4])
{
	guint64 value = 0;

	for (guint i = 0; i < 5; i++) {
		const char *digit = text[i] ? strchr(z85_digits, text[i]) : NULL;
		if (!digit)
			return FALSE;
		value = value * 85 + (guint64)(digit - z85_digits);
	}
	if (value > G_MAXUINT32)
		return FALSE;
	for (guint i = 0; i < 4; i++)
		ret_bytes[i] = (guint8)(value >> (24 - 8 * i));
	return TRUE;
}

gboolean
z85_decode(const char *text, guint8 ret_bytes[CURVE_KEY_BYTES])
{
	if (strlen(text) != KEY_Z85_LENGTH)
		return FALSE;
	for (guint group = 0; group < CURVE_KEY_BYTES / 4; group++)
		if (!z85_decode_group(text + group * 5, ret_bytes + group * 4))
			return FALSE;
	return TRUE;
}
