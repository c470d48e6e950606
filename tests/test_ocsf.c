/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ocsf.h"

#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "generate.h"

static struct event *
decode(GBytes *json, GError **error)
{
	return ocsf_decode_event(g_bytes_get_data(json, NULL), g_bytes_get_size(json), error);
}

static char *
encode_text(const struct event *event)
{
	g_autoptr(GBytes) json = ocsf_encode_event(event, CAP_EVENT_BYTES);

	return g_strndup(g_bytes_get_data(json, NULL), g_bytes_get_size(json));
}

/* An event with one member of each kind, and nothing left to chance. */
static struct event *
plain_event(void)
{
	struct event *event = event_new();
	struct record *record = event->record;
	struct file *file;

	event->event_id = g_strdup("01a20530-8f57-7000-b5fe-e50c8f927b9e");
	event->parent_event = g_strdup("01a20530-8f57-7000-b5fe-e50c8f927b9d");
	event->tenant = g_strdup("example");
	event->sensor = g_strdup("mx1");
	event->host = g_strdup("mx1.example.org");
	event->mta = g_strdup("Postfix 3.7.11");
	event->queue_id = g_strdup("4Xyz12AbCdzKq");
	event->origin = g_strdup("milter");
	event->received_at_us = 1795383398231456;
	event->direction = DIRECTION_INBOUND;
	event->client.ip = g_strdup("192.0.2.10");
	event->client.port = 51234;
	event->client.name = g_strdup("mx.sender.example");
	event->client.helo = g_strdup("mx.sender.example");
	event->client.tls_version = g_strdup("TLSv1.3");
	event->client.tls_cipher = g_strdup("TLS_AES_256_GCM_SHA384");
	event->client.tls_bits = 256;
	event->client.sasl_user = g_strdup("user");
	event->sender = envelope_address_new("<a@sender.example>");
	g_ptr_array_add(event->sender->arguments, g_strdup("SIZE=1000"));
	g_ptr_array_add(event->recipients, envelope_address_new("<u1@example.org>"));
	g_ptr_array_add(event->recipients, envelope_address_new("<root>"));
	g_ptr_array_add(event->recipients, envelope_address_new("<u3@example.org>"));
	((struct envelope_address *)g_ptr_array_index(event->recipients, 2))->refused = TRUE;

	record->message_id = g_strdup("<abc123@sender.example>");
	record->subject = g_strdup("請求書 \"42\"");
	record->subject_raw = g_bytes_new_static("=?UTF-8?B?x?=", 13);
	record->date = g_strdup("Mon, 23 Nov 2026 04:00:00 +0900");
	record->date_us = 1795374000000000;
	mail_address_add(record->from, "The Boss", "ceo@example.org");
	mail_address_add(record->to, NULL, "list@example.org");
	g_ptr_array_add(record->delivered_to, g_strdup("u1@example.org"));
	record->list_id = g_strdup("<list.example.org>");
	g_ptr_array_add(record->urls, g_strdup("https://x.example/?a=1"));
	record->size = 183220;
	digest_sha256("mail", 4, record->sha256);

	record_add_file(record, "1", -1)->flags = FILE_MULTIPART;
	file = record_add_file(record, "1.1", 0);
	file->flags = FILE_BODY;
	file->declared_type = g_strdup("text/plain");
	file->size = 5;
	digests_of("body\n", 5, &file->digests);
	file_add_variant(file, VARIANT_TRIMMED, 4, &file->digests);
	file = record_add_file(record, "1.2", 0);
	file_add_name(file, "請求書.ZIP", "filename", NULL);
	file_add_name(file, "a.zip", "name", record->subject_raw);
	file->declared_type = g_strdup("application/octet-stream");
	file->detected_type = g_strdup("application/zip");
	file->disposition = g_strdup("attachment");
	file->content_id = g_strdup("1@x");
	file->encoding = g_strdup("base64");
	file->size = 90112;
	digests_of("zip", 3, &file->digests);
	file = record_add_file(record, "1.2!/a.js", 2);
	file_add_name(file, "a.js", "member", NULL);
	file->flags = FILE_ENCRYPTED;
	file->has_crc32 = TRUE;
	file->crc32 = 0x0badcafe;
	file->method = g_strdup("AES-256");
	file->size = 2048;
	g_ptr_array_add(file->readings, g_strdup("last-boundary"));
	g_ptr_array_add(file->malware, g_strdup("Eicar-Test-Signature"));
	record_add_anomaly(record, "duplicate-header", 312);
	record_note_cap(record, CAP_NAMES_NAME);
	return event;
}

