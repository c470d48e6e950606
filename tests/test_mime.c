/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "caps.h"
#include "cpu_fixture.h"
#include "mime.h"

static void
preload(void)
{
	g_autoptr(GError) error = NULL;

	cr_assert(mime_preload(&error), "%s", error ? error->message : "");
}

TestSuite(mime, .init = preload);

static struct record *
read_text(const char *text)
{
	return mime_read(text, strlen(text));
}

static const struct file *
file_at(const struct record *record, const char *path)
{
	for (guint i = 0; i < record->files->len; i++) {
		const struct file *file = g_ptr_array_index(record->files, i);

		if (g_str_equal(file->path, path))
			return file;
	}
	cr_assert_fail("no file %s", path);
	return NULL;
}

static gboolean
met_cap(const struct record *record, const char *name)
{
	return g_ptr_array_find_with_equal_func(record->caps, name, g_str_equal, NULL);
}

static void
assert_digest(const struct digests *digests, const void *content, gsize length)
{
	struct digests wanted;

	digests_of(content, length, &wanted);
	cr_assert_arr_eq(digests->sha256, wanted.sha256, SHA256_BYTES);
	cr_assert_arr_eq(digests->sha1, wanted.sha1, SHA1_BYTES);
	cr_assert_arr_eq(digests->md5, wanted.md5, MD5_BYTES);
}

static void
assert_variant(const struct file *file, enum variant_kind kind, const char *content)
{
	const struct variant *variant = file_variant(file, kind);

	cr_assert(variant != NULL, "no variant %s of %s", variant_kind_name(kind), file->path);
	cr_assert_eq(variant->size, strlen(content));
	assert_digest(&variant->digests, content, strlen(content));
}

/* ---- our own messages, whose manifest says what is in them ---- */

static char *
testdata_path(const char *name)
{
	const char *top = g_getenv("top_srcdir");

	return g_build_filename(top ? top : ".", "testdata", name, NULL);
}

static void
check_text(const char *file, const char *what, const char *is, const json_t *wanted)
{
	const char *text = json_string_value(wanted);

	cr_expect(g_strcmp0(is, text) == 0, "%s: %s is \"%s\", not \"%s\"", file, what,
		  is ? is : "(none)", text ? text : "(none)");
}

static void
check_flags(const char *name, const struct file *file, const json_t *wanted)
{
	g_autoptr(GString) flags = g_string_new(NULL);
	g_autoptr(GString) expected = g_string_new(NULL);
	gsize i;
	json_t *flag;

	for (guint bit = 0; bit < FILE_FLAG_COUNT; bit++)
		if (file->flags & 1u << bit)
			g_string_append_printf(flags, "%s ", record_flag_name(bit));
	json_array_foreach (wanted, i, flag)
		g_string_append_printf(expected, "%s ", json_string_value(flag));
	cr_expect_str_eq(flags->str, expected->str, "%s %s: flags", name, file->path);
}

static void
check_file(const char *name, const struct file *file, const json_t *wanted)
{
	const json_t *sha256 = json_object_get(wanted, "sha256");
	g_autofree char *hex = hex_encode(file->digests.sha256, SHA256_BYTES);

	check_text(name, "path", file->path, json_object_get(wanted, "path"));
	check_text(name, file->path, file_best_name(file), json_object_get(wanted, "name"));
	check_flags(name, file, json_object_get(wanted, "flags"));
	if (!sha256)
		return;
	check_text(name, file->path, hex, sha256);
	cr_expect_eq(file->size, (guint64)json_integer_value(json_object_get(wanted, "size")));
}

static void
check_addresses(const char *name, const char *what, const GPtrArray *addresses,
		const json_t *wanted)
{
	if (!wanted)
		return;
	cr_expect_eq(addresses->len, json_array_size(wanted), "%s: %s", name, what);
	for (guint i = 0; i < MIN(addresses->len, json_array_size(wanted)); i++) {
		const struct mail_address *address = g_ptr_array_index(addresses, i);

		check_text(name, what, address->address, json_array_get(wanted, i));
	}
}

static void
check_urls(const char *name, const struct record *record, const json_t *wanted)
{
	if (!wanted)
		return;
	cr_expect_eq(record->urls->len, json_array_size(wanted), "%s: links", name);
	for (guint i = 0; i < MIN(record->urls->len, json_array_size(wanted)); i++)
		check_text(name, "link", g_ptr_array_index(record->urls, i),
			   json_array_get(wanted, i));
}

static void
check_message(const json_t *entry)
{
	const char *name = json_string_value(json_object_get(entry, "file"));
	const json_t *files = json_object_get(entry, "files");
	g_autofree char *path = testdata_path(name);
	g_autofree char *bytes = NULL;
	g_autoptr(record_t) record = NULL;
	gsize length;

	cr_assert(g_file_get_contents(path, &bytes, &length, NULL), "%s", path);
	record = mime_read(bytes, length);
	check_text(name, "subject", record->subject, json_object_get(entry, "subject"));
	check_text(name, "Message-ID", record->message_id, json_object_get(entry, "message_id"));
	check_addresses(name, "From", record->from, json_object_get(entry, "from"));
	check_addresses(name, "To", record->to, json_object_get(entry, "to"));
	check_urls(name, record, json_object_get(entry, "urls"));
	cr_expect_eq(record->files->len, json_array_size(files), "%s: %u files", name,
		     record->files->len);
	for (guint i = 0; i < MIN(record->files->len, json_array_size(files)); i++)
		check_file(name, g_ptr_array_index(record->files, i), json_array_get(files, i));
	cr_expect_eq(record->caps->len, 0, "%s: a cap was met", name);
}

