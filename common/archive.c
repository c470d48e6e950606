/* SPDX-License-Identifier: BSD-2-Clause */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <gio/gio.h>
#include <locale.h>
#include <string.h>

#include "archive_members.h"
#include "archive_stream.h"
#include "compressed_end.h"
#include "self_extracting.h"
#include "xar_contents.h"

G_DEFINE_QUARK(mailtrace_archive_stream_error, archive_stream_error)
G_DEFINE_QUARK(mailtrace_archive_members_error, archive_members_error)

/* ---- gzip, by zlib through GIO: libarchive does not check a member's CRC ---- */

/* Decompresses one member.  *at, *length: moved past it. */
static gboolean
read_member(GConverter *zlib, const guint8 **at, gsize *length, archive_stream_fn write, void *data,
	    GError **error)
{
	GConverterResult result = G_CONVERTER_CONVERTED;

	while (result != G_CONVERTER_FINISHED) {
		guint8 block[ARCHIVE_STREAM_BLOCK_BYTES];
		gsize taken, made;

		result = g_converter_convert(zlib, *at, *length, block, sizeof(block),
					     G_CONVERTER_INPUT_AT_END, &taken, &made, error);
		if (result == G_CONVERTER_ERROR)
			return FALSE;
		*at += taken;
		*length -= taken;
		if (made && !write(block, made, data)) {
			g_set_error(error, ARCHIVE_STREAM_ERROR, ARCHIVE_STREAM_ERROR_WRITE,
				    "cannot write");
			return FALSE;
		}
	}
	return TRUE;
}

static gboolean
is_gzip(const void *bytes, gsize length)
{
	return length >= 2 && memcmp(bytes, "\x1f\x8b", 2) == 0;
}

static gboolean
read_gzip(const guint8 *bytes, gsize length, archive_stream_fn write, void *data, GError **error)
{
	g_autoptr(GZlibDecompressor) zlib = g_zlib_decompressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP);
	g_autoptr(GError) cause = NULL;

	while (length) {
		if (!read_member(G_CONVERTER(zlib), &bytes, &length, write, data, &cause))
			break;
		g_converter_reset(G_CONVERTER(zlib));
	}
	if (!cause)
		return TRUE;
	if (cause->domain == ARCHIVE_STREAM_ERROR)
		g_propagate_error(error, g_steal_pointer(&cause));
	else
		g_set_error(error, ARCHIVE_STREAM_ERROR, ARCHIVE_STREAM_ERROR_FORM, "%s",
			    cause->message);
	return FALSE;
}

/* ---- the others, by libarchive ---- */

static gboolean
set_error(struct archive *archive, GError **error)
{
	const char *why = archive_error_string(archive);

	g_set_error(error, ARCHIVE_STREAM_ERROR, ARCHIVE_STREAM_ERROR_FORM, "%s",
		    why ? why : "damaged");
	return FALSE;
}

/* The kinds that mail stores use; more would start programs. */
static struct archive *
reader_new(void)
{
	struct archive *archive = archive_read_new();

	archive_read_support_filter_zstd(archive);
	archive_read_support_filter_xz(archive);
	archive_read_support_filter_bzip2(archive);
	archive_read_support_format_raw(archive);
	return archive;
}

static gboolean
read_all(struct archive *archive, archive_stream_fn write, void *data, GError **error)
{
	char block[ARCHIVE_STREAM_BLOCK_BYTES];
	la_ssize_t got;

	while ((got = archive_read_data(archive, block, sizeof(block))) > 0) {
		if (!write(block, (gsize)got, data)) {
			g_set_error(error, ARCHIVE_STREAM_ERROR, ARCHIVE_STREAM_ERROR_WRITE,
				    "cannot write");
			return FALSE;
		}
	}
	return got == 0 ? TRUE : set_error(archive, error);
}

