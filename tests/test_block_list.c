/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib.h>
#include <string.h>

#include "block_list.h"
#include "caps.h"
#include "store_fixture.h"

#define NOW AT(0)

static struct block_entry
entry_of(enum block_kind kind, guint64 n, enum block_mode mode)
{
	struct block_entry entry = {.key.kind = kind, .mode = mode, .number = (guint32)n + 1};
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, n);
	guint8 sha256[SHA256_BYTES];

	digest_sha256(text, strlen(text), sha256);
	memcpy(entry.key.bytes, sha256, BLOCK_KEY_BYTES);
	return entry;
}

static void
assert_finds(struct block_list *list, const struct block_entry *wanted)
{
	struct block_entry found;

	cr_assert(block_list_find(list, &wanted->key, NOW, &found));
	cr_assert_eq(found.mode, wanted->mode);
	cr_assert_eq(found.number, wanted->number);
	cr_assert_eq(found.key.kind, wanted->key.kind);
	cr_assert_arr_eq(found.key.bytes, wanted->key.bytes, BLOCK_KEY_BYTES);
}

static void
assert_lacks(struct block_list *list, const struct block_entry *entry, gint64 now_us)
{
	struct block_entry found = {.number = 77};

	cr_assert_not(block_list_find(list, &entry->key, now_us, &found));
	cr_assert_eq(found.number, 77, "untouched");
}

Test(block_list, empty_list_has_nothing)
{
	g_autoptr(block_list_t) list = block_list_new();
	struct block_entry entry = entry_of(BLOCK_SHA256, 1, BLOCK_REJECT);

	assert_lacks(list, &entry, NOW);
	cr_assert_eq(block_list_count(list), 0);
}

Test(block_list, one_key_of_each_kind_is_four_entries)
{
	g_autoptr(block_list_t) list = block_list_new();

	for (guint kind = 0; kind < BLOCK_KINDS; kind++) {
		struct block_entry entry = entry_of((enum block_kind)kind, 1, BLOCK_OBSERVE);

		entry.number = kind;
		block_list_set(list, &entry);
	}
	cr_assert_eq(block_list_count(list), BLOCK_KINDS);
	for (guint kind = 0; kind < BLOCK_KINDS; kind++) {
		struct block_entry entry = entry_of((enum block_kind)kind, 1, BLOCK_OBSERVE);

		entry.number = kind;
		assert_finds(list, &entry);
	}
}

Test(block_list, setting_again_changes_and_removing_removes)
{
	g_autoptr(block_list_t) list = block_list_new();
	struct block_entry entry = entry_of(BLOCK_MD5, 5, BLOCK_REJECT);

	block_list_set(list, &entry);
	entry.mode = BLOCK_HOLD;
	entry.number = G_MAXUINT32;
	block_list_set(list, &entry);
	assert_finds(list, &entry);
	cr_assert_eq(block_list_count(list), 1);
	entry.removed = TRUE;
	block_list_set(list, &entry);
	block_list_set(list, &entry);
	assert_lacks(list, &entry, NOW);
	cr_assert_eq(block_list_count(list), 0);
}

Test(block_list, entry_holds_until_its_minute_and_not_beyond)
{
	g_autoptr(block_list_t) list = block_list_new();
	struct block_entry entry = entry_of(BLOCK_SHA1, 1, BLOCK_REJECT), found;
	const gint64 minute = 60 * (gint64)G_USEC_PER_SEC;

	entry.expires_us = NOW + 1;
	block_list_set(list, &entry);
	cr_assert(block_list_find(list, &entry.key, NOW, &found));
	cr_assert_geq(found.expires_us, entry.expires_us);
	cr_assert_lt(found.expires_us, entry.expires_us + minute);
	cr_assert(block_list_find(list, &entry.key, found.expires_us - 1, &found));
	assert_lacks(list, &entry, found.expires_us);
	entry.expires_us = 0;
	block_list_set(list, &entry);
	cr_assert(block_list_find(list, &entry.key, G_MAXINT64, &found));
}

