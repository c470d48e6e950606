/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer.h"

#include <string.h>

#include "caps.h"

/*
 * The form.  "m" is a member that may be absent.
 * file: path parent names(text raw reading) declared_type detected_type
 *       disposition content_id encoding size flags digests
 *       variants(kind size digests) crc32 method readings malware
 */
#define ADDRESSES_TYPE "a(mss)"
#define FILE_TYPE "(sia(smays)msmsmsmsmstuaya(utay)mumsasas)"
#define RECORD_TYPE                                                                \
	"(tmsmsmaymsx" ADDRESSES_TYPE ADDRESSES_TYPE ADDRESSES_TYPE ADDRESSES_TYPE \
	"asasmsasa" FILE_TYPE "a(st)astayms)"

/* Members of RECORD_TYPE, by place. */
enum {
	RECORD_TICKET,
	RECORD_MESSAGE_ID,
	RECORD_SUBJECT,
	RECORD_SUBJECT_RAW,
	RECORD_DATE,
	RECORD_DATE_US,
	RECORD_FROM,
	RECORD_TO,
	RECORD_CC,
	RECORD_REPLY_TO,
	RECORD_DELIVERED_TO,
	RECORD_AUTHENTICATION_RESULTS,
	RECORD_LIST_ID,
	RECORD_URLS,
	RECORD_FILES,
	RECORD_ANOMALIES,
	RECORD_CAPS,
	RECORD_SIZE,
	RECORD_SHA256,
	RECORD_SCANNER,
};

/* Members of FILE_TYPE, by place. */
enum {
	FILE_AT_PATH,
	FILE_AT_PARENT,
	FILE_AT_NAMES,
	FILE_AT_DECLARED_TYPE,
	FILE_AT_DETECTED_TYPE,
	FILE_AT_DISPOSITION,
	FILE_AT_CONTENT_ID,
	FILE_AT_ENCODING,
	FILE_AT_SIZE,
	FILE_AT_FLAGS,
	FILE_AT_DIGESTS,
	FILE_AT_VARIANTS,
	FILE_AT_CRC32,
	FILE_AT_METHOD,
	FILE_AT_READINGS,
	FILE_AT_MALWARE,
};

#define PATH_BYTES_MAX (CAP_NESTING * CAP_NAME_BYTES) /* each level adds at most a name */
#define DEPTH_MAX (2 * CAP_NESTING) /* a level is a message and its content at most */
#define LABEL_BYTES_MAX 64	    /* names of readings, anomalies, caps: our own words */
#define LABELS_MAX 64		    /* there are fewer caps and readings than that */

/* Years 1 to 9999, what RFC 3339 can write. */
#define TIME_US_MIN (-62135596800 * G_USEC_PER_SEC)
#define TIME_US_MAX (253402300800 * G_USEC_PER_SEC - 1)

G_DEFINE_QUARK(mailtrace_answer_error, answer_error)

/* ---- writing ---- */

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

/* ---- reading ---- */

static gboolean
refuse(GError **error, const char *what)
{
	g_set_error(error, ANSWER_ERROR, ANSWER_ERROR_CONTENT, "the worker's answer: %s", what);
	return FALSE;
}

/* Reads a string, or one that may be absent, of at most max_bytes. */
static gboolean
read_text(GVariant *tuple, gsize at, gsize max_bytes, char **ret_text, GError **error)
{
	g_autoptr(GVariant) member = g_variant_get_child_value(tuple, at);
	g_autoptr(GVariant) value = NULL;
	const char *text;
	gsize length;

	if (g_variant_is_of_type(member, G_VARIANT_TYPE_MAYBE))
		value = g_variant_get_maybe(member);
	else
		value = g_variant_ref(member);
	if (value == NULL)
		return TRUE;
	text = g_variant_get_string(value, &length);
	if (length > max_bytes)
		return refuse(error, "a text is over its cap");
	*ret_text = g_strdup(text);
	return TRUE;
}

/* Reads bytes that may be absent, of at most max_bytes. */
static gboolean
read_raw(GVariant *tuple, gsize at, gsize max_bytes, GBytes **ret_raw, GError **error)
{
	g_autoptr(GVariant) member = g_variant_get_child_value(tuple, at);
	g_autoptr(GVariant) value = g_variant_get_maybe(member);

	if (value == NULL)
		return TRUE;
	if (g_variant_get_size(value) > max_bytes)
		return refuse(error, "raw bytes are over their cap");
	*ret_raw = g_bytes_new(g_variant_get_data(value), g_variant_get_size(value));
	return TRUE;
}

