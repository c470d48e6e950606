/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "policy.h"

/* RFC 3463: 4.3.1 "mail system full", 4.3.0 "other mail system status". */
static const struct policy_decision no_room = {
	VERDICT_TEMPFAIL,
	"451 4.3.1",
	"Message cannot be taken in at present, please try again later",
	"max_in_flight_bytes",
};

static const struct policy_decision unrecorded_tempfail = {
	VERDICT_TEMPFAIL,
	"451 4.3.0",
	"Message cannot be recorded at present, please try again later",
	"on_unrecorded = tempfail",
};

static const struct policy_decision unrecorded_accept = {
	VERDICT_ACCEPT,
	NULL,
	NULL,
	"on_unrecorded = accept",
};

static const struct policy_decision unread_tempfail = {
	VERDICT_TEMPFAIL,
	"451 4.3.0",
	"Message cannot be read at present, please try again later",
	"on_unread = tempfail",
};

static const struct policy_decision unread_hold = {
	VERDICT_HOLD,
	NULL,
	"mailtrace could not read the files of this message",
	"on_unread = hold",
};

static const struct policy_decision unread_no_hold = {
	VERDICT_TEMPFAIL,
	"451 4.3.0",
	"Message cannot be read at present, please try again later",
	"on_unread = hold, which the MTA does not offer",
};

static const struct policy_decision unread_accept = {
	VERDICT_ACCEPT,
	NULL,
	NULL,
	"on_unread = accept",
};

/* RFC 3463: X.7.1 "delivery not authorized, message refused". */
static const struct policy_decision blocked_reject = {
	VERDICT_REJECT,
	"550 5.7.1",
	"Message refused: it holds a file that is blocked at this site",
	"block = reject",
};

static const struct policy_decision blocked_discard = {
	VERDICT_DISCARD,
	NULL,
	NULL,
	"block = discard",
};

static const struct policy_decision blocked_hold = {
	VERDICT_HOLD,
	NULL,
	"mailtrace: the message holds a file that is blocked",
	"block = hold",
};

static const struct policy_decision blocked_no_hold = {
	VERDICT_TEMPFAIL,
	"451 4.7.1",
	"Message cannot be taken at present, please try again later",
	"block = hold, which the MTA does not offer",
};

static const struct policy_decision plain_accept = {VERDICT_ACCEPT, NULL, NULL, NULL};

static const struct policy_decision *
decide_unread(enum on_unread on_unread, gboolean can_hold)
{
	switch (on_unread) {
	case ON_UNREAD_ACCEPT:
		return &unread_accept;
	case ON_UNREAD_HOLD:
		return can_hold ? &unread_hold : &unread_no_hold;
	case ON_UNREAD_TEMPFAIL:
		return &unread_tempfail;
	}
	return &unread_tempfail;
}

/* Returns NULL for a block that decides nothing. */
static const struct policy_decision *
decide_blocked(enum block_mode mode, gboolean can_hold)
{
	switch (mode) {
	case BLOCK_OBSERVE:
		return NULL;
	case BLOCK_HOLD:
		return can_hold ? &blocked_hold : &blocked_no_hold;
	case BLOCK_DISCARD:
		return &blocked_discard;
	case BLOCK_REJECT:
		return &blocked_reject;
	}
	return &blocked_reject;
}

static const struct policy_decision *
decide_unrecorded(enum on_unrecorded on_unrecorded, const struct policy_decision *blocked)
{
	if (on_unrecorded != ON_UNRECORDED_ACCEPT)
		return &unrecorded_tempfail;
	if (!blocked)
		return &unrecorded_accept;
	return blocked->verdict == VERDICT_DISCARD ? &unrecorded_tempfail : blocked;
}

struct policy_decision
policy_decide(const struct settings *settings, const struct policy_facts *facts)
{
	const struct policy_decision *blocked =
		facts->blocked ? decide_blocked(facts->block, facts->can_hold) : NULL;

	if (facts->over_capacity)
		return no_room;
	if (blocked && blocked->verdict == VERDICT_REJECT)
		return *blocked;
	if (facts->unrecorded)
		return *decide_unrecorded(settings->on_unrecorded, blocked);
	if (blocked)
		return *blocked;
	if (facts->unread)
		return *decide_unread(settings->on_unread, facts->can_hold);
	return plain_accept;
}
