/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "caps.h"
#include "deny_list.h"
#include "departures.h"
#include "domains.h"
#include "planner_internal.h"
#include "text.h"

#define DIGESTS 16 /* of one message's files that identify a copy */

/* One recipient being followed. */
struct following {
	struct planning *planning;
	const struct journey *journey;
	const struct found *found;
	struct plan_recipient *recipient;
	GPtrArray *finals; /* of struct store_final: what the logs know of its copies */
	GHashTable *seen;  /* places that have been told of it */
	GHashTable *met;   /* set of the search keys of final addresses that are in the plan */
};

/* ---- commands ---- */

static void
add_beyond(const struct following *following, enum plan_beyond_kind kind, const char *address,
	   const char *why)
{
	const struct found *found = following->found;

	if (address)
		g_hash_table_add(following->met, address_search_key(address));
	if (g_hash_table_add(following->seen,
			     g_strdup_printf("%s %s", address ? address : "", why)))
		plan_add_beyond(following->planning->plan, found->event_id, found->recipient,
				address, why)
			->kind = kind;
}

/* A message is known by the files that were asked for, else by those it has. */
static char **
digests_of_message(const struct following *following)
{
	const struct event *root =
		((struct journey_hop *)following->journey->hops->pdata[0])->event;
	const GPtrArray *matched =
		g_hash_table_lookup(following->planning->digests, following->found->event_id);
	GPtrArray *digests = g_ptr_array_new();

	for (guint i = 0; matched && i < matched->len && i < DIGESTS; i++)
		g_ptr_array_add(digests, g_strdup(matched->pdata[i]));
	for (guint i = 1; !matched && i < root->record->files->len && digests->len < DIGESTS; i++) {
		const struct file *file = root->record->files->pdata[i];

		if (!(file->flags & (FILE_BODY | FILE_MULTIPART | FILE_MESSAGE)))
			g_ptr_array_add(digests, hex_encode(file->digests.sha256, SHA256_BYTES));
	}
	if (!digests->len) {
		g_ptr_array_unref(digests);
		return NULL;
	}
	g_ptr_array_add(digests, NULL);
	return (char **)g_ptr_array_free(digests, FALSE);
}

/* The message at a hop; its event id is the root's, which is the one that is stamped on it. */
static struct openc2_message *
describe_message(const struct following *following, guint place)
{
	const struct event *root =
		((struct journey_hop *)following->journey->hops->pdata[0])->event;
	const struct event *event =
		((struct journey_hop *)following->journey->hops->pdata[place])->event;
	struct openc2_message *message = openc2_message_new();

	message->event_id = g_strdup(root->event_id);
	message->message_id = g_strdup(event->record->message_id);
	message->sender = g_strdup(event->sender ? event->sender->address : NULL);
	message->received_at_us = event->received_at_us;
	message->size = event->record->size;
	message->subject = g_strdup(event->record->subject);
	message->sha256 = digests_of_message(following);
	return message;
}

struct openc2_command *
planner_command(const struct planning *planning, enum openc2_action action, enum openc2_role role)
{
	struct openc2_command *command = openc2_command_new(action, role);

	command->case_id = g_strdup(planning->plan->case_id);
	command->reason = g_strdup(planning->plan->reason);
	g_ptr_array_add(planning->plan->commands, command);
	return command;
}

/* Gives a recipient the command of a place. */
static void
link_command(const struct following *following, const struct openc2_command *command)
{
	if (g_hash_table_add(following->seen, g_strdup(command->command_id)))
		g_ptr_array_add(following->recipient->commands, g_strdup(command->command_id));
}

static gboolean
is_forbidden(const struct following *following, const char *address)
{
	const char *const *entries = following->planning->options->never_touch;
	const char *entry = deny_list_address(entries, address);
	g_autofree char *why = NULL;

	if (!entry)
		entry = deny_list_address(entries, following->found->recipient);
	if (!entry)
		return FALSE;
	why = g_strdup_printf("is never touched: %s", entry);
	add_beyond(following, PLAN_BEYOND_REACH, address, why);
	return TRUE;
}

