/* SPDX-License-Identifier: BSD-2-Clause */
#include "unpack_private.h"

#include <string.h>

#include "caps.h"
#include "magic.h"
#include "scan.h"
#include "text.h"

/* Where the files of a content go that the engine opens. */
struct scanning {
	struct unpacker *unpacker;
	const struct container *container;
	GArray *levels;	    /* of struct container: the last of each level */
	GHashTable *shown;  /* struct file by digest: the engine shows some twice */
	guint first, end;   /* the members that were read before */
	GPtrArray *matches; /* of the file that is scanned: where names of signatures go */
};

static char *
digest_text(const void *bytes, gsize length)
{
	guint8 sha256[SHA256_BYTES];

	digest_sha256(bytes, length, sha256);
	return hex_encode(sha256, sizeof(sha256));
}

/* The file that a layer is in: the last of the levels above that was one. */
static const struct container *
parent_of(struct scanning *scanning, guint level)
{
	g_array_set_size(scanning->levels, MIN(scanning->levels->len, level));
	for (guint i = scanning->levels->len; i-- > 0;)
		if (g_array_index(scanning->levels, struct container, i).file)
			return &g_array_index(scanning->levels, struct container, i);
	return scanning->container;
}

/* Notes what a level has now; levels that were passed over have nothing. */
static void
enter_level(struct scanning *scanning, guint level, const struct container *container)
{
	static const struct container nothing;

	while (scanning->levels->len < level)
		g_array_append_val(scanning->levels, nothing);
	g_array_append_val(scanning->levels, *container);
}

static void
fill_layer(struct unpacker *unpacker, const struct scan_layer *layer, struct file *file)
{
	fingerprint_begin(unpacker->fingerprint, FALSE);
	fingerprint_add(unpacker->fingerprint, layer->bytes, layer->length);
	fingerprint_finish(unpacker->fingerprint, NULL, 0, file);
	file->detected_type = g_strdup(magic_type(layer->bytes, layer->length));
}

/* The place of the member of this name that could not be read before; or -1. */
static int
find_unread(const struct scanning *scanning, const char *name)
{
	const GPtrArray *members = scanning->unpacker->members;

	for (guint i = scanning->first; i < scanning->end; i++) {
		const struct file *file = g_ptr_array_index(members, i);

		if ((file->flags & FILE_INCOMPLETE) && !digests_are_known(&file->digests) &&
		    g_strcmp0(file_best_name(file), unpack_base_name(name, NULL)) == 0)
			return (int)i;
	}
	return -1;
}

/* The place of the file for a layer: one that is told complete now, or a new one; or -1. */
static int
place_of_layer(struct scanning *scanning, const struct container *parent, const char *name,
	       GBytes *raw)
{
	struct unpacker *unpacker = scanning->unpacker;
	int index = find_unread(scanning, name);
	struct file *file;

	if (index < 0)
		return unpack_add_member(unpacker, parent, name, NULL, raw)
			       ? (int)unpacker->members->len - 1
			       : -1;
	file = g_ptr_array_index(unpacker->members, (guint)index);
	file->flags &= ~(guint32)FILE_INCOMPLETE;
	g_clear_pointer(&file->detected_type, g_free);
	return index;
}

static gboolean
take_layer(const struct scan_layer *layer, void *data)
{
	struct scanning *scanning = data;
	struct unpacker *unpacker = scanning->unpacker;
	const struct container *parent = parent_of(scanning, layer->level);
	g_autofree char *digest = NULL;
	g_autoptr(GBytes) raw = NULL;
	g_autofree char *name = NULL;
	struct container inner;
	int index;

	if (!unpack_within_bytes(unpacker, layer->length))
		return FALSE;
	digest = digest_text(layer->bytes, layer->length);
	if (!g_hash_table_add(scanning->shown, g_steal_pointer(&digest)))
		return TRUE;
	name = layer->name ? unpack_member_name(unpacker, layer->name, &raw) : g_strdup("data");
	index = place_of_layer(scanning, parent, name, raw);
	if (index < 0)
		return FALSE;
	inner = (struct container){
		.file = g_ptr_array_index(unpacker->members, (guint)index),
		.parent = index,
		.depth = parent->depth + 1,
	};
	fill_layer(unpacker, layer, inner.file);
	enter_level(scanning, layer->level, &inner);
	return TRUE;
}

