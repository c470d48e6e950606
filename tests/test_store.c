/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_fixture.h"
#include "store_internal.h"
#include "store_schema.h"
#include "store_dead_letters.h"

static struct store_fixture fixture;

static void
setup(void)
{
	store_fixture_init(&fixture);
}

static void
teardown(void)
{
	store_fixture_clear(&fixture);
}

TestSuite(store, .init = setup, .fini = teardown, .timeout = 60);

/* ---- files ---- */

Test(store, finds_the_recipients_of_a_file_by_each_digest)
{
	struct digests digests;
	g_autofree char *md5 = NULL, *sha1 = NULL, *sha256 = NULL;

	g_free(store_mail(fixture.store, 1, "<alice@site.example>", "a.js", "evil content"));
	g_free(store_mail(fixture.store, 2, "<bob@site.example>", "b.js", "evil content"));
	g_free(store_mail(fixture.store, 3, "<carol@site.example>", "c.js", "good content"));
	digests_of("evil content", 12, &digests);
	md5 = hex_encode(digests.md5, MD5_BYTES);
	sha1 = hex_encode(digests.sha1, SHA1_BYTES);
	sha256 = hex_encode(digests.sha256, SHA256_BYTES);
	expect_who(fixture.store, "a", md5, "alice@site.example bob@site.example");
	expect_who(fixture.store, "a", sha1, "alice@site.example bob@site.example");
	expect_who(fixture.store, "a", sha256, "alice@site.example bob@site.example");
}

Test(store, answers_nothing_for_a_digest_that_only_begins_alike)
{
	g_autofree char *sha256 = sha256_of("evil content");

	g_free(store_mail(fixture.store, 1, "<alice@site.example>", "a.js", "evil content"));
	sha256[SHA256_HEX_LENGTH - 1] = sha256[SHA256_HEX_LENGTH - 1] == '0' ? '1' : '0';
	expect_who(fixture.store, "a", sha256, "");
}

Test(store, names_the_variant_that_matched)
{
	static const struct {
		const char *content, *variant;
	} cases[] = {
		{"one\r\ntwo", "exact"},
		{"one\ntwo", "lf"},
		{"one\r\ntwo\r\n", "delimiter"},
	};
	struct event *event = make_event(1);
	struct file *file = add_file(event, "2", "a.txt", "one\r\ntwo");

	add_rcpt(event, "<alice@site.example>");
	add_variant(file, VARIANT_LF, "one\ntwo");
	add_variant(file, VARIANT_DELIMITER, "one\r\ntwo\r\n");
	store_it(fixture.store, event);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *hex = sha256_of(cases[i].content);
		g_autofree char *content = sha256_of("one\r\ntwo");
		g_autoptr(query_t) query = make_query("a", hex);
		g_autoptr(GPtrArray) hits = ask_query(fixture.store, query);
		const struct store_hit *hit;

		cr_assert_eq(hits->len, 1);
		hit = g_ptr_array_index(hits, 0);
		cr_expect_str_eq(hit->variant, cases[i].variant);
		cr_expect_str_eq(hit->match, "exact");
		cr_expect_str_eq(hit->file, "2");
		cr_expect_str_eq(hit->name, "a.txt");
		cr_expect_str_eq(hit->sha256, content, "the file's own digest is shown");
	}
}

Test(store, names_the_form_of_the_file_that_was_wanted)
{
	g_autofree char *path = g_build_filename(fixture.directory, "wanted", NULL);
	g_autoptr(query_t) query = query_new("a");
	g_autoptr(GPtrArray) hits = NULL;
	const struct store_hit *hit;
	GError *error = NULL;

	g_free(store_mail(fixture.store, 1, "<alice@site.example>", "a.txt", "one\r\ntwo\r\n"));
	cr_assert(g_file_set_contents(path, "one\ntwo\n", -1, NULL));
	expect_ok(query_add(query, path, TRUE, &error), error);
	g_unlink(path);
	hits = ask_query(fixture.store, query);
	cr_assert_eq(hits->len, 1);
	hit = g_ptr_array_index(hits, 0);
	cr_expect_str_eq(hit->variant, "crlf");
}

Test(store, gives_an_encrypted_member_as_a_candidate_only)
{
	/* CRC-32 of "sixteen bytes ok". */
	const char *content = "sixteen bytes ok";
	g_autofree char *path = g_build_filename(fixture.directory, "wanted", NULL);
	g_autoptr(query_t) query = query_new("a");
	g_autoptr(GPtrArray) hits = NULL;
	struct event *event = make_event(1);
	struct file *file = record_add_file(event->record, "2!/secret.js", -1);
	const struct store_hit *hit;
	GError *error = NULL;

	cr_assert(g_file_set_contents(path, content, -1, NULL));
	expect_ok(query_add(query, path, TRUE, &error), error);
	g_unlink(path);
	file->size = strlen(content);
	file->flags = FILE_ENCRYPTED;
	file->has_crc32 = TRUE;
	file->crc32 = 0x021231af;
	file_add_name(file, "secret.js", "zip", NULL);
	add_rcpt(event, "<alice@site.example>");
	store_it(fixture.store, event);
	hits = ask_query(fixture.store, query);
	cr_assert_eq(hits->len, 1);
	hit = g_ptr_array_index(hits, 0);
	cr_expect_str_eq(hit->match, "candidate");
	cr_expect_null(hit->variant);
	cr_expect_null(hit->sha256);
	cr_expect_str_eq(hit->name, "secret.js");
}

Test(store, finds_an_encrypted_archive_in_another_one_and_nothing_by_no_digest)
{
	struct event *event = make_event(1);
	struct file *unknown = record_add_file(event->record, "2!/cut.bin", -1);
	g_autofree char *zip = sha256_of("an archive");
	g_autofree char *none = g_strnfill(SHA256_HEX_LENGTH, '0');

	unknown->size = 10;
	unknown->flags = FILE_INCOMPLETE;
	add_rcpt(event, "<alice@site.example>");
	add_file(event, "2!/inner.zip", "inner.zip", "an archive");
	((struct file *)g_ptr_array_index(event->record->files, event->record->files->len - 1))
		->flags |= FILE_ENCRYPTED;
	store_it(fixture.store, event);
	expect_who(fixture.store, "a", zip, "alice@site.example");
	expect_who(fixture.store, "a", none, "");
}

Test(store, holds_all_terms_of_a_file_against_one_file)
{
	struct event *event = make_event(1);
	g_autofree char *both = NULL;
	g_autofree char *apart = NULL;
	g_autofree char *script = sha256_of("a script");

	add_rcpt(event, "<alice@site.example>");
	add_file(event, "2", "run.js", "a script");
	add_file(event, "3", "picture.png", "a picture, larger");
	store_it(fixture.store, event);
	both = g_strconcat(script, " name:*.js ext:js size:<10", NULL);
	apart = g_strconcat(script, " name:*.png", NULL);
	expect_who(fixture.store, "a", both, "alice@site.example");
	expect_who(fixture.store, "a", apart, "");
	expect_who(fixture.store, "a", "ext:js size:>10", "");
	expect_who(fixture.store, "a", "ext:png size:>10", "alice@site.example");
}

