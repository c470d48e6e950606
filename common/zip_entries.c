/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "zip_entries.h"

#include <string.h>

#define CENTRAL_SIGNATURE "PK\1\2"
#define LOCATOR_SIGNATURE "PK\6\7"
#define LOCATOR_BYTES 20
#define WIDE_END_SIGNATURE "PK\6\6"
#define WIDE_END_BYTES 56
#define FIELD_HEAD_BYTES 4 /* of an extra field: tag and size */
#define NAME_HEAD_BYTES 9  /* of NAME_TAG: those, a version, and the CRC-32 of the name */
#define ZIP64_TAG 1	   /* an extra field, 4.5.3 */
#define MODE_SHIFT 16
#define MODE_KIND 0170000
#define MODE_FILE 0100000
#define ATTRIBUTE_FOLDER (1u << 4) /* of DOS, whatever the host */

static guint64
u64(const guint8 *at)
{
	return (guint64)zip_u32(at) | (guint64)zip_u32(at + 4) << 32;
}

/* Takes the value that a Zip64 field has for one that did not fit; those come in order. */
static void
take_wide(const guint8 **at, const guint8 *end, guint64 *value)
{
	if (*value != UNSET32 || end - *at < 8)
		return;
	*value = u64(*at);
	*at += 8;
}

/* Goes to the next field, or the first; FALSE if there is none. */
static gboolean
next_field(const struct zip_entry *entry, struct zip_field *field)
{
	const guint8 *end = entry->extra + entry->extra_length;
	const guint8 *at = field->bytes ? field->bytes + field->length : entry->extra;

	if (end - at < FIELD_HEAD_BYTES)
		return FALSE;
	field->bytes = at;
	field->length =
		FIELD_HEAD_BYTES + MIN(zip_u16(at + 2), (gsize)(end - at - FIELD_HEAD_BYTES));
	return TRUE;
}

void
zip_blank_fields(const struct zip_entry *entry, guint tag, guint8 *extra)
{
	struct zip_field field = {NULL, 0};

	while (next_field(entry, &field))
		if (zip_u16(field.bytes) == tag)
			memset(extra + (field.bytes - entry->extra), 0xff, 2);
}

/* Reads the values of a Zip64 field. */
static void
read_wide(struct zip_entry *entry, const struct zip_field *field)
{
	const guint8 *at = field->bytes + FIELD_HEAD_BYTES, *stop = field->bytes + field->length;

	take_wide(&at, stop, &entry->size);
	take_wide(&at, stop, &entry->packed);
	take_wide(&at, stop, &entry->offset);
}

static gboolean
is_other_name(const struct zip_entry *entry, const struct zip_field *field)
{
	return field->length != NAME_HEAD_BYTES + entry->name_length ||
	       memcmp(field->bytes + NAME_HEAD_BYTES, entry->name, entry->name_length) != 0;
}

static void
read_extra(struct zip_entry *entry)
{
	struct zip_field field = {NULL, 0};
	gboolean wide = FALSE;

	while (next_field(entry, &field)) {
		guint tag = zip_u16(field.bytes);

		if (tag == ZIP64_TAG && !wide) {
			wide = TRUE;
			read_wide(entry, &field);
		}
		if (tag == MODE_TAG)
			entry->has_mode = TRUE;
		if (tag == NAME_TAG && !entry->other_name.bytes && is_other_name(entry, &field))
			entry->other_name = field;
	}
}

/* Reads the local header at an offset; its content begins at *ret_content.  FALSE if none is. */
gboolean
zip_read_local(const struct zip *zip, guint64 offset, struct zip_entry *ret_entry,
	       gsize *ret_content)
{
	const guint8 *at;
	gsize names;

	if (offset > zip->length || zip->length - offset < LOCAL_BYTES)
		return FALSE;
	at = zip->bytes + offset;
	if (memcmp(at, LOCAL_SIGNATURE, 4) != 0)
		return FALSE;
	names = (gsize)zip_u16(at + 26) + zip_u16(at + 28);
	if (zip->length - offset - LOCAL_BYTES < names)
		return FALSE;
	*ret_entry = (struct zip_entry){
		.flags = zip_u16(at + 6),
		.method = zip_u16(at + 8),
		.crc32 = zip_u32(at + 14),
		.packed = zip_u32(at + 18),
		.size = zip_u32(at + 22),
		.name = at + LOCAL_BYTES,
		.name_length = zip_u16(at + 26),
		.extra = at + LOCAL_BYTES + zip_u16(at + 26),
		.extra_length = zip_u16(at + 28),
		.offset = 0,
	};
	read_extra(ret_entry);
	ret_entry->offset = offset;
	*ret_content = (gsize)offset + LOCAL_BYTES + names;
	return TRUE;
}

