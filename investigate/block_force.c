/* SPDX-License-Identifier: BSD-2-Clause */
#include "block_force.h"

#include "json.h"

#define ASK_US 2000 /* between looks at who has it */

/* Counts the sensors that have it, and names those that have not. */
static guint
count_current(const json_t *sensors, GString *ret_missing)
{
	const json_t *value;
	guint current = 0;
	gsize i;

	g_string_truncate(ret_missing, 0);
	json_array_foreach (sensors, i, value) {
		if (json_is_true(json_object_get(value, "current")))
			current++;
		else
			g_string_append_printf(ret_missing, "%s%s", ret_missing->len ? ", " : "",
					       json_get_text(value, "sensor"));
	}
	return current;
}

static void
write_force(struct out *out, guint current, gsize all, const char *missing, gint64 ms)
{
	static const struct out_column columns[] = {
		{"sensors", "", OUT_INT, 0},
		{"in_force", "", OUT_INT, 0},
		{"missing", "", OUT_TEXT, 0},
		{"ms", "", OUT_INT, 0},
		{NULL},
	};

	out_begin(out, "force", columns);
	out_row(out, (const struct out_value[]){
			     {NULL, (gint64)all}, {NULL, current}, {missing, 0}, {NULL, ms}});
	out_end(out);
	if (all == 0)
		out_note(out, "No sensor takes block lists from this collector yet.");
	else
		out_note(out, "In force on %u of %u sensors after %" G_GINT64_FORMAT " ms%s%s.",
			 current, (guint)all, ms, *missing ? "; not yet on " : "", missing);
}

int
block_force_await(const struct command *command, struct control *control, gint64 version,
		  gint wait_ms, gint64 began_us, struct out *out)
{
	g_autoptr(json_t) request = command_request(command, "block-force");
	g_autoptr(GString) missing = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	guint current = 0;
	gsize all = 0;
	gint64 ms;

	json_put_int(request, "version", version);
	do {
		g_autoptr(json_t) answer = control_call(control, request, &error);

		if (!answer)
			return command_fail(command, "it is stored, but: %s", error->message);
		all = json_array_size(json_object_get(answer, "sensors"));
		current = count_current(json_object_get(answer, "sensors"), missing);
		ms = (g_get_monotonic_time() - began_us) / 1000;
		if (current < all && ms < wait_ms)
			g_usleep(ASK_US);
	} while (current < all && ms < wait_ms);
	write_force(out, current, all, missing->str, ms);
	return current == all && all > 0 ? EXIT_FOUND : EXIT_PARTLY;
}
