/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * milterplay - plays messages through the milter protocol, as an MTA would.
 *
 * Prints one JSON line a message: what the filter answered and changed.  With
 * --total it repeats the messages over many connections and prints one line of
 * figures.  --stop-at gives a message up at any stage, by ABORT or by hanging
 * up.  Used by the whole-program tests, the benchmark and ./quickstart.
 */
#include <arpa/inet.h>
#include <glib.h>
#include <jansson.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "milter_wire.h"

/* A message file, taken apart once. */
struct mail {
	const char *path;
	GPtrArray *headers; /* of GBytes: name NUL value NUL, as SMFIC_HEADER has it */
	GBytes *body;
};

static struct {
	char *socket, *from, *helo, *client, *client_name, *queue_id, *stop_at, *stop_how, *mta;
	char **rcpts, **macros, **files;
	gint client_port, chunk, connections, total, per_connection, refuse, timeout;
	gint64 random_chunks;
	gboolean raw, no_leading_space, no_quarantine, no_newline;
} option = {.from = NULL, .chunk = WIRE_CHUNK_BYTES, .connections = 1, .per_connection = 1000000};

static const GOptionEntry entries[] = {
	{"socket", 's', 0, G_OPTION_ARG_STRING, &option.socket, "unix:/path or inet:port@host",
	 "ADDR"},
	{"from", 'f', 0, G_OPTION_ARG_STRING, &option.from, "envelope sender, with ESMTP arguments",
	 "ADDR"},
	{"rcpt", 'r', 0, G_OPTION_ARG_STRING_ARRAY, &option.rcpts, "envelope recipient (repeat)",
	 "ADDR"},
	{"helo", 0, 0, G_OPTION_ARG_STRING, &option.helo, "HELO name", "NAME"},
	{"client", 0, 0, G_OPTION_ARG_STRING, &option.client, "client address, or \"local\"", "IP"},
	{"client-name", 0, 0, G_OPTION_ARG_STRING, &option.client_name, "client name", "NAME"},
	{"client-port", 0, 0, G_OPTION_ARG_INT, &option.client_port, "client port", "N"},
	{"queue-id", 'q', 0, G_OPTION_ARG_STRING, &option.queue_id, "queue id; %d counts", "ID"},
	{"mta", 0, 0, G_OPTION_ARG_STRING, &option.mta, "postfix (default) or sendmail", "NAME"},
	{"macro", 'm', 0, G_OPTION_ARG_STRING_ARRAY, &option.macros, "macro at its stage (repeat)",
	 "STAGE:NAME=VALUE"},
	{"refuse", 0, 0, G_OPTION_ARG_INT, &option.refuse, "the MTA refuses the N-th recipient",
	 "N"},
	{"chunk", 0, 0, G_OPTION_ARG_INT, &option.chunk, "bytes of a body packet", "N"},
	{"random-chunks", 0, 0, G_OPTION_ARG_INT64, &option.random_chunks,
	 "cut the body anywhere, from this seed", "SEED"},
	{"stop-at", 0, 0, G_OPTION_ARG_STRING, &option.stop_at, "give up after this stage",
	 "STAGE"},
	{"stop-how", 0, 0, G_OPTION_ARG_STRING, &option.stop_how,
	 "abort (default), disconnect or quit", "HOW"},
	{"raw", 0, 0, G_OPTION_ARG_NONE, &option.raw, "send the body's line ends as they are",
	 NULL},
	{"no-newline", 0, 0, G_OPTION_ARG_NONE, &option.no_newline, "do not complete the last line",
	 NULL},
	{"no-leading-space", 0, 0, G_OPTION_ARG_NONE, &option.no_leading_space,
	 "an MTA without SMFIP_HDR_LEADSPC", NULL},
	{"no-quarantine", 0, 0, G_OPTION_ARG_NONE, &option.no_quarantine,
	 "an MTA that cannot quarantine", NULL},
	{"connections", 'c', 0, G_OPTION_ARG_INT, &option.connections,
	 "connections at once, with --total", "N"},
	{"total", 'n', 0, G_OPTION_ARG_INT, &option.total, "play this many messages, print figures",
	 "N"},
	{"per-connection", 0, 0, G_OPTION_ARG_INT, &option.per_connection,
	 "messages of one connection", "N"},
	{"timeout", 0, 0, G_OPTION_ARG_INT, &option.timeout, "seconds to wait for a reply (60)",
	 "N"},
	{G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &option.files, NULL, "FILE…"},
	{0},
};

