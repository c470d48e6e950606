/* SPDX-License-Identifier: BSD-2-Clause */
#include "event.h"

#include <criterion/criterion.h>
#include <string.h>

struct path_case {
	const char *typed, *address;
};

/* RFC 5321 4.1.2, and what MTAs pass on besides. */
Test(event, address_is_the_path_without_brackets_and_route)
{
	static const struct path_case cases[] = {
		{"<a@b.example>", "a@b.example"},
		{"a@b.example", "a@b.example"},
		{" <a@b.example> ", "a@b.example"},
		{"<>", ""},
		{"", ""},
		{"<", ""},
		{"<root>", "root"},
		{"<@r1.example,@r2.example:a@b.example>", "a@b.example"},
		{"<@only.route>", "@only.route"},
		{"<\"a>b\"@c.example>", "\"a>b\"@c.example"},
		{"<a@b.example", "a@b.example"},
		{"<山田@例え.jp>", "山田@例え.jp"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct envelope_address *address = envelope_address_new(cases[i].typed);

		cr_assert_str_eq(address->typed, cases[i].typed);
		cr_assert_str_eq(address->address, cases[i].address, "%s", cases[i].typed);
		cr_assert_eq(address->arguments->len, 0);
		envelope_address_free(address);
	}
}

/* RFC 9562 5.7; the time is that of its appendix A.6. */
Test(event, id_is_a_uuid_of_version_7_with_the_time_in_front)
{
	g_autofree char *id = event_id_new(G_GINT64_CONSTANT(0x017f22e279b0) * 1000);

	cr_assert(event_id_is_valid(id));
	cr_assert(g_str_has_prefix(id, "017f22e2-79b0-7"));
	cr_assert_not_null(strchr("89ab", id[19]));
}

Test(event, ids_sort_by_microseconds)
{
	g_autofree char *last = event_id_new(1795383398231000);

	for (int us = 1; us < 3000; us++) {
		char *id = event_id_new(1795383398231000 + us);

		cr_assert_lt(strncmp(last, id, 18), 0, "%s %s", last, id);
		g_free(last);
		last = id;
	}
}

Test(event, ids_of_one_moment_differ)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (int i = 0; i < 10000; i++)
		cr_assert(g_hash_table_add(seen, event_id_new(1)));
}

/* SHA-256 of "abc" begins ba7816bf 8f01cfea 414140de 5dae2223. */
Test(event, id_of_a_content_is_its_digest_as_version_8)
{
	g_autofree char *id = event_id_of("abc", 3), *again = event_id_of("abc", 3);
	g_autofree char *other = event_id_of("abd", 3);

	cr_assert_str_eq(id, "ba7816bf-8f01-8fea-8141-40de5dae2223");
	cr_assert_str_eq(again, id);
	cr_assert_str_neq(other, id);
	cr_assert(event_id_is_valid(id));
}

Test(event, only_lower_case_uuids_are_ids)
{
	static const char *const wrong[] = {
		"",
		"ba7816bf-8f01-8fea-8141-40de5dae222",
		"ba7816bf-8f01-8fea-8141-40de5dae22233",
		"BA7816bf-8f01-8fea-8141-40de5dae2223",
		"ba7816bf08f01-8fea-8141-40de5dae2223",
		"ba7816bf-8f01-8fea-8141-40de5dae222g",
		"ba7816bf-8f01-8fea-8141-40de5dae222-",
	};

	cr_assert(event_id_is_valid("ba7816bf-8f01-8fea-8141-40de5dae2223"));
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
		cr_assert_not(event_id_is_valid(wrong[i]), "%s", wrong[i]);
}

Test(event, new_one_is_empty_and_has_a_record)
{
	g_autoptr(event_t) event = event_new();

	cr_assert_not_null(event->record);
	cr_assert_eq(event->recipients->len, 0);
	cr_assert_null(event->sender);
	cr_assert_str_eq(verdict_name(event->verdict), "accept");
	cr_assert_str_eq(direction_name(event->direction), "unknown");
}

Test(event, free_of_null_is_allowed)
{
	event_free(NULL);
	envelope_address_free(NULL);
}
