/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_folder.h - the temporary folder that a worker has, made and removed by the scanner.
 *
 * What a worker wrote there is hostile: it is removed and never looked into.  One thread.
 */
#ifndef MAILTRACE_WORKER_FOLDER_H
#define MAILTRACE_WORKER_FOLDER_H

/*
 * Makes a folder (0700) with this process's number in its name.  Returns its path, for
 * worker_folder_remove(), or NULL with errno.
 */
char *worker_folder_make(const char *directory);

/*
 * Removes a folder and all in it, at any depth and of any mode, and frees its path.  Links
 * are not followed, nor is another file system entered.  NULL is allowed.
 */
void worker_folder_remove(char *folder);

/* Removes the folders that scanners of our user left which were killed.  directory: "" for none. */
void worker_folder_remove_left(const char *directory);
#endif