static const char *const stage_names[WIRE_STAGES] = {"connect", "helo", "mail", "rcpt", "data",
						     "header",	"eoh",	"body", "eom"};

/* ---- a message file ---- */

static GBytes *
header_packet(const char *line, gsize length, gboolean leading_space)
{
	const char *colon = memchr(line, ':', length);
	GString *packet = g_string_new_len(line, colon - line);
	const char *value = colon + 1;
	const char *end = line + length;

	g_string_append_c(packet, '\0');
	if (!leading_space && value < end && *value == ' ')
		value++;
	for (; value < end; value++) {
		if (*value != '\r')
			g_string_append_c(packet, *value);
	}
	g_string_append_c(packet, '\0');
	return g_string_free_to_bytes(packet);
}

/* Returns the end of the field that starts at at: where the next unfolded line begins. */
static gsize
field_end(const char *text, gsize at, gsize length)
{
	do {
		const char *newline = memchr(text + at, '\n', length - at);
		at = newline ? (gsize)(newline - text) + 1 : length;
	} while (at < length && (text[at] == ' ' || text[at] == '\t'));
	return at;
}

/* An MTA takes the first line that is no field as the start of the body. */
static gboolean
is_field(const char *line, gsize length)
{
	gsize i = 0;

	while (i < length && line[i] > ' ' && line[i] != ':' && line[i] < 127)
		i++;
	return i > 0 && i < length && line[i] == ':';
}

static GBytes *
body_with_crlf(const char *text, gsize length)
{
	GString *body = g_string_sized_new(length + length / 32 + 2);

	for (gsize i = 0; i < length; i++) {
		if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'))
			g_string_append_c(body, '\r');
		g_string_append_c(body, text[i]);
	}
	/* SMTP's data ends in CR LF, whatever the file does. */
	if (!option.no_newline && body->len && body->str[body->len - 1] != '\n')
		g_string_append(body, "\r\n");
	return g_string_free_to_bytes(body);
}

static void
mail_free(gpointer data)
{
	struct mail *mail = data;

	g_ptr_array_unref(mail->headers);
	g_bytes_unref(mail->body);
	g_free(mail);
}

static struct mail *
mail_read(const char *path)
{
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	gsize length, at = 0;

	if (!g_file_get_contents(path, &text, &length, &error)) {
		fprintf(stderr, "milterplay: %s\n", error->message);
		exit(2);
	}
	struct mail *mail = g_new0(struct mail, 1);
	mail->path = path;
	mail->headers = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	while (at < length && is_field(text + at, length - at)) {
		gsize end = field_end(text, at, length);
		gsize stop = end;
		while (stop > at && (text[stop - 1] == '\n' || text[stop - 1] == '\r'))
			stop--;
		g_ptr_array_add(mail->headers,
				header_packet(text + at, stop - at, !option.no_leading_space));
		at = end;
	}
	if (at < length && text[at] == '\r')
		at++;
	if (at < length && text[at] == '\n')
		at++;
	mail->body = option.raw ? g_bytes_new(text + at, length - at)
				: body_with_crlf(text + at, length - at);
	return mail;
}

/* ---- one message on a connection ---- */

struct play {
	struct wire *wire;
	guint number; /* of the message, for the queue id */
	GRand *random;
	GError *error;
};

static gboolean
stops_at(enum wire_stage stage)
{
	return option.stop_at && !strcmp(option.stop_at, stage_names[stage]);
}

