/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scanner - loads what reading a message needs, then keeps sandboxed workers.
 *
 * usage: scanner WORKERS TEMP-DIRECTORY DATABASE PASSWORDS (each may be empty but the
 * first), with the control socket of scanner_protocol.h as
 * descriptor 3.  One thread; parses no message byte.  Ends at the end of the
 * control socket, and at SIGTERM: no worker is made any more, those at work
 * finish.  Exit status: 0; 1 when no worker can be made; 2 wrong usage.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib.h>

#include "digest.h"
#include "log.h"
#include "mime.h"
#include "password_list.h"
#include "passwords.h"
#include "scan.h"
#include "scanner_protocol.h"
#include "worker.h"
#include "worker_folder.h"

/*
 * A worker that ends by itself within EARLY_US has met something that the next
 * one may meet too.  After the third in a row there is a pause, doubled each
 * time; short at most, since hostile mail must not slow the mail of others.
 */
#define EARLY_US (1 * G_USEC_PER_SEC)
#define EARLY_DEATHS_FREE 3
#define PAUSE_FIRST_US (50 * 1000)
#define PAUSE_MOST_US (1 * G_USEC_PER_SEC)

struct worker_process {
	pid_t pid;
	guint32 number;
	gint64 started_us;
	gboolean given_up; /* the client has asked for another */
	char *folder;	   /* its temporary one, or NULL */
};

struct scanner {
	guint wanted;		    /* workers */
	const char *temp_directory; /* "" for none */
	GArray *workers;
	guint32 last_number;
	guint early_deaths; /* in a row */
	gint64 resume_us;   /* no fork before this */
	int signal_fd;
	sigset_t former_signals;
	gint64 drain_until_us; /* 0 while not draining */
	gboolean failed;       /* no worker can be made: end with status 1 */
};

/* ---- workers ---- */

static void
kill_all(struct scanner *scanner)
{
	for (guint i = 0; i < scanner->workers->len; i++)
		kill(g_array_index(scanner->workers, struct worker_process, i).pid, SIGKILL);
}

static void
drain(struct scanner *scanner)
{
	if (scanner->drain_until_us == 0)
		scanner->drain_until_us =
			g_get_monotonic_time() + WORKER_TIMEOUT_MS * G_TIME_SPAN_MILLISECOND;
}

/* Ends all at once, since no further worker would fare better. */
static void
fail(struct scanner *scanner, const char *what, const char *why)
{
	log_event(LOG_LEVEL_ERROR, "scanner-failed", "what", what, "error", why, NULL);
	scanner->failed = TRUE;
	drain(scanner);
	kill_all(scanner);
}

/* Returns a new folder for a worker; NULL, told once, if there can be none. */
static char *
make_folder(struct scanner *scanner)
{
	char *folder;

	if (!*scanner->temp_directory)
		return NULL;
	folder = worker_folder_make(scanner->temp_directory);
	if (folder)
		return folder;
	log_event(LOG_LEVEL_ERROR, "no-temporary-folder", "directory", scanner->temp_directory,
		  "error", g_strerror(errno), "effect",
		  "documents and installers are not looked into", NULL);
	scanner->temp_directory = "";
	return NULL;
}

static void
become_worker(struct scanner *scanner, int channel_fd, pid_t parent, const char *folder)
{
	prctl(PR_SET_NAME, "mailtrace-read", 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(EXIT_SUCCESS);
	/* Ours to end, not the service manager's: a message may be under way. */
	signal(SIGTERM, SIG_IGN);
	sigprocmask(SIG_SETMASK, &scanner->former_signals, NULL);
	worker_run(channel_fd, folder);
}

/* Hands our end of a channel to the client.  FALSE when there is no client any more. */
static gboolean
announce_worker(guint32 number, int channel_fd)
{
	struct scanner_control control = {SCANNER_CONTROL_WORKER, number};
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ancillary = {0};
	struct iovec part = {&control, sizeof(control)};
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &ancillary,
		.msg_controllen = sizeof(ancillary),
	};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&header);

	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(rights), &channel_fd, sizeof(int));
	return TEMP_FAILURE_RETRY(sendmsg(SCANNER_CONTROL_FD, &header, MSG_NOSIGNAL)) >= 0;
}

static void
add_worker(struct scanner *scanner, pid_t pid, char *folder)
{
	struct worker_process worker = {
		.pid = pid,
		.folder = folder,
		.number = ++scanner->last_number,
		.started_us = g_get_monotonic_time(),
	};

	g_array_append_val(scanner->workers, worker);
}

static void
fork_worker(struct scanner *scanner)
{
	pid_t self = getpid();
	char *folder;
	pid_t pid;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		fail(scanner, "socketpair", g_strerror(errno));
		return;
	}
	folder = make_folder(scanner);
	pid = fork();
	if (pid == 0)
		become_worker(scanner, ends[1], self, folder);
	close(ends[1]);
	if (pid < 0) {
		worker_folder_remove(folder);
		log_event(LOG_LEVEL_ERROR, "fork-failed", "error", g_strerror(errno), NULL);
		scanner->resume_us = g_get_monotonic_time() + PAUSE_MOST_US;
	} else {
		add_worker(scanner, pid, folder);
		if (!announce_worker(scanner->last_number, ends[0]))
			drain(scanner);
	}
	close(ends[0]);
}

