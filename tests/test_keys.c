/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <zmq.h>

#include "key_fixture.h"

/* The pair of zmq_curve(7). */
#define MANUAL_SECRET "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"

TestSuite(keys, .init = make_directory, .fini = remove_directory, .timeout = 60);

static guint
files_in_directory(void)
{
	g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
	guint n = 0;

	while (g_dir_read_name(dir))
		n++;
	return n;
}

/* Another implementation's opinion of what the public half is. */
static void
assert_pair_is_curve25519(const struct key_pair *pair)
{
	char public_key[KEY_Z85_LENGTH + 1];

	cr_assert(zmq_curve_public(public_key, pair->secret_key) == 0);
	cr_assert_str_eq(public_key, pair->public_key);
}

Test(keys, generated_pairs_are_what_libzmq_would_derive)
{
	char last[KEY_Z85_LENGTH + 1] = "";

	for (int i = 0; i < 50; i++) {
		struct key_pair pair;
		cr_assert(key_pair_generate(&pair, NULL));
		assert_pair_is_curve25519(&pair);
		cr_assert_str_neq(pair.secret_key, last);
		memcpy(last, pair.secret_key, sizeof last);
	}
}

Test(keys, the_pair_of_the_manual_is_derived_from_its_secret)
{
	g_autofree char *path = write_file("a.key", "secret-key = " MANUAL_SECRET "\n", 0600);
	struct key_pair pair;

	cr_assert(key_pair_read(path, &pair, NULL));
	cr_assert_str_eq(pair.public_key, MANUAL_PUBLIC);
}

Test(keys, a_written_pair_is_read_back_with_the_right_modes)
{
	g_autofree char *key = g_build_filename(directory, "mx1.key", NULL);
	g_autofree char *pub = g_build_filename(directory, "mx1.pub", NULL);
	struct key_pair pair, again;
	char public_key[KEY_Z85_LENGTH + 1];

	umask(0077);
	cr_assert(key_pair_generate(&pair, NULL));
	cr_assert(key_pair_write(directory, "mx1", &pair, NULL));
	cr_assert_eq(mode_of(key), 0600);
	cr_assert_eq(mode_of(pub), 0644);
	cr_assert(key_pair_read(key, &again, NULL));
	cr_assert_arr_eq(&pair, &again, sizeof pair);
	cr_assert(public_key_read(pub, public_key, NULL));
	cr_assert_str_eq(public_key, pair.public_key);
	cr_assert(public_key_read(key, public_key, NULL));
	cr_assert_str_eq(public_key, pair.public_key);
	cr_assert_eq(files_in_directory(), 2);
}

Test(keys, the_public_file_does_not_hold_the_secret)
{
	g_autofree char *pub = g_build_filename(directory, "mx1.pub", NULL);
	g_autofree char *text = NULL;
	struct key_pair pair;

	cr_assert(key_pair_generate(&pair, NULL));
	cr_assert(key_pair_write(directory, "mx1", &pair, NULL));
	cr_assert(g_file_get_contents(pub, &text, NULL, NULL));
	cr_assert_null(strstr(text, pair.secret_key));
}

Test(keys, an_existing_pair_is_never_overwritten)
{
	g_autofree char *key = g_build_filename(directory, "mx1.key", NULL);
	g_autoptr(GError) error = NULL;
	struct key_pair first, second, read;

	cr_assert(key_pair_generate(&first, NULL));
	cr_assert(key_pair_generate(&second, NULL));
	cr_assert(key_pair_write(directory, "mx1", &first, NULL));
	cr_assert(!key_pair_write(directory, "mx1", &second, &error));
	assert_error(error, KEYS_ERROR_EXISTS, "mx1.key");
	cr_assert(key_pair_read(key, &read, NULL));
	cr_assert_str_eq(read.secret_key, first.secret_key);
}

