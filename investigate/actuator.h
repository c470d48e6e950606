/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * actuator.h - what every actuator shares: commands in, responses out.
 *
 * An actuator is a helper program that carries out OpenC2 commands, a line each
 * on its standard input, several at a time, and answers each with a line on its
 * standard output (mailtrace-openc2(7)).  This owns the options, the lines, the
 * threads and the files of evidence; what a command means for a server is the
 * kind's.  A line that is no command is named on standard error, answered if it
 * has an id, and the rest goes on.
 */
#ifndef MAILTRACE_ACTUATOR_H
#define MAILTRACE_ACTUATOR_H

#include <glib.h>

#include "openc2.h"
#include "settings.h"

/* Exit statuses of an actuator. */
enum { ACTUATOR_ANSWERED = 0, ACTUATOR_UNUSABLE = 2 };

#define ACTUATOR_ROLE(role) (1U << (role))

/* Borrowed until the program ends. */
struct actuator_options {
	const char *evidence_directory; /* NULL: none was named */
	guint jobs;			/* commands at a time, from 1 */
};

/* What makes a program of the loop. */
struct actuator_kind {
	const char *name;    /* of the program */
	const char *summary; /* for --help, a line */
	guint roles;	     /* whose commands it takes: ACTUATOR_ROLE() or-ed */
	/* Unreachable ones in a row after which the rest is not tried, since a server that
	 * hangs would take the time of each; 0: all are tried. */
	guint most_silent;

	/*
	 * Prepares for commands, while the process has one thread.  settings live
	 * until close.  Returns what is handed to the others, or NULL with an error,
	 * one line that names what to do.
	 */
	void *(*open)(const struct settings *settings, GError **error);

	/*
	 * Carries out one command, whose role is one of the kind's.  Called from several
	 * threads at once, never twice for a command_id.  Returns its response, never
	 * NULL.
	 */
	struct openc2_response *(*carry_out)(void *data, const struct actuator_options *options,
					     const struct openc2_command *command);

	/* Frees what open gave, when no command is under way. */
	void (*close)(void *data);
};

/*
 * The whole of an actuator's main(): --config FILE, --jobs N, --evidence-dir DIR.
 * Returns ACTUATOR_ANSWERED when every command was answered, whatever became of
 * it; ACTUATOR_UNUSABLE for a wrong use or configuration.
 */
int actuator_main(const struct actuator_kind *kind, int argc, char **argv);

/*
 * The loop alone: commands from in_fd until its end, responses to out_fd.
 * data: of kind->open().  Returns FALSE, after saying so on standard error, when
 * the responses could not be written or the commands not be read to their end.
 */
gboolean actuator_run(const struct actuator_kind *kind, void *data,
		      const struct actuator_options *options, int in_fd, int out_fd);

/* A message that is being brought as evidence, for one command. */
struct evidence;

/*
 * Begins a file of evidence in the directory of the options, mode 0600, never in
 * place of another.  Returns NULL with a G_FILE_ERROR: none was named
 * (G_FILE_ERROR_INVAL), or it is there already from an earlier run
 * (G_FILE_ERROR_EXIST, and *ret_path is its path), or the disk's reason.
 * *ret_path is to be freed with g_free().  Ends with evidence_keep() or
 * evidence_drop().
 */
struct evidence *evidence_begin(const struct actuator_options *options,
				const struct openc2_command *command, char **ret_path,
				GError **error);

/* Returns the file's descriptor, to be written to; borrowed. */
int evidence_fd(const struct evidence *evidence);

/*
 * Gives the file its name, once all of it is on disk.  FALSE with a G_FILE_ERROR,
 * and then there is no file.  Frees evidence in either case.
 */
gboolean evidence_keep(struct evidence *evidence, GError **error);

/* Removes what was begun, and frees evidence.  NULL is allowed. */
void evidence_drop(struct evidence *evidence);

typedef struct evidence evidence_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(evidence_t, evidence_drop)
#endif
