/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices.h"

#include <string.h>

void
device_use_free(void *data)
{
	struct device_use *use = data;

	if (!use)
		return;
	g_free(use->device);
	g_free(use->user);
	g_free(use->address);
	g_free(use->service);
	g_free(use->sensor);
	g_free(use);
}

const char *
device_use_name(enum device_certainty certainty, const char *device)
{
	return certainty == DEVICE_KNOWN && device ? device : device_certainty_name(certainty);
}

/* Logins have whole seconds; a copy, or a deed, may come in one. */
static gint64
whole_second(gint64 time_us)
{
	return time_us / G_USEC_PER_SEC * (gint64)G_USEC_PER_SEC;
}

/* ---- a stretch ---- */

static struct device_use *
use_new(const struct store_login *login, gint64 time_us, enum device_certainty certainty,
	char *device)
{
	struct device_use *use = g_new0(struct device_use, 1);

	use->certainty = certainty;
	use->device = device;
	use->user = g_strdup(login->user);
	use->address = network_ip_text(login->client);
	use->service = g_strdup(login->service);
	use->sensor = g_strdup(login->sensor);
	use->first_us = use->last_us = time_us;
	use->count = 1;
	return use;
}

gboolean
devices_of_login(struct store *store, const char *tenant, const struct store_login *login,
		 GPtrArray *uses, GError **error)
{
	struct device_use *run = NULL;

	for (gsize i = 0; i < login->count; i++) {
		enum device_certainty certainty;
		char *device;

		if (!store_device_at(store, tenant, login->client, login->times_us[i], &certainty,
				     &device, error))
			return FALSE;
		if (run && run->certainty == certainty && g_strcmp0(run->device, device) == 0) {
			g_free(device);
			run->last_us = login->times_us[i];
			run->count++;
			continue;
		}
		run = use_new(login, login->times_us[i], certainty, device);
		g_ptr_array_add(uses, run);
	}
	return TRUE;
}

/* ---- a copy ---- */

/* The logins to a mailbox being gone through. */
struct gathering {
	struct store *store;
	const char *tenant;
	GPtrArray *uses; /* merged */
	GError **error;
	gboolean failed;
};

static gboolean
is_same(const struct device_use *one, const struct device_use *other)
{
	return one->certainty == other->certainty && g_strcmp0(one->device, other->device) == 0 &&
	       strcmp(one->address, other->address) == 0 &&
	       strcmp(one->service, other->service) == 0;
}

/* Adds a use to one that is like it, or keeps it; takes it. */
static void
merge(GPtrArray *uses, struct device_use *use)
{
	for (guint i = 0; i < uses->len; i++) {
		struct device_use *known = uses->pdata[i];

		if (!is_same(known, use))
			continue;
		known->first_us = MIN(known->first_us, use->first_us);
		known->last_us = MAX(known->last_us, use->last_us);
		known->count += use->count;
		device_use_free(use);
		return;
	}
	g_ptr_array_add(uses, use);
}

static gboolean
take_login(const struct store_login *login, void *data)
{
	struct gathering *gathering = data;
	g_autoptr(GPtrArray) runs = g_ptr_array_new_with_free_func(device_use_free);

	if (strcmp(login->service, "imap") != 0 && strcmp(login->service, "pop3") != 0)
		return TRUE;
	gathering->failed = !devices_of_login(gathering->store, gathering->tenant, login, runs,
					      gathering->error);
	while (!gathering->failed && runs->len)
		merge(gathering->uses, g_ptr_array_steal_index(runs, 0));
	return !gathering->failed;
}

static gboolean
gather(struct gathering *gathering, const char *user, gint64 since_us)
{
	const struct store_logins_question question = {
		.tenant = gathering->tenant, .user = user, .since_us = since_us};

	return store_logins(gathering->store, &question, take_login, gathering, gathering->error) &&
	       !gathering->failed;
}

/* A session that began before the copy came reached it too: its deeds say so. */
static void
merge_act(GPtrArray *uses, const struct store_final *final, const struct store_act *act,
	  const char *client)
{
	struct device_use *use;

	if (g_strcmp0(act->by, "imap") != 0 && g_strcmp0(act->by, "pop3") != 0)
		return;
	use = g_new0(struct device_use, 1);
	use->certainty = act->certainty;
	use->device = g_strdup(act->device);
	use->user = g_strdup(final->user ? final->user : final->address);
	use->address = g_strdup(client);
	use->service = g_strdup(act->by);
	use->first_us = use->last_us = whole_second(act->at_us);
	merge(uses, use);
}

/* The connection that did it was the device's from its login on. */
static gboolean
name_acts(struct store *store, const char *tenant, const struct store_final *final, GPtrArray *uses,
	  GError **error)
{
	for (guint i = 0; i < final->acts->len; i++) {
		struct store_act *act = final->acts->pdata[i];
		gint64 at_us = act->login_us ? act->login_us : act->at_us;
		g_autofree char *client = NULL;
		guint8 ip[NETWORK_IP_BYTES];

		if (!network_ip(act->client, ip))
			continue;
		client = network_ip_text(ip);
		g_clear_pointer(&act->device, g_free);
		if (!store_device_at(store, tenant, ip, whole_second(at_us), &act->certainty,
				     &act->device, error))
			return FALSE;
		merge_act(uses, final, act, client);
	}
	return TRUE;
}

gboolean
devices_of_final(struct store *store, const char *tenant, struct store_final *final, GError **error)
{
	g_autoptr(GPtrArray) uses = g_ptr_array_new_with_free_func(device_use_free);
	struct gathering gathering = {store, tenant, uses, error, FALSE};
	gint64 since_us = whole_second(final->at_us);

	if (strcmp(final->state, "delivered") == 0 || final->folder || final->acts->len) {
		if (final->user && !gather(&gathering, final->user, since_us))
			return FALSE;
		if (g_strcmp0(final->user, final->address) != 0 &&
		    !gather(&gathering, final->address, since_us))
			return FALSE;
	}
	if (!name_acts(store, tenant, final, uses, error))
		return FALSE;
	g_clear_pointer(&final->devices, g_ptr_array_unref);
	final->devices = g_steal_pointer(&uses);
	return TRUE;
}
