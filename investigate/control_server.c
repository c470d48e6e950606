/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "control.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONTROL_CALLERS 16 /* at once: people and their scripts, one site */
#define CONTROL_BACKLOG 32 /* more wait here until one has left */
#define READ_BYTES 65536

struct caller {
	int fd;
	guint uid;
	GString *input;
	gint64 heard_us; /* last, or accepted; g_get_monotonic_time() */
	gboolean gone;
};

struct control_server {
	int fd;
	char *path;
	const struct control_handlers *handlers;
	void *data;
	guint patience_ms;
	GPtrArray *callers; /* of struct caller */
};

static void
caller_free(struct caller *caller)
{
	close(caller->fd);
	g_string_free(caller->input, TRUE);
	g_free(caller);
}

/* Returns TRUE if something accepts connections at the address. */
static gboolean
is_listened_at(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	gboolean answered;

	if (fd < 0)
		return TRUE;
	answered = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
	close(fd);
	return answered;
}

/*
 * Binds and listens; the socket's mode is right from its first moment, since
 * the umask is set before it.  The caller is single-threaded.
 */
static gboolean
listen_at(int fd, const struct sockaddr_un *address)
{
	mode_t mask = umask(0117); /* leaves 0660 */
	int bound = bind(fd, (const struct sockaddr *)address, sizeof(*address));

	umask(mask);
	return bound == 0 && listen(fd, CONTROL_BACKLOG) == 0;
}

