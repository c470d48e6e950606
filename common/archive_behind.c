/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "archive_behind.h"

#include <string.h>

#include "self_extracting.h"

#define CAB_HEADER_BYTES 36 /* without what is optional (MS-CAB 2.1) */
#define CAB_CUT_BYTES 32    /* that may be missing at the end, to cabextract */

static guint
u16(const guint8 *at)
{
	return (guint)at[0] | (guint)at[1] << 8;
}

static guint32
u32(const guint8 *at)
{
	return (guint32)u16(at) | (guint32)u16(at + 2) << 16;
}

/* ---- whether an archive begins with ARCHIVE_BEHIND_HEAD bytes, and with left in all ---- */

static gboolean
heads_7z(const guint8 *at)
{
	return memcmp(at, "7z\xbc\xaf\x27\x1c", 6) == 0;
}

static gboolean
heads_rar(const guint8 *at)
{
	return self_extracting_begins_rar(at, ARCHIVE_BEHIND_HEAD);
}

static gboolean
begins_rar(const guint8 *at, gsize left, gsize *ret_length)
{
	*ret_length = left;
	return TRUE;
}

/*
 * cabextract reads one whatever its version and its reserved fields say, and goes by its size
 * and the place of its first file; it has folders, files, and of the flags three.
 */
static gboolean
heads_cab(const guint8 *at)
{
	return memcmp(at, "MSCF", 4) == 0 && u32(at + 16) >= CAB_HEADER_BYTES &&
	       u32(at + 16) < u32(at + 8) && u16(at + 26) && u16(at + 28) && u16(at + 30) <= 7;
}

static gboolean
begins_cab(const guint8 *at, gsize left, gsize *ret_length)
{
	*ret_length = MIN(u32(at + 8), left);
	return u32(at + 8) - *ret_length <= CAB_CUT_BYTES;
}

/* A method of five characters at the third byte, and a level that is looked for (header of LHA). */
static gboolean
heads_lzh(const guint8 *at)
{
	return at[2] == '-' && at[3] == 'l' && (at[4] == 'h' || at[4] == 'z') &&
	       g_ascii_isalnum(at[5]) && at[6] == '-' && at[20] <= 2 &&
	       (at[20] == 2 ? u16(at) >= 26 : at[0] >= 22);
}

/* The sum of the header's bytes is its second one, but of level 2. */
static gboolean
begins_lzh(const guint8 *at, gsize left, gsize *ret_length)
{
	guint8 sum = 0;

	*ret_length = left;
	if (at[20] == 2)
		return (guint64)u16(at) + u32(at + 7) <= left;
	if (left < 2 + (gsize)at[0])
		return FALSE;
	for (gsize i = 0; i < at[0]; i++)
		sum = (guint8)(sum + at[2 + i]);
	return sum == at[1];
}

/* ---- signatures ---- */

/*
 * Of three bytes of each signature there are two at every second place of the content, whichever
 * it begins at.
 */
static const struct signature {
	const char *type;
	gsize place; /* of the three, from the beginning */
	gboolean (*heads)(const guint8 *at);
	gboolean (*begins)(const guint8 *at, gsize left, gsize *ret_length);
} signatures[] = {
	{"application/x-7z-compressed", 2, heads_7z, self_extracting_begins_7z},
	{"application/vnd.rar", 3, heads_rar, begins_rar},
	{"application/vnd.ms-cab-compressed", 1, heads_cab, begins_cab},
	{"application/x-lzh-compressed", 2, heads_lzh, begins_lzh},
};

#define BLOCK_BYTES 128
typedef guint16 eight_pairs __attribute__((vector_size(16)));

#define PAIR(first, second) ((first) | (second) << 8)
#define LE_PAIR(first, second) GUINT16_FROM_LE((guint16)PAIR(first, second))

