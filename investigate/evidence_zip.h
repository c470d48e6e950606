/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evidence_zip.h - evidence given away: an encrypted zip, and its password.
 *
 * The zip is made by the helper `seal`, since the command line does not link
 * libzip.  A password goes to it by its standard input, and never onto a command
 * line.  One thread.
 */
#ifndef MAILTRACE_EVIDENCE_ZIP_H
#define MAILTRACE_EVIDENCE_ZIP_H

#include <glib.h>

#define EVIDENCE_PASSWORD_LEAST 8 /* bytes: a zip's own key derivation is cheap to try */
#define EVIDENCE_PASSWORD_MOST 1024

/*
 * Reads a password: the first line of a file, UTF-8.  Returns NULL with a
 * G_FILE_ERROR; else free with evidence_password_free().
 */
char *evidence_password_read(const char *path, GError **error);

/* Returns a new one of 144 random bits; NULL with a G_FILE_ERROR.  Free likewise. */
char *evidence_password_new(GError **error);

/* Wipes and frees.  NULL is allowed. */
void evidence_password_free(char *password);

/*
 * Seals the .eml and .json files of a folder, which is private (private_folder.h),
 * has the zip meanwhile and is beside path, into a new file: mode 0600, whole or not at all, never
 * over one that is there.  helper: the path of seal.  *ret_sha256: of the whole zip, lower-case
 * hex; free with g_free().  FALSE with a G_FILE_ERROR or a SUBPROCESS_ERROR.
 */
gboolean evidence_zip_write(const char *helper, const char *folder, const char *password,
			    const char *path, char **ret_sha256, guint64 *ret_size, GError **error);

/*
 * Takes the SHA-256 of a regular file, not of what a link names, in lower-case
 * hex.  FALSE with a G_FILE_ERROR.  Free *ret_sha256 with g_free().
 */
gboolean evidence_file_digest(const char *path, char **ret_sha256, guint64 *ret_size,
			      GError **error);
#endif
