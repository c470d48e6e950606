/* SPDX-License-Identifier: BSD-2-Clause */
#include "queue_id.h"

#include <string.h>

#define LEAST_BYTES 6 /* Postfix's short ids: five digits of microseconds, then an inode */
#define MOST_BYTES 32 /* its long ones have about 15, Sendmail's 14 */

gboolean
queue_id_is_valid(const char *queue_id)
{
	gsize length = queue_id ? strlen(queue_id) : 0;

	if (length < LEAST_BYTES || length > MOST_BYTES)
		return FALSE;
	for (; *queue_id; queue_id++)
		if (!g_ascii_isalnum(*queue_id))
			return FALSE;
	return TRUE;
}

gboolean
queue_id_is_unique(const char *queue_id)
{
	return queue_id[strspn(queue_id, "0123456789ABCDEF")] != '\0';
}
