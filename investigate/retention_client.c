/* SPDX-License-Identifier: BSD-2-Clause */
#include "retention_client.h"

#include <unistd.h>

#include "control.h"
#include "retention.h"

/* One of both is there. */
struct retention_client {
	struct control *control;
	struct store *store;
	struct retention *retention; /* of the store */
};

struct retention_client *
retention_client_open(const struct command *command, GError **error)
{
	g_autoptr(retention_client_t) client = g_new0(struct retention_client, 1);
	GError *why = NULL;

	client->control = control_connect(command->settings->control_socket, &why);
	if (client->control)
		return g_steal_pointer(&client);
	if (!g_error_matches(why, CONTROL_ERROR, CONTROL_ERROR_ABSENT)) {
		g_propagate_error(error, why);
		return NULL;
	}
	g_error_free(why);
	client->store = store_open(command->store_url, STORE_WRITE, error);
	if (!client->store)
		return NULL;
	client->retention = retention_new(client->store);
	return g_steal_pointer(&client);
}

json_t *
retention_client_call(struct retention_client *client, const json_t *request, GError **error)
{
	g_autofree char *actor = NULL;
	json_t *answer;

	if (client->control)
		return control_call(client->control, request, error);
	actor = control_actor(getuid());
	answer = json_object();
	if (retention_serve(client->retention,
			    &(struct control_caller){getuid(), actor, g_get_real_time()}, request,
			    answer, error))
		return answer;
	json_decref(answer);
	return NULL;
}

void
retention_client_free(struct retention_client *client)
{
	if (!client)
		return;
	control_free(client->control);
	retention_free(client->retention);
	store_close(client->store);
	g_free(client);
}
