/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * magic.h - what a content is, from its first bytes.
 *
 * A table of our own, since the reader may open no database inside the
 * sandbox.  It tells apart what an investigator asks for: programs, scripts,
 * documents, archives, images.  Pure; any thread.
 */
#ifndef MAILTRACE_MAGIC_H
#define MAILTRACE_MAGIC_H

#include <glib.h>

/* Bytes at the head of a content that are looked at. */
#define MAGIC_BYTES 1024

/* An image of a disc alone says what it is behind 16 sectors that may hold anything (ISO 9660 6.2).
 */
#define MAGIC_IMAGE_BYTES (16 * 2048 + 6)

/*
 * Returns a media type, static, or NULL when the bytes are of no known kind;
 * text without controls is "text/plain".  length: may be more than MAGIC_BYTES;
 * less than MAGIC_IMAGE_BYTES tells no image of a disc.
 */
const char *magic_type(const void *bytes, gsize length);
#endif
