/* SPDX-License-Identifier: BSD-2-Clause */
#include "settings_private.h"

#include <errno.h>
#include <string.h>
#include <sys/un.h>

#include "caps.h"
#include "text.h"

#define MAX_PORT 65535
#define MAX_NAMESPACE 128 /* of the journal: less than NAME_MAX, with what stands before it */
#define NAMESPACE_CHARACTERS G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_."

gboolean
settings_refuse(GError **error, const char *format, ...)
{
	g_autofree char *message = NULL;
	g_autofree char *safe = NULL;
	va_list arguments;

	va_start(arguments, format);
	message = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	safe = text_for_terminal(message);
	g_set_error_literal(error, SETTINGS_ERROR, SETTINGS_ERROR_INVALID, safe);
	return FALSE;
}

static char **
split_list(const char *value)
{
	g_auto(GStrv) items = g_strsplit_set(value, ";,", -1);
	GPtrArray *kept = g_ptr_array_new();

	for (char **item = items; *item; item++)
		if (*g_strstrip(*item))
			g_ptr_array_add(kept, g_strdup(*item));
	g_ptr_array_add(kept, NULL);
	return (char **)g_ptr_array_free(kept, FALSE);
}

static gboolean
read_text(const struct settings_binding *binding, const char *value, void *ret_field,
	  GError **error)
{
	*(char **)ret_field = g_strdup(value);
	return TRUE;
}

static gboolean
read_list(const struct settings_binding *binding, const char *value, void *ret_field,
	  GError **error)
{
	*(char ***)ret_field = split_list(value);
	return TRUE;
}

static gboolean
read_networks(const struct settings_binding *binding, const char *value, void *ret_field,
	      GError **error)
{
	g_auto(GStrv) items = split_list(value);
	g_autoptr(GError) why = NULL;
	struct network_list *networks = network_list_parse((const char *const *)items, &why);

	if (!networks)
		return settings_refuse(error, "%s", why->message);
	*(struct network_list **)ret_field = networks;
	return TRUE;
}

static gboolean
read_gateways(const struct settings_binding *binding, const char *value, void *ret_field,
	      GError **error)
{
	g_autoptr(GError) why = NULL;
	struct gateways *gateways = gateways_parse(value, &why);

	if (!gateways)
		return settings_refuse(error, "%s", why->message);
	*(struct gateways **)ret_field = gateways;
	return TRUE;
}

static gboolean
read_path(const struct settings_binding *binding, const char *value, void *ret_field,
	  GError **error)
{
	if (!g_path_is_absolute(value))
		return settings_refuse(error, "\"%s\" is not an absolute path; begin it with /",
				       value);
	return read_text(binding, value, ret_field, error);
}

static gboolean
read_optional_path(const struct settings_binding *binding, const char *value, void *ret_field,
		   GError **error)
{
	return *value ? read_path(binding, value, ret_field, error)
		      : read_text(binding, value, ret_field, error);
}

static gboolean
read_number(const struct settings_binding *binding, const char *value, void *ret_field,
	    GError **error)
{
	guint64 number;

	if (!g_ascii_string_to_unsigned(value, 10, binding->least, binding->most, &number, NULL))
		return settings_refuse(error,
				       "\"%s\" is not a number from %" G_GUINT64_FORMAT
				       " to %" G_GUINT64_FORMAT "; write one of these",
				       value, binding->least, binding->most);
	*(guint *)ret_field = (guint)number;
	return TRUE;
}

/* Returns the shift of a size's unit and takes it off the text, or 0. */
static guint
take_unit(char *text)
{
	static const char units[] = "KMGT";
	gsize length = strlen(text);
	const char *unit = length > 0 ? strchr(units, g_ascii_toupper(text[length - 1])) : NULL;

	if (!unit || !*unit)
		return 0;
	text[length - 1] = '\0';
	return 10 * (guint)(unit - units + 1);
}

static gboolean
read_size(const struct settings_binding *binding, const char *value, void *ret_field,
	  GError **error)
{
	g_autofree char *digits = g_strdup(value);
	guint shift = take_unit(digits);
	guint64 size;

	g_strchomp(digits);
	if (!g_ascii_string_to_unsigned(digits, 10, 0, binding->most >> shift, &size, NULL) ||
	    (size << shift) < binding->least)
		return settings_refuse(
			error,
			"\"%s\" is not a size of at most 1024T; write a number of bytes, or "
			"one with K, M, G or T",
			value);
	*(guint64 *)ret_field = size << shift;
	return TRUE;
}

static gboolean
read_mode(const struct settings_binding *binding, const char *value, void *ret_field,
	  GError **error)
{
	guint64 mode;

	if (!g_ascii_string_to_unsigned(value, 8, binding->least, binding->most, &mode, NULL))
		return settings_refuse(error, "\"%s\" is not a mode in octal; write one like 0660",
				       value);
	*(guint *)ret_field = (guint)mode;
	return TRUE;
}

