/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices.h"
#include "event.h"
#include "store_fixture.h"
#include "store_retention.h"

#define PC "192.0.2.7"
#define OPEN (-1)

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

TestSuite(devices, .init = setup, .fini = teardown, .timeout = 60);

/* ---- deciding ---- */

/* A period in seconds; from or until OPEN. */
struct period {
	const char *device; /* "" for a shared address; NULL ends the list */
	int from, until;
};

static struct store_asset
asset_of(const struct period *period)
{
	struct store_asset asset = {
		.device = *period->device ? period->device : NULL,
		.from_us = period->from == OPEN ? 0 : AT(period->from),
		.until_us = period->until == OPEN ? ASSET_UNTIL_OPEN : AT(period->until),
	};

	return asset;
}

#define A "pc-a"
#define B "pc-b"

Test(devices, the_right_device_or_ambiguous_and_never_a_wrong_one)
{
	static const struct {
		struct period periods[4];
		int at;
		const char *expected; /* "" unknown, "?" ambiguous */
		int off;
	} rows[] = {
		{{{NULL, 0, 0}}, 100, ""},
		{{{A, OPEN, OPEN}}, 100, A},
		/* The first second is in it, the last is not. */
		{{{A, 100, 200}}, 99, ""},
		{{{A, 100, 200}}, 100, A},
		{{{A, 100, 200}}, 199, A},
		{{{A, 100, 200}}, 200, ""},
		{{{A, OPEN, 200}}, 0, A},
		{{{A, 100, OPEN}}, 100000, A},
		/* A lease that changed hands: near the change nobody can tell. */
		{{{A, 100, 200}, {B, 200, 300}}, 194, A},
		{{{A, 100, 200}, {B, 200, 300}}, 195, "?"},
		{{{A, 100, 200}, {B, 200, 300}}, 199, "?"},
		{{{A, 100, 200}, {B, 200, 300}}, 200, "?"},
		{{{A, 100, 200}, {B, 200, 300}}, 204, "?"},
		{{{A, 100, 200}, {B, 200, 300}}, 205, B},
		{{{B, 200, 300}, {A, 100, 200}}, 205, B},
		/* In a gap between two that are far from each other. */
		{{{A, 100, 200}, {B, 300, 400}}, 250, ""},
		{{{A, 100, 200}, {B, 208, 300}}, 204, "?"},
		/* Two that overlap. */
		{{{A, 100, 300}, {B, 200, 400}}, 150, A},
		{{{A, 100, 300}, {B, 200, 400}}, 250, "?"},
		{{{A, 100, 300}, {B, 200, 400}}, 350, B},
		{{{A, OPEN, OPEN}, {B, 200, 400}}, 300, "?"},
		/* One device whose lease was renewed, in whichever case it is written. */
		{{{A, 100, 300}, {A, 200, 400}}, 250, A},
		{{{A, 100, 200}, {A, 200, 300}}, 200, A},
		{{{A, 100, 300}, {"PC-A", 200, 400}}, 350, "PC-A"},
		/* Shared, for good or for a time. */
		{{{"", OPEN, OPEN}}, 100, "?"},
		{{{A, OPEN, OPEN}, {"", 200, 300}}, 250, "?"},
		{{{A, OPEN, OPEN}, {"", 200, 300}}, 100, A},
		{{{"", 200, 300}}, 100, ""},
		/* A clock that is off: it was a minute earlier or later. */
		{{{A, OPEN, OPEN}}, 100, A, 60},
		{{{A, 100, 300}}, 200, A, 60},
		{{{A, 100, 300}}, 159, "?", 60},
		{{{A, 100, 300}}, 241, "?", 60},
		{{{A, 100, 300}}, 330, "?", 60},
		{{{A, 100, 300}}, 400, "", 60},
		{{{A, 100, 300}, {A, 300, 400}}, 300, A, 60},
		{{{A, 100, 300}, {B, 300, 500}}, 234, A, 60},
		{{{A, 100, 300}, {B, 300, 500}}, 240, "?", 60},
		{{{A, 100, 300}, {B, 300, 500}}, 360, "?", 60},
		{{{A, 100, 300}, {B, 300, 500}}, 365, B, 60},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct store_asset assets[4];
		const char *device;
		gsize count = 0;
		enum device_certainty certainty;

		while (count < 4 && rows[i].periods[count].device) {
			assets[count] = asset_of(&rows[i].periods[count]);
			count++;
		}
		certainty = device_decide(assets, count, AT(rows[i].at),
					  rows[i].off * (gint64)G_USEC_PER_SEC, &device);
		if (strcmp(rows[i].expected, "?") == 0)
			cr_expect(certainty == DEVICE_AMBIGUOUS && !device, "%zu", i);
		else if (!*rows[i].expected)
			cr_expect(certainty == DEVICE_UNKNOWN && !device, "%zu", i);
		else
			cr_expect(certainty == DEVICE_KNOWN &&
					  g_strcmp0(device, rows[i].expected) == 0,
				  "%zu: %s", i, device ? device : "-");
	}
}

