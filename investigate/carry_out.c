/* SPDX-License-Identifier: BSD-2-Clause */
#include "carry_out.h"

#include <string.h>

#include "actuate.h"
#include "actuator_argv.h"
#include "ask.h"
#include "block_force.h"
#include "control.h"
#include "departures.h"
#include "libexec.h"
#include "outcome_table.h"
#include "plan_control.h"
#include "progress.h"
#include "store_plans.h"

#define FORCE_WAIT_MS 5000 /* for the sensors */
#define REPORT_MOST (PLAN_CONTROL_RESPONSES / 2)
#define ROLES 4

/* A plan under way. */
struct carrying {
	struct command *command;
	const struct plan *plan;
	const struct carry_out_options *options;
	struct control *control;
	struct departures *departures; /* as known before anything was done */
	GPtrArray *open[ROLES];	       /* of struct openc2_command, borrowed from the plan */
	guint total, done;
	json_t *unreported; /* responses that the collector does not have yet */
	GError *lost;	    /* why it does not take them */
	struct progress progress;
};

/* ---- the collector ---- */

static gboolean
begin(struct carrying *carrying, const json_t *json, GError **error)
{
	g_autoptr(json_t) request = command_request(carrying->command, "plan-begin");
	g_autoptr(json_t) answer = NULL;

	json_object_set(request, "plan", (json_t *)json);
	answer = control_call(carrying->control, request, error);
	return answer != NULL;
}

static gboolean
report(struct carrying *carrying, GError **error)
{
	g_autoptr(json_t) request = command_request(carrying->command, "plan-result");
	g_autoptr(json_t) answer = NULL;

	if (!json_array_size(carrying->unreported))
		return TRUE;
	json_put_text(request, "plan_id", carrying->plan->plan_id);
	json_object_set(request, "responses", carrying->unreported);
	answer = control_call(carrying->control, request, error);
	if (answer)
		json_array_clear(carrying->unreported);
	return answer != NULL;
}

/* What cannot be kept is not to be done: then nothing more is begun. */
static gboolean
take_round(void *data)
{
	struct carrying *carrying = data;

	if (!carrying->lost)
		report(carrying, &carrying->lost);
	return !carrying->lost;
}

static void
take_answer(const struct openc2_command *command, const struct openc2_response *response,
	    void *data)
{
	struct carrying *carrying = data;
	g_autofree char *text = departures_text(carrying->departures, response);
	struct openc2_response told = *response;
	g_autofree char *line = NULL, *what = NULL;

	told.outcome = departures_outcome(carrying->departures, response);
	told.text = text;
	line = openc2_response_encode(&told);
	json_array_append_new(carrying->unreported, json_parse_object(line, strlen(line)));
	carrying->done++;
	what = g_strdup_printf("%u of %u targets", carrying->done, carrying->total);
	progress_draw(&carrying->progress, (double)carrying->done / carrying->total, what);
	if (json_array_size(carrying->unreported) >= REPORT_MOST)
		take_round(carrying);
}

/* ---- what is open ---- */

static gboolean
take_command(const struct store_command *stored, void *data)
{
	GHashTable *closed = data;

	if (stored->settled || stored->denied)
		g_hash_table_add(closed, g_strdup(stored->command_id));
	return TRUE;
}

/* Reads what is settled already, and what has left its mailbox by now. */
static gboolean
read_closed(struct carrying *carrying, GHashTable *closed, GError **error)
{
	g_autoptr(store_t) store = store_open(carrying->command->store_url, STORE_READ, error);
	struct store_plan plan = {0};
	gboolean found = FALSE, done;

	if (store)
		carrying->departures = departures_read(store, carrying->plan, error);
	if (!carrying->departures ||
	    !store_plan_find(store, carrying->plan->tenant, carrying->plan->plan_id, &plan, &found,
			     error))
		return FALSE;
	if (!found) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_ABSENT,
			    "the collector keeps another store than %s: name that with --store",
			    carrying->command->store_url);
		return FALSE;
	}
	done = store_command_each(store, plan.number, take_command, closed, error);
	store_plan_clear(&plan);
	return done;
}

static gboolean
find_open(struct carrying *carrying, GError **error)
{
	g_autoptr(GHashTable) closed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	if (!read_closed(carrying, closed, error))
		return FALSE;
	for (guint i = 0; i < carrying->plan->commands->len; i++) {
		struct openc2_command *command = carrying->plan->commands->pdata[i];

		if (g_hash_table_contains(closed, command->command_id))
			continue;
		g_ptr_array_add(carrying->open[command->role], command);
		carrying->total++;
	}
	return TRUE;
}

/* ---- acting ---- */

static gboolean
act_at_gateways(struct carrying *carrying, struct out *out, GError **error)
{
	g_autoptr(json_t) request = command_request(carrying->command, "plan-gateway");
	g_autoptr(json_t) answer = NULL;
	gint64 began_us = g_get_monotonic_time();

	if (!carrying->open[OPENC2_GATEWAY]->len)
		return TRUE;
	json_put_text(request, "plan_id", carrying->plan->plan_id);
	answer = control_call(carrying->control, request, error);
	if (!answer)
		return FALSE;
	carrying->done += carrying->open[OPENC2_GATEWAY]->len;
	block_force_await(carrying->command, carrying->control, json_get_int(answer, "version", 0),
			  FORCE_WAIT_MS, began_us, out);
	return TRUE;
}

static void
answer_without_actuator(struct carrying *carrying, const GPtrArray *commands)
{
	for (guint i = 0; i < commands->len; i++) {
		const struct openc2_command *command = commands->pdata[i];
		g_autoptr(openc2_response_t) response = openc2_response_new(
			command->command_id, OPENC2_FAILED,
			"nothing acts on devices: set [openc2] url, or [containment] "
			"endpoint_command");

		take_answer(command, response, carrying);
	}
	take_round(carrying);
}

