/* SPDX-License-Identifier: BSD-2-Clause */
#include "unpack_private.h"

#include <string.h>

#include "caps.h"
#include "charset.h"
#include "encrypted_zip.h"
#include "rar_headers.h"
#include "seven_headers.h"

void
locked_archive_free(struct locked_archive *locked)
{
	g_bytes_unref(locked->bytes);
	g_ptr_array_unref(locked->files);
	g_ptr_array_unref(locked->names);
	g_free(locked);
}

struct locked_archive *
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
void
unpack_keep_locked(struct unpacker *unpacker, struct locked_archive *locked, gboolean zip,
		   const void *bytes, gsize length)
{
	if (locked->files->len == 0 || !zip) {
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

static int
offset_order(gconstpointer a, gconstpointer b)
{
	const struct encrypted_zip_member *left = a, *right = b;

	return (left->offset > right->offset) - (left->offset < right->offset);
}

/* A zip's encrypted files by their offsets, which is libarchive's order; folders left out. */
static GArray *
members_in_order(struct encrypted_zip *zip)
{
	GArray *members = g_array_new(FALSE, FALSE, sizeof(struct encrypted_zip_member));
	struct encrypted_zip_member member;

	while (encrypted_zip_next(zip, &member))
		if (!g_str_has_suffix(member.name, "/"))
			g_array_append_val(members, member);
	g_array_sort(members, offset_order);
	return members;
}

static void
describe_member(struct file *file, const struct encrypted_zip_member *member)
{
	file->method = g_strdup(member->method);
	file->size = member->size;
	file->has_crc32 = member->has_crc32;
	file->crc32 = member->crc32;
}

/*
 * Fills in what a zip's directory says of its encrypted members.  libarchive changes some
 * names (backslashes, what is no UTF-8), so the same number of files are told apart by place;
 * where there is another, or another size, the name must do.
 */
static void
describe_locked(const struct locked_archive *locked)
{
	gsize length;
	const void *bytes = g_bytes_get_data(locked->bytes, &length);
	g_autoptr(encrypted_zip_t) zip = encrypted_zip_open(bytes, length);
	g_autoptr(GArray) members = NULL;
	gboolean in_order;

	if (!zip)
		return;
	members = members_in_order(zip);
	in_order = members->len == locked->files->len;
	for (guint i = 0; i < members->len; i++) {
		const struct encrypted_zip_member *member =
			&g_array_index(members, struct encrypted_zip_member, i);
		struct file *file = in_order ? locked->files->pdata[i] : NULL;

		if (!file || file->method || file->size != member->size)
			file = find_locked(locked, member->name);
		if (file)
			describe_member(file, member);
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
	gboolean read;
	char *method;

	unpacker->keep_all =
		TRUE; /* an archive may be behind; few members are opened by a password */
	read = unpack_read_pieces(unpacker, members, file, kept);
	unpacker->keep_all = FALSE;
	if (!read || archive_members_damaged(members))
		return;
	fingerprint_finish(unpacker->fingerprint, NULL, 0, file);
	file->flags &= ~(guint32)FILE_ENCRYPTED;
	method = g_strconcat(file->method ? file->method : "unknown", "+opened", NULL);
	g_free(file->method);
	file->method = method;
	unpack_look_into(unpacker, &locked->container, file, index_of(unpacker, file), kept);
}

/* Tries a password on what is still locked; TRUE when nothing is any more. */
static gboolean
try_password(struct unpacker *unpacker, const struct locked_archive *locked, const char *password)
{
	gsize length;
	const void *bytes = g_bytes_get_data(locked->bytes, &length);
	g_autoptr(archive_members_t) members =
		unpack_open_members(unpacker, &locked->container, bytes, length, password);
	struct archive_member member;
	guint n = 0, left = 0;

	while (!unpacker->part_spent && unpack_within_cpu(unpacker) && n < locked->files->len &&
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

/* Notes why an archive may have stayed shut although its password is there. */
static void
note_untried(struct unpacker *unpacker)
{
	if (passwords_words_left(unpacker->passwords))
		record_note_cap(unpacker->record, CAP_PASSWORDS_NAME);
	if (passwords_text_left(unpacker->passwords))
		record_note_cap(unpacker->record, CAP_PASSWORD_TEXT_BYTES_NAME);
}

/* Adds the words of an archive's names, and of its comment. */
static void
add_words_beside(struct unpacker *unpacker, const struct locked_archive *locked)
{
	const GPtrArray *names = locked->container.file->names;
	g_autofree char *comment = NULL;
	gsize length;
	const char *bytes = g_bytes_get_data(locked->bytes, &length);
	gsize begin = zip_record_ends(bytes, length), end = zip_ends(bytes, length);

	for (guint i = 0; i < names->len; i++) {
		const struct file_name *name = names->pdata[i];

		passwords_add_name(unpacker->passwords, name->text);
	}
	if (begin >= end)
		return;
	comment = charset_guess(bytes + begin, end - begin, NULL, NULL);
	passwords_add_text(unpacker->passwords, comment, strlen(comment), FALSE);
}

/* Adds words that stand in no part: the subject's, and those beside archives, the first on. */
static void
add_outer_words(struct unpacker *unpacker, guint first)
{
	const char *subject = unpacker->record->subject;

	if (subject && !first)
		passwords_add_text(unpacker->passwords, subject, strlen(subject), FALSE);
	for (guint i = first; i < unpacker->locked->len; i++)
		add_words_beside(unpacker, unpacker->locked->pdata[i]);
}

/* A part's worth of limits is begun for each; archives that are met in one follow it. */
void
unpack_open_locked(struct unpacker *unpacker)
{
	for (guint i = 0, known = 0; i < unpacker->locked->len; i++) {
		const struct locked_archive *locked = unpacker->locked->pdata[i];
		gboolean open = FALSE;

		if (i == known) {
			add_outer_words(unpacker, known);
			known = unpacker->locked->len;
		}
		describe_locked(locked);
		unpack_begin_part(unpacker, g_bytes_get_size(locked->bytes));
		for (guint n = 0; n < passwords_count(unpacker->passwords) && !open; n++)
			open = try_password(unpacker, locked,
					    passwords_nth(unpacker->passwords, n));
		if (!open)
			note_untried(unpacker);
		unpack_end_part(unpacker);
	}
}
