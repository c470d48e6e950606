/* SPDX-License-Identifier: BSD-2-Clause */
#include <unistd.h>

#include "event.h"
#include "store_erase.h"
#include "store_fixture.h"
#include "store_internal.h"
#include "store_logins.h"
#include "store_retention.h"

#define BOB "bob@example.org"
#define PC "192.0.2.7"
#define HOUR 3600

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

TestSuite(store_logins, .init = setup, .fini = teardown, .timeout = 120);

/* Puts a login of AT(second); session: NULL for none.  Returns whether it was new. */
static gboolean
put(int second, const char *user, const char *client, const char *service, const char *session)
{
	g_autofree char *line = g_strdup_printf("%d %s %s %s %s", second, user, client, service,
						session ? session : "");
	g_autofree char *id = event_id_of(line, strlen(line));
	const struct login login = {
		.event_id = id,
		.tenant = (char *)"a",
		.sensor = (char *)"log1",
		.log_host = (char *)"mbox1",
		.service = (char *)service,
		.user = (char *)user,
		.client = (char *)client,
		.session = (char *)session,
		.time_us = AT(second),
	};
	GError *error = NULL;
	gboolean added = FALSE;

	expect_ok(store_add_login(fixture.store, &login, NULL, &added, &error), error);
	return added;
}

static gboolean
take(const struct store_login *login, void *data)
{
	GString *text = data;
	g_autofree char *client = network_ip_text(login->client);

	g_string_append_printf(text, "%s%s %s %s", text->len ? "; " : "", login->user, client,
			       login->service);
	for (gsize i = 0; i < login->count; i++)
		g_string_append_printf(text, " %" G_GINT64_FORMAT,
				       (login->times_us[i] - AT(0)) / (gint64)G_USEC_PER_SEC);
	return TRUE;
}

/* "user client service second second; …" */
static char *
asked(const char *tenant, const char *user, const char *client, gint64 since_us, gint64 until_us)
{
	guint8 ip[NETWORK_IP_BYTES];
	const struct store_logins_question question = {
		tenant, user, client && network_ip(client, ip) ? ip : NULL, since_us, until_us};
	GString *text = g_string_new(NULL);
	GError *error = NULL;

	expect_ok(store_logins(fixture.store, &question, take, text, &error), error);
	return g_string_free(text, FALSE);
}

static void
expect(const char *user, const char *client, const char *expected)
{
	g_autofree char *text = asked("a", user, client, 0, 0);

	cr_expect_str_eq(text, expected, "%s", text);
}

Test(store_logins, those_of_an_hour_are_one_stretch)
{
	cr_assert(put(0, BOB, PC, "imap", "s1"));
	cr_assert(put(60, BOB, PC, "imap", "s2"));
	cr_assert(put(60, BOB, PC, "imap", "s3"));
	cr_assert(put(HOUR - 1, BOB, PC, "imap", "s4"));
	cr_assert(put(HOUR, BOB, PC, "imap", "s5"));
	cr_assert(put(61, BOB, PC, "pop3", "s6"));
	cr_assert(put(62, BOB, "192.0.2.8", "imap", "s7"));
	cr_assert(put(63, "carol@example.org", PC, "imap", "s8"));
	expect(BOB, NULL,
	       BOB " " PC " imap 0 60 60 3599; " BOB " " PC " pop3 61; " BOB
		   " 192.0.2.8 imap 62; " BOB " " PC " imap 3600");
	expect(NULL, "192.0.2.8", BOB " 192.0.2.8 imap 62");
	expect(BOB, "::ffff:192.0.2.8", BOB " 192.0.2.8 imap 62");
	expect("BOB@Example.ORG", "192.0.2.8", BOB " 192.0.2.8 imap 62");
	expect("bob", NULL, "");
}

Test(store_logins, a_line_that_comes_again_adds_nothing)
{
	cr_assert(put(0, BOB, PC, "imap", "s1"));
	cr_assert(put(10, BOB, PC, "imap", NULL));
	cr_assert_not(put(0, BOB, PC, "imap", "s1"));
	cr_assert_not(put(10, BOB, PC, "imap", NULL));
	cr_assert(put(11, BOB, PC, "imap", NULL));
	expect(BOB, NULL, BOB " " PC " imap 0 10 11");
}

