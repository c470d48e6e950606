/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a connection, without a socket: a real spool in a temporary
 * directory, the real scanner program with its sandboxed workers.
 */
#include <criterion/criterion.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caps.h"
#include "keys.h"
#include "ocsf.h"
#include "ocsf_delivery.h"
#include "session.h"
#include "trace_id.h"

#define OUTSIDE "203.0.113.5" /* documentation networks: RFC 5737 */
#define INSIDE "192.0.2.1"
#define HOP "198.51.100.7"
#define PROBE "198.51.100.200"
#define EARLIER "01936f3e-8c00-7abc-8def-0123456789ab"

/* sha256 of "hello\n" */
#define HELLO_SHA256 "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

static struct {
	char *directory;
	guint8 key[SITE_KEY_BYTES];
	struct settings *settings;
	struct spool *spool;
	struct scanner_client *scanner;
	GPid scanner_pid;
	struct engine *engine;
	GHashTable *macros;
	guint64 read; /* number of the last event that was read */
} site;

static const char *
macro(void *mta, const char *name)
{
	return g_hash_table_lookup(mta, name);
}

static void
set_macro(const char *name, const char *value)
{
	if (value)
		g_hash_table_insert(site.macros, (gpointer)name, (gpointer)value);
	else
		g_hash_table_remove(site.macros, name);
}

/* ---- a site ---- */

static void
make_directory(void)
{
	g_autofree char *key_path = NULL, *spool_path = NULL;
	g_autoptr(GError) error = NULL;

	site.directory = g_dir_make_tmp("test-session-XXXXXX", NULL);
	cr_assert(site.directory);
	key_path = g_build_filename(site.directory, "site.key", NULL);
	spool_path = g_build_filename(site.directory, "spool", NULL);
	cr_assert(site_key_write(key_path, &error), "%s", error ? error->message : "");
	cr_assert(site_key_read(key_path, site.key, &error));
	cr_assert_eq(g_mkdir(spool_path, 0700), 0);
	site.macros = g_hash_table_new(g_str_hash, g_str_equal);
}

/* extra: more lines of configuration, with their groups. */
static void
read_settings(const char *extra)
{
	g_autofree char *text =
		g_strdup_printf("[site]\n"
				"sensor = mx1\n"
				"tenant = example\n"
				"local_domains = example.org\n"
				"local_networks = 192.0.2.0/24\n"
				"trusted_hops = " HOP "\n"
				"site_key = %s/site.key\n"
				"[spool]\n"
				"directory = %s/spool\n"
				"[milter]\n"
				"temp_directory = %s\n"
				"exempt_networks = " PROBE "\n"
				"%s",
				site.directory, site.directory, site.directory, extra);
	g_autoptr(GError) error = NULL;

	site.settings = settings_parse("test.conf", text, strlen(text), &error);
	cr_assert(site.settings, "%s", error ? error->message : "");
}

static void
open_engine(guint64 spool_bytes)
{
	g_autoptr(GError) error = NULL;

	site.spool = spool_open(site.settings->spool_directory, spool_bytes, &error);
	cr_assert(site.spool, "%s", error ? error->message : "");
	site.engine = engine_new(site.settings, site.spool, site.scanner, &error);
	cr_assert(site.engine, "%s", error ? error->message : "");
}

/* A site whose scanner has not come up. */
static void
open_site_without_scanner(const char *extra, guint64 spool_bytes)
{
	make_directory();
	read_settings(extra);
	site.scanner = scanner_client_new();
	open_engine(spool_bytes);
}

/* The scanner is forked before the spool starts its thread. */
static void
open_site(const char *extra)
{
	const char *build = g_getenv("top_builddir");
	g_autofree char *path = g_build_filename(build ? build : ".", "milter", "scanner", NULL);
	g_autoptr(GError) error = NULL;
	int control_fd;

	make_directory();
	read_settings(extra);
	control_fd = scanner_spawn(path, &(struct scanner_options){.workers = 1}, &site.scanner_pid,
				   &error);
	cr_assert(control_fd >= 0, "%s", error ? error->message : "");
	site.scanner = scanner_client_new();
	scanner_client_attach(site.scanner, control_fd);
	open_engine(0);
}

static void
remove_tree(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *below = g_build_filename(path, name, NULL);

		remove_tree(below);
	}
	cr_expect_eq(g_remove(path), 0, "%s", path);
}

