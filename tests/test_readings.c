/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "caps.h"
#include "mime.h"
#include "readings.h"

#define TYPE "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
#define TEXT "--b\r\n\r\nHello.\r\n"
#define LEAF "Content-Disposition: attachment; filename=f.exe\r\n\r\npayload\r\n"
#define BASE64_FIELD "Content-Transfer-Encoding: base64\r\n"
#define DATA "Content-Transfer-Encoding: base64\r\n\r\ncGF5bG9hZA==\r\n"

static void
preload(void)
{
	g_autoptr(GError) error = NULL;

	cr_assert(mime_preload(&error), "%s", error ? error->message : "");
}

TestSuite(readings, .init = preload);

static const struct file *
find(const struct record *record, const char *content, gsize length)
{
	struct digests digests;

	digests_of(content, length, &digests);
	for (guint i = 0; i < record->files->len; i++) {
		const struct file *file = g_ptr_array_index(record->files, i);

		if (memcmp(file->digests.sha256, digests.sha256, SHA256_BYTES) == 0)
			return file;
	}
	return NULL;
}

static gboolean
shown_by(const struct file *file, const char *name)
{
	return g_ptr_array_find_with_equal_func(file->readings, name, g_str_equal, NULL);
}

/* A class of ambiguity: the reading that finds "payload" in the message, which is not NUL-free. */
struct class
{
	char name[64];
	char message[400];
	gsize length;
};

#define CLASS(name, text)                    \
	{                                    \
		name, text, sizeof(text) - 1 \
	}

