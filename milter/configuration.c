/* SPDX-License-Identifier: BSD-2-Clause */
#include "configuration.h"

#include <string.h>

#include "log.h"
#include "supervision.h"

/* Reads and checks the file; nothing is returned unless all of it holds. */
static gboolean
read_file(const char *path, GBytes **ret_text, struct settings **ret_settings, GError **error)
{
	GString *text;
	struct settings *settings = settings_read_for("milter", path, &text, error);

	if (!settings)
		return FALSE;
	*ret_text = g_string_free_to_bytes(text);
	*ret_settings = settings;
	return TRUE;
}

gboolean
configuration_load(struct configuration *configuration, GError **error)
{
	return read_file(configuration->path, &configuration->text, &configuration->settings,
			 error);
}

static void
drop_proposal(struct configuration *configuration)
{
	g_clear_pointer(&configuration->new_text, g_bytes_unref);
	g_clear_pointer(&configuration->new_settings, settings_unref);
}

gboolean
configuration_propose(struct configuration *configuration, GError **error)
{
	drop_proposal(configuration);
	return read_file(configuration->path, &configuration->new_text,
			 &configuration->new_settings, error);
}

gboolean
configuration_send(const struct configuration *configuration, int fd)
{
	g_autoptr(GByteArray) packet = g_byte_array_new();
	gsize length;
	const void *bytes = g_bytes_get_data(
		configuration->new_text ? configuration->new_text : configuration->text, &length);

	g_byte_array_append(packet, (const guint8 *)configuration->path,
			    (guint)strlen(configuration->path) + 1);
	g_byte_array_append(packet, bytes, (guint)length);
	return supervision_send(fd, SUPERVISION_CONFIG, packet->data, packet->len, -1);
}

/* Keys whose change needs a restart: what they name is opened once. */
static void
warn_of_fixed(const struct settings *former, const struct settings *settings)
{
	const struct {
		const char *key, *before, *after;
	} fixed[] = {
		{"socket", former->socket, settings->socket},
		{"user", former->user, settings->user},
		{"spool directory", former->spool_directory, settings->spool_directory},
		{"collector", former->collector, settings->collector},
		{"sensor_key", former->sensor_key, settings->sensor_key},
		{"collector_public_key", former->collector_public_key,
		 settings->collector_public_key},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(fixed); i++)
		if (strcmp(fixed[i].before, fixed[i].after) != 0)
			log_event(LOG_LEVEL_WARNING, "restart-needed", "key", fixed[i].key,
				  "running", fixed[i].before, "configured", fixed[i].after, NULL);
}

static gboolean
needs_new_scanner(const struct settings *former, const struct settings *settings)
{
	return settings->workers != former->workers ||
	       strcmp(settings->scanner_temp_directory, former->scanner_temp_directory) != 0 ||
	       strcmp(settings->scanner_database, former->scanner_database) != 0 ||
	       *settings->scanner_database ||
	       strcmp(settings->scanner_passwords, former->scanner_passwords) != 0 ||
	       *settings->scanner_passwords;
}

gboolean
configuration_adopt(struct configuration *configuration)
{
	gboolean new_scanner =
		needs_new_scanner(configuration->settings, configuration->new_settings);

	warn_of_fixed(configuration->settings, configuration->new_settings);
	settings_unref(configuration->settings);
	g_bytes_unref(configuration->text);
	configuration->settings = g_steal_pointer(&configuration->new_settings);
	configuration->text = g_steal_pointer(&configuration->new_text);
	log_event(LOG_LEVEL_NOTICE, "reloaded", "file", configuration->path, NULL);
	return new_scanner;
}

void
configuration_refuse(struct configuration *configuration, const char *why)
{
	drop_proposal(configuration);
	log_event(LOG_LEVEL_ERROR, "reload-refused", "error", why, "effect",
		  "the former configuration holds", NULL);
}

void
configuration_clear(struct configuration *configuration)
{
	drop_proposal(configuration);
	g_clear_pointer(&configuration->text, g_bytes_unref);
	g_clear_pointer(&configuration->settings, settings_unref);
}
