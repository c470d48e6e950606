/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailtrace-milter - the supervisor: starts, watches, reloads and stops the
 * milter process and the scanner.
 *
 * One thread; owns the signals (libmilter swallows SIGHUP and SIGTERM in its
 * process), the configuration, the listening socket and the service manager's
 * protocol (sd_notify(3)).  It parses no message and talks to no MTA: what
 * dies is started anew, and connections wait in the socket's queue meanwhile.
 * Exit status: 0 stopped; 1 the milter process could not start; 2 wrong usage
 * or configuration, found before anything is opened.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gio/gio.h>
#include <systemd/sd-daemon.h>

#include "caps.h"
#include "listener.h"
#include "log.h"
#include "scanner_client.h"
#include "scanner_protocol.h"
#include "settings.h"
#include "supervision.h"

#define DEFAULT_CONFIG MAILTRACE_SYSCONFDIR "/mailtrace/mailtrace.conf"
#define EXIT_USAGE 2

/* A child that ends is started anew at once, then after a pause that doubles. */
#define PAUSE_FIRST_MS 100
#define PAUSE_MOST_MS 10000
#define STEADY_MS 10000 /* a child that lived this long ends the series */

#define MILTER_PROGRAM "milter"
#define SCANNER_PROGRAM "scanner"
#define SCANNER_END_MS 1000 /* to end by itself */
#define SCANNER_LOOK_MS 5

struct child {
	const char *program;
	pid_t pid; /* 0 while none runs */
	gint64 started_us;
	gint64 start_at_us; /* not before; while none runs */
	guint pause_ms;	    /* of the series of early ends */
};

struct supervisor {
	const char *config_path;
	gboolean to_stderr;
	GBytes *text; /* of the configuration that holds */
	struct settings *settings;
	int listen_fd;
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
	GBytes *new_text;      /* while reloading */
	struct settings *new_settings;
	gint64 stop_at_us; /* 0, or while stopping: when the milter process is killed */
	int status;	   /* to exit with */
};

static gint64
now_us(void)
{
	return g_get_monotonic_time();
}

/* ---- configuration ---- */

/* Reads and checks the configuration file; nothing is returned unless all of it holds. */
static gboolean
load_config(const char *path, GBytes **ret_text, struct settings **ret_settings, GError **error)
{
	g_autoptr(GString) text = settings_read_text(path, error);
	g_autoptr(settings_t) settings = NULL;

	if (!text)
		return FALSE;
	settings = settings_parse(path, text->str, text->len, error);
	if (!settings || !settings_check(settings, "milter", path, text->str, text->len, error))
		return FALSE;
	*ret_text = g_string_free_to_bytes(g_steal_pointer(&text));
	*ret_settings = g_steal_pointer(&settings);
	return TRUE;
}

static gboolean
send_config(int fd, const char *name, GBytes *text)
{
	g_autoptr(GByteArray) packet = g_byte_array_new();
	gsize length;
	const void *bytes = g_bytes_get_data(text, &length);

	g_byte_array_append(packet, (const guint8 *)name, (guint)strlen(name) + 1);
	g_byte_array_append(packet, bytes, (guint)length);
	return supervision_send(fd, SUPERVISION_CONFIG, packet->data, packet->len, -1);
}

/* ---- children ---- */

static char *
program_path(const char *program)
{
	const char *directory = secure_getenv("MAILTRACE_LIBEXEC_DIR");

	return g_build_filename(directory ? directory : MAILTRACE_LIBEXECDIR, program, NULL);
}

/* In the child: puts fds at SUPERVISION_FD and above, and leaves no other. */
static void
place_descriptors(const int *fds, guint n_fds)
{
	int high[2] = {-1, -1};

	for (guint i = 0; i < n_fds; i++)
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, SUPERVISION_FD + 16);
	for (guint i = 0; i < n_fds; i++)
		dup2(high[i], SUPERVISION_FD + (int)i);
	syscall(SYS_close_range, SUPERVISION_FD + n_fds, ~0U, 0);
}

