/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caps.h"
#include "key_file.h"

#define CURVE_KEY_BYTES 32
#define NAME_MAX_LENGTH 64
#define SITE_KEY_HEX_LENGTH (SITE_KEY_BYTES * 2)

struct authorized_keys {
	GPtrArray *entries; /* of struct authorized_key, in the file's order */
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)

GQuark
keys_error_quark(void)
{
	return g_quark_from_static_string("mailtrace-keys-error");
}

/* ---- Z85, ZeroMQ RFC 32: four bytes, big-endian, in five digits of base 85 ---- */

static const char z85_digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 ".-:+=^!/*?&<>()[]{}@%$#";

static void
z85_encode(const guint8 bytes[CURVE_KEY_BYTES], char ret_text[KEY_Z85_LENGTH + 1])
{
	for (guint group = 0; group < CURVE_KEY_BYTES / 4; group++) {
		guint32 value = 0;
		for (guint i = 0; i < 4; i++)
			value = value << 8 | bytes[group * 4 + i];
		for (guint i = 5; i-- > 0; value /= 85)
			ret_text[group * 5 + i] = z85_digits[value % 85];
	}
	ret_text[KEY_Z85_LENGTH] = '\0';
}

/* Reads five digits; FALSE when one is none, or when they are above 2^32 - 1. */
static gboolean
z85_decode_group(const char *text, guint8 ret_bytes[4])
{
	guint64 value = 0;

	for (guint i = 0; i < 5; i++) {
		const char *digit = text[i] ? strchr(z85_digits, text[i]) : NULL;
		if (!digit)
			return FALSE;
		value = value * 85 + (guint64)(digit - z85_digits);
	}
	if (value > G_MAXUINT32)
		return FALSE;
	for (guint i = 0; i < 4; i++)
		ret_bytes[i] = (guint8)(value >> (24 - 8 * i));
	return TRUE;
}

static gboolean
z85_decode(const char *text, guint8 ret_bytes[CURVE_KEY_BYTES])
{
	if (strlen(text) != KEY_Z85_LENGTH)
		return FALSE;
	for (guint group = 0; group < CURVE_KEY_BYTES / 4; group++)
		if (!z85_decode_group(text + group * 5, ret_bytes + group * 4))
			return FALSE;
	return TRUE;
}

/* ---- files ---- */

char *
secret_text_read(const char *path, gsize *ret_size, GError **error)
{
	key_text text = {0};

	if (!key_file_read(path, KEY_SECRET_REFUSED, &text, error))
		return NULL;
	*ret_size = text.length;
	return text.bytes;
}

/* ---- lines ---- */

/*
 * Takes the next line that is neither empty nor a comment; a comment begins
 * its line, for '#' is also a digit of Z85.  Returns NULL at the end.
 */
static char *
next_line(char **cursor, guint *number)
{
	while (*cursor && **cursor) {
		char *line = *cursor;
		char *end = strchr(line, '\n');

		(*number)++;
		if (end)
			*end = '\0';
		*cursor = end ? end + 1 : NULL;
		g_strstrip(line);
		if (*line && *line != '#')
			return line;
	}
	return NULL;
}

static gboolean
wrong_line(GError **error, const char *path, guint number, const char *why)
{
	g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM, "%s:%u: %s", path, number, why);
	return FALSE;
}

/* Parses "NAME = Z85" into the field of its name. */
static gboolean
parse_pair_line(char *line, const char *path, guint number, struct key_pair *pair, GError **error)
{
	guint8 bytes[CURVE_KEY_BYTES];
	char *value = strchr(line, '=');
	char *field = NULL;
	gboolean ok;

	if (!value)
		return wrong_line(error, path, number,
				  "not \"public-key = …\" or \"secret-key = …\"");
	*value++ = '\0';
	g_strstrip(line);
	g_strstrip(value);
	if (g_str_equal(line, "public-key"))
		field = pair->public_key;
	else if (g_str_equal(line, "secret-key"))
		field = pair->secret_key;
	if (!field)
		return wrong_line(error, path, number, "neither public-key nor secret-key");
	ok = z85_decode(value, bytes);
	OPENSSL_cleanse(bytes, sizeof bytes);
	if (!ok)
		return wrong_line(error, path, number, "not a key of 40 characters of Z85");
	memcpy(field, value, KEY_Z85_LENGTH + 1);
	return TRUE;
}

