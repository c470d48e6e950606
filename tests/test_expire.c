/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is left after an expiry is what would be there had the rest never come:
 * the store is compared with one into which only the rest was put.
 */
#include <sqlite3.h>

#include "store_dead_letters.h"
#include "store_fixture.h"
#include "store_holds.h"
#include "store_internal.h"
#include "store_retention.h"
#include "store_schema.h"

#define MAILS 400
#define SPAN_S 20000 /* the time that they came in: five hours and a half */
#define LATER_S 3000
#define WORDS 12

static struct store_fixture fixture, other;

static void
setup(void)
{
	store_fixture_init(&fixture);
	store_fixture_init(&other);
}

static void
teardown(void)
{
	store_fixture_clear(&fixture);
	store_fixture_clear(&other);
}

TestSuite(expire, .init = setup, .fini = teardown, .timeout = 120);

/* ---- mails by chance ---- */

/* A mail, from which its event and its lines of the log can be made again. */
struct mail {
	int number, second;
	int parent; /* number of an earlier hop, or -1 */
	int import; /* number of the live mail that it is a copy of, or -1 */
	int next;   /* number of the queue id that it was sent on as, or -1 */
	gboolean held;
	int words[6]; /* tenant, subject, recipients, name, content */
};

static const char *const subjects[WORDS] = {"invoice",	"Invoice", "rechnung", "請求書",
					    "請求書 2", "a",	   "re: a",    "hello",
					    "Hello",	"x y z",   "meeting",  "meetings"};

static char *
id_of(const char *kind, int number)
{
	g_autofree char *text = g_strdup_printf("%s %d", kind, number);

	return event_id_of(text, strlen(text));
}

static void
make_mails(GRand *chance, struct mail *mails)
{
	for (int i = 0; i < MAILS; i++) {
		struct mail *mail = &mails[i];

		*mail = (struct mail){.number = i,
				      .second =
					      i * SPAN_S / MAILS + g_rand_int_range(chance, 0, 40),
				      .parent = -1,
				      .import = -1,
				      .next = -1};
		for (guint word = 0; word < G_N_ELEMENTS(mail->words); word++)
			mail->words[word] = g_rand_int_range(chance, 0, WORDS);
		if (i > 0 && g_rand_int_range(chance, 0, 5) == 0) {
			mail->parent = i - 1;
			mail->words[0] = mails[i - 1].words[0];
		}
		if (g_rand_int_range(chance, 0, 6) == 0)
			mail->next = i;
		/* A copy that was imported before the live one came, with its own time. */
		if (i + 1 < MAILS && mail->parent < 0 && g_rand_int_range(chance, 0, 8) == 0)
			mail->import = i + 1;
	}
	for (int i = 0; i + 1 < MAILS; i++) {
		if (mails[i].import < 0)
			continue;
		mails[i + 1].import = mails[i + 1].parent = -1;
		memcpy(mails[i].words, mails[i + 1].words, sizeof(mails[i].words));
		if (i % 8)
			mails[i].second = mails[i + 1].second + LATER_S;
	}
}

static const char *
tenant_of(const struct mail *mail)
{
	return mail->words[0] == 0 ? "b" : "a";
}

static struct event *
event_of(const struct mail *mail)
{
	const struct mail *same = mail;
	struct event *event = make_event(mail->second);
	g_autofree char *queue = g_strdup_printf("Q%d", mail->number);
	g_autofree char *first = g_strdup_printf("<u%d@site.example>", mail->words[2]);
	g_autofree char *name = g_strdup_printf("file%d.js", mail->words[3]);
	g_autofree char *content = g_strdup_printf("content %d", mail->words[4]);
	g_autofree char *message_id =
		g_strdup_printf("<m%d@x>", mail->import >= 0 ? mail->import : mail->number);

	g_free(event->event_id);
	event->event_id = id_of("event", same->number);
	if (mail->parent >= 0)
		event->parent_event = id_of("event", mail->parent);
	set_text(&event->tenant, tenant_of(mail));
	set_text(&event->record->subject, subjects[mail->words[1]]);
	set_text(&event->record->message_id, message_id);
	set_text(&event->origin, mail->import >= 0 ? "import" : "milter");
	if (mail->import < 0)
		set_text(&event->queue_id, queue);
	add_rcpt(event, first);
	if (mail->words[5] < 4)
		add_rcpt(event, "<all@site.example>");
	add_file(event, "2", name, content);
	if (mail->words[3] < 3)
		add_variant(g_ptr_array_index(event->record->files, 0), VARIANT_LF, subjects[0]);
	return event;
}