/* ---- the other terms ---- */

static void
store_telling_mail(void)
{
	struct event *event = make_event(10);
	struct file *file;

	set_text(&event->event_id, "018bcfe5-7118-7abc-8def-0123456789ab");
	set_text(&event->queue_id, "4Sxyz1");
	set_text(&event->client.ip, "192.0.2.77");
	set_text(&event->client.sasl_user, "Erika");
	set_text(&event->record->message_id, "<m1@origin.example>");
	set_text(&event->record->subject, "請求書 Invoice 2024");
	mail_address_add(event->record->from, "Boss", "Boss@Header.example");
	g_ptr_array_add(event->record->urls, g_strdup("https://Evil.example/login?x=1"));
	add_rcpt(event, "<Alice@Site.example>");
	add_rcpt(event, "<bob@other.example>");
	file = add_file(event, "2", "dir/Rechnung [neu].PDF.exe", "MZ");
	g_ptr_array_add(file->malware, g_strdup("Win.Trojan.Agent-1"));
	store_it(fixture.store, event);
	event = make_event(20);
	event->direction = DIRECTION_OUTBOUND;
	set_text(&event->sensor, "mx2");
	set_text(&event->client.ip, "2001:db8::5");
	add_rcpt(event, "<carol@site.example>");
	store_it(fixture.store, event);
}

#define BOTH "Alice@Site.example bob@other.example"

Test(store, answers_each_term)
{
	static const struct {
		const char *words, *expected;
	} cases[] = {
		{"name:rechnung*", BOTH},
		{"name:*[NEU]*", BOTH},
		{"name:rechnung", ""},
		{"name:dir/*.exe", BOTH},
		{"name:?echnung*", BOTH},
		{"ext:EXE", BOTH},
		{"ext:pdf", ""},
		{"malware:win.trojan.*", BOTH},
		{"malware:trojan", ""},
		{"subject:請求", BOTH},
		{"subject:書", BOTH},
		{"subject:INVOICE", BOTH},
		{"subject:２０２４", BOTH},
		{"subject:paid", ""},
		{"from:sender@origin.example", BOTH " carol@site.example"},
		{"from:boss@header.example", BOTH},
		{"from:@header.example", BOTH},
		{"from:@example", ""},
		{"from:bos", BOTH},
		{"to:alice@site.example", "Alice@Site.example"},
		{"to:@site.example", "Alice@Site.example carol@site.example"},
		{"to:ob@oth", ""},
		{"to:bob", "bob@other.example"},
		{"to:alice to:@site.example", "Alice@Site.example"},
		{"to:alice to:bob", ""},
		{"id:m1@origin.example", BOTH},
		{"id:<m1@origin.example>", BOTH},
		{"id:m1@origin", ""},
		{"queue:4Sxyz1", BOTH},
		{"queue:4sxyz1", ""},
		{"event:018bcfe5-7118-7abc-8def-0123456789ab", BOTH},
		{"event:018bcfe5-7118-7abc-8def-0123456789ac", ""},
		{"url:evil.example", BOTH},
		{"url:https://evil.example/LOGIN", BOTH},
		{"url:evil.example/logout", ""},
		{"ip:192.0.2.77", BOTH},
		{"ip:192.0.2.0/24", BOTH},
		{"ip:192.0.2.128/25", ""},
		{"ip:2001:db8::/32", "carol@site.example"},
		{"ip:0.0.0.0/0", BOTH},
		{"sasl:erika", BOTH},
		{"sasl:eri", ""},
		{"sensor:mx2", "carol@site.example"},
		{"direction:outbound", "carol@site.example"},
		{"state:accepted", BOTH " carol@site.example"},
		{"state:delivered", ""},
		{"size:2", BOTH},
		{"size:>2", ""},
		{"subject:invoice direction:outbound", ""},
		{"subject:invoice ext:exe to:bob ip:192.0.2.77", "bob@other.example"},
	};

	store_telling_mail();
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		expect_who(fixture.store, "a", cases[i].words, cases[i].expected);
}

Test(store, shows_what_the_message_was)
{
	g_autoptr(query_t) query = make_query("a", "to:bob");
	g_autoptr(GPtrArray) hits = NULL;
	const struct store_hit *hit;

	store_telling_mail();
	hits = ask_query(fixture.store, query);
	cr_assert_eq(hits->len, 1);
	hit = g_ptr_array_index(hits, 0);
	cr_expect_eq(hit->received_at_us, AT(10));
	cr_expect_str_eq(hit->recipient, "bob@other.example");
	cr_expect_str_eq(hit->state, "accepted");
	cr_expect_null(hit->match, "no file was asked for");
	cr_expect_null(hit->file);
	cr_expect_str_eq(hit->subject, "請求書 Invoice 2024");
	cr_expect_str_eq(hit->from, "sender@origin.example");
	cr_expect_str_eq(hit->message_id, "<m1@origin.example>");
	cr_expect_str_eq(hit->queue_id, "4Sxyz1");
	cr_expect_str_eq(hit->sensor, "mx1");
	cr_expect_str_eq(hit->event_id, "018bcfe5-7118-7abc-8def-0123456789ab");
}

Test(store, takes_since_as_inclusive_and_until_as_exclusive)
{
	g_autoptr(query_t) query = query_new("a");
	g_autoptr(GPtrArray) hits = NULL;
	const struct store_hit *hit;

	for (int second = 1; second <= 3; second++) {
		g_autofree char *rcpt = g_strdup_printf("<u%d@site.example>", second);

		g_free(store_mail(fixture.store, second, rcpt, "a", "content"));
	}
	query->since_us = AT(2);
	query->until_us = AT(3);
	hits = ask_query(fixture.store, query);
	cr_assert_eq(hits->len, 1);
	hit = g_ptr_array_index(hits, 0);
	cr_expect_str_eq(hit->recipient, "u2@site.example");
}

/* ---- tenants ---- */

