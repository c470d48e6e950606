/* SPDX-License-Identifier: BSD-2-Clause */
#include "caps.h"
#include "mailstore_work.h"
#include "quarantine.h"
#include "text.h"

void
sight_clear(struct sight *sight)
{
	g_clear_pointer(&sight->outside, g_ptr_array_unref);
	g_clear_pointer(&sight->inside, g_ptr_array_unref);
}

gboolean
work_fetch_mail(struct work *work, const struct doveadm_mail *mail,
		struct doveadm_mail **ret_fetched, GError **error)
{
	g_autoptr(GError) why = NULL;

	*ret_fetched = NULL;
	if (mail->size > CAP_DOVEADM_TEXT_BYTES)
		return TRUE;
	*ret_fetched = doveadm_fetch(work->doveadm, &work->call, mail, &why);
	if (*ret_fetched || g_error_matches(why, DOVEADM_ERROR, DOVEADM_ERROR_TOO_LARGE))
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

/* Asks for the text unless it came with the list. */
static gboolean
read_mail(struct work *work, const struct doveadm_mail *mail, enum mail_identity identity,
	  enum mail_verdict *ret_verdict, GError **error)
{
	struct doveadm_mail *fetched = NULL;
	const struct doveadm_mail *whole = mail;
	gboolean good;

	if (!mail->text) {
		if (!work_fetch_mail(work, mail, &fetched, error))
			return FALSE;
		whole = fetched;
	}
	good = mail_match_read(&work->match, identity, whole ? whole->text : NULL,
			       whole && whole->exact, ret_verdict, error);
	doveadm_mail_free(fetched);
	return good;
}

/* Has a large message alone in memory, however many threads there are. */
static gboolean
read_in_turn(struct work *work, const struct doveadm_mail *mail, enum mail_identity identity,
	     enum mail_verdict *ret_verdict, GError **error)
{
	gboolean large = mail->size > CAP_DOVEADM_LIST_BYTES;
	gboolean good;

