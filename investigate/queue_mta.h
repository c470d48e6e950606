/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_mta.h - the queue of one kind of MTA, as the privileged helper handles it.
 *
 * Each kind runs its MTA's own programs, by absolute path, with an environment of
 * ours and no shell, and knows how these show a message.  What is to be done, and
 * whether it may be, is queue_act.h's.  One thread.
 */
#ifndef MAILTRACE_QUEUE_MTA_H
#define MAILTRACE_QUEUE_MTA_H

#include "queue_entry.h"
#include "queue_request.h"

enum queue_mta_error {
	QUEUE_MTA_ERROR_LOOK, /* what the MTA shows of its queue cannot be read */
	QUEUE_MTA_ERROR_COPY, /* a message could not be written on, or not to its end */
};
/* Its message is put into an answer; a program that fails gives a SUBPROCESS_ERROR. */
#define QUEUE_MTA_ERROR (queue_mta_error_quark())
GQuark queue_mta_error_quark(void);

/* Which installation; trusted. */
struct queue_site {
	const char *programs; /* directory of the MTA's programs */
	const char *config;   /* Postfix: its directory; Sendmail: its .cf; NULL: the MTA's own */
};

struct queue_mta {
	const char *name;
	const char *programs; /* the default directory */
	/* How its times of arrival lie about the record's. */
	struct queue_window window;

	/*
	 * Looks for messages, in one showing of the queue, which costs as much for many
	 * as for one.  queue_ids: count ids, each once.  Returns FALSE with an error when
	 * it could not look; else ret_entries[i] is the message with queue_ids[i], to be
	 * freed with queue_entry_free(), or NULL if none has that id.
	 */
	gboolean (*look)(const struct queue_site *site, const char *const *queue_ids, gsize count,
			 struct queue_entry **ret_entries, GError **error);

	/*
	 * Has the MTA hold, release or delete (one that is held) the message with an
	 * id.  That it returns TRUE does not say that it was done: look again.  reason:
	 * kept with a message on hold, where the MTA can.
	 */
	gboolean (*act)(const struct queue_site *site, enum queue_verb verb, const char *queue_id,
			const char *reason, GError **error);

	/* Writes a message, header and body as they are queued, to a descriptor. */
	gboolean (*copy)(const struct queue_site *site, const char *queue_id, int fd,
			 GError **error);
};

extern const struct queue_mta queue_mta_postfix, queue_mta_sendmail;

/* The environment of every program that is run, NULL-terminated. */
extern const char *const queue_mta_environment[];

/* Returns when a program that is started now must have ended. */
gint64 queue_mta_deadline(void);
#endif
