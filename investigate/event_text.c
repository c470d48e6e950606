/* SPDX-License-Identifier: BSD-2-Clause */
#include "event_text.h"

#include <string.h>

/* Writes "label   value", nothing if there is no value. */
static void
fact(struct out *out, const char *label, const char *value)
{
	if (value && *value)
		out_note(out, "%-12s %s", label, value);
}

static void
fact_time(struct out *out, const char *label, gint64 time_us)
{
	g_autofree char *time = time_us ? out_time(out, time_us) : NULL;

	fact(out, label, time);
}

static void
facts(struct out *out, const char *label, const GPtrArray *values)
{
	for (guint i = 0; i < values->len; i++)
		fact(out, i ? "" : label, g_ptr_array_index(values, i));
}

static void
client_text(struct out *out, const struct client *client)
{
	g_autoptr(GString) line = g_string_new(client->ip);

	if (client->name)
		g_string_append_printf(line, " (%s)", client->name);
	if (client->helo)
		g_string_append_printf(line, " HELO %s", client->helo);
	if (client->tls_version)
		g_string_append_printf(line, ", %s %s", client->tls_version,
				       client->tls_cipher ? client->tls_cipher : "");
	if (client->sasl_user)
		g_string_append_printf(line, ", authenticated as %s", client->sasl_user);
	fact(out, "Client", line->str);
}

static void
address_text(struct out *out, const char *label, const struct envelope_address *address)
{
	g_autoptr(GString) line = g_string_new(address->typed);

	for (guint i = 0; i < address->arguments->len; i++)
		g_string_append_printf(line, " %s",
				       (const char *)g_ptr_array_index(address->arguments, i));
	if (address->refused)
		g_string_append(line, " (refused)");
	fact(out, label, line->str);
}

static void
envelope_text(struct out *out, const struct event *event)
{
	client_text(out, &event->client);
	if (event->sender)
		address_text(out, "Sender", event->sender);
	for (guint i = 0; i < event->recipients->len; i++)
		address_text(out, i ? "" : "Recipients", g_ptr_array_index(event->recipients, i));
}

static void
header_addresses(struct out *out, const char *label, const GPtrArray *addresses)
{
	for (guint i = 0; i < addresses->len; i++) {
		const struct mail_address *address = g_ptr_array_index(addresses, i);
		g_autofree char *line =
			address->display
				? g_strdup_printf("%s <%s>", address->display, address->address)
				: g_strdup(address->address);

		fact(out, i ? "" : label, line);
	}
}

static void
headers_text(struct out *out, const struct record *record)
{
	fact(out, "Subject", record->subject);
	fact(out, "Message-ID", record->message_id);
	fact(out, "Date", record->date);
	header_addresses(out, "From", record->from);
	header_addresses(out, "To", record->to);
	header_addresses(out, "Cc", record->cc);
	header_addresses(out, "Reply-To", record->reply_to);
	fact(out, "List-Id", record->list_id);
	facts(out, "Delivered-To", record->delivered_to);
	facts(out, "Auth-Results", record->authentication_results);
	facts(out, "Link", record->urls);
}

static int
depth_of(const struct record *record, const struct file *file)
{
	int depth = 0;

	/* A parent stands before its children, so that this ends. */
	for (; file->parent >= 0; depth++)
		file = g_ptr_array_index(record->files, (guint)file->parent);
	return depth;
}

static char *
flags_text(guint32 flags)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint bit = 0; bit < FILE_FLAG_COUNT; bit++)
		if (flags & (1u << bit))
			g_string_append_printf(text, " [%s]", record_flag_name(bit));
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
digest_text(struct out *out, int indent, const char *label, const guint8 *bytes, gsize length)
{
	g_autofree char *hex = hex_encode(bytes, length);

	out_note(out, "%*s%-7s %s", indent, "", label, hex);
}

/* Why who does not find a file in an encrypted archive as a candidate. */
static const char *
why_no_crc32(const struct file *file)
{
	if (file->method && g_str_has_prefix(file->method, "aes-"))
		return "none, as AE-2 has it: no candidate";
	if (g_strcmp0(file->method, "rar5") == 0)
		return "none without the password: no candidate";
	return "none is told: no candidate";
}

static void
digests_text(struct out *out, int indent, const struct file *file)
{
	static const struct digests unread;

	if (memcmp(&file->digests, &unread, sizeof(unread)) != 0) {
		digest_text(out, indent, "sha256", file->digests.sha256, SHA256_BYTES);
		digest_text(out, indent, "sha1", file->digests.sha1, SHA1_BYTES);
		digest_text(out, indent, "md5", file->digests.md5, MD5_BYTES);
	}
	for (guint i = 0; i < file->variants->len; i++) {
		const struct variant *variant = &g_array_index(file->variants, struct variant, i);
		g_autofree char *hex = hex_encode(variant->digests.sha256, SHA256_BYTES);

		out_note(out, "%*s%-7s %s as %s", indent, "", "sha256", hex,
			 variant_kind_name(variant->kind));
	}
	if (file->has_crc32)
		out_note(out, "%*s%-7s %08x", indent, "", "crc32", file->crc32);
	else if (file->flags & FILE_ENCRYPTED && file_is_member(file))
		out_note(out, "%*s%-7s %s", indent, "", "crc32", why_no_crc32(file));
	if (file->method)
		out_note(out, "%*s%-7s %s", indent, "", "method", file->method);
}