	if (large)
		g_mutex_lock(&work->mailstore->large);
	good = read_mail(work, mail, identity, ret_verdict, error);
	if (large)
		g_mutex_unlock(&work->mailstore->large);
	return good;
}

/* A message that is gone when its text is asked for is another one from here on. */
static gboolean
judge(struct work *work, const struct doveadm_mail *mail, enum mail_verdict *ret_verdict,
      GError **error)
{
	enum mail_identity identity = mail_match_identify(&work->match, mail);
	enum mail_verdict verdict = MAIL_MEANT;
	g_autoptr(GError) why = NULL;
	gpointer known;

	if (g_hash_table_lookup_extended(work->verdicts, mail->guid, NULL, &known)) {
		*ret_verdict = (enum mail_verdict)GPOINTER_TO_INT(known);
		return TRUE;
	}
	if (identity == MAIL_IS_OTHER) {
		verdict = MAIL_OTHER;
	} else if (mail_match_needs_text(&work->match, identity) &&
		   !read_in_turn(work, mail, identity, &verdict, &why)) {
		if (!g_error_matches(why, DOVEADM_ERROR, DOVEADM_ERROR_NO_MAILBOX)) {
			g_propagate_error(error, g_steal_pointer(&why));
			return FALSE;
		}
		*ret_verdict = MAIL_OTHER;
		return TRUE;
	}
	g_hash_table_insert(work->verdicts, g_strdup(mail->guid), GINT_TO_POINTER((int)verdict));
	*ret_verdict = verdict;
	return TRUE;
}

/* The prefix of the quarantine that a mailbox is in; NULL if in none. */
static const char *
prefix_of(const struct work *work, const char *mailbox)
{
	if (quarantine_has(work->prefix, mailbox))
		return work->prefix;
	return quarantine_has(work->mailstore->quarantine, mailbox) ? work->mailstore->quarantine
								    : NULL;
}

gboolean
work_is_quarantine(const struct work *work, const char *mailbox)
{
	return prefix_of(work, mailbox) != NULL;
}

/* Takes over what is meant, to where it lies. */
static gboolean
sort_mail(struct work *work, GPtrArray *mails, guint index, struct sight *sight, GError **error)
{
	struct doveadm_mail *mail = g_ptr_array_index(mails, index);
	gboolean inside = work_is_quarantine(work, mail->mailbox);
	enum mail_verdict verdict;

	if (!judge(work, mail, &verdict, error))
		return FALSE;
	if (verdict == MAIL_OTHER)
		sight->others += !inside;
	else if (verdict == MAIL_UNVERIFIABLE)
		sight->unverifiable += !inside;
	else
		g_ptr_array_add(inside ? sight->inside : sight->outside,
				g_ptr_array_steal_index(mails, index));
	return TRUE;
}

/* At the first look with the texts, since usually there is one message and it is to be read. */
static GPtrArray *
find(struct work *work, const char *const *query, GError **error)
{
	gboolean first = g_hash_table_size(work->verdicts) == 0;
	GPtrArray *mails = NULL;
	g_autoptr(GError) why = NULL;

	if (first && mail_match_needs_text(&work->match, MAIL_IS_LIKELY)) {
		mails = doveadm_find(work->doveadm, &work->call, query, TRUE, &why);
		if (mails || !g_error_matches(why, DOVEADM_ERROR, DOVEADM_ERROR_TOO_LARGE)) {
			if (!mails)
				g_propagate_error(error, g_steal_pointer(&why));
			return mails;
		}
	}
	return doveadm_find(work->doveadm, &work->call, query, FALSE, error);
}

/* Whoever floods a mailbox with a Message-ID must not keep the one that was delivered in it. */
static gboolean
narrow_search(struct work *work, const GError *why)
{
	const char *storage_id = work->match.message->storage_id;

	if (!g_error_matches(why, DOVEADM_ERROR, DOVEADM_ERROR_TOO_LARGE) ||
	    work->match.delivery_only || !storage_id || !*storage_id)
		return FALSE;
	work->match.delivery_only = TRUE;
	return TRUE;
}

static gboolean
look_at(struct work *work, const char *mailboxes, struct sight *sight, GError **error)
{
	g_auto(GStrv) query = mail_match_query(&work->match, mailboxes);
	g_autoptr(GPtrArray) mails = NULL;
	g_autoptr(GError) why = NULL;

	if (!query) {
		g_set_error_literal(error, DOVEADM_ERROR, DOVEADM_ERROR_FAILED,
				    "neither storage id, Message-ID nor a digest with size and "
				    "time tells which message is meant");
		return FALSE;
	}
	mails = find(work, (const char *const *)query, &why);
	if (!mails && narrow_search(work, why))
		return look_at(work, mailboxes, sight, error);
	if (!mails) {
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}
	/* From the end: what is taken out moves only what was seen already. */
	for (guint i = mails->len; i > 0; i--)
		if (!sort_mail(work, mails, i - 1, sight, error))
			return FALSE;
	return TRUE;
}

/* A quarantine that is not listed, even to the server's administrator, is to be named. */
static gboolean
look_everywhere(struct work *work, struct sight *sight, GError **error)
{
	g_autofree char *mailboxes = g_strconcat(work->prefix, "*", NULL);

	if (!look_at(work, NULL, sight, error))
		return FALSE;
	if (sight->inside->len || sight->outside->len)
		return TRUE;
	return look_at(work, mailboxes, sight, error);
}

gboolean
work_look(struct work *work, struct sight *ret_sight, GError **error)
{
	struct sight sight = {.outside = g_ptr_array_new_with_free_func(doveadm_mail_free),
			      .inside = g_ptr_array_new_with_free_func(doveadm_mail_free)};

	if (!look_everywhere(work, &sight, error)) {
		sight_clear(&sight);
		return FALSE;
	}
	*ret_sight = sight;
	return TRUE;
}

char *
work_origin(const struct work *work, const char *mailbox)
{
	const char *prefix = prefix_of(work, mailbox);

	return prefix ? quarantine_folder(prefix, mailbox) : NULL;
}

struct openc2_copy *
work_copy(const struct work *work, const struct doveadm_mail *mail)
{
	struct openc2_copy *copy = openc2_copy_new();
	g_autofree char *told = work_origin(work, mail->mailbox);
	const char *kept = g_hash_table_lookup(work->origins, mail->mailbox);
	gpointer verdict = g_hash_table_lookup(work->verdicts, mail->guid);
	const char *folder = told ? told : kept;

	copy->guid = text_for_terminal(mail->guid);
	copy->folder = text_for_terminal(folder ? folder : "INBOX");
	copy->flags = g_strdupv(mail->flags);
	copy->quarantine = text_for_terminal(mail->mailbox);
	copy->by_digest = GPOINTER_TO_INT(verdict) == MAIL_VERIFIED;
	return copy;
}
