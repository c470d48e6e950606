/* SPDX-License-Identifier: BSD-2-Clause */
/* z85.h - CURVE keys as text: Z85 (ZeroMQ RFC 32), 40 digits for 32 bytes. */
#ifndef MAILTRACE_Z85_H
#define MAILTRACE_Z85_H

#include <glib.h>

#define CURVE_KEY_BYTES 32
#define KEY_Z85_LENGTH 40

/* Writes the 40 digits and a NUL. */
void z85_encode(const guint8 bytes[CURVE_KEY_BYTES], char ret_text[KEY_Z85_LENGTH + 1]);

/* Reads a key; FALSE, and ret_bytes is undefined, if text is not 40 digits of a key. */
gboolean z85_decode(const char *text, guint8 ret_bytes[CURVE_KEY_BYTES]);
#endif
