/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plan_table.h - a plan for people and programs: its commands, what is beyond reach,
 * and the numbers.
 */
#ifndef MAILTRACE_PLAN_TABLE_H
#define MAILTRACE_PLAN_TABLE_H

#include "out.h"
#include "plan.h"

/* Writes a plan, encoded or read before. */
void plan_table(struct out *out, const struct plan *plan);

/* Writes copies beyond reach, of struct plan_beyond; nothing if there are none. */
void plan_table_beyond(struct out *out, const GPtrArray *beyond);
#endif
