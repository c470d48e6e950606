/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_fixture.h"

#include "caps.h"
#include "generate.h"
#include "ingest.h"
#include "ocsf.h"
#include "ocsf_delivery.h"
#include "ocsf_login.h"
#include "store_logins.h"

#define EPOCH "0190f3c2-0000-4000-8000-000000000001"

static GBytes *
encoded(GRand *rand, const char *origin, const char *tenant, const char *sensor)
{
	g_autoptr(event_t) event = generate_event(rand);

	g_free(event->event_id);
	event->event_id = event_id_new(g_get_real_time());
	g_clear_pointer(&event->supplements, g_free);
	g_free(event->origin);
	event->origin = g_strdup(origin);
	g_free(event->tenant);
	event->tenant = g_strdup(tenant);
	g_free(event->sensor);
	event->sensor = g_strdup(sensor);
	return ocsf_encode_event(event, CAP_EVENT_BYTES);
}

static GPtrArray *
events_new(void)
{
	return g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
}

static struct ingest_result
ingested(struct store *store, guint64 first, GPtrArray *events)
{
	const struct ingest_batch batch = {"mx1", "a", EPOCH, first, events};
	struct ingest_result result;
	GError *error = NULL;

	expect_ok(ingest_batch(store, &batch, &result, &error), error);
	return result;
}

static struct store_status
status_of(struct store *store)
{
	struct store_status status;
	GError *error = NULL;

	expect_ok(store_status(store, NULL, &status, &error), error);
	return status;
}

Test(ingest, batch_is_stored_as_it_came)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);
	g_autoptr(GPtrArray) events = events_new();
	struct store_fixture fixture;
	struct ingest_result result;

	store_fixture_init(&fixture);
	for (guint i = 0; i < 20; i++)
		g_ptr_array_add(events, encoded(rand, "milter", "a", "mx1"));
	result = ingested(fixture.store, 1, events);
	cr_assert_eq(result.through, 20);
	cr_assert_eq(result.refusals->len, 0);
	cr_assert_eq(result.added->len, 20);
	for (guint i = 0; i < 20; i++)
		cr_assert(g_bytes_equal(g_ptr_array_index(result.added, i),
					g_ptr_array_index(events, i)));
	ingest_result_clear(&result);
	store_fixture_clear(&fixture);
}

Test(ingest, batch_that_comes_again_adds_nothing)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(2);
	g_autoptr(GPtrArray) events = events_new();
	struct store_fixture fixture;
	struct ingest_result result;

	store_fixture_init(&fixture);
	for (guint i = 0; i < 5; i++)
		g_ptr_array_add(events, encoded(rand, "milter", "a", "mx1"));
	result = ingested(fixture.store, 1, events);
	ingest_result_clear(&result);
	result = ingested(fixture.store, 1, events);
	cr_assert_eq(result.through, 5);
	cr_assert_eq(result.added->len, 0, "published twice");
	ingest_result_clear(&result);
	store_fixture_clear(&fixture);
}

Test(ingest, poison_gets_a_reason_and_its_number_counts_as_stored)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(3);
	g_autoptr(GPtrArray) events = events_new();
	static const char *const poison[] = {"", "x", "{}", "[1]", "{\"class_uid\":4009}", "\xff"};
	const guint count = G_N_ELEMENTS(poison);
	struct store_fixture fixture;
	struct ingest_result result;
	struct store_status status;

	store_fixture_init(&fixture);
	for (guint i = 0; i < count; i++)
		g_ptr_array_add(events, g_bytes_new(poison[i], strlen(poison[i])));
	g_ptr_array_add(events, encoded(rand, "milter", "a", "mx1"));
	result = ingested(fixture.store, 1, events);
	cr_assert_eq(result.through, count + 1);
	cr_assert_eq(result.added->len, 1);
	cr_assert_eq(result.refusals->len, count);
	for (guint i = 0; i < count; i++) {
		const struct ingest_refusal *refusal = g_ptr_array_index(result.refusals, i);

		cr_assert_eq(refusal->n, i + 1);
		cr_assert(*refusal->reason && g_utf8_validate(refusal->reason, -1, NULL));
	}
	ingest_result_clear(&result);
	status = status_of(fixture.store);
	cr_assert_eq(status.dead_letters, count);
	cr_assert_eq(status.events, 1);
	store_status_clear(&status);
	store_fixture_clear(&fixture);
}

