/* SPDX-License-Identifier: BSD-2-Clause */
#include "queue_id.h"

#include <criterion/criterion.h>

Test(queue_id, an_id_is_letters_and_digits_of_a_bounded_number)
{
	static const char *const wrong[] = {
		"",
		"ALL",
		"-",
		"12345",
		"ABC-EF",
		"ABCDE\n",
		"ABC EF",
		"ABC/EF",
		"..ABCDEF",
		"ABCDEF*",
		"ABCDE\xc3\xa9",
		"-dABCDEF",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ1234567",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
		cr_assert_not(queue_id_is_valid(wrong[i]), "%s", wrong[i]);
	cr_assert_not(queue_id_is_valid(NULL));
	cr_assert(queue_id_is_valid("E3C21A"));
	cr_assert(queue_id_is_valid("4RzKcT1hJdz5v"));
	cr_assert(queue_id_is_valid("6ASFV9n5018865"));
	cr_assert(queue_id_is_valid("ABCDEFGHIJKLMNOPQRSTUVWXYZ123456"));
}

Test(queue_id, short_ids_of_postfix_are_not_unique)
{
	cr_assert_not(queue_id_is_unique("E3C21A743AC"));
	cr_assert_not(queue_id_is_unique("123456"));
	cr_assert(queue_id_is_unique("4RzKcT1hJdz5v"));
	cr_assert(queue_id_is_unique("6ASFV9n5018865"));
}
