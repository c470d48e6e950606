/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fault_shim - lets tests/it/faults strike the milter and the collector from
 * within, at moments that nobody outside can see.  Preloaded (LD_PRELOAD);
 * steered by shared memory, so that the programs need no hook.
 *
 * FAULT_SHIM_CONTROL  file with a struct control; without it nothing is done
 * FAULT_SHIM_UNDO     folder: for each file of SQLite's, what its last writes
 *                     overwrote, until it is synced.  A power cut is played by
 *                     killing the programs and undoing the writes, newest first
 *
 * - At an armed phase the process stops itself (SIGSTOP) and says so; whoever
 *   armed it kills what is to be killed, and lets the others go on.
 * - A sync can fail with EIO, or be left out as a mistake would.
 * - Clocks can be moved: the time of day, and time that passes; sleep can be short.
 *
 * Workers of the scanner are left alone: their sandbox allows no call of ours.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

/* Not every program that loads this has ZeroMQ. */
#pragma weak zmq_msg_data

#define NS 1000000000LL
#define SENT_US 100000 /* ZeroMQ's thread has sent by then what it was given */

enum role { ROLE_NONE, ROLE_SUPERVISOR, ROLE_MILTER, ROLE_COLLECTOR, ROLE_READER };

/* shim.py has the same numbers. */
enum phase {
	BEFORE_SPOOL_COMMIT = 1, /* written, not synced */
	AFTER_SPOOL_COMMIT,
	BEFORE_REPLY,
	BATCH_SENT,
	BEFORE_REMOVAL, /* of what was acknowledged, from the spool */
	BEFORE_STORE_COMMIT,
	AFTER_STORE_COMMIT,
	BEFORE_ACK,
	AFTER_ACK,
};

enum place { PLACE_SPOOL = 1, PLACE_STORE = 2 };

/* shim.py has the same layout. */
struct control {
	_Atomic int64_t wall_ns;       /* added to the time of day */
	_Atomic int64_t steady_ns;     /* added to the time since the start */
	_Atomic int64_t supervisor_ns; /* the same, for the supervisor */
	_Atomic uint32_t armed;	       /* a phase, or 0 */
	_Atomic uint32_t skip;	       /* let it pass so often before */
	_Atomic uint32_t reached;      /* the phase at which a process has stopped */
	_Atomic uint32_t reached_pid;  /* the process */
	_Atomic uint32_t no_sync;      /* places whose syncs are left out */
	_Atomic uint32_t eio;	       /* places whose syncs fail */
	_Atomic uint32_t no_sleep;     /* who waits for a lock has waited */
};

/* What a write to a file took away; bytes follow. */
struct undo {
	int64_t offset;
	int64_t bytes;
	int64_t size; /* of the file */
};

static struct control *control;
static enum role role;
static atomic_int in_batch;    /* the collector has a batch that it has not acknowledged */
static atomic_int is_recorded; /* the milter has synced, and not yet answered */
static __thread int in_ack;    /* frames of an ACK are being sent */

static int (*next_clock)(clockid_t, struct timespec *);
static int (*next_zmq_send)(void *, const void *, size_t, int);
static int (*next_zmq_msg_recv)(zmq_msg_t *, void *, int);
static int (*next_cond_wait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);

/* ---- the beginning ---- */

static enum role
own_role(void)
{
	static const char *const names[] = {
		[ROLE_SUPERVISOR] = "mailtrace-milter",
		[ROLE_MILTER] = "milter",
		[ROLE_COLLECTOR] = "mailtrace-collect",
		[ROLE_READER] = "mailtrace", /* whose clock alone is moved */
	};

	for (size_t i = 1; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(program_invocation_short_name, names[i]) == 0)
			return (enum role)i;
	return ROLE_NONE;
}

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("FAULT_SHIM_CONTROL");
	void *map = MAP_FAILED;
	int fd;

	next_clock = dlsym(RTLD_NEXT, "clock_gettime");
	next_zmq_send = dlsym(RTLD_NEXT, "zmq_send");
	next_zmq_msg_recv = dlsym(RTLD_NEXT, "zmq_msg_recv");
	next_cond_wait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
	fd = path && own_role() != ROLE_NONE ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return;
	role = own_role();
	control = map;
}

/* ---- phases ---- */

static void
at_phase(enum phase phase)
{
	uint32_t wanted = phase;

	if (!control || atomic_load(&control->armed) != wanted)
		return;
	if (atomic_load(&control->skip) > 0) {
		atomic_fetch_sub(&control->skip, 1);
		return;
	}
	/* The first thread that comes; another may be here too. */
	if (!atomic_compare_exchange_strong(&control->armed, &wanted, 0))
		return;
	atomic_store(&control->reached_pid, (uint32_t)getpid());
	atomic_store(&control->reached, phase);
	raise(SIGSTOP);
}