Test(keys, a_pair_is_written_whole_or_not_at_all)
{
	g_autofree char *pub = write_file("mx1.pub", "old\n", 0644);
	g_autoptr(GError) error = NULL;
	struct key_pair pair;

	cr_assert(key_pair_generate(&pair, NULL));
	cr_assert(!key_pair_write(directory, "mx1", &pair, &error));
	assert_error(error, KEYS_ERROR_EXISTS, pub);
	cr_assert_eq(files_in_directory(), 1);
}

Test(keys, a_name_cannot_leave_the_directory)
{
	g_autoptr(GError) error = NULL;
	struct key_pair pair;

	cr_assert(key_pair_generate(&pair, NULL));
	cr_assert(!key_pair_write(directory, "../mx1", &pair, &error));
	assert_error(error, KEYS_ERROR_FORM, "../mx1");
}

Test(keys, a_secret_that_others_may_touch_is_refused)
{
	static const int refused[] = {0644, 0604, 0602, 0660, 0610, 0666};
	struct key_pair pair;

	cr_assert(key_pair_generate(&pair, NULL));
	g_autofree char *text = g_strdup_printf("secret-key = %s\n", pair.secret_key);
	g_autofree char *path = write_file("mx1.key", text, 0600);
	cr_assert(key_pair_read(path, &pair, NULL));
	g_chmod(path, 0640);
	cr_assert(key_pair_read(path, &pair, NULL));
	for (guint i = 0; i < G_N_ELEMENTS(refused); i++) {
		g_autoptr(GError) error = NULL;
		g_chmod(path, refused[i]);
		cr_assert(!key_pair_read(path, &pair, &error), "%04o", (guint)refused[i]);
		assert_error(error, KEYS_ERROR_READ, "chmod 0600");
	}
}

struct wrong_file {
	const char *text;
	const char *part;
};

Test(keys, a_wrong_key_file_is_named_with_its_line_and_leaves_the_result_alone)
{
	static const struct wrong_file wrong[] = {
		{"", "secret-key"},
		{"# nothing\n\n", "secret-key"},
		{"public-key = " MANUAL_PUBLIC "\n", "secret-key"},
		{"nonsense\n", ":1:"},
		{"\n\nkey = " MANUAL_PUBLIC "\n", ":3:"},
		{"secret-key = abc\n", ":1:"},
		{"secret-key = " MANUAL_PUBLIC "x\n", ":1:"},
		{"secret-key = #########################################\n", ":1:"},
		{"secret-key = ########################################\n", ":1:"},
		{"secret-key = rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]y\"7\n", ":1:"},
		{"public-key = " MANUAL_PUBLIC "\nsecret-key = " MANUAL_PUBLIC "\n",
		 "does not belong"},
	};
	struct key_pair before, pair;

	cr_assert(key_pair_generate(&pair, NULL));
	before = pair;
	for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autofree char *path = write_file("mx1.key", wrong[i].text, 0600);
		g_autoptr(GError) error = NULL;
		cr_assert(!key_pair_read(path, &pair, &error), "%s", wrong[i].text);
		assert_error(error, KEYS_ERROR_FORM, wrong[i].part);
		assert_error(error, KEYS_ERROR_FORM, "mx1.key");
		cr_assert_null(strstr(error->message, MANUAL_PUBLIC));
	}
	cr_assert_arr_eq(&before, &pair, sizeof pair);
}

Test(keys, a_missing_file_a_directory_and_a_fifo_are_errors_and_do_not_hang)
{
	g_autofree char *missing = g_build_filename(directory, "missing.key", NULL);
	g_autofree char *fifo = g_build_filename(directory, "fifo.key", NULL);
	const char *paths[] = {missing, directory, fifo};
	struct key_pair pair;

	cr_assert(mkfifo(fifo, 0600) == 0);
	for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
		g_autoptr(GError) error = NULL;
		cr_assert(!key_pair_read(paths[i], &pair, &error));
		assert_error(error, KEYS_ERROR_READ, paths[i]);
	}
}

