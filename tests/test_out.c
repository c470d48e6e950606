/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <criterion/criterion.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include "json.h"
#include "out.h"
#include "text.h"

static const struct out_column columns[] = {
	{"received_at", "RECEIVED", OUT_TIME, 0},
	{"recipient", "RECIPIENT", OUT_TEXT, 0},
	{"size", "SIZE", OUT_INT, 0},
	{"held", "HELD", OUT_BOOL, 0},
	{"subject", "SUBJECT", OUT_TEXT, 24},
	{"event_id", "", OUT_TEXT, 0},
	{"queue_id", "QUEUE", OUT_TEXT, 0},
	{NULL},
};

/* 2026-11-23T01:02:03.456789Z */
#define MOMENT G_GINT64_CONSTANT(1795395723456789)

static const char *const subjects[] = {
	"plain",
	"請求書 ご確認ください",
	"📎 👨‍👩‍👧 family 🇯🇵",
	"cafe\u0301 re\u0301sume\u0301",
	"invoice\u202egpj.exe",
	"\x1b]0;owned\x07\x1b[31mred\x1b[0m",
	"comma, \"quote\"\r\nand line",
	"=cmd|'/c calc'!A0",
	"ｶﾀｶﾅ が長い件名はここで切れるはずです",
	"\xc2\x85 next line \xc2\x9b"
	"31m",
	NULL,
};

static void
write_rows(struct out *out)
{
	out_begin(out, "hit", columns);
	for (guint i = 0; i < G_N_ELEMENTS(subjects); i++) {
		g_autofree char *recipient = g_strdup_printf("u%u@example.org", i);
		const struct out_value row[] = {
			{NULL, i == 3 ? 0 : MOMENT + i},
			{recipient, 0},
			{NULL, (gint64)i * 1000},
			{NULL, i % 2},
			{subjects[i], 0},
			{"00000000-0000-7000-8000-000000000000", 0},
			{i == 4 ? NULL : "4Xyz", 0},
		};

		out_row(out, row);
	}
	out_end(out);
	out_note(out, "%s", "0 recipients \x1b[2J of 12");
	out_json_line(out, "{\"type\":\"coverage\"}", 19);
}

static char *
written(enum out_format format, gboolean utc)
{
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);
	struct out *out = out_new(stream, format, utc);

	write_rows(out);
	cr_assert(out_free(out));
	fclose(stream);
	return text;
}

/* Compares with tests/data/out/<name>; MAILTRACE_REGOLD=1 writes it instead. */
static void
assert_golden(const char *name, const char *text)
{
	const char *source = g_getenv("top_srcdir");
	g_autofree char *path =
		g_build_filename(source ? source : "..", "tests", "data", "out", name, NULL);
	g_autofree char *golden = NULL;

	if (g_getenv("MAILTRACE_REGOLD"))
		cr_assert(g_file_set_contents(path, text, -1, NULL));
	cr_assert(g_file_get_contents(path, &golden, NULL, NULL), "%s is missing", path);
	cr_assert_str_eq(text, golden, "differs from %s:\n%s", path, text);
}

Test(out, table_is_as_golden)
{
	g_autofree char *text = NULL;

	g_setenv("TZ", "Asia/Tokyo", TRUE);
	text = written(OUT_TABLE, FALSE);
	assert_golden("table.txt", text);
}

Test(out, table_in_utc_is_as_golden)
{
	g_autofree char *text = NULL;

	g_setenv("TZ", "Asia/Tokyo", TRUE);
	text = written(OUT_TABLE, TRUE);
	assert_golden("table-utc.txt", text);
}

Test(out, json_is_as_golden)
{
	g_autofree char *text = NULL;

	g_setenv("TZ", "Asia/Tokyo", TRUE);
	text = written(OUT_JSON, FALSE);
	assert_golden("rows.json", text);
}

Test(out, csv_is_as_golden)
{
	g_autofree char *text = written(OUT_CSV, FALSE);

	assert_golden("rows.csv", text);
}

Test(out, table_has_no_control_but_line_breaks)
{
	g_autofree char *text = written(OUT_TABLE, FALSE);

	cr_assert(g_utf8_validate(text, -1, NULL));
	for (const char *at = text; *at; at = g_utf8_next_char(at)) {
		gunichar c = g_utf8_get_char(at);

		cr_assert(c == '\n' || !g_unichar_iscntrl(c), "control U+%04X in a table", c);
		cr_assert(c != 0x202e, "an override of direction in a table");
	}
}

