/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gio/gio.h>
#include <libmilter/mfdef.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FLUSH_BYTES (256 * 1024)
#define PACKET_MAX (2 * 1024 * 1024) /* a filter's reply; real ones are a few KB */

struct wire {
	int fd;
	guint timeout_ms;
	guint32 actions, steps;
	char *macros[WIRE_STAGES];
	GByteArray *out;
	GByteArray *in;
};

static int
connect_unix(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* "port@host" of an inet: address; the host must be numeric, as tests use loopback only. */
static int
connect_inet(const char *text)
{
	g_auto(GStrv) parts = g_strsplit(text, "@", 2);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	const char *host = parts[1] ? parts[1] : "127.0.0.1";

	if (getaddrinfo(host, parts[0], &hints, &found)) {
		errno = EINVAL;
		return -1;
	}
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) < 0) {
		int saved = errno;
		close(fd);
		errno = saved;
		fd = -1;
	}
	freeaddrinfo(found);
	return fd;
}

struct wire *
wire_connect(const char *address, guint timeout_ms, GError **error)
{
	int fd = -1;

	errno = EINVAL;
	if (g_str_has_prefix(address, "unix:"))
		fd = connect_unix(address + strlen("unix:"));
	else if (g_str_has_prefix(address, "inet:"))
		fd = connect_inet(address + strlen("inet:"));
	if (fd < 0) {
		g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "%s: %s", address,
			    g_strerror(errno));
		return NULL;
	}
	struct wire *wire = g_new0(struct wire, 1);
	wire->fd = fd;
	wire->timeout_ms = timeout_ms;
	wire->out = g_byte_array_new();
	wire->in = g_byte_array_new();
	return wire;
}

static gboolean
wait_for(struct wire *wire, short events, GError **error)
{
	struct pollfd poller = {.fd = wire->fd, .events = events};
	int ready = poll(&poller, 1, (int)wire->timeout_ms);

	if (ready > 0 || (ready < 0 && errno == EINTR))
		return TRUE;
	g_set_error(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "the filter did not answer in %u ms",
		    wire->timeout_ms);
	return FALSE;
}

gboolean
wire_flush(struct wire *wire, GError **error)
{
	gsize sent = 0;

	while (sent < wire->out->len) {
		if (!wait_for(wire, POLLOUT, error))
			return FALSE;
		ssize_t n = send(wire->fd, wire->out->data + sent, wire->out->len - sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno),
				    "sending to the filter: %s", g_strerror(errno));
			return FALSE;
		}
		if (n > 0)
			sent += (gsize)n;
	}
	g_byte_array_set_size(wire->out, 0);
	return TRUE;
}

static void
put_packet(struct wire *wire, char command, const void *payload, gsize length)
{
	guint32 size = htonl((guint32)length + 1);

	g_byte_array_append(wire->out, (const guint8 *)&size, sizeof(size));
	g_byte_array_append(wire->out, (const guint8 *)&command, 1);
	if (length)
		g_byte_array_append(wire->out, payload, (guint)length);
}

static gboolean
read_exactly(struct wire *wire, guint8 *bytes, gsize length, GError **error)
{
	gsize got = 0;

	while (got < length) {
		if (!wait_for(wire, POLLIN, error))
			return FALSE;
		ssize_t n = recv(wire->fd, bytes + got, length - got, 0);
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
			g_set_error(error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED,
				    "the filter closed the connection");
			return FALSE;
		}
		if (n > 0)
			got += (gsize)n;
	}
	return TRUE;
}

/* Reads one packet; its payload, without the command byte, is left in wire->in. */
static gboolean
get_packet(struct wire *wire, char *ret_command, GError **error)
{
	guint32 size;
	guint8 command;

	if (!read_exactly(wire, (guint8 *)&size, sizeof(size), error))
		return FALSE;
	size = ntohl(size);
	if (size < 1 || size > PACKET_MAX) {
		g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
			    "the filter sent a packet of %u bytes", size);
		return FALSE;
	}
	g_byte_array_set_size(wire->in, size - 1);
	if (!read_exactly(wire, &command, 1, error) ||
	    !read_exactly(wire, wire->in->data, size - 1, error))
		return FALSE;
	*ret_command = (char)command;
	return TRUE;
}