/* Whatever a test did, all bytes and places were given back. */
static void
close_site(void)
{
	cr_expect_eq(engine_connections(site.engine), 0);
	cr_expect(engine_take_bytes(site.engine, 1, 1), "memory was given back");
	cr_expect(engine_take_file_bytes(site.engine, ENGINE_FILE_FACTOR, 1), "and files");
	engine_free(site.engine);
	scanner_client_free(site.scanner);
	if (site.scanner_pid > 0)
		cr_expect_eq(waitpid(site.scanner_pid, NULL, 0), site.scanner_pid);
	spool_close(site.spool);
	settings_unref(site.settings);
	g_hash_table_unref(site.macros);
	remove_tree(site.directory);
	g_free(site.directory);
}

/* ---- what an MTA says ---- */

static struct session *
connect_from(const char *ip)
{
	struct session *session = session_new(site.engine, macro);

	cr_assert(session);
	set_macro("j", "mx1.example.org");
	set_macro("v", "Postfix 3.7");
	session_set_abilities(session, TRUE, TRUE);
	session_connect(session, site.macros, "client.example.com", ip, 4025);
	session_helo(session, site.macros, "helo.example.com");
	return session;
}

static void
mail_from(struct session *session, const char *typed)
{
	char *argv[] = {(char *)typed, (char *)"SIZE=100", (char *)"BODY=8BITMIME", NULL};

	session_mail(session, site.macros, argv);
}

static void
rcpt_to(struct session *session, const char *typed)
{
	char *argv[] = {(char *)typed, NULL};

	session_rcpt(session, site.macros, argv);
}

/* The envelope up to the header. */
static void
envelope(struct session *session, const char *rcpt)
{
	mail_from(session, "<a@example.com>");
	rcpt_to(session, rcpt);
	set_macro("i", "4Q1");
	session_data(session, site.macros);
	session_header(session, "Subject", " Hello");
	session_header(session, "Message-ID", " <1@example.com>");
}

static void
hello_body(struct session *session)
{
	session_end_of_header(session);
	session_body(session, "hel", 3);
	session_body(session, "lo\n", 3);
}

/* The outcome is cleared by the caller. */
static struct session_outcome
end_message(struct session *session)
{
	struct session_outcome outcome = {0};

	session_end_of_message(session, site.macros, &outcome);
	cr_assert_not_null(outcome.changes);
	return outcome;
}

static void
finish_message(struct session *session, enum verdict verdict)
{
	struct session_outcome outcome = end_message(session);

	cr_assert_eq(outcome.decision.verdict, verdict, "%s", outcome.decision.rule);
	session_outcome_clear(&outcome);
}

/* Returns the next event of the spool, or NULL. */
static struct event *
next_event(void)
{
	g_autoptr(GError) error = NULL;
	guint64 first = 0;
	GPtrArray *events = spool_read(site.spool, site.read, 1, CAP_EVENT_BYTES, &first, &error);
	struct event *event = NULL;
	gsize length;

	cr_assert(events, "%s", error ? error->message : "");
	if (events->len > 0) {
		const void *json = g_bytes_get_data(events->pdata[0], &length);

		event = ocsf_decode_event(json, length, &error);
		cr_assert(event, "%s", error ? error->message : "");
		site.read = first;
	}
	g_ptr_array_unref(events);
	return event;
}

static gboolean
has_cap(const struct event *event, const char *name)
{
	return g_ptr_array_find_with_equal_func(event->record->caps, name, g_str_equal, NULL);
}

/* ---- what is recorded ---- */

Test(session, records_envelope_client_and_files_before_it_answers)
{
	struct session *session;
	g_autofree char *sha256 = NULL;
	gint64 before_us = g_get_real_time();

	open_site("");
	set_macro("{tls_version}", "TLSv1.3");
	set_macro("{cipher}", "TLS_AES_256_GCM_SHA384");
	set_macro("{cipher_bits}", "256");
	set_macro("{auth_authen}", "taro");
	set_macro("{auth_type}", "PLAIN");
	session = connect_from(OUTSIDE);
	envelope(session, "<b@example.org>");
	hello_body(session);
	finish_message(session, VERDICT_ACCEPT);
	{
		g_autoptr(event_t) event = next_event();
		const struct envelope_address *rcpt;

		cr_assert(event, "the event is there when the session returns");
		rcpt = event->recipients->pdata[0];
		cr_assert(event_id_is_valid(event->event_id));
		cr_assert_str_eq(event->queue_id, "4Q1");
		cr_assert_str_eq(event->host, "mx1.example.org");
		cr_assert_str_eq(event->mta, "Postfix 3.7");
		cr_assert_str_eq(event->sensor, "mx1");
		cr_assert_str_eq(event->tenant, "example");
		cr_assert_str_eq(event->sender->typed, "<a@example.com>");
		cr_assert_str_eq(event->sender->arguments->pdata[1], "BODY=8BITMIME");
		cr_assert_eq(event->recipients->len, 1);
		cr_assert_str_eq(rcpt->address, "b@example.org");
		cr_assert_str_eq(event->client.ip, OUTSIDE);
		cr_assert_eq(event->client.port, 4025);
		cr_assert_str_eq(event->client.name, "client.example.com");
		cr_assert_str_eq(event->client.helo, "helo.example.com");
		cr_assert_str_eq(event->client.tls_version, "TLSv1.3");
		cr_assert_eq(event->client.tls_bits, 256);
		cr_assert_str_eq(event->client.sasl_user, "taro");
		cr_assert_eq(event->direction, DIRECTION_INTERNAL);
		cr_assert_geq(event->received_at_us, before_us);
		cr_assert_leq(event->received_at_us, g_get_real_time());
		cr_assert_null(event->unread);
		cr_assert_str_eq(event->record->subject, "Hello");
		cr_assert_str_eq(event->record->message_id, "<1@example.com>");
		sha256 = hex_encode(((struct file *)event->record->files->pdata[0])->digests.sha256,
				    SHA256_BYTES);
		cr_assert_str_eq(sha256, HELLO_SHA256);
	}
	session_free(session);
	close_site();
}