Test(out, table_cells_begin_in_one_column)
{
	g_autofree char *text = written(OUT_TABLE, FALSE);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	const char *heading = strstr(lines[0], "QUEUE");
	int column;

	cr_assert_not_null(heading);
	*(char *)heading = '\0';
	column = text_width(lines[0]);
	for (guint i = 1; i <= G_N_ELEMENTS(subjects); i++) {
		char *queue = g_strrstr(lines[i], i == 5 ? "-" : "4Xyz");

		cr_assert_not_null(queue, "%s", lines[i]);
		*queue = '\0';
		cr_assert_eq(text_width(lines[i]), column, "line %u: %s", i, lines[i]);
	}
}

Test(out, json_lines_give_the_values_back)
{
	g_autofree char *text = written(OUT_JSON, FALSE);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (guint i = 0; i < G_N_ELEMENTS(subjects); i++) {
		g_autoptr(json_t) row = json_parse_object(lines[i], strlen(lines[i]));

		cr_assert_not_null(row);
		cr_assert_str_eq(json_get_text(row, "type"), "hit");
		cr_assert_eq(g_strcmp0(json_get_text(row, "subject"), subjects[i]), 0);
		cr_assert_eq(json_get_int(row, "size", -1), (gint64)i * 1000);
	}
}

/* A minimal reader of RFC 4180: returns the cells of the first record and moves *text past it. */
static GPtrArray *
csv_record(const char **text)
{
	GPtrArray *cells = g_ptr_array_new_with_free_func(g_free);
	GString *cell = g_string_new(NULL);
	gboolean quoted = FALSE;
	const char *at = *text;

	for (; *at && (quoted || strncmp(at, "\r\n", 2) != 0); at++) {
		if (quoted && at[0] == '"' && at[1] == '"')
			g_string_append_c(cell, *at++);
		else if (*at == '"')
			quoted = !quoted;
		else if (*at == ',' && !quoted)
			g_ptr_array_add(cells, g_strdup(cell->str)), g_string_truncate(cell, 0);
		else
			g_string_append_c(cell, *at);
	}
	g_ptr_array_add(cells, g_string_free(cell, FALSE));
	*text = *at ? at + 2 : at;
	return cells;
}

Test(out, csv_cells_read_back_and_run_nothing)
{
	g_autofree char *text = written(OUT_CSV, FALSE);
	const char *at = text;
	guint record = 0;

	while (*at) {
		g_autoptr(GPtrArray) cells = csv_record(&at);
		const char *subject;

		cr_assert_eq(cells->len, 7);
		for (guint i = 0; i < cells->len; i++) {
			const char *cell = g_ptr_array_index(cells, i);

			cr_assert(!*cell || !strchr("=+-@\t\r", *cell), "a formula: %s", cell);
		}
		subject = g_ptr_array_index(cells, 4);
		if (record > 0) {
			const char *given = subjects[record - 1] ? subjects[record - 1] : "";

			cr_assert_str_eq(*subject == '\'' ? subject + 1 : subject, given);
		}
		record++;
	}
	cr_assert_eq(record, 1 + G_N_ELEMENTS(subjects));
}

Test(out, csv_runs_no_formula_of_a_japanese_spreadsheet)
{
	static const struct out_column one[] = {{"a", "A", OUT_TEXT, 0}, {NULL}};
	static const char *const cells[] = {"\uff1d1", "\uff0b1", "\uff0d1", "\uff201", "\n=1"};

	for (gsize i = 0; i < G_N_ELEMENTS(cells); i++) {
		char *text = NULL;
		size_t length;
		FILE *stream = open_memstream(&text, &length);
		struct out *out = out_new(stream, OUT_CSV, TRUE);

		out_begin(out, "x", one);
		out_row(out, (const struct out_value[]){{cells[i], 0}});
		out_end(out);
		cr_assert(out_free(out));
		fclose(stream);
		cr_expect(g_str_has_prefix(text, "a\r\n\"'"), "%s", text);
		free(text);
	}
}

