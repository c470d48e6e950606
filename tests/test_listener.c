/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "listener.h"

#define OWN_GROUP "socket_group =\n"

/* Whoever waits sees the time pass at once; an orphan, if there is one, ends meanwhile. */
static gint64 slept_us;
static int orphan = -1; /* has an end once the orphan has ended */

void
g_usleep(gulong us)
{
	char byte;

	slept_us += (gint64)us;
	if (orphan >= 0)
		cr_assert_eq(read(orphan, &byte, 1), 0);
}

gint64
g_get_monotonic_time(void)
{
	return slept_us;
}

static char *directory;
static char *path;

static void
set_up(void)
{
	directory = g_dir_make_tmp("test-listener-XXXXXX", NULL);
	path = g_build_filename(directory, "milter.sock", NULL);
}

static void
tear_down(void)
{
	g_unlink(path);
	cr_expect_eq(g_rmdir(directory), 0, "nothing is left");
	g_free(path);
	g_free(directory);
}

TestSuite(listener, .init = set_up, .fini = tear_down);

/* address: NULL for the unix socket at path. */
static struct settings *
settings_for(const char *address, const char *extra)
{
	g_autofree char *unix_address = g_strconcat("unix:", path, NULL);
	g_autofree char *text = g_strdup_printf("[milter]\nsocket = %s\nbacklog = 5\n%s",
						address ? address : unix_address, extra);
	g_autoptr(GError) error = NULL;
	struct settings *settings = settings_parse("test.conf", text, strlen(text), &error);

	cr_assert(settings, "%s", error ? error->message : "");
	return settings;
}

static gboolean
answers(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	gboolean connected;

	strcpy(address.sun_path, path);
	connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return connected;
}

Test(listener, opens_a_unix_socket_with_its_mode_whatever_the_umask)
{
	struct settings *settings = settings_for(NULL, OWN_GROUP "socket_mode = 0662\n");
	g_autoptr(GError) error = NULL;
	struct stat status;
	int fd;

	umask(077);
	fd = listener_open(settings, &error);
	cr_assert(fd >= 0, "%s", error ? error->message : "");
	cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	cr_assert_eq(stat(path, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0662);
	cr_assert_eq(umask(077), 077, "the umask is as it was");
	cr_assert(answers());
	listener_close(fd, settings);
	cr_assert_eq(access(path, F_OK), -1);
	settings_unref(settings);
}

Test(listener, replaces_a_socket_that_nobody_listens_at)
{
	struct settings *settings = settings_for(NULL, OWN_GROUP);
	g_autoptr(GError) error = NULL;
	int fd = listener_open(settings, &error);

	close(fd); /* as a kill would */
	cr_assert_not(answers());
	fd = listener_open(settings, &error);
	cr_assert(fd >= 0, "%s", error ? error->message : "");
	cr_assert(answers());
	listener_close(fd, settings);
	settings_unref(settings);
}

Test(listener, leaves_a_live_socket_alone)
{
	struct settings *settings = settings_for(NULL, OWN_GROUP);
	g_autoptr(GError) error = NULL;
	int fd = listener_open(settings, &error);

	cr_assert_eq(listener_open(settings, &error), -1);
	cr_assert(error && error->domain == LISTENER_ERROR);
	cr_assert_eq(error->code, LISTENER_ERROR_ADDRESS);
	cr_assert_eq(slept_us, LISTENER_HANDOVER_MS * 1000, "it is waited for, not for ever");
	cr_assert_geq(accept(fd, NULL, NULL), 0, "it is there");
	listener_close(fd, settings);
	settings_unref(settings);
}

/* Puts a link to another's file in the place of the socket whenever it is there. */
struct intruder {
	char *victim, *link;
	gint stop; /* atomic */
};

static gpointer
intrude(gpointer data)
{
	struct intruder *intruder = data;
	struct stat status;

	while (!g_atomic_int_get(&intruder->stop)) {
		if (lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode))
			continue;
		if (symlink(intruder->victim, intruder->link) == 0)
			rename(intruder->link, path);
	}
	return NULL;
}

