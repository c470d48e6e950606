/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mail_match.h - whether a message in a mailbox is the one that is meant.
 *
 * A command tells what is known of a message: the storage id of its delivery,
 * its event's id, its Message-ID, digests of its file.  Anybody can write a
 * Message-ID or an X-Mailtrace-Id into a mail, so nothing is believed that does
 * not verify: ids are compared whole, the stamp's MAC under the site's key, and
 * the file is looked for in the message itself, which is read by the sandboxed
 * workers and nowhere else.  Knows no server.  Any thread.
 */
#ifndef MAILTRACE_MAIL_MATCH_H
#define MAILTRACE_MAIL_MATCH_H

#include <glib.h>

#include "doveadm_client.h"
#include "keys.h"
#include "openc2.h"
#include "reader.h"

/* What is meant, and by what it is to be known; all borrowed. */
struct mail_match {
	const struct openc2_message *message;
	const guint8 *site_key; /* SITE_KEY_BYTES; NULL: X-Mailtrace-Id says nothing */
	gboolean verify_digest; /* where digests are told, one of them must be in it */
	gboolean delivery_only; /* look for its storage id alone: too many others claim its ids */
	struct reader *reader;
};

/* How sure it is that a message is the one that is meant, before it was read. */
enum mail_identity {
	MAIL_IS_OTHER,
	MAIL_IS_LIKELY, /* by what its sender wrote: Message-ID, or size and time */
	MAIL_IS_SURE,	/* by its storage id, or a stamp that verifies */
};

/* What it is in the end. */
enum mail_verdict {
	MAIL_OTHER,	   /* another one, which is to be left alone */
	MAIL_MEANT,	   /* it is meant; its file was not looked for, or cannot be */
	MAIL_VERIFIED,	   /* and holds the file */
	MAIL_UNVERIFIABLE, /* it may be meant, but its file cannot be looked for */
};

/*
 * Returns the query that finds the message, and others like it, NULL-terminated.
 * mailboxes: a pattern of their names, or NULL for all.  Returns NULL if too
 * little is known to look for it.  Free with g_strfreev().
 */
char **mail_match_query(const struct mail_match *match, const char *mailboxes);

/* Tells who a found message is by its header fields and ids. */
enum mail_identity mail_match_identify(const struct mail_match *match,
				       const struct doveadm_mail *mail);

/* Returns whether mail_match_read() must decide, which needs the text. */
gboolean mail_match_needs_text(const struct mail_match *match, enum mail_identity identity);

/*
 * Decides by the text.  text: as stored, with either line end; NULL if it is
 * too large to be had.  exact: no byte of it was replaced.  Fails with a
 * SCANNER_ERROR if nobody could read it.
 */
gboolean mail_match_read(const struct mail_match *match, enum mail_identity identity,
			 const GByteArray *text, gboolean exact, enum mail_verdict *ret_verdict,
			 GError **error);
#endif
