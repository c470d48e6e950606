/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of keys, mailtrace.conf(5) and the example file say the same, in
 * the same order: a key or default that is changed in one place alone fails.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

static char **
lines_of(const char *name)
{
	const char *top = g_getenv("top_builddir");
	g_autofree char *path = g_build_filename(top ? top : ".", name, NULL);
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;

	cr_assert(g_file_get_contents(path, &text, NULL, &error), "%s",
		  error ? error->message : "");
	return g_strsplit(text, "\n", -1);
}

/* The table as one string: "[group] key = default" lines. */
static char *
table_text(void)
{
	GString *text = g_string_new(NULL);
	const struct settings_key *keys;
	gsize count;

	keys = settings_keys(&count);
	for (gsize i = 0; i < count; i++)
		g_string_append_printf(text, "[%s] %s = %s\n", keys[i].group, keys[i].key,
				       keys[i].fallback);
	return g_string_free(text, FALSE);
}

static char *
between(const char *line, const char *before, const char *after)
{
	gsize length = strlen(line);

	if (!g_str_has_prefix(line, before) || !g_str_has_suffix(line, after))
		return NULL;
	return g_strndup(line + strlen(before), length - strlen(before) - strlen(after));
}

/* Takes what the page says of keys: .Ss \&[group], .It Cm key, Default: and .Ql value. */
static char *
page_text(void)
{
	g_auto(GStrv) lines = lines_of("docs/mailtrace.conf.5");
	GString *text = g_string_new(NULL);
	g_autofree char *group = NULL;
	g_autofree char *key = NULL;

	for (char **line = lines; *line; line++) {
		char *found;

		if ((found = between(*line, ".Ss \\&[", "]"))) {
			g_free(group);
			group = found;
		} else if ((found = between(*line, ".It Cm ", ""))) {
			g_free(key);
			key = found;
		} else if (g_str_equal(*line, "Default: empty.")) {
			g_string_append_printf(text, "[%s] %s = \n", group, key);
		} else if (g_str_equal(*line, "Default:") && line[1] &&
			   g_str_has_prefix(line[1], ".Ql ")) {
			g_string_append_printf(text, "[%s] %s = %s\n", group, key,
					       line[1] + strlen(".Ql "));
		}
	}
	return g_string_free(text, FALSE);
}

/* Takes the keys of the example, which are comments: "#key = default" below "[group]". */
static char *
example_text(void)
{
	g_auto(GStrv) lines = lines_of("contrib/mailtrace.conf");
	GString *text = g_string_new(NULL);
	g_autofree char *group = NULL;

	for (char **line = lines; *line; line++) {
		char *found = between(*line, "[", "]");
		const char *equals = strstr(*line, " =");

		if (found) {
			g_free(group);
			group = found;
		} else if (**line == '#' && g_ascii_isalpha((*line)[1]) && equals) {
			g_string_append_printf(text, "[%s] %.*s = %s\n", group,
					       (int)(equals - *line - 1), *line + 1,
					       g_strchug((char *)equals + strlen(" =")));
		}
	}
	return g_string_free(text, FALSE);
}

Test(settings_docs, page_names_every_key_with_its_default_and_no_other)
{
	g_autofree char *table = table_text();
	g_autofree char *page = page_text();

	cr_assert_str_eq(page, table);
}

Test(settings_docs, example_has_every_key_with_its_default_and_no_other)
{
	g_autofree char *table = table_text();
	g_autofree char *example = example_text();

	cr_assert_str_eq(example, table);
}

Test(settings_docs, example_tells_what_each_key_is_for)
{
	g_auto(GStrv) lines = lines_of("contrib/mailtrace.conf");
	const struct settings_key *keys;
	gsize count;

	keys = settings_keys(&count);
	for (gsize i = 0; i < count; i++) {
		g_autofree char *help = g_strdup_printf("# %s", keys[i].help);

		cr_assert(g_strv_contains((const char *const *)lines, help), "%s: %s", keys[i].key,
			  keys[i].help);
	}
}

Test(settings_docs, example_is_a_configuration_and_so_is_each_of_its_keys)
{
	g_auto(GStrv) lines = lines_of("contrib/mailtrace.conf");
	g_autofree char *as_it_is = g_strjoinv("\n", lines);
	g_autoptr(settings_t) settings = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *taken_in = NULL;

	settings = settings_parse("example", as_it_is, strlen(as_it_is), &error);
	cr_assert_not_null(settings, "%s", error ? error->message : "");
	g_clear_pointer(&settings, settings_unref);
	for (char **line = lines; *line; line++)
		if (**line == '#' && g_ascii_isalpha((*line)[1]))
			**line = ' ';
	taken_in = g_strjoinv("\n", lines);
	settings = settings_parse("example", taken_in, strlen(taken_in), &error);
	cr_assert_not_null(settings, "%s", error ? error->message : "");
}
