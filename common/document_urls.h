/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * document_urls.h - links in documents, where they stand in the clear.
 *
 * An OOXML document has its links, remote templates and remote objects in
 * relationship parts (ECMA-376 part 2, 9.3), a PDF in URI actions (ISO 32000-1,
 * 12.6.4.7).  Those of a PDF are found outside of compressed objects only.
 * Decompresses nothing; linear.  Pure; any thread.
 */
#ifndef MAILTRACE_DOCUMENT_URLS_H
#define MAILTRACE_DOCUMENT_URLS_H

#include <glib.h>

#include "record.h"

/* Returns whether a member of this name is a relationship part. */
gboolean document_urls_are_in(const char *name);

/*
 * Adds the external targets in a relationship part, length bytes of XML (NULL for
 * none) in UTF-8 or UTF-16, to the record's URLs, as url_collect() does and by its caps.
 * One that is cut, or is no XML somewhere, has those of which the values are whole.
 */
void document_urls_of_relationships(struct record *record, const char *xml, gsize length);

/* Likewise the targets of the URI actions of a PDF. */
void document_urls_of_pdf(struct record *record, const char *bytes, gsize length);
#endif
