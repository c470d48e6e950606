/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateways.h"

#include <string.h>

#include "keys.h"

G_DEFINE_QUARK(mailtrace_gateways_error, gateways_error)

struct gateways {
	GHashTable *commands; /* name -> arguments */
};

static gboolean refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean
refuse(GError **error, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	if (error)
		*error = g_error_new_valist(GATEWAYS_ERROR, GATEWAYS_ERROR_FORM, format, list);
	va_end(list);
	return FALSE;
}

/* Takes one "NAME: COMMAND". */
static gboolean
take(struct gateways *gateways, char *item, GError **error)
{
	char *colon = strchr(item, ':');
	g_autoptr(GError) why = NULL;
	char **arguments;

	if (!colon)
		return refuse(error, "\"%s\" has no command; write NAME: COMMAND", item);
	*colon = '\0';
	g_strchomp(item);
	if (!key_name_is_valid(item))
		return refuse(error, "\"%s\" is no sensor's name; write NAME: COMMAND", item);
	if (g_hash_table_contains(gateways->commands, item))
		return refuse(error, "%s has two commands; take one out", item);
	if (!g_shell_parse_argv(colon + 1, NULL, &arguments, &why))
		return refuse(error, "the command of %s cannot be split: %s", item, why->message);
	g_hash_table_insert(gateways->commands, g_strdup(item), arguments);
	return TRUE;
}

struct gateways *
gateways_parse(const char *text, GError **error)
{
	g_auto(GStrv) items = g_strsplit(text, ";", -1);
	g_autoptr(gateways_t) gateways = g_new0(struct gateways, 1);

	gateways->commands =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_strfreev);
	for (char **item = items; *item; item++)
		if (*g_strstrip(*item) && !take(gateways, *item, error))
			return NULL;
	return g_steal_pointer(&gateways);
}

void
gateways_free(struct gateways *gateways)
{
	if (!gateways)
		return;
	g_hash_table_unref(gateways->commands);
	g_free(gateways);
}

const char *const *
gateways_command(const struct gateways *gateways, const char *name)
{
	return g_hash_table_lookup(gateways->commands, name);
}
