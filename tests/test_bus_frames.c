/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib.h>
#include <string.h>

#include "bus_frames.h"

#define EPOCH "01234567-89ab-4def-8123-456789abcdef"

/* Reads a recorded message: a frame a line in hexadecimal, "-" for an empty one, '#' comments. */
static GPtrArray *
recorded(const char *name)
{
	const char *top = g_getenv("top_srcdir");
	g_autofree char *path =
		g_build_filename(top ? top : "..", "tests", "data", "frames", name, NULL);
	GPtrArray *frames = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	g_autofree char *text = NULL;

	cr_assert(g_file_get_contents(path, &text, NULL, NULL), "%s", path);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		GByteArray *bytes = g_byte_array_new();
		if (!*lines[i] || *lines[i] == '#') {
			g_byte_array_unref(bytes);
			continue;
		}
		for (const char *hex = lines[i]; *hex && *hex != '-'; hex += 2) {
			guint8 byte = (guint8)(g_ascii_xdigit_value(hex[0]) << 4 |
					       g_ascii_xdigit_value(hex[1]));
			g_byte_array_append(bytes, &byte, 1);
		}
		g_ptr_array_add(frames, g_byte_array_free_to_bytes(bytes));
	}
	return frames;
}

static void
assert_same_frames(const GPtrArray *left, const GPtrArray *right)
{
	cr_assert_eq(left->len, right->len);
	for (guint i = 0; i < left->len; i++)
		cr_assert(g_bytes_equal(left->pdata[i], right->pdata[i]), "frame %u", i);
}

/* Parses a recorded message, and finds the same frames when it is written again. */
static struct bus_message
assert_decodes(const char *name, enum bus_kind kind)
{
	g_autoptr(GPtrArray) frames = recorded(name), again = NULL;
	struct bus_message message = {0};
	const char *fault = bus_message_parse(frames, &message);

	cr_assert_null(fault, "%s: %s", name, fault);
	cr_assert_eq(message.kind, kind);
	cr_assert_str_eq(message.epoch, EPOCH);
	again = bus_message_format(&message);
	assert_same_frames(frames, again);
	return message;
}

Test(bus_frames, recorded_hello_decodes)
{
	struct bus_message message = assert_decodes("hello.hex", BUS_KIND_HELLO);

	bus_message_clear(&message);
}

Test(bus_frames, recorded_batch_decodes)
{
	struct bus_message message = assert_decodes("batch.hex", BUS_KIND_BATCH);

	cr_assert_eq(message.n, 0x0102030405060708);
	cr_assert_eq(message.events->len, 2);
	cr_assert_eq(g_bytes_get_size(message.events->pdata[0]), 2);
	cr_assert_eq(g_bytes_get_size(message.events->pdata[1]), 0);
	bus_message_clear(&message);
}

Test(bus_frames, recorded_beat_decodes)
{
	struct bus_message message = assert_decodes("beat.hex", BUS_KIND_BEAT);

	cr_assert_eq(message.n, 300);
	cr_assert_str_eq(message.text, "{\"seen\":3}");
	bus_message_clear(&message);
}

Test(bus_frames, recorded_welcome_and_ack_decode)
{
	struct bus_message message = assert_decodes("welcome.hex", BUS_KIND_WELCOME);

	cr_assert_eq(message.n, 0);
	bus_message_clear(&message);
	message = assert_decodes("ack.hex", BUS_KIND_ACK);
	cr_assert_eq(message.n, G_MAXINT64);
	bus_message_clear(&message);
}

Test(bus_frames, recorded_refuse_decodes)
{
	struct bus_message message = assert_decodes("refuse.hex", BUS_KIND_REFUSE);

	cr_assert_eq(message.n, 7);
	cr_assert_str_eq(message.text, "not JSON");
	bus_message_clear(&message);
}

