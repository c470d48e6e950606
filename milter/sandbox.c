/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "caps.h"

/*
 * Highest descriptor that may be opened from now on: what is open keeps its number, what
 * arrives by SCM_RIGHTS gets the lowest free one, and 0 and 1 are free.
 */
#define SANDBOX_DESCRIPTORS 128 /* the engine holds one or two a level */

/*
 * Landlock by the number of its interface (landlock(7)): the header of Debian
 * 12 knows the first two, the running kernel may know more.
 */
#define LANDLOCK_FS_ABI1 G_GUINT64_CONSTANT(0x1fff) /* EXECUTE to MAKE_SYM */
#define LANDLOCK_FS_ABI2 G_GUINT64_CONSTANT(0x3fff) /* and REFER */
#define LANDLOCK_FS_ABI3 G_GUINT64_CONSTANT(0x7fff) /* and TRUNCATE */
#define LANDLOCK_FS_ABI5 G_GUINT64_CONSTANT(0xffff) /* and IOCTL_DEV */
#define LANDLOCK_NET_ABI4 G_GUINT64_CONSTANT(0x3)   /* BIND_TCP, CONNECT_TCP */
#define LANDLOCK_SCOPE_ABI6 G_GUINT64_CONSTANT(0x3) /* abstract unix sockets, signals */
#define LANDLOCK_FS_TEMP                                                \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	 LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |  \
	 LANDLOCK_ACCESS_FS_MAKE_DIR)

/* struct landlock_ruleset_attr as of interface 6; older kernels are given its head. */
struct landlock_ruleset {
	guint64 handled_access_fs;
	guint64 handled_access_net;
	guint64 scoped;
};

G_DEFINE_QUARK(mailtrace_sandbox_error, sandbox_error)

static gboolean
fail_system(GError **error, const char *what)
{
	int code = errno;

	g_set_error(error, SANDBOX_ERROR, SANDBOX_ERROR_SYSTEM, "%s: %s", what, g_strerror(code));
	return FALSE;
}

/* Closes everything but stderr and the two; an absent temp_fd is the channel twice. */
static gboolean
close_others(int channel_fd, int temp_fd, GError **error)
{
	guint keep[3] = {STDERR_FILENO, MIN(channel_fd, temp_fd), MAX(channel_fd, temp_fd)};
	guint from = 0;

	for (gsize i = 0; i < G_N_ELEMENTS(keep); i++) {
		if (keep[i] > from && syscall(SYS_close_range, from, keep[i] - 1, 0) != 0)
			return fail_system(error, "close_range");
		from = MAX(from, keep[i] + 1);
	}
	if (syscall(SYS_close_range, from, ~0U, 0) != 0)
		return fail_system(error, "close_range");
	return TRUE;
}

/* ---- limits ---- */

static gboolean
limit(int resource, rlim_t soft, rlim_t hard, GError **error)
{
	struct rlimit now;
	struct rlimit new;

	if (getrlimit(resource, &now) != 0)
		return fail_system(error, "getrlimit");
	new.rlim_max = MIN(hard, now.rlim_max);
	new.rlim_cur = MIN(soft, new.rlim_max);
	if (setrlimit(resource, &new) != 0)
		return fail_system(error, "setrlimit");
	return TRUE;
}

#ifndef MAILTRACE_SANITIZERS
/* Reads the sizes of the address space and of its writable private part, proc(5) statm. */
static gboolean
present_memory(rlim_t *ret_all, rlim_t *ret_data, GError **error)
{
	unsigned long all, data;
	FILE *file = fopen("/proc/self/statm", "re");
	gboolean found;

	if (file == NULL)
		return fail_system(error, "/proc/self/statm");
	found = fscanf(file, "%lu %*u %*u %*u %*u %lu", &all, &data) == 2;
	fclose(file);
	if (!found) {
		g_set_error(error, SANDBOX_ERROR, SANDBOX_ERROR_SYSTEM,
			    "/proc/self/statm: not in the form of proc(5)");
		return FALSE;
	}
	*ret_all = (rlim_t)all * sysconf(_SC_PAGESIZE);
	*ret_data = (rlim_t)data * sysconf(_SC_PAGESIZE);
	return TRUE;
}

/*
 * RLIMIT_DATA bounds what can be written to, RLIMIT_AS the whole, in which the
 * message is mapped too.  Both are told from what the scanner's preloading has
 * left, since that is shared and none of the message's doing.
 */