/* ---- by the store ---- */

static gboolean
put_asset(const char *tenant, const char *address, struct period period)
{
	struct store_asset asset = asset_of(&period);
	GError *error = NULL;
	gboolean changed;

	cr_assert(network_ip(address, asset.ip));
	expect_ok(store_asset_put(fixture.store, tenant, &asset, &changed, &error), error);
	return changed;
}

/* The device at a second; "?" and "" as above. */
static char *
device_at(const char *address, int at)
{
	enum device_certainty certainty;
	guint8 ip[NETWORK_IP_BYTES];
	GError *error = NULL;
	char *device;

	cr_assert(network_ip(address, ip));
	expect_ok(store_device_at(fixture.store, "a", ip, AT(at), &certainty, &device, &error),
		  error);
	return device ? device : g_strdup(certainty == DEVICE_AMBIGUOUS ? "?" : "");
}

static void
expect_device(const char *address, int at, const char *expected)
{
	g_autofree char *device = device_at(address, at);

	cr_expect_str_eq(device, expected, "%s at %d: %s", address, at, device);
}

/* A sign of life with a clock that is off by seconds. */
static void
note_clock(const char *sensor, const char *counters, int off)
{
	const struct store_beat beat = {.epoch = "e",
					.time_us = AT(1),
					.counters = counters,
					.has_offset = TRUE,
					.offset_us = off * (gint64)G_USEC_PER_SEC};
	GError *error = NULL;

	expect_ok(store_note_beat(fixture.store, "a", sensor, &beat, &error), error);
}

Test(devices, a_follower_whose_clock_is_off_makes_no_device_of_another_time_certain)
{
	put_asset("a", "192.0.2.5", (struct period){A, 100, 300});
	put_asset("a", "192.0.2.5", (struct period){B, 300, 500});
	put_asset("a", "192.0.2.6", (struct period){A, OPEN, OPEN});
	expect_device("192.0.2.5", 290, A);
	note_clock("mx1", "{\"seen\":1}", -75);
	expect_device("192.0.2.5", 290, A);
	note_clock("mx1-follow", "{\"log_lines\":1}", -75);
	expect_device("192.0.2.5", 290, "?");
	expect_device("192.0.2.5", 310, "?");
	expect_device("192.0.2.5", 200, A);
	expect_device("192.0.2.6", 290, A);
	note_clock("mx1-follow", "{\"log_lines\":2}", 4);
	expect_device("192.0.2.5", 290, A);
}

Test(devices, an_address_is_one_in_whichever_form)
{
	put_asset("a", "::ffff:192.0.2.7", (struct period){A, OPEN, OPEN});
	put_asset("a", "2001:DB8:0::7", (struct period){B, OPEN, OPEN});
	expect_device("192.0.2.7", 0, A);
	expect_device("::FFFF:C000:0207", 0, A);
	expect_device("2001:db8::7", 0, B);
	expect_device("2001:db8::8", 0, "");
}

Test(devices, tenants_have_assets_of_their_own)
{
	put_asset("b", PC, (struct period){A, OPEN, OPEN});
	expect_device(PC, 0, "");
}

Test(devices, the_newer_word_on_when_it_ends_counts)
{
	cr_assert(put_asset("a", PC, (struct period){A, 100, 300}));
	cr_assert_not(put_asset("a", PC, (struct period){A, 100, 300}));
	cr_assert(put_asset("a", PC, (struct period){A, 100, 200}));
	cr_assert(put_asset("a", PC, (struct period){B, 250, 400}));
	expect_device(PC, 260, B);
	expect_device(PC, 150, A);
}

Test(devices, more_leases_than_can_be_looked_at_are_no_answer)
{
	for (int i = 0; i < 80; i++)
		put_asset("a", PC, (struct period){A, i, 1000});
	expect_device(PC, 500, "?");
	expect_device(PC, 40, A);
}

Test(devices, assets_go_when_they_are_removed_or_too_old)
{
	struct store_expiry expiry = {.before_us = AT(250)};
	guint8 ip[NETWORK_IP_BYTES];
	GError *error = NULL;
	guint64 count;

	put_asset("a", PC, (struct period){A, 100, 200});
	put_asset("a", PC, (struct period){B, 240, 300});
	put_asset("a", "192.0.2.8", (struct period){A, OPEN, OPEN});
	while (!expiry.done)
		expect_ok(store_expire(fixture.store, "a", &expiry, &error), error);
	expect_device(PC, 150, "");
	expect_device(PC, 260, B);
	expect_device("192.0.2.8", 0, A);
	network_ip(PC, ip);
	expect_ok(store_asset_remove(fixture.store, "a", ip, &count, &error), error);
	cr_assert_eq(count, 1);
	expect_device(PC, 260, "");
}

/* ---- of logins ---- */

