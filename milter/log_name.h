/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_name.h - what the old files of a log are called.
 *
 * The log's name with a suffix of digits, dots and dashes ("mail.log.1",
 * "mail.log-20261123"), and perhaps that of a compression behind it.  Pure.
 */
#ifndef MAILTRACE_LOG_NAME_H
#define MAILTRACE_LOG_NAME_H

#include <glib.h>

/* Returns whether name is that of an old file of the log base; *ret_compressed: if it is. */
gboolean log_name_is_old(const char *name, const char *base, gboolean *ret_compressed);
#endif
