/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "content_field.h"
#include "cpu_fixture.h"

static struct content_field *
parse(const char *text)
{
	return content_field_parse(text, strlen(text));
}

static void
assert_bytes(GBytes *bytes, const char *wanted)
{
	gsize length;
	const char *data = g_bytes_get_data(bytes, &length);

	cr_assert_eq(length, strlen(wanted), "%.*s, not %s", (int)length, data, wanted);
	cr_assert(!length || memcmp(data, wanted, length) == 0, "%.*s, not %s", (int)length, data,
		  wanted);
}

static void
assert_value(const struct content_field *field, const char *name, gboolean extended,
	     const char *wanted)
{
	const struct parameter *parameter = content_field_get(field, name, extended);

	cr_assert(parameter != NULL, "no parameter %s", name);
	assert_bytes(parameter->value, wanted);
}

Test(content_field, token_is_lower_case_without_blanks_and_comments)
{
	static const char *const cases[][2] = {
		{"text/plain", "text/plain"},
		{" Text/HTML ; a=b", "text/html"},
		{"text / plain", "text/plain"},
		{"(c) text/plain (d); x", "text/plain"},
		{"text/plain charset=x", "text/plain"},
		{"", ""},
		{"; a=b", ""},
		{"attachment\r\n ;a=b", "attachment"},
		{"text", "text"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(content_field_t) field = parse(cases[i][0]);

		cr_expect_str_eq(field->token, cases[i][1], "%s: %s", cases[i][0], field->token);
	}
}

Test(content_field, values_are_read_as_mailers_write_them)
{
	static const char *const cases[][2] = {
		{"x; n=abc", "abc"},
		{"x; n=\"a;b\"", "a;b"},
		{"x; n=\"a\\\"b\"", "a\"b"},
		{"x; n=\"a\r\n b\"", "a b"},
		{"x; N = abc ; y=z", "abc"},
		{"x; n=a b.pdf; y=z", "a b.pdf"},
		{"x; n=abc (comment)", "abc"},
		{"x; (n=1) n=2", "2"},
		{"x; n=\"open", "open"},
		{"x; n=", ""},
		{"x; n=\"\"", ""},
		{"x n=abc", "abc"},
		{"x; m=\"1\" n=\"2\"", "2"},
		{"x; junk; n=2", "2"},
		{"x;; n=2", "2"},
		{"x; n=a(b", "a(b"},
		{"x; n=a (1).pdf", "a (1).pdf"},
		{"x; n=1; n=2", "1"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(content_field_t) field = parse(cases[i][0]);

		assert_value(field, "n", FALSE, cases[i][1]);
	}
}

Test(content_field, literal_is_kept_where_it_differs)
{
	g_autoptr(content_field_t) field = parse("x; a=\"C:\\new\"; b=f.pdf (1) (2); c=\"plain\"");

	assert_value(field, "a", FALSE, "C:new");
	assert_bytes(content_field_get(field, "a", FALSE)->literal, "C:\\new");
	assert_value(field, "b", FALSE, "f.pdf");
	assert_bytes(content_field_get(field, "b", FALSE)->literal, "f.pdf (1) (2)");
	cr_assert_null(content_field_get(field, "c", FALSE)->literal);
}

Test(content_field, raw_iso_2022_jp_may_hold_quotes_and_semicolons)
{
	g_autoptr(content_field_t) field =
		parse("x; a=\"\x1b$B$\"!;\x1b(B.pdf\"; b=\x1b$B$\"!;\x1b(B");

	assert_value(field, "a", FALSE, "\x1b$B$\"!;\x1b(B.pdf");
	assert_value(field, "b", FALSE, "\x1b$B$\"!;\x1b(B");
}

Test(content_field, extended_values_are_decoded_from_percent)
{
	g_autoptr(content_field_t) field = parse("x; n*=utf-8'en'a%20b%; m*=''c; o*=%41'b");

	assert_value(field, "n", TRUE, "a b%");
	cr_assert_str_eq(content_field_get(field, "n", TRUE)->charset, "utf-8");
	assert_value(field, "m", TRUE, "c");
	cr_assert_null(content_field_get(field, "m", TRUE)->charset);
	assert_value(field, "o", TRUE, "A'b");
	cr_assert_null(content_field_get(field, "n", FALSE));
}

Test(content_field, sections_are_joined_in_their_order)
{
	g_autoptr(content_field_t) field =
		parse("x; n*2=c; n*0*=utf-8''%61; m*0=x; n*1=\"%62\"; m*1=y; m*1=z");

	assert_value(field, "n", TRUE, "a%62c");
	assert_value(field, "m", TRUE, "xy");
}

Test(content_field, a_gap_ends_the_sections)
{
	g_autoptr(content_field_t) field = parse("x; n*0=a; n*1=b; n*3=d");

	assert_value(field, "n", TRUE, "ab");
}

Test(content_field, sections_are_also_joined_as_the_lenient_do)
{
	static const char *const cases[][3] = {
		{"x; n*0=a; n*2=c", "a", "ac"},		    /* past a gap */
		{"x; n*1=b; n*2=c", "", "bc"},		    /* without a first */
		{"x; n*0=a; n*0=b; n*1=c", "ac", "bc"},	    /* the last of a number */
		{"x; n*0*=''%61; n*1=%62", "a%62", "ab"},   /* percents in all */
		{"x; n*0*=''a%4; n*1*=2c", "a%42c", "aBc"}, /* a percent in two */
		{"x; n*0*=u''a; n*1*=u''b", "au''b", "ab"}, /* each with its set */
		{"x; n*0*=''a; n*1*='e'b", "a'e'b", "ab"},  /* or language */
	};
	g_autoptr(content_field_t) plain = parse("x; n*0=a; n*1=b; n*2*=%63");

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(content_field_t) field = parse(cases[i][0]);
		const struct parameter *second = g_ptr_array_index(field->parameters, 1);

		assert_value(field, "n", TRUE, cases[i][1]);
		assert_bytes(second->value, cases[i][2]);
	}
	cr_assert_eq(plain->parameters->len, 1);
}

Test(content_field, sections_that_no_reader_doubts_are_one_parameter)
{
	static const char *const cases[] = {
		"x; n*0=it's; n*1='b%41'",
		"x; n*=utf-8''a%20b",
		"x; n*0*=utf-8'en'%61; n*1*=%62; n*2*=%63",
		"x; n*0*=''; n*1*=",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(content_field_t) field = parse(cases[i]);

		cr_expect_eq(field->parameters->len, 1, "%s", cases[i]);
	}
}

Test(content_field, the_first_word_of_a_value_without_quotes_is_kept)
{
	g_autoptr(content_field_t) field =
		parse("x; a=b\tc d; e=f; g=\"h i\"; j= k ; l= (m) n (o)");

	assert_bytes(content_field_get(field, "a", FALSE)->word, "b");
	cr_assert_null(content_field_get(field, "e", FALSE)->word);
	cr_assert_null(content_field_get(field, "g", FALSE)->word);
	cr_assert_null(content_field_get(field, "j", FALSE)->word);
	cr_assert_null(content_field_get(field, "l", FALSE)->word);
}

Test(content_field, a_parameter_may_stand_where_the_token_should)
{
	g_autoptr(content_field_t) field = parse("filename=\"a b\"; c=d");

	assert_value(field, "filename", FALSE, "a b");
	assert_value(field, "c", FALSE, "d");
}

Test(content_field, both_forms_of_a_parameter_can_be_had)
{
	g_autoptr(content_field_t) field = parse("x; filename=plain; filename*=utf-8''ext");

	assert_value(field, "filename", FALSE, "plain");
	assert_value(field, "filename", TRUE, "ext");
}

Test(content_field, an_open_comment_is_text)
{
	g_autoptr(content_field_t) field = parse("x; (((; n=2");

	assert_value(field, "n", FALSE, "2");
}

Test(content_field, parameters_are_read_to_the_cap_and_noted_beyond)
{
	for (int over = -1; over <= 1; over++) {
		g_autoptr(GString) text = g_string_new("x");
		g_autoptr(content_field_t) field = NULL;

		for (int i = 0; i < CAP_PARAMETERS + over; i++)
			g_string_append(text, ";a=b");
		field = content_field_parse(text->str, text->len);
		cr_expect_eq(field->parameters->len,
			     (guint)MIN(CAP_PARAMETERS + over, CAP_PARAMETERS));
		cr_expect_eq(field->cut, over > 0);
	}
}

Test(content_field, bytes_are_read_to_the_cap_and_noted_beyond)
{
	for (int over = -1; over <= 1; over++) {
		g_autofree char *text = g_strnfill((gsize)(CAP_PARAMETER_BYTES + over), 'x');
		g_autoptr(content_field_t) field =
			content_field_parse(text, (gsize)(CAP_PARAMETER_BYTES + over));

		cr_expect_eq(strlen(field->token),
			     (gsize)MIN(CAP_PARAMETER_BYTES + over, CAP_PARAMETER_BYTES));
		cr_expect_eq(field->cut, over > 0);
	}
}

Test(content_field, any_bytes_are_read_to_their_end)
{
	guint32 state = 7;
	static const char alphabet[] = "a=;*0\"\\() '%\r\n\x1b$B(\xe9";

	for (int round = 0; round < 20000; round++) {
		char text[40];
		gsize length = (gsize)round % sizeof(text);
		g_autoptr(content_field_t) field = NULL;

		for (gsize i = 0; i < length; i++) {
			state = state * 1664525u + 1013904223u;
			text[i] = alphabet[(state >> 16) % sizeof(alphabet)];
		}
		field = content_field_parse(text, length);
		cr_assert(g_utf8_validate(field->token, -1, NULL));
	}
}

/* Returns a field of as many parameters and bytes as are read, each parameter with this value. */
static GString *
full_field(const char *value)
{
	GString *text = g_string_new("a/b");

	for (guint i = 1; i < CAP_PARAMETERS; i++) {
		g_string_append_printf(text, ";name=%s", value);
		while (text->len < i * CAP_PARAMETER_BYTES / CAP_PARAMETERS)
			g_string_append_c(text, 'a');
	}
	return text;
}

Test(content_field, names_within_names_are_read_in_bounded_time, .init = limit_cpu)
{
	/* A quote that opens for some, and is escaped for those who are within one. */
	g_autoptr(GString) text = full_field("\\\"");

	for (guint i = 0; i < 300; i++) {
		g_autoptr(content_field_t) field = content_field_parse(text->str, text->len);

		cr_assert(field->cut);
	}
}

Test(content_field, names_within_names_are_kept_in_bounded_memory)
{
	/* Raw ISO-2022-JP to the end, in which each further quote opens one. */
	g_autoptr(GString) text = full_field("\"\x1b$B");
	g_autoptr(content_field_t) field = NULL;
	gsize bytes = 0;

	g_string_append(text, "\x1b(B");
	field = content_field_parse(text->str, text->len);
	for (guint i = 0; i < field->parameters->len; i++) {
		const struct parameter *parameter = g_ptr_array_index(field->parameters, i);

		bytes += g_bytes_get_size(parameter->value);
	}
	cr_expect_leq(bytes, 2 * text->len);
	cr_expect_gt(bytes, text->len / 2);
}
