/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "recode.h"

static void
collect(const struct decoding *decoding, const GByteArray *bytes, gpointer user)
{
	g_string_append_printf(user, "%s=%.*s;", decoding->name, (int)bytes->len,
			       (const char *)bytes->data);
}

/* Returns "name=content;" of each decoding that is tried. */
static char *
decodings(const char *text, enum encoding declared, gboolean certain, guint64 decoded_size)
{
	struct encoded encoded = {text,	   strlen(text), declared,
				  certain, decoded_size, .text = TRUE};
	GString *found = g_string_new(NULL);

	recode_each(&encoded, collect, found);
	return g_string_free(found, FALSE);
}

static void
assert_has(const char *found, const char *wanted)
{
	cr_assert(strstr(found, wanted) != NULL, "no \"%s\" in \"%s\"", wanted, found);
}

Test(recode, regular_base64_is_decoded_in_no_other_way)
{
	g_autofree char *one = decodings("aGVsbG8gd29ybGQh\r\n", ENCODING_BASE64, TRUE, 12);
	g_autofree char *lines =
		decodings("aGVsbG8g\r\nd29ybGQh\r\nIQ==\r\n", ENCODING_BASE64, TRUE, 13);
	g_autofree char *bare = decodings("aGVsbG8g\nd29ybGQh\nIQ==", ENCODING_BASE64, TRUE, 13);

	cr_assert_str_eq(one, "");
	cr_assert_str_eq(lines, "");
	cr_assert_str_eq(bare, "");
}

Test(recode, streams_after_padding_are_joined_and_also_left_out)
{
	g_autofree char *found = decodings("aGVsbG8=\r\nd29ybGQ=\r\n", ENCODING_BASE64, TRUE, 5);

	assert_has(found, "base64-streams=helloworld;");
	assert_has(found, "base64-to-padding=hello;");
}

Test(recode, padding_at_each_line_may_mean_nothing)
{
	g_autofree char *found = decodings("aGVsbG8g=\r\nd29ybGQh=\r\n", ENCODING_BASE64, TRUE, 6);

	assert_has(found, "base64-ignoring-padding=hello world!;");
}

/* Lower-case letters and digits, and three ways to damage their base64. */
#define LONG "abcdefghijklmnopqr"
#define LONG_BASE64 "YWJjZGVmZ2hpamtsbW5vcHFy"

Test(recode, characters_that_make_no_four_may_be_dropped)
{
	g_autofree char *unpadded = decodings(LONG_BASE64 "czE", ENCODING_BASE64, TRUE, 20);
	g_autofree char *short_padded = decodings(LONG_BASE64 "cz=", ENCODING_BASE64, TRUE, 19);
	g_autofree char *word = decodings("aGVsbG8", ENCODING_BASE64, TRUE, 5);

	assert_has(unpadded, "base64-whole-fours=" LONG ";");
	assert_has(short_padded, "base64-whole-fours=" LONG ";");
	cr_assert_null(strstr(word, "whole-fours"));
}

Test(recode, padding_that_makes_four_may_end_it_and_none_other)
{
	g_autofree char *found =
		decodings("YW=Jj" LONG_BASE64 "cw==YWJj", ENCODING_BASE64, TRUE, 2);

	assert_has(found, "base64-to-whole-padding=abc" LONG "s;");
}

Test(recode, padding_within_base64_may_be_six_bits_of_nought)
{
	/* "=hel" is 000000 100001 011110 100101, and what follows is in step again. */
	g_autofree char *found = decodings("=YWJ" LONG_BASE64 "\r\n", ENCODING_BASE64, TRUE, 20);

	assert_has(found, "base64-padding-is-zero=\001\205\211" LONG ";");
}

Test(recode, base64_may_end_at_another_character)
{
	g_autofree char *found =
		decodings(LONG_BASE64 "\r\n!" LONG_BASE64, ENCODING_BASE64, TRUE, 36);
	g_autofree char *words = decodings("From: a text", ENCODING_BASE64, TRUE, 6);

	assert_has(found, "base64-to-stranger=" LONG ";");
	cr_assert_null(strstr(words, "to-stranger"));
}

Test(recode, lines_that_are_not_of_fours_may_be_passed_over)
{
	g_autofree char *found = decodings("ND\r\n" LONG_BASE64 "\r\n", ENCODING_BASE64, TRUE, 19);

	assert_has(found, "base64-whole-lines=" LONG ";");
}

