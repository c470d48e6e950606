/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include "authorized_keys.h"
#include "caps.h"
#include "key_fixture.h"

TestSuite(authorized_keys, .init = make_directory, .fini = remove_directory, .timeout = 60);

static void
add(const char *path, const char *name, const char *tenant, guint roles)
{
	struct authorized_key key = {(char *)name, "", (char *)tenant, roles};
	g_autoptr(GError) error = NULL;
	struct key_pair pair;

	cr_assert(key_pair_generate(&pair, NULL));
	memcpy(key.public_key, pair.public_key, sizeof key.public_key);
	cr_assert(authorized_keys_add(path, &key, &error), "%s", error->message);
}

Test(authorized_keys, a_missing_list_lets_nobody_in)
{
	g_autofree char *path = g_build_filename(directory, "authorized_keys", NULL);
	struct authorized_keys *keys = authorized_keys_read(path, NULL);

	cr_assert(keys);
	cr_assert_null(authorized_keys_find(keys, MANUAL_PUBLIC));
	cr_assert_null(authorized_keys_find(keys, ""));
	authorized_keys_free(keys);
}

Test(authorized_keys, what_is_added_is_found_by_name_and_by_key)
{
	g_autofree char *path = g_build_filename(directory, "authorized_keys", NULL);
	const struct authorized_key *key;
	struct authorized_keys *keys;

	add(path, "mx1", "acme", ROLE_PUBLISH);
	add(path, "soc", "globex", ROLE_SUBSCRIBE | ROLE_COMMAND);
	keys = authorized_keys_read(path, NULL);
	key = authorized_keys_find_name(keys, "soc");
	cr_assert(key);
	cr_assert_str_eq(key->tenant, "globex");
	cr_assert_eq(key->roles, ROLE_SUBSCRIBE | ROLE_COMMAND);
	cr_assert_eq(authorized_keys_find(keys, key->public_key), key);
	cr_assert_eq(authorized_keys_find_name(keys, "mx1")->roles, ROLE_PUBLISH);
	cr_assert_null(authorized_keys_find_name(keys, "mx"));
	authorized_keys_free(keys);
	cr_assert_eq(mode_of(path), 0644);
}

Test(authorized_keys, names_and_keys_in_the_list_are_taken_once)
{
	g_autofree char *path =
		write_file("authorized_keys", "mx1 " MANUAL_PUBLIC " acme publish", 0640);
	struct authorized_key same_key = {(char *)"mx2", MANUAL_PUBLIC, (char *)"acme",
					  ROLE_PUBLISH};
	struct authorized_key same_name = same_key;
	g_autoptr(GError) error = NULL;
	struct key_pair pair;

	cr_assert(!authorized_keys_add(path, &same_key, &error));
	assert_error(error, KEYS_ERROR_EXISTS, "mx2");
	g_clear_error(&error);
	cr_assert(key_pair_generate(&pair, NULL));
	same_name.name = (char *)"mx1";
	memcpy(same_name.public_key, pair.public_key, sizeof pair.public_key);
	cr_assert(!authorized_keys_add(path, &same_name, &error));
	assert_error(error, KEYS_ERROR_EXISTS, "mx1");
	/* A last line without its line break stays a line of its own. */
	add(path, "mx3", "acme", ROLE_PUBLISH);
	struct authorized_keys *keys = authorized_keys_read(path, NULL);
	cr_assert(authorized_keys_find(keys, MANUAL_PUBLIC));
	cr_assert(authorized_keys_find_name(keys, "mx3"));
	authorized_keys_free(keys);
	cr_assert_eq(mode_of(path), 0640);
}

Test(authorized_keys, entries_that_would_not_be_read_back_are_not_added)
{
	g_autofree char *path = g_build_filename(directory, "authorized_keys", NULL);
	const struct authorized_key wrong[] = {
		{(char *)"mx 1", MANUAL_PUBLIC, (char *)"acme", ROLE_PUBLISH},
		{(char *)"mx1", MANUAL_PUBLIC, (char *)"ac\nme", ROLE_PUBLISH},
		{(char *)"mx1", "short", (char *)"acme", ROLE_PUBLISH},
		{(char *)"mx1", MANUAL_PUBLIC, (char *)"acme", 0},
		{(char *)"mx1", MANUAL_PUBLIC, (char *)"acme", 8},
	};

	for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(GError) error = NULL;
		cr_assert(!authorized_keys_add(path, &wrong[i], &error), "%u", i);
		cr_assert(g_error_matches(error, KEYS_ERROR, KEYS_ERROR_FORM));
	}
	cr_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
}