/* Against a hash table of GLib, by many random changes: holes and growth included. */
Test(block_list, random_changes_agree_with_a_simple_table)
{
	g_autoptr(block_list_t) list = block_list_new();
	g_autoptr(GHashTable) model = g_hash_table_new(NULL, NULL);
	g_autoptr(GRand) random = g_rand_new_with_seed(20261125);

	for (guint i = 0; i < 60000; i++) {
		guint n = (guint)g_rand_int_range(random, 0, 3000);
		struct block_entry entry =
			entry_of(BLOCK_SHA256, n, (enum block_mode)g_rand_int_range(random, 0, 4));

		entry.removed = g_rand_int_range(random, 0, 5) < 2;
		block_list_set(list, &entry);
		if (entry.removed)
			g_hash_table_remove(model, GUINT_TO_POINTER(n));
		else
			g_hash_table_insert(model, GUINT_TO_POINTER(n),
					    GUINT_TO_POINTER((guint)entry.mode));
		cr_assert_eq(block_list_count(list), g_hash_table_size(model));
	}
	for (guint n = 0; n < 3000; n++) {
		struct block_entry entry = entry_of(BLOCK_SHA256, n, BLOCK_OBSERVE);
		gpointer mode;

		if (g_hash_table_lookup_extended(model, GUINT_TO_POINTER(n), NULL, &mode)) {
			entry.mode = (enum block_mode)GPOINTER_TO_UINT(mode);
			assert_finds(list, &entry);
		} else {
			assert_lacks(list, &entry, NOW);
		}
	}
}

Test(block_list, entry_takes_at_most_forty_bytes_of_a_full_list)
{
	g_autoptr(block_list_t) list = block_list_new();

	for (guint i = 0; i < 100000; i++) {
		struct block_entry entry = entry_of(BLOCK_SHA256, i, BLOCK_REJECT);

		block_list_set(list, &entry);
		if (i > 1000)
			cr_assert_leq(block_list_bytes(list), 48 * (guint64)i);
	}
}

Test(block_list, replacing_puts_another_list_in_the_place)
{
	g_autoptr(block_list_t) list = block_list_new();
	struct block_list *other = block_list_new();
	struct block_entry old = entry_of(BLOCK_MD5, 1, BLOCK_HOLD);
	struct block_entry new = entry_of(BLOCK_MD5, 2, BLOCK_REJECT);

	block_list_set(list, &old);
	block_list_set(other, &new);
	block_list_replace(list, other);
	assert_lacks(list, &old, NOW);
	assert_finds(list, &new);
}

static gpointer
change_for_ever(gpointer data)
{
	struct block_list *list = ((gpointer *)data)[0];
	gint *stop = ((gpointer *)data)[1];

	for (guint i = 10; !g_atomic_int_get(stop); i++) {
		struct block_entry entry = entry_of(BLOCK_SHA256, i % 5000 + 10, BLOCK_REJECT);

		entry.removed = i % 3 == 0;
		block_list_set(list, &entry);
	}
	return NULL;
}

Test(block_list, is_looked_up_while_it_changes)
{
	g_autoptr(block_list_t) list = block_list_new();
	struct block_entry fixed = entry_of(BLOCK_SHA256, 1, BLOCK_HOLD);
	gint stop = 0;
	gpointer data[] = {list, &stop};
	GThread *thread;

	block_list_set(list, &fixed);
	thread = g_thread_new("change", change_for_ever, data);
	for (guint i = 0; i < 100000; i++)
		assert_finds(list, &fixed);
	g_atomic_int_set(&stop, 1);
	g_thread_join(thread);
}

/* ---- messages ---- */

static void
block_content(struct block_list *list, const char *content, enum block_kind kind, guint32 number,
	      enum block_mode mode)
{
	struct block_entry entry = {.key.kind = kind, .mode = mode, .number = number};
	struct digests digests;
	const guint8 *const bytes[] = {digests.md5, digests.sha1, digests.sha256};

	digests_of(content, strlen(content), &digests);
	memcpy(entry.key.bytes, bytes[kind], BLOCK_KEY_BYTES);
	block_list_set(list, &entry);
}

Test(block_list, file_is_found_by_any_of_its_digests)
{
	for (guint kind = BLOCK_MD5; kind <= BLOCK_SHA256; kind++) {
		g_autoptr(block_list_t) list = block_list_new();
		g_autoptr(event_t) event = make_event(0);
		const struct event_block *block;

		add_file(event, "1", "good.txt", "harmless");
		add_file(event, "2!/a.js", "a.js", "evil");
		block_content(list, "evil", (enum block_kind)kind, 9, BLOCK_REJECT);
		block_list_match(list, NOW, event);
		cr_assert_eq(event->blocks->len, 1);
		block = event->blocks->pdata[0];
		cr_assert_eq(block->number, 9);
		cr_assert_eq(block->mode, BLOCK_REJECT);
		cr_assert_not(block->candidate);
		cr_assert_str_eq(block->file, "2!/a.js");
	}
}