Test(mime, reads_each_message_of_the_manifest_as_it_says)
{
	g_autofree char *path = testdata_path("MANIFEST.json");
	json_t *manifest = json_load_file(path, 0, NULL);
	json_t *entry;
	gsize i;

	cr_assert_gt(json_array_size(manifest), 50, "%s", path);
	json_array_foreach (manifest, i, entry)
		check_message(entry);
	json_decref(manifest);
}

/* ---- what is hashed ---- */

Test(mime, content_of_a_part_ends_before_the_line_break_of_its_delimiter)
{
	g_autoptr(record_t) record = read_text("Content-Type: multipart/mixed; boundary=b\r\n\r\n"
					       "--b\r\n\r\none\r\ntwo\r\n\r\n--b--\r\n");
	const struct file *file = file_at(record, "1");

	cr_assert_eq(file->size, 10);
	assert_digest(&file->digests, "one\r\ntwo\r\n", 10);
	assert_variant(file, VARIANT_LF, "one\ntwo\n");
	assert_variant(file, VARIANT_DELIMITER, "one\r\ntwo\r\n\r\n");
	assert_variant(file, VARIANT_TRIMMED, "one\ntwo");
}

Test(mime, a_message_that_is_one_leaf_has_no_delimiter_variant)
{
	g_autoptr(record_t) record = read_text("\r\nx\r\n");

	assert_digest(&file_at(record, "1")->digests, "x\r\n", 3);
	cr_assert_null(file_variant(file_at(record, "1"), VARIANT_DELIMITER));
}

Test(mime, base64_of_no_text_has_no_variants)
{
	g_autoptr(record_t) record =
		read_text("Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n"
			  "\r\nQQ0KQg0K\r\n");

	assert_digest(&file_at(record, "1")->digests, "A\r\nB\r\n", 6);
	cr_assert_eq(file_at(record, "1")->variants->len, 0);
}

Test(mime, base64_is_truncated_only_where_its_padding_is_missing)
{
	static const struct {
		const char *text;
		gboolean truncated;
	} cases[] = {{"QUJD", FALSE},
		     {"QUJDRA==", FALSE},
		     {"QUI=", FALSE},
		     {"QUJDRA", TRUE},
		     {"QUJDREU", TRUE}};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = g_strconcat("Content-Type: application/zip\r\n"
						    "Content-Transfer-Encoding: base64\r\n\r\n",
						    cases[i].text, "\r\n", NULL);
		g_autoptr(record_t) record = read_text(text);

		cr_assert_eq(!!(file_at(record, "1")->flags & FILE_TRUNCATED), cases[i].truncated,
			     "%s", cases[i].text);
	}
}

Test(mime, base64_text_has_its_lf_form)
{
	g_autoptr(record_t) record =
		read_text("Content-Type: text/csv\r\nContent-Transfer-Encoding: base64\r\n"
			  "\r\nQQ0KQg0K\r\n");

	assert_variant(file_at(record, "1"), VARIANT_LF, "A\nB\n");
}

Test(mime, quoted_printable_keeps_the_crlf_that_it_encodes_in_its_lf_form)
{
	g_autoptr(record_t) record = read_text("Content-Type: text/plain\r\n"
					       "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
					       "a=0D=0Ab\r\nc=\r\nd\r\n");

	assert_digest(&file_at(record, "1")->digests, "a\r\nb\r\ncd\r\n", 10);
	assert_variant(file_at(record, "1"), VARIANT_LF, "a\r\nb\ncd\n");
}

Test(mime, a_soft_line_break_leaves_the_delimiter_none)
{
	g_autoptr(record_t) record =
		read_text("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
			  "Content-Transfer-Encoding: quoted-printable\r\n\r\nab=\r\n--b--\r\n");

	assert_digest(&file_at(record, "1")->digests, "ab", 2);
	cr_assert_null(file_variant(file_at(record, "1"), VARIANT_DELIMITER));
}

Test(mime, an_enclosed_message_is_a_file_of_its_own_bytes)
{
	const char *inner = "Subject: in\r\n\r\nx";
	g_autofree char *text =
		g_strconcat("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
			    "Content-Type: message/rfc822\r\n\r\n",
			    inner, "\r\n--b--\r\n", NULL);
	g_autoptr(record_t) record = read_text(text);

	assert_digest(&file_at(record, "1")->digests, inner, strlen(inner));
	cr_assert_eq(file_at(record, "1")->flags, FILE_MESSAGE);
	assert_digest(&file_at(record, "1.1")->digests, "x", 1);
	cr_assert_eq(file_at(record, "1.1")->parent, 1);
}

Test(mime, the_whole_message_has_its_own_sha256)
{
	g_autoptr(record_t) record = read_text("Subject: a\r\n\r\nb");
	guint8 expected[SHA256_BYTES];

	digest_sha256("Subject: a\r\n\r\nb", 15, expected);
	cr_assert_arr_eq(record->sha256, expected, SHA256_BYTES);
	cr_assert_eq(record->size, 15);
}

Test(mime, an_mbox_copy_with_lf_has_the_content_key_of_what_was_sent)
{
	g_autoptr(record_t) sent =
		read_text("Message-ID: <a@b>\r\nSubject: s\r\n\r\nHello\r\nyou\r\n");
	g_autoptr(record_t) kept = read_text(
		"Received: from x\nDelivered-To: y@z\nMessage-ID: <a@b>\nSubject: s\n\nHello\nyou\n\n");
	guint8 one[SHA256_BYTES], other[SHA256_BYTES];

	record_content_key(sent, one);
	record_content_key(kept, other);
	cr_assert_arr_eq(one, other, SHA256_BYTES);
}

