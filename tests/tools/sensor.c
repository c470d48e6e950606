/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sensor - a sensor's end of the bus for whole-program tests: sends lines of
 * the standard input as one batch of events, and prints what comes back as
 * "welcome N", "ack N", "refuse N REASON" or "denied".
 *
 * usage: sensor ENDPOINT KEY SERVER.pub EPOCH FIRST
 * With FIRST 0 it sends nothing but a BEAT.  It ends when everything is
 * acknowledged, when it is denied, or after 20 seconds with exit status 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "caps.h"
#include "keys.h"

#define DEADLINE_US (20 * G_USEC_PER_SEC)
#define POLL_MS 100

static GPtrArray *
read_events(void)
{
	GPtrArray *events = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	char *line = NULL;
	size_t room = 0;
	ssize_t length;

	while (events->len < CAP_BATCH_EVENTS && (length = getline(&line, &room, stdin)) > 0) {
		if (line[length - 1] == '\n')
			length--;
		g_ptr_array_add(events, g_bytes_new(line, (gsize)length));
	}
	free(line);
	return events;
}

/* Prints what came.  Returns TRUE when there is nothing more to wait for. */
static gboolean
take(const struct bus_sensor_news *news, guint64 last, gboolean *ret_connected)
{
	switch (news->event) {
	case BUS_SENSOR_NOTHING:
		return FALSE;
	case BUS_SENSOR_WELCOME:
		*ret_connected = TRUE;
		printf("welcome %" G_GUINT64_FORMAT "\n", news->through);
		return FALSE;
	case BUS_SENSOR_ACK:
		printf("ack %" G_GUINT64_FORMAT "\n", news->through);
		return news->through >= last;
	case BUS_SENSOR_REFUSE:
		printf("refuse %" G_GUINT64_FORMAT " %s\n", news->through, news->reason);
		return FALSE;
	case BUS_SENSOR_DENIED:
		printf("denied\n");
		return TRUE;
	case BUS_SENSOR_TELL:
		printf("tell %s\n", news->topic);
		return FALSE;
	}
	return FALSE;
}

static int
talk(struct bus_sensor *bus, guint64 first, GPtrArray *events)
{
	gint64 end = g_get_monotonic_time() + DEADLINE_US;
	gboolean connected = FALSE, sent = FALSE;

	while (g_get_monotonic_time() < end) {
		struct bus_sensor_news news;

		bus_sensor_poll(bus, -1, POLL_MS, &news);
		if (take(&news, first + events->len - 1, &connected))
			return 0;
		if (!connected || sent)
			continue;
		if (first == 0 && bus_sensor_beat(bus, 0, "{}"))
			return 0;
		sent = first > 0 && bus_sensor_send(bus, first, events);
	}
	return 1;
}

int
main(int argc, char **argv)
{
	char server_key[KEY_Z85_LENGTH + 1];
	struct key_pair pair;
	struct bus_sensor *bus;
	g_autoptr(GPtrArray) events = NULL;
	g_autoptr(GError) error = NULL;
	int status;

	if (argc != 6 || !key_pair_read(argv[2], &pair, &error) ||
	    !public_key_read(argv[3], server_key, &error) ||
	    !(bus = bus_sensor_new(argv[1], &pair, server_key, argv[4], &error))) {
		fprintf(stderr, "sensor: %s\n", error ? error->message : "wrong usage");
		return 2;
	}
	events = read_events();
	status = talk(bus, g_ascii_strtoull(argv[5], NULL, 10), events);
	bus_sensor_free(bus);
	key_pair_clear(&pair);
	return status;
}
