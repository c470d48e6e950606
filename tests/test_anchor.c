/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "anchor.h"
#include "anchor_file.h"
#include "keys.h"

#define CHAIN "0190a1b2-0000-7000-8000-000000000001"

static char *directory;

static void
setup(void)
{
	directory = g_dir_make_tmp("mailtrace-anchor-XXXXXX", NULL);
}

static void
teardown(void)
{
	g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(directory, name, NULL);

		g_unlink(path);
	}
	cr_expect_eq(g_rmdir(directory), 0);
	g_free(directory);
}

TestSuite(anchor, .init = setup, .fini = teardown);

static char *
path_of(const char *name)
{
	return g_build_filename(directory, name, NULL);
}

static void
write_file(const char *name, const char *text, int mode)
{
	g_autofree char *path = path_of(name);

	cr_assert(g_file_set_contents(path, text, -1, NULL));
	cr_assert_eq(chmod(path, (mode_t)mode), 0);
}

static char *
read_file(const char *name)
{
	g_autofree char *path = path_of(name);
	char *text = NULL;

	g_file_get_contents(path, &text, NULL, NULL);
	return text;
}

static struct anchor
anchor_of(gint64 seq)
{
	struct anchor anchor = {.chain = CHAIN, .seq = seq, .time_us = 1700000000000000};

	memset(anchor.hash, (int)seq, sizeof(anchor.hash));
	return anchor;
}

/* ---- keys ---- */

Test(anchor, a_key_is_written_read_and_signs)
{
	g_autoptr(signing_key_t) made = signing_key_generate(NULL);
	g_autofree char *secret_path = path_of("journal.key"),
			*public_path = path_of("journal.pub");
	g_autoptr(signing_key_t) secret = NULL;
	g_autoptr(signing_key_t) public = NULL;
	guint8 signature[SIGNATURE_BYTES];
	GError *error = NULL;
	GStatBuf info;

	cr_assert(signing_key_write(made, directory, "journal", &error), "%s",
		  error ? error->message : "");
	g_stat(secret_path, &info);
	cr_expect_eq(info.st_mode & 0777, 0600);
	secret = signing_key_read(secret_path, NULL);
	public = signing_key_read_public(public_path, NULL);
	cr_assert(secret && public);
	cr_assert(signing_key_sign(secret, "text", 4, signature));
	cr_expect(signing_key_verify(public, "text", 4, signature));
	cr_expect_not(signing_key_verify(public, "tex", 3, signature));
	cr_expect_not(signing_key_sign(public, "text", 4, signature), "a public key signs nothing");
	cr_expect_not(signing_key_write(made, directory, "journal", &error));
	cr_expect(g_error_matches(error, KEYS_ERROR, KEYS_ERROR_EXISTS));
	g_clear_error(&error);
}

Test(anchor, no_other_file_is_a_key)
{
	/* A P-256 key: PEM, and another algorithm's. */
	static const char p256[] =
		"-----BEGIN PUBLIC KEY-----\n"
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5isabQbqto/p5DoBk8JlQT0aGS2y\n"
		"Stk/0i/qH8F4Xkfy3sOXNKNRrRZt98j11kQqGBdINOziFQJbSi/wZRSYtA==\n"
		"-----END PUBLIC KEY-----\n";
	static const char *const texts[] = {"", "public-key = x\n", p256,
					    "-----BEGIN PUBLIC KEY-----\n"};
	g_autofree char *path = path_of("x");

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		GError *error = NULL;

		write_file("x", texts[i], 0600);
		cr_expect_null(signing_key_read_public(path, &error));
		cr_expect(g_error_matches(error, KEYS_ERROR, KEYS_ERROR_FORM));
		g_clear_error(&error);
		cr_expect_null(signing_key_read(path, &error));
		g_clear_error(&error);
	}
}

Test(anchor, a_secret_key_that_others_may_read_is_refused)
{
	g_autoptr(signing_key_t) made = signing_key_generate(NULL);
	g_autofree char *path = path_of("journal.key");
	GError *error = NULL;

	cr_assert(signing_key_write(made, directory, "journal", NULL));
	chmod(path, 0644);
	cr_expect_null(signing_key_read(path, &error));
	cr_expect(g_error_matches(error, KEYS_ERROR, KEYS_ERROR_READ));
	g_clear_error(&error);
}

