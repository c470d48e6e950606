/* SPDX-License-Identifier: BSD-2-Clause */
/* What heartbeats show of the time between them; complete_until against brute force. */
#include "beat.h"
#include "store_fixture.h"

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

TestSuite(store_intervals, .init = setup, .fini = teardown);

static void
note(const char *sensor, const struct store_beat *beat)
{
	GError *error = NULL;

	expect_ok(store_note_beat(fixture.store, "a", sensor, beat, &error), error);
}

/* A beat of AT(second), complete until then, of a program that runs since AT(started). */
static struct store_beat
beat_at(int second, int started)
{
	return (struct store_beat){.epoch = "e",
				   .time_us = AT(second),
				   .complete_us = AT(second),
				   .counters = "{}",
				   .started_us = AT(started)};
}

static struct store_coverage
coverage_between(int since, int until, const char *const *sensors)
{
	const struct store_expected expected = {sensors, NULL};
	g_autoptr(query_t) query = query_new("a");
	struct store_coverage coverage;
	GError *error = NULL;

	query->since_us = AT(since);
	query->until_us = AT(until);
	expect_ok(store_coverage(fixture.store, query, &expected, &coverage, &error), error);
	return coverage;
}

/* "reason from-to messages" of each gap, in seconds, joined by commas; to free. */
static char *
gaps_between(int since, int until)
{
	struct store_coverage coverage = coverage_between(since, until, NULL);
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < coverage.gaps->len; i++) {
		const struct store_gap *gap = g_ptr_array_index(coverage.gaps, i);

		g_string_append_printf(text, "%s%s %d-%d %u", i ? ", " : "", gap->reason,
				       (int)((gap->from_us - AT(0)) / G_USEC_PER_SEC),
				       (int)((gap->to_us - AT(0)) / G_USEC_PER_SEC),
				       (guint)gap->messages);
	}
	store_coverage_clear(&coverage);
	return g_string_free(text, FALSE);
}

#define expect_gaps(since, until, expected)                                             \
	do {                                                                            \
		g_autofree char *got_ = gaps_between(since, until);                     \
		cr_expect_str_eq(got_, expected, "got '%s', not '%s'", got_, expected); \
	} while (0)

Test(store_intervals, beats_of_one_program_leave_none_however_long_they_stay_away)
{
	struct store_beat first = beat_at(10, 1), second = beat_at(5000, 1);

	note("mx1", &first);
	note("mx1", &second);
	expect_gaps(0, 9000, "");
}

Test(store_intervals, a_program_that_began_anew_was_down_since_it_was_last_complete)
{
	struct store_beat first = beat_at(10, 1), second = beat_at(100, 60);

	note("mx1", &first);
	note("mx1", &second);
	note("mx1", &second);
	expect_gaps(0, 9000, "down 10-60 0");
	expect_gaps(61, 9000, "");
	expect_gaps(0, 10, "");
}

Test(store_intervals, another_epoch_is_a_spool_that_was_lost)
{
	struct store_beat first = beat_at(10, 1), second = beat_at(100, 1);

	first.last = 0;
	note("mx1", &first);
	second.epoch = "f";
	note("mx1", &second);
	expect_gaps(0, 9000, "epoch 10-100 0");
}

Test(store_intervals, numbers_that_a_lost_spool_had_are_no_gap_without_an_end)
{
	struct store_beat first = beat_at(10, 1), second = beat_at(20, 1), third = beat_at(100, 1);
	struct store_sequence sequence = {"e", 1};
	g_autoptr(event_t) event = make_event(9);
	g_autoptr(GBytes) json = g_bytes_new_static("{}", 2);
	GError *error = NULL;
	gboolean added;

	expect_ok(store_add_event(fixture.store, event, json, &sequence, &added, &error), error);
	first.last = 1;
	note("mx1", &first);
	second.last = 3;
	note("mx1", &second);
	expect_gaps(0, 200, "missing 9--1700000000 0");
	third.epoch = "f";
	note("mx1", &third);
	expect_gaps(0, 9000, "epoch 10-100 0");
	expect_gaps(101, 9000, "");
}

Test(store_intervals, what_passed_unrecorded_is_counted_and_joined)
{
	struct store_beat beat = beat_at(10, 1);

	note("mx1", &beat);
	beat = beat_at(20, 1);
	beat.unrecorded = 2;
	note("mx1", &beat);
	beat = beat_at(30, 1);
	beat.unrecorded = 5;
	note("mx1", &beat);
	expect_gaps(0, 9000, "unrecorded 10-30 5");
	beat = beat_at(40, 1);
	beat.unrecorded = 5;
	note("mx1", &beat);
	beat = beat_at(50, 1);
	beat.unrecorded = 6;
	note("mx1", &beat);
	expect_gaps(0, 9000, "unrecorded 10-30 5, unrecorded 40-50 1");
	beat = beat_at(60, 55);
	beat.unrecorded = 4;
	note("mx1", &beat);
	expect_gaps(35, 9000, "unrecorded 40-60 5, down 50-55 0");
}

