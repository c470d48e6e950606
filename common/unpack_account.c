/* SPDX-License-Identifier: BSD-2-Clause */
#include "unpack_private.h"

#include <sys/resource.h>

#include "caps.h"

/*
 * The kernel's share is left out: it is the clearing of memory, which the worker's
 * limit bounds, and its price differs by ten between one machine and another.
 */
static gint64
cpu_now_us(void)
{
	struct rusage used = {0};

	getrusage(RUSAGE_SELF, &used);
	return (gint64)used.ru_utime.tv_sec * G_USEC_PER_SEC + used.ru_utime.tv_usec;
}

/* Ends the work on the part, or with whole on all of the message. */
gboolean
unpack_spend(struct unpacker *unpacker, const char *cap, gboolean whole)
{
	record_note_cap(unpacker->record, cap);
	unpacker->part_spent = TRUE;
	unpacker->spent |= whole;
	return FALSE;
}

gboolean
unpack_within_cpu_at(struct unpacker *unpacker, gint64 now_us)
{
	gint64 used = unpacker->cpu_us + now_us - unpacker->part_start_us;

	return used < (gint64)unpacker->limits.cpu_ms * 1000 ||
	       unpack_spend(unpacker, CAP_UNPACK_CPU_MS_NAME, TRUE);
}

gboolean
unpack_within_cpu(struct unpacker *unpacker)
{
	return unpack_within_cpu_at(unpacker, cpu_now_us());
}

/* Counts bytes that were unpacked. */
gboolean
unpack_within_bytes(struct unpacker *unpacker, gsize length)
{
	unpacker->bytes += length;
	unpacker->part_bytes += length;
	if (unpacker->bytes > unpacker->limits.bytes)
		return unpack_spend(unpacker, CAP_UNPACKED_BYTES_NAME, TRUE);
	if (unpacker->part_bytes > unpacker->part_most)
		return unpack_spend(unpacker, CAP_UNPACK_RATIO_NAME, FALSE);
	return unpack_within_cpu(unpacker);
}

/* Begins the account of a part of so many bytes. */
void
unpack_begin_part(struct unpacker *unpacker, guint64 size)
{
	unpacker->part_start_us = cpu_now_us();
	unpacker->part_spent = unpacker->spent;
	unpacker->part_bytes = 0;
	unpacker->part_most = MAX(size * unpacker->limits.ratio, unpacker->limits.free_bytes);
}

void
unpack_end_part(struct unpacker *unpacker)
{
	unpacker->cpu_us += cpu_now_us() - unpacker->part_start_us;
}

/* What is left of the limits for a message in the part in hand. */
struct unpack_limits
unpack_limits_left(const struct unpacker *unpacker)
{
	const struct unpack_limits *limits = &unpacker->limits;
	gint64 used_us = unpacker->cpu_us + cpu_now_us() - unpacker->part_start_us;

	return (struct unpack_limits){
		.members = limits->members - unpacker->members->len,
		.bytes = MIN(limits->bytes - MIN(unpacker->bytes, limits->bytes),
			     unpacker->part_most - MIN(unpacker->part_bytes, unpacker->part_most)),
		.ratio = limits->ratio,
		.free_bytes = limits->free_bytes,
		.kept_bytes = limits->kept_bytes - MIN(unpacker->kept_bytes, limits->kept_bytes),
		.names_bytes =
			limits->names_bytes - MIN(unpacker->names_bytes, limits->names_bytes),
		.cpu_ms = limits->cpu_ms - (guint)MIN(used_us / 1000, (gint64)limits->cpu_ms),
	};
}
