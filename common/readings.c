/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "readings.h"

#include <string.h>

#include "caps.h"

#define TYPE_BIT (1u << FIELD_CONTENT_TYPE)
#define ENCODING_BIT (1u << FIELD_CONTENT_TRANSFER_ENCODING)

static const struct reading table[] = {
	{"last-content-type", DOUBT_TYPE_TWICE, .options = {.last_fields = TYPE_BIT}},
	{"last-transfer-encoding", DOUBT_ENCODING_TWICE, .options = {.last_fields = ENCODING_BIT}},
	{"last-boundary", DOUBT_BOUNDARY, .options = {.boundary = BOUNDARY_LAST}},
	{"literal-boundary", DOUBT_BOUNDARY, .options = {.boundary = BOUNDARY_LITERAL}},
	{"token-boundary", DOUBT_BOUNDARY, .options = {.boundary = BOUNDARY_TOKEN}},
	{"squeezed-boundary", DOUBT_BOUNDARY, .options = {.boundary = BOUNDARY_SQUEEZED}},
	{"decoded-boundary", DOUBT_BOUNDARY, .options = {.boundary = BOUNDARY_DECODED}},
	{"boundary-of-body", DOUBT_NO_PARTS, .options = {.boundary = BOUNDARY_SEEN}},
	{"boundary-makes-multipart", DOUBT_TYPE, .options = {.boundary_decides = TRUE}},
	{"skipped-header-line", DOUBT_HEADER_LINE, .options = {.garbage = GARBAGE_IS_SKIPPED}},
	{"unindented-fold", DOUBT_HEADER_LINE, .options = {.garbage = GARBAGE_FOLDS}},
	{"mended-field-name", DOUBT_FIELD_NAME,
	 .options = {.mend_names = TRUE, .garbage = GARBAGE_IS_SKIPPED}},
	{"indented-field", DOUBT_FIELD_BLANK, .options = {.blank_fields = TRUE}},
	{"nameless-field", DOUBT_NAMELESS, .options = {.nameless_fields = TRUE}},
	{"header-after-blank-line", DOUBT_HEADER_END, .options = {.header_goes_on = TRUE}},
	{"header-ends-at-blanks", DOUBT_BLANK_LINE, .options = {.blank_line_ends = TRUE}},
	{"bare-cr-ends-line", DOUBT_BARE_CR | DOUBT_NO_PARTS, .carriage_lines = TRUE},
	{"lf-cr-ends-line", DOUBT_LF_CR, .lf_cr_lines = TRUE},
	{"cr-cr-lf-ends-line", DOUBT_CR_CR_LF, .cr_cr_lf_lines = TRUE},
	{"text-after-delimiter", DOUBT_DELIMITER_TAIL, .options = {.delimiter_prefix = TRUE}},
	{"delimiter-within-line", DOUBT_DELIMITER_PLACE, .options = {.delimiter_anywhere = TRUE}},
	{"delimiter-without-dashes", DOUBT_NO_PARTS | DOUBT_ONE_PART,
	 .options = {.delimiter_undashed = TRUE}},
	{"delimiter-of-any-case", DOUBT_DELIMITER_CASE, .options = {.delimiter_any_case = TRUE}},
	{"delimiter-in-header", DOUBT_HEADER_CUT, .options = {.header_is_whole = TRUE}},
	{"misspelt-close", DOUBT_CLOSE, .options = {.dashes_close = TRUE}},
	{"part-in-preamble", DOUBT_PREAMBLE, .options = {.preamble_is_part = TRUE}},
	{"part-in-epilogue", DOUBT_EPILOGUE, .options = {.close_is_ignored = TRUE}},
	{"inner-multipart-goes-on", DOUBT_UNCLOSED, .options = {.inner_goes_on = TRUE}},
	{"decoded-multipart", DOUBT_ENCODED, .options = {.decode_multiparts = TRUE}},
	{"utf-16-multipart", DOUBT_WIDE, .options = {.wide_multiparts = TRUE}},
	{"crlf-alone-ends-line", DOUBT_BARE_LF, .options = {.strict_lines = TRUE}},
};

const struct reading *
readings_table(gsize *ret_count)
{
	*ret_count = G_N_ELEMENTS(table);
	return table;
}

/* Takes one of two choices of which 0 is none; returns FALSE when there are two. */
static gboolean
join_choice(guint first, guint second, guint *ret_choice)
{
	*ret_choice = MAX(first, second);
	return !first || !second || first == second;
}

/* Whether two ways to split are the same. */
static gboolean
is_same(const struct reading *first, const struct reading *second)
{
	return first->carriage_lines == second->carriage_lines &&
	       first->lf_cr_lines == second->lf_cr_lines &&
	       first->cr_cr_lf_lines == second->cr_cr_lf_lines &&
	       memcmp(&first->options, &second->options, sizeof(first->options)) == 0;
}

