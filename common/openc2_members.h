/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * openc2_members.h - what the structs of openc2.h (openc2.c) and their JSON form
 * (openc2_json.c) share.  Nobody else includes it.
 */
#ifndef MAILTRACE_OPENC2_MEMBERS_H
#define MAILTRACE_OPENC2_MEMBERS_H

#include "openc2.h"

/* A member of a JSON object that is a text of a struct. */
struct text_member {
	const char *name;
	gsize offset;
};

/* Those of a message, of args' x-mailtrace, and of a copy; the last has no name. */
extern const struct text_member openc2_message_texts[];
extern const struct text_member openc2_argument_texts[];
extern const struct text_member openc2_copy_texts[];

/* Returns an empty list of struct openc2_copy, which frees them. */
GPtrArray *openc2_copies_new(void);

/* Reads an action's word; FALSE for another. */
gboolean openc2_action_parse(const char *word, enum openc2_action *ret_action);
#endif
