/* SPDX-License-Identifier: BSD-2-Clause */
#include "queue_mta.h"

#define PROGRAM_WAIT_US (30 * G_USEC_PER_SEC) /* a queue of 100,000 is shown in seconds */

G_DEFINE_QUARK(mailtrace_queue_mta_error, queue_mta_error)

const char *const queue_mta_environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
					     NULL};

gint64
queue_mta_deadline(void)
{
	return g_get_monotonic_time() + PROGRAM_WAIT_US;
}
