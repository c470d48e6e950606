/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * private_folder.h - a folder that nobody else may enter and that never outlives us.
 *
 * Owns a folder of files and a process of its own that removes it, with all of its
 * files, once we let go of it: also when we were killed.  To be made while the
 * process has one thread.
 */
#ifndef MAILTRACE_PRIVATE_FOLDER_H
#define MAILTRACE_PRIVATE_FOLDER_H

#include <glib.h>

struct private_folder;

/*
 * Makes a folder, mode 0700, beside a path, which is NUL-terminated bytes as the
 * file system has them.  Returns NULL with a G_FILE_ERROR; else free with
 * private_folder_free().
 */
struct private_folder *private_folder_new(const char *beside, GError **error);

/* Returns its path, borrowed until it is freed. */
const char *private_folder_path(const struct private_folder *folder);

/*
 * Has the folder removed with the files in it (it is not for folders in it), and
 * waits until that is done.  NULL is allowed.
 */
void private_folder_free(struct private_folder *folder);

typedef struct private_folder private_folder_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(private_folder_t, private_folder_free)
#endif