static void
act_by_actuator(struct carrying *carrying, enum openc2_role role)
{
	const GPtrArray *commands = carrying->open[role];
	g_auto(GStrv) argv =
		actuator_argv(carrying->command, role, (guint)carrying->options->jobs, NULL);
	g_autofree char *name = g_strdup_printf("the %s actuator", openc2_role_name(role));
	const struct actuate_options options = {
		.name = name,
		.argv = (const char *const *)argv,
		.jobs = (guint)carrying->options->jobs,
		.timeout_ms = carrying->command->settings->actuator_timeout_ms,
	};

	if (!commands->len || carrying->lost)
		return;
	if (argv)
		actuate(&options, commands, take_answer, take_round, carrying);
	else
		answer_without_actuator(carrying, commands);
}

static void
act_by_actuators(struct carrying *carrying)
{
	act_by_actuator(carrying, OPENC2_QUEUE);
	act_by_actuator(carrying, OPENC2_MAILSTORE);
	act_by_actuator(carrying, OPENC2_ENDPOINT);
}

/* All at once and in one go: whoever takes them has its own pace. */
static void
act_by_automation(struct carrying *carrying)
{
	g_autoptr(GPtrArray) commands = g_ptr_array_new();
	g_autofree char *program = libexec_path("emit");
	const char *const argv[] = {program,
				    "--config",
				    carrying->command->config_path,
				    "--tenant",
				    carrying->command->tenant,
				    NULL};
	struct actuate_options options = {
		.name = "the site's automation",
		.argv = argv,
		.timeout_ms = carrying->command->settings->actuator_timeout_ms,
	};

	for (gsize role = 0; role < ROLES; role++)
		for (guint i = 0; i < carrying->open[role]->len; i++)
			g_ptr_array_add(commands, carrying->open[role]->pdata[i]);
	options.jobs = MAX(commands->len, 1);
	if (commands->len)
		actuate(&options, commands, take_answer, take_round, carrying);
}

/* The gateways first, so that no more comes; then queues, before they deliver. */
static gboolean
act(struct carrying *carrying, struct out *out, GError **error)
{
	if (!carrying->options->emit_only && !act_at_gateways(carrying, out, error))
		return FALSE;
	progress_init(&carrying->progress, carrying->command->quiet);
	if (carrying->options->emit_only)
		act_by_automation(carrying);
	else
		act_by_actuators(carrying);
	progress_end(&carrying->progress);
	if (!carrying->lost)
		return TRUE;
	g_propagate_prefixed_error(error, g_steal_pointer(&carrying->lost),
				   "what was done last is not kept; run it again: ");
	return FALSE;
}

static int
act_and_tell(struct carrying *carrying)
{
	struct out *out = command_out(carrying->command);
	gboolean was_open = carrying->total > 0;
	g_autoptr(GError) error = NULL;
	int status;

	if (act(carrying, out, &error))
		status = outcome_table(carrying->command, carrying->plan, was_open, out);
	else
		status = command_fail(carrying->command, "%s", error->message);
	return command_end(carrying->command, out, status);
}

static int
carry(struct carrying *carrying, const json_t *json)
{
	g_autoptr(GError) error = NULL;

	carrying->control = control_connect(carrying->command->settings->control_socket, &error);
	if (!carrying->control)
		return command_fail(carrying->command,
				    "%s; a plan is carried out with a running collector",
				    error->message);
	if (!begin(carrying, json, &error) || !find_open(carrying, &error))
		return command_fail(carrying->command, "%s", error->message);
	return act_and_tell(carrying);
}

gboolean
carry_out_parse(struct command *command, const char *parameters, const char *summary,
		struct carry_out_options *ret_options, int *argc, char ***argv)
{
	struct carry_out_options options = {.jobs = CARRY_OUT_JOBS};
	const GOptionEntry entries[] = {
		{"yes", 'y', 0, G_OPTION_ARG_NONE, &options.yes, "do not ask", NULL},
		{"emit-only", 0, 0, G_OPTION_ARG_NONE, &options.emit_only,
		 "publish the commands for the site's own automation", NULL},
		{"jobs", 'j', 0, G_OPTION_ARG_INT, &options.jobs,
		 "act on so many targets at a time, 8 by default", "N"},
		{NULL},
	};

	if (!command_parse(command, entries, parameters, summary, argc, argv))
		return FALSE;
	*ret_options = options;
	if (!command->csv)
		return TRUE;
	command_fail(command, "there is no --csv of two kinds of rows");
	return FALSE;
}

int
carry_out(struct command *command, const struct plan *plan, const json_t *json,
	  const struct carry_out_options *options)
{
	struct carrying carrying = {.command = command, .plan = plan, .options = options};
	int status = EXIT_TROUBLE;

	if (options->jobs < 1 || options->jobs > CARRY_OUT_JOBS_MOST)
		return command_fail(command, "--jobs is a number from 1 to %d",
				    CARRY_OUT_JOBS_MOST);
	if (!ask_yes(command, options->yes, &status, "%s plan %s with %u targets?",
		     plan->kind == PLAN_UNDO ? "Undo by" : "Apply", plan->plan_id,
		     plan->commands->len))
		return status;
	carrying.unreported = json_array();
	for (gsize i = 0; i < ROLES; i++)
		carrying.open[i] = g_ptr_array_new();
	status = carry(&carrying, json);
	for (gsize i = 0; i < ROLES; i++)
		g_ptr_array_unref(carrying.open[i]);
	json_decref(carrying.unreported);
	control_free(carrying.control);
	departures_free(carrying.departures);
	return status;
}
