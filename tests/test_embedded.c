/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "cpu_fixture.h"
#include "embedded.h"

#define BINHEX_START "(This file must be converted with BinHex 4.0)\n"

#define BINHEX_FILE                                                              \
	BINHEX_START                                                             \
	"\r\n"                                                                   \
	":#h4bD@GRCA)ZCAKP!%**6N%r2cmr!!!!!!\"9!!!!!19m9&**4dG&8Le'58a&,9\"\r\n" \
	"\"@8a2383YP+el[JCF&-Z6c6D@Fe'+XE9,XI&4+cr!5+Q8QS2ajKhrIUcp0mY-ai6\r\n"  \
	"lEN[qI0rAmq,rKj[YS,-dcUcfS!*8E63i!!!:\r\n"
#define BINHEX_FOUND "binhex-in-text trigger.exe=TRIGGER-FILE-PAYLOAD-"

#define PLENTY 1000000 /* room for what runs make */

static void
collect(const char *how, const char *const *names, const GByteArray *bytes, guint64 size,
	gpointer user)
{
	g_string_append_printf(user, "%s %s", how, *names ? *names : "-");
	for (; *names && names[1]; names++)
		g_string_append_printf(user, "|%s", names[1]);
	g_string_append_printf(user, "=%.*s;", (int)bytes->len, (const char *)bytes->data);
	if (size != bytes->len)
		g_string_append_printf(user, "of %" G_GUINT64_FORMAT ";", size);
}

