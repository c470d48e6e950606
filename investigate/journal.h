/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * journal.h - the form of the journal's entries, and the chain they make.
 *
 * An entry is an OCSF 1.8 event on one line: api_activity (6003) for questions
 * and changes, remediation_activity (7001) for what has a command_uid.  Its
 * metadata.sequence is its number, from 1 and without holes;
 * unmapped.attestation_list names the chain, and the entry before with the
 * SHA-256 of its line.  So the lines alone, in a store or exported, prove that
 * none was changed, removed or put elsewhere; that the last are there and the
 * whole was not written anew takes a head kept elsewhere.  The form is told in
 * mailtrace-event(7).
 *
 * Pure: knows no store.  One thread.
 */
#ifndef MAILTRACE_JOURNAL_H
#define MAILTRACE_JOURNAL_H

#include <glib.h>

#include "anchor.h"
#include "event.h"
#include "json.h"
#include "store.h"

#define JOURNAL_HASH_BYTES 32
/* What is longer is cut; with all of it an entry stays below CAP_JOURNAL_ENTRY_BYTES. */
#define JOURNAL_NAME_BYTES 256	  /* tenants, verbs, cases, actors */
#define JOURNAL_REASON_BYTES 1024 /* reasons and details */
#define OCSF_CLASS_API_ACTIVITY 6003
#define OCSF_CLASS_REMEDIATION_ACTIVITY 7001

/* Where a chain stands: what its next entry follows. */
struct journal_head {
	char chain[EVENT_ID_LENGTH + 1]; /* a UUID, made with the store */
	gint64 seq;			 /* of the last entry; 0: none yet */
	guint8 hash[JOURNAL_HASH_BYTES]; /* of its line; zero when there is none */
	char uid[EVENT_ID_LENGTH + 1];	 /* its metadata.uid; "" when there is none */
	gint64 type_uid;		 /* likewise, 0 */
};

/*
 * Writes the entry that follows on *head, and moves *head to it.  An entry whose
 * arguments are over CAP_JOURNAL_ARGUMENTS_BYTES keeps those that fit, the number
 * of the others and the SHA-256 of them all.  Returns its line, without a line
 * break; NULL with STORE_ERROR_EVENT, *head untouched, when it would be over
 * CAP_JOURNAL_ENTRY_BYTES or has no valid tenant, verb or actor.
 */
GBytes *journal_write(struct journal_head *head, const struct store_audit *audit, GError **error);

/* An entry as it is read; text is borrowed from root, and NULL where there is none. */
struct journal_entry {
	json_t *root;
	gint64 seq, time_us, type_uid;
	const char *uid, *chain, *tenant, *verb, *case_id, *reason, *command_uid, *detail;
	const char *status; /* static: "success", "failure"… */
	char *actor;	    /* "uid=1000(name)"; owned */
	char *arguments;    /* JSON array; owned */
	gint64 results;	    /* -1: it does not apply */
	const char *prev;   /* SHA-256 of the entry before in hexadecimal; NULL in the first */
};

/*
 * Reads a line of length bytes, hostile.  Returns FALSE, ret_entry untouched, if
 * it is no entry.  Clear with journal_entry_clear().
 */
gboolean journal_read(const char *line, gsize length, struct journal_entry *ret_entry);

/* Frees what an entry owns. */
void journal_entry_clear(struct journal_entry *entry);

/* An entry as it is kept; all borrowed. */
struct journal_line {
	gint64 seq, time_us; /* the place at which it is kept, and what it is filed under */
	const char *tenant;
	const guint8 *hash; /* JOURNAL_HASH_BYTES, as noted when it was written */
	const char *text;
	gsize length;
};

/* Something that is not as it was written. */
struct journal_flaw {
	/*
	 * "changed", "removed", "reordered", "truncated" or "rewritten"; of anchors,
	 * "forged" and "unsigned"
	 */
	const char *kind;
	gint64 seq;	    /* where */
	const char *detail; /* for people */
};

/* Called for each flaw; borrowed. */
typedef void (*journal_flaw_fn)(const struct journal_flaw *flaw, void *data);

/* A walk along a chain. */
struct journal_walk {
	journal_flaw_fn flaw;
	void *data;
	struct journal_head head; /* of what was walked; chain: as the first entry says */
	guint64 entries, flaws;
	gboolean unsure; /* the last is no measure for the next */
	/* Where the journal stood, as it was kept elsewhere; of struct anchor, by number. */
	GArray *anchors;
	guint next_anchor;
	guint64 denied; /* anchors with another hash than their entry */
	struct anchor first_denied;
};

/* Begins a walk; flaw may be NULL. */
void journal_walk_init(struct journal_walk *walk, journal_flaw_fn flaw, void *data);

/*
 * Gives anchors to hold the journal against, before the first step: an array of
 * struct anchor, whose signatures were looked at, and which this takes over.
 */
void journal_walk_set_anchors(struct journal_walk *walk, GArray *anchors);

/* Looks at the next entry, in the order in which they are kept. */
void journal_walk_step(struct journal_walk *walk, const struct journal_line *line);

/*
 * Ends a walk over all of a journal.  head: where it should stand by what the store
 * says.
 */
void journal_walk_end(struct journal_walk *walk, const struct journal_head *head);

/* Frees what a walk owns. */
void journal_walk_clear(struct journal_walk *walk);

/* Tells a flaw that was found by other means. */
void journal_walk_flaw(struct journal_walk *walk, const char *kind, gint64 seq, const char *format,
		       ...) G_GNUC_PRINTF(4, 5);
#endif
