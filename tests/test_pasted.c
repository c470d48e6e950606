/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "pasted.h"

#define HEADER "From: a@example.org\r\nSubject: s\r\n"
#define FILE_FIELDS "Content-Type: a/b;\r\n name=f\r\nContent-Transfer-Encoding: base64\r\n\r\n"

static void
collect(const char *at, gsize length, gpointer user)
{
	g_string_append_printf(user, "[%.*s]", (int)length, at);
}

/* Returns each message in a text, in brackets. */
static char *
messages_in(const char *text)
{
	GString *found = g_string_new(NULL);

	pasted_messages(text, strlen(text), collect, found);
	return g_string_free(found, FALSE);
}

Test(pasted, a_message_goes_from_its_header_to_the_end)
{
	g_autofree char *found = messages_in("Hello.\r\n\r\n" HEADER FILE_FIELDS "aGVsbG8=\r\n");

	cr_assert_str_eq(found, "[" HEADER FILE_FIELDS "aGVsbG8=\r\n]");
}

Test(pasted, a_header_may_begin_below_a_line_of_text)
{
	g_autofree char *found = messages_in("----- Original Message -----\r\n" HEADER FILE_FIELDS);

	cr_assert_str_eq(found, "[" HEADER FILE_FIELDS "]");
}

Test(pasted, each_of_several_ends_where_the_next_begins)
{
	g_autofree char *found = messages_in(HEADER FILE_FIELDS "1\n" HEADER FILE_FIELDS "2\n");

	cr_assert_str_eq(found, "[" HEADER FILE_FIELDS "1\n][" HEADER FILE_FIELDS "2\n]");
}

Test(pasted, the_fields_of_its_parts_begin_no_message)
{
	const char *text =
		HEADER "content-type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" FILE_FIELDS
		       "aGVsbG8=\r\n--b--\r\n";
	g_autofree char *found = messages_in(text);
	g_autofree char *wanted = g_strdup_printf("[%s]", text);

	cr_assert_str_eq(found, wanted);
}

Test(pasted, a_header_that_hides_no_file_is_none)
{
	static const char *const texts[] = {
		HEADER "Content-Type: text/plain\r\n\r\nHello.\r\n", /* shown as it stands */
		HEADER "\r\nHello.\r\n",
		FILE_FIELDS "aGVsbG8=\r\n", /* a part of no message */
		"Hello: world\r\nContent-Type is a field.\r\n\r\n",
		"> " HEADER "> " FILE_FIELDS,
		/* What other lines say of a file is said of none that is here. */
		HEADER "Content-Type: text/plain\r\n\r\nName: a.exe\r\n"
		       "URL: <http://l.example/attachments/a/attachment.htm?name=x>\r\n\r\n",
		"",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *found = messages_in(texts[i]);

		cr_expect_str_eq(found, "", "%s", found);
	}
}

#define QUOTED "Content-Type: a/b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"

/* Returns each part in a text, in brackets. */
static char *
parts_in(const char *text)
{
	GString *found = g_string_new(NULL);

	pasted_parts(text, strlen(text), FALSE, collect, found);
	return g_string_free(found, FALSE);
}

Test(pasted, a_part_goes_from_its_header_to_a_line_of_dashes)
{
	g_autofree char *found = parts_in("Hello.\r\n-=b\r\n" FILE_FIELDS "aGVsbG8=\r\n--b--\r\n");
	g_autofree char *two =
		parts_in(FILE_FIELDS "1\r\n--b\r\n\r\nno\r\n--b\r\n" FILE_FIELDS "2");

	cr_assert_str_eq(found, "[" FILE_FIELDS "aGVsbG8=\r\n]");
	cr_assert_str_eq(two, "[" FILE_FIELDS "1\r\n][" FILE_FIELDS "2]");
}

Test(pasted, a_header_right_behind_a_parts_own_is_its_too)
{
	g_autofree char *found = parts_in("Content-Type: a/b; name=f\n\n" QUOTED "=61\n--b\n");
	g_autofree char *text = parts_in("Content-Type: a/b; name=f\n\ntext\n\n" QUOTED "=61\n");

	cr_assert_str_eq(found, "[Content-Type: a/b; name=f\n\n][" QUOTED "=61\n]");
	cr_assert_str_eq(text, "[Content-Type: a/b; name=f\n\ntext\n\n" QUOTED "=61\n]");
}

Test(pasted, a_message_ends_at_a_line_of_dashes_that_stands_before_it_too)
{
	g_autofree char *found = messages_in("--a\n\n" HEADER FILE_FIELDS "1\n--b\n2\n--a--\n");

	cr_assert_str_eq(found, "[" HEADER FILE_FIELDS "1\n--b\n2\n]");
}

Test(pasted, messages_are_among_the_parts_on_demand)
{
	const char *text = HEADER FILE_FIELDS "aGVsbG8=\r\n";
	g_autoptr(GString) found = g_string_new(NULL);

	pasted_parts(text, strlen(text), TRUE, collect, found);
	cr_assert_str_eq(found->str, "[" HEADER FILE_FIELDS "aGVsbG8=\r\n]");
}

Test(pasted, what_is_in_a_message_or_hides_no_file_is_no_part)
{
	static const char *const texts[] = {
		HEADER FILE_FIELDS "aGVsbG8=\r\n",
		HEADER QUOTED "\r\n" FILE_FIELDS,
		QUOTED "hello\r\n",
		"Content-Type: text/plain\r\n\r\nHello.\r\n",
		"Content-Type: a/b; name=f",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *found = parts_in(texts[i]);

		cr_expect_str_eq(found, "", "%s", found);
	}
}
