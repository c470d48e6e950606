/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "embedded.h"

static void
collect(const char *how, const char *name, const GByteArray *bytes, gpointer user)
{
	g_string_append_printf(user, "%s %s=%.*s;", how, name ? name : "-", (int)bytes->len,
			       (const char *)bytes->data);
}

static char *
files_in(const char *text)
{
	GString *found = g_string_new(NULL);

	embedded_in_text(text, strlen(text), collect, found);
	return g_string_free(found, FALSE);
}

Test(embedded, uuencode_is_found_between_other_lines)
{
	g_autofree char *found =
		files_in("Hello.\r\n\r\nbegin 644 a b.txt\r\n%:&5L;&\\\r\n`\r\nend\r\n"
			 "bye\r\nbegin 0600 c\n#8F%R\n \nend\n");

	cr_assert_str_eq(found, "uuencode-in-text a b.txt=hello;uuencode-in-text c=bar;");
}

Test(embedded, uuencode_needs_no_end_and_stops_at_what_is_none)
{
	g_autofree char *open = files_in("begin 644 a\r\n#8F%R");
	g_autofree char *text = files_in("begin 644 a\r\n#8F%R\r\nThis is a text.\r\n#8F%R\r\n");

	cr_assert_str_eq(open, "uuencode-in-text a=bar;");
	cr_assert_str_eq(text, "uuencode-in-text a=bar;");
}

Test(embedded, words_are_no_files)
{
	g_autofree char *found = files_in(
		"begin 200 words and a name\r\nand go on\r\nbegin at once\r\nbegin 64 x\r\n"
		"#8F%R\r\nbegin 99999 x\r\n#8F%R\r\nbegin 644\r\n#8F%R\r\n=yes\r\n");

	cr_assert_str_eq(found, "");
}

Test(embedded, blanks_lost_at_the_end_of_a_line_are_nought)
{
	g_autofree char *found = files_in("begin 644 a\r\n$8F%R(0\r\n`\r\nend\r\n");

	cr_assert_str_eq(found, "uuencode-in-text a=bar!;");
}

Test(embedded, base64_blocks_end_at_their_mark)
{
	g_autofree char *found =
		files_in("begin-base64 644 a\r\naGVs\r\nbG8=\r\n====\r\nnot this\r\n");

	cr_assert_str_eq(found, "base64-in-text a=hello;");
}

Test(embedded, yenc_is_undone_with_its_escapes)
{
	/* "hello", its second "l" escaped. */
	g_autofree char *found =
		files_in("=ybegin line=128 size=5 name=a.txt\r\n=ypart begin=1 end=5\r\n"
			 "\x92\x8f\x96=\xd6\x99\r\n=yend size=5\r\nbye\r\n");

	cr_assert_str_eq(found, "yenc-in-text a.txt=hello;");
}

Test(embedded, a_link_that_holds_its_target_is_a_file_and_an_image_is_none)
{
	const char *text = "<a download=\"x\" href=\"data:a/b;base64,aGVsbG8=\">x</a>"
			   "<img src=\"data:image/png;base64,aGVsbG8=\">"
			   "<link rel=x data=\"data:text/css,b{}\"><p>data:a/b;base64,aGVsbG8=</p>";
	g_autoptr(GString) found = g_string_new(NULL);

	embedded_in_html(text, strlen(text), collect, found);
	cr_assert_str_eq(found->str, "data-link -=hello;");
}

Test(embedded, a_link_is_read_however_it_is_written)
{
	static const char *const links[] = {
		"<A HREF = 'DATA:a/b;BASE64,aGVsbG8='>",
		"<a href=data:a/b;base64,aGVsbG8=>",
		"<a href=\"\ndata:a/b,hel%6Co\">",
		"<iframe src='data:text/html,hello'>",
		"<object data=\"data:;base64,aGVs%0AbG8=\">",
		"<a href=\"data:a/b,hello",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(links); i++) {
		g_autoptr(GString) found = g_string_new(NULL);

		embedded_in_html(links[i], strlen(links[i]), collect, found);
		cr_expect_str_eq(found->str, "data-link -=hello;", "%s: %s", links[i], found->str);
	}
}