Test(ingest, event_that_claims_another_is_poison)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(4);
	g_autoptr(GPtrArray) events = events_new();
	struct store_fixture fixture;
	struct ingest_result result;

	store_fixture_init(&fixture);
	g_ptr_array_add(events, encoded(rand, "milter", "a", "mx2"));
	g_ptr_array_add(events, encoded(rand, "milter", "b", "mx1"));
	result = ingested(fixture.store, 1, events);
	cr_assert_eq(result.refusals->len, 2);
	cr_assert_eq(result.added->len, 0);
	ingest_result_clear(&result);
	store_fixture_clear(&fixture);
}

/* A delivery of queue id "4X" to bob, as a follower sends it. */
static GBytes *
encoded_delivery(const char *tenant, const char *sensor)
{
	g_autofree char *id = event_id_of("line", 4);
	struct delivery delivery = {
		.event_id = id,
		.tenant = (char *)tenant,
		.sensor = (char *)sensor,
		.log_host = (char *)"mx1",
		.queue_id = (char *)"4X",
		.time_us = AT(2),
		.kind = DELIVERY_SENT,
		.recipient = (char *)"bob@s.example",
	};

	return ocsf_encode_delivery(&delivery);
}

static GBytes *
encoded_mail(void)
{
	g_autoptr(event_t) event = make_event(1);

	add_rcpt(event, "<bob@s.example>");
	set_text(&event->queue_id, "4X");
	return ocsf_encode_event(event, CAP_EVENT_BYTES);
}

Test(ingest, event_and_delivery_of_one_batch_meet_in_the_store)
{
	g_autoptr(GPtrArray) events = events_new();
	struct store_fixture fixture;
	struct ingest_result result;

	store_fixture_init(&fixture);
	g_ptr_array_add(events, encoded_delivery("a", "mx1"));
	g_ptr_array_add(events, encoded_mail());
	result = ingested(fixture.store, 1, events);
	cr_assert_eq(result.through, 2);
	cr_assert_eq(result.refusals->len, 0);
	cr_assert_eq(result.added->len, 2, "both go to the live stream");
	ingest_result_clear(&result);
	expect_who(fixture.store, "a", "state:delivered", "bob@s.example");
	result = ingested(fixture.store, 1, events);
	cr_assert_eq(result.added->len, 0, "published twice");
	ingest_result_clear(&result);
	store_fixture_clear(&fixture);
}

Test(ingest, delivery_that_claims_another_is_poison_and_one_without_identity_is_stamped)
{
	g_autoptr(GPtrArray) events = events_new();
	g_autoptr(delivery_t) stored = NULL;
	struct store_fixture fixture;
	struct ingest_result result;
	struct store_status status;
	const char *json;
	gsize length;

	store_fixture_init(&fixture);
	g_ptr_array_add(events, encoded_delivery("b", "mx1"));
	g_ptr_array_add(events, encoded_delivery("a", "mx2"));
	g_ptr_array_add(events, encoded_delivery(NULL, NULL));
	result = ingested(fixture.store, 1, events);
	cr_assert_eq(result.through, 3);
	cr_assert_eq(result.refusals->len, 2);
	cr_assert_eq(result.added->len, 1);
	json = g_bytes_get_data(g_ptr_array_index(result.added, 0), &length);
	stored = ocsf_decode_delivery(json, length, NULL);
	cr_assert_not_null(stored);
	cr_assert_str_eq(stored->sensor, "mx1");
	cr_assert_str_eq(stored->tenant, "a");
	ingest_result_clear(&result);
	status = status_of(fixture.store);
	cr_assert_eq(status.dead_letters, 2);
	store_status_clear(&status);
	store_fixture_clear(&fixture);
}