static char *
files_in(const char *text)
{
	GString *found = g_string_new(NULL);
	gsize room = PLENTY;

	embedded_in_text(text, strlen(text), &room, collect, found);
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

#define FULL_LINE "M86)C9&5F9VAI:FML;6YO<'%R<W1U=G=X>7IA8F-D969G:&EJ:VQM;F]P<7)S"

Test(embedded, uuencode_without_a_mode_has_a_full_line)
{
	g_autofree char *found = files_in("begin a.txt\r\n" FULL_LINE "\r\n#8F%R\r\n`\r\nend\r\n");
	g_autofree char *words = files_in(
		"begin at once\r\nMore than this is not to be said, and no less, by any means at\r\n");

	cr_assert_str_eq(
		found, "uuencode-in-text a.txt=abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrsbar;");
	cr_assert_str_eq(words, "");
}

#define SHORT_FILE "uuencode-in-text a=hello;"
#define FULL_BYTES "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrs"

Test(embedded, uuencode_may_have_empty_lines)
{
	g_autofree char *some =
		files_in("begin 644 a\r\n\r\n#:&5L\r\n\r\n \t\r\n\";&\\\r\n\r\n`\r\n\r\nend\r\n");
	g_autofree char *open =
		files_in("begin 644 a\r\n\r\n" FULL_LINE "\r\n\r\n#8F%R\r\n\r\nBye.\r\n#8F%R\r\n");
	g_autofree char *no_mode = files_in("begin a.txt\r\n\r\n" FULL_LINE "\r\n\r\n`\r\nend\r\n");

	cr_assert_str_eq(some, SHORT_FILE);
	cr_assert_str_eq(open, "uuencode-in-text a=" FULL_BYTES "bar;");
	cr_assert_str_eq(no_mode, "uuencode-in-text a.txt=" FULL_BYTES ";");
}

Test(embedded, uuencode_may_have_blanks_and_a_check_character_at_line_ends)
{
	static const char *const ends[] = {" ", "  ", "\t", " \t ", "z", "-", "z ", "\xe4", "z\t"};

	for (gsize i = 0; i < G_N_ELEMENTS(ends); i++) {
		g_autofree char *text =
			g_strdup_printf("begin 644 a\r\n#:&5L%s\r\n\";&\\ %s\r\n`%s\r\nend \t\r\n",
					ends[i], ends[i], ends[i]);
		g_autofree char *found = files_in(text);

		cr_expect_str_eq(found, SHORT_FILE, "'%s': %s", ends[i], found);
	}
}

Test(embedded, uuencode_is_begun_and_ended_in_any_case_with_any_blanks)
{
	static const char *const begins[] = {"BEGIN 644 a",	 "Begin 644 a",	  "begin\t644\ta",
					     "begin \t644 \t a", "bEGIN\t0644 a", NULL};

	for (gsize i = 0; begins[i]; i++) {
		g_autofree char *text =
			g_strdup_printf("%s\r\n#:&5L\r\n\";&\\\r\n`\r\nEnd\r\n", begins[i]);
		g_autofree char *found = files_in(text);

		cr_expect_str_eq(found, SHORT_FILE, "%s: %s", begins[i], found);
	}
}

Test(embedded, other_lines_within_uuencode_are_passed_over_or_read_as_they_say)
{
	g_autofree char *found =
		files_in("begin 644 a\r\n#:&5L\r\nwords\r\n\";&\\\r\n`\r\nend\r\n");
	g_autofree char *cut = files_in("begin 644 a\r\n#:&5L\r\n*;&\\\r\n`\r\nend\r\n");

	cr_assert(g_str_has_prefix(found, SHORT_FILE "uuencode-by-lines a=hel"), "%s", found);
	cr_assert(g_str_has_prefix(cut, "uuencode-in-text a=hel;uuencode-by-lines a=hello"), "%s",
		  cut);
}

Test(embedded, what_another_line_of_uuencode_hides_goes_no_further_than_the_next_file)
{
	static const char *const begins[] = {"begin 644 b\r\n#8F%R\r\n`\r\nend\r\n",
					     "BEGIN\t644 b\r\n#8F%R\r\n`\r\nend\r\n",
					     "BEGIN 644 b\r\n\r\n#8F%R\r\n`\r\nend\r\n"};
	g_autofree char *yenc =
		files_in("begin 644 a\r\n#:&5L\r\nwords\r\n=ybegin line=128 size=5 name=c\r\n"
			 "\x92\x8f\x96\x96\x99\r\n=yend size=5\r\nend\r\n");

	for (gsize i = 0; i < G_N_ELEMENTS(begins); i++) {
		g_autofree char *text =
			g_strconcat("begin 644 a\r\n#:&5L\r\nwords\r\n#8F%R\r\n", begins[i], NULL);
		g_autofree char *found = files_in(text);

		cr_expect_str_eq(found, "uuencode-in-text a=hel;uuencode-in-text b=bar;", "%s",
				 found);
	}
	cr_assert_str_eq(yenc, "uuencode-in-text a=hel;yenc-in-text c=hello;");
}

Test(embedded, lines_of_uuencode_may_end_in_cr_alone)
{
	g_autofree char *found = files_in("Hi\r\nbegin 644 a\r#:&5L\r\";&\\\r`\rend\rbegin 644 b\r"
					  "#8F%R\rend\r");

	cr_assert_str_eq(found, SHORT_FILE "uuencode-in-text b=bar;");
}

/* Words before it, and what begins as a file does and is none. */
Test(embedded, a_file_whose_lines_end_in_cr_alone_is_found_behind_others)
{
	static const char *const before[] = {"Hello\r", "Hello\r\r", "begin 644 b\rno such thing\r",
					     "begin at once\r", "Hello\r\n\r\nand\r"};

	for (gsize i = 0; i < G_N_ELEMENTS(before); i++) {
		g_autofree char *text =
			g_strconcat(before[i], "begin 644 a\r#:&5L\r\";&\\\r`\rend\rBye\r\n", NULL);
		g_autofree char *found = files_in(text);

		cr_expect_str_eq(found, SHORT_FILE, "%s: %s", before[i], found);
		cr_expect(embedded_begins(text, strlen(text)));
	}
}

Test(embedded, other_forms_too_may_have_lines_that_end_in_cr_alone)
{
	g_autofree char *yenc = files_in("Hello\r=ybegin line=128 size=5 name=a\r\x92\x8f\x96\r"
					 "\x96\x99\r=yend size=5\rBye");
	g_autofree char *base64 = files_in("Hello\rbegin-base64 644 a\raGVs\rbG8=\r====\rBye");
	g_autofree char *after = files_in("\n\rbegin-base64 644 a\n\raGVs\n\rbG8=\n\r====\n\r");
	g_autofree char *twice =
		files_in("begin-base64 644 a\r\r\naGVs\r\r\nbG8=\r\r\n====\r\r\nBye");

	cr_assert_str_eq(yenc, "yenc-in-text a=hello;");
	cr_assert_str_eq(base64, "base64-in-text a=hello;");
	cr_assert_str_eq(twice, "base64-in-text a=hello;");
	cr_assert_str_eq(after, "base64-in-text a=hello;");
}

Test(embedded, words_that_begin_a_year_are_no_file)
{
	g_autofree char *found = files_in("Begin 2025 was it said.\r\n\"OK\"\r\n\r\nBye.\r\n"
					  "begin 2025 was it said.\r\n\r\n\"OK\"\r\nBye.\r\n"
					  "BEGIN 2025 WAS IT SAID.\r\n\r\n"
					  "--------------------\r\n"
					  "Begin with this\r\n"
					  "begin 644 a\r\n\r\nwords\r\n#8F%R\r\nend\r\n");

	cr_assert_str_eq(found, "");
}

static void
count_files(const char *how, const char *const *names, const GByteArray *bytes, guint64 size,
	    gpointer user)
{
	(void)how;
	(void)names;
	(void)bytes;
	(void)size;
	(*(guint *)user)++;
}

/* Each line of these would have the rest of the text searched, if that were not bounded. */
Test(embedded, many_files_are_read_in_linear_time, .init = limit_cpu)
{
	static const char *const blocks[] = {
		"begin 644 a\n#8F%R\nwords\n",
		"begin 644 a\r#8F%R\r",
		"begin 644 a\r#8F%R\rwords\r",
		"begin a\r\r\r",
		("BEGIN 644 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
		 "BEGIN 644 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nwords\n"),
		"=ybegin line=128 size=9 name=a\nb\n",
		"=ybegin line=128 size=9 name=a\nb\r",
		"=ybegin line=128 size=9 name=a\rbegin 644 a\r",
		"=ybegin line=128 size=9 name=a\rb\n",
		"=ybegin line=128 size=1 name=a\rb\nc\n",
		"=ybegin \r=ybegin \nb\rbegin 644 a\n",
		"=ybegin line=128 size=9 name=a\nbegin a\n\n\r",
		BINHEX_START,
		BINHEX_START ":",
		BINHEX_START ":\n#h4b\r",
		BINHEX_START "\r\r\r",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(blocks); i++) {
		g_autoptr(GString) text = g_string_new(NULL);
		gsize room = PLENTY;
		guint files = 0;

		while (text->len < 4 << 20)
			g_string_append(text, blocks[i]);
		embedded_in_text(text->str, text->len, &room, count_files, &files);
		/* Of yEnc there are two at most. */
		cr_expect_leq(files, 2 * (text->len / strlen(blocks[i]) + 1));
	}
}

Test(embedded, a_calendar_has_attachments)
{
	const char *text =
		"BEGIN:VCALENDAR\r\nATTACH;X-FILENAME=\"a;b:c.txt\";ENCODING=BASE64;VALUE=BINARY:aGV\r\n"
		" sbG8=\r\nATTACH;FMTTYPE=a/b:http://x.example/\r\n"
		"attach;filename=d;encoding=b;value=binary:YmFy\r\nEND:VCALENDAR\r\nATTACH;ENCODING=B";
	g_autoptr(GString) found = g_string_new(NULL);

	embedded_in_calendar(text, strlen(text), collect, found);
	cr_assert_str_eq(found->str,
			 "calendar-attachment a;b:c.txt=hello;calendar-attachment d=bar;", "%s",
			 found->str);
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

Test(embedded, yenc_without_an_end_is_as_long_as_it_says)
{
	g_autofree char *found =
		files_in("=ybegin line=128 size=5 name=a\r\n\x92\x8f\x96\x96\x99\r\n"
			 "\r\nSome words.\r\n");

	cr_assert_str_eq(found, "yenc-in-text a=hello;");
}

#define SHORT_BLOCK "begin 644 a\r\n#:&5L\r\n\";&\\\r\n`\r\nend\r\n"
#define YENC_OPEN "=ybegin line=128 size=5 name=b\r\n\x92\x8f\r\n"

Test(embedded, yenc_hides_no_other_file)
{
	g_autofree char *uuencode = files_in(YENC_OPEN "\r\n" SHORT_BLOCK);
	g_autofree char *yenc = files_in(YENC_OPEN "=ybegin line=128 size=5 name=a\r\n"
						   "\x92\x8f\x96\x96\x99\r\n=yend size=5\r\n");
	g_autofree char *base64 =
		files_in(YENC_OPEN "begin-base64 644 a\r\naGVs\r\nbG8=\r\n====\r\n");
	g_autofree char *binhex = files_in(YENC_OPEN BINHEX_FILE);
	g_autofree char *ended = files_in(YENC_OPEN SHORT_BLOCK "=yend size=5\r\n");

	cr_assert_str_eq(uuencode, "yenc-by-lines b=he8;=;" SHORT_FILE "yenc-in-text b=he;");
	cr_assert_str_eq(yenc, "yenc-in-text b=he;yenc-in-text a=hello;");
	cr_assert_str_eq(base64, "yenc-by-lines b=he8;=;base64-in-text a=hello;yenc-in-text b=he;");
	cr_assert(strstr(binhex, BINHEX_FOUND) != NULL, "%s", binhex);
	cr_assert(g_str_has_suffix(binhex, ";yenc-in-text b=he;"), "%s", binhex);
	/* Its end says that all before is of the file; others read the inner one all the same. */
	cr_assert(strstr(ended, SHORT_FILE) != NULL, "%s", ended);
	cr_assert(g_str_has_prefix(ended, "yenc-in-text b=he"), "%s", ended);
}

#define BEGIN_LINE "begin 644 x\r\n"
#define BEGIN_AS_YENC "8;=?D\xf6\x0c\n\n\xf6N"

/* Others may read the file that the line begins, or what the size says. */
Test(embedded, yenc_without_an_end_goes_on_over_other_lines_where_its_size_is_there)
{
	g_autofree char *whole =
		files_in("=ybegin line=128 size=16 name=b\r\n\x92\x8f\r\n" BEGIN_LINE
			 "\x96\x96\x99\r\n\r\nSome words.\r\n");
	g_autofree char *lacking = files_in(
		"=ybegin line=128 size=17 name=b\r\n\x92\x8f\r\n" BEGIN_LINE "\x96\x96\x99\r\n");
	g_autofree char *by_cr =
		files_in("=ybegin line=128 size=16 name=b\r\x92\x8f\rbegin 644 x\r\x96\x96\x99\r");
	g_autofree char *parts = files_in(
		"=ybegin part=1 line=128 size=16 name=b\r\n=ypart begin=1 end=13\r\n\x92\x8f\r\n" BEGIN_LINE
		"=ybegin part=2 line=128 size=16 name=b\r\n=ypart begin=14 end=16\r\n"
		"\x96\x96\x99\r\n=yend size=3\r\n");

	cr_assert_str_eq(whole, "yenc-by-lines b=he" BEGIN_AS_YENC "llo;yenc-in-text b=he;");
	cr_assert_str_eq(lacking, "yenc-in-text b=he;");
	cr_assert_str_eq(by_cr, whole);
	cr_assert_str_eq(parts, "yenc-in-text b=he;yenc-by-lines b=he" BEGIN_AS_YENC
				"llo;yenc-in-text b=llo;");
}

#define YENC_HELLO "\x92\x8f\x96\x96\x99\r\n=yend size=5\r\n"

Test(embedded, yenc_is_read_by_lf_alone_as_well_where_that_differs)
{
	static const char *const texts[][2] = {
		{"=ybegin line=128 size=5 name=a\rabc\r\n" YENC_HELLO,
		 "yenc-in-text a=789hello;yenc-by-lines a\rabc=hello;"},
		{"Hello\n=ybegin line=128 size=5 name=a\rabc\n" YENC_HELLO,
		 "yenc-in-text a=789hello;yenc-by-lines a\rabc=hello;"},
		{"=ybegin line=128 size=5 name=a.txt\r=ypart b.exe\r\n" YENC_HELLO,
		 "yenc-in-text a.txt=hello;yenc-by-lines a.txt\r=ypart b.exe=hello;"},
		{"=ybegin line=128 size=6 name=a\r\n\x92\x8f\r\x96\x96\x99\r\n=yend size=6\r\n",
		 "yenc-by-lines a=he\xe3llo;yenc-in-text a=hello;"},
		{"=ybegin line=128 size=5 name=a\r\n\x92\x8f\r=yend size=2\r\n",
		 "yenc-by-lines a=he\xe3\x0f;;yenc-in-text a=he;"},
		/* Where it begins behind a CR, they see none. */
		{"Hello\r=ybegin line=128 size=5 name=a\rabc\r\n" YENC_HELLO,
		 "yenc-in-text a=789hello;"},
		{"=ybegin line=128 size=5 name=a\r\r\n" YENC_HELLO
		 "=ybegin line=128 size=5 name=a\r\n" YENC_HELLO,
		 "yenc-in-text a=hello;yenc-in-text a=hello;"},
		/* All of a file whose lines end in CR, and a line behind. */
		{"=ybegin line=128 size=5 name=a\r\x92\x8f\x96\x96\x99\r=yend size=5\r\n--\r\n"
		 "a list\r\n",
		 "yenc-in-text a=hello;"},
		/* A file that lacks bytes is told once, before the next. */
		{"=ybegin line=128 size=9 name=b\r\n" YENC_HELLO
		 "=ybegin line=128 size=5 name=a\r\n" YENC_HELLO,
		 "yenc-in-text b=hello;yenc-in-text a=hello;"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *found = files_in(texts[i][0]);

		cr_expect_str_eq(found, texts[i][1], "%" G_GSIZE_FORMAT ": %s", i, found);
	}
}

Test(embedded, binhex_hides_no_other_file)
{
	static const char *const opens[] = {":\r\n", ":\r\nhello\r\n", ":::\r\n", "#h4b\r\n"};

	for (gsize i = 0; i < G_N_ELEMENTS(opens); i++) {
		g_autofree char *text = g_strconcat(BINHEX_START "\r\n", opens[i],
						    SHORT_BLOCK "and: words\r\n", NULL);
		g_autofree char *found = files_in(text);

		cr_expect_str_eq(found, SHORT_FILE, "%s: %s", opens[i], found);
	}
}

Test(embedded, parts_of_yenc_that_follow_each_other_are_one_file)
{
	g_autofree char *whole =
		files_in("=ybegin part=1 total=2 line=128 size=5 name=a\r\n=ypart begin=1 end=2\r\n"
			 "\x92\x8f\r\n=yend size=2\r\nand\r\n"
			 "=ybegin part=2 total=2 line=128 size=5 name=a\r\n=ypart begin=3 end=5\r\n"
			 "\x96\x96\x99\r\n=yend size=3\r\n");
	g_autofree char *apart =
		files_in("=ybegin part=1 total=2 line=128 size=5 name=a\r\n=ypart begin=1 end=2\r\n"
			 "\x92\x8f\r\n=yend size=2\r\n"
			 "=ybegin part=2 total=2 line=128 size=5 name=b\r\n=ypart begin=3 end=5\r\n"
			 "\x96\x96\x99\r\n=yend size=3\r\n");

	cr_assert_str_eq(whole, "yenc-in-text a=hello;");
	cr_assert_str_eq(apart, "yenc-in-text a=he;yenc-in-text b=llo;");
}

Test(embedded, a_mode_may_be_long_and_blanks_about_it_many)
{
	g_autofree char *found = files_in("begin 100644 a\r\n#8F%R\r\n`\r\nend\r\n"
					  "begin  644  b\r\n#8F%R\r\n`\r\nend\r\n"
					  "begin 100000644 c\r\n#8F%R\r\n");

	cr_assert_str_eq(found, "uuencode-in-text a=bar;uuencode-in-text b=bar;");
}

Test(embedded, a_file_that_begins_as_such_a_text_does_is_told)
{
	static const char *const begins[] = {
		"begin 644 a\r\n", "BEGIN\t644 a\r\n", "words\r\n=ybegin line=1 name=a\r\n",
		"begin-base64 644 a\r\n", "\r\n(This file must be converted with BinHex 4.0)\r\n"};

	for (gsize i = 0; i < G_N_ELEMENTS(begins); i++)
		cr_expect(embedded_begins(begins[i], strlen(begins[i])), "%s", begins[i]);
	cr_expect(!embedded_begins("We begin 644 a\r\n", 16));
	cr_expect(!embedded_begins("", 0));
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

Test(embedded, a_link_has_a_media_type_of_any_length)
{
	g_autofree char *value = g_strnfill(100000, 'x');
	g_autofree char *text = g_strdup_printf("<a href='data:a/b;c=%s;base64,aGVsbG8='>", value);
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
		"<a href='data:a/b ; base64 ,aGVsbG8='>",
		"<a href='da\tta\n:a/b,hello'>",
		"<a href='&#100;&#x41;ta&colon;a/b&semi;base64&comma;aGVsbG8&#61;'>",
		"<a href='data&#58a/b;base64,aGVsbG8='>",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(links); i++) {
		g_autoptr(GString) found = g_string_new(NULL);

		embedded_in_html(links[i], strlen(links[i]), collect, found);
		cr_expect_str_eq(found->str, "data-link -=hello;", "%s: %s", links[i], found->str);
	}
}

Test(embedded, binhex_gives_its_data_fork)
{
	g_autofree char *found = files_in("Hello.\r\n" BINHEX_FILE);
	g_autofree char *open = files_in("(This file must be converted with BinHex 4.0)\r\n:#h4b");

	cr_assert(g_str_has_prefix(found, BINHEX_FOUND));
	cr_assert_str_eq(open, "");
}

/* UUDeview finds it so, and by a line of its own that is broken in two. */
Test(embedded, binhex_is_found_without_its_own_line_if_its_header_is_whole)
{
	const char *bare = &BINHEX_FILE[strlen(BINHEX_START)];
	g_autofree char *found = files_in(bare);
	g_autofree char *cut = files_in(g_strrstr(bare, "h4bD") + strlen("h4bD"));
	g_autofree char *damaged = g_strdup(bare);
	g_autofree char *none = NULL, *once = files_in(BINHEX_FILE);

	strstr(damaged, "GRCA")[0] = 'F';
	none = files_in(damaged);
	cr_assert(g_str_has_prefix(found, BINHEX_FOUND), "%s", found);
	cr_assert_str_eq(cut, "");
	cr_assert_str_eq(none, "");
	cr_assert_null(strstr(once + strlen(BINHEX_FOUND), "binhex-in-text"));
}

static void
take_length(const char *how, const char *const *names, const GByteArray *bytes, guint64 size,
	    gpointer user)
{
	*(gsize *)user = bytes->len;
}

Test(embedded, parameters_of_a_calendars_line_may_be_many)
{
	static const char end[] = ";ENCODING=BASE64:aGVsbG8=\n";
	g_autofree char *fill = g_strnfill(1024 * 1024, ';');
	g_autofree char *quotes = g_strnfill(1024 * 1024, '"');
	g_autofree char *text =
		g_strconcat("ATTACH", fill, ";X=", quotes, "\";:\"", end, "ATTACH;", quotes, NULL);
	gsize length = 0;

	embedded_in_calendar(text, strlen(text), take_length, &length);
	cr_assert_eq(length, 5u);
}

/* Appends bytes as BinHex has them, six bits a character. */
static void
put_binhex(GString *text, const guint8 *bytes, gsize length)
{
	static const char alphabet[] =
		"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";

	g_string_append(text, "(This file must be converted with BinHex 4.0)\n:");
	for (gsize i = 0; i * 6 < length * 8; i++) {
		gsize bit = i * 6, at = bit / 8;
		guint two = (guint)bytes[at] << 8 | (at + 1 < length ? bytes[at + 1] : 0);

		g_string_append_c(text, alphabet[two >> (10 - bit % 8) & 077]);
	}
	g_string_append(text, ":\n");
}

/* A file "a" of length times "x", said to be of told bytes, with a run of 255 for each 254. */
static void
put_run(GString *text, guint32 length, guint32 told)
{
	static const guint8 run[] = {0x90, 0xff};
	guint8 head[23] = {1, 'a'};
	guint8 rest[] = {0x90, (guint8)((length - 1) % 254 + 1)};
	g_autoptr(GByteArray) bytes = g_byte_array_new();

	for (int i = 0; i < 4; i++)
		head[13 + i] = (guint8)(told >> (24 - 8 * i));
	g_byte_array_append(bytes, head, sizeof(head));
	g_byte_array_append(bytes, (const guint8 *)"x", 1);
	for (guint32 i = 0; i < (length - 1) / 254; i++)
		g_byte_array_append(bytes, run, sizeof(run));
	g_byte_array_append(bytes, rest, sizeof(rest));
	put_binhex(text, bytes->data, bytes->len);
}

/* Tells of a file of "x" alone how many there are, and how many it has. */
static void
collect_sizes(const char *how, const char *const *names, const GByteArray *bytes, guint64 size,
	      gpointer user)
{
	for (guint i = 0; i < bytes->len; i++)
		cr_assert_eq(bytes->data[i], 'x');
	g_string_append_printf(user, "%u/%" G_GUINT64_FORMAT " ", bytes->len, size);
}

static char *
sizes_in(const GString *text, gsize room)
{
	GString *found = g_string_new(NULL);

	embedded_in_text(text->str, text->len, &room, collect_sizes, found);
	return g_string_free(found, FALSE);
}

Test(embedded, runs_of_binhex_make_all_that_there_is_room_for)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *less = NULL, *just = NULL, *more = NULL;

	put_run(text, 100000, 100000);
	less = sizes_in(text, 99999);
	just = sizes_in(text, 100000);
	more = sizes_in(text, 100001);
	cr_expect_str_eq(less, "99999/100000 ");
	cr_expect_str_eq(just, "100000/100000 ");
	cr_expect_str_eq(more, "100000/100000 ");
}

Test(embedded, files_in_binhex_share_the_room_and_none_is_passed_over)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *sizes = NULL;

	for (int i = 0; i < 3; i++)
		put_run(text, 1000, 1000);
	sizes = sizes_in(text, 1500);
	cr_assert_str_eq(sizes, "1000/1000 500/1000 0/1000 ");
}

Test(embedded, binhex_is_as_long_as_it_says_or_ends)
{
	static const guint32 told[] = {0, 10, 300, G_MAXUINT32};

	for (gsize i = 0; i < G_N_ELEMENTS(told); i++) {
		g_autoptr(GString) text = g_string_new(NULL), found = g_string_new(NULL);
		g_autofree char *content = g_strnfill(MIN(told[i], 300), 'x');
		g_autofree char *wanted = g_strdup_printf("binhex-in-text a=%s;", content);

		gsize room = PLENTY;

		put_run(text, 300, told[i]);
		embedded_in_text(text->str, text->len, &room, collect, found);
		cr_expect_str_eq(found->str, told[i] ? wanted : "", "%s", found->str);
		cr_expect_eq(room, PLENTY - MIN(told[i], 300));
	}
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

/* MAPI's properties of an attachment: a time, a named one, its names and its data of a type. */
static void
put_properties(GByteArray *out, const char *type, const char *data, guint32 length)
{
	g_autoptr(GByteArray) all = g_byte_array_new();
	guint32 size = GUINT32_TO_LE(length);

#define PUT(text) g_byte_array_append(all, (const guint8 *)(text), sizeof(text) - 1)
	PUT("\5\0\0\0\x40\0\x07\x30"
	    "12345678");
	PUT("\3\0\0\x80"
	    "0123456789abcdef\1\0\0\0\4\0\0\0n\0\0\0wxyz");
	PUT("\3\x10\x99\x30\2\0\0\0aaaabbbb");
	PUT("\x1e\0\x04\x37\1\0\0\0\6\0\0\0A~1.TX\0\0");
	PUT("\x1f\0\x07\x37\1\0\0\0\6\0\0\0\xe4\0.\0\x41\0\0\0");
	g_byte_array_append(all, (const guint8 *)type, 2);
	PUT("\x01\x37\1\0\0\0");
	g_byte_array_append(all, (const guint8 *)&size, 4);
	g_byte_array_append(all, (const guint8 *)data, length);
#undef PUT
	put_attribute(out, 0x00069005, (const char *)all->data, all->len);
}

Test(embedded, tnef_has_attachments_as_properties_with_both_their_names)
{
	g_autoptr(GByteArray) tnef = g_byte_array_new();
	g_autoptr(GString) found = g_string_new(NULL);

	g_byte_array_append(tnef, (const guint8 *)"\x78\x9f\x3e\x22\1\0", 6);
	put_attribute(tnef, 0x00069002, "r", 1);
	put_properties(tnef, "\2\1", "hello", 5);
	put_attribute(tnef, 0x00069002, "r", 1);
	put_properties(tnef, "\x0d\0", "an interfaces idnested", 22);
	embedded_in_tnef(tnef->data, tnef->len, collect, found);
	cr_assert_str_eq(found->str, "tnef A~1.TX|\xc3\xa4.A=hello;tnef A~1.TX|\xc3\xa4.A=nested;",
			 "%s", found->str);
	for (guint length = 0; length < tnef->len; length++) {
		g_autofree guint8 *copy = g_memdup2(tnef->data, length);

		embedded_in_tnef(copy, length, collect, found);
	}
}

Test(embedded, names_in_tnef_end_before_their_terminating_nul)
{
	static const char longs[] = "\1\0\0\0"
				    "\x1f\0\x07\x37\1\0\0\0\6\0\0\0\xe4\0.\0\0\0\0\0"
				    "\x1f\0\x04\x37\1\0\0\0\5\0\0\0w\0\0\0\0\0\0\0"
				    "\x1f\0\x04\x37\1\0\0\0\2\0\0\0\0\0\0\0"
				    "\x1e\0\x04\x37\1\0\0\0\4\0\0\0A\0\0\0";
	g_autoptr(GByteArray) tnef = g_byte_array_new();
	g_autoptr(GString) found = g_string_new(NULL);

	g_byte_array_append(tnef, (const guint8 *)"\x78\x9f\x3e\x22\1\0", 6);
	put_attribute(tnef, 0x00069002, "r", 1);
	put_attribute(tnef, 0x0006800f, "hello", 5);
	put_attribute(tnef, 0x00069005, longs, sizeof(longs) - 1);
	embedded_in_tnef(tnef->data, tnef->len, collect, found);
	cr_assert_str_eq(found->str, "tnef \xc3\xa4.|w|A=hello;", "%s", found->str);
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

#define DATA_OID "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
#define SIGNED_OID "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
#define OTHER_OID "\x06\x03\x2a\x03\x04"

/* Bytes of a literal. */
#define RAW(text)                      \
	{                              \
		text, sizeof(text) - 1 \
	}

struct raw {
	const char *bytes;
	gsize length;
};

/* Puts a tag about all that there is, and its length, or one that is indefinite. */
static void
wrap(GByteArray *bytes, guint8 tag, gboolean open)
{
	guint8 head[] = {tag, open ? 0x80 : (guint8)bytes->len};

	cr_assert(bytes->len < 0x80);
	g_byte_array_prepend(bytes, head, sizeof(head));
	if (open)
		g_byte_array_append(bytes, (const guint8 *)"\0\0", 2);
}

/* What is signed, behind digests' algorithms: a type and its content. */
static GByteArray *
signed_with(struct raw digests, struct raw content, gboolean open)
{
	g_autoptr(GByteArray) before = g_byte_array_new();
	GByteArray *all = g_byte_array_new();

	g_byte_array_append(before, (const guint8 *)digests.bytes, (guint)digests.length);
	wrap(before, 0x31, open);
	g_byte_array_prepend(before, (const guint8 *)"\2\1\1", 3);
	g_byte_array_append(all, (const guint8 *)content.bytes, (guint)content.length);
	wrap(all, 0x30, open);
	g_byte_array_prepend(all, before->data, before->len);
	g_byte_array_append(all, (const guint8 *)"\x31\0", 2);
	wrap(all, 0x30, open);
	wrap(all, 0xa0, open);
	g_byte_array_prepend(all, (const guint8 *)SIGNED_OID, sizeof(SIGNED_OID) - 1);
	wrap(all, 0x30, open);
	return all;
}

/* Each is what "openssl cms -verify" shows of the same with a signature. */
Test(embedded, signed_content_is_read_however_its_octets_are_put_together)
{
	static const struct raw contents[] = {
		RAW(DATA_OID "\xa0\x07\x04\x05hello"),
		RAW(DATA_OID "\xa0\x0b\x24\x09\x24\x07\x04\x05hello"),
		RAW(DATA_OID "\xa0\x0f\x24\x0d\x24\x04\x04\x02he\x24\x05\x04\x03llo"),
		RAW(DATA_OID "\xa0\x80\x24\x80\x24\x80\x04\x02he\0\0\x24\x80\x04\x03llo"
			     "\0\0\0\0\0\0"),
		RAW(DATA_OID "\xa0\x80\x24\x80\x24\x04\x04\x02he\x04\x00\x04\x03llo\0\0\0\0"),
		RAW(DATA_OID "\xa0\x13\x24\x11\x24\x0f\x24\x0d\x24\x0b\x24\x09\x24\x07\x04"
			     "\x05hello"),
		RAW(DATA_OID "\xa0\x0b\x24\x09\x0c\x02he\x80\x03llo"),
		RAW(DATA_OID "\xa0\x0d\x04\x86\0\0\0\0\0\x05hello"),
		RAW(DATA_OID "\xa0\x08\x1f\x04\x05hello"),
		RAW(OTHER_OID "\xa0\x07\x04\x05hello"),
	};

	for (gsize i = 0; i < 2 * G_N_ELEMENTS(contents); i++) {
		g_autoptr(GByteArray) bytes =
			signed_with((struct raw)RAW("\x30\x05" OTHER_OID), contents[i / 2], i % 2);
		g_autoptr(GByteArray) out = embedded_in_signed(bytes->data, bytes->len);

		cr_expect(out && out->len == 5 && memcmp(out->data, "hello", 5) == 0,
			  "%" G_GSIZE_FORMAT ": %.*s", i, out ? (int)out->len : 0,
			  out ? (const char *)out->data : "");
	}
}

/* Puts a string about what there is, and pieces before it and behind. */
static void
nest(GByteArray *bytes, gboolean open, const char *before, const char *behind)
{
	wrap(bytes, 0x24, open);
	g_byte_array_prepend(bytes, (const guint8 *)before, (guint)strlen(before));
	g_byte_array_append(bytes, (const guint8 *)behind, (guint)strlen(behind));
}

/* What "openssl cms -verify" shows of each with a signature is "abcdefghijklmn". */
Test(embedded, signed_content_is_whole_whichever_of_its_strings_are_indefinite)
{
	for (guint bits = 0; bits < 1 << 6; bits++) {
		g_autoptr(GByteArray) content = g_byte_array_new();
		g_autoptr(GByteArray) twin = g_byte_array_new();
		g_autoptr(GByteArray) all = NULL, out = NULL;

		g_byte_array_append(content, (const guint8 *)"\4\2bc\4\1d", 7);
		nest(content, bits & 1, "\4\1a", "\4\2ef");
		nest(content, bits & 2, "", "\4\1g");
		g_byte_array_append(twin, (const guint8 *)"\4\2hi\4\1j", 7);
		nest(twin, bits & 4, "", "\4\2kl");
		nest(twin, bits & 8, "", "\4\2mn");
		g_byte_array_append(content, twin->data, twin->len);
		nest(content, bits & 16, "", "");
		wrap(content, 0xa0, bits & 32);
		g_byte_array_prepend(content, (const guint8 *)DATA_OID, sizeof(DATA_OID) - 1);
		all = signed_with((struct raw)RAW("\x30\x05" OTHER_OID),
				  (struct raw){(const char *)content->data, content->len},
				  bits & 32);
		out = embedded_in_signed(all->data, all->len);
		cr_expect(out && out->len == 14 && memcmp(out->data, "abcdefghijklmn", 14) == 0,
			  "%u: %.*s", bits, out ? (int)out->len : 0,
			  out ? (const char *)out->data : "");
	}
}

Test(embedded, an_algorithm_that_names_the_type_of_the_content_hides_it_not)
{
	static const struct raw digests[] = {
		RAW("\x30\x0b" DATA_OID),
		RAW("\x30\x10" OTHER_OID DATA_OID),
		RAW("\x30\x17" OTHER_OID "\x30\x10" DATA_OID "\xa0\x03\x04\x01x"),
		RAW("\x30\x80\x30\x80" DATA_OID "\xa0\x80\x04\x01x\0\0\0\0\0\0"),
	};
	/* The last is behind what is no signed-data by its form. */
	static const char broken[] = "\x30\x80" SIGNED_OID DATA_OID DATA_OID
				     "\xa0\x02\x24\x00" DATA_OID "\xa0\x07\x04\x05hello";
	g_autoptr(GByteArray) last = embedded_in_signed(broken, sizeof(broken) - 1);

	for (gsize i = 0; i < 2 * G_N_ELEMENTS(digests); i++) {
		g_autoptr(GByteArray) bytes = signed_with(
			digests[i / 2], (struct raw)RAW(DATA_OID "\xa0\x07\x04\x05hello"), i % 2);
		g_autoptr(GByteArray) out = embedded_in_signed(bytes->data, bytes->len);

		cr_expect(out && out->len == 5 && memcmp(out->data, "hello", 5) == 0,
			  "%" G_GSIZE_FORMAT, i);
	}
	cr_assert(last && last->len == 5 && memcmp(last->data, "hello", 5) == 0);
}

Test(embedded, signed_content_that_is_cut_anywhere_is_read_up_to_there)
{
	g_autoptr(GByteArray) whole = signed_with(
		(struct raw)RAW("\x30\x05" OTHER_OID),
		(struct raw)RAW(DATA_OID "\xa0\x80\x24\x80\x24\x80\x04\x02he\0\0\x1f\x84\x04\x84"
					 "\0\0\0\x03llo\0\0\0\0"),
		TRUE);

	for (guint length = 0; length <= whole->len; length++) {
		g_autofree guint8 *copy = g_memdup2(whole->data, length);
		g_autoptr(GByteArray) out = embedded_in_signed(copy, length);

		cr_expect(!out || (out->len <= 5 && memcmp(out->data, "hello", out->len) == 0));
	}
}

/* Each piece would have the rest searched or nested, if that were not done once. */
Test(embedded, hostile_signed_content_is_read_in_linear_time, .init = limit_cpu)
{
	static const struct raw pieces[] = {
		RAW(DATA_OID "\xa0\x80\x24\x80"),
		RAW(DATA_OID "\xa0\x84\x7f\xff\xff\xff\x24\x80\x04\x00"),
		RAW("\x24\x80"),
		RAW("\x30\x80"),
		RAW("\x04\x00"),
		RAW("\x3f" DATA_OID "\xa0\x00"),
	};

	for (gsize i = 0; i < G_N_ELEMENTS(pieces); i++)
		for (int begin = 0; begin < 2; begin++) {
			g_autoptr(GString) text = g_string_new_len("\x30\x80" SIGNED_OID, 13);
			g_autoptr(GByteArray) out = NULL;

			if (begin)
				g_string_append_len(text, DATA_OID "\xa0\x80\x24\x80", 15);
			else
				g_string_append_len(text, "\xa0\x80\x30\x80\x02\x01\x01", 7);
			while (text->len < 1 << 20)
				g_string_append_len(text, pieces[i].bytes,
						    (gssize)pieces[i].length);
			out = embedded_in_signed(text->str, text->len);
			cr_expect(!out || out->len <= text->len);
		}
}
