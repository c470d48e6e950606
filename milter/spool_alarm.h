/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool_alarm.h - when an administrator is told that the spool fills.
 *
 * At 50 and at 80 percent; an alarm ends only SPOOL_ALARM_SLACK below the point at
 * which it came, so that a spool that hovers there is told of once.  Pure.
 */
#ifndef MAILTRACE_SPOOL_ALARM_H
#define MAILTRACE_SPOOL_ALARM_H

#include <glib.h>

#define SPOOL_ALARM_SLACK 5 /* percent */

/* Returns the alarm that is due, 0, 50 or 80, after one that was raised before. */
guint spool_alarm_next(guint alarm, guint64 used_bytes, guint64 max_bytes);
#endif