static const struct class classes[] = {
	CLASS("last-content-type",
	      "Content-Type: text/plain\r\n" TYPE TEXT "--b\r\n" LEAF "--b--\r\n"),
	CLASS("last-transfer-encoding", "Content-Transfer-Encoding: 7bit\r\n" DATA),
	CLASS("last-boundary", "Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n" TEXT
			       "--b\r\n" LEAF "--b--\r\n--a\r\n\r\nnothing\r\n--a--\r\n"),
	CLASS("literal-boundary", "Content-Type: multipart/mixed; boundary=b(c)\r\n\r\n"
				  "--b(c)\r\n" LEAF "--b(c)--\r\n--b\r\n\r\nno\r\n--b--\r\n"),
	CLASS("token-boundary", "Content-Type: multipart/mixed; boundary=b, c\r\n\r\n"
				"--b, c\r\n\r\nno\r\n--b, c--\r\n--b\r\n" LEAF "--b--\r\n"),
	CLASS("token-boundary", "Content-Type: multipart/mixed; boundary=\"b\0c\"\r\n\r\n" TEXT
				"--b\r\n" LEAF "--b--\r\n"),
	CLASS("squeezed-boundary", "Content-Type: multipart/mixed; boundary=\"b\"c\r\n\r\n"
				   "--b\r\n\r\nno\r\n--b--\r\n--bc\r\n" LEAF "--bc--\r\n"),
	CLASS("decoded-boundary",
	      "Content-Type: multipart/mixed; boundary=\"=?us-ascii?Q?b?=\"\r\n\r\n"
	      "--=?us-ascii?Q?b?=\r\n\r\nno\r\n--=?us-ascii?Q?b?=--\r\n--b\r\n" LEAF "--b--\r\n"),
	CLASS("boundary-of-body",
	      "Content-Type: multipart/mixed; boundry=b\r\n\r\n" TEXT "--b\r\n" LEAF "--b--\r\n"),
	CLASS("boundary-of-body",
	      "Content-Type: multipart/mixed; boundary=B\r\n\r\n" TEXT "--b\r\n" LEAF "--b--\r\n"),
	CLASS("boundary-makes-multipart",
	      "Content-Type: */*; boundary=b\r\n\r\n" TEXT "--b\r\n" LEAF "--b--\r\n"),
	CLASS("skipped-header-line", TYPE TEXT "--b\r\nno colon here\r\n" LEAF "--b--\r\n"),
	CLASS("skipped-header-line",
	      "\xef\xbb\xbf"
	      "From: a@example.org\r\n" TYPE TEXT "--b\r\n" LEAF "--b--\r\n"),
	CLASS("unindented-fold", "Content-Type: multipart/mixed;\r\nboundary=b\r\n\r\n" TEXT
				 "--b\r\n" LEAF "--b--\r\n"),
	CLASS("mended-field-name", "Content-Type\0: multipart/mixed; boundary=b\r\n\r\n" TEXT
				   "--b\r\n" LEAF "--b--\r\n"),
	CLASS("mended-field-name",
	      "Content-Transfer-Encoding\r\n : base64\r\n\r\ncGF5bG9hZA==\r\n"),
	CLASS("indented-field", "Subject: s\r\n " DATA),
	CLASS("header-after-blank-line", "Subject: s\r\n\r\n" DATA),
	CLASS("header-ends-at-blanks",
	      "Content-Transfer-Encoding: base64\r\n \r\n cGF5bG9hZA==\r\n"),
	CLASS("header-after-blank-line", "Subject: s\r\n\r\n\r\n\r\n" DATA),
	CLASS("header-ends-at-blanks",
	      "Content-Transfer-Encoding: quoted-printable\r\n\f\0\r\np=61yload"),
	CLASS("mended-field-name",
	      "Content-Transfer-Encoding(a)\r\n : base64\r\n\r\ncGF5bG9hZA==\r\n"),
	CLASS("mended-field-name", "Content-Type (a): multipart/mixed; boundary=b\r\n\r\n" TEXT
				   "--b\r\n" LEAF "--b--\r\n"),
	CLASS("delimiter-within-line", TYPE "--b\r\n\r\nHello.\r\n---b\r\n" LEAF "--b--\r\n"),
	CLASS("part-in-preamble", TYPE DATA),
	CLASS("part-in-text", TYPE TEXT "-=b\r\n" DATA "--b--\r\n"),
	CLASS("part-in-text", TYPE TEXT "--b\r\nContent-Transfer-Encoding: base64\r\n\r\nbm9u\r\n"
					"--c\r\n" DATA "--b--\r\n"),
	CLASS("delimiter-of-any-case", TYPE TEXT "--B\r\n" LEAF "--b--\r\n"),
	CLASS("misspelt-close", TYPE TEXT "--b\r\n" LEAF "--c--\r\n"),
	CLASS("text-after-delimiter", TYPE TEXT "--bContent-Transfer-Encoding: quoted-printable\r\n"
						"\r\np=61yload\r\n--b--\r\n"),
	CLASS("delimiter-without-dashes", TYPE TEXT "-b\r\n" LEAF "--b--\r\n"),
	CLASS("delimiter-in-header",
	      TYPE TEXT "--b\r\nX: y\r\n--b--\r\nX: z\r\n\r\npayload\r\n--b--\r\n"),
	CLASS("cr-cr-lf-ends-line", TYPE "--b\r\r\n\r\r\npayload\r\r\n--b--\r\n"),
	CLASS("cr-cr-lf-ends-line", "X: y\r\n\r\r\npayload"),
	CLASS("part-in-epilogue",
	      TYPE TEXT "--b--\r\nbegin 644 f.exe\r\n'<&%Y;&]A9```\r\n`\r\nend\r\n"),
	CLASS("token-boundary", "Content-Type: multipart/mixed; boundary=\"b c\"\r\n\r\n"
				"--c\r\n\r\nno\r\n--c--\r\n--b\r\n" LEAF "--b--\r\n"),
	CLASS("bare-cr-ends-line", "Subject: s\rContent-Transfer-Encoding: base64\r\n\r\n"
				   "cGF5bG9hZA==\r\n"),
	CLASS("bare-cr-ends-line", TYPE "--b\r\n\r\nHello.\r--b\r\n" LEAF "--b--\r\n"),
	CLASS("lf-cr-ends-line", "Subject: s\n\rContent-Transfer-Encoding: base64\n\r\n\r"
				 "cGF5bG9hZA==\n\r"),
	CLASS("lf-cr-ends-line", "Subject: s\r\n\rContent-Transfer-Encoding: base64\r\n\r\r\n\r"
				 "cGF5bG9hZA==\r\n\r"),
	CLASS("text-after-delimiter", TYPE TEXT "--b and more\r\n" LEAF "--b--\r\n"),
	CLASS("delimiter-within-line", TYPE "--b\r\n\r\nHello.--b\r\n" LEAF "--b--\r\n"),
	CLASS("delimiter-without-dashes", TYPE TEXT "b\r\n" LEAF "--b--\r\n"),
	CLASS("part-in-preamble", TYPE LEAF TEXT "--b--\r\n"),
	CLASS("part-in-epilogue", TYPE TEXT "--b--\r\n\r\n" LEAF "--b\r\n\r\nno\r\n--b--\r\n"),
	CLASS("part-in-epilogue", TYPE TEXT "--b--\r\n--b\r\n" LEAF "--b--\r\n"),
	CLASS("part-in-epilogue", TYPE TEXT "--b--\r\nb is above\r\n--b\r\n" LEAF "--b--\r\n"),
	CLASS("part-in-epilogue", TYPE TEXT "--b--\r\nX-A: y\r\n" LEAF "--b--\r\n"),
	CLASS("nameless-field", "Content-Type: a/b\r\n:\r\npayload"),
	CLASS("inner-multipart-goes-on",
	      TYPE "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nHello.\r\n"
		   "--b--\r\n--c\r\n" LEAF "--c--\r\n"),
	CLASS("decoded-multipart",
	      "Content-Transfer-Encoding: base64\r\n" TYPE "LS1iDQoNCnBheWxvYWQNCi0tYi0tDQo=\r\n"),
	CLASS("utf-16-multipart",
	      TYPE "\xff\xfe-\0-\0b\0\r\0\n\0\r\0\n\0p\0a\0y\0l\0o\0a\0d\0\r\0\n\0-\0-\0b\0-\0-\0"),
	CLASS("utf-16-multipart",
	      TYPE "\0-\0-\0b\0\r\0\n\0\r\0\n\0p\0a\0y\0l\0o\0a\0d\0\r\0\n\0-\0-\0b\0-\0-\0"),
	CLASS("crlf-alone-ends-line", "Subject: s\r\nX: y\n\nz\r\n" DATA),
};

ParameterizedTestParameters(readings, each_class_finds_what_the_plain_reading_misses)
{
	return cr_make_param_array(const struct class, (struct class *)classes,
				   G_N_ELEMENTS(classes), NULL);
}

