/* SPDX-License-Identifier: BSD-2-Clause */
/* Adding events: everything that is searched is taken out of them here, once. */
#include <string.h>

#include "network.h"
#include "store_internal.h"
#include "text.h"

/* Links of one message that are indexed; further ones are kept, and compared one by one. */
#define INDEXED_URLS 64
/* What follows the last dot of a name and is longer is no extension. */
#define EXTENSION_BYTES 16

/* An event on its way into the tables. */
struct addition {
	struct store *store;
	const struct event *event;
	gint64 tenant, sensor;
	guint8 event_id[UUID_BYTES];
	guint8 chain[UUID_BYTES]; /* the root's id; the event's own when it is the root */
	gboolean chained;	  /* it has a root other than itself */
	gboolean counted;
	gint64 message_key; /* 0 without a Message-ID */
	gboolean joinable;  /* content says what mail this is */
	guint8 content[SHA256_BYTES];
	gboolean imported;
	gint64 id; /* row of events */
};

/* ---- texts ---- */

static gboolean
keep(struct addition *add, enum text_kind kind, const char *text, const char *key, gboolean indexed,
     gint64 *ret_id, GError **error)
{
	return store_text_keep(add->store->sql, add->tenant, kind, text, key, indexed, ret_id,
			       error);
}

static gboolean
link_text(struct addition *add, enum text_kind kind, const char *text, char *owned_key,
	  gboolean indexed, GError **error)
{
	g_autofree char *key = owned_key;
	gint64 id;

	return keep(add, kind, text, key, indexed, &id, error) &&
	       sql_run(sql_bind(add->store->sql,
				"INSERT OR IGNORE INTO event_texts (event, text) VALUES (?1, ?2)",
				"ii", add->id, id),
		       error);
}