static gboolean
may_fork(const struct scanner *scanner)
{
	return scanner->drain_until_us == 0 && scanner->workers->len < scanner->wanted &&
	       g_get_monotonic_time() >= scanner->resume_us;
}

/* ---- the ends of workers ---- */

static void
count_early_death(struct scanner *scanner)
{
	guint over;

	scanner->early_deaths++;
	if (scanner->early_deaths <= EARLY_DEATHS_FREE)
		return;
	over = MIN(scanner->early_deaths - EARLY_DEATHS_FREE - 1, 10);
	scanner->resume_us =
		g_get_monotonic_time() + MIN((gint64)PAUSE_FIRST_US << over, PAUSE_MOST_US);
}

static void
log_death(const struct worker_process *worker, int status)
{
	g_autofree char *pid = g_strdup_printf("%d", (int)worker->pid);
	g_autofree char *exit_status = NULL;
	const char *signal_name = NULL;

	if (WIFSIGNALED(status))
		signal_name = sigabbrev_np(WTERMSIG(status));
	else
		exit_status = g_strdup_printf("%d", WEXITSTATUS(status));
	log_event(LOG_LEVEL_WARNING, "worker-died", "pid", pid, "signal", signal_name, "status",
		  exit_status, NULL);
}

/*
 * A worker that was given up says nothing about the next: it was killed by us, or
 * a message ended it, and the client was quicker to notice than we.
 */
static void
judge_end(struct scanner *scanner, const struct worker_process *worker, int status)
{
	gint64 age_us = g_get_monotonic_time() - worker->started_us;
	gboolean in_order = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	gboolean killed_by_us =
		worker->given_up && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

	if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_EXIT_SANDBOX) {
		if (!scanner->failed)
			fail(scanner, "worker", "it cannot enter its sandbox");
		return;
	}
	if (!in_order && !killed_by_us && scanner->drain_until_us == 0)
		log_death(worker, status);
	if (!in_order && !worker->given_up && age_us < EARLY_US)
		count_early_death(scanner);
	else
		scanner->early_deaths = 0;
}

static void
reap(struct scanner *scanner)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (guint i = 0; i < scanner->workers->len; i++) {
			struct worker_process worker =
				g_array_index(scanner->workers, struct worker_process, i);

			if (worker.pid != pid)
				continue;
			g_array_remove_index_fast(scanner->workers, i);
			worker_folder_remove(worker.folder);
			judge_end(scanner, &worker, status);
			break;
		}
	}
}

/* ---- what comes in ---- */

static void
replace_worker(struct scanner *scanner, guint32 number)
{
	for (guint i = 0; i < scanner->workers->len; i++) {
		struct worker_process *worker =
			&g_array_index(scanner->workers, struct worker_process, i);

		if (worker->number != number)
			continue;
		worker->given_up = TRUE;
		kill(worker->pid, SIGKILL);
	}
}

static void
on_control(struct scanner *scanner)
{
	struct scanner_control control;
	ssize_t n = TEMP_FAILURE_RETRY(
		recv(SCANNER_CONTROL_FD, &control, sizeof(control), MSG_DONTWAIT));

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		drain(scanner);
	else if (n == sizeof(control) && control.kind == SCANNER_CONTROL_REPLACE)
		replace_worker(scanner, control.worker);
}

static void
on_signal(struct scanner *scanner)
{
	struct signalfd_siginfo info;

	if (read(scanner->signal_fd, &info, sizeof(info)) == sizeof(info) &&
	    info.ssi_signo == SIGTERM)
		drain(scanner);
	reap(scanner);
}

/* Returns how long poll() may wait: until the pause or the draining is over. */
static int
wait_ms(const struct scanner *scanner)
{
	gint64 until_us = 0;

	if (scanner->drain_until_us != 0)
		until_us = scanner->drain_until_us;
	else if (scanner->workers->len < scanner->wanted)
		until_us = scanner->resume_us;
	else
		return -1;
	until_us -= g_get_monotonic_time();
	return until_us <= 0 ? 0 : (int)MIN(until_us / 1000 + 1, WORKER_TIMEOUT_MS);
}

static void
wait_once(struct scanner *scanner)
{
	struct pollfd polled[] = {
		{.fd = scanner->signal_fd, .events = POLLIN},
		{.fd = scanner->drain_until_us == 0 ? SCANNER_CONTROL_FD : -1, .events = POLLIN},
	};

	if (poll(polled, G_N_ELEMENTS(polled), wait_ms(scanner)) <= 0)
		return;
	if (polled[0].revents != 0)
		on_signal(scanner);
	if (polled[1].revents != 0)
		on_control(scanner);
}

