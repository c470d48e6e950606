/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "cpu_fixture.h"
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
		    "http://a.example/?x=1&y=2 https://b.example/t.dotm http://cut.example/");
	g_free(urls_of(document_urls_of_relationships, NULL, 0)); /* of an empty member */
	cr_assert(document_urls_are_in("word/_rels/document.xml.rels"));
	cr_assert(!document_urls_are_in("word/document.xml"));
	cr_assert(!document_urls_are_in(".rels"));
}

#define A_LINK "http://a.example/x"

Test(document_urls, a_relationship_is_read_however_xml_writes_it)
{
	static const char *const tags[] = {
		"<Relationship Id=\"a>b\" Target=\"" A_LINK "\" TargetMode=\"External\"/>",
		"<r:Relationship Target='" A_LINK "' TargetMode='External'></r:Relationship>",
		"<Relationship Target='" A_LINK "' TargetMode='&#69;xtern&#x61;l'/>",
		"<Relationship Target='" A_LINK "' TargetMode='&#000000000000000069;xternal'/>",
		"<Relationship\r\n\tTarget\n=\n'" A_LINK "'TargetMode='External'\n>",
		"<Relationship Id=\"\" Id2=\"Target='no'\" Target='" A_LINK
		"' TargetMode='External'/>",
		"<Relationship Target='&#104;ttp&#58;&#x2F;/a.example/x' TargetMode='External'/>",
		"<!-- <Relationship Id=\" --><Relationship Target='" A_LINK
		"' TargetMode='External'/>",
		"<!-- ' --><a b='' <Relationship Target='" A_LINK "' TargetMode='External'/>",
		"\xef\xbb\xbf<a>\xff</b><Relationship Target='" A_LINK "' TargetMode='External'/>",
	};
	static const char *const none[] = {
		"<Relationships Target='" A_LINK "' TargetMode='External'/>",
		"<Relationship Target='" A_LINK "' TargetMode='Internal'/>",
		"<Relationship r:Target='" A_LINK "' TargetMode='External'/>",
		"<Relationship Target='" A_LINK "' TargetMode='&#69xternal'/>",
		"<Relationship Target='" A_LINK "' TargetMode='External",
		"<Relationship Target=http://a.example/x",
		"<Relationship =\"'",
		"<",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(tags); i++)
		assert_urls(document_urls_of_relationships, tags[i], A_LINK);
	for (gsize i = 0; i < G_N_ELEMENTS(none); i++)
		assert_urls(document_urls_of_relationships, none[i], "");
	assert_urls(document_urls_of_relationships,
		    "<Relationship TargetMode='External' "
		    "Target='http://a.example/?a=&lt;&amp;amp;b=&quot;&b&#0;&#x110000;&apos;'/>",
		    "http://a.example/?a=<&amp;b=\"&b&#0;&#x110000;'");
}

/* None of these is XML; what each says is plain all the same. */
Test(document_urls, a_relationship_is_read_where_it_is_no_xml)
{
	static const char *const tags[] = {
		"<Relationship Id=\"a<b\" Target='" A_LINK "' TargetMode='External'/>",
		"<r:Relationship Id='<a <b' Target='" A_LINK "' TargetMode='External'/></a>",
		"<Relationship Target='" A_LINK "' a='<' TargetMode='External'/>",
		"<Relationship a=\"1 Target=\"" A_LINK "\" TargetMode=\"External\"/>",
		"<Relationship a=' Target=\"" A_LINK "\" TargetMode=\"External\"/>",
		"<Relationship Target='" A_LINK "' TargetMode='External' TargetMode='Internal'/>",
		"<Relationship Target='" A_LINK "' TargetMode='Internal' TargetMode='External'/>",
		"<Relationship Target='" A_LINK "' TargetMode='External'/</Relationships>",
		"<Relationship Target='" A_LINK "' TargetMode='External'<a/>",
		"<Relationship Target='" A_LINK "' TargetMode='External'",
		"<Relationship Id='<' Target='" A_LINK "' TargetMode='External'",
		"<Relationship <Relationship Id='<' Target='" A_LINK "' TargetMode='External'>",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(tags); i++)
		assert_urls(document_urls_of_relationships, tags[i], A_LINK);
	assert_urls(document_urls_of_relationships,
		    "<Relationship Target='" A_LINK "' Target='http://b.example/' "
		    "Target='http://c.example/' TargetMode='External'/>",
		    A_LINK " http://c.example/");
}

