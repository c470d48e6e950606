/* SPDX-License-Identifier: BSD-2-Clause */
#include "lease_names.h"

#define SEVERAL "" /* owner of a name that is nobody's */

struct lease_client {
	struct store_asset *asset;
	const char *host, *hardware; /* of texts; host in lower case is the key */
};

struct lease_names {
	GArray *clients;     /* of struct lease_client */
	GHashTable *owners;  /* host name in lower case -> hardware address, or SEVERAL */
	GStringChunk *texts; /* each once: leases are of the same clients again and again */
};

struct lease_names *
lease_names_new(void)
{
	struct lease_names *names = g_new0(struct lease_names, 1);

	names->clients = g_array_new(FALSE, FALSE, sizeof(struct lease_client));
	names->owners = g_hash_table_new(g_str_hash, g_str_equal);
	names->texts = g_string_chunk_new(4096);
	return names;
}

void
lease_names_free(struct lease_names *names)
{
	if (!names)
		return;
	g_array_unref(names->clients);
	g_hash_table_unref(names->owners);
	g_string_chunk_free(names->texts);
	g_free(names);
}

/* Returns the name as it is known by: in lower case, owned by the set. */
static const char *
key_of(struct lease_names *names, const char *host)
{
	g_autofree char *lower = g_ascii_strdown(host, -1);

	return g_string_chunk_insert_const(names->texts, lower);
}

void
lease_names_add(struct lease_names *names, struct store_asset *asset, const char *host,
		const char *hardware)
{
	struct lease_client client = {
		.asset = asset,
		.host = g_string_chunk_insert_const(names->texts, host),
		.hardware = g_string_chunk_insert_const(names->texts, hardware),
	};
	const char *key, *owner;

	g_array_append_val(names->clients, client);
	if (*host == '\0')
		return;
	key = key_of(names, host);
	owner = g_hash_table_lookup(names->owners, key);
	if (!owner)
		g_hash_table_insert(names->owners, (char *)key, (char *)client.hardware);
	else if (g_ascii_strcasecmp(owner, hardware) != 0)
		g_hash_table_insert(names->owners, (char *)key, (char *)SEVERAL);
}

void
lease_names_settle(struct lease_names *names)
{
	for (guint i = 0; i < names->clients->len; i++) {
		const struct lease_client *client =
			&g_array_index(names->clients, struct lease_client, i);
		const char *owner = *client->host ? g_hash_table_lookup(names->owners,
									key_of(names, client->host))
						  : SEVERAL;

		client->asset->device = g_strdup(*owner ? client->host : client->hardware);
	}
}
