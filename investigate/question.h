/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * question.h - the QUERY of a command line: its words and the options that go
 * with them, made into a query.
 *
 * `who` and `contain` take the same questions, so that what was answered can be
 * contained.  One thread.
 */
#ifndef MAILTRACE_QUESTION_H
#define MAILTRACE_QUESTION_H

#include "command.h"

/* The options of a question; clear with question_clear(). */
struct question {
	char **files;	     /* --file, NULL-terminated; or NULL */
	char *hashes;	     /* --hashes */
	char *since, *until; /* --since, --until */
	gboolean members;    /* --members */
};

/* Its entries of a GOptionEntry table. */
/* clang-format off */
#define QUESTION_ENTRIES(question)                                                           \
	{"file", 'f', 0, G_OPTION_ARG_FILENAME_ARRAY, &(question).files,                     \
	 "a file, whatever its name looks like; - is the standard input", "PATH"},           \
	{"hashes", 0, 0, G_OPTION_ARG_FILENAME, &(question).hashes,                          \
	 "a list of hashes, any of which may match; - is the standard input", "PATH"},       \
	{"members", 'm', 0, G_OPTION_ARG_NONE, &(question).members,                          \
	 "also ask for what is in the files", NULL},                                         \
	{"since", 0, 0, G_OPTION_ARG_FILENAME, &(question).since,                            \
	 "RFC 3339, YYYY-MM-DD, or 7d, 12h, 30m, 2w ago", "TIME"},                           \
	{"until", 0, 0, G_OPTION_ARG_FILENAME, &(question).until, "likewise, exclusive", "TIME"}
/* clang-format on */

/*
 * Fills a query, new, with the words and the options.  Reads the files that are
 * named, and with --members has the sandboxed reader read them, so that it is to
 * be called while the process has one thread.  FALSE with an error, among them
 * that of a question of nothing.
 */
gboolean question_fill(const struct question *question, const struct command *command, char **words,
		       struct query *query, GError **error);

/* Returns whether the answer depends on files: one that could not be read might be among it. */
gboolean question_needs_files(const struct query *query);

/* Frees what the options own. */
void question_clear(struct question *question);
#endif
