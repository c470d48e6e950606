/* SPDX-License-Identifier: BSD-2-Clause */
#include "unpack_private.h"

#include <string.h>

#include "caps.h"
#include "tar_views.h"
#include "zip_views.h"

#define SECTOR_BYTES 2048
#define DESCRIPTORS_END 64 /* a sector behind those that describe a disc */

/* An archive in hand whose members from number first on were read as libarchive does. */
struct viewing {
	struct unpacker *unpacker;
	const struct container *container;
	guint first;
};

/* A view of a member. */
struct view {
	const char *reading;
	const char *name; /* NULL: its bytes say it */
	const void *bytes;
	gsize length;
	gboolean disc; /* it is the member of that number in a list of a disc's files */
	enum archive_tree tree;
	guint number;
};

/* Whether two members of one archive are the same: encrypted ones by what is told of them. */
static gboolean
is_same_member(const struct file *a, const struct file *b)
{
	if (a->parent != b->parent || a->size != b->size)
		return FALSE;
	if (digests_are_known(&a->digests))
		return memcmp(&a->digests, &b->digests, sizeof(a->digests)) == 0;
	return !digests_are_known(&b->digests) &&
	       g_strcmp0(file_best_name(a), file_best_name(b)) == 0;
}

static struct file *
find_same_member(const struct viewing *viewing, const struct file *wanted)
{
	const GPtrArray *members = viewing->unpacker->members;

	for (guint i = viewing->first; i < members->len; i++) {
		struct file *file = g_ptr_array_index(members, i);

		if (file != wanted && is_same_member(wanted, file))
			return file;
	}
	return NULL;
}

/* Takes the last member away again, for which the record has another; that one has its names. */
static void
merge_last_member(struct unpacker *unpacker, struct file *same, const char *reading)
{
	struct file *file = g_ptr_array_steal_index(unpacker->members, unpacker->members->len - 1);

	for (guint i = 0; i < file->names->len; i++) {
		const struct file_name *name = g_ptr_array_index(file->names, i);

		if (same->names->len < CAP_NAMES)
			file_add_name(same, name->text, reading, name->raw);
		else
			record_note_cap(unpacker->record, CAP_NAMES_NAME);
	}
	g_hash_table_remove(unpacker->paths, file->path);
	file_free(file);
}

static void
name_reading(struct file *file, const char *reading)
{
	if (!g_ptr_array_find_with_equal_func(file->readings, reading, g_str_equal, NULL))
		g_ptr_array_add(file->readings, g_strdup(reading));
}

/* Opens a view, which is of a zip or, with a name of its own, of a tar, or of a disc. */
static struct archive_members *
open_view(const struct view *view)
{
	if (view->disc)
		return archive_members_open_tree(view->tree, view->bytes, view->length);
	return view->name ? archive_members_open_plain(view->bytes, view->length)
			  : archive_members_open_local(view->bytes, view->length);
}

/* Goes to the member of a view that was opened. */
static gboolean
find_member(const struct view *view, struct archive_members *members,
	    struct archive_member *ret_member)
{
	for (guint i = 0; i <= view->number; i++)
		if (!archive_members_next(members, ret_member, NULL))
			return FALSE;
	return TRUE;
}

/* Reads what is in a member of a view whose first bytes, or all, were kept. */
static void
look_into(const struct viewing *viewing, const struct view *view, struct file *file,
	  const GByteArray *kept)
{
	struct unpacker *unpacker = viewing->unpacker;
	gboolean more = unpack_may_end(unpacker, file, kept);
	guint index = unpacker->members->len - 1;
	g_autoptr(archive_members_t) members = NULL;
	struct archive_member member;

	unpack_look_into(unpacker, viewing->container, file, index, kept);
	if (!more || unpacker->part_spent || !unpack_within_cpu(unpacker))
		return;
	members = open_view(view);
	if (find_member(view, members, &member))
		unpack_read_ended(unpacker, viewing->container, members, index);
}