Test(recode, lines_of_something_else_are_mended_in_one_way_and_damaged_ones_in_all)
{
	g_autofree char *header = decodings("Content-Typ: a=b/c\r\n\r\n" LONG_BASE64 "\r\n",
					    ENCODING_BASE64, TRUE, 28);
	g_autofree char *marks =
		decodings(LONG_BASE64 "\r\n-- =\r\n" LONG_BASE64 "\r\n", ENCODING_BASE64, TRUE, 36);
	g_autofree char *within =
		decodings("YWJj?=" LONG_BASE64 LONG_BASE64 "\r\n", ENCODING_BASE64, TRUE, 3);

	assert_has(header, "base64-clean-lines=" LONG ";");
	cr_assert_null(strstr(header, "whole-fours"));
	cr_assert_null(strstr(header, "ignoring-padding"));
	assert_has(marks, "base64-clean-lines=" LONG LONG ";");
	cr_assert_null(strstr(marks, "padding-is-zero"));
	assert_has(within, "base64-ignoring-padding=abc" LONG LONG ";");
}

/* Takes the anomaly of each decoding. */
static void
collect_anomalies(const struct decoding *decoding, const GByteArray *bytes, gpointer user)
{
	(void)bytes;
	g_hash_table_add(user, (gpointer)decoding->anomaly);
}

Test(recode, each_decoding_says_which_anomaly_calls_for_it)
{
	static const struct {
		struct encoded encoded;
		const char *anomaly;
	} cases[] = {
		{{"YWJj=ZA\r\n", 9, ENCODING_BASE64, TRUE, .decoded_size = 3}, "irregular-base64"},
		{{"a=\r=\nb", 7, ENCODING_QUOTED_PRINTABLE, TRUE}, "irregular-quoted-printable"},
		{{"begin 644 f\n!80\nend\n", 19, ENCODING_UUENCODE, TRUE}, "irregular-uuencode"},
		{{LONG_BASE64, 24, ENCODING_IDENTITY, FALSE, .decoded_size = 24},
		 "doubtful-encoding"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GHashTable) found = g_hash_table_new(g_str_hash, g_str_equal);

		recode_each(&cases[i].encoded, collect_anomalies, found);
		cr_expect_eq(g_hash_table_size(found), 1, "%s", cases[i].anomaly);
		cr_expect(g_hash_table_contains(found, cases[i].anomaly), "%s", cases[i].anomaly);
	}
}

/* As ClamAV has it; base64 in quoted-printable of which one is not told looks so. */
Test(recode, padding_may_end_a_line_whatever_follows_in_it)
{
	g_autofree char *streams =
		decodings("aGVs=3D\r\nbG8gd=3D\r\nd29ybA=3D\r\n", ENCODING_BASE64, TRUE, 0);
	g_autofree char *whole =
		decodings("aGVs=0D=0A=\r\nbG8g=0D=0A=\r\n", ENCODING_BASE64, TRUE, 0);
	g_autofree char *usual = decodings("aGVs=\r\nbG8g=\r\n", ENCODING_BASE64, TRUE, 0);

	assert_has(streams, "base64-lines-to-padding=hello worl;");
	assert_has(whole, "base64-lines-to-padding=hello ;");
	cr_assert_null(strstr(usual, "lines-to-padding"));
}

Test(recode, lines_that_are_no_base64_may_be_passed_over)
{
	g_autofree char *found = decodings("-----BEGIN FILE-----\r\naGVsbG8g\r\n-----END-----\r\n",
					   ENCODING_BASE64, TRUE, 20);

	assert_has(found, "base64-clean-lines=hello ;");
}

Test(recode, the_url_safe_alphabet_is_read_where_the_other_is_not)
{
	g_autofree char *found = decodings("_-_-\r\n", ENCODING_BASE64, TRUE, 0);
	g_autofree char *mixed = decodings("_-/+\r\n", ENCODING_BASE64, TRUE, 1);

	assert_has(found, "base64-url-safe=\xff\xef\xfe;");
	cr_assert_null(strstr(mixed, "base64-url-safe"));
}