struct control_server *
control_server_new(const char *path, const struct control_handlers *handlers, void *data,
		   GError **error)
{
	struct sockaddr_un address;
	struct control_server *server;
	struct stat info;
	int fd;

	if (!control_address(path, &address, error))
		return NULL;
	if (is_listened_at(&address)) {
		g_set_error(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED,
			    "%s: another collector listens there; end it first", path);
		return NULL;
	}
	if (lstat(path, &info) == 0 && S_ISSOCK(info.st_mode))
		unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || !listen_at(fd, &address)) {
		g_set_error(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED,
			    "%s: %s; control_socket needs a directory that the collector may write",
			    path, g_strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	server = g_new0(struct control_server, 1);
	server->fd = fd;
	server->path = g_strdup(path);
	server->handlers = handlers;
	server->data = data;
	server->patience_ms = CONTROL_PATIENCE_MS;
	server->callers = g_ptr_array_new_with_free_func((GDestroyNotify)caller_free);
	return server;
}

void
control_server_set_patience(struct control_server *server, guint patience_ms)
{
	server->patience_ms = patience_ms;
}

gsize
control_server_fds(struct control_server *server, int *ret_fds, gsize max)
{
	gsize count = 0;

	/* At the cap nobody is accepted: those who wait are served when one leaves. */
	if (server->callers->len < CONTROL_CALLERS && count < max)
		ret_fds[count++] = server->fd;
	for (guint i = 0; i < server->callers->len && count < max; i++)
		ret_fds[count++] = ((struct caller *)g_ptr_array_index(server->callers, i))->fd;
	return count;
}

static gboolean
peer_uid(int fd, guint *ret_uid)
{
	struct ucred credentials;
	socklen_t length = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
		return FALSE;
	*ret_uid = credentials.uid;
	return TRUE;
}

/*
 * When all places are taken and somebody waits, who has been silent longest and
 * for too long goes: else a few programs that were stopped at a terminal would
 * keep everybody from asking, since each question is noted through here.
 */
static void
make_room(struct control_server *server)
{
	struct pollfd waiting = {.fd = server->fd, .events = POLLIN};
	gint64 now_us = g_get_monotonic_time(), oldest_us = G_MAXINT64;
	guint oldest = 0;

	if (server->callers->len < CONTROL_CALLERS || poll(&waiting, 1, 0) <= 0)
		return;
	for (guint i = 0; i < server->callers->len; i++) {
		const struct caller *caller = g_ptr_array_index(server->callers, i);

		if (caller->heard_us >= oldest_us)
			continue;
		oldest_us = caller->heard_us;
		oldest = i;
	}
	if (now_us - oldest_us >= server->patience_ms * G_TIME_SPAN_MILLISECOND)
		g_ptr_array_remove_index(server->callers, oldest);
}

static void
accept_callers(struct control_server *server)
{
	while (server->callers->len < CONTROL_CALLERS) {
		int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct caller *caller;
		guint uid;

		if (fd < 0)
			return;
		if (!peer_uid(fd, &uid)) {
			close(fd);
			continue;
		}
		caller = g_new0(struct caller, 1);
		caller->fd = fd;
		caller->uid = uid;
		caller->input = g_string_new(NULL);
		caller->heard_us = g_get_monotonic_time();
		g_ptr_array_add(server->callers, caller);
	}
}

static gboolean
refuse_request(const char *why, GError **error)
{
	g_set_error(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED, "%s", why);
	return FALSE;
}

/* Who and when are ours to say, whatever the request claims. */
static gboolean
serve_audit(struct control_server *server, const struct control_caller *who, const json_t *request,
	    GError **error)
{
	struct store_audit audit = {
		.time_us = who->time_us,
		.actor = (char *)who->actor,
		.tenant = (char *)json_get_text(request, "tenant"),
		.verb = (char *)json_get_text(request, "verb"),
		.arguments = (char *)json_get_text(request, "arguments"),
		.case_id = (char *)json_get_text(request, "case"),
		.reason = (char *)json_get_text(request, "reason"),
		.results = json_get_int(request, "results", -1),
	};

	if (!audit.tenant || !audit.verb || !audit.arguments)
		return refuse_request("audit needs tenant, verb and arguments", error);
	return server->handlers->audit(server->data, &audit, error);
}

static gboolean
serve_ingest(struct control_server *server, const json_t *request, json_t *answer, GError **error)
{
	g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	const json_t *list = json_object_get(request, "events");
	const char *tenant = json_get_text(request, "tenant");
	guint64 added;
	json_t *event;
	gsize i;

	if (!tenant || !json_is_array(list))
		return refuse_request("ingest needs tenant and events", error);
	json_array_foreach (list, i, event) {
		if (!json_is_string(event))
			return refuse_request("an event is a string", error);
		g_ptr_array_add(events,
				g_bytes_new(json_string_value(event), json_string_length(event)));
	}
	if (!server->handlers->ingest(server->data, tenant, events, &added, error))
		return FALSE;
	json_put_int(answer, "added", (gint64)added);
	return TRUE;
}

/* Of "audit" it is the verb that it would be an entry of: an entry is the leave to answer. */
static gboolean
may_have(struct control_server *server, const struct control_caller *who, const char *operation,
	 const json_t *request, GError **error)
{
	const char *what = operation;

	if (!server->handlers->may)
		return TRUE;
	if (strcmp(operation, "audit") == 0)
		what = json_get_text(request, "verb");
	return server->handlers->may(server->data, who, what ? what : "", request, error);
}

static gboolean
serve_operation(struct control_server *server, const struct control_caller *who,
		const char *operation, const json_t *request, json_t *answer, GError **error)
{
	const struct control_operation *known = server->handlers->operations;

	if (strcmp(operation, "audit") == 0)
		return serve_audit(server, who, request, error);
	if (strcmp(operation, "ingest") == 0)
		return serve_ingest(server, request, answer, error);
	if (strcmp(operation, "reload") == 0)
		return server->handlers->reload(server->data, error);
	for (; known && known->name; known++)
		if (strcmp(operation, known->name) == 0)
			return known->serve(server->data, who, request, answer, error);
	return refuse_request("no such operation", error);
}

static gboolean
serve_request(struct control_server *server, const struct caller *caller, const json_t *request,
	      json_t *answer, GError **error)
{
	const char *operation = json_get_text(request, "op");
	g_autofree char *actor = control_actor(caller->uid);
	const struct control_caller who = {caller->uid, actor, g_get_real_time()};

	if (!operation)
		return refuse_request("no such operation", error);
	return may_have(server, &who, operation, request, error) &&
	       serve_operation(server, &who, operation, request, answer, error);
}

/* Answers one line.  An answer fits into an empty socket's buffer; one that does not is for a
 * caller that never reads, who is let go. */
static void
serve_line(struct control_server *server, struct caller *caller, const char *line, gsize length)
{
	g_autoptr(json_t) request = json_parse_object(line, length);
	g_autoptr(json_t) answer = json_object();
	g_autoptr(GError) error = NULL;
	g_autofree char *framed = NULL;
	gboolean ok;
	char *text;

	ok = request ? serve_request(server, caller, request, answer, &error)
		     : refuse_request("a request is a JSON object", &error);
	json_object_set_new(answer, "ok", json_boolean(ok));
	if (!ok)
		json_put_text(answer, "error", error->message);
	text = json_line(answer);
	framed = g_strconcat(text, "\n", NULL);
	free(text);
	if (send(caller->fd, framed, strlen(framed), MSG_NOSIGNAL) != (ssize_t)strlen(framed))
		caller->gone = TRUE;
}

static void
serve_lines(struct control_server *server, struct caller *caller)
{
	char *end;

	while (!caller->gone && (end = memchr(caller->input->str, '\n', caller->input->len))) {
		gsize length = (gsize)(end - caller->input->str);

		serve_line(server, caller, caller->input->str, length);
		g_string_erase(caller->input, 0, (gssize)length + 1);
	}
	if (caller->input->len > CONTROL_LINE_BYTES)
		caller->gone = TRUE;
}

static void
serve_caller(struct control_server *server, struct caller *caller)
{
	char bytes[READ_BYTES];
	gboolean ended = FALSE;
	ssize_t got = -1;

	while (!caller->gone && (got = recv(caller->fd, bytes, sizeof(bytes), 0)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		caller->heard_us = g_get_monotonic_time();
		ended = memchr(bytes, '\n', (gsize)got) != NULL;
		g_string_append_len(caller->input, bytes, got);
		if (ended || caller->input->len > CONTROL_LINE_BYTES)
			break;
	}
	if (!ended && (got == 0 || (got < 0 && errno != EAGAIN)))
		caller->gone = TRUE;
	serve_lines(server, caller);
}

void
control_server_serve(struct control_server *server)
{
	guint i = 0;

	make_room(server);
	accept_callers(server);
	while (i < server->callers->len) {
		struct caller *caller = g_ptr_array_index(server->callers, i);

		serve_caller(server, caller);
		if (caller->gone)
			g_ptr_array_remove_index(server->callers, i);
		else
			i++;
	}
}

void
control_server_free(struct control_server *server)
{
	if (!server)
		return;
	unlink(server->path);
	close(server->fd);
	g_ptr_array_unref(server->callers);
	g_free(server->path);
	g_free(server);
}
