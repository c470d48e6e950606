/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * collect_news.h - what sensors say, stored and answered.
 *
 * A batch is acknowledged once it is on disk, and published to the live stream after
 * that.  After a failed write the store rests: batches that come meanwhile are let go,
 * not acknowledged, and sent again by their sensors.  Of the collector's thread.
 */
#ifndef MAILTRACE_COLLECT_NEWS_H
#define MAILTRACE_COLLECT_NEWS_H

#include "anchor_feed.h"
#include "block_feed.h"
#include "bus.h"
#include "collect_metrics.h"
#include "store.h"

/* What it works on, all borrowed, and how the store's disk is. */
struct collect_news {
	struct store *store;
	const char *store_url; /* for the log */
	struct bus_collector *bus;
	struct block_feed *blocks;
	struct anchor_feed *anchors;
	struct collect_metrics *metrics;
	gboolean scraped;   /* somebody may ask for the metrics */
	gint64 retry_at_ms; /* monotonic; no batch is taken before; 0: none failed */
	guint retry_ms;
};

/* Takes what bus_collector_poll() brought; what fails is logged, and passes. */
void collect_news_take(struct collect_news *collect, const struct bus_collector_news *news);

/* Tells sensors of the block list what they have not said that they have; once a second. */
void collect_news_tend(struct collect_news *collect);

/* Tells whether the store rests after a failed write. */
gboolean collect_news_rests(const struct collect_news *collect);
#endif
