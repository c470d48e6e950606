/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a chain is as it was written. */
#include <string.h>

#include "digest.h"
#include "journal.h"

void
journal_walk_init(struct journal_walk *walk, journal_flaw_fn flaw, void *data)
{
	*walk = (struct journal_walk){.flaw = flaw, .data = data};
}

void
journal_walk_flaw(struct journal_walk *walk, const char *kind, gint64 seq, const char *format, ...)
{
	g_autofree char *detail = NULL;
	struct journal_flaw flaw = {kind, seq, NULL};
	va_list list;

	va_start(list, format);
	detail = g_strdup_vprintf(format, list);
	va_end(list);
	flaw.detail = detail;
	walk->flaws++;
	if (walk->flaw)
		walk->flaw(&flaw, walk->data);
}

/* Whether the entry names the one that was walked before as the one it follows. */
static gboolean
follows(const struct journal_walk *walk, const struct journal_entry *entry)
{
	guint8 hash[JOURNAL_HASH_BYTES];

	if (!walk->head.seq)
		return entry->prev == NULL;
	return entry->prev && hex_decode(entry->prev, hash, sizeof(hash)) &&
	       memcmp(hash, walk->head.hash, sizeof(hash)) == 0;
}

/* What links an entry to those before it. */
static void
check_link(struct journal_walk *walk, const struct journal_line *line,
	   const struct journal_entry *entry)
{
	gint64 expected = walk->head.seq + 1;

	if (line->seq > expected)
		journal_walk_flaw(walk, "removed", expected,
				  "%" G_GINT64_FORMAT
				  " entries are missing before entry %" G_GINT64_FORMAT " of %s",
				  line->seq - expected, line->seq, entry->uid);
	else if (!walk->unsure && !follows(walk, entry))
		journal_walk_flaw(walk, "changed", line->seq,
				  "it does not follow on the entry before: one of them was "
				  "written anew");
	if (!*walk->head.chain)
		g_strlcpy(walk->head.chain, entry->chain, sizeof(walk->head.chain));
	else if (strcmp(walk->head.chain, entry->chain) != 0)
		journal_walk_flaw(walk, "changed", line->seq, "it is of another chain, %s",
				  entry->chain);
}

/* What the entry is by itself.  Returns whether what follows can be held against it. */
static gboolean
check_line(struct journal_walk *walk, const struct journal_line *line,
	   const struct journal_entry *entry)
{
	guint8 hash[JOURNAL_HASH_BYTES];

	digest_sha256(line->text, line->length, hash);
	if (entry->seq != line->seq) {
		journal_walk_flaw(walk, "reordered", line->seq,
				  "entry %" G_GINT64_FORMAT " stands in its place", entry->seq);
		return FALSE;
	}
	if (memcmp(hash, line->hash, sizeof(hash)) != 0)
		journal_walk_flaw(walk, "changed", line->seq, "it is not what its hash says");
	else if (entry->time_us != line->time_us || g_strcmp0(entry->tenant, line->tenant) != 0)
		journal_walk_flaw(walk, "changed", line->seq,
				  "it is filed under another time or tenant than its own");
	return TRUE;
}

/* ---- anchors ---- */

static const struct anchor *
anchor_at(const struct journal_walk *walk, guint i)
{
	return &g_array_index(walk->anchors, struct anchor, i);
}

static char *
time_text(gint64 time_us)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(time_us / G_USEC_PER_SEC);

	return time ? g_date_time_format(time, "%FT%TZ") : g_strdup("an unknown time");
}

static int
by_number(const void *a, const void *b)
{
	const struct anchor *left = a, *right = b;

	return left->seq < right->seq ? -1 : left->seq > right->seq;
}

void
journal_walk_set_anchors(struct journal_walk *walk, GArray *anchors)
{
	g_array_sort(anchors, by_number);
	walk->anchors = anchors;
}

/* Holds an entry against the anchors with its number; the hash noted stands for it. */
static void
check_anchors(struct journal_walk *walk, const struct journal_line *line)
{
	for (; walk->anchors && walk->next_anchor < walk->anchors->len; walk->next_anchor++) {
		const struct anchor *anchor = anchor_at(walk, walk->next_anchor);

		if (anchor->seq > line->seq)
			return;
		if (anchor->seq < line->seq || strcmp(anchor->chain, walk->head.chain) != 0 ||
		    memcmp(anchor->hash, line->hash, sizeof(anchor->hash)) == 0)
			continue;
		if (!walk->denied++)
			walk->first_denied = *anchor;
	}
}

