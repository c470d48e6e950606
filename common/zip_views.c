/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "zip_views.h"

#include <string.h>

#include "caps.h"

/* Signatures and sizes of APPNOTE 4.3.7 and 4.3.12 to 4.3.16. */
#define LOCAL_SIGNATURE "PK\3\4"
#define CENTRAL_SIGNATURE "PK\1\2"
#define END_SIGNATURE "PK\5\6"
#define LOCAL_BYTES 30
#define CENTRAL_BYTES 46
#define ATTRIBUTES_OFFSET 38
#define END_BYTES 22
#define LOCATOR_SIGNATURE "PK\6\7"
#define LOCATOR_BYTES 20
#define WIDE_END_SIGNATURE "PK\6\6"
#define WIDE_END_BYTES 56
#define COMMENT_BYTES_MAX 65535
#define NEAR_BYTES 16	/* looked at one by one, where calls would cost more */
#define ZIP64_TAG 1	/* an extra field, 4.5.3 */
#define MODE_TAG 0x6c78 /* another, of libarchive's: attributes where there is no directory yet */
#define UNSET32 0xffffffffu
#define FLAG_ENCRYPTED (1u << 0)
#define FLAG_DESCRIPTOR (1u << 3) /* sizes and CRC stand behind the content */
#define METHOD_AES 99
#define HOST_UNIX 3
#define MODE_SHIFT 16
#define MODE_KIND 0170000
#define MODE_FILE 0100000
#define ATTRIBUTE_FOLDER (1u << 4) /* of DOS, whatever the host */

/* What header or directory says of a member. */
struct entry {
	guint flags, method;
	guint host;	    /* whose attributes these are, in the directory (4.4.2, 4.4.15) */
	guint32 attributes; /* Unix has its mode in the upper half */
	guint32 crc32;
	guint64 packed, size;
	const guint8 *name; /* name_length bytes */
	gsize name_length;
	const guint8 *extra; /* behind the name, extra_length bytes */
	gsize extra_length;
	guint64 offset; /* of the local header */
};

/* Bytes that members of the directory take. */
struct extent {
	gsize begin, end;
};

struct search {
	const guint8 *bytes;
	gsize length;
	GArray *extents;
	guint calls;
	guint8 *copy; /* of bytes, in which no field calls a member no file; or NULL */
	gboolean all; /* show the members on which they agree as well */
	zip_view_function found;
	gpointer user;
	gboolean stopped;
};

static guint
u16(const guint8 *at)
{
	return (guint)at[0] | (guint)at[1] << 8;
}

static guint32
u32(const guint8 *at)
{
	return (guint32)u16(at) | (guint32)u16(at + 2) << 16;
}

