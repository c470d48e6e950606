/* SPDX-License-Identifier: BSD-2-Clause */
#include "block_list.h"

#include <string.h>

#include "caps.h"

/*
 * What an entry says beside its key, in 64 bits: whether the place is taken,
 * kind and mode, the expiry in minutes since 1970 rounded up (27 bits, until the
 * year 2225), and the block's number.
 */
#define TAKEN (G_GUINT64_CONSTANT(1) << 63)
#define KIND_SHIFT 61
#define MODE_SHIFT 59
#define EXPIRY_SHIFT 32
#define EXPIRY_MAX ((G_GUINT64_CONSTANT(1) << 27) - 1)
#define NUMBER_MASK G_GUINT64_CONSTANT(0xffffffff)
#define MINUTE_US (60 * (gint64)G_USEC_PER_SEC)

#define PLACES_MIN 64

struct place {
	guint8 key[BLOCK_KEY_BYTES];
	guint64 meta; /* 0: free */
};
G_STATIC_ASSERT(sizeof(struct place) == 24);

struct block_list {
	GRWLock lock;
	struct place *places; /* open addressing, the next place when one is taken */
	guint64 capacity;
	guint64 count;
	guint64 seed; /* odd: who writes a feed of hashes must not choose where they fall */
};

void
block_key_of_digest(const struct digest *digest, struct block_key *ret_key)
{
	ret_key->kind = (enum block_kind)digest->kind;
	memcpy(ret_key->bytes, digest->bytes, BLOCK_KEY_BYTES);
}

void
block_key_of_candidate(guint32 crc32, guint64 size, struct block_key *ret_key)
{
	guint32 crc32_be = GUINT32_TO_BE(crc32);
	guint64 size_be = GUINT64_TO_BE(size);

	ret_key->kind = BLOCK_CANDIDATE;
	memset(ret_key->bytes, 0, BLOCK_KEY_BYTES);
	memcpy(ret_key->bytes, &crc32_be, sizeof(crc32_be));
	memcpy(ret_key->bytes + sizeof(crc32_be), &size_be, sizeof(size_be));
}

/* ---- the table ---- */

static enum block_kind
kind_of(guint64 meta)
{
	return (enum block_kind)(meta >> KIND_SHIFT & 3);
}

/* Returns where the search for a key begins; the high bits of the product are the mixed ones. */
static guint64
home_of(const struct block_list *list, const guint8 *key)
{
	guint64 low, high, mixed;

	memcpy(&low, key, sizeof(low));
	memcpy(&high, key + sizeof(low), sizeof(high));
	mixed = (low ^ (high << 29 | high >> 35)) * list->seed;
	mixed = (mixed ^ mixed >> 32) * list->seed;
	return (guint64)((unsigned __int128)mixed * list->capacity >> 64);
}

static guint64
next_of(const struct block_list *list, guint64 place)
{
	return place + 1 == list->capacity ? 0 : place + 1;
}

/* Returns the place of a key, or the free one where it would be put. */
static guint64
place_of(const struct block_list *list, enum block_kind kind, const guint8 *key)
{
	guint64 at = home_of(list, key);

	while (list->places[at].meta && (kind_of(list->places[at].meta) != kind ||
					 memcmp(list->places[at].key, key, BLOCK_KEY_BYTES) != 0))
		at = next_of(list, at);
	return at;
}

static void
resize(struct block_list *list, guint64 capacity)
{
	struct place *former = list->places;
	guint64 former_capacity = list->capacity;

	list->places = g_new0(struct place, capacity);
	list->capacity = capacity;
	for (guint64 i = 0; i < former_capacity; i++)
		if (former[i].meta)
			list->places[place_of(list, kind_of(former[i].meta), former[i].key)] =
				former[i];
	g_free(former);
}

/* Keeps a fifth of the places free; grows by a half, so that little stands empty. */
static void
make_room(struct block_list *list)
{
	if ((list->count + 1) * 5 > list->capacity * 4)
		resize(list, list->capacity + list->capacity / 2);
}

