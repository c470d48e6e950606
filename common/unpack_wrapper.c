/* SPDX-License-Identifier: BSD-2-Clause */
/* Members that are no archives, and hold files all the same: texts, pages, calendars, TNEF. */
#include "unpack_private.h"

#include <string.h>

#include "caps.h"
#include "embedded.h"
#include "magic.h"

/*
 * What is in a wrapper is decoded beside it, in several buffers: as many times its size are
 * taken from what may be kept.
 */
#define WRAPPER_COPIES 3

/* A wrapper in hand. */
struct wrapper {
	struct unpacker *unpacker;
	const struct container *container;
	gsize runs_room;	 /* for what runs of BinHex make of it */
	const struct file *last; /* that was found in it */
};

gboolean
unpack_wrapper_is_named(const char *name)
{
	return embedded_page_is_named(name) || embedded_calendar_is_named(name);
}

static gboolean
is_page(const struct file *file)
{
	return embedded_page_is_named(file_best_name(file)) ||
	       g_strcmp0(file->detected_type, "text/html") == 0 ||
	       g_strcmp0(file->detected_type, "image/svg+xml") == 0;
}

static gboolean
is_calendar(const struct file *file)
{
	return embedded_calendar_is_named(file_best_name(file)) ||
	       g_strcmp0(file->detected_type, "text/calendar") == 0;
}

gboolean
unpack_wrapper_begins(const char *type, const void *bytes, gsize length)
{
	static const char *const types[] = {EMBEDDED_TNEF_TYPE, "text/html", "image/svg+xml",
					    "text/calendar", NULL};

	return (type && g_strv_contains(types, type)) || embedded_begins(bytes, length);
}

/* Adds the names of a file beside that of its path. */
static void
add_names(struct unpacker *unpacker, struct file *file, const char *how, const char *const *names)
{
	for (; *names; names++) {
		g_autoptr(GBytes) raw = NULL;
		g_autofree char *name = unpack_member_name(unpacker, *names, &raw);

		unpacker->names_bytes += strlen(name) + (raw ? g_bytes_get_size(raw) : 0);
		if (*name)
			file_add_name(file, unpack_base_name(name, raw), how, raw);
	}
}

/* Whether a file is the one that was found before: TNEF may have one twice. */
static gboolean
is_last(const struct wrapper *wrapper, const char *name, const struct digests *digests)
{
	return wrapper->last && memcmp(&wrapper->last->digests, digests, sizeof(*digests)) == 0 &&
	       g_strcmp0(file_best_name(wrapper->last), unpack_base_name(name, NULL)) == 0;
}

/* Looks into a file that was found, as far as there is room to keep it. */
static void
look_into(const struct wrapper *wrapper, struct file *file, const GByteArray *bytes)
{
	struct unpacker *unpacker = wrapper->unpacker;
	gsize room = unpacker->limits.kept_bytes -
		     MIN(unpacker->kept_bytes, unpacker->limits.kept_bytes);
	const GByteArray kept = {bytes->data, (guint)MIN(bytes->len, MAX(room, MAGIC_IMAGE_BYTES))};

	unpack_look_into(unpacker, wrapper->container, file, unpacker->members->len - 1, &kept);
}

/* Makes the member of a file with these digests; FALSE when a cap leaves no room. */
static gboolean
add_member(struct wrapper *wrapper, const char *how, const char *const *names,
	   const struct file *found, const GByteArray *bytes)
{
	struct unpacker *unpacker = wrapper->unpacker;
	g_autoptr(GBytes) raw = NULL;
	g_autofree char *name = NULL;
	struct file *file;

	while (*names && !**names)
		names++;
	name = *names ? unpack_member_name(unpacker, *names, &raw) : g_strdup("data");
	if (is_last(wrapper, name, &found->digests)) {
		wrapper->last = NULL; /* once: it is not counted */
		return TRUE;
	}
	file = unpack_add_member(unpacker, wrapper->container, *name ? name : "data", NULL, raw);
	if (!file)
		return FALSE;
	add_names(unpacker, file, how, names);
	file->size = found->size;
	file->digests = found->digests;
	file->flags |= found->flags;
	wrapper->last = file;
	look_into(wrapper, file, bytes);
	return TRUE;
}

/* Takes a file of so many bytes within the account of the part. */
static gboolean
take_file(struct wrapper *wrapper, const char *how, const char *const *names,
	  const GByteArray *bytes, guint64 size)
{
	struct unpacker *unpacker = wrapper->unpacker;
	struct file found = {0};

	if (wrapper->container->depth >= CAP_NESTING) {
		record_note_cap(unpacker->record, CAP_NESTING_NAME);
		return FALSE;
	}
	if (unpacker->part_spent || !unpack_within_bytes(unpacker, bytes->len))
		return FALSE;
	fingerprint_begin(unpacker->fingerprint, FALSE);
	fingerprint_add(unpacker->fingerprint, bytes->data, bytes->len);
	fingerprint_finish(unpacker->fingerprint, NULL, 0, &found);
	if (size > bytes->len) {
		record_note_cap(unpacker->record, CAP_KEPT_BYTES_NAME);
		found.digests = (struct digests){0};
		found.size = size;
		found.flags = FILE_INCOMPLETE;
	}
	return add_member(wrapper, how, names, &found, bytes);
}

static void
take_embedded(const char *how, const char *const *names, const GByteArray *bytes, guint64 size,
	      gpointer user)
{
	struct wrapper *wrapper = user;

	if (!take_file(wrapper, how, names, bytes, size))
		wrapper->container->file->flags |= FILE_INCOMPLETE;
}

/* Finds the files in a wrapper, as mime_otherwise.c does those of an attachment. */
static void
find_files(struct wrapper *wrapper, const void *bytes, gsize length)
{
	const struct file *file = wrapper->container->file;

	if (g_strcmp0(file->detected_type, EMBEDDED_TNEF_TYPE) == 0)
		return embedded_in_tnef(bytes, length, take_embedded, wrapper);
	if (is_calendar(file))
		embedded_in_calendar(bytes, length, take_embedded, wrapper);
	if (is_page(file))
		embedded_in_html(bytes, length, take_embedded, wrapper);
	if (embedded_begins(bytes, length))
		embedded_in_text(bytes, length, &wrapper->runs_room, take_embedded, wrapper);
}

void
unpack_read_wrapper(struct unpacker *unpacker, const struct container *container, const void *bytes,
		    gsize length)
{
	struct wrapper wrapper = {.unpacker = unpacker, .container = container};
	struct file *file = container->file;
	gsize room = unpacker->limits.kept_bytes -
		     MIN(unpacker->kept_bytes, unpacker->limits.kept_bytes);
	gsize some = MIN(length, room / WRAPPER_COPIES);

	if (!length || unpacker->part_spent ||
	    !(unpack_wrapper_is_named(file_best_name(file)) ||
	      unpack_wrapper_begins(file->detected_type, bytes, length)) ||
	    !unpack_within_cpu(unpacker))
		return;
	/* Of one that could not be read to its end it is told already. */
	if (!(file->flags & FILE_INCOMPLETE) && file->size > some) {
		record_note_cap(unpacker->record, CAP_KEPT_BYTES_NAME);
		file->flags |= FILE_INCOMPLETE;
	}
	wrapper.runs_room = room - some * WRAPPER_COPIES;
	unpacker->kept_bytes += some * WRAPPER_COPIES;
	find_files(&wrapper, bytes, some);
	unpacker->kept_bytes -= some * WRAPPER_COPIES;
}