Test(session, messages_of_one_connection_share_nothing_but_the_client)
{
	struct session *session;

	open_site("");
	session = connect_from(OUTSIDE);
	envelope(session, "<b@example.org>");
	rcpt_to(session, "<c@example.org>");
	hello_body(session);
	finish_message(session, VERDICT_ACCEPT);
	mail_from(session, "<>");
	set_macro("i", "4Q2");
	rcpt_to(session, "<d@example.org>");
	session_end_of_header(session);
	finish_message(session, VERDICT_ACCEPT);
	{
		g_autoptr(event_t) first = next_event();
		g_autoptr(event_t) second = next_event();

		cr_assert(first && second);
		cr_assert_str_neq(first->event_id, second->event_id);
		cr_assert_eq(first->recipients->len, 2);
		cr_assert_eq(second->recipients->len, 1);
		cr_assert_str_eq(second->queue_id, "4Q2");
		cr_assert_str_eq(second->sender->typed, "<>");
		cr_assert_str_eq(second->sender->address, "");
		cr_assert_null(second->record->subject);
		cr_assert_str_eq(second->client.helo, "helo.example.com");
	}
	session_free(session);
	close_site();
}

/* Goes so far and no further: 0 MAIL, 1 RCPT, 2 header, 3 body. */
static void
go_to_stage(struct session *session, guint stage)
{
	mail_from(session, "<a@example.com>");
	if (stage >= 1)
		rcpt_to(session, "<b@example.org>");
	if (stage >= 2)
		session_header(session, "Subject", " given up");
	if (stage >= 3)
		session_body(session, "body", 4);
}

Test(session, leaves_nothing_of_a_message_that_was_given_up_at_any_stage)
{
	struct session *session;

	open_site("");
	session = connect_from(OUTSIDE);
	for (guint stage = 0; stage < 4; stage++) {
		go_to_stage(session, stage);
		session_abort(session);
		go_to_stage(session, stage); /* a new MAIL without an abort drops it as well */
	}
	session_abort(session);
	session_abort(session);
	cr_assert_eq(engine_counted(site.engine, COUNT_ABORTED), 5);
	envelope(session, "<b@example.org>");
	hello_body(session);
	finish_message(session, VERDICT_ACCEPT);
	{
		g_autoptr(event_t) only = next_event();
		g_autoptr(event_t) none = next_event();

		cr_assert(only && !none);
		cr_assert_eq(only->recipients->len, 1);
		cr_assert_str_eq(only->record->subject, "Hello");
	}
	go_to_stage(session, 3);
	session_free(session); /* a disconnect in the middle */
	close_site();
}

Test(session, reads_the_queue_id_as_late_as_the_mta_has_it)
{
	struct session *session;

	open_site("");
	session = connect_from(OUTSIDE);
	set_macro("i", NULL);
	mail_from(session, "<a@example.com>");
	rcpt_to(session, "<b@example.org>");
	session_data(session, site.macros);
	hello_body(session);
	set_macro("i", "4LATE");
	finish_message(session, VERDICT_ACCEPT);
	{
		g_autoptr(event_t) event = next_event();

		cr_assert_str_eq(event->queue_id, "4LATE");
	}
	session_free(session);
	close_site();
}

