/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "caps.h"
#include "child.h"
#include "libexec.h"
#include "log.h"
#include "scanner_client.h"
#include "scanner_protocol.h"
#include "supervision.h"

#define SCANNER_END_MS 1000 /* to end by itself */
#define SCANNER_LOOK_MS 5

struct supervisor {
	struct configuration *configuration; /* borrowed */
	int listen_fd;
	gboolean to_stderr;
	int signal_fd;
	sigset_t former_signals;
	struct child milter;
	struct child scanner;
	int control_fd; /* to the milter process; -1 while none runs */
	int scanner_fd; /* of a scanner that the milter process has not got yet, or -1 */
	gint64 alive_us;
	gboolean ready;	       /* was once */
	gboolean reloading;    /* an answer of the milter process is awaited */
	gboolean reload_again; /* another was asked for meanwhile */
	gint64 stop_at_us;     /* 0, or while stopping: when the milter process is killed */
	int status;	       /* to exit with */
};

static gint64
now_us(void)
{
	return g_get_monotonic_time();
}

/* ---- children ---- */

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Makes the ends of a child's control socket, ours first; FALSE, with a pause, without one. */
static gboolean
make_control(struct child *child, int ends[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0)
		return TRUE;
	log_event(LOG_LEVEL_ERROR, "socketpair-failed", "error", g_strerror(errno), NULL);
	child_plan_restart(child);
	return FALSE;
}

static void
start_scanner(struct supervisor *supervisor)
{
	const struct settings *settings = supervisor->configuration->settings;
	guint workers = settings->workers ? settings->workers : g_get_num_processors();
	g_autofree char *path = libexec_path(supervisor->scanner.program);
	const struct scanner_options options = {
		MIN(workers, SCANNER_WORKERS_MAX),
		settings->scanner_temp_directory,
		settings->scanner_database,
		settings->scanner_passwords,
	};
	g_auto(GStrv) arguments = scanner_arguments(path, &options);
	int ends[2];

	if (!make_control(&supervisor->scanner, ends))
		return;
	close_fd(&supervisor->scanner_fd);
	if (child_start(&supervisor->scanner, arguments, &ends[1], 1, &supervisor->former_signals))
		supervisor->scanner_fd = ends[0];
	else
		close(ends[0]);
	close(ends[1]);
}

static void
start_milter(struct supervisor *supervisor)
{
	g_autofree char *path = libexec_path(supervisor->milter.program);
	char *arguments[] = {path, supervisor->to_stderr ? (char *)"--stderr" : NULL, NULL};
	int ends[2], fds[2];

	if (!make_control(&supervisor->milter, ends))
		return;
	fds[0] = ends[1];
	fds[1] = supervisor->listen_fd;
	if (child_start(&supervisor->milter, arguments, fds, 2, &supervisor->former_signals)) {
		supervisor->control_fd = ends[0];
		supervisor->alive_us = now_us();
		configuration_send(supervisor->configuration, ends[0]);
	} else {
		close(ends[0]);
	}
	close(ends[1]);
}

/*
 * Gives the milter process a scanner that it has not got yet, once that one has
 * announced a worker: until then the former reads on, since signatures may take long
 * to load.  One that ended before is followed by another.
 */
static void
hand_over_scanner(struct supervisor *supervisor)
{
	struct pollfd announced = {.fd = supervisor->scanner_fd, .events = POLLIN};

	if (supervisor->scanner_fd < 0 || supervisor->control_fd < 0 || poll(&announced, 1, 0) <= 0)
		return;
	if ((announced.revents & POLLHUP) ||
	    supervision_send(supervisor->control_fd, SUPERVISION_SCANNER, NULL, 0,
			     supervisor->scanner_fd))
		close_fd(&supervisor->scanner_fd);
}

static void
start_children(struct supervisor *supervisor)
{
	if (supervisor->stop_at_us == 0 && child_is_due(&supervisor->scanner))
		start_scanner(supervisor);
	if (supervisor->stop_at_us == 0 && child_is_due(&supervisor->milter))
		start_milter(supervisor);
	/* While stopping too: a message under way may wait for it. */
	hand_over_scanner(supervisor);
}

/* ---- reload ---- */

/* Takes the proposed configuration for the one that holds. */
static void
adopt(struct supervisor *supervisor)
{
	if (!configuration_adopt(supervisor->configuration))
		return;
	/* A new scanner takes over when it can; the former one ends when it is let go of. */
	supervisor->scanner.pid = 0;
	supervisor->scanner.start_at_us = 0;
}

/*
 * Reads the file anew and sends it to the milter process, whose answer comes
 * later; while none runs, the next one will get it.
 */