/* Reads a member of a view, and keeps what the archive did not show so far; FALSE for enough. */
static gboolean
take_member(const struct viewing *viewing, const struct view *view, struct archive_members *members,
	    const struct archive_member *member)
{
	struct unpacker *unpacker = viewing->unpacker;
	struct file *file = unpack_describe_member(unpacker, viewing->container, member), *same;
	g_autoptr(GByteArray) kept = g_byte_array_new();

	if (!file)
		return FALSE;
	file->size = member->size;
	if (!member->encrypted && !unpack_read_content(unpacker, members, file, kept))
		file->flags |= FILE_INCOMPLETE;
	same = find_same_member(viewing, file);
	if (same) {
		merge_last_member(unpacker, same, view->reading);
		return TRUE;
	}
	name_reading(file, view->reading);
	if (member->encrypted)
		viewing->container->file->flags |= FILE_ENCRYPTED;
	else
		look_into(viewing, view, file, kept);
	return TRUE;
}

static gboolean
take_view(const struct viewing *viewing, const struct view *view)
{
	g_autoptr(archive_members_t) members = open_view(view);
	struct archive_member member;

	if (viewing->unpacker->part_spent || !unpack_within_cpu(viewing->unpacker))
		return FALSE;
	if (!archive_members_next(members, &member, NULL))
		return TRUE;
	if (view->name)
		member.name = view->name;
	return take_member(viewing, view, members, &member);
}

static gboolean
take_zip_view(const struct zip_view *found, gpointer user)
{
	const struct view view = {
		.reading = found->reading, .bytes = found->bytes, .length = found->length};

	return take_view(user, &view);
}

static gboolean
take_tar_view(const struct tar_view *found, gpointer user)
{
	const struct view view = {.reading = "tar-header",
				  .name = found->name,
				  .bytes = found->bytes,
				  .length = found->length};

	return take_view(user, &view);
}

void
unpack_read_views(struct unpacker *unpacker, const struct container *container, guint first,
		  gboolean all, const void *bytes, gsize length)
{
	struct viewing viewing = {unpacker, container, first};

	if (!unpacker->part_spent)
		zip_views(bytes, length, all, take_zip_view, &viewing);
}

void
unpack_read_tar_views(struct unpacker *unpacker, const struct container *container, guint first,
		      const void *bytes, gsize length)
{
	struct viewing viewing = {unpacker, container, first};

	if (!unpacker->part_spent && !tar_views(bytes, length, take_tar_view, &viewing))
		container->file->flags |= FILE_INCOMPLETE;
}

/* Whether an image of a disc has a list by a standard: its descriptors begin with that mark. */
static gboolean
has_descriptor(const guint8 *bytes, gsize length, const char *mark, gsize mark_length)
{
	for (guint sector = 16; sector < DESCRIPTORS_END; sector++) {
		gsize at = (gsize)sector * SECTOR_BYTES;

		if (at + SECTOR_BYTES > length)
			return FALSE;
		if (memcmp(bytes + at, mark, mark_length) == 0)
			return TRUE;
	}
	return FALSE;
}

/* Reads the members of one list of a disc's; FALSE for enough. */
static gboolean
take_tree(const struct viewing *viewing, enum archive_tree tree, const char *reading,
	  const void *bytes, gsize length)
{
	struct view view = {
		.reading = reading, .bytes = bytes, .length = length, .disc = TRUE, .tree = tree};
	g_autoptr(archive_members_t) members = open_view(&view);
	struct archive_member member;

	for (; view.number < CAP_MEMBERS; view.number++) {
		if (viewing->unpacker->part_spent || !unpack_within_cpu(viewing->unpacker))
			return FALSE;
		if (!archive_members_next(members, &member, NULL))
			return TRUE;
		if (!take_member(viewing, &view, members, &member))
			return FALSE;
	}
	return TRUE;
}

void
unpack_read_trees(struct unpacker *unpacker, const struct container *container, guint first,
		  const void *bytes, gsize length)
{
	struct viewing viewing = {unpacker, container, first};

	/* A volume, the second of which is Joliet's (ECMA-119 8.5); NSR02 or NSR03 (ECMA-167). */
	if (take_tree(&viewing, ARCHIVE_TREE_JOLIET, "iso-joliet", bytes, length) &&
	    has_descriptor(bytes, length,
			   "\2"
			   "CD001",
			   6))
		take_tree(&viewing, ARCHIVE_TREE_PLAIN, "iso-9660", bytes, length);
	if (has_descriptor(bytes, length, "\0NSR0", 5))
		container->file->flags |= FILE_INCOMPLETE;
}
