/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ocsf_json.h - what the halves of the event's codec share; nobody else's.
 *
 * ocsf.c writes an event's OCSF members and keeps its bound, ocsf_mailtrace.c
 * writes unmapped.mailtrace, ocsf_read.c reads.  Together they are jansson's
 * owner.  Pure functions; any thread.
 */
#ifndef MAILTRACE_OCSF_JSON_H
#define MAILTRACE_OCSF_JSON_H

#include <glib.h>
#include <jansson.h>

#include "event.h"

#define OCSF_CLASS_EMAIL_ACTIVITY 4009

/* RFC 8259 6: beyond this, readers that hold numbers as doubles lose digits. */
#define OCSF_NUMBER_MAX ((G_GINT64_CONSTANT(1) << 53) - 1)

/* What is left out of an event that is too long, in this order. */
enum ocsf_limit {
	LIMIT_FILES,	  /* deepest and last first */
	LIMIT_URLS,	  /* last first */
	LIMIT_ARGUMENTS,  /* recipients whose arguments are kept */
	LIMIT_HEADER,	  /* entries of each list of header values */
	LIMIT_RAW,	  /* the subject's raw bytes */
	LIMIT_TO,	  /* OCSF's copy of the recipients */
	LIMIT_RECIPIENTS, /* rcpt[] itself */
	LIMITS,
};

/* One attempt at an event. */
struct ocsf_attempt {
	const struct event *event;
	guint limits[LIMITS];
	gboolean *kept;	      /* of the files, by index */
	gboolean *incomplete; /* those below which files are left out */
};

/* Puts a member; value is the object's from here on. */
void ocsf_put(json_t *object, const char *key, json_t *value);

/* Puts an object or array, or frees it if it is empty. */
void ocsf_put_filled(json_t *object, const char *key, json_t *value);

/* Returns text as JSON.  It is valid by contract; should it not be, it is escaped, never lost. */
json_t *ocsf_text(const char *text);

/* Puts text unless it is NULL. */
void ocsf_put_text(json_t *object, const char *key, const char *text);

/* Puts a number, at most OCSF_NUMBER_MAX. */
void ocsf_put_number(json_t *object, const char *key, guint64 number);

/* Puts bytes in lower-case hexadecimal. */
void ocsf_put_hex(json_t *object, const char *key, const guint8 *bytes, gsize length);

/* Returns TRUE unless all digests are zero, as those of unknown content are. */
gboolean ocsf_has_digests(const struct digests *digests);

/* Returns the object unmapped.mailtrace of an attempt; the caller's. */
json_t *ocsf_mailtrace_value(const struct ocsf_attempt *attempt);
#endif
