/* SPDX-License-Identifier: BSD-2-Clause */
/* A person's addresses, taken out of texts, of records, and of a store down to its bytes. */
#include <sqlite3.h>

#include "erasure.h"
#include "json.h"
#include "ocsf.h"
#include "ocsf_delivery.h"
#include "store_dead_letters.h"
#include "store_erase.h"
#include "store_fixture.h"
#include "store_holds.h"

#define PERSON "ann.lee@site.example"

static const guint8 scope[ERASE_SCOPE_BYTES] = {1};

static struct erasure *
erasure_of(const char *address)
{
	const char *const addresses[] = {address, NULL};
	GError *error = NULL;
	struct erasure *erasure = erasure_new(addresses, AT(5), &error);

	expect_ok(erasure != NULL, error);
	return erasure;
}

/* ---- texts ---- */

/* The text with "#" for each stand-in, or NULL. */
static char *
erased(const struct erasure *erasure, const char *text)
{
	g_autofree char *now = erasure_text(erasure, text, scope);
	g_autoptr(GRegex) stand_in =
		g_regex_new("erased-[0-9a-f]{12}@erased\\.invalid", 0, 0, NULL);

	return now ? g_regex_replace_literal(stand_in, now, -1, 0, "#", 0, NULL) : NULL;
}

Test(erasure, finds_an_address_wherever_it_stands_and_no_longer_one)
{
	static const struct {
		const char *address, *text, *expected; /* NULL: nothing is in it */
	} cases[] = {
		{PERSON, PERSON, "#"},
		{PERSON, "Ann.Lee@Site.Example", "#"},
		{PERSON, "<" PERSON ">", "<#>"},
		{PERSON, "from=<" PERSON ">, size=9", "from=<#>, size=9"},
		{PERSON, PERSON "," PERSON, "#,#"},
		{PERSON, "write to " PERSON ".", "write to #."},
		{PERSON, "https://x.example/?to=" PERSON "&a=1", "https://x.example/?to=#&a=1"},
		{PERSON, "https://x.example/?to=ann.lee%40site.example", "https://x.example/?to=#"},
		{PERSON, "mailto:%3Cann.lee@site.example%3E", "mailto:%3C#%3E"},
		{PERSON, "宛先" PERSON "様", "宛先#様"},
		{PERSON, "jo" PERSON, NULL},
		{PERSON, "jo." PERSON, NULL},
		{PERSON, "jo-" PERSON, NULL},
		{PERSON, PERSON "s", NULL},
		{PERSON, PERSON ".org", NULL},
		{PERSON, PERSON "-x.org", NULL},
		{PERSON, "ann.lee@site", NULL},
		{PERSON, "lee@site.example", NULL},
		{PERSON, "", NULL},
		{"ann@bücher.example", "ann@xn--bcher-kva.example", "#"},
		{"ann@xn--bcher-kva.example", "to ann@bücher.example", "to #"},
		{"ünn@site.example", "ÜNN@site.example", "#"},
		{"ünn@site.example", "<Ünn@SITE.example>", "<#>"},
		{"ünn@site.example", "ann@site.example", NULL},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(erasure_t) erasure = erasure_of(cases[i].address);
		g_autofree char *got = erased(erasure, cases[i].text);

		cr_expect(g_strcmp0(got, cases[i].expected) == 0, "%s: %s instead of %s",
			  cases[i].text, got, cases[i].expected);
	}
}

Test(erasure, nobody_is_told_by_what_stands_in)
{
	static const guint8 elsewhere[ERASE_SCOPE_BYTES] = {2};
	g_autoptr(erasure_t) first = erasure_of(PERSON), second = erasure_of(PERSON);
	g_autofree char *here = erasure_text(first, PERSON, scope);
	g_autofree char *again = erasure_text(first, "ANN.LEE@site.example", scope);
	g_autofree char *other = erasure_text(first, PERSON, elsewhere);
	g_autofree char *later = erasure_text(second, PERSON, scope);

	cr_expect_str_eq(here, again);
	cr_expect_str_neq(here, other);
	cr_expect_str_neq(here, later, "it is made with a salt");
}

