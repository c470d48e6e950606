/* SPDX-License-Identifier: BSD-2-Clause */
#include "login.h"

struct login *
login_new(void)
{
	return g_new0(struct login, 1);
}

void
login_free(struct login *login)
{
	if (login == NULL)
		return;
	g_free(login->event_id);
	g_free(login->tenant);
	g_free(login->sensor);
	g_free(login->log_host);
	g_free(login->service);
	g_free(login->user);
	g_free(login->client);
	g_free(login->session);
	g_free(login->method);
	g_free(login);
}
