/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer.h"

#include <string.h>

#include "answer_form.h"
#include "caps.h"

#define PATH_BYTES_MAX (CAP_NESTING * CAP_NAME_BYTES) /* each level adds at most a name */
#define DEPTH_MAX (2 * CAP_NESTING) /* a level is a message and its content at most */
#define LABEL_BYTES_MAX 64	    /* names of readings, anomalies, caps: our own words */
#define LABELS_MAX 64		    /* there are fewer caps and readings than that */

/* Years 1 to 9999, what RFC 3339 can write. */
#define TIME_US_MIN (-62135596800 * G_USEC_PER_SEC)
#define TIME_US_MAX (253402300800 * G_USEC_PER_SEC - 1)

G_DEFINE_QUARK(mailtrace_answer_error, answer_error)

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
	g_autoptr(GVariant) crc32 = g_variant_get_child_value(tuple, FILE_AT_CRC32);

	g_variant_get_child(tuple, FILE_AT_SIZE, "t", &ret_file->size);
	g_variant_get_child(tuple, FILE_AT_FLAGS, "u", &ret_file->flags);
	if (ret_file->flags >> FILE_FLAG_COUNT != 0)
		return refuse(error, "a file has a flag that is none");
	g_variant_get(crc32, "mu", &ret_file->has_crc32, &ret_file->crc32);
	if (!read_digests(tuple, FILE_AT_DIGESTS, &ret_file->digests, error))
		return FALSE;
	if ((ret_file->flags & FILE_MULTIPART) != 0 && digests_are_known(&ret_file->digests))
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