static gboolean
read_other(const void *bytes, gsize length, archive_stream_fn write, void *data, GError **error)
{
	struct archive *archive = reader_new();
	struct archive_entry *entry;
	gboolean ok = archive_read_open_memory(archive, bytes, length) == ARCHIVE_OK &&
		      archive_read_next_header(archive, &entry) == ARCHIVE_OK;

	if (!ok) {
		set_error(archive, error);
	} else if (archive_filter_count(archive) < 2) {
		/* The one that is always there hands the bytes on as they are. */
		g_set_error(error, ARCHIVE_STREAM_ERROR, ARCHIVE_STREAM_ERROR_FORM,
			    "not compressed");
		ok = FALSE;
	} else {
		ok = read_all(archive, write, data, error);
	}
	archive_read_free(archive);
	return ok;
}

gboolean
archive_stream_read(const void *bytes, gsize length, archive_stream_fn write, void *data,
		    GError **error)
{
	return is_gzip(bytes, length) ? read_gzip(bytes, length, write, data, error)
				      : read_other(bytes, length, write, data, error);
}

/* ---- members ---- */

/* Holes of a sparse file are read as zeros, in pieces of this size. */
#define HOLE_BYTES 65536

struct archive_members {
	struct archive *archive;
	const struct kind *kind; /* or NULL */
	const void *bytes;	 /* length bytes, of the caller's */
	gsize length;
	gboolean may_be_none; /* nothing in it is no damage, before the first member */
	gboolean opened;      /* asked for what is encrypted before it is, libarchive 3.6 crashes */
	gboolean damaged;
	gboolean followed;		 /* what is read, by what is damaged or none of it */
	gboolean again;			 /* it is read for the second time */
	gboolean alone;			 /* the first entry is all that is wanted */
	archive_members_dropped dropped; /* or NULL */
	gpointer user;
	gint64 size;	     /* of the member, as the archive says */
	guint64 position;    /* in its content */
	gint64 block_offset; /* of the block in hand, which may stand after a hole */
	const void *block;
	gsize block_bytes;
	gboolean encrypted;
};

static const char zeros[HOLE_BYTES];

typedef int (*enable_fn)(struct archive *archive);

/* The two have a signature of seven bytes in common. */
static int
enable_rar(struct archive *archive)
{
	int result = archive_read_support_format_rar(archive);

	return result == ARCHIVE_OK ? archive_read_support_format_rar5(archive) : result;
}

/* A program that unpacks what stands behind it; these readers look for that. */
static int
enable_self_extracting(struct archive *archive)
{
	int result = archive_read_support_format_zip(archive);

	if (result == ARCHIVE_OK)
		result = archive_read_support_format_7zip(archive);
	if (result == ARCHIVE_OK)
		result = archive_read_support_format_cab(archive);
	if (result == ARCHIVE_OK)
		result = archive_read_support_format_lha(archive);
	return result == ARCHIVE_OK ? enable_rar(archive) : result;
}

/*
 * Which of libarchive's readers a type is for: one alone but for programs, so that no other
 * makes something else of the bytes.  Those that would start a program (lrzip,
 * grzip, lzop) are not among them.
 */