/* Frees a place, and moves up what was put behind it because it was taken. */
static void
free_place(struct block_list *list, guint64 hole)
{
	guint64 at = hole;

	for (;;) {
		guint64 home;

		list->places[hole].meta = 0;
		do {
			at = next_of(list, at);
			if (!list->places[at].meta)
				return;
			home = home_of(list, list->places[at].key);
			/* Stays if its home lies cyclically behind the hole. */
		} while (hole <= at ? hole < home && home <= at : hole < home || home <= at);
		list->places[hole] = list->places[at];
		hole = at;
	}
}

/* ---- entries ---- */

static guint64
meta_of(const struct block_entry *entry)
{
	gint64 minutes = entry->expires_us > 0 ? (entry->expires_us - 1) / MINUTE_US + 1 : 0;

	return TAKEN | (guint64)entry->key.kind << KIND_SHIFT | (guint64)entry->mode << MODE_SHIFT |
	       MIN((guint64)minutes, EXPIRY_MAX) << EXPIRY_SHIFT | entry->number;
}

static void
entry_of(const struct place *place, struct block_entry *ret_entry)
{
	guint64 minutes = place->meta >> EXPIRY_SHIFT & EXPIRY_MAX;

	*ret_entry = (struct block_entry){
		.key.kind = kind_of(place->meta),
		.mode = (enum block_mode)(place->meta >> MODE_SHIFT & 3),
		.number = (guint32)(place->meta & NUMBER_MASK),
		.expires_us = (gint64)minutes * MINUTE_US,
	};
	memcpy(ret_entry->key.bytes, place->key, BLOCK_KEY_BYTES);
}

struct block_list *
block_list_new(void)
{
	struct block_list *list = g_new0(struct block_list, 1);

	g_rw_lock_init(&list->lock);
	list->seed = (guint64)g_random_int() << 32 | g_random_int() | 1;
	resize(list, PLACES_MIN);
	return list;
}

void
block_list_free(struct block_list *list)
{
	if (!list)
		return;
	g_rw_lock_clear(&list->lock);
	g_free(list->places);
	g_free(list);
}

void
block_list_set(struct block_list *list, const struct block_entry *entry)
{
	guint64 at;

	g_rw_lock_writer_lock(&list->lock);
	at = place_of(list, entry->key.kind, entry->key.bytes);
	if (entry->removed && list->places[at].meta) {
		free_place(list, at);
		list->count--;
	} else if (!entry->removed) {
		if (!list->places[at].meta) {
			make_room(list);
			at = place_of(list, entry->key.kind, entry->key.bytes);
			memcpy(list->places[at].key, entry->key.bytes, BLOCK_KEY_BYTES);
			list->count++;
		}
		list->places[at].meta = meta_of(entry);
	}
	g_rw_lock_writer_unlock(&list->lock);
}

void
block_list_replace(struct block_list *list, struct block_list *by)
{
	struct place *former;

	g_rw_lock_writer_lock(&list->lock);
	former = list->places;
	list->places = g_steal_pointer(&by->places);
	list->capacity = by->capacity;
	list->count = by->count;
	list->seed = by->seed;
	g_rw_lock_writer_unlock(&list->lock);
	g_free(former);
	block_list_free(by);
}

gboolean
block_list_find(struct block_list *list, const struct block_key *key, gint64 now_us,
		struct block_entry *ret_entry)
{
	struct place place;

	g_rw_lock_reader_lock(&list->lock);
	place = list->places[place_of(list, key->kind, key->bytes)];
	g_rw_lock_reader_unlock(&list->lock);
	if (place.meta) {
		struct block_entry entry;

		entry_of(&place, &entry);
		if (entry.expires_us == 0 || now_us < entry.expires_us) {
			*ret_entry = entry;
			return TRUE;
		}
	}
	return FALSE;
}