static gboolean
add_senders(struct addition *add, GError **error)
{
	const struct envelope_address *sender = add->event->sender;
	const GPtrArray *from = add->event->record->from;

	if (sender && !link_text(add, TEXT_SENDER, sender->address,
				 address_search_key(sender->address), TRUE, error))
		return FALSE;
	for (guint i = 0; i < from->len; i++) {
		const struct mail_address *address = g_ptr_array_index(from, i);

		if (*address->address &&
		    !link_text(add, TEXT_SENDER, address->address,
			       address_search_key(address->address), TRUE, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean
add_event_texts(struct addition *add, GError **error)
{
	const struct event *event = add->event;
	const struct record *record = event->record;

	if (record->subject && !link_text(add, TEXT_SUBJECT, record->subject,
					  text_search_key(record->subject), TRUE, error))
		return FALSE;
	if (event->client.sasl_user &&
	    !link_text(add, TEXT_LOGIN, event->client.sasl_user,
		       text_search_key(event->client.sasl_user), FALSE, error))
		return FALSE;
	for (guint i = 0; i < record->urls->len; i++) {
		const char *url = g_ptr_array_index(record->urls, i);

		if (!link_text(add, TEXT_URL, url, text_search_key(url), i < INDEXED_URLS, error))
			return FALSE;
	}
	return add_senders(add, error);
}

/* ---- recipients ---- */

static enum recipient_state
state_of(const struct event *event, const struct envelope_address *recipient)
{
	if (recipient->refused)
		return STATE_REJECTED;
	switch (event->verdict) {
	case VERDICT_ACCEPT:
		return STATE_ACCEPTED;
	case VERDICT_HOLD:
		return STATE_HELD;
	default:
		return STATE_REJECTED;
	}
}

/*
 * Asks whether this mail was recorded otherwise for this recipient: an import
 * looks among all events, and a live one is never joined to another.
 */
static gboolean
known_recipient(struct addition *add, const char *key, gboolean *ret_known, GError **error)
{
	gint64 count = 0;

	if (add->imported && add->joinable &&
	    !sql_number(sql_bind(add->store->sql,
				 "SELECT count(*) FROM events e"
				 " CROSS JOIN recipients r ON r.event=e.id"
				 " CROSS JOIN texts t ON t.id=r.address"
				 " WHERE e.tenant=?1 AND e.message_key=?2 AND e.content=?3"
				 " AND r.state<>3 AND t.hash=?4 AND coalesce(t.key, t.text)=?5",
				 "iibis", add->tenant, add->message_key, add->content,
				 (gsize)SHA256_BYTES, store_text_hash(key), key),
			0, &count, error))
		return FALSE;
	*ret_known = count > 0;
	return TRUE;
}

static gboolean
add_recipient(struct addition *add, guint n, GError **error)
{
	const struct envelope_address *recipient = g_ptr_array_index(add->event->recipients, n);
	g_autofree char *key = address_search_key(recipient->address);
	gboolean known;
	gint64 id;

	if (!known_recipient(add, key, &known, error))
		return FALSE;
	if (known)
		return TRUE;
	return keep(add, TEXT_RECIPIENT, recipient->address, key, TRUE, &id, error) &&
	       sql_run(sql_bind(add->store->sql,
				"INSERT INTO recipients (event, n, address, state, refused)"
				" VALUES (?1, ?2, ?3, ?4, ?5)",
				"iiiii", add->id, (gint64)n, id,
				(gint64)state_of(add->event, recipient),
				(gint64)recipient->refused),
		       error);
}

static gboolean
add_recipients(struct addition *add, GError **error)
{
	for (guint i = 0; i < add->event->recipients->len; i++) {
		if (!add_recipient(add, i, error))
			return FALSE;
	}
	return TRUE;
}

/* ---- files ---- */

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
	if ((file->flags & FILE_MULTIPART) ||
	    ((file->flags & FILE_ENCRYPTED) && file_is_member(file)))
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

	return keep(add, kind, text, key, indexed, &id, error) &&
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

static gboolean
add_part(struct addition *add, guint n, const struct file *file, GError **error)
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

static gboolean
add_parts(struct addition *add, GError **error)
{
	const GPtrArray *files = add->event->record->files;

	for (guint i = 0; i < files->len; i++) {
		const struct file *file = g_ptr_array_index(files, i);

		if ((file->flags & FILE_MULTIPART) && file->names->len == 0)
			continue;
		if (!add_part(add, i, file, error))
			return FALSE;
	}
	return TRUE;
}

/* ---- chains, joining, counting ---- */

static gboolean
uncount_all(struct addition *add, GArray *ids, GError **error)
{
	for (guint i = 0; i < ids->len; i++) {
		if (!store_uncount(add->store, add->tenant, g_array_index(ids, gint64, i), error))
			return FALSE;
	}
	return TRUE;
}

/* Finds the root of the event's chain: that of its parent, if we have it, or the parent. */
static gboolean
find_chain(struct addition *add, GError **error)
{
	guint8 parent[UUID_BYTES];
	g_autoptr(sql_stmt_t) row = NULL;
	int more;

	memcpy(add->chain, add->event_id, UUID_BYTES);
	if (!store_uuid(add->event->parent_event, parent))
		return TRUE;
	memcpy(add->chain, parent, UUID_BYTES);
	row = sql_bind(add->store->sql, "SELECT chain FROM events WHERE tenant=?1 AND event_id=?2",
		       "ib", add->tenant, parent, (gsize)UUID_BYTES);
	more = sql_next(row, error);
	if (more < 0)
		return FALSE;
	if (more > 0 && !sql_is_null(row, 0)) {
		gsize length;
		const void *root = sql_blob(row, 0, &length);

		if (length == UUID_BYTES)
			memcpy(add->chain, root, UUID_BYTES);
	}
	add->chained = memcmp(add->chain, add->event_id, UUID_BYTES) != 0;
	return TRUE;
}

/*
 * Later hops may have come before us, and have us for their root.  They get
 * ours, and since a chain is one message, only one of all its events counts:
 * the first that came.
 */
static gboolean
join_chain(struct addition *add, GError **error)
{
	g_autoptr(GArray) later = NULL;
	gint64 members = 0;

	if (add->chained &&
	    !sql_number(sql_bind(add->store->sql,
				 "SELECT (SELECT count(*) FROM events WHERE tenant=?1 AND chain=?2"
				 " AND counted) + (SELECT count(*) FROM events WHERE tenant=?1"
				 " AND event_id=?2 AND counted)",
				 "ib", add->tenant, add->chain, (gsize)UUID_BYTES),
			0, &members, error))
		return FALSE;
	if (!store_read_ids(
		    sql_bind(add->store->sql,
			     "SELECT id FROM events WHERE tenant=?1 AND chain=?2 AND counted", "ib",
			     add->tenant, add->event_id, (gsize)UUID_BYTES),
		    &later, error))
		return FALSE;
	add->counted = members == 0 && later->len == 0;
	if (!add->chained)
		return TRUE;
	if (members > 0 && !uncount_all(add, later, error))
		return FALSE;
	return sql_run(sql_bind(add->store->sql,
				"UPDATE events SET chain=?3 WHERE tenant=?1 AND chain=?2", "ibb",
				add->tenant, add->event_id, (gsize)UUID_BYTES, add->chain,
				(gsize)UUID_BYTES),
		       error);
}

/* A mail that was imported first and comes from a sensor now: the sensor's record stands. */
static gboolean
supersede_imports(struct addition *add, GError **error)
{
	g_autoptr(GArray) imports = NULL;

	if (add->imported || !add->joinable)
		return TRUE;
	if (!store_read_ids(sql_bind(add->store->sql,
				     "SELECT id FROM events WHERE tenant=?1 AND message_key=?2"
				     " AND content=?3 AND origin=1 AND id<>?4",
				     "iibi", add->tenant, add->message_key, add->content,
				     (gsize)SHA256_BYTES, add->id),
			    &imports, error))
		return FALSE;
	for (guint i = 0; i < imports->len; i++) {
		gint64 id = g_array_index(imports, gint64, i);

		if (!sql_run(sql_bind(add->store->sql,
				      "DELETE FROM recipients WHERE event=?1 AND EXISTS ("
				      "SELECT 1 FROM texts a CROSS JOIN recipients r"
				      " CROSS JOIN texts b ON b.id=r.address"
				      " WHERE a.id=recipients.address AND r.event=?2 AND r.state<>3"
				      " AND coalesce(a.key, a.text)=coalesce(b.key, b.text))",
				      "ii", id, add->id),
			     error))
			return FALSE;
		if (sql_changes(add->store->sql) > 0 &&
		    (!store_uncount(add->store, add->tenant, id, error) ||
		     !sql_run(sql_bind(add->store->sql, "UPDATE events SET joined=?2 WHERE id=?1",
				       "ii", id, add->id),
			      error)))
			return FALSE;
	}
	return TRUE;
}

/* ---- the event ---- */

static gboolean
all_recipients_known(struct addition *add, gboolean *ret_known, GError **error)
{
	const GPtrArray *recipients = add->event->recipients;
	gboolean known = add->imported && add->joinable && recipients->len > 0;

	for (guint i = 0; known && i < recipients->len; i++) {
		const struct envelope_address *recipient = g_ptr_array_index(recipients, i);
		g_autofree char *key = address_search_key(recipient->address);

		if (!known_recipient(add, key, &known, error))
			return FALSE;
	}
	*ret_known = known;
	return TRUE;
}

static char *
bare_message_id(const char *text)
{
	gsize length = strlen(text);

	if (length >= 2 && text[0] == '<' && text[length - 1] == '>')
		return g_strndup(text + 1, length - 2);
	return g_strdup(text);
}

gint64
store_message_key(const char *message_id)
{
	g_autofree char *bare = bare_message_id(message_id);

	return store_text_hash(bare);
}

static gboolean
insert_json(struct addition *add, GBytes *json, GError **error)
{
	gboolean is_packed;
	g_autoptr(GBytes) packed = store_pack(add->store, json, &is_packed);
	gsize length;
	const void *bytes = g_bytes_get_data(packed, &length);

	return sql_run(sql_bind(add->store->sql,
				"INSERT INTO event_json (event, packed, json) VALUES (?1, ?2, ?3)",
				"iib", add->id, (gint64)is_packed, bytes, length),
		       error);
}

static gboolean
insert_event(struct addition *add, GBytes *json, GError **error)
{
	static const char insert[] =
		"INSERT INTO events (tenant, event_id, chain, sensor, received_at_us, counted,"
		" unread, origin, direction, verdict, sender, subject, queue_id, message_id,"
		" message_key, content, client_ip, digest, host) VALUES (?1, ?2, ?3, ?4, ?5, ?6,"
		" ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, nullif(?15, 0), ?16, ?17, ?18, ?19)";
	const struct event *event = add->event;
	const struct record *record = event->record;
	const struct mail_address *from =
		record->from->len > 0 ? g_ptr_array_index(record->from, 0) : NULL;
	const char *sender = event->sender
				     ? (*event->sender->address ? event->sender->address : "<>")
			     : from ? from->address
				    : NULL;
	gsize length;
	const void *bytes = g_bytes_get_data(json, &length);
	struct digests digests;
	g_autofree char *host = event->host ? g_ascii_strdown(event->host, -1) : NULL;
	guint8 ip[16];
	gboolean has_ip = network_ip(event->client.ip, ip);

	digests_of(bytes, length, &digests);
	if (!sql_run(sql_bind(add->store->sql, insert, "ibbiiiiiiissssibbbs", add->tenant,
			      add->event_id, (gsize)UUID_BYTES, add->chained ? add->chain : NULL,
			      (gsize)UUID_BYTES, add->sensor, event->received_at_us,
			      (gint64)add->counted, (gint64)event_has_unread_files(event),
			      (gint64)add->imported, (gint64)event->direction,
			      (gint64)event->verdict, sender, record->subject, event->queue_id,
			      record->message_id, add->message_key,
			      add->joinable ? add->content : NULL, (gsize)SHA256_BYTES,
			      has_ip ? ip : NULL, (gsize)sizeof(ip), digests.sha256,
			      (gsize)SHA256_BYTES, host),
		     error))
		return FALSE;
	add->id = sql_last_id(add->store->sql);
	return insert_json(add, json, error);
}

static gboolean
store_addition(struct addition *add, GBytes *json, GError **error)
{
	const struct event *event = add->event;
	gboolean counts = event->verdict == VERDICT_ACCEPT || event->verdict == VERDICT_HOLD;

	if (!find_chain(add, error) || !join_chain(add, error))
		return FALSE;
	add->counted = add->counted && counts;
	if (!insert_event(add, json, error) || !add_recipients(add, error) ||
	    !add_event_texts(add, error) || !add_parts(add, error) ||
	    !supersede_imports(add, error))
		return FALSE;
	if (add->counted && !store_count_hour(add->store, add->tenant, event->received_at_us, 1,
					      event_has_unread_files(event), error))
		return FALSE;
	if (!add->imported &&
	    !store_join_deliveries(add->store, add->tenant, add->id, event->queue_id, error))
		return FALSE;
	return sql_run(sql_bind(add->store->sql,
				"UPDATE sensors SET last_event_us=max(last_event_us, ?2),"
				" begun_us=iif(?3 OR (begun_us>0 AND begun_us<=?2), begun_us, ?2)"
				" WHERE id=?1",
				"iii", add->sensor, event->received_at_us, (gint64)add->imported),
		       error);
}

/* Fills what joining needs; an unread message has no content to be known by. */
static void
identify_content(struct addition *add)
{
	const struct record *record = add->event->record;

	add->imported = g_strcmp0(add->event->origin, "import") == 0;
	if (!record->message_id || add->event->unread || record->files->len == 0)
		return;
	record_content_key(record, add->content);
	add->joinable = TRUE;
}

static gboolean
begin_addition(struct addition *add, GError **error)
{
	const struct event *event = add->event;

	if (!event->tenant || !event->sensor || !store_uuid(event->event_id, add->event_id)) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_EVENT,
			    "the event has no valid id, tenant or sensor");
		return FALSE;
	}
	if (event->record->message_id)
		add->message_key = store_message_key(event->record->message_id);
	identify_content(add);
	return store_make_tenant(add->store, event->tenant, &add->tenant, error) &&
	       store_make_sensor(add->store, add->tenant, event->sensor, &add->sensor, error);
}

static gboolean
add_once(struct addition *add, GBytes *json, gboolean *ret_added, GError **error)
{
	gint64 known_id;
	gboolean known;

	if (!begin_addition(add, error) ||
	    !sql_number(sql_bind(add->store->sql,
				 "SELECT id FROM events WHERE tenant=?1 AND event_id=?2", "ib",
				 add->tenant, add->event_id, (gsize)UUID_BYTES),
			0, &known_id, error) ||
	    !all_recipients_known(add, &known, error))
		return FALSE;
	*ret_added = !known_id && !known;
	return !*ret_added || (store_addition(add, json, error) &&
			       store_block_count(add->store, add->tenant, add->event, error));
}

gboolean
store_add_event(struct store *store, const struct event *event, GBytes *json,
		const struct store_sequence *sequence, gboolean *ret_added, GError **error)
{
	struct addition add = {.store = store, .event = event};
	gboolean added = FALSE;
	gboolean done;

	if (!store_begin_change(store, error))
		return FALSE;
	done = add_once(&add, json, &added, error) &&
	       (!sequence ||
		store_note_number(store, event->sensor, sequence, event->received_at_us, error));
	if (!store_end_change(store, done, error))
		return FALSE;
	*ret_added = added;
	return TRUE;
}

/* ---- what is found later ---- */

/* Finds the event that is supplemented: its row, or 0. */
static gboolean
find_earlier(struct addition *add, GError **error)
{
	guint8 earlier[UUID_BYTES];

	if (!store_uuid(add->event->supplements, earlier)) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_EVENT,
			    "the event says no valid id of an earlier one");
		return FALSE;
	}
	return sql_number(sql_bind(add->store->sql,
				   "SELECT id FROM events WHERE tenant=?1 AND event_id=?2", "ib",
				   add->tenant, earlier, (gsize)UUID_BYTES),
			  0, &add->id, error);
}

