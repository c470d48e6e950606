/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer.h"

#include <string.h>

#include "answer_form.h"
#include "caps.h"

/* How much of a record is written. */
struct extent {
	guint files, urls;
	guint others; /* of each of the other lists */
};

static GVariant *
text_value(const char *text)
{
	return g_variant_new("ms", text);
}

static GVariant *
raw_value(GBytes *raw)
{
	GVariant *bytes = NULL;

	if (raw != NULL)
		bytes = g_variant_new_from_bytes(G_VARIANT_TYPE_BYTESTRING, raw, TRUE);
	return g_variant_new_maybe(G_VARIANT_TYPE_BYTESTRING, bytes);
}

static GVariant *
bytes_value(const void *bytes, gsize length)
{
	return g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, bytes, length, 1);
}

static GVariant *
digests_value(const struct digests *digests)
{
	G_STATIC_ASSERT(sizeof(*digests) == MD5_BYTES + SHA1_BYTES + SHA256_BYTES);
	return bytes_value(digests, sizeof(*digests));
}

static GVariant *
texts_value(const GPtrArray *texts, guint most)
{
	guint count = MIN(texts->len, most);

	return g_variant_new_strv((const char *const *)texts->pdata, (gssize)count);
}

static GVariant *
addresses_value(const GPtrArray *addresses, guint most)
{
	GVariantBuilder builder;

	g_variant_builder_init(&builder, G_VARIANT_TYPE(ADDRESSES_TYPE));
	for (guint i = 0; i < MIN(addresses->len, most); i++) {
		const struct mail_address *address = g_ptr_array_index(addresses, i);

		g_variant_builder_add(&builder, "(mss)", address->display, address->address);
	}
	return g_variant_builder_end(&builder);
}

static GVariant *
names_value(const GPtrArray *names)
{
	GVariantBuilder builder;

	g_variant_builder_init(&builder, G_VARIANT_TYPE("a(smays)"));
	for (guint i = 0; i < names->len; i++) {
		const struct file_name *name = g_ptr_array_index(names, i);

		g_variant_builder_add(&builder, "(s@mays)", name->text, raw_value(name->raw),
				      name->reading);
	}
	return g_variant_builder_end(&builder);
}

static GVariant *
variants_value(const GArray *variants)
{
	GVariantBuilder builder;

	g_variant_builder_init(&builder, G_VARIANT_TYPE("a(utay)"));
	for (guint i = 0; i < variants->len; i++) {
		const struct variant *variant = &g_array_index(variants, struct variant, i);

		g_variant_builder_add(&builder, "(ut@ay)", variant->kind, variant->size,
				      digests_value(&variant->digests));
	}
	return g_variant_builder_end(&builder);
}

static GVariant *
file_value(const struct file *file, guint32 flags)
{
	GVariant *crc32 = file->has_crc32 ? g_variant_new_uint32(file->crc32) : NULL;
	GVariant *members[] = {
		[FILE_AT_PATH] = g_variant_new_string(file->path),
		[FILE_AT_PARENT] = g_variant_new_int32(file->parent),
		[FILE_AT_NAMES] = names_value(file->names),
		[FILE_AT_DECLARED_TYPE] = text_value(file->declared_type),
		[FILE_AT_DETECTED_TYPE] = text_value(file->detected_type),
		[FILE_AT_DISPOSITION] = text_value(file->disposition),
		[FILE_AT_CONTENT_ID] = text_value(file->content_id),
		[FILE_AT_ENCODING] = text_value(file->encoding),
		[FILE_AT_SIZE] = g_variant_new_uint64(file->size),
		[FILE_AT_FLAGS] = g_variant_new_uint32(flags),
		[FILE_AT_DIGESTS] = digests_value(&file->digests),
		[FILE_AT_VARIANTS] = variants_value(file->variants),
		[FILE_AT_CRC32] = g_variant_new_maybe(G_VARIANT_TYPE_UINT32, crc32),
		[FILE_AT_METHOD] = text_value(file->method),
		[FILE_AT_READINGS] = texts_value(file->readings, G_MAXUINT),
		[FILE_AT_MALWARE] = texts_value(file->malware, G_MAXUINT),
	};

	return g_variant_new_tuple(members, G_N_ELEMENTS(members));
}

/* The first files, with those marked incomplete below which some are left out. */
static GVariant *
files_value(const GPtrArray *files, guint most)
{
	guint count = MIN(files->len, most);
	g_autofree gboolean *cut = g_new0(gboolean, count + 1);
	GVariantBuilder builder;

	for (guint i = count; i < files->len; i++) {
		const struct file *file = g_ptr_array_index(files, i);

		if (file->parent >= 0 && (guint)file->parent < count)
			cut[file->parent] = TRUE;
	}
	g_variant_builder_init(&builder, G_VARIANT_TYPE("a" FILE_TYPE));
	for (guint i = 0; i < count; i++) {
		const struct file *file = g_ptr_array_index(files, i);
		guint32 flags = file->flags | (cut[i] ? (guint32)FILE_INCOMPLETE : 0);

		g_variant_builder_add_value(&builder, file_value(file, flags));
	}
	return g_variant_builder_end(&builder);
}

