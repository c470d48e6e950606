/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unseal FILE FOLDER - opens a zip of evidence with the password on standard input,
 * as somebody else's program would: by libarchive, not by the library that made it.
 *
 * Writes each member into the folder and prints a line for it: its method as the
 * zip's directory has it, a tab, its name.  Exits with 1 when the password is wrong
 * or a member damaged.
 */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "archive_members.h"
#include "encrypted_zip.h"

static gboolean
extract(struct archive_members *members, const struct archive_member *member, const char *folder)
{
	g_autofree char *path = g_build_filename(folder, member->name, NULL);
	g_autoptr(GByteArray) content = g_byte_array_new();
	g_autoptr(GError) error = NULL;
	const void *piece;
	gsize length;

	while (archive_members_read(members, &piece, &length, &error))
		g_byte_array_append(content, piece, (guint)length);
	return !error && !archive_members_damaged(members) &&
	       g_file_set_contents(path, (const char *)content->data, (gssize)content->len, NULL);
}

static gboolean
extract_all(const char *bytes, gsize length, const char *password, const char *folder)
{
	g_autoptr(archive_members_t) members =
		archive_members_open("application/zip", bytes, length, password);
	g_autoptr(GError) error = NULL;
	struct archive_member member;

	while (archive_members_next(members, &member, &error))
		if (!extract(members, &member, folder))
			return FALSE;
	return !error;
}

int
main(int argc, char **argv)
{
	char password[2048] = "";
	g_autofree char *bytes = NULL;
	g_autoptr(encrypted_zip_t) zip = NULL;
	struct encrypted_zip_member member;
	gsize length;

	if (argc != 3 || !fgets(password, sizeof(password), stdin) ||
	    !g_file_get_contents(argv[1], &bytes, &length, NULL))
		return 2;
	password[strcspn(password, "\n")] = '\0';
	zip = encrypted_zip_open(bytes, length);
	while (zip && encrypted_zip_next(zip, &member))
		printf("%s\t%s\n", member.method, member.name);
	return zip && extract_all(bytes, length, password, argv[2]) ? 0 : 1;
}
