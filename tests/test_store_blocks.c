/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib.h>
#include <string.h>

#include "store_blocks.h"
#include "store_fixture.h"

static struct block_key
key_of(const char *hex)
{
	struct block_key key;
	struct digest digest;

	cr_assert(digest_from_hex(hex, &digest));
	block_key_of_digest(&digest, &key);
	return key;
}

#define MD5_A "0123456789abcdef0123456789abcdef"
#define MD5_B "fedcba9876543210fedcba9876543210"

static struct store_block
block_of(const char *what, enum block_mode mode, gint64 expires_us)
{
	return (struct store_block){.what = (char *)what,
				    .mode = mode,
				    .created_us = AT(0),
				    .expires_us = expires_us,
				    .actor = (char *)"uid=1(a)",
				    .case_id = (char *)"C-1",
				    .reason = (char *)"because"};
}

/* Adds a block with these keys; returns its number. */
static guint32
add(struct store_fixture *fixture, const char *tenant, struct store_block block,
    const struct block_key *keys, gsize count, gboolean wanted_new)
{
	GError *error = NULL;
	gboolean is_new;

	expect_ok(store_begin(fixture->store, &error), error);
	expect_ok(store_block_add(fixture->store, tenant, &block, keys, count, &is_new, &error),
		  error);
	expect_ok(store_commit(fixture->store, &error), error);
	cr_assert_eq(is_new, wanted_new);
	return block.number;
}

static guint32
add_hash(struct store_fixture *fixture, const char *tenant, const char *hex, enum block_mode mode,
	 gint64 expires_us)
{
	struct block_key key = key_of(hex);

	return add(fixture, tenant, block_of(hex, mode, expires_us), &key, 1, TRUE);
}

static gboolean
remove_block(struct store_fixture *fixture, const char *tenant, const char *what)
{
	GError *error = NULL;
	gboolean removed;

	expect_ok(store_begin(fixture->store, &error), error);
	expect_ok(store_block_remove(fixture->store, tenant, what, AT(9), &removed, &error), error);
	expect_ok(store_commit(fixture->store, &error), error);
	return removed;
}

static struct block_state
state_of(struct store_fixture *fixture)
{
	struct block_state state;
	GError *error = NULL;

	expect_ok(store_block_state(fixture->store, &state, &error), error);
	return state;
}

/* A sensor's copy that takes all there is from its version on. */
struct copy {
	struct block_list *list;
	struct block_state state;
};

static void
catch_up(struct store_fixture *fixture, const char *tenant, struct copy *copy)
{
	gboolean last = FALSE;

	if (!copy->list)
		copy->list = block_list_new();
	while (!last) {
		struct block_chunk chunk;
		GError *error = NULL;

		block_chunk_init(&chunk);
		expect_ok(store_block_changes(fixture->store, tenant, copy->state.version, &chunk,
					      &error),
			  error);
		cr_assert_leq(chunk.entries->len, BLOCK_CHUNK_ENTRIES);
		for (guint i = 0; i < chunk.entries->len; i++)
			block_list_set(copy->list,
				       &g_array_index(chunk.entries, struct block_entry, i));
		copy->state.version = chunk.to;
		last = chunk.last;
		block_chunk_clear(&chunk);
	}
}

/* Returns the mode that a copy has for a hash, or -1. */
static int
mode_in(const struct copy *copy, const char *hex)
{
	struct block_key key = key_of(hex);
	struct block_entry entry;

	return block_list_find(copy->list, &key, AT(1), &entry) ? (int)entry.mode : -1;
}

Test(store_blocks, new_store_has_a_list_of_its_own_at_version_0)
{
	struct store_fixture a, b;
	struct block_state first, second;

	store_fixture_init(&a);
	store_fixture_init(&b);
	first = state_of(&a);
	second = state_of(&b);
	cr_assert_eq(first.version, 0);
	cr_assert_neq(memcmp(first.list, second.list, sizeof(first.list)), 0);
	store_fixture_clear(&a);
	store_fixture_clear(&b);
}