Test(ingest, identity_that_is_missing_is_stamped_into_what_is_stored)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(5);
	g_autoptr(GPtrArray) events = events_new();
	struct store_fixture fixture;
	struct ingest_result result;
	g_autoptr(event_t) stored = NULL;
	const char *json;
	gsize length;

	store_fixture_init(&fixture);
	g_ptr_array_add(events, encoded(rand, "milter", NULL, NULL));
	result = ingested(fixture.store, 1, events);
	cr_assert_eq(result.added->len, 1);
	json = g_bytes_get_data(g_ptr_array_index(result.added, 0), &length);
	stored = ocsf_decode_event(json, length, NULL);
	cr_assert_not_null(stored);
	cr_assert_str_eq(stored->sensor, "mx1");
	cr_assert_str_eq(stored->tenant, "a");
	ingest_result_clear(&result);
	store_fixture_clear(&fixture);
}

Test(ingest, through_stops_at_a_gap)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(6);
	g_autoptr(GPtrArray) one = events_new();
	g_autoptr(GPtrArray) three = events_new();
	g_autoptr(GPtrArray) two = events_new();
	struct store_fixture fixture;
	struct ingest_result result;

	store_fixture_init(&fixture);
	g_ptr_array_add(one, encoded(rand, "milter", "a", "mx1"));
	g_ptr_array_add(two, encoded(rand, "milter", "a", "mx1"));
	g_ptr_array_add(three, encoded(rand, "milter", "a", "mx1"));
	result = ingested(fixture.store, 1, one);
	ingest_result_clear(&result);
	result = ingested(fixture.store, 3, three);
	cr_assert_eq(result.through, 1, "what is missing must not be acknowledged");
	ingest_result_clear(&result);
	result = ingested(fixture.store, 2, two);
	cr_assert_eq(result.through, 3);
	ingest_result_clear(&result);
	store_fixture_clear(&fixture);
}

Test(ingest, store_that_cannot_be_written_leaves_the_result_untouched)
{
	g_autoptr(GPtrArray) events = events_new();
	const struct ingest_batch batch = {"mx1", "a", EPOCH, 1, events};
	struct ingest_result result = {.through = 77};
	g_autoptr(GError) error = NULL;
	struct store_fixture fixture;
	struct store *reader;

	store_fixture_init(&fixture);
	g_ptr_array_add(events, g_bytes_new_static("x", 1));
	reader = open_store(fixture.url, STORE_READ);
	cr_assert_not(ingest_batch(reader, &batch, &result, &error));
	cr_assert_not_null(error);
	cr_assert_eq(result.through, 77);
	cr_assert_null(result.added);
	store_close(reader);
	store_fixture_clear(&fixture);
}

Test(ingest, import_is_whole_or_not_at_all)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);
	g_autoptr(GPtrArray) events = events_new();
	static const struct {
		const char *origin, *tenant;
	} wrong[] = {{"milter", "a"}, {"import", "b"}, {"import", NULL}};
	struct store_fixture fixture;
	struct store_status status;
	guint64 added = 77;
	GError *error = NULL;

	store_fixture_init(&fixture);
	g_ptr_array_add(events, encoded(rand, "import", "a", "import"));
	for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_ptr_array_add(events, encoded(rand, wrong[i].origin, wrong[i].tenant, "import"));
		cr_assert_not(ingest_import(fixture.store, "a", events, &added, &error));
		cr_assert_eq(error->domain, OCSF_ERROR);
		cr_assert_eq(added, 77);
		g_clear_error(&error);
		g_ptr_array_set_size(events, 1);
		status = status_of(fixture.store);
		cr_assert_eq(status.events, 0);
		store_status_clear(&status);
	}
	expect_ok(ingest_import(fixture.store, "a", events, &added, &error), error);
	cr_assert_eq(added, 1);
	expect_ok(ingest_import(fixture.store, "a", events, &added, &error), error);
	cr_assert_eq(added, 0);
	store_fixture_clear(&fixture);
}

/* ---- what is found later ---- */

/* A message with a zip whose member is encrypted, or read when a content is given. */
static struct event *
zip_event(const char *content)
{
	struct event *event = make_event(1);
	struct file *member;

	add_rcpt(event, "<u1@a.example>");
	add_file(event, "1", "a.zip", "the zip");
	member = record_add_file(event->record, "1!/b.exe", 0);
	file_add_name(member, "b.exe", "member", NULL);
	member->method = g_strdup(content ? "aes-256+store+opened" : "aes-256+store");
	member->size = 7;
	member->flags = content ? 0 : FILE_ENCRYPTED;
	if (content)
		digests_of(content, strlen(content), &member->digests);
	return event;
}

