/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.h - how things stand, as a monitoring plugin says it.
 *
 * Values against thresholds; one line of text with performance data, and the
 * exit statuses of the Monitoring Plugins Development Guidelines (Nagios):
 * 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.  Pure; one thread.
 */
#ifndef MAILTRACE_CHECK_H
#define MAILTRACE_CHECK_H

#include <glib.h>

enum check_state { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN };

/* What is looked at; check_kinds[] in check.c has names, units and thresholds. */
enum check_kind {
	CHECK_SILENCE, /* seconds since an expected sensor was heard */
	CHECK_LAG,     /* events that a sensor has given out and that are not stored */
	CHECK_SPOOL,   /* percent */
	CHECK_GAPS,    /* of the last day */
	CHECK_UNSEEN,  /* messages of the last day that passed the milter by */
	CHECK_UNREAD,  /* percent of the messages of the last day */
	CHECK_CLOCK,   /* milliseconds off */
	CHECK_DEAD_LETTERS,
	CHECK_KINDS,
};

/* One value: the worst of all that were noted, and whose it is. */
struct check_value {
	gint64 value, warning, critical; /* it warns from warning on */
	char *worst;			 /* a sensor, or NULL */
};

struct check {
	struct check_value values[CHECK_KINDS];
	char *failure; /* what kept us from looking: critical by itself; or NULL */
};

/* Prepares a check with the default thresholds.  Clear with check_clear(). */
void check_init(struct check *check);

/*
 * Sets a threshold as it is typed, "lag=5000".  FALSE with a G_OPTION_ERROR that
 * names what can be written.
 */
gboolean check_set(struct check *check, const char *text, gboolean critical, GError **error);

/* Notes a value.  who: the sensor, copied, or NULL. */
void check_note(struct check *check, enum check_kind kind, gint64 value, const char *who);

/* Returns the name of a kind ("lag"), static. */
const char *check_name(enum check_kind kind);

/* Returns the state of one value. */
enum check_state check_value_state(const struct check_value *value);

/* Returns the worst state. */
enum check_state check_state(const struct check *check);

/* Returns the name of a state ("WARNING"), static. */
const char *check_state_name(enum check_state state);

/* Returns the line, with performance data behind '|'.  Free with g_free(). */
char *check_line(const struct check *check);

/* Frees what a check owns. */
void check_clear(struct check *check);
#endif
