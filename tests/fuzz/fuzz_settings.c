/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes are settings whose every member is there, or are refused in one line that
 * names the file and a line of it.
 */
#include <glib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "caps.h"
#include "settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static guint
count_lines(const char *text, size_t size)
{
	guint lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	return lines;
}

/* "any:LINE: why", and no byte that would end a line or move a terminal's cursor. */
static void
check_refusal(const GError *error, guint lines)
{
	guint64 line;
	char *end;

	if (!g_str_has_prefix(error->message, "any:"))
		g_error("a refusal does not name the file: %s", error->message);
	line = g_ascii_strtoull(error->message + 4, &end, 10);
	if (line > lines || !g_str_has_prefix(end, ": ") || !end[2])
		g_error("a refusal names no line of the file: %s", error->message);
	for (const char *at = error->message; *at; at++)
		if (g_ascii_iscntrl(*at))
			g_error("a refusal is no line of text");
	if (!g_utf8_validate(error->message, -1, NULL))
		g_error("a refusal is not UTF-8");
}

static void
check_list(char **list)
{
	if (!list)
		g_error("a list is not there");
	for (; *list; list++)
		if (!g_utf8_validate(*list, -1, NULL))
			g_error("a list has what is no text");
}

static void
check_settings(const struct settings *settings)
{
	const char *texts[] = {settings->sensor,
			       settings->tenant,
			       settings->socket,
			       settings->spool_directory,
			       settings->collector,
			       settings->publish,
			       settings->collector_key,
			       settings->control_socket,
			       settings->follow_log,
			       settings->mailstore_url,
			       settings->scanner_passwords,
			       settings->store};

	for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
		if (!texts[i] || !g_utf8_validate(texts[i], -1, NULL))
			g_error("text %u is not there", i);
	if (!*settings->sensor || !settings->local_networks || !settings->queue_gateways)
		g_error("a member is not there");
	check_list(settings->local_domains);
	check_list(settings->listen);
	check_list(settings->stamp);
	check_list(settings->mailstore_command);
	check_list(settings->administrators);
	if (settings->socket_mode > 0777 || settings->backlog < 1)
		g_error("a number is out of its range");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	g_autoptr(GError) error = NULL;
	g_autoptr(settings_t) settings = settings_parse("any", text, size, &error);
	guint lines = count_lines(text, size);

	if ((settings == NULL) != (error != NULL) || (settings && size > CAP_CONFIG_BYTES))
		g_error("it is neither taken nor refused");
	if (error)
		check_refusal(error, lines);
	else
		check_settings(settings);
	if (settings_line(text, size, "site", "sensor") > lines)
		g_error("a key stands after the end");
	return 0;
}