static gboolean
parse_pair(char *text, const char *path, struct key_pair *pair, GError **error)
{
	guint number = 0;
	char *line;

	while ((line = next_line(&text, &number)))
		if (!parse_pair_line(line, path, number, pair, error))
			return FALSE;
	return TRUE;
}

/* ---- key pairs ---- */

/* Fills the public half from the secret one: Curve25519 times the base point (RFC 7748). */
static gboolean
derive_public(const char *secret_key, char ret_public[KEY_Z85_LENGTH + 1])
{
	guint8 secret[CURVE_KEY_BYTES], public[CURVE_KEY_BYTES];
	gsize length = sizeof public;
	g_autoptr(EVP_PKEY) key = NULL;

	if (!z85_decode(secret_key, secret))
		return FALSE;
	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, sizeof secret);
	OPENSSL_cleanse(secret, sizeof secret);
	if (!key || EVP_PKEY_get_raw_public_key(key, public, &length) != 1)
		return FALSE;
	z85_encode(public, ret_public);
	return TRUE;
}

gboolean
key_pair_generate(struct key_pair *ret_pair, GError **error)
{
	guint8 secret[CURVE_KEY_BYTES];
	struct key_pair pair = {0};
	gboolean ok = RAND_priv_bytes(secret, sizeof secret) == 1;

	if (ok) {
		z85_encode(secret, pair.secret_key);
		ok = derive_public(pair.secret_key, pair.public_key);
	}
	OPENSSL_cleanse(secret, sizeof secret);
	if (!ok) {
		key_pair_clear(&pair);
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_READ,
			    "cannot make a key: libcrypto has no randomness or no X25519");
		return FALSE;
	}
	*ret_pair = pair;
	key_pair_clear(&pair);
	return TRUE;
}

/* A public half that belongs to another secret would only ever fail a handshake, silently. */
static gboolean
pair_complete(struct key_pair *pair, const char *path, GError **error)
{
	char derived[KEY_Z85_LENGTH + 1];

	if (!pair->secret_key[0]) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM, "%s: has no secret-key", path);
		return FALSE;
	}
	if (!derive_public(pair->secret_key, derived)) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_READ, "%s: libcrypto has no X25519",
			    path);
		return FALSE;
	}
	if (pair->public_key[0] && !g_str_equal(pair->public_key, derived)) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM,
			    "%s: public-key does not belong to secret-key", path);
		return FALSE;
	}
	memcpy(pair->public_key, derived, sizeof derived);
	return TRUE;
}

gboolean
key_pair_read(const char *path, struct key_pair *ret_pair, GError **error)
{
	g_auto(key_text) text = {0};
	struct key_pair pair = {0};
	gboolean ok;

	ok = key_file_read(path, KEY_SECRET_REFUSED, &text, error) &&
	     parse_pair(text.bytes, path, &pair, error) && pair_complete(&pair, path, error);
	if (ok)
		*ret_pair = pair;
	key_pair_clear(&pair);
	return ok;
}