/* What an older log tells later, or another server's clock. */
Test(store_logins, what_comes_late_is_in_order_and_not_twice)
{
	put(500, BOB, PC, "imap", "s2");
	put(100, BOB, PC, "imap", "s1");
	put(600, BOB, PC, "imap", "s3");
	put(550, BOB, PC, "imap", "s4");
	cr_assert_not(put(100, BOB, PC, "imap", "s1"));
	cr_assert_not(put(550, BOB, PC, "imap", "s4"));
	expect(BOB, NULL, BOB " " PC " imap 100; " BOB " " PC " imap 500 550 600");
}

Test(store_logins, a_full_stretch_is_followed_by_another)
{
	guint64 count = 0;
	g_autofree char *text = NULL;
	g_auto(GStrv) stretches = NULL;

	for (int i = 0; i < LOGIN_FOLD_COUNT + 1; i++) {
		g_autofree char *session = g_strdup_printf("s%d", i);

		cr_assert(put(i, BOB, PC, "imap", session));
	}
	for (int i = 0; i < LOGIN_FOLD_COUNT + 1; i++) {
		g_autofree char *session = g_strdup_printf("s%d", i);

		cr_assert_not(put(i, BOB, PC, "imap", session));
	}
	text = asked("a", BOB, NULL, 0, 0);
	stretches = g_strsplit(text, "; ", -1);
	cr_assert_eq(g_strv_length(stretches), 2);
	for (char **stretch = stretches; *stretch; stretch++) {
		g_auto(GStrv) words = g_strsplit(*stretch, " ", -1);

		count += g_strv_length(words) - 3;
	}
	cr_assert_eq(count, LOGIN_FOLD_COUNT + 1);
}

Test(store_logins, only_the_time_and_tenant_asked_for_are_told)
{
	g_autofree char *inside = NULL, *other = NULL, *before = NULL;

	put(0, BOB, PC, "imap", "s1");
	put(100, BOB, PC, "imap", "s2");
	put(200, BOB, PC, "imap", "s3");
	inside = asked("a", BOB, NULL, AT(100), AT(200));
	cr_assert_str_eq(inside, BOB " " PC " imap 100");
	before = asked("a", BOB, NULL, AT(201), 0);
	cr_assert_str_eq(before, "");
	other = asked("b", BOB, NULL, 0, 0);
	cr_assert_str_eq(other, "");
}

static void
expect_session(const char *session, int before, const char *client, int second)
{
	struct store_session found = {.time_us = -1};
	GError *error = NULL;
	gint64 tenant;

	expect_ok(store_find_tenant(fixture.store, "a", &tenant, &error), error);
	expect_ok(store_session_login(fixture.store, tenant, BOB, session, AT(before), &found,
				      &error),
		  error);
	if (client) {
		g_autofree char *text = network_ip_text(found.client);

		cr_expect_str_eq(text, client);
		cr_expect_eq(found.time_us, AT(second));
	} else {
		cr_expect_eq(found.time_us, 0);
	}
}

Test(store_logins, a_session_is_known_by_its_last_login_before)
{
	put(0, BOB, PC, "imap", "s1");
	put(10, BOB, "192.0.2.8", "imap", "s2");
	put(2 * HOUR, BOB, "192.0.2.9", "imap", "s1"); /* a queue id that was used again */
	put(5, "carol@example.org", "192.0.2.10", "imap", "s3");
	expect_session("s1", HOUR, PC, 0);
	expect_session("s1", 2 * HOUR, "192.0.2.9", 2 * HOUR);
	expect_session("s2", 10, "192.0.2.8", 10);
	expect_session("s2", 9, NULL, 0);
	expect_session("s3", HOUR, NULL, 0);
	expect_session("", HOUR, NULL, 0);
}

