/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "zip_views.h"

#include <string.h>

#include "caps.h"
#include "zip_entries.h"

struct search {
	struct zip zip;
	GArray *extents;
	guint calls;
	guint8 *copy; /* of bytes, in which no field calls a member no file; or NULL */
	gboolean all; /* show the members on which they agree as well */
	zip_view_function found;
	gpointer user;
	gboolean stopped;
};

static void
show(struct search *search, const char *reading, const void *bytes, gsize length)
{
	const struct zip_view view = {reading, bytes, length};

	if (!search->stopped &&
	    (search->calls++ >= 2 * CAP_MEMBERS || !search->found(&view, search->user)))
		search->stopped = TRUE;
}

/* Whether what libarchive makes of a local header is not what most readers do. */
static gboolean
is_odd(const struct zip_entry *local)
{
	return local->has_mode ||
	       ((local->flags & FLAG_STRONG) && !(local->flags & FLAG_ENCRYPTED));
}

/* Whether a name that some have for a folder's is that of what may have a content. */
static gboolean
is_file_in_spite_of_name(const struct zip_entry *local)
{
	return zip_is_folder_to_some(local) && (local->size || local->flags & FLAG_DESCRIPTOR);
}

/*
 * Shows a member with the header that it has, but that nothing in it calls its content no file,
 * or encrypted by what has no meaning alone.  own: under its own name, whatever a field says.
 */
static void
show_local(struct search *search, const struct zip_entry *local, gboolean own)
{
	const guint8 *bytes = search->zip.bytes + local->offset;
	gsize length = search->zip.length - (gsize)local->offset;
	gsize head = (gsize)(local->extra - bytes);
	guint8 *copy;

	if (!is_odd(local) && !is_file_in_spite_of_name(local) && !own) {
		show(search, "zip-local-header", bytes, length);
		return;
	}
	if (!search->copy)
		search->copy = g_memdup2(search->zip.bytes, search->zip.length);
	copy = search->copy + local->offset;
	if (!(local->flags & FLAG_ENCRYPTED))
		copy[6] &= (guint8)~FLAG_STRONG;
	/* Where the host is DOS, libarchive has a backslash for a separator. */
	if (is_file_in_spite_of_name(local))
		copy[5] = HOST_UNIX;
	zip_blank_fields(local, MODE_TAG, copy + head);
	if (own)
		zip_blank_fields(local, NAME_TAG, copy + head);
	show(search, "zip-local-header", copy, length);
	/* It may stand in another's content. */
	memcpy(copy, bytes, head + local->extra_length);
}

/* Shows a member by its local header, under each name that this has. */
static void
show_names_of_local(struct search *search, const struct zip_entry *local)
{
	show_local(search, local, FALSE);
	if (local->other_name.bytes)
		show_local(search, local, TRUE);
}

static void
put16(GByteArray *out, guint value)
{
	const guint8 bytes[] = {value & 0xff, value >> 8 & 0xff};

	g_byte_array_append(out, bytes, sizeof(bytes));
}

static void
put32(GByteArray *out, guint64 value)
{
	put16(out, value & 0xffff);
	put16(out, value >> 16 & 0xffff);
}

static gboolean
is_separator(guint8 byte)
{
	return byte == '/' || byte == '\\';
}

/*
 * Shows a content with the header that it would have if the directory were right, under the name
 * of a field, or its own where that is NULL.
 */