Test(erasure, refuses_what_is_no_address)
{
	static const char *const wrong[] = {"ann",
					    "@site.example",
					    "ann@",
					    "<ann@site.example>",
					    "ann lee@site.example",
					    "ann\xff@site.example"};
	const char *many[ERASURE_ADDRESSES + 2] = {NULL};
	g_autofree char *longest = g_strnfill(ERASURE_ADDRESS_BYTES, 'a');
	const char *const none[] = {NULL};
	GError *error = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		const char *const addresses[] = {wrong[i], NULL};

		cr_expect_null(erasure_new(addresses, 0, &error), "%s", wrong[i]);
		cr_expect(g_error_matches(error, ERASURE_ERROR, ERASURE_ERROR_ADDRESS));
		g_clear_error(&error);
	}
	cr_expect_null(erasure_new(none, 0, NULL));
	for (gsize i = 0; i <= ERASURE_ADDRESSES; i++)
		many[i] = PERSON;
	cr_expect_null(erasure_new(many, 0, NULL));
	many[ERASURE_ADDRESSES] = NULL;
	erasure_free(erasure_new(many, 0, &error));
	cr_expect_null(error, "sixteen are allowed");
	longest[ERASURE_ADDRESS_BYTES - 2] = '@';
	erasure_free(erasure_of(longest));
	{
		g_autofree char *longer = g_strconcat("a", longest, NULL);
		const char *const addresses[] = {longer, NULL};

		cr_expect_null(erasure_new(addresses, 0, NULL));
	}
}

Test(erasure, the_journal_has_hashes_of_search_keys)
{
	g_autoptr(erasure_t) erasure = erasure_of("Ann.Lee@SITE.example");
	g_autofree char *sha256 = sha256_of(PERSON);
	g_autofree char *wanted = g_strdup_printf("[\"sha256:%s\"]", sha256);
	char *arguments = erasure_arguments(erasure);

	cr_expect_str_eq(arguments, wanted);
	free(arguments);
}

/* ---- a store ---- */

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

TestSuite(erase, .init = setup, .fini = teardown, .timeout = 60);

/* Stores an event with its real record; frees it, and returns its id. */
static char *
store_full(struct event *owned)
{
	g_autoptr(event_t) event = owned;
	g_autoptr(GBytes) json = ocsf_encode_event(event, 4 * 1024 * 1024);
	GError *error = NULL;
	gboolean added;

	expect_ok(store_add_event(fixture.store, event, json, NULL, &added, &error), error);
	return g_strdup(event->event_id);
}

/* A mail that has the person in every place there is. */
static struct event *
mail_of(int second, const char *first, const char *second_rcpt)
{
	struct event *event = make_event(second);
	struct record *record = event->record;

	add_rcpt(event, first);
	if (second_rcpt)
		add_rcpt(event, second_rcpt);
	envelope_address_free(event->sender);
	event->sender = envelope_address_new("<Ann.Lee@Site.example>");
	set_text(&event->queue_id, "Q1");
	set_text(&event->client.sasl_user, PERSON);
	set_text(&record->subject, "for " PERSON ", urgent");
	set_text(&record->message_id, "<" PERSON ">");
	mail_address_add(record->from, "Ann Lee", PERSON);
	mail_address_add(record->to, "Ann Lee", PERSON);
	mail_address_add(record->cc, "Bob", "bob@site.example");
	g_ptr_array_add(record->urls, g_strdup("https://x.example/?u=ann.lee%40site.example"));
	add_file(event, "2", "of " PERSON ", 2.pdf", "content");
	return event;
}

