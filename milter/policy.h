/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.h - the one place where a verdict is chosen.
 *
 * Maps what happened to a message to what the MTA is told, under the site's
 * settings; nobody else spells a verdict.  Pure; any thread.
 */
#ifndef MAILTRACE_POLICY_H
#define MAILTRACE_POLICY_H

#include <glib.h>

#include "event.h"
#include "settings.h"

/* What happened to a message, as the session saw it. */
struct policy_facts {
	gboolean unread;	/* its files could not be read, after the retry */
	gboolean ambiguous;	/* readers see different files in it */
	gboolean unrecorded;	/* its event could not be put on disk */
	gboolean over_capacity; /* there is no room for its bytes, in memory or file */
	gboolean can_hold;	/* the MTA agreed to quarantine */
	gboolean blocked;	/* a file of it is on the block list… */
	enum block_mode block;	/* …and this is the gravest that it asks for */
};

/* What the MTA is told. */
struct policy_decision {
	enum verdict verdict;
	const char *reply; /* "451 4.7.1": code and enhanced code, or NULL; static */
	const char *text;  /* for the client and the log, static, or NULL */
	const char *rule;  /* "on_unread = hold": which setting decided; static, or NULL */
};

/*
 * Decides.  The gravest of the facts wins: over_capacity; then what is rejected,
 * blocked or ambiguous, since nothing is lost by it; then unrecorded; then the
 * other blocks; then an ambiguous message that is to be held; then unread.  What
 * may go on unrecorded is held all the same, and never discarded.  A block that
 * observes and an ambiguous message that is recorded or tagged decide nothing.
 * A hold that the MTA cannot do becomes a tempfail, never an accept.
 */
struct policy_decision policy_decide(const struct settings *settings,
				     const struct policy_facts *facts);
#endif
