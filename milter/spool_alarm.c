/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool_alarm.h"

static const guint alarms[] = {50, 80};

guint
spool_alarm_next(guint alarm, guint64 used_bytes, guint64 max_bytes)
{
	double percent = 100.0 * (double)used_bytes / (double)MAX(max_bytes, 1);
	guint next = 0;

	for (gsize i = 0; i < G_N_ELEMENTS(alarms); i++) {
		guint from = alarm >= alarms[i] ? alarms[i] - SPOOL_ALARM_SLACK : alarms[i];

		if (percent >= from)
			next = alarms[i];
	}
	return next;
}