Test(keys, site_keys_are_made_once_secret_and_different)
{
	g_autofree char *path = g_build_filename(directory, "site.key", NULL);
	g_autofree char *other = g_build_filename(directory, "other.key", NULL);
	g_autoptr(GError) error = NULL;
	guint8 key[SITE_KEY_BYTES], again[SITE_KEY_BYTES];

	cr_assert(site_key_write(path, NULL));
	cr_assert(site_key_write(other, NULL));
	cr_assert_eq(mode_of(path), 0600);
	cr_assert(site_key_read(path, key, NULL));
	cr_assert(site_key_read(other, again, NULL));
	cr_assert(memcmp(key, again, sizeof key) != 0);
	cr_assert(!site_key_write(path, &error));
	assert_error(error, KEYS_ERROR_EXISTS, "site.key");
	cr_assert(site_key_read(path, again, NULL));
	cr_assert_arr_eq(key, again, sizeof key);
}

Test(keys, a_site_key_is_64_digits_of_either_case_and_nothing_else)
{
#define DIGITS_62 "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E"
	static const char *const wrong[] = {"",
					    "# only\n",
					    DIGITS_62 "1",
					    DIGITS_62 "1F0",
					    DIGITS_62 "1G",
					    DIGITS_62 "1F\n" DIGITS_62 "1F"};
	guint8 key[SITE_KEY_BYTES] = {0xff};

	for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autofree char *path = write_file("site.key", wrong[i], 0600);
		g_autoptr(GError) error = NULL;
		cr_assert(!site_key_read(path, key, &error), "%s", wrong[i]);
		assert_error(error, KEYS_ERROR_FORM, "site.key");
		cr_assert_eq(key[0], 0xff);
	}
	g_autofree char *path = write_file("site.key", "# ours\n" DIGITS_62 "1F\n", 0600);
	cr_assert(site_key_read(path, key, NULL));
	for (guint i = 0; i < SITE_KEY_BYTES; i++)
		cr_assert_eq(key[i], i);
	g_chmod(path, 0644);
	cr_assert(!site_key_read(path, key, NULL));
}

/* ---- secrets of others ---- */

Test(keys, a_secret_is_one_line_that_others_cannot_read)
{
	g_autofree char *longest = g_strnfill(SECRET_MAX_BYTES, 'x');
	g_autofree char *over = g_strnfill(SECRET_MAX_BYTES + 1, 'x');
	const char *const wrong[] = {"", "# only\n", "one\ntwo\n", over};
	g_autofree char *path =
		write_file("api.key", "# theirs\n  s3cret # not a comment \n", 0600);
	char *secret = secret_read(path, NULL);

	cr_assert_str_eq(secret, "s3cret # not a comment");
	secret_free(secret);
	g_chmod(path, 0644);
	cr_assert_null(secret_read(path, NULL));
	for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autofree char *other = write_file("other.key", wrong[i], 0600);
		g_autoptr(GError) error = NULL;

		cr_assert_null(secret_read(other, &error));
		assert_error(error, KEYS_ERROR_FORM, "other.key");
	}
	g_free(path);
	path = write_file("api.key", longest, 0600);
	secret = secret_read(path, NULL);
	cr_assert_str_eq(secret, longest);
	secret_free(secret);
	secret_free(NULL);
}

Test(keys, names_are_short_and_plain)
{
	g_autofree char *longest = g_strnfill(64, 'a');
	g_autofree char *longer = g_strnfill(65, 'a');

	cr_assert(key_name_is_valid("mx-1.example_net"));
	cr_assert(key_name_is_valid("1"));
	cr_assert(key_name_is_valid(longest));
	cr_assert(!key_name_is_valid(longer));
	cr_assert(!key_name_is_valid(""));
	cr_assert(!key_name_is_valid(".hidden"));
	cr_assert(!key_name_is_valid("-n"));
	cr_assert(!key_name_is_valid("a/b"));
	cr_assert(!key_name_is_valid("a b"));
	cr_assert(!key_name_is_valid("é"));
}
