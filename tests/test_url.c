/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "record.h"
#include "url.h"

static struct record *
collect(const char *text, gboolean html)
{
	struct record *record = record_new();

	url_collect(record, text, strlen(text), html);
	return record;
}

/* The links of a text, a blank between them. */
static char *
joined(const struct record *record)
{
	GString *urls = g_string_new(NULL);

	for (guint i = 0; i < record->urls->len; i++)
		g_string_append_printf(urls, "%s%s", i ? " " : "",
				       (char *)g_ptr_array_index(record->urls, i));
	return g_string_free(urls, FALSE);
}

static void
check(const char *text, gboolean html, const char *wanted)
{
	g_autoptr(record_t) record = collect(text, html);
	g_autofree char *urls = joined(record);

	cr_expect_str_eq(urls, wanted, "%s: \"%s\", not \"%s\"", text, urls, wanted);
}

Test(url, finds_links_of_plain_text_as_readers_make_them_clickable)
{
	static const char *const cases[][2] = {
		{"see http://a.b/c?d=e&f#g now", "http://a.b/c?d=e&f#g"},
		{"HTTPS://A.B", "HTTPS://A.B"},
		{"ftp://a.b/c", "ftp://a.b/c"},
		{"go to www.example.com.", "www.example.com"},
		{"<http://a.b/c>", "http://a.b/c"},
		{"(http://a.b/c)", "http://a.b/c"},
		{"http://a.b/c_(d)", "http://a.b/c_(d)"},
		{"(see http://a.b/c_(d))", "http://a.b/c_(d)"},
		{"\"http://a.b\", he said", "http://a.b"},
		{"http://a.b/c, http://d.e!", "http://a.b/c http://d.e"},
		{"詳細はhttps://a.jp/をご覧", "https://a.jp/をご覧"},
		{"「https://a.jp/b」です。", "https://a.jp/b"},
		{"https://a.jp/b。次", "https://a.jp/b"},
		{"xhttp://a.b", ""},
		{"http://", ""},
		{"www.", ""},
		{"mailto:a@b file:///etc/passwd", ""},
		{"http://a.b http://a.b", "http://a.b"},
		{"http://a.b\r\nhttp://c.d", "http://a.b http://c.d"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		check(cases[i][0], FALSE, cases[i][1]);
}

Test(url, finds_links_of_html_where_they_are)
{
	static const char *const cases[][2] = {
		{"<a href=\"http://a.b/?x=1&amp;y=2\">t</a>", "http://a.b/?x=1&y=2"},
		{"<A HREF = 'http://a.b'>", "http://a.b"},
		{"<a href=http://a.b/c>x", "http://a.b/c"},
		{"<a class=x href=\"http://a.b\" id=y>", "http://a.b"},
		{"<img src=http://a.b/i.png/>", "http://a.b/i.png/"},
		{"<form action=\"http://a.b\"><body background='http://c.d'>",
		 "http://a.b http://c.d"},
		{"<a href=\"&#104;ttp&#x3a;//a.b\">", "http://a.b"},
		{"<a href=\"h\nt\ttp://a.b \">", "http://a.b"},
		{"<a href=\"ht&Tab;tps&colon;&sol;&sol;a.b\">", "https://a.b"},
		{"<meta http-equiv=refresh content=\"0; URL='http://a.b'\">", "http://a.b"},
		{"<img srcset=\"http://a.b/1 1x, http://a.b/2 2x\">", "http://a.b/1 http://a.b/2"},
		{"<p>visit http://a.b/&amp;c</p>", "http://a.b/&c"},
		{"<a href=\"http://real.example\">http://shown.example</a>",
		 "http://real.example http://shown.example"},
		{"<script>x='http://a.b'</script>http://c.d", "http://c.d"},
		{"<style>@import 'http://a.b'</style>http://c.d", "http://c.d"},
		{"<!--[if mso]><a href=\"http://a.b\"><![endif]-->", "http://a.b"},
		{"1 < 2 http://a.b", "http://a.b"},
		{"<a href=\"/relative\"><a href=\"javascript:x\">", ""},
		{"<a href=\"http://a.b", "http://a.b"},
		{"<a href", ""},
		{"&#0;&#xffffffff;&#;&;&amp", ""},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		check(cases[i][0], TRUE, cases[i][1]);
}

Test(url, links_are_distinct_across_bodies)
{
	g_autoptr(record_t) record = record_new();

	url_collect(record, "http://a.b http://c.d", 21, FALSE);
	url_collect(record, "<a href=\"http://a.b\">", 21, TRUE);
	cr_assert_eq(record->urls->len, 2);
}

Test(url, links_are_kept_to_the_cap_and_noted_beyond)
{
	for (int over = -1; over <= 1; over++) {
		g_autoptr(GString) text = g_string_new(NULL);
		g_autoptr(record_t) record = NULL;

		for (int i = 0; i < CAP_URLS + over; i++)
			g_string_append_printf(text, "http://a.b/%d ", i);
		record = collect(text->str, FALSE);
		cr_expect_eq(record->urls->len, (guint)MIN(CAP_URLS + over, CAP_URLS));
		cr_expect_eq(record->caps->len, over > 0 ? 1 : 0);
	}
}

Test(url, a_link_is_kept_to_the_cap_and_noted_beyond)
{
	for (int over = -1; over <= 1; over++) {
		g_autofree char *text = g_strnfill((gsize)(CAP_URL_BYTES + over), 'a');
		g_autoptr(record_t) record = NULL;

		memcpy(text, "http://", 7);
		record = collect(text, FALSE);
		cr_expect_eq(strlen(g_ptr_array_index(record->urls, 0)),
			     (gsize)MIN(CAP_URL_BYTES + over, CAP_URL_BYTES));
		cr_expect_eq(record->caps->len, over > 0 ? 1 : 0);
	}
}

Test(url, text_is_searched_to_the_cap_and_noted_beyond)
{
	for (int over = -1; over <= 1; over++) {
		gsize length = (gsize)(CAP_URL_SCAN_BYTES + over);
		g_autofree char *text = g_strnfill(length, ' ');
		g_autoptr(record_t) record = record_new();

		/* Its last byte is the one in question. */
		memcpy(text + length - 8, "http://x", 8);
		url_collect(record, text, length, FALSE);
		cr_expect_eq(record->urls->len, over > 0 ? 0 : 1);
		cr_expect_eq(record->caps->len, over > 0 ? 1 : 0);
	}
}

Test(url, what_is_searched_ends_between_characters)
{
	g_autofree char *text = g_strnfill(CAP_URL_SCAN_BYTES + 2, ' ');
	g_autoptr(record_t) record = record_new();

	memcpy(text + CAP_URL_SCAN_BYTES - 11, "http://a/\xe3\x81\x82", 12);
	url_collect(record, text, CAP_URL_SCAN_BYTES + 2, FALSE);
	cr_assert_str_eq(g_ptr_array_index(record->urls, 0), "http://a/");
}
