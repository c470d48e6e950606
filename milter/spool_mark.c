/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "spool_private.h"

#define MARK_BYTES 160 /* of the file: always as many, so that one write replaces it */
#define SUM_LENGTH 16  /* hexadecimal digits of SHA-256: enough to find a flipped bit */

static void
sum_of(const char *text, gsize length, char ret_sum[SUM_LENGTH + 1])
{
	guint8 sha256[SHA256_BYTES];

	digest_sha256(text, length, sha256);
	for (guint i = 0; i < SUM_LENGTH / 2; i++)
		g_snprintf(ret_sum + 2 * i, 3, "%02x", sha256[i]);
}

gboolean
spool_mark_read(int fd, struct spool_mark *ret_mark)
{
	struct spool_mark mark = {0};
	char text[MARK_BYTES + 1] = "", sum[SUM_LENGTH + 1], found[SUM_LENGTH + 1];
	int end = 0;

	if (pread(fd, text, MARK_BYTES, 0) != MARK_BYTES)
		return FALSE;
	if (sscanf(text,
		   "spool %u %36s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %d%n %16[0-9a-f]",
		   &mark.version, mark.epoch, &mark.last, &mark.entries, &mark.suspect, &end,
		   found) != 6)
		return FALSE;
	sum_of(text, (gsize)end, sum);
	if (strcmp(sum, found) != 0)
		return FALSE;
	*ret_mark = mark;
	return TRUE;
}

void
spool_mark_write(int fd, const struct spool_mark *mark)
{
	char text[MARK_BYTES + 1], sum[SUM_LENGTH + 1];
	int length = g_snprintf(
		text, sizeof text, "spool %u %s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %d",
		mark->version, mark->epoch, mark->last, mark->entries, mark->suspect);

	sum_of(text, (gsize)length, sum);
	length += g_snprintf(text + length, sizeof text - (gsize)length, " %s", sum);
	memset(text + length, ' ', (gsize)(MARK_BYTES - length));
	text[MARK_BYTES - 1] = '\n';
	/* What cannot be written is cleared: an old mark would accuse a sound spool. */
	if (pwrite(fd, text, MARK_BYTES, 0) != MARK_BYTES)
		spool_mark_clear(fd);
}

void
spool_mark_clear(int fd)
{
	if (ftruncate(fd, 0) != 0)
		return; /* then its text stays, and its sum holds: nothing more can be done */
}
