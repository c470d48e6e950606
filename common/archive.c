/* SPDX-License-Identifier: BSD-2-Clause */
#include "archive_stream.h"

#include <archive.h>
#include <archive_entry.h>

G_DEFINE_QUARK(mailtrace - archive - stream - error - quark, archive_stream_error)

static gboolean
set_error(struct archive *archive, GError **error)
{
	const char *why = archive_error_string(archive);

	g_set_error(error, ARCHIVE_STREAM_ERROR, ARCHIVE_STREAM_ERROR_FORM, "%s",
		    why ? why : "damaged");
	return FALSE;
}

/* The kinds that mail stores use; libarchive's others would start programs. */
static struct archive *
reader_new(void)
{
	struct archive *archive = archive_read_new();

	archive_read_support_filter_gzip(archive);
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

gboolean
archive_stream_read(const void *bytes, gsize length, archive_stream_fn write, void *data,
		    GError **error)
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
