/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "bus_frames.h"

#include <string.h>

#include "bus.h"

#define NUMBER_BYTES 8

static const struct {
	const char *word;
	guint frames; /* of BATCH at least */
} kinds[] = {
	[BUS_KIND_HELLO] = {"HELLO", 3}, [BUS_KIND_BATCH] = {"BATCH", BUS_HEAD_FRAMES + 1},
	[BUS_KIND_BEAT] = {"BEAT", 5},	 [BUS_KIND_WELCOME] = {"WELCOME", 4},
	[BUS_KIND_ACK] = {"ACK", 4},	 [BUS_KIND_REFUSE] = {"REFUSE", 5},
	[BUS_KIND_TELL] = {"TELL", 5},	 [BUS_KIND_HAVE] = {"HAVE", 5},
};

static gboolean
frame_is(GBytes *frame, const char *word)
{
	gsize size;
	const char *bytes = g_bytes_get_data(frame, &size);

	return size == strlen(word) && memcmp(bytes, word, size) == 0;
}

/* Reads a number of up to 2^63 - 1, as the spool and the store keep them. */
static gboolean
read_number(GBytes *frame, guint64 *ret_number)
{
	gsize size;
	const guint8 *bytes = g_bytes_get_data(frame, &size);
	guint64 number = 0;

	if (size != NUMBER_BYTES)
		return FALSE;
	for (guint i = 0; i < NUMBER_BYTES; i++)
		number = number << 8 | bytes[i];
	if (number > G_MAXINT64)
		return FALSE;
	*ret_number = number;
	return TRUE;
}

static void
put_number(guint8 *ret_bytes, guint64 number)
{
	for (guint i = 0; i < NUMBER_BYTES; i++)
		ret_bytes[i] = (guint8)(number >> (56 - 8 * i));
}

static GBytes *
write_number(guint64 number)
{
	guint8 bytes[NUMBER_BYTES];

	put_number(bytes, number);
	return g_bytes_new(bytes, sizeof bytes);
}

/* Reads a UUID in lower-case text, so that one epoch has one spelling. */
static gboolean
read_epoch(GBytes *frame, char ret_epoch[BUS_EPOCH_LENGTH + 1])
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	gsize size;
	const char *bytes = g_bytes_get_data(frame, &size);

	if (size != BUS_EPOCH_LENGTH)
		return FALSE;
	for (gsize i = 0; i < size; i++)
		if (form[i] == '-' ? bytes[i] != '-'
				   : !g_ascii_isxdigit(bytes[i]) || g_ascii_isupper(bytes[i]))
			return FALSE;
	memcpy(ret_epoch, bytes, size);
	ret_epoch[size] = '\0';
	return TRUE;
}

/* Reads UTF-8 without NUL, at most max_bytes; NULL if it is something else. */
static char *
read_text(GBytes *frame, gsize max_bytes)
{
	gsize size;
	const char *bytes = g_bytes_get_data(frame, &size);

	if (size > max_bytes || (size > 0 && !g_utf8_validate_len(bytes, size, NULL)))
		return NULL;
	return g_strndup(size > 0 ? bytes : "", size);
}

/* Reads the kind; FALSE if the word is none. */
static gboolean
read_kind(GBytes *frame, enum bus_kind *ret_kind)
{
	for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (frame_is(frame, kinds[i].word)) {
			*ret_kind = (enum bus_kind)i;
			return TRUE;
		}
	}
	return FALSE;
}

/* Reads the events of a batch: count must tell the truth, and numbers must not run over. */
static const char *
parse_events(const GPtrArray *frames, struct bus_message *message)
{
	guint64 count = 0;
	guint events = frames->len - BUS_HEAD_FRAMES;

	if (!read_number(frames->pdata[4], &count) || count != events)
		return "count is not the number of events";
	if (count > CAP_BATCH_EVENTS)
		return "more events than a batch may have";
	if (message->n == 0 || message->n > (guint64)G_MAXINT64 - count)
		return "first is out of range";
	message->events = g_ptr_array_new_full(events, (GDestroyNotify)g_bytes_unref);
	for (guint i = BUS_HEAD_FRAMES; i < frames->len; i++)
		g_ptr_array_add(message->events, g_bytes_ref(frames->pdata[i]));
	return NULL;
}

static gboolean
is_topic(const char *text)
{
	gsize length = strspn(text, "abcdefghijklmnopqrstuvwxyz");

	return length > 0 && length <= BUS_TOPIC_BYTES && !text[length];
}

static const char *
parse_payload(const GPtrArray *frames, struct bus_message *message)
{
	gsize most = message->kind == BUS_KIND_TELL ? BUS_TELL_BYTES : BUS_STATE_BYTES;

	message->text = read_text(frames->pdata[3], BUS_TOPIC_BYTES);
	if (!message->text || !is_topic(message->text))
		return "topic is not of lower-case letters";
	if (g_bytes_get_size(frames->pdata[4]) > most)
		return "more bytes than it may carry";
	message->payload = g_bytes_ref(frames->pdata[4]);
	return NULL;
}

