/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * network.h - lists of IPv4 and IPv6 networks in CIDR form.
 *
 * Immutable once parsed; any thread.  An IPv4-mapped IPv6 address
 * (::ffff:192.0.2.1) is taken as the IPv4 address it means.
 */
#ifndef MAILTRACE_NETWORK_H
#define MAILTRACE_NETWORK_H

#include <gio/gio.h>
#include <glib.h>

struct network_list;

#define NETWORK_IP_BYTES 16

/*
 * Reads an address into the one form that both families have, an IPv4 one as the
 * IPv4-mapped IPv6 address.  FALSE, ret_ip untouched, if text (may be NULL) is none.
 */
gboolean network_ip(const char *text, guint8 ret_ip[NETWORK_IP_BYTES]);

/*
 * Returns an address of that form as it is written (RFC 5952; IPv4 with dots), so that
 * one address has one text.  Free with g_free().
 */
char *network_ip_text(const guint8 ip[NETWORK_IP_BYTES]);

/*
 * Parses networks: each item an address with an optional /prefix.  items: a
 * NULL-terminated array.  Returns NULL with a G_OPTION_ERROR naming the first
 * item that is none, or has host bits set; an empty array gives an empty list.
 * Free with network_list_free().
 */
struct network_list *network_list_parse(const char *const *items, GError **error);

/* Returns TRUE if ip (text, may be NULL or malformed: then FALSE) is in a network of the list. */
gboolean network_list_contains(const struct network_list *list, const char *ip);

/*
 * Reads "127.0.0.1:PORT" or "[::1]:PORT", any address of loopback.  Returns
 * NULL when it is none; else g_object_unref() it.
 */
GSocketAddress *loopback_address(const char *text);

/* Frees a list.  NULL is allowed. */
void network_list_free(struct network_list *list);
#endif
