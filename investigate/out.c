/* SPDX-License-Identifier: BSD-2-Clause */
#include "out.h"

#include <string.h>
#include <unistd.h>

#include "json.h"
#include "text.h"

#define WIDTH_ROWS 1000 /* rows of a table that are held back to find its widths */
#define COLUMN_GAP "  "
#define UNDER_INDENT "    "

/* What one format does; chosen once, in out_new(). */
struct out_methods {
	void (*begin)(struct out *out);
	void (*row)(struct out *out, const struct out_value *values);
	void (*under)(struct out *out, const char *text);
	void (*end)(struct out *out);
};

/* A line of a table that is held back: the cells of a row, or what stands below one. */
struct table_line {
	char **cells; /* one a column, or NULL */
	char *under;
};

struct out {
	const struct out_methods *methods;
	enum out_format format;
	FILE *stream;
	gboolean terminal; /* then even JSON and CSV must not carry raw controls */
	GTimeZone *zone;

	const char *type;
	const struct out_column *columns;
	guint n_columns;

	/* of a table */
	GPtrArray *held; /* of struct table_line */
	int *widths;	 /* NULL until they are settled */
};

static void
put(struct out *out, const char *text)
{
	/* A failed write stays in the stream's error flag, which out_free() reads. */
	fputs(text, out->stream);
}

char *
out_time_rfc3339(gint64 time_us)
{
	g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_utc(time_us / G_USEC_PER_SEC);
	g_autoptr(GDateTime) time = NULL;

	if (seconds)
		time = g_date_time_add(seconds, time_us % G_USEC_PER_SEC);
	return time ? g_date_time_format(time, "%Y-%m-%dT%H:%M:%S.%fZ") : NULL;
}

char *
out_time(struct out *out, gint64 time_us)
{
	g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(time_us / G_USEC_PER_SEC);
	g_autoptr(GDateTime) local = utc ? g_date_time_to_timezone(utc, out->zone) : NULL;

	return local ? g_date_time_format(local, "%Y-%m-%d %H:%M:%S %z")
		     : g_strdup("(time out of range)");
}

/* ---- JSON Lines ---- */

static void
json_begin(struct out *out)
{
}

static void
json_end(struct out *out)
{
}

static void
json_write(struct out *out, const json_t *value)
{
	size_t flags = JSON_COMPACT | (out->terminal ? JSON_ENSURE_ASCII : 0);
	char *line = json_dumps(value, flags);

	g_assert(line);
	put(out, line);
	put(out, "\n");
	free(line);
}

static json_t *
json_cell(enum out_type type, const struct out_value *value)
{
	g_autofree char *time = NULL;
	json_t *list;

	switch (type) {
	case OUT_TEXT:
		return value->text ? json_string(value->text) : json_null();
	case OUT_INT:
		return json_integer(value->number);
	case OUT_BOOL:
		return json_boolean(value->number != 0);
	case OUT_JSON_VALUE:
		list = value->text ? json_loads(value->text, 0, NULL) : NULL;
		return list ? list : json_null();
	case OUT_TIME:
		time = value->number ? out_time_rfc3339(value->number) : NULL;
		return time ? json_string(time) : json_null();
	}
	g_assert_not_reached();
}

static void
json_row(struct out *out, const struct out_value *values)
{
	g_autoptr(json_t) object = json_object();

	if (out->type)
		json_put_text(object, "type", out->type);
	for (guint i = 0; i < out->n_columns; i++)
		json_object_set_new(object, out->columns[i].name,
				    json_cell(out->columns[i].type, &values[i]));
	json_write(out, object);
}

/* ---- CSV, RFC 4180 ---- */

/* A spreadsheet would run such a cell as a formula; a Japanese one takes the wide signs too. */
static gboolean
is_formula(const char *text)
{
	static const char *const wide[] = {"\uff1d", "\uff0b", "\uff0d", "\uff20"};

	for (gsize i = 0; i < G_N_ELEMENTS(wide); i++)
		if (g_str_has_prefix(text, wide[i]))
			return TRUE;
	return *text && strchr("=+-@\t\r\n", *text);
}

static void
csv_cell(struct out *out, const char *text)
{
	gboolean formula = is_formula(text);
	g_autofree char *safe = out->terminal ? text_for_terminal(text) : NULL;
	const char *cell = safe ? safe : text;

	if (!formula && !strpbrk(cell, ",\"\r\n")) {
		put(out, cell);
		return;
	}
	put(out, formula ? "\"'" : "\"");
	for (; *cell; cell++) {
		if (*cell == '"')
			putc('"', out->stream);
		putc(*cell, out->stream);
	}
	put(out, "\"");
}

