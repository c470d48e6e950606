/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "descriptor.h"
#include "mailstore_work.h"

static gboolean
write_text(int fd, const GByteArray *text, GError **error)
{
	if (descriptor_write(fd, text->data, text->len))
		return TRUE;
	g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(errno),
		    "cannot write evidence: %s", g_strerror(errno));
	return FALSE;
}

static struct openc2_response *
answer(const struct work *work, const struct doveadm_mail *mail, const char *path, gboolean exact)
{
	struct openc2_response *response = work_answer(
		work, OPENC2_DONE, "%s%s", path,
		exact ? "" : "; bytes that are no UTF-8 were replaced by the server's API");
	struct openc2_copy *copy = work_copy(work, mail);

	if (!work_is_quarantine(work, mail->mailbox)) {
		g_clear_pointer(&copy->quarantine, g_free);
		g_free(copy->folder);
		copy->folder = g_strdup(mail->mailbox);
	}
	g_ptr_array_add(response->copies, copy);
	return response;
}

/* One copy is as good as another: they hold the same file. */
static struct openc2_response *
fetch_from(struct work *work, const struct sight *sight, evidence_t **evidence, const char *path,
	   GError **error)
{
	const GPtrArray *mails = sight->outside->len ? sight->outside : sight->inside;
	g_autoptr(doveadm_mail_t) fetched = NULL;
	const struct doveadm_mail *mail;

	if (!mails->len)
		return work_answer(work, OPENC2_NOT_FOUND, "in no folder and not in quarantine");
	mail = g_ptr_array_index(mails, 0);
	if (!work_fetch_mail(work, mail, &fetched, error))
		return NULL;
	if (!fetched || !fetched->text)
		return work_answer(work, OPENC2_FAILED,
				   "%" G_GUINT64_FORMAT
				   " bytes are too many for the server's API; take the file itself",
				   mail->size);
	if (!write_text(evidence_fd(*evidence), fetched->text, error) ||
	    !evidence_keep(g_steal_pointer(evidence), error))
		return NULL;
	return answer(work, mail, path, fetched->exact);
}

struct openc2_response *
work_fetch(struct work *work, GError **error)
{
	g_autoptr(evidence_t) evidence = NULL;
	g_autofree char *path = NULL;
	g_autoptr(GError) why = NULL;
	struct openc2_response *response;
	struct sight sight;

	evidence = evidence_begin(work->options, work->command, &path, &why);
	if (g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_EXIST))
		return work_answer(work, OPENC2_ALREADY, "%s", path);
	if (!evidence) {
		g_propagate_error(error, g_steal_pointer(&why));
		return NULL;
	}
	if (!work_look(work, &sight, error))
		return NULL;
	response = fetch_from(work, &sight, &evidence, path, error);
	sight_clear(&sight);
	return response;
}