static gboolean
is_local(const struct zip *zip, guint64 at)
{
	return at < zip->length && zip->length - at >= LOCAL_BYTES &&
	       memcmp(zip->bytes + at, LOCAL_SIGNATURE, 4) == 0;
}

/*
 * Returns where the local header is that an offset is of.  Where something was put before a zip
 * not all its offsets need count from one place: 7-Zip and Archive::Zip try another.
 */
static guint64
locate(const struct zip *zip, const struct zip_directory *directory, guint64 offset)
{
	if (is_local(zip, directory->base + offset))
		return directory->base + offset;
	if (is_local(zip, offset))
		return offset;
	if (is_local(zip, directory->first + offset))
		return directory->first + offset;
	return directory->base + offset;
}

gboolean
zip_read_central(const struct zip *zip, const struct zip_directory *directory, gsize *at,
		 struct zip_entry *ret_entry)
{
	const guint8 *bytes = zip->bytes + *at;
	guint64 said;
	gsize tail;

	if (zip->length - *at < CENTRAL_BYTES || memcmp(bytes, CENTRAL_SIGNATURE, 4) != 0)
		return FALSE;
	tail = (gsize)zip_u16(bytes + 28) + zip_u16(bytes + 30) + zip_u16(bytes + 32);
	if (zip->length - *at - CENTRAL_BYTES < tail)
		return FALSE;
	*ret_entry = (struct zip_entry){
		.flags = zip_u16(bytes + 8),
		.method = zip_u16(bytes + 10),
		.host = bytes[5],
		.attributes = zip_u32(bytes + ATTRIBUTES_OFFSET),
		.crc32 = zip_u32(bytes + 16),
		.packed = zip_u32(bytes + 20),
		.size = zip_u32(bytes + 24),
		.name = bytes + CENTRAL_BYTES,
		.name_length = zip_u16(bytes + 28),
		.extra = bytes + CENTRAL_BYTES + zip_u16(bytes + 28),
		.extra_length = zip_u16(bytes + 30),
		.offset = zip_u32(bytes + 42),
	};
	read_extra(ret_entry);
	said = ret_entry->offset;
	ret_entry->offset = locate(zip, directory, ret_entry->offset);
	ret_entry->moved = ret_entry->offset != directory->base + said;
	*at += CENTRAL_BYTES + tail;
	return TRUE;
}

gboolean
zip_is_folder(const struct zip_entry *entry)
{
	return entry->name_length && entry->name[entry->name_length - 1] == '/';
}

gboolean
zip_is_folder_to_some(const struct zip_entry *entry)
{
	return zip_is_folder(entry) ||
	       (entry->name_length && entry->name[entry->name_length - 1] == '\\');
}

/* Whether an entry of the directory is no file by its attributes, as a link. */
gboolean
zip_is_no_file(const struct zip_entry *central)
{
	guint32 kind = central->attributes >> MODE_SHIFT & MODE_KIND;

	return central->attributes & ATTRIBUTE_FOLDER ||
	       (central->host == HOST_UNIX && kind && kind != MODE_FILE);
}

/*
 * Whether something is stored that its name or its attributes call no file.  A folder's content
 * may be nothing, compressed.
 */
gboolean
zip_is_called_no_file(const struct zip_entry *central)
{
	if (zip_is_folder_to_some(central))
		return central->packed && central->size;
	return central->packed && zip_is_no_file(central);
}

int
zip_extent_order(gconstpointer a, gconstpointer b)
{
	const struct zip_extent *left = a, *right = b;

	return (left->begin > right->begin) - (left->begin < right->begin);
}

/* ---- the directory ---- */

/* Returns where the last end record before stop is (APPNOTE 4.3.16), or length. */
static gsize
find_end(const struct zip *zip, gsize stop)
{
	const guint8 *bytes = zip->bytes;
	gsize length = zip->length, whole = END_BYTES + COMMENT_BYTES_MAX;
	gsize least = length > whole ? length - whole : 0;

	if (length < END_BYTES)
		return length;
	stop = MIN(stop, length - END_BYTES + 4);
	/* Its last byte is rare in text and in what is compressed. */
	while (stop >= least + 4) {
		const guint8 *last = memrchr(bytes + least + 3, END_SIGNATURE[3], stop - least - 3);

		if (!last)
			break;
		if (memcmp(last - 3, END_SIGNATURE, 4) == 0)
			return (gsize)(last - 3 - bytes);
		stop = (gsize)(last - bytes);
	}
	return length;
}

