/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block_list - what the block list costs: bytes an entry, nanoseconds a look-up.
 *
 * usage: block_list [ENTRIES...], by default 1,000, 1 million and 10 million
 * Prints for each size the bytes of memory that an entry takes, and the median of
 * seven rounds of look-ups of keys that are there and of keys that are not, in
 * random order; beside it GLib's hash table of the same keys as a yardstick.
 */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block_list.h"

#define ROUNDS 7
#define LOOKUPS 1000000

/* A key made of a number; others than the list's begin at 2^63. */
static void
make_key(guint64 n, struct block_key *ret_key)
{
	guint64 words[2] = {n * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15),
			    (n ^ n >> 31) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9)};

	ret_key->kind = BLOCK_SHA256;
	memcpy(ret_key->bytes, words, BLOCK_KEY_BYTES);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Returns nanoseconds a look-up, of keys from base on. */
static double
time_lookups(struct block_list *list, GHashTable *table, guint64 entries, guint64 base)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(1);
	double rounds[ROUNDS];

	for (guint round = 0; round < ROUNDS; round++) {
		gint64 began = g_get_monotonic_time();
		guint64 found = 0;

		for (guint i = 0; i < LOOKUPS; i++) {
			struct block_entry entry;
			struct block_key key;

			make_key(base + g_rand_int(random) % entries, &key);
			found += table ? g_hash_table_contains(table, key.bytes)
				       : block_list_find(list, &key, 1, &entry);
		}
		g_assert(found == (base ? 0 : LOOKUPS));
		rounds[round] = (double)(g_get_monotonic_time() - began) * 1000 / LOOKUPS;
	}
	qsort(rounds, ROUNDS, sizeof(*rounds), compare);
	return rounds[ROUNDS / 2];
}

static guint
hash_key(gconstpointer key)
{
	guint hash;

	memcpy(&hash, key, sizeof(hash));
	return hash;
}

static gboolean
equal_keys(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, BLOCK_KEY_BYTES) == 0;
}

static void
measure(guint64 entries)
{
	g_autoptr(block_list_t) list = block_list_new();
	g_autoptr(GHashTable) table = g_hash_table_new(hash_key, equal_keys);
	g_autofree guint8 *keys = g_malloc(entries * BLOCK_KEY_BYTES);
	const guint64 others = G_GUINT64_CONSTANT(1) << 63;

	for (guint64 i = 0; i < entries; i++) {
		struct block_entry entry = {.mode = BLOCK_REJECT, .number = (guint32)i};

		make_key(i, &entry.key);
		block_list_set(list, &entry);
		memcpy(keys + i * BLOCK_KEY_BYTES, entry.key.bytes, BLOCK_KEY_BYTES);
		g_hash_table_add(table, keys + i * BLOCK_KEY_BYTES);
	}
	printf("%10" G_GUINT64_FORMAT " entries: %5.1f bytes each; there %6.1f ns, not there"
	       " %6.1f ns; GHashTable %6.1f, %6.1f ns\n",
	       entries, (double)block_list_bytes(list) / (double)entries,
	       time_lookups(list, NULL, entries, 0), time_lookups(list, NULL, entries, others),
	       time_lookups(list, table, entries, 0), time_lookups(list, table, entries, others));
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	static const guint64 sizes[] = {1000, 1000000, 10000000};

	for (int i = 1; i < argc; i++)
		measure(g_ascii_strtoull(argv[i], NULL, 10));
	for (gsize i = 0; argc == 1 && i < G_N_ELEMENTS(sizes); i++)
		measure(sizes[i]);
	return EXIT_SUCCESS;
}