/* Adds the command line's macros of a stage to pairs, which has room for them. */
static void
send_macros(struct play *play, enum wire_stage stage, const char *const *pairs)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	g_autoptr(GPtrArray) owned = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *prefix = g_strconcat(stage_names[stage], ":", NULL);

	for (; pairs[0]; pairs++)
		g_ptr_array_add(all, (char *)pairs[0]);
	for (char **macro = option.macros; macro && *macro; macro++) {
		const char *equals = strchr(*macro, '=');
		if (!g_str_has_prefix(*macro, prefix) || !equals)
			continue;
		char *name = g_strndup(*macro + strlen(prefix), equals - *macro - strlen(prefix));
		g_ptr_array_add(owned, name);
		g_ptr_array_add(all, name);
		g_ptr_array_add(all, (char *)equals + 1);
	}
	/* A last name may have no value: then the list ends with its NULL and this one. */
	g_ptr_array_add(all, NULL);
	g_ptr_array_add(all, NULL);
	wire_macros(play->wire, stage, (const char *const *)all->pdata);
}

static gboolean
event(struct play *play, char command, const void *payload, gsize length, struct wire_reply *reply)
{
	return wire_event(play->wire, command, payload, length, reply, &play->error);
}

/* Sends an event whose reply can only be "go on"; anything else ends the message. */
static gboolean
plain_event(struct play *play, char command, const void *payload, gsize length,
	    struct wire_reply *ret_reply)
{
	if (!event(play, command, payload, length, ret_reply))
		return FALSE;
	return ret_reply->command == 0 || ret_reply->command == SMFIR_CONTINUE ||
	       ret_reply->command == SMFIR_SKIP;
}

static GByteArray *
connect_payload(void)
{
	GByteArray *payload = g_byte_array_new();
	const char *ip = option.client ? option.client : "192.0.2.25";
	const char *name = option.client_name ? option.client_name : "client.example";
	guint16 port = htons((guint16)(option.client_port ? option.client_port : 40025));

	g_byte_array_append(payload, (const guint8 *)name, (guint)strlen(name) + 1);
	if (!strcmp(ip, "local")) {
		g_byte_array_append(payload, (const guint8 *)"U", 1);
		return payload;
	}
	g_byte_array_append(payload, (const guint8 *)(strchr(ip, ':') ? "6" : "4"), 1);
	g_byte_array_append(payload, (const guint8 *)&port, sizeof(port));
	g_byte_array_append(payload, (const guint8 *)ip, (guint)strlen(ip) + 1);
	return payload;
}

static gboolean
is_sendmail(void)
{
	return option.mta && !strcmp(option.mta, "sendmail");
}

static gboolean
play_connect(struct play *play, struct wire_reply *ret_reply)
{
	const char *j[] = {"j",
			   "mx.example",
			   "{daemon_name}",
			   is_sendmail() ? "MTA" : "mx.example",
			   "v",
			   is_sendmail() ? NULL : "Postfix 3.7.11",
			   NULL};
	const char *none[] = {NULL};
	const char *helo = option.helo ? option.helo : "client.example";
	g_autoptr(GByteArray) payload = connect_payload();

	send_macros(play, WIRE_CONNECT, j);
	if (!plain_event(play, SMFIC_CONNECT, payload->data, payload->len, ret_reply))
		return FALSE;
	if (stops_at(WIRE_CONNECT))
		return TRUE;
	wire_reply_clear(ret_reply);
	send_macros(play, WIRE_HELO, none);
	return plain_event(play, SMFIC_HELO, helo, strlen(helo) + 1, ret_reply);
}

/* "a@b SIZE=1 BODY=8BITMIME" as arguments separated by NUL. */
static gboolean
play_path(struct play *play, char command, const char *typed, struct wire_reply *ret_reply)
{
	g_autofree char *payload = g_strdup(typed);
	gsize length = strlen(typed) + 1;

	g_strdelimit(payload, " ", '\0');
	return plain_event(play, command, payload, length, ret_reply);
}

