/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailtrace - asks the records, and tends them; see mailtrace(1).
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "journal.h"
#include "keys.h"

#define DEFAULT_CONFIG MAILTRACE_SYSCONFDIR "/mailtrace/mailtrace.conf"

struct verb {
	const char *name;
	command_fn run;
	const char *help;
};

static const struct verb verbs[] = {
	{"who", cmd_who, "which recipients received a file or a message"},
	{"show", cmd_show, "one message: envelope, headers, tree of files"},
	{"logins", cmd_logins, "who logged in, from which address and device"},
	{"assets", cmd_assets, "which device has which address: import, list, remove"},
	{"inspect", cmd_inspect, "what would be recorded of a message file"},
	{"import", cmd_import, "record existing mail: eml, mbox, Maildir, compressed too"},
	{"watch", cmd_watch, "the live stream of events"},
	{"status", cmd_status, "sensors, lag, gaps, size of the store"},
	{"block", cmd_block, "block files at the gateways"},
	{"dead-letters", cmd_dead_letters, "events that could not be read: list, replay, drop"},
	{"actions", cmd_actions, "the journal: who asked, changed and did what"},
	{"legal-hold", cmd_legal_hold, "keep messages from expiring and being erased"},
	{"expire", cmd_expire, "take old records away"},
	{"erase", cmd_erase, "take a person's addresses out of the records"},
	{"contain", cmd_contain, "plan what is done with every copy of a message"},
	{"approve", cmd_approve, "approve a plan that another person applies"},
	{"apply", cmd_apply, "carry out a plan"},
	{"undo", cmd_undo, "put back what a plan did"},
	{"fetch", cmd_fetch, "bring messages as evidence"},
	{"backup", cmd_backup, "copy the store while the collector runs"},
	{"verify", cmd_verify, "whether the store is as it was written"},
	{"collect", cmd_collect, "run the collector"},
	{"follow", cmd_follow, "follow the MTA's log: what became of each message"},
	{"keygen", cmd_keygen, "make keys"},
	{"sensor", cmd_sensor, "add, remove, list who may connect to the collector"},
};

static void
print_help(FILE *stream)
{
	fputs("Usage: mailtrace [GLOBAL OPTION...] VERB [OPTION...] [ARGUMENT...]\n\nVerbs:\n",
	      stream);
	for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++)
		fprintf(stream, "  %-12s %s\n", verbs[i].name, verbs[i].help);
	fputs("\nGlobal options, before or after the verb:\n"
	      "  --config=FILE   configuration, default " DEFAULT_CONFIG "\n"
	      "  --store=URL     the store, sqlite:PATH\n"
	      "  --tenant=NAME   whose records\n"
	      "  --utc           times in UTC\n"
	      "  --case=ID       a case number for the journal\n"
	      "  --reason=TEXT   a reason for the journal\n"
	      "  --json          JSON Lines\n"
	      "  --csv           CSV, where there are rows\n"
	      "  -q, --quiet     no progress\n"
	      "  --version       the version\n"
	      "\nExit status: 0 found or done, 1 nothing found, 2 usage or failure, 3 partly done.\n"
	      "mailtrace VERB --help tells more; so does mailtrace(1).\n",
	      stream);
}

/* Takes the global options out of argv, wherever they stand. */
static gboolean
take_globals(struct command *command, int *argc, char ***argv, GError **error)
{
	const GOptionEntry entries[] = {
		{"config", 0, 0, G_OPTION_ARG_FILENAME, &command->config_path, NULL, NULL},
		{"store", 0, 0, G_OPTION_ARG_FILENAME, &command->store_url, NULL, NULL},
		{"tenant", 0, 0, G_OPTION_ARG_FILENAME, &command->tenant, NULL, NULL},
		{"case", 0, 0, G_OPTION_ARG_FILENAME, &command->case_id, NULL, NULL},
		{"reason", 0, 0, G_OPTION_ARG_FILENAME, &command->reason, NULL, NULL},
		{"utc", 0, 0, G_OPTION_ARG_NONE, &command->utc, NULL, NULL},
		{"json", 0, 0, G_OPTION_ARG_NONE, &command->json, NULL, NULL},
		{"csv", 0, 0, G_OPTION_ARG_NONE, &command->csv, NULL, NULL},
		{"quiet", 'q', 0, G_OPTION_ARG_NONE, &command->quiet, NULL, NULL},
		{NULL},
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);

	g_option_context_add_main_entries(context, entries, NULL);
	g_option_context_set_ignore_unknown_options(context, TRUE);
	g_option_context_set_help_enabled(context, FALSE);
	return g_option_context_parse(context, argc, argv, error);
}

