/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include <criterion/criterion.h>
#include <string.h>

#include "sealed.h"

static const guint8 key[SEALED_KEY_BYTES] = "thirty-two bytes of a secret key";

Test(sealed, what_was_sealed_is_opened)
{
	static const char text[] = "a text with a \0 in it";
	g_autoptr(GBytes) sealed = sealed_make(key, "label", text, sizeof(text));
	g_autoptr(GBytes) again = sealed_make(key, "label", text, sizeof(text));
	g_autoptr(GBytes) open =
		sealed_open(key, "label", g_bytes_get_data(sealed, NULL), g_bytes_get_size(sealed));

	cr_assert_eq(g_bytes_get_size(sealed), sizeof(text) + SEALED_EXTRA_BYTES);
	cr_assert(!g_bytes_equal(sealed, again), "a nonce was used twice");
	cr_assert_eq(g_bytes_get_size(open), sizeof(text));
	cr_assert_arr_eq(g_bytes_get_data(open, NULL), text, sizeof(text));
	cr_assert_null(memmem(g_bytes_get_data(sealed, NULL), g_bytes_get_size(sealed), "text", 4));
}

Test(sealed, nothing_is_a_text_too)
{
	g_autoptr(GBytes) sealed = sealed_make(key, "", NULL, 0);
	g_autoptr(GBytes) open =
		sealed_open(key, "", g_bytes_get_data(sealed, NULL), g_bytes_get_size(sealed));

	cr_assert(open != NULL);
	cr_assert_eq(g_bytes_get_size(open), 0);
}

Test(sealed, each_bit_counts_and_the_label_and_the_key)
{
	g_autoptr(GBytes) sealed = sealed_make(key, "label", "text", 4);
	gsize length = g_bytes_get_size(sealed);
	g_autofree guint8 *copy = g_memdup2(g_bytes_get_data(sealed, NULL), length);
	guint8 other[SEALED_KEY_BYTES] = "another";

	for (gsize bit = 0; bit < length * 8; bit++) {
		copy[bit / 8] ^= (guint8)(1 << bit % 8);
		cr_expect_null(sealed_open(key, "label", copy, length), "bit %zu", bit);
		copy[bit / 8] ^= (guint8)(1 << bit % 8);
	}
	for (gsize cut = 0; cut < length; cut++)
		cr_expect_null(sealed_open(key, "label", copy, cut));
	cr_expect_null(sealed_open(key, "labe", copy, length));
	cr_expect_null(sealed_open(other, "label", copy, length));
}