Test(authorized_keys, removing_one_name_leaves_the_others_and_the_comments)
{
	g_autofree char *path = g_build_filename(directory, "authorized_keys", NULL);
	g_autofree char *text = NULL;
	gboolean removed = FALSE;

	g_free(write_file("authorized_keys", "# our sensors\n\n", 0644));
	add(path, "mx1", "acme", ROLE_PUBLISH);
	add(path, "mx10", "acme", ROLE_PUBLISH);
	cr_assert(authorized_keys_remove(path, "mx1", &removed, NULL));
	cr_assert(removed);
	cr_assert(authorized_keys_remove(path, "mx1", &removed, NULL));
	cr_assert(!removed);
	cr_assert(authorized_keys_remove(path, "#", &removed, NULL));
	cr_assert(!removed);
	struct authorized_keys *keys = authorized_keys_read(path, NULL);
	cr_assert_null(authorized_keys_find_name(keys, "mx1"));
	cr_assert(authorized_keys_find_name(keys, "mx10"));
	authorized_keys_free(keys);
	cr_assert(g_file_get_contents(path, &text, NULL, NULL));
	cr_assert(g_str_has_prefix(text, "# our sensors\n\nmx10 "));
	cr_assert(g_str_has_suffix(text, "publish\n"));
}

Test(authorized_keys, a_wrong_line_of_the_list_is_named)
{
	static const char *const wrong[] = {
		"mx1 " MANUAL_PUBLIC " acme",
		"mx1 " MANUAL_PUBLIC " acme publish more",
		"mx1 " MANUAL_PUBLIC " acme publish,",
		"mx1 " MANUAL_PUBLIC " acme root",
		"mx/1 " MANUAL_PUBLIC " acme publish",
		"mx1 " MANUAL_PUBLIC " ../acme publish",
		"mx1 " MANUAL_PUBLIC "x acme publish",
		"mx1 " MANUAL_PUBLIC " acme publish\nmx2 " MANUAL_PUBLIC " acme publish",
		"mx1 " MANUAL_PUBLIC
		" acme publish\nmx1 0000000000000000000000000000000000000000 a publish",
	};

	for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autofree char *text = g_strdup_printf("# list\n%s\n", wrong[i]);
		g_autofree char *path = write_file("authorized_keys", text, 0644);
		g_autoptr(GError) error = NULL;
		cr_assert_null(authorized_keys_read(path, &error), "%s", wrong[i]);
		assert_error(error, KEYS_ERROR_FORM, strchr(wrong[i], '\n') ? ":3:" : ":2:");
	}
}

Test(authorized_keys, a_list_that_anybody_may_write_is_refused)
{
	g_autofree char *path = write_file("authorized_keys", "", 0646);
	g_autoptr(GError) error = NULL;

	cr_assert_null(authorized_keys_read(path, &error));
	assert_error(error, KEYS_ERROR_READ, "chmod o-w");
}

static gpointer
add_ten(gpointer data)
{
	g_autofree char *path = g_build_filename(directory, "authorized_keys", NULL);

	for (guint i = 0; i < 10; i++) {
		g_autofree char *name = g_strdup_printf("mx%u-%u", GPOINTER_TO_UINT(data), i);
		add(path, name, "acme", ROLE_PUBLISH);
	}
	return NULL;
}

Test(authorized_keys, two_who_add_at_once_lose_no_line)
{
	g_autofree char *path = g_build_filename(directory, "authorized_keys", NULL);
	GThread *threads[2];

	for (guint i = 0; i < 2; i++)
		threads[i] = g_thread_new("add", add_ten, GUINT_TO_POINTER(i));
	for (guint i = 0; i < 2; i++)
		g_thread_join(threads[i]);
	struct authorized_keys *keys = authorized_keys_read(path, NULL);
	for (guint i = 0; i < 20; i++) {
		g_autofree char *name = g_strdup_printf("mx%u-%u", i / 10, i % 10);
		cr_assert(authorized_keys_find_name(keys, name), "%s", name);
	}
	authorized_keys_free(keys);
}

Test(authorized_keys, files_are_read_up_to_the_cap_and_refused_above)
{
	GString *text = g_string_new(NULL);

	while (text->len < CAP_KEYS_BYTES - 1)
		g_string_append_c(text, text->len % 80 ? '#' : '\n');
	g_string_append_c(text, '\n');
	g_autofree char *path = write_file("authorized_keys", text->str, 0644);
	struct authorized_keys *keys = authorized_keys_read(path, NULL);
	cr_assert(keys, "at the cap");
	authorized_keys_free(keys);
	g_string_append_c(text, '\n');
	g_free(write_file("authorized_keys", text->str, 0644));
	g_autoptr(GError) error = NULL;
	cr_assert_null(authorized_keys_read(path, &error));
	assert_error(error, KEYS_ERROR_FORM, "bytes");
	g_string_free(text, TRUE);
}
