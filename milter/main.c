/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * milter - the milter process: libmilter, sessions, spool, publisher.
 *
 * usage: milter [--stderr], started by mailtrace-milter with the sockets of
 * supervision.h.  Never forks, never parses message bytes.  libmilter owns
 * SIGHUP, SIGTERM and SIGINT here; what the supervisor wants comes over the
 * control socket, to a thread of its own.  Exit status: 0; 1 when it could not
 * start; 2 wrong usage.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gio/gio.h>
#include <libmilter/mfapi.h>

#include "callbacks.h"
#include "engine.h"
#include "log.h"
#include "publisher.h"
#include "supervision.h"

struct process {
	struct engine *engine;
	struct spool *spool;
	struct scanner_client *scanner;
	struct publisher *publisher;
	GThread *control;
	atomic_bool ended;     /* smfi_main() has returned */
	gint64 drain_until_us; /* 0 before a stop; the control thread's */
};

/* Reads a configuration message: the file's name, NUL, its content. */
static struct settings *
settings_of(const struct supervision_message *message, GError **error)
{
	gsize length, name_length;
	const char *text = g_bytes_get_data(message->text, &length);

	name_length = text ? strnlen(text, length) : 0;
	if (name_length == length) {
		g_set_error(error, SETTINGS_ERROR, SETTINGS_ERROR_READ,
			    "the supervisor sent no configuration");
		return NULL;
	}
	return settings_parse(text, text + name_length + 1, length - name_length - 1, error);
}

/* Waits for the configuration, which comes first. */
static struct settings *
first_settings(GError **error)
{
	struct supervision_message message = {.fd = -1};
	struct settings *settings = NULL;

	if (supervision_receive(SUPERVISION_FD, -1, &message) == SUPERVISION_MESSAGE &&
	    message.kind == SUPERVISION_CONFIG)
		settings = settings_of(&message, error);
	else
		g_set_error(error, SETTINGS_ERROR, SETTINGS_ERROR_READ,
			    "the supervisor sent no configuration");
	supervision_message_clear(&message);
	return settings;
}

/* ---- the control thread ---- */

static void
reload(struct process *process, const struct supervision_message *message)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(settings_t) settings = settings_of(message, &error);

	if (settings && engine_set_settings(process->engine, settings, &error))
		supervision_send(SUPERVISION_FD, SUPERVISION_RELOADED, NULL, 0, -1);
	else
		supervision_send(SUPERVISION_FD, SUPERVISION_REFUSED, error->message,
				 MIN(strlen(error->message), SUPERVISION_TEXT_BYTES), -1);
}

/*
 * Puts a socket that nobody connects to in the listening socket's place, so
 * that libmilter accepts no more; new connections wait in the queue of the one
 * that the supervisor keeps.  libmilter has no call for this: smfi_stop() also
 * ends connections under way at their next command.
 */
static void
stop_accepting(void)
{
	const struct sockaddr_un nameless = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	/* An address of the family alone asks for one that is free (unix(7)). */
	if (bind(fd, (const struct sockaddr *)&nameless, sizeof(sa_family_t)) == 0 &&
	    listen(fd, 1) == 0)
		dup3(fd, SUPERVISION_LISTEN_FD, O_CLOEXEC);
	close(fd);
}

static void
begin_stop(struct process *process)
{
	if (process->drain_until_us != 0)
		return;
	process->drain_until_us =
		g_get_monotonic_time() + SUPERVISION_DRAIN_MS * G_TIME_SPAN_MILLISECOND;
	stop_accepting();
}

static gboolean
is_drained(struct process *process)
{
	return process->drain_until_us != 0 && (engine_connections(process->engine) == 0 ||
						g_get_monotonic_time() >= process->drain_until_us);
}

static void
on_message(struct process *process, struct supervision_message *message)
{
	switch (message->kind) {
	case SUPERVISION_CONFIG:
		reload(process, message);
		break;
	case SUPERVISION_SCANNER:
		if (message->fd >= 0)
			scanner_client_attach(process->scanner, message->fd);
		message->fd = -1;
		break;
	case SUPERVISION_STOP:
		begin_stop(process);
		break;
	default:
		break;
	}
}

/* How long to wait for the supervisor: shortly while draining. */
static int
wait_ms(const struct process *process)
{
	return process->drain_until_us != 0 ? 50 : SUPERVISION_ALIVE_MS;
}

