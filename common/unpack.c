/* SPDX-License-Identifier: BSD-2-Clause */
#include "unpack.h"

#include <string.h>
#include <sys/resource.h>

#include "archive_members.h"
#include "caps.h"
#include "charset.h"
#include "document_urls.h"
#include "embedded.h"
#include "encrypted_zip.h"
#include "magic.h"
#include "mail_file.h"
#include "passwords.h"
#include "rar_headers.h"
#include "scan.h"
#include "seven_headers.h"
#include "text.h"
#include "zip_views.h"

G_STATIC_ASSERT(CAP_FILES == CAP_PARTS + CAP_MEMBERS);

/* Of documents whose links are looked for. */
#define PDF_TYPE "application/pdf"

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
	gsize link_bytes; /* of members that were searched for links */
	gboolean links;	  /* the member in hand is one of them */
	gboolean mail;	  /* or a message, by its name */
	unpack_mail_function read_mail;
	gpointer mail_user;
	GPtrArray *locked; /* of struct locked_archive, until the end */
	struct passwords *passwords;
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

/* An archive with encrypted members, kept until all words of the message are known. */
struct locked_archive {
	struct container container;
	GBytes *bytes;
	GPtrArray *files; /* of struct file, in the archive's order */
	GPtrArray *names; /* of char *: their raw names */
};

static void
locked_archive_free(struct locked_archive *locked)
{
	g_bytes_unref(locked->bytes);
	g_ptr_array_unref(locked->files);
	g_ptr_array_unref(locked->names);
	g_free(locked);
}

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
	unpacker->locked = g_ptr_array_new_with_free_func((GDestroyNotify)locked_archive_free);
	unpacker->passwords = passwords_new();
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

/* Begins the account of a part of so many bytes. */
static void
begin_part(struct unpacker *unpacker, guint64 size)
{
	unpacker->part_start_us = cpu_now_us();
	unpacker->part_spent = unpacker->spent;
	unpacker->part_bytes = 0;
	unpacker->part_most = MAX(size * unpacker->limits.ratio, unpacker->limits.free_bytes);
}