ParameterizedTest(const struct class *class, readings,
		  each_class_finds_what_the_plain_reading_misses)
{
	g_autoptr(record_t) record = mime_read(class->message, class->length);
	const struct file *file = find(record, "payload", 7);
	g_autofree char *suffix = g_strconcat("@", class->name, NULL);

	cr_assert(file != NULL, "%s finds no payload", class->name);
	cr_assert(shown_by(file, class->name), "not by %s", class->name);
	cr_assert(strchr(file->path, '@') != NULL);
	if (g_str_equal(g_ptr_array_index(file->readings, 0), class->name))
		cr_assert(g_str_has_suffix(file->path, suffix), "%s", file->path);
	/* A multipart with one part is none. */
	if (!g_str_equal(class->name, "delimiter-without-dashes"))
		cr_assert_gt(record->anomalies->len, 0U);
	cr_assert_leq(record->files->len, 9U);
}

Test(readings, a_part_that_another_reading_shows_as_text_is_no_content)
{
	/* Each delimiter in two halves: to those who go by what looks like one, all is text. */
	const char *text = "Content-Type: multipart/mixed; boundary=boundary\r\n\r\n"
			   "--bound\r\nary\r\nContent-Type: text/plain\r\n\r\nHello.\r\n"
			   "--bound\r\nary\r\nContent-Type: a/b; name=f.exe\r\n"
			   "Content-Transfer-Encoding: base64\r\n\r\ncGF5bG9hZA==\r\n"
			   "--bound\r\nary--\r\n";
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	cr_assert(find(record, "payload", 7) != NULL);
	for (guint i = 0; i < record->files->len; i++) {
		const struct file *file = g_ptr_array_index(record->files, i);

		cr_expect(!(file->flags & FILE_BODY) || file->declared_type || file->size < 20,
			  "%s: %" G_GUINT64_FORMAT, file->path, file->size);
	}
}

Test(readings, what_one_reading_shows_as_text_another_one_shows_as_a_file)
{
	/* The type is another field's fold to those who do not mend it; the words in the file
	   are no header. */
	static const char *const cases[][2] = {
		{"--B\r\nX-A: b\r\n Content-Type: a/b; name=f.exe\r\n\r\n", ""},
		{"--B\r\nX-A: b\r\n Content-Type: a/b; name=f.exe\r\n\r\n", "more\r\n"},
		{"--B\r\nContent-Type\x80: a/b; name=f.exe\r\n\r\n", ""},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *body = g_strconcat(cases[i][1], "Content-Type: foo", NULL);
		g_autofree char *text =
			g_strconcat("Content-Type: multipart/mixed; boundary=b\r\n\r\nHello.\r\n",
				    cases[i][0], body, "\r\n--B--\r\n", NULL);
		g_autoptr(record_t) record = mime_read(text, strlen(text));
		const struct file *file = find(record, body, strlen(body));

		cr_assert(file != NULL, "%s", text);
		cr_expect_str_eq(file->declared_type, "a/b");
	}
}

Test(readings, a_file_in_a_part_that_is_shown_as_text_counts)
{
	const char *text = "Content-Type: multipart/mixed; boundary=boundary\r\n\r\n"
			   "--bound\r\nary\r\nContent-Type: text/plain\r\n\r\n"
			   "begin 644 f.exe\r\n'<&%Y;&]A9```\r\n`\r\nend\r\n"
			   "--bound\r\nary--\r\n";
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	cr_assert(find(record, "payload", 7) != NULL);
}

Test(readings, a_delimiter_between_lone_line_feeds_may_be_content)
{
	const char *text = TYPE TEXT "--b\r\n\r\npay\n--b\nload\r\n--b--\r\n";
	g_autoptr(record_t) record = mime_read(text, strlen(text));
	const struct file *file = find(record, "pay\n--b\nload", 12);

	cr_assert(file != NULL);
	cr_assert(shown_by(file, "crlf-alone-ends-line"));
}

Test(readings, a_message_whose_lines_all_end_alike_is_in_no_doubt_of_them)
{
	const char *text = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHello.\n--b--\n";
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	cr_assert_eq(record->anomalies->len, 0);
	cr_assert_eq(record->files->len, 2);
}

