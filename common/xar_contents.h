/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xar_contents.h - whether a xar's table of contents is one to be read.
 *
 * That table is compressed XML, which libarchive reads in one go, and whose links, and attributes
 * of one element, it and libxml2 compare each with each: one of 140 KB takes 40 seconds.
 * Hostile bytes.  Pure; any thread.
 */
#ifndef MAILTRACE_XAR_CONTENTS_H
#define MAILTRACE_XAR_CONTENTS_H

#include <glib.h>

/*
 * Returns whether the table of a xar of length bytes is small enough: it has no more than
 * CAP_MEMBERS links, some attributes an element and some hundred bytes a member, and is
 * in UTF-8 without declarations, as those that are written are.
 */
gboolean xar_contents_are_bearable(const void *bytes, gsize length);
#endif
