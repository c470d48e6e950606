/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailstore_work.h"
#include "quarantine.h"

/* A client may put a copy back meanwhile; one that goes on doing so is for a person to see. */
#define ROUNDS 3

/* What was done to the copies of one message. */
struct containment {
	guint moved;
	gboolean as_delivered; /* one of them lay where it was delivered */
};

static gboolean
is_folder(const char *a, const char *b)
{
	return g_str_equal(a, b) ||
	       (g_ascii_strcasecmp(a, "INBOX") == 0 && g_ascii_strcasecmp(b, "INBOX") == 0);
}

static gboolean
contain_mail(struct work *work, const struct doveadm_mail *mail, GError **error)
{
	g_autofree char *mailbox = quarantine_mailbox(work->prefix, mail->mailbox);

	g_hash_table_insert(work->origins, g_strdup(mailbox), g_strdup(mail->mailbox));
	return work_move(work, mail, mailbox, FALSE, error);
}

static gboolean
contain_all(struct work *work, const struct sight *sight, struct containment *containment,
	    GError **error)
{
	const char *folder = work->command->message->folder;

	for (guint i = 0; i < sight->outside->len; i++) {
		const struct doveadm_mail *mail = g_ptr_array_index(sight->outside, i);

		if (!contain_mail(work, mail, error))
			return FALSE;
		containment->moved++;
		if (!folder || !*folder || is_folder(folder, mail->mailbox))
			containment->as_delivered = TRUE;
	}
	return TRUE;
}

static enum openc2_outcome
outcome_of(const struct work *work, const struct sight *sight,
	   const struct containment *containment)
{
	if (sight->outside->len || sight->unverifiable || work->match.delivery_only)
		return OPENC2_FAILED;
	if (sight->inside->len && containment->moved)
		return containment->as_delivered ? OPENC2_DONE : OPENC2_MOVED_BY_USER;
	if (sight->inside->len || containment->moved)
		return OPENC2_ALREADY;
	/* The log tells that it was delivered here: somebody deleted it. */
	if (work->command->message->storage_id && *work->command->message->storage_id &&
	    !sight->others)
		return OPENC2_ALREADY;
	return OPENC2_NOT_FOUND;
}

/* The state in words; which is why nothing was done, or what is left. */
static char *
words_of(const struct work *work, const struct sight *sight, const struct containment *containment,
	 enum openc2_outcome outcome)
{
	g_autoptr(GString) text = g_string_new(NULL);

	if (work->match.delivery_only)
		g_string_append(text, "more messages claim its ids than can be looked at: other "
				      "copies are for you to find; ");
	if (sight->outside->len)
		g_string_append_printf(text, "%u came back each time; ", sight->outside->len);
	if (containment->moved)
		g_string_append_printf(text, "%u moved to quarantine; ", containment->moved);
	else if (sight->inside->len)
		g_string_append_printf(text, "%u in quarantine already; ", sight->inside->len);
	else if (outcome == OPENC2_ALREADY)
		g_string_append(text, "in no folder any more; ");
	else if (!sight->others && !sight->unverifiable)
		g_string_append(text, "in no folder; ");
	if (containment->moved && !containment->as_delivered)
		g_string_append(text, "not where it was delivered; ");
	if (sight->unverifiable)
		g_string_append_printf(text,
				       "%u with this Message-ID cannot be read through the "
				       "server's API and stay; look at them by hand; ",
				       sight->unverifiable);
	if (sight->others)
		g_string_append_printf(text, "%u alike without the file left alone; ",
				       sight->others);
	g_string_truncate(text, text->len - 2);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static struct openc2_response *
answer(const struct work *work, const struct sight *sight, const struct containment *containment)
{
	enum openc2_outcome outcome = outcome_of(work, sight, containment);
	g_autofree char *words = words_of(work, sight, containment, outcome);
	struct openc2_response *response = work_answer(work, outcome, "%s", words);

	for (guint i = 0; i < sight->inside->len; i++)
		g_ptr_array_add(response->copies,
				work_copy(work, g_ptr_array_index(sight->inside, i)));
	return response;
}

struct openc2_response *
work_contain(struct work *work, GError **error)
{
	struct openc2_response *response;
	struct containment containment = {0};
	struct sight sight;

	if (!work_look(work, &sight, error))
		return NULL;
	for (guint round = 0; sight.outside->len && round < ROUNDS; round++) {
		gboolean good = contain_all(work, &sight, &containment, error);

		sight_clear(&sight);
		if (!good || !work_look(work, &sight, error))
			return NULL;
	}
	response = answer(work, &sight, &containment);
	sight_clear(&sight);
	return response;
}