static void
store_line(struct store *store, const struct mail *mail, enum delivery_kind kind, const char *queue,
	   const char *next)
{
	/* What was sent on is queued there later. */
	int second = mail->second + (*queue == 'N' ? LATER_S : 1);
	g_autofree char *id = id_of(queue, mail->number * 16 + (int)kind);
	g_autofree char *rcpt = g_strdup_printf("u%d@site.example", mail->words[2]);
	const struct delivery delivery = {
		.event_id = id,
		.tenant = (char *)tenant_of(mail),
		.sensor = (char *)"log1",
		.log_host = (char *)"mx1",
		.queue_id = (char *)queue,
		.time_us = AT(second),
		.kind = kind,
		.recipient = kind == DELIVERY_SENT ? rcpt : NULL,
		.next_queue_id = (char *)next,
	};
	g_autoptr(GBytes) json = g_bytes_new(id, strlen(id));
	GError *error = NULL;
	gboolean added;

	expect_ok(store_add_delivery(store, &delivery, json, NULL, &added, &error), error);
}

/* Stores a mail, its lines, and those of the message it was sent on as, which no sensor saw. */
static void
store_one(struct store *store, const struct mail *mail)
{
	g_autofree char *queue = g_strdup_printf("Q%d", mail->number);
	g_autofree char *next = mail->next >= 0 ? g_strdup_printf("N%d", mail->next) : NULL;

	cr_assert(store_it(store, event_of(mail)));
	if (mail->import >= 0)
		return;
	store_line(store, mail, DELIVERY_QUEUED, queue, NULL);
	store_line(store, mail, DELIVERY_SENT, queue, next);
	if (next)
		store_line(store, mail, DELIVERY_QUEUED, next, NULL);
}

static gboolean
is_before(const struct mail *mail, int border)
{
	return mail->second < border && !mail->held;
}

static gboolean
is_old(const struct mail *mails, const struct mail *mail, int border)
{
	if (mail->words[0] == 0)
		return FALSE;
	return is_before(mail, border) ||
	       (mail->import >= 0 && is_before(&mails[mail->import], border));
}

/* Stores those of the mails that are not old, in one transaction. */
static void
store_all(struct store *store, const struct mail *mails, int border)
{
	GError *error = NULL;

	expect_ok(store_begin(store, &error), error);
	for (int i = 0; i < MAILS; i++)
		if (!is_old(mails, &mails[i], border))
			store_one(store, &mails[i]);
	expect_ok(store_commit(store, &error), error);
}

/* ---- two stores compared ---- */

