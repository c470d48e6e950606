/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of an event that is added: their names and contents. */
#include <string.h>

#include "store_add.h"
#include "text.h"

/* What follows the last dot of a name and is longer is no extension. */
#define EXTENSION_BYTES 16

gint64
store_digest_key(const guint8 *digest)
{
	gint64 key;

	memcpy(&key, digest, sizeof(key));
	return GINT64_FROM_BE(key);
}

static gboolean
insert_file(struct addition *add, const struct digests *digests, guint64 size, gint64 *ret_id,
	    GError **error)
{
	const guint8 *each[] = {digests->sha256, digests->sha1, digests->md5};
	gint64 id;

	if (!sql_run(sql_bind(add->store->sql,
			      "INSERT INTO files (tenant, size, sha256, sha1, md5)"
			      " VALUES (?1, ?2, ?3, ?4, ?5)",
			      "iibbb", add->tenant, (gint64)size, digests->sha256,
			      (gsize)SHA256_BYTES, digests->sha1, (gsize)SHA1_BYTES, digests->md5,
			      (gsize)MD5_BYTES),
		     error))
		return FALSE;
	id = sql_last_id(add->store->sql);
	for (gsize i = 0; i < G_N_ELEMENTS(each); i++) {
		if (!sql_run(sql_bind(add->store->sql,
				      "INSERT OR IGNORE INTO digests (tenant, key, file)"
				      " VALUES (?1, ?2, ?3)",
				      "iii", add->tenant, store_digest_key(each[i]), id),
			     error))
			return FALSE;
	}
	*ret_id = id;
	return TRUE;
}

/*
 * A file is one only if all three digests agree: two contents with one MD5
 * (they can be bought) stay two, and so would a liar's.
 */
static gboolean
keep_file(struct addition *add, const struct digests *digests, guint64 size, gint64 *ret_id,
	  GError **error)
{
	if (!sql_number(sql_bind(add->store->sql,
				 "SELECT f.id FROM digests d CROSS JOIN files f ON f.id=d.file"
				 " WHERE d.tenant=?1 AND d.key=?2 AND f.sha256=?3 AND f.sha1=?4"
				 " AND f.md5=?5 AND f.size=?6",
				 "iibbbi", add->tenant, store_digest_key(digests->sha256),
				 digests->sha256, (gsize)SHA256_BYTES, digests->sha1,
				 (gsize)SHA1_BYTES, digests->md5, (gsize)MD5_BYTES, (gint64)size),
			0, ret_id, error))
		return FALSE;
	return *ret_id || insert_file(add, digests, size, ret_id, error);
}

static gboolean
link_file(struct addition *add, guint n, enum variant_kind kind, const struct digests *digests,
	  guint64 size, GError **error)
{
	gint64 file;

	return keep_file(add, digests, size, &file, error) &&
	       sql_run(sql_bind(add->store->sql,
				"INSERT OR IGNORE INTO part_files (event, n, variant, file)"
				" VALUES (?1, ?2, ?3, ?4)",
				"iiii", add->id, (gint64)n, (gint64)kind, file),
		       error);
}

static gboolean
add_contents(struct addition *add, guint n, const struct file *file, GError **error)
{
	/* An encrypted member has none; an archive of such, in another one, has its own. */
	if ((file->flags & FILE_MULTIPART) || !digests_are_known(&file->digests))
		return TRUE;
	if (!link_file(add, n, VARIANT_EXACT, &file->digests, file->size, error))
		return FALSE;
	for (guint i = 0; i < file->variants->len; i++) {
		const struct variant *variant = &g_array_index(file->variants, struct variant, i);

		if (!link_file(add, n, variant->kind, &variant->digests, variant->size, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean
link_part_text(struct addition *add, guint n, guint *position, enum text_kind kind,
	       const char *text, gboolean indexed, GError **error)
{
	g_autofree char *key = text_search_key(text);
	gint64 id;

	return addition_keep_text(add, kind, text, key, indexed, &id, error) &&
	       sql_run(sql_bind(add->store->sql,
				"INSERT INTO part_texts (event, n, position, text)"
				" VALUES (?1, ?2, ?3, ?4)",
				"iiii", add->id, (gint64)n, (gint64)(*position)++, id),
		       error);
}

static const char *
extension_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	if (!dot || dot[1] == '\0' || strpbrk(dot, "/\\ ") || strlen(dot + 1) > EXTENSION_BYTES)
		return NULL;
	return dot + 1;
}

/* Names first, the best at position 0. */
static gboolean
add_part_texts(struct addition *add, guint n, const struct file *file, GError **error)
{
	guint position = 0;

	for (guint i = 0; i < file->names->len; i++) {
		const struct file_name *name = g_ptr_array_index(file->names, i);

		if (!link_part_text(add, n, &position, TEXT_NAME, name->text, TRUE, error))
			return FALSE;
	}
	for (guint i = 0; i < file->names->len; i++) {
		const struct file_name *name = g_ptr_array_index(file->names, i);
		const char *extension = extension_of(name->text);

		if (extension &&
		    !link_part_text(add, n, &position, TEXT_EXTENSION, extension, FALSE, error))
			return FALSE;
	}
	for (guint i = 0; i < file->malware->len; i++) {
		if (!link_part_text(add, n, &position, TEXT_MALWARE,
				    g_ptr_array_index(file->malware, i), FALSE, error))
			return FALSE;
	}
	return TRUE;
}

gboolean
addition_add_part(struct addition *add, guint n, const struct file *file, GError **error)
{
	static const char with_crc[] =
		"INSERT INTO parts (event, n, tenant, path, size, flags, crc32)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
	static const char without_crc[] = "INSERT INTO parts (event, n, tenant, path, size, flags)"
					  " VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
	gboolean candidate = file->has_crc32 && (file->flags & FILE_ENCRYPTED) &&
			     file->size >= CANDIDATE_MIN_BYTES;

	return sql_run(sql_bind(add->store->sql, candidate ? with_crc : without_crc,
				candidate ? "iiisiii" : "iiisii", add->id, (gint64)n, add->tenant,
				file->path, (gint64)file->size, (gint64)file->flags,
				(gint64)file->crc32),
		       error) &&
	       add_part_texts(add, n, file, error) && add_contents(add, n, file, error);
}

gboolean
addition_add_parts(struct addition *add, GError **error)
{
	const GPtrArray *files = add->event->record->files;

	for (guint i = 0; i < files->len; i++) {
		const struct file *file = g_ptr_array_index(files, i);

		if ((file->flags & FILE_MULTIPART) && file->names->len == 0)
			continue;
		if (!addition_add_part(add, i, file, error))
			return FALSE;
	}
	return TRUE;
}
