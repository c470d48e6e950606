/* SPDX-License-Identifier: BSD-2-Clause */
#include "actions_verify.h"

#include <string.h>

#include "caps.h"
#include "digest.h"
#include "progress.h"

#define PROGRESS_ENTRIES 1024

static const struct out_column flaw_columns[] = {
	{"kind", "FLAW", OUT_TEXT, 0},
	{"entry", "ENTRY", OUT_INT, 0},
	{"detail", "DETAIL", OUT_TEXT, 0},
	{NULL},
};

static const struct out_column summary_columns[] = {
	{"entries", "", OUT_INT, 0},	{"flaws", "", OUT_INT, 0},
	{"chain", "", OUT_TEXT, 0},	{"last", "", OUT_INT, 0},
	{"hash", "", OUT_TEXT, 0},	{"anchors", "", OUT_INT, 0},
	{"signatures", "", OUT_INT, 0}, {NULL},
};

/* A verification under way. */
struct verification {
	struct command *command;
	struct out *out;
	struct progress progress;
	struct signing_key *key; /* public; NULL: nobody knows it */
	GArray *anchors;	 /* of struct anchor; the walk's, once it has begun */
	guint64 count;		 /* of anchors that count */
	guint64 signatures;	 /* that were looked at and are right */
	struct journal_head head;
	struct journal_walk walk;
};

static void
write_flaw(const struct journal_flaw *flaw, void *data)
{
	const struct verification *verification = data;

	out_row(verification->out,
		(const struct out_value[]){{flaw->kind, 0}, {NULL, flaw->seq}, {flaw->detail, 0}});
}

/* ---- the key ---- */

/* The public key lies beside the secret one, which only the collector reads. */
static char *
default_key(const struct command *command)
{
	const char *secret = command->settings->journal_key;
	g_autofree char *stem = NULL, *path = NULL;

	if (!g_str_has_suffix(secret, ".key"))
		return NULL;
	stem = g_strndup(secret, strlen(secret) - strlen(".key"));
	path = g_strconcat(stem, ".pub", NULL);
	return g_file_test(path, G_FILE_TEST_EXISTS) ? g_steal_pointer(&path) : NULL;
}

static gboolean
read_key(struct verification *verification, const char *given, GError **error)
{
	g_autofree char *path = given ? g_strdup(given) : default_key(verification->command);

	if (!path)
		return TRUE;
	verification->key = signing_key_read_public(path, error);
	return verification->key != NULL;
}

/* ---- anchors ---- */

/* One that somebody else wrote is no measure; it is told. */
static void
add_anchor(struct verification *verification, const struct anchor *anchor, const char *where)
{
	if (anchor->is_signed && verification->key && !anchor_verify(anchor, verification->key)) {
		journal_walk_flaw(&verification->walk, "forged", anchor->seq,
				  "an anchor in %s is not signed by the key that was given", where);
		return;
	}
	verification->signatures += anchor->is_signed && verification->key ? 1 : 0;
	verification->count++;
	g_array_append_val(verification->anchors, *anchor);
}

static gboolean
read_anchors(struct verification *verification, const char *path, GError **error)
{
	g_autofree char *shown = g_filename_display_name(path);
	g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, error);
	guint64 before = verification->count + verification->walk.flaws;
	const char *at, *end;
	struct anchor anchor;

	if (!file)
		return FALSE;
	at = g_mapped_file_get_length(file) ? g_mapped_file_get_contents(file) : NULL;
	end = at + g_mapped_file_get_length(file);
	while (at && (at = anchor_find(at, (gsize)(end - at), &anchor)) != NULL) {
		if (verification->anchors->len >= CAP_JOURNAL_ANCHORS) {
			g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC,
				    "more than %d anchors up to %s: verify against fewer of them "
				    "at a time",
				    CAP_JOURNAL_ANCHORS, shown);
			return FALSE;
		}
		add_anchor(verification, &anchor, shown);
	}
	if (verification->count + verification->walk.flaws > before)
		return TRUE;
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
		    "%s has no anchor: give a sensor's journal-anchors or a log of the collector",
		    shown);
	return FALSE;
}

/* The store's own: with a signature, it cannot have been made by who does not have the key. */
static void
add_own_anchor(struct verification *verification, const char *word)
{
	struct anchor anchor;
	gboolean good = word && anchor_parse(word, strlen(word), &anchor);

	if (good)
		add_anchor(verification, &anchor, "the store");
	if (verification->key && (!good || !anchor.is_signed))
		journal_walk_flaw(&verification->walk, "unsigned", verification->head.seq,
				  "the store has no signed anchor, though there is a key");
}

