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
}
