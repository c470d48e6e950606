/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailstore_work.h - one command in the hands of mailstore.c, shared with its
 * parts (looking, containing, restoring, copying).  One thread a command.
 */
#ifndef MAILTRACE_MAILSTORE_WORK_H
#define MAILTRACE_MAILSTORE_WORK_H

#include "mail_match.h"
#include "mailstore.h"

/* What all commands share. */
struct mailstore {
	char *url, *ca, *key;
	char *quarantine; /* prefix of its mailboxes */
	char *recipient_delimiter;
	guint8 site_key[SITE_KEY_BYTES];
	gboolean has_site_key, local_part, verify_digest;
	guint timeout_ms;
	struct reader *reader;
	GMutex large;	   /* held while a large message is in memory: one at a time */
	GAsyncQueue *idle; /* of struct doveadm: connections that nobody uses */
};

/* What is known of one command's message. */
struct work {
	struct mailstore *mailstore;
	struct doveadm *doveadm;
	const struct actuator_options *options;
	const struct openc2_command *command;
	struct mail_match match;
	struct doveadm_call call;
	char *user;
	char *prefix;	      /* of the quarantine for this command */
	GHashTable *verdicts; /* of guid, the enum mail_verdict: a text is read once */
	GHashTable *origins;  /* of quarantine mailbox, the folder whose name it does not tell */
};

/* What a look at the mailboxes found; arrays of struct doveadm_mail that are meant. */
struct sight {
	GPtrArray *outside, *inside; /* of the quarantine */
	guint others;		     /* that look alike, but are not meant: outside alone */
	guint unverifiable;	     /* that may be meant and cannot be read; as above */
};

/* Looks at all mailboxes of the user.  On TRUE *ret_sight is to be cleared with sight_clear(). */
gboolean work_look(struct work *work, struct sight *ret_sight, GError **error);

/* Frees what a sight owns. */
void sight_clear(struct sight *sight);

/*
 * Fetches a message with its text.  *ret_fetched is NULL if it is too large to be
 * had; else to be freed with doveadm_mail_free().
 */
gboolean work_fetch_mail(struct work *work, const struct doveadm_mail *mail,
			 struct doveadm_mail **ret_fetched, GError **error);

/* Moves a message to a mailbox, which is made if there is none, and subscribed if asked. */
gboolean work_move(struct work *work, const struct doveadm_mail *mail, const char *mailbox,
		   gboolean subscribe, GError **error);

/* Returns whether a mailbox is in the quarantine. */
gboolean work_is_quarantine(const struct work *work, const char *mailbox);

/* Returns the folder that the name of a mailbox in the quarantine tells, or NULL.  Free with
 * g_free(). */
char *work_origin(const struct work *work, const char *mailbox);

/* Returns what is known of a copy that lies in the quarantine.  Free with openc2_copy_free(). */
struct openc2_copy *work_copy(const struct work *work, const struct doveadm_mail *mail);

/*
 * Takes the copies out of the user's mailboxes.  NULL with an error that
 * mailstore_carry_out() makes a response of; so have the two below.
 */
struct openc2_response *work_contain(struct work *work, GError **error);

/* Puts the copies of the command back where each was, with flags and date. */
struct openc2_response *work_restore(struct work *work, GError **error);

/* Writes the copies into the folder of evidence, and leaves them where they are. */
struct openc2_response *work_fetch(struct work *work, GError **error);

/* A response to the work's command with a text of this form. */
struct openc2_response *work_answer(const struct work *work, enum openc2_outcome outcome,
				    const char *format, ...) G_GNUC_PRINTF(3, 4);
#endif