/* Two departures at once: neither reading by itself finds "payload". */
static const struct class pairs[] = {
	CLASS("last-content-type+last-boundary",
	      "Content-Type: text/plain\r\n"
	      "Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n" TEXT "--b\r\n" LEAF
	      "--b--\r\n"),
	CLASS("text-after-delimiter+part-in-epilogue",
	      TYPE TEXT "--b--\r\n--b tail\r\n" LEAF "--b--\r\n"),
	CLASS("mended-field-name",
	      "no colon here\r\nContent-Type\0: multipart/mixed; boundary=b\r\n\r\n" TEXT
	      "--b\r\n" LEAF "--b--\r\n"),
	CLASS("last-content-type+bare-cr-ends-line",
	      "Content-Type: text/plain\r\nX: y\r" TYPE TEXT "--b\r\n" LEAF "--b--\r\n"),
	CLASS("boundary-of-body+decoded-multipart",
	      "Content-Type: multipart/mixed; boundry=b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	      "LS1iDQoNCnBheWxvYWQNCi0tYi0tDQo=\r\n"),
	CLASS("text-after-delimiter+decoded-multipart",
	      "Content-Transfer-Encoding: base64\r\n" TYPE
	      "LS1iIHRhaWwNCg0KcGF5bG9hZA0KLS1iLS0NCg==\r\n"),
	CLASS("header-after-blank-line+delimiter-within-line",
	      TYPE "--b\r\n\r\nHello.--b\r\nX: y\r\n\r\n"
		   "Content-Transfer-Encoding: quoted-printable\r\n\r\np=61yload\r\n--b--\r\n"),
	CLASS("indented-field+header-after-blank-line",
	      "Subject: s\r\n\r\nContent-Language: en\r\n " DATA),
};

ParameterizedTestParameters(readings, two_departures_at_once_hide_nothing)
{
	return cr_make_param_array(const struct class, (struct class *)pairs, G_N_ELEMENTS(pairs),
				   NULL);
}

ParameterizedTest(const struct class *pair, readings, two_departures_at_once_hide_nothing)
{
	g_autoptr(record_t) record = mime_read(pair->message, pair->length);
	const struct file *file = find(record, "payload", 7);

	cr_assert(file != NULL, "%s finds no payload", pair->name);
	cr_assert(shown_by(file, pair->name), "by %s, not by %s",
		  (char *)g_ptr_array_index(file->readings, 0), pair->name);
	cr_assert_leq(record->files->len, 9U);
}

/* The row of the table by this name. */
static const struct reading *
row(const char *name)
{
	gsize count;
	const struct reading *table = readings_table(&count);

	for (gsize i = 0; i < count; i++)
		if (g_str_equal(table[i].name, name))
			return &table[i];
	cr_assert(FALSE, "no %s", name);
	return NULL;
}

Test(readings, rows_join_unless_they_exclude_each_other)
{
	char name[READING_NAME_BYTES];
	struct reading joined = {0};

	cr_assert(!readings_join(row("last-boundary"), row("token-boundary"), name, &joined));
	cr_assert(
		!readings_join(row("skipped-header-line"), row("unindented-fold"), name, &joined));
	cr_assert(!readings_join(row("bare-cr-ends-line"), row("crlf-alone-ends-line"), name,
				 &joined));
	cr_assert_null(joined.name);
	cr_assert(readings_join(row("last-content-type"), row("bare-cr-ends-line"), name, &joined));
	cr_assert_str_eq(joined.name, "last-content-type+bare-cr-ends-line");
	cr_assert(joined.carriage_lines);
	cr_assert_neq(joined.options.last_fields, 0U);
}

Test(readings, an_empty_boundary_is_none)
{
	const char *text = "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n" TEXT
			   "--b\r\n" LEAF "--b--\r\n";
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	cr_assert(find(record, "payload", 7) != NULL);
}

Test(readings, what_a_multipart_declares_may_be_inherited)
{
	const char *text = "Content-Transfer-Encoding: quoted-printable\r\n" TYPE
			   "--b\r\n\r\nHello.\r\n--b\r\n"
			   "Content-Disposition: attachment\r\n\r\np=61yload\r\n--b--\r\n";
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	cr_assert(find(record, "payload", 7) != NULL);
}

Test(readings, a_row_that_has_all_of_another_is_itself)
{
	char name[READING_NAME_BYTES];
	struct reading joined = {0};

	cr_assert(
		readings_join(row("skipped-header-line"), row("mended-field-name"), name, &joined));
	cr_assert_str_eq(joined.name, "mended-field-name");
	cr_assert(
		readings_join(row("mended-field-name"), row("skipped-header-line"), name, &joined));
	cr_assert_str_eq(joined.name, "mended-field-name");
}

Test(readings, every_joined_name_is_a_label)
{
	gsize count;
	const struct reading *table = readings_table(&count);
	char name[READING_NAME_BYTES];
	struct reading joined;

	for (gsize i = 0; i < count * count; i++) {
		const struct reading *first = &table[i / count], *second = &table[i % count];

		if (!readings_join(first, second, name, &joined) || joined.name != name)
			continue;
		cr_expect(g_str_has_prefix(name, first->name));
		cr_expect(g_str_has_suffix(name, second->name), "%s is cut", name);
	}
}

/* What three departures hide: a type that comes last, a garbage line, text after a delimiter. */
#define THREE                                                                                 \
	"Subject: s\r\nContent-Type: text/plain\r\n" TYPE TEXT "--b and more\r\nno colon\r\n" \
	"Content-Transfer-Encoding: quoted-printable\r\n\r\np=61yload\r\n--b--\r\n"

Test(readings, three_departures_at_once_hide_nothing)
{
	g_autoptr(record_t) record = mime_read(THREE, strlen(THREE));
	const struct file *file = find(record, "payload", 7);

	cr_assert(file != NULL);
	cr_assert(shown_by(file, "last-content-type+skipped-header-line+text-after-delimiter"),
		  "%s", (char *)g_ptr_array_index(file->readings, 0));
}

/* The same behind so many files in the text of a part before it, each one reading. */
static struct record *
read_three_after(guint count)
{
	g_autoptr(GString) text = g_string_new(
		"Subject: s\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\n");

	for (guint i = 0; i < count; i++)
		g_string_append(text, "begin 644 f.exe\r\n#8F%R\r\n`\r\nend\r\n");
	g_string_append(text, "--o\r\n" THREE "--o--\r\n");
	return mime_read(text->str, text->len);
}

static gboolean
is_shown_by_three(const struct record *record)
{
	const struct file *file = find(record, "payload", 7);

	return file && strchr(g_ptr_array_index(file->readings, 0), '+') != NULL;
}

Test(readings, three_at_once_are_tried_up_to_their_cap_and_no_further_without_a_note)
{
	guint whole = 0, found = 0;

	for (guint count = 0; count <= CAP_TRIPLE_READINGS; count++) {
		g_autoptr(record_t) record = read_three_after(count);
		gboolean noted = record->caps->len > 0;

		if (noted)
			cr_expect_str_eq(record->caps->pdata[0], CAP_TRIPLE_READINGS_NAME);
		/* Nothing is left out without a word, and what has room for less has the note. */
		cr_expect(noted || is_shown_by_three(record), "%u", count);
		cr_expect(noted || whole == count, "%u", count);
		whole += !noted;
		found += is_shown_by_three(record);
	}
	cr_expect_gt(whole, 0U);
	cr_expect_geq(found, whole);
	cr_expect_lt(found, (guint)CAP_TRIPLE_READINGS);
}

Test(readings, the_end_of_triples_is_a_word_of_the_ambiguity)
{
	g_autoptr(record_t) record = read_three_after(CAP_TRIPLE_READINGS);
	g_autoptr(GPtrArray) names = record_ambiguities(record);

	cr_assert_str_eq(names->pdata[0], CAP_TRIPLE_READINGS_NAME);
}

Test(readings, a_joined_reading_names_only_what_no_single_one_shows)
{
	const char *text = "Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=b; "
			   "boundary=b\r\n\r\n" TEXT "--b\r\n" LEAF "--b--\r\n";
	g_autoptr(record_t) record = mime_read(text, strlen(text));
	const struct file *file = find(record, "payload", 7);

	cr_assert(file != NULL && shown_by(file, "last-content-type"));
	for (guint i = 0; i < file->readings->len; i++)
		cr_assert_null(strchr(g_ptr_array_index(file->readings, i), '+'));
}

Test(readings, every_row_has_a_class_that_is_tried)
{
	gsize count;
	const struct reading *table = readings_table(&count);

	for (gsize i = 0; i < count; i++) {
		gboolean tried = FALSE;

		for (gsize j = 0; j < G_N_ELEMENTS(classes) && !tried; j++)
			tried = g_str_equal(classes[j].name, table[i].name);
		cr_expect(tried, "%s is not tried", table[i].name);
	}
}

Test(readings, names_are_labels_and_distinct)
{
	gsize count;
	const struct reading *table = readings_table(&count);

	for (gsize i = 0; i < count; i++) {
		cr_expect_leq(strlen(table[i].name), 64U);
		cr_expect(table[i].doubts != 0, "%s is called for by nothing", table[i].name);
		for (const char *at = table[i].name; *at; at++)
			cr_expect(g_ascii_isgraph(*at));
		for (gsize j = 0; j < i; j++)
			cr_expect_str_neq(table[i].name, table[j].name);
	}
}

/* Returns the file that only this reading of a message shows. */
static const struct file *
shown(const struct record *record, const char *name)
{
	const struct file *file = find(record, "payload", 7);

	cr_assert(file != NULL, "%s finds no payload", name);
	cr_assert(shown_by(file, name), "not by %s", name);
	return file;
}

Test(readings, a_file_in_a_text_has_the_name_that_stands_there)
{
	const char *text = "Subject: s\r\n\r\nHello.\r\nbegin 644 f.exe\r\n'<&%Y;&]A9```\r\n`\r\n"
			   "end\r\n";
	g_autoptr(record_t) record = mime_read(text, strlen(text));
	const struct file *file = shown(record, "uuencode-in-text");

	cr_assert_str_eq(file->path, "1@uuencode-in-text");
	cr_assert_str_eq(file_best_name(file), "f.exe");
	cr_assert_eq(file->parent, 0);
}

Test(readings, a_file_in_a_part_that_is_not_encoded_is_found)
{
	const char *text = TYPE "--b\r\nContent-Type: a/b; name=n\r\n\r\n"
				"begin 644 f.exe\r\n'<&%Y;&]A9```\r\n`\r\nend\r\n--b--\r\n";
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	cr_assert_str_eq(file_best_name(shown(record, "uuencode-in-text")), "f.exe");
}

/* What begins so is no base64, whatever the header says. */
Test(readings, a_file_in_a_part_whose_encoding_is_a_lie_is_found)
{
	const char *text = TYPE "--b\r\nContent-Type: a/b; name=n\r\n"
				"Content-Transfer-Encoding: base64\r\n\r\n"
				"begin 644 f.exe\r\n'<&%Y;&]A9```\r\n`\r\nend\r\n--b--\r\n";
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	cr_assert_str_eq(file_best_name(shown(record, "uuencode-in-text")), "f.exe");
}

Test(readings, a_message_in_a_file_is_opened)
{
	const char *text = "Content-Type: application/octet-stream; name=a.EML\r\n\r\n" TYPE TEXT
			   "--b\r\n" LEAF "--b--\r\n";
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	cr_assert_str_eq(shown(record, "message-in-file")->path, "1.2@message-in-file");
}

#define ENCODED(type, text) \
	"Content-Type: " type "\r\nContent-Transfer-Encoding: base64\r\n\r\n" text "\r\n"

/* "Content-Transfer-Encoding: 7bit" and ": base64", then the payload. */
#define TWICE                                                                              \
	"Q29udGVudC1UcmFuc2Zlci1FbmNvZGluZzogN2JpdA0KQ29udGVudC1UcmFuc2Zlci1FbmNvZGluZzog" \
	"YmFzZTY0DQoNCmNHRjViRzloWkE9PQ0K"

Test(readings, what_is_ambiguous_within_an_encoded_message_is_read_in_each_way)
{
	const char *texts[] = {ENCODED("message/rfc822", TWICE),
			       ENCODED("application/octet-stream; name=a.eml", TWICE)};

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(record_t) record = mime_read(texts[i], strlen(texts[i]));

		shown(record, "last-transfer-encoding");
	}
}