static void
show_central(struct search *search, const struct zip_entry *central, gsize content, guint64 packed,
	     const struct zip_field *name)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	const guint8 *local = search->zip.bytes + central->offset;
	guint known = central->flags & FLAG_ENCRYPTED ? ~0u : ~FLAG_STRONG;
	gsize length = central->name_length;

	/* It would be a folder's; a field has the sum of the whole name. */
	while (!name && zip_is_called_no_file(central) && length > 1 &&
	       is_separator(central->name[length - 1]))
		length--;
	g_byte_array_append(out, local, 6);
	put16(out, central->flags & known & ~FLAG_DESCRIPTOR);
	put16(out, central->method);
	g_byte_array_append(out, local + 10, 4);
	put32(out, central->crc32);
	put32(out, packed);
	put32(out, central->size);
	put16(out, (guint)length);
	put16(out, name ? (guint)name->length : 0);
	g_byte_array_append(out, central->name, (guint)length);
	if (name)
		g_byte_array_append(out, name->bytes, (guint)name->length);
	g_byte_array_append(out, search->zip.bytes + content, (guint)packed);
	show(search, "zip-central-directory", out->data, out->len);
}

/* Whether a value of a local header is that of the directory, or left to a descriptor. */
static gboolean
agrees(const struct zip_entry *local, guint64 value, guint64 wanted)
{
	return value == wanted || value == UNSET32 ||
	       ((local->flags & FLAG_DESCRIPTOR) && value == 0);
}

static gboolean
is_same(const struct zip_entry *local, const struct zip_entry *central)
{
	return local->method == central->method &&
	       (local->flags & FLAG_ENCRYPTED) == (central->flags & FLAG_ENCRYPTED) &&
	       agrees(local, local->packed, central->packed) &&
	       agrees(local, local->size, central->size) &&
	       agrees(local, local->crc32, central->crc32) &&
	       local->name_length == central->name_length &&
	       memcmp(local->name, central->name, central->name_length) == 0;
}

/* Shows a content as the directory has it, under each name that it has there. */
static void
show_names_of_central(struct search *search, const struct zip_entry *central, gsize content,
		      guint64 packed)
{
	show_central(search, central, content, packed, NULL);
	if (central->other_name.bytes)
		show_central(search, central, content, packed, &central->other_name);
}

/* Whether the end of a content is there, with its CRC-32 (4.3.9). */
static gboolean
is_descriptor(const struct zip *zip, gsize at, guint32 crc32)
{
	if (zip->length - at >= 8 && memcmp(zip->bytes + at, DESCRIPTOR_SIGNATURE, 4) == 0)
		at += 4;
	return zip->length - at >= 4 && zip_u32(zip->bytes + at) == crc32;
}

/*
 * Returns where those that read a stream look for the next member, which may be in no directory:
 * they do not know how long the directory says that this one is.
 */
static gsize
stream_end(const struct zip *zip, const struct zip_entry *local, const struct zip_entry *central,
	   gsize content, gsize packed)
{
	if (!(local->flags & FLAG_DESCRIPTOR) || local->packed)
		return content + (gsize)MIN(local->packed, packed);
	return is_descriptor(zip, content + packed, central->crc32) ? content + packed : content;
}

/* Compares an entry of the directory with its local header. */
static void
check_entry(struct search *search, const struct zip_entry *central)
{
	struct zip_extent extent = {(gsize)central->offset, 0};
	struct zip_entry local;
	guint64 packed;
	gsize content;
	gboolean same, named;

	if (!zip_read_local(&search->zip, central->offset, &local, &content))
		return;
	packed = MIN(central->packed, search->zip.length - content);
	extent.end = stream_end(&search->zip, &local, central, content, (gsize)packed);
	same = is_same(&local, central);
	/* A header of another, to which an offset leads by chance, hides none behind it. */
	if (!same && central->moved)
		extent.end = extent.begin + strlen(LOCAL_SIGNATURE);
	g_array_append_val(search->extents, extent);
	same = same && !zip_is_called_no_file(central) && !is_odd(&local);
	/* Of the header's names libarchive has shown the other. */
	named = local.other_name.bytes || central->other_name.bytes;
	if (same && !named &&
	    (!search->all || zip_is_folder(central) ||
	     (!central->packed && zip_is_no_file(central))))
		return;
	/* With AES the name alone may be of another; its extra field is the header's. */
	if (!same || (named && search->all) || central->method == METHOD_AES)
		show_names_of_local(search, &local);
	if (packed <= G_MAXUINT32 && central->method != METHOD_AES)
		show_names_of_central(search, central, content, packed);
}

