/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "text.h"

#define COMPLAINT_BYTES 4096	     /* of standard error that is looked at */
#define LOOK_US 10000		     /* between two looks */
#define KILL_US (2 * G_USEC_PER_SEC) /* between asking it to end and ending it */

G_DEFINE_QUARK(mailtrace_subprocess_error, subprocess_error)

struct subprocess {
	char *name;
	GPid pid;
	int output_fd, complaint_fd;
};

/* Returns a file in memory that holds input, or /dev/null; -1 with errno. */
static int
input_fd_of(const char *input)
{
	int fd;

	if (!input)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = memfd_create("mailtrace-input", MFD_CLOEXEC);
	if (fd < 0)
		return -1;
	if (write(fd, input, strlen(input)) == (ssize_t)strlen(input) &&
	    lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	close(fd);
	return -1;
}

static gboolean
spawn(struct subprocess *process, const char *const *argv, const char *const *environment,
      int input_fd, GError **error)
{
	const GSpawnFlags flags = G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH;
	g_autoptr(GError) why = NULL;

	if (g_spawn_async_with_pipes_and_fds(NULL, argv, environment, flags, NULL, NULL, input_fd,
					     -1, -1, NULL, NULL, 0, &process->pid, NULL,
					     &process->output_fd, &process->complaint_fd, &why))
		return TRUE;
	g_set_error(error, SUBPROCESS_ERROR, SUBPROCESS_ERROR_START, "%s", why->message);
	return FALSE;
}

struct subprocess *
subprocess_start(const char *const *argv, const char *const *environment, const char *input,
		 GError **error)
{
	struct subprocess *process = g_new0(struct subprocess, 1);
	int input_fd = input_fd_of(input);
	gboolean started;

	if (input_fd < 0) {
		g_set_error(error, SUBPROCESS_ERROR, SUBPROCESS_ERROR_START, "%s: %s", argv[0],
			    g_strerror(errno));
		g_free(process);
		return NULL;
	}
	started = spawn(process, argv, environment, input_fd, error);
	close(input_fd);
	if (!started) {
		g_free(process);
		return NULL;
	}
	g_unix_set_fd_nonblocking(process->complaint_fd, TRUE, NULL);
	process->name = g_path_get_basename(argv[0]);
	return process;
}

int
subprocess_output(const struct subprocess *process)
{
	return process->output_fd;
}

/* Waits for the end until a time.  Returns whether it has ended. */
static gboolean
await(GPid pid, gint64 deadline_us, int *ret_status)
{
	struct pollfd ended = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	/* Without one (a full table of descriptors) it is looked at again and again. */
	gint64 pace_us = ended.fd >= 0 ? G_MAXINT : LOOK_US;
	siginfo_t info = {0};
	gint64 left_us;
	int got;

	do {
		left_us = CLAMP(deadline_us - g_get_monotonic_time(), 0, G_MAXINT);
		got = poll(&ended, 1, (int)(MIN(left_us, pace_us) / 1000 + 1));
		if (got == 0 && ended.fd < 0 &&
		    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    info.si_pid)
			got = 1;
	} while ((got < 0 && errno == EINTR) || (got == 0 && left_us > 0));
	if (ended.fd >= 0)
		close(ended.fd);
	if (got == 0)
		return FALSE;
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
	return TRUE;
}

/* Returns whether it ended by itself. */
static gboolean
reap(GPid pid, gint64 deadline_us, int *ret_status)
{
	if (await(pid, deadline_us, ret_status))
		return TRUE;
	kill(pid, SIGTERM); /* sudo(8) hands on this one, not SIGKILL */
	if (!await(pid, g_get_monotonic_time() + KILL_US, ret_status)) {
		kill(pid, SIGKILL);
		await(pid, G_MAXINT64, ret_status);
	}
	return FALSE;
}

/* Returns the last line that a program said on its standard error; never NULL. */
static char *
last_complaint(int fd)
{
	g_autofree char *text = NULL;
	char bytes[COMPLAINT_BYTES];
	ssize_t got = read(fd, bytes, sizeof(bytes));
	char *line;

	text = g_strchomp(text_from_bytes(bytes, (gsize)MAX(got, 0), sizeof(bytes), NULL));
	line = strrchr(text, '\n');
	return g_strdup(line ? line + 1 : text);
}

gboolean
subprocess_end(struct subprocess *process, gint64 deadline_us, GError **error)
{
	g_autofree char *complaint = NULL;
	gboolean by_itself;
	int status = 0;

	close(process->output_fd);
	by_itself = reap(process->pid, deadline_us, &status);
	complaint = last_complaint(process->complaint_fd);
	close(process->complaint_fd);
	if (!by_itself)
		g_set_error(error, SUBPROCESS_ERROR, SUBPROCESS_ERROR_TIMEOUT,
			    "%s did not end in time", process->name);
	else if (status != 0)
		g_set_error(error, SUBPROCESS_ERROR, SUBPROCESS_ERROR_FAILED,
			    "%s failed (%s %d)%s%s", process->name,
			    WIFEXITED(status) ? "status" : "signal",
			    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
			    *complaint ? ": " : "", complaint);
	g_spawn_close_pid(process->pid);
	g_free(process->name);
	g_free(process);
	return by_itself && status == 0;
}

gboolean
subprocess_run(const char *const *argv, const char *const *environment, const char *input,
	       gint64 deadline_us, GError **error)
{
	struct subprocess *process = subprocess_start(argv, environment, input, error);
	struct pollfd output;
	char bytes[4096];
	ssize_t got = 1;

	if (!process)
		return FALSE;
	/* Emptied, so that it does not end of a pipe that nobody reads. */
	output = (struct pollfd){.fd = process->output_fd, .events = POLLIN};
	while (got != 0 && g_get_monotonic_time() < deadline_us)
		if (poll(&output, 1, 100) > 0)
			got = MAX(read(output.fd, bytes, sizeof(bytes)), 0);
	return subprocess_end(process, deadline_us, error);
}

static void
own_session(gpointer unused)
{
	setsid();
}

gboolean
subprocess_leave(const char *const *argv, const char *const *environment, GError **error)
{
	const GSpawnFlags flags = G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL;

	/* Without G_SPAWN_DO_NOT_REAP_CHILD GLib forks twice: it is init's to reap. */
	return g_spawn_async(NULL, (char **)argv, (char **)environment, flags, own_session, NULL,
			     NULL, error);
}
