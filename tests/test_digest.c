/* SPDX-License-Identifier: BSD-2-Clause */
#include "digest.h"

#include <criterion/criterion.h>
#include <string.h>

static void
assert_hex(const guint8 *bytes, gsize length, const char *expected)
{
	g_autofree char *hex = hex_encode(bytes, length);

	cr_assert_str_eq(hex, expected);
}

Test(digest, preload_finds_all_three)
{
	cr_assert(digest_preload());
}

/* RFC 1321 A.5, FIPS 180-4's examples. */
Test(digest, values_are_those_of_the_standards)
{
	struct digests digests;
	guint8 sha256[SHA256_BYTES];

	digests_of("abc", 3, &digests);
	assert_hex(digests.md5, MD5_BYTES, "900150983cd24fb0d6963f7d28e17f72");
	assert_hex(digests.sha1, SHA1_BYTES, "a9993e364706816aba3e25717850c26c9cd0d89d");
	assert_hex(digests.sha256, SHA256_BYTES,
		   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_sha256("abc", 3, sha256);
	cr_assert_arr_eq(sha256, digests.sha256, SHA256_BYTES);
	digests_of("", 0, &digests);
	assert_hex(digests.md5, MD5_BYTES, "d41d8cd98f00b204e9800998ecf8427e");
}

Test(digest, pieces_of_any_size_give_the_same)
{
	const gsize length = 100000;
	g_autofree guint8 *bytes = g_malloc(length);
	g_autoptr(digester_t) digester = digester_new();
	struct digests whole, pieces;

	for (gsize i = 0; i < length; i++)
		bytes[i] = (guint8)(i * 31);
	digests_of(bytes, length, &whole);
	for (gsize step = 1; step < length; step = step * 3 + 1) {
		for (gsize at = 0; at < length; at += step)
			digester_add(digester, bytes + at, MIN(step, length - at));
		digester_finish(digester, &pieces);
		cr_assert_arr_eq(&pieces, &whole, sizeof(whole));
	}
}

Test(digest, digester_starts_anew_after_finish)
{
	g_autoptr(digester_t) digester = digester_new();
	struct digests empty, after;

	digests_of("", 0, &empty);
	digester_add(digester, "x", 1);
	digester_finish(digester, &after);
	cr_assert_neq(memcmp(&after, &empty, sizeof(after)), 0);
	digester_finish(digester, &after);
	cr_assert_arr_eq(&after, &empty, sizeof(after));
}

Test(digest, kind_is_told_by_the_length_of_hex)
{
	struct digest digest;

	cr_assert(digest_from_hex("D41D8CD98F00B204e9800998ecf8427e", &digest));
	cr_assert_eq(digest.kind, DIGEST_MD5);
	assert_hex(digest.bytes, digest_length(digest.kind), "d41d8cd98f00b204e9800998ecf8427e");
	cr_assert(digest_from_hex("a9993e364706816aba3e25717850c26c9cd0d89d", &digest));
	cr_assert_eq(digest.kind, DIGEST_SHA1);
	cr_assert(digest_from_hex(
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", &digest));
	cr_assert_eq(digest.kind, DIGEST_SHA256);
}

Test(digest, what_is_no_digest_leaves_the_result_untouched)
{
	static const char *const wrong[] = {
		"",
		"d41d8cd98f00b204e9800998ecf8427",
		"d41d8cd98f00b204e9800998ecf8427ee",
		"d41d8cd98f00b204e9800998ecf8427g",
		" 41d8cd98f00b204e9800998ecf8427e",
		"d41d8cd98f00b204e9800998ecf8427e\n",
	};
	struct digest digest = {.kind = DIGEST_SHA1, .bytes = {1, 2, 3}};

	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		cr_assert_not(digest_from_hex(wrong[i], &digest), "%s", wrong[i]);
		cr_assert_eq(digest.kind, DIGEST_SHA1);
		cr_assert_eq(digest.bytes[2], 3);
	}
}

Test(digest, hex_decode_is_the_inverse_of_encode)
{
	guint8 bytes[256], back[256];
	g_autofree char *hex = NULL;

	for (int i = 0; i < 256; i++)
		bytes[i] = (guint8)i;
	hex = hex_encode(bytes, sizeof(bytes));
	cr_assert(hex_decode(hex, back, sizeof(back)));
	cr_assert_arr_eq(back, bytes, sizeof(bytes));
	cr_assert_not(hex_decode(hex, back, sizeof(back) - 1));
}
