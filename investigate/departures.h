/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * departures.h - copies that left a mailbox before they could be taken out of it:
 * downloaded by POP3, or sent on by the user.
 *
 * They are out of reach whatever becomes of the one in the mailbox, so that a message
 * of which one is known is never called contained.  Logs are read later than they are
 * written: what a plan knew of is read anew whenever its outcome is told.
 *
 * Reads the store, changes nothing.  One thread.
 */
#ifndef MAILTRACE_DEPARTURES_H
#define MAILTRACE_DEPARTURES_H

#include "openc2.h"
#include "plan.h"
#include "store.h"

/* Returns what a departure is to a plan.  act: one that departs. */
enum plan_beyond_kind departure_kind(const struct store_act *act);

/* Returns the same in words for people, static. */
const char *departure_why(const struct store_act *act);

/* Those of a plan's copies; opaque. */
struct departures;

/*
 * Reads what is known by now of the copies in mailboxes that a plan's commands are to
 * take away.  NULL with a STORE_ERROR.  Free with departures_free().
 */
struct departures *departures_read(struct store *store, const struct plan *plan, GError **error);

/*
 * Returns the departures of the copy that a command is about, of struct plan_beyond,
 * borrowed; NULL if none is known.
 */
const GPtrArray *departures_of(const struct departures *departures, const char *command_id);

/* Returns all of them, of struct plan_beyond, in the order of the plan's recipients; borrowed. */
const GPtrArray *departures_all(const struct departures *departures);

/*
 * Returns what became of a copy, knowing whether it departed: one that is in no folder
 * any more, and was downloaded or sent on, is OPENC2_DOWNLOADED, whatever an actuator
 * says of the mailbox.
 */
enum openc2_outcome departures_outcome(const struct departures *departures,
				       const struct openc2_response *response);

/*
 * Returns the text of a response with what departed, for people.  Free with g_free().
 */
char *departures_text(const struct departures *departures, const struct openc2_response *response);

/* Frees them.  NULL is allowed. */
void departures_free(struct departures *departures);

typedef struct departures departures_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(departures_t, departures_free)
#endif