/* Twice the number of a signature, and 1 for the first and second of the three, 2 for the rest. */
static guint
pair_at(const guint8 *at)
{
	switch (u16(at)) {
	case PAIR(0xbc, 0xaf):
		return 1;
	case PAIR(0xaf, 0x27):
		return 2;
	case PAIR('!', 0x1a):
		return 3;
	case PAIR(0x1a, 0x07):
		return 4;
	case PAIR('S', 'C'):
		return 5;
	case PAIR('C', 'F'):
		return 6;
	case PAIR('-', 'l'):
		return 7;
	case PAIR('l', 'h'):
	case PAIR('l', 'z'):
		return 8;
	default:
		return 0;
	}
}

/* Whether one of these stands at every second place of so many bytes: eight at a time. */
static gboolean
has_pair(const guint8 *at)
{
	eight_pairs some, any = {0};
	guint64 halves[2];

	for (guint i = 0; i < BLOCK_BYTES; i += sizeof(some)) {
		memcpy(&some, at + i, sizeof(some));
		any |= (eight_pairs)(some == LE_PAIR(0xbc, 0xaf)) |
		       (eight_pairs)(some == LE_PAIR(0xaf, 0x27)) |
		       (eight_pairs)(some == LE_PAIR('!', 0x1a)) |
		       (eight_pairs)(some == LE_PAIR(0x1a, 0x07)) |
		       (eight_pairs)(some == LE_PAIR('S', 'C')) |
		       (eight_pairs)(some == LE_PAIR('C', 'F')) |
		       (eight_pairs)(some == LE_PAIR('-', 'l')) |
		       (eight_pairs)(some == LE_PAIR('l', 'h')) |
		       (eight_pairs)(some == LE_PAIR('l', 'z'));
	}
	memcpy(halves, &any, sizeof(halves));
	return (halves[0] | halves[1]) != 0;
}

/* Goes past blocks that have none; at least one pair is left. */
static gsize
pass_blocks(const guint8 *bytes, gsize length, gsize i)
{
	while (length - i >= BLOCK_BYTES + 2 && !has_pair(bytes + i))
		i += BLOCK_BYTES;
	return i;
}

/*
 * Looks for the first bytes of an archive; *at: where to begin, and where they are.  Returns
 * NULL for none.
 */
static const struct signature *
find_head(const guint8 *bytes, gsize length, gsize *at)
{
	gsize block_end = *at + 1;

	for (gsize i = *at + 1; i + 1 < length; i += 2) {
		const struct signature *signature;
		gsize before;
		guint pair;

		if (i >= block_end) {
			i = pass_blocks(bytes, length, i);
			block_end = i + BLOCK_BYTES;
		}
		pair = pair_at(bytes + i);
		if (!pair)
			continue;
		signature = &signatures[(pair - 1) / 2];
		before = signature->place + (pair - 1) % 2;
		if (i < *at + before || length - (i - before) < ARCHIVE_BEHIND_HEAD ||
		    !signature->heads(bytes + i - before))
			continue;
		*at = i - before;
		return signature;
	}
	return NULL;
}

gboolean
archive_behind_next(const void *bytes, gsize length, gsize from, struct archive_behind *ret_found)
{
	const struct signature *signature;

	for (; (signature = find_head(bytes, length, &from)) != NULL; from++) {
		gsize own;

		if (!signature->begins((const guint8 *)bytes + from, length - from, &own))
			continue;
		*ret_found = (struct archive_behind){signature->type, from, from + own};
		return TRUE;
	}
	return FALSE;
}

void
archive_mark_add(struct archive_mark *mark, const void *bytes, gsize length)
{
	gsize some = MIN(length, sizeof(mark->last)), seamed = mark->held + some, at = 0;
	guint8 seam[2 * sizeof(mark->last)];

	if (mark->found)
		return;
	/* One may begin in the piece before. */
	memcpy(seam, mark->last, mark->held);
	memcpy(seam + mark->held, bytes, some);
	mark->found = find_head(seam, seamed, &at) != NULL;
	at = 0;
	mark->found = mark->found || find_head(bytes, length, &at);
	mark->held = MIN(seamed, sizeof(mark->last));
	if (length >= sizeof(mark->last))
		memcpy(mark->last, (const guint8 *)bytes + length - mark->held, mark->held);
	else
		memcpy(mark->last, seam + seamed - mark->held, mark->held);
}