/* ---- header fields ---- */

Test(mime, keeps_the_fields_that_an_investigator_asks_for)
{
	g_autoptr(record_t) record = read_text(
		"Delivered-To: a@example.com\r\nX-Original-To: b@example.com\r\n"
		"Authentication-Results: mx.example.com;\r\n spf=pass\r\n"
		"Date: Mon, 2 Nov 2026 09:30:00 +0900\r\nList-Id: <l.example.com>\r\n"
		"Cc: C <c@example.com>\r\nReply-To: r@example.com\r\nFrom: f@example.com\r\n\r\nx");

	cr_assert_eq(record->delivered_to->len, 2);
	cr_assert_str_eq(g_ptr_array_index(record->delivered_to, 1), "b@example.com");
	cr_assert_str_eq(g_ptr_array_index(record->authentication_results, 0),
			 "mx.example.com; spf=pass");
	cr_assert_str_eq(record->date, "Mon, 2 Nov 2026 09:30:00 +0900");
	cr_assert_eq(record->date_us, 1793579400 * (gint64)G_USEC_PER_SEC);
	cr_assert_str_eq(record->list_id, "<l.example.com>");
	cr_assert_str_eq(((struct mail_address *)record->cc->pdata[0])->display, "C");
	cr_assert_eq(record->reply_to->len, 1);
	cr_assert_eq(record->from->len, 1);
}

Test(mime, keeps_a_subjects_raw_bytes_only_where_they_differ)
{
	g_autoptr(record_t) plain = read_text("Subject: as is\r\n\r\n");
	g_autoptr(record_t) coded = read_text("Subject: =?utf-8?q?=C3=A9?=\r\n\r\n");
	gsize length;

	cr_assert_null(plain->subject_raw);
	cr_assert_str_eq(coded->subject, "é");
	cr_assert_arr_eq(g_bytes_get_data(coded->subject_raw, &length), "=?utf-8?q?=C3=A9?=", 18);
	cr_assert_eq(length, 18);
}

Test(mime, a_raw_name_is_evidence)
{
	g_autoptr(record_t) record =
		read_text("Content-Disposition: attachment; filename=\"\x95\x5c.pdf\"\r\n\r\nx");
	const struct file_name *name = g_ptr_array_index(file_at(record, "1")->names, 0);
	gsize length;

	cr_assert_str_eq(name->text, "表.pdf");
	cr_assert_str_eq(name->reading, "filename");
	cr_assert_arr_eq(g_bytes_get_data(name->raw, &length), "\x95\x5c.pdf", 6);
}

/* A message whose line repeats a piece count times. */
static struct record *
read_repeated(const char *before, const char *piece, gsize count, const char *after)
{
	GString *text = g_string_new(before);
	struct record *record;

	for (gsize i = 0; i < count; i++)
		g_string_append(text, piece);
	g_string_append(text, after);
	record = mime_read(text->str, text->len);
	g_string_free(text, TRUE);
	return record;
}

static gboolean
is_named(const struct file *file, const char *text)
{
	for (guint i = 0; i < file->names->len; i++)
		if (g_str_equal(((struct file_name *)file->names->pdata[i])->text, text))
			return TRUE;
	return FALSE;
}

static gboolean
has_name(const struct file *file, const char *text, const char *reading)
{
	for (guint i = 0; i < file->names->len; i++) {
		const struct file_name *name = g_ptr_array_index(file->names, i);

		if (g_str_equal(name->text, text))
			return g_str_equal(name->reading, reading);
	}
	return FALSE;
}