/* Returns the place of an item among choices, or -1 with an error that names them. */
static int
choice_index(const struct settings_binding *binding, const char *item, GError **error)
{
	g_auto(GStrv) choices = g_strsplit(binding->choices, "|", -1);
	g_autofree char *listed = NULL;

	for (int i = 0; choices[i]; i++)
		if (g_str_equal(choices[i], item))
			return i;
	listed = g_strjoinv(", ", choices);
	settings_refuse(error, "\"%s\" is not known; write one of %s", item, listed);
	return -1;
}

static gboolean
read_choice(const struct settings_binding *binding, const char *value, void *ret_field,
	    GError **error)
{
	int index = choice_index(binding, value, error);

	if (index < 0)
		return FALSE;
	*(guint *)ret_field = (guint)index;
	return TRUE;
}

static gboolean
read_choices(const struct settings_binding *binding, const char *value, void *ret_field,
	     GError **error)
{
	g_auto(GStrv) items = split_list(value);

	for (char **item = items; *item; item++)
		if (choice_index(binding, *item, error) < 0)
			return FALSE;
	*(char ***)ret_field = g_steal_pointer(&items);
	return TRUE;
}

static gboolean
is_port(const char *text)
{
	return g_ascii_string_to_unsigned(text, 10, 1, MAX_PORT, NULL, NULL);
}

/* A path that the kernel takes as a socket's address (unix(7)). */
static gboolean
is_socket_path(const char *path)
{
	return g_path_is_absolute(path) && path[1] &&
	       strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path);
}

/* The form is libmilter's, smfi_setconn: a colon, then a path or PORT@HOST. */
static gboolean
is_milter_socket(const char *value)
{
	const char *rest = strchr(value, ':');
	g_auto(GStrv) halves = NULL;

	if (!rest)
		return FALSE;
	rest++;
	if (g_str_has_prefix(value, "unix:"))
		return is_socket_path(rest);
	if (!g_str_has_prefix(value, "inet:") && !g_str_has_prefix(value, "inet6:"))
		return FALSE;
	halves = g_strsplit(rest, "@", 2);
	return halves[0] && is_port(halves[0]) && (!halves[1] || *halves[1]);
}

static gboolean
read_socket(const struct settings_binding *binding, const char *value, void *ret_field,
	    GError **error)
{
	if (!is_milter_socket(value))
		return settings_refuse(
			error,
			"\"%s\" is not a socket's address; write unix:/PATH (at most 107 "
			"bytes), inet:PORT@HOST or inet6:PORT@HOST",
			value);
	return read_text(binding, value, ret_field, error);
}

/* Checks the form of a ZeroMQ address (zmq_ipc(7), zmq_tcp(7)). */
static gboolean
check_endpoint(const char *value, GError **error)
{
	const char *address, *port;

	if (g_str_has_prefix(value, "ipc://") && is_socket_path(value + strlen("ipc://")))
		return TRUE;
	if (g_str_has_prefix(value, "tcp://")) {
		address = value + strlen("tcp://");
		port = strrchr(address, ':');
		if (port && port != address && is_port(port + 1))
			return TRUE;
	}
	return settings_refuse(
		error,
		"\"%s\" is not an endpoint; write ipc:///PATH (at most 107 bytes) or "
		"tcp://HOST:PORT",
		value);
}

static gboolean
read_endpoint(const struct settings_binding *binding, const char *value, void *ret_field,
	      GError **error)
{
	if (*value && !check_endpoint(value, error))
		return FALSE;
	return read_text(binding, value, ret_field, error);
}

static gboolean
read_endpoints(const struct settings_binding *binding, const char *value, void *ret_field,
	       GError **error)
{
	g_auto(GStrv) items = split_list(value);

	if (!*items)
		return settings_refuse(
			error, "no endpoint is given; write ipc:///PATH or tcp://HOST:PORT");
	for (char **item = items; *item; item++)
		if (!check_endpoint(*item, error))
			return FALSE;
	*(char ***)ret_field = g_steal_pointer(&items);
	return TRUE;
}

static gboolean
read_store(const struct settings_binding *binding, const char *value, void *ret_field,
	   GError **error)
{
	static const char scheme[] = "sqlite:";

	if (!g_str_has_prefix(value, scheme) || !g_path_is_absolute(value + strlen(scheme)))
		return settings_refuse(error, "\"%s\" is not a store's address; write sqlite:/PATH",
				       value);
	return read_text(binding, value, ret_field, error);
}

static gboolean
read_loopback(const struct settings_binding *binding, const char *value, void *ret_field,
	      GError **error)
{
	g_autoptr(GSocketAddress) address = *value ? loopback_address(value) : NULL;

	if (*value && !address)
		return settings_refuse(
			error, "\"%s\" is not of loopback; write 127.0.0.1:PORT or [::1]:PORT",
			value);
	return read_text(binding, value, ret_field, error);
}

