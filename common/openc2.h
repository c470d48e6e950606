/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * openc2.h - an action of containment, and what came of it, as OpenC2 1.0 in
 * JSON and back.
 *
 * Inside, an action is a plain struct; at the edge (a plan file, an actuator's
 * standard input, the bus, an HTTPS endpoint) it is an OpenC2 command of the
 * profile "x-mailtrace", written in mailtrace-openc2(7).  Redelivery is allowed
 * everywhere: whoever carries out a command knows it by its command_id and never
 * acts twice.
 *
 * What is read is hostile: at most CAP_COMMAND_BYTES a line, every text capped
 * and without control characters, unknown members ignored, unknown actions,
 * targets and roles refused.  Pure; any thread.
 */
#ifndef MAILTRACE_OPENC2_H
#define MAILTRACE_OPENC2_H

#include <glib.h>

#define OPENC2_ID_BYTES 36 /* of a command_id: a UUID in text */

enum openc2_error {
	OPENC2_ERROR_SYNTAX, /* not one JSON object, or over CAP_COMMAND_BYTES */
	OPENC2_ERROR_FIELD,  /* a member is missing, of another form or not known */
};
/* Nothing of the text is taken; its message names the member. */
#define OPENC2_ERROR (openc2_error_quark())
GQuark openc2_error_quark(void);

enum openc2_action {
	OPENC2_DENY,	/* a file, at the gateways */
	OPENC2_ALLOW,	/* undoes DENY; of a device: undoes CONTAIN */
	OPENC2_CONTAIN, /* a message: hold it in a queue, or move it out of a mailbox; a device */
	OPENC2_RESTORE, /* undoes CONTAIN of a message */
	OPENC2_COPY,	/* a message: bring it as evidence; changes nothing */
};

/* Who carries it out. */
enum openc2_role {
	OPENC2_GATEWAY,	  /* the block list: target file */
	OPENC2_QUEUE,	  /* an MTA's queue: target message */
	OPENC2_MAILSTORE, /* mailboxes: target message */
	OPENC2_ENDPOINT,  /* devices: target device, profile "er" */
};

/* A copy of a message where it lay: what was acted on, and what an undo puts back. */
struct openc2_copy {
	char *guid;	    /* the mail store's id of the message, kept when it is moved */
	char *folder;	    /* where it was, UTF-8 with "/" as the store names it; "" for a queue */
	char **flags;	    /* as IMAP has them, "\\Seen"; NULL-terminated */
	char *quarantine;   /* where it is now; NULL if nowhere */
	gboolean by_digest; /* its file's digest was verified before it was touched */
};

/* A message in one place.  NULL where it is not known; what is known must all agree. */
struct openc2_message {
	char *event_id;	  /* of the record: X-Mailtrace-Id */
	char *message_id; /* with brackets, as the header has it */
	char *sender;	  /* envelope sender, "" for <> */
	char *recipient;  /* envelope recipient for whom this copy is */
	gint64 received_at_us;
	guint64 size; /* bytes as recorded; 0 unknown */
	char *subject;
	/* of a queue */
	char *gateway;	/* sensor whose MTA has it */
	char *queue_id; /* in its MTA */
	/* of a mail store */
	char *mailbox;	  /* the user's name there: the final address */
	char *folder;	  /* where it was delivered */
	char *storage_id; /* the guid that the delivery log told */
	char **sha256;	  /* lower-case hex; it holds one of these files; NULL-terminated */
};

/* One action on one target. */
struct openc2_command {
	char *command_id;
	enum openc2_action action;
	enum openc2_role role;
	/* target: exactly one, as the role has it */
	char *file_hash; /* lower-case hex, MD5, SHA-1 or SHA-256 by its length; NULL: no file */
	char *file_name; /* for people; or NULL */
	struct openc2_message *message; /* NULL: no message */
	char *hostname;			/* of a device; NULL: no device */
	/* arguments */
	gint64 stop_time_ms; /* until when it is meant; 0: for good */
	char *mode;	     /* of DENY: "hold", "reject"… (block modes); or NULL */
	char *destination;   /* of CONTAIN: the quarantine folder; NULL: the actuator's own */
	char *undoes;	     /* command_id of what RESTORE or ALLOW undoes; or NULL */
	GPtrArray *copies;   /* of struct openc2_copy: of RESTORE, what CONTAIN answered; or NULL */
	char *case_id, *reason; /* or NULL */
};