static guint32
get_u32(const guint8 *bytes)
{
	guint32 value;

	memcpy(&value, bytes, sizeof(value));
	return ntohl(value);
}

/* The lists after the flags: stage (u32), then the names, NUL-terminated. */
static void
take_macro_lists(struct wire *wire, const guint8 *bytes, gsize length)
{
	/* mfapi.h: SMFIM_CONNECT 0, HELO 1, ENVFROM 2, ENVRCPT 3, DATA 4, EOM 5, EOH 6 */
	static const enum wire_stage stages[] = {WIRE_CONNECT,	    WIRE_HELO, WIRE_MAIL,
						 WIRE_RCPT,	    WIRE_DATA, WIRE_END_OF_MESSAGE,
						 WIRE_END_OF_HEADER};

	while (length > 4) {
		guint32 stage = get_u32(bytes);
		gsize text = strnlen((const char *)bytes + 4, length - 4);
		if (stage < G_N_ELEMENTS(stages) && 4 + text < length) {
			g_free(wire->macros[stages[stage]]);
			wire->macros[stages[stage]] = g_strndup((const char *)bytes + 4, text);
		}
		gsize used = MIN(length, 4 + text + 1);
		bytes += used;
		length -= used;
	}
}

gboolean
wire_negotiate(struct wire *wire, guint32 actions, guint32 steps, GError **error)
{
	guint32 offer[3] = {htonl(6), htonl(actions), htonl(steps)};
	char command;

	put_packet(wire, SMFIC_OPTNEG, offer, sizeof(offer));
	if (!wire_flush(wire, error) || !get_packet(wire, &command, error))
		return FALSE;
	if (command != SMFIC_OPTNEG || wire->in->len < 12) {
		g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
			    "the filter did not negotiate");
		return FALSE;
	}
	wire->actions = get_u32(wire->in->data + 4);
	wire->steps = get_u32(wire->in->data + 8);
	if ((wire->actions & ~actions) || (wire->steps & ~steps)) {
		g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
			    "the filter asked for more than was offered");
		return FALSE;
	}
	take_macro_lists(wire, wire->in->data + 12, wire->in->len - 12);
	return TRUE;
}

guint32
wire_actions(const struct wire *wire)
{
	return wire->actions;
}

guint32
wire_steps(const struct wire *wire)
{
	return wire->steps;
}

const char *
wire_wanted_macros(const struct wire *wire, enum wire_stage stage)
{
	return wire->macros[stage];
}

/* "i" and "{i}" name the same macro; multi-letter names need the braces. */
static gboolean
is_wanted(const char *wanted, const char *name)
{
	if (!wanted)
		return TRUE;
	g_auto(GStrv) names = g_strsplit_set(wanted, " ,", -1);
	return g_strv_contains((const char *const *)names, name);
}

static const char stage_commands[WIRE_STAGES] = {SMFIC_CONNECT, SMFIC_HELO, SMFIC_MAIL,
						 SMFIC_RCPT,	SMFIC_DATA, SMFIC_HEADER,
						 SMFIC_EOH,	SMFIC_BODY, SMFIC_BODYEOB};

void
wire_macros(struct wire *wire, enum wire_stage stage, const char *const *pairs)
{
	g_autoptr(GByteArray) packet = g_byte_array_new();

	g_byte_array_append(packet, (const guint8 *)&stage_commands[stage], 1);
	for (; pairs[0]; pairs += 2) {
		if (!pairs[1] || !is_wanted(wire->macros[stage], pairs[0]))
			continue;
		g_byte_array_append(packet, (const guint8 *)pairs[0], (guint)strlen(pairs[0]) + 1);
		g_byte_array_append(packet, (const guint8 *)pairs[1], (guint)strlen(pairs[1]) + 1);
	}
	if (packet->len > 1)
		put_packet(wire, SMFIC_MACRO, packet->data, packet->len);
}

