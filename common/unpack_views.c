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
	GHashTable *twins; /* of struct twins, by a member that is one; NULL until one is wanted */
};

/* Members that are the same.  All are borrowed. */
struct twins {
	GPtrArray *files;
	GHashTable *named;   /* of files, by each name that one has */
	const char *reading; /* in hand, which gave names to those before number next */
	guint next;
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

static guint
member_hash(gconstpointer data)
{
	const struct file *file = data;
	guint32 hash = 0;

	if (digests_are_known(&file->digests))
		memcpy(&hash, file->digests.sha256, sizeof(hash));
	return hash ^ (guint)file->size;
}

static gboolean
member_equal(gconstpointer a, gconstpointer b)
{
	return is_same_member(a, b);
}

static void
twins_free(gpointer data)
{
	struct twins *twins = data;

	g_ptr_array_unref(twins->files);
	g_hash_table_unref(twins->named);
	g_free(twins);
}

/* Notes the names of one of them. */
static void
note_names(struct twins *twins, struct file *file)
{
	for (guint i = 0; i < file->names->len; i++) {
		const struct file_name *name = g_ptr_array_index(file->names, i);

		if (!g_hash_table_contains(twins->named, name->text))
			g_hash_table_insert(twins->named, name->text, file);
	}
}

static void
note_member(const struct viewing *viewing, struct file *file)
{
	struct twins *twins = g_hash_table_lookup(viewing->twins, file);

	if (!twins) {
		twins = g_new0(struct twins, 1);
		twins->files = g_ptr_array_new();
		twins->named = g_hash_table_new(g_str_hash, g_str_equal);
		g_hash_table_insert(viewing->twins, file, twins);
	}
	g_ptr_array_add(twins->files, file);
	note_names(twins, file);
}

/* Notes all members of the archive but the last. */
static void
note_members(struct viewing *viewing)
{
	const GPtrArray *members = viewing->unpacker->members;
	const struct file *last = g_ptr_array_index(members, members->len - 1);

	viewing->twins = g_hash_table_new_full(member_hash, member_equal, NULL, twins_free);
	for (guint i = viewing->first; i < members->len; i++) {
		struct file *file = g_ptr_array_index(members, i);

		if (file != last && file->parent == last->parent)
			note_member(viewing, file);
	}
}

static gboolean
has_name_of(const struct file *file, const char *reading)
{
	for (guint i = 0; i < file->names->len; i++) {
		const struct file_name *name = g_ptr_array_index(file->names, i);

		if (g_strcmp0(name->reading, reading) == 0)
			return TRUE;
	}
	return FALSE;
}

/*
 * Returns which one of them a member of this name is by a reading: the one of that name, or else
 * the first to which the reading gave none, so that each is called by its own name.
 */
static struct file *
choose_twin(struct twins *twins, const char *name, const char *reading)
{
	struct file *named = name ? g_hash_table_lookup(twins->named, name) : NULL;

	if (named)
		return named;
	if (g_strcmp0(twins->reading, reading) != 0) {
		twins->reading = reading;
		twins->next = 0;
	}
	while (twins->next < twins->files->len &&
	       has_name_of(g_ptr_array_index(twins->files, twins->next), reading))
		twins->next++;
	return g_ptr_array_index(twins->files, twins->next < twins->files->len ? twins->next : 0);
}

/*
 * Takes the last member away again if the record has another for it; that one has its names.
 * FALSE if it has none.
 */
static gboolean
merge_last_member(const struct viewing *viewing, const char *reading)
{
	struct unpacker *unpacker = viewing->unpacker;
	guint last = unpacker->members->len - 1;
	struct file *file = g_ptr_array_index(unpacker->members, last), *same;
	struct twins *twins = g_hash_table_lookup(viewing->twins, file);

	if (!twins)
		return FALSE;
	same = choose_twin(twins, file_best_name(file), reading);
	g_ptr_array_steal_index(unpacker->members, last);
	for (guint i = 0; i < file->names->len; i++) {
		const struct file_name *name = g_ptr_array_index(file->names, i);

		if (same->names->len < CAP_NAMES)
			file_add_name(same, name->text, reading, name->raw);
		else
			record_note_cap(unpacker->record, CAP_NAMES_NAME);
	}
	note_names(twins, same);
	g_hash_table_remove(unpacker->paths, file->path);
	file_free(file);
	return TRUE;
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
take_member(struct viewing *viewing, const struct view *view, struct archive_members *members,
	    const struct archive_member *member)
{
	struct unpacker *unpacker = viewing->unpacker;
	struct file *file = unpack_describe_member(unpacker, viewing->container, member);
	g_autoptr(GByteArray) kept = g_byte_array_new();

	if (!file)
		return FALSE;
	file->size = member->size;
	if (!member->encrypted && !unpack_read_content(unpacker, members, file, kept))
		file->flags |= FILE_INCOMPLETE;
	if (!viewing->twins)
		note_members(viewing);
	if (merge_last_member(viewing, view->reading))
		return TRUE;
	note_member(viewing, file);
	name_reading(file, view->reading);
	if (member->encrypted)
		viewing->container->file->flags |= FILE_ENCRYPTED;
	else
		look_into(viewing, view, file, kept);
	return TRUE;
}

static gboolean
take_view(struct viewing *viewing, const struct view *view)
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
	struct viewing viewing = {unpacker, container, first, NULL};

	if (!unpacker->part_spent)
		zip_views(bytes, length, all, take_zip_view, &viewing);
	g_clear_pointer(&viewing.twins, g_hash_table_unref);
}

void
unpack_read_tar_views(struct unpacker *unpacker, const struct container *container, guint first,
		      const void *bytes, gsize length)
{
	struct viewing viewing = {unpacker, container, first, NULL};

	if (!unpacker->part_spent && !tar_views(bytes, length, take_tar_view, &viewing))
		container->file->flags |= FILE_INCOMPLETE;
	g_clear_pointer(&viewing.twins, g_hash_table_unref);
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
take_tree(struct viewing *viewing, enum archive_tree tree, const char *reading, const void *bytes,
	  gsize length)
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
	struct viewing viewing = {unpacker, container, first, NULL};

	/* A volume, the second of which is Joliet's (ECMA-119 8.5); NSR02 or NSR03 (ECMA-167). */
	if (take_tree(&viewing, ARCHIVE_TREE_JOLIET, "iso-joliet", bytes, length) &&
	    has_descriptor(bytes, length,
			   "\2"
			   "CD001",
			   6))
		take_tree(&viewing, ARCHIVE_TREE_PLAIN, "iso-9660", bytes, length);
	g_clear_pointer(&viewing.twins, g_hash_table_unref);
	if (has_descriptor(bytes, length, "\0NSR0", 5))
		container->file->flags |= FILE_INCOMPLETE;
}