gboolean
key_pair_write(const char *directory, const char *name, const struct key_pair *pair, GError **error)
{
	g_autofree char *key_path = g_strdup_printf("%s/%s.key", directory, name);
	g_autofree char *pub_path = g_strdup_printf("%s/%s.pub", directory, name);
	g_autofree char *public_text = g_strdup_printf(
		"# mailtrace: public key of %s\npublic-key = %s\n", name, pair->public_key);
	g_auto(key_text) secret = {0};

	if (!key_name_is_valid(name)) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM,
			    "\"%s\" is no name: 1 to 64 of A-Z a-z 0-9 . _ -, first a letter or "
			    "digit",
			    name);
		return FALSE;
	}
	secret.bytes = g_strdup_printf("# mailtrace: key pair of %s; keep it secret\n"
				       "public-key = %s\nsecret-key = %s\n",
				       name, pair->public_key, pair->secret_key);
	secret.length = strlen(secret.bytes);
	if (!key_file_create(key_path, secret.bytes, 0600, error))
		return FALSE;
	if (key_file_create(pub_path, public_text, 0644, error))
		return TRUE;
	unlink(key_path);
	return FALSE;
}

void
key_pair_clear(struct key_pair *pair)
{
	OPENSSL_cleanse(pair, sizeof *pair);
}

/* A NAME.key is secret even when only its public half is asked for. */
gboolean
public_key_read(const char *path, char ret_key[KEY_Z85_LENGTH + 1], GError **error)
{
	gboolean secret = g_str_has_suffix(path, ".key");
	g_auto(key_text) text = {0};
	struct key_pair pair = {0};
	gboolean ok;

	ok = key_file_read(path, secret ? KEY_SECRET_REFUSED : KEY_PUBLIC_REFUSED, &text, error) &&
	     parse_pair(text.bytes, path, &pair, error);
	if (ok && pair.secret_key[0])
		ok = pair_complete(&pair, path, error);
	if (ok && !pair.public_key[0]) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM, "%s: has no public-key", path);
		ok = FALSE;
	}
	if (ok)
		memcpy(ret_key, pair.public_key, sizeof pair.public_key);
	key_pair_clear(&pair);
	return ok;
}

/* ---- the site's key ---- */

/* Reads exactly SITE_KEY_BYTES in hexadecimal, without a copy left behind on the heap. */
static gboolean
site_key_parse(const char *hex, guint8 ret_key[SITE_KEY_BYTES])
{
	if (strlen(hex) != SITE_KEY_HEX_LENGTH ||
	    strspn(hex, "0123456789abcdefABCDEF") != SITE_KEY_HEX_LENGTH)
		return FALSE;
	for (guint i = 0; i < SITE_KEY_BYTES; i++)
		ret_key[i] = (guint8)(g_ascii_xdigit_value(hex[2 * i]) << 4 |
				      g_ascii_xdigit_value(hex[2 * i + 1]));
	return TRUE;
}

gboolean
site_key_read(const char *path, guint8 ret_key[SITE_KEY_BYTES], GError **error)
{
	g_auto(key_text) text = {0};
	guint number = 0;
	char *cursor;
	char *line;

	if (!key_file_read(path, KEY_SECRET_REFUSED, &text, error))
		return FALSE;
	cursor = text.bytes;
	line = next_line(&cursor, &number);
	if (line && !next_line(&cursor, &number) && site_key_parse(line, ret_key))
		return TRUE;
	g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM,
		    "%s: not one line of %d hexadecimal digits; make one with mailtrace keygen",
		    path, SITE_KEY_HEX_LENGTH);
	return FALSE;
}

gboolean
site_key_write(const char *path, GError **error)
{
	static const char digits[] = "0123456789abcdef";
	g_auto(key_text) text = {g_malloc0(SITE_KEY_HEX_LENGTH + 2), SITE_KEY_HEX_LENGTH + 2};
	guint8 key[SITE_KEY_BYTES];

	if (RAND_priv_bytes(key, sizeof key) != 1) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_READ,
			    "cannot make %s: libcrypto has no randomness", path);
		return FALSE;
	}
	for (guint i = 0; i < SITE_KEY_BYTES; i++) {
		text.bytes[2 * i] = digits[key[i] >> 4];
		text.bytes[2 * i + 1] = digits[key[i] & 15];
	}
	text.bytes[SITE_KEY_HEX_LENGTH] = '\n';
	OPENSSL_cleanse(key, sizeof key);
	return key_file_create(path, text.bytes, 0600, error);
}

