/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include "scanner_client.h"
#include "scanner_protocol.h"

char **
scanner_arguments(const char *path, const struct scanner_options *options)
{
	GStrvBuilder *builder = g_strv_builder_new();
	g_autofree char *count = g_strdup_printf("%u", options->workers);
	char **arguments;

	g_strv_builder_add_many(builder, path, count,
				options->temp_directory ? options->temp_directory : "",
				options->database ? options->database : "",
				options->passwords ? options->passwords : "", NULL);
	arguments = g_strv_builder_end(builder);
	g_strv_builder_unref(builder);
	return arguments;
}

/* Runs path with control_fd as SCANNER_CONTROL_FD and signals as a new program has them. */
static int
spawn_with_control(const char *path, const struct scanner_options *options, int control_fd,
		   pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	g_auto(GStrv) argv = scanner_arguments(path, options);
	sigset_t none, all;
	int code;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, control_fd, SCANNER_CONTROL_FD);
	code = posix_spawn(ret_pid, path, &actions, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return code;
}

int
scanner_spawn(const char *path, const struct scanner_options *options, GPid *ret_pid,
	      GError **error)
{
	int ends[2];
	pid_t pid;
	int code;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "socketpair: %s",
			    g_strerror(errno));
		return -1;
	}
	code = spawn_with_control(path, options, ends[1], &pid);
	close(ends[1]);
	if (code != 0) {
		close(ends[0]);
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code), "%s: %s", path,
			    g_strerror(code));
		return -1;
	}
	*ret_pid = pid;
	return ends[0];
}