Test(recode, base64_in_base64_may_be_decoded_twice_and_words_are_not)
{
	g_autofree char *twice =
		decodings("WVVkV2MySkhPR2RrTWpsNVlrZFJhRTFSUFQwPQ==", ENCODING_BASE64, TRUE, 28);
	g_autofree char *word =
		decodings("bjFJYVhGa2JlcUt5ZzRsWVRvYUozdTFP", ENCODING_BASE64, TRUE, 24);

	assert_has(twice, "base64-twice=aGVsbG8gd29ybGQhMQ==;");
	cr_assert_str_eq(word, "");
}

Test(recode, an_undeclared_content_is_base64_only_when_it_can_be_nothing_else)
{
	g_autofree char *data = decodings("aGVsbG8sIHVuZGVjbGFyZWQg\r\nd29ybGQhIQ==\r\n",
					  ENCODING_IDENTITY, TRUE, 33);
	g_autofree char *hash =
		decodings("0cc175b9c0f1b6a831c399e269772661", ENCODING_IDENTITY, TRUE, 32);
	g_autofree char *word =
		decodings("Internationalization1234\r\n", ENCODING_IDENTITY, TRUE, 26);
	g_autofree char *text =
		decodings("Hello, the file is attached.", ENCODING_IDENTITY, TRUE, 28);
	g_autofree char *brief = decodings("Hello123", ENCODING_IDENTITY, TRUE, 8);

	assert_has(data, "as-base64=hello, undeclared world!!;");
	cr_assert_str_eq(hash, "");
	assert_has(word, "as-base64=");
	cr_assert_str_eq(text, "");
	cr_assert_str_eq(brief, "");
}

Test(recode, an_unknown_encoding_may_be_any_that_the_content_fits)
{
	g_autofree char *base64 = decodings("aGVsbG8g", ENCODING_IDENTITY, FALSE, 8);
	g_autofree char *quoted = decodings("a=3Db", ENCODING_IDENTITY, FALSE, 5);
	g_autofree char *plain = decodings("a plain text", ENCODING_IDENTITY, FALSE, 12);

	cr_assert_str_eq(base64, "as-base64=hello ;");
	cr_assert_str_eq(quoted, "as-quoted-printable=a=b;");
	cr_assert_str_eq(plain, "");
}

Test(recode, an_encoding_that_was_given_twice_may_be_none)
{
	g_autofree char *found = decodings("a=3Db", ENCODING_QUOTED_PRINTABLE, FALSE, 3);

	cr_assert_str_eq(found, "as-identity=a=3Db;");
}

Test(recode, an_equals_sign_in_a_wrong_place_is_read_leniently)
{
	g_autofree char *blanks = decodings("= 68=\t69", ENCODING_QUOTED_PRINTABLE, TRUE, 8);
	g_autofree char *twice = decodings("a= =\r\nb", ENCODING_QUOTED_PRINTABLE, TRUE, 4);
	g_autofree char *soft = decodings("a= \r\nb=3", ENCODING_QUOTED_PRINTABLE, TRUE, 4);

	assert_has(blanks, "quoted-printable-lenient=hi;");
	assert_has(twice, "quoted-printable-lenient=ab;");
	assert_has(soft, "quoted-printable-lenient=ab=3;");
}

Test(recode, an_equals_sign_in_a_wrong_place_may_stand_for_itself)
{
	g_autofree char *found = decodings("=_a=3D==\r\nb", ENCODING_QUOTED_PRINTABLE, TRUE, 7);

	g_autofree char *end = decodings("a=3Db=", ENCODING_QUOTED_PRINTABLE, TRUE, 3);

	assert_has(found, "quoted-printable-literal==_a==b;");
	assert_has(end, "quoted-printable-literal=a=b=;");
}

/* Python and mime4j. */
Test(recode, two_equals_signs_may_be_one)
{
	g_autofree char *octet = decodings("a==41=42=\r\nc", ENCODING_QUOTED_PRINTABLE, TRUE, 0);
	g_autofree char *soft = decodings("a==\r\nb", ENCODING_QUOTED_PRINTABLE, TRUE, 0);
	g_autofree char *end = decodings("ab==", ENCODING_QUOTED_PRINTABLE, TRUE, 0);

	assert_has(octet, "quoted-printable-doubled=a=41Bc;");
	assert_has(soft, "quoted-printable-doubled=a=\r\nb;");
	assert_has(end, "quoted-printable-doubled=ab=;");
}

