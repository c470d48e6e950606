/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "document_urls.h"

typedef void (*collect_function)(struct record *record, const char *bytes, gsize length);

/* Returns the URLs that a document has, joined by blanks. */
static char *
urls_of(collect_function collect, const char *bytes, gsize length)
{
	g_autoptr(record_t) record = record_new();
	g_autoptr(GString) urls = g_string_new(NULL);

	collect(record, bytes, length);
	for (guint i = 0; i < record->urls->len; i++)
		g_string_append_printf(urls, "%s%s", i ? " " : "", (char *)record->urls->pdata[i]);
	return g_string_free(g_steal_pointer(&urls), FALSE);
}

static void
assert_urls(collect_function collect, const char *text, const char *wanted)
{
	g_autofree char *urls = urls_of(collect, text, strlen(text));

	cr_assert_str_eq(urls, wanted, "%s: %s", text, urls);
}

Test(document_urls, external_relationships_are_links)
{
	const char *xml =
		"<?xml version=\"1.0\"?><Relationships xmlns=\"http://schemas.example/rels\">"
		"<Relationship Id=\"r1\" Target=\"http://a.example/?x=1&amp;y=2\" "
		"TargetMode=\"External\"/>"
		"<Relationship Id=\"r2\" Target=\"http://inner.example/part.xml\"/>"
		"<Relationship TargetMode = 'External' Target = 'https://b.example/t.dotm'/>"
		"<Relationship Target=\"mailto:a@example.org\" TargetMode=\"External\"/>"
		"<Relationship Target=\"http://cut.example/\" TargetMode=\"External\"";

	assert_urls(document_urls_of_relationships, xml,
		    "http://a.example/?x=1&y=2 https://b.example/t.dotm");
	g_free(urls_of(document_urls_of_relationships, NULL, 0)); /* of an empty member */
	cr_assert(document_urls_are_in("word/_rels/document.xml.rels"));
	cr_assert(!document_urls_are_in("word/document.xml"));
	cr_assert(!document_urls_are_in(".rels"));
}

Test(document_urls, uri_actions_of_a_pdf_are_links)
{
	assert_urls(document_urls_of_pdf, "<< /S /URI /URI (http://a.example/x) >>",
		    "http://a.example/x");
	assert_urls(document_urls_of_pdf, "/URI(http://a.example/\\(1\\)\\056(b)?q=\"&c)",
		    "http://a.example/(1).(b)?q=\"&c");
	assert_urls(document_urls_of_pdf, "/URI(http://a.exa\\\r\nmple/)", "http://a.example/");
	assert_urls(document_urls_of_pdf, "/URI\n<687474703A2F2F 612E6578616D706C65>",
		    "http://a.example");
	assert_urls(document_urls_of_pdf, "/URI <feff0068007400740070003a002f002f0061002e0062>",
		    "http://a.b");
	assert_urls(document_urls_of_pdf, "/URI<6874/URI(http://a.example)", "http://a.example");
	assert_urls(document_urls_of_pdf, "/URI (http://never.closed", "");
	assert_urls(document_urls_of_pdf, "/URI <687474703A2F2F612E62", "");
	assert_urls(document_urls_of_pdf, "/URI (mailto:a@example.org) /URI 12 0 R /URI", "");
}

Test(document_urls, a_link_is_taken_to_the_cap_and_no_longer_one)
{
	for (guint size = CAP_URL_BYTES - 1; size <= CAP_URL_BYTES + 1; size++) {
		g_autoptr(GString) pdf = g_string_new("/URI (http://");
		g_autofree char *urls = NULL;

		while (pdf->len < strlen("/URI (") + size)
			g_string_append_c(pdf, 'a');
		g_string_append_c(pdf, ')');
		urls = urls_of(document_urls_of_pdf, pdf->str, pdf->len);
		cr_expect_eq(*urls != '\0', size <= CAP_URL_BYTES, "%u", size);
	}
}
