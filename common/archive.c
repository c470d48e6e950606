/* SPDX-License-Identifier: BSD-2-Clause */
#include "archive_stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <gio/gio.h>
#include <string.h>

G_DEFINE_QUARK(mailtrace_archive_stream_error, archive_stream_error)

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
