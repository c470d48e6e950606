/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_schema.h - the tables of the SQLite store, and their history.
 *
 * The version is SQLite's user_version.  A step leads from one version to the
 * next and is never changed once released; a store is brought up to date by
 * its writer, in one transaction, and a newer one is not touched.  Where SQL does
 * not do, a function goes with a step (store_schema.c, conversions).
 */
#ifndef MAILTRACE_STORE_SCHEMA_H
#define MAILTRACE_STORE_SCHEMA_H

#include <glib.h>

#include "store_sqlite.h"

/* Steps: scripts; the first makes version 1 out of an empty file.  *ret_count: the newest version.
 */
const char *const *store_schema_steps(gsize *ret_count);

/*
 * Brings a store to version count by the steps it lacks.  Returns FALSE with
 * STORE_ERROR_VERSION, untouched, when it is newer or is no store of ours.
 */
gboolean store_schema_upgrade(struct sql *sql, const char *const *steps, gsize count,
			      GError **error);

/* Checks that a reader understands the store.  STORE_ERROR_VERSION if it is newer or older. */
gboolean store_schema_check(struct sql *sql, gsize count, GError **error);

/* Reads the version. */
gboolean store_schema_version(struct sql *sql, gint64 *ret_version, GError **error);
#endif
