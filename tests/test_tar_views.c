/* SPDX-License-Identifier: BSD-2-Clause */
#include "tar_views.h"

#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "cpu_fixture.h"

#define BLOCK 512

/* Appends a header with its sum and, in whole blocks, as much of a content as there is. */
static void
add(GByteArray *tar, const char *name, guint8 type, guint64 size, const char *content)
{
	guint8 header[BLOCK] = {0};
	gsize length = strlen(content), filled = (length + BLOCK - 1) / BLOCK * BLOCK;
	guint sum = 0;

	g_strlcpy((char *)header, name, 100);
	g_snprintf((char *)header + 124, 12, "%011o", (guint)size);
	memset(header + 148, ' ', 8);
	header[156] = type;
	memcpy(header + 257, "ustar\00000", 8);
	for (gsize i = 0; i < BLOCK; i++)
		sum += header[i];
	g_snprintf((char *)header + 148, 7, "%06o", sum);
	g_byte_array_append(tar, header, BLOCK);
	g_byte_array_append(tar, (const guint8 *)content, (guint)length);
	memset(header, 0, BLOCK);
	g_byte_array_append(tar, header, (guint)(filled - length));
}

static void
add_file(GByteArray *tar, const char *name, guint8 type, const char *content)
{
	add(tar, name, type, strlen(content), content);
}

static void
add_blocks(GByteArray *tar, guint8 byte, guint count)
{
	guint8 block[BLOCK];

	memset(block, byte, BLOCK);
	while (count--)
		g_byte_array_append(tar, block, BLOCK);
}

static gboolean
note(const struct tar_view *view, gpointer user)
{
	g_string_append_printf(user, "%s=%.*s;", view->name, (int)view->length,
			       (const char *)view->bytes);
	return TRUE;
}

/* Compares what is found with what is wanted, and ends the tar. */
static void
expect(GByteArray *tar, gboolean whole, const char *wanted)
{
	g_autoptr(GString) found = g_string_new(NULL);

	add_blocks(tar, 0, 2);
	cr_expect_eq(tar_views(tar->data, tar->len, note, found), whole, "%s", wanted);
	cr_expect_str_eq(found->str, wanted);
	g_byte_array_set_size(tar, 0);
}

Test(tar_views, an_honest_tar_has_none)
{
	g_autoptr(GByteArray) tar = g_byte_array_new();

	add_file(tar, "d/", '5', "");
	add_file(tar, "PaxHeaders/a", 'x', "12 path=b/a\n12 mtime=1.5\n");
	add_file(tar, "a", '0', "content");
	add_file(tar, "././@LongLink", 'L', "long");
	add_file(tar, "b", '\0', "more");
	add_file(tar, "l", '2', "");
	add_file(tar, "c", '7', "contiguous");
	add_blocks(tar, 0, 20);
	expect(tar, TRUE, "");
}

Test(tar_views, what_is_a_file_to_some_is_one)
{
	g_autoptr(GByteArray) tar = g_byte_array_new();

	for (const char *type = "ADXVMNz346"; *type; type++) {
		g_autofree char *wanted = g_strdup_printf("%c=content;", *type);
		const char name[] = {*type, '\0'};

		add_file(tar, name, (guint8)*type, "content");
		expect(tar, TRUE, wanted);
	}
	for (const char *type = "125"; *type; type++) {
		add_file(tar, "a", (guint8)*type, "content");
		expect(tar, TRUE, "");
	}
}

Test(tar_views, a_size_is_that_of_each_place_that_says_one)
{
	g_autoptr(GByteArray) tar = g_byte_array_new();

	add_file(tar, "x", 'x', "10 size=3\n");
	add_file(tar, "a", '0', "content");
	expect(tar, TRUE, "a=content;a=con;");
	add_file(tar, "x", 'g', "10 size=3\n");
	add_file(tar, "a", '0', "content");
	expect(tar, TRUE, "a=content;a=con;");
	add_file(tar, "x", 'x', "21 SCHILY.realsize=3\n");
	add_file(tar, "a", '0', "content");
	expect(tar, TRUE, "a=content;a=con;");
	add_file(tar, "x", 'x', "11 size=-3\n");
	add_file(tar, "a", '0', "content");
	expect(tar, TRUE, "");
}

