/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * configuration.h - the configuration that holds, and one that is proposed.
 *
 * The supervisor's: read from the file, sent to the milter process as text, and
 * adopted when that takes it.  What a setting means is settings.h's.  One thread.
 */
#ifndef MAILTRACE_CONFIGURATION_H
#define MAILTRACE_CONFIGURATION_H

#include <glib.h>

#include "settings.h"

/* Zeroed but for path to begin; clear with configuration_clear(). */
struct configuration {
	const char *path;	       /* of the file; borrowed */
	struct settings *settings;     /* that hold */
	GBytes *text;		       /* theirs */
	struct settings *new_settings; /* that are proposed, or NULL */
	GBytes *new_text;
};

/*
 * Reads and checks the file, for the first time: it holds.  FALSE with an error that
 * names the line, and nothing holds.
 */
gboolean configuration_load(struct configuration *configuration, GError **error);

/* The same, as a proposal in the place of any other: what holds goes on to hold. */
gboolean configuration_propose(struct configuration *configuration, GError **error);

/*
 * Sends the proposal, or what holds where there is none, to the milter process at the
 * other end of fd (SUPERVISION_CONFIG).  FALSE when that is gone.
 */
gboolean configuration_send(const struct configuration *configuration, int fd);

/*
 * The proposal holds from now on; logged, with what of it needs a restart.  Returns
 * whether a new scanner is needed: signatures and passwords are read when it starts, so
 * that a reload asks for those that there are now.
 */
gboolean configuration_adopt(struct configuration *configuration);

/* Drops the proposal, if there is one; logged with the reason why. */
void configuration_refuse(struct configuration *configuration, const char *why);

/* Frees what it owns. */
void configuration_clear(struct configuration *configuration);
#endif