/* Reads what follows the epoch. */
static const char *
parse_rest(const GPtrArray *frames, struct bus_message *message)
{
	gsize max_text = message->kind == BUS_KIND_BEAT ? BUS_COUNTERS_BYTES : BUS_REASON_BYTES;

	if (message->kind == BUS_KIND_HELLO)
		return NULL;
	if (message->kind == BUS_KIND_TELL || message->kind == BUS_KIND_HAVE)
		return parse_payload(frames, message);
	if (!read_number(frames->pdata[3], &message->n))
		return "a number is not 8 bytes, or out of range";
	if (message->kind == BUS_KIND_BATCH)
		return parse_events(frames, message);
	if (message->kind == BUS_KIND_BEAT || message->kind == BUS_KIND_REFUSE) {
		message->text = read_text(frames->pdata[4], max_text);
		if (!message->text)
			return "text is too long or not UTF-8";
	}
	return NULL;
}

const char *
bus_message_parse(const GPtrArray *frames, struct bus_message *ret_message)
{
	struct bus_message message = {0};
	const char *fault;

	if (frames->len < 2 || !frame_is(frames->pdata[0], BUS_VERSION))
		return "not of version " BUS_VERSION;
	if (!read_kind(frames->pdata[1], &message.kind))
		return "unknown kind of message";
	if (message.kind == BUS_KIND_BATCH ? frames->len < kinds[message.kind].frames
					   : frames->len != kinds[message.kind].frames)
		return "wrong number of frames";
	if (!read_epoch(frames->pdata[2], message.epoch))
		return "epoch is not a UUID";
	fault = parse_rest(frames, &message);
	if (fault) {
		bus_message_clear(&message);
		return fault;
	}
	*ret_message = message;
	return NULL;
}

static void
add_text(GPtrArray *frames, const char *text)
{
	g_ptr_array_add(frames, g_bytes_new(text, strlen(text)));
}

/* Adds text that the other side will take: UTF-8, cut at a character. */
static void
add_cut_text(GPtrArray *frames, const char *text, gsize max_bytes)
{
	g_autofree char *valid = g_utf8_make_valid(text ? text : "", -1);
	const char *end;

	g_utf8_validate_len(valid, MIN(strlen(valid), max_bytes), &end);
	g_ptr_array_add(frames, g_bytes_new(valid, (gsize)(end - valid)));
}

GPtrArray *
bus_message_format(const struct bus_message *message)
{
	GPtrArray *frames = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);

	add_text(frames, BUS_VERSION);
	add_text(frames, kinds[message->kind].word);
	add_text(frames, message->epoch);
	if (message->kind == BUS_KIND_HELLO)
		return frames;
	if (message->kind == BUS_KIND_TELL || message->kind == BUS_KIND_HAVE) {
		add_text(frames, message->text);
		g_ptr_array_add(frames, g_bytes_ref(message->payload));
		return frames;
	}
	g_ptr_array_add(frames, write_number(message->n));
	if (message->kind == BUS_KIND_BEAT)
		add_cut_text(frames, message->text, BUS_COUNTERS_BYTES);
	if (message->kind == BUS_KIND_REFUSE)
		add_cut_text(frames, message->text, BUS_REASON_BYTES);
	if (message->kind == BUS_KIND_BATCH) {
		g_ptr_array_add(frames, write_number(message->events->len));
		for (guint i = 0; i < message->events->len; i++)
			g_ptr_array_add(frames, g_bytes_ref(message->events->pdata[i]));
	}
	return frames;
}

void
bus_message_clear(struct bus_message *message)
{
	g_clear_pointer(&message->events, g_ptr_array_unref);
	g_clear_pointer(&message->text, g_free);
	g_clear_pointer(&message->payload, g_bytes_unref);
}

gboolean
bus_kind_is_of_sensor(enum bus_kind kind)
{
	return kind == BUS_KIND_HELLO || kind == BUS_KIND_BATCH || kind == BUS_KIND_BEAT ||
	       kind == BUS_KIND_HAVE;
}

GBytes *
bus_clock_format(gint64 sent_us, gint64 came_us)
{
	guint8 bytes[2 * NUMBER_BYTES];

	put_number(bytes, (guint64)sent_us);
	put_number(bytes + NUMBER_BYTES, (guint64)came_us);
	return g_bytes_new(bytes, sizeof bytes);
}

gboolean
bus_clock_parse(GBytes *bytes, gint64 *ret_sent_us, gint64 *ret_came_us)
{
	g_autoptr(GBytes) first = NULL, second = NULL;
	guint64 sent, came;

	if (g_bytes_get_size(bytes) != (gsize)2 * NUMBER_BYTES)
		return FALSE;
	first = g_bytes_new_from_bytes(bytes, 0, NUMBER_BYTES);
	second = g_bytes_new_from_bytes(bytes, NUMBER_BYTES, NUMBER_BYTES);
	if (!read_number(first, &sent) || !read_number(second, &came))
		return FALSE;
	*ret_sent_us = (gint64)sent;
	*ret_came_us = (gint64)came;
	return TRUE;
}