Test(document_urls, relationships_in_utf_16_are_read)
{
	static const char *const sets[] = {"UTF-16", "UTF-16LE", "UTF-16BE"};
	const char *xml =
		"<Relationships><Relationship TargetMode='External' Target='" A_LINK "'/>";

	for (gsize i = 0; i < G_N_ELEMENTS(sets); i++) {
		gsize length;
		g_autofree char *wide = g_convert(xml, -1, sets[i], "UTF-8", NULL, &length, NULL);
		g_autofree char *urls = urls_of(document_urls_of_relationships, wide, length);

		cr_expect_str_eq(urls, A_LINK, "%s: %s", sets[i], urls);
	}
}

/* What a parser of XML refuses to go on from, or counts. */
Test(document_urls, no_number_of_attributes_or_levels_hides_a_relationship)
{
	static const char *const fill[] = {" xmlns:a='b'", "><a", " a='&amp;'", "></a><?a?"};

	for (gsize i = 0; i < G_N_ELEMENTS(fill); i++) {
		g_autoptr(GString) xml = g_string_new("<Relationship");
		g_autofree char *urls = NULL;

		while (xml->len < 1 << 20)
			g_string_append(xml, fill[i]);
		g_string_append(xml, "><Relationship");
		for (int n = 0; n < 2000; n++)
			g_string_append_printf(xml, " xmlns:n%d='a>b'", n);
		g_string_append(xml, " Target='" A_LINK "' TargetMode='External'/>");
		urls = urls_of(document_urls_of_relationships, xml->str, xml->len);
		cr_expect_str_eq(urls, A_LINK, "%s: %s", fill[i], urls);
	}
}

Test(document_urls, hostile_relationships_are_read_in_linear_time, .init = limit_cpu)
{
	static const char *const pieces[] = {"&",
					     "&#",
					     "&#0",
					     "<",
					     "<Relationship ",
					     "='",
					     "=",
					     "\"'",
					     " Target='x'",
					     "<:=",
					     " Target=\"",
					     "a",
					     " Target=",
					     " Target ",
					     " Target='",
					     " Target=\" Target='",
					     "<Relationship Target='<",
					     " ",
					     ":",
					     ">",
					     "/"};
	static const char *const begins[] = {"", "<Relationship Target='",
					     "<Relationship Target=\"&#", "<Relationship ", "<"};

	for (gsize i = 0; i < G_N_ELEMENTS(pieces) * G_N_ELEMENTS(begins); i++) {
		g_autoptr(GString) xml = g_string_new(begins[i / G_N_ELEMENTS(pieces)]);

		while (xml->len < 1 << 20)
			g_string_append(xml, pieces[i % G_N_ELEMENTS(pieces)]);
		g_string_append(xml, "' TargetMode='External'>");
		g_free(urls_of(document_urls_of_relationships, xml->str, xml->len));
	}
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
	static const char begin[] =
		"<Relationship TargetMode='External' Target='&#104;ttp://a&amp;";

	for (guint size = CAP_URL_BYTES - 1; size <= CAP_URL_BYTES + 1; size++) {
		g_autoptr(GString) pdf = g_string_new("/URI (http://");
		g_autoptr(GString) xml = g_string_new(begin);
		g_autofree char *targets = NULL;
		g_autofree char *urls = NULL;

		while (pdf->len < strlen("/URI (") + size)
			g_string_append_c(pdf, 'a');
		g_string_append_c(pdf, ')');
		urls = urls_of(document_urls_of_pdf, pdf->str, pdf->len);
		cr_expect_eq(*urls != '\0', size <= CAP_URL_BYTES, "%u", size);
		/* Of it counts what it is, not how it is written. */
		for (guint i = strlen("http://a&"); i < size; i++)
			g_string_append(xml, i % 2 ? "&#x00061;" : "&amp;");
		g_string_append(xml, "'/>");
		targets = urls_of(document_urls_of_relationships, xml->str, xml->len);
		cr_expect_eq(*targets != '\0', size <= CAP_URL_BYTES, "%u", size);
	}
}