/* Ingests an event under a number, and frees it. */
static struct ingest_result
ingested_one(struct store *store, guint64 number, struct event *event)
{
	g_autoptr(GPtrArray) events = events_new();
	g_autoptr(event_t) owned = event;

	g_ptr_array_add(events, ocsf_encode_event(owned, CAP_EVENT_BYTES));
	return ingested(store, number, events);
}

static gboolean
count_supplement(GBytes *json, void *data)
{
	g_autoptr(event_t) event =
		ocsf_decode_event(g_bytes_get_data(json, NULL), g_bytes_get_size(json), NULL);

	cr_assert(event != NULL);
	++*(guint *)data;
	return TRUE;
}

Test(ingest, what_is_found_later_is_found_in_the_earlier_event)
{
	struct store_fixture fixture;
	struct event *event = zip_event(NULL);
	g_autofree char *earlier = g_strdup(event->event_id);
	g_autofree char *sha256 = sha256_of("payload");
	struct ingest_result result;
	struct store_status status;
	GError *error = NULL;
	guint64 flaws = 0;
	guint shown = 0;

	store_fixture_init(&fixture);
	result = ingested_one(fixture.store, 1, event);
	ingest_result_clear(&result);
	expect_who(fixture.store, "a", sha256, "");
	for (guint again = 0; again < 2; again++) {
		event = zip_event("payload");
		set_text(&event->event_id, "01a20530-8f57-7000-b5fe-e50c8f927b9e");
		set_text(&event->supplements, earlier);
		result = ingested_one(fixture.store, 2, event);
		cr_assert_eq(result.through, 2);
		cr_assert_eq(result.refusals->len, 0);
		cr_assert_eq(result.added->len, again ? 0 : 1);
		ingest_result_clear(&result);
	}
	expect_who(fixture.store, "a", sha256, "u1@a.example");
	{
		g_autoptr(query_t) query = make_query("a", sha256);
		g_autoptr(GPtrArray) hits = ask_query(fixture.store, query);
		const struct store_hit *hit = g_ptr_array_index(hits, 0);

		cr_assert_str_eq(hit->event_id, earlier);
		cr_assert_str_eq(hit->match, "exact");
		cr_assert_str_eq(hit->file, "1!/b.exe");
		cr_assert_str_eq(hit->name, "b.exe");
	}
	status = status_of(fixture.store);
	cr_assert_eq(status.events, 1, "it is no message of its own");
	store_status_clear(&status);
	expect_ok(store_supplements(fixture.store, "a", earlier, count_supplement, &shown, &error),
		  error);
	cr_assert_eq(shown, 1);
	expect_ok(store_verify(fixture.store, NULL, NULL, NULL, NULL, &flaws, &error), error);
	cr_assert_eq(flaws, 0);
	store_fixture_clear(&fixture);
}

Test(ingest, what_supplements_nothing_is_put_aside)
{
	struct store_fixture fixture;
	struct event *event = zip_event("payload");
	g_autofree char *sha256 = sha256_of("payload");
	struct ingest_result result;

	store_fixture_init(&fixture);
	set_text(&event->supplements, "01a20530-8f57-7000-b5fe-e50c8f927b9e");
	result = ingested_one(fixture.store, 1, event);
	cr_assert_eq(result.through, 1);
	cr_assert_eq(result.added->len, 0);
	cr_assert_eq(result.refusals->len, 1);
	ingest_result_clear(&result);
	expect_who(fixture.store, "a", sha256, "");
	store_fixture_clear(&fixture);
}

static GBytes *
encoded_login(const char *sensor, int second)
{
	g_autofree char *text = g_strdup_printf("login %d", second);
	g_autofree char *id = event_id_of(text, strlen(text));
	const struct login login = {
		.event_id = id,
		.sensor = (char *)sensor,
		.log_host = (char *)"mbox1",
		.service = (char *)"imap",
		.user = (char *)"bob",
		.client = (char *)"192.0.2.7",
		.session = text,
		.time_us = AT(second),
	};

	return ocsf_encode_login(&login);
}

