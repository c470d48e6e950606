/* SPDX-License-Identifier: BSD-2-Clause */
#include "network.h"

#include <arpa/inet.h>
#include <string.h>

#define ADDRESS_BYTES NETWORK_IP_BYTES
#define MAPPED_BITS 96 /* an IPv4 address lies behind ::ffff:0:0/96 (RFC 4291 2.5.5.2) */

/* Both families in one form, the IPv4-mapped IPv6 address. */
struct network {
	guint8 address[ADDRESS_BYTES];
	guint bits;
};

struct network_list {
	GArray *networks; /* of struct network */
};

/* Returns the bits that stand before the address in the common form, or -1. */
static int
address_parse(const char *text, guint8 ret_address[ADDRESS_BYTES])
{
	static const guint8 mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		memcpy(ret_address, mapped, sizeof mapped);
		memcpy(ret_address + sizeof mapped, &v4, sizeof v4);
		return MAPPED_BITS;
	}
	if (inet_pton(AF_INET6, text, &v6) == 1) {
		memcpy(ret_address, &v6, sizeof v6);
		return 0;
	}
	return -1;
}

gboolean
network_ip(const char *text, guint8 ret_ip[NETWORK_IP_BYTES])
{
	return text != NULL && address_parse(text, ret_ip) >= 0;
}

char *
network_ip_text(const guint8 ip[NETWORK_IP_BYTES])
{
	static const guint8 mapped[12] = {[10] = 0xff, [11] = 0xff};
	gboolean v4 = memcmp(ip, mapped, sizeof(mapped)) == 0;
	char text[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? ip + sizeof(mapped) : ip, text, sizeof(text));
	return g_strdup(text);
}

static gboolean
has_host_bits(const struct network *network)
{
	for (guint bit = network->bits; bit < ADDRESS_BYTES * 8; bit++)
		if (network->address[bit / 8] & (0x80 >> (bit % 8)))
			return TRUE;
	return FALSE;
}

static gboolean
network_parse(const char *item, struct network *ret_network, GError **error)
{
	g_auto(GStrv) halves = g_strsplit(item, "/", 2);
	struct network network;
	guint64 prefix = ADDRESS_BYTES * 8;
	int before;

	if (!halves[0] || (before = address_parse(halves[0], network.address)) < 0) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "\"%s\" is not an IPv4 or IPv6 network; write 192.0.2.0/24", item);
		return FALSE;
	}
	if (halves[1]) {
		if (!g_ascii_string_to_unsigned(halves[1], 10, 0,
						(guint64)(ADDRESS_BYTES * 8 - before), &prefix,
						NULL)) {
			g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
				    "\"%s\" has a prefix outside 0 to %d", item,
				    ADDRESS_BYTES * 8 - before);
			return FALSE;
		}
		prefix += (guint64)before;
	}
	network.bits = (guint)prefix;
	if (has_host_bits(&network)) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "\"%s\" has host bits set beyond its prefix; clear them or write the "
			    "longer prefix",
			    item);
		return FALSE;
	}
	*ret_network = network;
	return TRUE;
}

struct network_list *
network_list_parse(const char *const *items, GError **error)
{
	struct network_list *list = g_new0(struct network_list, 1);

	list->networks = g_array_new(FALSE, FALSE, sizeof(struct network));
	for (; *items; items++) {
		struct network network;

		if (!network_parse(*items, &network, error)) {
			network_list_free(list);
			return NULL;
		}
		g_array_append_val(list->networks, network);
	}
	return list;
}

static gboolean
network_contains(const struct network *network, const guint8 address[ADDRESS_BYTES])
{
	guint whole = network->bits / 8, rest = network->bits % 8;
	guint8 mask = (guint8)(0xff00 >> rest);

	if (memcmp(network->address, address, whole) != 0)
		return FALSE;
	return rest == 0 || ((network->address[whole] ^ address[whole]) & mask) == 0;
}

gboolean
network_list_contains(const struct network_list *list, const char *ip)
{
	guint8 address[ADDRESS_BYTES];

	if (!ip || address_parse(ip, address) < 0)
		return FALSE;
	for (guint i = 0; i < list->networks->len; i++)
		if (network_contains(&g_array_index(list->networks, struct network, i), address))
			return TRUE;
	return FALSE;
}

void
network_list_free(struct network_list *list)
{
	if (!list)
		return;
	g_array_unref(list->networks);
	g_free(list);
}

GSocketAddress *
loopback_address(const char *text)
{
	const char *colon = strrchr(text, ':');
	g_autoptr(GInetAddress) address = NULL;
	g_autofree char *host = NULL;
	gsize length = colon ? (gsize)(colon - text) : 0;
	guint64 port;

	if (!length || !g_ascii_string_to_unsigned(colon + 1, 10, 1, G_MAXUINT16, &port, NULL))
		return NULL;
	if (length > 2 && text[0] == '[' && text[length - 1] == ']')
		host = g_strndup(text + 1, length - 2);
	else if (!memchr(text, ':', length))
		host = g_strndup(text, length);
	address = host ? g_inet_address_new_from_string(host) : NULL;
	if (!address || !g_inet_address_get_is_loopback(address))
		return NULL;
	return g_inet_socket_address_new(address, (guint16)port);
}