Test(bus_frames, recorded_tell_and_have_decode)
{
	struct bus_message message = assert_decodes("tell.hex", BUS_KIND_TELL);

	cr_assert_str_eq(message.text, "blocks");
	cr_assert_eq(g_bytes_get_size(message.payload), 8);
	cr_assert_not(bus_kind_is_of_sensor(message.kind));
	bus_message_clear(&message);
	message = assert_decodes("have.hex", BUS_KIND_HAVE);
	cr_assert_str_eq(message.text, "blocks");
	cr_assert_eq(g_bytes_get_size(message.payload), 24);
	cr_assert(bus_kind_is_of_sensor(message.kind));
	bus_message_clear(&message);
}

static void
assert_fault(GPtrArray *frames, const char *part)
{
	struct bus_message message = {.n = 99};
	const char *fault = bus_message_parse(frames, &message);

	cr_assert(fault, "taken, though %s", part);
	cr_assert(strstr(fault, part), "%s", fault);
	cr_assert_eq(message.n, 99, "untouched");
	cr_assert_null(message.events);
	cr_assert_null(message.text);
}

static void
set_frame(GPtrArray *frames, guint i, const void *bytes, gsize size)
{
	g_bytes_unref(frames->pdata[i]);
	frames->pdata[i] = g_bytes_new(bytes, size);
}

Test(bus_frames, every_cut_of_every_message_is_refused)
{
	static const char *const names[] = {"hello.hex", "batch.hex",  "beat.hex", "welcome.hex",
					    "ack.hex",	 "refuse.hex", "tell.hex", "have.hex"};

	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(GPtrArray) frames = recorded(names[i]);
		while (frames->len > 0) {
			g_ptr_array_set_size(frames, (int)frames->len - 1);
			assert_fault(frames, frames->len < 2			   ? "version"
					     : *names[i] == 'b' && frames->len > 5 ? "count"
										   : "frames");
		}
	}
}

Test(bus_frames, frames_beyond_the_message_are_refused)
{
	g_autoptr(GPtrArray) frames = recorded("ack.hex");

	g_ptr_array_add(frames, g_bytes_new("", 0));
	assert_fault(frames, "frames");
}

Test(bus_frames, another_version_is_refused)
{
	g_autoptr(GPtrArray) frames = recorded("hello.hex");

	set_frame(frames, 0, "MT2", 3);
	assert_fault(frames, "version");
	set_frame(frames, 0, "MT1 ", 4);
	assert_fault(frames, "version");
	set_frame(frames, 0, "MT", 2);
	assert_fault(frames, "version");
}

Test(bus_frames, an_unknown_word_is_refused)
{
	g_autoptr(GPtrArray) frames = recorded("hello.hex");

	set_frame(frames, 1, "HELLO\0", 6);
	assert_fault(frames, "kind");
	set_frame(frames, 1, "", 0);
	assert_fault(frames, "kind");
}

Test(bus_frames, an_epoch_has_one_spelling)
{
	static const char *const wrong[] = {
		"01234567-89AB-4def-8123-456789abcdef", "01234567089ab-4def-8123-456789abcdef",
		"0123456--89ab-4def-8123-456789abcdef", "01234567-89ab-4def-8123-456789abcdeg"};
	g_autoptr(GPtrArray) frames = recorded("hello.hex");

	for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
		set_frame(frames, 2, wrong[i], 36);
		assert_fault(frames, "epoch");
	}
	set_frame(frames, 2, EPOCH, 35);
	assert_fault(frames, "epoch");
	set_frame(frames, 2, EPOCH "0", 37);
	assert_fault(frames, "epoch");
}

Test(bus_frames, numbers_are_eight_bytes_below_2_to_63)
{
	g_autoptr(GPtrArray) frames = recorded("ack.hex");

	set_frame(frames, 3, "\x7f\xff\xff\xff\xff\xff\xff", 7);
	assert_fault(frames, "number");
	set_frame(frames, 3, "\x80\0\0\0\0\0\0\0", 8);
	assert_fault(frames, "number");
	set_frame(frames, 3, "\0\0\0\0\0\0\0\1\0", 9);
	assert_fault(frames, "number");
}