Test(store_intervals, a_place_in_the_log_that_was_lost_is_told_once)
{
	struct store_beat beat = beat_at(10, 0);

	note("f1", &beat);
	beat = beat_at(20, 0);
	beat.log_gaps = 1;
	note("f1", &beat);
	beat = beat_at(30, 0);
	beat.log_gaps = 1;
	note("f1", &beat);
	expect_gaps(0, 9000, "log-gap 10-20 0");
}

Test(store_intervals, a_clock_that_is_ahead_makes_the_answer_complete_earlier)
{
	static const char *const expected[] = {"mx1", NULL};
	struct store_beat beat = beat_at(100, 1);
	struct store_coverage coverage;
	const struct store_clock *clock;

	beat.has_offset = TRUE;
	beat.offset_us = 7 * G_USEC_PER_SEC;
	note("mx1", &beat);
	coverage = coverage_between(0, 50, expected);
	cr_expect_eq(coverage.complete_until_us, AT(93));
	cr_assert_eq(coverage.clocks->len, 1);
	clock = g_ptr_array_index(coverage.clocks, 0);
	cr_expect_eq(clock->offset_us, beat.offset_us);
	store_coverage_clear(&coverage);
	beat.offset_us = -beat.offset_us;
	note("mx1", &beat);
	coverage = coverage_between(0, 50, expected);
	cr_expect_eq(coverage.complete_until_us, AT(100));
	store_coverage_clear(&coverage);
}

/* ---- counters ---- */

Test(beat, counters_that_lie_say_nothing)
{
	static const char *const wrong[] = {
		"", "[]", "{", "{\"complete_us\":-1,\"started_us\":\"x\",\"unrecorded\":-5}",
		"{\"complete_us\":1.5,\"clock_offset_us\":9223372036854775807}"};
	struct store_beat beat;

	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		beat_read(wrong[i], AT(1), &beat);
		cr_expect_eq(beat.complete_us, 0);
		cr_expect_eq(beat.started_us, 0);
		cr_expect_eq(beat.unrecorded, 0);
		cr_expect_not(beat.has_offset);
	}
	beat_read("{\"complete_us\":9000000000000000000,\"started_us\":7,\"unrecorded\":8,"
		  "\"log_gaps\":9,\"clock_offset_us\":-10}",
		  AT(1), &beat);
	cr_expect_eq(beat.complete_us, AT(1), "nobody is complete until later than now");
	cr_expect_eq(beat.started_us, 7);
	cr_expect_eq(beat.unrecorded, 8);
	cr_expect_eq(beat.log_gaps, 9);
	cr_expect(beat.has_offset);
	cr_expect_eq(beat.offset_us, -10);
}

/* ---- complete_until against brute force ---- */

#define SENSORS 3
#define STEPS 600
#define ROUNDS 4
#define CHECK_EVERY 15

/* What really happened to a message; second is its receive time, one a second. */
struct truth {
	int second;
	gboolean stored;
};

/* A sensor as it really is; its spool are the messages from sent on. */
struct world {
	char name[8];
	int epochs;
	char epoch[24];
	guint64 last, sent; /* numbers given out, and stored */
	GArray *spool;	    /* of guint: places in messages of those not sent, in order */
	GArray *messages;   /* of struct truth */
	int started;
	guint64 unrecorded;
};

static void
new_epoch(struct world *world)
{
	g_snprintf(world->epoch, sizeof(world->epoch), "%s-%d", world->name, world->epochs++);
	world->last = world->sent = 0;
	g_array_set_size(world->spool, 0);
}

static void
receive(struct world *world, int now, gboolean recorded)
{
	struct truth truth = {.second = now};
	guint place = world->messages->len;

	g_array_append_val(world->messages, truth);
	if (recorded) {
		world->last++;
		g_array_append_val(world->spool, place);
	}
	world->unrecorded += !recorded; /* a full disk, on_unrecorded = accept */
}

