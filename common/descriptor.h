/* SPDX-License-Identifier: BSD-2-Clause */
/* descriptor.h - what read(2) and write(2) do not do by themselves.  Any thread. */
#ifndef MAILTRACE_DESCRIPTOR_H
#define MAILTRACE_DESCRIPTOR_H

#include <glib.h>

/*
 * Writes length bytes to a blocking descriptor, in as many calls as it takes, and through
 * interruptions by signals.  FALSE with errno; what was written by then stays.
 */
gboolean descriptor_write(int fd, const void *bytes, gsize length);

/*
 * Reads a blocking descriptor to its end, but at most one byte more than max_bytes: then
 * what is there is too long, be it without an end.  Returns NULL with errno; else any
 * bytes, to be freed with g_string_free().
 */
GString *descriptor_read(int fd, gsize max_bytes);
#endif