Test(ocsf, decode_is_the_inverse_of_encode)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(20261123);

	for (int i = 0; i < 500; i++) {
		g_autoptr(event_t) event = generate_event(rand), back = NULL;
		g_autoptr(GBytes) json = ocsf_encode_event(event, CAP_EVENT_BYTES);
		g_autoptr(GError) error = NULL;
		g_autofree char *before = dump_event(event), *after = NULL;

		back = decode(json, &error);
		cr_assert_not_null(back, "%d: %s", i, error != NULL ? error->message : "");
		after = dump_event(back);
		cr_assert_str_eq(after, before);
	}
}

Test(ocsf, is_one_line_of_utf8)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(5);

	for (int i = 0; i < 100; i++) {
		g_autoptr(event_t) event = generate_event(rand);
		g_autofree char *text = encode_text(event);

		cr_assert_null(strpbrk(text, "\r\n"));
		cr_assert(g_utf8_validate(text, -1, NULL));
	}
}

/* tests/data/event.json is this event, our own version left open. */
Test(ocsf, form_is_the_golden_one)
{
	const char *top = g_getenv("top_srcdir");
	g_autoptr(event_t) event = plain_event();
	g_autofree char *path =
		g_build_filename(top != NULL ? top : ".", "tests/data/event.json", NULL);
	g_autofree char *text = encode_text(event), *golden = NULL;
	g_autoptr(GString) expected = NULL;
	g_autoptr(GError) error = NULL;

	cr_assert(g_file_get_contents(path, &golden, NULL, &error), "%s",
		  error != NULL ? error->message : "");
	expected = g_string_new(g_strchomp(golden));
	g_string_replace(expected, "@VERSION@", PACKAGE_VERSION, 1);
	cr_assert_str_eq(text, expected->str);
}

/* Replaces the first old in the golden event by new and reads it. */
static struct event *
decode_with(const char *old, const char *new, GError **error)
{
	g_autoptr(event_t) event = plain_event();
	g_autofree char *text = encode_text(event), *changed = NULL;
	char *at = strstr(text, old);

	cr_assert_not_null(at, "%s is not in %s", old, text);
	*at = '\0';
	changed = g_strconcat(text, new, at + strlen(old), NULL);
	return ocsf_decode_event(changed, strlen(changed), error);
}

struct change {
	const char *old, *new;
	enum ocsf_error code;
};

