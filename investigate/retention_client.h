/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * retention_client.h - the command line's side of retention.h: by the collector
 * where one runs, and else by itself, as the store's writer.  One thread.
 */
#ifndef MAILTRACE_RETENTION_CLIENT_H
#define MAILTRACE_RETENTION_CLIENT_H

#include "command.h"

struct retention_client;

/*
 * Connects to the collector, or opens the store for writing if none runs; then no
 * collector starts meanwhile.  NULL with an error.  Free with
 * retention_client_free().
 */
struct retention_client *retention_client_open(const struct command *command, GError **error);

/* Has an operation of retention.h done; returns its answer, for json_decref(), or NULL. */
json_t *retention_client_call(struct retention_client *client, const json_t *request,
			      GError **error);

/* Closes.  NULL is allowed. */
void retention_client_free(struct retention_client *client);

typedef struct retention_client retention_client_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(retention_client_t, retention_client_free)
#endif
