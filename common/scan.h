/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan.h - the ClamAV engine: what is in documents and installers, and which
 * signatures a content matches; libclamav's owner.
 *
 * The engine opens what libarchive does not (PDF, OLE and MSI, CHM, RTF, SZDD,
 * ARJ, installers, packed programs).  It shows each layer that it comes to; which
 * of them a person would call a file is told here, for the engine also shows what
 * it made itself: a layer counts that has a name of its own, or whose first bytes
 * say that it is something else than text.
 *
 * Signatures are only there with a database; the layers are, without one.  The
 * engine is made once, before workers are forked, and its pages are shared.
 * Scanning needs a folder for the engine's temporary files.  To be called in a
 * sandbox only.  One thread.
 */
#ifndef MAILTRACE_SCAN_H
#define MAILTRACE_SCAN_H

#include <glib.h>

enum scan_error {
	SCAN_ERROR_DATABASE, /* it cannot be loaded; message names it */
	SCAN_ERROR_ENGINE,   /* anything else of libclamav */
};
/* No engine is there after it; scan_preload() may be called again. */
#define SCAN_ERROR (scan_error_quark())
GQuark scan_error_quark(void);

/*
 * Makes the engine, once a process.  database: a folder of signatures, or NULL.
 * Takes seconds with a large one.  FALSE with a SCAN_ERROR; it may be tried again
 * without the database.
 */
gboolean scan_preload(const char *database, GError **error);

/*
 * Sets the folder for temporary files, an absolute path that is copied, in the
 * process that will scan.  Without it nothing is scanned.
 */
void scan_use_folder(const char *path);

/* Returns whether contents can be scanned: there are engine and folder. */
gboolean scan_is_ready(void);

/* Returns whether there are signatures, so that every content is worth a scan. */
gboolean scan_has_signatures(void);

/*
 * Returns what files were matched with, for the record: "ClamAV 1.4.6, database 27500
 * of 2026-11-24T09:00:00Z"; NULL without signatures.  Borrowed.
 */
const char *scan_description(void);

/* Returns whether the engine opens this media type, of magic_type(), and libarchive does not. */
gboolean scan_opens(const char *type);

/*
 * Returns whether the engine may find something in an attachment of this media
 * type, which is none of a body: a mailbox, BinHex, HTML with its targets in it.
 */
gboolean scan_opens_attachment(const char *type);

/* A file in the content. */
struct scan_layer {
	guint level;	  /* 1: in the content itself; more: in one that was shown before */
	const char *name; /* NULL if it has none; raw bytes */
	const void *bytes;
	gsize length;
};

/* Takes a file: level and order tell in which it is.  FALSE ends the scan. */
typedef gboolean (*scan_layer_fn)(const struct scan_layer *layer, void *data);

/* Takes the name of a signature that something in the content matches. */
typedef void (*scan_match_fn)(const char *signature, void *data);

/* What a scan may cost. */
struct scan_limits {
	guint64 bytes; /* of all layers */
	guint files;
	guint levels;
	guint ms; /* by the clock */
};

/*
 * Scans a content: length bytes.  Returns TRUE if all of it was looked at; FALSE if
 * a limit was met, the engine failed, or layer() ended it.
 */
gboolean scan_content(const void *bytes, gsize length, const struct scan_limits *limits,
		      scan_layer_fn layer, scan_match_fn match, void *data);
#endif
