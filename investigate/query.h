/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * query.h - a question, parsed: the QUERY terms of `mailtrace who`.
 *
 * Terms are ANDed; those of --hashes are alternatives of each other.  Terms of
 * a file (a digest, name:, ext:, size:, malware:) must all hold of one and the
 * same file of the message; to: and state: must all hold of one and the same
 * recipient.  Reads the files that a question names only as bytes, to digest
 * them.  Pure but for that; one thread.
 */
#ifndef MAILTRACE_QUERY_H
#define MAILTRACE_QUERY_H

#include <glib.h>

#include "digest.h"

enum query_error {
	QUERY_ERROR_TERM, /* not a term; message says what would be one */
	QUERY_ERROR_FILE, /* the file cannot be read */
	QUERY_ERROR_TIME, /* not a time */
};
/* Its message is one line, for whoever asks. */
#define QUERY_ERROR (query_error_quark())
GQuark query_error_quark(void);

enum term_kind {
	TERM_DIGEST,	 /* a file, by any of the digests in digests */
	TERM_NAME,	 /* name:GLOB, on the search key of a name or of its last path part */
	TERM_SUBJECT,	 /* subject:TEXT, substring of the search key */
	TERM_FROM,	 /* from:, envelope sender or From; see enum address_match */
	TERM_TO,	 /* to:, envelope recipient; likewise */
	TERM_MESSAGE_ID, /* id:, with or without angle brackets */
	TERM_QUEUE,
	TERM_EVENT,
	TERM_URL, /* url:TEXT, substring */
	TERM_IP,  /* ip:ADDRESS or CIDR */
	TERM_SASL,
	TERM_SENSOR,
	TERM_MALWARE, /* malware:GLOB */
	TERM_EXT,     /* ext:js */
	TERM_SIZE,    /* size:>10M, size:1000..2000, of a file; K, M, G are powers of 1024 */
	TERM_DIRECTION,
	TERM_STATE,
};

/* How the text of from: and to: is meant. */
enum address_match {
	ADDRESS_PART,	/* "ali": a substring */
	ADDRESS_DOMAIN, /* "@example.org": all of that domain, not of its subdomains */
	ADDRESS_WHOLE,	/* "ali@example.org", and "<>" for the null sender */
};

/*
 * A digest that is looked for, and what it stands for.  Of a file: "exact", "lf"
 * and "crlf" are its content with these line ends; "-newline" has a line break
 * added where the last line has none, "-no-newline" has it taken away;
 * "trimmed" is the LF form without any line breaks at its end.
 */
struct wanted_digest {
	struct digest digest;
	char *variant; /* one of these; NULL if given as a hash */
};

/* One term. */
struct query_term {
	enum term_kind kind;
	char *text;		/* as given, without the prefix; search key where folded */
	GArray *digests;	/* of struct wanted_digest; of TERM_DIGEST */
	gboolean has_content;	/* of a file, not of hashes */
	gboolean has_candidate; /* of a file: size and CRC-32 for encrypted archives */
	guint64 candidate_size;
	guint32 candidate_crc32;
	guint64 size_min, size_max; /* of TERM_SIZE, inclusive */
	guint8 ip_first[16];	    /* of TERM_IP: the range, IPv4 mapped (::ffff:a.b.c.d) */
	guint8 ip_last[16];
	enum address_match address_match; /* of TERM_FROM and TERM_TO */
};

/* A question. */
struct query {
	char *tenant;	       /* never NULL */
	GPtrArray *terms;      /* of struct query_term */
	gint64 since_us;       /* 0: from the beginning */
	gint64 until_us;       /* 0: until now; exclusive */
	guint64 limit;	       /* 0: all */
	char *cursor;	       /* of an earlier hit, or NULL */
	gboolean with_refused; /* also phantoms and refused recipients */
	gboolean with_finals;  /* also where each recipient's copies went */
};

/* Returns an empty question of a tenant.  Free with query_free(). */
struct query *query_new(const char *tenant);

/* Frees a question.  NULL is allowed. */
void query_free(struct query *query);

/*
 * Adds one term as typed: a hash, "prefix:value", or a path (it has a '/', or
 * is_file says so).  A file is digested as it is, with LF, with CRLF, each
 * with and without a final newline, and its CRC-32 taken; files under 16 bytes
 * make no candidate.  A word that is neither is QUERY_ERROR_TERM naming what
 * to write.
 */
gboolean query_add(struct query *query, const char *word, gboolean is_file, GError **error);

/* Adds one TERM_DIGEST with all hashes of a file: one a line, or the first column of CSV; '#'
 * comments. */
gboolean query_add_hashes(struct query *query, const char *path, GError **error);

/* The most bytes of a list of hashes: some 900,000 SHA-256. */
#define QUERY_HASHES_BYTES (64 * 1024 * 1024)

/*
 * Returns TRUE if text is matched whole by pattern, in which '*' stands for any
 * characters, '?' for one, and '\\' takes the next as it is; brackets mean
 * themselves, since names of files are full of them.  Both are UTF-8.  Takes
 * time of the product of their lengths at most.
 */
gboolean query_glob(const char *pattern, const char *text);

typedef struct query query_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(query_t, query_free)
#endif
