/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command.h - what every subcommand of `mailtrace` shares.
 *
 * One subcommand is one file cmd_<verb>.c with one function of type
 * command_fn; main.c has the table.  Results on stdout, all else on stderr.
 * Arguments are kept as the bytes that were typed, not converted from the
 * locale's character set, so that a Japanese subject can be asked for in the C
 * locale too.
 */
#ifndef MAILTRACE_COMMAND_H
#define MAILTRACE_COMMAND_H

#include <glib.h>

#include "json.h"
#include "out.h"
#include "settings.h"
#include "store.h"

/* Exit statuses; the contract of the command line. */
enum { EXIT_FOUND = 0, EXIT_NOTHING = 1, EXIT_TROUBLE = 2, EXIT_PARTLY = 3 };

/* The global options, and what follows from them. */
struct command {
	const char *verb;
	char **arguments; /* of the verb, as typed; for the journal */
	char *config_path;
	struct settings *settings; /* never NULL: defaults if there is no file */
	char *store_url;
	char *tenant;
	char *case_id, *reason; /* NULL if not given */
	gboolean utc;
	gboolean json, csv, quiet;
};

/* Runs a subcommand.  argv[0] is the verb; the global options are already taken out.  Returns an
 * exit status. */
typedef int (*command_fn)(struct command *command, int argc, char **argv);

/* Which recipients received it, and what the answer covers; one entry of the journal each. */
int cmd_who(struct command *command, int argc, char **argv);

/* One message: envelope, tree of files, deliveries. */
int cmd_show(struct command *command, int argc, char **argv);

/* Who logged in, from which address and device; an entry of the journal. */
int cmd_logins(struct command *command, int argc, char **argv);

/* Which device had which address: import, list, remove; changes are entries of the journal. */
int cmd_assets(struct command *command, int argc, char **argv);

/* What the milter would record of message files; needs no store. */
int cmd_inspect(struct command *command, int argc, char **argv);

/* Puts mailboxes into the store, through the collector if one runs. */
int cmd_import(struct command *command, int argc, char **argv);

/* Becomes the helper that prints the live stream. */
int cmd_watch(struct command *command, int argc, char **argv);

/* Sensors, lag, spools, gaps; with --check as a Nagios plugin. */
int cmd_status(struct command *command, int argc, char **argv);

/* Makes keys; never over one that is there. */
int cmd_keygen(struct command *command, int argc, char **argv);

/* Adds and removes sensors in authorized_keys, and has the collector read it again. */
int cmd_sensor(struct command *command, int argc, char **argv);

/* The block list: add, remove, import, list. */
int cmd_block(struct command *command, int argc, char **argv);

/* Events that could not be read: list, show, replay, drop. */
int cmd_dead_letters(struct command *command, int argc, char **argv);

/* The journal: lists, exports, verifies it. */
int cmd_actions(struct command *command, int argc, char **argv);

/* Takes old records away; an entry of the journal. */
int cmd_expire(struct command *command, int argc, char **argv);

/* Takes a person's addresses out of the records; two entries of the journal. */
int cmd_erase(struct command *command, int argc, char **argv);

/* Legal holds: add, list, remove. */
int cmd_legal_hold(struct command *command, int argc, char **argv);

/* Writes a plan of containment: every copy, and a command for each. */
int cmd_contain(struct command *command, int argc, char **argv);

/* Brings copies of messages as evidence; two entries of the journal. */
int cmd_fetch(struct command *command, int argc, char **argv);

/* Approves a plan, with a key. */
int cmd_approve(struct command *command, int argc, char **argv);

/* Carries out a plan; 3 when something is left. */
int cmd_apply(struct command *command, int argc, char **argv);

/* Puts back what a plan or a command did. */
int cmd_undo(struct command *command, int argc, char **argv);

/* Copies the store while the collector runs; an entry of the journal. */
int cmd_backup(struct command *command, int argc, char **argv);

/* Whether the store is as it was written: 0, or 3 with what is not. */
int cmd_verify(struct command *command, int argc, char **argv);

/* Becomes the collector; returns only if that fails. */
int cmd_collect(struct command *command, int argc, char **argv);

/* Becomes the follower of a log, likewise. */
int cmd_follow(struct command *command, int argc, char **argv);

/*
 * Parses a subcommand's own options.  entries: GOptionEntry table, texts as
 * G_OPTION_ARG_FILENAME.  parameters, summary: for --help, which ends the
 * program.  On failure prints one line to stderr and returns FALSE.
 */
gboolean command_parse(struct command *command, const GOptionEntry *entries, const char *parameters,
		       const char *summary, int *argc, char ***argv);

/* Prints "mailtrace VERB: message" to stderr, terminal-safe, and returns EXIT_TROUBLE. */
int command_fail(const struct command *command, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Opens the store for reading; NULL after printing why not. */
struct store *command_store(const struct command *command);

/* Returns of whom the configuration expects to hear; borrowed from the settings. */
struct store_expected command_expected(const struct command *command);

/* Returns the output that --json and --csv ask for; end it with command_end(). */
struct out *command_out(const struct command *command);

/* Ends an output; status, or EXIT_TROUBLE after saying so when stdout could not be written. */
int command_end(const struct command *command, struct out *out, int status);

/*
 * Has an entry written to the journal: by the collector over its control
 * socket, or, when none runs, into the store.  results: number of hits, -1 if
 * it does not apply.  Returns FALSE after printing why not; a command that
 * reveals must then not answer.
 */
gboolean command_audit(const struct command *command, gint64 results);

/* Returns a request of a change to the collector (control.h): operation, tenant, arguments, case
 * and reason.  Free with json_decref(). */
json_t *command_request(const struct command *command, const char *operation);

struct reader;

/*
 * Starts the sandboxed reader of messages, as the configuration has it.  To be
 * called while the process has one thread.  NULL with an error; else free with
 * reader_close().
 */
struct reader *command_reader(const struct command *command, GError **error);
#endif