static guint64
u64(const guint8 *at)
{
	return (guint64)u32(at) | (guint64)u32(at + 4) << 32;
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

/* Takes the next field of an entry's extra ones: a tag, a size, and so many bytes (4.5.1). */
static gboolean
next_extra(const guint8 **at, const guint8 *end, guint *ret_tag, const guint8 **ret_stop)
{
	if (end - *at < 4)
		return FALSE;
	*ret_tag = u16(*at);
	*ret_stop = *at + 4 + MIN(u16(*at + 2), (gsize)(end - *at - 4));
	*at += 4;
	return TRUE;
}

static void
read_extra(struct entry *entry)
{
	const guint8 *at = entry->extra, *end = at + entry->extra_length, *stop;
	guint tag;

	for (; next_extra(&at, end, &tag, &stop); at = stop)
		if (tag == ZIP64_TAG) {
			take_wide(&at, stop, &entry->size);
			take_wide(&at, stop, &entry->packed);
			take_wide(&at, stop, &entry->offset);
			return;
		}
}

/* Whether an entry has attributes in a field. */
static gboolean
has_mode(const struct entry *entry)
{
	const guint8 *at = entry->extra, *end = at + entry->extra_length, *stop;
	guint tag;

	for (; next_extra(&at, end, &tag, &stop); at = stop)
		if (tag == MODE_TAG)
			return TRUE;
	return FALSE;
}

/* Makes such fields ones that nobody knows; extra: a copy of the entry's. */
static void
blank_modes(const struct entry *entry, guint8 *extra)
{
	const guint8 *at = entry->extra, *end = at + entry->extra_length, *stop;
	guint tag;

	for (; next_extra(&at, end, &tag, &stop); at = stop)
		if (tag == MODE_TAG)
			memset(extra + (at - 4 - entry->extra), 0xff, 2);
}

/* Reads the local header at an offset; its content begins at *ret_content.  FALSE if none is. */
static gboolean
read_local(const struct search *search, guint64 offset, struct entry *ret_entry, gsize *ret_content)
{
	const guint8 *at;
	gsize names;

	if (offset > search->length || search->length - offset < LOCAL_BYTES)
		return FALSE;
	at = search->bytes + offset;
	if (memcmp(at, LOCAL_SIGNATURE, 4) != 0)
		return FALSE;
	names = (gsize)u16(at + 26) + u16(at + 28);
	if (search->length - offset - LOCAL_BYTES < names)
		return FALSE;
	*ret_entry = (struct entry){
		.flags = u16(at + 6),
		.method = u16(at + 8),
		.crc32 = u32(at + 14),
		.packed = u32(at + 18),
		.size = u32(at + 22),
		.name = at + LOCAL_BYTES,
		.name_length = u16(at + 26),
		.extra = at + LOCAL_BYTES + u16(at + 26),
		.extra_length = u16(at + 28),
		.offset = 0,
	};
	read_extra(ret_entry);
	ret_entry->offset = offset;
	*ret_content = (gsize)offset + LOCAL_BYTES + names;
	return TRUE;
}

/* Reads the entry of the directory at *at, and passes it; FALSE if none is there. */
static gboolean
read_central(const struct search *search, gsize *at, struct entry *ret_entry)
{
	const guint8 *bytes = search->bytes + *at;
	gsize tail;

	if (search->length - *at < CENTRAL_BYTES || memcmp(bytes, CENTRAL_SIGNATURE, 4) != 0)
		return FALSE;
	tail = (gsize)u16(bytes + 28) + u16(bytes + 30) + u16(bytes + 32);
	if (search->length - *at - CENTRAL_BYTES < tail)
		return FALSE;
	*ret_entry = (struct entry){
		.flags = u16(bytes + 8),
		.method = u16(bytes + 10),
		.host = bytes[5],
		.attributes = u32(bytes + ATTRIBUTES_OFFSET),
		.crc32 = u32(bytes + 16),
		.packed = u32(bytes + 20),
		.size = u32(bytes + 24),
		.name = bytes + CENTRAL_BYTES,
		.name_length = u16(bytes + 28),
		.extra = bytes + CENTRAL_BYTES + u16(bytes + 28),
		.extra_length = u16(bytes + 30),
		.offset = u32(bytes + 42),
	};
	read_extra(ret_entry);
	*at += CENTRAL_BYTES + tail;
	return TRUE;
}

/* ---- views ---- */

static void
show(struct search *search, const char *reading, const void *bytes, gsize length)
{
	const struct zip_view view = {reading, bytes, length};

	if (!search->stopped &&
	    (search->calls++ >= 2 * CAP_MEMBERS || !search->found(&view, search->user)))
		search->stopped = TRUE;
}

static void
show_local(struct search *search, const struct entry *local)
{
	const guint8 *bytes = search->bytes;

	if (has_mode(local)) {
		if (!search->copy)
			search->copy = g_memdup2(bytes, search->length);
		blank_modes(local, search->copy + (local->extra - bytes));
		bytes = search->copy;
	}
	show(search, "zip-local-header", bytes + local->offset,
	     search->length - (gsize)local->offset);
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

/* Shows a content with the header that it would have if the directory were right. */
static void
show_central(struct search *search, const struct entry *central, gsize content, guint64 packed)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	const guint8 *local = search->bytes + central->offset;

	g_byte_array_append(out, local, 6);
	put16(out, central->flags & ~FLAG_DESCRIPTOR);
	put16(out, central->method);
	g_byte_array_append(out, local + 10, 4);
	put32(out, central->crc32);
	put32(out, packed);
	put32(out, central->size);
	put16(out, (guint)central->name_length);
	put16(out, 0);
	g_byte_array_append(out, central->name, (guint)central->name_length);
	g_byte_array_append(out, search->bytes + content, (guint)packed);
	show(search, "zip-central-directory", out->data, out->len);
}

/* Whether a value of a local header is that of the directory, or left to a descriptor. */
static gboolean
agrees(const struct entry *local, guint64 value, guint64 wanted)
{
	return value == wanted || value == UNSET32 ||
	       ((local->flags & FLAG_DESCRIPTOR) && value == 0);
}

static gboolean
is_same(const struct entry *local, const struct entry *central)
{
	return local->method == central->method &&
	       (local->flags & FLAG_ENCRYPTED) == (central->flags & FLAG_ENCRYPTED) &&
	       agrees(local, local->packed, central->packed) &&
	       agrees(local, local->size, central->size) &&
	       agrees(local, local->crc32, central->crc32) &&
	       local->name_length == central->name_length &&
	       memcmp(local->name, central->name, central->name_length) == 0;
}

/* Whether an entry is a folder to all. */
static gboolean
is_folder(const struct entry *entry)
{
	return entry->name_length && entry->name[entry->name_length - 1] == '/';
}

/* Whether an entry of the directory is no file by its attributes, as a link. */
static gboolean
is_no_file(const struct entry *central)
{
	guint32 kind = central->attributes >> MODE_SHIFT & MODE_KIND;

	return central->attributes & ATTRIBUTE_FOLDER ||
	       (central->host == HOST_UNIX && kind && kind != MODE_FILE);
}

/*
 * Whether something is stored that its attributes call no file: those that go by them, as
 * libarchive, show none, where Windows and Python extract it.
 */
static gboolean
is_called_no_file(const struct entry *central)
{
	return central->packed && !is_folder(central) && is_no_file(central);
}

/* Compares an entry of the directory with its local header. */
static void
check_entry(struct search *search, const struct entry *central)
{
	struct extent extent = {(gsize)central->offset, 0};
	struct entry local;
	guint64 packed;
	gsize content;
	gboolean same;

	if (!read_local(search, central->offset, &local, &content))
		return;
	packed = MIN(central->packed, search->length - content);
	extent.end = content + (gsize)packed;
	g_array_append_val(search->extents, extent);
	same = is_same(&local, central) && !is_called_no_file(central) && !has_mode(&local);
	if (same &&
	    (!search->all || is_folder(central) || (!central->packed && is_no_file(central))))
		return;
	/* With AES the name alone may be of another; its extra field is the header's. */
	if (!same || central->method == METHOD_AES)
		show_local(search, &local);
	if (packed <= G_MAXUINT32 && central->method != METHOD_AES)
		show_central(search, central, content, packed);
}

/* ---- what no directory names ---- */

/* Whether a local header is one by more than its signature. */
static gboolean
is_plausible(const struct entry *local)
{
	static const guint methods[] = {0, 1, 6, 8, 9, 10, 12, 14, 93, 95, 97, 98, METHOD_AES};
	gboolean known = FALSE;

	for (gsize i = 0; i < G_N_ELEMENTS(methods); i++)
		known = known || methods[i] == local->method;
	return known && local->name_length > 0 && local->name_length <= CAP_NAME_BYTES &&
	       !memchr(local->name, '\0', local->name_length);
}

/* Shows the local headers between two places; a content whose size is known is passed over. */
static void
search_gap(struct search *search, gsize begin, gsize end)
{
	while (begin < end && !search->stopped) {
		const guint8 *at = memmem(search->bytes + begin, end - begin, LOCAL_SIGNATURE, 4);
		struct entry local;
		gsize content;

		if (!at)
			return;
		begin = (gsize)(at - search->bytes);
		if (!read_local(search, begin, &local, &content) || !is_plausible(&local)) {
			begin += 4;
			continue;
		}
		/* A folder has no content. */
		if (!is_folder(&local))
			show_local(search, &local);
		begin = content;
		if (!(local.flags & FLAG_DESCRIPTOR) && begin < end)
			begin += (gsize)MIN(local.packed, end - begin);
	}
}

static int
extent_order(gconstpointer a, gconstpointer b)
{
	const struct extent *left = a, *right = b;

	return (left->begin > right->begin) - (left->begin < right->begin);
}

static void
search_gaps(struct search *search)
{
	gsize at = 0;

	g_array_sort(search->extents, extent_order);
	for (guint i = 0; i < search->extents->len; i++) {
		const struct extent *extent = &g_array_index(search->extents, struct extent, i);

		if (extent->begin > at)
			search_gap(search, at, extent->begin);
		at = MAX(at, extent->end);
	}
	search_gap(search, at, search->length);
}

/* ---- the directory ---- */

/* Returns where the last end record before stop is (APPNOTE 4.3.16), or length. */
static gsize
find_end(const struct search *search, gsize stop)
{
	const guint8 *bytes = search->bytes;
	gsize length = search->length, whole = END_BYTES + COMMENT_BYTES_MAX;
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

/* A directory. */
struct directory {
	gsize end;    /* where its end record is */
	gsize begin;  /* where it is itself */
	guint64 base; /* what its offsets count from */
};

static gboolean
is_directory(const struct search *search, guint64 at)
{
	return at < search->length && search->length - at >= 4 &&
	       memcmp(search->bytes + at, CENTRAL_SIGNATURE, 4) == 0;
}

/* Reads what Zip64's own end says, by its locator before the other (4.3.14, 4.3.15). */
static gboolean
find_wide(const struct search *search, gsize end, guint64 *ret_size, guint64 *ret_offset,
	  gsize *ret_end)
{
	const guint8 *locator;
	guint64 at;

	if (end < LOCATOR_BYTES)
		return FALSE;
	locator = search->bytes + end - LOCATOR_BYTES;
	if (memcmp(locator, LOCATOR_SIGNATURE, 4) != 0)
		return FALSE;
	at = u64(locator + 8);
	if (at > end || end - at < WIDE_END_BYTES ||
	    memcmp(search->bytes + at, WIDE_END_SIGNATURE, 4) != 0)
		return FALSE;
	*ret_size = u64(search->bytes + at + 40);
	*ret_offset = u64(search->bytes + at + 48);
	*ret_end = (gsize)at;
	return TRUE;
}

/*
 * Returns where an end record says that its directory is.  Offsets count from where the zip begins,
 * which is not where the bytes do when something was put before it.
 */
static struct directory
directory_at(const struct search *search, gsize end)
{
	guint64 size = u32(search->bytes + end + 12), offset = u32(search->bytes + end + 16);
	gsize stop = end;
	guint64 begin;

	if (size == UNSET32 || offset == UNSET32)
		find_wide(search, end, &size, &offset, &stop);
	begin = stop - MIN(size, stop);
	if (begin != offset && !is_directory(search, begin) && is_directory(search, offset))
		begin = offset;
	return (struct directory){end, (gsize)begin, begin > offset ? begin - offset : 0};
}

/*
 * Finds the directory that ends the content: the one of the last end record that has one, for
 * others may stand in the comment, where most readers pass them.  FALSE if none has; then
 * *ret_directory is the last record's, whose members are those before it, or where there is no
 * record its end is length.
 */
static gboolean
find_directory(const struct search *search, struct directory *ret_directory)
{
	gsize end = find_end(search, search->length);

	*ret_directory = (struct directory){end, end, 0};
	for (gsize at = end; at < search->length; at = find_end(search, at + 3)) {
		struct directory directory = directory_at(search, at);

		if (is_directory(search, directory.begin)) {
			*ret_directory = directory;
			return TRUE;
		}
	}
	return FALSE;
}

static void
check_directory(struct search *search, const struct directory *directory)
{
	gsize at = directory->begin;
	struct entry central;

	for (guint i = 0; i < CAP_MEMBERS && !search->stopped; i++) {
		if (!read_central(search, &at, &central))
			return;
		central.offset += directory->base;
		check_entry(search, &central);
	}
}

gsize
zip_ends(const void *bytes, gsize length)
{
	struct search search = {.bytes = bytes, .length = length};
	struct directory directory;

	if (!find_directory(&search, &directory))
		return 0;
	return MIN(directory.end + END_BYTES + u16(search.bytes + directory.end + 20), length);
}

gsize
zip_record_ends(const void *bytes, gsize length)
{
	struct search search = {.bytes = bytes, .length = length};
	struct directory directory;

	return find_directory(&search, &directory) ? directory.end + END_BYTES : length;
}

GArray *
zip_offsets(const void *bytes, gsize length, gsize *ret_begin)
{
	struct search search = {.bytes = bytes, .length = length};
	GArray *offsets = g_array_new(FALSE, FALSE, sizeof(guint64));
	struct directory directory;
	struct entry central;
	gsize at;

	*ret_begin = 0;
	if (!find_directory(&search, &directory))
		return offsets;
	*ret_begin = (gsize)directory.base;
	at = directory.begin;
	while (offsets->len < CAP_MEMBERS && read_central(&search, &at, &central)) {
		guint64 offset = directory.base + central.offset;

		g_array_append_val(offsets, offset);
	}
	return offsets;
}

/*
 * Clears what an entry of the directory at at, and its local header, call a content that is no
 * file.  search->copy: where.
 */
static void
call_file(struct search *search, gsize at, const struct entry *central)
{
	struct entry local;
	gsize content;
	gboolean begun = read_local(search, central->offset, &local, &content);

	if (!is_called_no_file(central) && !has_mode(central) && !(begun && has_mode(&local)))
		return;
	if (!search->copy)
		search->copy = g_memdup2(search->bytes, search->length);
	memset(search->copy + at + ATTRIBUTES_OFFSET, 0, sizeof(central->attributes));
	blank_modes(central, search->copy + (central->extra - search->bytes));
	if (begun)
		blank_modes(&local, search->copy + (local.extra - search->bytes));
}

void *
zip_as_files(const void *bytes, gsize length)
{
	struct search search = {.bytes = bytes, .length = length};
	struct directory directory;
	struct entry central;
	gsize at, next;

	if (!find_directory(&search, &directory))
		return NULL;
	next = at = directory.begin;
	for (guint i = 0; i < CAP_MEMBERS && read_central(&search, &next, &central); i++) {
		central.offset += directory.base;
		call_file(&search, at, &central);
		at = next;
	}
	return search.copy;
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

void
zip_views(const void *bytes, gsize length, gboolean all, zip_view_function found, gpointer user)
{
	struct search search = {
		.bytes = bytes, .length = length, .all = all, .found = found, .user = user};
	struct directory directory;

	find_directory(&search, &directory);
	if (directory.end == length)
		return;
	search.extents = g_array_new(FALSE, FALSE, sizeof(struct extent));
	check_directory(&search, &directory);
	if (!search.stopped)
		search_gaps(&search);
	g_array_unref(search.extents);
	g_free(search.copy);
}
