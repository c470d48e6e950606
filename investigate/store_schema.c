/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_schema.h"

#include "store_journal.h"

/* SQLite's application_id: "mltr". */
#define APPLICATION_ID 0x6d6c7472
#define STRING(x) #x
#define VALUE_OF(x) STRING(x)

/*
 * Version 1.
 *
 * An event is a row with what every answer shows; its JSON is apart, so that a
 * walk over events stays short.  Text that is searched (subjects, names, links,
 * addresses, logins, extensions, malware names) is kept once per tenant and
 * linked; grams holds the pairs of characters of its search keys (store_text.h).
 * A file is kept once per tenant and content and linked by part_files, with the
 * variant in which the part has it; digests finds it by the first eight bytes
 * of any of its digests, which files then confirms: eight bytes a key keep the
 * index a quarter of what whole digests would need.
 *
 * All hangs from events, and goes with them.
 */
static const char version_1[] =
	"CREATE TABLE tenants (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"

	"CREATE TABLE sensors ("
	" id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL REFERENCES tenants(id),"
	" name TEXT NOT NULL, epoch TEXT, last_seen_us INTEGER NOT NULL DEFAULT 0,"
	" last_event_us INTEGER NOT NULL DEFAULT 0, complete_us INTEGER NOT NULL DEFAULT 0,"
	" counters TEXT, UNIQUE (tenant, name));"

	"CREATE TABLE epochs ("
	" id INTEGER PRIMARY KEY, sensor TEXT NOT NULL, epoch TEXT NOT NULL,"
	" last INTEGER NOT NULL DEFAULT 0, UNIQUE (sensor, epoch));"
	/* Numbers that came, as stretches without a hole, with their receive times. */
	"CREATE TABLE ranges ("
	" epoch INTEGER NOT NULL REFERENCES epochs(id) ON DELETE CASCADE,"
	" first INTEGER NOT NULL, last INTEGER NOT NULL,"
	" first_us INTEGER NOT NULL, last_us INTEGER NOT NULL,"
	" PRIMARY KEY (epoch, first)) WITHOUT ROWID;"

	"CREATE TABLE events ("
	" id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL REFERENCES tenants(id),"
	" event_id BLOB NOT NULL, chain BLOB," /* chain: the root's event_id, NULL in the root */
	" sensor INTEGER NOT NULL REFERENCES sensors(id), received_at_us INTEGER NOT NULL,"
	" counted INTEGER NOT NULL, unread INTEGER NOT NULL, origin INTEGER NOT NULL,"
	" direction INTEGER NOT NULL, verdict INTEGER NOT NULL, sender TEXT, subject TEXT,"
	" queue_id TEXT, message_id TEXT, message_key INTEGER, content BLOB, client_ip BLOB,"
	" joined INTEGER, digest BLOB NOT NULL);"
	"CREATE UNIQUE INDEX events_event_id ON events (tenant, event_id);"
	"CREATE INDEX events_time ON events (tenant, received_at_us, counted, unread);"
	"CREATE INDEX events_chain ON events (tenant, chain) WHERE chain IS NOT NULL;"
	"CREATE INDEX events_queue ON events (tenant, queue_id) WHERE queue_id IS NOT NULL;"
	"CREATE INDEX events_message ON events (tenant, message_key)"
	" WHERE message_key IS NOT NULL;"
	"CREATE INDEX events_ip ON events (tenant, client_ip) WHERE client_ip IS NOT NULL;"
	"CREATE TABLE event_json ("
	" event INTEGER PRIMARY KEY REFERENCES events(id) ON DELETE CASCADE,"
	" packed INTEGER NOT NULL, json BLOB NOT NULL);"

	/* Messages and unread ones of an hour, so that a coverage need not count them. */
	"CREATE TABLE hours ("
	" tenant INTEGER NOT NULL, hour INTEGER NOT NULL, messages INTEGER NOT NULL,"
	" unread INTEGER NOT NULL, PRIMARY KEY (tenant, hour)) WITHOUT ROWID;"

	"CREATE TABLE texts ("
	" id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL REFERENCES tenants(id),"
	" kind INTEGER NOT NULL, hash INTEGER NOT NULL," /* of the search key */
	" text TEXT NOT NULL, key TEXT,"		 /* NULL: the text is its own key */
	" indexed INTEGER NOT NULL);"
	"CREATE INDEX texts_hash ON texts (tenant, kind, hash);"
	"CREATE INDEX texts_unindexed ON texts (tenant, kind) WHERE NOT indexed;"
	"CREATE VIRTUAL TABLE grams USING fts5 ("
	" pairs, content='', detail=none, columnsize=0, tokenize='ascii');"

	"CREATE TABLE event_texts ("
	" event INTEGER NOT NULL REFERENCES events(id) ON DELETE CASCADE,"
	" text INTEGER NOT NULL REFERENCES texts(id),"
	" PRIMARY KEY (event, text)) WITHOUT ROWID;"
	"CREATE INDEX event_texts_text ON event_texts (text);"

	"CREATE TABLE recipients ("
	" event INTEGER NOT NULL REFERENCES events(id) ON DELETE CASCADE, n INTEGER NOT NULL,"
	" address INTEGER NOT NULL REFERENCES texts(id), state INTEGER NOT NULL,"
	" refused INTEGER NOT NULL, PRIMARY KEY (event, n)) WITHOUT ROWID;"
	"CREATE INDEX recipients_address ON recipients (address);"

	"CREATE TABLE files ("
	" id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL REFERENCES tenants(id),"
	" size INTEGER NOT NULL, sha256 BLOB NOT NULL, sha1 BLOB NOT NULL, md5 BLOB NOT NULL);"
	"CREATE TABLE digests ("
	" tenant INTEGER NOT NULL, key INTEGER NOT NULL,"
	" file INTEGER NOT NULL REFERENCES files(id) ON DELETE CASCADE,"
	" PRIMARY KEY (tenant, key, file)) WITHOUT ROWID;"
	/* Of an encrypted member: crc32 of what it will be once opened. */
	"CREATE TABLE parts ("
	" event INTEGER NOT NULL REFERENCES events(id) ON DELETE CASCADE, n INTEGER NOT NULL,"
	" tenant INTEGER NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL,"
	" flags INTEGER NOT NULL, crc32 INTEGER, PRIMARY KEY (event, n)) WITHOUT ROWID;"
	"CREATE INDEX parts_crc32 ON parts (tenant, crc32, size) WHERE crc32 IS NOT NULL;"
	"CREATE TABLE part_files ("
	" event INTEGER NOT NULL, n INTEGER NOT NULL, variant INTEGER NOT NULL,"
	" file INTEGER NOT NULL REFERENCES files(id), PRIMARY KEY (event, n, variant),"
	" FOREIGN KEY (event, n) REFERENCES parts(event, n) ON DELETE CASCADE) WITHOUT ROWID;"
	"CREATE INDEX part_files_file ON part_files (file);"
	"CREATE TABLE part_texts ("
	" event INTEGER NOT NULL, n INTEGER NOT NULL, position INTEGER NOT NULL,"
	" text INTEGER NOT NULL REFERENCES texts(id), PRIMARY KEY (event, n, position),"
	" FOREIGN KEY (event, n) REFERENCES parts(event, n) ON DELETE CASCADE) WITHOUT ROWID;"
	"CREATE INDEX part_texts_text ON part_texts (text);"

	"CREATE TABLE dead_letters ("
	" id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, sensor TEXT NOT NULL, epoch TEXT,"
	" n INTEGER, time_us INTEGER NOT NULL, reason TEXT NOT NULL, json BLOB NOT NULL);"
	"CREATE TABLE audit ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, time_us INTEGER NOT NULL, actor TEXT NOT NULL,"
	" tenant TEXT NOT NULL, verb TEXT NOT NULL, arguments TEXT NOT NULL, case_id TEXT,"
	" reason TEXT, results INTEGER NOT NULL);";

