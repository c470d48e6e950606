/* SPDX-License-Identifier: BSD-2-Clause */
#include "unpack_private.h"

#include <string.h>

#include "archive_members.h"
#include "caps.h"
#include "charset.h"
#include "document_urls.h"
#include "magic.h"
#include "mail_file.h"
#include "scan.h"
#include "text.h"

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

const char *
unpack_base_name(const char *name, GBytes *raw)
{
	gsize length = 0;
	const void *bytes = raw ? g_bytes_get_data(raw, &length) : NULL;
	/* Where the bytes have none, a backslash begins what stands for one of them. */
	gboolean windows = !raw || (length && memchr(bytes, '\\', length));
	const char *base = name;

	for (; *name; name++)
		if ((*name == '/' || (windows && *name == '\\')) && name[1])
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
char *
unpack_member_name(struct unpacker *unpacker, const char *bytes, GBytes **ret_raw)
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
struct file *
unpack_add_member(struct unpacker *unpacker, const struct container *container, const char *name,
		  const char *other, GBytes *raw)
{
	g_autofree char *wanted = g_strconcat(container->file->path, "!/", name, NULL);
	g_autofree char *path = NULL;
	struct file *file;

	if (unpacker->members->len >= unpacker->limits.members) {
		unpack_spend(unpacker, CAP_MEMBERS_NAME, TRUE);
		return NULL;
	}
	unpacker->names_bytes += strlen(wanted) + strlen(name) + (raw ? g_bytes_get_size(raw) : 0);
	if (unpacker->names_bytes > unpacker->limits.names_bytes) {
		unpack_spend(unpacker, CAP_NAMES_BYTES_NAME, TRUE);
		return NULL;
	}
	path = free_path(unpacker, wanted);
	file = file_new(path);
	file->parent = container->parent;
	file_add_name(file, unpack_base_name(name, raw), "member", raw);
	if (other)
		file_add_name(file, other, "compressed", NULL);
	g_ptr_array_add(unpacker->members, file);
	return file;
}

struct file *
unpack_describe_member(struct unpacker *unpacker, const struct container *container,
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
		name = unpack_member_name(unpacker, member->name ? member->name : "", &raw);
	file = unpack_add_member(unpacker, container, *name ? name : "data", single, raw);
	if (file && member->encrypted)
		file->flags |= FILE_ENCRYPTED;
	return file;
}

/* Whether a member is a message to be read. */
static gboolean
is_mail(const struct unpacker *unpacker, const char *name, const GByteArray *kept)
{
	return unpacker->read_mail && kept->len &&
	       (mail_file_is_named(name) || mail_file_begins((const char *)kept->data, kept->len));
}

/* Whether all of a member is wanted, by its first bytes. */
static gboolean
begins_to_be_kept(const struct unpacker *unpacker, const GByteArray *kept)
{
	const char *type = magic_type(kept->data, kept->len);

	return is_mail(unpacker, NULL, kept) || unpack_is_opened(type) ||
	       unpack_wrapper_begins(type, kept->data, kept->len);
}

/* Whether more than the first bytes of the member in hand, which are at hand, are wanted. */
static gboolean
is_kept(struct unpacker *unpacker, const GByteArray *kept)
{
	if (!unpacker->asked)
		unpacker->whole |= begins_to_be_kept(unpacker, kept);
	unpacker->asked = TRUE;
	return unpacker->links || unpacker->whole;
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
	if (!unpack_within_bytes(unpacker, length))
		return FALSE;
	fingerprint_add(unpacker->fingerprint, bytes, length);
	zip_tail_add(&unpacker->tail, bytes, length);
	archive_mark_add(&unpacker->mark, bytes, length);
	keep(unpacker, kept, bytes, length);
	return TRUE;
}

gboolean
unpack_begin_again(struct unpacker *unpacker, struct archive_members *members)
{
	return !unpacker->part_spent && archive_members_begin_again(members) &&
	       !unpacker->part_spent;
}

/* Hashes a member's content; FALSE when not all of it could be read. */
static gboolean
read_pieces(struct unpacker *unpacker, struct archive_members *members, const struct file *file,
	    GByteArray *kept)
{
	const char *name = file_best_name(file);
	g_autoptr(GError) error = NULL;
	const void *bytes;
	gsize length;

	unpacker->asked = FALSE;
	unpacker->whole = unpacker->keep_all || (unpacker->read_mail && mail_file_is_named(name)) ||
			  unpack_wrapper_is_named(name);
	fingerprint_begin(unpacker->fingerprint, FALSE);
	unpacker->tail = (struct zip_tail){0};
	unpacker->mark = (struct archive_mark){0};
	while (archive_members_read(members, &bytes, &length, &error))
		if (!take_piece(unpacker, kept, bytes, length))
			return FALSE;
	return error == NULL;
}

gboolean
unpack_read_pieces(struct unpacker *unpacker, struct archive_members *members,
		   const struct file *file, GByteArray *kept)
{
	guint64 bytes = unpacker->bytes, part_bytes = unpacker->part_bytes;
	struct archive_member member;

	if (read_pieces(unpacker, members, file, kept))
		return TRUE;
	if (!unpack_begin_again(unpacker, members) || !archive_members_next(members, &member, NULL))
		return FALSE;
	/* The same bytes are made once more. */
	unpacker->bytes = bytes;
	unpacker->part_bytes = part_bytes;
	g_byte_array_set_size(kept, 0);
	return read_pieces(unpacker, members, file, kept);
}

gboolean
unpack_read_content(struct unpacker *unpacker, struct archive_members *members, struct file *file,
		    GByteArray *kept)
{
	if (!unpack_read_pieces(unpacker, members, file, kept))
		return FALSE;
	fingerprint_finish(unpacker->fingerprint, NULL, 0, file);
	if (archive_members_damaged(members))
		file->flags |= FILE_INCOMPLETE;
	return TRUE;
}

/* Takes a file of a message below its container; base: where the first of them is to be. */
static gboolean
take_file(struct unpacker *unpacker, const struct container *container, struct file *file,
	  guint base)
{
	g_autofree char *wanted = g_strconcat(container->file->path, "!/", file->path, NULL);

	unpacker->names_bytes += strlen(wanted);
	if (unpacker->members->len >= unpacker->limits.members)
		return unpack_spend(unpacker, CAP_MEMBERS_NAME, TRUE);
	if (unpacker->names_bytes > unpacker->limits.names_bytes)
		return unpack_spend(unpacker, CAP_NAMES_BYTES_NAME, TRUE);
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
	const struct unpack_limits left = unpack_limits_left(unpacker);
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
	if (unpacker->part_spent || !unpack_within_cpu(unpacker))
		return;
	container->file->flags |= FILE_MESSAGE;
	mail = unpacker->read_mail((const char *)kept->data, kept->len, container->depth + 1, &left,
				   &bytes, unpacker->mail_user);
	take_mail(unpacker, container, mail);
	unpack_within_bytes(unpacker, bytes);
}

/* Reads what is in a member; index: its own among the members. */
void
unpack_look_into(struct unpacker *unpacker, const struct container *container, struct file *file,
		 guint index, const GByteArray *kept)
{
	struct container inner = {
		.file = file, .parent = (int)index, .depth = container->depth + 1};

	file->detected_type = g_strdup(file->size == kept->len ? unpack_type(kept->data, kept->len)
							       : magic_type(kept->data, kept->len));
	unpacker->kept_bytes += kept->len;
	if (is_mail(unpacker, file_best_name(file), kept))
		read_mail(unpacker, &inner, kept);
	else
		unpack_content(unpacker, &inner, kept->data, kept->len);
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

gboolean
unpack_may_end(const struct unpacker *unpacker, const struct file *file, const GByteArray *kept)
{
	return file->size > kept->len &&
	       (unpacker->mark.found || zip_tail_may_end(&unpacker->tail));
}

gboolean
unpack_read_member(struct unpacker *unpacker, const struct container *container,
		   struct archive_members *members, const struct archive_member *member,
		   struct locked_archive *locked)
{
	struct file *file = unpack_describe_member(unpacker, container, member);
	guint index = unpacker->members->len - 1;
	g_autoptr(GByteArray) kept = NULL;
	gboolean more;

	if (!file)
		return FALSE;
	file->size = member->size;
	if (file->flags & FILE_ENCRYPTED) {
		g_ptr_array_add(locked->files, file);
		g_ptr_array_add(locked->names, g_strdup(member->name ? member->name : ""));
		return FALSE;
	}
	kept = g_byte_array_new();
	unpacker->links = may_have_links(unpacker, member);
	if (!unpack_read_content(unpacker, members, file, kept))
		file->flags |= FILE_INCOMPLETE;
	if (unpacker->links)
		document_urls_of_relationships(unpacker->record, (const char *)kept->data,
					       kept->len);
	unpacker->links = FALSE;
	more = unpack_may_end(unpacker, file, kept);
	unpack_look_into(unpacker, container, file, index, kept);
	return more;
}
