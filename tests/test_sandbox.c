/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each test forks a child that enters the sandbox and tries one thing; the
 * test looks at how the child ended.
 */
#include "config.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "caps.h"
#include "sandbox.h"

/* Exit statuses of the child. */
enum { DONE = 0, REFUSED = 10, NO_SANDBOX = 11, WRONG = 12 };

/* What the child does inside; returns its exit status. */
typedef int (*deed_fn)(int channel_fd, void *data);

/* A child inside, and our end of its channel. */
struct inside {
	pid_t pid;
	int channel_fd;
};

static timer_t cpu_timer; /* brought along into the sandbox, as by a worker */

static struct inside
start(deed_fn deed, void *data, int temp_fd)
{
	struct sigevent alarm = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF};
	struct sandbox_walls walls;
	struct inside inside;
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	inside.pid = fork();
	cr_assert_geq(inside.pid, 0);
	if (inside.pid == 0) {
		if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &alarm, &cpu_timer) != 0)
			_exit(WRONG);
		if (!sandbox_enter(ends[1], temp_fd, &walls, NULL) || !walls.seccomp ||
		    !walls.limits)
			_exit(NO_SANDBOX);
		_exit(deed(ends[1], data));
	}
	close(ends[1]);
	inside.channel_fd = ends[0];
	return inside;
}

/* Waits for the child's end; its wait status. */
static int
finish(struct inside *inside)
{
	int status;

	close(inside->channel_fd);
	cr_assert_eq(waitpid(inside->pid, &status, 0), inside->pid);
	return status;
}

static int
status_of(deed_fn deed, void *data)
{
	struct inside inside = start(deed, data, -1);

	return finish(&inside);
}

static void
assert_killed(int status)
{
	cr_assert(WIFSIGNALED(status), "ended with status %d", WEXITSTATUS(status));
	cr_assert_eq(WTERMSIG(status), SIGSYS, "killed by %s", strsignal(WTERMSIG(status)));
}

static void
assert_exit(int status, int expected)
{
	cr_assert(WIFEXITED(status), "killed by %s", strsignal(WTERMSIG(status)));
	cr_assert_eq(WEXITSTATUS(status), expected, "ended with status %d", WEXITSTATUS(status));
}

/* ---- what remains possible ---- */

static int
echo_packet(int channel_fd, void *data)
{
	char packet[64];
	struct iovec part = {packet, sizeof(packet)};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t n = recvmsg(channel_fd, &header, 0);

	if (n < 0)
		return WRONG;
	part.iov_len = (gsize)n;
	return sendmsg(channel_fd, &header, MSG_NOSIGNAL) == n ? DONE : WRONG;
}

Test(sandbox, serves_its_channel)
{
	struct inside inside = start(echo_packet, NULL, -1);
	char answer[64] = "";

	cr_assert_eq(send(inside.channel_fd, "hello", 6, 0), 6);
	cr_assert_eq(recv(inside.channel_fd, answer, sizeof(answer), 0), 6);
	cr_assert_str_eq(answer, "hello");
	assert_exit(finish(&inside), DONE);
}

static int
use_memory(int channel_fd, void *data)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	guint8 block[4096] = "";

	for (int i = 0; i < 16 * 1024; i++)
		g_byte_array_append(bytes, block, sizeof(block));
	return bytes->len == 64 * 1024 * 1024 ? DONE : WRONG;
}

Test(sandbox, leaves_memory_for_an_ordinary_message)
{
	assert_exit(status_of(use_memory, NULL), DONE);
}

static int
abort_inside(int channel_fd, void *data)
{
	abort();
}

Test(sandbox, lets_a_process_abort)
{
	int status = status_of(abort_inside, NULL);

	cr_assert(WIFSIGNALED(status));
	cr_assert_eq(WTERMSIG(status), SIGABRT);
}

static int
burn(int channel_fd, void *data)
{
	struct itimerspec most = {.it_value = {.tv_nsec = 20000000}};

	if (timer_settime(cpu_timer, 0, &most, NULL) != 0)
		return WRONG;
	for (;;)
		__asm__ volatile("" ::: "memory");
}