/*
 * Starts a program, arguments[0], with fds (at most two) from descriptor 3 on;
 * FALSE if there is no process.
 */
static gboolean
spawn(struct supervisor *supervisor, struct child *child, char **arguments, const int *fds,
      guint n_fds)
{
	pid_t pid = fork();

	if (pid == 0) {
		place_descriptors(fds, n_fds);
		sigprocmask(SIG_SETMASK, &supervisor->former_signals, NULL);
		execv(arguments[0], arguments);
		_exit(127);
	}
	if (pid < 0) {
		log_event(LOG_LEVEL_ERROR, "fork-failed", "program", child->program, "error",
			  g_strerror(errno), NULL);
		child->start_at_us = now_us() + PAUSE_MOST_MS * G_TIME_SPAN_MILLISECOND;
		return FALSE;
	}
	child->pid = pid;
	child->started_us = now_us();
	return TRUE;
}

/* Plans the next start of a child that has ended. */
static void
plan_restart(struct child *child)
{
	gint64 now = now_us();

	if (now - child->started_us >= STEADY_MS * G_TIME_SPAN_MILLISECOND)
		child->pause_ms = 0;
	child->start_at_us = now + child->pause_ms * G_TIME_SPAN_MILLISECOND;
	child->pause_ms =
		child->pause_ms ? MIN(2 * child->pause_ms, PAUSE_MOST_MS) : PAUSE_FIRST_MS;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
start_scanner(struct supervisor *supervisor)
{
	guint workers = supervisor->settings->workers ? supervisor->settings->workers
						      : g_get_num_processors();
	g_autofree char *path = program_path(SCANNER_PROGRAM);
	const struct scanner_options options = {
		MIN(workers, SCANNER_WORKERS_MAX),
		supervisor->settings->scanner_temp_directory,
		supervisor->settings->scanner_database,
		supervisor->settings->scanner_passwords,
	};
	g_auto(GStrv) arguments = scanner_arguments(path, &options);
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		log_event(LOG_LEVEL_ERROR, "socketpair-failed", "error", g_strerror(errno), NULL);
		plan_restart(&supervisor->scanner);
		return;
	}
	close_fd(&supervisor->scanner_fd);
	if (spawn(supervisor, &supervisor->scanner, arguments, &ends[1], 1))
		supervisor->scanner_fd = ends[0];
	else
		close(ends[0]);
	close(ends[1]);
}

