/* SPDX-License-Identifier: BSD-2-Clause */
#include "queue_act.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "queue_id.h"

#define LOCK_WAIT_US (40 * G_USEC_PER_SEC) /* for other helpers, which look at a queue twice */

/* One request under way. */
struct act {
	const struct queue_helper *helper;
	const struct queue_request *request;
	struct queue_marks *marks; /* locked; NULL for what changes nothing */
	struct queue_entry *entry; /* as it was before; NULL: not there */
	struct queue_entry *after; /* as it is after the MTA was asked to act */
	gboolean seen;		   /* whether entry, or after if it was acted, say how it is */
	gboolean acted;
	const struct act *previous;  /* on the same message; or NULL */
	struct queue_answer *answer; /* NULL as long as it is not known */
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

/* Returns what was noted of the message if it was for this very command. */
static enum queue_mark
noted_by_us(const struct act *act)
{
	const struct queue_request *request = act->request;
	g_autofree char *command_id = NULL;
	enum queue_mark mark =
		queue_marks_get(act->marks, request->queue_id, &act->helper->mta->window,
				request->arrival_s, &command_id);

	return g_strcmp0(command_id, request->command_id) == 0 ? mark : QUEUE_MARK_NONE;
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

/* ---- before: what can be answered without acting ---- */

static struct queue_answer *
absent(const struct act *act)
{
	enum queue_mark mark = act->marks ? noted_by_us(act) : QUEUE_MARK_NONE;

	if (act->request->verb == QUEUE_RELEASE && mark == QUEUE_MARK_RELEASED)
		return answer(act, QUEUE_ALREADY,
			      "it was released by this command before, and has left the queue");
	if (act->request->verb == QUEUE_DELETE && mark == QUEUE_MARK_DELETED)
		return answer(act, QUEUE_ALREADY, "it was deleted by this command before");
	return gone(act);
}

static struct queue_answer *
held_before(const struct act *act)
{
	gboolean ours = noted_by_us(act) == QUEUE_MARK_HELD;
	struct queue_answer *made =
		ours ? answer(act, QUEUE_ALREADY, "it is on hold by this command")
		     : answer(act, QUEUE_ALREADY, "it was on hold already, by somebody else");

	made->ours = ours;
	return made;
}

/* Returns an answer if nothing is to be done; else NULL. */
static struct queue_answer *
answer_before(const struct act *act)
{
	const struct queue_entry *entry = act->entry;
	const char *differs;

	if (!entry)
		return absent(act);
	differs = difference(act, entry);
	if (differs)
		return other(act, differs);
	if (act->request->verb == QUEUE_LIST)
		return answer(act, QUEUE_DONE, "in the %s queue, for %u recipients",
			      entry->queue_name, entry->recipients);
	if (act->request->verb == QUEUE_HOLD)
		return entry->held ? held_before(act) : NULL;
	if (entry->held)
		return NULL;
	if (act->request->verb == QUEUE_RELEASE)
		return answer(act, QUEUE_ALREADY, "it is not on hold, but in the %s queue",
			      entry->queue_name);
	return answer(act, QUEUE_REFUSED, "only what is on hold is deleted: hold it first");
}

/* ---- acting ---- */

/* Notes what is about to be done, and has it done.  Returns an answer if that failed. */
static struct queue_answer *
carry_out(struct act *act)
{
	const struct queue_request *request = act->request;
	enum queue_mark mark = request->verb == QUEUE_HOLD	? QUEUE_MARK_HELD
			       : request->verb == QUEUE_RELEASE ? QUEUE_MARK_RELEASED
								: QUEUE_MARK_DELETED;
	g_autoptr(GError) error = NULL;

	if (queue_marks_set(act->marks, request->queue_id, mark, request->command_id,
			    act->entry->arrival_s, &error) &&
	    have_done(act, request->verb, &error))
		return NULL;
	act->seen = FALSE; /* as it was before, perhaps, and perhaps not */
	return answer(act, QUEUE_FAILED, "%s", error->message);
}

/* ---- after: whether it was done ---- */

static struct queue_answer *
after_hold(const struct act *act)
{
	const struct queue_entry *after = act->after;
	const char *differs = after ? difference(act, after) : NULL;
	struct queue_answer *made;
	g_autoptr(GError) error = NULL;

	if (!after)
		return gone(act);
	/* The id was given anew between our look and the hold: it is nothing of ours. */
	if (differs && after->held && !have_done(act, QUEUE_RELEASE, &error))
		return answer(act, QUEUE_FAILED, "another message may be on hold: %s",
			      error->message);
	if (differs)
		return other(act, differs);
	if (!after->held)
		return answer(act, QUEUE_FAILED,
			      "the MTA did not put it on hold; it is being delivered, perhaps");
	if (strcmp(act->entry->queue_name, "active") == 0)
		made = answer(act, QUEUE_DONE,
			      "on hold; it was being delivered, %u recipients had not had it",
			      after->recipients);
	else
		made = answer(act, QUEUE_DONE, "on hold, for %u recipients", after->recipients);
	made->ours = TRUE;
	return made;
}

static struct queue_answer *
after_release(const struct act *act)
{
	if (act->after && act->after->held && !difference(act, act->after))
		return answer(act, QUEUE_FAILED, "the MTA did not release it");
	return answer(act, QUEUE_DONE,
		      act->after ? "released; it is being delivered"
				 : "released, and has left the queue");
}

static struct queue_answer *
answer_after(const struct act *act)
{
	if (act->request->verb == QUEUE_HOLD)
		return after_hold(act);
	if (act->request->verb == QUEUE_RELEASE)
		return after_release(act);
	if (act->after && !difference(act, act->after))
		return answer(act, QUEUE_FAILED, "the MTA did not delete it");
	return answer(act, QUEUE_DONE, "deleted");
}

/* ---- a round: requests for different messages ---- */

/* Takes over what the act before on the same message has seen last. */
static void
see_as_before(struct act *act)
{
	const struct act *previous = act->previous;

	if (!previous || !(previous->acted || previous->seen))
		return;
	act->entry = queue_entry_dup(previous->acted ? previous->after : previous->entry);
	act->seen = TRUE;
}

/* Looks for the messages of acts that have no answer yet; before: for those not yet seen. */
static void
look_for(GPtrArray *round, gboolean before)
{
	g_autofree const char **queue_ids = g_new0(const char *, round->len);
	g_autofree struct queue_entry **entries = g_new0(struct queue_entry *, round->len);
	g_autoptr(GPtrArray) open = g_ptr_array_new();
	g_autoptr(GError) error = NULL;
	const struct queue_helper *helper;
	gboolean looked;

	for (guint i = 0; i < round->len; i++) {
		struct act *act = g_ptr_array_index(round, i);

		if (act->answer || (before && act->seen))
			continue;
		queue_ids[open->len] = act->request->queue_id;
		g_ptr_array_add(open, act);
	}
	if (open->len == 0)
		return;
	helper = ((struct act *)g_ptr_array_index(open, 0))->helper;
	looked = helper->mta->look(&helper->site, queue_ids, open->len, entries, &error);
	for (guint i = 0; i < open->len; i++) {
		struct act *act = g_ptr_array_index(open, i);

		*(before ? &act->entry : &act->after) = entries[i];
		act->seen = looked;
		act->acted = looked && !before;
		if (!looked)
			act->answer = answer(act, QUEUE_FAILED, "%s", error->message);
	}
}

/* Whether a message was to be held and is not: postsuper(1) misses one that is moving. */
static gboolean
has_slipped(const struct act *act)
{
	return !act->answer && act->request->verb == QUEUE_HOLD && act->after &&
	       !act->after->held && !difference(act, act->after);
}

/* Has the MTA act once more on what slipped through. */
static void
catch_slipped(GPtrArray *round)
{
	g_autoptr(GPtrArray) slipped = g_ptr_array_new();

	for (guint i = 0; i < round->len; i++) {
		struct act *act = g_ptr_array_index(round, i);

		if (!has_slipped(act))
			continue;
		act->answer = carry_out(act);
		g_clear_pointer(&act->after, queue_entry_free);
		g_ptr_array_add(slipped, act);
	}
	look_for(slipped, FALSE);
}

static void
run_round(GPtrArray *round)
{
	for (guint i = 0; i < round->len; i++)
		see_as_before(g_ptr_array_index(round, i));
	look_for(round, TRUE);
	for (guint i = 0; i < round->len; i++) {
		struct act *act = g_ptr_array_index(round, i);

		if (!act->answer)
			act->answer = answer_before(act);
		if (!act->answer)
			act->answer = carry_out(act);
	}
	look_for(round, FALSE);
	catch_slipped(round);
	for (guint i = 0; i < round->len; i++) {
		struct act *act = g_ptr_array_index(round, i);

		if (!act->answer)
			act->answer = answer_after(act);
	}
}

/* Takes the first open act of each message; a second one has to see what the first did. */
static GPtrArray *
next_round(struct act *acts, guint count)
{
	g_autoptr(GHashTable) last = g_hash_table_new(g_str_hash, g_str_equal);
	GPtrArray *round = g_ptr_array_new();

	for (guint i = 0; i < count; i++) {
		struct act *previous = g_hash_table_lookup(last, acts[i].request->queue_id);

		if (!acts[i].answer && (!previous || previous->answer)) {
			acts[i].previous = previous;
			g_ptr_array_add(round, &acts[i]);
		}
		/* One that ended unseen says nothing of the message. */
		if (!acts[i].answer || acts[i].seen)
			g_hash_table_insert(last, acts[i].request->queue_id, &acts[i]);
	}
	return round;
}

/* ---- requests ---- */

static struct queue_answer *
unlocked(const struct act *act, const GError *error)
{
	gboolean busy = g_error_matches(error, QUEUE_MARKS_ERROR, QUEUE_MARKS_ERROR_BUSY);

	return answer(act, busy ? QUEUE_BUSY : QUEUE_FAILED, "%s", error->message);
}

/* Answers what must not be done, or cannot without the lock. */
static void
begin(struct act *act, struct queue_marks *marks, const GError *error)
{
	enum queue_verb verb = act->request->verb;

	if (verb == QUEUE_COPY)
		act->answer = answer(act, QUEUE_REFUSED, "a copy is asked for alone");
	else if (verb == QUEUE_DELETE && !act->helper->allow_delete)
		act->answer = answer(act, QUEUE_REFUSED,
				     "nothing is deleted here without --allow-delete");
	else if (verb != QUEUE_LIST && !marks)
		act->answer = unlocked(act, error);
	else if (verb != QUEUE_LIST)
		act->marks = marks;
}

static gboolean
changes_something(const GPtrArray *requests)
{
	for (guint i = 0; i < requests->len; i++)
		if (((const struct queue_request *)g_ptr_array_index(requests, i))->verb !=
		    QUEUE_LIST)
			return TRUE;
	return FALSE;
}

static void
act_clear(struct act *act)
{
	queue_entry_free(act->entry);
	queue_entry_free(act->after);
}

GPtrArray *
queue_act(const struct queue_helper *helper, const GPtrArray *requests)
{
	gint64 deadline_us = g_get_monotonic_time() + LOCK_WAIT_US;
	g_autofree struct act *acts = g_new0(struct act, requests->len);
	GPtrArray *answers = g_ptr_array_new_with_free_func((GDestroyNotify)queue_answer_free);
	g_autoptr(queue_marks_t) marks = NULL;
	g_autoptr(GError) error = NULL;
	GPtrArray *round;

	if (changes_something(requests))
		marks = queue_marks_open(helper->marks_directory, deadline_us, &error);
	for (guint i = 0; i < requests->len; i++) {
		acts[i].helper = helper;
		acts[i].request = g_ptr_array_index(requests, i);
		begin(&acts[i], marks, error);
	}
	while ((round = next_round(acts, requests->len))->len > 0) {
		run_round(round);
		g_ptr_array_unref(round);
	}
	g_ptr_array_unref(round);
	for (guint i = 0; i < requests->len; i++) {
		g_ptr_array_add(answers, acts[i].answer);
		act_clear(&acts[i]);
	}
	return answers;
}

/* ---- copying ---- */

/* Looks whether the message is there, and the one that is meant; else there is an answer. */
static gboolean
is_there(struct act *act)
{
	const char *queue_id = act->request->queue_id, *differs;
	g_autoptr(GError) error = NULL;

	g_clear_pointer(&act->entry, queue_entry_free);
	if (!act->helper->mta->look(&act->helper->site, &queue_id, 1, &act->entry, &error))
		act->answer = answer(act, QUEUE_FAILED, "%s", error->message);
	else if (!act->entry)
		act->answer = gone(act);
	else if ((differs = difference(act, act->entry)))
		act->answer = other(act, differs);
	return act->answer == NULL;
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
	g_autoptr(GError) error = NULL;

	if (!write_line(fd, made))
		return FALSE;
	if (!act->helper->mta->copy(&act->helper->site, act->request->queue_id, fd, &error)) {
		fprintf(stderr, "%s\n", error->message);
		return FALSE;
	}
	if (is_there(act))
		return TRUE;
	fprintf(stderr, "%s\n", act->answer->text);
	return FALSE;
}

gboolean
queue_copy(const struct queue_helper *helper, const struct queue_request *request, int fd)
{
	struct act act = {.helper = helper, .request = request};
	gboolean copied = is_there(&act) ? copy_bytes(&act, fd) : write_line(fd, act.answer);

	queue_answer_free(act.answer);
	act_clear(&act);
	return copied;
}