Test(sandbox, lets_a_timer_end_a_busy_process, .timeout = 20)
{
	int status = status_of(burn, NULL);

	cr_assert(WIFSIGNALED(status));
	cr_assert_eq(WTERMSIG(status), SIGPROF);
}

/* ---- a message's file ---- */

struct mapping {
	int protection;
	int flags;
};

static int
receive_and_map(int channel_fd, void *data)
{
	const struct mapping *mapping = data;
	char control[CMSG_SPACE(sizeof(int))];
	char byte;
	struct iovec part = {&byte, 1};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};
	const char *bytes;
	int fd;

	if (recvmsg(channel_fd, &header, 0) != 1 || CMSG_FIRSTHDR(&header) == NULL)
		return WRONG;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(fd));
	bytes = mmap(NULL, 7, mapping->protection, mapping->flags, fd, 0);
	if (bytes == MAP_FAILED)
		return REFUSED;
	return memcmp(bytes, "message", 7) == 0 ? DONE : WRONG;
}

static void
send_file(int channel_fd)
{
	int fd = memfd_create("message", MFD_CLOEXEC);
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec part = {(char *)"x", 1};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&header);

	cr_assert_eq(write(fd, "message", 7), 7);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
	cr_assert_eq(sendmsg(channel_fd, &header, 0), 1);
	close(fd);
}

static int
status_of_mapping(int protection, int flags)
{
	struct mapping mapping = {protection, flags};
	struct inside inside = start(receive_and_map, &mapping, -1);

	send_file(inside.channel_fd);
	return finish(&inside);
}

Test(sandbox, maps_a_passed_file_for_reading)
{
	assert_exit(status_of_mapping(PROT_READ, MAP_PRIVATE), DONE);
}

Test(sandbox, kills_a_shared_mapping_of_a_passed_file)
{
	assert_killed(status_of_mapping(PROT_READ | PROT_WRITE, MAP_SHARED));
}

Test(sandbox, kills_an_executable_mapping_of_a_passed_file)
{
	assert_killed(status_of_mapping(PROT_READ | PROT_EXEC, MAP_PRIVATE));
}

/* ---- forbidden calls that end the process ---- */

static int
make_socket(int channel_fd, void *data)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 ? REFUSED : DONE;
}

static int
make_socket_pair(int channel_fd, void *data)
{
	int ends[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 ? REFUSED : DONE;
}

static int
fork_once(int channel_fd, void *data)
{
	return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) < 0 ? REFUSED : DONE;
}

static int
vfork_once(int channel_fd, void *data)
{
	return syscall(SYS_clone3, NULL, 0) < 0 ? REFUSED : DONE;
}

static int
run_program(int channel_fd, void *data)
{
	char *argv[] = {(char *)"/bin/true", NULL};

	return execv("/bin/true", argv) < 0 ? REFUSED : DONE;
}

static int
signal_parent(int channel_fd, void *data)
{
	return kill((pid_t)GPOINTER_TO_INT(data), 0) < 0 ? REFUSED : DONE;
}

static int
signal_parents_thread(int channel_fd, void *data)
{
	pid_t parent = (pid_t)GPOINTER_TO_INT(data);

	return syscall(SYS_tgkill, parent, parent, 0) < 0 ? REFUSED : DONE;
}

static int
trace_parent(int channel_fd, void *data)
{
	return ptrace(PTRACE_ATTACH, (pid_t)GPOINTER_TO_INT(data), NULL, NULL) < 0 ? REFUSED : DONE;
}

static int
make_memfd(int channel_fd, void *data)
{
	return memfd_create("x", 0) < 0 ? REFUSED : DONE;
}

static int
open_by_handle(int channel_fd, void *data)
{
	return syscall(SYS_open_by_handle_at, 0, NULL, 0) < 0 ? REFUSED : DONE;
}

static int
open_by_openat2(int channel_fd, void *data)
{
	return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", NULL, 0) < 0 ? REFUSED : DONE;
}

static int
use_io_uring(int channel_fd, void *data)
{
	return syscall(SYS_io_uring_setup, 1, NULL) < 0 ? REFUSED : DONE;
}

static int
make_executable(int channel_fd, void *data)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return WRONG;
	return mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0 ? REFUSED : DONE;
}