static gboolean
count_login(const struct store_login *login, void *data)
{
	*(gsize *)data += login->count;
	return TRUE;
}

static gsize
logins_of_bob(struct store *store)
{
	const struct store_logins_question question = {.tenant = "a", .user = "bob"};
	GError *error = NULL;
	gsize count = 0;

	expect_ok(store_logins(store, &question, count_login, &count, &error), error);
	return count;
}

Test(ingest, logins_are_stored_once_and_those_of_another_are_poison)
{
	g_autoptr(GPtrArray) events = events_new();
	struct store_fixture fixture;
	struct ingest_result result;

	store_fixture_init(&fixture);
	g_ptr_array_add(events, encoded_login(NULL, 0));
	g_ptr_array_add(events, encoded_login("mx1", 1));
	g_ptr_array_add(events, encoded_login("mx2", 2));
	for (int again = 0; again < 2; again++) {
		result = ingested(fixture.store, 1, events);
		cr_assert_eq(result.through, 3);
		cr_assert_eq(result.added->len, again ? 0 : 2);
		cr_assert_eq(result.refusals->len, 1);
		if (!again) {
			GBytes *json = g_ptr_array_index(result.added, 0);
			g_autoptr(login_t) login = ocsf_decode_login(g_bytes_get_data(json, NULL),
								     g_bytes_get_size(json), NULL);

			cr_assert_str_eq(login->tenant, "a");
		}
		ingest_result_clear(&result);
		cr_assert_eq(logins_of_bob(fixture.store), 2);
	}
	store_fixture_clear(&fixture);
}

/* A follower of an older version says so in a delivery; an upgrade of both loses none, nor counts
 * one twice. */
Test(ingest, login_that_came_as_a_delivery_is_a_login)
{
	g_autoptr(GPtrArray) events = events_new();
	struct delivery delivery = {
		.event_id = (char *)"0190f3c2-0000-4000-8000-000000000009",
		.log_host = (char *)"mbox1",
		.queue_id = (char *)"login 5",
		.time_us = AT(5),
		.kind = DELIVERY_LOGIN,
		.recipient = (char *)"bob",
		.relay = (char *)"imap-login",
		.detail = (char *)"192.0.2.7",
	};
	struct store_fixture fixture;
	struct ingest_result result;

	store_fixture_init(&fixture);
	g_ptr_array_add(events, ocsf_encode_delivery(&delivery));
	g_ptr_array_add(events, encoded_login("mx1", 5));
	result = ingested(fixture.store, 1, events);
	cr_assert_eq(result.refusals->len, 0);
	cr_assert_eq(result.added->len, 1);
	cr_assert_eq(logins_of_bob(fixture.store), 1);
	ingest_result_clear(&result);
	store_fixture_clear(&fixture);
}

/* What a collector without logins put aside, the next version stores. */
Test(ingest, login_that_an_older_collector_put_aside_is_stored_later)
{
	g_autoptr(GBytes) json = encoded_login("mx1", 0);
	gsize length;
	const void *bytes = g_bytes_get_data(json, &length);
	const struct store_sequence sequence = {EPOCH, 1};
	struct store_fixture fixture;
	struct store_dead_letter letter = {.tenant = (char *)"a", .sensor = (char *)"mx1"};
	g_autoptr(GBytes) added = NULL;
	g_autofree char *reason = NULL;
	GError *error = NULL;

	store_fixture_init(&fixture);
	expect_ok(store_begin(fixture.store, &error), error);
	expect_ok(store_add_dead_letter(fixture.store, "a", "mx1", &sequence, json,
					"event: not an email_activity (4009)", &error),
		  error);
	letter.id = 1;
	letter.sequence = sequence;
	letter.json = (void *)bytes;
	letter.length = length;
	expect_ok(ingest_dead_letter(fixture.store, &letter, &added, &reason, &error), error);
	expect_ok(store_commit(fixture.store, &error), error);
	cr_assert(added != NULL && reason == NULL);
	cr_assert_eq(logins_of_bob(fixture.store), 1);
	store_fixture_clear(&fixture);
}