static const struct kind {
	const char *type;
	enable_fn enable; /* NULL: the filter is put in by its number, and no other can follow */
	int filter;	  /* 0: an archive of named members */
} kinds[] = {
	{"application/zip", archive_read_support_format_zip, 0},
	{"application/java-archive", archive_read_support_format_zip, 0},
	{"application/epub+zip", archive_read_support_format_zip, 0},
	{"application/vnd.openxmlformats-officedocument", archive_read_support_format_zip, 0},
	{"application/vnd.oasis.opendocument.text", archive_read_support_format_zip, 0},
	{"application/vnd.oasis.opendocument.spreadsheet", archive_read_support_format_zip, 0},
	{"application/vnd.oasis.opendocument.presentation", archive_read_support_format_zip, 0},
	{"application/x-7z-compressed", archive_read_support_format_7zip, 0},
	{"application/vnd.rar", enable_rar, 0},
	{"application/x-tar", archive_read_support_format_tar, 0},
	{"application/vnd.ms-cab-compressed", archive_read_support_format_cab, 0},
	{"application/x-lzh-compressed", archive_read_support_format_lha, 0},
	{"application/x-iso9660-image", archive_read_support_format_iso9660, 0},
	{"application/x-xar", archive_read_support_format_xar, 0},
	{"application/x-cpio", archive_read_support_format_cpio, 0},
	{"application/x-archive", archive_read_support_format_ar, 0},
	{"application/warc", archive_read_support_format_warc, 0},
	{"application/gzip", NULL, ARCHIVE_FILTER_GZIP},
	{"application/x-bzip2", NULL, ARCHIVE_FILTER_BZIP2},
	{"application/x-xz", NULL, ARCHIVE_FILTER_XZ},
	{"application/x-lzma", NULL, ARCHIVE_FILTER_LZMA},
	{"application/x-lzip", NULL, ARCHIVE_FILTER_LZIP},
	{"application/zstd", NULL, ARCHIVE_FILTER_ZSTD},
	{"application/x-lz4", NULL, ARCHIVE_FILTER_LZ4},
	{"application/x-compress", archive_read_support_filter_compress, ARCHIVE_FILTER_COMPRESS},
	{"application/x-rpm", archive_read_support_filter_rpm, ARCHIVE_FILTER_RPM},
	{"application/vnd.microsoft.portable-executable", enable_self_extracting, 0},
	{"application/x-elf", enable_self_extracting, 0},
};

static const struct kind *
find_kind(const char *type)
{
	for (gsize i = 0; type && i < G_N_ELEMENTS(kinds); i++)
		if (g_str_equal(kinds[i].type, type))
			return &kinds[i];
	return NULL;
}

/*
 * libarchive asks the locale for the character set of names; in that of C it
 * would lose whatever is not ASCII.
 */
static locale_t
name_locale(void)
{
	static gsize held;

	if (g_once_init_enter(&held)) {
		locale_t made = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

		g_once_init_leave(&held, made ? (gsize)made : (gsize)LC_GLOBAL_LOCALE);
	}
	return (locale_t)held;
}

void
archive_members_preload(void)
{
	name_locale();
}

gboolean
archive_members_known(const char *type)
{
	return find_kind(type) != NULL;
}

gboolean
archive_members_single(const char *type)
{
	const struct kind *kind = find_kind(type);

	return kind && kind->filter;
}

/* ARCHIVE_WARN would mean that a program is to be started. */
static gboolean
enable(struct archive *archive, const struct kind *kind)
{
	int result = kind->enable ? kind->enable(archive)
				  : archive_read_append_filter(archive, kind->filter);

	if (result == ARCHIVE_OK && kind->filter)
		result = archive_read_support_format_raw(archive);
	return result == ARCHIVE_OK;
}

/* Whether libarchive reads what is first of a content within a time that is known. */
static gboolean
is_bearable(const struct kind *kind, const void *bytes, gsize length)
{
	return kind->enable != archive_read_support_format_xar ||
	       xar_contents_are_bearable(bytes, length);
}

/* Opens as many bytes of the content. */
static void
open_bytes(struct archive_members *members, gsize length, const char *password)
{
	members->archive = archive_read_new();
	if (password)
		archive_read_add_passphrase(members->archive, password);
	members->opened =
		members->kind && is_bearable(members->kind, members->bytes, length) &&
		enable(members->archive, members->kind) &&
		archive_read_open_memory(members->archive, members->bytes, length) == ARCHIVE_OK;
}

/* How many of a content's bytes libarchive is to read: those that look whole. */
static gsize
own_bytes(const struct kind *kind, const void *bytes, gsize length)
{
	gsize whole = 0;

	if (kind && kind->filter == ARCHIVE_FILTER_ZSTD)
		whole = compressed_end_zstd(bytes, length, length);
	if (kind && kind->filter == ARCHIVE_FILTER_XZ)
		whole = compressed_end_xz_by_form(bytes, length);
	return whole ? whole : length;
}