Test(readings, a_message_in_odd_base64_is_opened)
{
	/* Two streams: "X: y" with an empty line, and the payload. */
	const char *text = ENCODED("message/rfc822", "WDogeQ0KDQo=\r\ncGF5bG9hZA==");
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	shown(record, "base64-streams");
}

Test(readings, an_encoding_that_resembles_base64_may_be_odd_base64)
{
	const char *text = "Content-Transfer-Encoding: x.base64.\r\n\r\ncGF5bG8=\r\nYWQ=\r\n";
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	shown(record, "as-base64");
}

Test(readings, a_file_in_a_text_whose_encoding_is_in_doubt_is_found)
{
	/* A uuencoded payload. */
	const char *text = "Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: x\r\n\r\n"
			   "YmVnaW4gNjQ0IGYuZXhlDQonPCYlWTsmXUE5YGBgDQpgDQplbmQNCg==\r\n";
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	cr_assert_str_eq(file_best_name(shown(record, "uuencode-in-text")), "f.exe");
}

Test(readings, a_text_in_utf_16_need_not_say_so)
{
	static const char text[] = "Subject: s\r\n\r\n"
				   "b\0e\0g\0i\0n\0 \0"
				   "6\0"
				   "4\0"
				   "4\0 \0f\0\r\0\n\0"
				   "'\0<\0&\0%\0Y\0;\0&\0]\0A\0"
				   "9\0`\0`\0`\0\r\0\n\0`\0\r\0\n\0e\0n\0d\0";
	g_autoptr(record_t) record = mime_read(text, sizeof(text) - 1);

	cr_assert_str_eq(file_best_name(shown(record, "uuencode-in-text")), "f");
}