Test(bus_frames, a_batch_counts_its_events_and_starts_at_one)
{
	g_autoptr(GPtrArray) frames = recorded("batch.hex");

	set_frame(frames, 4, "\0\0\0\0\0\0\0\1", 8);
	assert_fault(frames, "count");
	set_frame(frames, 4, "\0\0\0\0\0\0\0\3", 8);
	assert_fault(frames, "count");
	set_frame(frames, 4, "\0\0\0\0\0\0\0\2", 8);
	set_frame(frames, 3, "\0\0\0\0\0\0\0\0", 8);
	assert_fault(frames, "first");
	set_frame(frames, 3, "\x7f\xff\xff\xff\xff\xff\xff\xff", 8);
	assert_fault(frames, "first");
}

static GPtrArray *
batch_of(guint count)
{
	g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	struct bus_message message = {
		.kind = BUS_KIND_BATCH, .epoch = EPOCH, .n = 1, .events = events};

	for (guint i = 0; i < count; i++)
		g_ptr_array_add(events, g_bytes_new("x", 1));
	return bus_message_format(&message);
}

Test(bus_frames, a_batch_has_up_to_the_cap_of_events)
{
	static const int around[] = {-1, 0};

	for (guint i = 0; i < G_N_ELEMENTS(around); i++) {
		g_autoptr(GPtrArray) frames = batch_of((guint)(CAP_BATCH_EVENTS + around[i]));
		struct bus_message message = {0};
		cr_assert_null(bus_message_parse(frames, &message));
		cr_assert_eq(message.events->len, (guint)(CAP_BATCH_EVENTS + around[i]));
		bus_message_clear(&message);
	}
	g_autoptr(GPtrArray) over = batch_of(CAP_BATCH_EVENTS + 1);
	assert_fault(over, "more events");
}

static void
assert_text(const char *name, gsize cap)
{
	g_autoptr(GPtrArray) frames = recorded(name);
	g_autofree char *text = g_strnfill(cap + 1, 'a');
	struct bus_message message = {0};

	for (gsize size = cap - 1; size <= cap; size++) {
		set_frame(frames, 4, text, size);
		cr_assert_null(bus_message_parse(frames, &message));
		cr_assert_eq(strlen(message.text), size);
		bus_message_clear(&message);
	}
	set_frame(frames, 4, text, cap + 1);
	assert_fault(frames, "text");
	set_frame(frames, 4, "a\0b", 3);
	assert_fault(frames, "text");
	set_frame(frames, 4, "\xff", 1);
	assert_fault(frames, "text");
	set_frame(frames, 4, "", 0);
	cr_assert_null(bus_message_parse(frames, &message));
	bus_message_clear(&message);
}

Test(bus_frames, counters_are_utf_8_up_to_their_cap)
{
	assert_text("beat.hex", BUS_COUNTERS_BYTES);
}

Test(bus_frames, reasons_are_utf_8_up_to_their_cap)
{
	assert_text("refuse.hex", BUS_REASON_BYTES);
}

Test(bus_frames, a_long_reason_is_cut_at_a_character)
{
	g_autoptr(GString) reason = g_string_new("x");

	while (reason->len < 300)
		g_string_append(reason, "é");
	struct bus_message message = {
		.kind = BUS_KIND_REFUSE, .epoch = EPOCH, .n = 1, .text = reason->str};
	g_autoptr(GPtrArray) frames = bus_message_format(&message);
	struct bus_message parsed = {0};
	cr_assert_null(bus_message_parse(frames, &parsed));
	cr_assert_eq(strlen(parsed.text), 255);
	cr_assert(g_str_has_prefix(reason->str, parsed.text));
	bus_message_clear(&parsed);
}

Test(bus_frames, a_reason_that_is_not_utf_8_still_arrives)
{
	struct bus_message message = {
		.kind = BUS_KIND_REFUSE, .epoch = EPOCH, .n = 1, .text = (char *)"bad \xff byte"};
	g_autoptr(GPtrArray) frames = bus_message_format(&message);
	struct bus_message parsed = {0};

	cr_assert_null(bus_message_parse(frames, &parsed));
	cr_assert_str_eq(parsed.text, "bad \357\277\275 byte");
	bus_message_clear(&parsed);
}

