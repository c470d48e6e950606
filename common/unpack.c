/* SPDX-License-Identifier: BSD-2-Clause */
#include "unpack.h"

#include <string.h>
#include <sys/resource.h>

#include "archive_members.h"
#include "caps.h"
#include "charset.h"
#include "magic.h"
#include "text.h"

G_STATIC_ASSERT(CAP_FILES == CAP_PARTS + CAP_MEMBERS);

struct unpacker {
	struct record *record;
	struct fingerprint *fingerprint;
	struct unpack_limits limits;
	GPtrArray
		*members; /* of struct file; its parent is a member's index or, of a part, ~index */
	GHashTable *paths; /* to how many members had it */
	guint64 bytes;
	guint64 part_bytes; /* of the part in hand: of its members, and what they may have */
	guint64 part_most;
	gsize kept_bytes;
	gsize names_bytes;
	gint64 cpu_us;	      /* used by the parts before */
	gint64 part_start_us; /* the clock when the part was begun */
	gboolean spent;	      /* for all of the message */
	gboolean part_spent;  /* for the part in hand */
};

/* An archive in hand. */
struct container {
	struct file *file;
	int parent; /* what its members have as theirs */
	guint depth;
	gboolean single;
};

void
unpack_preload(void)
{
	archive_members_preload();
}

struct unpacker *
unpacker_new(struct record *record, struct fingerprint *fingerprint,
	     const struct unpack_limits *limits)
{
	static const struct unpack_limits of_caps = {
		.members = CAP_MEMBERS,
		.bytes = CAP_UNPACKED_BYTES,
		.ratio = CAP_UNPACK_RATIO,
		.free_bytes = CAP_UNPACK_FREE_BYTES,
		.kept_bytes = CAP_KEPT_BYTES,
		.names_bytes = CAP_NAMES_BYTES,
		.cpu_ms = CAP_UNPACK_CPU_MS,
	};
	struct unpacker *unpacker = g_new0(struct unpacker, 1);

	unpacker->record = record;
	unpacker->fingerprint = fingerprint;
	unpacker->limits = limits ? *limits : of_caps;
	unpacker->members = g_ptr_array_new();
	unpacker->paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return unpacker;
}

/* ---- what it may cost ---- */

/*
 * The kernel's share is left out: it is the clearing of memory, which the worker's
 * limit bounds, and its price differs by ten between one machine and another.
 */
static gint64
cpu_now_us(void)
{
	struct rusage used = {0};

	getrusage(RUSAGE_SELF, &used);
	return (gint64)used.ru_utime.tv_sec * G_USEC_PER_SEC + used.ru_utime.tv_usec;
}

/* Ends the work on the part, or with whole on all of the message. */
static gboolean
spend(struct unpacker *unpacker, const char *cap, gboolean whole)
{
	record_note_cap(unpacker->record, cap);
	unpacker->part_spent = TRUE;
	unpacker->spent |= whole;
	return FALSE;
}

static gboolean
within_cpu(struct unpacker *unpacker)
{
	gint64 used = unpacker->cpu_us + cpu_now_us() - unpacker->part_start_us;

	return used <= (gint64)unpacker->limits.cpu_ms * 1000 ||
	       spend(unpacker, CAP_UNPACK_CPU_NAME, TRUE);
}

/* Counts bytes that were unpacked. */
static gboolean
within_bytes(struct unpacker *unpacker, gsize length)
{
	unpacker->bytes += length;
	unpacker->part_bytes += length;
	if (unpacker->bytes > unpacker->limits.bytes)
		return spend(unpacker, CAP_UNPACKED_BYTES_NAME, TRUE);
	if (unpacker->part_bytes > unpacker->part_most)
		return spend(unpacker, CAP_UNPACK_RATIO_NAME, FALSE);
	return within_cpu(unpacker);
}

/* ---- names ---- */

/* Endings of what is compressed by itself, and what is left of them. */
static const struct {
	const char *ending;
	const char *left;
} endings[] = {
	{".tgz", ".tar"}, {".tbz", ".tar"},  {".tbz2", ".tar"}, {".txz", ".tar"},
	{".taz", ".tar"}, {".tzst", ".tar"}, {".tlz", ".tar"},	{".rpm", ".cpio"},
	{".gz", ""},	  {".bz2", ""},	     {".xz", ""},	{".zst", ""},
	{".lz4", ""},	  {".lzma", ""},     {".lz", ""},	{".z", ""},
};