gboolean
readings_join(const struct reading *first, const struct reading *second, char *ret_name,
	      struct reading *ret_joined)
{
	const struct split_options *a = &first->options, *b = &second->options;
	guint boundary, garbage;
	struct reading joined = {
		.name = ret_name,
		.doubts = first->doubts | second->doubts,
		.carriage_lines = first->carriage_lines || second->carriage_lines,
		.lf_cr_lines = first->lf_cr_lines || second->lf_cr_lines,
		.cr_cr_lf_lines = first->cr_cr_lf_lines || second->cr_cr_lf_lines,
		.options =
			{
				.last_fields = a->last_fields | b->last_fields,
				.boundary_decides = a->boundary_decides || b->boundary_decides,
				.mend_names = a->mend_names || b->mend_names,
				.blank_fields = a->blank_fields || b->blank_fields,
				.nameless_fields = a->nameless_fields || b->nameless_fields,
				.header_goes_on = a->header_goes_on || b->header_goes_on,
				.blank_line_ends = a->blank_line_ends || b->blank_line_ends,
				.delimiter_prefix = a->delimiter_prefix || b->delimiter_prefix,
				.delimiter_anywhere =
					a->delimiter_anywhere || b->delimiter_anywhere,
				.delimiter_undashed =
					a->delimiter_undashed || b->delimiter_undashed,
				.delimiter_any_case =
					a->delimiter_any_case || b->delimiter_any_case,
				.header_is_whole = a->header_is_whole || b->header_is_whole,
				.dashes_close = a->dashes_close || b->dashes_close,
				.preamble_is_part = a->preamble_is_part || b->preamble_is_part,
				.close_is_ignored = a->close_is_ignored || b->close_is_ignored,
				.inner_goes_on = a->inner_goes_on || b->inner_goes_on,
				.decode_multiparts = a->decode_multiparts || b->decode_multiparts,
				.wide_multiparts = a->wide_multiparts || b->wide_multiparts,
				.strict_lines = a->strict_lines || b->strict_lines,
			},
	};

	if (!join_choice(a->boundary, b->boundary, &boundary) ||
	    !join_choice(a->garbage, b->garbage, &garbage))
		return FALSE;
	joined.options.boundary = boundary;
	joined.options.garbage = garbage;
	/* In UTF-16 each CR has its NUL, and stands in a line by itself. */
	if (joined.carriage_lines + joined.lf_cr_lines + joined.cr_cr_lf_lines +
		    joined.options.strict_lines + joined.options.wide_multiparts >
	    1)
		return FALSE;
	if (is_same(&joined, first))
		joined.name = first->name;
	else if (is_same(&joined, second))
		joined.name = second->name;
	else
		g_snprintf(ret_name, READING_NAME_BYTES, "%s+%s", first->name, second->name);
	*ret_joined = joined;
	return TRUE;
}

GByteArray *
readings_carriage_lines(const char *bytes, gsize length)
{
	/* One more, so that nothing stands somewhere too. */
	GByteArray *lines = g_byte_array_sized_new((guint)length + 1);
	const char *at = bytes, *end = bytes + length;

	while (at < end) {
		const char *carriage = memchr(at, '\r', (gsize)(end - at));
		const char *stop = carriage ? carriage + 1 : end;

		g_byte_array_append(lines, (const guint8 *)at, (guint)(stop - at));
		if (carriage && (stop == end || *stop != '\n'))
			g_byte_array_append(lines, (const guint8 *)"\n", 1);
		at = stop;
	}
	return lines;
}

GByteArray *
readings_cr_cr_lf_lines(const char *bytes, gsize length)
{
	GByteArray *lines = g_byte_array_sized_new((guint)length);
	const char *at = bytes, *end = bytes + length;

	while (at < end) {
		const char *feed = memchr(at, '\n', (gsize)(end - at));
		const char *stop = feed ? feed : end;

		while (feed && stop - at > 1 && stop[-1] == '\r' && stop[-2] == '\r')
			stop--;
		g_byte_array_append(lines, (const guint8 *)at, (guint)(stop - at));
		if (feed)
			g_byte_array_append(lines, (const guint8 *)"\n", 1);
		at = feed ? feed + 1 : end;
	}
	return lines;
}

GByteArray *
readings_lf_cr_lines(const char *bytes, gsize length)
{
	GByteArray *lines = g_byte_array_sized_new((guint)length);
	const char *at = bytes, *end = bytes + length;

	while (at < end) {
		const char *feed = memchr(at, '\n', (gsize)(end - at));
		gboolean pair = feed && end - feed > 1 && feed[1] == '\r';
		const char *stop = feed ? feed + 1 : end;

		if (pair)
			stop = feed > at && feed[-1] == '\r' ? feed - 1 : feed;
		g_byte_array_append(lines, (const guint8 *)at, (guint)(stop - at));
		if (pair)
			g_byte_array_append(lines, (const guint8 *)"\r\n", 2);
		at = pair ? feed + 2 : stop;
	}
	return lines;
}

/* ---- the union ---- */

static guint
content_hash(gconstpointer data)
{
	const struct file *file = data;
	guint32 hash;

	memcpy(&hash, file->digests.sha256, sizeof(hash));
	return hash;
}

