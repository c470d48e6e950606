/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generate.h - records, events, deliveries and logins made at random, and written out for
 * comparison.
 *
 * The codecs are tested by their inverse over what these make: every member
 * present and absent, text of all scripts, addresses that OCSF refuses, trees
 * with members of archives.  All is within the caps and invariants of record.h.
 */
#ifndef MAILTRACE_TESTS_GENERATE_H
#define MAILTRACE_TESTS_GENERATE_H

#include <glib.h>

#include "delivery.h"
#include "event.h"
#include "login.h"

/* Returns a record made from the random numbers of rand.  Free with record_free(). */
struct record *generate_record(GRand *rand);

/* Returns an event with such a record.  Free with event_free(). */
struct event *generate_event(GRand *rand);

/* Returns a delivery of any kind.  Free with delivery_free(). */
struct delivery *generate_delivery(GRand *rand);

/* Returns a login.  Free with login_free(). */
struct login *generate_login(GRand *rand);

/* Writes every member of a record, one a line.  Free with g_free(). */
char *dump_record(const struct record *record);

/* Writes every member of an event, its record's included.  Free with g_free(). */
char *dump_event(const struct event *event);

/* Writes every member of a delivery.  Free with g_free(). */
char *dump_delivery(const struct delivery *delivery);
#endif