/*
 * Version 2: what became of messages.  A delivery is kept as it came, as an
 * event is, and hangs from the event it was joined to, if that is here (the
 * log may be quicker than the milter).  Its keys are search keys; recipient_key
 * is NULL where the line speaks of the message as a whole.  events.host is
 * NULL in events of version 1: they fit every log.
 */
static const char version_2[] =
	"ALTER TABLE events ADD COLUMN host TEXT;"
	"ALTER TABLE events ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;" /* by the MTA */

	"CREATE TABLE deliveries ("
	" id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL REFERENCES tenants(id),"
	" delivery_id BLOB NOT NULL, sensor INTEGER NOT NULL REFERENCES sensors(id),"
	" event INTEGER REFERENCES events(id) ON DELETE CASCADE, log_host TEXT NOT NULL,"
	" queue_id TEXT NOT NULL, time_us INTEGER NOT NULL, kind INTEGER NOT NULL,"
	" recipient TEXT, recipient_key TEXT, original TEXT, original_key TEXT, dsn TEXT,"
	" relay TEXT, detail TEXT, next_queue_id TEXT, recipients INTEGER NOT NULL,"
	" packed INTEGER NOT NULL, json BLOB NOT NULL, digest BLOB NOT NULL);"
	"CREATE UNIQUE INDEX deliveries_delivery_id ON deliveries (tenant, delivery_id);"
	"CREATE INDEX deliveries_queue ON deliveries (tenant, queue_id);"
	"CREATE INDEX deliveries_recipient ON deliveries (event, recipient_key)"
	" WHERE event IS NOT NULL;"
	"CREATE INDEX deliveries_original ON deliveries (event, original_key)"
	" WHERE event IS NOT NULL AND original_key IS NOT NULL;";