/* ---- secrets of others ---- */

char *
secret_read(const char *path, GError **error)
{
	g_auto(key_text) text = {0};
	guint number = 0;
	char *cursor;
	char *line;

	if (!key_file_read(path, KEY_SECRET_REFUSED, &text, error))
		return NULL;
	cursor = text.bytes;
	line = next_line(&cursor, &number);
	if (line && !next_line(&cursor, &number) && strlen(line) <= SECRET_MAX_BYTES)
		return g_strdup(line);
	g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM, "%s: not one line of 1 to %d bytes", path,
		    SECRET_MAX_BYTES);
	return NULL;
}

void
secret_free(char *secret)
{
	if (secret)
		OPENSSL_cleanse(secret, strlen(secret));
	g_free(secret);
}

/* ---- authorized_keys ---- */

static void
authorized_key_free(gpointer pointer)
{
	struct authorized_key *key = pointer;

	g_free(key->name);
	g_free(key->tenant);
	g_free(key);
}

static struct authorized_keys *
authorized_keys_new(void)
{
	struct authorized_keys *keys = g_new0(struct authorized_keys, 1);

	keys->entries = g_ptr_array_new_with_free_func(authorized_key_free);
	return keys;
}

void
authorized_keys_free(struct authorized_keys *keys)
{
	if (!keys)
		return;
	g_ptr_array_unref(keys->entries);
	g_free(keys);
}

static const struct {
	const char *name;
	enum key_role role;
} role_names[] = {
	{"publish", ROLE_PUBLISH},
	{"subscribe", ROLE_SUBSCRIBE},
	{"command", ROLE_COMMAND},
};

/* Parses "publish,command"; 0 when a name is unknown or there is none. */
static guint
roles_parse(const char *text)
{
	g_auto(GStrv) names = g_strsplit(text, ",", G_N_ELEMENTS(role_names) + 1);
	guint roles = 0;

	for (guint i = 0; names[i]; i++) {
		guint role = 0;
		for (guint j = 0; j < G_N_ELEMENTS(role_names); j++)
			if (g_str_equal(names[i], role_names[j].name))
				role = role_names[j].role;
		if (!role)
			return 0;
		roles |= role;
	}
	return roles;
}

static char *
roles_text(guint roles)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < G_N_ELEMENTS(role_names); i++)
		if (roles & role_names[i].role)
			g_string_append_printf(text, "%s%s", text->len ? "," : "",
					       role_names[i].name);
	return g_string_free(text, FALSE);
}

/* Splits at runs of blanks into at most count fields; returns how many there were. */
static guint
split_fields(char *line, char **fields, guint count)
{
	guint n = 0;

	while (*line) {
		if (n < count)
			fields[n] = line;
		n++;
		line += strcspn(line, " \t");
		if (*line)
			*line++ = '\0';
		line += strspn(line, " \t");
	}
	return n;
}

/* Returns what is wrong with an entry, or NULL: one check for what is read and what is added. */
static const char *
entry_fault(const struct authorized_key *key, const struct authorized_keys *others)
{
	guint8 bytes[CURVE_KEY_BYTES];

	if (!key_name_is_valid(key->name))
		return "the name is not 1 to 64 of A-Z a-z 0-9 . _ -";
	if (!key_name_is_valid(key->tenant))
		return "the tenant is not 1 to 64 of A-Z a-z 0-9 . _ -";
	if (!z85_decode(key->public_key, bytes))
		return "the key is not 40 characters of Z85";
	if (!key->roles || key->roles & ~(guint)(ROLE_PUBLISH | ROLE_SUBSCRIBE | ROLE_COMMAND))
		return "the roles are not of publish, subscribe, command";
	if (authorized_keys_find_name(others, key->name))
		return "this name is in the list already";
	if (authorized_keys_find(others, key->public_key))
		return "this key is in the list already";
	return NULL;
}

