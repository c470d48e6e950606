/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "metrics_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include <gio/gio.h>

#include "caps.h"
#include "network.h"

#define TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define TIMEOUT_S 10

struct metrics_server {
	struct MHD_Daemon *daemon;
	metrics_text_fn text;
	void *data;
};

static enum MHD_Result
respond(struct MHD_Connection *connection, unsigned int status, const char *type, char *text)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	g_free(text);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
on_request(void *data, struct MHD_Connection *connection, const char *url, const char *method,
	   const char *version, const char *upload, size_t *upload_size, void **state)
{
	struct metrics_server *server = data;

	if (*upload_size > 0)
		return MHD_NO;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return respond(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain",
			       g_strdup("GET /metrics\n"));
	if (strcmp(url, "/metrics") != 0)
		return respond(connection, MHD_HTTP_NOT_FOUND, "text/plain",
			       g_strdup("It is at /metrics\n"));
	return respond(connection, MHD_HTTP_OK, TYPE, server->text(server->data));
}

/* Starts the daemon; its thread takes no signals, which are the program's. */
static struct MHD_Daemon *
start_daemon(struct metrics_server *server, const struct sockaddr *address)
{
	unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD;
	struct MHD_Daemon *daemon;
	sigset_t all, former;

	if (address->sa_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &former);
	daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, server, MHD_OPTION_SOCK_ADDR,
				  address, MHD_OPTION_CONNECTION_LIMIT,
				  (unsigned int)CAP_METRICS_CONNECTIONS,
				  MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)TIMEOUT_S,
				  MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				  (size_t)CAP_METRICS_REQUEST_BYTES, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &former, NULL);
	return daemon;
}

struct metrics_server *
metrics_server_start(const char *address, metrics_text_fn text, void *data, GError **error)
{
	g_autoptr(GSocketAddress) parsed = NULL;
	struct sockaddr_storage native = {0};
	struct metrics_server *server;

	if (!*address)
		return NULL;
	parsed = loopback_address(address);
	if (!parsed || !g_socket_address_to_native(parsed, &native, sizeof(native), error))
		return NULL;
	server = g_new0(struct metrics_server, 1);
	server->text = text;
	server->data = data;
	server->daemon = start_daemon(server, (const struct sockaddr *)&native);
	if (server->daemon)
		return server;
	g_free(server);
	g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
		    "metrics cannot be served at %s: %s; give another port", address,
		    g_strerror(errno));
	return NULL;
}

void
metrics_server_stop(struct metrics_server *server)
{
	if (!server)
		return;
	MHD_stop_daemon(server->daemon);
	g_free(server);
}