/* The oldest message of the spool reaches the store; or out of order, the second oldest. */
static void
transmit(struct world *world, guint skip)
{
	g_autoptr(GBytes) json = g_bytes_new_static("{}", 2);
	struct store_sequence sequence = {world->epoch, world->sent + skip + 1};
	g_autoptr(event_t) event = NULL;
	GError *error = NULL;
	struct truth *truth;
	gboolean added;

	if (world->spool->len <= skip)
		return;
	truth = &g_array_index(world->messages, struct truth,
			       g_array_index(world->spool, guint, skip));
	event = make_event(truth->second);
	set_text(&event->sensor, world->name);
	expect_ok(store_add_event(fixture.store, event, json, &sequence, &added, &error), error);
	truth->stored = TRUE;
	if (skip > 0)
		return; /* it is sent again in its turn */
	g_array_remove_index(world->spool, 0);
	world->sent++;
}

static void
restart(struct world *world, int now)
{
	world->started = now;
	world->unrecorded = 0;
}

static void
lose_spool(struct world *world, int now)
{
	restart(world, now);
	new_epoch(world);
}

static void
beat_now(struct world *world, int now)
{
	const struct store_beat beat = {.epoch = world->epoch,
					.time_us = AT(now),
					.complete_us = AT(now),
					.last = world->last,
					.counters = "{}",
					.started_us = AT(world->started),
					.unrecorded = world->unrecorded};

	note(world->name, &beat);
}

static void
step(struct world *world, int now)
{
	switch (g_random_int_range(0, 16)) {
	case 0:
	case 1:
	case 2:
	case 3:
		receive(world, now, TRUE);
		break;
	case 4:
	case 5:
	case 6:
	case 7:
	case 8:
		transmit(world, 0);
		break;
	case 9:
		transmit(world, 1);
		break;
	case 10:
		if (g_random_int_range(0, 4) == 0)
			receive(world, now, FALSE);
		break;
	case 11:
		if (g_random_int_range(0, 12) == 0)
			lose_spool(world, now);
		else if (g_random_int_range(0, 6) == 0)
			restart(world, now);
		break;
	default:
		beat_now(world, now);
	}
}

/* TRUE if some gap of the sensor has the second in it. */
static gboolean
is_told(const struct store_coverage *coverage, const char *sensor, int second)
{
	for (guint i = 0; i < coverage->gaps->len; i++) {
		const struct store_gap *gap = g_ptr_array_index(coverage->gaps, i);

		if (strcmp(gap->sensor, sensor) == 0 && gap->from_us <= AT(second) &&
		    (gap->to_us == 0 || gap->to_us >= AT(second)))
			return TRUE;
	}
	return FALSE;
}

/* Whoever is not in the store is later than complete_until, or in a gap.  Returns how many are
 * claimed. */
static guint
check_claim(const struct world *worlds, int now)
{
	static const char *const expected[] = {"mx0", "mx1", "mx2", NULL};
	struct store_coverage coverage = coverage_between(0, now + 1, expected);
	guint claimed = 0;

	for (guint i = 0; i < SENSORS; i++) {
		const struct world *world = &worlds[i];

		for (guint k = 0; k < world->messages->len; k++) {
			const struct truth *truth =
				&g_array_index(world->messages, struct truth, k);

			cr_assert(
				truth->stored || AT(truth->second) >= coverage.complete_until_us ||
					is_told(&coverage, world->name, truth->second),
				"at %d, complete until %d, but the message of %d at %s is not there",
				now, (int)((coverage.complete_until_us - AT(0)) / G_USEC_PER_SEC),
				truth->second, world->name);
			claimed += truth->stored && AT(truth->second) < coverage.complete_until_us;
		}
	}
	store_coverage_clear(&coverage);
	return claimed;
}

Test(store_intervals, whoever_is_not_in_the_store_is_later_than_complete_or_in_a_gap)
{
	guint claims = 0;

	for (guint round = 0; round < ROUNDS; round++) {
		struct world worlds[SENSORS] = {0};

		teardown();
		setup();
		g_random_set_seed(round);
		for (guint i = 0; i < SENSORS; i++) {
			g_snprintf(worlds[i].name, sizeof(worlds[i].name), "mx%u", i);
			worlds[i].messages = g_array_new(FALSE, FALSE, sizeof(struct truth));
			worlds[i].spool = g_array_new(FALSE, FALSE, sizeof(guint));
			worlds[i].started = 1;
			new_epoch(&worlds[i]);
			beat_now(&worlds[i], 1);
		}
		for (int now = 2; now < STEPS; now++) {
			step(&worlds[g_random_int_range(0, SENSORS)], now);
			if (now % CHECK_EVERY == 0)
				claims += check_claim(worlds, now);
		}
		for (guint i = 0; i < SENSORS; i++) {
			g_array_unref(worlds[i].messages);
			g_array_unref(worlds[i].spool);
		}
	}
	/* An answer that never claims anything would be right, too. */
	cr_expect_gt(claims, ROUNDS * SENSORS, "only %u messages were claimed to be there", claims);
}
