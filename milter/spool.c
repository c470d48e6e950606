/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "spool.h"

#include <string.h>

#include "caps.h"
#include "spool_alarm.h"
#include "spool_private.h"

GQuark
spool_error_quark(void)
{
	return g_quark_from_static_string("mailtrace-spool-error");
}

/* Hands jobs to the writer and waits until all are done; the first error is told. */
static gboolean
submit_all(struct spool *spool, struct job *jobs, guint count, GError **error)
{
	gboolean good = TRUE;

	g_mutex_lock(&spool->mutex);
	for (guint i = 0; i < count; i++) {
		g_cond_init(&jobs[i].finished);
		g_queue_push_tail(&spool->waiting, &jobs[i]);
	}
	g_cond_signal(&spool->work);
	for (guint i = 0; i < count; i++)
		while (!jobs[i].done)
			g_cond_wait(&jobs[i].finished, &spool->mutex);
	g_mutex_unlock(&spool->mutex);
	for (guint i = 0; i < count; i++) {
		g_cond_clear(&jobs[i].finished);
		if (!jobs[i].error)
			continue;
		if (good)
			g_propagate_error(error, jobs[i].error);
		else
			g_error_free(jobs[i].error);
		good = FALSE;
	}
	return good;
}

static gboolean
submit(struct spool *spool, struct job *job, GError **error)
{
	return submit_all(spool, job, 1, error);
}

static gboolean
prepare_append(GBytes *event, struct job *job, GError **error)
{
	gsize size;
	const void *bytes = g_bytes_get_data(event, &size);

	if (size > CAP_EVENT_BYTES) {
		g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_SIZE,
			    "an event of %" G_GSIZE_FORMAT " bytes is over the cap of %d", size,
			    CAP_EVENT_BYTES);
		return FALSE;
	}
	job->kind = JOB_APPEND;
	job->event = event;
	digest_sha256(bytes, size, job->digest);
	return TRUE;
}

gboolean
spool_append(struct spool *spool, GBytes *event, guint64 *ret_n, GError **error)
{
	struct job job = {0};

	if (!prepare_append(event, &job, error) || !submit(spool, &job, error))
		return FALSE;
	if (ret_n)
		*ret_n = job.n;
	return TRUE;
}

gboolean
spool_append_all(struct spool *spool, GPtrArray *events, GError **error)
{
	g_autofree struct job *jobs = g_new0(struct job, events->len);

	for (guint i = 0; i < events->len; i++)
		if (!prepare_append(events->pdata[i], &jobs[i], error))
			return FALSE;
	return submit_all(spool, jobs, events->len, error);
}

gboolean
spool_acknowledge(struct spool *spool, guint64 through, GError **error)
{
	struct job job = {.kind = JOB_ACKNOWLEDGE, .n = through};

	return submit(spool, &job, error);
}

gboolean
spool_refuse(struct spool *spool, guint64 n, const char *reason, GError **error)
{
	struct job job = {.kind = JOB_REFUSE, .n = n, .reason = reason};

	return submit(spool, &job, error);
}

gboolean
spool_renew_epoch(struct spool *spool, GError **error)
{
	struct job job = {.kind = JOB_RENEW};

	if (!submit(spool, &job, error))
		return FALSE;
	g_mutex_lock(&spool->mutex);
	memcpy(spool->epoch, spool->tally.epoch, sizeof spool->epoch);
	g_mutex_unlock(&spool->mutex);
	return TRUE;
}

const char *
spool_epoch(const struct spool *spool)
{
	return spool->epoch;
}

const char *
spool_mended(const struct spool *spool)
{
	return spool->mended;
}

int
spool_wake_fd(const struct spool *spool)
{
	return spool->wake_fd;
}

void
spool_status(struct spool *spool, struct spool_status *ret_status)
{
	g_mutex_lock(&spool->mutex);
	spool->alarm = spool_alarm_next(spool->alarm, spool->tally.bytes + spool->tally.dead_bytes,
					spool->max_bytes);
	*ret_status = (struct spool_status){
		.entries = spool->tally.entries,
		.bytes = spool->tally.bytes,
		.max_bytes = spool->max_bytes,
		.last = spool->tally.last,
		.acknowledged = spool->tally.acknowledged,
		.oldest_us = spool->tally.oldest_us,
		.commits = spool->commits,
		.writable = !spool->broken,
		.dead = spool->tally.dead,
		.dead_bytes = spool->tally.dead_bytes,
		.alarm = spool->alarm,
	};
	g_mutex_unlock(&spool->mutex);
}