Test(session, marks_recipients_that_were_refused)
{
	struct session *session;

	open_site("");
	session = connect_from(OUTSIDE);
	mail_from(session, "<a@example.com>");
	set_macro("{rcpt_mailer}", "local");
	rcpt_to(session, "<b@example.org>");
	set_macro("{rcpt_mailer}", "error");
	rcpt_to(session, "<nobody@example.org>");
	session_header(session, "Subject", " x");
	hello_body(session);
	finish_message(session, VERDICT_ACCEPT);
	{
		g_autoptr(event_t) event = next_event();

		cr_assert_eq(event->recipients->len, 2);
		cr_assert_not(((struct envelope_address *)event->recipients->pdata[0])->refused);
		cr_assert(((struct envelope_address *)event->recipients->pdata[1])->refused);
	}
	session_free(session);
	close_site();
}

/* Expects the mark of an exempt message next, which has nothing but this queue id. */
static void
expect_mark(const char *queue_id)
{
	g_autoptr(GError) error = NULL;
	guint64 first = 0;
	g_autoptr(GPtrArray) events =
		spool_read(site.spool, site.read, 1, CAP_EVENT_BYTES, &first, &error);
	gsize length;
	const void *json;

	cr_assert(events && events->len == 1, "%s", error ? error->message : "no mark");
	json = g_bytes_get_data(events->pdata[0], &length);
	{
		g_autoptr(delivery_t) mark = ocsf_decode_delivery(json, length, &error);
		g_autofree char *text = g_strndup(json, length);

		cr_assert(mark, "%s", error ? error->message : "");
		cr_assert_eq(mark->kind, DELIVERY_EXEMPT);
		cr_assert_str_eq(mark->queue_id, queue_id);
		cr_assert_str_eq(mark->log_host, "mx1.example.org");
		cr_assert_not(strchr(text, '@'), "no address of it is kept: %s", text);
	}
}

Test(session, records_of_an_exempt_client_that_its_message_passed_and_no_more)
{
	struct session *session;

	open_site_without_scanner("", 0);
	session = connect_from(PROBE);
	envelope(session, "<b@example.org>");
	hello_body(session);
	finish_message(session, VERDICT_ACCEPT);
	expect_mark("4Q1");
	cr_assert_eq(engine_counted(site.engine, COUNT_EXEMPT), 1);
	cr_assert_eq(engine_counted(site.engine, COUNT_UNRECORDED), 0);
	session_free(session);
	close_site();
}

Test(session, marks_no_message_of_an_exempt_client_that_does_not_end)
{
	struct session *session;
	g_autoptr(event_t) none = NULL;

	open_site_without_scanner("", 0);
	session = connect_from(PROBE);
	envelope(session, "<b@example.org>");
	hello_body(session);
	session_abort(session);
	session_free(session);
	none = next_event();
	cr_assert_null(none);
	cr_assert_eq(engine_counted(site.engine, COUNT_EXEMPT), 0);
	close_site();
}

Test(session, lets_an_exempt_message_pass_that_the_spool_does_not_take_and_tells)
{
	struct session *session;

	open_site_without_scanner("", 1);
	session = connect_from(PROBE);
	envelope(session, "<b@example.org>");
	hello_body(session);
	finish_message(session, VERDICT_ACCEPT);
	cr_assert_eq(engine_counted(site.engine, COUNT_EXEMPT), 1);
	cr_assert_eq(engine_counted(site.engine, COUNT_UNRECORDED), 1);
	session_free(session);
	close_site();
}

Test(session, refuses_connections_above_the_cap_as_on_unrecorded_says)
{
	struct session *first, *second;
	struct policy_decision decision;

	open_site_without_scanner("max_connections = 2\n", 0);
	first = connect_from(OUTSIDE);
	second = connect_from(OUTSIDE);
	cr_assert_null(session_new(site.engine, macro));
	decision = session_refused(site.engine);
	cr_assert_eq(decision.verdict, VERDICT_TEMPFAIL);
	cr_assert_eq(engine_counted(site.engine, COUNT_REFUSED_CONNECTIONS), 1);
	cr_assert_eq(engine_counted(site.engine, COUNT_UNRECORDED), 0);
	session_free(first);
	first = session_new(site.engine, macro);
	cr_assert(first, "a place is free again");
	session_free(first);
	session_free(second);
	close_site();
}

Test(session, a_connection_above_the_cap_that_may_pass_is_counted_as_unrecorded)
{
	struct session *only;

	open_site_without_scanner("max_connections = 1\n[policy]\non_unrecorded = accept\n", 0);
	only = connect_from(OUTSIDE);
	cr_assert_null(session_new(site.engine, macro));
	cr_assert_eq(session_refused(site.engine).verdict, VERDICT_ACCEPT);
	cr_assert_eq(engine_counted(site.engine, COUNT_UNRECORDED), 1);
	session_free(only);
	close_site();
}