/*
 * A closed standard descriptor would be given to the next file that is opened,
 * the store perhaps, and the answer written into it.  The stand-ins are opened
 * the wrong way round, so that using them fails and is told.
 */
static gboolean
fill_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return FALSE;
	return TRUE;
}

/* Help, which GLib prints and then ends us, is an answer too: a full disk must show. */
static void
close_stdout(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		_exit(EXIT_TROUBLE);
}

static gboolean
is_text(const char *text)
{
	return !text || g_utf8_validate(text, -1, NULL);
}

static int
read_settings(struct command *command)
{
	gboolean is_default = !command->config_path;
	g_autoptr(GError) error = NULL;

	if (is_default)
		command->config_path = g_strdup(DEFAULT_CONFIG);
	if (is_default && !g_file_test(DEFAULT_CONFIG, G_FILE_TEST_EXISTS))
		command->settings = settings_parse(DEFAULT_CONFIG, "", 0, &error);
	else
		command->settings = settings_read(command->config_path, &error);
	if (!command->settings)
		return command_fail(command, "%s", error->message);
	if (!command->store_url)
		command->store_url = g_strdup(command->settings->store);
	if (!command->tenant)
		command->tenant = g_strdup(command->settings->tenant);
	if (!key_name_is_valid(command->tenant))
		return command_fail(command,
				    "\"%s\" is no name of a tenant: 1 to 64 of A-Z a-z 0-9 "
				    ". _ -, first a letter or digit",
				    command->tenant);
	return 0;
}

static int
check_globals(const struct command *command)
{
	if (command->json && command->csv)
		return command_fail(command, "choose one of --json and --csv");
	if (!is_text(command->tenant) || !is_text(command->case_id) || !is_text(command->reason))
		return command_fail(command, "--tenant, --case and --reason are UTF-8 text");
	/* What the journal would cut must not be lost without a word. */
	if ((command->case_id && strlen(command->case_id) > JOURNAL_NAME_BYTES) ||
	    (command->reason && strlen(command->reason) > JOURNAL_REASON_BYTES))
		return command_fail(command, "--case has at most %d bytes, and --reason at most %d",
				    JOURNAL_NAME_BYTES, JOURNAL_REASON_BYTES);
	return 0;
}

static int
run_verb(struct command *command, const struct verb *verb, int argc, char **argv)
{
	int status;

	command->verb = verb->name;
	command->arguments = g_strdupv(argv + 1);
	status = check_globals(command);
	if (!status)
		status = read_settings(command);
	if (!status)
		status = verb->run(command, argc, argv);
	return status;
}

static const struct verb *
find_verb(const char *name)
{
	for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* Finds the verb and runs it; argv is without the global options. */
static int
dispatch(struct command *command, int argc, char **argv)
{
	const struct verb *verb;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		print_help(stdout);
		return EXIT_FOUND;
	}
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		puts(PACKAGE_STRING);
		return EXIT_FOUND;
	}
	if (argc < 2) {
		print_help(stderr);
		return EXIT_TROUBLE;
	}
	verb = find_verb(argv[1]);
	if (!verb) {
		command->verb = "";
		return command_fail(command, "\"%s\" is no verb; see mailtrace --help", argv[1]);
	}
	return run_verb(command, verb, argc - 1, argv + 1);
}

static void
command_clear(struct command *command)
{
	g_strfreev(command->arguments);
	g_free(command->config_path);
	settings_unref(command->settings);
	g_free(command->store_url);
	g_free(command->tenant);
	g_free(command->case_id);
	g_free(command->reason);
}

int
main(int argc, char **argv)
{
	struct command command = {.verb = ""};
	g_autofree char **words = g_memdup2(argv, ((gsize)argc + 1) * sizeof(*argv));
	char **rest = words; /* GLib moves words about; argv stays whole for ps(1) */
	g_autoptr(GError) error = NULL;
	int status;

	if (!fill_standard_descriptors())
		return EXIT_TROUBLE;
	atexit(close_stdout);
	if (!take_globals(&command, &argc, &rest, &error))
		status = command_fail(&command, "%s; see mailtrace --help", error->message);
	else
		status = dispatch(&command, argc, rest);
	command_clear(&command);
	return status;
}