/* What the negotiation says of an event: not wanted at all, or wanted without a reply. */
static const struct {
	char command;
	guint32 unwanted, no_reply;
} event_steps[] = {
	{SMFIC_CONNECT, SMFIP_NOCONNECT, SMFIP_NR_CONN},
	{SMFIC_HELO, SMFIP_NOHELO, SMFIP_NR_HELO},
	{SMFIC_MAIL, SMFIP_NOMAIL, SMFIP_NR_MAIL},
	{SMFIC_RCPT, SMFIP_NORCPT, SMFIP_NR_RCPT},
	{SMFIC_DATA, SMFIP_NODATA, SMFIP_NR_DATA},
	{SMFIC_UNKNOWN, SMFIP_NOUNKNOWN, SMFIP_NR_UNKN},
	{SMFIC_HEADER, SMFIP_NOHDRS, SMFIP_NR_HDR},
	{SMFIC_EOH, SMFIP_NOEOH, SMFIP_NR_EOH},
	{SMFIC_BODY, SMFIP_NOBODY, SMFIP_NR_BODY},
};

static gboolean
is_final(char command)
{
	return strchr("catdrys4f", command) != NULL;
}

/* "insert 0 Name: value" and its like, from a packet that changes the message. */
static char *
describe_change(char command, const guint8 *bytes, gsize length)
{
	gboolean indexed = command == SMFIR_INSHEADER || command == SMFIR_CHGHEADER;
	const char *verb = command == SMFIR_INSHEADER	? "insert"
			   : command == SMFIR_CHGHEADER ? "change"
			   : command == SMFIR_ADDHEADER ? "add"
							: "other";
	gsize skip = indexed && length >= 4 ? 4 : 0;
	const char *name = (const char *)bytes + skip;
	gsize name_length = strnlen(name, length - skip);
	gsize rest = skip + name_length + 1;
	gsize value_length = rest < length ? strnlen((const char *)bytes + rest, length - rest) : 0;

	return g_strdup_printf("%s %u %.*s: %.*s", verb, skip ? get_u32(bytes) : 0,
			       (int)name_length, name, (int)value_length,
			       value_length ? (const char *)bytes + rest : "");
}

static void
take_reply(struct wire *wire, char command, struct wire_reply *reply)
{
	const char *text = (const char *)wire->in->data;

	if (command == SMFIR_QUARANTINE) {
		g_free(reply->quarantine);
		reply->quarantine = g_strndup(text, wire->in->len);
	} else if (command == SMFIR_REPLYCODE) {
		reply->text = g_strndup(text, wire->in->len);
	} else if (!is_final(command) && command != SMFIR_PROGRESS) {
		g_ptr_array_add(reply->changes,
				describe_change(command, wire->in->data, wire->in->len));
	}
}

static gboolean
read_reply(struct wire *wire, struct wire_reply *reply, GError **error)
{
	char command;

	do {
		if (!get_packet(wire, &command, error))
			return FALSE;
		take_reply(wire, command, reply);
	} while (!is_final(command));
	reply->command = command;
	return TRUE;
}

gboolean
wire_event(struct wire *wire, char command, const void *payload, gsize length,
	   struct wire_reply *ret_reply, GError **error)
{
	memset(ret_reply, 0, sizeof(*ret_reply));
	ret_reply->changes = g_ptr_array_new_with_free_func(g_free);
	for (gsize i = 0; i < G_N_ELEMENTS(event_steps); i++) {
		if (event_steps[i].command != command)
			continue;
		if (wire->steps & event_steps[i].unwanted)
			return TRUE;
		if (wire->steps & event_steps[i].no_reply) {
			put_packet(wire, command, payload, length);
			return wire->out->len < FLUSH_BYTES || wire_flush(wire, error);
		}
	}
	put_packet(wire, command, payload, length);
	if (!wire_flush(wire, error))
		return FALSE;
	return command == SMFIC_ABORT || read_reply(wire, ret_reply, error);
}

void
wire_reply_clear(struct wire_reply *reply)
{
	g_clear_pointer(&reply->text, g_free);
	g_clear_pointer(&reply->quarantine, g_free);
	g_clear_pointer(&reply->changes, g_ptr_array_unref);
}

void
wire_close(struct wire *wire, gboolean quit)
{
	if (!wire)
		return;
	if (quit)
		put_packet(wire, SMFIC_QUIT, NULL, 0);
	wire_flush(wire, NULL);
	close(wire->fd);
	for (int i = 0; i < WIRE_STAGES; i++)
		g_free(wire->macros[i]);
	g_byte_array_unref(wire->out);
	g_byte_array_unref(wire->in);
	g_free(wire);
}