Test(store_blocks, added_changed_and_removed_reach_a_copy)
{
	struct copy copy = {0}, late = {0};
	struct store_fixture fixture;
	struct block_key key = key_of(MD5_A);
	guint32 number;

	store_fixture_init(&fixture);
	number = add_hash(&fixture, "a", MD5_A, BLOCK_REJECT, 0);
	catch_up(&fixture, "a", &copy);
	cr_assert_eq(mode_in(&copy, MD5_A), BLOCK_REJECT);
	cr_assert_eq(add(&fixture, "a", block_of(MD5_A, BLOCK_HOLD, AT(100)), &key, 1, FALSE),
		     number, "one block a file");
	catch_up(&fixture, "a", &copy);
	cr_assert_eq(mode_in(&copy, MD5_A), BLOCK_HOLD);
	cr_assert(remove_block(&fixture, "a", MD5_A));
	cr_assert_not(remove_block(&fixture, "a", MD5_A));
	catch_up(&fixture, "a", &copy);
	cr_assert_eq(mode_in(&copy, MD5_A), -1);
	cr_assert_eq(copy.state.version, state_of(&fixture).version);
	catch_up(&fixture, "a", &late);
	cr_assert_eq(block_list_count(late.list), 0);
	block_list_free(copy.list);
	block_list_free(late.list);
	store_fixture_clear(&fixture);
}

Test(store_blocks, tenants_have_their_own)
{
	struct copy a = {0}, b = {0};
	struct store_fixture fixture;

	store_fixture_init(&fixture);
	add_hash(&fixture, "a", MD5_A, BLOCK_REJECT, 0);
	add_hash(&fixture, "b", MD5_B, BLOCK_HOLD, 0);
	add_hash(&fixture, "b", MD5_A, BLOCK_OBSERVE, 0);
	catch_up(&fixture, "a", &a);
	catch_up(&fixture, "b", &b);
	cr_assert_eq(mode_in(&a, MD5_A), BLOCK_REJECT);
	cr_assert_eq(mode_in(&a, MD5_B), -1);
	cr_assert_eq(mode_in(&b, MD5_A), BLOCK_OBSERVE);
	cr_assert_not(remove_block(&fixture, "a", MD5_B));
	cr_assert(remove_block(&fixture, "b", MD5_A));
	catch_up(&fixture, "a", &a);
	cr_assert_eq(mode_in(&a, MD5_A), BLOCK_REJECT);
	block_list_free(a.list);
	block_list_free(b.list);
	store_fixture_clear(&fixture);
}

/* Two files that share a form: the graver block counts, and goes on when the other ends. */
Test(store_blocks, shared_key_follows_the_gravest_of_its_blocks)
{
	struct block_key keys[] = {key_of(MD5_A), key_of(MD5_B)};
	struct store_fixture fixture;
	struct copy copy = {0};
	guint ended;

	store_fixture_init(&fixture);
	add(&fixture, "a", block_of(MD5_A, BLOCK_HOLD, 0), keys, 2, TRUE);
	add(&fixture, "a", block_of(MD5_B, BLOCK_REJECT, AT(50)), &keys[1], 1, TRUE);
	catch_up(&fixture, "a", &copy);
	cr_assert_eq(mode_in(&copy, MD5_A), BLOCK_HOLD);
	cr_assert_eq(mode_in(&copy, MD5_B), BLOCK_REJECT);
	cr_assert(store_block_expire(fixture.store, AT(49), 10, &ended, NULL));
	cr_assert_eq(ended, 0);
	cr_assert(store_block_expire(fixture.store, AT(50), 10, &ended, NULL));
	cr_assert_eq(ended, 1);
	catch_up(&fixture, "a", &copy);
	cr_assert_eq(mode_in(&copy, MD5_B), BLOCK_HOLD);
	cr_assert(remove_block(&fixture, "a", MD5_A));
	catch_up(&fixture, "a", &copy);
	cr_assert_eq(block_list_count(copy.list), 0);
	block_list_free(copy.list);
	store_fixture_clear(&fixture);
}

