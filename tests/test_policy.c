/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <glib.h>
#include <string.h>

#include "policy.h"

struct row {
	enum on_unrecorded on_unrecorded;
	enum on_unread on_unread;
	struct policy_facts facts;
	enum verdict verdict;
	char rule[64]; /* "" for none */
};

#define TF ON_UNRECORDED_TEMPFAIL
#define AC ON_UNRECORDED_ACCEPT

#define BLOCKED(mode)                                            \
	{                                                        \
		.can_hold = TRUE, .blocked = TRUE, .block = mode \
	}
#define UNRECORDED(mode)                                                             \
	{                                                                            \
		.unrecorded = TRUE, .can_hold = TRUE, .blocked = TRUE, .block = mode \
	}

ParameterizedTestParameters(policy, each_row)
{
	static struct row rows[] = {
		/* nothing happened: the settings do not matter */
		{TF, ON_UNREAD_TEMPFAIL, {0}, VERDICT_ACCEPT, ""},
		{AC, ON_UNREAD_HOLD, {.can_hold = TRUE}, VERDICT_ACCEPT, ""},
		/* files that could not be read */
		{TF, ON_UNREAD_ACCEPT, {.unread = TRUE}, VERDICT_ACCEPT, "on_unread = accept"},
		{TF,
		 ON_UNREAD_TEMPFAIL,
		 {.unread = TRUE, .can_hold = TRUE},
		 VERDICT_TEMPFAIL,
		 "on_unread = tempfail"},
		{AC,
		 ON_UNREAD_HOLD,
		 {.unread = TRUE, .can_hold = TRUE},
		 VERDICT_HOLD,
		 "on_unread = hold"},
		{AC,
		 ON_UNREAD_HOLD,
		 {.unread = TRUE},
		 VERDICT_TEMPFAIL,
		 "on_unread = hold, which the MTA does not offer"},
		/* no place on disk for the event */
		{TF,
		 ON_UNREAD_ACCEPT,
		 {.unrecorded = TRUE},
		 VERDICT_TEMPFAIL,
		 "on_unrecorded = tempfail"},
		{AC,
		 ON_UNREAD_ACCEPT,
		 {.unrecorded = TRUE},
		 VERDICT_ACCEPT,
		 "on_unrecorded = accept"},
		/* the graver wins */
		{TF,
		 ON_UNREAD_ACCEPT,
		 {.unrecorded = TRUE, .unread = TRUE},
		 VERDICT_TEMPFAIL,
		 "on_unrecorded = tempfail"},
		{AC,
		 ON_UNREAD_TEMPFAIL,
		 {.unrecorded = TRUE, .unread = TRUE},
		 VERDICT_ACCEPT,
		 "on_unrecorded = accept"},
		{AC,
		 ON_UNREAD_ACCEPT,
		 {.over_capacity = TRUE},
		 VERDICT_TEMPFAIL,
		 "max_in_flight_bytes"},
		/* blocks */
		{TF, ON_UNREAD_ACCEPT, BLOCKED(BLOCK_OBSERVE), VERDICT_ACCEPT, ""},
		{TF, ON_UNREAD_ACCEPT, BLOCKED(BLOCK_HOLD), VERDICT_HOLD, "block = hold"},
		{TF, ON_UNREAD_ACCEPT, BLOCKED(BLOCK_DISCARD), VERDICT_DISCARD, "block = discard"},
		{TF, ON_UNREAD_ACCEPT, BLOCKED(BLOCK_REJECT), VERDICT_REJECT, "block = reject"},
		{TF,
		 ON_UNREAD_ACCEPT,
		 {.blocked = TRUE, .block = BLOCK_HOLD},
		 VERDICT_TEMPFAIL,
		 "block = hold, which the MTA does not offer"},
		/* what observes leaves the rest to decide */
		{TF,
		 ON_UNREAD_HOLD,
		 {.unread = TRUE, .can_hold = TRUE, .blocked = TRUE, .block = BLOCK_OBSERVE},
		 VERDICT_HOLD,
		 "on_unread = hold"},
		/* a refusal needs no record; what is let go without one is never lost by it */
		{TF, ON_UNREAD_ACCEPT, UNRECORDED(BLOCK_REJECT), VERDICT_REJECT, "block = reject"},
		{TF, ON_UNREAD_ACCEPT, UNRECORDED(BLOCK_HOLD), VERDICT_TEMPFAIL,
		 "on_unrecorded = tempfail"},
		{AC, ON_UNREAD_ACCEPT, UNRECORDED(BLOCK_HOLD), VERDICT_HOLD, "block = hold"},
		{AC, ON_UNREAD_ACCEPT, UNRECORDED(BLOCK_DISCARD), VERDICT_TEMPFAIL,
		 "on_unrecorded = tempfail"},
		{AC, ON_UNREAD_ACCEPT, UNRECORDED(BLOCK_OBSERVE), VERDICT_ACCEPT,
		 "on_unrecorded = accept"},
		{AC,
		 ON_UNREAD_ACCEPT,
		 {TRUE, TRUE, TRUE, TRUE, TRUE, BLOCK_REJECT},
		 VERDICT_TEMPFAIL,
		 "max_in_flight_bytes"},
	};

	return cr_make_param_array(struct row, rows, G_N_ELEMENTS(rows));
}