/* Everything, by what it says and not by the numbers of its rows. */
static const char *const everything[] = {
	"SELECT t.name, hex(event_id), received_at_us, counted, unread, origin, refused, sender,"
	" subject, queue_id, message_id FROM events JOIN tenants t ON t.id=tenant",
	"SELECT hex(e.event_id), length(j.json) FROM events e LEFT JOIN event_json j ON j.event=e.id",
	"SELECT hex(e.event_id), n, t.text, r.state FROM recipients r JOIN events e ON e.id=r.event"
	" JOIN texts t ON t.id=r.address",
	"SELECT hex(e.event_id), t.kind, t.text FROM event_texts x JOIN events e ON e.id=x.event"
	" JOIN texts t ON t.id=x.text",
	"SELECT hex(e.event_id), n, path, size FROM parts JOIN events e ON e.id=event",
	"SELECT hex(e.event_id), n, variant, hex(f.sha256) FROM part_files JOIN events e ON e.id=event"
	" JOIN files f ON f.id=file",
	"SELECT hex(e.event_id), n, position, t.kind, t.text FROM part_texts x"
	" JOIN events e ON e.id=event JOIN texts t ON t.id=x.text",
	"SELECT a.name, t.kind, t.hash, t.text, t.key, t.indexed FROM texts t"
	" JOIN tenants a ON a.id=t.tenant",
	"SELECT a.name, f.size, hex(f.sha256) FROM files f JOIN tenants a ON a.id=f.tenant",
	"SELECT a.name, d.key, hex(f.sha256) FROM digests d JOIN tenants a ON a.id=d.tenant"
	" LEFT JOIN files f ON f.id=d.file",
	"SELECT a.name, hour, messages, unread FROM hours JOIN tenants a ON a.id=tenant"
	" WHERE messages<>0 OR unread<>0",
	"SELECT a.name, hex(d.delivery_id), hex(e.event_id) FROM deliveries d"
	" JOIN tenants a ON a.id=d.tenant LEFT JOIN events e ON e.id=d.event",
	"SELECT term, doc FROM temp.words",
	"SELECT 'foreign key', * FROM pragma_foreign_key_check",
};

static void
append_rows(sqlite3 *database, const char *sql, GPtrArray *rows)
{
	sqlite3_stmt *stmt;

	cr_assert_eq(sqlite3_prepare_v2(database, sql, -1, &stmt, NULL), SQLITE_OK, "%s: %s", sql,
		     sqlite3_errmsg(database));
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		GString *row = g_string_new(NULL);

		for (int i = 0; i < sqlite3_column_count(stmt); i++)
			g_string_append_printf(row, "%s|",
					       (const char *)sqlite3_column_text(stmt, i));
		g_ptr_array_add(rows, g_string_free(row, FALSE));
	}
	sqlite3_finalize(stmt);
}