/* libqp, of nodemailer. */
Test(recode, an_octet_may_go_on_behind_a_soft_break)
{
	g_autofree char *found = decodings("a=4=\r\n1b==\n42", ENCODING_QUOTED_PRINTABLE, TRUE, 0);
	g_autofree char *none = decodings("a=41=\r\n42", ENCODING_QUOTED_PRINTABLE, TRUE, 4);

	assert_has(found, "quoted-printable-joined=aAbB;");
	cr_assert_null(strstr(none, "joined"));
}

/* JavaMail, mailparse, Ruby. */
Test(recode, a_soft_break_may_be_the_carriage_return_alone)
{
	g_autofree char *found =
		decodings("a=\r\r\nb=\rc=\r\nd", ENCODING_QUOTED_PRINTABLE, TRUE, 0);

	assert_has(found, "quoted-printable-break-by-cr=a\r\nbcd;");
}

Test(recode, a_lone_carriage_return_in_quoted_printable_may_be_nothing)
{
	g_autofree char *found = decodings("\rh=69\r\n", ENCODING_QUOTED_PRINTABLE, TRUE, 5);
	g_autofree char *none = decodings("h=69\r\n", ENCODING_QUOTED_PRINTABLE, TRUE, 4);

	assert_has(found, "quoted-printable-without-cr=hi\r\n;");
	cr_assert_str_eq(none, "");
}

Test(recode, a_soft_break_may_go_on_to_the_line_feed)
{
	g_autofree char *found = decodings("h=\r:x\ni=3D", ENCODING_QUOTED_PRINTABLE, TRUE, 7);

	assert_has(found, "quoted-printable-break-to-lf=hi=;");
}

Test(recode, a_nul_in_quoted_printable_may_be_nothing)
{
	struct encoded encoded = {"a\0=\r\nb", 6, ENCODING_QUOTED_PRINTABLE, TRUE, 3, .text = TRUE};
	g_autoptr(GString) found = g_string_new(NULL);

	recode_each(&encoded, collect, found);
	assert_has(found->str, "quoted-printable-lenient=ab;");
}

Test(recode, a_soft_break_may_be_any_run_of_line_ends)
{
	static const char *const breaks[] = {"=\r", "=\r\r\n", "=\r\n\n", "=\n\r", "=\f\r"};
	g_autofree char *empty_line =
		decodings("a=3Db=\r\n\r\nc\r\n", ENCODING_QUOTED_PRINTABLE, TRUE, 9);
	g_autofree char *cut_off = decodings("hel=\rlo=21= ", ENCODING_QUOTED_PRINTABLE, TRUE, 0);

	for (gsize i = 0; i < G_N_ELEMENTS(breaks); i++) {
		g_autofree char *text = g_strconcat("hel", breaks[i], "lo=21", NULL);
		g_autofree char *found = decodings(text, ENCODING_QUOTED_PRINTABLE, TRUE, 0);

		assert_has(found, "quoted-printable-any-break=hello!;");
	}
	assert_has(cut_off, "quoted-printable-any-break=hello!;");
	cr_assert_null(strstr(empty_line, "any-break"));
}

Test(recode, a_nul_or_a_blank_of_c_after_an_equals_sign_is_passed_over)
{
	struct encoded encoded = {"a=\0\r\nb=\f\r\nc=\0002\x31", 15, ENCODING_QUOTED_PRINTABLE,
				  TRUE, 0};
	g_autoptr(GString) found = g_string_new(NULL);

	recode_each(&encoded, collect, found);
	assert_has(found->str, "quoted-printable-lenient=abc!;");
}

Test(recode, well_formed_quoted_printable_is_decoded_in_no_other_way)
{
	g_autofree char *found =
		decodings("a=3D=\r\nb=C3=A9=\nc", ENCODING_QUOTED_PRINTABLE, TRUE, 6);

	cr_assert_str_eq(found, "");
}

/* Likewise, of a content that is no text. */
static char *
decodings_of_bytes(const char *text)
{
	GString *found = g_string_new(NULL);
	struct encoded encoded = {text, strlen(text), ENCODING_QUOTED_PRINTABLE, TRUE,
				  1,	.text = FALSE};

	recode_each(&encoded, collect, found);
	return g_string_free(found, FALSE);
}

Test(recode, bytes_have_no_line_breaks_of_their_own_in_quoted_printable)
{
	g_autofree char *hard = decodings_of_bytes("a=01\r\n b=02\nc \r\n");
	g_autofree char *soft = decodings_of_bytes("a=01=\r\nb=02=\nc\r\n");
	g_autofree char *text = decodings_of_bytes("a=3D\r\nb\r\n");

	assert_has(hard, "quoted-printable-unbroken=a\001b\002c;");
	cr_assert_str_eq(soft, "");
	cr_assert_str_eq(text, "");
}