ParameterizedTest(struct row *row, policy, each_row)
{
	const struct settings settings = {
		.on_unrecorded = row->on_unrecorded,
		.on_unread = row->on_unread,
	};
	struct policy_decision decision = policy_decide(&settings, &row->facts);

	cr_assert_eq(decision.verdict, row->verdict, "%s", row->rule);
	cr_assert_str_eq(decision.rule ? decision.rule : "", row->rule);
}

struct ambiguous_row {
	enum ambiguous ambiguous;
	struct policy_facts facts;
	enum verdict verdict;
	char rule[64];
};

#define AMBIGUOUS(...)                           \
	{                                        \
		.ambiguous = TRUE, ##__VA_ARGS__ \
	}
#define AND_BLOCKED(mode) AMBIGUOUS(.can_hold = TRUE, .blocked = TRUE, .block = mode)

ParameterizedTestParameters(policy, each_ambiguous_row)
{
	static struct ambiguous_row rows[] = {
		{AMBIGUOUS_REJECT, {.can_hold = TRUE}, VERDICT_ACCEPT, ""},
		{AMBIGUOUS_RECORD, AMBIGUOUS(.can_hold = TRUE), VERDICT_ACCEPT, ""},
		{AMBIGUOUS_TAG, AMBIGUOUS(.can_hold = TRUE), VERDICT_ACCEPT, ""},
		{AMBIGUOUS_HOLD, AMBIGUOUS(.can_hold = TRUE), VERDICT_HOLD, "ambiguous = hold"},
		{AMBIGUOUS_HOLD, AMBIGUOUS(), VERDICT_TEMPFAIL,
		 "ambiguous = hold, which the MTA does not offer"},
		{AMBIGUOUS_REJECT, AMBIGUOUS(), VERDICT_REJECT, "ambiguous = reject"},
		/* beside a block */
		{AMBIGUOUS_REJECT, AND_BLOCKED(BLOCK_HOLD), VERDICT_REJECT, "ambiguous = reject"},
		{AMBIGUOUS_REJECT, AND_BLOCKED(BLOCK_REJECT), VERDICT_REJECT, "block = reject"},
		{AMBIGUOUS_HOLD, AND_BLOCKED(BLOCK_DISCARD), VERDICT_DISCARD, "block = discard"},
		{AMBIGUOUS_HOLD, AND_BLOCKED(BLOCK_OBSERVE), VERDICT_HOLD, "ambiguous = hold"},
		/* without a record (on_unrecorded = accept) */
		{AMBIGUOUS_HOLD, AMBIGUOUS(.can_hold = TRUE, .unrecorded = TRUE), VERDICT_HOLD,
		 "ambiguous = hold"},
		{AMBIGUOUS_REJECT, AMBIGUOUS(.unrecorded = TRUE), VERDICT_REJECT,
		 "ambiguous = reject"},
		{AMBIGUOUS_TAG, AMBIGUOUS(.unrecorded = TRUE), VERDICT_ACCEPT,
		 "on_unrecorded = accept"},
		{AMBIGUOUS_REJECT, AMBIGUOUS(.over_capacity = TRUE), VERDICT_TEMPFAIL,
		 "max_in_flight_bytes"},
	};

	return cr_make_param_array(struct ambiguous_row, rows, G_N_ELEMENTS(rows));
}