static int
set_own_timer(int channel_fd, void *data)
{
	struct itimerval timer = {{0}, {0}};

	return setitimer(ITIMER_PROF, &timer, NULL) != 0 ? REFUSED : DONE;
}

static int
make_own_timer(int channel_fd, void *data)
{
	timer_t timer;

	return timer_create(CLOCK_MONOTONIC, NULL, &timer) != 0 ? REFUSED : DONE;
}

static int
write_elsewhere(int channel_fd, void *data)
{
	return write(STDOUT_FILENO, "", 0) != 0 ? REFUSED : DONE;
}

static int
call_another_architecture(int channel_fd, void *data)
{
#ifdef __x86_64__
	/* x32's getpid: the number is ours, the bit is not. */
	return syscall(0x40000000 | SYS_getpid) < 0 ? REFUSED : DONE;
#else
	return (int)syscall(SYS_reboot, 0, 0, 0, NULL);
#endif
}

static const struct {
	const char *name;
	deed_fn deed;
} forbidden[] = {
	{"socket", make_socket},
	{"socketpair", make_socket_pair},
	{"fork", fork_once},
	{"clone3", vfork_once},
	{"execve", run_program},
	{"kill", signal_parent},
	{"tgkill of another", signal_parents_thread},
	{"ptrace", trace_parent},
	{"memfd_create", make_memfd},
	{"open_by_handle_at", open_by_handle},
	{"openat2", open_by_openat2},
	{"io_uring_setup", use_io_uring},
	{"mprotect PROT_EXEC", make_executable},
	{"setitimer", set_own_timer},
	{"timer_create", make_own_timer},
	{"write elsewhere", write_elsewhere},
	{"another architecture", call_another_architecture},
};

/* Numbers of rows, since each test is a process of its own with other addresses. */
ParameterizedTestParameters(sandbox, kills_what_is_forbidden)
{
	static int rows[G_N_ELEMENTS(forbidden)];

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
		rows[i] = (int)i;
	return cr_make_param_array(int, rows, G_N_ELEMENTS(rows));
}

ParameterizedTest(int *row, sandbox, kills_what_is_forbidden)
{
	int status = status_of(forbidden[*row].deed, GINT_TO_POINTER(getpid()));

	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s: status %#x",
		  forbidden[*row].name, (unsigned)status);
}

/* ---- paths ---- */

static int
open_path(int channel_fd, void *data)
{
	if (open(data, O_RDONLY) >= 0 || openat(AT_FDCWD, data, O_RDONLY) >= 0)
		return DONE;
	return errno == EPERM ? REFUSED : WRONG;
}

Test(sandbox, refuses_to_open_a_path)
{
	assert_exit(status_of(open_path, (char *)"/etc/passwd"), REFUSED);
	assert_exit(status_of(open_path, (char *)"/"), REFUSED);
}

static int
look_at_path(int channel_fd, void *data)
{
	struct stat status;
	char target[16];

	if (stat(data, &status) == 0 || access(data, F_OK) == 0 ||
	    readlink(data, target, sizeof(target)) >= 0)
		return DONE;
	return errno == EPERM ? REFUSED : WRONG;
}

Test(sandbox, refuses_to_tell_whether_a_path_exists)
{
	assert_exit(status_of(look_at_path, (char *)"/etc/passwd"), REFUSED);
	assert_exit(status_of(look_at_path, (char *)"/proc/self/exe"), REFUSED);
}

/* ---- descriptors ---- */

static int
close_descriptor(int channel_fd, void *data)
{
	return close(GPOINTER_TO_INT(data)) != 0 && errno == EBADF ? REFUSED : DONE;
}

Test(sandbox, closes_inherited_descriptors)
{
	int low = open("/dev/null", O_RDONLY);
	int high = fcntl(low, F_DUPFD, 500);

	cr_assert_geq(low, 0);
	cr_assert_geq(high, 500);
	assert_exit(status_of(close_descriptor, GINT_TO_POINTER(low)), REFUSED);
	assert_exit(status_of(close_descriptor, GINT_TO_POINTER(high)), REFUSED);
	assert_exit(status_of(close_descriptor, GINT_TO_POINTER(STDOUT_FILENO)), REFUSED);
}

/* ---- limits ---- */