Test(store_logins, what_is_no_login_is_refused)
{
	const struct login bad[] = {
		{.event_id = (char *)"x",
		 .tenant = (char *)"a",
		 .sensor = (char *)"s",
		 .user = (char *)"b",
		 .client = (char *)PC,
		 .service = (char *)"imap"},
		{.event_id = (char *)"0190f3c2-0000-7000-8000-000000000001",
		 .tenant = (char *)"a",
		 .sensor = (char *)"s",
		 .user = (char *)"",
		 .client = (char *)PC,
		 .service = (char *)"imap"},
		{.event_id = (char *)"0190f3c2-0000-7000-8000-000000000001",
		 .tenant = (char *)"a",
		 .sensor = (char *)"s",
		 .user = (char *)"b",
		 .client = (char *)"pc",
		 .service = (char *)"imap"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		gboolean added;

		cr_expect_not(store_add_login(fixture.store, &bad[i], NULL, &added, &error));
		cr_expect(g_error_matches(error, STORE_ERROR, STORE_ERROR_EVENT));
	}
}

/* ---- what goes ---- */

Test(store_logins, stretches_expire_when_their_last_login_is_too_old)
{
	struct store_expiry expiry = {.before_us = AT(1000)};
	struct store_expired counted;
	GError *error = NULL;

	put(0, BOB, PC, "imap", "s1");
	put(999, BOB, PC, "imap", "s2");
	put(10, BOB, PC, "pop3", "s3");
	put(1000, BOB, PC, "pop3", "s4");
	expect_ok(store_count_expirable(fixture.store, "a", AT(1000), &counted, &error), error);
	cr_assert_eq(counted.deliveries, 2);
	while (!expiry.done)
		expect_ok(store_expire(fixture.store, "a", &expiry, &error), error);
	cr_assert_eq(expiry.gone.deliveries, 2);
	expect(BOB, NULL, BOB " " PC " pop3 10 1000");
}

static char *
without_bob(const char *text, const guint8 *scope, void *data)
{
	return strstr(text, BOB) ? g_strdup("erased") : NULL;
}

static GBytes *
record_without(GBytes *json, const guint8 *scope, void *data)
{
	return NULL;
}

static gboolean
bytes_have(const void *bytes, gsize length, void *data)
{
	return FALSE;
}

Test(store_logins, a_persons_logins_are_erased)
{
	const struct store_eraser eraser = {without_bob, record_without, bytes_have, NULL};
	struct store_erasure erasure = {0};
	GError *error = NULL;

	put(0, BOB, PC, "imap", "s1");
	put(1, BOB, PC, "imap", "s2");
	put(2, "carol@example.org", PC, "imap", "s3");
	while (!erasure.done)
		expect_ok(store_erase(fixture.store, "a", &eraser, &erasure, &error), error);
	cr_assert_eq(erasure.deliveries, 2);
	expect(BOB, NULL, "");
	expect(NULL, PC, "carol@example.org " PC " imap 2");
}

/*
 * A day of 200 people whose programs look every five minutes of eight hours: a million
 * logins a day, of ten thousand such, must not need more than this many bytes each.
 */
Test(store_logins, a_login_costs_few_bytes)
{
	enum { PEOPLE = 200, LOOKS = 8 * 12, MOST = 40 };
	gint64 before, after;
	GError *error = NULL;
	struct store_status status;

	expect_ok(store_status(fixture.store, NULL, &status, &error), error);
	before = (gint64)status.bytes;
	store_status_clear(&status);
	expect_ok(store_begin(fixture.store, &error), error);
	for (int look = 0; look < LOOKS; look++) {
		for (int person = 0; person < PEOPLE; person++) {
			g_autofree char *user = g_strdup_printf("person%d@example.org", person);
			g_autofree char *client =
				g_strdup_printf("10.1.%d.%d", person / 100, person % 100);
			g_autofree char *session = g_strdup_printf("%d/%d", look, person);

			put(look * 300, user, client, "imap", session);
		}
	}
	expect_ok(store_commit(fixture.store, &error), error);
	sql_checkpoint(fixture.store->sql);
	expect_ok(store_status(fixture.store, NULL, &status, &error), error);
	after = (gint64)status.bytes;
	store_status_clear(&status);
	fprintf(stderr, "%.1f bytes of the store for each of %d logins\n",
		(double)(after - before) / (PEOPLE * LOOKS), PEOPLE * LOOKS);
	cr_assert_lt(after - before, (gint64)PEOPLE * LOOKS * MOST);
}