/* What became of a command; each is final but UNREACHABLE and FAILED, which may be tried again. */
enum openc2_outcome {
	OPENC2_DONE,	      /* and looked at again */
	OPENC2_ALREADY,	      /* nothing to do: it was gone (or back) before */
	OPENC2_MOVED_BY_USER, /* done, but in another folder than it was delivered to */
	OPENC2_DOWNLOADED,    /* a copy left by POP3 or was forwarded: it is not contained */
	OPENC2_NOT_FOUND,     /* no such message, or none that agrees with all that is known */
	OPENC2_UNREACHABLE,   /* the server did not answer */
	OPENC2_FAILED,	      /* it answered that it could not */
};
#define OPENC2_OUTCOME_COUNT 7

/* An actuator's answer to one command. */
struct openc2_response {
	char *command_id;
	enum openc2_outcome outcome;
	char *text;	   /* for people: what was done, or the remedy; never NULL */
	GPtrArray *copies; /* of struct openc2_copy; never NULL */
};

/* Returns an empty command with a new random command_id.  Free with openc2_command_free(). */
struct openc2_command *openc2_command_new(enum openc2_action action, enum openc2_role role);

/* Returns an empty message, to be given to a command. */
struct openc2_message *openc2_message_new(void);

/* Frees a command and all it owns.  NULL is allowed. */
void openc2_command_free(struct openc2_command *command);

/* Writes a command as one line of JSON without its line break.  Free with g_free(). */
char *openc2_command_encode(const struct openc2_command *command);

/*
 * Reads a command: one JSON object of length bytes.  Returns NULL with an
 * OPENC2_ERROR for what is none, has no command_id, or whose target does not fit
 * its role.  Free with openc2_command_free().
 */
struct openc2_command *openc2_command_decode(const char *json, gsize length, GError **error);

/* Returns what people call the target: "queue 4Xyz of mx1", "mailbox u2@ex.org", "file e3b0…". Free
 * with g_free(). */
char *openc2_command_target(const struct openc2_command *command);

/* Returns an empty response to a command's id.  Free with openc2_response_free(). */
struct openc2_response *openc2_response_new(const char *command_id, enum openc2_outcome outcome,
					    const char *text);

/* Frees a response and all it owns.  NULL is allowed. */
void openc2_response_free(struct openc2_response *response);

/* Writes a response as one line of JSON without its line break.  Free with g_free(). */
char *openc2_response_encode(const struct openc2_response *response);

/* Reads a response, as openc2_command_decode() does; free with openc2_response_free(). */
struct openc2_response *openc2_response_decode(const char *json, gsize length, GError **error);

/* Returns an empty copy; free with openc2_copy_free(). */
struct openc2_copy *openc2_copy_new(void);

/* Frees a copy.  NULL is allowed. */
void openc2_copy_free(struct openc2_copy *copy);

/* Returns the word of the JSON form for an action ("contain"), static. */
const char *openc2_action_name(enum openc2_action action);

/* The same for a role ("mailstore"), by which an actuator is chosen. */
const char *openc2_role_name(enum openc2_role role);

/* The same for what a command came to ("already-gone"). */
const char *openc2_outcome_name(enum openc2_outcome outcome);

/* Reads a role's word back; FALSE for another word. */
gboolean openc2_role_parse(const char *word, enum openc2_role *ret_role);

/* Reads an outcome's word back; FALSE for another word. */
gboolean openc2_outcome_parse(const char *word, enum openc2_outcome *ret_outcome);

/* Returns whether nothing is left to do: the target is contained (or put back). */
gboolean openc2_outcome_settles(enum openc2_outcome outcome);

typedef struct openc2_command openc2_command_t;
typedef struct openc2_response openc2_response_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(openc2_command_t, openc2_command_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(openc2_response_t, openc2_response_free)
#endif
