/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailstore.h"

#include <string.h>

#include "keys.h"
#include "mailstore_work.h"
#include "text.h"

G_DEFINE_QUARK(mailtrace_mailstore_error, mailstore_error)

/* A pattern in it would be taken for many mailboxes. */
static gboolean
is_prefix(const char *prefix)
{
	return strlen(prefix) > 1 && !strpbrk(prefix, "*%") &&
	       strchr("/.", prefix[strlen(prefix) - 1]);
}

static gboolean
check_settings(const struct settings *settings, GError **error)
{
	const char *what = NULL;

	if (!*settings->mailstore_url)
		what = "url is not set; name the doveadm HTTP API of the mail store";
	else if (!is_prefix(settings->mailstore_quarantine))
		what = "quarantine is no prefix of mailboxes; end it with the separator of its "
		       "namespace, / or .";
	if (!what)
		return TRUE;
	g_set_error(error, MAILSTORE_ERROR, MAILSTORE_ERROR_CONFIG, "[mailstore] %s", what);
	return FALSE;
}

struct mailstore *
mailstore_new(const struct settings *settings, struct reader *reader, GError **error)
{
	g_autoptr(mailstore_t) mailstore = g_new0(struct mailstore, 1);

	g_mutex_init(&mailstore->large);
	mailstore->url = g_strdup(settings->mailstore_url);
	mailstore->ca = g_strdup(settings->mailstore_ca);
	mailstore->quarantine = g_strdup(settings->mailstore_quarantine);
	mailstore->recipient_delimiter = g_strdup(settings->mailstore_recipient_delimiter);
	mailstore->idle = g_async_queue_new_full((GDestroyNotify)doveadm_free);
	mailstore->local_part = settings->mailstore_user_format == USER_FORMAT_LOCAL_PART;
	mailstore->verify_digest = settings->mailstore_verify_digest == VERIFY_DIGEST_YES;
	mailstore->timeout_ms = settings->mailstore_timeout_ms;
	mailstore->reader = reader;
	mailstore->has_site_key = *settings->site_key != '\0';
	if (!check_settings(settings, error) ||
	    (mailstore->has_site_key &&
	     !site_key_read(settings->site_key, mailstore->site_key, error)))
		return NULL;
	mailstore->key = secret_read(settings->mailstore_key, error);
	return mailstore->key ? g_steal_pointer(&mailstore) : NULL;
}

void
mailstore_free(struct mailstore *mailstore)
{
	if (!mailstore)
		return;
	secret_free(mailstore->key);
	explicit_bzero(mailstore->site_key, sizeof(mailstore->site_key));
	g_mutex_clear(&mailstore->large);
	g_async_queue_unref(mailstore->idle);
	g_free(mailstore->url);
	g_free(mailstore->ca);
	g_free(mailstore->quarantine);
	g_free(mailstore->recipient_delimiter);
	g_free(mailstore);
}

/* ---- one command ---- */

struct openc2_response *
work_answer(const struct work *work, enum openc2_outcome outcome, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	return openc2_response_new(work->command->command_id, outcome, text);
}

gboolean
work_move(struct work *work, const struct doveadm_mail *mail, const char *mailbox,
	  gboolean subscribe, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(GError) ignored = NULL;

	if (doveadm_move(work->doveadm, &work->call, mail, mailbox, &why))
		return TRUE;
	if (!g_error_matches(why, DOVEADM_ERROR, DOVEADM_ERROR_NO_MAILBOX)) {
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}
	/* Another command of the same user may have made it just now; the move will tell. */
	doveadm_create(work->doveadm, &work->call, mailbox, subscribe, &ignored);
	return doveadm_move(work->doveadm, &work->call, mail, mailbox, error);
}

static char *
user_of(const struct mailstore *mailstore, const char *mailbox)
{
	const char *at = mailstore->local_part ? strrchr(mailbox, '@') : NULL;

	return at ? g_strndup(mailbox, (gsize)(at - mailbox)) : g_strdup(mailbox);
}

