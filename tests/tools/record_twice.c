/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads each message named on standard input, one path a line, twice: as a
 * milter is given it (CR LF), and as it lies in a mailbox (LF, trace fields in
 * front, a line break more at the end).  Prints the first as an event, one line
 * of JSON, after a worker's answer has carried it; and on standard error
 *
 *   key PATH KEY           the content key of the first
 *   unlike PATH            that of the second is another
 *   refused PATH: WHY      the answer or the event could not be read back
 */
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "caps.h"
#include "mime.h"
#include "ocsf.h"

#define TRACE                                                    \
	"Return-Path: <a@sender.example>\n"                      \
	"Delivered-To: u@example.org\n"                          \
	"Received: from mx.sender.example by mx1.example.org;\n" \
	"\tMon, 23 Nov 2026 04:00:00 +0000\n"

/* Returns the message with line_end for each LF and CR LF, between before and after. */
static GBytes *
with_lines(const char *message, gsize length, const char *line_end, const char *before,
	   const char *after)
{
	GString *text = g_string_new(before);

	for (gsize i = 0; i < length; i++) {
		if (message[i] == '\r' && i + 1 < length && message[i + 1] == '\n')
			continue;
		if (message[i] == '\n')
			g_string_append(text, line_end);
		else
			g_string_append_c(text, message[i]);
	}
	g_string_append(text, after);
	return g_string_free_to_bytes(text);
}

static struct record *
read_bytes(GBytes *bytes)
{
	return mime_read(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}

static gboolean
publish(const char *path, struct record *record, GError **error)
{
	g_autoptr(GBytes) answer = answer_encode(record, 1), json = NULL;
	g_autoptr(event_t) event = event_new(), back = NULL;

	record_free(event->record);
	event->record =
		answer_decode(g_bytes_get_data(answer, NULL), g_bytes_get_size(answer), 1, error);
	if (event->record == NULL) {
		event->record = record_new();
		return FALSE;
	}
	event->event_id = event_id_of(path, strlen(path));
	event->origin = g_strdup("import");
	event->received_at_us = 1795383398231456;
	json = ocsf_encode_event(event, CAP_EVENT_BYTES);
	fwrite(g_bytes_get_data(json, NULL), 1, g_bytes_get_size(json), stdout);
	putchar('\n');
	back = ocsf_decode_event(g_bytes_get_data(json, NULL), g_bytes_get_size(json), error);
	return back != NULL;
}

static void
read_twice(const char *path, const char *message, gsize length)
{
	g_autoptr(GBytes) sent = with_lines(message, length, "\r\n", "", "");
	g_autoptr(GBytes) kept = with_lines(message, length, "\n", TRACE, "\n");
	g_autoptr(record_t) seen = read_bytes(sent), found = read_bytes(kept);
	g_autoptr(GError) error = NULL;
	g_autofree char *hex = NULL;
	guint8 keys[2][SHA256_BYTES];

	record_content_key(seen, keys[0]);
	record_content_key(found, keys[1]);
	hex = hex_encode(keys[0], SHA256_BYTES);
	fprintf(stderr, "key %s %s\n", path, hex);
	if (memcmp(keys[0], keys[1], SHA256_BYTES) != 0)
		fprintf(stderr, "unlike %s\n", path);
	if (!publish(path, seen, &error))
		fprintf(stderr, "refused %s: %s\n", path, error->message);
}

int
main(void)
{
	g_autoptr(GError) error = NULL;
	char path[4096];

	if (!mime_preload(&error)) {
		fprintf(stderr, "%s\n", error->message);
		return 2;
	}
	while (fgets(path, sizeof(path), stdin) != NULL) {
		g_autofree char *message = NULL;
		gsize length;

		g_strchomp(path);
		if (!g_file_get_contents(path, &message, &length, &error)) {
			fprintf(stderr, "%s\n", error->message);
			return 2;
		}
		read_twice(path, message, length);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