static gboolean
parse_entry(char *line, const char *path, guint number, struct authorized_keys *keys,
	    GError **error)
{
	char *fields[4];
	struct authorized_key *key;
	const char *fault;

	if (split_fields(line, fields, G_N_ELEMENTS(fields)) != G_N_ELEMENTS(fields))
		return wrong_line(error, path, number, "not \"NAME PUBLIC-KEY TENANT ROLE,ROLE\"");
	key = g_new0(struct authorized_key, 1);
	key->name = g_strdup(fields[0]);
	/* A key that is cut or too long for the field keeps a wrong length, and is refused. */
	if (strlen(fields[1]) == KEY_Z85_LENGTH)
		memcpy(key->public_key, fields[1], KEY_Z85_LENGTH);
	key->tenant = g_strdup(fields[2]);
	key->roles = roles_parse(fields[3]);
	fault = entry_fault(key, keys);
	if (fault) {
		authorized_key_free(key);
		return wrong_line(error, path, number, fault);
	}
	g_ptr_array_add(keys->entries, key);
	return TRUE;
}

static gboolean
parse_entries(char *text, const char *path, struct authorized_keys *keys, GError **error)
{
	guint number = 0;
	char *line;

	while ((line = next_line(&text, &number)))
		if (!parse_entry(line, path, number, keys, error))
			return FALSE;
	return TRUE;
}

struct authorized_keys *
authorized_keys_read(const char *path, GError **error)
{
	g_auto(key_text) text = {0};
	struct authorized_keys *keys;

	if (!g_file_test(path, G_FILE_TEST_EXISTS))
		return authorized_keys_new();
	if (!key_file_read(path, KEY_PUBLIC_REFUSED, &text, error))
		return NULL;
	keys = authorized_keys_new();
	if (parse_entries(text.bytes, path, keys, error))
		return keys;
	authorized_keys_free(keys);
	return NULL;
}

const struct authorized_key *
authorized_keys_find(const struct authorized_keys *keys, const char *public_key)
{
	for (guint i = 0; i < keys->entries->len; i++) {
		const struct authorized_key *key = keys->entries->pdata[i];
		if (g_str_equal(key->public_key, public_key))
			return key;
	}
	return NULL;
}

const struct authorized_key *
authorized_keys_find_name(const struct authorized_keys *keys, const char *name)
{
	for (guint i = 0; i < keys->entries->len; i++) {
		const struct authorized_key *key = keys->entries->pdata[i];
		if (g_str_equal(key->name, name))
			return key;
	}
	return NULL;
}

const struct authorized_key *
authorized_keys_nth(const struct authorized_keys *keys, gsize index)
{
	return index < keys->entries->len ? keys->entries->pdata[index] : NULL;
}

/*
 * Locks the list against another writer: the lock is on the directory, since
 * the file itself is replaced.  Returns a descriptor to close, or -1.
 */
static int
lock_list(const char *path, GError **error)
{
	g_autofree char *directory = g_path_get_dirname(path);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && TEMP_FAILURE_RETRY(flock(fd, LOCK_EX)) == 0)
		return fd;
	key_file_errno(error, KEYS_ERROR_READ, "lock", directory, errno);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Replaces the list, atomically and synced, under its mode. */
static gboolean
replace_list(const char *path, const char *text, GError **error)
{
	const GFileSetContentsFlags flags =
		G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE;
	g_autoptr(GError) cause = NULL;
	struct stat st;
	int mode = stat(path, &st) == 0 ? (int)(st.st_mode & 0777) : 0644;

	if (g_file_set_contents_full(path, text, -1, flags, mode, &cause))
		return TRUE;
	g_set_error(error, KEYS_ERROR, KEYS_ERROR_READ, "%s", cause->message);
	return FALSE;
}

