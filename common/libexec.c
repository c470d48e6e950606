/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "libexec.h"

#include <glib.h>
#include <stdlib.h>

char *
libexec_path(const char *name)
{
	const char *directory = secure_getenv("MAILTRACE_LIBEXEC_DIR");

	return g_build_filename(directory ? directory : MAILTRACE_LIBEXECDIR, name, NULL);
}
