/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block_hit.h - a message that met the block list, told to people: a line of the log
 * for each block, and the count.
 *
 * One alarm for all hits, whether the file was there to be read when the message came,
 * or opened later (later.h): whoever waits for the event "block-hit" misses none.  The
 * live stream has the blocks in the event itself.  Any thread.
 */
#ifndef MAILTRACE_BLOCK_HIT_H
#define MAILTRACE_BLOCK_HIT_H

#include "engine.h"
#include "event.h"

/*
 * Tells of the blocks of an event, if it has any.  A supplementary event is told by the
 * id of the message that it is about, with what is left to be done: that has passed.
 */
void block_hit_tell(struct engine *engine, const struct event *event);
#endif