/* Reads the list's text as it stands, comments and all; "" if there is none. */
static gboolean
list_text(const char *path, key_text *ret_text, GError **error)
{
	if (g_file_test(path, G_FILE_TEST_EXISTS))
		return key_file_read(path, KEY_PUBLIC_REFUSED, ret_text, error);
	*ret_text = (key_text){g_strdup(""), 0};
	return TRUE;
}

/* Adds the line under the lock. */
static gboolean
add_locked(const char *path, const struct authorized_key *key, GError **error)
{
	struct authorized_keys *keys = authorized_keys_read(path, error);
	g_auto(key_text) old = {0};
	g_autofree char *roles = roles_text(key->roles);
	g_autofree char *text = NULL;
	const char *fault;
	gboolean taken;

	if (!keys)
		return FALSE;
	fault = entry_fault(key, keys);
	taken = authorized_keys_find_name(keys, key->name) ||
		authorized_keys_find(keys, key->public_key);
	authorized_keys_free(keys);
	if (fault) {
		g_set_error(error, KEYS_ERROR, taken ? KEYS_ERROR_EXISTS : KEYS_ERROR_FORM,
			    "cannot add \"%s\" to %s: %s", key->name, path, fault);
		return FALSE;
	}
	if (!list_text(path, &old, error))
		return FALSE;
	text = g_strdup_printf("%s%s%s %s %s %s\n", old.bytes,
			       *old.bytes && !g_str_has_suffix(old.bytes, "\n") ? "\n" : "",
			       key->name, key->public_key, key->tenant, roles);
	return replace_list(path, text, error);
}

gboolean
authorized_keys_add(const char *path, const struct authorized_key *key, GError **error)
{
	int lock = lock_list(path, error);
	gboolean ok;

	if (lock < 0)
		return FALSE;
	ok = add_locked(path, key, error);
	close(lock);
	return ok;
}

/* Returns whether a line is the entry of this name. */
static gboolean
line_is_of(const char *line, const char *name)
{
	gsize length = strlen(name);

	line += strspn(line, " \t");
	return strncmp(line, name, length) == 0 && (line[length] == ' ' || line[length] == '\t');
}

/* Removes the lines under the lock; the others stay as they are, comments too. */
static gboolean
remove_locked(const char *path, const char *name, gboolean *ret_removed, GError **error)
{
	g_auto(key_text) old = {0};
	g_auto(GStrv) lines = NULL;
	g_autoptr(GString) text = g_string_new(NULL);
	gboolean removed = FALSE;

	if (!list_text(path, &old, error))
		return FALSE;
	lines = g_strsplit(old.bytes, "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		if (line_is_of(lines[i], name)) {
			removed = TRUE;
			continue;
		}
		if (lines[i + 1] || *lines[i])
			g_string_append_printf(text, "%s\n", lines[i]);
	}
	if (removed && !replace_list(path, text->str, error))
		return FALSE;
	*ret_removed = removed;
	return TRUE;
}

gboolean
authorized_keys_remove(const char *path, const char *name, gboolean *ret_removed, GError **error)
{
	int lock;
	gboolean ok;

	if (!key_name_is_valid(name)) {
		*ret_removed = FALSE;
		return TRUE;
	}
	lock = lock_list(path, error);
	if (lock < 0)
		return FALSE;
	ok = remove_locked(path, name, ret_removed, error);
	close(lock);
	return ok;
}

gboolean
key_name_is_valid(const char *name)
{
	gsize length = strlen(name);

	if (length == 0 || length > NAME_MAX_LENGTH || !g_ascii_isalnum(name[0]))
		return FALSE;
	for (gsize i = 0; i < length; i++)
		if (!g_ascii_isalnum(name[i]) && !strchr("._-", name[i]))
			return FALSE;
	return TRUE;
}
