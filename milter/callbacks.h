/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callbacks.h - between libmilter and the session.
 *
 * The only file but main.c that knows libmilter.  Each callback translates its
 * arguments and hands over to session.h; one function turns a decision of the
 * policy into what libmilter returns.
 */
#ifndef MAILTRACE_CALLBACKS_H
#define MAILTRACE_CALLBACKS_H

#include <glib.h>

#include "engine.h"

/*
 * Registers the filter with libmilter, before smfi_main().  engine: what all
 * sessions share; borrowed, outlives smfi_main().  Returns FALSE if libmilter
 * refuses, which is for want of memory.
 */
gboolean callbacks_register(struct engine *engine);
#endif