/* ---- files ---- */

/* Finds whose file a descriptor is; ret_name is the last part of its path. */
static enum place
place_of(int fd, char ret_name[NAME_MAX + 1])
{
	char link[64], target[PATH_MAX];
	const char *name;
	ssize_t length;

	if (role != ROLE_MILTER && role != ROLE_COLLECTOR)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	name = strrchr(target, '/');
	if (!name || strlen(name) > NAME_MAX)
		return 0;
	strcpy(ret_name, name + 1);
	if (strstr(ret_name, "-shm"))
		return 0; /* memory; a power cut takes all of it */
	if (strncmp(ret_name, "spool.db", 8) == 0)
		return PLACE_SPOOL;
	return strncmp(ret_name, "mailtrace.db", 12) == 0 ? PLACE_STORE : 0;
}

static int
open_undo(const char *name, int flags)
{
	const char *folder = getenv("FAULT_SHIM_UNDO");
	char path[PATH_MAX];

	if (!folder)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
}

/* Before bytes from offset on are overwritten or cut off: keeps what is there. */
static void
keep(int fd, const char *name, int64_t offset, int64_t bytes)
{
	struct undo undo = {.offset = offset};
	struct stat status;
	int log = open_undo(name, O_WRONLY | O_APPEND | O_CREAT);
	struct iovec parts[2] = {{&undo, sizeof(undo)}};

	if (log < 0 || fstat(fd, &status) != 0)
		abort();
	undo.size = status.st_size;
	undo.bytes = status.st_size - offset < bytes ? status.st_size - offset : bytes;
	if (undo.bytes < 0)
		undo.bytes = 0;
	parts[1].iov_len = (size_t)undo.bytes;
	parts[1].iov_base = malloc(parts[1].iov_len + 1);
	if (syscall(SYS_pread64, fd, parts[1].iov_base, undo.bytes, offset) != undo.bytes ||
	    syscall(SYS_writev, log, parts, 2) != (ssize_t)sizeof(undo) + undo.bytes)
		abort();
	free(parts[1].iov_base);
	syscall(SYS_close, log);
}

static void
forget(const char *name)
{
	int log = open_undo(name, O_WRONLY | O_TRUNC);

	if (log >= 0)
		syscall(SYS_close, log);
}

ssize_t
pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
	char name[NAME_MAX + 1];

	if (control && place_of(fd, name))
		keep(fd, name, offset, (int64_t)size);
	return syscall(SYS_pwrite64, fd, bytes, size, offset);
}

ssize_t
pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	return pwrite64(fd, bytes, size, offset);
}

int
ftruncate64(int fd, off64_t size)
{
	char name[NAME_MAX + 1];

	if (control && place_of(fd, name))
		keep(fd, name, size, INT64_MAX);
	return (int)syscall(SYS_ftruncate, fd, size);
}

int
ftruncate(int fd, off_t size)
{
	return ftruncate64(fd, size);
}

