/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_logins.h - who used which address when.
 *
 * Part of the store (store.h): the same thread and transactions.  A busy server has a
 * million logins a day, so that not each is a row: those of one user from one address to
 * one service, told by one sensor, within LOGIN_FOLD_US of the first are one stretch.  It
 * keeps the second of each of them, and a hash of its session, so that nothing is counted
 * twice, the login of a session is found, and what changed hands between two of them is
 * told apart.  The JSON is not kept, nor has a stretch a digest.
 */
#ifndef MAILTRACE_STORE_LOGINS_H
#define MAILTRACE_STORE_LOGINS_H

#include "login.h"
#include "network.h"
#include "store.h"

#define LOGIN_FOLD_US (3600 * (gint64)G_USEC_PER_SEC) /* from the first to the last */
#define LOGIN_FOLD_COUNT 256			      /* of one stretch; 12 bytes each */
#define LOGIN_LOOK_BACK 1000 /* stretches of a user searched for a session, newest first */

/*
 * Adds a login, its tenant and sensor filled.  sequence, ret_added: as store_add_event()
 * has them; a line that is known changes nothing.  STORE_ERROR_EVENT without a valid id,
 * tenant, sensor, user or client.
 */
gboolean store_add_login(struct store *store, const struct login *login,
			 const struct store_sequence *sequence, gboolean *ret_added,
			 GError **error);

/* Whose logins; what is NULL or 0 is not asked for. */
struct store_logins_question {
	const char *tenant;
	const char *user;	   /* compared by search key */
	const guint8 *client;	   /* NETWORK_IP_BYTES, as network_ip() makes them */
	gint64 since_us, until_us; /* until: exclusive, 0 for no end */
};

/* A stretch of logins; everything is borrowed. */
struct store_login {
	const char *user, *service, *sensor;
	guint8 client[NETWORK_IP_BYTES];
	const gint64 *times_us; /* of those in the time asked, in whole seconds, ascending */
	gsize count;
};

/* Called for each stretch, in order of its first login; FALSE stops. */
typedef gboolean (*store_login_fn)(const struct store_login *login, void *data);

/* Tells the logins of a user, or from an address.  None is no error. */
gboolean store_logins(struct store *store, const struct store_logins_question *question,
		      store_login_fn login, void *data, GError **error);

/* The login that began a session; client: the address. */
struct store_session {
	guint8 client[NETWORK_IP_BYTES];
	gint64 time_us; /* in whole seconds; 0: it is not known */
};

/*
 * Finds the last login of a user (search key) that began a session before a time.
 * ret_session->time_us is 0 if there is none.
 */
gboolean store_session_login(struct store *store, gint64 tenant, const char *user_key,
			     const char *session, gint64 before_us,
			     struct store_session *ret_session, GError **error);
#endif