Test(readings, a_message_pasted_into_a_text_is_opened)
{
	const char *text = "Subject: s\r\n\r\nHi, this came back.\r\n\r\nFrom: a@example.org\r\n"
			   "MIME-Version: 1.0\r\nContent-Type: a/b; name=f.exe\r\n" DATA;
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	cr_assert_str_eq(file_best_name(shown(record, "message-in-text")), "f.exe");
}

Test(readings, a_leaf_that_calls_itself_a_multipart_is_decoded_once)
{
	const char *text = ENCODED("multipart/mixed; name=f.exe", "cGF5bG9hZA==");
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	cr_assert_eq(record->caps->len, 0);
	cr_assert_leq(record->files->len, 4U);
}

Test(readings, a_fragment_that_is_all_of_its_message_is_opened)
{
	const char *text = "Content-Type: message/partial; id=i; number=1; total=1\r\n\r\n" DATA;
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	cr_assert_str_eq(shown(record, "message-in-file")->path, "1.1@message-in-file");
}

Test(readings, signed_content_is_opened)
{
	const char *text =
		"Content-Type: application/pkcs7-mime; name=smime.p7m\r\n"
		"Content-Transfer-Encoding: base64\r\n\r\n"
		"MDMGCSqGSIb3DQEHAqAmMCQCAQExADAdBgkqhkiG9w0BBwGgEAQOYTpiDQoNCnBheWxvYWQ=\r\n";
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	cr_assert_str_eq(shown(record, "signed-content")->path, "1.1@signed-content");
}

/* Many copies of a text whose parts are read in other ways. */
static struct record *
read_many(guint count)
{
	g_autoptr(GString) text = g_string_new("Subject: s\r\n\r\n");

	for (guint i = 0; i < count; i++)
		g_string_append(text, "begin 644 f.exe\r\n'<&%Y;&]A9```\r\n`\r\nend\r\n");
	return mime_read(text->str, text->len);
}

Test(readings, they_are_tried_to_the_cap_and_noted_beyond)
{
	for (guint count = CAP_READINGS - 1; count <= CAP_READINGS + 1; count++) {
		g_autoptr(record_t) record = read_many(count);

		cr_expect_eq(g_ptr_array_find_with_equal_func(record->caps, CAP_READINGS_NAME,
							      g_str_equal, NULL),
			     count > CAP_READINGS);
		cr_expect_eq(record->files->len, 2);
	}
}

Test(readings, a_content_that_is_decoded_otherwise_is_an_anomaly_at_its_place)
{
	const char *text = TYPE TEXT "--b\r\n" BASE64_FIELD "\r\ncGF5bG8=\r\nYWQ=\r\n--b--\r\n";
	gsize begin = (gsize)(strstr(text, "cGF5") - text);
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	cr_assert(record_has_anomaly(record, "irregular-base64", begin));
	cr_assert_eq(record->anomalies->len, 1);
}

Test(readings, what_an_encoded_message_departs_in_is_told_where_it_begins)
{
	/* "Content-Type: text/plain" and then "...: text/html", in base64. */
	const char *text =
		TYPE TEXT "--b\r\nContent-Type: message/rfc822\r\n" BASE64_FIELD "\r\n"
			  "Q29udGVudC1UeXBlOiB0ZXh0L3BsYWluDQpDb250ZW50LVR5cGU6IHRleHQvaHRt\r\n"
			  "bA0KDQpIZWxsby4NCg==\r\n--b--\r\n";
	gsize begin = (gsize)(strstr(text, "Q29u") - text);
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	cr_assert(record_has_anomaly(record, "duplicate-header", begin));
	cr_assert_eq(record->anomalies->len, 1);
}

