/* SPDX-License-Identifier: BSD-2-Clause */
/* The index of pairs against a search that compares everything. */
#include "store_fixture.h"
#include "store_text.h"
#include "text.h"

/* Few enough that needles are found, of scripts that behave differently. */
static const char *const alphabet[] = {
	"a",  "b",	  "A", "é",  "e\u0301", "ß",  " ",	    ".",  "-",	"*",
	"?",  "\\",	  "/", "[",  "0",	"１", "請",	    "求", "書", "の",
	"ガ", "か\u3099", "ﾊ", "中", "한",	"я",  "\U0001F600", "\"", "x",
};

static struct store_fixture fixture;

static void
setup(void)
{
	store_fixture_init(&fixture);
}

static void
teardown(void)
{
	store_fixture_clear(&fixture);
}

TestSuite(store_search, .init = setup, .fini = teardown, .timeout = 120);

static char *
random_text(GRand *random, int max)
{
	GString *text = g_string_new(NULL);
	int length = g_rand_int_range(random, 1, max + 1);

	for (int i = 0; i < length; i++)
		g_string_append(text,
				alphabet[g_rand_int_range(random, 0, G_N_ELEMENTS(alphabet))]);
	return g_string_free(text, FALSE);
}

static void
store_random_mail(GRand *random, GPtrArray *subjects, GPtrArray *names, int count)
{
	GError *error = NULL;

	expect_ok(store_begin(fixture.store, &error), error);
	for (int i = 0; i < count; i++) {
		struct event *event = make_event(i);
		g_autofree char *rcpt = g_strdup_printf("<%d@site.example>", i);
		char *subject = random_text(random, 12);
		char *name = random_text(random, 8);

		set_text(&event->record->subject, subject);
		add_rcpt(event, rcpt);
		add_file(event, "2", name, "content");
		store_it(fixture.store, event);
		g_ptr_array_add(subjects, subject);
		g_ptr_array_add(names, name);
	}
	expect_ok(store_commit(fixture.store, &error), error);
}

/* Returns what who() must, by looking at every text. */
static char *
by_brute_force(GPtrArray *texts, text_match_fn match, const char *needle)
{
	g_autofree char *needle_key = text_search_key(needle);
	GString *expected = g_string_new(NULL);

	for (guint i = 0; i < texts->len; i++) {
		g_autofree char *key = text_search_key(g_ptr_array_index(texts, i));

		if (match(key, needle_key))
			g_string_append_printf(expected, "%s%u@site.example",
					       expected->len > 0 ? " " : "", i);
	}
	return g_string_free(expected, FALSE);
}

/* Asks with one term; who() of the fixture splits at blanks, which needles may have. */
static char *
ask_one(const char *prefix, const char *needle)
{
	g_autoptr(query_t) query = query_new("a");
	g_autofree char *word = g_strconcat(prefix, needle, NULL);
	g_autoptr(GPtrArray) hits = NULL;
	GString *got = g_string_new(NULL);
	GError *error = NULL;

	expect_ok(query_add(query, word, FALSE, &error), error);
	hits = ask_query(fixture.store, query);
	for (guint i = 0; i < hits->len; i++) {
		const struct store_hit *hit = g_ptr_array_index(hits, i);

		g_string_append_printf(got, "%s%s", i > 0 ? " " : "", hit->recipient);
	}
	return g_string_free(got, FALSE);
}

Test(store_search, finds_what_brute_force_finds)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(20261123);
	g_autoptr(GPtrArray) subjects = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	guint found = 0;

	store_random_mail(random, subjects, names, 400);
	for (int i = 0; i < 600; i++) {
		gboolean by_name = i % 2;
		g_autofree char *needle = random_text(random, i % 3 == 0 ? 1 : 3);
		g_autofree char *expected =
			by_brute_force(by_name ? names : subjects,
				       by_name ? text_fits_name : text_contains, needle);
		g_autofree char *got = ask_one(by_name ? "name:" : "subject:", needle);

		cr_assert_str_eq(got, expected, "%s:%s", by_name ? "name" : "subject", needle);
		found += *got != '\0';
	}
	cr_expect_gt(found, 100, "too few needles were found to prove anything");
}

