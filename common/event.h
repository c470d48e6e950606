/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event.h - one message that passed: its envelope, its record, our verdict.
 *
 * The structure that the milter process fills, the codec (ocsf.h) writes and
 * reads, and the store keeps.  Knows no JSON and no library but GLib.  Text is
 * valid UTF-8 (see record.h); envelope addresses are kept as typed.
 */
#ifndef MAILTRACE_EVENT_H
#define MAILTRACE_EVENT_H

#include <glib.h>

#include "record.h"

#define EVENT_ID_LENGTH 36 /* a UUID in text */

/* Which way a message goes; the truth table is in direction.h. */
enum direction { DIRECTION_UNKNOWN, DIRECTION_INBOUND, DIRECTION_OUTBOUND, DIRECTION_INTERNAL };

/* What the MTA was told about the message. */
enum verdict { VERDICT_ACCEPT, VERDICT_HOLD, VERDICT_TEMPFAIL, VERDICT_REJECT, VERDICT_DISCARD };

/* What a block does to a message that has its file; the gravest last. */
enum block_mode { BLOCK_OBSERVE, BLOCK_HOLD, BLOCK_DISCARD, BLOCK_REJECT };
#define BLOCK_MODES 4

/* A file of the message that the block list has. */
struct event_block {
	guint32 number; /* of the block, at the collector */
	enum block_mode mode;
	gboolean candidate; /* known by CRC-32 and size alone */
	char *file;	    /* its path in the record */
};

/* An address of the envelope: RFC 5321 reverse-path or forward-path. */
struct envelope_address {
	char *typed;	      /* as typed, angle brackets included: "<a@b.example>", "<>" */
	char *address;	      /* the same without brackets and source route; "" for null */
	GPtrArray *arguments; /* of char *: ESMTP parameters as typed, "SIZE=100" */
	gboolean refused;     /* the MTA or a milter before us refused it ({rcpt_mailer} error) */
};

/* Where the message came from, and how. */
struct client {
	char *ip;	   /* "192.0.2.1", "2001:db8::1"; NULL for local submission */
	guint port;	   /* 0 if unknown */
	char *name;	   /* as the MTA resolved it, NULL if it did not */
	char *helo;	   /* NULL if none was said */
	char *tls_version; /* "TLSv1.3"; NULL without TLS */
	char *tls_cipher;
	guint tls_bits;
	char *tls_subject; /* of a verified client certificate, else NULL */
	char *sasl_user;   /* {auth_authen}; NULL if not authenticated */
	char *sasl_method; /* {auth_type} */
	char *sasl_author; /* {auth_author} */
};

/* A message that passed. */
struct event {
	char *event_id;	       /* UUIDv7, or UUIDv8 for an imported message */
	char *parent_event;    /* event of an earlier hop of ours, or NULL */
	char *supplements;     /* event whose files this one tells more of, or NULL */
	char *tenant;	       /* set by the collector from the sensor's key */
	char *sensor;	       /* likewise; the sensor's own belief before that */
	char *host;	       /* the MTA's name, macro j; NULL if not given */
	char *mta;	       /* the MTA's version, macro v; NULL if not given */
	char *queue_id;	       /* NULL if the MTA gave none */
	char *origin;	       /* "milter" or "import" */
	gint64 received_at_us; /* end of message at the sensor, UTC */
	enum direction direction;
	struct client client;
	struct envelope_address *sender; /* NULL for an import without one */
	GPtrArray *recipients;		 /* of struct envelope_address, in order */
	struct record *record;		 /* never NULL; empty when unread */
	char *unread;			 /* why the files could not be read, or NULL */
	enum verdict verdict;
	char *verdict_reason; /* NULL for a plain accept */
	GPtrArray *blocks;    /* of struct event_block; at most CAP_BLOCKS, the gravest first */
};

/* Fills an empty client with copies of what another has; the caller clears it. */
void client_copy(struct client *to, const struct client *from);

/* Frees what a client owns; the structure itself stays, and must not be read again. */
void client_clear(struct client *client);

/* Returns an empty event with an empty record.  Free with event_free(). */
struct event *event_new(void);

/*
 * Returns TRUE if the files of the message are not all known by their content:
 * it could not be read, a cap or damage was met, or something encrypted is in
 * it of which not even a CRC-32 is known.
 */
gboolean event_has_unread_files(const struct event *event);

/* Frees an event and all it owns.  NULL is allowed. */
void event_free(struct event *event);

/*
 * Returns a new address.  typed: NUL-terminated UTF-8 as the MTA gave it, with
 * or without angle brackets, copied.  Fills address per RFC 5321 4.1.1.3: a
 * source route ("@a,@b:c@d") is left out.  Free with envelope_address_free().
 */
struct envelope_address *envelope_address_new(const char *typed);

/* Frees an address.  NULL is allowed. */
void envelope_address_free(struct envelope_address *address);

/* Notes that a file is blocked.  file: its path, copied. */
void event_add_block(struct event *event, guint32 number, enum block_mode mode, gboolean candidate,
		     const char *file);

/* Returns the name of a mode ("observe"), static. */
const char *block_mode_name(enum block_mode mode);

/* Reads the name of a mode; FALSE, with *ret_mode untouched, if it is none. */
gboolean block_mode_parse(const char *name, enum block_mode *ret_mode);

/* Returns the name of a direction ("inbound"), static. */
const char *direction_name(enum direction direction);

/* Returns the name of a verdict ("accept"), static. */
const char *verdict_name(enum verdict verdict);

/*
 * Returns a new UUIDv7 (RFC 9562 5.7) for the time given in microseconds UTC
 * (0 or later), lower case: milliseconds, then the rest of the microseconds in
 * rand_a (6.2 method 3, so that ids sort by time), then 62 bits of the kernel's
 * random numbers.  Free with g_free().
 */
char *event_id_new(gint64 time_us);

/*
 * Returns the UUIDv8 (RFC 9562 5.8) of a content: the first 128 bits of its
 * SHA-256 with version and variant written over, as in RFC 9562 B.2.  Used for
 * imports, so that the same content gives the same id.  Free with g_free().
 */
char *event_id_of(const void *bytes, gsize length);

/* Returns TRUE if text is a UUID in lower case, 36 characters. */
gboolean event_id_is_valid(const char *text);

typedef struct event event_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(event_t, event_free)
#endif