static char *
queue_id(struct play *play)
{
	if (option.queue_id && !strchr(option.queue_id, '%'))
		return g_strdup(option.queue_id);
	return g_strdup_printf("4TEST%05u", play->number);
}

static gboolean
play_envelope(struct play *play, const char *id, struct wire_reply *ret_reply)
{
	const char *mail[] = {"{mail_addr}", option.from, is_sendmail() ? "i" : NULL, id, NULL};
	const char *none[] = {"i", id, NULL};
	const char *refused[] = {"{rcpt_mailer}",    "error", "{rcpt_host}", "5.1.1", "{rcpt_addr}",
				 "550 no such user", NULL};

	send_macros(play, WIRE_MAIL, mail);
	if (!play_path(play, SMFIC_MAIL, option.from ? option.from : "<sender@example.net>",
		       ret_reply))
		return FALSE;
	if (stops_at(WIRE_MAIL))
		return TRUE;
	for (gint i = 0; option.rcpts && option.rcpts[i]; i++) {
		gboolean refuse = option.refuse == i + 1;
		if (refuse && !(wire_steps(play->wire) & SMFIP_RCPT_REJ))
			continue;
		wire_reply_clear(ret_reply);
		/* Postfix has no queue id before the first recipient is accepted. */
		send_macros(play, WIRE_RCPT,
			    refuse		      ? refused
			    : i > 0 && !is_sendmail() ? none
						      : none + 2);
		if (!play_path(play, SMFIC_RCPT, option.rcpts[i], ret_reply))
			return FALSE;
	}
	return TRUE;
}

static gboolean
play_header(struct play *play, struct mail *mail, const char *id, struct wire_reply *ret_reply)
{
	const char *pairs[] = {"i", id, NULL};

	for (guint i = 0; i < mail->headers->len; i++) {
		gsize length;
		const void *payload = g_bytes_get_data(mail->headers->pdata[i], &length);
		wire_reply_clear(ret_reply);
		if (!plain_event(play, SMFIC_HEADER, payload, length, ret_reply))
			return FALSE;
	}
	if (stops_at(WIRE_HEADER))
		return TRUE;
	wire_reply_clear(ret_reply);
	send_macros(play, WIRE_END_OF_HEADER, is_sendmail() ? pairs + 2 : pairs);
	return plain_event(play, SMFIC_EOH, NULL, 0, ret_reply);
}

static gboolean
play_body(struct play *play, struct mail *mail, struct wire_reply *ret_reply)
{
	gsize length, at = 0;
	const guint8 *body = g_bytes_get_data(mail->body, &length);

	while (at < length) {
		gsize n = MIN(length - at, (gsize)option.chunk);
		if (play->random)
			n = (gsize)g_rand_int_range(play->random, 1, (gint32)n + 1);
		wire_reply_clear(ret_reply);
		if (!plain_event(play, SMFIC_BODY, body + at, n, ret_reply))
			return FALSE;
		if (ret_reply->command == SMFIR_SKIP)
			return TRUE;
		at += n;
	}
	return TRUE;
}

static gboolean
play_data(struct play *play, const char *id, struct wire_reply *ret_reply)
{
	const char *pairs[] = {"i", id, NULL};

	wire_reply_clear(ret_reply);
	send_macros(play, WIRE_DATA, is_sendmail() ? pairs + 2 : pairs);
	return plain_event(play, SMFIC_DATA, NULL, 0, ret_reply);
}

/*
 * Plays one message up to its end, or to the stage where it is to stop.
 * *ret_stopped: it was given up.  Returns FALSE when the filter ended it; then
 * ret_reply has its answer, or play->error what went wrong.
 */
