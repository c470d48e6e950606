/* SPDX-License-Identifier: BSD-2-Clause */
#include "members.h"

#include <string.h>

#include "record.h"

/* RFC 2045: 76 characters a line of base64. */
#define LINE_BYTES (76 / 4 * 3)

/* The smallest message with one attachment; its type is what the worker finds. */
static const char header[] = "MIME-Version: 1.0\r\n"
			     "Content-Type: application/octet-stream\r\n"
			     "Content-Disposition: attachment\r\n"
			     "Content-Transfer-Encoding: base64\r\n\r\n";

static GString *
message_of(const guint8 *bytes, gsize length)
{
	GString *message = g_string_sized_new(sizeof(header) + length / 3 * 4 + length / 16 + 64);

	g_string_append(message, header);
	while (length > 0) {
		gsize step = MIN(length, LINE_BYTES);
		g_autofree char *line = g_base64_encode(bytes, step);

		g_string_append(message, line);
		g_string_append(message, "\r\n");
		bytes += step;
		length -= step;
	}
	return message;
}

static struct event *
read_as_attachment(const char *path, struct reader *reader, GError **error)
{
	const struct reader_envelope envelope = {
		.tenant = "", .sensor = "", .fallback_us = 1, .without_recipients = TRUE};
	g_autoptr(GMappedFile) map = NULL;
	g_autoptr(GError) cause = NULL;
	g_autoptr(GString) message = NULL;

	map = g_mapped_file_new(path, FALSE, &cause);
	if (!map) {
		g_set_error(error, QUERY_ERROR, QUERY_ERROR_FILE, "%s", cause->message);
		return NULL;
	}
	message = message_of((const guint8 *)g_mapped_file_get_contents(map),
			     g_mapped_file_get_length(map));
	return reader_read(reader, message->str, message->len, &envelope, error);
}

static void
add_digests(struct query_term *term, const struct digests *digests)
{
	struct wanted_digest wanted = {.digest.kind = DIGEST_SHA256,
				       .variant = g_strdup(MEMBERS_VARIANT)};

	memcpy(wanted.digest.bytes, digests->sha256, SHA256_BYTES);
	g_array_append_val(term->digests, wanted);
}

/* A member that is encrypted, or was not read to its end, has no digests. */
static void
add_member(struct query_term *term, const struct file *file, struct members_found *found)
{
	if (!digests_are_known(&file->digests)) {
		found->incomplete = TRUE;
		return;
	}
	if (file->size < CANDIDATE_MIN_BYTES) {
		found->small++;
		return;
	}
	found->members++;
	add_digests(term, &file->digests);
	for (guint i = 0; i < file->variants->len; i++)
		add_digests(term, &g_array_index(file->variants, struct variant, i).digests);
}

gboolean
members_add(struct query_term *term, const char *path, struct reader *reader,
	    struct members_found *ret_found, GError **error)
{
	g_autoptr(event_t) event = read_as_attachment(path, reader, error);
	struct members_found found = {0};
	const GPtrArray *files;

	if (!event)
		return FALSE;
	files = event->record->files;
	for (guint i = 0; i < files->len; i++) {
		const struct file *file = g_ptr_array_index(files, i);

		if (file->flags & FILE_INCOMPLETE)
			found.incomplete = TRUE;
		if (i > 0 && !(file->flags & FILE_MULTIPART))
			add_member(term, file, &found);
	}
	*ret_found = found;
	return TRUE;
}