Test(store, keeps_tenants_apart)
{
	g_autofree char *sha256 = sha256_of("shared content");
	g_autoptr(query_t) query_a = query_new("a");
	g_autoptr(query_t) query_b = query_new("b");
	struct store_coverage coverage_a, coverage_b;
	struct event *event = make_event(2);
	g_autofree char *id = NULL;
	GBytes *json;
	GError *error = NULL;

	id = store_mail(fixture.store, 1, "<alice@a.example>", "x", "shared content");
	set_text(&event->tenant, "b");
	set_text(&event->event_id, id);
	add_rcpt(event, "<bob@b.example>");
	add_rcpt(event, "<ben@b.example>");
	add_file(event, "2", "x", "shared content");
	cr_expect(store_it(fixture.store, event), "an id of one tenant hides none of another's");
	expect_who(fixture.store, "a", sha256, "alice@a.example");
	expect_who(fixture.store, "b", sha256, "bob@b.example ben@b.example");
	expect_who(fixture.store, "c", sha256, "");
	expect_who(fixture.store, "a", "to:@b.example", "");
	expect_who(fixture.store, "a", "name:x from:sender", "alice@a.example");
	expect_ok(store_coverage(fixture.store, query_a, NULL, &coverage_a, &error), error);
	expect_ok(store_coverage(fixture.store, query_b, NULL, &coverage_b, &error), error);
	cr_expect_eq(coverage_a.messages, 1);
	cr_expect_eq(coverage_b.messages, 1);
	store_coverage_clear(&coverage_a);
	store_coverage_clear(&coverage_b);
	json = store_event(fixture.store, "b", id, &error);
	cr_assert_not_null(json);
	cr_expect(strstr(g_bytes_get_data(json, NULL), "\"tenant\":\"b\""));
	g_bytes_unref(json);
	cr_expect_null(store_event(fixture.store, "c", id, &error));
	cr_expect_null(error);
}

/* ---- once each ---- */

Test(store, leaves_a_known_event_as_it_is)
{
	struct event *event = make_event(1);
	g_autofree char *id = g_strdup(event->event_id);

	add_rcpt(event, "<alice@site.example>");
	cr_expect(store_it(fixture.store, event));
	event = make_event(2);
	set_text(&event->event_id, id);
	add_rcpt(event, "<mallory@site.example>");
	cr_expect_not(store_it(fixture.store, event));
	expect_who(fixture.store, "a", "", "alice@site.example");
}

/* A mail as an import or a sensor records it; content decides whether two are the same. */
static struct event *
same_mail(int second, const char *origin, const char *rcpt, const char *content)
{
	struct event *event = make_event(second);

	set_text(&event->origin, origin);
	set_text(&event->record->message_id, "<same@origin.example>");
	add_rcpt(event, rcpt);
	add_file(event, "1", NULL, content);
	return event;
}

static guint64
count_messages(void)
{
	g_autoptr(query_t) query = query_new("a");
	struct store_coverage coverage;
	GError *error = NULL;
	guint64 messages;

	expect_ok(store_coverage(fixture.store, query, NULL, &coverage, &error), error);
	messages = coverage.messages;
	store_coverage_clear(&coverage);
	return messages;
}

Test(store, joins_an_import_to_what_was_recorded_live)
{
	cr_expect(store_it(fixture.store, same_mail(1, "milter", "<alice@site.example>", "text")));
	cr_expect_not(
		store_it(fixture.store, same_mail(2, "import", "<ALICE@site.example>", "text")));
	expect_who(fixture.store, "a", "", "alice@site.example");
	cr_expect_eq(count_messages(), 1);
}

Test(store, joins_a_live_record_to_an_earlier_import)
{
	struct event *import = same_mail(1, "import", "<alice@site.example>", "text");

	add_rcpt(import, "<hidden@site.example>");
	store_it(fixture.store, import);
	cr_expect(store_it(fixture.store, same_mail(2, "milter", "<alice@site.example>", "text")));
	expect_who(fixture.store, "a", "", "hidden@site.example alice@site.example");
	cr_expect_eq(count_messages(), 1);
	expect_who(fixture.store, "a", "to:alice", "alice@site.example");
}

Test(store, takes_one_mail_in_two_mailboxes_for_two_recipients)
{
	store_it(fixture.store, same_mail(1, "import", "<alice@site.example>", "text"));
	cr_expect(store_it(fixture.store, same_mail(2, "import", "<bob@site.example>", "text")));
	cr_expect_not(
		store_it(fixture.store, same_mail(3, "import", "<bob@site.example>", "text")));
	expect_who(fixture.store, "a", "", "alice@site.example bob@site.example");
}

Test(store, keeps_two_mails_with_one_message_id_apart)
{
	store_it(fixture.store, same_mail(1, "milter", "<alice@site.example>", "text"));
	cr_expect(store_it(fixture.store, same_mail(2, "import", "<alice@site.example>", "other")));
	expect_who(fixture.store, "a", "id:same@origin.example",
		   "alice@site.example alice@site.example");
}

Test(store, never_joins_two_live_records)
{
	store_it(fixture.store, same_mail(1, "milter", "<alice@site.example>", "text"));
	cr_expect(store_it(fixture.store, same_mail(2, "milter", "<alice@site.example>", "text")));
	expect_who(fixture.store, "a", "", "alice@site.example alice@site.example");
}

Test(store, answers_with_a_message_whose_recipients_are_unknown)
{
	struct event *event = make_event(1);
	g_autofree char *sha256 = sha256_of("evil");
	g_autoptr(query_t) query = make_query("a", sha256);
	g_autoptr(GPtrArray) hits = NULL;
	const struct store_hit *hit;

	set_text(&event->origin, "import");
	add_file(event, "2", "x", "evil");
	store_it(fixture.store, event);
	hits = ask_query(fixture.store, query);
	cr_assert_eq(hits->len, 1);
	hit = g_ptr_array_index(hits, 0);
	cr_expect_str_eq(hit->recipient, "");
	cr_expect_str_eq(hit->state, "unknown");
}

/* ---- refusals and chains ---- */

Test(store, leaves_out_whom_the_message_was_refused_unless_asked)
{
	struct event *event = make_event(1);
	g_autoptr(query_t) all = query_new("a");
	g_autoptr(GPtrArray) hits = NULL;

	add_rcpt(event, "<alice@site.example>");
	add_rcpt(event, "<nobody@site.example>")->refused = TRUE;
	store_it(fixture.store, event);
	event = make_event(2);
	event->verdict = VERDICT_TEMPFAIL;
	add_rcpt(event, "<bob@site.example>");
	store_it(fixture.store, event);
	event = make_event(3);
	event->verdict = VERDICT_HOLD;
	add_rcpt(event, "<carol@site.example>");
	store_it(fixture.store, event);
	expect_who(fixture.store, "a", "", "alice@site.example carol@site.example");
	expect_who(fixture.store, "a", "state:held", "carol@site.example");
	expect_who(fixture.store, "a", "state:rejected", "nobody@site.example bob@site.example");
	all->with_refused = TRUE;
	hits = ask_query(fixture.store, all);
	cr_expect_eq(hits->len, 4);
	cr_expect_eq(count_messages(), 2, "what was tempfailed is no message received");
}