static gboolean
play_message(struct play *play, struct mail *mail, struct wire_reply *ret_reply,
	     gboolean *ret_stopped)
{
	g_autofree char *id = queue_id(play);
	const char *end[] = {"i", id, "{msg_id}", is_sendmail() ? "<macro@example>" : NULL, NULL};

	*ret_stopped = TRUE;
	if (!play_envelope(play, id, ret_reply))
		return FALSE;
	if (stops_at(WIRE_MAIL) || stops_at(WIRE_RCPT))
		return TRUE;
	if (!play_data(play, id, ret_reply))
		return FALSE;
	if (stops_at(WIRE_DATA))
		return TRUE;
	if (!play_header(play, mail, id, ret_reply))
		return FALSE;
	if (stops_at(WIRE_HEADER) || stops_at(WIRE_END_OF_HEADER))
		return TRUE;
	if (!play_body(play, mail, ret_reply))
		return FALSE;
	if (stops_at(WIRE_BODY))
		return TRUE;
	*ret_stopped = FALSE;
	wire_reply_clear(ret_reply);
	send_macros(play, WIRE_END_OF_MESSAGE, end);
	return event(play, SMFIC_BODYEOB, NULL, 0, ret_reply);
}

/* ---- connections ---- */

static gboolean
open_play(struct play *play, struct wire_reply *ret_reply)
{
	guint32 actions = 0x1FF & ~(option.no_quarantine ? SMFIF_QUARANTINE : 0);
	guint32 steps = 0x1FFFFF & ~(option.no_leading_space ? SMFIP_HDR_LEADSPC : 0);

	play->wire = wire_connect(
		option.socket, (guint)(option.timeout ? option.timeout : 60) * 1000, &play->error);
	return play->wire && wire_negotiate(play->wire, actions, steps, &play->error) &&
	       play_connect(play, ret_reply);
}

static const char *
verdict_of(const struct wire_reply *reply)
{
	switch (reply->command) {
	case SMFIR_ACCEPT:
		return "accept";
	case SMFIR_CONTINUE:
		return "continue";
	case SMFIR_TEMPFAIL:
		return "tempfail";
	case SMFIR_REJECT:
		return "reject";
	case SMFIR_DISCARD:
		return "discard";
	case SMFIR_REPLYCODE:
		return "reply";
	default:
		return "none";
	}
}

static void
print_result(const char *path, const struct wire_reply *reply, gboolean stopped, GError *error)
{
	json_t *changes = json_array();

	for (guint i = 0; reply->changes && i < reply->changes->len; i++)
		json_array_append_new(changes, json_string(reply->changes->pdata[i]));
	json_t *line = json_pack("{s:s, s:s, s:s?, s:s?, s:o, s:s?}", "file", path, "verdict",
				 error					       ? "error"
				 : stopped && reply->command != SMFIR_TEMPFAIL ? "stopped"
									       : verdict_of(reply),
				 "text", reply->text, "quarantine", reply->quarantine, "changes",
				 changes, "error", error ? error->message : NULL);
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(line);
}

/* Gives the message up, and the connection with it if so asked. */
static void
give_up(struct play *play)
{
	struct wire_reply reply;

	if (!g_strcmp0(option.stop_how, "disconnect") || !g_strcmp0(option.stop_how, "quit")) {
		wire_close(play->wire, !strcmp(option.stop_how, "quit"));
		play->wire = NULL;
		return;
	}
	event(play, SMFIC_ABORT, NULL, 0, &reply);
	wire_reply_clear(&reply);
}

static int
play_files(GPtrArray *mails)
{
	struct play play = {.random = option.random_chunks
					      ? g_rand_new_with_seed((guint32)option.random_chunks)
					      : NULL};
	struct wire_reply reply = {0};
	int status = 0;

	for (guint i = 0; i < mails->len; i++) {
		struct mail *mail = mails->pdata[i];
		gboolean stopped = TRUE;
		play.number = i;
		if (!play.wire && !open_play(&play, &reply)) {
			/* refused at the connection, or broken */
		} else if (!stops_at(WIRE_CONNECT) && !stops_at(WIRE_HELO)) {
			wire_reply_clear(&reply);
			play_message(&play, mail, &reply, &stopped);
		}
		print_result(mail->path, &reply, stopped, play.error);
		status |= play.error ? 1 : 0;
		wire_reply_clear(&reply);
		if (play.error) {
			wire_close(play.wire, FALSE);
			play.wire = NULL;
		} else if (stopped && play.wire) {
			give_up(&play);
		}
		g_clear_error(&play.error);
	}
	wire_close(play.wire, TRUE);
	g_clear_pointer(&play.random, g_rand_free);
	return status;
}