static struct archive_members *
open_as(const struct kind *kind, const void *bytes, gsize length, const char *password)
{
	struct archive_members *members = g_new0(struct archive_members, 1);
	gboolean program = kind && kind->enable == enable_self_extracting;
	const guint8 *seven = program ? self_extracting_7z(bytes, length) : NULL;
	const guint8 *rar = program && !seven ? self_extracting_rar(bytes, length) : NULL;
	const guint8 *inner = seven ? seven : rar;

	if (inner) {
		kind = find_kind(seven ? "application/x-7z-compressed" : "application/vnd.rar");
		length -= (gsize)(inner - (const guint8 *)bytes);
		bytes = inner;
	}
	members->kind = kind;
	members->bytes = bytes;
	members->length = length;
	members->may_be_none = program;
	members->followed = own_bytes(kind, bytes, length) < length;
	open_bytes(members, own_bytes(kind, bytes, length), password);
	return members;
}

void
archive_members_watch(struct archive_members *members, archive_members_dropped dropped,
		      gpointer user)
{
	members->dropped = dropped;
	members->user = user;
}

static gboolean
tell_dropped(gsize length, gpointer user)
{
	const struct archive_members *members = user;

	return !members->dropped || members->dropped(length, members->user);
}

gboolean
archive_members_begin_again(struct archive_members *members)
{
	int filter = members->kind ? members->kind->filter : 0;
	gint64 taken = archive_filter_bytes(members->archive, -1);
	gsize whole = 0;

	if (members->again || (filter != ARCHIVE_FILTER_ZSTD && filter != ARCHIVE_FILTER_XZ))
		return FALSE;
	members->followed = members->again = TRUE;
	/* Its memory is wanted. */
	archive_read_free(members->archive);
	if (filter == ARCHIVE_FILTER_XZ)
		whole = compressed_end_xz(members->bytes, members->length, tell_dropped, members);
	else if (taken > 0)
		whole = compressed_end_zstd(members->bytes, members->length, (gsize)taken);
	open_bytes(members, whole, NULL);
	members->opened = members->opened && whole > 0;
	return whole > 0;
}

struct archive_members *
archive_members_open(const char *type, const void *bytes, gsize length, const char *password)
{
	return open_as(find_kind(type), bytes, length, password);
}

struct archive_members *
archive_members_open_local(const void *bytes, gsize length)
{
	static const struct kind streamed = {"application/zip",
					     archive_read_support_format_zip_streamable, 0};

	struct archive_members *members = open_as(&streamed, bytes, length, NULL);

	members->alone = TRUE;
	return members;
}

struct archive_members *
archive_members_open_plain(const void *bytes, gsize length)
{
	static const struct kind plain = {"application/octet-stream",
					  archive_read_support_format_raw, 0};

	return open_as(&plain, bytes, length, NULL);
}

static int
enable_joliet(struct archive *archive)
{
	int result = archive_read_support_format_iso9660(archive);

	return result == ARCHIVE_OK ? archive_read_set_options(archive, "iso9660:!rockridge")
				    : result;
}

static int
enable_plain_disc(struct archive *archive)
{
	int result = enable_joliet(archive);

	return result == ARCHIVE_OK ? archive_read_set_options(archive, "iso9660:!joliet") : result;
}

struct archive_members *
archive_members_open_tree(enum archive_tree tree, const void *bytes, gsize length)
{
	static const struct kind trees[ARCHIVE_TREES] = {
		[ARCHIVE_TREE_JOLIET] = {"application/x-iso9660-image", enable_joliet, 0},
		[ARCHIVE_TREE_PLAIN] = {"application/x-iso9660-image", enable_plain_disc, 0},
	};

	return open_as(&trees[tree], bytes, length, NULL);
}

gboolean
archive_members_disc(const char *type)
{
	const struct kind *kind = find_kind(type);

	return kind && kind->enable == archive_read_support_format_iso9660;
}

gboolean
archive_members_tar(const char *type)
{
	const struct kind *kind = find_kind(type);

	return kind && kind->enable == archive_read_support_format_tar;
}