/*
 * Version 3: the block list (store_blocks.h).  A key has a row for each block
 * that has it; its version is that of the list's last change of it.
 */
static const char version_3[] =
	"CREATE TABLE block_list (id BLOB NOT NULL, version INTEGER NOT NULL);"
	"INSERT INTO block_list (id, version) VALUES (randomblob(16), 0);"
	"CREATE TABLE blocks ("
	" number INTEGER PRIMARY KEY, tenant INTEGER NOT NULL REFERENCES tenants(id),"
	" what TEXT NOT NULL, name TEXT, mode INTEGER NOT NULL, created_us INTEGER NOT NULL,"
	" expires_us INTEGER NOT NULL DEFAULT 0, ended_us INTEGER NOT NULL DEFAULT 0,"
	" actor TEXT, case_id TEXT, reason TEXT, hits INTEGER NOT NULL DEFAULT 0,"
	" last_hit_us INTEGER NOT NULL DEFAULT 0);"
	"CREATE UNIQUE INDEX blocks_what ON blocks (tenant, what) WHERE ended_us=0;"
	"CREATE INDEX blocks_expires ON blocks (expires_us) WHERE ended_us=0 AND expires_us>0;"
	"CREATE TABLE block_keys ("
	" tenant INTEGER NOT NULL REFERENCES tenants(id), kind INTEGER NOT NULL,"
	" key BLOB NOT NULL, number INTEGER NOT NULL REFERENCES blocks(number) ON DELETE CASCADE,"
	" version INTEGER NOT NULL, PRIMARY KEY (tenant, kind, key, number)) WITHOUT ROWID;"
	"CREATE INDEX block_keys_version ON block_keys (tenant, version);"
	"CREATE INDEX block_keys_number ON block_keys (number);";

/*
 * Version 4: what heartbeats tell of themselves, and the stretches of time in
 * which a sensor let mail pass unseen.  deliveries_unseen has what the MTA
 * accepted and no event of ours is joined to.
 */
static const char version_4[] =
	"ALTER TABLE sensors ADD COLUMN started_us INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE sensors ADD COLUMN unrecorded INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE sensors ADD COLUMN log_gaps INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE sensors ADD COLUMN offset_us INTEGER;" /* NULL: not measured */
	"CREATE TABLE intervals ("
	" id INTEGER PRIMARY KEY, sensor INTEGER NOT NULL REFERENCES sensors(id),"
	" reason TEXT NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL,"
	" messages INTEGER NOT NULL);"
	"CREATE INDEX intervals_sensor ON intervals (sensor, to_us);"
	"CREATE INDEX deliveries_unseen ON deliveries (tenant, time_us)"
	" WHERE event IS NULL AND kind=0;"
	"CREATE INDEX deliveries_next ON deliveries (tenant, next_queue_id)"
	" WHERE next_queue_id IS NOT NULL;";