/* More than two chunks, and changes between them. */
Test(store_blocks, copy_catches_up_in_several_chunks)
{
	const guint count = 2 * BLOCK_CHUNK_ENTRIES + 10;
	struct store_fixture fixture;
	struct copy copy = {0};
	GError *error = NULL;

	store_fixture_init(&fixture);
	expect_ok(store_begin(fixture.store, &error), error);
	for (guint i = 0; i < count; i++) {
		g_autofree char *hex = g_strdup_printf("%032x", i);
		struct store_block block = block_of(hex, BLOCK_REJECT, 0);
		struct block_key key = key_of(hex);
		gboolean is_new;

		expect_ok(store_block_add(fixture.store, "a", &block, &key, 1, &is_new, &error),
			  error);
	}
	expect_ok(store_commit(fixture.store, &error), error);
	catch_up(&fixture, "a", &copy);
	cr_assert_eq(block_list_count(copy.list), count);
	cr_assert_eq(copy.state.version, count);
	block_list_free(copy.list);
	store_fixture_clear(&fixture);
}

Test(store_blocks, list_that_was_put_back_gets_another_id)
{
	struct store_fixture fixture;
	struct block_state before, after;

	store_fixture_init(&fixture);
	before = state_of(&fixture);
	cr_assert(store_block_renew(fixture.store, NULL));
	after = state_of(&fixture);
	cr_assert_neq(memcmp(before.list, after.list, sizeof(before.list)), 0);
	store_fixture_clear(&fixture);
}

static void
add_blocked_event(struct store_fixture *fixture, int second, guint32 number, guint files)
{
	g_autoptr(event_t) event = make_event(second);
	g_autoptr(GBytes) json = g_bytes_new_static("{}", 2);
	GError *error = NULL;
	gboolean added;

	add_rcpt(event, "<r@example.org>");
	for (guint i = 0; i < files; i++)
		event_add_block(event, number, BLOCK_HOLD, FALSE, "1");
	expect_ok(store_begin(fixture->store, &error), error);
	for (guint i = 0; i < 2; i++) /* the second time it is known */
		expect_ok(store_add_event(fixture->store, event, json, NULL, &added, &error),
			  error);
	expect_ok(store_commit(fixture->store, &error), error);
}

static gboolean
take_hits(const struct store_block *block, void *data)
{
	*(struct store_block *)data = *block;
	return TRUE;
}

Test(store_blocks, message_is_one_hit_however_often_it_comes_and_how_many_files_it_has)
{
	struct store_block block = {0};
	struct store_fixture fixture;
	guint32 number;

	store_fixture_init(&fixture);
	number = add_hash(&fixture, "a", MD5_A, BLOCK_HOLD, 0);
	add_blocked_event(&fixture, 20, number, 3);
	add_blocked_event(&fixture, 10, number, 1);
	cr_assert(store_block_each(fixture.store, "a", FALSE, take_hits, &block, NULL));
	cr_assert_eq(block.hits, 2);
	cr_assert_eq(block.last_hit_us, AT(20));
	store_fixture_clear(&fixture);
}

static gboolean
count_blocks(const struct store_block *block, void *data)
{
	(*(guint *)data)++;
	cr_expect_str_eq(block->actor, "uid=1(a)");
	cr_expect_str_eq(block->case_id, "C-1");
	cr_expect_str_eq(block->reason, "because");
	return TRUE;
}

Test(store_blocks, list_has_what_is_in_force_and_on_request_what_is_over)
{
	struct store_fixture fixture;
	guint in_force = 0, all = 0, other = 0;

	store_fixture_init(&fixture);
	add_hash(&fixture, "a", MD5_A, BLOCK_REJECT, 0);
	add_hash(&fixture, "a", MD5_B, BLOCK_REJECT, 0);
	remove_block(&fixture, "a", MD5_A);
	add_hash(&fixture, "a", MD5_A, BLOCK_REJECT, 0);
	remove_block(&fixture, "a", MD5_B);
	cr_assert(store_block_each(fixture.store, "a", FALSE, count_blocks, &in_force, NULL));
	cr_assert(store_block_each(fixture.store, "a", TRUE, count_blocks, &all, NULL));
	cr_assert(store_block_each(fixture.store, "b", TRUE, count_blocks, &other, NULL));
	cr_assert_eq(in_force, 1);
	cr_assert_eq(all, 3);
	cr_assert_eq(other, 0);
	store_fixture_clear(&fixture);
}