/* Stores three hops of one message in the order given, and a stranger. */
static void
store_hops(const char *order)
{
	static const char *const ids[] = {
		"018bcfe5-7118-7000-8000-000000000001",
		"018bcfe5-7118-7000-8000-000000000002",
		"018bcfe5-7118-7000-8000-000000000003",
	};

	for (; *order; order++) {
		int hop = *order - '1';
		struct event *event = make_event(hop + 1);

		set_text(&event->event_id, ids[hop]);
		if (hop > 0)
			event->parent_event = g_strdup(ids[hop - 1]);
		event->verdict = hop == 2 ? VERDICT_HOLD : VERDICT_ACCEPT;
		add_rcpt(event, "<alice@site.example>");
		if (hop > 0)
			add_rcpt(event, "<expanded@site.example>");
		add_file(event, "2", "x", "evil");
		store_it(fixture.store, event);
	}
	g_free(store_mail(fixture.store, 9, "<alice@site.example>", "x", "evil"));
}

Test(store, folds_a_chain_into_one_row_a_recipient_in_whatever_order_it_came)
{
	static const char *const orders[] = {"123", "132", "213", "231", "312", "321"};
	g_autofree char *sha256 = sha256_of("evil");

	for (gsize i = 0; i < G_N_ELEMENTS(orders); i++) {
		struct store_fixture own;
		g_autoptr(query_t) query = make_query("a", sha256);
		g_autoptr(GPtrArray) hits = NULL;
		const struct store_hit *first, *second;

		teardown();
		setup();
		own = fixture;
		store_hops(orders[i]);
		hits = ask_query(own.store, query);
		cr_assert_eq(hits->len, 3, "order %s gave %u rows", orders[i], hits->len);
		first = g_ptr_array_index(hits, 0);
		second = g_ptr_array_index(hits, 1);
		cr_expect_eq(first->received_at_us, AT(1), "the earliest hop is shown");
		cr_expect_str_eq(first->state, "held", "the newest hop's state is known best");
		cr_expect_str_eq(second->recipient, "expanded@site.example");
		cr_expect_eq(second->received_at_us, AT(2));
		cr_expect_eq(count_messages(), 2, "order %s", orders[i]);
	}
}

Test(store, pages_by_cursor_give_the_whole_answer_once)
{
	g_autoptr(query_t) whole_query = query_new("a");
	g_autoptr(GPtrArray) whole = NULL;

	store_hops("123");
	for (int i = 0; i < 20; i++) {
		struct event *event = make_event(i / 4);

		for (int n = 0; n < 3; n++) {
			g_autofree char *rcpt = g_strdup_printf("<u%d-%d@site.example>", i, n);

			add_rcpt(event, rcpt);
		}
		store_it(fixture.store, event);
	}
	whole = ask_query(fixture.store, whole_query);
	cr_assert_eq(whole->len, 63);
	for (guint64 limit = 1; limit <= 7; limit += 3) {
		g_autoptr(query_t) query = query_new("a");
		guint at = 0, got;

		query->limit = limit;
		do {
			g_autoptr(GPtrArray) page = ask_query(fixture.store, query);

			got = page->len;
			for (guint i = 0; i < got; i++, at++) {
				const struct store_hit *hit = g_ptr_array_index(page, i);
				const struct store_hit *same = g_ptr_array_index(whole, at);

				cr_assert_str_eq(hit->cursor, same->cursor);
				set_text(&query->cursor, hit->cursor);
			}
		} while (got > 0);
		cr_expect_eq(at, whole->len);
	}
}

Test(store, refuses_a_cursor_that_it_did_not_give)
{
	g_autoptr(query_t) query = query_new("a");
	g_autoptr(GError) error = NULL;

	query->cursor = g_strdup("0123");
	cr_expect_not(store_who(fixture.store, query, collect_hit, NULL, NULL, NULL, NULL, &error));
	cr_expect(g_error_matches(error, QUERY_ERROR, QUERY_ERROR_TERM));
}

static gboolean
stop_at_once(double share, void *data)
{
	return FALSE;
}

Test(store, stops_when_the_caller_says_so)
{
	g_autoptr(query_t) query = make_query("a", "size:1");
	g_autoptr(GPtrArray) hits = g_ptr_array_new();
	g_autoptr(GError) error = NULL;
	GError *begin_error = NULL;

	expect_ok(store_begin(fixture.store, &begin_error), begin_error);
	for (int i = 0; i < 600; i++)
		g_free(store_mail(fixture.store, i, "<alice@site.example>", "x", "content"));
	expect_ok(store_commit(fixture.store, &begin_error), begin_error);
	cr_expect_not(store_who(fixture.store, query, collect_hit, hits, stop_at_once, NULL, NULL,
				&error));
	cr_expect(g_error_matches(error, STORE_ERROR, STORE_ERROR_STOPPED));
	expect_who(fixture.store, "a", "size:1", "");
}

/* ---- sequences and coverage ---- */

static void
store_numbered(const char *sensor, const char *epoch, guint64 n, int second)
{
	struct store_sequence sequence = {epoch, n};
	g_autoptr(event_t) event = make_event(second);
	g_autoptr(GBytes) json = g_bytes_new_static("{}", 2);
	GError *error = NULL;
	gboolean added;

	set_text(&event->sensor, sensor);
	expect_ok(store_add_event(fixture.store, event, json, &sequence, &added, &error), error);
}

static guint64
through(const char *sensor, const char *epoch)
{
	guint64 n;
	GError *error = NULL;

	expect_ok(store_sequence_through(fixture.store, sensor, epoch, &n, &error), error);
	return n;
}

Test(store, knows_up_to_where_a_sequence_is_complete_in_any_order)
{
	static const guint64 orders[][5] = {{1, 2, 3, 4, 5}, {5, 4, 3, 2, 1}, {2, 4, 5, 1, 3}};

	cr_expect_eq(through("mx1", "e"), 0);
	for (gsize i = 0; i < G_N_ELEMENTS(orders); i++) {
		g_autofree char *epoch = g_strdup_printf("epoch-%u", (guint)i);
		guint64 came = 0;

		for (gsize k = 0; k < 5; k++) {
			guint64 expected = 0;

			store_numbered("mx1", epoch, orders[i][k], 1);
			store_numbered("mx1", epoch, orders[i][k], 1);
			came |= 1 << orders[i][k];
			while (came & (2 << expected))
				expected++;
			cr_expect_eq(through("mx1", epoch), expected);
		}
	}
}

Test(store, counts_a_dead_letter_as_come)
{
	struct store_sequence sequence = {"e", 1};
	g_autoptr(GBytes) json = g_bytes_new_static("\xff{", 2);
	struct store_status status;
	GError *error = NULL;

	expect_ok(store_add_dead_letter(fixture.store, "a", "mx1", &sequence, json, "no JSON",
					&error),
		  error);
	cr_expect_eq(through("mx1", "e"), 1);
	expect_ok(store_status(fixture.store, "a", &status, &error), error);
	cr_expect_eq(status.dead_letters, 1);
	store_status_clear(&status);
}

static void
cover(const char *const *expected, struct store_coverage *ret_coverage)
{
	g_autoptr(query_t) query = query_new("a");
	GError *error = NULL;

	const struct store_expected who_is = {expected, NULL};

	expect_ok(store_coverage(fixture.store, query, &who_is, ret_coverage, &error), error);
}

