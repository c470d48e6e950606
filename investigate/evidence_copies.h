/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evidence_copies.h - copies of messages being brought by the actuators.
 *
 * Of the commands of a plan, as many of each message are given to the actuators
 * as copies of it are wanted; where one cannot be had, the next has its turn, so
 * that no mailbox is opened without need.  What an actuator says of its file
 * counts for nothing: the file is looked at.  One thread.
 */
#ifndef MAILTRACE_EVIDENCE_COPIES_H
#define MAILTRACE_EVIDENCE_COPIES_H

#include "command.h"
#include "openc2.h"
#include "plan.h"

#define EVIDENCE_COPIES_ALL G_MAXUINT

/* One that was asked for; NULL where it is not known or does not apply. */
struct evidence_copy {
	const struct openc2_command *command; /* of the plan, borrowed */
	enum openc2_outcome outcome;
	char *text;	     /* for people */
	gint64 answered_us;  /* when */
	char *folder, *guid; /* where it lay in its mailbox */
	char *file;	     /* name in the folder of evidence; NULL: it could not be had */
	guint64 size;
	char *sha256; /* of the file, lower-case hex */
};

struct evidence_copies {
	GPtrArray *tried; /* of struct evidence_copy, in the order of their answers */
	guint had;	  /* files */
	guint messages;	  /* that the question found */
	guint left;	  /* of them, with fewer copies than were wanted and there are */
};

/*
 * Brings up to limit copies of each message of a plan, whose commands for queues
 * and mailboxes become copy commands, into a private folder.  Free with
 * evidence_copies_free(), before the plan.
 */
struct evidence_copies *evidence_copies_bring(const struct command *command, struct plan *plan,
					      const char *folder, guint limit);

/* Frees it; the files stay.  NULL is allowed. */
void evidence_copies_free(struct evidence_copies *copies);

/*
 * Writes custody.json, described in mailtrace-openc2(7), into the folder of
 * evidence: who asked what, when and why, and what came of it.  began_us: UTC.
 */
gboolean evidence_custody_write(const struct evidence_copies *copies, const struct plan *plan,
				const char *folder, gint64 began_us, GError **error);
#endif