/* ---- the word ---- */

Test(anchor, a_word_is_read_as_it_was_written)
{
	g_autoptr(signing_key_t) key = signing_key_generate(NULL);
	g_autoptr(signing_key_t) other = signing_key_generate(NULL);

	for (int is_signed = 0; is_signed <= 1; is_signed++) {
		struct anchor anchor = anchor_of(G_MAXINT64), got;
		g_autofree char *word = NULL;

		if (is_signed)
			cr_assert(anchor_sign(&anchor, key));
		word = anchor_format(&anchor);
		cr_expect_leq(strlen(word), ANCHOR_BYTES);
		cr_assert(anchor_parse(word, strlen(word), &got), "%s", word);
		cr_expect_str_eq(got.chain, CHAIN);
		cr_expect_eq(got.seq, G_MAXINT64);
		cr_expect_eq(got.time_us, anchor.time_us);
		cr_expect_eq(memcmp(got.hash, anchor.hash, sizeof(got.hash)), 0);
		cr_expect_eq(anchor_verify(&got, key), is_signed);
		cr_expect_not(anchor_verify(&got, other));
		got.seq--;
		cr_expect_not(anchor_verify(&got, key));
	}
}

Test(anchor, no_other_word_is_one)
{
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
	static const char *const words[] = {
		"",
		"mja1.",
		"mja1." CHAIN ".1.2." ZEROS,
		"mja2." CHAIN ".1.2." ZEROS ".-",
		"mja1." CHAIN ".0.2." ZEROS ".-",
		"mja1." CHAIN ".01.2." ZEROS ".-",
		"mja1." CHAIN ".+1.2." ZEROS ".-",
		"mja1." CHAIN ".-1.2." ZEROS ".-",
		"mja1." CHAIN ".9223372036854775808.2." ZEROS ".-",
		"mja1." CHAIN ".1.2." ZEROS "00.-",
		"mja1." CHAIN ".1.2." ZEROS ".",
		"mja1." CHAIN ".1.2." ZEROS ".AAAA",
		"mja1." CHAIN ".1.2." ZEROS ".-.-",
		"mja1." CHAIN ".1.2." ZEROS ".- ",
		"mja1.x.1.2." ZEROS ".-",
	};
	struct anchor got = {.seq = 77};

	for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
		cr_expect_not(anchor_parse(words[i], strlen(words[i]), &got), "%s", words[i]);
	cr_expect_eq(got.seq, 77);
	cr_expect(anchor_parse("mja1." CHAIN ".1.2." ZEROS ".-", 5 + 36 + 5 + 64 + 2, &got));
}

Test(anchor, words_are_found_in_any_text)
{
	g_autoptr(signing_key_t) key = signing_key_generate(NULL);
	struct anchor one = anchor_of(1), two = anchor_of(2), got;
	g_autofree char *first = NULL, *second = NULL, *text = NULL;
	const char *at, *end;

	anchor_sign(&two, key);
	first = anchor_format(&one);
	second = anchor_format(&two);
	text = g_strdup_printf("journal-anchor anchor=%s signed=no\nmja1.junk mja1.\n%s", first,
			       second);
	end = text + strlen(text);
	at = anchor_find(text, strlen(text), &got);
	cr_assert_not_null(at);
	cr_expect_eq(got.seq, 1);
	at = anchor_find(at, (gsize)(end - at), &got);
	cr_assert_not_null(at);
	cr_expect_eq(got.seq, 2);
	cr_expect(anchor_verify(&got, key));
	cr_expect_null(anchor_find(at, (gsize)(end - at), &got));
	cr_expect_null(anchor_find(second, strlen(second) - 1, &got), "a word that was cut");
}

/* ---- the sensor's file ---- */

static enum anchor_news
keep(struct anchor_file *file, struct anchor anchor)
{
	g_autofree char *word = anchor_format(&anchor);
	enum anchor_news news = ANCHOR_FIRST;
	GError *error = NULL;

	cr_assert(anchor_file_keep(file, word, strlen(word), 1700000000000000, &news, &error), "%s",
		  error ? error->message : "");
	return news;
}

