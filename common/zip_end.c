/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "zip_end.h"

#include <string.h>

#include "caps.h"
#include "zip_entries.h"

#define NEAR_BYTES 16 /* looked at one by one, where calls would cost more */

gsize
zip_ends(const void *bytes, gsize length)
{
	const struct zip zip = {bytes, length};
	struct zip_directory directory;

	if (!zip_find_directory(&zip, &directory))
		return 0;
	return MIN(directory.end + END_BYTES + zip_u16(zip.bytes + directory.end + 20), length);
}

gsize
zip_record_ends(const void *bytes, gsize length)
{
	const struct zip zip = {bytes, length};
	struct zip_directory directory;

	return zip_find_directory(&zip, &directory) ? directory.end + END_BYTES : length;
}

GArray *
zip_offsets(const void *bytes, gsize length, gsize *ret_begin)
{
	const struct zip zip = {bytes, length};
	GArray *offsets = g_array_new(FALSE, FALSE, sizeof(guint64));
	struct zip_directory directory;
	struct zip_entry central;
	gsize at;

	*ret_begin = 0;
	if (!zip_find_directory(&zip, &directory))
		return offsets;
	*ret_begin = (gsize)directory.base;
	at = directory.begin;
	while (offsets->len < CAP_MEMBERS && zip_read_central(&zip, &directory, &at, &central))
		g_array_append_val(offsets, central.offset);
	return offsets;
}

/* A zip that is made one of files alone. */
struct calling {
	struct zip zip;
	guint8 *copy;	 /* or NULL as long as it was not needed */
	GArray *extents; /* of struct zip_extent: of the members so far */
};

/* Clears what an entry of the directory at at, and its local header, call a content that is none.
 */
static void
call_file(struct calling *calling, gsize at, const struct zip_entry *central)
{
	const struct zip *zip = &calling->zip;
	struct zip_extent extent = {(gsize)central->offset, 0};
	struct zip_entry local;
	gsize content;
	gboolean begun = zip_read_local(zip, central->offset, &local, &content);

	if (begun) {
		extent.end = content + (gsize)MIN(central->packed, zip->length - content);
		g_array_append_val(calling->extents, extent);
	}
	if (!zip_is_called_no_file(central) && !central->has_mode && !(begun && local.has_mode))
		return;
	if (!calling->copy)
		calling->copy = g_memdup2(zip->bytes, zip->length);
	memset(calling->copy + at + ATTRIBUTES_OFFSET, 0, sizeof(central->attributes));
	zip_blank_fields(central, MODE_TAG, calling->copy + (central->extra - zip->bytes));
	if (begun)
		zip_blank_fields(&local, MODE_TAG, calling->copy + (local.extra - zip->bytes));
}

/* Whether no member has in its content what was cleared: another, or what begins at end. */
static gboolean
are_apart(GArray *extents, gsize end)
{
	g_array_sort(extents, zip_extent_order);
	for (guint i = 0; i < extents->len; i++) {
		const struct zip_extent *extent = &g_array_index(extents, struct zip_extent, i);

		if (extent->end > (i + 1 < extents->len ? extent[1].begin : end))
			return FALSE;
	}
	return TRUE;
}

void *
zip_as_files(const void *bytes, gsize length)
{
	struct calling calling = {.zip = {bytes, length}};
	struct zip_directory directory;
	struct zip_entry central;
	gsize at, next;

	if (!zip_find_directory(&calling.zip, &directory))
		return NULL;
	calling.extents = g_array_new(FALSE, FALSE, sizeof(struct zip_extent));
	next = at = directory.begin;
	for (guint i = 0;
	     i < CAP_MEMBERS && zip_read_central(&calling.zip, &directory, &next, &central); i++) {
		call_file(&calling, at, &central);
		at = next;
	}
	if (calling.copy && !are_apart(calling.extents, directory.begin))
		g_clear_pointer(&calling.copy, g_free);
	g_array_unref(calling.extents);
	return calling.copy;
}

/* Returns where the last end record's signature ends in length bytes, or 0. */
static gsize
last_signature(const guint8 *bytes, gsize length)
{
	gsize stop = length;

	while (stop >= 4) {
		gsize near = stop - MIN(stop - 3, NEAR_BYTES);
		const guint8 *last;

		for (; stop > near; stop--)
			if (bytes[stop - 1] == END_SIGNATURE[3] &&
			    memcmp(bytes + stop - 4, END_SIGNATURE, 4) == 0)
				return stop;
		last = memrchr(bytes + 3, END_SIGNATURE[3], stop - 3);
		if (!last)
			return 0;
		stop = (gsize)(last - bytes) + 1;
	}
	return 0;
}

void
zip_tail_add(struct zip_tail *tail, const void *bytes, gsize length)
{
	gsize old = tail->held, some = MIN(length, G_N_ELEMENTS(tail->last)), end;
	guint8 seam[2 * G_N_ELEMENTS(tail->last)];

	/* One may begin in the piece before. */
	memcpy(seam, tail->last, old);
	memcpy(seam + old, bytes, some);
	end = last_signature(seam, old + some);
	if (end)
		tail->record_end = tail->length - old + end;
	end = last_signature(bytes, length);
	if (end)
		tail->record_end = tail->length + end;
	tail->length += length;
	if (length < G_N_ELEMENTS(tail->last)) {
		tail->held = MIN(old + some, G_N_ELEMENTS(tail->last));
		memcpy(tail->last, seam + old + some - tail->held, tail->held);
	} else {
		tail->held = G_N_ELEMENTS(tail->last);
		memcpy(tail->last, (const guint8 *)bytes + length - tail->held, tail->held);
	}
}

gboolean
zip_tail_may_end(const struct zip_tail *tail)
{
	/*
	 * Where a whole record would reach, from its signature on.  One that is too near to the end
	 * to be whole says nothing of those before it, which may be.
	 */
	return tail->record_end &&
	       tail->length - tail->record_end + 4 <= END_BYTES + COMMENT_BYTES_MAX;
}