/* The gaps of dead letters: "sensor messages" of each, a blank behind it. */
static char *
dead_letter_gaps(void)
{
	GString *text = g_string_new(NULL);
	struct store_coverage coverage;

	cover(NULL, &coverage);
	for (guint i = 0; i < coverage.gaps->len; i++) {
		const struct store_gap *gap = g_ptr_array_index(coverage.gaps, i);

		cr_expect(gap->from_us <= gap->to_us);
		if (strcmp(gap->reason, STORE_DEAD_LETTER_GAP) == 0)
			g_string_append_printf(text, "%s %" G_GUINT64_FORMAT " ", gap->sensor,
					       gap->messages);
	}
	store_coverage_clear(&coverage);
	return g_string_free(text, FALSE);
}

static gboolean
revive(const struct store_dead_letter *letter, void *data)
{
	GError *error = NULL;

	(void)data;
	expect_ok(store_begin(fixture.store, &error), error);
	expect_ok(store_dead_letter_revived(fixture.store, letter, &error), error);
	expect_ok(store_commit(fixture.store, &error), error);
	return FALSE;
}

static gboolean
drop(const struct store_dead_letter *letter, void *data)
{
	GError *error = NULL;

	(void)data;
	expect_ok(store_begin(fixture.store, &error), error);
	expect_ok(store_dead_letter_remove(fixture.store, letter->id, &error), error);
	expect_ok(store_commit(fixture.store, &error), error);
	return FALSE;
}

Test(store, a_dead_letter_is_a_gap_until_it_is_read_and_also_when_it_is_given_up)
{
	static const char *const gaps[] = {"mx1 2 mx2 1 ", "mx1 1 mx2 1 ", "mx2 1 ", "mx2 1 "};
	g_autoptr(GBytes) json = g_bytes_new_static("\xff{", 2);
	GError *error = NULL;

	for (guint64 n = 1; n <= 3; n++) {
		struct store_sequence sequence = {"e", n};

		expect_ok(store_add_dead_letter(fixture.store, "a", n < 3 ? "mx1" : "mx2",
						&sequence, json, "no JSON", &error),
			  error);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(gaps); i++) {
		g_autofree char *got = dead_letter_gaps();

		cr_expect_str_eq(got, gaps[i], "%zu: %s", i, got);
		expect_ok(store_dead_letter_each(fixture.store, "a", 0, i < 2 ? revive : drop, NULL,
						 &error),
			  error);
	}
}

static void
beat_of(const char *sensor, gint64 time_us, gint64 complete_us, guint64 last, const char *counters)
{
	const struct store_beat beat = {.epoch = "e",
					.time_us = time_us,
					.complete_us = complete_us,
					.last = last,
					.counters = counters};
	GError *error = NULL;

	expect_ok(store_note_beat(fixture.store, "a", sensor, &beat, &error), error);
}

static void
beat(const char *sensor, gint64 time_us, guint64 last)
{
	beat_of(sensor, time_us, time_us, last, "{}");
}

Test(store, is_complete_until_the_last_contact_that_found_nothing_outstanding)
{
	static const char *const expected[] = {"mx1", "mx2", NULL};
	gint64 now_us = g_get_real_time();
	struct store_coverage coverage;
	const struct store_gap *gap;

	store_numbered("mx1", "e", 1, 1);
	store_numbered("mx2", "e", 1, 2);
	beat("mx1", now_us - 10, 1);
	cover(expected, &coverage);
	cr_expect_eq(coverage.complete_until_us, 0, "mx2 was never heard");
	cr_assert_eq(coverage.gaps->len, 1);
	gap = g_ptr_array_index(coverage.gaps, 0);
	cr_expect_str_eq(gap->reason, "never-seen");
	store_coverage_clear(&coverage);

	beat("mx2", now_us - 20, 1);
	cover(expected, &coverage);
	cr_expect_eq(coverage.complete_until_us, now_us - 20);
	cr_expect_eq(coverage.gaps->len, 0);
	cr_expect_eq(coverage.messages, 2);
	cr_expect_not(coverage.reconciled);
	store_coverage_clear(&coverage);

	beat("mx2", now_us - 5, 3);
	cover(expected, &coverage);
	cr_expect_eq(coverage.complete_until_us, now_us - 20, "two of mx2's are still under way");
	cr_assert_eq(coverage.gaps->len, 1);
	gap = g_ptr_array_index(coverage.gaps, 0);
	cr_expect_str_eq(gap->reason, "missing");
	cr_expect_eq(gap->to_us, 0);
	store_coverage_clear(&coverage);
}

static gint64
begins_of(const char *const *expected, gint64 since_us, const char *wanted)
{
	g_autoptr(query_t) query = query_new("a");
	const struct store_expected all = {expected, NULL};
	struct store_coverage coverage;
	g_autoptr(GString) gaps = g_string_new(NULL);
	GError *error = NULL;
	gint64 since;

	query->since_us = since_us;
	query->until_us = AT(1000);
	expect_ok(store_coverage(fixture.store, query, &all, &coverage, &error), error);
	for (guint i = 0; i < coverage.gaps->len; i++) {
		const struct store_gap *gap = g_ptr_array_index(coverage.gaps, i);

		if (strcmp(gap->reason, "not-begun") == 0)
			g_string_append_printf(gaps, "%s %d-%d;", gap->sensor,
					       (int)((gap->from_us - AT(0)) / G_USEC_PER_SEC),
					       (int)((gap->to_us - AT(0)) / G_USEC_PER_SEC));
	}
	cr_expect_str_eq(gaps->str, wanted, "%s instead of %s", gaps->str, wanted);
	since = coverage.recorded_since_us;
	store_coverage_clear(&coverage);
	return since;
}

Test(store, time_before_a_sensor_recorded_is_a_gap)
{
	static const char *const one[] = {"mx1", NULL}, *const two[] = {"mx1", "mx2", NULL};
	static const char *const three[] = {"mx1", "mx2", "mx3", NULL};

	beat("mx1", AT(100), 0);
	cr_expect_eq(begins_of(one, 0, ""), AT(100), "who names no beginning asks from there");
	begins_of(one, AT(100), "");
	begins_of(one, AT(99), "mx1 99-100;");
	begins_of(one, AT(1000), "");

	store_numbered("mx1", "e", 1, 90);
	cr_expect_eq(begins_of(one, AT(50), "mx1 50-90;"), AT(90), "its spool was older");
	beat("mx1", AT(300), 1);
	cr_expect_eq(begins_of(one, AT(50), "mx1 50-90;"), AT(90), "beginnings do not move");

	beat("mx2", AT(200), 0);
	cr_expect_eq(begins_of(two, 0, ""), AT(200));
	begins_of(two, AT(150), "mx2 150-200;");
	cr_expect_eq(begins_of(three, AT(250), ""), 0, "mx3 never recorded");
}