Test(tar_views, a_sparse_file_is_shown_as_it_stands)
{
	g_autoptr(GByteArray) tar = g_byte_array_new();

	add_file(tar, "x", 'x',
		 "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
		 "27 GNU.sparse.realsize=100\n21 GNU.sparse.name=n\n");
	add_file(tar, "a", '0', "1\n0\n3\nabc");
	expect(tar, TRUE, "n=1\n0\n3\nabc;");
}

Test(tar_views, files_behind_an_end_or_what_is_no_header_are_shown)
{
	g_autoptr(GByteArray) tar = g_byte_array_new();

	add_file(tar, "a", '0', "content");
	add_blocks(tar, 0, 2);
	add_file(tar, "b", '0', "second");
	expect(tar, TRUE, "b=second;");
	add_file(tar, "a", '0', "content");
	add_blocks(tar, 'J', 3);
	add_file(tar, "b", '0', "second");
	expect(tar, TRUE, "b=second;");
}

Test(tar_views, files_are_found_past_what_has_a_content_to_some)
{
	g_autoptr(GByteArray) tar = g_byte_array_new();
	g_autoptr(GString) found = g_string_new(NULL);

	/* A device whose content begins as a header. */
	add(tar, "MZ", '3', 2 * BLOCK, "");
	add_file(tar, "a", '0', "content");
	add_file(tar, "b", '0', "second");
	add_blocks(tar, 0, 2);
	cr_expect(tar_views(tar->data, tar->len, note, found));
	cr_expect(strstr(found->str, "MZ=a"));
	cr_expect(strstr(found->str, "a=content;b=second;"));
}

Test(tar_views, a_content_that_is_cut_off_is_told_of_and_not_shown)
{
	g_autoptr(GByteArray) tar = g_byte_array_new();

	add(tar, "a", 'A', 5000, "content");
	expect(tar, FALSE, "");
}

static gboolean
count(G_GNUC_UNUSED const struct tar_view *view, gpointer user)
{
	++*(guint *)user;
	return TRUE;
}

Test(tar_views, no_more_are_shown_than_there_may_be_members)
{
	for (guint more = 0; more < 2; more++) {
		g_autoptr(GByteArray) tar = g_byte_array_new();
		guint found = 0;

		for (guint i = 0; i < CAP_MEMBERS - 1 + more; i++)
			add_file(tar, "a", 'A', "x");
		cr_expect_eq(tar_views(tar->data, tar->len, count, &found), !more);
		cr_expect_eq(found, CAP_MEMBERS - 1);
	}
}

Test(tar_views, work_without_an_end_is_ended)
{
	g_autoptr(GByteArray) tar = g_byte_array_new();
	g_autofree char *records = g_strnfill(1 << 20, 'x');

	for (gsize i = 0; i + 4 <= 1 << 20; i += 4)
		memcpy(records + i, "4 a\n", 4);
	for (guint i = 0; i < 8; i++)
		add_file(tar, "x", 'x', records);
	add_file(tar, "a", 'A', "content");
	expect(tar, FALSE, "");
}

Test(tar_views, contents_of_one_length_are_told_apart_at_once, .init = limit_cpu)
{
	g_autoptr(GByteArray) tar = g_byte_array_new();
	guint found = 0;

	/* A link's content makes all that is behind it doubtful in each way. */
	add_file(tar, "l", '1', "x");
	for (guint i = 0; i < CAP_MEMBERS - 1; i++)
		add_file(tar, "a", '0', "x");
	for (guint i = 0; i < 80; i++)
		cr_assert(tar_views(tar->data, tar->len, count, &found));
	cr_expect_eq(found, 80 * (CAP_MEMBERS - 1));
}
