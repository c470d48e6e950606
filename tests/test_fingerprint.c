/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "fingerprint.h"

/* Takes the fingerprint of a content that comes in pieces of the given size. */
static struct file *
taken(struct record *record, const char *content, gsize length, gsize piece, const char *line_break,
      gboolean variants)
{
	g_autoptr(fingerprint_t) fingerprint = fingerprint_new();
	struct file *file = record_add_file(record, "1", -1);

	fingerprint_begin(fingerprint, variants);
	for (gsize i = 0; i < length; i += piece)
		fingerprint_add(fingerprint, content + i, MIN(piece, length - i));
	fingerprint_finish(fingerprint, line_break, strlen(line_break), file);
	return file;
}

static void
assert_digests(const struct digests *digests, const char *wanted, gsize length)
{
	struct digests expected;

	digests_of(wanted, length, &expected);
	cr_assert_arr_eq(digests->md5, expected.md5, MD5_BYTES);
	cr_assert_arr_eq(digests->sha1, expected.sha1, SHA1_BYTES);
	cr_assert_arr_eq(digests->sha256, expected.sha256, SHA256_BYTES);
}

static void
assert_variant(const struct file *file, enum variant_kind kind, const char *wanted)
{
	const struct variant *variant = file_variant(file, kind);

	if (!wanted) {
		cr_assert_null(variant, "%s", variant_kind_name(kind));
		return;
	}
	cr_assert(variant != NULL, "%s", variant_kind_name(kind));
	cr_assert_eq(variant->size, strlen(wanted));
	assert_digests(&variant->digests, wanted, strlen(wanted));
}

struct expectation {
	const char *content;
	const char *lf;	     /* NULL: as the content */
	const char *trimmed; /* NULL: as the LF form */
};

Test(fingerprint, variants_are_what_they_say_however_the_content_comes)
{
	static const struct expectation cases[] = {
		{"", NULL, NULL},
		{"a", NULL, NULL},
		{"a\n", NULL, "a"},
		{"a\r\n", "a\n", "a"},
		{"a\r\nb", "a\nb", NULL},
		{"a\r\r\n", "a\n", "a"},
		{"a\r\r\r\nb\r\r", "a\nb\r\r", NULL},
		{"\r\n\r\n", "\n\n", ""},
		{"a\r", NULL, NULL},
		{"\ra\n\r", NULL, NULL},
		{"a\r\n\r", "a\n\r", NULL},
		{"a\n\n\r\nb\r\n\n", "a\n\n\nb\n\n", "a\n\n\nb"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		for (gsize piece = 1; piece <= 4; piece++) {
			g_autoptr(record_t) record = record_new();
			const char *content = cases[i].content;
			const struct file *file =
				taken(record, content, strlen(content), piece, "", TRUE);

			cr_assert_eq(file->size, strlen(content));
			assert_digests(&file->digests, content, strlen(content));
			assert_variant(file, VARIANT_LF, cases[i].lf);
			assert_variant(file, VARIANT_TRIMMED, cases[i].trimmed);
			assert_variant(file, VARIANT_DELIMITER, NULL);
		}
	}
}

Test(fingerprint, the_delimiters_break_makes_a_variant)
{
	g_autoptr(record_t) record = record_new();
	const struct file *file = taken(record, "ab", 2, 2, "\r\n", TRUE);

	assert_variant(file, VARIANT_DELIMITER, "ab\r\n");
	assert_digests(&file->digests, "ab", 2);
}

Test(fingerprint, without_variants_there_are_none)
{
	g_autoptr(record_t) record = record_new();
	const struct file *file = taken(record, "a\r\nb\r\n", 6, 6, "\r\n", FALSE);

	cr_assert_eq(file->variants->len, 0);
	assert_digests(&file->digests, "a\r\nb\r\n", 6);
}

Test(fingerprint, long_contents_cross_the_pieces)
{
	g_autoptr(GString) content = g_string_new(NULL);
	g_autoptr(GString) lf = g_string_new(NULL);
	g_autoptr(record_t) record = record_new();
	const struct file *file;

	for (int i = 0; i < 9000; i++) {
		g_string_append_printf(content, "%d\r\n%s", i, i % 7 ? "" : "\r\n");
		g_string_append_printf(lf, "%d\n%s", i, i % 7 ? "" : "\n");
	}
	file = taken(record, content->str, content->len, 1000, "", TRUE);
	assert_variant(file, VARIANT_LF, lf->str);
	g_string_truncate(lf, lf->len - 1);
	assert_variant(file, VARIANT_TRIMMED, lf->str);
}

Test(fingerprint, the_two_forms_may_be_given_apart)
{
	g_autoptr(fingerprint_t) fingerprint = fingerprint_new();
	g_autoptr(record_t) record = record_new();
	struct file *file = record_add_file(record, "1", -1);

	fingerprint_begin(fingerprint, TRUE);
	fingerprint_add_exact(fingerprint, "a\r\nb\r\n", 6);
	fingerprint_add_lf(fingerprint, "a\r\nb\n", 5);
	fingerprint_finish(fingerprint, NULL, 0, file);
	assert_variant(file, VARIANT_LF, "a\r\nb\n");
	assert_variant(file, VARIANT_TRIMMED, "a\r\nb");
}

Test(fingerprint, one_serves_many_contents)
{
	g_autoptr(fingerprint_t) fingerprint = fingerprint_new();
	g_autoptr(record_t) record = record_new();

	for (int i = 0; i < 3; i++) {
		struct file *file = record_add_file(record, "x", -1);

		fingerprint_begin(fingerprint, i != 1);
		fingerprint_add(fingerprint, "a\r\nb\r", 5);
		fingerprint_finish(fingerprint, NULL, 0, file);
		assert_digests(&file->digests, "a\r\nb\r", 5);
		assert_variant(file, VARIANT_LF, i == 1 ? NULL : "a\nb\r");
	}
}

/* A member of an archive that is damaged, and the next one. */
Test(fingerprint, what_was_not_finished_is_not_part_of_the_next)
{
	g_autoptr(fingerprint_t) fingerprint = fingerprint_new();
	g_autoptr(record_t) record = record_new();
	struct file *file = record_add_file(record, "1", -1);

	fingerprint_begin(fingerprint, TRUE);
	fingerprint_add(fingerprint, "half a\r\n", 8);
	fingerprint_begin(fingerprint, TRUE);
	fingerprint_add(fingerprint, "b\r\n", 3);
	fingerprint_finish(fingerprint, NULL, 0, file);
	assert_digests(&file->digests, "b\r\n", 3);
	assert_variant(file, VARIANT_LF, "b\n");
}
