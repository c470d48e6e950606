/* SPDX-License-Identifier: BSD-2-Clause */
/* libexec.h - where the programs are that no user starts by hand.  Any thread. */
#ifndef MAILTRACE_LIBEXEC_H
#define MAILTRACE_LIBEXEC_H

/*
 * Returns the path of a program by its name: in libexec/mailtrace, or in
 * MAILTRACE_LIBEXEC_DIR where that is set and the process has no more rights than its
 * user.  It need not be there.  Free with g_free().
 */
char *libexec_path(const char *name);
#endif