static void
start_milter(struct supervisor *supervisor)
{
	g_autofree char *path = program_path(supervisor->milter.program);
	char *arguments[] = {path, supervisor->to_stderr ? (char *)"--stderr" : NULL, NULL};
	int ends[2], fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		log_event(LOG_LEVEL_ERROR, "socketpair-failed", "error", g_strerror(errno), NULL);
		plan_restart(&supervisor->milter);
		return;
	}
	fds[0] = ends[1];
	fds[1] = supervisor->listen_fd;
	if (spawn(supervisor, &supervisor->milter, arguments, fds, 2)) {
		supervisor->control_fd = ends[0];
		supervisor->alive_us = now_us();
		send_config(ends[0], supervisor->config_path, supervisor->text);
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

static gboolean
is_due(const struct child *child)
{
	return child->pid == 0 && now_us() >= child->start_at_us;
}

static void
start_children(struct supervisor *supervisor)
{
	if (supervisor->stop_at_us == 0 && is_due(&supervisor->scanner))
		start_scanner(supervisor);
	if (supervisor->stop_at_us == 0 && is_due(&supervisor->milter))
		start_milter(supervisor);
	/* While stopping too: a message under way may wait for it. */
	hand_over_scanner(supervisor);
}

/* ---- reload ---- */

/* Keys whose change needs a restart: what they name is opened once. */
static void
warn_of_fixed(const struct settings *former, const struct settings *settings)
{
	const struct {
		const char *key, *before, *after;
	} fixed[] = {
		{"socket", former->socket, settings->socket},
		{"user", former->user, settings->user},
		{"spool directory", former->spool_directory, settings->spool_directory},
		{"collector", former->collector, settings->collector},
		{"sensor_key", former->sensor_key, settings->sensor_key},
		{"collector_public_key", former->collector_public_key,
		 settings->collector_public_key},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(fixed); i++)
		if (strcmp(fixed[i].before, fixed[i].after) != 0)
			log_event(LOG_LEVEL_WARNING, "restart-needed", "key", fixed[i].key,
				  "running", fixed[i].before, "configured", fixed[i].after, NULL);
}

/*
 * Signatures and passwords are read when a scanner starts: a reload asks for those that
 * there are now.
 */
static gboolean
needs_new_scanner(const struct settings *former, const struct settings *settings)
{
	return settings->workers != former->workers ||
	       strcmp(settings->scanner_temp_directory, former->scanner_temp_directory) != 0 ||
	       strcmp(settings->scanner_database, former->scanner_database) != 0 ||
	       *settings->scanner_database ||
	       strcmp(settings->scanner_passwords, former->scanner_passwords) != 0 ||
	       *settings->scanner_passwords;
}

/* Takes the new configuration for the one that holds. */
static void
adopt(struct supervisor *supervisor)
{
	gboolean new_scanner = needs_new_scanner(supervisor->settings, supervisor->new_settings);

	warn_of_fixed(supervisor->settings, supervisor->new_settings);
	settings_unref(supervisor->settings);
	g_bytes_unref(supervisor->text);
	supervisor->settings = g_steal_pointer(&supervisor->new_settings);
	supervisor->text = g_steal_pointer(&supervisor->new_text);
	/* A new scanner takes over when it can; the former one ends when it is let go of. */
	if (new_scanner) {
		supervisor->scanner.pid = 0;
		supervisor->scanner.start_at_us = 0;
	}
	log_event(LOG_LEVEL_NOTICE, "reloaded", "file", supervisor->config_path, NULL);
}

static void
refuse(struct supervisor *supervisor, const char *why)
{
	g_clear_pointer(&supervisor->new_text, g_bytes_unref);
	g_clear_pointer(&supervisor->new_settings, settings_unref);
	log_event(LOG_LEVEL_ERROR, "reload-refused", "error", why, "effect",
		  "the former configuration holds", NULL);
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
	if (!load_config(supervisor->config_path, &supervisor->new_text, &supervisor->new_settings,
			 &error))
		refuse(supervisor, error->message);
	else if (supervisor->control_fd < 0 ||
		 !send_config(supervisor->control_fd, supervisor->config_path,
			      supervisor->new_text))
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
		refuse(supervisor, why);
	else
		adopt(supervisor);
	sd_notify(0, "READY=1");
	if (supervisor->reload_again)
		reload(supervisor);
}

/* ---- the ends of children ---- */

static void
log_end(const struct child *child, int status, gboolean is_serving)
{
	g_autofree char *pid = g_strdup_printf("%d", (int)child->pid);
	g_autofree char *exit_status = NULL;
	const char *signal_name = NULL;

	if (WIFSIGNALED(status))
		signal_name = sigabbrev_np(WTERMSIG(status));
	else
		exit_status = g_strdup_printf("%d", WEXITSTATUS(status));
	log_event(LOG_LEVEL_ERROR, "process-ended", "program", child->program, "pid", pid, "signal",
		  signal_name, "status", exit_status, "next",
		  is_serving ? "started anew" : "given up", NULL);
}

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
		log_end(child, status, supervisor->ready);
	child->pid = 0;
	plan_restart(child);
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
	log_event(LOG_LEVEL_NOTICE, "ready", "socket", supervisor->settings->socket, NULL);
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
		log_event(LOG_LEVEL_ERROR, "process-hangs", "program", MILTER_PROGRAM, NULL);
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

/* ---- the start ---- */

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

/* libmilter needs a descriptor a connection, and we a memfd a message. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Becomes settings->user for good, when started as root. */
static gboolean
drop_privileges(const char *name, GError **error)
{
	const struct passwd *user;

	if (geteuid() != 0 || !*name)
		return TRUE;
	user = getpwnam(name);
	if (user && initgroups(user->pw_name, user->pw_gid) == 0 && setgid(user->pw_gid) == 0 &&
	    setuid(user->pw_uid) == 0)
		return TRUE;
	g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "user %s: %s", name,
		    user ? g_strerror(errno) : "no such user");
	return FALSE;
}