Test(recode, blanks_after_soft_breaks_may_be_folds)
{
	g_autofree char *bytes = decodings_of_bytes("a=01=\r\n b=\r\n\tc\r\n");
	g_autofree char *some = decodings_of_bytes("a=01=\r\n b=\r\nc\r\n");
	g_autofree char *lines =
		decodings("a=\r\n b=\r\n c=\r\n d=\r\n e", ENCODING_QUOTED_PRINTABLE, TRUE, 9);
	g_autofree char *words =
		decodings("a=\r\n b=\r\n c=\r\n d", ENCODING_QUOTED_PRINTABLE, TRUE, 7);

	assert_has(bytes, "quoted-printable-unfolded=a\001bc");
	cr_assert_str_eq(some, "");
	assert_has(lines, "quoted-printable-unfolded=abcde;");
	cr_assert_str_eq(words, "");
}

Test(recode, blanks_before_a_line_break_may_be_of_the_way)
{
	g_autofree char *found = decodings_of_bytes("a=3D \t\r\nb  ");
	g_autofree char *clean = decodings_of_bytes("a=3D=20\r\nb");
	struct encoded shown = {"a \r\n",     4,	   ENCODING_QUOTED_PRINTABLE, TRUE, 4,
				.text = TRUE, .body = TRUE};
	g_autoptr(GString) body = g_string_new(NULL);

	recode_each(&shown, collect, body);
	assert_has(found, "quoted-printable-trimmed=a=\r\nb;");
	cr_assert_str_eq(clean, "");
	cr_assert_str_eq(body->str, "");
}

Test(recode, a_name_that_resembles_an_encoding_makes_its_oddities_count)
{
	struct encoded encoded = {"aGVsbG8=\r\nd29ybGQ=\r\n", 20, ENCODING_IDENTITY, FALSE, 20,
				  .hinted = ENCODING_BASE64};
	g_autoptr(GString) found = g_string_new(NULL);

	recode_each(&encoded, collect, found);
	assert_has(found->str, "as-base64=helloworld;");
	assert_has(found->str, "base64-to-padding=hello;");
}

Test(recode, regular_uuencode_is_decoded_in_no_other_way)
{
	static const char *const texts[] = {
		"begin 644 f\r\n#86)C\r\n`\r\nend\r\n", /* "abc" */
		"begin 644 f\n#86)C\n \nend\n",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *found = decodings(texts[i], ENCODING_UUENCODE, TRUE, 3);

		cr_expect_str_eq(found, "");
	}
}

Test(recode, a_line_of_uuencode_may_be_as_long_as_it_says_or_none)
{
	/* The second line lost a blank at its end, which is a zero. */
	g_autofree char *cut =
		decodings("begin 644 f\n#86)C\n#86) \n#86)\n`\nend\n", ENCODING_UUENCODE, TRUE, 8);
	g_autofree char *headless = decodings("begin44 f\n#86)C\nx\n", ENCODING_UUENCODE, TRUE, 0);

	assert_has(cut, "uuencode-by-lines=abcab@ab@;");
	assert_has(cut, "uuencode-fitting-lines=abcab@;");
	assert_has(headless, "uuencode-fitting-lines=abc;");
}

static void
take_length(const struct decoding *decoding, const GByteArray *bytes, gpointer user)
{
	guint *longest = user;

	(void)decoding;
	*longest = MAX(*longest, bytes->len);
}

Test(recode, lines_of_uuencode_that_say_much_give_no_more_than_they_are)
{
	g_autoptr(GString) text = g_string_new("begin 644 f\n");
	struct encoded encoded = {.declared = ENCODING_UUENCODE, .certain = TRUE};
	guint longest = 0;

	for (guint i = 0; i < 1000; i++)
		g_string_append(text, "M\n");
	encoded.bytes = text->str;
	encoded.length = text->len;
	recode_each(&encoded, take_length, &longest);
	cr_assert_gt(longest, 45U);
	cr_assert_leq(longest, text->len);
}

Test(recode, an_empty_content_has_no_other_decoding)
{
	g_autofree char *found = decodings("", ENCODING_BASE64, TRUE, 0);

	cr_assert_str_eq(found, "");
}
