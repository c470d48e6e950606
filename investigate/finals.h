/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * finals.h - where the copies of a recipient went, as `who` and `show` write it.
 *
 * Pure but for the times, which are written as the output writes them.
 */
#ifndef MAILTRACE_FINALS_H
#define MAILTRACE_FINALS_H

#include <glib.h>

#include "devices.h"
#include "out.h"
#include "store.h"

/*
 * Returns the final addresses as a JSON array of objects (mailtrace(1), who), for a
 * column of OUT_JSON_VALUE.  finals: of struct store_final.  Free with g_free().
 */
char *finals_json(const GPtrArray *finals);

/*
 * Returns one final address as a line for people: address, state, time, next hop,
 * status code, folder.  Free with g_free().
 */
char *final_line(struct out *out, const struct store_final *final);

/*
 * Returns what was done with the copy as a line for people: what, where to, time, service.
 * Free with g_free().
 */
char *act_line(struct out *out, const struct store_act *act);

/*
 * Returns a use of a mailbox as a line for people: device, service, address, first and last.
 * Free with g_free().
 */
char *device_line(struct out *out, const struct device_use *use);
#endif