static int
run(struct supervisor *supervisor)
{
	g_autoptr(GError) error = NULL;

	raise_descriptor_limit();
	supervisor->listen_fd = listener_open(supervisor->settings, &error);
	if (supervisor->listen_fd < 0) {
		log_event(LOG_LEVEL_ERROR, "start-failed", "error", error->message, NULL);
		return EXIT_FAILURE;
	}
	if (drop_privileges(supervisor->settings->user, &error) && take_signals(supervisor)) {
		supervise(supervisor);
		close(supervisor->signal_fd);
	} else {
		log_event(LOG_LEVEL_ERROR, "start-failed", "error",
			  error ? error->message : g_strerror(errno), NULL);
		supervisor->status = EXIT_FAILURE;
	}
	listener_close(supervisor->listen_fd, supervisor->settings);
	return supervisor->status;
}

struct options {
	char *config_path;
	gboolean test, to_stderr, foreground, version;
};

static gboolean
parse_options(int *argc, char ***argv, struct options *options, GError **error)
{
	const GOptionEntry entries[] = {
		{"config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config_path,
		 "configuration file (" DEFAULT_CONFIG ")", "FILE"},
		{"test", 't', 0, G_OPTION_ARG_NONE, &options->test,
		 "check the configuration, open nothing, and end", NULL},
		{"stderr", 0, 0, G_OPTION_ARG_NONE, &options->to_stderr,
		 "write the log to standard error, not to syslog", NULL},
		{"foreground", 'f', 0, G_OPTION_ARG_NONE, &options->foreground,
		 "stay in the foreground, as it always does", NULL},
		{"version", 0, 0, G_OPTION_ARG_NONE, &options->version, "print the version", NULL},
		{0},
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);

	g_option_context_set_summary(
		context, "Records every message that an MTA hands it through the milter protocol.");
	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, argc, argv, error))
		return FALSE;
	if (*argc > 1)
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "unexpected argument \"%s\"; see --help", (*argv)[1]);
	return *argc <= 1;
}

/* Reads the configuration and serves, or only tells how it is. */
static int
run_with(const struct options *options)
{
	struct supervisor supervisor = {
		.config_path = options->config_path ? options->config_path : DEFAULT_CONFIG,
		/* Under systemd standard error is the journal. */
		.to_stderr = options->to_stderr || g_getenv("JOURNAL_STREAM"),
		.listen_fd = -1,
		.signal_fd = -1,
		.milter.program = MILTER_PROGRAM,
		.scanner.program = SCANNER_PROGRAM,
		.control_fd = -1,
		.scanner_fd = -1,
	};
	g_autoptr(GError) error = NULL;
	int status = EXIT_SUCCESS;

	if (!load_config(supervisor.config_path, &supervisor.text, &supervisor.settings, &error)) {
		fprintf(stderr, "mailtrace-milter: %s\n", error->message);
		return EXIT_USAGE;
	}
	if (options->test) {
		printf("%s: the configuration is good\n", supervisor.config_path);
	} else {
		log_open("mailtrace-milter",
			 supervisor.to_stderr ? LOG_TARGET_STDERR : LOG_TARGET_SYSLOG);
		status = run(&supervisor);
	}
	g_clear_pointer(&supervisor.new_text, g_bytes_unref);
	settings_unref(supervisor.new_settings);
	g_bytes_unref(supervisor.text);
	settings_unref(supervisor.settings);
	return status;
}

int
main(int argc, char **argv)
{
	struct options options = {0};
	g_autoptr(GError) error = NULL;
	int status;

	if (!parse_options(&argc, &argv, &options, &error)) {
		fprintf(stderr, "mailtrace-milter: %s\n", error->message);
		return EXIT_USAGE;
	}
	if (options.version) {
		printf("mailtrace-milter %s\n", PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	status = run_with(&options);
	g_free(options.config_path);
	return status;
}
