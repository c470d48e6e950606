/* SPDX-License-Identifier: BSD-2-Clause */
#include "queue_act.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOCK_WAIT_US (20 * G_USEC_PER_SEC) /* for other helpers, which look at a queue twice */

/* One request under way. */
struct act {
	const struct queue_helper *helper;
	const struct queue_request *request;
	struct queue_marks *marks; /* locked; NULL for what changes nothing */
	struct queue_entry *entry; /* as it was before; NULL: not there */
};

static struct queue_answer *answer(const struct act *act, enum queue_result result,
				   const char *format, ...) G_GNUC_PRINTF(3, 4);

static struct queue_answer *
answer(const struct act *act, enum queue_result result, const char *format, ...)
{
	struct queue_answer *made;
	g_autofree char *text = NULL;
	va_list list;

	va_start(list, format);
	text = g_strdup_vprintf(format, list);
	va_end(list);
	made = queue_answer_new(result, text);
	made->queue_name = g_strdup(act->entry ? act->entry->queue_name : NULL);
	return made;
}

static gboolean
look(const struct act *act, struct queue_entry **ret_entry, GError **error)
{
	return act->helper->mta->look(&act->helper->site, act->request->queue_id, ret_entry, error);
}

static gboolean
have_done(const struct act *act, enum queue_verb verb, GError **error)
{
	g_autofree char *reason = g_strdup_printf("mailtrace %s", act->request->command_id);

	return act->helper->mta->act(&act->helper->site, verb, act->request->queue_id, reason,
				     error);
}

static const char *
difference(const struct act *act, const struct queue_entry *entry)
{
	const struct queue_request *request = act->request;
	const struct queue_helper *helper = act->helper;
	struct queue_record record = {request->sender, request->arrival_s, request->size};

	if (helper->rewritten_senders && queue_id_is_unique(request->queue_id))
		record.sender = entry->sender;
	return queue_entry_difference(entry, &record, &helper->mta->window);
}

/* What was noted of the message; by_us: whether for this very command. */
static enum queue_mark
noted(const struct act *act, gboolean *ret_by_us)
{
	const struct queue_request *request = act->request;
	g_autofree char *command_id = NULL;
	enum queue_mark mark =
		queue_marks_get(act->marks, request->queue_id, &act->helper->mta->window,
				request->arrival_s, &command_id);

	*ret_by_us = mark != QUEUE_MARK_NONE && strcmp(command_id, request->command_id) == 0;
	return mark;
}

static gboolean
note(const struct act *act, enum queue_mark mark, GError **error)
{
	return queue_marks_set(act->marks, act->request->queue_id, mark, act->request->command_id,
			       act->entry->arrival_s, error);
}

static struct queue_answer *
gone(const struct act *act)
{
	return answer(act, QUEUE_GONE,
		      "it has left the queue: it was delivered, bounced or deleted");
}

static struct queue_answer *
other(const struct act *act, const char *difference)
{
	return answer(act, QUEUE_OTHER, "the queue id is another message's by now: %s", difference);
}

/* ---- holding ---- */

static struct queue_answer *
held_before(const struct act *act)
{
	gboolean by_us;
	gboolean ours = noted(act, &by_us) == QUEUE_MARK_HELD && by_us;
	struct queue_answer *made =
		ours ? answer(act, QUEUE_ALREADY, "it is on hold by this command")
		     : answer(act, QUEUE_ALREADY, "it was on hold already, by somebody else");

	made->ours = ours;
	return made;
}

static struct queue_answer *
held_now(const struct act *act, const struct queue_entry *after)
{
	struct queue_answer *made;

	if (strcmp(act->entry->queue_name, "active") == 0)
		made = answer(act, QUEUE_DONE,
			      "on hold; it was being delivered, %u recipients had not had it",
			      after->recipients);
	else
		made = answer(act, QUEUE_DONE, "on hold, for %u recipients", after->recipients);
	made->ours = TRUE;
	return made;
}

/* After the MTA was asked to hold it. */
static struct queue_answer *
look_after_hold(const struct act *act)
{
	g_autoptr(queue_entry_t) after = NULL;
	g_autoptr(GError) error = NULL;
	const char *differs;

	if (!look(act, &after, &error))
		return answer(act, QUEUE_FAILED, "%s", error->message);
	if (!after)
		return gone(act);
	differs = difference(act, after);
	if (differs) {
		/* The id was given anew between our look and the hold: it is nothing of ours. */
		if (after->held && !have_done(act, QUEUE_RELEASE, &error))
			return answer(act, QUEUE_FAILED, "another message may be on hold: %s",
				      error->message);
		return other(act, differs);
	}
	if (!after->held)
		return answer(act, QUEUE_FAILED,
			      "the MTA did not put it on hold; it is being delivered, perhaps");
	return held_now(act, after);
}

static struct queue_answer *
hold(const struct act *act)
{
	g_autoptr(GError) error = NULL;

	if (!act->entry)
		return gone(act);
	if (act->entry->held)
		return held_before(act);
	if (!note(act, QUEUE_MARK_HELD, &error) || !have_done(act, QUEUE_HOLD, &error))
		return answer(act, QUEUE_FAILED, "%s", error->message);
	return look_after_hold(act);
}

/* ---- releasing and deleting ---- */

static struct queue_answer *
gone_before(const struct act *act, enum queue_mark mark, const char *text)
{
	gboolean by_us;

	if (noted(act, &by_us) == mark && by_us)
		return answer(act, QUEUE_ALREADY, "%s", text);
	return gone(act);
}

