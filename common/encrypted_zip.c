/* SPDX-License-Identifier: BSD-2-Clause */
#include "encrypted_zip.h"

#include <zip.h>

#include "caps.h"
#include "zip_end.h"

struct encrypted_zip {
	zip_t *zip;
	zip_int64_t entries;
	zip_int64_t next;
	GArray *offsets; /* guint64, of all entries */
};

struct encrypted_zip *
encrypted_zip_open(const void *bytes, gsize length)
{
	zip_error_t error;
	zip_source_t *source;
	struct encrypted_zip *zip;
	zip_t *opened;
	gsize begin, end = zip_ends(bytes, length);
	g_autoptr(GArray) offsets = zip_offsets(bytes, length, &begin);

	if (end <= begin)
		return NULL;
	zip_error_init(&error);
	/* libzip counts from the beginning. */
	source = zip_source_buffer_create((const guint8 *)bytes + begin, end - begin, 0, &error);
	opened = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
	zip_error_fini(&error);
	if (!opened) {
		zip_source_free(source);
		return NULL;
	}
	zip = g_new0(struct encrypted_zip, 1);
	zip->zip = opened;
	zip->entries = MIN(zip_get_num_entries(opened, 0), (zip_int64_t)offsets->len);
	zip->offsets = g_steal_pointer(&offsets);
	return zip;
}

void
encrypted_zip_free(struct encrypted_zip *zip)
{
	if (!zip)
		return;
	zip_discard(zip->zip);
	g_array_unref(zip->offsets);
	g_free(zip);
}

/* The ways to encrypt that libzip knows, and the usual compressions; else what is left out. */
static const char *
method_name(zip_uint16_t encryption, zip_uint16_t compression)
{
	static const struct {
		zip_uint16_t encryption;
		const char *stored, *deflated, *other;
	} names[] = {
		{ZIP_EM_TRAD_PKWARE, "zipcrypto+store", "zipcrypto+deflate", "zipcrypto"},
		{ZIP_EM_AES_128, "aes-128+store", "aes-128+deflate", "aes-128"},
		{ZIP_EM_AES_192, "aes-192+store", "aes-192+deflate", "aes-192"},
		{ZIP_EM_AES_256, "aes-256+store", "aes-256+deflate", "aes-256"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		if (names[i].encryption == encryption)
			return compression == ZIP_CM_STORE     ? names[i].stored
			       : compression == ZIP_CM_DEFLATE ? names[i].deflated
							       : names[i].other;
	return "unknown";
}

/* AE-2 writes 0 where the CRC-32 would be (WinZip's AES specification, II); one content in 2^32
 * has that. */
static void
describe(const zip_stat_t *stat, struct encrypted_zip_member *ret_member)
{
	gboolean has_crc32 = (stat->valid & ZIP_STAT_CRC) && stat->crc != 0;

	*ret_member = (struct encrypted_zip_member){
		.name = stat->valid & ZIP_STAT_NAME ? stat->name : "",
		.size = stat->valid & ZIP_STAT_SIZE ? stat->size : 0,
		.has_crc32 = has_crc32,
		.crc32 = has_crc32 ? stat->crc : 0,
		.method = method_name(stat->encryption_method, stat->comp_method),
	};
}

gboolean
encrypted_zip_next(struct encrypted_zip *zip, struct encrypted_zip_member *ret_member)
{
	while (zip->next < zip->entries) {
		zip_stat_t stat;

		zip_stat_init(&stat);
		if (zip_stat_index(zip->zip, (zip_uint64_t)zip->next++, ZIP_FL_ENC_RAW, &stat) != 0)
			continue;
		if ((stat.valid & ZIP_STAT_ENCRYPTION_METHOD) &&
		    stat.encryption_method != ZIP_EM_NONE) {
			describe(&stat, ret_member);
			ret_member->offset =
				g_array_index(zip->offsets, guint64, (guint)zip->next - 1);
			return TRUE;
		}
	}
	return FALSE;
}