Test(store, is_complete_only_until_what_the_sensor_says_however_late_it_is_heard)
{
	static const char *const expected[] = {"mx1", NULL};
	gint64 now_us = g_get_real_time();
	struct store_coverage coverage;

	store_numbered("mx1", "e", 1, 1);
	beat_of("mx1", now_us, now_us - 500, 1, "{}");
	beat_of("mx1", now_us, 0, 1, "{}");
	cover(expected, &coverage);
	cr_expect_eq(coverage.complete_until_us, now_us - 500);
	store_coverage_clear(&coverage);
}

Test(store, tells_numbers_that_are_missing_and_sensors_that_are_silent)
{
	static const char *const expected[] = {"mx1", NULL};
	struct store_coverage coverage;
	const struct store_gap *gap;

	store_numbered("mx1", "e", 1, 100);
	store_numbered("mx1", "e", 4, 200);
	beat("mx1", AT(300), 4);
	cover(expected, &coverage);
	cr_assert_eq(coverage.gaps->len, 2);
	gap = g_ptr_array_index(coverage.gaps, 0);
	cr_expect_str_eq(gap->reason, "missing");
	cr_expect_str_eq(gap->sensor, "mx1");
	cr_expect_eq(gap->from_us, AT(100));
	cr_expect_eq(gap->to_us, AT(200));
	gap = g_ptr_array_index(coverage.gaps, 1);
	cr_expect_str_eq(gap->reason, "silent");
	cr_expect_eq(gap->from_us, AT(300));
	store_coverage_clear(&coverage);
}

Test(store, counts_the_messages_of_any_stretch_of_time)
{
	static const int seconds[] = {0, 1, 3599, 3600, 7199, 7200, 7201, 90000};
	static const int bounds[] = {0, 1, 2, 3600, 3601, 7200, 7202, 50000, 90001};
	GError *error = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(seconds); i++) {
		struct event *event = make_event(seconds[i]);

		if (i % 2)
			event->unread = g_strdup("timeout");
		store_it(fixture.store, event);
	}
	for (gsize from = 0; from < G_N_ELEMENTS(bounds); from++) {
		for (gsize to = from; to < G_N_ELEMENTS(bounds); to++) {
			g_autoptr(query_t) query = query_new("a");
			struct store_coverage coverage;
			guint64 messages = 0, unread = 0;

			query->since_us = AT(bounds[from]);
			query->until_us = AT(bounds[to]);
			for (gsize i = 0; i < G_N_ELEMENTS(seconds); i++) {
				if (seconds[i] >= bounds[from] && seconds[i] < bounds[to]) {
					messages++;
					unread += i % 2;
				}
			}
			expect_ok(store_coverage(fixture.store, query, NULL, &coverage, &error),
				  error);
			cr_expect_eq(coverage.messages, messages, "%d..%d", bounds[from],
				     bounds[to]);
			cr_expect_eq(coverage.unread, unread, "%d..%d", bounds[from], bounds[to]);
			store_coverage_clear(&coverage);
		}
	}
}

Test(store, status_tells_lag_and_counters)
{
	struct store_status status;
	const struct store_sensor *sensor;
	GError *error = NULL;

	store_numbered("mx1", "e", 1, 7);
	beat("mx1", AT(8), 5);
	expect_ok(store_status(fixture.store, NULL, &status, &error), error);
	cr_expect_eq(status.events, 1);
	cr_expect_gt(status.bytes, 0);
	cr_assert_eq(status.sensors->len, 1);
	sensor = g_ptr_array_index(status.sensors, 0);
	cr_expect_str_eq(sensor->tenant, "a");
	cr_expect_str_eq(sensor->sensor, "mx1");
	cr_expect_str_eq(sensor->counters, "{}");
	cr_expect_eq(sensor->through, 1);
	cr_expect_eq(sensor->last, 5);
	cr_expect_eq(sensor->last_seen_us, AT(8));
	cr_expect_eq(sensor->last_event_us, AT(7));
	store_status_clear(&status);
	expect_ok(store_status(fixture.store, "b", &status, &error), error);
	cr_expect_eq(status.events, 0);
	cr_expect_eq(status.sensors->len, 0);
	store_status_clear(&status);
}

/* ---- damage and crashes ---- */

static void
run_sql(const char *path, const char *sql)
{
	sqlite3 *handle;

	cr_assert_eq(sqlite3_open(path, &handle), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK, "%s",
		     sqlite3_errmsg(handle));
	sqlite3_close(handle);
}

static void
note_bad(const struct store_flaw *flaw, void *data)
{
	g_string_append_printf(data, "%s %s ", flaw->kind, flaw->id ? flaw->id : "");
}

Test(store, finds_a_flipped_byte)
{
	g_autofree char *whole = store_mail(fixture.store, 1, "<alice@site.example>", "x", "c");
	g_autofree char *flipped = store_mail(fixture.store, 2, "<bob@site.example>", "x", "c");
	g_autofree char *expected = g_strconcat("event ", flipped, " ", NULL);
	g_autoptr(GString) bad = g_string_new(NULL);
	g_autoptr(GBytes) json = NULL;
	GError *error = NULL;
	guint64 count;

	expect_ok(store_verify(fixture.store, note_bad, bad, NULL, NULL, &count, &error), error);
	cr_expect_eq(count, 0);
	run_sql(fixture.path, "UPDATE event_json SET json=CAST(substr(json, 1, 9) || x'7f' ||"
			      " substr(json, 11) AS BLOB) WHERE event=2");
	expect_ok(store_verify(fixture.store, note_bad, bad, NULL, NULL, &count, &error), error);
	cr_expect_eq(count, 1);
	cr_expect_str_eq(bad->str, expected);
	cr_expect_null(store_event(fixture.store, "a", flipped, &error));
	cr_expect(g_error_matches(error, STORE_ERROR, STORE_ERROR_DAMAGED));
	g_clear_error(&error);
	json = store_event(fixture.store, "a", whole, &error);
	cr_expect_not_null(json);
}

Test(store, gives_events_back_byte_by_byte)
{
	static const gsize sizes[] = {1, 100, 5000, 4 * 1024 * 1024};
	g_autoptr(GRand) random = g_rand_new_with_seed(1);

	for (gsize i = 0; i < 2 * G_N_ELEMENTS(sizes); i++) {
		g_autoptr(event_t) event = make_event(i);
		gsize size = sizes[i / 2];
		guint8 *bytes = g_malloc(size);
		g_autoptr(GBytes) json = NULL, back = NULL;
		GError *error = NULL;
		gboolean added;

		for (gsize at = 0; at < size; at++)
			bytes[at] = i % 2 ? g_rand_int(random) : 'x';
		json = g_bytes_new_take(bytes, size);
		expect_ok(store_add_event(fixture.store, event, json, NULL, &added, &error), error);
		back = store_event(fixture.store, "a", event->event_id, &error);
		cr_assert_not_null(back);
		cr_expect(g_bytes_equal(json, back), "%u bytes", (guint)size);
	}
}