static void
csv_begin(struct out *out)
{
	for (guint i = 0; i < out->n_columns; i++) {
		if (out->columns[i].type == OUT_JSON_VALUE)
			continue;
		put(out, i ? "," : "");
		put(out, out->columns[i].name);
	}
	put(out, "\r\n");
}

static void
csv_value(struct out *out, enum out_type type, const struct out_value *value)
{
	g_autofree char *time = NULL;

	switch (type) {
	case OUT_TEXT:
		csv_cell(out, value->text ? value->text : "");
		break;
	case OUT_INT:
		fprintf(out->stream, "%" G_GINT64_FORMAT, value->number);
		break;
	case OUT_BOOL:
		put(out, value->number ? "true" : "false");
		break;
	case OUT_TIME:
		time = value->number ? out_time_rfc3339(value->number) : NULL;
		put(out, time ? time : "");
		break;
	case OUT_JSON_VALUE:
		break;
	}
}

static void
csv_row(struct out *out, const struct out_value *values)
{
	for (guint i = 0; i < out->n_columns; i++) {
		if (out->columns[i].type == OUT_JSON_VALUE)
			continue;
		put(out, i ? "," : "");
		csv_value(out, out->columns[i].type, &values[i]);
	}
	put(out, "\r\n");
}

static void
csv_end(struct out *out)
{
}

/* ---- a table ---- */

static gboolean
is_shown(const struct out_column *column)
{
	return column->heading && *column->heading;
}

static char *
table_cell(struct out *out, enum out_type type, const struct out_value *value)
{
	switch (type) {
	case OUT_TEXT:
	case OUT_JSON_VALUE:
		return value->text ? text_for_terminal(value->text) : g_strdup("-");
	case OUT_INT:
		return g_strdup_printf("%" G_GINT64_FORMAT, value->number);
	case OUT_BOOL:
		return g_strdup(value->number ? "yes" : "no");
	case OUT_TIME:
		return value->number ? out_time(out, value->number) : g_strdup("-");
	}
	g_assert_not_reached();
}

static guint
last_shown(const struct out *out)
{
	guint last = 0;

	for (guint i = 0; i < out->n_columns; i++)
		if (is_shown(&out->columns[i]))
			last = i;
	return last;
}

static char *
padding(int columns)
{
	return g_strnfill((gsize)MAX(columns, 0), ' ');
}

/*
 * Writes a cell at its column's width.  A cell is cut at the column's own
 * limit only: one that came after the widths were settled may stand out, which
 * is better than losing a piece of an answer.
 */
static void
table_put(struct out *out, guint i, const char *cell, gboolean is_last)
{
	const struct out_column *column = &out->columns[i];
	g_autofree char *cut = NULL;
	g_autofree char *blanks = NULL;

	if (column->max_width && text_width(cell) > column->max_width)
		cell = cut = text_fit(cell, column->max_width);
	blanks = padding(out->widths[i] - text_width(cell));
	if (column->type == OUT_INT)
		put(out, blanks);
	put(out, cell);
	if (column->type != OUT_INT && !is_last)
		put(out, blanks);
	put(out, is_last ? "\n" : COLUMN_GAP);
}

static void
table_write(struct out *out, const char *const *cells)
{
	guint last = last_shown(out);

	for (guint i = 0; i < out->n_columns; i++)
		if (is_shown(&out->columns[i]))
			table_put(out, i, cells[i], i == last);
}

static void
table_heading(struct out *out)
{
	g_autofree const char **cells = g_new0(const char *, out->n_columns + 1);

	for (guint i = 0; i < out->n_columns; i++)
		cells[i] = out->columns[i].heading ? out->columns[i].heading : "";
	table_write(out, cells);
}

static void
table_line_free(void *data)
{
	struct table_line *line = data;

	g_strfreev(line->cells);
	g_free(line->under);
	g_free(line);
}

static void
table_put_line(struct out *out, const struct table_line *line)
{
	if (line->cells) {
		table_write(out, (const char *const *)line->cells);
		return;
	}
	put(out, UNDER_INDENT);
	put(out, line->under);
	put(out, "\n");
}