static void
take_match(const char *signature, void *data)
{
	struct scanning *scanning = data;
	struct record *record = scanning->unpacker->record;
	GPtrArray *names = scanning->matches;
	gboolean cut;
	g_autofree char *text =
		text_from_bytes(signature, strlen(signature), CAP_SIGNATURE_BYTES, &cut);

	if (cut)
		record_note_cap(record, CAP_SIGNATURE_BYTES_NAME);
	if (g_ptr_array_find_with_equal_func(names, text, g_str_equal, NULL))
		return;
	if (names->len < CAP_SIGNATURES)
		g_ptr_array_add(names, g_steal_pointer(&text));
	else
		record_note_cap(record, CAP_SIGNATURES_NAME);
}

/* A body is the mail's own text, in which the engine has no file to find. */
gboolean
unpack_is_to_scan(const struct unpacker *unpacker, const struct file *file)
{
	if (unpacker->part_spent)
		return FALSE;
	if (file_is_member(file))
		return scan_opens(file->detected_type);
	return !(file->flags & FILE_BODY) && scan_opens_attachment(file->detected_type);
}

/* Members that were read already, from number first on, are not shown again. */
static void
note_members(struct scanning *scanning, guint first)
{
	const GPtrArray *members = scanning->unpacker->members;

	for (guint i = first; i < members->len; i++) {
		const struct file *file = g_ptr_array_index(members, i);

		g_hash_table_add(scanning->shown, hex_encode(file->digests.sha256, SHA256_BYTES));
	}
}

static struct scan_limits
limits_of(const struct unpacker *unpacker)
{
	const struct unpack_limits left = unpack_limits_left(unpacker);

	return (struct scan_limits){
		.bytes = MIN(left.bytes, WORKER_TEMP_BYTES),
		.files = unpacker->limits.members,
		.levels = CAP_SCAN_LEVELS,
		.ms = MAX(left.cpu_ms, 1), /* none is no limit, to the engine */
	};
}

/*
 * Has the engine open a content, and match it where there are signatures.  first: of
 * the members that are in it already.
 */
void
unpack_scan(struct unpacker *unpacker, const struct container *container, const void *bytes,
	    gsize length, guint first)
{
	struct scanning scanning = {
		.unpacker = unpacker,
		.container = container,
		.matches = container->file->malware,
	};
	const struct scan_limits limits = limits_of(unpacker);

	if (!unpack_within_cpu(unpacker)) {
		container->file->flags |= FILE_INCOMPLETE;
		return;
	}
	scanning.levels = g_array_new(FALSE, FALSE, sizeof(struct container));
	scanning.shown = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	scanning.first = first;
	scanning.end = unpacker->members->len;
	g_hash_table_add(scanning.shown, digest_text(bytes, length));
	note_members(&scanning, first);
	if (!scan_content(bytes, length, &limits, take_layer, take_match, &scanning)) {
		record_note_cap(unpacker->record, CAP_SCAN_NAME);
		container->file->flags |= FILE_INCOMPLETE;
	}
	g_array_unref(scanning.levels);
	g_hash_table_unref(scanning.shown);
}

static gboolean
pass_layer(const struct scan_layer *layer, void *data)
{
	return TRUE;
}

/* Matches a content with the signatures, where others look into it; what they find is theirs. */
void
unpack_match(struct unpacker *unpacker, struct file *file, const void *bytes, gsize length)
{
	struct scanning scanning = {.unpacker = unpacker, .matches = file->malware};
	const struct scan_limits limits = limits_of(unpacker);

	if (unpacker->part_spent || !unpack_within_cpu(unpacker))
		return;
	if (file->size > length ||
	    !scan_content(bytes, length, &limits, pass_layer, take_match, &scanning))
		record_note_cap(unpacker->record, CAP_SCAN_NAME);
}