static gboolean
limit_memory(GError **error)
{
	rlim_t all, data;

	if (!present_memory(&all, &data, error))
		return FALSE;
	all += WORKER_MEMORY_BYTES + CAP_MESSAGE_BYTES;
	data += WORKER_MEMORY_BYTES;
	return limit(RLIMIT_DATA, data, data, error) && limit(RLIMIT_AS, all, all, error);
}
#else
/* A sanitizer's shadow is terabytes of address space. */
static gboolean
limit_memory(GError **error)
{
	return TRUE;
}
#endif

static gboolean
set_limits(int temp_fd, GError **error)
{
	rlim_t file_bytes = temp_fd >= 0 ? WORKER_TEMP_BYTES : RLIM_INFINITY;

	return limit_memory(error) && limit(RLIMIT_CORE, 0, 0, error) &&
	       limit(RLIMIT_NPROC, 0, 0, error) &&
	       limit(RLIMIT_FSIZE, file_bytes, file_bytes, error) &&
	       limit(RLIMIT_MEMLOCK, 0, 0, error) && limit(RLIMIT_MSGQUEUE, 0, 0, error) &&
	       limit(RLIMIT_NOFILE, SANDBOX_DESCRIPTORS, SANDBOX_DESCRIPTORS, error) &&
	       limit(RLIMIT_CPU, SANDBOX_CPU_SECONDS, SANDBOX_CPU_SECONDS, error);
}

/* ---- Landlock ---- */

static guint64
landlock_fs_rights(int abi)
{
	if (abi >= 5)
		return LANDLOCK_FS_ABI5;
	if (abi >= 3)
		return LANDLOCK_FS_ABI3;
	return abi == 2 ? LANDLOCK_FS_ABI2 : LANDLOCK_FS_ABI1;
}

static int
landlock_ruleset_new(int abi)
{
	struct landlock_ruleset rules = {.handled_access_fs = landlock_fs_rights(abi)};
	gsize size = sizeof(rules.handled_access_fs);

	if (abi >= 4) {
		rules.handled_access_net = LANDLOCK_NET_ABI4;
		size = offsetof(struct landlock_ruleset, scoped);
	}
	if (abi >= 6) {
		rules.scoped = LANDLOCK_SCOPE_ABI6;
		size = sizeof(rules);
	}
	return (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
}

static gboolean
landlock_allow_temp(int ruleset_fd, int temp_fd)
{
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = LANDLOCK_FS_TEMP,
		.parent_fd = temp_fd,
	};

	return syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &beneath,
		       0) == 0;
}

