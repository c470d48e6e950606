/* SPDX-License-Identifier: BSD-2-Clause */
#include "evidence_copies.h"

#include <glib/gstdio.h>
#include <string.h>

#include "actuate.h"
#include "actuator_argv.h"
#include "carry_out.h"
#include "evidence_zip.h"
#include "progress.h"

#define SILENT_ROUNDS 3 /* in which an actuator reached nothing: then it is let be */

/* A message that is wanted. */
struct wanted {
	GPtrArray *commands; /* of struct openc2_command, borrowed */
	guint next;	     /* to be tried */
	guint had;
};

/* The work under way. */
struct bringing {
	const struct command *command;
	const char *folder;
	guint limit;
	GHashTable *by_event; /* event id -> struct wanted */
	GPtrArray *wanted;    /* the same, in the plan's order */
	struct evidence_copies *copies;
	guint silent[OPENC2_ENDPOINT + 1]; /* rounds, by role */
	gboolean reached;		   /* anything, in this round */
	struct progress progress;
};

static void
free_copy(void *data)
{
	struct evidence_copy *copy = data;

	g_free(copy->text);
	g_free(copy->folder);
	g_free(copy->guid);
	g_free(copy->file);
	g_free(copy->sha256);
	g_free(copy);
}

void
evidence_copies_free(struct evidence_copies *copies)
{
	if (!copies)
		return;
	g_ptr_array_unref(copies->tried);
	g_free(copies);
}

static void
free_wanted(void *data)
{
	struct wanted *wanted = data;

	g_ptr_array_unref(wanted->commands);
	g_free(wanted);
}

/* ---- what is wanted ---- */

static struct wanted *
wanted_of(struct bringing *bringing, const char *event_id)
{
	struct wanted *wanted = g_hash_table_lookup(bringing->by_event, event_id);

	if (wanted)
		return wanted;
	wanted = g_new0(struct wanted, 1);
	wanted->commands = g_ptr_array_new();
	g_ptr_array_add(bringing->wanted, wanted);
	g_hash_table_insert(bringing->by_event, (char *)event_id, wanted);
	return wanted;
}

/* A message of which no copy is in reach is wanted, too. */
static void
find_wanted(struct bringing *bringing, struct plan *plan)
{
	for (guint i = 0; i < plan->commands->len; i++) {
		struct openc2_command *command = plan->commands->pdata[i];

		if (!command->message || !command->message->event_id)
			continue;
		command->action = OPENC2_COPY;
		g_ptr_array_add(wanted_of(bringing, command->message->event_id)->commands, command);
	}
	for (guint i = 0; i < plan->recipients->len; i++) {
		const struct plan_recipient *recipient = plan->recipients->pdata[i];

		wanted_of(bringing, recipient->event_id);
	}
}

/* ---- answers ---- */

/* The path is of no interest to anybody; what follows it is. */
static char *
text_without_path(const char *text, const char *path)
{
	if (!g_str_has_prefix(text, path))
		return g_strdup(text);
	text += strlen(path);
	text += strspn(text, "; ");
	return *text ? g_strdup(text) : NULL;
}

static gboolean
take_file(struct evidence_copy *copy, const char *name, const char *path)
{
	g_autoptr(GError) error = NULL;

	if (openc2_outcome_settles(copy->outcome) &&
	    evidence_file_digest(path, &copy->sha256, &copy->size, &error)) {
		copy->file = g_strdup(name);
		return TRUE;
	}
	g_unlink(path); /* what is not in the record is not in the zip */
	if (!error)
		return FALSE;
	copy->outcome = OPENC2_FAILED;
	g_free(copy->text);
	copy->text = g_strdup("the actuator said that it brought it, but there is no such file");
	return FALSE;
}