Test(mime, a_name_is_also_kept_as_readers_save_it)
{
	static const char *const cases[][3] = {
		{"\"../../a.exe\"", "a.exe", "filename-stripped"},
		{"\"C:\\temp\\a.exe\"", "a.exe", "filename-stripped"},
		{"\"d\\../a.exe\"", "a.exe", "filename-stripped"},
		{"'a.exe'", "a.exe", "filename-stripped"},
		{"\"a.exe. .\"", "a.exe", "filename-stripped"},
		{"<a.exe>", "a.exe", "filename-stripped"},
		{"\"b/a.exe/\"", "a.exe", "filename-stripped"},
		{"\"b\\\\a.exe\\\\/\"", "a.exe", "filename-stripped"},
		{"\"a.exe\u00a0\"", "a.exe", "filename-stripped"},
		{"\"a.exe\u3000.\u00a0\"", "a.exe", "filename-stripped"},
		{"\"a\r\n\t.exe\"", "a.exe", "filename-joined"},
		{"a.exe b.txt", "a.exe", "filename-word"},
		{"a.exe, b.txt", "a.exe", "filename-token"},
		{"a(c).exe", "a.exe", "filename-unquoted"},
		{"\"a\"\".exe\"", "a.exe", "filename-unquoted"},
		{"\"a\" \".exe\"", "a .exe", "filename-unquoted"},
		{"\"a.ex\"e", "a.exe", "filename-unquoted"},
		{"(c)a.exe", "(c)a.exe", "filename"},
		{"\"x=?utf-8?q?a?=.exe\"", "x=?utf-8?q?a?=.exe", "filename-undecoded"},
		{"=?utf-8?q?=22a=2Eexe=22?=", "a.exe", "filename"},
		{"\"\xf1\xf7\xb8\xf2.exe\"", "счёт.exe", "filename-windows-1251"},
		{"\"\xd3\xde\xa3\xd4.exe\"", "счёт.exe", "filename-koi8-r"},
		{"\"\xb7\xa2\xc6\xb1.exe\"", "发票.exe", "filename-gb18030"},
		{"\"\xb5o\xb2\xbc.exe\"", "發票.exe", "filename-big5"},
		{"\"\xc3\xbb\xb1\xb8.exe\"", "청구.exe", "filename-euc-kr"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text =
			g_strconcat("Content-Disposition: attachment; filename=", cases[i][0],
				    "\r\n\r\nx", NULL);
		g_autoptr(record_t) record = read_text(text);

		cr_expect(has_name(file_at(record, "1"), cases[i][1], cases[i][2]), "%s",
			  cases[i][1]);
		cr_expect_leq(file_at(record, "1")->names->len, (guint)CAP_NAMES);
	}
}

/* Reads a message whose first part, and a file after it, begin with these fields. */
static struct record *
read_parts(const char *top, const char *text, const char *attachment)
{
	g_autofree char *message =
		g_strconcat("Content-Type: multipart/mixed; boundary=b", top, "\r\n\r\n--b\r\n",
			    text, "\r\n\r\nx\r\n--b\r\n", attachment, "\r\n\r\ny\r\n--b--", NULL);

	return mime_read(message, strlen(message));
}

Test(mime, a_raw_name_is_tried_in_the_set_that_the_part_declares_or_the_text)
{
	static const struct {
		const char *top, *text, *attachment, *name;
	} cases[] = {
		{"", "X: y", "Content-Type: a/b; charset=iso-8859-7; name=\"\xf4\xe9.exe\"",
		 "τι.exe"},
		{"", "Content-Type: text/plain; charset=windows-1250",
		 "Content-Type: a/b; name=\"\x9f\xf3.exe\"", "źó.exe"},
		{"; charset=\"ISO-8859-2\"", "Content-Type: text/plain",
		 "Content-Disposition: attachment; filename=\"\xbf\xf3.exe\"", "żó.exe"},
		{"; charset=windows-1255", "X: y",
		 "Content-Type: a/b; charset=us-ascii; name=\"\xe7.exe\"", "ח.exe"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(record_t) record =
			read_parts(cases[i].top, cases[i].text, cases[i].attachment);
		const GPtrArray *names = file_at(record, "2")->names;

		cr_assert_gt(names->len, 1, "%s", cases[i].name);
		/* The first that is made of it. */
		cr_expect_str_eq(((struct file_name *)names->pdata[1])->text, cases[i].name);
		cr_expect(g_str_has_suffix(((struct file_name *)names->pdata[1])->reading,
					   "-declared"));
	}
}

Test(mime, a_declared_set_of_any_name_does_no_harm)
{
	for (gsize length = 0; length < 100; length++) {
		g_autofree char *set = g_strnfill(length, '7');
		g_autofree char *text = g_strconcat("Content-Type: a/b; charset=\"", set,
						    "\"; name=\"\xe7.exe\"\r\n\r\nx", NULL);
		g_autoptr(record_t) record = read_text(text);

		cr_expect_eq(file_at(record, "1")->names->len > 0, TRUE);
		cr_expect_eq(record->caps->len, 0U);
	}
}

Test(mime, a_place_names_a_file_that_has_no_name)
{
	static const char *const cases[][3] = {
		{"http://example.org/dir/a.exe", "a.exe", NULL},
		{"a.exe", "a.exe", NULL},
		{"dir/a%20b.exe?c=/d.e#/f.g", "a b.exe", "a%20b.exe"},
		{"http://example.org/..%2Fa%2Eexe", "../a.exe", "a.exe"},
		{"\"http://example.org/a.exe\"", "a.exe\"", "a.exe"},
		{"=?utf-8?Q?http://example.org/a=2Eexe?=", "a.exe", NULL},
		{"http://example.org/%zz.exe", "%zz.exe", NULL},
		{"file:///C:\\a.exe", "C:\\a.exe", "a.exe"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = g_strconcat(
			"Content-Type: a/b\r\nContent-Location: ", cases[i][0], "\r\n\r\nx", NULL);
		g_autoptr(record_t) record = read_text(text);
		const GPtrArray *names = file_at(record, "1")->names;
		const struct file_name *first;

		cr_assert_geq(names->len, 1, "%s", cases[i][0]);
		first = names->pdata[0];
		cr_expect_str_eq(first->text, cases[i][1], "%s: %s", cases[i][0], first->text);
		cr_expect_str_eq(first->reading, "content-location");
		cr_expect(!cases[i][2] || is_named(file_at(record, "1"), cases[i][2]), "%s",
			  cases[i][0]);
	}
}

Test(mime, a_place_is_no_name_of_a_text_or_page)
{
	static const char *const cases[] = {
		"Content-Type: text/html\r\nContent-Location: http://example.org/a.html",
		"Content-Type: text/css\r\nContent-Location: http://example.org/a.css",
		"Content-Type: a/b\r\nContent-Location: http://example.org",
		"Content-Type: a/b\r\nContent-Location: http://example.org/",
		"Content-Type: a/b\r\nContent-Location: http://example.org/a.b/c",
		"Content-Type: a/b\r\nContent-Location: http://example.org/..",
		"Content-Type: a/b\r\nContent-Location: CID:a.png@b",
		"Content-Type: a/b\r\nContent-Location:",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = g_strconcat(cases[i], "\r\n\r\nx", NULL);
		g_autoptr(record_t) record = read_text(text);

		cr_expect_eq(file_at(record, "1")->names->len, 0U, "%s", cases[i]);
		cr_expect_eq(record->anomalies->len, 0U, "%s", cases[i]);
		cr_expect_eq((file_at(record, "1")->flags & FILE_BODY) != 0, i == 0);
	}
}

Test(mime, a_place_is_no_name_beside_a_name_but_is_one_of_an_attached_text)
{
	g_autoptr(record_t) named = read_text("Content-Type: a/b; name=c.exe\r\n"
					      "Content-Location: d/e.exe\r\n\r\nx");
	g_autoptr(record_t) attached = read_text("Content-Disposition: attachment\r\n"
						 "Content-Location: d/e.exe\r\n\r\nx");

	cr_assert_eq(file_at(named, "1")->names->len, 1U);
	cr_assert(has_name(file_at(named, "1"), "c.exe", "name"));
	cr_assert(has_name(file_at(attached, "1"), "e.exe", "content-location"));
}

Test(mime, names_of_the_other_of_two_fields_and_of_other_parameters_are_kept)
{
	g_autoptr(record_t) record = read_text(
		"Content-Type: text/plain; filename=a.exe\r\nContent-Type: text/html; name=b.exe\r\n"
		"Content-Disposition: filename=c.exe\r\n"
		"Content-Disposition: inline; name=d.exe; filename=e.exe\r\n\r\nx");
	static const char *const names[][2] = {{"a.exe", "filename"},
					       {"b.exe", "name"},
					       {"c.exe", "filename"},
					       {"d.exe", "name"},
					       {"e.exe", "filename"}};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		cr_expect(has_name(file_at(record, "1"), names[i][0], names[i][1]), "%s",
			  names[i][0]);
}

Test(mime, a_name_is_cut_at_nul_and_words_in_an_extended_one_are_decoded)
{
	static const char cut[] =
		"Content-Disposition: attachment; filename=\"a.exe\0.txt\"\r\n\r\nx";
	g_autoptr(record_t) first = mime_read(cut, sizeof(cut) - 1);
	g_autoptr(record_t) second = read_text("Content-Disposition: attachment; "
					       "filename*=utf-8''=?utf-8?Q?a=2Eexe?=\r\n\r\nx");

	cr_assert(has_name(file_at(first, "1"), "a.exe", "filename-cut"));
	cr_assert(has_name(file_at(first, "1"), "a.exe.txt", "filename-joined"));
	cr_assert(has_name(file_at(second, "1"), "a.exe", "filename*-decoded"));
}

Test(mime, a_name_is_found_where_its_parameter_is_odd)
{
	static const char *const fields[] = {
		"=?utf-8?b?YXR0YWNobWVudDsgZmlsZW5hbWU9YS5leGU=?=",
		"attachment; =?utf-8?q?filename=3Da.exe?=",
		"attachment; size=\"5; filename=a.exe",
		"attachment; x=\"\\\"; filename=a.exe",
		"attachment; \"filename\"=a.exe",
		"attachment; \xa0"
		"filename=a.exe",
		"attachment;\x01"
		"filename=a.exe",
		"attachment; x; \"FileName\" =a.exe",
		"attachment; filename*0=a; filename*1=e; filename*0=.ex",
		"attachment; filename=\"\"a.exe",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
		g_autofree char *text = g_strconcat("Content-Type: application/x\r\n"
						    "Content-Disposition: ",
						    fields[i], "\r\n\r\nx", NULL);
		g_autoptr(record_t) record = read_text(text);
		gboolean found = FALSE;
		const struct file *file = file_at(record, "1");

		for (guint j = 0; j < file->names->len; j++) {
			const struct file_name *name = g_ptr_array_index(file->names, j);

			found = found || g_str_equal(name->text, "a.exe");
		}
		cr_expect(found, "%s", fields[i]);
	}
}

/* The content is the same, whoever reads the header. */
Test(mime, a_name_that_another_reading_alone_gives_is_kept)
{
	static const char *const headers[] = {
		" Content-Disposition: attachment; filename=a.exe\r\nContent-Type: application/x\r\n",
		"Content-Type: application/x\r\nContent_Disposition: attachment; filename=a.exe\r\n",
		"Content-Type: application/x\r\nContent-Disposition\r\n : attachment; "
		"filename=a.exe\r\n",
		"Content-Type: application/x\r\nSubject: x\rContent-Disposition: attachment; "
		"filename=a.exe\r\n",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(headers); i++) {
		g_autofree char *text = g_strconcat(
			"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
			"--b\r\n",
			headers[i], "\r\nMZ1234567\r\n--b--\r\n", NULL);
		g_autoptr(record_t) record = read_text(text);
		gboolean found = FALSE;

		for (guint at = 0; at < record->files->len; at++) {
			const struct file *file = g_ptr_array_index(record->files, at);

			for (guint j = 0; file->size == 9 && j < file->names->len; j++) {
				const struct file_name *name = g_ptr_array_index(file->names, j);

				found = found || g_str_equal(name->text, "a.exe");
			}
		}
		cr_expect(found, "%s", headers[i]);
	}
}

/* Most readers know no field's name with a blank, and Python no value with one. */
Test(mime, an_encoding_whose_field_is_not_plainly_written_may_be_none)
{
	static const char *const fields[] = {
		"Content-Transfer-Encoding : base64",
		"Content-Transfer-Encoding:\r\n base64",
		"Content-Transfer-Encoding: base64 ",
		"Content-Transfer-Encoding: base64\f",
	};
	g_autoptr(record_t) plain =
		read_text("Content-Transfer-Encoding: base64\r\nContent-Type: a/b\r\n\r\nTVoxMjM=");

	for (guint i = 0; i < plain->files->len; i++)
		cr_assert_eq(((struct file *)plain->files->pdata[i])->readings->len, 0);
	for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
		g_autofree char *text =
			g_strconcat(fields[i], "\r\nContent-Type: a/b\r\n\r\nTVoxMjM=", NULL);
		g_autoptr(record_t) record = read_text(text);
		gboolean found = FALSE;

		for (guint at = 0; at < record->files->len; at++) {
			const struct file *file = g_ptr_array_index(record->files, at);

			found = found || (file->size == 8 && file->readings->len);
		}
		cr_expect(found, "%s", fields[i]);
	}
}

/* Names whose last part is kept too, so many bytes of it. */
static guint
derived_bytes(guint files)
{
	g_autofree char *name = g_strnfill(1000, 'n');
	g_autofree char *part = g_strconcat("--b\r\nContent-Disposition: attachment; filename=\"d/",
					    name, "\"\r\n\r\nx\r\n", NULL);
	g_autoptr(record_t) record = read_repeated(
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n", part, files, "--b--");
	guint bytes = 0;

	for (guint i = 0; i < record->files->len; i++) {
		const struct file *file = g_ptr_array_index(record->files, i);

		bytes += file->names->len > 1 ? 1000 : 0;
	}
	cr_expect_eq(record->caps->len, bytes < files * 1000 ? 1U : 0U);
	if (record->caps->len)
		cr_expect_str_eq(record->caps->pdata[0], CAP_DERIVED_NAMES_BYTES_NAME);
	return bytes;
}

Test(mime, names_made_of_others_are_kept_to_their_cap_and_it_is_noted)
{
	const guint most = CAP_DERIVED_NAMES_BYTES / 1000;

	cr_assert_eq(derived_bytes(most - 1), (most - 1) * 1000);
	cr_assert_eq(derived_bytes(most), most * 1000);
	cr_assert_eq(derived_bytes(most + 1), most * 1000);
}

Test(mime, a_raw_name_is_tried_in_character_sets_up_to_its_cap)
{
	for (int over = -1; over <= 1; over++) {
		g_autofree char *rest = g_strnfill((gsize)(CAP_RAW_NAME_BYTES - 2 + over), 'n');
		g_autofree char *text =
			g_strconcat("Content-Disposition: attachment; filename=\xf1\xf7", rest,
				    "\r\n\r\nx", NULL);
		g_autofree char *wanted = g_strconcat("сч", rest, NULL);
		g_autoptr(record_t) record = read_text(text);

		cr_expect_eq(has_name(file_at(record, "1"), wanted, "filename-windows-1251"),
			     over <= 0);
	}
}

Test(mime, names_of_every_place_are_kept_the_extended_first)
{
	g_autoptr(record_t) record = read_text(
		"Content-Type: application/pdf; name=c.pdf; name*=utf-8''d.pdf\r\n"
		"Content-Disposition: inline; filename=b.exe; filename*=utf-8''a.pdf\r\n\r\nx");
	const GPtrArray *names = file_at(record, "1")->names;
	const char *const wanted[] = {"a.pdf", "b.exe", "d.pdf", "c.pdf"};

	cr_assert_eq(names->len, 4);
	for (guint i = 0; i < names->len; i++)
		cr_assert_str_eq(((struct file_name *)names->pdata[i])->text, wanted[i]);
}

Test(mime, a_second_content_type_is_an_anomaly_at_its_place)
{
	g_autoptr(record_t) record =
		read_text("Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nx");
	const struct anomaly *anomaly = g_ptr_array_index(record->anomalies, 0);

	cr_assert_str_eq(anomaly->name, "duplicate-header");
	cr_assert_eq(anomaly->offset, 39);
	cr_assert_str_eq(file_at(record, "1")->declared_type, "text/plain");
}

Test(mime, text_is_never_other_than_utf8)
{
	g_autoptr(record_t) record = read_text(
		"Subject: \xff\xfe\x81\r\nMessage-ID: <\xff>\r\nFrom: \"\x81\" <a\xff@b>\r\n"
		"Content-Type: t\xff/x; name=\"\x81\xff\"\r\nContent-ID: <\xfe>\r\n\r\n"
		"http://a.b/\xff\xff");
	const struct file *file = file_at(record, "1");

	cr_assert(g_utf8_validate(record->subject, -1, NULL));
	cr_assert(g_utf8_validate(record->message_id, -1, NULL));
	cr_assert(g_utf8_validate(((struct mail_address *)record->from->pdata[0])->address, -1,
				  NULL));
	cr_assert(g_utf8_validate(file->declared_type, -1, NULL));
	cr_assert(g_utf8_validate(file_best_name(file), -1, NULL));
	cr_assert(g_utf8_validate(file->content_id, -1, NULL));
}

/* ---- caps: one below, at, and above ---- */

/* A message of nested multiparts, levels deep, with a leaf in the last. */
static char *
nested(guint levels)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < levels; i++)
		g_string_append_printf(
			text, "Content-Type: multipart/mixed; boundary=b%u.\r\n\r\n--b%u.\r\n", i,
			i);
	g_string_append(text, "\r\nleaf\r\n");
	return g_string_free(text, FALSE);
}

Test(mime, nesting_is_read_to_the_cap_and_noted_beyond)
{
	for (guint levels = CAP_NESTING - 1; levels <= CAP_NESTING + 1; levels++) {
		g_autofree char *text = nested(levels);
		g_autoptr(record_t) record = read_text(text);

		cr_expect_eq(record->files->len, MIN(levels, CAP_NESTING) + 1);
		cr_expect_eq(met_cap(record, CAP_NESTING_NAME), levels > CAP_NESTING);
	}
}

/* A message in base64 within another, and so on. */
static char *
nested_base64(guint levels)
{
	char *text = g_strdup("\r\nleaf");

	for (guint i = 0; i < levels; i++) {
		g_autofree char *inner = text;
		g_autofree char *coded = g_base64_encode((guchar *)inner, strlen(inner));

		text = g_strconcat("Content-Type: message/rfc822\r\n"
				   "Content-Transfer-Encoding: base64\r\n\r\n",
				   coded, NULL);
	}
	return text;
}

Test(mime, encoded_messages_nest_as_others_do)
{
	g_autofree char *text = nested_base64(20);
	g_autoptr(record_t) record = read_text(text);

	cr_assert_eq(record->files->len, 21);
	cr_assert_not(met_cap(record, CAP_NESTING_NAME));
	cr_assert_str_eq(((struct file *)record->files->pdata[2])->path, "1.1.1");
}

static char *
many_parts(guint parts)
{
	GString *text = g_string_new("Content-Type: multipart/mixed; boundary=b\r\n\r\n");

	for (guint i = 0; i < parts; i++)
		g_string_append(text, "--b\r\n\r\nx\r\n");
	return g_string_free(text, FALSE);
}

Test(mime, parts_are_read_to_the_cap_and_noted_beyond)
{
	/* The multipart itself is one of them. */
	for (guint parts = CAP_PARTS - 2; parts <= CAP_PARTS; parts++) {
		g_autofree char *text = many_parts(parts);
		g_autoptr(record_t) record = read_text(text);

		cr_expect_eq(record->files->len, MIN(parts + 1, CAP_PARTS));
		cr_expect_eq(met_cap(record, CAP_PARTS_NAME), parts + 1 > CAP_PARTS);
		cr_expect_eq((file_at(record, "0")->flags & FILE_INCOMPLETE) != 0,
			     parts + 1 > CAP_PARTS);
	}
}

Test(mime, subject_is_kept_to_the_cap_and_noted_beyond)
{
	for (int over = -1; over <= 1; over++) {
		g_autoptr(record_t) record = read_repeated(
			"Subject: ", "a", (gsize)(CAP_SUBJECT_BYTES + over), "\r\n\r\n");

		cr_expect_eq(strlen(record->subject),
			     (gsize)MIN(CAP_SUBJECT_BYTES + over, CAP_SUBJECT_BYTES));
		cr_expect_eq(met_cap(record, CAP_SUBJECT_BYTES_NAME), over > 0);
	}
}

Test(mime, a_field_is_kept_to_the_cap_and_noted_beyond)
{
	for (int over = -1; over <= 1; over++) {
		g_autoptr(record_t) record = read_repeated(
			"List-Id: ", "a", (gsize)(CAP_FIELD_BYTES + over), "\r\n\r\n");

		cr_expect_eq(strlen(record->list_id),
			     (gsize)MIN(CAP_FIELD_BYTES + over, CAP_FIELD_BYTES));
		cr_expect_eq(met_cap(record, CAP_FIELD_BYTES_NAME), over > 0);
	}
}

Test(mime, a_name_is_kept_to_the_cap_and_noted_beyond)
{
	for (int over = -1; over <= 1; over++) {
		g_autoptr(record_t) record =
			read_repeated("Content-Disposition: attachment; filename=", "a",
				      (gsize)(CAP_NAME_BYTES + over), "\r\n\r\n");

		cr_expect_eq(strlen(file_best_name(file_at(record, "1"))),
			     (gsize)MIN(CAP_NAME_BYTES + over, CAP_NAME_BYTES));
		cr_expect_eq(met_cap(record, CAP_NAME_BYTES_NAME), over > 0);
	}
}

Test(mime, names_that_stand_there_come_before_what_readers_make_of_them)
{
	/* Of two in raw bytes there are more readings than room. */
	g_autoptr(record_t) record = read_text(
		"Content-Type: application/octet-stream; name=\"x/ \x83\x65\x83\x58.exe \"; "
		"name=payload.exe\r\n"
		"Content-Disposition: attachment; filename=\"d/ "
		"\x83\x65\x83\x58\x83\x67.doc \"\r\n\r\nx");
	const struct file *file = file_at(record, "1");

	cr_assert_eq(file->names->len, (guint)CAP_NAMES);
	cr_expect_str_eq(((struct file_name *)file->names->pdata[2])->text, "payload.exe");
	cr_expect(is_named(file, "テス.exe"));
	cr_expect(is_named(file, "テスト.doc"));
	cr_expect(met_cap(record, CAP_NAMES_NAME));
}

Test(mime, what_stands_for_a_byte_is_no_path)
{
	static const char *const cases[][3] = {
		/* as written, what is shown, what is not */
		{"filename*=utf-8''a%00b.exe", "a\\x00b.exe", "x00b.exe"},
		{"filename=\"a\x81"
		 "b.exe\"",
		 "a\\x81b.exe", "x81b.exe"},
		{"filename*=utf-8''d%5Cxadvice.exe", "xadvice.exe", NULL},
		{"filename=\"C:\\docs\\xfactor.exe\"", "xfactor.exe", NULL},
		{"filename*=utf-8''d%5Cxylo.exe", "xylo.exe", NULL},
		{"filename*=utf-8''d%5Cx0.exe", "x0.exe", NULL},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = g_strconcat("Content-Disposition: attachment; ",
						    cases[i][0], "\r\n\r\nx", NULL);
		g_autoptr(record_t) record = read_text(text);
		const struct file *file = file_at(record, "1");

		cr_expect(is_named(file, cases[i][1]), "%s", cases[i][0]);
		cr_expect(!cases[i][2] || !is_named(file, cases[i][2]), "%s", cases[i][0]);
	}
}

Test(mime, names_are_kept_to_the_cap_and_noted_beyond)
{
	for (int over = -1; over <= 1; over++) {
		GString *text = g_string_new("Content-Disposition: attachment");
		g_autoptr(record_t) record = NULL;

		for (int i = 0; i < CAP_NAMES + over; i++)
			g_string_append_printf(text, "; filename=%d", i);
		record = mime_read(text->str, text->len);
		cr_expect_eq(file_at(record, "1")->names->len,
			     (guint)MIN(CAP_NAMES + over, CAP_NAMES));
		cr_expect_eq(met_cap(record, CAP_NAMES_NAME), over > 0);
		g_string_free(text, TRUE);
	}
}

Test(mime, addresses_are_kept_to_the_cap_and_noted_beyond)
{
	for (int over = -1; over <= 1; over++) {
		g_autoptr(record_t) record =
			read_repeated("To: ", "a@b, ", (gsize)(CAP_ADDRESSES + over), "\r\n\r\n");

		cr_expect_eq(record->to->len, (guint)MIN(CAP_ADDRESSES + over, CAP_ADDRESSES));
		cr_expect_eq(met_cap(record, CAP_ADDRESSES_NAME), over > 0);
	}
}

Test(mime, trace_fields_are_kept_to_the_cap_and_noted_beyond)
{
	for (int over = -1; over <= 1; over++) {
		g_autoptr(record_t) record = read_repeated(
			"", "Delivered-To: a@b\r\n", (gsize)(CAP_TRACE_FIELDS + over), "\r\n");

		cr_expect_eq(record->delivered_to->len,
			     (guint)MIN(CAP_TRACE_FIELDS + over, CAP_TRACE_FIELDS));
		cr_expect_eq(met_cap(record, CAP_TRACE_FIELDS_NAME), over > 0);
	}
}

Test(mime, names_of_all_files_are_bounded_together)
{
	/* Each name is counted as bytes and as text. */
	const gsize files = CAP_NAMES_BYTES / (2 * 4000);
	g_autofree char *name = g_strnfill(4000, 'n');
	g_autofree char *part = g_strconcat(
		"--b\r\nContent-Disposition: attachment; filename=", name, "\r\n\r\nx\r\n", NULL);
	const char *top = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
	g_autoptr(record_t) within = read_repeated(top, part, files - 1, "--b--");
	g_autoptr(record_t) beyond = read_repeated(top, part, files + 1, "--b--");

	cr_assert_not(met_cap(within, CAP_NAMES_BYTES_NAME));
	cr_assert(met_cap(beyond, CAP_NAMES_BYTES_NAME));
	cr_assert_eq(beyond->files->len, files + 2);
}

Test(mime, links_are_searched_to_the_cap_and_noted_beyond)
{
	for (int over = -1; over <= 1; over++) {
		g_autoptr(record_t) record = read_repeated(
			"\r\nhttp://a.b/", "c", (gsize)(CAP_URL_SCAN_BYTES + over - 11), "");

		cr_expect_eq(met_cap(record, CAP_URL_SCAN_BYTES_NAME), over > 0);
		cr_expect_eq(record->urls->len, 1);
	}
}

/* ---- hostile messages: each must end soon, in any record ---- */

struct hostile {
	const char *before;
	const char *piece;
	gsize count;
};

Test(mime, hostile_repetition_is_read_in_linear_time, .init = limit_cpu)
{
	static const struct hostile cases[] = {
		{"To: ", "a:", 500000},
		{"To: ", "(", 500000},
		{"To: ", "<", 500000},
		{"To: ", "\"", 500001},
		{"To: <", "@a,", 200000},
		{"To: ", "[", 500000},
		{"To: ", "=?utf-8?q?a?= ", 80000},
		{"Date: ", "(", 500000},
		{"Subject: ", "=?", 500000},
		{"Subject: ", "=?utf-8?q?", 100000},
		{"Subject: ", "\x1b$B", 300000},
		{"Content-Type: text/plain; ", "(", 500000},
		{"Content-Type: text/plain; ", "a=b; ", 200000},
		{"Content-Type: text/plain; ", "name*0*=a; ", 90000},
		{"Content-Type: text/plain; name=a", "(b)", 20000},
		{"Content-Type: text/plain; name=\"", "\x1b$B", 20000},
		{"Content-Type: text/plain; name=", "\x1b$", 30000},
		{"", "a:\r\n", 2000000},
		{"", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", 10000},
		{"", "Content-Type: message/rfc822\r\n\r\n", 10000},
		{"Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n", 1000000},
		{"Content-Type: text/html\r\n\r\n", "<a href=\"", 300000},
		{"Content-Type: text/html\r\n\r\n", "<script>", 300000},
		{"Content-Type: text/html\r\n\r\n", "&#", 1000000},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(record_t) record =
			read_repeated(cases[i].before, cases[i].piece, cases[i].count, "");

		cr_expect(record->files->len > 0, "%s%s…", cases[i].before, cases[i].piece);
	}
}