static void
reload(struct supervisor *supervisor)
{
	g_autoptr(GError) error = NULL;

	/* The answer that is awaited may be about an older file: read it again after that. */
	supervisor->reload_again = supervisor->reloading;
	if (supervisor->reloading || supervisor->stop_at_us != 0)
		return;
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, now_us());
	if (!configuration_propose(supervisor->configuration, &error))
		configuration_refuse(supervisor->configuration, error->message);
	else if (supervisor->control_fd < 0 ||
		 !configuration_send(supervisor->configuration, supervisor->control_fd))
		adopt(supervisor);
	else
		supervisor->reloading = TRUE;
	if (!supervisor->reloading)
		sd_notify(0, "READY=1");
}

/* Ends a reload: refused with the reason why, or adopted with NULL. */
static void
end_reload(struct supervisor *supervisor, const char *why)
{
	if (!supervisor->reloading)
		return;
	supervisor->reloading = FALSE;
	if (why)
		configuration_refuse(supervisor->configuration, why);
	else
		adopt(supervisor);
	sd_notify(0, "READY=1");
	if (supervisor->reload_again)
		reload(supervisor);
}

/* ---- the ends of children ---- */

/* The scanner serves that milter process alone, and goes with it. */
static void
on_milter_end(struct supervisor *supervisor)
{
	close_fd(&supervisor->control_fd);
	end_reload(supervisor, NULL);
	if (supervisor->scanner.pid > 0 && supervisor->scanner_fd < 0 &&
	    supervisor->stop_at_us == 0)
		kill(supervisor->scanner.pid, SIGKILL);
	if (!supervisor->ready && supervisor->stop_at_us == 0) {
		supervisor->status = EXIT_FAILURE;
		supervisor->stop_at_us = now_us();
	}
}

static void
on_child_end(struct supervisor *supervisor, struct child *child, int status)
{
	if (supervisor->stop_at_us == 0)
		child_log_end(child, status, supervisor->ready ? "started anew" : "given up");
	child->pid = 0;
	child_plan_restart(child);
	if (child == &supervisor->milter)
		on_milter_end(supervisor);
	else
		close_fd(&supervisor->scanner_fd);
}

static void
reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == supervisor->milter.pid)
			on_child_end(supervisor, &supervisor->milter, status);
		else if (pid == supervisor->scanner.pid)
			on_child_end(supervisor, &supervisor->scanner, status);
	}
}

/* ---- the milter process's messages ---- */

static void
on_ready(struct supervisor *supervisor)
{
	supervisor->ready = TRUE;
	log_event(LOG_LEVEL_NOTICE, "ready", "socket", supervisor->configuration->settings->socket,
		  NULL);
	sd_notify(0, "READY=1");
}

static void
on_alive(struct supervisor *supervisor)
{
	supervisor->alive_us = now_us();
	if (supervisor->scanner.pid > 0)
		sd_notify(0, "WATCHDOG=1");
}

static void
on_message(struct supervisor *supervisor, const struct supervision_message *message)
{
	g_autofree char *text = supervision_message_text(message);

	switch (message->kind) {
	case SUPERVISION_READY:
		on_ready(supervisor);
		break;
	case SUPERVISION_ALIVE:
		on_alive(supervisor);
		break;
	case SUPERVISION_RELOADED:
		end_reload(supervisor, NULL);
		break;
	case SUPERVISION_REFUSED:
		end_reload(supervisor, text);
		break;
	case SUPERVISION_FAILED:
		log_event(LOG_LEVEL_ERROR, "start-failed", "error", text, NULL);
		break;
	default:
		break;
	}
}

static void
on_control(struct supervisor *supervisor)
{
	struct supervision_message message = {.fd = -1};

	switch (supervision_receive(supervisor->control_fd, 0, &message)) {
	case SUPERVISION_MESSAGE:
		on_message(supervisor, &message);
		supervision_message_clear(&message);
		break;
	case SUPERVISION_NOTHING:
		break;
	case SUPERVISION_END:
		close_fd(&supervisor->control_fd);
		break;
	}
}

/* ---- the loop ---- */

static void
begin_stop(struct supervisor *supervisor)
{
	if (supervisor->stop_at_us != 0)
		return;
	sd_notify(0, "STOPPING=1");
	log_event(LOG_LEVEL_NOTICE, "stopping", NULL);
	supervisor->stop_at_us = now_us() + SUPERVISION_STOP_MS * G_TIME_SPAN_MILLISECOND;
	if (supervisor->control_fd >= 0)
		supervision_send(supervisor->control_fd, SUPERVISION_STOP, NULL, 0, -1);
}

