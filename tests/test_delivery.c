/* SPDX-License-Identifier: BSD-2-Clause */
#include "delivery.h"

#include <criterion/criterion.h>

Test(delivery, every_kind_has_a_name_of_its_own)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

	for (int kind = 0; kind < DELIVERY_KIND_COUNT; kind++)
		cr_assert(g_hash_table_add(seen, (char *)delivery_kind_name(kind)));
	cr_assert_str_eq(delivery_kind_name(DELIVERY_QUEUED), "queued");
	cr_assert_str_eq(delivery_kind_name(DELIVERY_DONE), "done");
}

Test(delivery, a_new_one_claims_nothing)
{
	g_autoptr(delivery_t) delivery = delivery_new();

	cr_assert_null(delivery->event_id);
	cr_assert_null(delivery->recipient);
	cr_assert_eq(delivery->recipients, 0);
	delivery_free(NULL);
}
