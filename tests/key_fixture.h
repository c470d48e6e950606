/* SPDX-License-Identifier: BSD-2-Clause */
/* key_fixture.h - files of keys in a directory of the test's own, and their errors. */
#ifndef MAILTRACE_TESTS_KEY_FIXTURE_H
#define MAILTRACE_TESTS_KEY_FIXTURE_H

#include <string.h>

#include "directory_fixture.h"
#include "keys.h"

/* The public key of zmq_curve(7)'s pair. */
#define MANUAL_PUBLIC "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

/* Writes a file into the directory; returns its path, to free. */
static char *
write_file(const char *name, const char *text, int mode)
{
	char *path = g_build_filename(directory, name, NULL);

	cr_assert(g_file_set_contents(path, text, -1, NULL));
	cr_assert(g_chmod(path, mode) == 0);
	return path;
}

static guint
mode_of(const char *path)
{
	struct stat st;

	cr_assert(stat(path, &st) == 0, "%s", path);
	return st.st_mode & 07777;
}

/* Asserts a KEYS_ERROR whose message is one line and has a part. */
static void
assert_error(GError *error, int code, const char *part)
{
	cr_assert(g_error_matches(error, KEYS_ERROR, code), "%s",
		  error ? error->message : "no error");
	cr_assert(strstr(error->message, part), "\"%s\" is not in \"%s\"", part, error->message);
	cr_assert(!strchr(error->message, '\n'));
}
#endif
