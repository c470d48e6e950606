/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ocsf_json.h - what the halves of the event's codec share; nobody else's.
 *
 * ocsf.c writes an event's OCSF members and keeps its bound, ocsf_mailtrace.c
 * writes unmapped.mailtrace, ocsf_read.c reads, ocsf_delivery.c does both for
 * deliveries and ocsf_login.c for logins, ocsf_members.c has the strict reading of members.
 * Together they are jansson's owner.  Pure functions; any thread.
 */
#ifndef MAILTRACE_OCSF_JSON_H
#define MAILTRACE_OCSF_JSON_H

#include <glib.h>
#include <jansson.h>

#include "event.h"

#define OCSF_CLASS_EMAIL_ACTIVITY 4009
#define OCSF_CLASS_AUTHENTICATION 3002

/* RFC 8259 6: beyond this, readers that hold numbers as doubles lose digits. */
#define OCSF_NUMBER_MAX ((G_GINT64_CONSTANT(1) << 53) - 1)

/* Years 1 to 9999, what RFC 3339 can write. */
#define OCSF_TIME_US_MIN (-62135596800 * G_USEC_PER_SEC)
#define OCSF_TIME_US_MAX (253402300800 * G_USEC_PER_SEC - 1)

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

/* Returns the object unmapped.mailtrace of an attempt; the caller's. */
json_t *ocsf_mailtrace_value(const struct ocsf_attempt *attempt);

/* Returns whether text is of OCSF's email_t, which refuses "root", "<>" and SMTPUTF8. */
gboolean ocsf_is_email(const char *text);

/* Returns whether text is of OCSF's hostname_t. */
gboolean ocsf_is_hostname(const char *text);

/* Returns an event's "metadata" with its product; profile may be NULL.  The caller's. */
json_t *ocsf_metadata_value(const char *event_id, const char *log_name, const char *tenant,
			    const char *profile);

/* ---- reading ---- */

/* A reading under way: after the first fault all that follows is let be. */
struct ocsf_in {
	GError **error;
	gboolean failed;
};

/*
 * Parses JSON of at most max_bytes; OCSF_ERROR_SYNTAX if it is none, too long,
 * or has a name twice in one object.  The caller's.
 */
json_t *ocsf_parse(const void *json, gsize length, gsize max_bytes, GError **error);

/* Returns unmapped.mailtrace of an event of a class and of our version, borrowed, or NULL. */
json_t *ocsf_check_class_of(json_t *root, int class_uid, GError **error);

/* The same of an email_activity. */
json_t *ocsf_check_class(json_t *root, GError **error);

/* Notes the first fault, OCSF_ERROR_FIELD. */
void ocsf_fail(struct ocsf_in *in, const char *key, const char *what);

/*
 * In what follows, take reads a member that may be absent, and need one that
 * must be there; a member of another type is a fault for both.
 */

/* Returns a member of this type, borrowed from object; NULL if it is absent. */
json_t *ocsf_take(struct ocsf_in *in, json_t *object, const char *key, json_type type);

/* The same; NULL only after a fault was noted. */
json_t *ocsf_need(struct ocsf_in *in, json_t *object, const char *key, json_type type);

/* Returns an array, borrowed, or NULL; one of more than most members is a fault. */
json_t *ocsf_take_array(struct ocsf_in *in, json_t *object, const char *key, gsize most);

/* Returns a text, borrowed; "" after a fault was noted. */
const char *ocsf_need_string(struct ocsf_in *in, json_t *object, const char *key);

/* The same as a copy, for g_free(). */
char *ocsf_need_text(struct ocsf_in *in, json_t *object, const char *key);

/* Returns a copy of a text, for g_free(), or NULL if it is absent. */
char *ocsf_take_text(struct ocsf_in *in, json_t *object, const char *key);

/* Returns an integer, 0 if it is absent; one out of least to most is a fault. */
gint64 ocsf_take_number(struct ocsf_in *in, json_t *object, const char *key, gint64 least,
			gint64 most);

/* The same; 0 after a fault was noted. */
gint64 ocsf_need_number(struct ocsf_in *in, json_t *object, const char *key, gint64 least,
			gint64 most);

/* Returns a boolean, FALSE if it is absent. */
gboolean ocsf_take_flag(struct ocsf_in *in, json_t *object, const char *key);

/* Adds copies of an array's texts. */
void ocsf_take_texts(struct ocsf_in *in, json_t *object, const char *key, gsize most,
		     GPtrArray *ret_texts);

/* Reads hexadecimal of exactly length bytes. */
void ocsf_need_hex(struct ocsf_in *in, json_t *object, const char *key, guint8 *ret_bytes,
		   gsize length);

/* Returns the place of a text among names, which end with NULL. */
guint ocsf_need_choice(struct ocsf_in *in, json_t *object, const char *key,
		       const char *const *names);

/* Whether a claim is none, or what was proved; else FALSE with OCSF_ERROR_FIELD. */
gboolean ocsf_claim_holds(const char *claim, const char *proved, const char *what, GError **error);

/* Reads a UUID in lower case; for g_free(). */
char *ocsf_read_id(struct ocsf_in *in, json_t *object, const char *key, gboolean required);
#endif
