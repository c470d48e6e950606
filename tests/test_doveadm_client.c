/* SPDX-License-Identifier: BSD-2-Clause */
#include "doveadm_client.h"

#include <criterion/criterion.h>
#include <gio/gio.h>
#include <stdlib.h>
#include <string.h>

#include "caps.h"
#include "http.h"

#define HEAD                                                                                      \
	"[[\"doveadmResponse\",[{\"mailbox\":\"INBOX\",\"mailbox-guid\":\"9077\",\"uid\":\"7\","  \
	"\"guid\":\"17.M1\",\"flags\":\"\",\"size.physical\":\"1\",\"hdr.message-id\":\"<a@x>\"," \
	"\"hdr.x-mailtrace-id\":\"\",\"text\":\"x\"}],\"mailtrace\"]]"
#define TIME_US (60 * G_USEC_PER_SEC)

/* A server on loopback that answers one request with a message and blanks after it. */
struct server {
	GSocketListener *listener;
	guint16 port;
	gsize bytes; /* of the answer's body */
	GThread *thread;
};

/* Reads a request to its end, as its Content-Length has it. */
static void
read_request(GDataInputStream *input)
{
	gsize length = 0;
	char *line;

	while ((line = g_data_input_stream_read_line(input, NULL, NULL, NULL)) && *line) {
		if (g_ascii_strncasecmp(line, "Content-Length:", 15) == 0)
			length = strtoul(line + 15, NULL, 10);
		g_free(line);
	}
	g_free(line);
	while (length-- > 0)
		g_data_input_stream_read_byte(input, NULL, NULL);
}

/* The client may hang up before the end. */
static void
write_answer(GOutputStream *output, gsize bytes)
{
	g_autofree char *head = g_strdup_printf(
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", bytes,
		HEAD);
	gsize left = bytes - strlen(HEAD);
	char blanks[65536];
	gboolean ok = g_output_stream_write_all(output, head, strlen(head), NULL, NULL, NULL);

	memset(blanks, ' ', sizeof(blanks));
	while (ok && left > 0) {
		gsize some = MIN(left, sizeof(blanks));

		ok = g_output_stream_write_all(output, blanks, some, NULL, NULL, NULL);
		left -= some;
	}
}

static gpointer
serve(gpointer data)
{
	struct server *server = data;
	g_autoptr(GSocketConnection) connection =
		g_socket_listener_accept(server->listener, NULL, NULL, NULL);
	g_autoptr(GDataInputStream) input =
		g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(connection)));

	g_data_input_stream_set_newline_type(input, G_DATA_STREAM_NEWLINE_TYPE_CR_LF);
	read_request(input);
	write_answer(g_io_stream_get_output_stream(G_IO_STREAM(connection)), server->bytes);
	return NULL;
}

static void
server_start(struct server *server, gsize bytes)
{
	g_autoptr(GInetAddress) loopback = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
	g_autoptr(GSocketAddress) any = g_inet_socket_address_new(loopback, 0), bound = NULL;

	server->bytes = bytes;
	server->listener = g_socket_listener_new();
	cr_assert(g_socket_listener_add_address(server->listener, any, G_SOCKET_TYPE_STREAM,
						G_SOCKET_PROTOCOL_TCP, NULL, &bound, NULL));
	server->port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound));
	server->thread = g_thread_new("server", serve, server);
}

static void
server_stop(struct server *server)
{
	g_thread_join(server->thread);
	g_object_unref(server->listener);
}

/* Finds or fetches a message in an answer of so many bytes; returns the error's code, or -1. */
static int
ask(gboolean fetches, gsize bytes)
{
	struct server server;
	g_autofree char *url = NULL;
	g_autoptr(doveadm_t) doveadm = NULL;
	g_autoptr(GError) error = NULL;
	const struct doveadm_call call = {"bob", g_get_monotonic_time() + TIME_US};
	const char *const query[] = {"all", NULL};
	const struct doveadm_mail place = {
		.mailbox_guid = (char *)"9077", .uid = (char *)"7", .guid = (char *)"17.M1"};
	gboolean found;

	server_start(&server, bytes);
	url = g_strdup_printf("http://127.0.0.1:%u/doveadm/v1", server.port);
	doveadm = doveadm_new(url, "", "key");
	if (fetches) {
		g_autoptr(doveadm_mail_t) mail = doveadm_fetch(doveadm, &call, &place, &error);

		found = mail != NULL;
	} else {
		g_autoptr(GPtrArray) mails = doveadm_find(doveadm, &call, query, FALSE, &error);

		found = mails && mails->len == 1;
	}
	server_stop(&server);
	cr_assert_eq(found, error == NULL, "%s", error ? error->message : "nothing was found");
	return error ? error->code : -1;
}

static void
init(void)
{
	cr_assert(http_init());
}

TestSuite(doveadm_client, .init = init, .timeout = 120);

Test(doveadm_client, a_list_is_read_to_its_cap)
{
	cr_expect_eq(ask(FALSE, CAP_DOVEADM_LIST_BYTES - 1), -1);
	cr_expect_eq(ask(FALSE, CAP_DOVEADM_LIST_BYTES), -1);
	cr_expect_eq(ask(FALSE, CAP_DOVEADM_LIST_BYTES + 1), DOVEADM_ERROR_TOO_LARGE);
}

Test(doveadm_client, a_message_is_read_to_its_cap)
{
	cr_expect_eq(ask(TRUE, CAP_DOVEADM_TEXT_BYTES - 1), -1);
	cr_expect_eq(ask(TRUE, CAP_DOVEADM_TEXT_BYTES), -1);
	cr_expect_eq(ask(TRUE, CAP_DOVEADM_TEXT_BYTES + 1), DOVEADM_ERROR_TOO_LARGE);
}
