/* SPDX-License-Identifier: BSD-2-Clause */
#include "approvals.h"

#include <pwd.h>
#include <string.h>

#include "caps.h"
#include "digest.h"
#include "store_plans.h"

#define STATEMENT "mailtrace-plan-approval\n%s\n%s\n"

G_DEFINE_QUARK(mailtrace_approvals_error, approvals_error)

static gboolean refuse(GError **error, enum approvals_error code, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

static gboolean
refuse(GError **error, enum approvals_error code, const char *format, ...)
{
	g_autofree char *message = NULL;
	va_list list;

	va_start(list, format);
	message = g_strdup_vprintf(format, list);
	va_end(list);
	g_set_error_literal(error, APPROVALS_ERROR, code, message);
	return FALSE;
}

/* ---- the list ---- */

void
approval_key_clear(struct approval_key *key)
{
	g_free(key->name);
	g_free(key->user);
	g_free(key->fingerprint);
	signing_key_free(key->key);
}

/* Splits a line at blanks; NULL for one that says nothing. */
static char **
fields_of(const char *line)
{
	g_autofree char *bare = g_strdup(line);
	g_auto(GStrv) raw = NULL;
	GPtrArray *fields;

	if (strchr(bare, '#'))
		*strchr(bare, '#') = '\0';
	raw = g_strsplit_set(bare, " \t\r", -1);
	fields = g_ptr_array_new();
	for (char **field = raw; *field; field++)
		if (**field)
			g_ptr_array_add(fields, g_strdup(*field));
	if (!fields->len) {
		g_ptr_array_unref(fields);
		return NULL;
	}
	g_ptr_array_add(fields, NULL);
	return (char **)g_ptr_array_free(fields, FALSE);
}

/* The file is read once for its digest and once as a key: who can change it in between owns it. */
static gboolean
read_key(const char *list, char *const *fields, struct approval_key *ret_key, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(list);
	g_autofree char *path = g_path_is_absolute(fields[1])
					? g_strdup(fields[1])
					: g_build_filename(folder, fields[1], NULL);
	g_autofree char *text = NULL;
	guint8 sha256[SHA256_BYTES];
	struct signing_key *key;
	gsize length;

	key = signing_key_read_public(path, error);
	if (!key)
		return FALSE;
	if (!g_file_get_contents(path, &text, &length, error)) {
		signing_key_free(key);
		return FALSE;
	}
	digest_sha256(text, length, sha256);
	*ret_key = (struct approval_key){
		.name = g_strdup(fields[0]),
		.user = g_strdup(fields[2]),
		.fingerprint = hex_encode(sha256, sizeof(sha256)),
		.key = key,
	};
	return TRUE;
}

/* Finds a key of the list by name; clear with approval_key_clear().  FALSE with an error. */
static gboolean
find_key(const struct settings *settings, const char *name, struct approval_key *ret_key,
	 GError **error)
{
	const char *list = settings->approval_keys;
	g_auto(GStrv) lines = NULL;
	g_autofree char *text = NULL;
	gsize length;

	if (!*list)
		return refuse(error, APPROVALS_ERROR_KEY,
			      "nobody can approve: set [containment] approval_keys");
	if (!g_file_get_contents(list, &text, &length, error))
		return FALSE;
	if (length > CAP_KEYS_BYTES)
		return refuse(error, APPROVALS_ERROR_LIST, "%s: too long", list);
	lines = g_strsplit(text, "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		g_auto(GStrv) fields = fields_of(lines[i]);
		guint count = fields ? g_strv_length(fields) : 0;

		if (fields && (count < 2 || count > 3))
			return refuse(error, APPROVALS_ERROR_LIST, "%s:%u: write NAME FILE [USER]",
				      list, i + 1);
		if (fields && strcmp(fields[0], name) == 0)
			return read_key(list, fields, ret_key, error);
	}
	return refuse(error, APPROVALS_ERROR_KEY, "no key %s is in approval_keys", name);
}

/* ---- signatures ---- */

gboolean
approvals_sign(const struct signing_key *key, const char *tenant, const char *digest,
	       guint8 ret_signature[SIGNATURE_BYTES], GError **error)
{
	g_autofree char *statement = g_strdup_printf(STATEMENT, tenant, digest);

	return signing_key_sign(key, statement, strlen(statement), ret_signature) ||
	       refuse(error, APPROVALS_ERROR_SIGNATURE, "the key cannot sign");
}

/* Returns TRUE if a user's name is of this uid. */
static gboolean
is_user(const char *user, guint uid)
{
	const struct passwd *entry = getpwnam(user);

	return entry && entry->pw_uid == uid;
}

static gboolean
check_signature(const struct approval_key *key, const char *tenant, const char *digest,
		const char *signature, guint uid, GError **error)
{
	g_autofree char *statement = g_strdup_printf(STATEMENT, tenant, digest);
	guint8 bytes[SIGNATURE_BYTES];

	if (key->user && !is_user(key->user, uid))
		return refuse(error, APPROVALS_ERROR_KEY, "key %s is of user %s", key->name,
			      key->user);
	if (!hex_decode(signature, bytes, sizeof(bytes)) ||
	    !signing_key_verify(key->key, statement, strlen(statement), bytes))
		return refuse(error, APPROVALS_ERROR_SIGNATURE,
			      "this is no signature of key %s of this plan", key->name);
	return TRUE;
}

gboolean
approvals_check(const struct settings *settings, const char *tenant, const char *digest,
		const char *name, const char *signature, guint uid, struct approval_key *ret_key,
		GError **error)
{
	struct approval_key key;

	if (!find_key(settings, name, &key, error))
		return FALSE;
	if (!check_signature(&key, tenant, digest, signature, uid, error)) {
		approval_key_clear(&key);
		return FALSE;
	}
	*ret_key = key;
	return TRUE;
}

/* ---- whether it counts ---- */

/* A question of whether a plan is approved for somebody. */
struct asking {
	const struct settings *settings;
	guint uid;
	gboolean approved;
};

/* A key that was taken out of the list, or replaced, has nothing to say. */
static gboolean
is_listed(const struct settings *settings, const struct store_approval *approval)
{
	struct approval_key key;
	gboolean same;

	if (!find_key(settings, approval->name, &key, NULL))
		return FALSE;
	same = strcmp(key.fingerprint, approval->fingerprint) == 0;
	approval_key_clear(&key);
	return same;
}

static gboolean
take_approval(const struct store_approval *approval, void *data)
{
	struct asking *asking = data;

	asking->approved = approval->uid != asking->uid &&
			   !(approval->user && is_user(approval->user, asking->uid)) &&
			   is_listed(asking->settings, approval);
	return !asking->approved;
}

gboolean
approvals_suffice(struct store *store, const struct settings *settings, const char *tenant,
		  const char *digest, guint uid, gboolean *ret_approved, GError **error)
{
	struct asking asking = {.settings = settings, .uid = uid};

	if (!store_approval_each(store, tenant, digest, take_approval, &asking, error))
		return FALSE;
	*ret_approved = asking.approved;
	return TRUE;
}