/* ---- what no directory names ---- */

/*
 * Whether a local header is one by more than its signature.  next: it stands where one is expected,
 * by those that read a stream; then its name may be any.
 */
static gboolean
is_plausible(const struct zip_entry *local, gboolean next)
{
	static const guint methods[] = {0, 1, 6, 8, 9, 10, 12, 14, 93, 95, 97, 98, METHOD_AES};
	gboolean known = FALSE;

	for (gsize i = 0; i < G_N_ELEMENTS(methods); i++)
		known = known || methods[i] == local->method;
	if (!known || local->name_length > CAP_NAME_BYTES)
		return FALSE;
	return next || (local->name_length > 0 && !memchr(local->name, '\0', local->name_length));
}

/*
 * Returns where to go on behind a header: its content is passed over where its size is known, and
 * can be believed.
 */
static gsize
behind(const struct zip *zip, const struct zip_entry *local, gsize content, gsize end)
{
	gsize stop = content;

	if (!(local->flags & FLAG_DESCRIPTOR) && content < end)
		stop += (gsize)MIN(local->packed, end - content);
	/* A header may be but what is left of a damaged one; then no other is right behind. */
	if (!is_plausible(local, FALSE) &&
	    (zip->length - stop < 2 || zip->bytes[stop] != 'P' || zip->bytes[stop + 1] != 'K'))
		return (gsize)local->offset + 4;
	return stop;
}

/* Shows the local headers between two places. */
static void
search_gap(struct search *search, gsize begin, gsize end)
{
	while (begin < end && !search->stopped) {
		const guint8 *at =
			memmem(search->zip.bytes + begin, end - begin, LOCAL_SIGNATURE, 4);
		struct zip_entry local;
		gboolean next = begin == 0 || at == search->zip.bytes + begin;
		gsize content;

		if (!at)
			return;
		begin = (gsize)(at - search->zip.bytes);
		if (!zip_read_local(&search->zip, begin, &local, &content) ||
		    !is_plausible(&local, next)) {
			begin += 4;
			continue;
		}
		/* A folder has no content. */
		if (!zip_is_folder(&local))
			show_names_of_local(search, &local);
		begin = behind(&search->zip, &local, content, end);
	}
}

static void
search_gaps(struct search *search)
{
	gsize at = 0;

	g_array_sort(search->extents, zip_extent_order);
	for (guint i = 0; i < search->extents->len; i++) {
		const struct zip_extent *extent =
			&g_array_index(search->extents, struct zip_extent, i);

		if (extent->begin > at)
			search_gap(search, at, extent->begin);
		at = MAX(at, extent->end);
	}
	search_gap(search, at, search->zip.length);
}

static void
check_directory(struct search *search, const struct zip_directory *directory)
{
	gsize at = directory->begin;
	struct zip_entry central;

	for (guint i = 0; i < CAP_MEMBERS && !search->stopped; i++) {
		if (!zip_read_central(&search->zip, directory, &at, &central))
			return;
		check_entry(search, &central);
	}
}

void
zip_views(const void *bytes, gsize length, gboolean all, zip_view_function found, gpointer user)
{
	struct search search = {.zip = {bytes, length}, .all = all, .found = found, .user = user};
	struct zip_directory directory;

	zip_find_directory(&search.zip, &directory);
	if (directory.end == length)
		return;
	search.extents = g_array_new(FALSE, FALSE, sizeof(struct zip_extent));
	check_directory(&search, &directory);
	for (guint i = 0; i < directory.other_count; i++) {
		struct zip_directory other = directory;

		other.begin = directory.others[i];
		check_directory(&search, &other);
	}
	if (!search.stopped)
		search_gaps(&search);
	g_array_unref(search.extents);
	g_free(search.copy);
}