#ifndef MAILTRACE_SANITIZERS
static int
fill_memory(int channel_fd, void *data)
{
	gsize block = 16 * 1024 * 1024;

	for (gsize taken = 0; taken <= WORKER_MEMORY_BYTES; taken += block) {
		char *bytes = malloc(block);

		if (bytes == NULL)
			return REFUSED;
		bytes[0] = 1;
	}
	return DONE;
}

Test(sandbox, bounds_memory)
{
	assert_exit(status_of(fill_memory, NULL), REFUSED);
}

static int
fill_memory_through_glib(int channel_fd, void *data)
{
	for (;;)
		*(volatile char *)g_malloc(16 * 1024 * 1024) = 1;
	return DONE;
}

Test(sandbox, ends_a_process_whose_memory_is_used_up)
{
	int status = status_of(fill_memory_through_glib, NULL);

	cr_assert(WIFSIGNALED(status));
}
#endif

static int
raise_limit(int channel_fd, void *data)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

	return setrlimit(RLIMIT_CPU, &limit) != 0 ? REFUSED : DONE;
}

/* The limits as the parent sees them, since the child may not ask. */
static struct rlimit
limit_of(pid_t pid, int resource)
{
	struct rlimit limit;

	cr_assert_eq(prlimit(pid, resource, NULL, &limit), 0);
	return limit;
}

Test(sandbox, sets_limits_that_cannot_be_raised)
{
	struct inside inside = start(echo_packet, NULL, -1);
	char answer[8];

	cr_assert_eq(send(inside.channel_fd, "x", 2, 0), 2);
	cr_assert_eq(recv(inside.channel_fd, answer, sizeof(answer), MSG_PEEK), 2);
	cr_assert_eq(limit_of(inside.pid, RLIMIT_CPU).rlim_max, SANDBOX_CPU_SECONDS);
	cr_assert_eq(limit_of(inside.pid, RLIMIT_CORE).rlim_max, 0);
	cr_assert_eq(limit_of(inside.pid, RLIMIT_NPROC).rlim_max, 0);
	finish(&inside);
#ifndef MAILTRACE_SANITIZERS
	assert_killed(status_of(raise_limit, NULL));
#else
	(void)raise_limit;
#endif
}

/* ---- the temporary folder ---- */

static int
use_folder(int channel_fd, void *data)
{
	int fd = openat(GPOINTER_TO_INT(data), "file", O_RDWR | O_CREAT, 0600);

	if (fd < 0)
		return REFUSED;
	return write(fd, "x", 1) == 1 && open("/etc/passwd", O_RDONLY) < 0 &&
			       openat(AT_FDCWD, "/etc/passwd", O_RDONLY) < 0
		       ? DONE
		       : WRONG;
}

static gboolean
has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
}

Test(sandbox, grants_the_folder_only_where_landlock_confines_it)
{
	g_autofree char *folder = g_dir_make_tmp("sandbox-XXXXXX", NULL);
	g_autofree char *file = g_build_filename(folder, "file", NULL);
	int fd = open(folder, O_RDONLY | O_DIRECTORY);
	struct inside inside = start(use_folder, GINT_TO_POINTER(fd), fd);

	assert_exit(finish(&inside), has_landlock() ? DONE : REFUSED);
	cr_assert_eq(g_file_test(file, G_FILE_TEST_EXISTS), has_landlock());
	unlink(file);
	rmdir(folder);
	close(fd);
}

/* Makes a file of so many bytes, of which the last alone is written. */
static int
fill_folder(int channel_fd, void *data)
{
	const gint64 *request = data;
	int fd = openat((int)request[0], "file", O_RDWR | O_CREAT, 0600);

	return fd >= 0 && pwrite(fd, "x", 1, (off_t)request[1] - 1) == 1 ? DONE : REFUSED;
}

/* Returns how a child ended that made such a file. */
static int
ended_with_file_of(gint64 bytes)
{
	g_autofree char *folder = g_dir_make_tmp("sandbox-XXXXXX", NULL);
	g_autofree char *file = g_build_filename(folder, "file", NULL);
	int fd = open(folder, O_RDONLY | O_DIRECTORY);
	gint64 request[] = {fd, bytes};
	struct inside inside = start(fill_folder, request, fd);
	int status = finish(&inside);

	unlink(file);
	rmdir(folder);
	close(fd);
	return status;
}