static struct queue_answer *
release(const struct act *act)
{
	g_autoptr(queue_entry_t) after = NULL;
	g_autoptr(GError) error = NULL;

	if (!act->entry)
		return gone_before(
			act, QUEUE_MARK_RELEASED,
			"it was released by this command before, and has left the queue");
	if (!act->entry->held)
		return answer(act, QUEUE_ALREADY, "it is not on hold, but in the %s queue",
			      act->entry->queue_name);
	if (!note(act, QUEUE_MARK_RELEASED, &error) || !have_done(act, QUEUE_RELEASE, &error) ||
	    !look(act, &after, &error))
		return answer(act, QUEUE_FAILED, "%s", error->message);
	if (after && after->held)
		return answer(act, QUEUE_FAILED, "the MTA did not release it");
	return answer(act, QUEUE_DONE,
		      after ? "released; it is being delivered"
			    : "released, and has left the queue");
}

static struct queue_answer *delete (const struct act *act)
{
	g_autoptr(queue_entry_t) after = NULL;
	g_autoptr(GError) error = NULL;

	if (!act->entry)
		return gone_before(act, QUEUE_MARK_DELETED,
				   "it was deleted by this command before");
	if (!act->entry->held)
		return answer(act, QUEUE_REFUSED, "only what is on hold is deleted: hold it first");
	if (!note(act, QUEUE_MARK_DELETED, &error) || !have_done(act, QUEUE_DELETE, &error) ||
	    !look(act, &after, &error))
		return answer(act, QUEUE_FAILED, "%s", error->message);
	if (after && !difference(act, after))
		return answer(act, QUEUE_FAILED, "the MTA did not delete it");
	return answer(act, QUEUE_DONE, "deleted");
}

static struct queue_answer *
list(const struct act *act)
{
	if (!act->entry)
		return gone(act);
	return answer(act, QUEUE_DONE, "in the %s queue, for %u recipients", act->entry->queue_name,
		      act->entry->recipients);
}

/* ---- requests ---- */

static struct queue_answer *
carry_out(const struct act *act)
{
	const char *differs = act->entry ? difference(act, act->entry) : NULL;

	if (differs)
		return other(act, differs);
	switch (act->request->verb) {
	case QUEUE_HOLD:
		return hold(act);
	case QUEUE_RELEASE:
		return release(act);
	case QUEUE_DELETE:
		return delete (act);
	default:
		return list(act);
	}
}

static struct queue_answer *
unlocked(const struct act *act, const GError *error)
{
	return answer(act,
		      g_error_matches(error, QUEUE_MARKS_ERROR, QUEUE_MARKS_ERROR_BUSY)
			      ? QUEUE_BUSY
			      : QUEUE_FAILED,
		      "%s", error->message);
}

struct queue_answer *
queue_act(const struct queue_helper *helper, const struct queue_request *request)
{
	struct act act = {.helper = helper, .request = request};
	gint64 deadline_us = g_get_monotonic_time() + LOCK_WAIT_US;
	struct queue_answer *made;
	g_autoptr(queue_entry_t) entry = NULL;
	g_autoptr(queue_marks_t) marks = NULL;
	g_autoptr(GError) error = NULL;

	if (request->verb == QUEUE_DELETE && !helper->allow_delete)
		return answer(&act, QUEUE_REFUSED,
			      "nothing is deleted here without --allow-delete");
	if (request->verb != QUEUE_LIST) {
		act.marks = marks = queue_marks_open(helper->marks_directory, deadline_us, &error);
		if (!marks)
			return unlocked(&act, error);
	}
	if (!look(&act, &entry, &error))
		return answer(&act, QUEUE_FAILED, "%s", error->message);
	act.entry = entry;
	made = carry_out(&act);
	return made;
}

/* ---- copying ---- */

/* Whether the message is there, and the one that is meant; else *ret_answer says what is. */
static gboolean
is_there(struct act *act, struct queue_answer **ret_answer)
{
	g_autoptr(GError) error = NULL;
	const char *differs;

	if (!look(act, &act->entry, &error))
		*ret_answer = answer(act, QUEUE_FAILED, "%s", error->message);
	else if (!act->entry)
		*ret_answer = gone(act);
	else if ((differs = difference(act, act->entry)))
		*ret_answer = other(act, differs);
	else
		return TRUE;
	return FALSE;
}

static gboolean
write_line(int fd, const struct queue_answer *made)
{
	g_autofree char *json = queue_answer_encode(made);
	g_autofree char *line = g_strconcat(json, "\n", NULL);

	return write(fd, line, strlen(line)) == (ssize_t)strlen(line);
}

static gboolean
copy_bytes(struct act *act, int fd)
{
	g_autoptr(queue_answer_t) made =
		answer(act, QUEUE_DONE, "from the %s queue", act->entry->queue_name);
	g_autoptr(queue_answer_t) changed = NULL;
	g_autoptr(GError) error = NULL;

	if (!write_line(fd, made))
		return FALSE;
	if (!act->helper->mta->copy(&act->helper->site, act->request->queue_id, fd, &error)) {
		fprintf(stderr, "%s\n", error->message);
		return FALSE;
	}
	g_clear_pointer(&act->entry, queue_entry_free);
	if (is_there(act, &changed))
		return TRUE;
	fprintf(stderr, "%s\n", changed->text);
	return FALSE;
}

gboolean
queue_copy(const struct queue_helper *helper, const struct queue_request *request, int fd)
{
	struct act act = {.helper = helper, .request = request};
	g_autoptr(queue_answer_t) made = NULL;
	gboolean copied;

	if (is_there(&act, &made))
		copied = copy_bytes(&act, fd);
	else
		copied = write_line(fd, made);
	queue_entry_free(act.entry);
	return copied;
}
