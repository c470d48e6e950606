/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message of any frames is refused with a reason, or is read and written
 * again as the same frames, within the caps.  The input is frames, each after
 * its length in two bytes, big-endian; the last may be cut.
 */
#include <glib.h>
#include <stdint.h>
#include <string.h>

#include "bus_frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static GPtrArray *
split(const uint8_t *data, size_t size)
{
	GPtrArray *frames = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);

	while (size >= 2) {
		size_t length = MIN((size_t)data[0] << 8 | data[1], size - 2);

		g_ptr_array_add(frames, g_bytes_new(data + 2, length));
		data += 2 + length;
		size -= 2 + length;
	}
	return frames;
}

static void
check_message(const struct bus_message *message, const GPtrArray *frames)
{
	g_autoptr(GPtrArray) again = bus_message_format(message);

	if (again->len != frames->len)
		g_error("a message comes back with another number of frames");
	for (guint i = 0; i < frames->len; i++)
		if (!g_bytes_equal(again->pdata[i], frames->pdata[i]))
			g_error("frame %u of a message does not come back as it was", i);
	if (message->events &&
	    (message->events->len == 0 || message->events->len > CAP_BATCH_EVENTS))
		g_error("a batch of %u events was taken", message->events->len);
	if (message->text && (strlen(message->text) > BUS_COUNTERS_BYTES ||
			      !g_utf8_validate(message->text, -1, NULL)))
		g_error("text over its cap or not UTF-8 was taken");
	if (strlen(message->epoch) != BUS_EPOCH_LENGTH)
		g_error("an epoch of another length was taken");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GPtrArray) frames = split(data, size);
	struct bus_message message = {0};
	const char *fault = bus_message_parse(frames, &message);

	if (fault) {
		if (!*fault || message.events || message.text)
			g_error("a refused message left something behind");
		return 0;
	}
	check_message(&message, frames);
	bus_message_clear(&message);
	return 0;
}