static void
on_signal(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	while (read(supervisor->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(supervisor);
		else if (info.ssi_signo == SIGHUP)
			reload(supervisor);
		else
			begin_stop(supervisor);
	}
}

/* Kills a milter process that hangs, or does not end in time. */
static void
check_deadlines(struct supervisor *supervisor)
{
	gint64 silence_us = now_us() - supervisor->alive_us;

	if (supervisor->milter.pid == 0)
		return;
	if (supervisor->stop_at_us != 0 && now_us() >= supervisor->stop_at_us) {
		kill(supervisor->milter.pid, SIGKILL);
	} else if (silence_us >= SUPERVISION_SILENCE_MS * G_TIME_SPAN_MILLISECOND) {
		log_event(LOG_LEVEL_ERROR, "process-hangs", "program", supervisor->milter.program,
			  NULL);
		supervisor->alive_us = now_us();
		kill(supervisor->milter.pid, SIGKILL);
	}
}

static int
ms_until(gint64 at_us)
{
	gint64 left_us = at_us - now_us();

	return left_us <= 0 ? 0 : (int)MIN(left_us / 1000 + 1, SUPERVISION_ALIVE_MS);
}

static int
wait_ms(const struct supervisor *supervisor)
{
	int wait = SUPERVISION_ALIVE_MS;

	if (supervisor->stop_at_us != 0)
		return MIN(wait, ms_until(supervisor->stop_at_us) + 10);
	if (supervisor->milter.pid == 0)
		wait = MIN(wait, ms_until(supervisor->milter.start_at_us));
	if (supervisor->scanner.pid == 0)
		wait = MIN(wait, ms_until(supervisor->scanner.start_at_us));
	return wait;
}

static void
wait_once(struct supervisor *supervisor)
{
	struct pollfd waited[] = {
		{.fd = supervisor->signal_fd, .events = POLLIN},
		{.fd = supervisor->control_fd, .events = POLLIN},
		{.fd = supervisor->control_fd >= 0 ? supervisor->scanner_fd : -1, .events = POLLIN},
	};

	if (poll(waited, G_N_ELEMENTS(waited), wait_ms(supervisor)) <= 0)
		return;
	/* Messages first: the last words of a process stand before its end. */
	if (waited[1].revents)
		on_control(supervisor);
	else if (waited[0].revents)
		on_signal(supervisor);
}

/*
 * The milter process has let go of the scanner, which ends, and puts away what its
 * workers had; but not for long.
 */
static void
end_scanner(struct supervisor *supervisor)
{
	gint64 until_us = now_us() + SCANNER_END_MS * G_TIME_SPAN_MILLISECOND;

	close_fd(&supervisor->scanner_fd);
	while (supervisor->scanner.pid > 0 &&
	       waitpid(supervisor->scanner.pid, NULL, WNOHANG) == 0) {
		if (now_us() >= until_us)
			kill(supervisor->scanner.pid, SIGKILL);
		g_usleep(SCANNER_LOOK_MS * G_TIME_SPAN_MILLISECOND);
	}
}

static gboolean
take_signals(struct supervisor *supervisor)
{
	sigset_t ours;

	signal(SIGPIPE, SIG_IGN); /* whoever reads standard error may go, and come again */
	sigemptyset(&ours);
	sigaddset(&ours, SIGCHLD);
	sigaddset(&ours, SIGHUP);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	if (sigprocmask(SIG_BLOCK, &ours, &supervisor->former_signals) != 0)
		return FALSE;
	supervisor->signal_fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	return supervisor->signal_fd >= 0;
}

static void
supervise(struct supervisor *supervisor)
{
	while (supervisor->stop_at_us == 0 || supervisor->milter.pid > 0) {
		start_children(supervisor);
		wait_once(supervisor);
		check_deadlines(supervisor);
	}
	end_scanner(supervisor);
}

int
supervisor_run(struct configuration *configuration, int listen_fd, gboolean to_stderr)
{
	struct supervisor supervisor = {
		.configuration = configuration,
		.listen_fd = listen_fd,
		.to_stderr = to_stderr,
		.signal_fd = -1,
		.milter.program = "milter",
		.scanner.program = "scanner",
		.control_fd = -1,
		.scanner_fd = -1,
	};

	if (!take_signals(&supervisor)) {
		log_event(LOG_LEVEL_ERROR, "start-failed", "error", g_strerror(errno), NULL);
		return EXIT_FAILURE;
	}
	supervise(&supervisor);
	close(supervisor.signal_fd);
	return supervisor.status;
}