Test(session, keeps_the_settings_it_began_with)
{
	struct session *before, *after;
	struct session_outcome outcome;
	struct settings *former;
	g_autoptr(GError) error = NULL;

	open_site("stamp = inbound\n");
	before = connect_from(OUTSIDE);
	former = g_steal_pointer(&site.settings);
	read_settings("stamp = outbound\n");
	cr_assert(engine_set_settings(site.engine, site.settings, &error));
	settings_unref(former);
	after = connect_from(OUTSIDE);
	envelope(before, "<b@example.org>");
	outcome = end_message(before);
	cr_assert_eq(outcome.changes->len, 1);
	session_outcome_clear(&outcome);
	envelope(after, "<b@example.org>");
	outcome = end_message(after);
	cr_assert_eq(outcome.changes->len, 0);
	session_outcome_clear(&outcome);
	session_free(before);
	session_free(after);
	close_site();
}

/* ---- outside text ---- */

Test(session, keeps_addresses_as_typed_and_makes_them_valid)
{
	struct session *session;

	open_site("");
	session = connect_from(OUTSIDE);
	mail_from(session, "<\xe5\xb1\xb1@example.com>");
	rcpt_to(session, "<bad\xff@example.org>");
	rcpt_to(session, "<@relay.example,@hub.example:b@example.org>");
	session_end_of_header(session);
	finish_message(session, VERDICT_ACCEPT);
	{
		g_autoptr(event_t) event = next_event();
		const struct envelope_address *bad = event->recipients->pdata[0];
		const struct envelope_address *routed = event->recipients->pdata[1];

		cr_assert_str_eq(event->sender->address, "\xe5\xb1\xb1@example.com");
		cr_assert_str_eq(bad->typed, "<bad\\xff@example.org>");
		cr_assert_str_eq(routed->address, "b@example.org");
	}
	session_free(session);
	close_site();
}

static void
check_recipient_cap(struct session *session, guint count, gboolean met)
{
	g_autoptr(event_t) event = NULL;

	mail_from(session, "<a@example.com>");
	for (guint i = 0; i < count; i++)
		rcpt_to(session, "<b@example.org>");
	session_end_of_header(session);
	finish_message(session, VERDICT_ACCEPT);
	event = next_event();
	cr_assert_eq(event->recipients->len, MIN(count, CAP_RECIPIENTS));
	cr_assert_eq(has_cap(event, CAP_RECIPIENTS_NAME), met, "%u", count);
}

Test(session, recipients_meet_their_cap)
{
	struct session *session;

	open_site("");
	session = connect_from(OUTSIDE);
	check_recipient_cap(session, CAP_RECIPIENTS - 1, FALSE);
	check_recipient_cap(session, CAP_RECIPIENTS, FALSE);
	check_recipient_cap(session, CAP_RECIPIENTS + 1, TRUE);
	session_free(session);
	close_site();
}

static void
check_argument_cap(struct session *session, guint count, gboolean met)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_autoptr(event_t) event = NULL;

	g_ptr_array_add(argv, (gpointer) "<a@example.com>");
	for (guint i = 0; i < count; i++)
		g_ptr_array_add(argv, (gpointer) "X=1");
	g_ptr_array_add(argv, NULL);
	session_mail(session, site.macros, (char **)argv->pdata);
	rcpt_to(session, "<b@example.org>");
	session_end_of_header(session);
	finish_message(session, VERDICT_ACCEPT);
	event = next_event();
	cr_assert_eq(event->sender->arguments->len, MIN(count, CAP_ARGUMENTS));
	cr_assert_eq(has_cap(event, CAP_ARGUMENTS_NAME), met, "%u", count);
}

Test(session, arguments_meet_their_cap)
{
	struct session *session;

	open_site("");
	session = connect_from(OUTSIDE);
	check_argument_cap(session, CAP_ARGUMENTS - 1, FALSE);
	check_argument_cap(session, CAP_ARGUMENTS, FALSE);
	check_argument_cap(session, CAP_ARGUMENTS + 1, TRUE);
	session_free(session);
	close_site();
}

static void
check_address_cap(struct session *session, gsize length, gboolean met)
{
	g_autofree char *address = g_strnfill(length, 'a');
	g_autoptr(event_t) event = NULL;

	mail_from(session, address);
	rcpt_to(session, "<b@example.org>");
	session_end_of_header(session);
	finish_message(session, VERDICT_ACCEPT);
	event = next_event();
	cr_assert_eq(strlen(event->sender->typed), MIN(length, CAP_ADDRESS_BYTES));
	cr_assert_eq(has_cap(event, CAP_ADDRESS_BYTES_NAME), met, "%zu", length);
}