static void
store_sent(const char *recipient, const char *original, int second)
{
	g_autofree char *id = event_id_new(AT(second));
	struct delivery delivery = {
		.event_id = id,
		.tenant = (char *)"a",
		.sensor = (char *)"log1",
		.log_host = (char *)"mx1",
		.queue_id = (char *)"Q1",
		.time_us = AT(second),
		.kind = DELIVERY_SENT,
		.recipient = (char *)recipient,
		.original = (char *)original,
		.detail = (char *)"delivered to " PERSON,
	};
	g_autoptr(GBytes) json = ocsf_encode_delivery(&delivery);
	GError *error = NULL;
	gboolean added;

	expect_ok(store_add_delivery(fixture.store, &delivery, json, NULL, &added, &error), error);
}

static struct store_erasure
erase_all(const char *tenant)
{
	g_autoptr(erasure_t) erasure = erasure_of(PERSON);
	struct store_erasure result = {0};
	GError *error = NULL;

	while (!result.done)
		expect_ok(store_erase(fixture.store, tenant, erasure_eraser(erasure), &result,
				      &error),
			  error);
	cr_expect_float_eq(store_erasure_share(&result), 1, 0.001);
	return result;
}

static gboolean
note_json(const struct delivery *delivery G_GNUC_UNUSED, GBytes *json, void *data)
{
	g_string_append_len(data, g_bytes_get_data(json, NULL), (gssize)g_bytes_get_size(json));
	return TRUE;
}

static char *
record_of(const char *id)
{
	GString *text = g_string_new(NULL);
	GError *error = NULL;
	g_autoptr(GBytes) json = store_event(fixture.store, "a", id, &error);

	expect_ok(json != NULL, error);
	g_string_append_len(text, g_bytes_get_data(json, NULL), (gssize)g_bytes_get_size(json));
	expect_ok(store_deliveries(fixture.store, "a", id, note_json, text, &error), error);
	return g_string_free(text, FALSE);
}

static gboolean
has_person(const char *bytes, gsize length)
{
	static const char *const names[] = {"ann.lee", "ann lee"};

	for (gsize at = 0; at + 7 <= length; at++)
		for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
			if (g_ascii_strncasecmp(bytes + at, names[i], 7) == 0)
				return TRUE;
	return FALSE;
}

/* Nothing of him is left in the bytes of the file, of which only records are packed. */
static void
expect_bytes_without_person(void)
{
	g_autofree char *bytes = NULL;
	gsize length;

	store_close(fixture.store);
	cr_assert(g_file_get_contents(fixture.path, &bytes, &length, NULL));
	cr_expect_not(has_person(bytes, length), "the file has it still");
	fixture.store = open_store(fixture.url, STORE_WRITE);
}

static void
expect_no_flaw(void)
{
	GError *error = NULL;
	guint64 flaws = 1;

	expect_ok(store_verify(fixture.store, NULL, NULL, NULL, NULL, &flaws, &error), error);
	cr_expect_eq(flaws, 0);
}

Test(erase, a_person_is_in_nothing_any_more_and_all_others_are)
{
	g_autofree char *id = store_full(mail_of(10, "<bob@site.example>", "<" PERSON ">"));
	g_autofree char *text = NULL;
	struct store_erasure result;
	g_autoptr(event_t) event = NULL;
	GError *error = NULL;

	store_sent("bob@site.example", NULL, 11);
	store_sent(PERSON, NULL, 12);
	text = record_of(id);
	cr_assert(has_person(text, strlen(text)));
	result = erase_all("a");
	cr_expect_eq(result.messages, 1);
	cr_expect_eq(result.removed, 0);
	cr_expect_eq(result.deliveries, 2);
	cr_expect_eq(result.held, 0);

	g_free(text);
	text = record_of(id);
	cr_expect_not(has_person(text, strlen(text)), "%s", text);
	expect_who(fixture.store, "a", "to:" PERSON, "");
	expect_who(fixture.store, "a", "from:" PERSON, "");
	expect_who(fixture.store, "a", "sasl:" PERSON, "");
	expect_who(fixture.store, "a", "subject:ann.lee", "");
	expect_who(fixture.store, "a", "url:ann.lee", "");
	expect_who(fixture.store, "a", "name:*ann.lee*", "");
	expect_who(fixture.store, "a", "id:" PERSON, "");
	expect_who(fixture.store, "a", "to:bob@site.example", "bob@site.example");
	expect_no_flaw();
	expect_bytes_without_person();

	/* It is a record like any other, and says that it was erased. */
	{
		g_autoptr(GBytes) json = store_event(fixture.store, "a", id, &error);

		expect_ok(json != NULL, error);
		event = ocsf_decode_event(g_bytes_get_data(json, NULL), g_bytes_get_size(json),
					  &error);
		expect_ok(event != NULL, error);
	}
	cr_expect_eq(event->recipients->len, 2);
	cr_expect(strstr(text, "\"erased_us\":1700000005000000"), "%s", text);
}