static gboolean
read_fixed(GVariant *tuple, gsize at, void *ret_bytes, gsize length, GError **error)
{
	g_autoptr(GVariant) value = g_variant_get_child_value(tuple, at);

	if (g_variant_get_size(value) != length)
		return refuse(error, "digests are of another length");
	memcpy(ret_bytes, g_variant_get_data(value), length);
	return TRUE;
}

static gboolean
read_digests(GVariant *tuple, gsize at, struct digests *ret_digests, GError **error)
{
	return read_fixed(tuple, at, ret_digests, sizeof(*ret_digests), error);
}

/* Reads strings of at most max_bytes each, at most count_max of them. */
static gboolean
read_texts(GVariant *tuple, gsize at, gsize count_max, gsize max_bytes, GPtrArray *ret_texts,
	   GError **error)
{
	g_autoptr(GVariant) array = g_variant_get_child_value(tuple, at);
	gsize count = g_variant_n_children(array);

	if (count > count_max)
		return refuse(error, "a list is over its cap");
	for (gsize i = 0; i < count; i++) {
		char *text = NULL;

		if (!read_text(array, i, max_bytes, &text, error))
			return FALSE;
		g_ptr_array_add(ret_texts, text);
	}
	return TRUE;
}

/* A label of record.h. */
static gboolean
is_label(const char *text)
{
	gsize length = 0;

	while (g_ascii_isgraph(text[length]))
		length++;
	return length > 0 && length <= LABEL_BYTES_MAX && text[length] == '\0';
}

static gboolean
read_labels(GVariant *tuple, gsize at, GPtrArray *ret_labels, GError **error)
{
	if (!read_texts(tuple, at, LABELS_MAX, LABEL_BYTES_MAX, ret_labels, error))
		return FALSE;
	for (guint i = 0; i < ret_labels->len; i++)
		if (!is_label(g_ptr_array_index(ret_labels, i)))
			return refuse(error, "a name of a cap or reading is none");
	return TRUE;
}

static gboolean
read_addresses(GVariant *tuple, gsize at, GPtrArray *ret_addresses, GError **error)
{
	g_autoptr(GVariant) array = g_variant_get_child_value(tuple, at);
	gsize count = g_variant_n_children(array);

	if (count > CAP_ADDRESSES)
		return refuse(error, "too many addresses");
	for (gsize i = 0; i < count; i++) {
		g_autoptr(GVariant) entry = g_variant_get_child_value(array, i);
		const char *display, *address;

		g_variant_get(entry, "(m&s&s)", &display, &address);
		if (strlen(address) > CAP_FIELD_BYTES ||
		    (display != NULL && strlen(display) > CAP_FIELD_BYTES))
			return refuse(error, "an address is over its cap");
		mail_address_add(ret_addresses, display, address);
	}
	return TRUE;
}

static gboolean
read_names(GVariant *tuple, struct file *ret_file, GError **error)
{
	g_autoptr(GVariant) array = g_variant_get_child_value(tuple, FILE_AT_NAMES);
	gsize count = g_variant_n_children(array);

	if (count > CAP_NAMES)
		return refuse(error, "a file has too many names");
	for (gsize i = 0; i < count; i++) {
		g_autoptr(GVariant) entry = g_variant_get_child_value(array, i);
		g_autoptr(GBytes) raw = NULL;
		g_autofree char *text = NULL, *reading = NULL;

		if (!read_text(entry, 0, CAP_NAME_BYTES, &text, error) ||
		    !read_raw(entry, 1, CAP_HEADER_BYTES, &raw, error) ||
		    !read_text(entry, 2, LABEL_BYTES_MAX, &reading, error))
			return FALSE;
		if (!is_label(reading))
			return refuse(error, "a name's reading is none");
		file_add_name(ret_file, text, reading, raw);
	}
	if (ret_file->names->len != count)
		return refuse(error, "a file has one name twice");
	return TRUE;
}

static gboolean
read_variants(GVariant *tuple, struct file *ret_file, GError **error)
{
	g_autoptr(GVariant) array = g_variant_get_child_value(tuple, FILE_AT_VARIANTS);
	gsize count = g_variant_n_children(array);

	if (count >= VARIANT_KIND_COUNT)
		return refuse(error, "a file has too many variants");
	for (gsize i = 0; i < count; i++) {
		g_autoptr(GVariant) entry = g_variant_get_child_value(array, i);
		struct digests digests;
		guint32 kind;
		guint64 size;

		g_variant_get_child(entry, 0, "u", &kind);
		g_variant_get_child(entry, 1, "t", &size);
		if (kind == VARIANT_EXACT || kind >= VARIANT_KIND_COUNT ||
		    file_variant(ret_file, kind) != NULL)
			return refuse(error, "a variant is of no kind, or there twice");
		if (!read_digests(entry, 2, &digests, error))
			return FALSE;
		file_add_variant(ret_file, kind, size, &digests);
	}
	return TRUE;
}