gboolean
block_list_each(struct block_list *list, block_entry_fn each, void *data)
{
	gboolean whole = TRUE;

	g_rw_lock_reader_lock(&list->lock);
	for (guint64 i = 0; i < list->capacity && whole; i++) {
		struct block_entry entry;

		if (!list->places[i].meta)
			continue;
		entry_of(&list->places[i], &entry);
		whole = each(&entry, data);
	}
	g_rw_lock_reader_unlock(&list->lock);
	return whole;
}

guint64
block_list_count(struct block_list *list)
{
	guint64 count;

	g_rw_lock_reader_lock(&list->lock);
	count = list->count;
	g_rw_lock_reader_unlock(&list->lock);
	return count;
}

guint64
block_list_bytes(struct block_list *list)
{
	guint64 bytes;

	g_rw_lock_reader_lock(&list->lock);
	bytes = sizeof(*list) + list->capacity * sizeof(*list->places);
	g_rw_lock_reader_unlock(&list->lock);
	return bytes;
}

/* ---- a message ---- */

/* The files of one message against the list. */
struct matching {
	struct block_list *list;
	gint64 now_us;
	struct event *event;
	const struct file *file;
};

static gint
compare_gravest_first(gconstpointer a, gconstpointer b)
{
	const struct event_block *first = *(const struct event_block *const *)a;
	const struct event_block *second = *(const struct event_block *const *)b;

	return (gint)second->mode - (gint)first->mode;
}

static gboolean
is_noted(const struct matching *matching, const struct block_entry *entry)
{
	const GPtrArray *blocks = matching->event->blocks;

	for (guint i = 0; i < blocks->len; i++) {
		const struct event_block *block = blocks->pdata[i];

		if (block->number == entry->number &&
		    g_str_equal(block->file, matching->file->path))
			return TRUE;
	}
	return FALSE;
}

/* Looks a key up.  At the cap a graver block takes the place of the mildest. */
static void
match_key(struct matching *matching, const struct block_key *key)
{
	GPtrArray *blocks = matching->event->blocks;
	struct block_entry entry;

	if (!block_list_find(matching->list, key, matching->now_us, &entry) ||
	    is_noted(matching, &entry))
		return;
	event_add_block(matching->event, entry.number, entry.mode, key->kind == BLOCK_CANDIDATE,
			matching->file->path);
	g_ptr_array_sort(blocks, compare_gravest_first);
	if (blocks->len > CAP_BLOCKS) {
		g_ptr_array_set_size(blocks, CAP_BLOCKS);
		record_note_cap(matching->event->record, CAP_BLOCKS_NAME);
	}
}

static void
match_digests(struct matching *matching, const struct digests *digests)
{
	const guint8 *const bytes[] = {
		[BLOCK_MD5] = digests->md5,
		[BLOCK_SHA1] = digests->sha1,
		[BLOCK_SHA256] = digests->sha256,
	};

	if (!digests_are_known(digests))
		return; /* of a content that nobody could read */
	for (guint kind = 0; kind < G_N_ELEMENTS(bytes); kind++) {
		struct block_key key = {.kind = (enum block_kind)kind};

		memcpy(key.bytes, bytes[kind], BLOCK_KEY_BYTES);
		match_key(matching, &key);
	}
}

static void
match_file(struct matching *matching)
{
	const struct file *file = matching->file;
	struct block_key key;

	if (!(file->flags & FILE_MULTIPART))
		match_digests(matching, &file->digests);
	for (guint i = 0; i < file->variants->len; i++)
		match_digests(matching, &g_array_index(file->variants, struct variant, i).digests);
	if ((file->flags & FILE_ENCRYPTED) && file->has_crc32) {
		block_key_of_candidate(file->crc32, file->size, &key);
		match_key(matching, &key);
	}
}

void
block_list_match(struct block_list *list, gint64 now_us, struct event *event)
{
	struct matching matching = {.list = list, .now_us = now_us, .event = event};

	if (block_list_count(list) == 0)
		return;
	for (guint i = 0; i < event->record->files->len; i++) {
		matching.file = g_ptr_array_index(event->record->files, i);
		match_file(&matching);
	}
}