/* ---- load ---- */

struct load {
	GPtrArray *mails;
	gint next;   /* number of the next message; atomic */
	gint failed; /* atomic */
	GMutex mutex;
	GArray *eom_us; /* of gint64: time from the message's start to its answer */
};

static gpointer
load_thread(gpointer data)
{
	struct load *load = data;
	struct play play = {0};
	struct wire_reply reply = {0};
	gint number, served = 0;
	gboolean stopped;

	while ((number = g_atomic_int_add(&load->next, 1)) < option.total) {
		struct mail *mail = load->mails->pdata[number % (gint)load->mails->len];
		gint64 start = g_get_monotonic_time();
		play.number = (guint)number;
		gboolean ok = (play.wire || open_play(&play, &reply));
		if (ok) {
			wire_reply_clear(&reply);
			ok = play_message(&play, mail, &reply, &stopped) &&
			     (reply.command == SMFIR_ACCEPT || reply.command == SMFIR_CONTINUE);
		}
		gint64 took = g_get_monotonic_time() - start;
		g_mutex_lock(&load->mutex);
		g_array_append_val(load->eom_us, took);
		g_mutex_unlock(&load->mutex);
		if (!ok) {
			g_atomic_int_inc(&load->failed);
			if (play.error)
				fprintf(stderr, "milterplay: %s\n", play.error->message);
		}
		wire_reply_clear(&reply);
		g_clear_error(&play.error);
		if (!ok || ++served % option.per_connection == 0) {
			wire_close(play.wire, ok);
			play.wire = NULL;
		}
	}
	wire_close(play.wire, TRUE);
	return NULL;
}

static int
compare_us(gconstpointer a, gconstpointer b)
{
	gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
	return x < y ? -1 : x > y;
}

static int
play_load(GPtrArray *mails)
{
	struct load load = {.mails = mails, .eom_us = g_array_new(FALSE, FALSE, sizeof(gint64))};
	g_autoptr(GPtrArray) threads = g_ptr_array_new();
	gint64 start = g_get_monotonic_time();

	g_mutex_init(&load.mutex);
	for (gint i = 0; i < option.connections; i++)
		g_ptr_array_add(threads, g_thread_new("play", load_thread, &load));
	for (guint i = 0; i < threads->len; i++)
		g_thread_join(threads->pdata[i]);
	double seconds = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
	g_array_sort(load.eom_us, compare_us);
#define PERCENTILE(p) \
	((double)g_array_index(load.eom_us, gint64, (load.eom_us->len - 1) * (p) / 100) / 1000)
	printf("{\"messages\":%d,\"failed\":%d,\"connections\":%d,\"seconds\":%.3f,"
	       "\"per_second\":%.1f,\"p50_ms\":%.2f,\"p95_ms\":%.2f,\"p99_ms\":%.2f}\n",
	       option.total, load.failed, option.connections, seconds, option.total / seconds,
	       PERCENTILE(50), PERCENTILE(95), PERCENTILE(99));
	g_array_unref(load.eom_us);
	return load.failed ? 1 : 0;
}

int
main(int argc, char **argv)
{
	g_autoptr(GOptionContext) context =
		g_option_context_new("FILE… - play messages through a milter");
	g_autoptr(GPtrArray) mails = g_ptr_array_new_with_free_func(mail_free);
	g_autoptr(GError) error = NULL;

	setlocale(LC_ALL, "");
	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error) || !option.socket ||
	    !option.files) {
		fprintf(stderr, "milterplay: %s\n",
			error ? error->message : "--socket and FILE are needed");
		return 2;
	}
	for (char **file = option.files; *file; file++)
		g_ptr_array_add(mails, mail_read(*file));
	return option.total ? play_load(mails) : play_files(mails);
}
