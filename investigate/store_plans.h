/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_plans.h - plans of containment that were begun, and what became of each
 * of their commands, as the collector keeps them.
 *
 * A command is answered as often as it is tried, until it is settled: then its
 * response stays.  When the last command of a recipient with a copy in a mailbox
 * is settled, the recipient's state becomes "retracted"; when what undoes one of
 * them is, "restored".  The JSON of commands and responses is that of openc2.h,
 * which is not read here.
 *
 * Part of the store (store.h): the same thread and transactions; what changes is
 * to be called in one.
 */
#ifndef MAILTRACE_STORE_PLANS_H
#define MAILTRACE_STORE_PLANS_H

#include <glib.h>

#include "store.h"

/* A plan that was begun; text is UTF-8. */
struct store_plan {
	gint64 number; /* the store's to give */
	char *plan_id; /* UUID */
	char *digest;  /* lower-case hex */
	int kind;      /* enum plan_kind */
	char *created_by;
	gint64 created_us, expires_us;
	char *begun_by; /* who applied it first */
	gint64 begun_us;
	char *case_id, *reason; /* or NULL */
};

/* A command of a plan. */
struct store_command {
	gint64 number; /* the store's to give */
	gint64 plan;   /* number */
	char *command_id;
	int role;		  /* enum openc2_role */
	char *json;		  /* the command */
	gint64 undoes;		  /* number of the command that it undoes; 0: none */
	char *denied;		  /* the entry of the deny list that forbids it, or NULL */
	int outcome;		  /* enum openc2_outcome; -1: not answered yet */
	gboolean settled, undone; /* undone: what undoes it is settled */
	gint64 answered_us;
	char *response; /* the last one, or NULL */
	gint64 block;	/* number of the block that it added; 0: none */
};

/* An approval of a plan. */
struct store_approval {
	char *digest;	   /* of the plan */
	char *name;	   /* of the key */
	char *fingerprint; /* of the key */
	char *user;	   /* to whom the key belongs, or NULL */
	guint uid;	   /* who brought it */
	char *actor;	   /* the same, "uid=1000(name)" */
	gint64 time_us;
	char *signature;
};

/* Frees what a plan owns; the structure stays. */
void store_plan_clear(struct store_plan *plan);

/* The same for a command. */
void store_command_clear(struct store_command *command);

/* Finds a plan by its id; *ret_found tells whether, and ret_plan is then to be cleared. */
gboolean store_plan_find(struct store *store, const char *tenant, const char *plan_id,
			 struct store_plan *ret_plan, gboolean *ret_found, GError **error);

/* Adds a plan, and fills in its number. */
gboolean store_plan_add(struct store *store, const char *tenant, struct store_plan *plan,
			GError **error);

/* Adds a command of a plan, not answered yet, and fills in its number. */
gboolean store_command_add(struct store *store, const char *tenant, struct store_command *command,
			   GError **error);

/* Has a command, unless it is settled, be denied for an entry of the deny list. */
gboolean store_command_deny(struct store *store, const char *tenant, const char *command_id,
			    const char *entry, GError **error);

/*
 * Notes that all copies for a recipient are those of these commands, one of them at
 * least in a mailbox.  event_id: of any hop.
 */
gboolean store_plan_recipient(struct store *store, gint64 plan, const char *event_id,
			      const char *recipient, const gint64 *commands, gsize count,
			      GError **error);

/* Called for each command; FALSE stops.  command: borrowed. */
typedef gboolean (*store_command_fn)(const struct store_command *command, void *data);

/* Walks over the commands of a plan in the order in which they were added. */
gboolean store_command_each(struct store *store, gint64 plan, store_command_fn each, void *data,
			    GError **error);

/* Finds a command by its id, likewise. */
gboolean store_command_find(struct store *store, const char *tenant, const char *command_id,
			    struct store_command *ret_command, gboolean *ret_found, GError **error);

/*
 * Notes the answer to a command that is not settled yet: outcome, settled,
 * answered_us, response and block of it; and what follows for the states of
 * recipients and for the command that it undoes.
 */
gboolean store_command_answer(struct store *store, const char *tenant,
			      const struct store_command *command, GError **error);

/* Notes an approval; *ret_new is FALSE if this key had approved the plan before. */
gboolean store_approval_add(struct store *store, const char *tenant,
			    const struct store_approval *approval, gboolean *ret_new,
			    GError **error);

/* Called for each approval; FALSE stops.  approval: borrowed. */
typedef gboolean (*store_approval_fn)(const struct store_approval *approval, void *data);

/* Walks over the approvals of a plan. */
gboolean store_approval_each(struct store *store, const char *tenant, const char *digest,
			     store_approval_fn each, void *data, GError **error);
#endif
