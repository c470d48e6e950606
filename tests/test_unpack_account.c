/* SPDX-License-Identifier: BSD-2-Clause */
/* The limits of unpacking at their own numbers, without the gigabytes and the seconds. */
#include <criterion/criterion.h>

#include "caps.h"
#include "unpack_private.h"

static struct record *record;
static struct fingerprint *fingerprint;
static struct unpacker *unpacker;

/* An unpacker with the limits of caps.h. */
static void
begin(void)
{
	record = record_new();
	fingerprint = fingerprint_new();
	unpacker = unpacker_new(record, fingerprint, NULL);
}

static void
end(void)
{
	unpack_finish(unpacker);
	fingerprint_free(fingerprint);
	record_free(record);
}

TestSuite(unpack_account, .init = begin, .fini = end);

static gboolean
is_noted(const char *cap)
{
	return g_ptr_array_find_with_equal_func(record->caps, cap, g_str_equal, NULL);
}

/* Unpacks from a part up to one byte below a limit, to it, and one byte above it. */
static void
assert_bytes_end_at(guint64 most, const char *cap)
{
	cr_assert(unpack_within_bytes(unpacker, most - 1));
	cr_assert(unpack_within_bytes(unpacker, 1));
	cr_assert_eq(record->caps->len, 0U);
	cr_assert(!unpack_within_bytes(unpacker, 1));
	cr_assert(is_noted(cap));
	cr_assert_eq(record->caps->len, 1U);
	cr_assert(unpacker->part_spent);
}

Test(unpack_account, a_message_ends_at_its_bytes)
{
	unpack_begin_part(unpacker, CAP_UNPACKED_BYTES);
	assert_bytes_end_at(CAP_UNPACKED_BYTES, CAP_UNPACKED_BYTES_NAME);
	unpack_begin_part(unpacker, CAP_UNPACKED_BYTES);
	cr_assert(unpacker->part_spent, "the next part has its own");
}

Test(unpack_account, parts_end_at_the_bytes_of_the_message_together)
{
	for (guint64 left = CAP_UNPACKED_BYTES; left; left -= CAP_UNPACK_FREE_BYTES) {
		unpack_begin_part(unpacker, 1);
		cr_assert(unpack_within_bytes(unpacker, CAP_UNPACK_FREE_BYTES));
		unpack_end_part(unpacker);
	}
	unpack_begin_part(unpacker, 1);
	cr_assert(!unpack_within_bytes(unpacker, 1));
	cr_assert(is_noted(CAP_UNPACKED_BYTES_NAME));
}

Test(unpack_account, what_is_free_counts_for_a_small_part_alone)
{
	unpack_begin_part(unpacker, 1);
	assert_bytes_end_at(CAP_UNPACK_FREE_BYTES, CAP_UNPACK_RATIO_NAME);
	unpack_begin_part(unpacker, 1);
	cr_assert(!unpacker->part_spent, "the next part has nothing");
}

Test(unpack_account, the_ratio_counts_for_a_large_one)
{
	const guint64 size = CAP_UNPACK_FREE_BYTES / CAP_UNPACK_RATIO + 1;

	unpack_begin_part(unpacker, size);
	assert_bytes_end_at(size * CAP_UNPACK_RATIO, CAP_UNPACK_RATIO_NAME);
}

/* The parts before have used so much already. */
static void
assert_time_ends(gint64 before_us)
{
	const gint64 most = CAP_UNPACK_CPU_MS * G_GINT64_CONSTANT(1000) - before_us;

	unpacker->cpu_us = before_us;
	unpack_begin_part(unpacker, 1);
	cr_assert(unpack_within_cpu_at(unpacker, unpacker->part_start_us + most - 1));
	cr_assert(!is_noted(CAP_UNPACK_CPU_MS_NAME));
	cr_assert(!unpack_within_cpu_at(unpacker, unpacker->part_start_us + most));
	cr_assert(!unpack_within_cpu_at(unpacker, unpacker->part_start_us + most + 1));
	cr_assert(is_noted(CAP_UNPACK_CPU_MS_NAME));
	unpack_begin_part(unpacker, 1);
	cr_assert(unpacker->part_spent, "the next part has its own");
}

Test(unpack_account, time_ends_at_its_microsecond)
{
	assert_time_ends(0);
}

Test(unpack_account, the_parts_have_their_time_together)
{
	assert_time_ends(CAP_UNPACK_CPU_MS * G_GINT64_CONSTANT(1000) / 2);
}

Test(unpack_account, a_message_in_an_archive_has_what_is_left)
{
	struct unpack_limits left;

	unpack_begin_part(unpacker, CAP_UNPACKED_BYTES);
	cr_assert(unpack_within_bytes(unpacker, CAP_UNPACKED_BYTES - 1));
	left = unpack_limits_left(unpacker);
	cr_assert_eq(left.bytes, 1U);
	cr_assert_leq(left.cpu_ms, (guint)CAP_UNPACK_CPU_MS);
	cr_assert(unpack_within_bytes(unpacker, 1));
	left = unpack_limits_left(unpacker);
	cr_assert_eq(left.bytes, 0U);
	cr_assert(!unpack_within_bytes(unpacker, 1));
	left = unpack_limits_left(unpacker);
	cr_assert_eq(left.bytes, 0U);
}
