/* SPDX-License-Identifier: BSD-2-Clause */
#include "actuator_argv.h"

#include "libexec.h"

char **
actuator_argv(const struct command *command, enum openc2_role role, guint jobs,
	      const char *evidence_directory)
{
	const struct settings *settings = command->settings;
	char *const *own = role == OPENC2_MAILSTORE ? settings->mailstore_command
			   : role == OPENC2_QUEUE   ? settings->queue_command
						    : settings->endpoint_command;
	g_autofree char *name = g_strdup_printf(
		"actuator-%s", role == OPENC2_ENDPOINT ? "openc2" : openc2_role_name(role));
	gboolean ours = role != OPENC2_ENDPOINT || *settings->openc2_url;
	GPtrArray *argv = g_ptr_array_new();

	for (; *own; own++)
		g_ptr_array_add(argv, g_strdup(*own));
	if (!argv->len && ours)
		g_ptr_array_add(argv, libexec_path(name));
	if (!argv->len) {
		g_ptr_array_unref(argv);
		return NULL;
	}
	g_ptr_array_add(argv, g_strdup("--config"));
	g_ptr_array_add(argv, g_strdup(command->config_path));
	g_ptr_array_add(argv, g_strdup("--jobs"));
	g_ptr_array_add(argv, g_strdup_printf("%u", jobs));
	if (evidence_directory) {
		g_ptr_array_add(argv, g_strdup("--evidence-dir"));
		g_ptr_array_add(argv, g_strdup(evidence_directory));
	}
	g_ptr_array_add(argv, NULL);
	return (char **)g_ptr_array_free(argv, FALSE);
}