Test(block_list, variant_of_a_file_is_found)
{
	g_autoptr(block_list_t) list = block_list_new();
	g_autoptr(event_t) event = make_event(0);

	add_variant(add_file(event, "1", NULL, "evil\r\n"), VARIANT_LF, "evil\n");
	block_content(list, "evil\n", BLOCK_SHA256, 3, BLOCK_HOLD);
	block_list_match(list, NOW, event);
	cr_assert_eq(event->blocks->len, 1);
}

Test(block_list, gravest_block_is_first_and_each_is_noted_once_a_file)
{
	g_autoptr(block_list_t) list = block_list_new();
	g_autoptr(event_t) event = make_event(0);

	add_file(event, "1", NULL, "a");
	add_file(event, "2", NULL, "b");
	add_file(event, "3", NULL, "a");
	block_content(list, "a", BLOCK_MD5, 1, BLOCK_OBSERVE);
	block_content(list, "a", BLOCK_SHA256, 1, BLOCK_OBSERVE);
	block_content(list, "b", BLOCK_SHA1, 2, BLOCK_REJECT);
	block_list_match(list, NOW, event);
	cr_assert_eq(event->blocks->len, 3);
	cr_assert_eq(((struct event_block *)event->blocks->pdata[0])->number, 2);
}

Test(block_list, encrypted_member_is_a_candidate_by_crc32_and_size)
{
	g_autoptr(block_list_t) list = block_list_new();
	g_autoptr(event_t) event = make_event(0);
	struct file *file = record_add_file(event->record, "1!/secret.exe", -1);
	struct block_entry entry = {.mode = BLOCK_HOLD, .number = 4};

	file->flags = FILE_ENCRYPTED;
	file->has_crc32 = TRUE;
	file->crc32 = 0x1a2b3c4d;
	file->size = 4711;
	block_key_of_candidate(0x1a2b3c4d, 4712, &entry.key);
	block_list_set(list, &entry);
	block_list_match(list, NOW, event);
	cr_assert_eq(event->blocks->len, 0, "another size");
	block_key_of_candidate(0x1a2b3c4d, 4711, &entry.key);
	block_list_set(list, &entry);
	block_list_match(list, NOW, event);
	cr_assert_eq(event->blocks->len, 1);
	cr_assert(((struct event_block *)event->blocks->pdata[0])->candidate);
}

/* Contents that nobody could read have digests of zeros, which must be no content's. */
Test(block_list, unread_content_is_never_blocked_by_zeros)
{
	g_autoptr(block_list_t) list = block_list_new();
	g_autoptr(event_t) event = make_event(0);
	struct block_entry entry = {.key.kind = BLOCK_SHA256, .mode = BLOCK_REJECT};

	record_add_file(event->record, "1", -1);
	block_list_set(list, &entry);
	block_list_match(list, NOW, event);
	cr_assert_eq(event->blocks->len, 0);
}

/* Returns how many blocks are noted of a message of so many blocked files, the last the gravest. */
static guint
noted_of(guint files, struct event *event)
{
	g_autoptr(block_list_t) list = block_list_new();

	for (guint i = 0; i < files; i++) {
		g_autofree char *content = g_strdup_printf("%u", i);

		add_file(event, content, NULL, content);
		block_content(list, content, BLOCK_SHA256, i,
			      i + 1 == files ? BLOCK_REJECT : BLOCK_OBSERVE);
	}
	block_list_match(list, NOW, event);
	cr_assert_eq(((struct event_block *)event->blocks->pdata[0])->number, files - 1);
	return event->blocks->len;
}

Test(block_list, cap_keeps_the_gravest_and_is_said)
{
	g_autoptr(event_t) below = make_event(0), at = make_event(0), above = make_event(0);

	cr_assert_eq(noted_of(CAP_BLOCKS - 1, below), CAP_BLOCKS - 1);
	cr_assert_eq(noted_of(CAP_BLOCKS, at), CAP_BLOCKS);
	cr_assert_eq(at->record->caps->len, 0);
	cr_assert_eq(noted_of(CAP_BLOCKS + 1, above), CAP_BLOCKS);
	cr_assert_eq(above->record->caps->len, 1);
	cr_assert_str_eq(above->record->caps->pdata[0], CAP_BLOCKS_NAME);
}