static gboolean
read_file_texts(GVariant *tuple, struct file *ret_file, GError **error)
{
	return read_text(tuple, FILE_AT_DECLARED_TYPE, CAP_FIELD_BYTES, &ret_file->declared_type,
			 error) &&
	       read_text(tuple, FILE_AT_DETECTED_TYPE, CAP_FIELD_BYTES, &ret_file->detected_type,
			 error) &&
	       read_text(tuple, FILE_AT_DISPOSITION, CAP_FIELD_BYTES, &ret_file->disposition,
			 error) &&
	       read_text(tuple, FILE_AT_CONTENT_ID, CAP_FIELD_BYTES, &ret_file->content_id,
			 error) &&
	       read_text(tuple, FILE_AT_ENCODING, CAP_FIELD_BYTES, &ret_file->encoding, error) &&
	       read_text(tuple, FILE_AT_METHOD, LABEL_BYTES_MAX, &ret_file->method, error) &&
	       read_labels(tuple, FILE_AT_READINGS, ret_file->readings, error) &&
	       read_texts(tuple, FILE_AT_MALWARE, LABELS_MAX, CAP_NAME_BYTES, ret_file->malware,
			  error);
}

static gboolean
read_file_numbers(GVariant *tuple, struct file *ret_file, GError **error)
{
	static const struct digests none;
	g_autoptr(GVariant) crc32 = g_variant_get_child_value(tuple, FILE_AT_CRC32);

	g_variant_get_child(tuple, FILE_AT_SIZE, "t", &ret_file->size);
	g_variant_get_child(tuple, FILE_AT_FLAGS, "u", &ret_file->flags);
	if (ret_file->flags >> FILE_FLAG_COUNT != 0)
		return refuse(error, "a file has a flag that is none");
	g_variant_get(crc32, "mu", &ret_file->has_crc32, &ret_file->crc32);
	if (!read_digests(tuple, FILE_AT_DIGESTS, &ret_file->digests, error))
		return FALSE;
	if ((ret_file->flags & FILE_MULTIPART) != 0 &&
	    memcmp(&ret_file->digests, &none, sizeof(none)) != 0)
		return refuse(error, "a container has a digest");
	return TRUE;
}

/* Depths by index, and the paths seen so far. */
struct tree {
	guint *depths;
	GHashTable *paths; /* borrowed from the files */
};

static gboolean
read_file(GVariant *tuple, struct record *record, struct tree *tree, GError **error)
{
	g_autofree char *path = NULL;
	int index = (int)record->files->len, parent;
	struct file *file;

	if (!read_text(tuple, FILE_AT_PATH, PATH_BYTES_MAX, &path, error))
		return FALSE;
	g_variant_get_child(tuple, FILE_AT_PARENT, "i", &parent);
	if (parent < -1 || parent >= index || (parent == -1) != (index == 0))
		return refuse(error, "a file's parent does not come before it");
	tree->depths[index] = parent < 0 ? 0 : tree->depths[parent] + 1;
	if (tree->depths[index] > DEPTH_MAX)
		return refuse(error, "the tree is too deep");
	if (*path == '\0' || g_hash_table_contains(tree->paths, path))
		return refuse(error, "a path is empty, or there twice");
	file = record_add_file(record, path, parent);
	g_hash_table_add(tree->paths, file->path);
	return read_file_numbers(tuple, file, error) && read_names(tuple, file, error) &&
	       read_variants(tuple, file, error) && read_file_texts(tuple, file, error);
}

