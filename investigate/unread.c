/* SPDX-License-Identifier: BSD-2-Clause */
#include "unread.h"

#include "ocsf.h"

#define FILES_NAMED 3 /* in a reason */

static const struct out_column unread_columns[] = {
	{"received_at", "RECEIVED", OUT_TIME, 0},
	{"sensor", "SENSOR", OUT_TEXT, 0},
	{"queue_id", "QUEUE ID", OUT_TEXT, 0},
	{"subject", "SUBJECT", OUT_TEXT, 40},
	{"why", "WHY", OUT_TEXT, 60},
	{"event_id", "UNREAD EVENT", OUT_TEXT, 0},
	{NULL},
};

static const struct out_column unseen_columns[] = {
	{"time", "LOGGED", OUT_TIME, 0},
	{"host", "HOST", OUT_TEXT, 0},
	{"queue_id", "UNSEEN QUEUE ID", OUT_TEXT, 0},
	{"detail", "DETAIL", OUT_TEXT, 80},
	{NULL},
};

/* A list under way. */
struct listing {
	struct out *out;
	struct store *store;
	const char *tenant;
	GError *error;
};

static const char *
why_of(const struct file *file)
{
	if (file->flags & FILE_INCOMPLETE)
		return "incomplete";
	if (file->flags & FILE_ENCRYPTED && !file->has_crc32)
		return "encrypted";
	return NULL;
}

/* Returns why the files of an event were not fully read.  Free with g_free(). */
static char *
reason_of(const struct event *event)
{
	const struct record *record = event->record;
	GString *text;
	guint named = 0;

	if (event->unread)
		return g_strdup(event->unread);
	text = g_string_new(NULL);
	for (guint i = 0; i < record->files->len; i++) {
		const struct file *file = g_ptr_array_index(record->files, i);
		const char *why = why_of(file);

		if (why && named++ < FILES_NAMED)
			g_string_append_printf(text, "%s%s: %s", named > 1 ? ", " : "", file->path,
					       why);
	}
	if (named > FILES_NAMED)
		g_string_append_printf(text, " and %u more", named - FILES_NAMED);
	for (guint i = 0; i < record->caps->len; i++)
		g_string_append_printf(text, "%s%s", i ? ", " : " (caps: ",
				       (const char *)g_ptr_array_index(record->caps, i));
	if (record->caps->len)
		g_string_append_c(text, ')');
	return g_string_free(text, FALSE);
}

static gboolean
write_unread(const char *event_id, void *data)
{
	struct listing *listing = data;
	g_autoptr(GBytes) json =
		store_event(listing->store, listing->tenant, event_id, &listing->error);
	g_autoptr(event_t) event = NULL;
	g_autofree char *why = NULL;

	if (!json)
		return listing->error == NULL;
	event = ocsf_decode_event(g_bytes_get_data(json, NULL), g_bytes_get_size(json),
				  &listing->error);
	if (!event)
		return FALSE;
	why = reason_of(event);
	out_row(listing->out, (const struct out_value[]){{NULL, event->received_at_us},
							 {event->sensor, 0},
							 {event->queue_id, 0},
							 {event->record->subject, 0},
							 {why, 0},
							 {event_id, 0}});
	return TRUE;
}

gboolean
unread_write(struct out *out, struct store *store, const struct query *query, GError **error)
{
	struct listing listing = {out, store, query->tenant, NULL};
	gboolean done;

	out_begin(out, "unread", unread_columns);
	done = store_unread(store, query, write_unread, &listing, error);
	out_end(out);
	if (listing.error)
		g_propagate_error(error, listing.error);
	return done && !listing.error;
}

static gboolean
write_unseen(const struct store_unseen *unseen, void *data)
{
	out_row(data, (const struct out_value[]){{NULL, unseen->time_us},
						 {unseen->host, 0},
						 {unseen->queue_id, 0},
						 {unseen->detail, 0}});
	return TRUE;
}

gboolean
unseen_write(struct out *out, struct store *store, const struct query *query,
	     const struct store_expected *expected, GError **error)
{
	gboolean done;

	out_begin(out, "unseen", unseen_columns);
	done = store_unseen(store, query, expected, write_unseen, out, error);
	out_end(out);
	return done;
}