static gboolean
is_out_of_scope(const struct following *following, enum plan_scope scope, const char *address)
{
	g_autofree char *why = NULL;

	if (following->planning->plan->scope & scope)
		return FALSE;
	why = g_strdup_printf("is in a %s, which is out of the scope", plan_scope_name(scope));
	add_beyond(following, PLAN_BEYOND_SCOPE, address, why);
	return TRUE;
}

/* Returns what the logs know of the copy for a final address, borrowed; or NULL. */
static const struct store_final *
final_of(const struct following *following, const char *address)
{
	g_autofree char *key = address_search_key(address);

	for (guint i = 0; i < following->finals->len; i++) {
		const struct store_final *final = following->finals->pdata[i];
		g_autofree char *other = address_search_key(final->address);

		if (strcmp(key, other) == 0)
			return final;
	}
	return NULL;
}

/* Copies that left a mailbox are out of reach, whatever becomes of the one in it. */
static void
add_departures(const struct following *following, const struct store_final *final)
{
	for (guint i = 0; i < final->acts->len; i++) {
		const struct store_act *act = final->acts->pdata[i];

		if (store_act_departs(act))
			add_beyond(following, departure_kind(act), final->address,
				   departure_why(act));
	}
}

/* Tells of a copy that never came into the mailbox, or is gone from the queue. */
static gboolean
is_gone(const struct following *following, const struct store_final *final)
{
	static const struct {
		const char *state;
		enum plan_beyond_kind kind;
		const char *why;
	} rows[] = {
		{"discarded", PLAN_BEYOND_GONE, "was discarded by the user's filter"},
		{"forwarded", PLAN_BEYOND_FORWARDED, "was forwarded by the user's filter"},
		{"deleted", PLAN_BEYOND_GONE, "was deleted from the queue"},
		{"expired", PLAN_BEYOND_GONE, "expired in the queue: there is no copy"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (strcmp(final->state, rows[i].state) != 0)
			continue;
		add_beyond(following, rows[i].kind, final->address, rows[i].why);
		return TRUE;
	}
	return FALSE;
}

/*
 * Returns the folder in which the copy is if its user left it alone: so that one that he
 * moved is told to have been.  A folder that was renamed is another matter.
 */
static const char *
folder_of(const struct store_final *final)
{
	for (guint i = 0; i < final->acts->len; i++)
		if (strcmp(((struct store_act *) final->acts->pdata[i])->what, "moved") == 0)
			return final->stored_in;
	return final->folder;
}

static void
add_mailbox(const struct following *following, guint place, const char *address)
{
	const struct store_final *final = final_of(following, address);
	const struct journey_hop *root = following->journey->hops->pdata[0];
	GHashTable *commands = following->planning->commands;
	g_autofree char *search_key = address_search_key(address);
	g_autofree char *key = g_strdup_printf("mailbox %s %s", root->event->event_id, search_key);
	struct openc2_command *command = g_hash_table_lookup(commands, key);

	g_hash_table_add(following->met, g_strdup(search_key));
	if (final && is_gone(following, final))
		return;
	if (final)
		add_departures(following, final);
	if (is_out_of_scope(following, PLAN_MAILBOX, address) || is_forbidden(following, address))
		return;
	if (!command) {
		command = planner_command(following->planning, OPENC2_CONTAIN, OPENC2_MAILSTORE);
		command->message = describe_message(following, place);
		command->message->mailbox = g_strdup(address);
		command->message->recipient = g_strdup(following->found->recipient);
		command->message->folder = g_strdup(final ? folder_of(final) : NULL);
		command->message->storage_id = g_strdup(final ? final->storage_id : NULL);
		g_hash_table_insert(commands, g_steal_pointer(&key), command);
	}
	link_command(following, command);
}

/* Requeued, it has another than that of the record; our own later hops have records. */
static const char *
queue_id_of(const struct following *following, const struct event *event,
	    const struct store_final *final)
{
	if (!final || !final->queue_id || g_strcmp0(final->host, event->host) != 0)
		return event->queue_id;
	for (guint i = 0; i < following->journey->hops->len; i++) {
		const struct journey_hop *hop = following->journey->hops->pdata[i];

		if (g_strcmp0(hop->event->queue_id, final->queue_id) == 0)
			return event->queue_id;
	}
	return final->queue_id;
}

/* A queue has one copy for all of its recipients: whoever else it is for is held with it. */
static void
add_queue(const struct following *following, guint place, const char *address)
{
	const struct event *event =
		((struct journey_hop *)following->journey->hops->pdata[place])->event;
	GHashTable *commands = following->planning->commands;
	const struct store_final *final = final_of(following, address);
	const char *queue_id = queue_id_of(following, event, final);
	g_autofree char *key = g_strdup_printf("queue %s %s", event->sensor, queue_id);
	struct openc2_command *command = g_hash_table_lookup(commands, key);

	g_hash_table_add(following->met, address_search_key(address));
	if (final && is_gone(following, final))
		return;
	if (!queue_id) {
		add_beyond(following, PLAN_BEYOND_REACH, address,
			   "waits in a queue, whose number is not known");
		return;
	}
	if (is_out_of_scope(following, PLAN_QUEUE, address) || is_forbidden(following, address))
		return;
	if (!command) {
		command = planner_command(following->planning, OPENC2_CONTAIN, OPENC2_QUEUE);
		command->message = describe_message(following, place);
		command->message->gateway = g_strdup(event->sensor);
		command->message->queue_id = g_strdup(queue_id);
		if (event->recipients->len == 1)
			command->message->recipient = g_strdup(address);
		g_hash_table_insert(commands, g_steal_pointer(&key), command);
	}
	link_command(following, command);
}

/* ---- following a recipient ---- */

static gboolean
is_ours(const struct following *following, const char *address)
{
	const char *const *domains = following->planning->options->local_domains;
	const char *domain = address_domain(address);

	return !*domains || !domain || domains_match(domain, domains);
}

static void follow(const struct following *following, guint place, const char *address);

static void
follow_sent(const struct following *following, guint place, const struct delivery *sent)
{
	guint next = journey_next(following->journey, place, sent->next_queue_id, sent->recipient);
	g_autofree char *why = NULL;

	if (next) {
		follow(following, next, sent->recipient);
	} else if (sent->next_queue_id && following->finals->len &&
		   !final_of(following, sent->recipient)) {
		return; /* it went on under another address: follow_rest() */
	} else if (is_ours(following, sent->recipient)) {
		add_mailbox(following, place, sent->recipient);
	} else {
		why = g_strdup_printf("was sent on to %s, which is not ours",
				      sent->relay ? sent->relay : "another host");
		add_beyond(following, PLAN_BEYOND_REACH, sent->recipient, why);
	}
}

/* Of one final address SENT is stronger than BOUNCED, and that than DEFERRED (store.h). */
static void
follow_final(const struct following *following, guint place, const struct journey_final *final)
{
	if (final->sent)
		follow_sent(following, place, final->sent);
	else if (final->bounced)
		add_beyond(following, PLAN_BEYOND_GONE, final->address,
			   "bounced: there is no copy");
	else if (final->deferred)
		add_queue(following, place, final->address);
	else
		add_beyond(following, PLAN_BEYOND_GONE, final->address,
			   "was refused: there is no copy");
}

static gboolean
was_refused(const struct following *following, const struct event *event)
{
	return strcmp(following->found->state, "rejected") == 0 ||
	       (event->verdict != VERDICT_ACCEPT && event->verdict != VERDICT_HOLD);
}

/* No line of the log speaks of the recipient. */
static void
follow_untold(const struct following *following, guint place, const char *address)
{
	const struct journey_hop *hop = following->journey->hops->pdata[place];
	gboolean has_log = following->planning->options->has_log;
	guint next = journey_next(following->journey, place, NULL, address);

	if (was_refused(following, hop->event))
		add_beyond(following, PLAN_BEYOND_GONE, address, "was refused: there is no copy");
	else if (!next && following->finals->len)
		return; /* it went on under another queue id: follow_rest() */
	else if (next)
		follow(following, next, address);
	else if (hop->held)
		add_queue(following, place, address);
	else if (!hop->done && has_log && g_strcmp0(hop->event->origin, "import") != 0)
		add_queue(following, place, address);
	else if (is_ours(following, address))
		add_mailbox(following, place, address);
	else
		add_beyond(following, PLAN_BEYOND_REACH, address,
			   "went to a host that is not ours");
}

static gboolean
is_alias(const GArray *finals, const char *address)
{
	g_autofree char *key = address_search_key(address);

	for (guint i = 0; i < finals->len; i++) {
		const struct journey_final *final = &g_array_index(finals, struct journey_final, i);
		g_autofree char *final_key = address_search_key(final->address);

		if (strcmp(final_key, key) != 0)
			return TRUE;
	}
	return FALSE;
}

/*
 * Each call is of a later hop than the one before, so that it ends.  A list that is
 * being delivered has members of whom no line spoke yet: their copy is in the queue.
 */
static void
follow(const struct following *following, guint place, const char *address)
{
	const struct journey_hop *hop = following->journey->hops->pdata[place];
	g_autoptr(GArray) finals = journey_finals(hop, address);

	if (!finals->len)
		follow_untold(following, place, address);
	for (guint i = 0; i < finals->len; i++)
		follow_final(following, place, &g_array_index(finals, struct journey_final, i));
	if (journey_waits(hop) && is_alias(finals, address))
		add_queue(following, place, address);
}

/* Copies that the log knows under another queue id: requeued, or forwarded by an alias. */
static void
follow_rest(const struct following *following)
{
	guint last = following->journey->hops->len - 1;

	for (guint i = 0; i < following->finals->len; i++) {
		const struct store_final *final = following->finals->pdata[i];
		g_autofree char *key = address_search_key(final->address);

		if (g_hash_table_contains(following->met, key) || is_gone(following, final))
			continue;
		if (strcmp(final->state, "bounced") == 0)
			add_beyond(following, PLAN_BEYOND_GONE, final->address,
				   "bounced: there is no copy");
		else if (strcmp(final->state, "rejected") == 0)
			add_beyond(following, PLAN_BEYOND_GONE, final->address,
				   "was refused: there is no copy");
		else if (strcmp(final->state, "delivered") != 0)
			add_queue(following, last, final->address);
		else if (is_ours(following, final->address))
			add_mailbox(following, last, final->address);
		else
			add_beyond(following, PLAN_BEYOND_REACH, final->address,
				   "was sent on to a host that is not ours");
	}
}

gboolean
planner_follow(struct planning *planning, const struct journey *journey, const struct found *found,
	       GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) met = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) finals = store_finals(planning->store, planning->plan->tenant,
						   found->event_id, found->recipient, error);
	const struct following following = {
		.planning = planning,
		.finals = finals,
		.journey = journey,
		.found = found,
		.recipient = plan_add_recipient(planning->plan, found->event_id, found->recipient,
						found->state),
		.seen = seen,
		.met = met,
	};

	if (!finals)
		return FALSE;
	if (*found->recipient)
		follow(&following, journey_place(journey, found->event_id), found->recipient);
	else
		add_beyond(&following, PLAN_BEYOND_REACH, NULL,
			   "nobody knows to whom the message went");
	follow_rest(&following);
	return !planning->options->find_devices || !(planning->plan->scope & PLAN_DEVICE) ||
	       planner_devices(planning, found, finals, error);
}