Test(readings, a_clean_message_has_none)
{
	const char *text = "Subject: s\r\nContent-Type: multipart/mixed; boundary=\"b (1)\"\r\n\r\n"
			   "This is a message of several parts.\r\n--b (1)\r\n\r\nHello -- you.\r\n"
			   "--b (1)\r\n" DATA "--b (1)--\r\n";
	g_autoptr(record_t) record = mime_read(text, strlen(text));

	cr_assert_eq(record->anomalies->len, 0);
	cr_assert_eq(record->files->len, 3);
	for (guint i = 0; i < record->files->len; i++)
		cr_assert_eq(((struct file *)g_ptr_array_index(record->files, i))->readings->len,
			     0);
}

Test(readings, other_decodings_stand_below_the_part_and_have_its_name)
{
	const char *text = TYPE TEXT "--b\r\nContent-Type: application/x-f; name=f.exe\r\n"
				     "Content-Transfer-Encoding: base64\r\n\r\ncGF5bG8=\r\nYWQ=\r\n"
				     "--b--\r\n";
	g_autoptr(record_t) record = mime_read(text, strlen(text));
	const struct file *file = find(record, "payload", 7), *above;

	cr_assert(file != NULL);
	cr_assert_str_eq(file->path, "2@base64-streams");
	cr_assert_str_eq(file_best_name(file), "f.exe");
	above = g_ptr_array_index(record->files, (guint)file->parent);
	cr_assert_str_eq(above->path, "2");
}

Test(readings, a_content_that_two_readings_show_is_there_once)
{
	const char *text = TYPE "--b\r\n\r\nHello.\r--b tail\r\n" LEAF "--b--\r\n";
	g_autoptr(record_t) record = mime_read(text, strlen(text));
	guint times = 0;
	struct digests digests;

	digests_of("payload", 7, &digests);
	for (guint i = 0; i < record->files->len; i++) {
		const struct file *file = g_ptr_array_index(record->files, i);

		times += memcmp(file->digests.sha256, digests.sha256, SHA256_BYTES) == 0;
	}
	cr_assert_leq(times, 1U);
}

/* A record of one text, and another of as many contents as wanted. */
static struct record *
record_of(guint contents)
{
	struct record *record = record_new();

	record_add_file(record, "0", -1)->flags = FILE_MULTIPART;
	for (guint i = 0; i < contents; i++) {
		g_autofree char *path = g_strdup_printf("%u", i + 1);
		struct file *file = record_add_file(record, path, 0);

		file->size = sizeof(i);
		digests_of(&i, sizeof(i), &file->digests);
	}
	return record;
}

Test(readings, contents_are_kept_to_the_cap_and_noted_beyond)
{
	for (guint count = CAP_READING_OBJECTS - 1; count <= CAP_READING_OBJECTS + 1; count++) {
		g_autoptr(record_t) record = record_of(0);
		g_autoptr(record_t) other = record_of(count);
		gboolean noted;

		readings_merge(record, other, -1, "r");
		noted = g_ptr_array_find_with_equal_func(record->caps, CAP_READING_OBJECTS_NAME,
							 g_str_equal, NULL);
		cr_expect_eq(record->files->len, 1 + MIN(count, CAP_READING_OBJECTS));
		cr_expect_eq(noted, count > CAP_READING_OBJECTS);
	}
}

/* Damaged in so many ways: each has as many decodings that differ, the last one too many. */
static const char *const damaged_base64[] = {
	"\r\nxYWJjZGVmZ2hpamtsbW5vcHFy", "_xYWJjZGVmZ2hpamtsbW5vcHFy",
	"=xYWJjZGVmZ2hpamtsbW5vcHFy",	 "x=YWJjZGVmZ2hpamtsbW5vcHFy",
	"x=xYWJjZGVmZ2hpamtsbW5vcHFy",	 "x_x=YWJjZGVmZ2hpamtsbW5vcHFy",
	"x=YWJjZGVmZ2hpamtsbW5vcHFy_xx", "x=YWJjZGVmZ2hpamtsbW5vcHFy\r\nxYWJjZGVm-YWJj",
};
G_STATIC_ASSERT(G_N_ELEMENTS(damaged_base64) == CAP_DECODINGS + 2);

/* So many files are other decodings, and only where there are more it is said. */
static void
expect_decodings(const struct record *record, guint count, guint most)
{
	guint found = 0;
	gboolean noted = g_ptr_array_find_with_equal_func(record->caps, CAP_DECODINGS_NAME,
							  g_str_equal, NULL);

	for (guint i = 0; i < record->files->len; i++) {
		const struct file *file = g_ptr_array_index(record->files, i);

		found += file->readings->len &&
			 g_str_has_prefix(g_ptr_array_index(file->readings, 0), "base64-");
	}
	cr_expect_eq(found, MIN(count, most), "%u of %u, not %u", count, most, found);
	cr_expect_eq(noted, count > most, "%u of %u", count, most);
}

Test(readings, decodings_of_one_content_are_kept_to_the_cap_and_noted_beyond)
{
	for (guint count = CAP_DECODINGS - 1; count <= CAP_DECODINGS + 1; count++) {
		g_autofree char *text = g_strconcat("Content-Type: a/b\r\n" BASE64_FIELD "\r\n",
						    damaged_base64[count], NULL);
		g_autoptr(record_t) record = mime_read(text, strlen(text));

		expect_decodings(record, count, CAP_DECODINGS);
	}
}

/* A part whose encoding is seen by who ends a line at CR, below a type that comes last. */
#define LAST_TYPE "Subject: s\r\nContent-Type: text/plain\r\n" TYPE TEXT
#define AFTER_CR "\r\nX: y\r" BASE64_FIELD "\r\n"

