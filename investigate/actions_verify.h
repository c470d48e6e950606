/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * actions_verify.h - `mailtrace actions --verify`: whether the journal is as it
 * was written, by itself and by what was kept of it elsewhere.  One thread.
 */
#ifndef MAILTRACE_ACTIONS_VERIFY_H
#define MAILTRACE_ACTIONS_VERIFY_H

#include "journal_source.h"

/* What it is held against; texts are borrowed. */
struct actions_evidence {
	char **anchors;	 /* files with anchors, of any form; NULL-terminated, or NULL */
	const char *key; /* file of the public key; NULL: that beside [collector] journal_key */
};

/* Walks over all of it, prints the flaws and what was looked at.  Returns an exit status. */
int actions_verify(struct command *command, struct journal_source *source,
		   const struct actions_evidence *evidence);
#endif