Test(ocsf, what_could_not_have_been_written_is_refused)
{
	static const struct change changes[] = {
		{"\"class_uid\":4009", "\"class_uid\":4001", OCSF_ERROR_CLASS},
		{"\"mailtrace\":{", "\"other\":{", OCSF_ERROR_CLASS},
		{"\"version\":1,", "\"version\":2,", OCSF_ERROR_VERSION},
		{"\"version\":1,", "\"version\":\"1\",", OCSF_ERROR_FIELD},
		{"\"version\":1,", "", OCSF_ERROR_FIELD},
		{"{\"metadata\"", "{\"metadata\":{},\"metadata\"", OCSF_ERROR_SYNTAX},
		{"}", "", OCSF_ERROR_SYNTAX},
		{"\"subject\":\"", "\"subject\":\"\\u0000", OCSF_ERROR_SYNTAX},
		{"\"subject\":\"", "\"subject\":\"\xff", OCSF_ERROR_SYNTAX},
		{"\"uid\":\"01a2", "\"uid\":\"01A2", OCSF_ERROR_FIELD},
		{"\"parent_event\":\"0", "\"parent_event\":\"x", OCSF_ERROR_FIELD},
		{"\"parent_event\":", "\"supplements\":\"x\",\"parent_event\":", OCSF_ERROR_FIELD},
		{"\"origin\":\"milter\"", "\"origin\":\"moon\"", OCSF_ERROR_FIELD},
		{"\"direction\":\"inbound\"", "\"direction\":\"up\"", OCSF_ERROR_FIELD},
		{"\"verdict\":\"accept\"", "\"verdict\":1", OCSF_ERROR_FIELD},
		{"\"verdict\":\"accept\"", "\"verdikt\":\"accept\"", OCSF_ERROR_FIELD},
		{"\"received_at_us\":1", "\"received_at_us\":-1", OCSF_ERROR_FIELD},
		{"\"received_at_us\":1", "\"received_at_us\":\"\",\"x\":1", OCSF_ERROR_FIELD},
		{"\"port\":51234,\"name\"", "\"port\":65536,\"name\"", OCSF_ERROR_FIELD},
		{"\"tls\":{", "\"tls\":1,\"x\":{", OCSF_ERROR_FIELD},
		{"\"rcpt\":[", "\"rcpt\":[7,", OCSF_ERROR_FIELD},
		{"\"typed\":\"<root>\",", "", OCSF_ERROR_FIELD},
		{"\"refused\":true", "\"refused\":1", OCSF_ERROR_FIELD},
		{"\"arguments\":[", "\"arguments\":[1,", OCSF_ERROR_FIELD},
		{"\"subject_raw\":\"P", "\"subject_raw\":\"*", OCSF_ERROR_FIELD},
		{"\"date_us\":1", "\"date_us\":991", OCSF_ERROR_FIELD},
		{"\"parent\":\"1.2\"", "\"parent\":\"1.3\"", OCSF_ERROR_FIELD},
		{"\"path\":\"1.2\",\"parent\"", "\"path\":\"1.1\",\"parent\"", OCSF_ERROR_FIELD},
		{"\"path\":\"1\"", "\"path\":\"\"", OCSF_ERROR_FIELD},
		{"\"flags\":[\"body\"]", "\"flags\":[\"bodies\"]", OCSF_ERROR_FIELD},
		{"\"kind\":\"trimmed\"", "\"kind\":\"exact\"", OCSF_ERROR_FIELD},
		{"\"crc32\":\"0", "\"crc32\":\"", OCSF_ERROR_FIELD},
		{"\"md5\":\"", "\"md5\":\"g", OCSF_ERROR_FIELD},
		{"\"sha1\":", "\"sha2\":", OCSF_ERROR_FIELD},
		{"\"offset\":312", "\"offset\":-1", OCSF_ERROR_FIELD},
		{"\"url_string\"", "\"url\"", OCSF_ERROR_FIELD},
		{"\"caps\":[", "\"caps\":[[],", OCSF_ERROR_FIELD},
		{"\"malware\":[\"E", "\"malware\":[null,\"E", OCSF_ERROR_FIELD},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(changes); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(event_t) event = decode_with(changes[i].old, changes[i].new, &error);

		cr_assert_null(event, "%s", changes[i].new);
		cr_assert(g_error_matches(error, OCSF_ERROR, (int)changes[i].code), "%s: %s",
			  changes[i].new, error->message);
	}
}

Test(ocsf, unknown_members_are_ignored)
{
	g_autoptr(event_t) plain = plain_event(), event = NULL;
	g_autofree char *before = dump_event(plain), *after = NULL;

	event = decode_with("\"origin\":", "\"later\":{\"a\":[1]},\"origin\":", NULL);
	cr_assert_not_null(event);
	after = dump_event(event);
	cr_assert_str_eq(after, before);
}

Test(ocsf, longer_than_an_event_is_refused)
{
	g_autofree char *text = g_strnfill(CAP_EVENT_BYTES + 1, ' ');
	g_autoptr(GError) error = NULL;

	cr_assert_null(ocsf_decode_event(text, CAP_EVENT_BYTES + 1, &error));
	cr_assert(g_error_matches(error, OCSF_ERROR, OCSF_ERROR_SYNTAX));
}

Test(ocsf, nested_without_end_is_refused)
{
	g_autofree char *text = g_strnfill(CAP_EVENT_BYTES, '[');
	g_autoptr(GError) error = NULL;

	cr_assert_null(ocsf_decode_event(text, CAP_EVENT_BYTES, &error));
	cr_assert(g_error_matches(error, OCSF_ERROR, OCSF_ERROR_SYNTAX));
}

/* ---- OCSF's own types ---- */

struct address_case {
	const char *address;
	gboolean conforms;
};