/* *ret_abi: 0 when this kernel has no Landlock, or it was not switched on at boot. */
static gboolean
enter_landlock(int temp_fd, int *ret_abi, GError **error)
{
	int abi =
		(int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	int ruleset_fd;
	gboolean done;

	if (abi <= 0) {
		*ret_abi = 0;
		return TRUE;
	}
	ruleset_fd = landlock_ruleset_new(abi);
	if (ruleset_fd < 0)
		return fail_system(error, "landlock_create_ruleset");
	done = (temp_fd < 0 || landlock_allow_temp(ruleset_fd, temp_fd)) &&
	       syscall(SYS_landlock_restrict_self, ruleset_fd, 0) == 0;
	if (!done)
		fail_system(error, "Landlock");
	close(ruleset_fd);
	if (done)
		*ret_abi = abi;
	return done;
}

/* ---- seccomp ---- */

/* Allowed with any argument. */
static const int plain_calls[] = {
	SCMP_SYS(close),			   /* of the message's file */
	SCMP_SYS(munmap),	 SCMP_SYS(mremap), /* keeps the protection that mmap gave */
	SCMP_SYS(brk),		 SCMP_SYS(madvise),
	SCMP_SYS(futex),	 SCMP_SYS(rt_sigprocmask), /* abort(3) */
	SCMP_SYS(rt_sigreturn),	 SCMP_SYS(restart_syscall),
	SCMP_SYS(getpid),	 SCMP_SYS(gettid),
	SCMP_SYS(clock_gettime), /* where the vDSO cannot tell the time */
	SCMP_SYS(getrusage),	 /* how much time unpacking took */
	SCMP_SYS(gettimeofday),	 SCMP_SYS(time),
	SCMP_SYS(getrandom),	 SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

/*
 * Refused, but not with death: libraries try these when they meet something
 * they have not loaded, such as a character set named by the message, and live
 * with the refusal.  If they killed, any mail could end the worker that reads
 * it and so pass unread.  Of chmod() Landlock knows nothing, so that any file of
 * our user could be made open to all; libclamav asks for it in cli_rmdirs() alone,
 * of folders that it made with the mode that it asks for.
 */
static const int refused_calls[] = {
	SCMP_SYS(open),	  SCMP_SYS(openat),	SCMP_SYS(access), SCMP_SYS(faccessat),
	SCMP_SYS(stat),	  SCMP_SYS(fstat),	SCMP_SYS(lstat),  SCMP_SYS(newfstatat),
	SCMP_SYS(statx),  SCMP_SYS(readlink),	SCMP_SYS(ioctl),  SCMP_SYS(sysinfo),
	SCMP_SYS(getcwd), SCMP_SYS(faccessat2), SCMP_SYS(statfs), SCMP_SYS(readlinkat),
	SCMP_SYS(chmod),  SCMP_SYS(fchmodat),
};

/* Besides, with a temporary folder; Landlock confines the paths to it. */
static const int temp_calls[] = {
	SCMP_SYS(openat),   SCMP_SYS(newfstatat), SCMP_SYS(read),	SCMP_SYS(write),
	SCMP_SYS(pread64),  SCMP_SYS(pwrite64),	  SCMP_SYS(lseek),	SCMP_SYS(ftruncate),
	SCMP_SYS(unlinkat), SCMP_SYS(mkdirat),	  SCMP_SYS(getdents64), SCMP_SYS(unlink),
	SCMP_SYS(mkdir),    SCMP_SYS(rmdir),	  SCMP_SYS(fstat),	SCMP_SYS(dup),
	SCMP_SYS(umask),
};

/*
 * Commands of fcntl() with a temporary folder: fdopendir() and fdopen() ask for the
 * first, libraries mark or double what they open with the others.  None that names a
 * process: with F_SETOWN, F_SETSIG and O_ASYNC the channel would send our parent a
 * signal of the worker's choice, which Landlock stops from interface 6 on only.  Nor
 * F_SETFL, since stderr is the parent's too.
 */
static const int descriptor_commands[] = {F_GETFL, F_GETFD, F_SETFD, F_DUPFD_CLOEXEC};

#ifdef MAILTRACE_SANITIZERS
/* What the run-time libraries of the sanitizers do; such builds are for tests alone. */
static const int sanitizer_calls[] = {
	SCMP_SYS(sigaltstack),
	SCMP_SYS(sched_yield),
	SCMP_SYS(getuid),
	SCMP_SYS(prctl),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(getppid),
	SCMP_SYS(prlimit64),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(getrlimit),
	SCMP_SYS(rseq),
};
#endif

static int
allow_all(scmp_filter_ctx filter, const int *calls, gsize n)
{
	int code = 0;

	for (gsize i = 0; i < n && code == 0; i++)
		code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return code;
}

static int
allow_on(scmp_filter_ctx filter, int call, int fd)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_A0_32(SCMP_CMP_EQ, fd));
}

static int
allow_commands(scmp_filter_ctx filter, int call, const int *commands, gsize n)
{
	int code = 0;

	for (gsize i = 0; i < n && code == 0; i++)
		code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
					SCMP_A1_32(SCMP_CMP_EQ, commands[i]));
	return code;
}

/*
 * Memory that is never executable, and never shared: a message may be a file
 * that was opened for writing, and must not be written through a mapping.
 */
static int
allow_memory(scmp_filter_ctx filter)
{
	int code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
				    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
				    SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_TYPE, MAP_PRIVATE));

	if (code == 0)
		code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
					SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return code;
}

static int
allow_own(scmp_filter_ctx filter, int channel_fd)
{
	int code;

	if ((code = allow_on(filter, SCMP_SYS(recvmsg), channel_fd)) != 0 ||
	    (code = allow_on(filter, SCMP_SYS(sendmsg), channel_fd)) != 0 ||
	    (code = allow_on(filter, SCMP_SYS(read), channel_fd)) != 0 ||
	    (code = allow_on(filter, SCMP_SYS(write), channel_fd)) != 0 ||
	    (code = allow_on(filter, SCMP_SYS(write), STDERR_FILENO)) != 0)
		return code;
	/* abort(3) signals the thread; no other process can be named. */
	code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				SCMP_A0_32(SCMP_CMP_EQ, (guint32)getpid()));
	/* Of the timers that it brought along. */
	if (code == 0)
		code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(timer_settime), 0);
	return code;
}

