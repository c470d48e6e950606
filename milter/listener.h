/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listener.h - the socket that the MTA connects to.
 *
 * Opened and kept by the supervisor, so that connections wait in its queue
 * while the milter process is replaced.  One thread.
 */
#ifndef MAILTRACE_LISTENER_H
#define MAILTRACE_LISTENER_H

#include <glib.h>

#include "settings.h"

enum listener_error {
	LISTENER_ERROR_ADDRESS, /* not to be resolved, or in use; message names it */
	LISTENER_ERROR_GROUP,	/* socket_group is unknown, or cannot be given */
	LISTENER_ERROR_SYSTEM,	/* a file or socket of the system: permissions, descriptors */
};
/* Its message names the address, path or group. */
#define LISTENER_ERROR (listener_error_quark())
GQuark listener_error_quark(void);

/*
 * How long the processes of a former supervisor, which was killed, are waited
 * for: longer than they take to finish what is under way (supervision.h).
 */
#define LISTENER_HANDOVER_MS 20000

/*
 * Opens settings->socket and listens.  A unix socket that nobody listens at any
 * more is replaced, and gets socket_mode and socket_group before anybody can
 * connect.  One at which somebody listens is waited for so long.  Returns a
 * descriptor, or -1 with a LISTENER_ERROR.
 */
int listener_open(const struct settings *settings, GError **error);

/* Closes it, and removes a unix socket. */
void listener_close(int fd, const struct settings *settings);
#endif