static int
compare_rows(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static GPtrArray *
rows_of(const char *path, const char *sql)
{
	GPtrArray *rows = g_ptr_array_new_with_free_func(g_free);
	sqlite3 *database;

	cr_assert_eq(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	cr_assert_eq(
		sqlite3_exec(database,
			     "CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, grams, row)",
			     NULL, NULL, NULL),
		SQLITE_OK);
	append_rows(database, sql, rows);
	sqlite3_close(database);
	g_ptr_array_sort(rows, compare_rows);
	return rows;
}

static void
expect_same_stores(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(everything); i++) {
		g_autoptr(GPtrArray) got = rows_of(fixture.path, everything[i]);
		g_autoptr(GPtrArray) wanted = rows_of(other.path, everything[i]);

		for (guint row = 0; row < MIN(got->len, wanted->len); row++)
			cr_assert_str_eq(g_ptr_array_index(got, row),
					 g_ptr_array_index(wanted, row), "%s: %s, wanted %s",
					 everything[i], (char *)g_ptr_array_index(got, row),
					 (char *)g_ptr_array_index(wanted, row));
		cr_assert_eq(got->len, wanted->len, "%s: %u rows, wanted %u", everything[i],
			     got->len, wanted->len);
	}
}

static void
expect_no_flaw(struct store *store)
{
	GError *error = NULL;
	guint64 flaws = 1;

	expect_ok(store_verify(store, NULL, NULL, NULL, NULL, &flaws, &error), error);
	cr_assert_eq(flaws, 0);
}

static struct store_expired
expire_all(const char *tenant, gint64 before_us, guint *ret_steps)
{
	struct store_expiry expiry = {.before_us = before_us};
	GError *error = NULL;
	guint steps = 0;

	for (; !expiry.done; steps++)
		expect_ok(store_expire(fixture.store, tenant, &expiry, &error), error);
	if (ret_steps)
		*ret_steps = steps;
	return expiry.gone;
}

/* Both have the tenants and sensors in the same order. */
static void
store_tenants_of(struct store *store)
{
	static const struct mail first = {.number = 9001,
					  .second = 2 * SPAN_S,
					  .parent = -1,
					  .import = -1,
					  .next = -1,
					  .words = {1}};
	static const struct mail second = {.number = 9002,
					   .second = 2 * SPAN_S,
					   .parent = -1,
					   .import = -1,
					   .next = -1,
					   .words = {0}};

	store_one(store, &first);
	store_one(store, &second);
}

static int
root_of(const struct mail *mails, int number)
{
	while (mails[number].parent >= 0)
		number = mails[number].parent;
	return number;
}

static gint64
make_hold(void)
{
	const struct store_hold hold = {
		.tenant = "a", .what = "[]", .created_us = AT(0), .case_id = "C-1"};
	GError *error = NULL;
	gint64 number = 0;

	expect_ok(store_hold_add(fixture.store, &hold, &number, &error), error);
	return number;
}

static gboolean
put_on_hold(gint64 hold, const char *id)
{
	GError *error = NULL;
	gboolean there = FALSE;

	expect_ok(store_hold_put(fixture.store, hold, id, &there, &error), error);
	return there;
}

/* Holds one mail in ten by any of its hops; a hold is of all of them. */
static gint64
hold_some(GRand *chance, struct mail *mails)
{
	gint64 hold = make_hold();

	for (int i = 0; i < MAILS; i++) {
		g_autofree char *id = id_of("event", i);

		if (mails[i].import >= 0 || g_rand_int_range(chance, 0, 10) != 0)
			continue;
		cr_assert_eq(put_on_hold(hold, id), mails[i].words[0] != 0, "of this tenant only");
		for (int other_hop = 0; other_hop < MAILS; other_hop++)
			if (root_of(mails, other_hop) == root_of(mails, i))
				mails[other_hop].held = mails[i].words[0] != 0;
	}
	return hold;
}

static void
expect_left(const struct mail *mails, int border)
{
	store_fixture_clear(&other);
	store_fixture_init(&other);
	store_tenants_of(other.store);
	store_all(other.store, mails, border);
	expect_same_stores();
	expect_no_flaw(fixture.store);
}

Test(expire, leaves_what_would_be_there_had_the_rest_never_come)
{
	static const int borders[] = {0, SPAN_S / 7, SPAN_S / 5, SPAN_S * 9 / 10, 2 * SPAN_S - 1};
	g_autofree struct mail *mails = g_new0(struct mail, MAILS);
	guint32 seed = g_random_int();
	GRand *chance = g_rand_new_with_seed(seed);
	GError *error = NULL;
	gboolean ended = FALSE;
	guint steps = 0;
	gint64 hold;

	cr_log_info("seed %u", seed);
	make_mails(chance, mails);
	store_tenants_of(fixture.store);
	store_all(fixture.store, mails, 0);
	hold = hold_some(chance, mails);
	g_rand_free(chance);
	for (gsize border = 0; border < G_N_ELEMENTS(borders); border++) {
		guint more;

		expire_all("a", AT(borders[border]), &more);
		steps += more;
		expect_left(mails, borders[border]);
	}
	cr_expect_gt(steps, G_N_ELEMENTS(borders), "a step has not all of it");

	expect_ok(store_hold_end(fixture.store, "a", hold, AT(0), &ended, &error), error);
	cr_assert(ended);
	for (int i = 0; i < MAILS; i++)
		mails[i].held = FALSE;
	expire_all("a", AT(2 * SPAN_S - 1), NULL);
	expect_left(mails, 2 * SPAN_S - 1);
}

Test(expire, counts_beforehand_what_it_takes_away)
{
	struct store_expired expirable, gone;
	g_autofree struct mail *mails = g_new0(struct mail, MAILS);
	GRand *chance = g_rand_new_with_seed(7);
	GError *error = NULL;
	g_autoptr(GBytes) garbage = g_bytes_new_static("{", 1);

	make_mails(chance, mails);
	g_rand_free(chance);
	/* A count does not foresee copies, nor lines of messages sent on. */
	for (int i = 0; i < MAILS; i++)
		mails[i].import = mails[i].next = -1;
	store_all(fixture.store, mails, 0);
	expect_ok(
		store_add_dead_letter(fixture.store, "a", "mx1", NULL, garbage, "no JSON", &error),
		error);
	expect_ok(store_count_expirable(fixture.store, "a", AT(SPAN_S / 3), &expirable, &error),
		  error);
	gone = expire_all("a", AT(SPAN_S / 3), NULL);
	cr_expect_gt(gone.messages, 0);
	cr_expect_eq(memcmp(&gone, &expirable, sizeof(gone)), 0);
	cr_expect_eq(gone.dead_letters, 0, "it came just now");
	gone = expire_all("a", g_get_real_time() + 1, NULL);
	cr_expect_eq(gone.dead_letters, 1);
	expect_ok(store_count_expirable(fixture.store, "a", G_MAXINT64, &expirable, &error), error);
	cr_expect_eq(expirable.messages, 0);
	expect_ok(store_count_expirable(fixture.store, "z", G_MAXINT64, &expirable, &error), error);
	cr_expect_eq(expirable.messages, 0, "of a tenant that nobody knows");
}

/* ---- holds ---- */

static gboolean
count_hold(const struct store_hold *hold, void *data)
{
	*(guint64 *)data += hold->events;
	return TRUE;
}

static guint64
held_events(const char *tenant, gboolean with_ended)
{
	GError *error = NULL;
	guint64 events = 0;

	expect_ok(store_hold_each(fixture.store, tenant, with_ended, count_hold, &events, &error),
		  error);
	return events;
}

Test(expire, a_message_is_kept_until_its_last_hold_ends)
{
	g_autofree char *id = store_mail(fixture.store, 10, "<a@site.example>", "a.js", "content");
	gint64 first = make_hold(), second = make_hold();
	gboolean ended = TRUE;
	GError *error = NULL;
	guint64 count = 0;

	cr_assert(put_on_hold(first, id) && put_on_hold(second, id) && put_on_hold(second, id));
	cr_expect_not(put_on_hold(first, "01900000-0000-7000-8000-000000000009"));
	cr_expect_not(put_on_hold(99, id));
	cr_expect_eq(held_events("a", FALSE), 2);
	cr_expect_eq(held_events("b", TRUE), 0);
	expect_ok(store_count_held(fixture.store, "a", AT(20), &count, &error), error);
	cr_expect_eq(count, 1, "however many holds it is on");
	expect_ok(store_hold_end(fixture.store, "b", first, AT(1), &ended, &error), error);
	cr_expect_not(ended, "it is another tenant's");
	expect_ok(store_hold_end(fixture.store, "a", first, AT(1), &ended, &error), error);
	cr_expect(ended);
	expect_ok(store_hold_end(fixture.store, "a", first, AT(1), &ended, &error), error);
	cr_expect_not(ended, "it has ended");
	cr_expect_eq(expire_all("a", AT(20), NULL).messages, 0);
	expect_ok(store_hold_end(fixture.store, "a", second, AT(1), &ended, &error), error);
	cr_expect_eq(expire_all("a", AT(20), NULL).messages, 1);
	cr_expect_eq(held_events("a", TRUE), 0);
}

Test(expire, a_hold_ends_at_its_time)
{
	g_autofree char *id = store_mail(fixture.store, 10, "<a@site.example>", "a.js", "content");
	const struct store_hold brief = {.tenant = "a", .what = "[]", .expires_us = AT(100)};
	GError *error = NULL;
	gint64 number = 0;

	expect_ok(store_hold_add(fixture.store, &brief, &number, &error), error);
	cr_assert(put_on_hold(number, id));
	expect_ok(store_holds_settle(fixture.store, AT(100) - 1, &error), error);
	cr_expect_eq(held_events("a", FALSE), 1);
	expect_ok(store_holds_settle(fixture.store, AT(100), &error), error);
	cr_expect_eq(held_events("a", FALSE), 0);
	cr_expect_eq(expire_all("a", AT(20), NULL).messages, 1);
}

Test(expire, the_store_itself_refuses_that_a_held_message_goes)
{
	g_autofree char *id = store_mail(fixture.store, 10, "<a@site.example>", "a.js", "content");
	GError *error = NULL;

	cr_assert(put_on_hold(make_hold(), id));
	cr_expect_not(sql_script(fixture.store->sql, "DELETE FROM events", &error));
	cr_assert_not_null(error);
	g_error_free(error);
	expect_who(fixture.store, "a", "name:a.js", "a@site.example");
}

/* ---- what answers say ---- */

static void
expect_coverage(gint64 since_us, guint64 messages, gint64 expired_before_us)
{
	static const char *const expected[] = {"mx1", NULL};
	const struct store_expected all = {expected, NULL};
	g_autoptr(query_t) query = query_new("a");
	struct store_coverage coverage;
	GError *error = NULL;

	query->since_us = since_us;
	expect_ok(store_coverage(fixture.store, query, &all, &coverage, &error), error);
	cr_expect_eq(coverage.messages, messages);
	cr_expect_eq(coverage.expired_before_us, expired_before_us);
	if (expired_before_us)
		cr_expect_eq(coverage.recorded_since_us, expired_before_us);
	store_coverage_clear(&coverage);
}

static void
beat(gint64 time_us, guint64 unrecorded)
{
	const struct store_beat beat = {.epoch = "e",
					.time_us = time_us,
					.complete_us = time_us,
					.started_us = AT(0),
					.unrecorded = unrecorded};
	GError *error = NULL;

	expect_ok(store_note_beat(fixture.store, "a", "mx1", &beat, &error), error);
}

Test(expire, is_told_by_answers_that_reach_back_further)
{
	struct store_expired gone;

	beat(AT(0), 0);
	g_free(store_mail(fixture.store, 10, "<old@site.example>", "a.js", "old content"));
	g_free(store_mail(fixture.store, 30, "<new@site.example>", "a.js", "new content"));
	expire_all("a", AT(5), NULL);
	expect_coverage(0, 2, 0);
	expire_all("a", AT(20), NULL);
	expect_coverage(0, 1, AT(20));
	expect_coverage(AT(19), 1, AT(20));
	expect_coverage(AT(20), 1, 0);
	g_free(store_mail(fixture.store, 12, "<late@site.example>", "a.js", "old content"));
	gone = expire_all("a", AT(15), NULL);
	cr_expect_eq(gone.messages, 1);
	expect_coverage(0, 1, AT(20));
	gone = expire_all("a", AT(25), NULL);
	cr_expect_eq(gone.messages, 0);
	expect_coverage(0, 1, AT(20));
	expect_who(fixture.store, "a", "name:a.js", "new@site.example");
}

Test(expire, takes_the_gaps_of_that_time_and_no_later_ones)
{
	struct store_expired gone;
	g_autoptr(query_t) query = query_new("a");
	struct store_coverage coverage;
	GError *error = NULL;

	beat(AT(0), 0);
	beat(AT(10), 3);
	beat(AT(100), 3);
	beat(AT(110), 5);
	gone = expire_all("a", AT(50), NULL);
	cr_expect_eq(gone.intervals, 1);
	expect_ok(store_coverage(fixture.store, query, NULL, &coverage, &error), error);
	cr_assert_eq(coverage.gaps->len, 1);
	cr_expect_eq(((struct store_gap *)g_ptr_array_index(coverage.gaps, 0))->messages, 2);
	store_coverage_clear(&coverage);
}

Test(expire, counts_a_message_as_long_as_a_hop_of_it_is_left)
{
	struct event *first = make_event(10), *second = make_event(30);

	beat(AT(0), 0);
	add_rcpt(first, "<bob@site.example>");
	add_rcpt(second, "<bob@site.example>");
	second->parent_event = g_strdup(first->event_id);
	store_it(fixture.store, first);
	store_it(fixture.store, second);
	expect_coverage(0, 1, 0);
	expire_all("a", AT(20), NULL);
	expect_coverage(0, 1, AT(20));
	expect_coverage(AT(20), 1, 0);
	expect_who(fixture.store, "a", "to:bob@site.example", "bob@site.example");
	expire_all("a", AT(40), NULL);
	expect_coverage(0, 0, AT(40));
}

Test(expire, never_takes_the_journal)
{
	const struct store_audit audit = {.time_us = AT(1),
					  .actor = (char *)"uid=0",
					  .tenant = (char *)"a",
					  .verb = (char *)"who",
					  .arguments = (char *)"[]"};
	GError *error = NULL;
	g_autoptr(GPtrArray) entries = NULL;

	expect_ok(store_add_audit(fixture.store, &audit, &error), error);
	g_free(store_mail(fixture.store, 10, "<old@site.example>", "a.js", "old content"));
	expire_all("a", AT(20), NULL);
	entries = rows_of(fixture.path, "SELECT seq FROM journal");
	cr_expect_eq(entries->len, 1);
}

Test(expire, leaves_all_as_it_was_when_a_step_fails)
{
	struct store_expiry expiry = {.before_us = AT(20)};
	g_autoptr(store_t) reader = NULL;
	GError *error = NULL;

	g_free(store_mail(fixture.store, 10, "<old@site.example>", "a.js", "old content"));
	reader = open_store(fixture.url, STORE_READ);
	cr_expect_not(store_expire(reader, "a", &expiry, &error));
	cr_assert_not_null(error);
	g_error_free(error);
	cr_expect_not(expiry.done);
	cr_expect_eq(expiry.gone.messages, 0);
	expect_who(fixture.store, "a", "name:a.js", "old@site.example");
}

Test(expire, gives_the_room_to_what_comes)
{
	guint64 before = 1, after = 0;
	GError *error = NULL;

	for (int i = 0; i < 200; i++) {
		g_autofree char *name = g_strdup_printf("file %d.js", i);

		g_free(store_mail(fixture.store, i, "<old@site.example>", name, name));
	}
	expect_ok(store_free_bytes(fixture.store, &before, &error), error);
	expire_all("a", AT(1000), NULL);
	expect_ok(store_free_bytes(fixture.store, &after, &error), error);
	cr_expect_gt(after, before);
}

Test(expire, the_hashes_of_an_older_store_are_kept)
{
	static const char old[] = "INSERT INTO tenants (id, name) VALUES (1, 'a');"
				  "INSERT INTO files VALUES (1, 1, 3, x'01', x'02', x'03');"
				  "INSERT INTO digests VALUES (1, 77, 1), (1, -5, 1);";
	g_autofree char *path = g_build_filename(fixture.directory, "old.db", NULL);
	g_autoptr(sql_t) sql = NULL;
	GError *error = NULL;
	gint64 sum;
	gsize count;
	const char *const *steps = store_schema_steps(&count);

	sql = sql_open(path, TRUE, &error);
	expect_ok(sql != NULL, error);
	expect_ok(store_schema_upgrade(sql, steps, 8, &error), error);
	expect_ok(sql_script(sql, old, &error), error);
	expect_ok(store_schema_upgrade(sql, steps, count, &error), error);
	expect_ok(sql_number(sql_bind(sql, "SELECT sum(key) FROM digests WHERE file=1", ""), 0,
			     &sum, &error),
		  error);
	cr_expect_eq(sum, 72);
	sql_checkpoint(sql);
	g_clear_pointer(&sql, sql_close);
	g_unlink(path);
}
