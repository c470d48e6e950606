/* SPDX-License-Identifier: BSD-2-Clause */
#include "record.h"

#include <string.h>

#include "caps.h"

static const char content_key_tag[] = "mailtrace-content-1";

static void
file_name_free(void *data)
{
	struct file_name *name = data;

	g_free(name->text);
	g_clear_pointer(&name->raw, g_bytes_unref);
	g_free(name->reading);
	g_free(name);
}

static void
mail_address_free(void *data)
{
	struct mail_address *address = data;

	g_free(address->display);
	g_free(address->address);
	g_free(address);
}

static void
anomaly_free(void *data)
{
	struct anomaly *anomaly = data;

	g_free(anomaly->name);
	g_free(anomaly);
}

struct record *
record_new(void)
{
	struct record *record = g_new0(struct record, 1);

	record->from = g_ptr_array_new_with_free_func(mail_address_free);
	record->to = g_ptr_array_new_with_free_func(mail_address_free);
	record->cc = g_ptr_array_new_with_free_func(mail_address_free);
	record->reply_to = g_ptr_array_new_with_free_func(mail_address_free);
	record->delivered_to = g_ptr_array_new_with_free_func(g_free);
	record->authentication_results = g_ptr_array_new_with_free_func(g_free);
	record->urls = g_ptr_array_new_with_free_func(g_free);
	record->files = g_ptr_array_new_with_free_func((GDestroyNotify)file_free);
	record->anomalies = g_ptr_array_new_with_free_func(anomaly_free);
	record->caps = g_ptr_array_new_with_free_func(g_free);
	return record;
}

void
record_free(struct record *record)
{
	if (record == NULL)
		return;
	g_free(record->message_id);
	g_free(record->subject);
	g_clear_pointer(&record->subject_raw, g_bytes_unref);
	g_free(record->date);
	g_free(record->list_id);
	g_free(record->scanner);
	g_ptr_array_unref(record->from);
	g_ptr_array_unref(record->to);
	g_ptr_array_unref(record->cc);
	g_ptr_array_unref(record->reply_to);
	g_ptr_array_unref(record->delivered_to);
	g_ptr_array_unref(record->authentication_results);
	g_ptr_array_unref(record->urls);
	g_ptr_array_unref(record->files);
	g_ptr_array_unref(record->anomalies);
	g_ptr_array_unref(record->caps);
	g_free(record);
}

struct file *
file_new(const char *path)
{
	struct file *file = g_new0(struct file, 1);

	file->path = g_strdup(path);
	file->parent = -1;
	file->names = g_ptr_array_new_with_free_func(file_name_free);
	file->variants = g_array_new(FALSE, FALSE, sizeof(struct variant));
	file->readings = g_ptr_array_new_with_free_func(g_free);
	file->malware = g_ptr_array_new_with_free_func(g_free);
	return file;
}

struct file *
record_add_file(struct record *record, const char *path, int parent)
{
	struct file *file = file_new(path);

	g_assert(parent >= -1 && parent < (int)record->files->len);
	file->parent = parent;
	g_ptr_array_add(record->files, file);
	return file;
}

void
file_free(struct file *file)
{
	if (file == NULL)
		return;
	g_free(file->path);
	g_ptr_array_unref(file->names);
	g_free(file->declared_type);
	g_free(file->detected_type);
	g_free(file->disposition);
	g_free(file->content_id);
	g_free(file->encoding);
	g_array_unref(file->variants);
	g_free(file->method);
	g_ptr_array_unref(file->readings);
	g_ptr_array_unref(file->malware);
	g_free(file);
}

gboolean
file_has_name(const struct file *file, const char *text)
{
	for (guint i = 0; i < file->names->len; i++) {
		const struct file_name *name = g_ptr_array_index(file->names, i);

		if (g_str_equal(name->text, text))
			return TRUE;
	}
	return FALSE;
}

void
file_add_name(struct file *file, const char *text, const char *reading, GBytes *raw)
{
	struct file_name *name;

	if (file_has_name(file, text))
		return;
	name = g_new0(struct file_name, 1);
	name->text = g_strdup(text);
	name->reading = g_strdup(reading);
	name->raw = raw != NULL ? g_bytes_ref(raw) : NULL;
	g_ptr_array_add(file->names, name);
}

void
file_add_variant(struct file *file, enum variant_kind kind, guint64 size,
		 const struct digests *digests)
{
	struct variant variant = {.kind = kind, .size = size, .digests = *digests};

	g_assert(kind != VARIANT_EXACT && (guint)kind < VARIANT_KIND_COUNT);
	g_array_append_val(file->variants, variant);
}

const struct variant *
file_variant(const struct file *file, enum variant_kind kind)
{
	for (guint i = 0; i < file->variants->len; i++) {
		const struct variant *variant = &g_array_index(file->variants, struct variant, i);

		if (variant->kind == kind)
			return variant;
	}
	return NULL;
}

void
mail_address_add(GPtrArray *array, const char *display, const char *address)
{
	struct mail_address *entry = g_new0(struct mail_address, 1);

	entry->display = g_strdup(display);
	entry->address = g_strdup(address);
	g_ptr_array_add(array, entry);
}