/* A root that opens the socket in another's directory must not change other files for him. */
Test(listener, follows_no_link_that_takes_the_place_of_the_socket)
{
	struct settings *settings = settings_for(NULL, OWN_GROUP "socket_mode = 0666\n");
	struct intruder intruder = {g_build_filename(directory, "victim", NULL),
				    g_build_filename(directory, "link", NULL), 0};
	struct stat status;
	GThread *thread;

	cr_assert(g_file_set_contents(intruder.victim, "precious", -1, NULL));
	cr_assert_eq(chmod(intruder.victim, 0600), 0);
	thread = g_thread_new("intruder", intrude, &intruder);
	for (guint i = 0; i < 2000; i++) {
		int fd = listener_open(settings, NULL);

		if (fd >= 0)
			close(fd);
		unlink(path);
	}
	g_atomic_int_set(&intruder.stop, 1);
	g_thread_join(thread);
	cr_assert_eq(stat(intruder.victim, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0600);
	g_unlink(intruder.victim);
	g_unlink(intruder.link);
	g_free(intruder.victim);
	g_free(intruder.link);
	settings_unref(settings);
}

Test(listener, leaves_another_kind_of_file_alone)
{
	struct settings *settings = settings_for(NULL, OWN_GROUP);
	g_autoptr(GError) error = NULL;

	cr_assert(g_file_set_contents(path, "precious", -1, NULL));
	cr_assert_eq(listener_open(settings, &error), -1);
	cr_assert_eq(access(path, F_OK), 0);
	settings_unref(settings);
}

Test(listener, names_an_unknown_group_and_leaves_no_socket)
{
	struct settings *settings = settings_for(NULL, "socket_group = no-such-group\n");
	g_autoptr(GError) error = NULL;

	cr_assert_eq(listener_open(settings, &error), -1);
	cr_assert_eq(error->code, LISTENER_ERROR_GROUP);
	cr_assert(strstr(error->message, "no-such-group"));
	cr_assert_eq(access(path, F_OK), -1);
	settings_unref(settings);
}

Test(listener, a_missing_directory_is_named)
{
	struct settings *settings = settings_for("unix:/nonexistent/mailtrace/m.sock", OWN_GROUP);
	g_autoptr(GError) error = NULL;

	cr_assert_eq(listener_open(settings, &error), -1);
	cr_assert(strstr(error->message, "/nonexistent/mailtrace/m.sock"), "%s", error->message);
	settings_unref(settings);
}

/* Opens address, whose port is free, and returns the family of what listens. */
static int
family_of(const char *address)
{
	struct settings *settings = settings_for(address, OWN_GROUP);
	g_autoptr(GError) error = NULL;
	struct sockaddr_storage bound;
	socklen_t length = sizeof(bound);
	int listening = 0;
	socklen_t size = sizeof(listening);
	int fd = listener_open(settings, &error);

	cr_assert(fd >= 0, "%s", error ? error->message : "");
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&bound, &length), 0);
	cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size), 0);
	cr_assert(listening);
	listener_close(fd, settings);
	settings_unref(settings);
	return bound.ss_family;
}

/* A port that was free a moment ago. */
static guint
free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	close(fd);
	return ntohs(address.sin_port);
}

Test(listener, opens_inet)
{
	g_autofree char *address = g_strdup_printf("inet:%u@127.0.0.1", free_port());

	cr_assert_eq(family_of(address), AF_INET);
}

Test(listener, names_an_inet_address_in_use)
{
	g_autofree char *address = g_strdup_printf("inet:%u@127.0.0.1", free_port());
	struct settings *settings = settings_for(address, OWN_GROUP);
	g_autoptr(GError) error = NULL;
	int fd = listener_open(settings, &error);

	cr_assert(fd >= 0);
	cr_assert_eq(listener_open(settings, &error), -1);
	cr_assert(strstr(error->message, address), "%s", error->message);
	listener_close(fd, settings);
	settings_unref(settings);
}

/* Listens as a supervisor does and is gone; its child serves one connection more, and ends. */
static void
leave_an_orphan(void)
{
	g_autoptr(settings_t) settings = settings_for(NULL, OWN_GROUP);
	int ends[2], status;
	pid_t child;

	cr_assert_eq(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		int fd = listener_open(settings, NULL);

		if (fd >= 0 && fork() == 0) {
			accept(fd, NULL, NULL);
			_exit(0);
		}
		_exit(fd < 0);
	}
	cr_assert(waitpid(child, &status, 0) == child && status == 0);
	close(ends[1]);
	orphan = ends[0];
}

Test(listener, the_children_of_a_supervisor_that_was_killed_are_waited_for)
{
	g_autoptr(settings_t) settings = settings_for(NULL, OWN_GROUP);
	g_autoptr(GError) error = NULL;
	int fd;

	leave_an_orphan();
	fd = listener_open(settings, &error);
	cr_assert_geq(fd, 0, "%s", error ? error->message : "");
	cr_assert_gt(slept_us, 0, "it is waited for");
	cr_assert(answers());
	listener_close(fd, settings);
	close(orphan);
}