/* The site's choice in the command, with the separator that ours ends with. */
static char *
prefix_of(const struct mailstore *mailstore, const struct openc2_command *command)
{
	const char *separator = mailstore->quarantine + strlen(mailstore->quarantine) - 1;
	const char *chosen = command->destination;

	if (!chosen || !*chosen)
		return g_strdup(mailstore->quarantine);
	return g_str_has_suffix(chosen, separator) ? g_strdup(chosen)
						   : g_strconcat(chosen, separator, NULL);
}

static void
work_init(struct work *work, struct mailstore *mailstore, const struct actuator_options *options,
	  const struct openc2_command *command)
{
	work->mailstore = mailstore;
	work->options = options;
	work->command = command;
	work->doveadm = g_async_queue_try_pop(mailstore->idle);
	if (!work->doveadm)
		work->doveadm = doveadm_new(mailstore->url, mailstore->ca, mailstore->key);
	work->match.message = command->message;
	work->match.site_key = mailstore->has_site_key ? mailstore->site_key : NULL;
	work->match.verify_digest = mailstore->verify_digest;
	work->match.reader = mailstore->reader;
	work->user = user_of(mailstore, command->message->mailbox);
	work->call.user = work->user;
	work->call.deadline_us = g_get_monotonic_time() + (gint64)mailstore->timeout_ms * 1000;
	work->prefix = prefix_of(mailstore, command);
	work->verdicts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	work->origins = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static void
work_clear(struct work *work)
{
	g_async_queue_push(work->mailstore->idle, work->doveadm);
	g_free(work->user);
	g_free(work->prefix);
	g_hash_table_unref(work->verdicts);
	g_hash_table_unref(work->origins);
}

static enum openc2_outcome
outcome_of(const GError *error)
{
	if (error->domain != DOVEADM_ERROR)
		return OPENC2_FAILED;
	switch ((enum doveadm_error)error->code) {
	case DOVEADM_ERROR_UNREACHABLE:
		return OPENC2_UNREACHABLE;
	case DOVEADM_ERROR_NO_USER:
		return OPENC2_NOT_FOUND;
	default:
		return OPENC2_FAILED;
	}
}

/* Errors carry words of others: of libraries, of the server. */
static struct openc2_response *
answer_error(const struct work *work, const GError *error)
{
	g_autofree char *safe = text_for_terminal(error->message);

	return work_answer(work, outcome_of(error), "%s", safe);
}

static struct openc2_response *
act(struct work *work, GError **error)
{
	switch (work->command->action) {
	case OPENC2_CONTAIN:
		return work_contain(work, error);
	case OPENC2_RESTORE:
		return work_restore(work, error);
	case OPENC2_COPY:
		return work_fetch(work, error);
	default:
		return work_answer(work, OPENC2_FAILED, "a mail store does not know this action");
	}
}

/* Takes the detail off the user's name.  Returns FALSE if there is none. */
static gboolean
drop_detail(struct work *work)
{
	gsize local = strcspn(work->user, "@");
	gsize plain = strcspn(work->user, work->mailstore->recipient_delimiter);
	char *user;

	if (plain == 0 || plain >= local)
		return FALSE;
	user = g_strdup_printf("%.*s%s", (int)plain, work->user, work->user + local);
	g_free(work->user);
	work->user = user;
	work->call.user = user;
	return TRUE;
}

/* Acts for the user of the address, else for that of the address without its detail. */
static struct openc2_response *
act_for_user(struct work *work)
{
	g_autoptr(GError) error = NULL;
	struct openc2_response *response;

	if (!is_prefix(work->prefix))
		return work_answer(work, OPENC2_FAILED, "the destination is no quarantine's name");
	response = act(work, &error);
	if (!response && g_error_matches(error, DOVEADM_ERROR, DOVEADM_ERROR_NO_USER) &&
	    drop_detail(work)) {
		g_clear_error(&error);
		response = act(work, &error);
	}
	return response ? response : answer_error(work, error);
}

struct openc2_response *
mailstore_carry_out(struct mailstore *mailstore, const struct actuator_options *options,
		    const struct openc2_command *command)
{
	struct openc2_response *response;
	struct work work = {0};

	if (command->role != OPENC2_MAILSTORE || !command->message || !command->message->mailbox)
		return openc2_response_new(command->command_id, OPENC2_FAILED,
					   "the command is not for a mail store");
	work_init(&work, mailstore, options, command);
	response = act_for_user(&work);
	work_clear(&work);
	return response;
}