Test(ocsf, envelope_has_what_ocsf_takes_and_rcpt_has_all)
{
	static const struct address_case cases[] = {
		{"a@b.example", TRUE},	  {"a+b.c@d-e.example.org", TRUE},
		{"root", FALSE},	  {"user@localhost", FALSE},
		{"山@b.example", FALSE},  {"", FALSE},
		{"a@.example", FALSE},	  {"@b.example", FALSE},
		{"a b@c.example", FALSE}, {"a@b.", FALSE},
		{"a@b@c.example", FALSE}, {"a,b@c.example", TRUE},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(event_t) event = plain_event(), back = NULL;
		g_autoptr(GBytes) json = NULL;
		g_autofree char *text = NULL, *to = NULL;

		g_ptr_array_set_size(event->recipients, 0);
		g_ptr_array_add(event->recipients, envelope_address_new(cases[i].address));
		to = g_strdup_printf("\"to\":[\"%s\"],\"src_endpoint\"", cases[i].address);
		text = encode_text(event);
		cr_assert_eq(strstr(text, to) != NULL, cases[i].conforms, "%s", cases[i].address);
		json = ocsf_encode_event(event, CAP_EVENT_BYTES);
		back = decode(json, NULL);
		cr_assert_str_eq(((struct envelope_address *)back->recipients->pdata[0])->typed,
				 cases[i].address);
	}
}

Test(ocsf, refused_recipients_are_not_among_those_who_received)
{
	g_autoptr(event_t) event = plain_event();
	g_autofree char *text = encode_text(event);

	cr_assert_not_null(strstr(text, "\"to\":[\"u1@example.org\"],\"src_endpoint\""));
	cr_assert_not_null(strstr(text, "\"address\":\"u3@example.org\",\"refused\":true"));
}

struct verdict_case {
	enum verdict verdict;
	const char *ids;
};

