# SPDX-License-Identifier: BSD-2-Clause
# The command line links GLib, SQLite, libcrypto and jansson only; what needs
# more is a helper in libexec.
noinst_LIBRARIES += investigate/libcli.a
investigate_libcli_a_SOURCES = \
	investigate/actions_verify.c \
	investigate/actions_verify.h \
	investigate/anchor_feed.c \
	investigate/anchor_feed.h \
	investigate/actuate.c \
	investigate/actuate.h \
	investigate/actuator_argv.c \
	investigate/actuator_argv.h \
	investigate/approvals.c \
	investigate/approvals.h \
	investigate/ask.c \
	investigate/asset_control.c \
	investigate/asset_control.h \
	investigate/assets_csv.c \
	investigate/assets_csv.h \
	investigate/assets_isc.c \
	investigate/assets_isc.h \
	investigate/ask.h \
	investigate/beat.c \
	investigate/beat.h \
	investigate/block_control.c \
	investigate/block_control.h \
	investigate/block_feed.c \
	investigate/block_feed.h \
	investigate/block_force.c \
	investigate/block_force.h \
	investigate/block_received.c \
	investigate/block_received.h \
	investigate/carry_out.c \
	investigate/carry_out.h \
	investigate/check.c \
	investigate/check.h \
	investigate/cmd_actions.c \
	investigate/cmd_apply.c \
	investigate/cmd_assets.c \
	investigate/cmd_approve.c \
	investigate/cmd_backup.c \
	investigate/cmd_block.c \
	investigate/cmd_collect.c \
	investigate/cmd_dead_letters.c \
	investigate/cmd_erase.c \
	investigate/cmd_expire.c \
	investigate/cmd_contain.c \
	investigate/cmd_fetch.c \
	investigate/cmd_follow.c \
	investigate/cmd_import.c \
	investigate/cmd_inspect.c \
	investigate/cmd_keygen.c \
	investigate/cmd_legal_hold.c \
	investigate/cmd_logins.c \
	investigate/cmd_sensor.c \
	investigate/cmd_show.c \
	investigate/cmd_status.c \
	investigate/cmd_undo.c \
	investigate/cmd_verify.c \
	investigate/cmd_watch.c \
	investigate/cmd_who.c \
	investigate/command.c \
	investigate/command.h \
	investigate/control.c \
	investigate/control.h \
	investigate/control_server.c \
	investigate/coverage.c \
	investigate/coverage.h \
	investigate/dead_letter_control.c \
	investigate/dead_letter_control.h \
	investigate/erasure.c \
	investigate/erasure.h \
	investigate/departures.c \
	investigate/departures.h \
	investigate/deny_list.c \
	investigate/deny_list.h \
	investigate/devices.c \
	investigate/devices.h \
	investigate/event_text.c \
	investigate/event_text.h \
	investigate/evidence_copies.c \
	investigate/evidence_copies.h \
	investigate/evidence_custody.c \
	investigate/evidence_zip.c \
	investigate/evidence_zip.h \
	investigate/finals.c \
	investigate/finals.h \
	investigate/groups.c \
	investigate/groups.h \
	investigate/ingest.c \
	investigate/ingest.h \
	investigate/journal_control.c \
	investigate/journal_control.h \
	investigate/journal_source.c \
	investigate/journal_source.h \
	investigate/journey.c \
	investigate/journey.h \
	investigate/lease_names.c \
	investigate/lease_names.h \
	investigate/mailbox.c \
	investigate/mailbox.h \
	investigate/mailbox_split.c \
	investigate/members.c \
	investigate/members.h \
	investigate/out.c \
	investigate/outcome_table.c \
	investigate/outcome_table.h \
	investigate/out.h \
	investigate/plan.c \
	investigate/plan.h \
	investigate/plan_approve.c \
	investigate/plan_begin.c \
	investigate/plan_change.h \
	investigate/plan_control.c \
	investigate/plan_control.h \
	investigate/plan_file.c \
	investigate/plan_gateway.c \
	investigate/plan_head.c \
	investigate/plan_head.h \
	investigate/plan_json.c \
	investigate/plan_table.c \
	investigate/plan_table.h \
	investigate/planner.c \
	investigate/planner_devices.c \
	investigate/planner_follow.c \
	investigate/planner.h \
	investigate/planner_internal.h \
	investigate/private_folder.c \
	investigate/private_folder.h \
	investigate/progress.c \
	investigate/progress.h \
	investigate/question.c \
	investigate/question.h \
	investigate/reader.c \
	investigate/roles.c \
	investigate/roles.h \
	investigate/reader.h \
	investigate/retention.c \
	investigate/retention.h \
	investigate/retention_client.c \
	investigate/retention_client.h \
	investigate/retention_erase.c \
	investigate/retention_hold.c \
	investigate/retention_internal.h \
	investigate/standing.c \
	investigate/standing.h \
	investigate/undo.c \
	investigate/undo.h \
	investigate/unread.c \
	investigate/unread.h