static void
table_settle(struct out *out)
{
	out->widths = g_new0(int, out->n_columns + 1);
	for (guint i = 0; i < out->n_columns; i++) {
		const struct out_column *column = &out->columns[i];

		if (is_shown(column))
			out->widths[i] = text_width(column->heading);
		for (guint row = 0; row < out->held->len; row++) {
			const struct table_line *line = g_ptr_array_index(out->held, row);

			if (line->cells)
				out->widths[i] = MAX(out->widths[i], text_width(line->cells[i]));
		}
		if (column->max_width)
			out->widths[i] = MIN(out->widths[i], column->max_width);
	}
	if (out->held->len)
		table_heading(out);
	for (guint row = 0; row < out->held->len; row++)
		table_put_line(out, g_ptr_array_index(out->held, row));
	g_ptr_array_set_size(out->held, 0);
}

static void
table_begin(struct out *out)
{
	g_clear_pointer(&out->widths, g_free);
	g_ptr_array_set_size(out->held, 0);
}

/* Takes line: writes it, or holds it back. */
static void
table_add(struct out *out, struct table_line *line)
{
	if (out->widths) {
		table_put_line(out, line);
		table_line_free(line);
		return;
	}
	g_ptr_array_add(out->held, line);
	if (out->held->len == WIDTH_ROWS)
		table_settle(out);
}

static void
table_row(struct out *out, const struct out_value *values)
{
	struct table_line *line = g_new0(struct table_line, 1);

	line->cells = g_new0(char *, out->n_columns + 1);
	for (guint i = 0; i < out->n_columns; i++)
		line->cells[i] = table_cell(out, out->columns[i].type, &values[i]);
	table_add(out, line);
}

static void
table_under(struct out *out, const char *text)
{
	struct table_line *line = g_new0(struct table_line, 1);

	line->under = text_for_terminal(text);
	table_add(out, line);
}

static void
table_end(struct out *out)
{
	if (!out->widths)
		table_settle(out);
}

/* ---- for all ---- */

/* What stands below a row repeats its cells for people. */
static void
no_under(struct out *out, const char *text)
{
}

static const struct out_methods methods[] = {
	[OUT_TABLE] = {table_begin, table_row, table_under, table_end},
	[OUT_JSON] = {json_begin, json_row, no_under, json_end},
	[OUT_CSV] = {csv_begin, csv_row, no_under, csv_end},
};

struct out *
out_new(FILE *stream, enum out_format format, gboolean utc)
{
	struct out *out = g_new0(struct out, 1);
	int fd = fileno(stream);

	out->methods = &methods[format];
	out->format = format;
	out->stream = stream;
	out->terminal = fd >= 0 && isatty(fd);
	out->zone = utc ? g_time_zone_new_utc() : g_time_zone_new_local();
	out->held = g_ptr_array_new_with_free_func(table_line_free);
	return out;
}

void
out_begin(struct out *out, const char *type, const struct out_column *columns)
{
	out->type = type;
	out->columns = columns;
	out->n_columns = 0;
	while (columns[out->n_columns].name)
		out->n_columns++;
	out->methods->begin(out);
}

void
out_row(struct out *out, const struct out_value *values)
{
	out->methods->row(out, values);
}

void
out_under(struct out *out, const char *text)
{
	out->methods->under(out, text);
}

void
out_end(struct out *out)
{
	out->methods->end(out);
}

void
out_json_line(struct out *out, const char *json, gsize length)
{
	g_autoptr(json_t) value = NULL;

	if (out->format != OUT_JSON)
		return;
	/* A ready object may hold controls of the C1 range as they are: not for a terminal. */
	if (out->terminal)
		value = json_loadb(json, length, 0, NULL);
	if (value) {
		json_write(out, value);
		return;
	}
	if (fwrite(json, 1, length, out->stream) == length)
		put(out, "\n");
}

void
out_note(struct out *out, const char *format, ...)
{
	g_autofree char *text = NULL;
	g_autofree char *safe = NULL;
	va_list list;

	if (out->format != OUT_TABLE)
		return;
	va_start(list, format);
	text = g_strdup_vprintf(format, list);
	va_end(list);
	safe = text_for_terminal(text);
	put(out, safe);
	put(out, "\n");
}

gboolean
out_flush(struct out *out)
{
	return fflush(out->stream) == 0 && !ferror(out->stream);
}

gboolean
out_free(struct out *out)
{
	gboolean ok;

	if (!out)
		return TRUE;
	ok = out_flush(out);
	g_time_zone_unref(out->zone);
	g_ptr_array_unref(out->held);
	g_free(out->widths);
	g_free(out);
	return ok;
}
