/* SPDX-License-Identifier: BSD-2-Clause */
#include "event_text.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "generate.h"

static char *
shown(const struct event *event, enum out_format format)
{
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);
	struct out *out = out_new(stream, format, TRUE);

	event_text(out, event);
	cr_assert(out_free(out));
	fclose(stream);
	return text;
}

Test(event_text, any_event_is_harmless_and_whole_lines)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(11);

	for (guint i = 0; i < 300; i++) {
		g_autoptr(event_t) event = generate_event(rand);
		char *text = shown(event, OUT_TABLE);

		cr_assert(g_utf8_validate(text, -1, NULL));
		for (const char *at = text; *at; at = g_utf8_next_char(at))
			cr_assert(*at == '\n' || !g_unichar_iscntrl(g_utf8_get_char(at)));
		cr_assert_not_null(strstr(text, event->event_id));
		free(text);
	}
}

Test(event_text, programs_get_none_of_it)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(12);
	g_autoptr(event_t) event = generate_event(rand);
	char *json = shown(event, OUT_JSON);

	cr_assert_str_empty(json);
	free(json);
}

/* An event with every kind of fact, by hand. */
static struct event *
full_event(void)
{
	struct event *event = event_new();
	struct envelope_address *refused = envelope_address_new("<u2@example.org>");
	struct file *mixed, *body, *zip;

	event->event_id = g_strdup("01900000-0000-7000-8000-000000000001");
	event->parent_event = g_strdup("01900000-0000-7000-8000-000000000000");
	event->received_at_us = G_GINT64_CONSTANT(1795395600000000);
	event->tenant = g_strdup("default");
	event->sensor = g_strdup("mx1");
	event->queue_id = g_strdup("4Xyz");
	event->origin = g_strdup("milter");
	event->direction = DIRECTION_INBOUND;
	event->verdict = VERDICT_HOLD;
	event->verdict_reason = g_strdup("unread");
	event->client.ip = g_strdup("192.0.2.1");
	event->client.name = g_strdup("mx.example.net");
	event->client.helo = g_strdup("mx");
	event->client.tls_version = g_strdup("TLSv1.3");
	event->client.sasl_user = g_strdup("taro");
	event->sender = envelope_address_new("<>");
	g_ptr_array_add(event->sender->arguments, g_strdup("SIZE=100"));
	refused->refused = TRUE;
	g_ptr_array_add(event->recipients, envelope_address_new("<u1@example.org>"));
	g_ptr_array_add(event->recipients, refused);
	event->record->subject = g_strdup("請求書");
	mail_address_add(event->record->from, "Taro", "taro@example.net");
	mail_address_add(event->record->to, NULL, "list@example.org");
	g_ptr_array_add(event->record->urls, g_strdup("https://example.net/"));
	mixed = record_add_file(event->record, "0", -1);
	mixed->flags = FILE_MULTIPART;
	mixed->declared_type = g_strdup("multipart/mixed");
	body = record_add_file(event->record, "1", 0);
	body->flags = FILE_BODY;
	body->declared_type = g_strdup("text/plain");
	zip = record_add_file(event->record, "2", 0);
	zip->flags = FILE_ENCRYPTED;
	file_add_name(zip, "invoice.zip", "filename", NULL);
	file_add_name(zip, "other.zip", "name", NULL);
	zip->has_crc32 = TRUE;
	zip->crc32 = 0xabc;
	g_ptr_array_add(zip->malware, g_strdup("Eicar"));
	record_note_cap(event->record, "parts");
	return event;
}

Test(event_text, every_fact_has_its_line)
{
	static const char *const lines[] = {
		"\nAfter        01900000-0000-7000-8000-000000000000\n",
		"\nReceived     2026-11-23 01:00:00 +0000\n",
		"\nQueue id     4Xyz\n",
		"\nDirection    inbound\n",
		"\nVerdict      hold: unread\n",
		"\nClient       192.0.2.1 (mx.example.net) HELO mx, TLSv1.3 , authenticated as taro\n",
		"\nSender       <> SIZE=100\n",
		"\nRecipients   <u1@example.org>\n             <u2@example.org> (refused)\n",
		"\nSubject      請求書\n",
		"\nFrom         Taro <taro@example.net>\n",
		"\nTo           list@example.org\n",
		"\nLink         https://example.net/\n",
		"\nCap met      parts\n",
		"\n  0  multipart/mixed [multipart]\n",
		"\n    1  text/plain, 0 bytes [body]\n",
		"\n    2  invoice.zip, type unknown, 0 bytes [encrypted]\n",
		"\n        also named other.zip (name)\n",
		"\n        malware Eicar\n",
		"\n        crc32   00000abc\n",
	};
	g_autoptr(event_t) event = full_event();
	char *text = shown(event, OUT_TABLE);

	for (guint i = 0; i < G_N_ELEMENTS(lines); i++)
		cr_assert_not_null(strstr(text, lines[i]), "no line%s in:\n%s", lines[i], text);
	free(text);
}

static char *
line_of(const struct delivery *delivery)
{
	struct out *out = out_new(stdout, OUT_TABLE, TRUE);
	char *line = delivery_line(out, delivery);

	cr_assert(out_free(out));
	return line;
}

Test(event_text, delivery_tells_what_is_known_and_no_more)
{
	struct delivery delivery = {
		.log_host = (char *)"mx1",
		.queue_id = (char *)"4X",
		.time_us = G_GINT64_CONSTANT(1795395600000000),
		.kind = DELIVERY_DONE,
	};
	g_autofree char *bare = line_of(&delivery);
	g_autofree char *full = NULL;

	cr_expect(g_str_has_suffix(bare, "  mx1/4X  done"), "%s", bare);
	delivery.kind = DELIVERY_SENT;
	delivery.recipient = (char *)"bob@s.example";
	delivery.original = (char *)"team@s.example";
	delivery.relay = (char *)"127.0.0.1[127.0.0.1]:25";
	delivery.dsn = (char *)"2.0.0";
	delivery.detail = (char *)"250 2.0.0 Ok";
	delivery.next_queue_id = (char *)"5Y";
	full = line_of(&delivery);
	cr_expect(g_str_has_suffix(full, "  mx1/4X  sent  bob@s.example (for team@s.example) via "
					 "127.0.0.1[127.0.0.1]:25, 2.0.0, 250 2.0.0 Ok, next "
					 "queue id 5Y"),
		  "%s", full);
	cr_expect(strstr(full, "2026-11-"), "%s", full);
}

Test(event_text, members_stand_below_their_archive)
{
	static const struct {
		const char *path;
		int parent;
	} files[] = {
		{"2", 0}, {"3", 0}, {"2!/a", 1}, {"3!/b", 2}, {"2!/a!/c", 3}, {"2!/d", 1},
	};
	static const char *const order[] = {"\n    2  ",	   "\n      2!/a  ",
					    "\n        2!/a!/c  ", "\n      2!/d  ",
					    "\n    3  ",	   "\n      3!/b  "};
	g_autoptr(event_t) event = event_new();
	const char *at;
	char *text;

	record_add_file(event->record, "0", -1);
	for (guint i = 0; i < G_N_ELEMENTS(files); i++)
		record_add_file(event->record, files[i].path, files[i].parent);
	at = text = shown(event, OUT_TABLE);
	for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
		at = strstr(at, order[i]);
		cr_assert_not_null(at, "no%s in its place in:\n%s", order[i], text);
	}
	free(text);
}
