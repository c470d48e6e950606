/* SPDX-License-Identifier: BSD-2-Clause */
#include "reader.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

static struct reader *
opened(void)
{
	const char *build = g_getenv("top_builddir");
	g_autofree char *scanner = g_build_filename(build ? build : ".", "milter", "scanner", NULL);
	static const char text[] = "[scanner]\ntemp_directory =\n";
	g_autoptr(settings_t) settings = settings_parse("x.conf", text, strlen(text), NULL);
	g_autoptr(GError) error = NULL;
	struct reader *reader = reader_open(scanner, settings, &error);

	cr_assert_not_null(reader, "%s", error ? error->message : "");
	return reader;
}

static struct event *
read_text(struct reader *reader, const char *text, const struct reader_envelope *envelope)
{
	g_autoptr(GError) error = NULL;
	struct event *event = reader_read(reader, text, strlen(text), envelope, &error);

	cr_assert_not_null(event, "%s", error ? error->message : "");
	return event;
}

static const char *
recipient(const struct event *event, guint i)
{
	cr_assert_lt(i, event->recipients->len);
	return ((struct envelope_address *)g_ptr_array_index(event->recipients, i))->address;
}

static const char *const mail = "From: a@example.net\r\n"
				"To: u1@example.org, U2 <u2@example.org>\r\n"
				"Date: Mon, 23 Nov 2026 10:00:00 +0900\r\n"
				"Message-ID: <1@example.net>\r\n"
				"\r\n"
				"hello\r\n";

Test(reader, recipients_are_given_or_of_the_mailbox_or_of_to)
{
	static const char *const given[] = {"x@example.org", "y@example.org", NULL};
	const struct reader_envelope of_fields = {.tenant = "a", .sensor = "import"};
	const struct reader_envelope of_option = {
		.tenant = "a", .sensor = "import", .recipients = given};
	const struct reader_envelope of_none = {
		.tenant = "a", .sensor = "import", .without_recipients = TRUE};
	g_autofree char *boxed = g_strconcat("Delivered-To: box@example.org\r\n", mail, NULL);
	g_autofree char *original = g_strconcat("X-Original-To: alias@example.org\r\n", mail, NULL);
	g_autofree char *postfix = g_strconcat("X-Original-To: list@example.org\r\n", boxed, NULL);
	g_autoptr(reader_t) reader = opened();
	g_autoptr(event_t) to = read_text(reader, mail, &of_fields);
	g_autoptr(event_t) listed = read_text(reader, postfix, &of_fields);
	g_autoptr(event_t) box = read_text(reader, boxed, &of_fields);
	g_autoptr(event_t) alias = read_text(reader, original, &of_fields);
	g_autoptr(event_t) option = read_text(reader, boxed, &of_option);
	g_autoptr(event_t) none = read_text(reader, boxed, &of_none);

	cr_assert_eq(to->recipients->len, 2);
	cr_assert_str_eq(recipient(to, 1), "u2@example.org");
	cr_assert_eq(box->recipients->len, 1);
	cr_assert_str_eq(recipient(box, 0), "box@example.org");
	cr_assert_str_eq(recipient(alias, 0), "alias@example.org");
	cr_assert_str_eq(recipient(listed, 0), "box@example.org");
	cr_assert_eq(option->recipients->len, 2);
	cr_assert_str_eq(recipient(option, 0), "x@example.org");
	cr_assert_eq(none->recipients->len, 0);
}

Test(reader, id_is_of_tenant_content_and_set_of_recipients)
{
	static const char *const one[] = {"x@example.org", "y@example.org", NULL};
	static const char *const turned[] = {"y@example.org", "x@example.org", NULL};
	static const char *const fewer[] = {"x@example.org", NULL};
	struct reader_envelope envelope = {.tenant = "a", .sensor = "import", .recipients = one};
	g_autofree char *moved = g_strconcat("Received: from x by y; now\r\n", mail, NULL);
	g_autofree char *changed = g_strconcat(mail, "more\r\n", NULL);
	g_autoptr(reader_t) reader = opened();
	g_autoptr(event_t) first = read_text(reader, mail, &envelope);
	g_autoptr(event_t) same = read_text(reader, moved, &envelope);
	g_autoptr(event_t) other = read_text(reader, changed, &envelope);
	g_autoptr(event_t) order = NULL, less = NULL, tenant = NULL;

	envelope.recipients = turned;
	order = read_text(reader, mail, &envelope);
	envelope.recipients = fewer;
	less = read_text(reader, mail, &envelope);
	envelope.recipients = one;
	envelope.tenant = "b";
	tenant = read_text(reader, mail, &envelope);
	cr_assert(event_id_is_valid(first->event_id));
	cr_assert_str_eq(same->event_id, first->event_id, "trace fields do not count");
	cr_assert_str_eq(order->event_id, first->event_id, "the order does not count");
	cr_assert_str_neq(other->event_id, first->event_id);
	cr_assert_str_neq(less->event_id, first->event_id);
	cr_assert_str_neq(tenant->event_id, first->event_id);
}

Test(reader, time_is_of_the_mailbox_then_of_date_then_of_the_file)
{
	struct reader_envelope envelope = {
		.tenant = "a", .sensor = "import", .received_at_us = 5, .fallback_us = 7};
	g_autoptr(reader_t) reader = opened();
	g_autoptr(event_t) box = read_text(reader, mail, &envelope);
	g_autoptr(event_t) date = NULL, file = NULL;

	envelope.received_at_us = 0;
	date = read_text(reader, mail, &envelope);
	file = read_text(reader, "Subject: undated\r\n\r\n", &envelope);
	cr_assert_eq(box->received_at_us, 5);
	cr_assert_eq(date->received_at_us, G_GINT64_CONSTANT(1795395600) * G_USEC_PER_SEC);
	cr_assert_eq(file->received_at_us, 7);
}

Test(reader, what_it_gives_is_an_import)
{
	const struct reader_envelope envelope = {.tenant = "a", .sensor = "archive"};
	g_autoptr(reader_t) reader = opened();
	g_autoptr(event_t) event = read_text(reader, mail, &envelope);

	cr_assert_str_eq(event->origin, "import");
	cr_assert_str_eq(event->tenant, "a");
	cr_assert_str_eq(event->sensor, "archive");
	cr_assert_null(event->sender);
	cr_assert_null(event->unread);
}

Test(reader, empty_message_is_read)
{
	const struct reader_envelope envelope = {.tenant = "a", .sensor = "import"};
	g_autoptr(reader_t) reader = opened();
	g_autoptr(event_t) event = read_text(reader, "", &envelope);

	cr_assert_eq(event->recipients->len, 0);
}

Test(reader, scanner_ends_with_it)
{
	reader_close(opened());
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1);
	cr_assert_eq(errno, ECHILD);
	reader_close(NULL);
}