void
journal_walk_step(struct journal_walk *walk, const struct journal_line *line)
{
	struct journal_entry entry;

	walk->entries++;
	if (!journal_read(line->text, line->length, &entry)) {
		journal_walk_flaw(walk, "changed", line->seq, "it is no entry of a journal");
		walk->unsure = TRUE;
	} else {
		gboolean sure = check_line(walk, line, &entry);

		if (sure)
			check_link(walk, line, &entry);
		walk->unsure = !sure;
		g_strlcpy(walk->head.uid, entry.uid, sizeof(walk->head.uid));
		walk->head.type_uid = entry.type_uid;
		journal_entry_clear(&entry);
	}
	walk->head.seq = line->seq;
	memcpy(walk->head.hash, line->hash, sizeof(walk->head.hash));
	check_anchors(walk, line);
}

/* ---- the end ---- */

/* Anchors of entries behind the last: the newest tells how many there were. */
static void
check_beyond(struct journal_walk *walk)
{
	const struct anchor *newest = NULL;
	g_autofree char *time = NULL;

	for (guint i = walk->anchors ? walk->anchors->len : 0; i-- > 0 && !newest;)
		if (strcmp(anchor_at(walk, i)->chain, walk->head.chain) == 0)
			newest = anchor_at(walk, i);
	if (!newest || newest->seq <= walk->head.seq)
		return;
	time = time_text(newest->time_us);
	journal_walk_flaw(walk, "truncated", walk->head.seq + 1,
			  "%" G_GINT64_FORMAT
			  " entries are missing at the end: at %s there were %" G_GINT64_FORMAT,
			  newest->seq - walk->head.seq, time, newest->seq);
}

static void
check_denied(struct journal_walk *walk)
{
	g_autofree char *time = time_text(walk->first_denied.time_us);

	if (walk->denied)
		journal_walk_flaw(
			walk, "rewritten", walk->first_denied.seq,
			"at %s this entry, or one before it, was another; so say %" G_GUINT64_FORMAT
			" anchors",
			time, walk->denied);
}

/* A journal that was written anew from its first entry may have another chain, too. */
static void
check_chains(struct journal_walk *walk)
{
	const struct anchor *first = NULL;
	g_autofree char *time = NULL;
	guint strange = 0;

	for (guint i = 0; walk->anchors && i < walk->anchors->len; i++) {
		if (strcmp(anchor_at(walk, i)->chain, walk->head.chain) == 0)
			continue;
		first = first ? first : anchor_at(walk, i);
		strange++;
	}
	if (!first)
		return;
	time = time_text(first->time_us);
	journal_walk_flaw(walk, "rewritten", 1,
			  "%u anchors are of another chain, %s, which had %" G_GINT64_FORMAT
			  " entries at %s",
			  strange, first->chain, first->seq, time);
}

static void
check_head(struct journal_walk *walk, const struct journal_head *head)
{
	if (walk->head.seq < head->seq)
		journal_walk_flaw(walk, "truncated", walk->head.seq + 1,
				  "the last %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
				  " entries are missing",
				  head->seq - walk->head.seq, head->seq);
	else if (walk->head.seq > head->seq ||
		 memcmp(walk->head.hash, head->hash, JOURNAL_HASH_BYTES) != 0 ||
		 (walk->entries && strcmp(walk->head.chain, head->chain) != 0))
		journal_walk_flaw(walk, "changed", walk->head.seq,
				  "the store says that its chain ends with another entry");
}

void
journal_walk_end(struct journal_walk *walk, const struct journal_head *head)
{
	/* An empty one has no entry that would name the chain. */
	if (!*walk->head.chain)
		g_strlcpy(walk->head.chain, head->chain, sizeof(walk->head.chain));
	check_head(walk, head);
	check_denied(walk);
	check_beyond(walk);
	check_chains(walk);
}

void
journal_walk_clear(struct journal_walk *walk)
{
	g_clear_pointer(&walk->anchors, g_array_unref);
}
