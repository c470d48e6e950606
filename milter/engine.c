/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "engine.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

struct engine {
	struct spool *spool;		/* borrowed */
	struct scanner_client *scanner; /* borrowed */
	struct block_list *blocks;	/* borrowed, or NULL */
	struct later *later;		/* likewise */
	GMutex lock;			/* settings, key, has_key, ending */
	GArray *ending;			/* of gint64: receive times of messages at their end */
	struct settings *settings;
	guint8 key[SITE_KEY_BYTES];
	gboolean has_key;
	_Atomic guint connections;
	_Atomic guint64 memory_bytes;
	_Atomic guint64 file_bytes;
	_Atomic guint64 counters[ENGINE_COUNTERS];
	_Atomic guint64 latencies[ENGINE_LATENCY_BOUNDS + 1];
	_Atomic guint64 latency_us; /* their sum */
	gint64 started_us;	    /* since when they count, UTC */
};

const double engine_latency_bounds[ENGINE_LATENCY_BOUNDS] = {
	0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60};

static const char *const counter_names[ENGINE_COUNTERS] = {
	[COUNT_CONNECTIONS] = "connections",
	[COUNT_REFUSED_CONNECTIONS] = "refused_connections",
	[COUNT_EXEMPT] = "exempt",
	[COUNT_SEEN] = "seen",
	[COUNT_RECORDED] = "recorded",
	[COUNT_UNRECORDED] = "unrecorded",
	[COUNT_UNREAD] = "unread",
	[COUNT_UNREAD_FAILED] = "unread_failed",
	[COUNT_UNREAD_NO_ROOM] = "unread_no_room",
	[COUNT_UNREAD_TOO_LARGE] = "unread_too_large",
	[COUNT_TEMPFAIL] = "tempfail",
	[COUNT_HELD] = "held",
	[COUNT_REJECTED] = "rejected",
	[COUNT_DISCARDED] = "discarded",
	[COUNT_BLOCKED] = "blocked",
	[COUNT_ABORTED] = "aborted",
	[COUNT_SPILLED] = "spilled",
};

struct engine *
engine_new(struct settings *settings, struct spool *spool, struct scanner_client *scanner,
	   GError **error)
{
	struct engine *engine = g_new0(struct engine, 1);

	g_mutex_init(&engine->lock);
	engine->ending = g_array_new(FALSE, FALSE, sizeof(gint64));
	engine->spool = spool;
	engine->started_us = g_get_real_time();
	engine->scanner = scanner;
	if (!engine_set_settings(engine, settings, error))
		g_clear_pointer(&engine, engine_free);
	return engine;
}

gboolean
engine_set_settings(struct engine *engine, struct settings *settings, GError **error)
{
	guint8 key[SITE_KEY_BYTES] = {0};
	gboolean has_key = *settings->site_key != '\0';
	struct settings *former;

	if (has_key && !site_key_read(settings->site_key, key, error))
		return FALSE;
	g_mutex_lock(&engine->lock);
	former = engine->settings;
	engine->settings = settings_ref(settings);
	engine->has_key = has_key;
	memcpy(engine->key, key, sizeof(key));
	g_mutex_unlock(&engine->lock);
	explicit_bzero(key, sizeof(key));
	settings_unref(former);
	return TRUE;
}

struct settings *
engine_settings(struct engine *engine)
{
	struct settings *settings;

	g_mutex_lock(&engine->lock);
	settings = settings_ref(engine->settings);
	g_mutex_unlock(&engine->lock);
	return settings;
}

struct spool *
engine_spool(struct engine *engine)
{
	return engine->spool;
}

struct scanner_client *
engine_scanner(struct engine *engine)
{
	return engine->scanner;
}

void
engine_set_block_list(struct engine *engine, struct block_list *list)
{
	engine->blocks = list;
}

void
engine_set_later(struct engine *engine, struct later *later)
{
	engine->later = later;
}

struct later *
engine_later(struct engine *engine)
{
	return engine->later;
}

struct block_list *
engine_block_list(struct engine *engine)
{
	return engine->blocks;
}

gboolean
engine_site_key(struct engine *engine, guint8 ret_key[SITE_KEY_BYTES])
{
	gboolean has_key;

	g_mutex_lock(&engine->lock);
	has_key = engine->has_key;
	if (has_key)
		memcpy(ret_key, engine->key, SITE_KEY_BYTES);
	g_mutex_unlock(&engine->lock);
	return has_key;
}

gboolean
engine_enter(struct engine *engine, guint max)
{
	guint taken = atomic_load(&engine->connections);

	do {
		if (taken >= max)
			return FALSE;
	} while (!atomic_compare_exchange_weak(&engine->connections, &taken, taken + 1));
	return TRUE;
}

void
engine_leave(struct engine *engine)
{
	guint before = atomic_fetch_sub(&engine->connections, 1);

	g_assert(before > 0);
}