gboolean
archive_members_zip(const char *type)
{
	const struct kind *kind = find_kind(type);

	return kind && kind->enable == archive_read_support_format_zip;
}

gboolean
archive_members_rar(const char *type)
{
	const struct kind *kind = find_kind(type);

	return kind && (kind->enable == enable_rar || kind->enable == enable_self_extracting);
}

/* libarchive decrypts zip: ZipCrypto, and AES as WinZip has it; 7z and rar it does not. */
gboolean
archive_members_decrypted(const struct archive_members *members)
{
	return (archive_format(members->archive) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_ZIP;
}

static gboolean
set_members_error(struct archive_members *members, GError **error)
{
	const char *why = archive_error_string(members->archive);

	g_set_error(error, ARCHIVE_MEMBERS_ERROR, ARCHIVE_MEMBERS_ERROR_FORM, "%s",
		    why ? why : "damaged");
	return FALSE;
}

/*
 * Whether an entry that is called a folder, a device or the like by a mode of Unix has a content
 * all the same: where others than Unix open the format, they extract it.
 */
static gboolean
has_content(struct archive *archive, struct archive_entry *entry)
{
	switch (archive_format(archive) & ARCHIVE_FORMAT_BASE_MASK) {
	case ARCHIVE_FORMAT_TAR: /* tar_views.h has those */
	case ARCHIVE_FORMAT_ZIP: /* and zip_views.h */
		return FALSE;
	case ARCHIVE_FORMAT_CPIO:
	case ARCHIVE_FORMAT_XAR:
		/* Who opens these makes a folder of what is called one. */
	case ARCHIVE_FORMAT_ISO9660:
		/* Its folders have a size, and nothing that is handed out. */
		return archive_entry_filetype(entry) != AE_IFDIR && archive_entry_size(entry) > 0;
	default:
		return archive_entry_size(entry) > 0;
	}
}

/*
 * Whether the content of what is called a link is extracted as a file: in an ar nobody looks for
 * links, and in a xar the content comes last.  Of other links libarchive hands none out.
 */
static gboolean
link_has_content(struct archive *archive, struct archive_entry *entry)
{
	int format = archive_format(archive) & ARCHIVE_FORMAT_BASE_MASK;

	return (format == ARCHIVE_FORMAT_AR || format == ARCHIVE_FORMAT_XAR) &&
	       archive_entry_size(entry) > 0;
}

/* Whether an entry is a file. */
static gboolean
is_file(struct archive *archive, struct archive_entry *entry)
{
	switch (archive_entry_filetype(entry)) {
	case AE_IFLNK:
		return link_has_content(archive, entry);
	case AE_IFDIR:
	case AE_IFCHR:
	case AE_IFBLK:
	case AE_IFIFO:
	case AE_IFSOCK:
		return has_content(archive, entry);
	default:
		/* A hard link's content stands with the name that came first. */
		return !archive_entry_hardlink(entry) || archive_entry_size(entry) > 0;
	}
}

static void
describe_member(struct archive_members *members, struct archive_entry *entry,
		struct archive_member *ret_member)
{
	const char *name;

	errno = 0; /* as in next_file() */
	name = archive_entry_pathname(entry);
	ret_member->name = name ? name : archive_entry_pathname_utf8(entry);
	ret_member->has_size = archive_entry_size_is_set(entry) && archive_entry_size(entry) >= 0;
	ret_member->size = ret_member->has_size ? (guint64)archive_entry_size(entry) : 0;
	ret_member->encrypted = archive_entry_is_data_encrypted(entry) ||
				archive_entry_is_metadata_encrypted(entry);
	members->may_be_none = FALSE;
	members->encrypted |= ret_member->encrypted;
	members->damaged = members->followed;
	members->size = (gint64)ret_member->size;
	members->position = members->block_bytes = 0;
	members->block_offset = 0;
}

/*
 * Goes past an entry that is no file, and has a content maybe; FALSE if that is enough.  libarchive
 * would decompress it in one go, however much it is, to find the end of one in a zip.
 */
static gboolean
pass_entry(struct archive_members *members)
{
	const void *bytes;
	size_t length;
	la_int64_t offset;

	if (members->alone)
		return FALSE;
	while ((archive_format(members->archive) & ARCHIVE_FORMAT_BASE_MASK) ==
		       ARCHIVE_FORMAT_ZIP &&
	       archive_read_data_block(members->archive, &bytes, &length, &offset) == ARCHIVE_OK)
		if (!tell_dropped(length, members))
			return FALSE;
	return tell_dropped(0, members);
}

/* Goes to the next entry that is a file; returns libarchive's status, ARCHIVE_EOF for enough. */
static int
next_file(struct archive_members *members, struct archive_entry **ret_entry)
{
	int result;

	for (;;) {
		/*
		 * To libarchive a name that cannot be converted is want of memory, for which it
		 * ends the process, if that is what errno says: and so it may since another
		 * archive.
		 */
		errno = 0;
		result = archive_read_next_header(members->archive, ret_entry);
		if ((result != ARCHIVE_OK && result != ARCHIVE_WARN) ||
		    is_file(members->archive, *ret_entry))
			return result;
		if (!pass_entry(members))
			return ARCHIVE_EOF;
	}
}

gboolean
archive_members_next(struct archive_members *members, struct archive_member *ret_member,
		     GError **error)
{
	struct archive_entry *entry;
	locale_t before;
	int result;

	if (!members->opened)
		return !members->may_be_none && set_members_error(members, error);
	before = uselocale(name_locale());
	result = next_file(members, &entry);
	if (archive_read_has_encrypted_entries(members->archive) > 0)
		members->encrypted = TRUE;
	if (result == ARCHIVE_OK || result == ARCHIVE_WARN) {
		describe_member(members, entry, ret_member);
		uselocale(before);
		return TRUE;
	}
	uselocale(before);
	if (result == ARCHIVE_EOF || members->may_be_none)
		return FALSE;
	return set_members_error(members, error);
}

/* Takes the next block.  A warning tells of a checksum, and its bytes are good to have. */
static int
next_block(struct archive_members *members)
{
	int result = archive_read_data_block(members->archive, &members->block,
					     &members->block_bytes, &members->block_offset);

	if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
		members->block_bytes = 0;
	members->damaged |= result == ARCHIVE_WARN;
	return result;
}

/* The end may stand behind a last hole; readers that know no holes say any offset there. */
static gboolean
ends_in_hole(const struct archive_members *members)
{
	return members->block_offset > (gint64)members->position &&
	       members->block_offset <= members->size;
}

gboolean
archive_members_read(struct archive_members *members, const void **ret_bytes, gsize *ret_length,
		     GError **error)
{
	int result;

	while (!members->block_bytes && members->block_offset <= (gint64)members->position) {
		result = next_block(members);
		if (result == ARCHIVE_EOF && !ends_in_hole(members))
			return FALSE;
		if (result != ARCHIVE_EOF && result != ARCHIVE_OK && result != ARCHIVE_WARN) {
			members->encrypted |=
				archive_read_has_encrypted_entries(members->archive) > 0;
			return set_members_error(members, error);
		}
	}
	if (members->block_offset > (gint64)members->position) {
		*ret_bytes = zeros;
		*ret_length = MIN(HOLE_BYTES, (guint64)members->block_offset - members->position);
	} else {
		*ret_bytes = members->block;
		*ret_length = members->block_bytes;
		members->block_bytes = 0;
	}
	members->position += *ret_length;
	return TRUE;
}

gboolean
archive_members_damaged(const struct archive_members *members)
{
	return members->damaged;
}

gboolean
archive_members_encrypted(const struct archive_members *members)
{
	return members->encrypted;
}

void
archive_members_free(struct archive_members *members)
{
	if (!members)
		return;
	archive_read_free(members->archive);
	g_free(members);
}