static gboolean
content_equal(gconstpointer a, gconstpointer b)
{
	const struct file *left = a, *right = b;

	return memcmp(left->digests.sha256, right->digests.sha256, SHA256_BYTES) == 0;
}

/* The contents of a record, and how many of them are other readings'. */
struct contents {
	GHashTable *files; /* set of struct file, borrowed from the record */
	guint others;
};

static void
contents_init(struct contents *contents, const struct record *record)
{
	contents->files = g_hash_table_new(content_hash, content_equal);
	contents->others = 0;
	for (guint i = 0; i < record->files->len; i++) {
		struct file *file = g_ptr_array_index(record->files, i);

		g_hash_table_add(contents->files, file);
		contents->others += file->readings->len > 0;
	}
}

static void
name_reading(struct file *file, const char *name)
{
	if (!g_ptr_array_find_with_equal_func(file->readings, name, g_str_equal, NULL))
		g_ptr_array_add(file->readings, g_strdup(name));
}

void
readings_add_names(struct record *record, struct file *file, const struct file *other)
{
	for (guint i = 0; i < other->names->len; i++) {
		const struct file_name *name = g_ptr_array_index(other->names, i);

		if (file_has_name(file, name->text))
			continue;
		if (file->names->len >= CAP_NAMES)
			return record_note_cap(record, CAP_NAMES_NAME);
		file_add_name(file, name->text, name->reading, name->raw);
	}
}

/*
 * Whether the record lacks a content and may have it; where it has it, names the reading, and
 * takes the names that it gives.
 */
static gboolean
is_wanted(struct record *record, const struct contents *contents, const struct file *file,
	  const char *name)
{
	struct file *same = NULL;

	g_hash_table_lookup_extended(contents->files, file, (gpointer *)&same, NULL);
	if (same && same->readings->len && !strchr(name, '+'))
		name_reading(same, name);
	if (same && file->names)
		readings_add_names(record, same, file);
	if (same)
		return FALSE;
	if (contents->others < CAP_READING_OBJECTS && record->files->len < CAP_PARTS)
		return TRUE;
	record_note_cap(record, CAP_READING_OBJECTS_NAME);
	return FALSE;
}

/* Returns "path@name", with a number if that is taken.  Free with g_free(). */
static char *
free_path(const struct record *record, const char *path, const char *name)
{
	char *free = g_strdup_printf("%s@%s", path, name);

	for (guint number = 2;; number++) {
		gboolean taken = FALSE;

		for (guint i = 0; i < record->files->len && !taken; i++) {
			const struct file *file = g_ptr_array_index(record->files, i);

			taken = g_str_equal(file->path, free);
		}
		if (!taken)
			return free;
		g_free(free);
		free = g_strdup_printf("%s@%s.%u", path, name, number);
	}
}

static gboolean
is_content(const struct file *file)
{
	return file->size && !(file->flags & (FILE_MULTIPART | FILE_MESSAGE));
}

/* Moves a file to the record. */
static void
take_file(struct record *record, struct contents *contents, struct file *file, int parent,
	  const char *name)
{
	const struct file *above = g_ptr_array_index(record->files, (guint)MAX(parent, 0));
	g_autofree char *below = parent < 0 ? g_strdup(file->path)
					    : g_strdup_printf("%s.%s", above->path, file->path);

	g_free(file->path);
	file->path = free_path(record, below, name);
	file->parent = MAX(parent, 0);
	name_reading(file, name);
	g_ptr_array_add(record->files, file);
	g_hash_table_add(contents->files, file);
	contents->others++;
}

guint
readings_merge(struct record *record, struct record *other, int parent, const char *name)
{
	struct contents contents;
	guint taken = 0;

	contents_init(&contents, record);
	for (guint i = 0; i < other->files->len; i++) {
		struct file *file = g_ptr_array_index(other->files, i);

		if (!is_content(file) || !is_wanted(record, &contents, file, name))
			continue;
		other->files->pdata[i] = NULL;
		take_file(record, &contents, file, parent, name);
		taken++;
	}
	g_hash_table_unref(contents.files);
	for (guint i = 0; i < other->caps->len; i++)
		record_note_cap(record, g_ptr_array_index(other->caps, i));
	return taken;
}

struct file *
readings_add(struct record *record, int parent, const char *name, guint64 size,
	     const struct digests *digests)
{
	const struct file *above = g_ptr_array_index(record->files, (guint)parent);
	const struct file content = {.digests = *digests};
	g_autofree char *path = NULL;
	struct contents contents;
	struct file *file;
	gboolean wanted;

	contents_init(&contents, record);
	wanted = size && is_wanted(record, &contents, &content, name);
	g_hash_table_unref(contents.files);
	if (!wanted)
		return NULL;
	path = free_path(record, above->path, name);
	file = record_add_file(record, path, parent);
	file->size = size;
	file->digests = *digests;
	file->declared_type = g_strdup(above->declared_type);
	file->disposition = g_strdup(above->disposition);
	for (guint i = 0; i < above->names->len; i++) {
		const struct file_name *one = g_ptr_array_index(above->names, i);

		file_add_name(file, one->text, one->reading, one->raw);
	}
	name_reading(file, name);
	return file;
}