/*
 * Version 5: since when a sensor records.  Of those that are there already, the
 * oldest of their numbered events and of their last start tells.
 */
static const char version_5[] =
	"ALTER TABLE sensors ADD COLUMN begun_us INTEGER NOT NULL DEFAULT 0;"
	"UPDATE sensors SET begun_us=iif(started_us>0, started_us, last_seen_us);"
	"UPDATE sensors SET begun_us=min(begun_us, (SELECT coalesce(min(r.first_us), begun_us)"
	" FROM epochs e JOIN ranges r ON r.epoch=e.id WHERE e.sensor=sensors.name))"
	" WHERE begun_us>0;";

/*
 * Version 6: the journal (store_journal.h), which takes the audit log's place:
 * store_journal_adopt() makes its chain and enters what that had.  An entry's
 * tenant and time stand beside it to be found by.
 */
static const char version_6[] =
	"CREATE TABLE journal ("
	" seq INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, tenant TEXT NOT NULL,"
	" hash BLOB NOT NULL, entry BLOB NOT NULL);"
	"CREATE INDEX journal_time ON journal (time_us);"
	"CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal"
	" BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;"
	"CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal"
	" BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;"
	"CREATE TABLE journal_chain ("
	" id INTEGER PRIMARY KEY CHECK (id=1), uid TEXT NOT NULL, seq INTEGER NOT NULL,"
	" hash BLOB NOT NULL, last_uid TEXT, last_type INTEGER NOT NULL DEFAULT 0);";

/* Version 7: the newest anchor of the journal (anchor.h), NULL before the first. */
static const char version_7[] = "ALTER TABLE journal_chain ADD COLUMN anchor TEXT;";

/* Version 8: what was found in a message's files later; the parts are the event's. */
static const char version_8[] =
	"CREATE TABLE supplements ("
	" id INTEGER PRIMARY KEY, event INTEGER NOT NULL REFERENCES events(id) ON DELETE CASCADE,"
	" tenant INTEGER NOT NULL, event_id BLOB NOT NULL, packed INTEGER NOT NULL,"
	" json BLOB NOT NULL, digest BLOB NOT NULL);"
	"CREATE UNIQUE INDEX supplements_event_id ON supplements (tenant, event_id);"
	"CREATE INDEX supplements_event ON supplements (event);";

/*
 * Version 9: records that go.  expiry says before when a tenant's may be gone.
 * The digests of a file go with it by hand: to find them by the file took an
 * index as large as the table, or a walk through all of it for each file.
 * deliveries_orphan has the lines that no event takes with it.
 */
static const char version_9[] =
	"CREATE TABLE expiry ("
	" tenant INTEGER PRIMARY KEY REFERENCES tenants(id), before_us INTEGER NOT NULL);"
	"CREATE TABLE digests_9 ("
	" tenant INTEGER NOT NULL, key INTEGER NOT NULL, file INTEGER NOT NULL,"
	" PRIMARY KEY (tenant, key, file)) WITHOUT ROWID;"
	"INSERT INTO digests_9 SELECT tenant, key, file FROM digests ORDER BY tenant, key, file;"
	"DROP TABLE digests;"
	"ALTER TABLE digests_9 RENAME TO digests;"
	"CREATE INDEX deliveries_orphan ON deliveries (tenant, time_us) WHERE event IS NULL;";

/*
 * Version 10: legal holds (store_holds.h).  A held event cannot be deleted: its row
 * of held refers to it, and goes first only when its hold has ended.
 */
static const char version_10[] =
	"CREATE TABLE holds ("
	" number INTEGER PRIMARY KEY AUTOINCREMENT, tenant INTEGER NOT NULL REFERENCES tenants(id),"
	" what TEXT NOT NULL, created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL DEFAULT 0,"
	" ended_us INTEGER NOT NULL DEFAULT 0, actor TEXT, case_id TEXT, reason TEXT);"
	"CREATE TABLE held ("
	" event INTEGER NOT NULL REFERENCES events(id),"
	" hold INTEGER NOT NULL REFERENCES holds(number), PRIMARY KEY (event, hold))"
	" WITHOUT ROWID;"
	"CREATE INDEX held_hold ON held (hold);";

