/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "command.h"
#include "control.h"
#include "authorized_keys.h"

static const struct {
	const char *name;
	enum key_role role;
} roles[] = {
	{"publish", ROLE_PUBLISH},
	{"subscribe", ROLE_SUBSCRIBE},
	{"command", ROLE_COMMAND},
};

/* Reads "publish,subscribe".  Returns FALSE for a role that does not exist, or none. */
static gboolean
parse_roles(const char *text, guint *ret_roles)
{
	g_auto(GStrv) names = g_strsplit(text, ",", -1);
	guint found = 0;

	for (char **name = names; *name; name++) {
		guint before = found;

		for (gsize i = 0; i < G_N_ELEMENTS(roles); i++)
			if (strcmp(*name, roles[i].name) == 0)
				found |= roles[i].role;
		if (found == before)
			return FALSE;
	}
	*ret_roles = found;
	return found != 0;
}

/*
 * A running collector reads the list again.  That none runs is no trouble;
 * that one runs and did not, is.
 */
static int
tell_collector(struct command *command)
{
	g_autoptr(GError) error = NULL;
	struct control *control = control_connect(command->settings->control_socket, &error);
	gboolean told;

	if (!control && g_error_matches(error, CONTROL_ERROR, CONTROL_ERROR_ABSENT))
		return EXIT_FOUND;
	told = control && control_reload(control, &error);
	control_free(control);
	if (told)
		return EXIT_FOUND;
	command_fail(command, "the list is written, but the running collector did not read it: %s",
		     error->message);
	return EXIT_PARTLY;
}

/*
 * Who may connect is entered before it is changed.  A site that is being set
 * up has no store and so no log yet; made here, by root perhaps, it would be
 * one that the collector cannot write.
 */
static gboolean
audit_change(struct command *command)
{
	g_autoptr(GError) error = NULL;
	struct store *store = store_open(command->store_url, STORE_READ, &error);

	store_close(store);
	return g_error_matches(error, STORE_ERROR, STORE_ERROR_ABSENT) ||
	       command_audit(command, -1);
}

static int
sensor_add(struct command *command, const char *name, const char *file, const char *role_names)
{
	struct authorized_key key = {.name = (char *)name, .tenant = command->tenant};
	g_autoptr(GError) error = NULL;

	if (!key_name_is_valid(name) || !key_name_is_valid(command->tenant))
		return command_fail(command, "names of sensors and tenants are 1 to 64 of A-Z a-z "
					     "0-9 . _ -, first a letter or digit");
	if (!parse_roles(role_names, &key.roles))
		return command_fail(command, "\"%s\" are no roles: publish, subscribe, command",
				    role_names);
	if (!public_key_read(file, key.public_key, &error))
		return command_fail(command, "%s", error->message);
	if (!audit_change(command))
		return EXIT_TROUBLE;
	if (!authorized_keys_add(command->settings->authorized_keys, &key, &error))
		return command_fail(command, "%s", error->message);
	if (!command->json && !command->csv && !command->quiet)
		g_print("%s may now connect, for tenant %s\n", name, command->tenant);
	return tell_collector(command);
}

static int
sensor_remove(struct command *command, const char *name)
{
	g_autoptr(GError) error = NULL;
	gboolean removed;

	if (!audit_change(command))
		return EXIT_TROUBLE;
	if (!authorized_keys_remove(command->settings->authorized_keys, name, &removed, &error))
		return command_fail(command, "%s", error->message);
	if (!removed) {
		command_fail(command, "%s has no sensor \"%s\"", command->settings->authorized_keys,
			     name);
		return EXIT_NOTHING;
	}
	if (!command->json && !command->csv && !command->quiet)
		g_print("%s may no longer connect\n", name);
	return tell_collector(command);
}

static const struct out_column columns[] = {
	{"name", "NAME", OUT_TEXT, 0},
	{"tenant", "TENANT", OUT_TEXT, 0},
	{"roles", "ROLES", OUT_TEXT, 0},
	{"public_key", "PUBLIC KEY", OUT_TEXT, 0},
	{NULL},
};

static void
list_row(struct out *out, const struct authorized_key *key)
{
	g_autoptr(GString) names = g_string_new(NULL);

	for (gsize i = 0; i < G_N_ELEMENTS(roles); i++)
		if (key->roles & roles[i].role)
			g_string_append_printf(names, "%s%s", names->len ? "," : "", roles[i].name);
	out_row(out,
		(const struct out_value[]){
			{key->name, 0}, {key->tenant, 0}, {names->str, 0}, {key->public_key, 0}});
}

static int
sensor_list(struct command *command)
{
	g_autoptr(GError) error = NULL;
	struct authorized_keys *keys =
		authorized_keys_read(command->settings->authorized_keys, &error);
	struct out *out;
	gsize count = 0;

	if (!keys)
		return command_fail(command, "%s", error->message);
	out = command_out(command);
	out_begin(out, "sensor", columns);
	for (const struct authorized_key *key; (key = authorized_keys_nth(keys, count)); count++)
		list_row(out, key);
	out_end(out);
	authorized_keys_free(keys);
	return command_end(command, out, count ? EXIT_FOUND : EXIT_NOTHING);
}

int
cmd_sensor(struct command *command, int argc, char **argv)
{
	g_autofree char *role_names = NULL;
	const GOptionEntry entries[] = {
		{"role", 0, 0, G_OPTION_ARG_FILENAME, &role_names,
		 "of add: publish (default), subscribe, command; several with commas", "ROLES"},
		{NULL},
	};

	if (!command_parse(command, entries, "add NAME FILE.pub | remove NAME | list",
			   "Adds, removes or lists the keys that may connect to the collector.\n"
			   "--tenant says whose sensor it is.  A running collector is told.",
			   &argc, &argv))
		return EXIT_TROUBLE;
	if (argc == 4 && strcmp(argv[1], "add") == 0)
		return sensor_add(command, argv[2], argv[3], role_names ? role_names : "publish");
	if (argc == 3 && strcmp(argv[1], "remove") == 0)
		return sensor_remove(command, argv[2]);
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return sensor_list(command);
	return command_fail(command, "say add NAME FILE.pub, remove NAME, or list");
}