static void
put_login(int second, const char *user, const char *client, const char *service)
{
	g_autofree char *line = g_strdup_printf("%d %s %s %s", second, user, client, service);
	g_autofree char *id = event_id_of(line, strlen(line));
	const struct login login = {
		.event_id = id,
		.tenant = (char *)"a",
		.sensor = (char *)"log1",
		.log_host = (char *)"mbox1",
		.service = (char *)service,
		.user = (char *)user,
		.client = (char *)client,
		.session = line,
		.time_us = AT(second),
	};
	GError *error = NULL;
	gboolean added;

	expect_ok(store_add_login(fixture.store, &login, NULL, &added, &error), error);
}

static char *
uses_text(const GPtrArray *uses)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < uses->len; i++) {
		const struct device_use *use = uses->pdata[i];

		g_string_append_printf(
			text, "%s%s %s %s %d-%d %" G_GUINT64_FORMAT, i ? "; " : "",
			device_use_name(use->certainty, use->device), use->address, use->service,
			(int)((use->first_us - AT(0)) / (gint64)G_USEC_PER_SEC),
			(int)((use->last_us - AT(0)) / (gint64)G_USEC_PER_SEC), use->count);
	}
	return g_string_free(text, FALSE);
}

struct taking {
	GPtrArray *uses;
};

static gboolean
take_login(const struct store_login *login, void *data)
{
	GError *error = NULL;

	expect_ok(
		devices_of_login(fixture.store, "a", login, ((struct taking *)data)->uses, &error),
		error);
	return TRUE;
}

/* A stretch is told in as many rows as it had devices. */
Test(devices, a_lease_that_changes_hands_between_two_logins_gives_two_devices)
{
	const struct store_logins_question question = {.tenant = "a", .user = "bob"};
	g_autoptr(GPtrArray) uses = g_ptr_array_new_with_free_func(device_use_free);
	struct taking taking = {uses};
	g_autofree char *text = NULL;
	GError *error = NULL;

	put_asset("a", PC, (struct period){A, 100, 200});
	put_asset("a", PC, (struct period){B, 200, 300});
	for (int second = 50; second <= 350; second += 50)
		put_login(second, "bob", PC, "imap");
	expect_ok(store_logins(fixture.store, &question, take_login, &taking, &error), error);
	text = uses_text(uses);
	cr_assert_str_eq(text,
			 "unknown 192.0.2.7 imap 50-50 1; pc-a 192.0.2.7 imap 100-150 2; "
			 "ambiguous 192.0.2.7 imap 200-200 1; pc-b 192.0.2.7 imap 250-250 1; "
			 "unknown 192.0.2.7 imap 300-350 2",
			 "%s", text);
}

static void
expect_copy(struct store_final *final, const char *expected)
{
	g_autofree char *text = NULL;
	GError *error = NULL;

	expect_ok(devices_of_final(fixture.store, "a", final, &error), error);
	text = uses_text(final->devices);
	cr_expect_str_eq(text, expected, "%s", text);
	g_clear_pointer(&final->devices, g_ptr_array_unref);
}

Test(devices, a_copy_was_reached_by_what_used_its_mailbox_since_it_came)
{
	g_autoptr(GPtrArray) acts = g_ptr_array_new();
	struct store_final final = {.address = (char *)"bob@s.example",
				    .state = (char *)"delivered",
				    .at_us = AT(100) + 500000,
				    .user = (char *)"bob",
				    .acts = acts};

	put_asset("a", PC, (struct period){A, OPEN, OPEN});
	put_asset("a", "192.0.2.8", (struct period){"", OPEN, OPEN});
	put_login(99, "bob", "192.0.2.9", "imap");
	put_login(100, "bob", PC, "imap");
	put_login(5000, "bob", PC, "imap");
	put_login(200, "bob", "192.0.2.8", "pop3");
	put_login(300, "bob", PC, "submission");
	put_login(400, "bob@s.example", "192.0.2.10", "imap");
	put_login(500, "carol", "192.0.2.11", "imap");
	expect_copy(&final, "pc-a 192.0.2.7 imap 100-5000 2; ambiguous 192.0.2.8 pop3 200-200 1; "
			    "unknown 192.0.2.10 imap 400-400 1");
	final.state = (char *)"bounced";
	expect_copy(&final, "");
}

Test(devices, an_act_is_of_the_device_that_had_the_address_when_its_session_began)
{
	struct store_act act = {.what = "fetched",
				.at_us = AT(250) + 1,
				.client = (char *)PC,
				.by = (char *)"imap"};
	g_autoptr(GPtrArray) acts = g_ptr_array_new();
	struct store_final final = {.address = (char *)"bob",
				    .state = (char *)"delivered",
				    .at_us = AT(100),
				    .acts = acts};

	g_ptr_array_add(acts, &act);
	put_asset("a", PC, (struct period){A, 100, 200});
	put_asset("a", PC, (struct period){B, 200, 300});
	act.login_us = AT(150);
	expect_copy(&final, "pc-a 192.0.2.7 imap 250-250 0");
	cr_assert_str_eq(act.device, A);
	act.login_us = 0; /* not told */
	expect_copy(&final, "pc-b 192.0.2.7 imap 250-250 0");
	cr_assert_str_eq(act.device, B);
	g_free(act.device);
}
