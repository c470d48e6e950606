/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.h - the collector's unix socket, by which the command line changes
 * and reveals things.
 *
 * Requests and answers are JSON objects, one a line, at most
 * CONTROL_LINE_BYTES.  Who asks is known from SO_PEERCRED, never from the
 * request, and when from the collector's clock.  Operations: "audit" (tenant,
 * verb, arguments, case, reason, results), "ingest" (tenant, events: an array
 * of strings, each an event of an import), "reload" (keys), and those of the
 * collector's table.  An answer has "ok" and, when false, "error"; that of
 * ingest "added".  Who may connect is the socket's group; what each of them may
 * have done, the collector says (roles.h).  One thread each side.
 */
#ifndef MAILTRACE_CONTROL_H
#define MAILTRACE_CONTROL_H

#include <glib.h>

#include "json.h"
#include "store.h"

#define CONTROL_LINE_BYTES (16 * 1024 * 1024)
#define CONTROL_ANSWER_BYTES 65536 /* fits into an empty socket's buffer */
#define CONTROL_PATIENCE_MS 60000  /* an import may read that long between two batches */

enum control_error {
	CONTROL_ERROR_ABSENT,  /* nobody listens: no collector runs */
	CONTROL_ERROR_REFUSED, /* the collector said no; message says why */
	CONTROL_ERROR_LOST,    /* the connection broke */
};
/* After CONTROL_ERROR_LOST it is not known whether the operation was done. */
#define CONTROL_ERROR (control_error_quark())
GQuark control_error_quark(void);

struct sockaddr_un;

/* Fills in a socket's address; FALSE with CONTROL_ERROR_REFUSED if path is too long for one. */
gboolean control_address(const char *path, struct sockaddr_un *ret_address, GError **error);

/* Returns a user as the journal names it, "uid=1000(name)".  Free with g_free(). */
char *control_actor(guint uid);

/* ---- the command line's side ---- */

struct control;

/* Connects to the socket at path.  Returns NULL with a CONTROL_ERROR. */
struct control *control_connect(const char *path, GError **error);

/* Has an audit entry written and waits until it is on disk; actor is the collector's to say. */
gboolean control_audit(struct control *control, const struct store_audit *audit, GError **error);

/* Has events stored and waits until they are on disk.  events: of GBytes.  *ret_added: how many
 * were new. */
gboolean control_ingest(struct control *control, const char *tenant, GPtrArray *events,
			guint64 *ret_added, GError **error);

/* Has the collector read its keys and settings again. */
gboolean control_reload(struct control *control, GError **error);

/*
 * Sends a request of the collector's table and waits for its answer.  request:
 * borrowed, its "op" names the operation.  Returns the answer when it is "ok",
 * for json_decref(); NULL with a CONTROL_ERROR.
 */
json_t *control_call(struct control *control, const json_t *request, GError **error);

/* Closes.  NULL is allowed. */
void control_free(struct control *control);

/* ---- the collector's side ---- */

struct control_server;

/* Who asks: known from the socket. */
struct control_caller {
	guint uid;
	const char *actor; /* as control_actor() */
	gint64 time_us;	   /* when, by the collector's clock */
};

/* An operation of the collector's own. */
struct control_operation {
	const char *name;
	/*
	 * Reads a request, a JSON object of at most CONTROL_LINE_BYTES and hostile,
	 * and adds to answer, at most CONTROL_ANSWER_BYTES of it.  Returns FALSE with
	 * an error to refuse; its message is shown to the caller.
	 */
	gboolean (*serve)(void *data, const struct control_caller *caller, const json_t *request,
			  json_t *answer, GError **error);
};

/* What the collector does for a request; each returns FALSE with an error to refuse. */
struct control_handlers {
	gboolean (*audit)(void *data, const struct store_audit *audit, GError **error);
	gboolean (*ingest)(void *data, const char *tenant, GPtrArray *events, guint64 *ret_added,
			   GError **error);
	gboolean (*reload)(void *data, GError **error);
	const struct control_operation *operations; /* ends with a NULL name; may be NULL */
	/*
	 * Whether a caller may have an operation done, by its name; of "audit", the
	 * verb that it is about.  NULL: everybody may have all done.
	 */
	gboolean (*may)(void *data, const struct control_caller *caller, const char *operation,
			const json_t *request, GError **error);
};

/* Listens at path (0660; an old socket nobody listens at is removed). */
struct control_server *control_server_new(const char *path, const struct control_handlers *handlers,
					  void *data, GError **error);

/*
 * Sets how long a caller may say nothing, CONTROL_PATIENCE_MS at first, before
 * it loses its place to one who waits while all places are taken.
 */
void control_server_set_patience(struct control_server *server, guint patience_ms);

/* Fills in the descriptors to wait for; returns how many, at most max. */
gsize control_server_fds(struct control_server *server, int *ret_fds, gsize max);

/* Serves what is readable, without blocking; to be called once a second even if nothing is. */
void control_server_serve(struct control_server *server);

/* Closes and removes the socket.  NULL is allowed. */
void control_server_free(struct control_server *server);
#endif