Test(session, addresses_meet_their_cap)
{
	struct session *session;

	open_site("");
	session = connect_from(OUTSIDE);
	check_address_cap(session, CAP_ADDRESS_BYTES - 1, FALSE);
	check_address_cap(session, CAP_ADDRESS_BYTES, FALSE);
	check_address_cap(session, CAP_ADDRESS_BYTES + 1, TRUE);
	session_free(session);
	close_site();
}

/* ---- X-Mailtrace-Id ---- */

static char *
earlier_stamp(void)
{
	return trace_id_make(site.key, EARLIER, "mx1");
}

/* Plays a message with these X-Mailtrace-Id fields (NULL-terminated) from ip. */
static struct session_outcome
play_stamped(struct session *session, const char *rcpt, char **values)
{
	mail_from(session, "<a@example.com>");
	rcpt_to(session, rcpt);
	for (gsize i = 0; values[i]; i++)
		session_header(session, i % 2 ? "x-mailtrace-id" : "X-Mailtrace-Id", values[i]);
	hello_body(session);
	return end_message(session);
}

static void
assert_change(const struct session_outcome *outcome, guint i, int kind, guint occurrence)
{
	const struct session_change *change = outcome->changes->pdata[i];

	cr_assert_eq((int)change->kind, kind, "change %u", i);
	cr_assert_str_eq(change->name, TRACE_ID_HEADER);
	if (kind == CHANGE_REMOVE_HEADER)
		cr_assert_eq(change->occurrence, occurrence, "change %u", i);
}

Test(session, stamps_inbound_mail_with_its_own_event)
{
	char *none[] = {NULL};
	struct session *session;
	struct session_outcome outcome;
	g_autoptr(event_t) event = NULL;
	char event_id[EVENT_ID_LENGTH + 1];
	const char *const own[] = {"mx1", NULL};

	open_site("");
	session = connect_from(OUTSIDE);
	outcome = play_stamped(session, "<b@example.org>", none);
	event = next_event();
	cr_assert_eq(outcome.changes->len, 1);
	assert_change(&outcome, 0, CHANGE_ADD_HEADER, 0);
	cr_assert_eq(trace_id_judge(site.key,
				    ((struct session_change *)outcome.changes->pdata[0])->value,
				    own, event_id),
		     TRACE_ID_VALID);
	cr_assert_str_eq(event_id, event->event_id);
	cr_assert_null(event->parent_event);
	session_outcome_clear(&outcome);
	session_free(session);
	close_site();
}

Test(session, stamps_only_the_directions_of_the_settings)
{
	char *none[] = {NULL};
	struct session *session;
	struct session_outcome outcome;

	open_site("stamp = inbound\n");
	session = connect_from(INSIDE);
	outcome = play_stamped(session, "<b@example.com>", none);
	cr_assert_eq(outcome.changes->len, 0);
	session_outcome_clear(&outcome);
	session_free(session);
	close_site();
}

Test(session, changes_nothing_where_the_mta_refuses_changes)
{
	g_autofree char *stamp = NULL;
	struct session *session;
	struct session_outcome outcome;

	open_site("");
	stamp = earlier_stamp();
	session = connect_from(OUTSIDE);
	session_set_abilities(session, TRUE, FALSE);
	outcome = play_stamped(session, "<b@example.org>", (char *[]){stamp, NULL});
	cr_assert_eq(outcome.changes->len, 0);
	session_outcome_clear(&outcome);
	session_free(session);
	close_site();
}

Test(session, believes_a_trusted_hop_and_does_not_stamp_twice)
{
	g_autofree char *stamp = NULL, *folded = NULL;
	struct session *session;
	struct session_outcome outcome;
	g_autoptr(event_t) event = NULL;

	open_site("");
	stamp = earlier_stamp();
	folded = g_strconcat(" ", stamp, NULL);
	session = connect_from(HOP);
	outcome = play_stamped(session, "<b@example.org>", (char *[]){folded, NULL});
	event = next_event();
	cr_assert_eq(outcome.changes->len, 0);
	cr_assert_str_eq(event->parent_event, EARLIER);
	cr_assert_eq(event->direction, DIRECTION_INTERNAL);
	session_outcome_clear(&outcome);
	session_free(session);
	close_site();
}