Test(store_search, finds_japanese_words_of_two_characters)
{
	struct event *event = make_event(1);

	set_text(&event->record->subject, "ご請求書の送付");
	add_rcpt(event, "<alice@site.example>");
	add_file(event, "2", "会議資料.xlsx", "x");
	store_it(fixture.store, event);
	expect_who(fixture.store, "a", "subject:請求", "alice@site.example");
	expect_who(fixture.store, "a", "subject:送付", "alice@site.example");
	expect_who(fixture.store, "a", "subject:書", "alice@site.example");
	expect_who(fixture.store, "a", "subject:求請", "");
	expect_who(fixture.store, "a", "name:*資料*", "alice@site.example");
}

Test(store_search, holds_pairs_that_are_apart_for_no_match)
{
	struct event *event = make_event(1);

	set_text(&event->record->subject, "abxbc");
	add_rcpt(event, "<alice@site.example>");
	store_it(fixture.store, event);
	expect_who(fixture.store, "a", "subject:abc", "");
	expect_who(fixture.store, "a", "subject:xb", "alice@site.example");
}

Test(store_search, finds_texts_around_the_length_that_is_indexed)
{
	for (int length = TEXT_INDEX_CHARS - 1; length <= TEXT_INDEX_CHARS + 1; length++) {
		struct event *event = make_event(length);
		g_autofree char *fill = g_strnfill(length - 6, 'x');
		g_autofree char *rcpt = g_strdup_printf("<%d@site.example>", length);

		g_free(event->record->subject);
		event->record->subject = g_strconcat(fill, "needle", NULL);
		add_rcpt(event, rcpt);
		store_it(fixture.store, event);
	}
	expect_who(fixture.store, "a", "subject:needle",
		   "511@site.example 512@site.example 513@site.example");
	expect_who(fixture.store, "a", "subject:needles", "");
}

Test(store_search, finds_each_of_a_thousand_links)
{
	struct event *event = make_event(1);

	for (int i = 0; i < 1000; i++)
		g_ptr_array_add(event->record->urls, g_strdup_printf("https://h.example/%d/", i));
	add_rcpt(event, "<alice@site.example>");
	store_it(fixture.store, event);
	expect_who(fixture.store, "a", "url:/0/", "alice@site.example");
	expect_who(fixture.store, "a", "url:h.example/63/", "alice@site.example");
	expect_who(fixture.store, "a", "url:h.example/64/", "alice@site.example");
	expect_who(fixture.store, "a", "url:h.example/999/", "alice@site.example");
	expect_who(fixture.store, "a", "url:h.example/1000/", "");
}

Test(store_search, keeps_the_words_of_tenants_and_kinds_apart)
{
	struct event *event = make_event(1);

	set_text(&event->tenant, "b");
	set_text(&event->record->subject, "secret");
	add_rcpt(event, "<bob@b.example>");
	store_it(fixture.store, event);
	g_free(store_mail(fixture.store, 2, "<alice@site.example>", "secret", "x"));
	expect_who(fixture.store, "a", "subject:secret", "");
	expect_who(fixture.store, "b", "name:*secret*", "");
	expect_who(fixture.store, "a", "name:*secret*", "alice@site.example");
	expect_who(fixture.store, "b", "subject:secret", "bob@b.example");
}

Test(store_search, takes_the_syntax_of_queries_for_text)
{
	static const char *const needles[] = {
		"\" OR \"", "a AND b", "NEAR(", "^x", "a*", "col:x", "'; DROP TABLE events; --",
		"%",	    "_"};

	for (gsize i = 0; i < G_N_ELEMENTS(needles); i++) {
		struct event *event = make_event(i);
		g_autofree char *rcpt = g_strdup_printf("<%u@site.example>", (guint)i);
		g_autofree char *got = NULL;

		set_text(&event->record->subject, needles[i]);
		add_rcpt(event, rcpt);
		store_it(fixture.store, event);
		got = ask_one("subject:", needles[i]);
		cr_expect(g_str_has_suffix(got, "@site.example"), "%s gave '%s'", needles[i], got);
	}
}