Test(embedded, binhex_gives_its_data_fork)
{
	g_autofree char *found =
		files_in("Hello.\r\n(This file must be converted with BinHex 4.0)\r\n\r\n"
			 ":#h4bD@GRCA)ZCAKP!%**6N%r2cmr!!!!!!\"9!!!!!19m9&**4dG&8Le'58a&,9\"\r\n"
			 "\"@8a2383YP+el[JCF&-Z6c6D@Fe'+XE9,XI&4+cr!5+Q8QS2ajKhrIUcp0mY-ai6\r\n"
			 "lEN[qI0rAmq,rKj[YS,-dcUcfS!*8E63i!!!:\r\n");
	g_autofree char *open = files_in("(This file must be converted with BinHex 4.0)\r\n:#h4b");

	cr_assert(g_str_has_prefix(found, "binhex-in-text trigger.exe=TRIGGER-FILE-PAYLOAD-"));
	cr_assert_str_eq(open, "");
}

/* A TNEF attribute: level 2, its id and value. */
static void
put_attribute(GByteArray *out, guint32 id, const char *value, guint32 length)
{
	guint32 numbers[] = {GUINT32_TO_LE(id), GUINT32_TO_LE(length)};

	g_byte_array_append(out, (const guint8 *)"\2", 1);
	g_byte_array_append(out, (const guint8 *)numbers, sizeof(numbers));
	g_byte_array_append(out, (const guint8 *)value, length);
	g_byte_array_append(out, (const guint8 *)"\0\0", 2);
}

Test(embedded, each_attachment_of_tnef_has_its_title)
{
	g_autoptr(GByteArray) tnef = g_byte_array_new();
	g_autoptr(GString) found = g_string_new(NULL);

	g_byte_array_append(tnef, (const guint8 *)"\x78\x9f\x3e\x22\1\0", 6);
	put_attribute(tnef, 0x00069002, "r", 1);
	put_attribute(tnef, 0x00018010, "a.txt", 6);
	put_attribute(tnef, 0x0006800f, "hello", 5);
	put_attribute(tnef, 0x00069002, "r", 1);
	put_attribute(tnef, 0x0006800f, "bar", 3);
	put_attribute(tnef, 0x00018010, "b", 1);
	embedded_in_tnef(tnef->data, tnef->len, collect, found);
	cr_assert_str_eq(found->str, "tnef a.txt=hello;tnef b=bar;");
}

Test(embedded, tnef_that_is_cut_anywhere_is_read_up_to_there)
{
	g_autoptr(GByteArray) tnef = g_byte_array_new();

	g_byte_array_append(tnef, (const guint8 *)"\x78\x9f\x3e\x22\1\0", 6);
	put_attribute(tnef, 0x0006800f, "hello", 5);
	for (guint length = 0; length <= tnef->len; length++) {
		g_autoptr(GString) found = g_string_new(NULL);
		g_autofree guint8 *copy = g_memdup2(tnef->data, length);

		embedded_in_tnef(copy, length, collect, found);
		cr_expect_str_eq(found->str, length >= 6 + 9 + 5 ? "tnef -=hello;" : "");
	}
}

static GByteArray *
signed_content(const char *base64)
{
	gsize length;
	g_autofree guchar *bytes = g_base64_decode(base64, &length);

	return embedded_in_signed(bytes, length);
}

Test(embedded, signed_content_is_taken_out_whole_or_in_pieces)
{
	g_autoptr(GByteArray) whole =
		signed_content("MCoGCSqGSIb3DQEHAqAdMBsCAQExADAUBgkqhkiG9w0BBwGgBwQFaGVsbG8=");
	g_autoptr(GByteArray) pieces = signed_content(
		"MIAGCSqGSIb3DQEHAqCAMIACAQExADCABgkqhkiG9w0BBwGggCSABAJoZQQDbGxvAAAAAAAAAAAAAA==");
	g_autoptr(GByteArray) detached =
		signed_content("MCEGCSqGSIb3DQEHAqAUMBICAQExADALBgkqhkiG9w0BBwEAAAA=");

	cr_assert(whole != NULL && pieces != NULL);
	cr_assert_eq(whole->len, 5);
	cr_assert_arr_eq(whole->data, "hello", 5);
	cr_assert_eq(pieces->len, 5);
	cr_assert_arr_eq(pieces->data, "hello", 5);
	cr_assert(detached == NULL);
}
