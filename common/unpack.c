/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "unpack_private.h"

#include <string.h>

#include "archive_behind.h"
#include "caps.h"
#include "document_urls.h"
#include "embedded.h"
#include "magic.h"
#include "rar_headers.h"
#include "scan.h"

G_STATIC_ASSERT(CAP_FILES == CAP_PARTS + CAP_MEMBERS);

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

/* Of documents whose links are looked for. */
#define PDF_TYPE "application/pdf"

/* Of a zip that stands behind something else. */
#define ZIP_TYPE "application/zip"

/* Of what ends with four zeros, where it has no checksum. */
#define LZ4_TYPE "application/x-lz4"
#define LZ4_END_BYTES 4

/* Documents that are made of sectors or pages have a multiple of it. */
#define LEAST_SECTOR_BYTES 512

gboolean
unpack_is_opened(const char *type)
{
	return archive_members_known(type) || scan_opens(type) || g_strcmp0(type, PDF_TYPE) == 0;
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

/* A member that a zip may end, or that may have another archive in it, of which the first bytes
 * alone were kept. */
struct ended {
	guint nth;   /* file of the archive */
	guint index; /* among the members */
};

/* What is dropped costs time alone. */
static gboolean
may_go_on(G_GNUC_UNUSED gsize length, gpointer user)
{
	return unpack_within_cpu(user);
}

struct archive_members *
unpack_open_members(struct unpacker *unpacker, const struct container *container, const void *bytes,
		    gsize length, const char *password)
{
	struct archive_members *members;

	if (archive_members_zip(container->type))
		length = zip_record_ends(bytes, length);
	members = archive_members_open(container->type, bytes, length, password);
	archive_members_watch(members, may_go_on, unpacker);
	return members;
}

/* Goes to the next member; what is compressed by itself may be damaged before the first. */
static gboolean
next_member(struct unpacker *unpacker, struct archive_members *members,
	    struct archive_member *member, GError **error)
{
	g_autoptr(GError) cause = NULL;

	if (archive_members_next(members, member, &cause))
		return TRUE;
	if (!cause)
		return FALSE;
	if (unpack_begin_again(unpacker, members))
		return archive_members_next(members, member, error);
	g_propagate_error(error, g_steal_pointer(&cause));
	return FALSE;
}

/* Reads an archive once more, for members that turned out to end with a zip. */
static void
read_again(struct unpacker *unpacker, const struct container *container, const void *bytes,
	   gsize length, const GArray *ended)
{
	g_autoptr(archive_members_t) members =
		unpack_open_members(unpacker, container, bytes, length, NULL);
	struct archive_member member;
	guint i = 0;

	for (guint n = 0; i < ended->len && !unpacker->part_spent && unpack_within_cpu(unpacker) &&
			  next_member(unpacker, members, &member, NULL);
	     n++)
		if (g_array_index(ended, struct ended, i).nth == n)
			unpack_read_ended(unpacker, container, members,
					  g_array_index(ended, struct ended, i++).index);
}

/* Returns whether they are a zip's. */
static gboolean
read_members(struct unpacker *unpacker, const struct container *container, const void *bytes,
	     gsize length)
{
	g_autoptr(archive_members_t) members =
		unpack_open_members(unpacker, container, bytes, length, NULL);
	struct locked_archive *locked = locked_archive_new(container);
	guint first = unpacker->members->len;
	g_autoptr(GError) error = NULL;
	struct archive_member member;
	struct rar_headers rar;
	g_autoptr(GArray) ended = g_array_new(FALSE, FALSE, sizeof(struct ended));
	struct ended at = {0, first};
	gboolean encrypted, zip, none;

	rar_headers_init(&rar, bytes, archive_members_rar(container->type) ? length : 0);
	while (!unpacker->part_spent && unpack_within_cpu(unpacker) &&
	       next_member(unpacker, members, &member, &error)) {
		member.encrypted |= is_encrypted_rar(&rar, &member);
		if (unpack_read_member(unpacker, container, members, &member, locked))
			g_array_append_val(ended, at);
		at = (struct ended){at.nth + 1, unpacker->members->len};
	}
	if (ended->len)
		read_again(unpacker, container, bytes, length, ended);
	encrypted = archive_members_encrypted(members) || locked->files->len || is_hidden_rar(&rar);
	zip = archive_members_decrypted(members);
	none = unpacker->members->len == first;
	/* One that a program unpacks and of which libarchive lists none is opened as a zip behind,
	 * if it can be. */
	if (archive_members_zip(container->type) || (zip && !(none && zip_ends(bytes, length))))
		unpack_read_views(unpacker, container, first, error || none, bytes, length);
	if (archive_members_tar(container->type))
		unpack_read_tar_views(unpacker, container, first, bytes, length);
	if (archive_members_disc(container->type))
		unpack_read_trees(unpacker, container, first, bytes, length);
	unpack_keep_locked(unpacker, locked, zip, bytes, length);
	if (encrypted)
		container->file->flags |= FILE_ENCRYPTED;
	else if (error)
		container->file->flags |= FILE_INCOMPLETE;
	if (unpacker->part_spent)
		container->file->flags |= FILE_INCOMPLETE;
	return zip;
}

/*
 * Reads an archive's members as one of a type has them; recurses, CAP_NESTING levels at most.
 * Returns whether they are a zip's.
 */
static gboolean
unpack_archive(struct unpacker *unpacker, const struct container *container, const char *type,
	       const void *bytes, gsize length)
{
	struct container inner = *container;
	struct file *file = container->file;
	g_autofree void *files = NULL;

	inner.type = type;
	inner.single = archive_members_single(type);
	if (container->depth >= CAP_NESTING) {
		record_note_cap(unpacker->record, CAP_NESTING_NAME);
		file->flags |= FILE_INCOMPLETE;
		return FALSE;
	}
	if (archive_members_zip(type))
		files = zip_as_files(bytes, length);
	return read_members(unpacker, &inner, files ? files : bytes, length);
}

/* What libarchive cannot decompress (implode, deflate64) the engine may. */
static gboolean
is_left_to_engine(const struct unpacker *unpacker, const struct container *container)
{
	return archive_members_known(container->file->detected_type) &&
	       container->depth < CAP_NESTING && (container->file->flags & FILE_INCOMPLETE) &&
	       scan_is_ready() && !unpacker->part_spent;
}

/* Documents hold others as they stand, which may be zips, and the last of them near the end. */
static gboolean
is_document(const char *type)
{
	static const char *const types[] = {PDF_TYPE,
					    "application/x-ole-storage",
					    "application/onenote",
					    "application/vnd.ms-htmlhelp",
					    "application/vnd.ms-outlook-pst",
					    "application/vnd.sqlite3",
					    NULL};

	return type && g_strv_contains(types, type);
}

/* Whether the bytes are such as get behind a content without being any: zeros, blanks, breaks. */
static gboolean
is_blank(const guint8 *bytes, gsize length)
{
	for (gsize i = 0; i < length; i++)
		if (!memchr(" \0\t\n\v\f\r", bytes[i], 7))
			return FALSE;
	return TRUE;
}

/*
 * Whether a zip that ends so many bytes before the end of a document, or of what is compressed
 * by itself, was put behind it: what is held in one has more than blanks behind it, but where
 * sectors are filled up with zeros, and in LZ4, which ends with some.  In a PDF it has the end of a
 * stream (ISO 32000-1, 7.3.8.1).
 */
static gboolean
is_put_behind(const char *type, const guint8 *bytes, gsize length, gsize rest)
{
	gboolean pdf = g_strcmp0(type, PDF_TYPE) == 0;
	gboolean filled = is_document(type) && !pdf && length % LEAST_SECTOR_BYTES == 0;

	if (pdf)
		return !memmem(bytes + length - rest, rest, "endstream", strlen("endstream"));
	if (rest && (filled || (rest == LZ4_END_BYTES && g_str_equal(type, LZ4_TYPE))))
		return FALSE;
	return is_blank(bytes + length - rest, rest);
}

/*
 * Whether a content is to be opened as a zip beside what its first bytes say.  Unzippers look
 * for the directory at its end alone.  An archive that was read to its end is only that, though
 * it may end with a zip that is stored in it; what is compressed by itself, or a document, does
 * not end with one that it holds.  Nobody opens a body.  first: of its members.
 */
static gboolean
is_also_zip(const struct unpacker *unpacker, const struct file *file, const void *bytes,
	    gsize length, guint first)
{
	gboolean read = unpacker->members->len > first && !(file->flags & FILE_INCOMPLETE);
	const char *type = file->detected_type;
	gsize end;

	if (archive_members_zip(type) || file->flags & FILE_BODY || file->size != length)
		return FALSE;
	end = zip_ends(bytes, length);
	if (end && ((read && archive_members_single(type)) || is_document(type)))
		return is_put_behind(type, bytes, length, length - end);
	return end && !(read && archive_members_known(type));
}

/*
 * Whether a content is to be searched for archives that stand behind its first bytes, which are
 * none that were read.  What is as it stands in a document, a program, an archive or a wrapper
 * is its own reader's; what is signed in a member is looked into by none.
 */
static gboolean
is_searched(const struct file *file, const void *bytes, gsize length, gboolean read)
{
	static const char *const types[] = {"application/vnd.microsoft.portable-executable",
					    "application/x-elf",
					    "application/x-arj",
					    "application/vnd.symbian.install",
					    EMBEDDED_TNEF_TYPE,
					    NULL};
	const char *type = magic_type(bytes, length);
	g_autoptr(GByteArray) content = NULL;

	if (file->flags & FILE_BODY || file->size != length)
		return FALSE;
	if (type && (g_strv_contains(types, type) || (read && archive_members_known(type))))
		return FALSE;
	if (is_document(type) && !g_str_equal(type, PDF_TYPE))
		return FALSE;
	content = file_is_member(file) ? NULL : embedded_in_signed(bytes, length);
	return !content;
}

/* Where archives may begin at first: in a PDF behind its streams, in which it holds others. */
static gsize
search_begin(const struct file *file, const guint8 *bytes, gsize length)
{
	static const char mark[] = "endstream";
	const guint8 *at = bytes, *found;

	if (g_strcmp0(file->detected_type, PDF_TYPE) != 0)
		return 1;
	while ((found = memmem(at, length - (gsize)(at - bytes), mark, sizeof(mark) - 1)) != NULL)
		at = found + sizeof(mark) - 1;
	return MAX(1, (gsize)(at - bytes));
}

/* Where none begins any more: those in the zip that ends a content are its members. */
static gsize
search_end(const void *bytes, gsize length)
{
	gsize begin = length;

	if (zip_ends(bytes, length))
		g_array_unref(zip_offsets(bytes, length, &begin));
	return begin;
}

/*
 * Reads the archives that stand behind a content's first bytes, one after the other; what does not
 * say where it ends is the last, unless nothing is read of it.
 */
static void
read_behind(struct unpacker *unpacker, const struct container *container, const guint8 *bytes,
	    gsize length)
{
	gsize at = search_begin(container->file, bytes, length), end = search_end(bytes, length);
	struct archive_behind found;

	while (!unpacker->part_spent && archive_behind_next(bytes, length, at, &found) &&
	       found.begin < end) {
		guint before = unpacker->members->len;

		if (!unpack_within_cpu(unpacker)) {
			container->file->flags |= FILE_INCOMPLETE;
			return;
		}
		unpack_archive(unpacker, container, found.type, bytes + found.begin,
			       found.end - found.begin);
		at = unpacker->members->len > before ? found.end : found.begin + 1;
	}
}

/* Reads a content as the archives that it is beside what was read; zip: as which it was read. */
static void
read_also(struct unpacker *unpacker, const struct container *container, const void *bytes,
	  gsize length, guint first, gboolean zip)
{
	gboolean read = unpacker->members->len > first;

	if (!(zip && read) && is_also_zip(unpacker, container->file, bytes, length, first))
		unpack_archive(unpacker, container, ZIP_TYPE, bytes, length);
	if (is_searched(container->file, bytes, length, read))
		read_behind(unpacker, container, bytes, length);
}

void
unpack_read_ended(struct unpacker *unpacker, const struct container *container,
		  struct archive_members *members, guint index)
{
	g_autoptr(GByteArray) kept = g_byte_array_new();
	struct container inner = {
		.file = g_ptr_array_index(unpacker->members, index),
		.parent = (int)index,
		.depth = container->depth + 1,
	};
	gsize room = unpacker->limits.kept_bytes -
		     MIN(unpacker->kept_bytes, unpacker->limits.kept_bytes);
	gboolean read;

	if (inner.file->size > room) {
		record_note_cap(unpacker->record, CAP_KEPT_BYTES_NAME);
		inner.file->flags |= FILE_INCOMPLETE;
		container->file->flags |= FILE_INCOMPLETE;
		return;
	}
	unpacker->keep_all = TRUE;
	read = unpack_read_pieces(unpacker, members, inner.file, kept);
	unpacker->keep_all = FALSE;
	if (!read)
		return;
	unpacker->kept_bytes += kept->len;
	read_also(unpacker, &inner, kept->data, kept->len, unpacker->members->len, FALSE);
	unpacker->kept_bytes -= kept->len;
	if (inner.file->size == kept->len) {
		g_free(inner.file->detected_type);
		inner.file->detected_type = g_strdup(unpack_type(kept->data, kept->len));
	}
	container->file->flags |= inner.file->flags & FILE_INCOMPLETE;
}

/* A content of which not all was kept is not all read. */
static void
note_cut(struct unpacker *unpacker, struct file *file, gsize length)
{
	if (file->size <= length)
		return;
	record_note_cap(unpacker->record, CAP_KEPT_BYTES_NAME);
	file->flags |= FILE_INCOMPLETE;
}

/* The engine comes last, since what was read before it need not be shown again. */
void
unpack_content(struct unpacker *unpacker, const struct container *container, const void *bytes,
	       gsize length)
{
	struct file *file = container->file;
	guint before = unpacker->members->len;
	gboolean zip = FALSE;

	if (archive_members_known(file->detected_type)) {
		note_cut(unpacker, file, length);
		zip = unpack_archive(unpacker, container, file->detected_type, bytes, length);
	}
	read_also(unpacker, container, bytes, length, before, zip);
	if (g_strcmp0(file->detected_type, PDF_TYPE) == 0)
		document_urls_of_pdf(unpacker->record, bytes, length);
	/* Of the parts of a message mime_otherwise.c reads these. */
	if (file_is_member(file))
		unpack_read_wrapper(unpacker, container, bytes, length);
	if (file->size == length &&
	    (unpack_is_to_scan(unpacker, file) || is_left_to_engine(unpacker, container)))
		unpack_scan(unpacker, container, bytes, length, before);
}

gboolean
unpack_is_archive(const void *bytes, gsize length, gboolean attachment)
{
	const char *type = magic_type(bytes, length);

	return scan_has_signatures() || unpack_is_opened(type) ||
	       g_strcmp0(type, EMBEDDED_TNEF_TYPE) == 0 ||
	       (attachment && scan_opens_attachment(type));
}

const char *
unpack_type(const void *bytes, gsize length)
{
	const char *type = magic_type(bytes, length);

	if ((!type || g_str_equal(type, "text/plain")) && zip_ends(bytes, length))
		return ZIP_TYPE;
	return type;
}

void
unpack_file(struct unpacker *unpacker, guint index, const void *bytes, gsize length, guint depth)
{
	struct container container = {
		.file = g_ptr_array_index(unpacker->record->files, index),
		.parent = ~(int)index,
		.depth = depth,
	};

	unpack_begin_part(unpacker, container.file->size);
	if (scan_has_signatures() && !unpack_is_to_scan(unpacker, container.file))
		unpack_match(unpacker, container.file, bytes, length);
	unpack_content(unpacker, &container, bytes, length);
	unpack_end_part(unpacker);
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

	unpack_open_locked(unpacker);
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
