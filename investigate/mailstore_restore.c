/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailstore_work.h"

/* How many copies came to which end. */
struct restoration {
	guint restored, back_before, missing;
	GPtrArray *copies; /* of struct openc2_copy: where they are now */
};

static GPtrArray *
find_guid(struct work *work, const char *guid, const char *mailboxes, GError **error)
{
	const char *named[] = {"mailbox", mailboxes, "guid", guid, NULL};

	return doveadm_find(work->doveadm, &work->call, mailboxes ? named : named + 2, FALSE,
			    error);
}

/* The mail in a mailbox of that name, borrowed; NULL if none is there. */
static const struct doveadm_mail *
mail_in(const GPtrArray *mails, const char *mailbox)
{
	for (guint i = 0; i < mails->len; i++) {
		const struct doveadm_mail *mail = g_ptr_array_index(mails, i);

		if (g_str_equal(mail->mailbox, mailbox))
			return mail;
	}
	return NULL;
}

/* The mail in its folder, or where its user has moved it since. */
static const struct doveadm_mail *
mail_back(const struct work *work, const GPtrArray *mails, const char *folder)
{
	const struct doveadm_mail *found = mail_in(mails, folder);

	for (guint i = 0; !found && i < mails->len; i++) {
		const struct doveadm_mail *mail = g_ptr_array_index(mails, i);

		if (!work_is_quarantine(work, mail->mailbox))
			found = mail;
	}
	return found;
}

/* Counts where a copy is in the end.  mail: as it lies in its folder, NULL if it does not. */
static void
note_end(struct restoration *restoration, gboolean was_moved, const struct doveadm_mail *mail)
{
	struct openc2_copy *copy;

	if (!mail) {
		restoration->missing++;
		return;
	}
	if (was_moved)
		restoration->restored++;
	else
		restoration->back_before++;
	copy = openc2_copy_new();
	copy->guid = g_strdup(mail->guid);
	copy->folder = g_strdup(mail->mailbox);
	copy->flags = g_strdupv(mail->flags);
	g_ptr_array_add(restoration->copies, copy);
}

/* A name of the command's is no licence to move what does not lie in the quarantine. */
static gboolean
check_copy(const struct work *work, const struct openc2_copy *copy, const char *folder,
	   GError **error)
{
	if (copy->guid && *copy->guid && copy->quarantine && folder && *folder &&
	    work_is_quarantine(work, copy->quarantine) && !work_is_quarantine(work, folder))
		return TRUE;
	g_set_error_literal(error, DOVEADM_ERROR, DOVEADM_ERROR_FAILED,
			    "a copy is not told to lie in the quarantine, or to come from a "
			    "folder outside");
	return FALSE;
}

static gboolean
restore_copy(struct work *work, const struct openc2_copy *copy, struct restoration *restoration,
	     GError **error)
{
	g_autofree char *told = work_origin(work, copy->quarantine ? copy->quarantine : "");
	const char *folder = told ? told : copy->folder;
	g_autoptr(GPtrArray) before = NULL;
	g_autoptr(GPtrArray) after = NULL;
	const struct doveadm_mail *mail;

	if (!check_copy(work, copy, folder, error))
		return FALSE;
	before = find_guid(work, copy->guid, copy->quarantine, error);
	if (!before)
		return FALSE;
	mail = mail_in(before, copy->quarantine);
	/* A folder that its user removed meanwhile is made again, and shown. */
	if (mail && !work_move(work, mail, folder, TRUE, error))
		return FALSE;
	after = find_guid(work, copy->guid, NULL, error);
	if (!after)
		return FALSE;
	note_end(restoration, mail != NULL, mail_back(work, after, folder));
	return TRUE;
}

static gboolean
restore_all(struct work *work, const GPtrArray *copies, struct restoration *restoration,
	    GError **error)
{
	for (guint i = 0; i < copies->len; i++)
		if (!restore_copy(work, g_ptr_array_index(copies, i), restoration, error))
			return FALSE;
	return TRUE;
}

/* What lies in the quarantine of the message, where nobody kept the answer to CONTAIN. */
static GPtrArray *
copies_found(struct work *work, GError **error)
{
	g_autoptr(GPtrArray) copies =
		g_ptr_array_new_with_free_func((GDestroyNotify)openc2_copy_free);
	struct sight sight;

	if (!work_look(work, &sight, error))
		return NULL;
	for (guint i = 0; i < sight.inside->len; i++)
		g_ptr_array_add(copies, work_copy(work, g_ptr_array_index(sight.inside, i)));
	sight_clear(&sight);
	return g_steal_pointer(&copies);
}

static struct openc2_response *
answer(const struct work *work, const struct restoration *restoration)
{
	enum openc2_outcome outcome = OPENC2_DONE;
	struct openc2_response *response;

	if (restoration->missing)
		outcome = restoration->restored ? OPENC2_FAILED : OPENC2_NOT_FOUND;
	else if (!restoration->restored)
		outcome = restoration->back_before ? OPENC2_ALREADY : OPENC2_NOT_FOUND;
	response =
		work_answer(work, outcome,
			    "%u put back; %u were back before; %u neither back nor in quarantine",
			    restoration->restored, restoration->back_before, restoration->missing);
	g_ptr_array_unref(response->copies);
	response->copies = g_ptr_array_ref(restoration->copies);
	return response;
}

struct openc2_response *
work_restore(struct work *work, GError **error)
{
	const GPtrArray *told = work->command->copies;
	g_autoptr(GPtrArray) found = NULL;
	g_autoptr(GPtrArray) noted =
		g_ptr_array_new_with_free_func((GDestroyNotify)openc2_copy_free);
	struct restoration restoration = {.copies = noted};

	if (!told || !told->len) {
		found = copies_found(work, error);
		if (!found)
			return NULL;
		told = found;
	}
	if (!restore_all(work, told, &restoration, error))
		return NULL;
	return answer(work, &restoration);
}