/* Waits for what the supervisor says, shows signs of life, and ends libmilter. */
static gpointer
control_thread(gpointer data)
{
	struct process *process = data;
	gint64 alive_us = 0;

	while (!atomic_load(&process->ended) && !is_drained(process)) {
		struct supervision_message message = {.fd = -1};
		gint64 now_us = g_get_monotonic_time();

		if (now_us - alive_us >= SUPERVISION_ALIVE_MS * G_TIME_SPAN_MILLISECOND / 2) {
			supervision_send(SUPERVISION_FD, SUPERVISION_ALIVE, NULL, 0, -1);
			alive_us = now_us;
		}
		switch (supervision_receive(SUPERVISION_FD, wait_ms(process), &message)) {
		case SUPERVISION_MESSAGE:
			on_message(process, &message);
			supervision_message_clear(&message);
			break;
		case SUPERVISION_NOTHING:
			break;
		case SUPERVISION_END:
			begin_stop(process);
			g_usleep(50 * 1000); /* poll() says at once that it has ended */
			break;
		}
	}
	smfi_stop();
	return NULL;
}

/* ---- start and end ---- */

static gboolean
open_parts(struct process *process, struct settings *settings, GError **error)
{
	process->spool = spool_open(settings->spool_directory, settings->spool_max_bytes, error);
	if (!process->spool)
		return FALSE;
	process->scanner = scanner_client_new();
	process->engine = engine_new(settings, process->spool, process->scanner, error);
	if (!process->engine)
		return FALSE;
	process->publisher = publisher_start(process->engine, error);
	return process->publisher || !*settings->collector;
}

static gboolean
start_libmilter(struct process *process, const struct settings *settings, GError **error)
{
	g_autofree char *address = g_strdup_printf("fd:%d", SUPERVISION_LISTEN_FD);

	if (callbacks_register(process->engine) && smfi_setconn(address) == MI_SUCCESS &&
	    smfi_setbacklog((int)settings->backlog) == MI_SUCCESS)
		return TRUE;
	g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "libmilter refuses to start");
	return FALSE;
}

static gboolean
start(struct process *process, GError **error)
{
	g_autoptr(settings_t) settings = first_settings(error);

	return settings && open_parts(process, settings, error) &&
	       start_libmilter(process, settings, error);
}

/*
 * Ends the process.  smfi_main() does not wait for libmilter's threads: while
 * one of them has a session, the parts must stay where they are.  Every event
 * that was acknowledged to an MTA is on disk by then.
 */
static void
finish(struct process *process)
{
	publisher_stop(process->publisher, SUPERVISION_FLUSH_MS);
	if (process->engine && engine_connections(process->engine) > 0) {
		log_event(LOG_LEVEL_NOTICE, "connections-cut", NULL);
		_exit(EXIT_SUCCESS);
	}
	engine_free(process->engine);
	scanner_client_free(process->scanner);
	spool_close(process->spool);
}

static int
serve(struct process *process)
{
	int failure;

	process->control = g_thread_new("control", control_thread, process);
	supervision_send(SUPERVISION_FD, SUPERVISION_READY, NULL, 0, -1);
	failure = smfi_main();
	atomic_store(&process->ended, TRUE);
	g_thread_join(process->control);
	return failure == MI_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}

static gboolean
is_supervised(void)
{
	int type;
	socklen_t length = sizeof(type);

	return getsockopt(SUPERVISION_FD, SOL_SOCKET, SO_TYPE, &type, &length) == 0 &&
	       type == SOCK_SEQPACKET && fcntl(SUPERVISION_FD, F_SETFD, FD_CLOEXEC) == 0 &&
	       fcntl(SUPERVISION_LISTEN_FD, F_SETFD, FD_CLOEXEC) == 0;
}

int
main(int argc, char **argv)
{
	struct process process = {0};
	g_autoptr(GError) error = NULL;
	gboolean to_stderr = argc == 2 && strcmp(argv[1], "--stderr") == 0;
	int status = EXIT_FAILURE;

	log_open("mailtrace-milter", to_stderr ? LOG_TARGET_STDERR : LOG_TARGET_SYSLOG);
	if (!is_supervised()) {
		fprintf(stderr, "milter: started by mailtrace-milter, not by hand\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (start(&process, &error))
		status = serve(&process);
	else
		supervision_send(SUPERVISION_FD, SUPERVISION_FAILED, error->message,
				 MIN(strlen(error->message), SUPERVISION_TEXT_BYTES), -1);
	finish(&process);
	return status;
}