/* Plain HTTP shows a key to whoever is on the way. */
static gboolean
is_http(const char *value)
{
	static const char plain[] = "http://", secure[] = "https://";
	g_autoptr(GSocketAddress) address = NULL;
	g_autofree char *host = NULL;

	if (strpbrk(value, " \t"))
		return FALSE;
	if (g_str_has_prefix(value, secure))
		return value[strlen(secure)] && value[strlen(secure)] != '/';
	if (!g_str_has_prefix(value, plain))
		return FALSE;
	host = g_strndup(value + strlen(plain), strcspn(value + strlen(plain), "/"));
	address = loopback_address(host);
	return address != NULL;
}

static gboolean
read_http(const struct settings_binding *binding, const char *value, void *ret_field,
	  GError **error)
{
	if (*value && !is_http(value))
		return settings_refuse(
			error,
			"\"%s\" is no address of an API; write https://HOST:PORT/PATH, or "
			"http://127.0.0.1:PORT/PATH on the same host",
			value);
	return read_text(binding, value, ret_field, error);
}

/* A program with its arguments, as a shell splits words; no shell ever sees it. */
static gboolean
read_command(const struct settings_binding *binding, const char *value, void *ret_field,
	     GError **error)
{
	g_autoptr(GError) why = NULL;
	g_auto(GStrv) argv = NULL;

	if (!*value)
		argv = g_new0(char *, 1);
	else if (!g_shell_parse_argv(value, NULL, &argv, &why))
		return settings_refuse(error, "%s", why->message);
	if (*argv && !g_path_is_absolute(*argv))
		return settings_refuse(error, "\"%s\" is not an absolute path; begin it with /",
				       *argv);
	*(char ***)ret_field = g_steal_pointer(&argv);
	return TRUE;
}

/* A namespace's name is one of a folder (systemd.exec(5), LogNamespace=). */
static gboolean
read_log(const struct settings_binding *binding, const char *value, void *ret_field, GError **error)
{
	const char *where =
		g_str_has_prefix(value, FOLLOW_JOURNAL) ? value + strlen(FOLLOW_JOURNAL) : NULL;

	if (!where)
		return read_path(binding, value, ret_field, error);
	if (*where == '/')
		return read_text(binding, value, ret_field, error);
	if (strspn(where, NAMESPACE_CHARACTERS) != strlen(where) || strlen(where) > MAX_NAMESPACE ||
	    *where == '.')
		return settings_refuse(
			error,
			"\"%s\" is no journal; write journal: alone, or with a namespace or "
			"a folder's path behind it",
			value);
	return read_text(binding, value, ret_field, error);
}

static void
free_text(void *field)
{
	g_free(*(char **)field);
}

static void
free_list(void *field)
{
	g_strfreev(*(char ***)field);
}

static void
free_gateways(void *field)
{
	gateways_free(*(struct gateways **)field);
}

static void
free_networks(void *field)
{
	network_list_free(*(struct network_list **)field);
}

/* A member is written once; release may be NULL. */
static const struct {
	gboolean (*read)(const struct settings_binding *binding, const char *value, void *ret_field,
			 GError **error);
	void (*release)(void *field);
} value_kinds[] = {
	[KIND_TEXT] = {read_text, free_text},
	[KIND_LIST] = {read_list, free_list},
	[KIND_NETWORKS] = {read_networks, free_networks},
	[KIND_GATEWAYS] = {read_gateways, free_gateways},
	[KIND_PATH] = {read_path, free_text},
	[KIND_OPTIONAL_PATH] = {read_optional_path, free_text},
	[KIND_NUMBER] = {read_number, NULL},
	[KIND_SIZE] = {read_size, NULL},
	[KIND_MODE] = {read_mode, NULL},
	[KIND_CHOICE] = {read_choice, NULL},
	[KIND_CHOICES] = {read_choices, free_list},
	[KIND_SOCKET] = {read_socket, free_text},
	[KIND_ENDPOINT] = {read_endpoint, free_text},
	[KIND_ENDPOINTS] = {read_endpoints, free_list},
	[KIND_STORE] = {read_store, free_text},
	[KIND_LOOPBACK] = {read_loopback, free_text},
	[KIND_HTTP] = {read_http, free_text},
	[KIND_COMMAND] = {read_command, free_list},
	[KIND_LOG] = {read_log, free_text},
};

gboolean
settings_value_read(const struct settings_binding *binding, const char *value, void *ret_field,
		    GError **error)
{
	return value_kinds[binding->kind].read(binding, value, ret_field, error);
}

void
settings_value_release(const struct settings_binding *binding, void *field)
{
	if (value_kinds[binding->kind].release)
		value_kinds[binding->kind].release(field);
}