/* Adds a name that is not there yet; no more than a message has readings. */
static void
add_ambiguity(GPtrArray *names, char *name)
{
	if (names->len < CAP_READINGS &&
	    !g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
		g_ptr_array_add(names, name);
}

static gboolean
is_cap_of_readings(const char *name)
{
	return strcmp(name, CAP_READINGS_NAME) == 0 ||
	       strcmp(name, CAP_TRIPLE_READINGS_NAME) == 0 ||
	       strcmp(name, CAP_DECODINGS_NAME) == 0 ||
	       strcmp(name, CAP_READING_OBJECTS_NAME) == 0 ||
	       strcmp(name, CAP_READING_BYTES_NAME) == 0;
}

GPtrArray *
record_ambiguities(const struct record *record)
{
	GPtrArray *names = g_ptr_array_new();

	for (guint i = 0; i < record->caps->len; i++) {
		if (is_cap_of_readings(record->caps->pdata[i]))
			add_ambiguity(names, record->caps->pdata[i]);
	}
	for (guint i = 0; i < record->files->len; i++) {
		const struct file *file = record->files->pdata[i];

		for (guint j = 0; j < file->readings->len; j++)
			add_ambiguity(names, file->readings->pdata[j]);
	}
	return names;
}

gboolean
record_has_anomaly(const struct record *record, const char *name, guint64 offset)
{
	for (guint i = 0; i < record->anomalies->len; i++) {
		const struct anomaly *anomaly = g_ptr_array_index(record->anomalies, i);

		if (anomaly->offset == offset && g_str_equal(anomaly->name, name))
			return TRUE;
	}
	return FALSE;
}

void
record_add_anomaly(struct record *record, const char *name, guint64 offset)
{
	struct anomaly *anomaly;

	if (record->anomalies->len >= CAP_ANOMALIES) {
		record_note_cap(record, CAP_ANOMALIES_NAME);
		return;
	}
	anomaly = g_new0(struct anomaly, 1);
	anomaly->name = g_strdup(name);
	anomaly->offset = offset;
	g_ptr_array_add(record->anomalies, anomaly);
}

void
record_note_cap(struct record *record, const char *name)
{
	if (!g_ptr_array_find_with_equal_func(record->caps, name, g_str_equal, NULL))
		g_ptr_array_add(record->caps, g_strdup(name));
}

const char *
file_best_name(const struct file *file)
{
	const struct file_name *name;

	if (file->names->len == 0)
		return NULL;
	name = g_ptr_array_index(file->names, 0);
	return name->text;
}

gboolean
file_is_attachment(const struct file *file)
{
	return (file->flags & (FILE_MULTIPART | FILE_BODY)) == 0;
}

void
record_add_url(struct record *record, const char *url)
{
	if (g_ptr_array_find_with_equal_func(record->urls, url, g_str_equal, NULL))
		return;
	if (record->urls->len < CAP_URLS)
		g_ptr_array_add(record->urls, g_strdup(url));
	else
		record_note_cap(record, CAP_URLS_NAME);
}

gboolean
file_is_member(const struct file *file)
{
	return strstr(file->path, "!/") != NULL;
}

const char *
record_flag_name(guint bit)
{
	static const char *const names[FILE_FLAG_COUNT] = {
		"body", "multipart", "message", "encrypted", "incomplete", "undecoded", "truncated",
	};

	g_assert(bit < FILE_FLAG_COUNT);
	return names[bit];
}

const char *
variant_kind_name(enum variant_kind kind)
{
	static const char *const names[VARIANT_KIND_COUNT] = {"exact", "lf", "delimiter",
							      "trimmed"};

	g_assert((guint)kind < VARIANT_KIND_COUNT);
	return names[kind];
}

/* Adds one sized field, so that no two sequences of fields give the same bytes. */
static void
key_add_bytes(struct digester *digester, const void *bytes, gsize length)
{
	guint64 size = GUINT64_TO_BE(bytes != NULL ? (guint64)length : G_MAXUINT64);

	digester_add(digester, &size, sizeof(size));
	if (bytes != NULL)
		digester_add(digester, bytes, length);
}

/* Adds text with its blanks made one: folding is not the same on both sides. */
static void
key_add_text(struct digester *digester, const char *text)
{
	g_autoptr(GString) plain = g_string_new(NULL);

	if (text == NULL) {
		key_add_bytes(digester, NULL, 0);
		return;
	}
	for (; *text != '\0'; text++) {
		if (!g_ascii_isspace(*text))
			g_string_append_c(plain, *text);
		else if (plain->len > 0 && plain->str[plain->len - 1] != ' ')
			g_string_append_c(plain, ' ');
	}
	if (plain->len > 0 && plain->str[plain->len - 1] == ' ')
		g_string_truncate(plain, plain->len - 1);
	key_add_bytes(digester, plain->str, plain->len);
}

static void
key_add_file(struct digester *digester, const struct file *file)
{
	const struct variant *variant = file_variant(file, VARIANT_TRIMMED);
	const struct digests *digests = &file->digests;

	if (variant == NULL)
		variant = file_variant(file, VARIANT_LF);
	if (variant != NULL)
		digests = &variant->digests;
	key_add_text(digester, file->path);
	key_add_text(digester, file_best_name(file));
	key_add_bytes(digester, digests->sha256, SHA256_BYTES);
}

void
record_content_key(const struct record *record, guint8 ret_key[SHA256_BYTES])
{
	g_autoptr(digester_t) digester = digester_new();
	struct digests digests;

	key_add_text(digester, content_key_tag);
	key_add_text(digester, record->message_id);
	key_add_text(digester, record->date);
	key_add_text(digester, record->subject);
	for (guint i = 0; i < record->from->len; i++) {
		const struct mail_address *address = g_ptr_array_index(record->from, i);

		key_add_text(digester, address->display);
		key_add_text(digester, address->address);
	}
	key_add_text(digester, "");
	for (guint i = 0; i < record->files->len; i++) {
		const struct file *file = g_ptr_array_index(record->files, i);

		if ((file->flags & FILE_MULTIPART) == 0 && !file_is_member(file) &&
		    file->readings->len == 0)
			key_add_file(digester, file);
	}
	digester_finish(digester, &digests);
	memcpy(ret_key, digests.sha256, SHA256_BYTES);
}
