/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "cpu_fixture.h"
#include "network.h"
#include "query.h"
#include "query_time.h"

/* Adds one word to a fresh question and returns its term, borrowed from *query. */
static const struct query_term *
parse(struct query **query, const char *word)
{
	GError *error = NULL;
	gboolean ok;

	*query = query_new("a");
	ok = query_add(*query, word, FALSE, &error);
	cr_assert(ok, "%s: %s", word, error ? error->message : "no error");
	cr_assert_eq((*query)->terms->len, 1);
	return g_ptr_array_index((*query)->terms, 0);
}

static void
expect_refused(const char *word, int code)
{
	g_autoptr(query_t) query = query_new("a");
	g_autoptr(GError) error = NULL;

	cr_expect_not(query_add(query, word, FALSE, &error), "%s was taken", word);
	cr_expect(g_error_matches(error, QUERY_ERROR, code), "%s", word);
	cr_expect_eq(query->terms->len, 0, "a term that failed must leave nothing");
	cr_expect_not(error && strchr(error->message, '\n'), "one line");
}

Test(query, tells_hashes_by_their_length)
{
	static const struct {
		const char *word;
		enum digest_kind kind;
	} cases[] = {
		{"d41d8cd98f00b204e9800998ecf8427e", DIGEST_MD5},
		{"DA39A3EE5E6B4B0D3255BFEF95601890AFD80709", DIGEST_SHA1},
		{"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", DIGEST_SHA256},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(query_t) query = NULL;
		const struct query_term *term = parse(&query, cases[i].word);
		const struct wanted_digest *wanted =
			&g_array_index(term->digests, struct wanted_digest, 0);

		cr_expect_eq(term->kind, TERM_DIGEST);
		cr_assert_eq(term->digests->len, 1);
		cr_expect_eq(wanted->digest.kind, cases[i].kind);
		cr_expect_null(wanted->variant);
		cr_expect_not(term->has_candidate);
	}
}