static void
end_part(struct unpacker *unpacker)
{
	unpacker->cpu_us += cpu_now_us() - unpacker->part_start_us;
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

static gboolean
is_opened(const char *type)
{
	return archive_members_known(type) || scan_opens(type) || g_strcmp0(type, PDF_TYPE) == 0;
}

/* Whether a member is a message to be read. */
static gboolean
is_mail(const struct unpacker *unpacker, const char *name, const GByteArray *kept)
{
	return unpacker->read_mail && kept->len &&
	       (mail_file_is_named(name) || mail_file_begins((const char *)kept->data, kept->len));
}

/* Whether more than the first bytes of the member in hand are wanted. */
static gboolean
is_kept(const struct unpacker *unpacker, const GByteArray *kept)
{
	return unpacker->links || unpacker->mail || is_mail(unpacker, NULL, kept) ||
	       is_opened(magic_type(kept->data, kept->len));
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
	if (some == length || !is_kept(unpacker, kept))
		return;
	room -= MIN(room, kept->len);
	if (unpacker->links)
		room = MIN(room, CAP_URL_SCAN_BYTES - MIN(kept->len, CAP_URL_SCAN_BYTES));
	g_byte_array_append(kept, (const guint8 *)bytes + some, (guint)MIN(length - some, room));
}

/* Takes a piece of a member's content; FALSE when a cap is met. */
static gboolean
take_piece(struct unpacker *unpacker, GByteArray *kept, const void *bytes, gsize length)
{
	if (!within_bytes(unpacker, length))
		return FALSE;
	fingerprint_add(unpacker->fingerprint, bytes, length);
	keep(unpacker, kept, bytes, length);
	return TRUE;
}

/* Hashes a member's content, up to fingerprint_finish(); FALSE when not all of it could be read. */
static gboolean
read_pieces(struct unpacker *unpacker, struct archive_members *members, GByteArray *kept)
{
	g_autoptr(GError) error = NULL;
	const void *bytes;
	gsize length;

	fingerprint_begin(unpacker->fingerprint, FALSE);
	while (archive_members_read(members, &bytes, &length, &error))
		if (!take_piece(unpacker, kept, bytes, length))
			return FALSE;
	return error == NULL;
}

static gboolean
read_content(struct unpacker *unpacker, struct archive_members *members, struct file *file,
	     GByteArray *kept)
{
	if (!read_pieces(unpacker, members, kept))
		return FALSE;
	fingerprint_finish(unpacker->fingerprint, NULL, 0, file);
	if (archive_members_damaged(members))
		file->flags |= FILE_INCOMPLETE;
	return TRUE;
}

static void unpack(struct unpacker *unpacker, const struct container *container, const void *bytes,
		   gsize length);

/* What is left of the limits for a message in the part in hand. */
static struct unpack_limits
limits_left(const struct unpacker *unpacker)
{
	const struct unpack_limits *limits = &unpacker->limits;
	gint64 used_us = unpacker->cpu_us + cpu_now_us() - unpacker->part_start_us;

	return (struct unpack_limits){
		.members = limits->members - unpacker->members->len,
		.bytes = MIN(limits->bytes - MIN(unpacker->bytes, limits->bytes),
			     unpacker->part_most - MIN(unpacker->part_bytes, unpacker->part_most)),
		.ratio = limits->ratio,
		.free_bytes = limits->free_bytes,
		.kept_bytes = limits->kept_bytes - MIN(unpacker->kept_bytes, limits->kept_bytes),
		.names_bytes =
			limits->names_bytes - MIN(unpacker->names_bytes, limits->names_bytes),
		.cpu_ms = limits->cpu_ms - (guint)MIN(used_us / 1000, (gint64)limits->cpu_ms),
	};
}

/* Takes a file of a message below its container; base: where the first of them is to be. */
static gboolean
take_file(struct unpacker *unpacker, const struct container *container, struct file *file,
	  guint base)
{
	g_autofree char *wanted = g_strconcat(container->file->path, "!/", file->path, NULL);

	unpacker->names_bytes += strlen(wanted);
	if (unpacker->members->len >= unpacker->limits.members)
		return spend(unpacker, CAP_MEMBERS_NAME, TRUE);
	if (unpacker->names_bytes > unpacker->limits.names_bytes)
		return spend(unpacker, CAP_NAMES_BYTES_NAME, TRUE);
	g_free(file->path);
	file->path = free_path(unpacker, wanted);
	file->parent = file->parent < 0 ? container->parent : (int)base + file->parent;
	g_ptr_array_add(unpacker->members, file);
	return TRUE;
}

/* Takes what was found in a message. */
static void
take_mail(struct unpacker *unpacker, const struct container *container, struct record *mail)
{
	guint base = unpacker->members->len;

	for (guint i = 0; i < mail->files->len; i++) {
		if (!take_file(unpacker, container, mail->files->pdata[i], base)) {
			container->file->flags |= FILE_INCOMPLETE;
			break;
		}
		mail->files->pdata[i] = NULL;
	}
	for (guint i = 0; i < mail->caps->len; i++)
		record_note_cap(unpacker->record, mail->caps->pdata[i]);
	for (guint i = 0; i < mail->urls->len; i++)
		record_add_url(unpacker->record, mail->urls->pdata[i]);
}

/* Has a member read as the message that it is. */
static void
read_mail(struct unpacker *unpacker, const struct container *container, const GByteArray *kept)
{
	const struct unpack_limits left = limits_left(unpacker);
	g_autoptr(record_t) mail = NULL;
	guint64 bytes = 0;

	if (container->file->size > kept->len) {
		record_note_cap(unpacker->record, CAP_KEPT_BYTES_NAME);
		container->file->flags |= FILE_INCOMPLETE;
	}
	if (container->depth >= CAP_NESTING) {
		record_note_cap(unpacker->record, CAP_NESTING_NAME);
		container->file->flags |= FILE_INCOMPLETE;
		return;
	}
	if (unpacker->part_spent || !within_cpu(unpacker))
		return;
	container->file->flags |= FILE_MESSAGE;
	mail = unpacker->read_mail((const char *)kept->data, kept->len, container->depth + 1, &left,
				   &bytes, unpacker->mail_user);
	take_mail(unpacker, container, mail);
	within_bytes(unpacker, bytes);
}

/* Reads what is in a member; index: its own among the members. */
static void
look_into(struct unpacker *unpacker, const struct container *container, struct file *file,
	  guint index, const GByteArray *kept)
{
	struct container inner = {
		.file = file, .parent = (int)index, .depth = container->depth + 1};

	file->detected_type = g_strdup(magic_type(kept->data, kept->len));
	unpacker->kept_bytes += kept->len;
	if (is_mail(unpacker, file_best_name(file), kept))
		read_mail(unpacker, &inner, kept);
	else
		unpack(unpacker, &inner, kept->data, kept->len);
	unpacker->kept_bytes -= kept->len;
	container->file->flags |= file->flags & FILE_INCOMPLETE;
}

/* Whether a member is to be searched for links, of which there may be no more than of bodies. */
static gboolean
may_have_links(struct unpacker *unpacker, const struct archive_member *member)
{
	if (!member->name || !document_urls_are_in(member->name))
		return FALSE;
	unpacker->link_bytes += MIN(member->size, CAP_URL_SCAN_BYTES + 1);
	if (unpacker->link_bytes <= CAP_URL_SCAN_BYTES)
		return TRUE;
	record_note_cap(unpacker->record, CAP_URL_SCAN_BYTES_NAME);
	return FALSE;
}

/* Reads a member, and what is in it. */
static void
read_member(struct unpacker *unpacker, const struct container *container,
	    struct archive_members *members, const struct archive_member *member,
	    struct locked_archive *locked)
{
	struct file *file = describe_member(unpacker, container, member);
	guint index = unpacker->members->len - 1;
	g_autoptr(GByteArray) kept = NULL;

	if (!file)
		return;
	file->size = member->size;
	if (file->flags & FILE_ENCRYPTED) {
		g_ptr_array_add(locked->files, file);
		g_ptr_array_add(locked->names, g_strdup(member->name ? member->name : ""));
		return;
	}
	kept = g_byte_array_new();
	unpacker->links = may_have_links(unpacker, member);
	unpacker->mail = unpacker->read_mail && mail_file_is_named(member->name);
	if (!read_content(unpacker, members, file, kept))
		file->flags |= FILE_INCOMPLETE;
	if (unpacker->links)
		document_urls_of_relationships(unpacker->record, (const char *)kept->data,
					       kept->len);
	unpacker->links = unpacker->mail = FALSE;
	look_into(unpacker, container, file, index, kept);
}

/* ---- encrypted archives ---- */

static struct locked_archive *
locked_archive_new(const struct container *container)
{
	struct locked_archive *locked = g_new0(struct locked_archive, 1);

	locked->container = *container;
	locked->bytes = g_bytes_new_static("", 0);
	locked->files = g_ptr_array_new();
	locked->names = g_ptr_array_new_with_free_func(g_free);
	return locked;
}

/*
 * Fills in what the headers of a rar say of its encrypted members, which are in the
 * same order; one of another size is not the one.
 */
static void
describe_rar(const struct locked_archive *locked, const void *bytes, gsize length)
{
	struct rar_headers headers;
	struct rar_member member;
	guint n = 0;

	rar_headers_init(&headers, bytes, length);
	while (n < locked->files->len && rar_headers_next(&headers, &member)) {
		struct file *file = locked->files->pdata[n];

		if (!member.encrypted)
			continue;
		if (member.size != file->size)
			return;
		file->method = g_strdup(headers.version == 4 ? "rar4" : "rar5");
		file->has_crc32 = member.has_crc32;
		file->crc32 = member.has_crc32 ? member.crc32 : 0;
		n++;
	}
}

/* The same of a 7z. */
static void
describe_seven(const struct locked_archive *locked, const void *bytes, gsize length)
{
	g_autoptr(GArray) members = seven_headers_read(bytes, length);
	guint n = 0;

	for (guint i = 0; i < locked->files->len && n < members->len; i++) {
		struct file *file = locked->files->pdata[i];
		const struct seven_member *member =
			&g_array_index(members, struct seven_member, n++);

		if (member->size != file->size)
			return;
		file->method = g_strdup("7z");
		file->has_crc32 = member->has_crc32;
		file->crc32 = member->crc32;
	}
}

/* Keeps an archive that has encrypted members and may be opened, where there is room for it. */
static void
keep_locked(struct unpacker *unpacker, struct locked_archive *locked, const void *bytes,
	    gsize length)
{
	if (locked->files->len == 0 ||
	    !archive_members_decrypted(locked->container.file->detected_type)) {
		describe_rar(locked, bytes, length);
		describe_seven(locked, bytes, length);
		locked_archive_free(locked);
		return;
	}
	if (unpacker->kept_bytes + length > unpacker->limits.kept_bytes) {
		record_note_cap(unpacker->record, CAP_KEPT_BYTES_NAME);
		locked_archive_free(locked);
		return;
	}
	unpacker->kept_bytes += length;
	g_bytes_unref(locked->bytes);
	locked->bytes = g_bytes_new(bytes, length);
	g_ptr_array_add(unpacker->locked, locked);
}

/* Finds the next of the encrypted files with this name that is not described yet. */
static struct file *
find_locked(const struct locked_archive *locked, const char *name)
{
	for (guint i = 0; i < locked->files->len; i++) {
		struct file *file = locked->files->pdata[i];

		if (!file->method && g_str_equal(locked->names->pdata[i], name))
			return file;
	}
	return NULL;
}

/* Fills in what a zip's directory says of its encrypted members. */
static void
describe_locked(const struct locked_archive *locked)
{
	gsize length;
	const void *bytes = g_bytes_get_data(locked->bytes, &length);
	g_autoptr(encrypted_zip_t) zip = encrypted_zip_open(bytes, length);
	struct encrypted_zip_member member;

	while (zip && encrypted_zip_next(zip, &member)) {
		struct file *file = find_locked(locked, member.name);

		if (!file)
			continue;
		file->method = g_strdup(member.method);
		file->size = member.size;
		file->has_crc32 = member.has_crc32;
		file->crc32 = member.crc32;
	}
}

static guint
index_of(const struct unpacker *unpacker, const struct file *file)
{
	guint index = 0;

	g_ptr_array_find(unpacker->members, file, &index);
	return index;
}

/*
 * Reads a member with the password that the archive was opened with, if it is
 * the member's: a wrong one is taken for right at first once in 256 times, and
 * shows by the checksum at the end.
 */
static void
open_member(struct unpacker *unpacker, const struct locked_archive *locked,
	    struct archive_members *members, struct file *file)
{
	g_autoptr(GByteArray) kept = g_byte_array_new();
	char *method;

	if (!read_pieces(unpacker, members, kept) || archive_members_damaged(members))
		return;
	fingerprint_finish(unpacker->fingerprint, NULL, 0, file);
	file->flags &= ~(guint32)FILE_ENCRYPTED;
	method = g_strconcat(file->method ? file->method : "unknown", "+opened", NULL);
	g_free(file->method);
	file->method = method;
	look_into(unpacker, &locked->container, file, index_of(unpacker, file), kept);
}

/* Tries a password on what is still locked; TRUE when nothing is any more. */
static gboolean
try_password(struct unpacker *unpacker, const struct locked_archive *locked, const char *password)
{
	gsize length;
	const void *bytes = g_bytes_get_data(locked->bytes, &length);
	g_autoptr(archive_members_t) members = archive_members_open(
		locked->container.file->detected_type, bytes, length, password);
	struct archive_member member;
	guint n = 0, left = 0;

	while (!unpacker->part_spent && within_cpu(unpacker) && n < locked->files->len &&
	       archive_members_next(members, &member, NULL)) {
		struct file *file;

		if (!member.encrypted)
			continue;
		file = locked->files->pdata[n++];
		if (file->flags & FILE_ENCRYPTED)
			open_member(unpacker, locked, members, file);
		left += (file->flags & FILE_ENCRYPTED) != 0;
	}
	return unpacker->part_spent || left == 0;
}

/* A part's worth of limits is begun for each; archives that are met in one follow it. */
static void
open_locked(struct unpacker *unpacker)
{
	const char *subject = unpacker->record->subject;

	if (unpacker->locked->len == 0)
		return;
	if (subject)
		passwords_add_text(unpacker->passwords, subject, strlen(subject), FALSE);
	for (guint i = 0; i < unpacker->locked->len; i++) {
		const struct locked_archive *locked = unpacker->locked->pdata[i];
		gboolean open = FALSE;

		describe_locked(locked);
		begin_part(unpacker, g_bytes_get_size(locked->bytes));
		for (guint n = 0; n < passwords_count(unpacker->passwords) && !open; n++)
			open = try_password(unpacker, locked,
					    passwords_nth(unpacker->passwords, n));
		end_part(unpacker);
	}
}

/* ---- members on which readers of a zip disagree ---- */

/* A zip in hand whose members from number first on were read as libarchive does. */
struct viewing {
	struct unpacker *unpacker;
	const struct container *container;
	guint first;
};

/* Whether two members of one archive are the same: encrypted ones by what is told of them. */
static gboolean
is_same_member(const struct file *a, const struct file *b)
{
	static const struct digests none;

	if (a->parent != b->parent || a->size != b->size)
		return FALSE;
	if (memcmp(&a->digests, &none, sizeof(none)) != 0)
		return memcmp(&a->digests, &b->digests, sizeof(none)) == 0;
	return memcmp(&b->digests, &none, sizeof(none)) == 0 &&
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

/* Reads a member by another view of it, and keeps what the archive did not show so far. */
static gboolean
take_view(const struct zip_view *view, gpointer user)
{
	struct viewing *viewing = user;
	struct unpacker *unpacker = viewing->unpacker;
	g_autoptr(archive_members_t) members =
		archive_members_open_local(view->bytes, view->length);
	g_autoptr(GByteArray) kept = g_byte_array_new();
	struct archive_member member;
	struct file *file, *same;
	guint index;

	if (unpacker->part_spent || !within_cpu(unpacker))
		return FALSE;
	if (!archive_members_next(members, &member, NULL))
		return TRUE;
	file = describe_member(unpacker, viewing->container, &member);
	if (!file)
		return FALSE;
	index = unpacker->members->len - 1;
	file->size = member.size;
	if (!member.encrypted && !read_content(unpacker, members, file, kept))
		file->flags |= FILE_INCOMPLETE;
	same = find_same_member(viewing, file);
	if (same) {
		merge_last_member(unpacker, same, view->reading);
		return TRUE;
	}
	name_reading(file, view->reading);
	if (member.encrypted)
		viewing->container->file->flags |= FILE_ENCRYPTED;
	else
		look_into(unpacker, viewing->container, file, index, kept);
	return TRUE;
}

static void
read_views(struct unpacker *unpacker, const struct container *container, guint first,
	   const void *bytes, gsize length)
{
	struct viewing viewing = {unpacker, container, first};

	if (!unpacker->part_spent && archive_members_zip(container->file->detected_type))
		zip_views(bytes, length, take_view, &viewing);
}

/* ---- one archive ---- */

/*
 * Whether a rar's headers, which are in the same order, say that a member is encrypted;
 * libarchive 3.6 does not, of version 5, and hands out what it cannot decrypt.
 */
static gboolean
is_encrypted_rar(struct rar_headers *headers, const struct archive_member *member)
{
	struct rar_member found;

	while (headers->version == 5 && member->name && rar_headers_next(headers, &found))
		if (found.name_length == strlen(member->name) &&
		    memcmp(found.name, member->name, found.name_length) == 0)
			return found.encrypted;
	return FALSE;
}

/* Whether more of a rar is encrypted than what could be listed of it. */
static gboolean
is_hidden_rar(struct rar_headers *headers)
{
	struct rar_member member;
	gboolean encrypted = FALSE;

	while (!encrypted && rar_headers_next(headers, &member))
		encrypted = member.encrypted;
	return encrypted || headers->hidden;
}

static void
read_members(struct unpacker *unpacker, const struct container *container, const void *bytes,
	     gsize length)
{
	g_autoptr(archive_members_t) members =
		archive_members_open(container->file->detected_type, bytes, length, NULL);
	struct locked_archive *locked = locked_archive_new(container);
	guint first = unpacker->members->len;
	g_autoptr(GError) error = NULL;
	struct archive_member member;
	struct rar_headers rar;
	gboolean encrypted;

	rar_headers_init(&rar, bytes,
			 archive_members_rar(container->file->detected_type) ? length : 0);
	while (!unpacker->part_spent && within_cpu(unpacker) &&
	       archive_members_next(members, &member, &error)) {
		member.encrypted |= is_encrypted_rar(&rar, &member);
		read_member(unpacker, container, members, &member, locked);
	}
	encrypted = archive_members_encrypted(members) || locked->files->len || is_hidden_rar(&rar);
	read_views(unpacker, container, first, bytes, length);
	keep_locked(unpacker, locked, bytes, length);
	if (encrypted)
		container->file->flags |= FILE_ENCRYPTED;
	else if (error)
		container->file->flags |= FILE_INCOMPLETE;
	if (unpacker->part_spent)
		container->file->flags |= FILE_INCOMPLETE;
}

/* ---- documents and installers ---- */

/* Where the files of a content go that the engine opens. */
struct scanning {
	struct unpacker *unpacker;
	const struct container *container;
	GArray *levels;	    /* of struct container: the last of each level */
	GHashTable *shown;  /* struct file by digest: the engine shows some twice */
	guint first, end;   /* the members that were read before */
	GPtrArray *matches; /* of the file that is scanned: where names of signatures go */
};

static char *
digest_text(const void *bytes, gsize length)
{
	guint8 sha256[SHA256_BYTES];

	digest_sha256(bytes, length, sha256);
	return hex_encode(sha256, sizeof(sha256));
}

/* The file that a layer is in: the last of the levels above that was one. */
static const struct container *
parent_of(struct scanning *scanning, guint level)
{
	g_array_set_size(scanning->levels, MIN(scanning->levels->len, level));
	for (guint i = scanning->levels->len; i-- > 0;)
		if (g_array_index(scanning->levels, struct container, i).file)
			return &g_array_index(scanning->levels, struct container, i);
	return scanning->container;
}

/* Notes what a level has now; levels that were passed over have nothing. */
static void
enter_level(struct scanning *scanning, guint level, const struct container *container)
{
	static const struct container nothing;

	while (scanning->levels->len < level)
		g_array_append_val(scanning->levels, nothing);
	g_array_append_val(scanning->levels, *container);
}

static void
fill_layer(struct unpacker *unpacker, const struct scan_layer *layer, struct file *file)
{
	fingerprint_begin(unpacker->fingerprint, FALSE);
	fingerprint_add(unpacker->fingerprint, layer->bytes, layer->length);
	fingerprint_finish(unpacker->fingerprint, NULL, 0, file);
	file->detected_type = g_strdup(magic_type(layer->bytes, layer->length));
}

/* The place of the member of this name that could not be read before; or -1. */
static int
find_unread(const struct scanning *scanning, const char *name)
{
	const GPtrArray *members = scanning->unpacker->members;
	static const struct digests none;

	for (guint i = scanning->first; i < scanning->end; i++) {
		const struct file *file = g_ptr_array_index(members, i);

		if ((file->flags & FILE_INCOMPLETE) &&
		    memcmp(&file->digests, &none, sizeof(none)) == 0 &&
		    g_strcmp0(file_best_name(file), base_name(name)) == 0)
			return (int)i;
	}
	return -1;
}

/* The place of the file for a layer: one that is told complete now, or a new one; or -1. */
static int
place_of_layer(struct scanning *scanning, const struct container *parent, const char *name,
	       GBytes *raw)
{
	struct unpacker *unpacker = scanning->unpacker;
	int index = find_unread(scanning, name);
	struct file *file;

	if (index < 0)
		return add_member(unpacker, parent, name, NULL, raw)
			       ? (int)unpacker->members->len - 1
			       : -1;
	file = g_ptr_array_index(unpacker->members, (guint)index);
	file->flags &= ~(guint32)FILE_INCOMPLETE;
	g_clear_pointer(&file->detected_type, g_free);
	return index;
}

static gboolean
take_layer(const struct scan_layer *layer, void *data)
{
	struct scanning *scanning = data;
	struct unpacker *unpacker = scanning->unpacker;
	const struct container *parent = parent_of(scanning, layer->level);
	g_autofree char *digest = NULL;
	g_autoptr(GBytes) raw = NULL;
	g_autofree char *name = NULL;
	struct container inner;
	int index;

	if (!within_bytes(unpacker, layer->length))
		return FALSE;
	digest = digest_text(layer->bytes, layer->length);
	if (!g_hash_table_add(scanning->shown, g_steal_pointer(&digest)))
		return TRUE;
	name = layer->name ? member_name(unpacker, layer->name, &raw) : g_strdup("data");
	index = place_of_layer(scanning, parent, name, raw);
	if (index < 0)
		return FALSE;
	inner = (struct container){
		.file = g_ptr_array_index(unpacker->members, (guint)index),
		.parent = index,
		.depth = parent->depth + 1,
	};
	fill_layer(unpacker, layer, inner.file);
	enter_level(scanning, layer->level, &inner);
	return TRUE;
}

static void
take_match(const char *signature, void *data)
{
	struct scanning *scanning = data;
	GPtrArray *names = scanning->matches;
	char *text = text_from_bytes(signature, strlen(signature), CAP_SIGNATURE_BYTES, NULL);

	if (names->len < CAP_SIGNATURES &&
	    !g_ptr_array_find_with_equal_func(names, text, g_str_equal, NULL))
		g_ptr_array_add(names, text);
	else
		g_free(text);
}

/* A body is the mail's own text, in which the engine has no file to find. */
static gboolean
is_to_scan(const struct unpacker *unpacker, const struct file *file)
{
	if (unpacker->part_spent)
		return FALSE;
	if (file_is_member(file))
		return scan_opens(file->detected_type);
	return !(file->flags & FILE_BODY) && scan_opens_attachment(file->detected_type);
}

/* Members that were read already, from number first on, are not shown again. */
static void
note_members(struct scanning *scanning, guint first)
{
	const GPtrArray *members = scanning->unpacker->members;

	for (guint i = first; i < members->len; i++) {
		const struct file *file = g_ptr_array_index(members, i);

		g_hash_table_add(scanning->shown, hex_encode(file->digests.sha256, SHA256_BYTES));
	}
}

static struct scan_limits
limits_of(const struct unpacker *unpacker)
{
	guint64 left = unpacker->limits.bytes - MIN(unpacker->bytes, unpacker->limits.bytes);

	return (struct scan_limits){
		.bytes = MIN(left, WORKER_TEMP_BYTES),
		.files = unpacker->limits.members,
		.levels = SCAN_LEVELS,
		.ms = unpacker->limits.cpu_ms,
	};
}

/*
 * Has the engine open a content, and match it where there are signatures.  first: of
 * the members that are in it already.
 */
static void
scan(struct unpacker *unpacker, const struct container *container, const void *bytes, gsize length,
     guint first)
{
	struct scanning scanning = {
		.unpacker = unpacker,
		.container = container,
		.levels = g_array_new(FALSE, FALSE, sizeof(struct container)),
		.shown = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
		.matches = container->file->malware,
	};
	const struct scan_limits limits = limits_of(unpacker);

	scanning.first = first;
	scanning.end = unpacker->members->len;
	g_hash_table_add(scanning.shown, digest_text(bytes, length));
	note_members(&scanning, first);
	if (!scan_content(bytes, length, &limits, take_layer, take_match, &scanning)) {
		record_note_cap(unpacker->record, CAP_SCAN_NAME);
		container->file->flags |= FILE_INCOMPLETE;
	}
	g_array_unref(scanning.levels);
	g_hash_table_unref(scanning.shown);
}

static gboolean
pass_layer(const struct scan_layer *layer, void *data)
{
	return TRUE;
}

/* Matches a content with the signatures, where others look into it; what they find is theirs. */
static void
match(struct unpacker *unpacker, struct file *file, const void *bytes, gsize length)
{
	struct scanning scanning = {.unpacker = unpacker, .matches = file->malware};
	const struct scan_limits limits = limits_of(unpacker);

	if (unpacker->part_spent)
		return;
	if (file->size > length ||
	    !scan_content(bytes, length, &limits, pass_layer, take_match, &scanning))
		record_note_cap(unpacker->record, CAP_SCAN_NAME);
}

/* Reads an archive's members; recurses, CAP_NESTING levels at most. */
static void
unpack_archive(struct unpacker *unpacker, const struct container *container, const void *bytes,
	       gsize length)
{
	struct container inner = *container;
	struct file *file = container->file;

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

/* What libarchive cannot decompress (implode, deflate64) the engine may. */
static gboolean
is_left_to_engine(const struct unpacker *unpacker, const struct container *container)
{
	return archive_members_known(container->file->detected_type) &&
	       container->depth < CAP_NESTING && (container->file->flags & FILE_INCOMPLETE) &&
	       scan_is_ready() && !unpacker->part_spent;
}

/* The engine comes last, since what was read before it need not be shown again. */
static void
unpack(struct unpacker *unpacker, const struct container *container, const void *bytes,
       gsize length)
{
	struct file *file = container->file;
	guint before = unpacker->members->len;

	if (archive_members_known(file->detected_type))
		unpack_archive(unpacker, container, bytes, length);
	if (g_strcmp0(file->detected_type, PDF_TYPE) == 0)
		document_urls_of_pdf(unpacker->record, bytes, length);
	if (file->size == length &&
	    (is_to_scan(unpacker, file) || is_left_to_engine(unpacker, container)))
		scan(unpacker, container, bytes, length, before);
}

gboolean
unpack_is_archive(const void *bytes, gsize length, gboolean attachment)
{
	const char *type = magic_type(bytes, length);

	return scan_has_signatures() || is_opened(type) ||
	       g_strcmp0(type, EMBEDDED_TNEF_TYPE) == 0 ||
	       (attachment && scan_opens_attachment(type));
}

void
unpack_file(struct unpacker *unpacker, guint index, const void *bytes, gsize length, guint depth)
{
	struct container container = {
		.file = g_ptr_array_index(unpacker->record->files, index),
		.parent = ~(int)index,
		.depth = depth,
	};

	begin_part(unpacker, container.file->size);
	if (scan_has_signatures() && !is_to_scan(unpacker, container.file))
		match(unpacker, container.file, bytes, length);
	unpack(unpacker, &container, bytes, length);
	end_part(unpacker);
}

void
unpacker_add_text(struct unpacker *unpacker, const char *text, gsize length, gboolean html)
{
	passwords_add_text(unpacker->passwords, text, length, html);
}

void
unpacker_read_mail_by(struct unpacker *unpacker, unpack_mail_function read, gpointer user)
{
	unpacker->read_mail = read;
	unpacker->mail_user = user;
}

guint64
unpack_finish(struct unpacker *unpacker)
{
	GPtrArray *files = unpacker->record->files;
	int base = (int)files->len;
	guint64 bytes;

	open_locked(unpacker);
	bytes = unpacker->bytes;
	for (guint i = 0; i < unpacker->members->len; i++) {
		struct file *file = g_ptr_array_index(unpacker->members, i);

		file->parent = file->parent < 0 ? ~file->parent : base + file->parent;
		g_ptr_array_add(files, file);
	}
	g_ptr_array_unref(unpacker->members);
	g_ptr_array_unref(unpacker->locked);
	passwords_free(unpacker->passwords);
	g_hash_table_unref(unpacker->paths);
	g_free(unpacker);
	return bytes;
}