static void
run(struct scanner *scanner)
{
	while (scanner->drain_until_us == 0 || scanner->workers->len > 0) {
		while (may_fork(scanner))
			fork_worker(scanner);
		wait_once(scanner);
		if (scanner->drain_until_us != 0 &&
		    g_get_monotonic_time() >= scanner->drain_until_us) {
			kill_all(scanner);
			scanner->drain_until_us += G_USEC_PER_SEC;
		}
	}
}

/* ---- the start ---- */

/* Leaves the control socket and stderr; 0 and 1 are taken, so that nothing else gets them. */
static gboolean
take_descriptors(void)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd < 0)
		return FALSE;
	return dup2(null_fd, STDIN_FILENO) >= 0 && dup2(null_fd, STDOUT_FILENO) >= 0 &&
	       fcntl(SCANNER_CONTROL_FD, F_SETFD, FD_CLOEXEC) == 0 &&
	       syscall(SYS_close_range, SCANNER_CONTROL_FD + 1, ~0U, 0) == 0;
}

static gboolean
take_signals(struct scanner *scanner)
{
	sigset_t ours;

	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* a terminal's goes to the whole group; the client ends us */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&ours);
	sigaddset(&ours, SIGCHLD);
	sigaddset(&ours, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &ours, &scanner->former_signals) != 0)
		return FALSE;
	scanner->signal_fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	return scanner->signal_fd >= 0;
}

/*
 * Loads the engine.  A database that cannot be loaded must not keep mail from
 * being read: what is in files is told without one.
 */
static void
prepare_engine(const char *database)
{
	g_autoptr(GError) error = NULL;

	if (scan_preload(*database ? database : NULL, &error))
		return;
	log_event(LOG_LEVEL_ERROR, "no-signatures", "database", database, "error", error->message,
		  "remedy", "run freshclam and reload; files are recorded without matches", NULL);
	g_clear_error(&error);
	if (!scan_preload(NULL, &error))
		log_event(LOG_LEVEL_ERROR, "no-engine", "error", error->message, NULL);
}

/* Reads the site's passwords, which every worker then has; mail is read without them too. */
static void
prepare_passwords(const char *path)
{
	g_autoptr(GError) error = NULL;
	char **list = *path ? password_list_read(path, &error) : NULL;

	if (error)
		log_event(LOG_LEVEL_ERROR, "no-passwords", "file", path, "error", error->message,
			  "remedy", "mend the file and reload; encrypted zips stay closed", NULL);
	passwords_use_list((const char *const *)list);
}

/*
 * Workers stem from here: what is loaded now is shared by all of them.  Nobody
 * may look into us, since our memory is theirs.
 */
static gboolean
prepare(struct scanner *scanner, const char *database, const char *passwords, GError **error)
{
	if (!take_descriptors() || !take_signals(scanner) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s",
			    g_strerror(errno));
		return FALSE;
	}
	if (!digest_preload()) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSYS,
			    "libcrypto lacks MD5, SHA-1 or SHA-256; is a FIPS policy set?");
		return FALSE;
	}
	worker_folder_remove_left(scanner->temp_directory);
	prepare_engine(database);
	prepare_passwords(passwords);
	return mime_preload(error);
}

static gboolean
is_control_socket(int fd)
{
	int type;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

/*
 * What malloc() is to do, which glibc takes from the environment alone, so the
 * program begins again, once.  Huge pages: a worker that is led to touch much
 * memory (a 125-byte rar touches 1 GB) would else spend most of its time for it in
 * page faults.  What is freed is overwritten, at once, since a worker reads many
 * messages: one that takes it over is not to find those before.  Where it cannot
 * be, the program is slower and the worker's memory is not wiped.
 */
#define TUNABLES "glibc.malloc.hugetlb=1:glibc.malloc.perturb=90:glibc.malloc.tcache_count=0"

static void
begin_with_tunables(char **argv)
{
	g_autofree char *path = NULL;

	if (g_strcmp0(g_getenv("GLIBC_TUNABLES"), TUNABLES) == 0)
		return;
	path = g_file_read_link("/proc/self/exe", NULL);
	if (path && g_setenv("GLIBC_TUNABLES", TUNABLES, TRUE))
		execv(path, argv);
}

int
main(int argc, char **argv)
{
	struct scanner scanner = {0};
	guint64 wanted;
	g_autoptr(GError) error = NULL;

	begin_with_tunables(argv);
	log_open("mailtrace-scanner", LOG_TARGET_STDERR);
	if (argc != 5 ||
	    !g_ascii_string_to_unsigned(argv[1], 10, 1, SCANNER_WORKERS_MAX, &wanted, NULL) ||
	    !is_control_socket(SCANNER_CONTROL_FD)) {
		fprintf(stderr, "scanner: started by mailtrace's programs, not by hand\n");
		return 2;
	}
	scanner.temp_directory = argv[2];
	if (!prepare(&scanner, argv[3], argv[4], &error)) {
		log_event(LOG_LEVEL_ERROR, "scanner-failed", "error", error->message, NULL);
		return EXIT_FAILURE;
	}
	scanner.wanted = (guint)wanted;
	scanner.workers = g_array_new(FALSE, FALSE, sizeof(struct worker_process));
	run(&scanner);
	g_array_free(scanner.workers, TRUE);
	return scanner.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
