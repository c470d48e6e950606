/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.h - what a message is, once read: headers, files, links.
 *
 * Plain value structures, shared by the reader that fills them (mime.c, in a
 * sandboxed worker), the answer codec that carries them (answer.h), the event
 * that publishes them (ocsf.c) and the store.  This file knows no library but
 * GLib, no file descriptor and no policy.  Any thread may use a record, one
 * at a time.
 *
 * Text in these structures is valid UTF-8 without NUL.  Bytes that were not
 * are escaped as \xHH by text_from_bytes(), and kept beside the text as GBytes
 * where they differ.  Labels (readings, anomalies, caps) are our own words: 1
 * to 64 graphic characters of ASCII.
 */
#ifndef MAILTRACE_RECORD_H
#define MAILTRACE_RECORD_H

#include <glib.h>

#include "digest.h"

/* Flags of a file; their names in events are those of record_flag_name(). */
enum file_flag {
	FILE_BODY = 1 << 0,	  /* shown as the text of the mail, not a file */
	FILE_MULTIPART = 1 << 1,  /* a container of parts; has no digest */
	FILE_MESSAGE = 1 << 2,	  /* message/rfc822 or message/global */
	FILE_ENCRYPTED = 1 << 3,  /* content is not readable without a key */
	FILE_INCOMPLETE = 1 << 4, /* a cap or damage was met below or inside this file */
	FILE_UNDECODED = 1 << 5,  /* a name's character set had no converter */
	FILE_TRUNCATED = 1 << 6,  /* transfer encoding ended early */
};
#define FILE_FLAG_COUNT 7

/* Below this size a CRC-32 is shared by too many contents to make a candidate. */
#define CANDIDATE_MIN_BYTES 16

/* How a variant's bytes were made from the decoded content. */
enum variant_kind {
	VARIANT_EXACT,	   /* the decoded content itself (file->digests) */
	VARIANT_LF,	   /* CR LF, and CR CR LF, replaced by LF */
	VARIANT_DELIMITER, /* with the line break that belongs to the delimiter
			    * (RFC 2046 5.1.1), as rspamd hashes */
	VARIANT_TRIMMED,   /* the LF form without any line breaks at its end:
			    * mailboxes add one, see record_content_key() */
};
#define VARIANT_KIND_COUNT 4

/* One alternative rendition of a file's content. */
struct variant {
	enum variant_kind kind;
	guint64 size; /* bytes */
	struct digests digests;
};

/* One name that some reader would show for a file. */
struct file_name {
	char *text;    /* UTF-8, path parts kept */
	GBytes *raw;   /* the undecoded bytes, or NULL when equal to text */
	char *reading; /* where it comes from: "filename", "name", "rfc2047"… */
};

/* A node of the tree of parts: a MIME part, or a member of an archive. */
struct file {
	char *path;		/* "2.1" or "2.1!/dir/a.js"; unique in a record */
	int parent;		/* index in record->files, lower than its own; -1 for [0] */
	GPtrArray *names;	/* of struct file_name, best first; may be empty */
	char *declared_type;	/* "text/plain", lower case; NULL if none */
	char *detected_type;	/* from the content; NULL if unknown */
	char *disposition;	/* "attachment", "inline"; NULL if none */
	char *content_id;	/* without angle brackets; NULL if none */
	char *encoding;		/* transfer encoding as declared; NULL if none */
	guint64 size;		/* bytes of the decoded content */
	guint32 flags;		/* of enum file_flag */
	struct digests digests; /* of the decoded content; zero if MULTIPART */
	GArray *variants;	/* of struct variant; see file_add_variant() */
	gboolean has_crc32;	/* an archive's directory gave a CRC-32 */
	guint32 crc32;
	char *method;	     /* compression or encryption method, or NULL */
	GPtrArray *readings; /* of char *: readings that show it; may be empty
			      * for the plain reading */
	GPtrArray *malware;  /* of char *: signature names; may be empty */
};

/* An address of a header (RFC 5322 3.4), decoded. */
struct mail_address {
	char *display; /* display name or NULL */
	char *address; /* addr-spec as written; "" if none could be found */
};

/* A departure from the standards, found while reading. */
struct anomaly {
	char *name;	/* class, e.g. "duplicate-header" */
	guint64 offset; /* bytes from the start of the message */
};

/* Everything that was read from one message. */
struct record {
	char *message_id;    /* with angle brackets, as written; NULL if none */
	char *subject;	     /* decoded; NULL if none */
	GBytes *subject_raw; /* undecoded bytes, or NULL when equal */
	char *date;	     /* Date field as written; NULL if none */
	gint64 date_us;	     /* the same, microseconds UTC; 0 if unreadable */
	GPtrArray *from;     /* of struct mail_address; these are never NULL */
	GPtrArray *to;
	GPtrArray *cc;
	GPtrArray *reply_to;
	GPtrArray *delivered_to;	   /* of char *: Delivered-To, then X-Original-To;
					    * each from the top */
	GPtrArray *authentication_results; /* of char *, as written */
	char *list_id;			   /* NULL if none */
	char *scanner;			   /* what files were matched with: engine and
					    * database; NULL if they were not */
	GPtrArray *urls;		   /* of char *, in order of appearance, distinct */
	GPtrArray *files;		   /* of struct file; [0] is the whole content */
	GPtrArray *anomalies;		   /* of struct anomaly */
	GPtrArray *caps;		   /* of char *: caps that were met, by name */
	guint64 size;			   /* bytes of the message, headers included */
	guint8 sha256[SHA256_BYTES];	   /* of the message as read; zero if unknown */
};

