/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plan.h - a plan of containment: what is to be done, written before it is.
 *
 * A plan file is one JSON object, described in mailtrace-openc2(7): who made it,
 * when, of which question and of what view of the store; until when it may be
 * carried out; an OpenC2 command for each copy; what becomes of each recipient;
 * and the copies that are beyond reach.  Its digest is the SHA-256 of the same
 * object without the digest, with sorted members and without blanks, so that an
 * edited plan is known.
 *
 * What is read is hostile: at most CAP_PLAN_BYTES and CAP_PLAN_COMMANDS, every
 * text capped, every command as openc2.h has it.  One thread a plan.
 */
#ifndef MAILTRACE_PLAN_H
#define MAILTRACE_PLAN_H

#include <glib.h>

#include "json.h"
#include "openc2.h"

#define PLAN_VERSION 1

enum plan_error {
	PLAN_ERROR_READ,   /* the file cannot be read or written */
	PLAN_ERROR_FORM,   /* it is no plan, or over a cap */
	PLAN_ERROR_EDITED, /* its digest does not match */
	PLAN_ERROR_EXISTS, /* a file is there already */
};
/* Its message is one line, for whoever plans or applies. */
#define PLAN_ERROR (plan_error_quark())
GQuark plan_error_quark(void);

enum plan_kind { PLAN_CONTAIN, PLAN_UNDO };

/* Where copies are looked for; a set of these. */
enum plan_scope {
	PLAN_QUEUE = 1 << 0,
	PLAN_MAILBOX = 1 << 1,
	PLAN_GATEWAY = 1 << 2,
	PLAN_DEVICE = 1 << 3,
};
#define PLAN_SCOPE_DEFAULT (PLAN_QUEUE | PLAN_MAILBOX | PLAN_GATEWAY)

/* A recipient, and the commands that reach the copies for it. */
struct plan_recipient {
	char *event_id;
	char *recipient;     /* envelope address as recorded */
	char *state;	     /* as `who` told it */
	GPtrArray *commands; /* of char *: their ids */
};

/* What is beyond reach: for programs, what why says for people. */
enum plan_beyond_kind {
	PLAN_BEYOND_REACH,	/* a copy that nobody here can act on, or may */
	PLAN_BEYOND_GONE,	/* there is no copy: refused, bounced, discarded */
	PLAN_BEYOND_SCOPE,	/* a copy in a place that was not asked for */
	PLAN_BEYOND_DOWNLOADED, /* a copy that a client took, whatever became of ours */
	PLAN_BEYOND_FORWARDED,	/* a copy that its user sent on, likewise */
};
#define PLAN_BEYOND_COUNT 5

/* A copy that no command reaches. */
struct plan_beyond {
	enum plan_beyond_kind kind;
	char *event_id;
	char *recipient; /* envelope address as recorded */
	char *address;	 /* final address, where it is known; or NULL */
	char *why;	 /* for people */
};

/* What was known when the plan was made. */
struct plan_view {
	char *store; /* URL */
	guint64 messages, unread;
	gint64 complete_until_us; /* 0: not known */
	gboolean reconciled;
	guint64 gaps;
};

/* A plan; text is UTF-8. */
struct plan {
	char *plan_id; /* UUID */
	enum plan_kind kind;
	char *tenant;
	char **query;	  /* words as typed, NULL-terminated */
	char *created_by; /* "uid=1000(name)" */
	gint64 created_us;
	gint64 expires_us;
	guint scope;		/* of enum plan_scope */
	char *case_id, *reason; /* or NULL */
	struct plan_view view;
	GPtrArray *commands;   /* of struct openc2_command */
	GPtrArray *recipients; /* of struct plan_recipient */
	GPtrArray *beyond;     /* of struct plan_beyond */
	char *digest;	       /* lower-case hex; NULL until it is encoded */
};

/* Returns an empty plan with a new id.  Free with plan_free(). */
struct plan *plan_new(enum plan_kind kind, const char *tenant);

/* Frees a plan and all it owns.  NULL is allowed. */
void plan_free(struct plan *plan);

/* Adds a recipient without commands; returns it, borrowed. */
struct plan_recipient *plan_add_recipient(struct plan *plan, const char *event_id,
					  const char *recipient, const char *state);

/*
 * Adds a copy beyond reach, of the kind PLAN_BEYOND_REACH; address may be NULL.
 * Returns it, borrowed, for another kind to be set.
 */
struct plan_beyond *plan_add_beyond(struct plan *plan, const char *event_id, const char *recipient,
				    const char *address, const char *why);

/* Frees a copy beyond reach.  NULL is allowed. */
void plan_beyond_free(void *beyond);

/* Returns whether a copy stays somewhere that whoever made the plan did not exclude. */
gboolean plan_beyond_is_left(const struct plan_beyond *beyond);

/* Returns the word of the JSON form ("downloaded", "no-copy"), static. */
const char *plan_beyond_name(enum plan_beyond_kind kind);

/* Reads it back; another word, or NULL, is PLAN_BEYOND_REACH. */
enum plan_beyond_kind plan_beyond_parse(const char *word);

/*
 * Makes the JSON of a plan and sets its digest.  Returns NULL with
 * PLAN_ERROR_FORM when it is over a cap: the message says to ask for less.  Free
 * with json_decref().
 */
json_t *plan_encode(struct plan *plan, GError **error);

/* Reads a plan from JSON, borrowed.  Returns NULL with a PLAN_ERROR. */
struct plan *plan_decode(const json_t *json, GError **error);

/*
 * Writes a plan into a new file, mode 0600: never over one that is there, and
 * whole or not at all.  path "-" is the standard output.
 */
gboolean plan_write(struct plan *plan, const char *path, GError **error);

/*
 * Reads a plan file; "-" is the standard input.  *ret_json (may be NULL): what
 * was read, for json_decref().
 */
struct plan *plan_read(const char *path, json_t **ret_json, GError **error);

/* Returns the name of one scope, static; NULL if it is none. */
const char *plan_scope_name(enum plan_scope scope);

/* Reads "queue,mailbox,gateway,device".  FALSE with PLAN_ERROR_FORM. */
gboolean plan_scope_parse(const char *text, guint *ret_scope, GError **error);

typedef struct plan plan_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(plan_t, plan_free)
#endif
