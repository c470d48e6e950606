/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "boundary.h"

static char *
boundary_in(enum boundary_rule rule, const char *text, gsize length, const char *body)
{
	g_autoptr(content_field_t) field = content_field_parse(text, length);
	g_autoptr(GBytes) found = boundary_find(rule, field, text, length, body, strlen(body));

	if (!found)
		return g_strdup("(none)");
	return g_strndup(g_bytes_get_data(found, NULL), g_bytes_get_size(found));
}

static void
assert_boundary(enum boundary_rule rule, const char *parameters, const char *wanted)
{
	g_autofree char *text = g_strconcat("multipart/mixed; ", parameters, NULL);
	g_autofree char *found = boundary_in(rule, text, strlen(text), "");

	cr_expect_str_eq(found, wanted, "\"%s\" of \"%s\", not \"%s\"", found, text, wanted);
}

static gboolean
is_doubtful(const char *parameters)
{
	g_autofree char *text = g_strconcat("multipart/mixed; ", parameters, NULL);

	return boundary_is_doubtful(text, strlen(text));
}

Test(boundary, what_mailers_write_is_beyond_doubt)
{
	static const char *const clean[] = {
		"boundary=abc",
		"boundary=\"----=_NextPart_000_0081_01D32C91.033E7020\"",
		"boundary=\"a (b), c\"; charset=utf-8",
		"charset=utf-8;\r\n\tBOUNDARY=\"=_abc\"",
		"boundary = abc ; type=\"text/html\"",
		"boundary=\r\n\tabc",
		"report-type=feedback-report; boundary=\"part1_13d.2e68ed54_boundary\"",
		"boundary=\"Boundary_(ID_abc)\"; charset=utf-8",
		"boundary=----boundary-LibPST-iamunique-1_-_-; x=y",
		"charset=utf-8",
		"",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(clean); i++)
		cr_expect_not(is_doubtful(clean[i]), "%s", clean[i]);
}

Test(boundary, what_is_read_in_two_ways_is_in_doubt)
{
	static const char *const doubtful[] = {
		"boundary=a; boundary=b",
		"boundary*0=a; boundary*1=b",
		"boundary*=us-ascii''a",
		"boundary=\"a",
		"boundary=\" a\"",
		"boundary=\"a \"",
		"boundary=\"a\\\"b\"",
		"boundary=a(c)",
		"boundary=a b",
		"boundary=a, b",
		"boundary=\"a\"b",
		"boundary=",
		"boundary=\"boundary=a\"",
		"boundary=a; x=\"boundary\"",
		"boundary=\"=?u?Q?a?=\"",
		"boundary==?u?Q?a?=",
		"boundary=\"a\r\n b\"",
		"boundary(c)=a",
		"boundary=\"\"",
		"boundary",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(doubtful); i++)
		cr_expect(is_doubtful(doubtful[i]), "%s", doubtful[i]);
	cr_expect(boundary_is_doubtful("a/b; boundary=\"a\0b\"", 20));
}

Test(boundary, rules_differ_as_readers_do)
{
	assert_boundary(BOUNDARY_FIRST, "boundary=a; boundary=b", "a");
	assert_boundary(BOUNDARY_LAST, "boundary=a; boundary=b", "b");
	assert_boundary(BOUNDARY_LAST, "boundary=a; boundary*=us-ascii''%62", "b");
	assert_boundary(BOUNDARY_LITERAL, "boundary=a(c)", "a(c)");
	assert_boundary(BOUNDARY_LITERAL, "boundary=\"a\\b\"", "a\\b");
	assert_boundary(BOUNDARY_TOKEN, "boundary=a(c)", "a");
	assert_boundary(BOUNDARY_TOKEN, "boundary=\" a, b\"", "a");
	assert_boundary(BOUNDARY_SQUEEZED, "boundary=\"a\"b (c) d; x=y", "abd");
	assert_boundary(BOUNDARY_SQUEEZED, "boundary=\"a\r\n b\"", "ab");
	assert_boundary(BOUNDARY_DECODED, "boundary=\"=?us-ascii?Q?a=62?=\"", "ab");
}

Test(boundary, a_missing_parameter_gives_none_but_by_the_body)
{
	static const enum boundary_rule rules[] = {BOUNDARY_FIRST,    BOUNDARY_LAST,
						   BOUNDARY_LITERAL,  BOUNDARY_TOKEN,
						   BOUNDARY_SQUEEZED, BOUNDARY_DECODED};

	for (gsize i = 0; i < G_N_ELEMENTS(rules); i++)
		assert_boundary(rules[i], "charset=utf-8", "(none)");
}

Test(boundary, the_body_shows_what_delimits_it)
{
	const char *text = "multipart/mixed";
	g_autofree char *fields = boundary_in(BOUNDARY_SEEN, text, strlen(text),
					      "--\r\nme\r\n--b \r\nContent-Type: a/b\r\n");
	g_autofree char *first =
		boundary_in(BOUNDARY_SEEN, text, strlen(text), "no\n--a\n\ntext\n--a--\n");
	g_autofree char *none = boundary_in(BOUNDARY_SEEN, text, strlen(text), "no - one\r\n");

	cr_assert_str_eq(fields, "b");
	cr_assert_str_eq(first, "a");
	cr_assert_str_eq(none, "(none)");
}