/*
 * Returns an empty record: arrays present, strings NULL, numbers 0.
 * Free with record_free().
 */
struct record *record_new(void);

/*
 * Returns why the message is ambiguous: the names, distinct and borrowed, of the
 * readings that show contents which the plain one does not, and of the caps that
 * readings met; empty if it is not.  Free with g_ptr_array_unref().
 */
GPtrArray *record_ambiguities(const struct record *record);

/* Frees a record and all it owns.  NULL is allowed. */
void record_free(struct record *record);

/*
 * Appends an empty file to the record and returns it, borrowed from the
 * record.  path: NUL-terminated UTF-8, copied.  parent: its index or -1.
 */
struct file *record_add_file(struct record *record, const char *path, int parent);

/* Returns whether a file has a name of such text. */
gboolean file_has_name(const struct file *file, const char *text);

/*
 * Adds a name unless the file already has the same text.  text, reading:
 * NUL-terminated UTF-8, copied.  raw: borrowed, may be NULL.
 */
void file_add_name(struct file *file, const char *text, const char *reading, GBytes *raw);

/*
 * Adds a variant.  VARIANT_EXACT is never among them, being file->digests; LF
 * is left out when it equals the exact content, TRIMMED when it equals the LF
 * form (or the exact content, if that was left out).  Files to which line
 * breaks mean nothing, decoded from base64 and not text, have none.
 */
void file_add_variant(struct file *file, enum variant_kind kind, guint64 size,
		      const struct digests *digests);

/* Returns the file's variant of this kind, borrowed from it, or NULL if it was left out. */
const struct variant *file_variant(const struct file *file, enum variant_kind kind);

/* Returns an empty file of no record, with parent -1.  path: copied.  Free with file_free(). */
struct file *file_new(const char *path);

/* Frees a file and all it owns.  NULL is allowed. */
void file_free(struct file *file);

/* Appends an address to one of the record's arrays; both are copied, display may be NULL. */
void mail_address_add(GPtrArray *array, const char *display, const char *address);

/*
 * Notes a departure from the standards.  name: a label, copied.  offset: in
 * bytes.  After CAP_ANOMALIES of them only that cap is noted.
 */
void record_add_anomaly(struct record *record, const char *name, guint64 offset);

/* Returns whether one of this name was noted at this offset. */
gboolean record_has_anomaly(const struct record *record, const char *name, guint64 offset);

/* Notes that a cap was met, once per name.  name: a static string of caps.h, copied. */
void record_note_cap(struct record *record, const char *name);

/*
 * Returns the best name of a file: the first of names, else NULL.  Borrowed
 * from the file.
 */
const char *file_best_name(const struct file *file);

/*
 * Returns TRUE for a node a person would call a file: neither a container nor
 * a text body.
 */
gboolean file_is_attachment(const struct file *file);

/* Returns the name of the flag with this bit number (0 to FILE_FLAG_COUNT-1), static. */
const char *record_flag_name(guint bit);

/*
 * Writes a key that is the same for a message as the milter saw it and for the
 * copy of it in a mailbox, where line ends became LF, trace fields were put in
 * front and a line break perhaps at the end.  It is the SHA-256 over, in this
 * order and each led by its length (8 bytes big-endian; all ones when absent):
 *
 *  - "mailtrace-content-1";
 *  - Message-ID, Date and subject, runs of blanks made one, none at the ends;
 *  - for each From address its display name and its address;
 *  - an empty string, and then for each file that is neither FILE_MULTIPART
 *    nor a member of an archive ("!/" in its path) nor shown by other
 *    readings alone (its readings are named): path, best name, and the
 *    SHA-256 of VARIANT_TRIMMED, else of VARIANT_LF, else of the content.
 *
 * So it does not see Received, Delivered-To or other fields, line breaks at
 * the end of a text, nor members of archives (whose bytes decide them).  Two
 * mails with one Message-ID and another text, name, file or subject differ.  A
 * record without files, of an unread message, has a key that says nothing:
 * join nothing by it.
 */
void record_content_key(const struct record *record, guint8 ret_key[SHA256_BYTES]);

/* Adds a URL, NUL-terminated UTF-8, that is not there yet; CAP_URLS is noted when it is met. */
void record_add_url(struct record *record, const char *url);

/* Returns TRUE for a member of an archive or document: "!/" is in its path. */
gboolean file_is_member(const struct file *file);

/* Returns the name of a variant ("exact", "lf", "delimiter", "trimmed"), static. */
const char *variant_kind_name(enum variant_kind kind);

typedef struct record record_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(record_t, record_free)
#endif