static gboolean
is_directory(const struct zip *zip, guint64 at)
{
	return at < zip->length && zip->length - at >= 4 &&
	       memcmp(zip->bytes + at, CENTRAL_SIGNATURE, 4) == 0;
}

/* Finds Zip64's own end by its locator, which stands before the other (4.3.14, 4.3.15). */
static gboolean
find_wide(const struct zip *zip, gsize end, gsize *ret_at)
{
	const guint8 *locator;
	guint64 said;
	gsize next;

	if (end < LOCATOR_BYTES + WIDE_END_BYTES)
		return FALSE;
	locator = zip->bytes + end - LOCATOR_BYTES;
	if (memcmp(locator, LOCATOR_SIGNATURE, 4) != 0)
		return FALSE;
	said = u64(locator + 8);
	/* What the locator says is wrong where something was put before the zip. */
	next = end - LOCATOR_BYTES - WIDE_END_BYTES;
	if (said <= next && memcmp(zip->bytes + said, WIDE_END_SIGNATURE, 4) == 0)
		*ret_at = (gsize)said;
	else if (memcmp(zip->bytes + next, WIDE_END_SIGNATURE, 4) == 0)
		*ret_at = next;
	else
		return FALSE;
	return TRUE;
}

/* Notes a place where some look for the directory, if one is there and it is another. */
static void
note_other(const struct zip *zip, struct zip_directory *directory, guint64 at)
{
	if (at == directory->begin || !is_directory(zip, at))
		return;
	for (guint i = 0; i < directory->other_count; i++)
		if (directory->others[i] == at)
			return;
	if (directory->other_count < ZIP_OTHERS_MAX)
		directory->others[directory->other_count++] = (gsize)at;
}

/*
 * Returns where an end record says that its directory is.  Offsets count from where the zip begins,
 * which is not where the bytes do when something was put before it.
 */
static struct zip_directory
directory_at(const struct zip *zip, gsize end)
{
	guint64 size = zip_u32(zip->bytes + end + 12), offset = zip_u32(zip->bytes + end + 16);
	guint64 wide_size = size, wide_offset = offset, begin;
	gsize stop = end;
	struct zip_directory directory = {.end = end};

	/* Zip64's own stands before this one, whether its values are wanted or not. */
	if (find_wide(zip, end, &stop)) {
		wide_size = u64(zip->bytes + stop + 40);
		wide_offset = u64(zip->bytes + stop + 48);
	}
	if (size == UNSET32 || offset == UNSET32) {
		size = wide_size;
		offset = wide_offset;
	}
	begin = stop - MIN(size, stop);
	if (!is_directory(zip, begin) && is_directory(zip, end - MIN(size, end)))
		begin = end - MIN(size, end);
	if (!is_directory(zip, begin) && is_directory(zip, offset))
		begin = offset;
	directory.begin = (gsize)begin;
	directory.base = begin > offset ? begin - offset : 0;
	/* 7-Zip goes by the offset, Python by what Zip64's says whatever this one does. */
	note_other(zip, &directory, offset);
	note_other(zip, &directory, end - MIN(size, end));
	note_other(zip, &directory, wide_offset);
	note_other(zip, &directory, stop - MIN(wide_size, stop));
	return directory;
}

/* Returns where the first local header before stop is, or 0. */
static gsize
find_first(const struct zip *zip, gsize stop)
{
	const guint8 *at = memmem(zip->bytes, stop, LOCAL_SIGNATURE, 4);

	return at ? (gsize)(at - zip->bytes) : 0;
}

/*
 * Finds the directory that ends the content: the one of the last end record that has one, for
 * others may stand in the comment, where most readers pass them.  FALSE if none has; then
 * *ret_directory is the last record's, whose members are those before it, or where there is no
 * record its end is length.
 */
gboolean
zip_find_directory(const struct zip *zip, struct zip_directory *ret_directory)
{
	gsize end = find_end(zip, zip->length);

	*ret_directory = (struct zip_directory){.end = end, .begin = end};
	for (gsize at = end; at < zip->length; at = find_end(zip, at + 3)) {
		struct zip_directory directory = directory_at(zip, at);

		if (is_directory(zip, directory.begin)) {
			*ret_directory = directory;
			ret_directory->first = find_first(zip, directory.begin);
			return TRUE;
		}
	}
	return FALSE;
}