int
unlink(const char *path)
{
	const char *name = strrchr(path, '/');

	if (control && name && (strstr(name, "/spool.db") || strstr(name, "/mailtrace.db")))
		forget(name + 1);
	return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

static int
sync_file(long number, int fd, enum place place, const char *name)
{
	int code;

	if (atomic_load(&control->eio) & place) {
		errno = EIO;
		return -1;
	}
	if (atomic_load(&control->no_sync) & place)
		return 0;
	code = (int)syscall(number, fd);
	if (code == 0)
		forget(name);
	return code;
}

static int
sync_at_phase(long number, int fd)
{
	char name[NAME_MAX + 1];
	enum place place = control ? place_of(fd, name) : 0;
	int is_commit, code;

	if (!place)
		return (int)syscall(number, fd);
	is_commit = strstr(name, "-wal") != NULL;
	if (is_commit && place == PLACE_SPOOL)
		at_phase(BEFORE_SPOOL_COMMIT);
	if (is_commit && place == PLACE_STORE && in_batch)
		at_phase(BEFORE_STORE_COMMIT);
	code = sync_file(number, fd, place, name);
	if (is_commit && place == PLACE_SPOOL) {
		at_phase(AFTER_SPOOL_COMMIT);
		is_recorded = 1;
	}
	if (is_commit && place == PLACE_STORE && in_batch)
		at_phase(AFTER_STORE_COMMIT);
	return code;
}

int
fsync(int fd)
{
	return sync_at_phase(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	return sync_at_phase(SYS_fdatasync, fd);
}

/* ---- what is said to the MTA ---- */

/* SMFIR_CONTINUE or SMFIR_ACCEPT: a length of one in four bytes, and the code. */
static void
note_answer(const void *bytes, size_t size)
{
	if (role != ROLE_MILTER || size != 5 || !is_recorded)
		return;
	if (memcmp(bytes, "\0\0\0\1c", 5) != 0 && memcmp(bytes, "\0\0\0\1a", 5) != 0)
		return;
	at_phase(BEFORE_REPLY);
	is_recorded = 0;
}

ssize_t
write(int fd, const void *bytes, size_t size)
{
	note_answer(bytes, size);
	return syscall(SYS_write, fd, bytes, size);
}

ssize_t
writev(int fd, const struct iovec *parts, int count)
{
	if (count > 0)
		note_answer(parts[0].iov_base, parts[0].iov_len);
	return syscall(SYS_writev, fd, parts, count);
}

/* ---- what is said on the bus ---- */

static int
is_word(const void *bytes, size_t size, const char *word)
{
	return size == strlen(word) && memcmp(bytes, word, size) == 0;
}

int
zmq_send(void *socket, const void *bytes, size_t size, int flags)
{
	int code;

	if (role == ROLE_COLLECTOR && is_word(bytes, size, "ACK")) {
		at_phase(BEFORE_ACK);
		in_ack = 1;
	}
	if (role == ROLE_MILTER && is_word(bytes, size, "BATCH"))
		in_batch = 1;
	code = next_zmq_send(socket, bytes, size, flags);
	if ((flags & ZMQ_SNDMORE) || !control)
		return code;
	if (role == ROLE_COLLECTOR && in_ack) {
		in_ack = 0;
		in_batch = 0;
		if (atomic_load(&control->armed) == AFTER_ACK)
			usleep(SENT_US);
		at_phase(AFTER_ACK);
	} else if (role == ROLE_MILTER && in_batch) {
		in_batch = 0;
		if (atomic_load(&control->armed) == BATCH_SENT)
			usleep(SENT_US);
		at_phase(BATCH_SENT);
	}
	return code;
}

int
zmq_msg_recv(zmq_msg_t *message, void *socket, int flags)
{
	int size = next_zmq_msg_recv(message, socket, flags);

	if (size <= 0)
		return size;
	if (role == ROLE_COLLECTOR && is_word(zmq_msg_data(message), (size_t)size, "BATCH"))
		in_batch = 1;
	if (role == ROLE_MILTER && is_word(zmq_msg_data(message), (size_t)size, "ACK"))
		at_phase(BEFORE_REMOVAL);
	return size;
}

/* ---- clocks ---- */

/* What is added to a clock, in nanoseconds. */
static int64_t
shift_of(clockid_t clock)
{
	if (!control)
		return 0;
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		return atomic_load(&control->wall_ns);
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
		return atomic_load(role == ROLE_SUPERVISOR ? &control->supervisor_ns
							   : &control->steady_ns);
	default:
		return 0;
	}
}

static void
shift(struct timespec *at, int64_t by_ns)
{
	int64_t ns = at->tv_nsec + by_ns % NS;

	at->tv_sec += by_ns / NS + (ns >= NS) - (ns < 0);
	at->tv_nsec = ns < 0 ? ns + NS : ns % NS;
}

int
clock_gettime(clockid_t clock, struct timespec *at)
{
	int code = next_clock ? next_clock(clock, at) : (int)syscall(SYS_clock_gettime, clock, at);

	if (code == 0)
		shift(at, shift_of(clock));
	return code;
}

int
gettimeofday(struct timeval *restrict at, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	at->tv_sec = now.tv_sec;
	at->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *at)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (at)
		*at = now.tv_sec;
	return now.tv_sec;
}

/* SQLite sleeps between two tries of a lock, and counts what it slept. */
int
nanosleep(const struct timespec *asked, struct timespec *left)
{
	if (control && atomic_load(&control->no_sleep))
		return 0;
	return (int)syscall(SYS_nanosleep, asked, left);
}

int
usleep(useconds_t us)
{
	const struct timespec asked = {us / 1000000, us % 1000000 * 1000L};

	return nanosleep(&asked, NULL);
}

/* A deadline that was made of a moved clock is for one that is not. */
int
pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
	struct timespec real = *until, now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	/* A time of day is far from a time since the start. */
	shift(&real, -shift_of(until->tv_sec > now.tv_sec + 10L * 365 * 86400 ? CLOCK_REALTIME
									      : CLOCK_MONOTONIC));
	return next_cond_wait(cond, mutex, &real);
}