investigate_libcli_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
# Asking the store: GLib, libcrypto, jansson, SQLite only, since the command line links it.
noinst_LIBRARIES += investigate/libstore.a
investigate_libstore_a_SOURCES = \
	investigate/journal.c \
	investigate/journal.h \
	investigate/journal_walk.c \
	investigate/query.c \
	investigate/query.h \
	investigate/query_file.c investigate/query_file.h \
	investigate/query_time.c investigate/query_time.h \
	investigate/store.c \
	investigate/store.h \
	investigate/store_add.c \
	investigate/store_add.h \
	investigate/store_add_chain.c \
	investigate/store_add_parts.c \
	investigate/store_blocks.c \
	investigate/store_blocks.h \
	investigate/store_chain.c \
	investigate/store_asking.h \
	investigate/store_backup.c \
	investigate/store_coverage.c \
	investigate/store_dead_letters.c \
	investigate/store_dead_letters.h \
	investigate/store_delivery.c \
	investigate/store_logins.c \
	investigate/store_logins.h \
	investigate/store_assets.c \
	investigate/store_assets.h \
	investigate/store_erase.c \
	investigate/store_erase.h \
	investigate/store_erase_delivery.c \
	investigate/store_erase_event.c \
	investigate/store_erase_internal.h \
	investigate/store_expire.c \
	investigate/store_holds.c \
	investigate/store_holds.h \
	investigate/store_finals.c \
	investigate/store_history.c \
	investigate/store_lines.c \
	investigate/store_lines.h \
	investigate/store_mailbox.c \
	investigate/store_mailbox.h \
	investigate/store_mailbox_internal.h \
	investigate/store_taken.c \
	investigate/store_trace.c \
	investigate/store_trace.h \
	investigate/store_unseen.c \
	investigate/store_upstream.c \
	investigate/store_internal.h \
	investigate/store_journal.c \
	investigate/store_journal.h \
	investigate/store_match.c \
	investigate/store_plans.c \
	investigate/store_plans.h \
	investigate/store_read.c \
	investigate/store_removal.c \
	investigate/store_removal.h \
	investigate/store_retention.h \
	investigate/store_schema.c \
	investigate/store_schema.h \
	investigate/store_sensors.c \
	investigate/store_settle.c \
	investigate/store_sqlite.c \
	investigate/store_sqlite.h \
	investigate/store_status.c \
	investigate/store_supplement.c \
	investigate/store_terms.c \
	investigate/store_text.c \
	investigate/store_text.h \
	investigate/store_verify.c \
	investigate/store_who.c
investigate_libstore_a_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS)
STORE_LIBS = investigate/libstore.a $(SQLITE_LIBS)

# The helper that reads the live stream.
pkglibexec_PROGRAMS += investigate/watch
investigate_watch_SOURCES = investigate/watch.c
investigate_watch_CFLAGS = $(AM_CFLAGS)
investigate_watch_LDADD = $(BUS_LIBS) $(BASE_LIBS)

# The command line.
bin_PROGRAMS += investigate/mailtrace
investigate_mailtrace_SOURCES = investigate/main.c
investigate_mailtrace_CFLAGS = $(AM_CFLAGS)
investigate_mailtrace_LDADD = investigate/libcli.a investigate/libactuator.a $(STORE_LIBS) $(BASE_LIBS)

# The collector.
pkglibexec_PROGRAMS += investigate/collect
investigate_collect_SOURCES = investigate/collect.c investigate/collect_control.c \
	investigate/collect_control.h investigate/collect_journal.c \
	investigate/collect_journal.h investigate/collect_metrics.c \
	investigate/collect_metrics.h investigate/collect_news.c \
	investigate/collect_news.h
investigate_collect_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
investigate_collect_LDADD = investigate/libcli.a $(STORE_LIBS) $(BUS_LIBS) $(METRICS_LIBS) \
	$(BASE_LIBS) \
	$(SYSTEMD_LIBS)

