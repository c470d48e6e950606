/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailtrace-milter - the program that an administrator starts: options, the
 * listening socket, privileges; then it is the supervisor (supervisor.h).
 *
 * Exit status: 0 stopped; 1 the milter process could not start; 2 wrong usage
 * or configuration, found before anything is opened.
 */
#include "config.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <gio/gio.h>

#include "listener.h"
#include "log.h"
#include "supervisor.h"

#define DEFAULT_CONFIG MAILTRACE_SYSCONFDIR "/mailtrace/mailtrace.conf"
#define EXIT_USAGE 2

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

/* Becomes the user of that name for good, when started as root. */
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
serve(struct configuration *configuration, gboolean to_stderr)
{
	g_autoptr(GError) error = NULL;
	int status = EXIT_FAILURE;
	int listen_fd;

	raise_descriptor_limit();
	listen_fd = listener_open(configuration->settings, &error);
	if (listen_fd >= 0 && drop_privileges(configuration->settings->user, &error))
		status = supervisor_run(configuration, listen_fd, to_stderr);
	else
		log_event(LOG_LEVEL_ERROR, "start-failed", "error", error->message, NULL);
	if (listen_fd >= 0)
		listener_close(listen_fd, configuration->settings);
	return status;
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
	struct configuration configuration = {
		.path = options->config_path ? options->config_path : DEFAULT_CONFIG,
	};
	/* Under systemd standard error is the journal. */
	gboolean to_stderr = options->to_stderr || g_getenv("JOURNAL_STREAM");
	g_autoptr(GError) error = NULL;
	int status = EXIT_SUCCESS;

	if (!configuration_load(&configuration, &error)) {
		fprintf(stderr, "mailtrace-milter: %s\n", error->message);
		return EXIT_USAGE;
	}
	if (options->test) {
		printf("%s: the configuration is good\n", configuration.path);
	} else {
		log_open("mailtrace-milter", to_stderr ? LOG_TARGET_STDERR : LOG_TARGET_SYSLOG);
		status = serve(&configuration, to_stderr);
	}
	configuration_clear(&configuration);
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
