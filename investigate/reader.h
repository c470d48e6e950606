/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reader.h - messages read by the command line, in the sandboxed workers.
 *
 * Starts a scanner of its own and has it read message after message, so that
 * a mail in an archive can hurt the analyst as little as one on the wire.
 * Makes events of records.  To be opened while the process has one thread.
 */
#ifndef MAILTRACE_READER_H
#define MAILTRACE_READER_H

#include <glib.h>

#include "event.h"
#include "settings.h"

struct reader;

/* What is known of a message besides its bytes; NULL and 0 where nothing is. */
struct reader_envelope {
	const char *tenant, *sensor;
	gint64 received_at_us;	       /* 0: the Date field, else fallback_us */
	gint64 fallback_us;	       /* e.g. the file's time of change */
	const char *const *recipients; /* NULL-terminated; NULL: of the message's fields */
	gboolean without_recipients;   /* leave them out */
};

/*
 * Starts the scanner program at path.  settings: say how it works;
 * the list of passwords is left out if we may not read it.  Returns NULL with an error.
 */
struct reader *reader_open(const char *scanner_path, const struct settings *settings,
			   GError **error);

/*
 * Reads a message of length bytes, with CR LF line ends, into a new event of
 * origin "import".  Its id is made of the tenant, the content key and the
 * recipients, so that the same mail of the same mailbox has the same id again.
 * The recipient of the message's fields is the topmost Delivered-To, which
 * names the mailbox, else X-Original-To, else the addresses of To.  Returns
 * NULL with a SCANNER_ERROR if it could not be read; else free with
 * event_free().
 */
struct event *reader_read(struct reader *reader, const void *bytes, gsize length,
			  const struct reader_envelope *envelope, GError **error);

/* Ends the scanner and waits for it.  NULL is allowed. */
void reader_close(struct reader *reader);

typedef struct reader reader_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(reader_t, reader_close)
#endif