/* What became of the other's copy, and of the erased one, is known as before. */
Test(erase, states_stay_and_lines_that_come_later_are_of_the_same_recipients)
{
	g_free(store_full(mail_of(10, "<bob@site.example>", "<" PERSON ">")));
	g_autoptr(query_t) query = make_query("a", "queue:Q1");
	g_autoptr(GPtrArray) hits = NULL;
	const struct store_hit *hit;

	store_sent(PERSON, NULL, 12);
	erase_all("a");
	store_sent("bob@site.example", NULL, 13);
	hits = ask_query(fixture.store, query);
	cr_assert_eq(hits->len, 2);
	for (guint i = 0; i < hits->len; i++) {
		hit = g_ptr_array_index(hits, i);
		cr_expect_str_eq(hit->state, "delivered", "%s", hit->recipient);
	}
}

static struct store_coverage
coverage_of(gint64 since_us, gint64 until_us)
{
	g_autoptr(query_t) query = query_new("a");
	struct store_coverage coverage;
	GError *error = NULL;

	query->since_us = since_us;
	query->until_us = until_us;
	expect_ok(store_coverage(fixture.store, query, NULL, &coverage, &error), error);
	store_coverage_clear(&coverage);
	return coverage;
}

Test(erase, a_message_to_nobody_else_goes_and_is_counted_as_erased)
{
	struct event *hop = mail_of(20, "<" PERSON ">", NULL);
	struct store_erasure result;

	g_free(store_full(mail_of(10, "<" PERSON ">", NULL)));
	hop->parent_event = g_strdup("01900000-0000-7000-8000-000000000001");
	g_free(store_full(hop));
	store_sent(PERSON, NULL, 12);
	result = erase_all("a");
	cr_expect_eq(result.removed, 2);
	cr_expect_eq(result.messages, 0);
	expect_who(fixture.store, "a", "name:*.pdf", "");
	cr_expect_eq(coverage_of(0, 0).messages, 0);
	cr_expect_eq(coverage_of(0, 0).erased, 2);
	cr_expect_eq(coverage_of(AT(10), AT(11)).erased, 2, "of the hour");
	cr_expect_eq(coverage_of(AT(10) + 7200 * (gint64)G_USEC_PER_SEC, 0).erased, 0);
	expect_no_flaw();
	expect_bytes_without_person();
}

Test(erase, what_is_on_legal_hold_stays_as_it_is)
{
	const struct store_hold hold = {.tenant = "a", .what = "[]"};
	g_autofree char *id = store_full(mail_of(10, "<bob@site.example>", "<" PERSON ">"));
	struct event *other = mail_of(30, "<carol@site.example>", NULL);
	g_autofree char *before = NULL, *after = NULL;
	struct store_erasure result;
	GError *error = NULL;
	gint64 number;
	gboolean there;

	store_sent(PERSON, NULL, 12);
	before = record_of(id);
	set_text(&other->queue_id, "Q2");
	g_free(store_full(other));
	expect_ok(store_hold_add(fixture.store, &hold, &number, &error) &&
			  store_hold_put(fixture.store, number, id, &there, &error),
		  error);
	result = erase_all("a");
	cr_expect_eq(result.held, 2, "the event and its line");
	cr_expect_eq(result.messages, 1);
	after = record_of(id);
	cr_expect_str_eq(before, after);
	expect_who(fixture.store, "a", "to:" PERSON, PERSON);
	expect_who(fixture.store, "a", "to:carol@site.example", "carol@site.example");
	expect_no_flaw();
}