/* The name that tools give to what they decompress; NULL if it is not known. */
static char *
single_name(const struct file *file)
{
	const char *name = file_best_name(file);

	for (gsize i = 0; name && i < G_N_ELEMENTS(endings); i++) {
		gsize length = strlen(name), ending = strlen(endings[i].ending);

		if (length > ending &&
		    g_ascii_strcasecmp(name + length - ending, endings[i].ending) == 0)
			return g_strdup_printf("%.*s%s", (int)(length - ending), name,
					       endings[i].left);
	}
	return NULL;
}

/* What stands behind the last separator that is not at the end. */
static const char *
base_name(const char *name)
{
	const char *base = name;

	for (; *name; name++)
		if ((*name == '/' || *name == '\\') && name[1])
			base = name + 1;
	return base;
}

/* A path that no other file has. */
static char *
free_path(struct unpacker *unpacker, const char *wanted)
{
	guint count = MAX(GPOINTER_TO_UINT(g_hash_table_lookup(unpacker->paths, wanted)), 1);
	char *path = g_strdup(wanted);

	while (g_hash_table_contains(unpacker->paths, path)) {
		g_free(path);
		path = g_strdup_printf("%s#%u", wanted, ++count);
	}
	g_hash_table_insert(unpacker->paths, g_strdup(wanted), GUINT_TO_POINTER(count));
	g_hash_table_insert(unpacker->paths, g_strdup(path), GUINT_TO_POINTER(1));
	return path;
}

/* A member's name as text; *ret_raw: its bytes, where they differ. */
static char *
member_name(struct unpacker *unpacker, const char *bytes, GBytes **ret_raw)
{
	gsize length = MIN(strlen(bytes), CAP_NAME_BYTES);
	g_autofree char *guessed = charset_guess(bytes, length, NULL, NULL);
	gboolean cut = FALSE;
	char *text = text_from_bytes(guessed, strlen(guessed), CAP_NAME_BYTES, &cut);

	if (cut || bytes[length])
		record_note_cap(unpacker->record, CAP_NAME_BYTES_NAME);
	if (strcmp(text, bytes) != 0)
		*ret_raw = g_bytes_new(bytes, length);
	return text;
}

/* ---- one member ---- */

/* Makes the file of a member; NULL when a cap leaves no room for it. */
static struct file *
add_member(struct unpacker *unpacker, const struct container *container, const char *name,
	   const char *other, GBytes *raw)
{
	g_autofree char *wanted = g_strconcat(container->file->path, "!/", name, NULL);
	g_autofree char *path = NULL;
	struct file *file;

	if (unpacker->members->len >= unpacker->limits.members) {
		spend(unpacker, CAP_MEMBERS_NAME, TRUE);
		return NULL;
	}
	unpacker->names_bytes += strlen(wanted) + strlen(name) + (raw ? g_bytes_get_size(raw) : 0);
	if (unpacker->names_bytes > unpacker->limits.names_bytes) {
		spend(unpacker, CAP_NAMES_BYTES_NAME, TRUE);
		return NULL;
	}
	path = free_path(unpacker, wanted);
	file = file_new(path);
	file->parent = container->parent;
	file_add_name(file, base_name(name), "member", raw);
	if (other)
		file_add_name(file, other, "compressed", NULL);
	g_ptr_array_add(unpacker->members, file);
	return file;
}

static struct file *
describe_member(struct unpacker *unpacker, const struct container *container,
		const struct archive_member *member)
{
	g_autofree char *single = container->single ? single_name(container->file) : NULL;
	g_autoptr(GBytes) raw = NULL;
	g_autofree char *name = NULL;
	struct file *file;

	/* libarchive says "data" where nothing says a name. */
	if (container->single && single && g_strcmp0(member->name, "data") == 0)
		name = g_steal_pointer(&single);
	else
		name = member_name(unpacker, member->name ? member->name : "", &raw);
	file = add_member(unpacker, container, *name ? name : "data", single, raw);
	if (file && member->encrypted)
		file->flags |= FILE_ENCRYPTED;
	return file;
}

/* Keeps a member's first bytes, and all of them when they are an archive's. */
static void
keep(struct unpacker *unpacker, GByteArray *kept, const void *bytes, gsize length)
{
	gsize head = kept->len < MAGIC_IMAGE_BYTES ? MAGIC_IMAGE_BYTES - kept->len : 0;
	gsize room = unpacker->limits.kept_bytes -
		     MIN(unpacker->kept_bytes, unpacker->limits.kept_bytes);
	gsize some = MIN(length, head);

	g_byte_array_append(kept, bytes, (guint)some);
	if (some == length || !unpack_is_archive(kept->data, kept->len))
		return;
	room -= MIN(room, kept->len);
	g_byte_array_append(kept, (const guint8 *)bytes + some, (guint)MIN(length - some, room));
}

