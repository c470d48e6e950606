/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "charset.h"
#include "wide.h"

static void
preload(void)
{
	cr_assert(charset_preload(NULL));
}

TestSuite(wide, .init = preload);

/* A text, its bytes with a NUL after or before each, with CR LF for its LF if broken. */
static GByteArray *
widen(const char *text, gboolean big, gboolean mark, gboolean broken)
{
	GByteArray *out = g_byte_array_new();

	if (mark)
		g_byte_array_append(out, (const guint8 *)(big ? "\xfe\xff" : "\xff\xfe"), 2);
	for (; *text; text++) {
		if (big)
			g_byte_array_append(out, (const guint8 *)"", 1);
		if (broken && *text == '\n')
			g_byte_array_append(out, (const guint8 *)"\r", 1);
		g_byte_array_append(out, (const guint8 *)text, 1);
		if (!big)
			g_byte_array_append(out, (const guint8 *)"", 1);
	}
	return out;
}

Test(wide, either_order_is_known_with_a_mark_and_without_also_when_line_breaks_were_changed)
{
	const char *text = "--b\r\nX: y\r\n\r\nHello.\r\n";

	for (guint form = 0; form < 8; form++) {
		g_autoptr(GByteArray) bytes = widen(text, form & 1, form & 2, form & 4);
		g_autoptr(GByteArray) narrow = NULL;

		cr_expect(wide_is((const char *)bytes->data, bytes->len), "form %u", form);
		narrow = wide_narrow((const char *)bytes->data, bytes->len);
		cr_expect_eq(narrow->len, strlen(text), "form %u", form);
		cr_expect_eq(memcmp(narrow->data, text, MIN(narrow->len, strlen(text))), 0,
			     "form %u: %.*s", form, (int)narrow->len, narrow->data);
	}
}

Test(wide, characters_that_are_no_ascii_are_kept_where_the_text_is_whole)
{
	static const char bytes[] = "\xff\xfe"
				    "a\0b\0c\0\x4b\x6d\n\0";
	g_autoptr(GByteArray) narrow = wide_narrow(bytes, sizeof(bytes) - 1);

	cr_assert(wide_is(bytes, sizeof(bytes) - 1));
	cr_assert_eq(narrow->len, 7);
	cr_assert_arr_eq(narrow->data, "abc\xe6\xb5\x8b\n", 7);
}

Test(wide, other_bytes_are_none)
{
	static const char nuls[64], png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1";

	cr_expect(!wide_is("Hello, the file is here.", 24));
	cr_expect(!wide_is(nuls, sizeof(nuls)));
	cr_expect(!wide_is(png, sizeof(png) - 1));
	cr_expect(!wide_is("a\0b\0c\0", 6));
	cr_expect(!wide_is("\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8", 8));
	cr_expect(!wide_is("", 0));
}