guint
engine_connections(struct engine *engine)
{
	return atomic_load(&engine->connections);
}

static gboolean
take(_Atomic guint64 *account, guint64 bytes, guint64 cap)
{
	guint64 taken = atomic_load(account);

	do {
		if (taken > cap || bytes > cap - taken)
			return FALSE;
	} while (!atomic_compare_exchange_weak(account, &taken, taken + bytes));
	return TRUE;
}

static void
give(_Atomic guint64 *account, guint64 bytes)
{
	guint64 before = atomic_fetch_sub(account, bytes);

	g_assert(before >= bytes);
}

gboolean
engine_take_bytes(struct engine *engine, guint64 bytes, guint64 cap)
{
	return take(&engine->memory_bytes, bytes, cap);
}

void
engine_give_bytes(struct engine *engine, guint64 bytes)
{
	give(&engine->memory_bytes, bytes);
}

gboolean
engine_take_file_bytes(struct engine *engine, guint64 bytes, guint64 cap)
{
	guint64 file_cap =
		cap > G_MAXUINT64 / ENGINE_FILE_FACTOR ? G_MAXUINT64 : cap * ENGINE_FILE_FACTOR;

	return take(&engine->file_bytes, bytes, file_cap);
}

void
engine_give_file_bytes(struct engine *engine, guint64 bytes)
{
	give(&engine->file_bytes, bytes);
}

guint64
engine_in_flight_cap(const struct settings *settings)
{
	if (settings->max_in_flight_bytes > 0)
		return settings->max_in_flight_bytes;
	return (guint64)sysconf(_SC_PHYS_PAGES) * (guint64)sysconf(_SC_PAGESIZE) / 4;
}

void
engine_count(struct engine *engine, enum engine_counter counter, guint64 n)
{
	atomic_fetch_add(&engine->counters[counter], n);
}

guint64
engine_counted(struct engine *engine, enum engine_counter counter)
{
	return atomic_load(&engine->counters[counter]);
}

gint64
engine_begin_message(struct engine *engine)
{
	gint64 now_us;

	g_mutex_lock(&engine->lock);
	/* Under the lock, so that no time that was settled is given out afterwards. */
	now_us = g_get_real_time();
	g_array_append_val(engine->ending, now_us);
	g_mutex_unlock(&engine->lock);
	return now_us;
}

void
engine_end_message(struct engine *engine, gint64 received_at_us)
{
	g_mutex_lock(&engine->lock);
	for (guint i = 0; i < engine->ending->len; i++) {
		if (g_array_index(engine->ending, gint64, i) == received_at_us) {
			g_array_remove_index_fast(engine->ending, i);
			break;
		}
	}
	g_mutex_unlock(&engine->lock);
}

gint64
engine_settled_us(struct engine *engine)
{
	gint64 settled_us;

	g_mutex_lock(&engine->lock);
	settled_us = g_get_real_time();
	for (guint i = 0; i < engine->ending->len; i++)
		settled_us = MIN(settled_us, g_array_index(engine->ending, gint64, i));
	g_mutex_unlock(&engine->lock);
	return settled_us;
}

void
engine_note_latency(struct engine *engine, gint64 latency_us)
{
	double seconds = (double)latency_us / G_USEC_PER_SEC;
	gsize i = 0;

	while (i < ENGINE_LATENCY_BOUNDS && seconds > engine_latency_bounds[i])
		i++;
	atomic_fetch_add(&engine->latencies[i], 1);
	atomic_fetch_add(&engine->latency_us, (guint64)MAX(latency_us, 0));
}

void
engine_latency(struct engine *engine, guint64 ret_counts[ENGINE_LATENCY_BOUNDS + 1],
	       double *ret_sum_s)
{
	for (gsize i = 0; i <= ENGINE_LATENCY_BOUNDS; i++)
		ret_counts[i] = atomic_load(&engine->latencies[i]);
	*ret_sum_s = (double)atomic_load(&engine->latency_us) / G_USEC_PER_SEC;
}

char *
engine_counters_json(struct engine *engine)
{
	GString *json = g_string_new("{");

	for (guint i = 0; i < ENGINE_COUNTERS; i++)
		g_string_append_printf(json, "%s\"%s\":%" G_GUINT64_FORMAT, i ? "," : "",
				       counter_names[i], engine_counted(engine, i));
	g_string_append_printf(json, ",\"started_us\":%" G_GINT64_FORMAT "}", engine->started_us);
	return g_string_free(json, FALSE);
}

void
engine_free(struct engine *engine)
{
	if (!engine)
		return;
	explicit_bzero(engine->key, sizeof(engine->key));
	settings_unref(engine->settings);
	g_array_unref(engine->ending);
	g_mutex_clear(&engine->lock);
	g_free(engine);
}