ParameterizedTest(struct ambiguous_row *row, policy, each_ambiguous_row)
{
	const struct settings settings = {.on_unrecorded = AC, .ambiguous = row->ambiguous};
	struct policy_decision decision = policy_decide(&settings, &row->facts);

	cr_assert_eq(decision.verdict, row->verdict, "%s", row->rule);
	cr_assert_str_eq(decision.rule ? decision.rule : "", row->rule);
}

static void
each_decision(void (*check)(const struct policy_decision *), gboolean blocked)
{
	for (guint i = 0; i < 2 * 3 * 16 * BLOCK_MODES * 8; i++) {
		const struct settings settings = {
			.on_unrecorded = i & 1 ? AC : TF,
			.on_unread = (enum on_unread)(i / 2 % 3),
			.ambiguous = (enum ambiguous)(i / 96 / BLOCK_MODES % 4),
		};
		const struct policy_facts facts = {
			.unread = (i / 6 & 1) != 0,
			.unrecorded = (i / 6 & 2) != 0,
			.over_capacity = (i / 6 & 4) != 0,
			.can_hold = (i / 6 & 8) != 0,
			.blocked = blocked,
			.block = (enum block_mode)(i / 96 % BLOCK_MODES),
			.ambiguous = blocked && i / 96 / BLOCK_MODES >= 4,
		};
		struct policy_decision decision = policy_decide(&settings, &facts);

		check(&decision);
	}
}

/* RFC 3463: a temporary failure is 4yz with an enhanced code of class 4, a refusal of 5. */
static void
check_reply(const struct policy_decision *decision)
{
	const char *form = decision->verdict == VERDICT_REJECT ? "^5\\d\\d 5\\.\\d+\\.\\d+$"
							       : "^4\\d\\d 4\\.\\d+\\.\\d+$";

	if (decision->verdict != VERDICT_TEMPFAIL && decision->verdict != VERDICT_REJECT) {
		cr_assert_null(decision->reply);
		return;
	}
	cr_assert(g_regex_match_simple(form, decision->reply, 0, 0), "%s", decision->reply);
	cr_assert_not_null(decision->text);
	cr_assert_null(strpbrk(decision->text, "%\r\n"));
}

Test(policy, every_tempfail_and_refusal_has_a_reply_and_nothing_else_has)
{
	each_decision(check_reply, FALSE);
	each_decision(check_reply, TRUE);
}

/* smfi_quarantine() refuses an empty reason. */
static void
check_hold(const struct policy_decision *decision)
{
	if (decision->verdict == VERDICT_HOLD)
		cr_assert(decision->text && *decision->text);
}

Test(policy, every_hold_has_a_reason)
{
	each_decision(check_hold, FALSE);
	each_decision(check_hold, TRUE);
}

static void
check_known(const struct policy_decision *decision)
{
	cr_assert(decision->verdict == VERDICT_ACCEPT || decision->verdict == VERDICT_HOLD ||
		  decision->verdict == VERDICT_TEMPFAIL);
}

Test(policy, a_failure_of_ours_never_rejects_or_discards_mail)
{
	each_decision(check_known, FALSE);
}
