/* SPDX-License-Identifier: BSD-2-Clause */
#include "private_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES 600 /* while a program that we had started still writes into it */
#define TRY_US 100000

struct private_folder {
	char *path;
	pid_t remover;
	int held_fd; /* the remover's pipe: its end is the sign */
};

/* ---- the remover ---- */

static void
remove_files(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	if (!folder)
		return;
	while ((entry = readdir(folder)))
		unlinkat(dirfd(folder), entry->d_name, 0);
	closedir(folder);
}

/* Keeps nothing of ours open: whoever reads our output must not wait for it. */
static void
let_go(int sign_fd)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE};
	int nowhere = open("/dev/null", O_RDWR);

	setsid(); /* the terminal's interrupt is not for it */
	for (gsize i = 0; i < G_N_ELEMENTS(signals); i++)
		signal(signals[i], SIG_IGN);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(nowhere, fd);
	if (sign_fd != STDERR_FILENO + 1)
		dup2(sign_fd, STDERR_FILENO + 1);
	closefrom(STDERR_FILENO + 2);
}

static G_NORETURN void
wait_and_remove(const char *path, int sign_fd)
{
	char byte;

	let_go(sign_fd);
	while (read(STDERR_FILENO + 1, &byte, 1) < 0 && errno == EINTR)
		;
	for (int i = 0; i < TRIES; i++) {
		remove_files(path);
		if (rmdir(path) == 0 || errno == ENOENT)
			_exit(0);
		usleep(TRY_US);
	}
	_exit(1);
}

/* ---- ours ---- */

static gboolean
start_remover(struct private_folder *folder)
{
	int ends[2];

	if (!g_unix_open_pipe(ends, FD_CLOEXEC, NULL))
		return FALSE;
	folder->remover = fork();
	if (folder->remover == 0) {
		close(ends[1]);
		wait_and_remove(folder->path, ends[0]);
	}
	close(ends[0]);
	folder->held_fd = ends[1];
	return folder->remover > 0;
}

struct private_folder *
private_folder_new(const char *beside, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(beside);
	struct private_folder *folder = g_new0(struct private_folder, 1);

	folder->held_fd = -1;
	folder->path = g_build_filename(parent, ".mailtrace-XXXXXX", NULL);
	if (g_mkdtemp_full(folder->path, 0700) && start_remover(folder))
		return folder;
	g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
		    "cannot make a folder in %s: %s", parent, g_strerror(errno));
	private_folder_free(folder);
	return NULL;
}

const char *
private_folder_path(const struct private_folder *folder)
{
	return folder->path;
}

void
private_folder_free(struct private_folder *folder)
{
	if (!folder)
		return;
	if (folder->held_fd >= 0)
		close(folder->held_fd);
	if (folder->remover > 0)
		while (waitpid(folder->remover, NULL, 0) < 0 && errno == EINTR)
			;
	else
		rmdir(folder->path);
	g_free(folder->path);
	g_free(folder);
}