Test(out, rows_past_those_that_settle_the_widths_are_whole)
{
	static const struct out_column two[] = {
		{"a", "A", OUT_TEXT, 0}, {"b", "B", OUT_TEXT, 0}, {NULL}};
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);
	struct out *out = out_new(stream, OUT_TABLE, TRUE);
	g_auto(GStrv) lines = NULL;

	out_begin(out, NULL, two);
	for (guint i = 0; i < 1500; i++)
		out_row(out, (const struct out_value[]){{i == 1400 ? "a much longer cell" : "x", 0},
							{"end", 0}});
	out_end(out);
	out_free(out);
	fclose(stream);
	cr_assert_not_null(strstr(text, "\na much longer cell  end\n"));
	lines = g_strsplit(text, "\n", -1);
	cr_assert_eq(lines[1501][0], '\0');
	free(text);
}

Test(out, no_rows_give_no_heading_in_a_table_and_one_in_csv)
{
	for (enum out_format format = OUT_TABLE; format <= OUT_CSV; format++) {
		char *text = NULL;
		size_t length;
		FILE *stream = open_memstream(&text, &length);
		struct out *out = out_new(stream, format, TRUE);

		out_begin(out, "hit", columns);
		out_end(out);
		out_free(out);
		fclose(stream);
		if (format == OUT_CSV)
			cr_assert(g_str_has_prefix(text, "received_at,recipient,"));
		else
			cr_assert_str_empty(text);
		free(text);
	}
}

Test(out, a_full_disk_is_no_success)
{
	FILE *full = fopen("/dev/full", "w");
	struct out *out;

	cr_assert_not_null(full);
	out = out_new(full, OUT_JSON, TRUE);
	write_rows(out);
	cr_assert_not(out_free(out));
	fclose(full);
}

Test(out, json_on_a_terminal_is_ascii)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	const char *json = "{\"s\":\"\xc2\x9b"
			   "31m\"}";
	char bytes[256] = {0};
	FILE *terminal;
	struct out *out;

	cr_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	terminal = fopen(ptsname(master), "w");
	cr_assert_not_null(terminal);
	out = out_new(terminal, OUT_JSON, TRUE);
	out_json_line(out, json, strlen(json));
	cr_assert(out_free(out));
	cr_assert_gt(read(master, bytes, sizeof(bytes) - 1), 0);
	cr_assert_str_eq(g_strchomp(bytes), "{\"s\":\"\\u009B31m\"}");
	fclose(terminal);
	close(master);
}

Test(out, a_time_without_calendar_is_said_so)
{
	struct out *out = out_new(stdout, OUT_TABLE, TRUE);
	g_autofree char *far = out_time(out, G_MAXINT64);
	g_autofree char *known = out_time(out, MOMENT);

	cr_assert_str_eq(far, "(time out of range)");
	cr_assert_str_eq(known, "2026-11-23 01:02:03 +0000");
	out_free(out);
}

/* Writes a row with a value of JSON, and a line below it. */
static char *
written_with_list(enum out_format format)
{
	static const struct out_column with_list[] = {
		{"id", "ID", OUT_TEXT, 0}, {"finals", "", OUT_JSON_VALUE, 0}, {NULL}};
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);
	struct out *out = out_new(stream, format, TRUE);

	out_begin(out, NULL, with_list);
	out_row(out, (const struct out_value[]){{"a", 0}, {"[{\"b\":1}]", 0}});
	out_under(out, "a long line \x1b[31m that makes no column wider");
	out_row(out, (const struct out_value[]){{"c", 0}, {NULL, 0}});
	out_end(out);
	cr_assert(out_free(out));
	fclose(stream);
	return text;
}

Test(out, a_list_is_a_member_of_json_and_lines_below_a_row_for_people)
{
	g_autofree char *json = written_with_list(OUT_JSON), *csv = written_with_list(OUT_CSV);
	g_autofree char *table = written_with_list(OUT_TABLE);
	g_auto(GStrv) lines = g_strsplit(table, "\n", -1);

	cr_assert_str_eq(json, "{\"id\":\"a\",\"finals\":[{\"b\":1}]}\n"
			       "{\"id\":\"c\",\"finals\":null}\n");
	cr_assert_str_eq(csv, "id\r\na\r\nc\r\n");
	cr_assert_str_eq(lines[0], "ID");
	cr_assert_str_eq(lines[1], "a");
	cr_assert(g_str_has_prefix(lines[2], "    a long line "));
	cr_assert_null(strchr(lines[2], '\x1b'));
	cr_assert_str_eq(lines[3], "c");
}