static void
take_answer(const struct openc2_command *command, const struct openc2_response *response,
	    void *data)
{
	struct bringing *bringing = data;
	struct evidence_copy *copy = g_new0(struct evidence_copy, 1);
	g_autofree char *name = g_strconcat(command->command_id, ".eml", NULL);
	g_autofree char *path = g_build_filename(bringing->folder, name, NULL);
	g_autofree char *what = NULL;

	copy->command = command;
	copy->outcome = response->outcome;
	copy->answered_us = g_get_real_time();
	copy->text = text_without_path(response->text, path);
	if (response->copies->len) {
		const struct openc2_copy *lay = response->copies->pdata[0];

		copy->folder = g_strdup(lay->folder);
		copy->guid = g_strdup(lay->guid);
	}
	g_ptr_array_add(bringing->copies->tried, copy);
	bringing->reached |= copy->outcome != OPENC2_UNREACHABLE;
	if (!take_file(copy, name, path))
		return;
	bringing->copies->had++;
	wanted_of(bringing, command->message->event_id)->had++;
	what = g_strdup_printf("%u copies", bringing->copies->had);
	progress_draw(&bringing->progress, -1, what);
}

static gboolean
take_round(void *data)
{
	return TRUE;
}

/* ---- rounds ---- */

static void
act(struct bringing *bringing, enum openc2_role role, const GPtrArray *commands)
{
	g_auto(GStrv) argv =
		actuator_argv(bringing->command, role, CARRY_OUT_JOBS, bringing->folder);
	g_autofree char *name = g_strdup_printf("the %s actuator", openc2_role_name(role));
	const struct actuate_options options = {
		.name = name,
		.argv = (const char *const *)argv,
		.jobs = CARRY_OUT_JOBS,
		.timeout_ms = bringing->command->settings->actuator_timeout_ms,
	};

	if (!commands->len)
		return;
	bringing->reached = FALSE;
	actuate(&options, commands, take_answer, take_round, bringing);
	bringing->silent[role] = bringing->reached ? 0 : bringing->silent[role] + 1;
}

/* Takes the next commands of a message, as many as copies of it are still wanted. */
static void
choose(const struct bringing *bringing, struct wanted *wanted, GPtrArray *queue,
       GPtrArray *mailstore)
{
	guint missing = bringing->limit - MIN(wanted->had, bringing->limit);

	while (missing && wanted->next < wanted->commands->len) {
		struct openc2_command *command = wanted->commands->pdata[wanted->next++];

		if (bringing->silent[command->role] >= SILENT_ROUNDS)
			continue;
		g_ptr_array_add(command->role == OPENC2_QUEUE ? queue : mailstore, command);
		missing--;
	}
}

/* Returns whether there was anything to do. */
static gboolean
bring_round(struct bringing *bringing)
{
	g_autoptr(GPtrArray) queue = g_ptr_array_new();
	g_autoptr(GPtrArray) mailstore = g_ptr_array_new();

	for (guint i = 0; i < bringing->wanted->len; i++)
		choose(bringing, bringing->wanted->pdata[i], queue, mailstore);
	act(bringing, OPENC2_QUEUE, queue);
	act(bringing, OPENC2_MAILSTORE, mailstore);
	return queue->len + mailstore->len > 0;
}

static void
count_left(struct bringing *bringing)
{
	bringing->copies->messages = bringing->wanted->len;
	for (guint i = 0; i < bringing->wanted->len; i++) {
		const struct wanted *wanted = bringing->wanted->pdata[i];

		bringing->copies->left +=
			wanted->had < MAX(MIN(bringing->limit, wanted->commands->len), 1);
	}
}

struct evidence_copies *
evidence_copies_bring(const struct command *command, struct plan *plan, const char *folder,
		      guint limit)
{
	struct bringing bringing = {
		.command = command,
		.folder = folder,
		.limit = limit,
		.by_event = g_hash_table_new(g_str_hash, g_str_equal),
		.wanted = g_ptr_array_new_with_free_func(free_wanted),
		.copies = g_new0(struct evidence_copies, 1),
	};

	bringing.copies->tried = g_ptr_array_new_with_free_func(free_copy);
	find_wanted(&bringing, plan);
	progress_init(&bringing.progress, command->quiet);
	while (bring_round(&bringing))
		;
	progress_end(&bringing.progress);
	count_left(&bringing);
	g_hash_table_unref(bringing.by_event);
	g_ptr_array_unref(bringing.wanted);
	return bringing.copies;
}