Test(bus_frames, only_three_kinds_are_a_sensors)
{
	cr_assert(bus_kind_is_of_sensor(BUS_KIND_HELLO));
	cr_assert(bus_kind_is_of_sensor(BUS_KIND_BATCH));
	cr_assert(bus_kind_is_of_sensor(BUS_KIND_BEAT));
	cr_assert(!bus_kind_is_of_sensor(BUS_KIND_WELCOME));
	cr_assert(!bus_kind_is_of_sensor(BUS_KIND_ACK));
	cr_assert(!bus_kind_is_of_sensor(BUS_KIND_REFUSE));
}

/* Returns a TELL or HAVE of this topic with so many bytes. */
static GPtrArray *
told(enum bus_kind kind, const char *topic, gsize bytes)
{
	g_autofree char *filler = g_malloc0(bytes + 1);
	struct bus_message message = {.kind = kind, .epoch = EPOCH, .text = (char *)topic};
	GPtrArray *frames;

	message.payload = g_bytes_new(filler, bytes);
	frames = bus_message_format(&message);
	g_bytes_unref(message.payload);
	return frames;
}

static void
assert_told_fault(enum bus_kind kind, const char *topic, gsize bytes, const char *part)
{
	g_autoptr(GPtrArray) frames = told(kind, topic, bytes);

	assert_fault(frames, part);
}

static void
assert_taken(enum bus_kind kind, gsize bytes)
{
	g_autoptr(GPtrArray) frames = told(kind, "blocks", bytes);
	struct bus_message message;
	const char *fault = bus_message_parse(frames, &message);

	cr_assert_null(fault, "%s", fault);
	cr_assert_eq(g_bytes_get_size(message.payload), bytes);
	bus_message_clear(&message);
}

Test(bus_frames, tell_and_have_carry_up_to_their_caps)
{
	assert_taken(BUS_KIND_TELL, 0);
	assert_taken(BUS_KIND_TELL, BUS_TELL_BYTES - 1);
	assert_taken(BUS_KIND_TELL, BUS_TELL_BYTES);
	assert_taken(BUS_KIND_HAVE, BUS_STATE_BYTES);
	assert_told_fault(BUS_KIND_TELL, "blocks", BUS_TELL_BYTES + 1, "more bytes");
	assert_told_fault(BUS_KIND_HAVE, "blocks", BUS_STATE_BYTES + 1, "more bytes");
}

Test(bus_frames, topic_is_a_short_word_of_small_letters)
{
	static const char *const wrong[] = {
		"",	  "Blocks",	   "blocks ",
		"b/ocks", "block\xc3\xa9", "abcdefghijklmnopqrstuvwxyzabcdefg"};
	g_autoptr(GPtrArray) longest = told(BUS_KIND_TELL, "abcdefghijklmnopqrstuvwxyzabcdef", 1);
	struct bus_message message;

	cr_assert_null(bus_message_parse(longest, &message));
	bus_message_clear(&message);
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
		assert_told_fault(BUS_KIND_TELL, wrong[i], 1, "topic");
}

Test(bus_frames, the_clocks_answer_is_two_numbers_and_nothing_else)
{
	static const guint8 negative[16] = {0x80};
	g_autoptr(GBytes) bytes = bus_clock_format(G_GINT64_CONSTANT(1795395600000000), 7);
	gint64 sent_us = 0, came_us = 0;

	cr_assert(bus_clock_parse(bytes, &sent_us, &came_us));
	cr_expect_eq(sent_us, G_GINT64_CONSTANT(1795395600000000));
	cr_expect_eq(came_us, 7);
	for (gsize length = 0; length <= 17; length++) {
		g_autofree guint8 *room = g_malloc0(length + 1);
		g_autoptr(GBytes) other = g_bytes_new(room, length);

		cr_expect_eq(bus_clock_parse(other, &sent_us, &came_us), length == 16);
	}
	g_clear_pointer(&bytes, g_bytes_unref);
	bytes = g_bytes_new(negative, sizeof(negative));
	cr_expect_not(bus_clock_parse(bytes, &sent_us, &came_us));
}
