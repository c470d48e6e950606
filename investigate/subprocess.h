/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subprocess.h - a program that is run for one answer, within a time.
 *
 * By its arguments, never through a shell.  Owns the process and its pipes; what
 * the program says is its caller's to judge.  Any thread; one thread a process.
 */
#ifndef MAILTRACE_SUBPROCESS_H
#define MAILTRACE_SUBPROCESS_H

#include <glib.h>

enum subprocess_error {
	SUBPROCESS_ERROR_START,	  /* there is no such program, or it cannot be run */
	SUBPROCESS_ERROR_FAILED,  /* it ended with another status than 0 */
	SUBPROCESS_ERROR_TIMEOUT, /* it was ended, since it took too long */
};
/* Its message is one line: the program, and what it said last. */
#define SUBPROCESS_ERROR (subprocess_error_quark())
GQuark subprocess_error_quark(void);

struct subprocess;

/*
 * Starts a program.  argv: NULL-terminated; argv[0] is searched in PATH if it has
 * no slash.  environment: as for execve(2); NULL for the caller's.  input: its
 * standard input; NULL for none.  Returns NULL with SUBPROCESS_ERROR_START; else
 * end it with subprocess_end().
 */
struct subprocess *subprocess_start(const char *const *argv, const char *const *environment,
				    const char *input, GError **error);

/* Returns the descriptor from which its standard output is read; borrowed. */
int subprocess_output(const struct subprocess *process);

/*
 * Waits for the end of a program, which may write no more, until deadline_us
 * (monotonic); then ends it.  Frees process.  Returns FALSE with an error, one line
 * with the last that the program said on its standard error.
 */
gboolean subprocess_end(struct subprocess *process, gint64 deadline_us, GError **error);

/* Runs a program whose output is of no interest: start and end in one. */
gboolean subprocess_run(const char *const *argv, const char *const *environment, const char *input,
			gint64 deadline_us, GError **error);

/*
 * Starts a program that is left to itself: in a session of its own, without input
 * or output, and not waited for.
 */
gboolean subprocess_leave(const char *const *argv, const char *const *environment, GError **error);
#endif