/* Whether the event has a file of this path already, and not as something encrypted. */
static gboolean
has_part(struct addition *add, const struct file *file, gboolean *ret_has, GError **error)
{
	gint64 count;

	if (!sql_number(sql_bind(add->store->sql,
				 "SELECT count(*) FROM parts WHERE event=?1 AND path=?2"
				 " AND flags & ?3 = 0",
				 "isi", add->id, file->path, (gint64)FILE_ENCRYPTED),
			0, &count, error))
		return FALSE;
	*ret_has = count > 0;
	return TRUE;
}

/* Adds the files that can be read now, behind those that are there. */
static gboolean
add_new_parts(struct addition *add, GError **error)
{
	const GPtrArray *files = add->event->record->files;
	gint64 next;

	if (!sql_number(sql_bind(add->store->sql,
				 "SELECT coalesce(max(n), -1) + 1 FROM parts WHERE event=?1", "i",
				 add->id),
			0, &next, error))
		return FALSE;
	for (guint i = 0; i < files->len; i++) {
		const struct file *file = g_ptr_array_index(files, i);
		gboolean has;

		if (!file_is_member(file) || (file->flags & (FILE_ENCRYPTED | FILE_MULTIPART)))
			continue;
		if (!has_part(add, file, &has, error) ||
		    (!has && !add_part(add, (guint)next++, file, error)))
			return FALSE;
	}
	return TRUE;
}