Test(erase, other_tenants_and_other_people_are_left_alone)
{
	g_autofree char *id = store_full(mail_of(10, "<bob@site.example>", "<" PERSON ">"));
	g_autofree char *before = record_of(id), *after = NULL;
	struct store_erasure result = erase_all("b");

	cr_expect_eq(result.messages + result.removed, 0);
	after = record_of(id);
	cr_expect_str_eq(before, after);
	erase_all("a");
	result = erase_all("a");
	cr_expect_eq(result.messages, 0, "nothing is left to erase");
}

Test(erase, aliases_and_dead_letters_and_lines_of_no_event_are_found)
{
	static const char garbage[] = "{\"x\":\"ANN.LEE@site.example\"\0";
	g_autoptr(GBytes) mine = g_bytes_new_static(garbage, sizeof(garbage));
	g_autoptr(GBytes) others = g_bytes_new_static("{", 1);
	struct event *event = make_event(10);
	struct store_erasure result;
	GError *error = NULL;

	add_rcpt(event, "<team@site.example>");
	set_text(&event->queue_id, "Q1");
	g_free(store_full(event));
	store_sent(PERSON, "team@site.example", 12);
	expect_ok(store_add_dead_letter(fixture.store, "a", "mx1", NULL, mine, "no", &error) &&
			  store_add_dead_letter(fixture.store, "a", "mx1", NULL, others, "no",
						&error),
		  error);
	result = erase_all("a");
	cr_expect_eq(result.messages, 0);
	cr_expect_eq(result.deliveries, 1);
	cr_expect_eq(result.dead_letters, 1);
	expect_who(fixture.store, "a", "to:team@site.example", "team@site.example");
	expect_no_flaw();
	expect_bytes_without_person();
}

Test(erase, what_was_found_in_a_message_later_is_erased_as_well)
{
	struct event *event = make_event(10);
	g_autoptr(event_t) later = make_event(10);
	g_autofree char *id = NULL;
	g_autoptr(GBytes) json = NULL;
	GError *error = NULL;
	gboolean added, known;

	add_rcpt(event, "<bob@site.example>");
	id = store_full(event);
	later->supplements = g_strdup(id);
	add_file(later, "2!/x", "of " PERSON ", 2.pdf", "content");
	json = ocsf_encode_event(later, 4 * 1024 * 1024);
	expect_ok(store_add_supplement(fixture.store, later, json, NULL, &added, &known, &error),
		  error);
	expect_who(fixture.store, "a", "name:*ann.lee*", "bob@site.example");
	erase_all("a");
	expect_who(fixture.store, "a", "name:*ann.lee*", "");
	expect_who(fixture.store, "a", "name:*erased.invalid*", "bob@site.example");
	expect_no_flaw();
	expect_bytes_without_person();
}

Test(erase, a_damaged_record_stops_it_and_nothing_of_the_step_is_done)
{
	g_free(store_full(mail_of(10, "<bob@site.example>", "<" PERSON ">")));
	g_autoptr(erasure_t) erasure = erasure_of(PERSON);
	struct store_erasure result = {0};
	GError *error = NULL;
	sqlite3 *database;

	g_free(store_full(mail_of(20, "<bob@site.example>", NULL)));
	cr_assert_eq(sqlite3_open(fixture.path, &database), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(database, "UPDATE event_json SET json=x'00' WHERE event=2", NULL,
				  NULL, NULL),
		     SQLITE_OK);
	sqlite3_close(database);
	cr_expect_not(store_erase(fixture.store, "a", erasure_eraser(erasure), &result, &error));
	cr_expect(g_error_matches(error, STORE_ERROR, STORE_ERROR_DAMAGED));
	g_clear_error(&error);
	cr_expect_eq(result.messages + result.at, 0);
	expect_who(fixture.store, "a", "to:" PERSON, PERSON);
}