/*
 * Version 11: how many messages of an hour were erased on request (store_erase.h).
 */
static const char version_11[] =
	"CREATE TABLE erased ("
	" tenant INTEGER NOT NULL, hour INTEGER NOT NULL, messages INTEGER NOT NULL,"
	" PRIMARY KEY (tenant, hour)) WITHOUT ROWID;";

/*
 * Version 12: plans of containment (store_plans.h).  unsettled counts the commands
 * of a recipient that are not settled yet; only recipients all of whose copies a
 * plan reaches are there.
 */
static const char version_12[] =
	"CREATE TABLE plans ("
	" id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL REFERENCES tenants(id),"
	" plan_id TEXT NOT NULL, digest TEXT NOT NULL, kind INTEGER NOT NULL, created_by TEXT,"
	" created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL, begun_by TEXT NOT NULL,"
	" begun_us INTEGER NOT NULL, case_id TEXT, reason TEXT, UNIQUE (tenant, plan_id));"
	"CREATE TABLE plan_commands ("
	" id INTEGER PRIMARY KEY, plan INTEGER NOT NULL REFERENCES plans(id) ON DELETE CASCADE,"
	" tenant INTEGER NOT NULL, command_id TEXT NOT NULL, role INTEGER NOT NULL,"
	" json TEXT NOT NULL, undoes INTEGER NOT NULL, denied TEXT,"
	" outcome INTEGER NOT NULL DEFAULT -1, settled INTEGER NOT NULL DEFAULT 0,"
	" undone INTEGER NOT NULL DEFAULT 0, answered_us INTEGER NOT NULL DEFAULT 0,"
	" response TEXT, block INTEGER NOT NULL DEFAULT 0, UNIQUE (tenant, command_id));"
	"CREATE INDEX plan_commands_plan ON plan_commands (plan);"
	"CREATE TABLE plan_recipients ("
	" id INTEGER PRIMARY KEY, plan INTEGER NOT NULL REFERENCES plans(id) ON DELETE CASCADE,"
	" event BLOB NOT NULL, key TEXT NOT NULL, unsettled INTEGER NOT NULL);"
	"CREATE INDEX plan_recipients_plan ON plan_recipients (plan);"
	"CREATE TABLE plan_links ("
	" command INTEGER NOT NULL REFERENCES plan_commands(id) ON DELETE CASCADE,"
	" recipient INTEGER NOT NULL REFERENCES plan_recipients(id) ON DELETE CASCADE,"
	" PRIMARY KEY (command, recipient)) WITHOUT ROWID;"
	"CREATE TABLE approvals ("
	" id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL REFERENCES tenants(id),"
	" digest TEXT NOT NULL, name TEXT NOT NULL, fingerprint TEXT NOT NULL, user TEXT,"
	" uid INTEGER NOT NULL, actor TEXT NOT NULL, time_us INTEGER NOT NULL,"
	" signature TEXT NOT NULL, UNIQUE (tenant, digest, name));";

/*
 * Version 13: messages that go on under another queue id.  What is said under it
 * of one address is found by both, and so are the lines that handed it over.
 */
static const char version_13[] =
	"DROP INDEX deliveries_queue;"
	"CREATE INDEX deliveries_queue ON deliveries (tenant, queue_id, recipient_key);"
	"CREATE INDEX deliveries_queue_original ON deliveries (tenant, queue_id, original_key)"
	" WHERE original_key IS NOT NULL;"
	"DROP INDEX deliveries_next;"
	"CREATE INDEX deliveries_next ON deliveries (tenant, next_queue_id, recipient_key)"
	" WHERE next_queue_id IS NOT NULL;"
	"CREATE INDEX deliveries_forwarded ON deliveries (tenant, next_queue_id)"
	" WHERE next_queue_id IS NOT NULL AND relay='local';";

/*
 * Version 14: copies in mailboxes.  Their lines are of no event; those of an LMTP session
 * are found by its id (queue_id), and a user's deeds by the mailbox (recipient_key) and
 * the Message-ID, or the folder and the UID.
 */