# What the actuators stand on.
noinst_LIBRARIES += investigate/libactuator.a
investigate_libactuator_a_SOURCES = \
	investigate/actuator.c \
	investigate/actuator.h \
	investigate/evidence.c \
	investigate/line_reader.c \
	investigate/line_reader.h \
	investigate/subprocess.c \
	investigate/subprocess.h
investigate_libactuator_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
ACTUATOR_LIBS = investigate/libactuator.a

# The queues of MTAs: the helper that is root there, and the actuator that asks it.
noinst_LIBRARIES += investigate/libqueue.a
investigate_libqueue_a_SOURCES = \
	investigate/postfix_queue.c \
	investigate/queue_act.c \
	investigate/queue_act.h \
	investigate/queue_entry.c \
	investigate/queue_entry.h \
	investigate/queue_exchange.c \
	investigate/queue_exchange.h \
	investigate/queue_marks.c \
	investigate/queue_marks.h \
	investigate/queue_mta.c \
	investigate/queue_mta.h \
	investigate/queue_request.c \
	investigate/queue_request.h \
	investigate/sendmail_qf.c \
	investigate/sendmail_qf.h \
	investigate/sendmail_queue.c
investigate_libqueue_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
QUEUE_LIBS = investigate/libqueue.a $(ACTUATOR_LIBS)
pkglibexec_PROGRAMS += investigate/queue-helper investigate/actuator-queue
investigate_queue_helper_SOURCES = investigate/queue_helper.c
investigate_queue_helper_LDADD = $(QUEUE_LIBS) $(BASE_LIBS)
investigate_actuator_queue_SOURCES = investigate/actuator_queue.c
investigate_actuator_queue_LDADD = $(QUEUE_LIBS) $(BASE_LIBS)

# HTTP, for the actuators that speak it.
noinst_LIBRARIES += investigate/libhttp.a
investigate_libhttp_a_SOURCES = investigate/http.c investigate/http.h
investigate_libhttp_a_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
HTTP_LIBS = investigate/libhttp.a $(CURL_LIBS)

# The mail store's actuator.
noinst_LIBRARIES += investigate/libmailstore.a
investigate_libmailstore_a_SOURCES = \
	investigate/doveadm_answer.c investigate/doveadm_answer.h \
	investigate/doveadm_client.c investigate/doveadm_client.h \
	investigate/mail_match.c investigate/mail_match.h \
	investigate/mailstore.c investigate/mailstore.h \
	investigate/mailstore_contain.c \
	investigate/mailstore_fetch.c \
	investigate/mailstore_look.c \
	investigate/mailstore_restore.c \
	investigate/mailstore_work.h \
	investigate/quarantine.c investigate/quarantine.h
investigate_libmailstore_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
MAILSTORE_LIBS = investigate/libmailstore.a $(ACTUATOR_LIBS) investigate/libcli.a $(HTTP_LIBS) $(BASE_LIBS)

pkglibexec_PROGRAMS += investigate/actuator-mailstore
investigate_actuator_mailstore_SOURCES = investigate/actuator_mailstore.c
investigate_actuator_mailstore_CFLAGS = $(AM_CFLAGS)
investigate_actuator_mailstore_LDADD = $(MAILSTORE_LIBS)

# The actuator that has an OpenC2 consumer act.
noinst_LIBRARIES += investigate/libopenc2.a
investigate_libopenc2_a_SOURCES = \
	investigate/openc2_client.c investigate/openc2_client.h \
	investigate/openc2_message.c investigate/openc2_message.h
investigate_libopenc2_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
OPENC2_LIBS = investigate/libopenc2.a $(ACTUATOR_LIBS) $(HTTP_LIBS) $(BASE_LIBS)
pkglibexec_PROGRAMS += investigate/actuator-openc2
investigate_actuator_openc2_SOURCES = investigate/actuator_openc2.c
investigate_actuator_openc2_CFLAGS = $(AM_CFLAGS)
investigate_actuator_openc2_LDADD = $(OPENC2_LIBS)

# The helper that publishes commands for the site's own automation.
pkglibexec_PROGRAMS += investigate/emit
investigate_emit_SOURCES = investigate/emit.c
investigate_emit_CFLAGS = $(AM_CFLAGS)
investigate_emit_LDADD = $(ACTUATOR_LIBS) $(BUS_LIBS) $(BASE_LIBS)

# The helper that writes evidence into an encrypted zip.
pkglibexec_PROGRAMS += investigate/seal
investigate_seal_SOURCES = investigate/seal.c
investigate_seal_CFLAGS = $(AM_CFLAGS) $(ZIP_CFLAGS)
investigate_seal_LDADD = $(ZIP_LIBS) $(BASE_LIBS)
