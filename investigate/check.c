/* SPDX-License-Identifier: BSD-2-Clause */
#include "check.h"

#include <string.h>

static const struct {
	const char *name, *what, *unit; /* unit: of performance data */
	gint64 warning, critical;
} check_kinds[CHECK_KINDS] = {
	[CHECK_SILENCE] = {"silence", "s without a sign of life", "s", 60, 300},
	[CHECK_LAG] = {"lag", "events not stored yet", "", 1000, 10000},
	[CHECK_SPOOL] = {"spool", "% of the spool are full", "%", 50, 80},
	[CHECK_GAPS] = {"gaps", "gaps since yesterday", "", 1, 10},
	[CHECK_UNSEEN] = {"unseen", "messages passed unseen since yesterday", "", 1, 100},
	[CHECK_UNREAD] = {"unread", "% of the messages were not fully read", "%", 5, 20},
	[CHECK_CLOCK] = {"clock", "ms off", "ms", 5000, 60000},
	[CHECK_DEAD_LETTERS] = {"dead-letters", "dead letters", "", 1, 100},
};

void
check_init(struct check *check)
{
	*check = (struct check){.failure = NULL};
	for (guint i = 0; i < CHECK_KINDS; i++) {
		check->values[i].warning = check_kinds[i].warning;
		check->values[i].critical = check_kinds[i].critical;
	}
}

void
check_clear(struct check *check)
{
	for (guint i = 0; i < CHECK_KINDS; i++)
		g_clear_pointer(&check->values[i].worst, g_free);
	g_clear_pointer(&check->failure, g_free);
}

const char *
check_name(enum check_kind kind)
{
	return check_kinds[kind].name;
}

static char *
names(void)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < CHECK_KINDS; i++)
		g_string_append_printf(text, "%s%s", i ? ", " : "", check_kinds[i].name);
	return g_string_free(text, FALSE);
}

gboolean
check_set(struct check *check, const char *text, gboolean critical, GError **error)
{
	const char *equals = strchr(text, '=');
	g_autofree char *all = NULL;
	guint64 number;

	for (guint i = 0; equals && i < CHECK_KINDS; i++) {
		struct check_value *value = &check->values[i];
		const char *name = check_kinds[i].name;

		if (strlen(name) != (gsize)(equals - text) || !g_str_has_prefix(text, name))
			continue;
		if (!g_ascii_string_to_unsigned(equals + 1, 10, 0, G_MAXINT64, &number, NULL))
			break;
		*(critical ? &value->critical : &value->warning) = (gint64)number;
		return TRUE;
	}
	all = names();
	g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
		    "\"%s\" is no threshold; write NAME=NUMBER with one of %s", text, all);
	return FALSE;
}

void
check_note(struct check *check, enum check_kind kind, gint64 value, const char *who)
{
	struct check_value *noted = &check->values[kind];

	if (value < noted->value || (value == 0 && noted->worst))
		return;
	noted->value = value;
	g_free(noted->worst);
	noted->worst = g_strdup(who);
}

enum check_state
check_value_state(const struct check_value *value)
{
	if (value->value >= value->critical)
		return CHECK_CRITICAL;
	return value->value >= value->warning ? CHECK_WARNING : CHECK_OK;
}

enum check_state
check_state(const struct check *check)
{
	enum check_state state = check->failure ? CHECK_CRITICAL : CHECK_OK;

	for (guint i = 0; i < CHECK_KINDS; i++)
		state = MAX(state, check_value_state(&check->values[i]));
	return state;
}

const char *
check_state_name(enum check_state state)
{
	static const char *const state_names[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

	return state_names[state];
}

/* Says what is not well, the critical first. */
static void
add_complaints(const struct check *check, GString *text)
{
	const char *separator = " - ";

	if (check->failure)
		g_string_append_printf(text, "%s%s", separator, check->failure);
	for (int state = CHECK_CRITICAL; state > CHECK_OK; state--) {
		for (guint i = 0; i < CHECK_KINDS; i++) {
			const struct check_value *value = &check->values[i];

			if ((int)check_value_state(value) != state)
				continue;
			g_string_append_printf(text, "%s%s%s%" G_GINT64_FORMAT " %s", separator,
					       value->worst ? value->worst : "",
					       value->worst ? ": " : "", value->value,
					       check_kinds[i].what);
			separator = ", ";
		}
	}
}

char *
check_line(const struct check *check)
{
	enum check_state state = check_state(check);
	GString *text = g_string_new("MAILTRACE ");

	g_string_append(text, check_state_name(state));
	add_complaints(check, text);
	if (state == CHECK_OK)
		g_string_append(text, " - all sensors are heard");
	/* Behind a '|' nothing but numbers: what is before it may hold names. */
	g_strdelimit(text->str, "|", '/');
	text->len = strlen(text->str);
	if (check->failure)
		return g_string_free(text, FALSE);
	g_string_append(text, " |");
	for (guint i = 0; i < CHECK_KINDS; i++) {
		const struct check_value *value = &check->values[i];

		g_string_append_printf(text,
				       " %s=%" G_GINT64_FORMAT "%s;%" G_GINT64_FORMAT
				       ";%" G_GINT64_FORMAT ";0",
				       check_kinds[i].name, value->value, check_kinds[i].unit,
				       value->warning, value->critical);
	}
	return g_string_free(text, FALSE);
}