static gboolean
met_cap(const struct record *record, const char *name)
{
	for (guint i = 0; i < record->caps->len; i++)
		if (g_str_equal(record->caps->pdata[i], name))
			return TRUE;
	return FALSE;
}

static const struct {
	collect_function collect;
	const char *begin;
	const char *end;
} documents[] = {
	{document_urls_of_relationships, "<Relationship TargetMode='External' Target='", "'/>"},
	{document_urls_of_pdf, "/URI (", ")"},
};

/* A "&" and a byte that is no UTF-8 are more as text than as they are. */
Test(document_urls, of_many_links_the_last_is_found_however_long_they_are_as_html)
{
	static const char *const fill[] = {"&", "&amp;", "\xff", "&\xff", "a"};

	for (gsize i = 0; i < 2 * G_N_ELEMENTS(fill); i++) {
		g_autoptr(GString) text = g_string_new(NULL);
		g_autoptr(record_t) record = record_new();

		for (int n = 0; n < 900; n++) {
			gsize begin = text->len;

			g_string_append_printf(text, "%shttp://a%d.example/?",
					       documents[i % 2].begin, n);
			while (text->len - begin < CAP_URL_BYTES)
				g_string_append(text, fill[i / 2]);
			g_string_append(text, documents[i % 2].end);
		}
		g_string_append_printf(text, "%s" A_LINK "%s", documents[i % 2].begin,
				       documents[i % 2].end);
		documents[i % 2].collect(record, text->str, text->len);
		cr_expect_eq(record->urls->len, 901, "%s: %u", fill[i / 2], record->urls->len);
		cr_expect_str_eq(record->urls->pdata[record->urls->len - 1], A_LINK);
		cr_expect(!met_cap(record, CAP_URL_SCAN_BYTES_NAME), "%s", fill[i / 2]);
	}
}

#define MARKUP_BYTES strlen("<a href=\"\">") /* counts with a link */

Test(document_urls, links_are_taken_to_the_cap_of_them_all_and_it_is_noted_beyond)
{
	for (int over = -1; over <= 1; over++) {
		g_autoptr(GString) pdf = g_string_new(NULL);
		g_autoptr(record_t) record = record_new();
		gsize left = CAP_URL_SCAN_BYTES - MARKUP_BYTES - strlen(A_LINK) + (gsize)over;

		while (left) {
			gsize size = left > 2 * CAP_URL_BYTES ? CAP_URL_BYTES : MIN(left, 2048);
			g_autofree char *link = g_strnfill(size - MARKUP_BYTES, '&');

			g_string_append_printf(pdf, "/URI (%s)", link);
			left -= size;
		}
		g_string_append(pdf, "/URI (" A_LINK ")");
		document_urls_of_pdf(record, pdf->str, pdf->len);
		cr_expect_eq(record->urls->len, over <= 0, "%d", over);
		cr_expect_eq(met_cap(record, CAP_URL_SCAN_BYTES_NAME), over > 0, "%d", over);
	}
}

Test(document_urls, a_link_beyond_the_cap_is_noted)
{
	static const char *const pdfs[] = {"/URI (", "/URI <"};

	for (guint size = CAP_URL_BYTES - 1; size <= CAP_URL_BYTES + 1; size++)
		for (gsize i = 0; i < G_N_ELEMENTS(documents); i++) {
			g_autofree char *link = g_strnfill(size, 'a');
			g_autofree char *text =
				g_strconcat(documents[i].begin, link, documents[i].end, NULL);
			g_autoptr(record_t) record = record_new();

			documents[i].collect(record, text, strlen(text));
			cr_expect_eq(met_cap(record, CAP_URL_BYTES_NAME), size > CAP_URL_BYTES);
		}
	/* A string without an end is none. */
	for (gsize i = 0; i < G_N_ELEMENTS(pdfs); i++) {
		g_autoptr(record_t) record = record_new();

		document_urls_of_pdf(record, pdfs[i], strlen(pdfs[i]));
		cr_expect_eq(record->caps->len, 0);
	}
}