Test(session, removes_a_true_stamp_that_a_stranger_replays)
{
	g_autofree char *stamp = NULL;
	struct session *session;
	struct session_outcome outcome;
	g_autoptr(event_t) event = NULL;

	open_site("");
	stamp = earlier_stamp();
	session = connect_from(OUTSIDE);
	outcome = play_stamped(session, "<b@example.org>", (char *[]){stamp, NULL});
	event = next_event();
	cr_assert_eq(outcome.changes->len, 2);
	assert_change(&outcome, 0, CHANGE_REMOVE_HEADER, 1);
	assert_change(&outcome, 1, CHANGE_ADD_HEADER, 0);
	cr_assert_null(event->parent_event);
	session_outcome_clear(&outcome);
	session_free(session);
	close_site();
}

Test(session, removes_forged_claims_from_last_to_first_and_leaves_strangers_alone)
{
	char forged[] = EARLIER "; s=mx1; m=0000000000000000";
	char foreign[] = EARLIER "; s=elsewhere; m=0000000000000000";
	g_autofree char *stamp = NULL;
	struct session *session;
	struct session_outcome outcome;

	open_site("");
	stamp = earlier_stamp();
	session = connect_from(HOP);
	outcome = play_stamped(session, "<b@example.org>",
			       (char *[]){forged, foreign, stamp, forged, stamp, foreign, NULL});
	cr_assert_eq(outcome.changes->len, 3);
	assert_change(&outcome, 0, CHANGE_REMOVE_HEADER, 5); /* a second true one */
	assert_change(&outcome, 1, CHANGE_REMOVE_HEADER, 4);
	assert_change(&outcome, 2, CHANGE_REMOVE_HEADER, 1);
	session_outcome_clear(&outcome);
	session_free(session);
	close_site();
}

static void
check_trace_cap(struct session *session, guint count, gboolean met)
{
	char forged[] = EARLIER "; s=mx1; m=0000000000000000";
	g_autofree char **values = g_new0(char *, count + 1);
	struct session_outcome outcome;
	g_autoptr(event_t) event = NULL;

	for (guint i = 0; i < count; i++)
		values[i] = forged;
	outcome = play_stamped(session, "<b@example.org>", values);
	event = next_event();
	cr_assert_eq(outcome.changes->len, MIN(count, CAP_TRACE_HEADERS) + 1);
	cr_assert_eq(has_cap(event, CAP_TRACE_HEADERS_NAME), met, "%u", count);
	session_outcome_clear(&outcome);
}

Test(session, trace_headers_meet_their_cap)
{
	struct session *session;

	open_site("");
	session = connect_from(OUTSIDE);
	check_trace_cap(session, CAP_TRACE_HEADERS - 1, FALSE);
	check_trace_cap(session, CAP_TRACE_HEADERS, FALSE);
	check_trace_cap(session, CAP_TRACE_HEADERS + 1, TRUE);
	session_free(session);
	close_site();
}

/* ---- when something fails ---- */

static void
check_unread(const char *extra, gboolean can_hold, enum verdict verdict)
{
	g_autofree char *text = g_strconcat("[scanner]\nread_timeout_ms = 100\n", extra, NULL);
	struct session *session;
	struct session_outcome outcome;
	g_autoptr(event_t) event = NULL;

	open_site_without_scanner(text, 0);
	session = connect_from(OUTSIDE);
	session_set_abilities(session, can_hold, TRUE);
	envelope(session, "<b@example.org>");
	hello_body(session);
	outcome = end_message(session);
	event = next_event();
	cr_assert_eq(outcome.decision.verdict, verdict);
	cr_assert(event, "it has a record all the same");
	cr_assert(event->unread && *event->unread);
	cr_assert_eq(event->verdict, verdict);
	cr_assert_str_eq(event->verdict_reason, outcome.decision.rule);
	cr_assert_str_eq(event->record->message_id, "<1@example.com>");
	cr_assert_str_eq(event->record->subject, "Hello");
	cr_assert_gt(event->record->size, 6);
	cr_assert_eq(engine_counted(site.engine, COUNT_UNREAD), 1);
	/* A stamp names an event of mail that passes. */
	cr_assert_eq(outcome.changes->len, verdict == VERDICT_TEMPFAIL ? 0 : 1);
	session_outcome_clear(&outcome);
	session_free(session);
	close_site();
}

Test(session, records_an_unread_message_that_passes)
{
	check_unread("", TRUE, VERDICT_ACCEPT);
}

Test(session, records_an_unread_message_that_is_held)
{
	check_unread("[policy]\non_unread = hold\n", TRUE, VERDICT_HOLD);
}

Test(session, refuses_for_a_time_what_it_should_hold_and_cannot)
{
	check_unread("[policy]\non_unread = hold\n", FALSE, VERDICT_TEMPFAIL);
}