Test(sandbox, a_file_in_the_folder_grows_to_its_cap)
{
	int beyond = ended_with_file_of(WORKER_TEMP_BYTES + 1);

	if (has_landlock()) {
		assert_exit(ended_with_file_of(WORKER_TEMP_BYTES - 1), DONE);
		assert_exit(ended_with_file_of(WORKER_TEMP_BYTES), DONE);
		cr_assert(WIFSIGNALED(beyond) && WTERMSIG(beyond) == SIGXFSZ, "%d", beyond);
	} else {
		assert_exit(beyond, REFUSED);
	}
}

/* Returns how a child ended that has a folder for the deed. */
static int
status_with_folder(deed_fn deed, void *data)
{
	g_autofree char *folder = g_dir_make_tmp("sandbox-XXXXXX", NULL);
	int fd = open(folder, O_RDONLY | O_DIRECTORY);
	struct inside inside = start(deed, data, fd);
	int status = finish(&inside);

	close(fd);
	rmdir(folder);
	return status;
}

/* A file of our user beside the folder, such as the spool, and its directory. */
struct beside {
	char *directory;
	char *file;
};

static struct beside
make_beside(void)
{
	struct beside beside = {.directory = g_dir_make_tmp("beside-XXXXXX", NULL)};

	beside.file = g_build_filename(beside.directory, "file", NULL);
	cr_assert(g_file_set_contents_full(beside.file, "secret", 6, G_FILE_SET_CONTENTS_NONE, 0600,
					   NULL));
	return beside;
}

/* Asserts that the file is as it was, and alone. */
static void
assert_untouched(struct beside *beside)
{
	g_autofree char *text = NULL;
	struct stat info;

	cr_assert_eq(stat(beside->file, &info), 0);
	cr_assert_eq(info.st_mode & 07777, 0600);
	cr_assert(g_file_get_contents(beside->file, &text, NULL, NULL));
	cr_assert_str_eq(text, "secret");
	cr_assert_eq(unlink(beside->file), 0);
	cr_assert_eq(rmdir(beside->directory), 0);
	g_free(beside->file);
	g_free(beside->directory);
}

static gboolean
failed_with(int result, int code)
{
	return result < 0 && errno == code;
}

/* Each call is one that seccomp allows, so that EACCES is Landlock's. */
static int
reach_beside(int channel_fd, void *data)
{
	const struct beside *beside = data;
	g_autofree char *made = g_build_filename(beside->directory, "made", NULL);

	return failed_with(openat(AT_FDCWD, beside->file, O_RDONLY), EACCES) &&
			       failed_with(openat(AT_FDCWD, beside->file, O_WRONLY | O_TRUNC),
					   EACCES) &&
			       failed_with(openat(AT_FDCWD, made, O_WRONLY | O_CREAT, 0600),
					   EACCES) &&
			       failed_with(unlink(beside->file), EACCES) &&
			       failed_with(mkdir(made, 0700), EACCES) &&
			       failed_with(rmdir(beside->directory), EACCES)
		       ? REFUSED
		       : WRONG;
}

Test(sandbox, landlock_keeps_the_calls_of_the_folder_in_it)
{
	struct beside beside = make_beside();

	if (!has_landlock())
		cr_skip_test("no Landlock, and so no folder");
	assert_exit(status_with_folder(reach_beside, &beside), REFUSED);
	assert_untouched(&beside);
}

static int
open_to_all(int channel_fd, void *data)
{
	const struct beside *beside = data;

	return failed_with(chmod(beside->file, 0666), EPERM) &&
			       failed_with(fchmodat(AT_FDCWD, beside->directory, 0777, 0), EPERM)
		       ? REFUSED
		       : DONE;
}

Test(sandbox, opens_no_file_of_our_user_to_others)
{
	struct beside beside = make_beside();

	assert_exit(status_of(open_to_all, &beside), REFUSED);
	assert_exit(status_with_folder(open_to_all, &beside), REFUSED);
	assert_untouched(&beside);
}

static int
chmod_descriptor(int channel_fd, void *data)
{
	return fchmod(GPOINTER_TO_INT(data), 0777) != 0 ? REFUSED : DONE;
}