static gboolean
insert_supplement(struct addition *add, GBytes *json, GError **error)
{
	gboolean is_packed;
	g_autoptr(GBytes) packed = store_pack(add->store, json, &is_packed);
	gsize length;
	const void *bytes = g_bytes_get_data(packed, &length);
	struct digests digests;

	digests_of(g_bytes_get_data(json, NULL), g_bytes_get_size(json), &digests);
	return sql_run(sql_bind(add->store->sql,
				"INSERT INTO supplements (event, tenant, event_id, packed, json,"
				" digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
				"iibibb", add->id, add->tenant, add->event_id, (gsize)UUID_BYTES,
				(gint64)is_packed, bytes, length, digests.sha256,
				(gsize)SHA256_BYTES),
		       error);
}

static gboolean
supplement_once(struct addition *add, GBytes *json, gboolean *ret_added, gboolean *ret_known,
		GError **error)
{
	gint64 before;

	if (!begin_addition(add, error) || !find_earlier(add, error) ||
	    !sql_number(sql_bind(add->store->sql,
				 "SELECT count(*) FROM supplements WHERE tenant=?1 AND event_id=?2",
				 "ib", add->tenant, add->event_id, (gsize)UUID_BYTES),
			0, &before, error))
		return FALSE;
	*ret_known = add->id != 0;
	*ret_added = add->id != 0 && !before;
	return !*ret_added || (insert_supplement(add, json, error) && add_new_parts(add, error) &&
			       store_block_count(add->store, add->tenant, add->event, error));
}

gboolean
store_add_supplement(struct store *store, const struct event *event, GBytes *json,
		     const struct store_sequence *sequence, gboolean *ret_added,
		     gboolean *ret_known, GError **error)
{
	struct addition add = {.store = store, .event = event};
	gboolean added = FALSE, known = FALSE, done;

	if (!store_begin_change(store, error))
		return FALSE;
	done = supplement_once(&add, json, &added, &known, error) &&
	       (!sequence || !known ||
		store_note_number(store, event->sensor, sequence, event->received_at_us, error));
	if (!store_end_change(store, done, error))
		return FALSE;
	*ret_added = added;
	*ret_known = known;
	return TRUE;
}