/* Hashes a member's content; FALSE when not all of it could be read. */
static gboolean
read_content(struct unpacker *unpacker, struct archive_members *members, struct file *file,
	     GByteArray *kept)
{
	g_autoptr(GError) error = NULL;
	const void *bytes;
	gsize length;

	fingerprint_begin(unpacker->fingerprint, FALSE);
	while (archive_members_read(members, &bytes, &length, &error)) {
		if (!within_bytes(unpacker, length))
			return FALSE;
		fingerprint_add(unpacker->fingerprint, bytes, length);
		keep(unpacker, kept, bytes, length);
	}
	if (error)
		return FALSE;
	fingerprint_finish(unpacker->fingerprint, NULL, 0, file);
	if (archive_members_damaged(members))
		file->flags |= FILE_INCOMPLETE;
	return TRUE;
}

static void unpack(struct unpacker *unpacker, const struct container *container, const void *bytes,
		   gsize length);

/* Reads a member, and what is in it. */
static void
read_member(struct unpacker *unpacker, const struct container *container,
	    struct archive_members *members, const struct archive_member *member)
{
	struct file *file = describe_member(unpacker, container, member);
	g_autoptr(GByteArray) kept = NULL;
	struct container inner;

	if (!file)
		return;
	inner.parent = (int)unpacker->members->len - 1;
	file->size = member->size;
	if (file->flags & FILE_ENCRYPTED)
		return;
	kept = g_byte_array_new();
	if (!read_content(unpacker, members, file, kept))
		file->flags |= FILE_INCOMPLETE;
	file->detected_type = g_strdup(magic_type(kept->data, kept->len));
	inner.file = file;
	inner.depth = container->depth + 1;
	unpacker->kept_bytes += kept->len;
	unpack(unpacker, &inner, kept->data, kept->len);
	unpacker->kept_bytes -= kept->len;
	container->file->flags |= file->flags & FILE_INCOMPLETE;
}

/* ---- one archive ---- */

static void
read_members(struct unpacker *unpacker, const struct container *container, const void *bytes,
	     gsize length)
{
	g_autoptr(archive_members_t) members =
		archive_members_open(container->file->detected_type, bytes, length);
	g_autoptr(GError) error = NULL;
	struct archive_member member;

	while (!unpacker->part_spent && within_cpu(unpacker) &&
	       archive_members_next(members, &member, &error))
		read_member(unpacker, container, members, &member);
	if (archive_members_encrypted(members))
		container->file->flags |= FILE_ENCRYPTED;
	else if (error)
		container->file->flags |= FILE_INCOMPLETE;
	if (unpacker->part_spent)
		container->file->flags |= FILE_INCOMPLETE;
}

/* Recurses, CAP_NESTING levels at most. */
static void
unpack(struct unpacker *unpacker, const struct container *container, const void *bytes,
       gsize length)
{
	struct container inner = *container;
	struct file *file = container->file;

	if (!archive_members_known(file->detected_type))
		return;
	inner.single = archive_members_single(file->detected_type);
	if (file->size > length) {
		record_note_cap(unpacker->record, CAP_KEPT_BYTES_NAME);
		file->flags |= FILE_INCOMPLETE;
	}
	if (container->depth >= CAP_NESTING) {
		record_note_cap(unpacker->record, CAP_NESTING_NAME);
		file->flags |= FILE_INCOMPLETE;
		return;
	}
	read_members(unpacker, &inner, bytes, length);
}

gboolean
unpack_is_archive(const void *bytes, gsize length)
{
	return archive_members_known(magic_type(bytes, length));
}

void
unpack_file(struct unpacker *unpacker, guint index, const void *bytes, gsize length, guint depth)
{
	struct container container = {
		.file = g_ptr_array_index(unpacker->record->files, index),
		.parent = ~(int)index,
		.depth = depth,
	};
	guint64 size = container.file->size;

	unpacker->part_start_us = cpu_now_us();
	unpacker->part_spent = unpacker->spent;
	unpacker->part_bytes = 0;
	unpacker->part_most = MAX(size * unpacker->limits.ratio, unpacker->limits.free_bytes);
	unpack(unpacker, &container, bytes, length);
	unpacker->cpu_us += cpu_now_us() - unpacker->part_start_us;
}

void
unpack_finish(struct unpacker *unpacker)
{
	GPtrArray *files = unpacker->record->files;
	int base = (int)files->len;

	for (guint i = 0; i < unpacker->members->len; i++) {
		struct file *file = g_ptr_array_index(unpacker->members, i);

		file->parent = file->parent < 0 ? ~file->parent : base + file->parent;
		g_ptr_array_add(files, file);
	}
	g_ptr_array_unref(unpacker->members);
	g_hash_table_unref(unpacker->paths);
	g_free(unpacker);
}
