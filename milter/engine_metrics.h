/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_metrics.h - the milter process's metrics, as OpenMetrics text.
 *
 * mailtrace-milter(8) names them.  Any thread.
 */
#ifndef MAILTRACE_ENGINE_METRICS_H
#define MAILTRACE_ENGINE_METRICS_H

#include "engine.h"

/* Returns the text.  Free with g_free(). */
char *engine_metrics(struct engine *engine);
#endif