static int
chown_path(int channel_fd, void *data)
{
	return chown(data, getpid(), (gid_t)-1) != 0 ? REFUSED : DONE;
}

static int
set_times(int channel_fd, void *data)
{
	return utimensat(AT_FDCWD, data, NULL, 0) != 0 ? REFUSED : DONE;
}

static int
rename_path(int channel_fd, void *data)
{
	return rename(data, data) != 0 ? REFUSED : DONE;
}

Test(sandbox, kills_other_changes_of_a_file_with_the_folder_too)
{
	struct beside beside = make_beside();

	assert_killed(status_with_folder(chmod_descriptor, GINT_TO_POINTER(STDERR_FILENO)));
	assert_killed(status_with_folder(chown_path, beside.file));
	assert_killed(status_with_folder(set_times, beside.file));
	assert_killed(status_with_folder(rename_path, beside.file));
	assert_untouched(&beside);
}

/* ---- what may be asked of a descriptor ---- */

static int
ask_descriptor(int channel_fd, void *data)
{
	int copy;

	if (fcntl(channel_fd, F_GETFL) < 0 || fcntl(channel_fd, F_GETFD) < 0 ||
	    fcntl(channel_fd, F_SETFD, FD_CLOEXEC) != 0)
		return WRONG;
	copy = fcntl(channel_fd, F_DUPFD_CLOEXEC, 0);
	return copy >= 0 && close(copy) == 0 ? DONE : WRONG;
}

Test(sandbox, with_the_folder_a_descriptor_can_be_asked_and_doubled)
{
	int status = status_with_folder(ask_descriptor, NULL);

	if (has_landlock())
		assert_exit(status, DONE);
	else
		assert_killed(status);
}

/* Of these some would have the kernel signal our parent, others change what we share with it. */
static const int forbidden_commands[] = {
	F_SETOWN, F_SETOWN_EX, F_SETSIG, F_SETFL,      F_SETLEASE,
	F_NOTIFY, F_SETLK,     F_SETLKW, F_SETPIPE_SZ, F_ADD_SEALS,
};

static int
command_descriptor(int channel_fd, void *data)
{
	return fcntl(channel_fd, GPOINTER_TO_INT(data), 0) != 0 ? REFUSED : DONE;
}

Test(sandbox, kills_who_would_have_a_descriptor_signal_another_process)
{
	for (gsize i = 0; i < G_N_ELEMENTS(forbidden_commands); i++) {
		int status = status_with_folder(command_descriptor,
						GINT_TO_POINTER(forbidden_commands[i]));

		cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "command %d: %#x",
			  forbidden_commands[i], (unsigned)status);
	}
}

static int
control_descriptor(int channel_fd, void *data)
{
	int on = 1;
	pid_t parent = (pid_t)GPOINTER_TO_INT(data);

	return failed_with(ioctl(channel_fd, FIOASYNC, &on), EPERM) &&
			       failed_with(ioctl(channel_fd, FIOSETOWN, &parent), EPERM) &&
			       failed_with(ioctl(channel_fd, SIOCSPGRP, &parent), EPERM)
		       ? REFUSED
		       : DONE;
}

Test(sandbox, refuses_the_same_by_ioctl)
{
	assert_exit(status_with_folder(control_descriptor, GINT_TO_POINTER(getpid())), REFUSED);
}

#ifndef MAILTRACE_SANITIZERS
static int
outlive_parent(int channel_fd, void *data)
{
	return prctl(PR_SET_PDEATHSIG, 0) != 0 ? REFUSED : DONE;
}

Test(sandbox, kills_who_changes_what_the_process_is)
{
	assert_killed(status_with_folder(outlive_parent, NULL));
}
#endif

Test(sandbox, tells_which_walls_stand)
{
	struct sandbox_walls walls = {FALSE, -1, FALSE};
	int ends[2];
	pid_t pid;
	int status;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	pid = fork();
	if (pid == 0) {
		gboolean landlock = has_landlock();

		_exit(sandbox_enter(ends[1], -1, &walls, NULL) && walls.seccomp && walls.limits &&
				      (walls.landlock_abi > 0) == landlock
			      ? DONE
			      : WRONG);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	assert_exit(status, DONE);
}