static const char version_14[] =
	"ALTER TABLE deliveries ADD COLUMN folder TEXT;"
	"ALTER TABLE deliveries ADD COLUMN from_folder TEXT;"
	"ALTER TABLE deliveries ADD COLUMN storage_id TEXT;"
	"ALTER TABLE deliveries ADD COLUMN message_key TEXT;"
	"ALTER TABLE deliveries ADD COLUMN uid INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE deliveries ADD COLUMN uid_last INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX deliveries_message ON deliveries (tenant, recipient_key, message_key)"
	" WHERE message_key IS NOT NULL;"
	"CREATE INDEX deliveries_folder ON deliveries (tenant, recipient_key, folder, kind, uid)"
	" WHERE folder IS NOT NULL;"
	"CREATE INDEX deliveries_emptied ON deliveries (tenant, recipient_key)"
	" WHERE kind=18 AND uid=0;";

/*
 * Version 15: logins (store_logins.h).  user is NULL where it is its own search key;
 * entries has a second and a hash of each login of the stretch.
 */
static const char version_15[] =
	"CREATE TABLE logins ("
	" id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL REFERENCES tenants(id),"
	" sensor INTEGER NOT NULL REFERENCES sensors(id), user TEXT, user_key TEXT NOT NULL,"
	" client BLOB NOT NULL, service TEXT NOT NULL, first_us INTEGER NOT NULL,"
	" last_us INTEGER NOT NULL, entries BLOB NOT NULL);"
	"CREATE INDEX logins_user ON logins (tenant, user_key, first_us);"
	"CREATE INDEX logins_client ON logins (tenant, client, first_us);"
	"CREATE INDEX logins_time ON logins (tenant, first_us);";

/*
 * Version 16: assets (store_assets.h).  device is '' for an address that several share;
 * from_us is 0, and until_us 2^63-1, where a period is open.
 */
static const char version_16[] =
	"CREATE TABLE assets ("
	" id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL REFERENCES tenants(id),"
	" ip BLOB NOT NULL, device TEXT NOT NULL, from_us INTEGER NOT NULL,"
	" until_us INTEGER NOT NULL, UNIQUE (tenant, ip, from_us, device));"
	"CREATE INDEX assets_until ON assets (tenant, until_us);";

/*
 * Version 17: messages that are meant by their place in the folder, those that were
 * opened, and folders with another name.  A session of POP3 is in INBOX, one of IMAP in
 * whatever folders.
 */
static const char version_17[] =
	"ALTER TABLE deliveries ADD COLUMN number INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE deliveries ADD COLUMN number_last INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX deliveries_renamed ON deliveries (tenant, recipient_key, time_us)"
	" WHERE kind=22;"
	"CREATE INDEX deliveries_sessions ON deliveries (tenant, recipient_key, time_us)"
	" WHERE kind=15 AND folder IS NULL;"
	"UPDATE deliveries SET folder='INBOX' WHERE kind=16 AND uid=0;";

/* Version 18: messages of exempt networks (delivery.h), which are of no event. */
static const char version_18[] =
	"CREATE INDEX deliveries_exempt ON deliveries (tenant, time_us) WHERE kind=23;";

/*
 * Version 19: a dead letter is a gap of its sensor, from when that was complete.  Of those
 * that are there already nobody knows since when; a spool seldom waits for over a day.
 */
static const char version_19[] =
	"INSERT INTO intervals (sensor, reason, from_us, to_us, messages)"
	" SELECT s.id, 'dead-letter', max(d.time_us-86400000000, 0), d.time_us, 1"
	" FROM dead_letters d JOIN tenants t ON t.name=d.tenant"
	" JOIN sensors s ON s.tenant=t.id AND s.name=d.sensor;";

/* Version 20: lines of exempt messages, which who does not look at one by one. */
static const char version_20[] =
	"ALTER TABLE deliveries ADD COLUMN exempt INTEGER NOT NULL DEFAULT 0;"
	"DROP INDEX deliveries_unseen;"
	"CREATE INDEX deliveries_unseen ON deliveries (tenant, time_us)"
	" WHERE event IS NULL AND kind=0 AND exempt=0;"
	"DROP INDEX deliveries_exempt;"
	"CREATE INDEX deliveries_exempt ON deliveries (tenant, sensor, time_us, kind)"
	" WHERE kind=23;";