static GVariant *
anomalies_value(const GPtrArray *anomalies)
{
	GVariantBuilder builder;

	g_variant_builder_init(&builder, G_VARIANT_TYPE("a(st)"));
	for (guint i = 0; i < anomalies->len; i++) {
		const struct anomaly *anomaly = g_ptr_array_index(anomalies, i);

		g_variant_builder_add(&builder, "(st)", anomaly->name, anomaly->offset);
	}
	return g_variant_builder_end(&builder);
}

static GVariant *
caps_value(const GPtrArray *caps, gboolean cut)
{
	GVariantBuilder builder;
	gboolean noted = FALSE;

	g_variant_builder_init(&builder, G_VARIANT_TYPE("as"));
	for (guint i = 0; i < caps->len; i++) {
		const char *name = g_ptr_array_index(caps, i);

		noted |= strcmp(name, CAP_EVENT_BYTES_NAME) == 0;
		g_variant_builder_add(&builder, "s", name);
	}
	if (cut && !noted)
		g_variant_builder_add(&builder, "s", CAP_EVENT_BYTES_NAME);
	return g_variant_builder_end(&builder);
}

/* Returns the answer as bytes, or NULL when it does not fit. */
static GBytes *
encode_extent(const struct record *record, guint64 ticket, struct extent extent)
{
	const guint all = G_MAXUINT;
	gboolean cut = extent.files != all || extent.urls != all || extent.others != all;
	GVariant *members[] = {
		[RECORD_TICKET] = g_variant_new_uint64(ticket),
		[RECORD_MESSAGE_ID] = text_value(record->message_id),
		[RECORD_SUBJECT] = text_value(record->subject),
		[RECORD_SUBJECT_RAW] = raw_value(record->subject_raw),
		[RECORD_DATE] = text_value(record->date),
		[RECORD_DATE_US] = g_variant_new_int64(record->date_us),
		[RECORD_FROM] = addresses_value(record->from, extent.others),
		[RECORD_TO] = addresses_value(record->to, extent.others),
		[RECORD_CC] = addresses_value(record->cc, extent.others),
		[RECORD_REPLY_TO] = addresses_value(record->reply_to, extent.others),
		[RECORD_DELIVERED_TO] = texts_value(record->delivered_to, extent.others),
		[RECORD_AUTHENTICATION_RESULTS] =
			texts_value(record->authentication_results, extent.others),
		[RECORD_LIST_ID] = text_value(record->list_id),
		[RECORD_URLS] = texts_value(record->urls, extent.urls),
		[RECORD_FILES] = files_value(record->files, extent.files),
		[RECORD_ANOMALIES] = anomalies_value(record->anomalies),
		[RECORD_CAPS] = caps_value(record->caps, cut),
		[RECORD_SIZE] = g_variant_new_uint64(record->size),
		[RECORD_SHA256] = bytes_value(record->sha256, SHA256_BYTES),
		[RECORD_SCANNER] = text_value(record->scanner),
	};
	g_autoptr(GVariant) value =
		g_variant_ref_sink(g_variant_new_tuple(members, G_N_ELEMENTS(members)));

	if (g_variant_get_size(value) > CAP_ANSWER_BYTES)
		return NULL;
	return g_variant_get_data_as_bytes(value);
}

/*
 * Finds the most of one list with which the record fits.  count: a member of
 * extent, whose length is given.  Returns NULL, with *count 0, when even
 * without the list it is too long.
 */
static GBytes *
encode_most(const struct record *record, guint64 ticket, struct extent *extent, guint *count,
	    guint length)
{
	g_autoptr(GBytes) best = NULL;
	guint fits = 0, fails = length + 1;

	*count = 0;
	best = encode_extent(record, ticket, *extent);
	while (best != NULL && fails - fits > 1) {
		GBytes *bytes;

		*count = fits + (fails - fits) / 2;
		bytes = encode_extent(record, ticket, *extent);
		if (bytes == NULL) {
			fails = *count;
			continue;
		}
		fits = *count;
		g_bytes_unref(best);
		best = bytes;
	}
	return g_steal_pointer(&best);
}

GBytes *
answer_encode(const struct record *record, guint64 ticket)
{
	struct extent extent = {G_MAXUINT, G_MAXUINT, G_MAXUINT};
	GBytes *bytes = encode_extent(record, ticket, extent);

	if (bytes == NULL)
		bytes = encode_most(record, ticket, &extent, &extent.files, record->files->len);
	if (bytes == NULL)
		bytes = encode_most(record, ticket, &extent, &extent.urls, record->urls->len);
	if (bytes == NULL)
		bytes = encode_most(record, ticket, &extent, &extent.others, CAP_ADDRESSES);
	/* What is left are a few fields under their caps, a quarter of the limit at most. */
	g_assert(bytes != NULL);
	return bytes;
}