Test(readings, decodings_that_two_departures_show_are_kept_to_a_cap_of_their_own)
{
	for (guint count = CAP_PAIR_DECODINGS - 1; count <= CAP_PAIR_DECODINGS + 1; count++) {
		g_autofree char *text = g_strconcat(LAST_TYPE "--b" AFTER_CR, damaged_base64[count],
						    "\r\n--b--\r\n", NULL);
		g_autoptr(record_t) record = mime_read(text, strlen(text));

		expect_decodings(record, count, CAP_PAIR_DECODINGS);
	}
}

Test(readings, so_are_those_that_three_show)
{
	for (guint count = CAP_TRIPLE_DECODINGS - 1; count <= CAP_TRIPLE_DECODINGS + 1; count++) {
		g_autofree char *text = g_strconcat(LAST_TYPE "--b and more" AFTER_CR,
						    damaged_base64[count], "\r\n--b--\r\n", NULL);
		g_autoptr(record_t) record = mime_read(text, strlen(text));

		expect_decodings(record, count, CAP_TRIPLE_DECODINGS);
	}
}

Test(readings, a_message_in_a_decoding_counts_by_the_contents_that_it_shows)
{
	/* The padding ends it for the plain reading; all after it is seen by the first other. */
	g_autoptr(GString) text =
		g_string_new("Content-Type: message/rfc822\r\n" BASE64_FIELD "\r\n");
	g_autoptr(GString) parts = g_string_new(NULL);
	const char *top = "Subject:\r\n" TYPE;
	g_autofree char *head = g_base64_encode((const guchar *)top, strlen(top));
	g_autofree char *rest = NULL;
	g_autoptr(record_t) record = NULL;

	for (guint i = 0; i < CAP_DECODINGS; i++)
		g_string_append_printf(parts, "--b\r\n\r\nText %u.\r\n", i);
	rest = g_base64_encode((const guchar *)parts->str, parts->len);
	g_string_append_printf(text, "%s%s", head, rest);
	cr_assert_not_null(strchr(head, '='));
	record = mime_read(text->str, text->len);
	expect_decodings(record, CAP_DECODINGS + 1, CAP_DECODINGS);
}

Test(readings, what_the_plain_reading_has_is_not_taken_again)
{
	g_autoptr(record_t) record = record_of(2);
	g_autoptr(record_t) other = record_of(3);
	const struct file *file;

	record_note_cap(other, CAP_PARTS_NAME);
	readings_merge(record, other, -1, "r");
	cr_assert_eq(record->files->len, 4);
	file = g_ptr_array_index(record->files, 3);
	cr_assert_str_eq(file->path, "3@r");
	cr_assert_eq(file->parent, 0);
	cr_assert(shown_by(file, "r"));
	cr_assert_str_eq(g_ptr_array_index(record->caps, 0), CAP_PARTS_NAME);
}

Test(readings, what_is_read_of_a_file_stands_below_it)
{
	g_autoptr(record_t) record = record_of(1);
	g_autoptr(record_t) other = record_of(2);
	const struct file *file;

	readings_merge(record, other, 1, "r");
	cr_assert_eq(record->files->len, 3);
	file = g_ptr_array_index(record->files, 2);
	cr_assert_str_eq(file->path, "1.2@r");
	cr_assert_eq(file->parent, 1);
}

Test(readings, a_second_reading_adds_its_name)
{
	g_autoptr(record_t) record = record_of(0);
	g_autoptr(record_t) first = record_of(1);
	g_autoptr(record_t) second = record_of(1);
	const struct file *file;

	readings_merge(record, first, -1, "r");
	readings_merge(record, second, -1, "s");
	cr_assert_eq(record->files->len, 2);
	file = g_ptr_array_index(record->files, 1);
	cr_assert(shown_by(file, "r") && shown_by(file, "s"));
}

Test(readings, a_path_that_is_taken_gets_a_number)
{
	g_autoptr(record_t) record = record_of(1);
	struct digests digests;
	const struct file *file;

	record_add_file(record, "1@r", 0);
	digests_of("x", 1, &digests);
	file = readings_add(record, 1, "r", 1, &digests);
	cr_assert(file != NULL);
	cr_assert_str_eq(file->path, "1@r.2");
	cr_assert(readings_add(record, 1, "r", 1, &digests) == NULL);
}

Test(readings, other_readings_decide_nothing_of_the_key_of_a_message)
{
	g_autoptr(record_t) record = record_of(1);
	g_autoptr(record_t) other = record_of(2);
	guint8 before[SHA256_BYTES], after[SHA256_BYTES];

	record_content_key(record, before);
	readings_merge(record, other, -1, "r");
	record_content_key(record, after);
	cr_assert_eq(record->files->len, 3);
	cr_assert_arr_eq(before, after, SHA256_BYTES);
}

Test(readings, line_feed_and_carriage_return_become_a_line_break)
{
	g_autoptr(GByteArray) lines = readings_lf_cr_lines("a\n\rb\r\n\r\n\rc\r\n\n", 13);

	cr_assert_eq(lines->len, 12U);
	cr_assert_arr_eq(lines->data, "a\r\nb\r\n\r\nc\r\n\n", 12);
}

Test(readings, a_lone_carriage_return_becomes_a_line_break)
{
	g_autoptr(GByteArray) lines = readings_carriage_lines("a\rb\r\nc\n\r", 8);

	cr_assert_eq(lines->len, 10);
	cr_assert_arr_eq(lines->data, "a\r\nb\r\nc\n\r\n", 10);
}