static const char *const steps_of_store[] = {
	version_1,  version_2,	version_3,  version_4,	version_5,  version_6,	version_7,
	version_8,  version_9,	version_10, version_11, version_12, version_13, version_14,
	version_15, version_16, version_17, version_18, version_19, version_20};

/* What SQL alone cannot do for a step, in its transaction. */
static const struct {
	const char *step;
	gboolean (*convert)(struct sql *sql, GError **error);
} conversions[] = {{version_6, store_journal_adopt}};

static gboolean
take_step(struct sql *sql, const char *step, GError **error)
{
	gboolean done = sql_script(sql, step, error);

	for (gsize i = 0; done && i < G_N_ELEMENTS(conversions); i++)
		if (conversions[i].step == step)
			done = conversions[i].convert(sql, error);
	return done;
}

const char *const *
store_schema_steps(gsize *ret_count)
{
	*ret_count = G_N_ELEMENTS(steps_of_store);
	return steps_of_store;
}

gboolean
store_schema_version(struct sql *sql, gint64 *ret_version, GError **error)
{
	return sql_number(sql_bind(sql, "PRAGMA user_version", ""), 0, ret_version, error);
}

/* Tells an empty file (version 0, no tables) from a database of another program. */
static gboolean
is_ours(struct sql *sql, gint64 version, gboolean *ret_ours, GError **error)
{
	gint64 application, tables;

	if (!sql_number(sql_bind(sql, "PRAGMA application_id", ""), 0, &application, error) ||
	    !sql_number(sql_bind(sql, "SELECT count(*) FROM sqlite_schema", ""), 0, &tables, error))
		return FALSE;
	*ret_ours = application == APPLICATION_ID || (version == 0 && tables == 0);
	return TRUE;
}

static gboolean
check(struct sql *sql, gsize count, gint64 *ret_version, GError **error)
{
	gboolean ours;

	if (!store_schema_version(sql, ret_version, error) ||
	    !is_ours(sql, *ret_version, &ours, error))
		return FALSE;
	if (!ours) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_VERSION,
			    "this is a database of another program, not a store of mailtrace");
		return FALSE;
	}
	if (*ret_version > (gint64)count) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_VERSION,
			    "the store has version %" G_GINT64_FORMAT
			    ", made by a newer mailtrace than this one, which knows version %u",
			    *ret_version, (guint)count);
		return FALSE;
	}
	return TRUE;
}

gboolean
store_schema_check(struct sql *sql, gsize count, GError **error)
{
	gint64 version;

	if (!check(sql, count, &version, error))
		return FALSE;
	if (version == (gint64)count)
		return TRUE;
	g_set_error(error, STORE_ERROR, STORE_ERROR_VERSION,
		    "the store has version %" G_GINT64_FORMAT
		    "; start the collector once to bring it to version %u",
		    version, (guint)count);
	return FALSE;
}

/* The number goes into the text of a pragma, which takes no bound value. */
static gboolean
set_version(struct sql *sql, gsize version, GError **error)
{
	g_autofree char *pragma = g_strdup_printf(
		"PRAGMA user_version=%u; PRAGMA application_id=" VALUE_OF(APPLICATION_ID) ";",
		(guint)version);

	return sql_script(sql, pragma, error);
}

gboolean
store_schema_upgrade(struct sql *sql, const char *const *steps, gsize count, GError **error)
{
	gint64 version;
	gboolean done;

	if (!check(sql, count, &version, error))
		return FALSE;
	if (version == (gint64)count)
		return TRUE;
	done = sql_script(sql, "BEGIN IMMEDIATE", error);
	for (gsize i = version; done && i < count; i++)
		done = take_step(sql, steps[i], error);
	done = done && set_version(sql, count, error) && sql_script(sql, "COMMIT", error);
	if (!done && sql_in_transaction(sql))
		sql_script(sql, "ROLLBACK", NULL);
	return done;
}