static gboolean
read_files(GVariant *tuple, struct record *ret_record, GError **error)
{
	g_autoptr(GVariant) array = g_variant_get_child_value(tuple, RECORD_FILES);
	gsize count = g_variant_n_children(array);
	g_autoptr(GHashTable) paths = g_hash_table_new(g_str_hash, g_str_equal);
	g_autofree guint *depths = g_new0(guint, MIN(count, CAP_FILES) + 1);
	struct tree tree = {depths, paths};

	if (count > CAP_FILES)
		return refuse(error, "too many files");
	for (gsize i = 0; i < count; i++) {
		g_autoptr(GVariant) entry = g_variant_get_child_value(array, i);

		if (!read_file(entry, ret_record, &tree, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean
read_anomalies(GVariant *tuple, struct record *ret_record, GError **error)
{
	g_autoptr(GVariant) array = g_variant_get_child_value(tuple, RECORD_ANOMALIES);
	gsize count = g_variant_n_children(array);

	if (count > CAP_ANOMALIES)
		return refuse(error, "too many anomalies");
	for (gsize i = 0; i < count; i++) {
		const char *name;
		guint64 offset;

		g_variant_get_child(array, i, "(&st)", &name, &offset);
		if (!is_label(name))
			return refuse(error, "an anomaly's name is none");
		record_add_anomaly(ret_record, name, offset);
	}
	return TRUE;
}

static gboolean
read_lists(GVariant *tuple, struct record *ret_record, GError **error)
{
	return read_addresses(tuple, RECORD_FROM, ret_record->from, error) &&
	       read_addresses(tuple, RECORD_TO, ret_record->to, error) &&
	       read_addresses(tuple, RECORD_CC, ret_record->cc, error) &&
	       read_addresses(tuple, RECORD_REPLY_TO, ret_record->reply_to, error) &&
	       read_texts(tuple, RECORD_DELIVERED_TO, CAP_ADDRESSES, CAP_FIELD_BYTES,
			  ret_record->delivered_to, error) &&
	       read_texts(tuple, RECORD_AUTHENTICATION_RESULTS, CAP_ADDRESSES, CAP_FIELD_BYTES,
			  ret_record->authentication_results, error) &&
	       read_texts(tuple, RECORD_URLS, CAP_URLS, CAP_URL_BYTES, ret_record->urls, error) &&
	       read_anomalies(tuple, ret_record, error) &&
	       read_labels(tuple, RECORD_CAPS, ret_record->caps, error);
}

static gboolean
read_fields(GVariant *tuple, struct record *ret_record, GError **error)
{
	g_variant_get_child(tuple, RECORD_SIZE, "t", &ret_record->size);
	g_variant_get_child(tuple, RECORD_DATE_US, "x", &ret_record->date_us);
	if (ret_record->size > CAP_MESSAGE_BYTES)
		return refuse(error, "the message is over its cap");
	if (ret_record->date_us < TIME_US_MIN || ret_record->date_us > TIME_US_MAX)
		return refuse(error, "the date is out of range");
	return read_text(tuple, RECORD_MESSAGE_ID, CAP_FIELD_BYTES, &ret_record->message_id,
			 error) &&
	       read_text(tuple, RECORD_SUBJECT, CAP_SUBJECT_BYTES, &ret_record->subject, error) &&
	       read_raw(tuple, RECORD_SUBJECT_RAW, CAP_HEADER_BYTES, &ret_record->subject_raw,
			error) &&
	       read_text(tuple, RECORD_DATE, CAP_FIELD_BYTES, &ret_record->date, error) &&
	       read_text(tuple, RECORD_LIST_ID, CAP_FIELD_BYTES, &ret_record->list_id, error) &&
	       read_text(tuple, RECORD_SCANNER, CAP_SIGNATURE_BYTES, &ret_record->scanner, error) &&
	       read_fixed(tuple, RECORD_SHA256, ret_record->sha256, SHA256_BYTES, error);
}

struct record *
answer_decode(const void *bytes, gsize length, guint64 ticket, GError **error)
{
	g_autoptr(record_t) record = record_new();
	g_autoptr(GBytes) copy = NULL;
	g_autoptr(GVariant) tuple = NULL;
	guint64 answered;

	if (length > CAP_ANSWER_BYTES) {
		g_set_error(error, ANSWER_ERROR, ANSWER_ERROR_SIZE,
			    "the worker's answer has %" G_GSIZE_FORMAT " bytes", length);
		return NULL;
	}
	/* A copy is aligned, and the worker cannot change it while it is read. */
	copy = g_bytes_new(bytes, length);
	tuple = g_variant_ref_sink(
		g_variant_new_from_bytes(G_VARIANT_TYPE(RECORD_TYPE), copy, FALSE));
	if (!g_variant_is_normal_form(tuple)) {
		g_set_error(error, ANSWER_ERROR, ANSWER_ERROR_FORM,
			    "the worker's answer is not of its form");
		return NULL;
	}
	g_variant_get_child(tuple, RECORD_TICKET, "t", &answered);
	if (answered != ticket) {
		g_set_error(error, ANSWER_ERROR, ANSWER_ERROR_TICKET,
			    "the worker answered another message");
		return NULL;
	}
	if (!read_fields(tuple, record, error) || !read_lists(tuple, record, error) ||
	    !read_files(tuple, record, error))
		return NULL;
	return g_steal_pointer(&record);
}
