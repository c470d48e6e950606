/* SPDX-License-Identifier: BSD-2-Clause */
/* descriptor.h - what write(2) does not do by itself.  Any thread. */
#ifndef MAILTRACE_DESCRIPTOR_H
#define MAILTRACE_DESCRIPTOR_H

#include <glib.h>

/*
 * Writes length bytes to a blocking descriptor, in as many calls as it takes, and through
 * interruptions by signals.  FALSE with errno; what was written by then stays.
 */
gboolean descriptor_write(int fd, const void *bytes, gsize length);
#endif