Test(store, finds_a_flipped_byte_in_what_was_packed)
{
	g_autoptr(event_t) event = make_event(1);
	g_autofree char *text = g_strnfill(10000, 'x');
	g_autoptr(GBytes) json = g_bytes_new(text, 10000);
	GError *error = NULL;
	gboolean added;

	expect_ok(store_add_event(fixture.store, event, json, NULL, &added, &error), error);
	run_sql(fixture.path, "UPDATE event_json SET json=CAST(substr(json, 1, 9) || x'7f' ||"
			      " substr(json, 11) AS BLOB) WHERE packed AND length(json)<1000");
	cr_expect_null(store_event(fixture.store, "a", event->event_id, &error));
	cr_expect(g_error_matches(error, STORE_ERROR, STORE_ERROR_DAMAGED));
	g_clear_error(&error);
}

/* Begins a transaction, stores, commits if told so, says when, and waits to be killed. */
static void
write_until_killed(gboolean commit, int ready_fd)
{
	struct store *store = open_store(fixture.url, STORE_WRITE);

	if (!store_begin(store, NULL))
		_exit(1);
	for (int i = 0; i < 50; i++)
		g_free(store_mail(store, i, "<alice@site.example>", "x", "content"));
	if (commit && !store_commit(store, NULL))
		_exit(1);
	if (write(ready_fd, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void
kill_a_writer(gboolean commit)
{
	int pipe_fds[2];
	char ready;
	pid_t pid;

	g_clear_pointer(&fixture.store, store_close);
	cr_assert_eq(pipe(pipe_fds), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0)
		write_until_killed(commit, pipe_fds[1]);
	cr_assert_eq(read(pipe_fds[0], &ready, 1), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	fixture.store = open_store(fixture.url, STORE_WRITE);
}

static guint64
count_events(void)
{
	struct store_status status;
	GError *error = NULL;
	guint64 events;

	expect_ok(store_status(fixture.store, NULL, &status, &error), error);
	events = status.events;
	store_status_clear(&status);
	return events;
}

Test(store, a_kill_before_commit_leaves_nothing_behind)
{
	kill_a_writer(FALSE);
	cr_expect_eq(count_events(), 0);
	expect_who(fixture.store, "a", "name:x", "");
	cr_expect_eq(count_messages(), 0);
}

Test(store, a_kill_after_commit_loses_nothing)
{
	guint64 bad;
	GError *error = NULL;

	kill_a_writer(TRUE);
	cr_expect_eq(count_events(), 50);
	cr_expect_eq(count_messages(), 50);
	expect_ok(store_verify(fixture.store, NULL, NULL, NULL, NULL, &bad, &error), error);
	cr_expect_eq(bad, 0);
}

Test(store, an_event_that_fails_leaves_the_others_of_its_transaction)
{
	g_autoptr(event_t) event = make_event(1);
	g_autoptr(GBytes) json = g_bytes_new_static("{}", 2);
	GError *error = NULL;
	gboolean added = 7;

	expect_ok(store_begin(fixture.store, &error), error);
	g_free(store_mail(fixture.store, 1, "<alice@site.example>", "x", "c"));
	set_text(&event->event_id, "not an id");
	cr_expect_not(store_add_event(fixture.store, event, json, NULL, &added, &error));
	cr_expect(g_error_matches(error, STORE_ERROR, STORE_ERROR_EVENT));
	cr_expect_eq(added, 7, "untouched on failure");
	g_clear_error(&error);
	expect_ok(store_commit(fixture.store, &error), error);
	expect_who(fixture.store, "a", "", "alice@site.example");
}

Test(store, a_full_disk_is_an_error_that_leaves_the_store_usable)
{
	g_autoptr(event_t) event = make_event(2);
	g_autoptr(GRand) random = g_rand_new_with_seed(1);
	g_autoptr(GBytes) json = NULL;
	guint8 *noise = g_malloc(1 << 20);
	gboolean added = FALSE;
	GError *error = NULL;

	for (gsize i = 0; i < 1 << 20; i++)
		noise[i] = g_rand_int(random);
	json = g_bytes_new_take(noise, 1 << 20);
	g_free(store_mail(fixture.store, 1, "<alice@site.example>", "x", "c"));
	expect_ok(sql_script(fixture.store->sql, "PRAGMA max_page_count=100", &error), error);
	cr_expect_not(store_add_event(fixture.store, event, json, NULL, &added, &error));
	cr_expect(g_error_matches(error, STORE_ERROR, STORE_ERROR_WRITE));
	g_clear_error(&error);
	expect_ok(sql_script(fixture.store->sql, "PRAGMA max_page_count=100000", &error), error);
	expect_ok(store_add_event(fixture.store, event, json, NULL, &added, &error), error);
	cr_expect(added);
	cr_expect_eq(count_messages(), 2);
}

Test(store, a_rollback_takes_everything_back)
{
	GError *error = NULL;

	expect_ok(store_begin(fixture.store, &error), error);
	g_free(store_mail(fixture.store, 1, "<alice@site.example>", "x", "c"));
	store_rollback(fixture.store);
	expect_who(fixture.store, "a", "", "");
	g_free(store_mail(fixture.store, 1, "<bob@site.example>", "x", "c"));
	expect_who(fixture.store, "a", "name:x", "bob@site.example");
}

/* ---- readers and writers ---- */

Test(store, a_reader_neither_waits_for_the_writer_nor_sees_half_of_its_work)
{
	g_autoptr(store_t) reader = open_store(fixture.url, STORE_READ);
	GError *error = NULL;

	g_free(store_mail(fixture.store, 1, "<alice@site.example>", "x", "c"));
	expect_ok(store_begin(fixture.store, &error), error);
	g_free(store_mail(fixture.store, 2, "<bob@site.example>", "x", "c"));
	expect_who(reader, "a", "name:x", "alice@site.example");
	expect_ok(store_commit(fixture.store, &error), error);
	expect_who(reader, "a", "name:x", "alice@site.example bob@site.example");
}

Test(store, a_writer_that_ends_beside_a_reader_leaves_no_log_to_be_read_again)
{
	g_autoptr(store_t) reader = open_store(fixture.url, STORE_READ);
	g_autofree char *log = g_strconcat(fixture.path, "-wal", NULL);
	struct stat status;

	g_free(store_mail(fixture.store, 1, "<alice@site.example>", "x", "c"));
	expect_who(reader, "a", "name:x", "alice@site.example");
	cr_assert_eq(stat(log, &status), 0);
	cr_assert_gt(status.st_size, 0);
	g_clear_pointer(&fixture.store, store_close);
	cr_assert_eq(stat(log, &status), 0);
	cr_expect_eq(status.st_size, 0);
	expect_who(reader, "a", "name:x", "alice@site.example");
}

/* Writes from within a reader's answer: one that blocked would time out. */
static gboolean
write_meanwhile(const struct store_hit *hit, void *data)
{
	g_free(store_mail(fixture.store, 100, "<later@site.example>", "x", "c"));
	return TRUE;
}

Test(store, the_writer_does_not_wait_for_a_reader)
{
	g_autoptr(store_t) reader = open_store(fixture.url, STORE_READ);
	g_autoptr(query_t) query = make_query("a", "name:x");
	GError *error = NULL;
	guint64 hits;

	g_free(store_mail(fixture.store, 1, "<alice@site.example>", "x", "c"));
	g_free(store_mail(fixture.store, 2, "<bob@site.example>", "x", "c"));
	expect_ok(store_who(reader, query, write_meanwhile, NULL, NULL, NULL, &hits, &error),
		  error);
	cr_expect_eq(hits, 2, "the reader keeps the state that its question began with");
	cr_expect_eq(count_events(), 4);
}

Test(store, has_one_writer)
{
	g_autoptr(GError) error = NULL;

	cr_expect_null(store_open(fixture.url, STORE_WRITE, &error));
	cr_expect(g_error_matches(error, STORE_ERROR, STORE_ERROR_LOCKED));
}

Test(store, is_readable_by_its_group_and_writable_by_its_owner_alone)
{
	struct stat status;

	/* 0640 less what the umask takes, and nothing of what it would leave */
	cr_assert_eq(stat(fixture.path, &status), 0);
	cr_expect_eq(status.st_mode & 0737, 0600);
}

/* ---- opening ---- */

static void
expect_refused(const char *url, enum store_mode mode, int code)
{
	GError *error = NULL;

	cr_expect_null(store_open(url, mode, &error));
	cr_expect(g_error_matches(error, STORE_ERROR, code), "%s: %s", url,
		  error ? error->message : "no error");
	g_clear_error(&error);
}

Test(store, says_what_is_wrong_with_an_url)
{
	expect_refused("", STORE_READ, STORE_ERROR_OPEN);
	expect_refused("sqlite:", STORE_READ, STORE_ERROR_OPEN);
	expect_refused("clickhouse://x", STORE_READ, STORE_ERROR_OPEN);
	expect_refused("sqlite:/nonexistent/store.db", STORE_READ, STORE_ERROR_ABSENT);
	expect_refused("sqlite:/nonexistent/store.db", STORE_WRITE, STORE_ERROR_OPEN);
}

Test(store, leaves_a_newer_store_untouched)
{
	g_autofree char *before = NULL, *after = NULL;
	gsize before_length, after_length;

	g_clear_pointer(&fixture.store, store_close);
	run_sql(fixture.path, "PRAGMA user_version=1000");
	run_sql(fixture.path, "PRAGMA wal_checkpoint(TRUNCATE)");
	cr_assert(g_file_get_contents(fixture.path, &before, &before_length, NULL));
	expect_refused(fixture.url, STORE_WRITE, STORE_ERROR_VERSION);
	expect_refused(fixture.url, STORE_READ, STORE_ERROR_VERSION);
	cr_assert(g_file_get_contents(fixture.path, &after, &after_length, NULL));
	cr_assert_eq(before_length, after_length);
	cr_expect_arr_eq(before, after, before_length);
}

Test(store, leaves_the_database_of_another_program_alone)
{
	g_clear_pointer(&fixture.store, store_close);
	g_unlink(fixture.path);
	run_sql(fixture.path, "CREATE TABLE theirs (x)");
	expect_refused(fixture.url, STORE_WRITE, STORE_ERROR_VERSION);
	expect_refused(fixture.url, STORE_READ, STORE_ERROR_VERSION);
	run_sql(fixture.path, "SELECT x FROM theirs");
}

Test(store, refuses_a_file_that_is_no_database)
{
	g_clear_pointer(&fixture.store, store_close);
	cr_assert(g_file_set_contents(fixture.path,
				      "this is a text and not a database at all, "
				      "though long enough to have a header of one",
				      -1, NULL));
	expect_refused(fixture.url, STORE_READ, STORE_ERROR_DAMAGED);
}

/* Returns the released steps and these behind them; g_free() the array. */
static const char **
steps_and(const char *const *more, gsize count_more, gsize *ret_released)
{
	const char *const *released = store_schema_steps(ret_released);
	const char **steps = g_new0(const char *, *ret_released + count_more);

	memcpy(steps, released, *ret_released * sizeof(*steps));
	memcpy(steps + *ret_released, more, count_more * sizeof(*steps));
	return steps;
}

Test(store, brings_an_older_store_up_to_date_and_keeps_what_is_in_it)
{
	static const char *const later[] = {
		"ALTER TABLE events ADD COLUMN later TEXT NOT NULL DEFAULT 'none';"};
	gsize released;
	g_autofree const char **steps = steps_and(later, 1, &released);
	struct sql *sql;
	gint64 version = 0;
	GError *error = NULL;

	g_free(store_mail(fixture.store, 1, "<alice@site.example>", "x", "c"));
	g_clear_pointer(&fixture.store, store_close);
	sql = sql_open(fixture.path, TRUE, &error);
	expect_ok(sql != NULL, error);
	cr_expect_not(store_schema_check(sql, released + 1, &error), "a newer reader must wait");
	cr_expect(g_error_matches(error, STORE_ERROR, STORE_ERROR_VERSION));
	g_clear_error(&error);
	expect_ok(store_schema_upgrade(sql, steps, released + 1, &error), error);
	expect_ok(store_schema_version(sql, &version, &error), error);
	cr_expect_eq(version, (gint64)released + 1);
	expect_ok(sql_number(sql_bind(sql, "SELECT count(*) FROM events WHERE later='none'", ""), 0,
			     &version, &error),
		  error);
	cr_expect_eq(version, 1);
	sql_close(sql);
}

Test(store, a_step_that_fails_leaves_the_store_as_it_was)
{
	static const char *const twice[] = {"CREATE TABLE half (x);", "CREATE TABLE half (x);"};
	gsize released;
	g_autofree const char **steps = steps_and(twice, 2, &released);
	struct sql *sql;
	gint64 number = -1;
	GError *error = NULL;

	g_clear_pointer(&fixture.store, store_close);
	sql = sql_open(fixture.path, TRUE, &error);
	cr_expect_not(store_schema_upgrade(sql, steps, released + 2, &error));
	g_clear_error(&error);
	expect_ok(store_schema_version(sql, &number, &error), error);
	cr_expect_eq(number, (gint64)released);
	expect_ok(sql_number(
			  sql_bind(sql, "SELECT count(*) FROM sqlite_schema WHERE name='half'", ""),
			  -1, &number, &error),
		  error);
	cr_expect_eq(number, 0);
	sql_close(sql);
	fixture.store = open_store(fixture.url, STORE_WRITE);
}