static void
file_text(struct out *out, const struct record *record, const struct file *file)
{
	int indent = 2 + 2 * depth_of(record, file);
	const char *name = file_best_name(file);
	const char *type = file->detected_type ? file->detected_type : file->declared_type;
	g_autofree char *flags = flags_text(file->flags);

	if (file->flags & FILE_MULTIPART)
		out_note(out, "%*s%s  %s%s", indent, "", file->path, type ? type : "multipart",
			 flags);
	else
		out_note(out, "%*s%s  %s%s%s, %" G_GUINT64_FORMAT " bytes%s", indent, "",
			 file->path, name ? name : "", name ? ", " : "",
			 type ? type : "type unknown", file->size, flags);
	for (guint i = 1; i < file->names->len; i++) {
		const struct file_name *other = g_ptr_array_index(file->names, i);

		out_note(out, "%*salso named %s (%s)", indent + 4, "", other->text, other->reading);
	}
	for (guint i = 0; i < file->malware->len; i++)
		out_note(out, "%*smalware %s", indent + 4, "",
			 (const char *)g_ptr_array_index(file->malware, i));
	if (!(file->flags & FILE_MULTIPART))
		digests_text(out, indent + 4, file);
}

/*
 * Writes each file below its parent: members of archives stand behind all parts
 * in the record.  next[i] is shown after i; last[i] is i's last child, or i.
 */
static void
files_text(struct out *out, const struct record *record)
{
	guint count = record->files->len;
	g_autofree guint *next = g_new(guint, count + 1);
	g_autofree guint *last = g_new(guint, count + 1);

	next[0] = count;
	last[0] = 0;
	for (guint i = 1; i < count; i++) {
		const struct file *file = g_ptr_array_index(record->files, i);
		guint parent = (guint)MAX(file->parent, 0), after = parent;

		/* Behind the last of its children, and the last child of that, and so on. */
		while (last[after] != after)
			after = last[after];
		next[i] = next[after];
		next[after] = i;
		last[parent] = last[i] = i;
	}
	for (guint i = 0; i < count; i = next[i])
		file_text(out, record, g_ptr_array_index(record->files, i));
}

static void
reading_text(struct out *out, const struct event *event)
{
	const struct record *record = event->record;

	fact(out, "Unread", event->unread);
	facts(out, "Cap met", record->caps);
	fact(out, "Scanner", record->scanner);
	for (guint i = 0; i < record->anomalies->len; i++) {
		const struct anomaly *anomaly = g_ptr_array_index(record->anomalies, i);

		out_note(out, "%-12s %s at byte %" G_GUINT64_FORMAT, i ? "" : "Anomaly",
			 anomaly->name, anomaly->offset);
	}
	if (record->files->len)
		out_note(out, "Files");
	files_text(out, record);
}

void
event_text(struct out *out, const struct event *event)
{
	g_autofree char *verdict = NULL;

	fact(out, "Event", event->event_id);
	fact(out, "After", event->parent_event);
	fact(out, "Adds to", event->supplements);
	fact_time(out, "Received", event->received_at_us);
	fact(out, "Tenant", event->tenant);
	fact(out, "Sensor", event->sensor);
	fact(out, "Host", event->host);
	fact(out, "Queue id", event->queue_id);
	fact(out, "Origin", event->origin);
	fact(out, "Direction", direction_name(event->direction));
	verdict = g_strdup_printf("%s%s%s", verdict_name(event->verdict),
				  event->verdict_reason ? ": " : "",
				  event->verdict_reason ? event->verdict_reason : "");
	fact(out, "Verdict", verdict);
	envelope_text(out, event);
	headers_text(out, event->record);
	reading_text(out, event);
}

static void
append(GString *line, const char *before, const char *value, const char *after)
{
	if (value && *value)
		g_string_append_printf(line, "%s%s%s", before, value, after);
}

char *
delivery_line(struct out *out, const struct delivery *delivery)
{
	g_autofree char *time = out_time(out, delivery->time_us);
	g_autoptr(GString) line = g_string_new(time);

	g_string_append_printf(line, "  %s/%s  %s", delivery->log_host, delivery->queue_id,
			       delivery_kind_name(delivery->kind));
	append(line, "  ", delivery->recipient, "");
	append(line, " (for ", delivery->original, ")");
	append(line, " via ", delivery->relay, "");
	append(line, ", ", delivery->dsn, "");
	append(line, ", ", delivery->detail, "");
	append(line, ", next queue id ", delivery->next_queue_id, "");
	append(line, " from ", delivery->from_folder, "");
	append(line, " in ", delivery->folder, "");
	if (delivery->uid)
		g_string_append_printf(line, ", UID %u", delivery->uid);
	if (delivery->uid_last > delivery->uid)
		g_string_append_printf(line, " to %u", delivery->uid_last);
	if (delivery->number)
		g_string_append_printf(line, ", number %u", delivery->number);
	if (delivery->number_last > delivery->number)
		g_string_append_printf(line, " to %u", delivery->number_last);
	append(line, ", storage id ", delivery->storage_id, "");
	return g_string_free(g_steal_pointer(&line), FALSE);
}
