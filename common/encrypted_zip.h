/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * encrypted_zip.h - the encrypted members of a zip; libzip's owner for reading.
 *
 * Tells what a zip's directory says of members that nobody can read without a
 * password, CRC-32 and method among it, which libarchive does not tell.  Contents
 * are archive_members.h's, with a password too: libzip 1.7 calls a member of
 * AE-2 damaged that is not.
 *
 * Parses hostile bytes: to be called in a sandbox only.  Opens no file.  One thread.
 */
#ifndef MAILTRACE_ENCRYPTED_ZIP_H
#define MAILTRACE_ENCRYPTED_ZIP_H

#include <glib.h>

struct encrypted_zip;

/* An encrypted member, as the directory has it: not to be believed. */
struct encrypted_zip_member {
	const char *name; /* raw bytes, NUL-terminated; until encrypted_zip_free() */
	guint64 offset;	  /* of its local header in the bytes */
	guint64 size;	  /* of the content */
	gboolean has_crc32;
	guint32 crc32;	    /* of the content; AE-2, WinZip's for small files, has none */
	const char *method; /* "zipcrypto+deflate", "aes-256+store"; static */
};

/*
 * Opens the zip that ends length bytes, whatever stands before it; they are kept by the caller.
 * Returns NULL if none does.
 */
struct encrypted_zip *encrypted_zip_open(const void *bytes, gsize length);

/*
 * Goes to the next encrypted member, of at most CAP_MEMBERS; FALSE at the end.
 */
gboolean encrypted_zip_next(struct encrypted_zip *zip, struct encrypted_zip_member *ret_member);

/* Frees it.  NULL is allowed. */
void encrypted_zip_free(struct encrypted_zip *zip);

typedef struct encrypted_zip encrypted_zip_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(encrypted_zip_t, encrypted_zip_free)
#endif
