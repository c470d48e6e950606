/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"
#include "keys.h"
#include "password_list.h"

/* Writes a list of this mode and reads it; returns its words joined by "|", or NULL. */
static char *
words_of(const char *text, gsize length, int mode, GError **error)
{
	g_autofree char *path = NULL;
	int fd = g_file_open_tmp("mailtrace-passwords-XXXXXX", &path, NULL);
	char *joined = NULL;
	char **list;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, length), (gssize)length);
	cr_assert(g_close(fd, NULL));
	cr_assert_eq(g_chmod(path, mode), 0);
	list = password_list_read(path, error);
	if (list)
		joined = g_strjoinv("|", list);
	password_list_free(list);
	g_unlink(path);
	return joined;
}

static void
refused(const char *text, gsize length, int mode, const char *why)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *words = words_of(text, length, mode, &error);

	cr_assert_null(words);
	cr_assert_eq(error->domain, KEYS_ERROR);
	cr_assert(strstr(error->message, why) != NULL, "%s", error->message);
}

Test(password_list, has_one_word_a_line_in_order)
{
	const char *text = "# comment\n\n x7kQ!9 \r\nパスワード\na b";
	g_autofree char *words = words_of(text, strlen(text), 0600, NULL);
	g_autofree char *none = words_of("", 0, 0600, NULL);

	cr_assert_str_eq(words, "x7kQ!9|パスワード|a b");
	cr_assert_str_eq(none, "");
}

Test(password_list, is_as_secret_as_a_key)
{
	g_autoptr(GError) error = NULL;

	refused("a\n", 2, 0644, "chmod 0600");
	cr_assert_null(password_list_read("/nonexistent/list", &error));
	cr_assert(g_error_matches(error, KEYS_ERROR, KEYS_ERROR_READ));
}

Test(password_list, names_the_line_of_what_is_no_password)
{
	refused("a\n\xff\n", 4, 0600, ":2: a password is not UTF-8");
	refused("a\0b\n", 4, 0600, "NUL");
}

Test(password_list, words_are_taken_to_the_cap_and_refused_beyond)
{
	for (gsize length = CAP_PASSWORD_BYTES - 1; length <= CAP_PASSWORD_BYTES + 1; length++) {
		g_autofree char *word = g_strnfill(length, 'a');
		g_autofree char *words = words_of(word, length, 0600, NULL);

		cr_expect_eq(words != NULL, length <= CAP_PASSWORD_BYTES);
	}
}

Test(password_list, it_has_words_to_the_cap_and_is_refused_beyond)
{
	for (guint count = CAP_PASSWORDS - 1; count <= CAP_PASSWORDS + 1; count++) {
		g_autoptr(GString) text = g_string_new("#\n");
		g_autofree char *words = NULL;

		for (guint i = 0; i < count; i++)
			g_string_append_printf(text, "word%u\n", i);
		words = words_of(text->str, text->len, 0600, NULL);
		cr_expect_eq(words != NULL, count <= CAP_PASSWORDS);
	}
}
