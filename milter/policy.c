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

/* RFC 3463: X.6.0 "other or undefined media error". */
static const struct policy_decision ambiguous_reject = {
	VERDICT_REJECT,
	"554 5.6.0",
	"Message refused: it is malformed, mail programs would see different files in it",
	"ambiguous = reject",
};

static const struct policy_decision ambiguous_hold = {
	VERDICT_HOLD,
	NULL,
	"mailtrace: mail programs would see different files in the message",
	"ambiguous = hold",
};

static const struct policy_decision ambiguous_no_hold = {
	VERDICT_TEMPFAIL,
	"451 4.6.0",
	"Message cannot be taken at present, please try again later",
	"ambiguous = hold, which the MTA does not offer",
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

/* Returns NULL for an ambiguous message that goes on. */
static const struct policy_decision *
decide_ambiguous(enum ambiguous ambiguous, gboolean can_hold)
{
	switch (ambiguous) {
	case AMBIGUOUS_RECORD:
	case AMBIGUOUS_TAG:
		return NULL;
	case AMBIGUOUS_HOLD:
		return can_hold ? &ambiguous_hold : &ambiguous_no_hold;
	case AMBIGUOUS_REJECT:
		return &ambiguous_reject;
	}
	return &ambiguous_reject;
}

static gboolean
rejects(const struct policy_decision *decision)
{
	return decision && decision->verdict == VERDICT_REJECT;
}

/* What the files of a message ask for; NULL for nothing. */
static const struct policy_decision *
decide_files(const struct settings *settings, const struct policy_facts *facts)
{
	const struct policy_decision *blocked = NULL, *ambiguous = NULL;

	if (facts->blocked)
		blocked = decide_blocked(facts->block, facts->can_hold);
	if (facts->ambiguous)
		ambiguous = decide_ambiguous(settings->ambiguous, facts->can_hold);
	if (!blocked || (rejects(ambiguous) && !rejects(blocked)))
		return ambiguous;
	return blocked;
}

static const struct policy_decision *
decide_unrecorded(enum on_unrecorded on_unrecorded, const struct policy_decision *files)
{
	if (on_unrecorded != ON_UNRECORDED_ACCEPT)
		return &unrecorded_tempfail;
	if (!files)
		return &unrecorded_accept;
	return files->verdict == VERDICT_DISCARD ? &unrecorded_tempfail : files;
}

struct policy_decision
policy_decide(const struct settings *settings, const struct policy_facts *facts)
{
	const struct policy_decision *files = decide_files(settings, facts);

	if (facts->over_capacity)
		return no_room;
	if (rejects(files))
		return *files;
	if (facts->unrecorded)
		return *decide_unrecorded(settings->on_unrecorded, files);
	if (files)
		return *files;
	if (facts->unread)
		return *decide_unread(settings->on_unread, facts->can_hold);
	return plain_accept;
}
