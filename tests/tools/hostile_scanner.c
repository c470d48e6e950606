/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile_scanner - the scanner with a worker that a message takes over.
 *
 * All of it is the product's own, but for mime_read() and answer_encode(), which
 * the linker wraps: a message with a field "X-Attack: NAME" has its worker do
 * that deed where a parser that was broken into would do it, inside the sandbox.
 * And timer_settime(), so that a worker's seconds of a processor are tenths of them.
 * What a deed came to goes to stderr, "attack NAME: …"; tests/it/attack.py reads
 * it.  Never installed.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "caps.h"
#include "mime.h"

#define FIELD "X-Attack: "
#define SECRET "the-secret-of-another-message"
#define FAST 10 /* times, that the clock of a worker's processor runs here */

struct record *__real_mime_read(const void *bytes, gsize length);
struct record *__wrap_mime_read(const void *bytes, gsize length);
GBytes *__real_answer_encode(const struct record *record, guint64 ticket);
GBytes *__wrap_answer_encode(const struct record *record, guint64 ticket);
void __real_scan_use_folder(const char *path);
void __wrap_scan_use_folder(const char *path);

int __real_timer_settime(timer_t timer, int flags, const struct itimerspec *most,
			 struct itimerspec *ret_former);
int __wrap_timer_settime(timer_t timer, int flags, const struct itimerspec *most,
			 struct itimerspec *ret_former);

static char *heap_begin;  /* before the first message */
static pid_t scanner_pid; /* the parent of every worker */
static char spool_path[1024], temp_path[1024];
static gboolean lies;	 /* from now on */
static char answers[32]; /* how the next answer is forged, or "" */

/* What cannot be looked up inside the sandbox. */
static void __attribute__((constructor)) look_around(void)
{
	const char *spool = getenv("MAILTRACE_ATTACK_SPOOL");

	heap_begin = sbrk(0);
	scanner_pid = getpid();
	g_strlcpy(spool_path, spool ? spool : "", sizeof(spool_path));
}

/* The folder that the worker may write to. */
void
__wrap_scan_use_folder(const char *path)
{
	g_snprintf(temp_path, sizeof(temp_path), "%s/filler", path);
	__real_scan_use_folder(path);
}

/* The worker's alarm: half a minute would be a minute and a half of a test. */
int
__wrap_timer_settime(timer_t timer, int flags, const struct itimerspec *most,
		     struct itimerspec *ret_former)
{
	struct itimerspec fast = *most;

	fast.it_value.tv_nsec = most->it_value.tv_sec % FAST * 1000000000 / FAST;
	fast.it_value.tv_sec = most->it_value.tv_sec / FAST;
	return __real_timer_settime(timer, flags, &fast, ret_former);
}

/* No buffer of stdio's: its bytes would be found in memory. */
static void
tell(const char *name, const char *what)
{
	dprintf(STDERR_FILENO, "attack %s: %s\n", name, what);
}

static void
tell_errno(const char *name, gboolean failed)
{
	tell(name, failed ? strerrorname_np(errno) : "done");
}

/* ---- deeds ---- */

static void
open_socket(const char *name)
{
	tell_errno(name, socket(AF_INET, SOCK_STREAM, 0) < 0);
}

static void
open_passwd(const char *name)
{
	tell_errno(name, openat(AT_FDCWD, "/etc/passwd", O_RDONLY) < 0);
}

static void
open_spool(const char *name)
{
	tell_errno(name, openat(AT_FDCWD, spool_path, O_RDONLY) < 0);
}

static void
open_spool_to_all(const char *name)
{
	tell_errno(name, chmod(spool_path, 0666) != 0);
}

/* The channel would have the kernel signal the scanner whenever a message comes. */
static void
signal_by_channel(const char *name)
{
	tell_errno(name, fcntl(STDERR_FILENO + 1, F_SETOWN, scanner_pid) != 0);
}

/* Directories deeper than the longest path, with one that nobody may enter, are left behind. */
static void
burrow(const char *name)
{
	int fd = mkdir(temp_path, 0700) == 0 ? openat(AT_FDCWD, temp_path, O_PATH | O_DIRECTORY)
					     : -1;

	for (gsize depth = 0; fd >= 0 && depth < PATH_MAX; depth += strlen("directory/")) {
		int below = mkdirat(fd, "directory", 0700) == 0
				    ? openat(fd, "directory", O_PATH | O_DIRECTORY)
				    : -1;

		close(fd);
		fd = below;
	}
	tell_errno(name, fd < 0 || mkdirat(fd, "closed", 0) != 0);
	abort();
}

static void
signal_parent(const char *name)
{
	tell_errno(name, kill(scanner_pid, SIGKILL) != 0);
}

static void
trace_parent(const char *name)
{
	tell_errno(name, ptrace(PTRACE_ATTACH, scanner_pid, NULL, NULL) != 0);
}

static void
fork_self(const char *name)
{
	tell_errno(name, fork() < 0);
}

static void
exec_shell(const char *name)
{
	char *const argv[] = {(char *)"/bin/sh", NULL};

	tell_errno(name, execv("/bin/sh", argv) != 0);
}