static gboolean
gather(struct verification *verification, struct journal_source *source,
       const struct actions_evidence *evidence, GError **error)
{
	g_autofree char *word = NULL;

	if (!read_key(verification, evidence->key, error) ||
	    !journal_source_head(source, &verification->head, &word, error))
		return FALSE;
	add_own_anchor(verification, word);
	for (char **path = evidence->anchors; path && *path; path++)
		if (!read_anchors(verification, *path, error))
			return FALSE;
	return TRUE;
}

/* ---- the walk ---- */

static gboolean
verify_line(const struct journal_line *line, void *data)
{
	struct verification *verification = data;
	gint64 last = MAX(verification->head.seq, 1);

	if (line->seq % PROGRESS_ENTRIES == 0)
		progress_draw(&verification->progress, (double)line->seq / (double)last,
			      "of the journal");
	journal_walk_step(&verification->walk, line);
	return TRUE;
}

/*
 * Walks to the end of a journal that may grow meanwhile: what the store says of its
 * end is read after the entries, and those that it has more are walked, too.
 */
static gboolean
walk_all(struct verification *verification, struct journal_source *source, GError **error)
{
	struct journal_span rest = {.after = 0};
	gint64 walked;

	do {
		g_autofree char *word = NULL;

		walked = verification->walk.head.seq;
		rest.after = walked;
		if (!journal_source_each(source, &rest, verify_line, verification, error) ||
		    !journal_source_head(source, &verification->head, &word, error))
			return FALSE;
	} while (verification->walk.head.seq > walked &&
		 verification->head.seq > verification->walk.head.seq);
	return TRUE;
}

static gboolean
walk(struct verification *verification, struct journal_source *source,
     const struct actions_evidence *evidence, GError **error)
{
	if (!gather(verification, source, evidence, error))
		return FALSE;
	journal_walk_set_anchors(&verification->walk, g_steal_pointer(&verification->anchors));
	if (!walk_all(verification, source, error))
		return FALSE;
	journal_walk_end(&verification->walk, &verification->head);
	return TRUE;
}

static void
write_summary(const struct verification *verification)
{
	const struct journal_walk *walked = &verification->walk;
	g_autofree char *hash = hex_encode(walked->head.hash, JOURNAL_HASH_BYTES);
	struct out *out = verification->out;

	out_begin(out, "journal", summary_columns);
	out_row(out, (const struct out_value[]){{NULL, (gint64)walked->entries},
						{NULL, (gint64)walked->flaws},
						{walked->head.chain, 0},
						{NULL, walked->head.seq},
						{hash, 0},
						{NULL, (gint64)verification->count},
						{NULL, (gint64)verification->signatures}});
	out_end(out);
	out_note(out,
		 "%" G_GUINT64_FORMAT " entries, %" G_GUINT64_FORMAT
		 " flaws; the last is %" G_GINT64_FORMAT ", SHA-256 %s",
		 walked->entries, walked->flaws, walked->head.seq, hash);
	out_note(out,
		 "Held against %" G_GUINT64_FORMAT " anchors, %" G_GUINT64_FORMAT
		 " of them with a right signature%s.",
		 verification->count, verification->signatures,
		 verification->key ? "" : " (no key: none was looked at)");
}

int
actions_verify(struct command *command, struct journal_source *source,
	       const struct actions_evidence *evidence)
{
	struct verification verification = {
		.command = command,
		.out = command_out(command),
		.anchors = g_array_new(FALSE, FALSE, sizeof(struct anchor)),
	};
	g_autoptr(GError) error = NULL;
	int status = EXIT_TROUBLE;

	out_begin(verification.out, "flaw", flaw_columns);
	journal_walk_init(&verification.walk, write_flaw, &verification);
	progress_init(&verification.progress, command->quiet);
	if (walk(&verification, source, evidence, &error))
		status = verification.walk.flaws ? EXIT_PARTLY : EXIT_FOUND;
	out_end(verification.out);
	progress_end(&verification.progress);
	if (error)
		command_fail(command, "%s", error->message);
	else
		write_summary(&verification);
	journal_walk_clear(&verification.walk);
	g_clear_pointer(&verification.anchors, g_array_unref);
	signing_key_free(verification.key);
	return command_end(command, verification.out, status);
}