static int
allow_temp(scmp_filter_ctx filter)
{
	int code = allow_all(filter, temp_calls, G_N_ELEMENTS(temp_calls));

	return code != 0 ? code
			 : allow_commands(filter, SCMP_SYS(fcntl), descriptor_commands,
					  G_N_ELEMENTS(descriptor_commands));
}

/*
 * Refusals; a call that temp_calls allows is left out, since two actions for one are an
 * error.  Not with EACCES, which is Landlock's answer: which of the two stopped a worker
 * can be told.
 */
static int
refuse(scmp_filter_ctx filter, gboolean has_temp)
{
	int code = 0;

	for (gsize i = 0; i < G_N_ELEMENTS(refused_calls) && code == 0; i++) {
		gboolean allowed = refused_calls[i] == SCMP_SYS(openat) ||
				   refused_calls[i] == SCMP_SYS(fstat) ||
				   refused_calls[i] == SCMP_SYS(newfstatat);

		if (!(has_temp && allowed))
			code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), refused_calls[i], 0);
	}
	return code;
}

static int
add_rules(scmp_filter_ctx filter, int channel_fd, gboolean has_temp)
{
	int code;

	if ((code = allow_all(filter, plain_calls, G_N_ELEMENTS(plain_calls))) != 0 ||
	    (code = allow_memory(filter)) != 0 || (code = allow_own(filter, channel_fd)) != 0 ||
	    (code = refuse(filter, has_temp)) != 0)
		return code;
#ifdef MAILTRACE_SANITIZERS
	code = allow_all(filter, sanitizer_calls, G_N_ELEMENTS(sanitizer_calls));
	if (code != 0)
		return code;
#endif
	return has_temp ? allow_temp(filter) : 0;
}

static int
load_filter(scmp_filter_ctx filter, int channel_fd, gboolean has_temp)
{
	int code;

	/* Calls of another architecture, x32 and i386, end the process like any unlisted one. */
	code = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (code == 0)
		code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	if (code == 0)
		code = add_rules(filter, channel_fd, has_temp);
	return code == 0 ? seccomp_load(filter) : code;
}

static gboolean
enter_seccomp(int channel_fd, gboolean has_temp, GError **error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int code;

	if (filter == NULL) {
		g_set_error(error, SANDBOX_ERROR, SANDBOX_ERROR_UNSUPPORTED,
			    "seccomp: the kernel cannot kill a process on a forbidden call");
		return FALSE;
	}
	code = load_filter(filter, channel_fd, has_temp);
	seccomp_release(filter);
	if (code != 0) {
		g_set_error(error, SANDBOX_ERROR, SANDBOX_ERROR_UNSUPPORTED,
			    "seccomp: the filter cannot be loaded: %s", g_strerror(-code));
		return FALSE;
	}
	return TRUE;
}

/* PR_SET_DUMPABLE: no core file, no /proc/PID for others of our user, no ptrace by them. */
static gboolean
drop_privileges(GError **error)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return fail_system(error, "prctl(PR_SET_NO_NEW_PRIVS)");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return fail_system(error, "prctl(PR_SET_DUMPABLE)");
	return TRUE;
}

gboolean
sandbox_enter(int channel_fd, int temp_fd, struct sandbox_walls *ret_walls, GError **error)
{
	struct sandbox_walls walls = {FALSE, 0, FALSE};
	int keep_fd = temp_fd >= 0 ? temp_fd : channel_fd;

	g_return_val_if_fail(channel_fd > STDERR_FILENO, FALSE);
	if (!close_others(channel_fd, keep_fd, error) || !set_limits(temp_fd, error))
		return FALSE;
	walls.limits = TRUE;
	if (!drop_privileges(error) || !enter_landlock(temp_fd, &walls.landlock_abi, error))
		return FALSE;
	/* Without Landlock nothing would hold openat() inside the folder. */
	if (!enter_seccomp(channel_fd, temp_fd >= 0 && walls.landlock_abi > 0, error))
		return FALSE;
	walls.seccomp = TRUE;
	*ret_walls = walls;
	return TRUE;
}
