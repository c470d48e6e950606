/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "command.h"
#include "keys.h"
#include "signing_key.h"

enum key_type { KEY_SENSOR, KEY_COLLECTOR, KEY_CLIENT, KEY_SITE, KEY_JOURNAL, KEY_APPROVER };

static const char *const type_names[] = {"sensor",  "collector", "client", "site",
					 "journal", "approver",	 NULL};

static gboolean
parse_type(const char *name, enum key_type *ret_type)
{
	for (guint i = 0; type_names[i]; i++) {
		if (strcmp(name, type_names[i]) == 0) {
			*ret_type = (enum key_type)i;
			return TRUE;
		}
	}
	return FALSE;
}

/* Says what to do with the new keys. */
static void
print_next(struct out *out, enum key_type type, const char *directory, const char *name)
{
	switch (type) {
	case KEY_SENSOR:
		out_note(out, "On the sensor, [bus]: sensor_key = %s/%s.key", directory, name);
		out_note(out, "On the collector: mailtrace sensor add %s %s/%s.pub", name,
			 directory, name);
		break;
	case KEY_CLIENT:
		out_note(out,
			 "On the collector: mailtrace sensor add --role subscribe %s %s/%s.pub",
			 name, directory, name);
		out_note(out, "Then: mailtrace watch --key %s/%s.key", directory, name);
		break;
	case KEY_COLLECTOR:
		out_note(out, "On the collector, [collector]: key = %s/%s.key", directory, name);
		out_note(out, "On each sensor, [bus]: collector_public_key = a copy of %s/%s.pub",
			 directory, name);
		break;
	case KEY_APPROVER:
		out_note(out,
			 "On the collector, a line of [containment] approval_keys: %s %s/%s.pub "
			 "USER",
			 name, directory, name);
		out_note(out, "Then: mailtrace approve --key %s/%s.key PLAN", directory, name);
		break;
	case KEY_JOURNAL:
		out_note(out, "On the collector, [collector]: journal_key = %s/%s.key", directory,
			 name);
		out_note(out, "Keep %s/%s.pub where who can write the store cannot.", directory,
			 name);
		break;
	case KEY_SITE:
		out_note(out, "On each sensor, [site]: site_key = a copy of %s/%s.key", directory,
			 name);
		break;
	}
}

static void
note_pair(struct out *out, const char *directory, const char *name)
{
	out_note(out, "wrote %s/%s.key (secret) and %s/%s.pub", directory, name, directory, name);
}

static gboolean
make_pair(const char *directory, const char *name, struct out *out, GError **error)
{
	struct key_pair pair;
	gboolean ok;

	if (!key_pair_generate(&pair, error))
		return FALSE;
	ok = key_pair_write(directory, name, &pair, error);
	key_pair_clear(&pair);
	if (ok)
		note_pair(out, directory, name);
	return ok;
}

static gboolean
make_signing_key(const char *directory, const char *name, struct out *out, GError **error)
{
	g_autoptr(signing_key_t) key = signing_key_generate(error);

	if (!key || !signing_key_write(key, directory, name, error))
		return FALSE;
	note_pair(out, directory, name);
	return TRUE;
}

static gboolean
make_site_key(const char *directory, const char *name, struct out *out, GError **error)
{
	g_autofree char *file = g_strconcat(name, ".key", NULL);
	g_autofree char *path = g_build_filename(directory, file, NULL);

	if (!site_key_write(path, error))
		return FALSE;
	out_note(out, "wrote %s (secret)", path);
	return TRUE;
}

static gboolean
make_key(enum key_type type, const char *directory, const char *name, struct out *out,
	 GError **error)
{
	switch (type) {
	case KEY_SITE:
		return make_site_key(directory, name, out, error);
	case KEY_JOURNAL:
	case KEY_APPROVER:
		return make_signing_key(directory, name, out, error);
	default:
		return make_pair(directory, name, out, error);
	}
}

static const struct out_column columns[] = {
	{"key", "", OUT_TEXT, 0},
	{"kind", "", OUT_TEXT, 0},
	{"name", "", OUT_TEXT, 0},
	{NULL},
};

static int
keygen(struct command *command, enum key_type type, const char *directory, const char *name)
{
	struct out *out = command_out(command);
	g_autofree char *path = g_strdup_printf("%s/%s.key", directory, name);
	const struct out_value row[] = {{path, 0}, {type_names[type], 0}, {name, 0}};
	g_autoptr(GError) error = NULL;
	gboolean ok = make_key(type, directory, name, out, &error);

	if (ok && command->json) {
		out_begin(out, "key", columns);
		out_row(out, row);
		out_end(out);
	} else if (ok) {
		print_next(out, type, directory, name);
	} else {
		command_fail(command, "%s", error->message);
	}
	return command_end(command, out, ok ? EXIT_FOUND : EXIT_TROUBLE);
}

int
cmd_keygen(struct command *command, int argc, char **argv)
{
	g_autofree char *type_name = NULL;
	const GOptionEntry entries[] = {
		{"type", 't', 0, G_OPTION_ARG_FILENAME, &type_name,
		 "sensor (default), collector, client, site, journal or approver", "TYPE"},
		{NULL},
	};
	enum key_type type = KEY_SENSOR;

	if (!command_parse(
		    command, entries, "DIRECTORY [NAME]",
		    "Makes NAME.key, which is secret, and NAME.pub in DIRECTORY, never over\n"
		    "existing files.  NAME is the host's name for a sensor; else the type.",
		    &argc, &argv))
		return EXIT_TROUBLE;
	if (type_name && !parse_type(type_name, &type))
		return command_fail(command,
				    "\"%s\" is no type: sensor, collector, client, site, "
				    "journal or approver",
				    type_name);
	if (argc < 2 || argc > 3)
		return command_fail(command, "give DIRECTORY [NAME]");
	if (argc == 3 && !key_name_is_valid(argv[2]))
		return command_fail(command,
				    "\"%s\" is no name: 1 to 64 of A-Z a-z 0-9 . _ -, first a "
				    "letter or digit",
				    argv[2]);
	return keygen(command, type, argv[1],
		      argc == 3		   ? argv[2]
		      : type == KEY_SENSOR ? command->settings->sensor
					   : type_names[type]);
}