Test(query, reads_each_prefix_into_its_kind_and_key)
{
	static const struct {
		const char *word;
		enum term_kind kind;
		const char *text;
	} cases[] = {
		{"name:Invoice*.PDF", TERM_NAME, "invoice*.pdf"},
		{"NAME:x", TERM_NAME, "x"},
		{"subject:ＡＢＣ", TERM_SUBJECT, "abc"},
		{"subject:a b: c", TERM_SUBJECT, "a b: c"},
		{"from:A@B.Example", TERM_FROM, "a@b.example"},
		{"to:<A@b.example>", TERM_TO, "a@b.example"},
		{"from:<>", TERM_FROM, ""},
		{"id:<M@x>", TERM_MESSAGE_ID, "M@x"},
		{"id:M@x", TERM_MESSAGE_ID, "M@x"},
		{"queue:4Sx", TERM_QUEUE, "4Sx"},
		{"event:018BCFE5-7118-7ABC-8DEF-0123456789AB", TERM_EVENT,
		 "018bcfe5-7118-7abc-8def-0123456789ab"},
		{"url:HTTP://X/", TERM_URL, "http://x/"},
		{"ip:192.0.2.1", TERM_IP, "192.0.2.1"},
		{"sasl:Erika", TERM_SASL, "erika"},
		{"sensor:mx1", TERM_SENSOR, "mx1"},
		{"malware:Eicar*", TERM_MALWARE, "eicar*"},
		{"ext:.JS", TERM_EXT, "js"},
		{"direction:Inbound", TERM_DIRECTION, "inbound"},
		{"state:HELD", TERM_STATE, "held"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(query_t) query = NULL;
		const struct query_term *term = parse(&query, cases[i].word);

		cr_expect_eq(term->kind, cases[i].kind, "%s", cases[i].word);
		cr_expect_str_eq(term->text, cases[i].text, "%s", cases[i].word);
	}
}

Test(query, says_how_an_address_is_meant)
{
	static const struct {
		const char *word;
		enum address_match match;
	} cases[] = {
		{"to:ali", ADDRESS_PART},
		{"to:@site.example", ADDRESS_DOMAIN},
		{"to:a@site.example", ADDRESS_WHOLE},
		{"to:<postmaster>", ADDRESS_WHOLE},
		{"from:<>", ADDRESS_WHOLE},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(query_t) query = NULL;

		cr_expect_eq(parse(&query, cases[i].word)->address_match, cases[i].match, "%s",
			     cases[i].word);
	}
}

Test(query, reads_sizes_as_inclusive_ranges)
{
	static const struct {
		const char *word;
		guint64 min, max;
	} cases[] = {
		{"size:1000", 1000, 1000},
		{"size:=0", 0, 0},
		{"size:>10M", 10 * 1024 * 1024 + 1, G_MAXINT64},
		{"size:>=10m", 10 * 1024 * 1024, G_MAXINT64},
		{"size:<2K", 0, 2047},
		{"size:<=2K", 0, 2048},
		{"size:1000..2G", 1000, (guint64)2 << 30},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(query_t) query = NULL;
		const struct query_term *term = parse(&query, cases[i].word);

		cr_expect_eq(term->size_min, cases[i].min, "%s", cases[i].word);
		cr_expect_eq(term->size_max, cases[i].max, "%s", cases[i].word);
	}
}

Test(query, turns_networks_into_ranges)
{
	g_autoptr(query_t) query = NULL;
	const struct query_term *term = parse(&query, "ip:192.0.2.0/25");
	guint8 first[16], last[16], outside[16];

	cr_assert(network_ip("192.0.2.0", first));
	cr_assert(network_ip("192.0.2.127", last));
	cr_assert(network_ip("::ffff:192.0.2.128", outside));
	cr_expect_arr_eq(term->ip_first, first, 16);
	cr_expect_arr_eq(term->ip_last, last, 16);
	cr_expect_lt(memcmp(term->ip_last, outside, 16), 0);
	cr_expect_not(network_ip("192.0.2", first));
	cr_expect_not(network_ip(NULL, first));
}

Test(query, refuses_what_is_no_term)
{
	static const char *const words[] = {
		"invoice",
		"",
		"name:",
		"subject:",
		"ext:.",
		"colour:red",
		"alice@site.example",
		"https://evil.example/x",
		"size:big",
		"size:",
		"size:>",
		"size:<0",
		"size:2..1",
		"size:1..",
		"size:-1",
		"size:99999999999999999999",
		"size:9999999999G",
		"size:1X",
		"ip:300.1.1.1",
		"ip:192.0.2.1/24",
		"ip:192.0.2.0/33",
		"event:1",
		"direction:up",
		"state:lost",
		"d41d8cd98f00b204e9800998ecf8427",
		"name:\xff",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
		expect_refused(words[i], QUERY_ERROR_TERM);
	expect_refused("/nonexistent/file", QUERY_ERROR_FILE);
	expect_refused("/", QUERY_ERROR_FILE);
}

/* ---- files ---- */

/* Writes content to a file and adds it; returns its term, borrowed from *query. */
static const struct query_term *
parse_file(struct query **query, const char *content, gssize length)
{
	g_autofree char *path = NULL;
	int fd = g_file_open_tmp("mailtrace-query-XXXXXX", &path, NULL);
	GError *error = NULL;
	gboolean ok;

	cr_assert_geq(fd, 0);
	g_close(fd, NULL);
	cr_assert(g_file_set_contents(path, content, length, NULL));
	*query = query_new("a");
	ok = query_add(*query, path, TRUE, &error);
	g_unlink(path);
	cr_assert(ok, "%s", error ? error->message : "no error");
	return g_ptr_array_index((*query)->terms, 0);
}

/* Returns the variant under which a content is wanted, by all three digests, or NULL. */
static const char *
wanted_as(const struct query_term *term, const char *content)
{
	struct digests digests;
	const char *variant = NULL;
	guint found = 0;

	digests_of(content, strlen(content), &digests);
	for (guint i = 0; i < term->digests->len; i++) {
		const struct wanted_digest *wanted =
			&g_array_index(term->digests, struct wanted_digest, i);
		const guint8 *each[] = {digests.md5, digests.sha1, digests.sha256};

		if (memcmp(wanted->digest.bytes, each[wanted->digest.kind],
			   digest_length(wanted->digest.kind)) == 0) {
			variant = wanted->variant;
			found++;
		}
	}
	cr_expect(found == 0 || found == 3, "%u digests", found);
	return variant;
}

static void
expect_wanted(const struct query_term *term, const char *content, const char *variant)
{
	const char *as = wanted_as(term, content);

	cr_expect_str_eq(as ? as : "nothing", variant ? variant : "nothing", "%s is wanted as %s",
			 content, as ? as : "nothing");
}

Test(query, wants_a_file_in_each_form_that_mail_may_have_given_it)
{
	g_autoptr(query_t) unix_query = NULL, dos_query = NULL, open_query = NULL,
			   mixed_query = NULL;
	const struct query_term *term = parse_file(&unix_query, "a\nb\n", -1);

	expect_wanted(term, "a\nb\n", "exact");
	expect_wanted(term, "a\nb", "exact-no-newline");
	expect_wanted(term, "a\r\nb\r\n", "crlf");
	expect_wanted(term, "a\r\nb", "crlf-no-newline");
	expect_wanted(term, "ab", NULL);

	term = parse_file(&dos_query, "a\r\nb\r\n\r\n", -1);
	expect_wanted(term, "a\r\nb\r\n\r\n", "exact");
	expect_wanted(term, "a\r\nb\r\n", "exact-no-newline");
	expect_wanted(term, "a\nb\n\n", "lf");
	expect_wanted(term, "a\nb\n", "lf-no-newline");
	expect_wanted(term, "a\nb", "trimmed");

	term = parse_file(&open_query, "a\r\nb", -1);
	expect_wanted(term, "a\r\nb", "exact");
	expect_wanted(term, "a\r\nb\r\n", "exact-newline");
	expect_wanted(term, "a\nb", "lf");
	expect_wanted(term, "a\nb\n", "lf-newline");

	term = parse_file(&mixed_query, "a\r\nb\nc\r", -1);
	expect_wanted(term, "a\nb\nc\r", "lf");
	expect_wanted(term, "a\r\nb\r\nc\r", "crlf");
}

Test(query, makes_a_candidate_from_sixteen_bytes_on)
{
	g_autoptr(query_t) small = NULL, enough = NULL, empty = NULL;
	const struct query_term *term = parse_file(&small, "123456789012345", -1);

	cr_expect_not(term->has_candidate);
	term = parse_file(&enough, "sixteen bytes ok", -1);
	cr_expect(term->has_candidate);
	cr_expect_eq(term->candidate_size, 16);
	cr_expect_eq(term->candidate_crc32, 0x021231af);
	term = parse_file(&empty, "", 0);
	cr_expect_not(term->has_candidate);
	expect_wanted(term, "", "exact");
}

/* ---- lists ---- */

static gboolean
add_list(struct query *query, const char *text, GError **error)
{
	g_autofree char *path = NULL;
	int fd = g_file_open_tmp("mailtrace-query-XXXXXX", &path, NULL);
	gboolean ok;

	cr_assert_geq(fd, 0);
	g_close(fd, NULL);
	cr_assert(g_file_set_contents(path, text, -1, NULL));
	ok = query_add_hashes(query, path, error);
	g_unlink(path);
	return ok;
}

Test(query, reads_lists_of_hashes_as_feeds_write_them)
{
	static const char list[] =
		"\xef\xbb\xbfsha256,name\r\n"
		"# a comment\r\n"
		"\r\n"
		"  d41d8cd98f00b204e9800998ecf8427e  \n"
		"DA39A3EE5E6B4B0D3255BFEF95601890AFD80709,evil.exe,2024\n"
		"\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""
		";x\n"
		"d41d8cd98f00b204e9800998ecf8427f # why\n"
		"d41d8cd98f00b204e9800998ecf84270  file.txt";
	g_autoptr(query_t) query = query_new("a");
	g_autoptr(GError) error = NULL;
	const struct query_term *term;

	cr_assert(add_list(query, list, &error), "%s", error ? error->message : "");
	cr_assert_eq(query->terms->len, 1, "alternatives of each other are one term");
	term = g_ptr_array_index(query->terms, 0);
	cr_expect_eq(term->digests->len, 5);
}

Test(query, names_the_line_of_a_list_that_is_no_hash)
{
	g_autoptr(query_t) query = query_new("a");
	g_autoptr(GError) error = NULL;

	cr_expect_not(add_list(query, "d41d8cd98f00b204e9800998ecf8427e\nxyz\n", &error));
	cr_expect(g_error_matches(error, QUERY_ERROR, QUERY_ERROR_TERM));
	cr_expect(strstr(error->message, ":2:"), "%s", error->message);
	cr_expect_eq(query->terms->len, 0);
}

Test(query, refuses_a_list_without_hashes)
{
	g_autoptr(query_t) query = query_new("a");
	g_autoptr(GError) error = NULL;

	cr_expect_not(add_list(query, "# nothing\n\n", &error));
	cr_expect(g_error_matches(error, QUERY_ERROR, QUERY_ERROR_TERM));
}

Test(query, leaves_no_hash_of_a_list_out_in_silence)
{
	static const char *const lists[] = {
		/* a first line that lost a digit is no heading */
		"d41d8cd98f00b204e9800998ecf8427\nd41d8cd98f00b204e9800998ecf8427e\n",
		"\xff\xfe"
		"d\n",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(lists); i++) {
		g_autoptr(query_t) query = query_new("a");
		g_autoptr(GError) error = NULL;

		cr_expect_not(add_list(query, lists[i], &error), "list %zu", i);
		cr_expect(g_error_matches(error, QUERY_ERROR, QUERY_ERROR_TERM));
		cr_expect_eq(query->terms->len, 0);
	}
}

/* ---- globs and times ---- */

Test(query, matches_globs_whole_and_by_character)
{
	static const struct {
		const char *pattern, *text;
		gboolean matches;
	} cases[] = {
		{"*", "", TRUE},
		{"", "", TRUE},
		{"", "a", FALSE},
		{"a", "a", TRUE},
		{"a", "ab", FALSE},
		{"?", "請", TRUE},
		{"??", "請", FALSE},
		{"*書", "請求書", TRUE},
		{"請*", "請求書", TRUE},
		{"*求*", "請求書", TRUE},
		{"a*b*c", "axxbyyc", TRUE},
		{"a*b*c", "axxbyy", FALSE},
		{"*ab", "aab", TRUE},
		{"*.js", "x.js.txt", FALSE},
		{"[a]", "a", FALSE},
		{"[a]", "[a]", TRUE},
		{"\\*", "*", TRUE},
		{"\\*", "a", FALSE},
		{"a\\?b", "a?b", TRUE},
		{"a\\", "a\\", TRUE},
		{"*?", "a", TRUE},
		{"*?", "", FALSE},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		cr_expect_eq(query_glob(cases[i].pattern, cases[i].text), cases[i].matches,
			     "%s against %s", cases[i].pattern, cases[i].text);
}

Test(query, takes_no_exponential_time_for_a_glob, .init = limit_cpu)
{
	g_autofree char *text = g_strnfill(50000, 'a');

	cr_expect_not(query_glob("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
}

Test(query, reads_times)
{
	const gint64 now_us = (gint64)1700000000 * G_USEC_PER_SEC;
	static const struct {
		const char *text;
		gint64 seconds;
	} cases[] = {
		{"2023-11-14T22:13:20Z", 1700000000}, {"2023-11-14T23:13:20+01:00", 1700000000},
		{"30m", 1700000000 - 1800},	      {"12h", 1700000000 - 12 * 3600},
		{"7d", 1700000000 - 7 * 86400},	      {"2w", 1700000000 - 14 * 86400},
	};
	GError *error = NULL;
	gint64 us;

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		cr_expect(query_parse_time(cases[i].text, now_us, &us, &error), "%s",
			  cases[i].text);
		cr_expect_eq(us, cases[i].seconds * G_USEC_PER_SEC, "%s", cases[i].text);
	}
	cr_expect(query_parse_time("2023-11-14T22:13:20.5Z", now_us, &us, &error));
	cr_expect_eq(us, now_us + 500000);
}

Test(query, takes_a_date_for_local_midnight)
{
	g_autoptr(GDateTime) midnight = g_date_time_new_local(2023, 11, 14, 0, 0, 0);
	GError *error = NULL;
	gint64 us;

	cr_assert(query_parse_time("2023-11-14", 0, &us, &error));
	cr_expect_eq(us, g_date_time_to_unix(midnight) * G_USEC_PER_SEC);
}

Test(query, refuses_what_is_no_time)
{
	static const char *const texts[] = {
		"",	   "yesterday",	 "7",		"7y",
		"-7d",	   "2023-13-01", "2023-11-14T", "99999999999999w",
		"2023-1-1"};

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;
		gint64 us = 42;

		cr_expect_not(query_parse_time(texts[i], (gint64)1 << 50, &us, &error), "%s",
			      texts[i]);
		cr_expect(g_error_matches(error, QUERY_ERROR, QUERY_ERROR_TIME));
		cr_expect_eq(us, 42, "untouched on failure");
	}
}