Test(ocsf, verdict_is_ocsf_action_and_disposition)
{
	static const struct verdict_case cases[] = {
		{VERDICT_ACCEPT, "\"action_id\":1,\"disposition_id\":17,"},
		{VERDICT_HOLD, "\"action_id\":2,\"disposition_id\":3,"},
		{VERDICT_TEMPFAIL, "\"action_id\":2,\"disposition_id\":14,"},
		{VERDICT_REJECT, "\"action_id\":2,\"disposition_id\":25,"},
		{VERDICT_DISCARD, "\"action_id\":2,\"disposition_id\":6,"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(event_t) event = plain_event();
		g_autofree char *text = NULL;

		event->verdict = cases[i].verdict;
		text = encode_text(event);
		cr_assert_not_null(strstr(text, cases[i].ids), "%s", cases[i].ids);
	}
}

Test(ocsf, extension_is_what_people_call_one)
{
	static const char *const names[][2] = {
		{"a.tar.GZ", "\"ext\":\"gz\""},
		{"a.abcdefghijklmnop", "\"ext\":\"abcdefghijklmnop\""},
		{"a.abcdefghijklmnopq", NULL},
		{"no", NULL},
		{"a.", NULL},
		{"a.b c", NULL},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(event_t) event = event_new();
		g_autofree char *text = NULL;

		event->event_id = event_id_of("", 0);
		event->origin = g_strdup("milter");
		file_add_name(record_add_file(event->record, "1", -1), names[i][0], "name", NULL);
		text = encode_text(event);
		cr_assert_not_null(strstr(text, names[i][1] != NULL ? names[i][1] : names[i][0]));
		cr_assert_eq(strstr(text, "\"ext\"") != NULL, names[i][1] != NULL);
	}
}

Test(ocsf, mail_without_addresses_has_an_empty_to)
{
	g_autoptr(event_t) event = plain_event();
	g_autofree char *text = NULL;

	g_ptr_array_set_size(event->record->from, 0);
	g_ptr_array_set_size(event->record->to, 0);
	text = encode_text(event);
	cr_assert_not_null(strstr(text, "\"email\":{\"to\":[],"));
}

/* ---- the bound ---- */

static struct event *
long_event(void)
{
	struct event *event = plain_event();

	for (int i = 0; i < 300; i++) {
		g_autofree char *path = g_strdup_printf("1.2!/%d", i);

		record_add_file(event->record, path, 2);
		g_ptr_array_add(event->record->urls, g_strnfill(100, 'u'));
	}
	for (int i = 0; i < 300; i++) {
		struct envelope_address *address = envelope_address_new("<u@example.org>");

		g_ptr_array_add(address->arguments, g_strnfill(50, 'x'));
		g_ptr_array_add(event->recipients, address);
	}
	return event;
}

static gboolean
says_it_was_cut(const struct event *event)
{
	return g_ptr_array_find_with_equal_func(event->record->caps, CAP_EVENT_BYTES_NAME,
						g_str_equal, NULL);
}

Test(ocsf, of_any_length_is_within_the_bound_and_readable)
{
	g_autoptr(event_t) event = long_event();
	g_autoptr(GBytes) whole = ocsf_encode_event(event, CAP_EVENT_BYTES);
	gsize size = g_bytes_get_size(whole);

	for (gsize bound = 6000; bound <= size + 1; bound += 1000) {
		g_autoptr(GBytes) json = ocsf_encode_event(event, bound);
		g_autoptr(GError) error = NULL;
		g_autoptr(event_t) back = decode(json, &error);

		cr_assert_leq(g_bytes_get_size(json), bound);
		cr_assert_not_null(back, "%s", error != NULL ? error->message : "");
		cr_assert_eq(says_it_was_cut(back), bound < size);
	}
}

Test(ocsf, files_go_first_and_recipients_last)
{
	g_autoptr(event_t) event = long_event();
	g_autoptr(GBytes) whole = ocsf_encode_event(event, CAP_EVENT_BYTES);
	guint files = event->record->files->len, urls = event->record->urls->len;
	gboolean without_arguments = FALSE;

	for (gsize bound = g_bytes_get_size(whole) - 1; bound > 40000; bound -= 1000) {
		g_autoptr(GBytes) json = ocsf_encode_event(event, bound);
		g_autoptr(event_t) back = decode(json, NULL);
		struct envelope_address *last;

		cr_assert_eq(back->recipients->len, event->recipients->len);
		last = g_ptr_array_index(back->recipients, back->recipients->len - 1);
		if (back->record->urls->len < urls)
			cr_assert_eq(back->record->files->len, 0);
		else
			cr_assert_lt(back->record->files->len, files);
		if (last->arguments->len == 0)
			cr_assert_eq(back->record->urls->len, 0);
		without_arguments |= last->arguments->len == 0;
	}
	cr_assert(without_arguments);
}

Test(ocsf, parents_of_files_left_out_are_incomplete)
{
	g_autoptr(event_t) event = long_event(), back = NULL;
	g_autoptr(GBytes) whole = ocsf_encode_event(event, CAP_EVENT_BYTES), json = NULL;
	struct file *archive;

	json = ocsf_encode_event(event, g_bytes_get_size(whole) - 1);
	back = decode(json, NULL);
	archive = g_ptr_array_index(back->record->files, 2);
	cr_assert_str_eq(archive->path, "1.2");
	cr_assert(archive->flags & FILE_INCOMPLETE);
	cr_assert_gt(back->record->files->len, 300);
}

Test(ocsf, ten_thousand_long_recipients_are_within_the_bound)
{
	g_autoptr(event_t) event = plain_event(), back = NULL;
	g_autofree char *local = g_strnfill(CAP_ADDRESS_BYTES - 16, 'x');
	g_autofree char *typed = g_strdup_printf("<%s@b.example>", local);
	g_autoptr(GBytes) json = NULL;

	while (event->recipients->len < CAP_RECIPIENTS)
		g_ptr_array_add(event->recipients, envelope_address_new(typed));
	json = ocsf_encode_event(event, CAP_EVENT_BYTES);
	cr_assert_leq(g_bytes_get_size(json), CAP_EVENT_BYTES);
	back = decode(json, NULL);
	cr_assert_gt(back->recipients->len, 1900);
	cr_assert(says_it_was_cut(back));
}

/* ---- identity ---- */

Test(ocsf, identity_is_stamped_over_no_claim_and_over_the_same)
{
	g_autoptr(event_t) event = plain_event();

	g_free(g_steal_pointer(&event->tenant));
	cr_assert(ocsf_stamp_identity(event, "mx1", "example", NULL));
	cr_assert_str_eq(event->sensor, "mx1");
	cr_assert_str_eq(event->tenant, "example");
}

Test(ocsf, claim_of_another_sensor_or_tenant_is_refused)
{
	g_autoptr(event_t) event = plain_event();
	g_autoptr(GError) sensor = NULL, tenant = NULL;

	cr_assert_not(ocsf_stamp_identity(event, "mx2", "example", &sensor));
	cr_assert(g_error_matches(sensor, OCSF_ERROR, OCSF_ERROR_FIELD));
	cr_assert_not(ocsf_stamp_identity(event, "mx1", "other", &tenant));
	cr_assert(g_error_matches(tenant, OCSF_ERROR, OCSF_ERROR_FIELD));
	cr_assert_str_eq(event->sensor, "mx1");
	cr_assert_str_eq(event->tenant, "example");
}
