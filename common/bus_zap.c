/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "bus_zap.h"

#include <string.h>

#include "z85.h"

#define ZAP_FRAMES 7
#define ZAP_FRAME_BYTES 1024

struct bus_zap {
	struct bus_socket *socket;
	struct authorized_keys *keys;
	GHashTable *readers; /* key of a reader that was let in → its tenant */
};

struct bus_zap *
bus_zap_new(struct bus_context *context, struct authorized_keys *keys, GError **error)
{
	struct bus_socket *socket = bus_socket_new_zap(context, error);
	struct bus_zap *zap;

	if (!socket)
		return NULL;
	zap = g_new0(struct bus_zap, 1);
	zap->socket = socket;
	zap->keys = keys;
	zap->readers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	return zap;
}

void
bus_zap_free(struct bus_zap *zap)
{
	if (!zap)
		return;
	bus_socket_close(&zap->socket);
	authorized_keys_free(zap->keys);
	g_hash_table_unref(zap->readers);
	g_free(zap);
}

struct bus_socket *
bus_zap_socket(struct bus_zap *zap)
{
	return zap->socket;
}

static gboolean
frame_equals(GBytes *frame, const char *text)
{
	gsize size;
	const char *bytes = g_bytes_get_data(frame, &size);

	return size == strlen(text) && memcmp(bytes, text, size) == 0;
}

/* Returns the entry that a ZAP request may come in under, or NULL. */
static const struct authorized_key *
decide(const struct bus_zap *zap, const GPtrArray *request, gboolean *ret_live)
{
	const struct authorized_key *entry;
	char key[KEY_Z85_LENGTH + 1];
	GBytes *credentials;

	if (request->len != ZAP_FRAMES || !frame_equals(request->pdata[0], "1.0") ||
	    !frame_equals(request->pdata[5], "CURVE"))
		return NULL;
	credentials = request->pdata[6];
	if (g_bytes_get_size(credentials) != CURVE_KEY_BYTES)
		return NULL;
	z85_encode(g_bytes_get_data(credentials, NULL), key);
	entry = authorized_keys_find(zap->keys, key);
	*ret_live = frame_equals(request->pdata[2], BUS_DOMAIN_LIVE);
	if (!entry || !(entry->roles & (*ret_live ? ROLE_SUBSCRIBE : ROLE_PUBLISH)))
		return NULL;
	return entry;
}

/* A property of ZMTP's metadata (ZeroMQ RFC 23): length and name, length and value. */
static void
add_property(GByteArray *metadata, const char *name, const char *value)
{
	guint8 name_length = (guint8)strlen(name);
	guint32 value_length = GUINT32_TO_BE((guint32)strlen(value));

	g_byte_array_append(metadata, &name_length, 1);
	g_byte_array_append(metadata, (const guint8 *)name, name_length);
	g_byte_array_append(metadata, (const guint8 *)&value_length, sizeof value_length);
	g_byte_array_append(metadata, (const guint8 *)value, (guint)strlen(value));
}

static void
reply(struct bus_socket *zap, GBytes *id, const struct authorized_key *entry)
{
	const char *status = entry ? "200" : "400";
	const char *text = entry ? "OK" : "not in authorized_keys for this";
	const char *user = entry ? entry->name : "";
	g_autoptr(GByteArray) metadata = g_byte_array_new();
	gsize id_size = id ? g_bytes_get_size(id) : 0;

	if (entry)
		add_property(metadata, BUS_KEY_PROPERTY, entry->public_key);
	bus_socket_send(zap, "1.0", 3, TRUE);
	bus_socket_send(zap, id ? g_bytes_get_data(id, NULL) : "", id_size, TRUE);
	bus_socket_send(zap, status, 3, TRUE);
	bus_socket_send(zap, text, strlen(text), TRUE);
	bus_socket_send(zap, user, strlen(user), TRUE);
	bus_socket_send(zap, metadata->data, metadata->len, FALSE);
}

/* A REP socket owes an answer to any request. */
void
bus_zap_answer(struct bus_zap *zap)
{
	const struct authorized_key *entry;
	struct bus_received request;
	gboolean live = FALSE;

	if (bus_socket_receive(zap->socket, ZAP_FRAMES, ZAP_FRAMES * ZAP_FRAME_BYTES, &request)) {
		entry = request.cut ? NULL : decide(zap, request.frames, &live);
		if (entry && live)
			g_hash_table_replace(zap->readers, g_strdup(entry->public_key),
					     g_strdup(entry->tenant));
		reply(zap->socket, request.frames->len > 1 ? request.frames->pdata[1] : NULL,
		      entry);
	}
	bus_received_clear(&request);
}

const struct authorized_key *
bus_zap_entry(const struct bus_zap *zap, const struct bus_received *received, guint role)
{
	const struct authorized_key *entry =
		received->key ? authorized_keys_find(zap->keys, received->key) : NULL;

	if (!entry || !received->user || !g_str_equal(entry->name, received->user) ||
	    !(entry->roles & role))
		return NULL;
	return entry;
}

/* TRUE if a reader that was let in may no longer read what it could. */
static gboolean
reader_is_revoked(gpointer key, gpointer tenant, gpointer zap)
{
	const struct authorized_key *entry =
		authorized_keys_find(((struct bus_zap *)zap)->keys, key);

	return !entry || !(entry->roles & ROLE_SUBSCRIBE) || !g_str_equal(entry->tenant, tenant);
}

gboolean
bus_zap_set_keys(struct bus_zap *zap, struct authorized_keys *keys)
{
	authorized_keys_free(zap->keys);
	zap->keys = keys;
	if (!g_hash_table_find(zap->readers, reader_is_revoked, zap))
		return FALSE;
	g_hash_table_remove_all(zap->readers);
	return TRUE;
}

gboolean
bus_zap_knows(const struct bus_zap *zap, const char *name)
{
	return authorized_keys_find_name(zap->keys, name) != NULL;
}
