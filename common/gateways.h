/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gateways.h - by which command the queue of each mail gateway is reached.
 *
 * Owns the form "NAME: COMMAND; NAME: COMMAND" of [queue] gateways.  A command is
 * split into arguments once, here, by the shell's rules of quoting, and never
 * seen by a shell.  Immutable; any thread.
 */
#ifndef MAILTRACE_GATEWAYS_H
#define MAILTRACE_GATEWAYS_H

#include <glib.h>

enum gateways_error {
	GATEWAYS_ERROR_FORM, /* no such list, or a name that occurs twice */
};
/* Its message is one line, for the administrator, with the remedy. */
#define GATEWAYS_ERROR (gateways_error_quark())
GQuark gateways_error_quark(void);

struct gateways;

/*
 * Reads a list, which may be empty.  A name is a sensor's (key_name_is_valid()) and
 * may occur once; a command has no ";".  Returns NULL with GATEWAYS_ERROR_FORM, one
 * line with the remedy; else free with gateways_free().
 */
struct gateways *gateways_parse(const char *text, GError **error);

/* Frees a list.  NULL is allowed. */
void gateways_free(struct gateways *gateways);

/* Returns the arguments of a gateway's command, NULL-terminated, borrowed; NULL if it has none. */
const char *const *gateways_command(const struct gateways *gateways, const char *name);

typedef struct gateways gateways_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(gateways_t, gateways_free)
#endif