/* The numbers of the anchors in a file: "1 2 ". */
static char *
numbers_in(const char *name)
{
	g_autofree char *text = read_file(name);
	GString *numbers = g_string_new(NULL);
	struct anchor anchor;
	const char *at = text, *end = text ? text + strlen(text) : NULL;

	while (at && (at = anchor_find(at, (gsize)(end - at), &anchor)))
		g_string_append_printf(numbers, "%d ", (int)anchor.seq);
	return g_string_free(numbers, FALSE);
}

static void
expect_numbers(const char *name, const char *wanted)
{
	g_autofree char *numbers = numbers_in(name);

	cr_expect_str_eq(numbers, wanted, "%s has %s", name, numbers);
}

Test(anchor, what_does_not_follow_is_told_and_kept)
{
	g_autoptr(anchor_file_t) file = anchor_file_open(directory, 100, NULL);
	struct anchor another = anchor_of(5), other_hash = anchor_of(3);

	cr_expect_str_eq(anchor_file_last(file), "");
	cr_expect_eq(keep(file, anchor_of(3)), ANCHOR_FIRST);
	cr_expect_eq(keep(file, anchor_of(3)), ANCHOR_SAME);
	other_hash.hash[0]++;
	cr_expect_eq(keep(file, other_hash), ANCHOR_BACK);
	cr_expect_eq(keep(file, anchor_of(4)), ANCHOR_ONWARD);
	cr_expect_eq(keep(file, anchor_of(2)), ANCHOR_BACK);
	another.chain[0] = '1';
	cr_expect_eq(keep(file, another), ANCHOR_ANOTHER);
	expect_numbers(ANCHOR_FILE_NAME, "3 3 4 2 5 ");
}

Test(anchor, at_least_the_newest_are_kept_and_no_more_than_twice_as_many)
{
	g_autoptr(anchor_file_t) file = anchor_file_open(directory, 3, NULL);

	for (int seq = 1; seq <= 8; seq++)
		keep(file, anchor_of(seq));
	expect_numbers(ANCHOR_FILE_NAME, "7 8 ");
	expect_numbers(ANCHOR_FILE_NAME ".1", "4 5 6 ");
}

Test(anchor, a_restart_goes_on_behind_a_line_that_was_cut)
{
	struct anchor_file *file = anchor_file_open(directory, 3, NULL);
	g_autofree char *text = NULL, *cut = NULL, *last = NULL;
	struct anchor second = anchor_of(2);

	keep(file, anchor_of(1));
	anchor_file_free(file);
	text = read_file(ANCHOR_FILE_NAME);
	cut = g_strdup_printf("%s2026-11-28T10:00:00Z mja1.0190a1", text);
	write_file(ANCHOR_FILE_NAME, cut, 0640);
	file = anchor_file_open(directory, 3, NULL);
	last = g_strdup(anchor_file_last(file));
	cr_expect_eq(keep(file, anchor_of(1)), ANCHOR_SAME);
	cr_expect_eq(keep(file, second), ANCHOR_ONWARD);
	anchor_file_free(file);
	expect_numbers(ANCHOR_FILE_NAME, "1 2 ");
	cr_expect(strstr(text, last));
}

/* The last is in the old file when the new one has just begun. */
Test(anchor, a_restart_after_turning_over_knows_the_last)
{
	struct anchor_file *file = anchor_file_open(directory, 2, NULL);

	for (int seq = 1; seq <= 2; seq++)
		keep(file, anchor_of(seq));
	anchor_file_free(file);
	{
		g_autofree char *path = path_of(ANCHOR_FILE_NAME);
		g_autofree char *old = path_of(ANCHOR_FILE_NAME ".1");

		cr_assert_eq(g_rename(path, old), 0);
	}
	file = anchor_file_open(directory, 2, NULL);
	cr_expect_eq(keep(file, anchor_of(2)), ANCHOR_SAME);
	anchor_file_free(file);
}

Test(anchor, what_is_no_anchor_is_not_kept)
{
	g_autoptr(anchor_file_t) file = anchor_file_open(directory, 3, NULL);
	enum anchor_news news;
	GError *error = NULL;

	cr_expect_not(anchor_file_keep(file, "mja1.\nx", 7, 0, &news, &error));
	cr_expect(g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_INVAL));
	g_clear_error(&error);
	expect_numbers(ANCHOR_FILE_NAME, "");
}