static void
fill_memory(const char *name)
{
	for (;;) {
		char *bytes = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (bytes == MAP_FAILED)
			break;
		bytes[0] = 1;
	}
	tell_errno(name, TRUE);
	abort();
}

static void
fill_file(const char *name)
{
	static char block[1 << 20];
	int fd = openat(AT_FDCWD, temp_path, O_CREAT | O_WRONLY, 0600);

	if (fd < 0) {
		tell_errno(name, TRUE);
		return;
	}
	while (write(fd, block, sizeof(block)) > 0)
		continue;
	tell_errno(name, TRUE);
}

static void
loop(const char *name)
{
	tell(name, "loops");
	for (volatile int i = 0;; i++)
		continue;
}

/* Uses so much of a processor as a message may use, and some more or less of it. */
static void
burn(int seconds)
{
	struct timespec used, start;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	while ((used.tv_sec - start.tv_sec) * 1000 + (used.tv_nsec - start.tv_nsec) / 1000000 <
	       seconds * 1000 / FAST);
}

static void
burn_nearly_all(const char *name)
{
	(void)name;
	burn(WORKER_CPU_SECONDS - 1);
}

static void
burn_beyond(const char *name)
{
	burn(WORKER_CPU_SECONDS + 1);
	tell(name, "lives");
}

/* One that catches the alarm of the sandbox cannot be written: no handler may be set. */
static void
stop_clock(const char *name)
{
	struct sigaction ignored = {.sa_handler = SIG_IGN};

	tell_errno(name, sigaction(SIGPROF, &ignored, NULL) != 0);
}

static gboolean
has_secret(const char *bytes, gsize length)
{
	return memmem(bytes, length, SECRET, strlen(SECRET)) != NULL;
}

/* A former message: behind ours in the packet, and in whatever was freed. */
static void
look_for_others(const char *name, const char *bytes, gsize length)
{
	if (has_secret(bytes + length, CAP_INLINE_BYTES - length))
		tell(name, "found in the packet");
	else if (has_secret(heap_begin, (char *)sbrk(0) - heap_begin))
		tell(name, "found in freed memory");
	else
		tell(name, "nothing");
}

static const struct {
	const char *name;
	void (*deed)(const char *name);
} deeds[] = {
	{"socket", open_socket},      {"passwd", open_passwd},
	{"spool", open_spool},	      {"signal", signal_parent},
	{"trace", trace_parent},      {"fork", fork_self},
	{"exec", exec_shell},	      {"memory", fill_memory},
	{"file", fill_file},	      {"loop", loop},
	{"clock", stop_clock},	      {"nearly", burn_nearly_all},
	{"beyond", burn_beyond},      {"mode", open_spool_to_all},
	{"owner", signal_by_channel}, {"burrow", burrow},
};

/* Copies the value of the field; FALSE if there is none. */
static gboolean
attack_of(const char *bytes, gsize length, char ret_name[32])
{
	const char *field = memmem(bytes, length, FIELD, strlen(FIELD));
	gsize n = 0;

	if (!field)
		return FALSE;
	for (field += strlen(FIELD); field < bytes + length && g_ascii_islower(*field) && n < 31;)
		ret_name[n++] = *field++;
	ret_name[n] = '\0';
	return TRUE;
}

struct record *
__wrap_mime_read(const void *bytes, gsize length)
{
	char name[32];

	if (lies)
		return __real_mime_read("Subject: nothing to see\r\n\r\n", 27);
	if (!attack_of(bytes, length, name))
		return __real_mime_read(bytes, length);
	for (gsize i = 0; i < G_N_ELEMENTS(deeds); i++)
		if (strcmp(deeds[i].name, name) == 0)
			deeds[i].deed(name);
	if (strcmp(name, "others") == 0)
		look_for_others(name, bytes, length);
	lies = strcmp(name, "liar") == 0;
	g_strlcpy(answers, name, sizeof(answers));
	return __real_mime_read(bytes, length);
}

/* ---- answers ---- */

static GBytes *
encode_flood(const struct record *record, guint64 ticket)
{
	g_autoptr(GBytes) honest = __real_answer_encode(record, ticket);
	gsize length = 0;
	const char *bytes = g_bytes_get_data(honest, &length);
	GByteArray *flood = g_byte_array_new();

	while (flood->len <= CAP_ANSWER_BYTES)
		g_byte_array_append(flood, (const guint8 *)bytes, (guint)length);
	return g_byte_array_free_to_bytes(flood);
}

GBytes *
__wrap_answer_encode(const struct record *record, guint64 ticket)
{
	char forged[32];

	g_strlcpy(forged, answers, sizeof(forged));
	answers[0] = '\0';
	if (strcmp(forged, "garbage") == 0)
		return g_bytes_new_static("garbage", 7);
	if (strcmp(forged, "ticket") == 0)
		return __real_answer_encode(record, ticket + 1);
	if (strcmp(forged, "flood") == 0)
		return encode_flood(record, ticket);
	return __real_answer_encode(record, ticket);
}
