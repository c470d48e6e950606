/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "control.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONTROL_TIMEOUT_S 120 /* for an answer: a batch on a slow disk takes seconds */

G_DEFINE_QUARK(mailtrace_control_error, control_error)

gboolean
control_address(const char *path, struct sockaddr_un *ret_address, GError **error)
{
	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->sun_family = AF_UNIX;
	if (strlen(path) < sizeof(ret_address->sun_path)) {
		strcpy(ret_address->sun_path, path);
		return TRUE;
	}
	g_set_error(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED,
		    "%s is longer than a unix socket's path may be (%zu)", path,
		    sizeof(ret_address->sun_path) - 1);
	return FALSE;
}

char *
control_actor(guint uid)
{
	const struct passwd *user = getpwuid(uid);

	return user ? g_strdup_printf("uid=%u(%s)", uid, user->pw_name)
		    : g_strdup_printf("uid=%u", uid);
}

/* ---- the command line's side ---- */

struct control {
	int fd;
	char *path;
	GString *input;
};

void
control_free(struct control *control)
{
	if (!control)
		return;
	close(control->fd);
	g_free(control->path);
	g_string_free(control->input, TRUE);
	g_free(control);
}

static gboolean
set_connect_error(const char *path, int number, GError **error)
{
	if (number == ENOENT || number == ECONNREFUSED)
		g_set_error(error, CONTROL_ERROR, CONTROL_ERROR_ABSENT,
			    "no collector listens at %s", path);
	else if (number == EACCES)
		g_set_error(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED,
			    "%s: no permission; be a member of the collector's group", path);
	else
		g_set_error(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED, "%s: %s", path,
			    g_strerror(number));
	return FALSE;
}

struct control *
control_connect(const char *path, GError **error)
{
	struct timeval patience = {.tv_sec = CONTROL_TIMEOUT_S};
	struct sockaddr_un address;
	struct control *control;
	int fd;

	if (!control_address(path, &address, error))
		return NULL;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		set_connect_error(path, errno, error);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	control = g_new0(struct control, 1);
	control->fd = fd;
	control->path = g_strdup(path);
	control->input = g_string_new(NULL);
	return control;
}

static gboolean
set_lost(const struct control *control, GError **error)
{
	g_set_error(error, CONTROL_ERROR, CONTROL_ERROR_LOST,
		    "the collector at %s did not answer: %s", control->path,
		    errno ? g_strerror(errno) : "it closed the connection");
	return FALSE;
}

static gboolean
send_all(struct control *control, const char *text, gsize length, GError **error)
{
	while (length) {
		ssize_t sent = send(control->fd, text, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return set_lost(control, error);
		text += sent;
		length -= (gsize)sent;
	}
	return TRUE;
}

/* Reads one line of at most CONTROL_ANSWER_BYTES into control->input. */
static gboolean
receive_line(struct control *control, GError **error)
{
	char bytes[4096];

	g_string_truncate(control->input, 0);
	while (control->input->len < CONTROL_ANSWER_BYTES) {
		ssize_t got = recv(control->fd, bytes, sizeof(bytes), 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = 0;
		if (got <= 0)
			return set_lost(control, error);
		g_string_append_len(control->input, bytes, got);
		if (bytes[got - 1] == '\n')
			return TRUE;
	}
	errno = EMSGSIZE;
	return set_lost(control, error);
}

json_t *
control_call(struct control *control, const json_t *request, GError **error)
{
	g_autoptr(json_t) answer = NULL;
	char *line = json_line(request);
	g_autofree char *framed = g_strconcat(line, "\n", NULL);
	const char *why;

	free(line);
	if (!send_all(control, framed, strlen(framed), error) || !receive_line(control, error))
		return NULL;
	answer = json_parse_object(control->input->str, control->input->len);
	if (answer && json_is_true(json_object_get(answer, "ok")))
		return g_steal_pointer(&answer);
	why = json_get_text(answer, "error");
	g_set_error(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED, "the collector says: %s",
		    why ? why : "(nothing that could be read)");
	return NULL;
}

static json_t *
request_new(const char *operation)
{
	json_t *request = json_object();

	json_put_text(request, "op", operation);
	return request;
}

gboolean
control_audit(struct control *control, const struct store_audit *audit, GError **error)
{
	g_autoptr(json_t) request = request_new("audit");
	g_autoptr(json_t) answer = NULL;

	json_put_text(request, "tenant", audit->tenant);
	json_put_text(request, "verb", audit->verb);
	json_put_text(request, "arguments", audit->arguments);
	json_put_text(request, "case", audit->case_id);
	json_put_text(request, "reason", audit->reason);
	json_put_int(request, "results", audit->results);
	answer = control_call(control, request, error);
	return answer != NULL;
}

gboolean
control_ingest(struct control *control, const char *tenant, GPtrArray *events, guint64 *ret_added,
	       GError **error)
{
	g_autoptr(json_t) request = request_new("ingest");
	g_autoptr(json_t) answer = NULL;
	json_t *list = json_array();

	json_put_text(request, "tenant", tenant);
	for (guint i = 0; i < events->len; i++) {
		gsize length;
		const char *event = g_bytes_get_data(g_ptr_array_index(events, i), &length);

		json_array_append_new(list, json_stringn(event, length));
	}
	json_object_set_new(request, "events", list);
	answer = control_call(control, request, error);
	if (!answer)
		return FALSE;
	*ret_added = (guint64)json_get_int(answer, "added", 0);
	return TRUE;
}

gboolean
control_reload(struct control *control, GError **error)
{
	g_autoptr(json_t) request = request_new("reload");
	g_autoptr(json_t) answer = control_call(control, request, error);

	return answer != NULL;
}