/* A message whose first Content-Type shows one file, and whose last shows another. */
static struct session_outcome
play_ambiguous(struct session *session)
{
	static const char body[] = "--a\n\nfirst\n--a--\n--b\n\nlast\n--b--\n";

	envelope(session, "<b@example.org>");
	session_header(session, "Content-Type", " multipart/mixed; boundary=a");
	session_header(session, "Content-Type", " multipart/mixed; boundary=b");
	session_end_of_header(session);
	session_body(session, body, strlen(body));
	return end_message(session);
}

static void
check_ambiguous(const char *policy, enum verdict verdict, const char *tag)
{
	struct session *session;
	struct session_outcome outcome;
	g_autoptr(event_t) event = NULL;
	const struct session_change *last;

	open_site(policy);
	session = connect_from(OUTSIDE);
	outcome = play_ambiguous(session);
	event = next_event();
	cr_assert_eq(outcome.decision.verdict, verdict, "%s", outcome.decision.rule);
	cr_assert_eq(event->verdict, verdict);
	cr_assert_eq(outcome.changes->len, (tag ? 1 : 0) + (verdict != VERDICT_REJECT));
	if (tag) {
		last = outcome.changes->pdata[outcome.changes->len - 1];
		cr_assert_str_eq(last->name, "X-Mailtrace-Ambiguous");
		cr_assert_str_eq(last->value, tag);
	}
	session_outcome_clear(&outcome);
	session_free(session);
	close_site();
}

Test(session, records_an_ambiguous_message)
{
	check_ambiguous("", VERDICT_ACCEPT, NULL);
}

Test(session, tags_an_ambiguous_message_with_its_readings)
{
	check_ambiguous("[policy]\nambiguous = tag\n", VERDICT_ACCEPT, "last-content-type");
}

Test(session, holds_an_ambiguous_message)
{
	check_ambiguous("[policy]\nambiguous = hold\n", VERDICT_HOLD, NULL);
}

Test(session, rejects_an_ambiguous_message_and_records_that)
{
	check_ambiguous("[policy]\nambiguous = reject\n", VERDICT_REJECT, NULL);
}

Test(session, a_message_that_all_read_alike_is_not_ambiguous)
{
	struct session *session;

	open_site("[policy]\nambiguous = reject\n");
	session = connect_from(OUTSIDE);
	envelope(session, "<b@example.org>");
	hello_body(session);
	finish_message(session, VERDICT_ACCEPT);
	session_free(session);
	close_site();
}

/* A spool of one byte takes no event. */
static void
check_unrecorded(const char *policy, enum verdict verdict, guint accepted)
{
	g_autofree char *text = g_strconcat("[scanner]\nread_timeout_ms = 100\n", policy, NULL);
	struct session *session;
	struct session_outcome outcome;

	open_site_without_scanner(text, 1);
	session = connect_from(OUTSIDE);
	envelope(session, "<b@example.org>");
	hello_body(session);
	outcome = end_message(session);
	cr_assert_eq(outcome.decision.verdict, verdict);
	cr_assert_eq(outcome.changes->len, 0, "no stamp of an event that is nowhere");
	cr_assert_eq(engine_counted(site.engine, COUNT_UNRECORDED), accepted);
	cr_assert_eq(engine_counted(site.engine, COUNT_RECORDED), 0);
	session_outcome_clear(&outcome);
	session_free(session);
	close_site();
}

Test(session, refuses_for_a_time_what_cannot_be_recorded)
{
	check_unrecorded("", VERDICT_TEMPFAIL, 0);
}

Test(session, lets_pass_and_counts_what_cannot_be_recorded_where_the_site_says_so)
{
	check_unrecorded("[policy]\non_unrecorded = accept\n", VERDICT_ACCEPT, 1);
}

Test(session, refuses_for_a_time_what_there_is_no_room_for)
{
	struct session *session;
	struct session_outcome outcome;
	g_autofree guint8 *body = g_malloc0(5000);

	open_site_without_scanner("max_in_flight_bytes = 1000\n", 0);
	session = connect_from(OUTSIDE);
	envelope(session, "<b@example.org>");
	session_body(session, body, 5000);
	outcome = end_message(session);
	cr_assert_eq(outcome.decision.verdict, VERDICT_TEMPFAIL);
	cr_assert_str_eq(outcome.decision.rule, "max_in_flight_bytes");
	cr_assert_eq(engine_counted(site.engine, COUNT_TEMPFAIL), 1);
	session_outcome_clear(&outcome);
	session_free(session);
	close_site();
}
