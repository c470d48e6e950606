/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "approvals.h"
#include "ask.h"
#include "command.h"
#include "control.h"
#include "digest.h"
#include "json.h"
#include "plan.h"
#include "plan_table.h"

struct approve_options {
	char *key, *name;
	gboolean yes;
};

/* Returns the key's name: as given, else that of its file.  Free with g_free(). */
static char *
name_of(const struct approve_options *options)
{
	g_autofree char *base = g_path_get_basename(options->key);

	if (options->name)
		return g_strdup(options->name);
	if (g_str_has_suffix(base, ".key"))
		base[strlen(base) - strlen(".key")] = '\0';
	return g_steal_pointer(&base);
}

static gboolean
send_approval(struct command *command, const struct plan *plan, const char *name,
	      const guint8 signature[SIGNATURE_BYTES], gboolean *ret_new, GError **error)
{
	g_autoptr(json_t) request = command_request(command, "approve");
	g_autofree char *hex = hex_encode(signature, SIGNATURE_BYTES);
	g_autoptr(json_t) answer = NULL;
	struct control *control = control_connect(command->settings->control_socket, error);

	if (!control)
		return FALSE;
	json_put_text(request, "digest", plan->digest);
	json_put_text(request, "name", name);
	json_put_text(request, "signature", hex);
	answer = control_call(control, request, error);
	control_free(control);
	*ret_new = answer && json_is_true(json_object_get(answer, "new"));
	return answer != NULL;
}

static int
approve(struct command *command, const struct plan *plan, const struct approve_options *options)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(signing_key_t) key = signing_key_read(options->key, &error);
	g_autofree char *name = name_of(options);
	guint8 signature[SIGNATURE_BYTES];
	gboolean is_new = FALSE;

	if (!key || !approvals_sign(key, plan->tenant, plan->digest, signature, &error) ||
	    !send_approval(command, plan, name, signature, &is_new, &error))
		return command_fail(command, "%s", error->message);
	if (!command->quiet)
		fprintf(stderr, "%s\n",
			is_new ? "Approved." : "This key had approved the plan before.");
	return is_new ? EXIT_FOUND : EXIT_NOTHING;
}

/* Nobody is to approve what was not shown. */
static int
show_and_approve(struct command *command, const char *path, const struct approve_options *options)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(plan_t) plan = plan_read(path, NULL, &error);
	struct out *out;
	int status;

	if (!plan)
		return command_fail(command, "%s", error->message);
	if (strcmp(plan->tenant, command->tenant) != 0)
		return command_fail(command, "the plan is of tenant %s", plan->tenant);
	if (plan->expires_us <= g_get_real_time())
		return command_fail(command, "the plan has expired");
	out = command_out(command);
	plan_table(out, plan);
	status = command_end(command, out, EXIT_FOUND);
	if (status == EXIT_FOUND &&
	    ask_yes(command, options->yes, &status, "Approve plan %s of %s with %u targets?",
		    plan->plan_id, plan->created_by, plan->commands->len))
		status = approve(command, plan, options);
	return status;
}

static const char *const summary =
	"Shows a plan and approves it with a key, so that another person may apply it though\n"
	"it has more targets than approval_threshold.";

int
cmd_approve(struct command *command, int argc, char **argv)
{
	struct approve_options options = {0};
	const GOptionEntry entries[] = {
		{"key", 'k', 0, G_OPTION_ARG_FILENAME, &options.key, "the secret key", "FILE"},
		{"name", 0, 0, G_OPTION_ARG_FILENAME, &options.name,
		 "the key's name in approval_keys; that of its file by default", "NAME"},
		{"yes", 'y', 0, G_OPTION_ARG_NONE, &options.yes, "do not ask", NULL},
		{NULL},
	};
	int status = EXIT_TROUBLE;

	if (!command_parse(command, entries, "PLAN", summary, &argc, &argv))
		return EXIT_TROUBLE;
	if (argc != 2 || !options.key)
		command_fail(command, "give --key FILE and one plan");
	else if (command->csv)
		command_fail(command, "there is no --csv of a plan");
	else
		status = show_and_approve(command, argv[1], &options);
	g_free(options.key);
	g_free(options.name);
	return status;
}
