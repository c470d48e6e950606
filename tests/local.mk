# SPDX-License-Identifier: BSD-2-Clause
# Unit tests are Criterion programs, one a module, named tests/test_<module>.
# UNIT_CFLAGS and UNIT_LIBS go into each.
UNIT_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
UNIT_LIBS = $(CRITERION_LIBS)
EXTRA_DIST += tests/boot-inside.sh tests/boot.sh tests/failed.sh tests/fresh.sh tests/unit.sh

# Threads against the scanner; under ThreadSanitizer too.
noinst_PROGRAMS += tests/tools/scanner_stress
tests_tools_scanner_stress_SOURCES = tests/tools/scanner_stress.c
tests_tools_scanner_stress_LDADD = $(BASE_LIBS)
TESTS += tests/it/scanner.py
EXTRA_DIST += tests/it/scanner.py tests/tsan.supp

# The scanner with a worker that was taken over: the product's objects, two calls wrapped.
check_PROGRAMS += tests/tools/hostile_scanner
tests_tools_hostile_scanner_SOURCES = tests/tools/hostile_scanner.c milter/scanner.c milter/worker.c \
	milter/worker_folder.c
tests_tools_hostile_scanner_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=mime_read -Wl,--wrap=answer_encode \
	-Wl,--wrap=scan_use_folder -Wl,--wrap=timer_settime
tests_tools_hostile_scanner_LDADD = $(READ_LIBS) $(SANDBOX_LIBS)
# The sanitizers' builds have no limit on memory.
if !WITH_SANITIZERS
TESTS += tests/it/attack.py tests/it/bombs.py tests/it/worker_time.py
endif
EXTRA_DIST += tests/it/attack.py tests/it/attacked.py tests/it/bombs.py tests/it/worker_time.py
# The sandbox, and the scanner with its client.
if HAVE_CRITERION
check_PROGRAMS += tests/test_sandbox
TESTS += tests/test_sandbox
tests_test_sandbox_SOURCES = tests/test_sandbox.c
tests_test_sandbox_CFLAGS = $(UNIT_CFLAGS)
tests_test_sandbox_LDADD = $(SANDBOX_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test_worker_folder
TESTS += tests/test_worker_folder
tests_test_worker_folder_SOURCES = tests/test_worker_folder.c tests/directory_fixture.h \
	milter/worker_folder.c
tests_test_worker_folder_CFLAGS = $(UNIT_CFLAGS)
tests_test_worker_folder_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test_scanner_client
TESTS += tests/test_scanner_client
tests_test_scanner_client_SOURCES = tests/test_scanner_client.c
tests_test_scanner_client_CFLAGS = $(UNIT_CFLAGS)
tests_test_scanner_client_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
endif

# The milter's units.
if HAVE_CRITERION
SESSION_LIBS = milter/libsession.a $(SPOOL_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test_kept tests/test_later
TESTS += tests/test_kept tests/test_later
tests_test_later_SOURCES = tests/test_later.c tests/directory_fixture.h
tests_test_later_CFLAGS = $(UNIT_CFLAGS)
tests_test_later_LDADD = $(SESSION_LIBS)
tests_test_kept_SOURCES = tests/test_kept.c tests/directory_fixture.h
tests_test_kept_CFLAGS = $(UNIT_CFLAGS)
tests_test_kept_LDADD = $(SESSION_LIBS)
check_PROGRAMS += tests/test_trace_id tests/test_policy tests/test_direction tests/test_message
TESTS += tests/test_trace_id tests/test_policy tests/test_direction tests/test_message
tests_test_trace_id_SOURCES = tests/test_trace_id.c
tests_test_trace_id_CFLAGS = $(UNIT_CFLAGS)
tests_test_trace_id_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
tests_test_policy_SOURCES = tests/test_policy.c
tests_test_policy_CFLAGS = $(UNIT_CFLAGS)
tests_test_policy_LDADD = $(SESSION_LIBS)
tests_test_direction_SOURCES = tests/test_direction.c
tests_test_direction_CFLAGS = $(UNIT_CFLAGS)
tests_test_direction_LDADD = $(SESSION_LIBS)
tests_test_message_SOURCES = tests/test_message.c
tests_test_message_CFLAGS = $(UNIT_CFLAGS)
tests_test_message_LDADD = $(SESSION_LIBS)
# Containment.
check_PROGRAMS += tests/test_openc2
TESTS += tests/test_openc2
tests_test_openc2_SOURCES = tests/test_openc2.c
tests_test_openc2_CFLAGS = $(UNIT_CFLAGS)
tests_test_openc2_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
# The block list, at the sensor.
check_PROGRAMS += tests/test_block_list tests/test_block_chunk tests/test_block_file
TESTS += tests/test_block_list tests/test_block_chunk tests/test_block_file
tests_test_block_list_SOURCES = tests/test_block_list.c
tests_test_block_list_CFLAGS = $(UNIT_CFLAGS)
tests_test_block_list_LDADD = $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_block_chunk_SOURCES = tests/test_block_chunk.c
tests_test_block_chunk_CFLAGS = $(UNIT_CFLAGS)
tests_test_block_chunk_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
tests_test_block_file_SOURCES = tests/test_block_file.c
tests_test_block_file_CFLAGS = $(UNIT_CFLAGS)
tests_test_block_file_LDADD = $(SESSION_LIBS)
# The session is tested with the real scanner program.
check_PROGRAMS += tests/test_session
TESTS += tests/test_session
tests_test_session_SOURCES = tests/test_session.c
tests_test_session_CFLAGS = $(UNIT_CFLAGS)
tests_test_session_LDADD = $(SESSION_LIBS)
check_PROGRAMS += tests/test_child tests/test_configuration
TESTS += tests/test_child tests/test_configuration
tests_test_child_SOURCES = tests/test_child.c
tests_test_child_CFLAGS = $(UNIT_CFLAGS)
tests_test_child_LDADD = milter/libsupervision.a $(BASE_LIBS) $(UNIT_LIBS)
tests_test_configuration_SOURCES = tests/test_configuration.c tests/directory_fixture.h
tests_test_configuration_CFLAGS = $(UNIT_CFLAGS)
tests_test_configuration_LDADD = milter/libsupervision.a $(BASE_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test_engine tests/test_liveness tests/test_listener tests/test_supervision
TESTS += tests/test_engine tests/test_liveness tests/test_listener tests/test_supervision
tests_test_engine_SOURCES = tests/test_engine.c
tests_test_engine_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
tests_test_engine_LDADD = $(SESSION_LIBS)
tests_test_liveness_SOURCES = tests/test_liveness.c
tests_test_liveness_CFLAGS = $(UNIT_CFLAGS)
tests_test_liveness_LDADD = milter/libsupervision.a $(BASE_LIBS) $(UNIT_LIBS)
tests_test_listener_SOURCES = tests/test_listener.c
tests_test_listener_CFLAGS = $(UNIT_CFLAGS)
tests_test_listener_LDADD = milter/libsupervision.a $(BASE_LIBS) $(UNIT_LIBS)
tests_test_supervision_SOURCES = tests/test_supervision.c
tests_test_supervision_CFLAGS = $(UNIT_CFLAGS)
tests_test_supervision_LDADD = milter/libsupervision.a $(BASE_LIBS) $(UNIT_LIBS)
endif # the milter's units
TESTS += tests/it/supervisor.py
EXTRA_DIST += tests/it/supervisor.py

# The MTA's side of the milter protocol: for whole-program tests, the benchmark
# and ./quickstart.
noinst_PROGRAMS += tests/tools/milterplay
tests_tools_milterplay_SOURCES = tests/tools/milterplay.c tests/tools/milter_wire.c \
	tests/tools/milter_wire.h
tests_tools_milterplay_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_tools_milterplay_LDADD = $(JANSSON_LIBS) $(GLIB_LIBS)

# Shared by the whole-program tests.
EXTRA_DIST += tests/it/mtlib.py tests/data/minimal.eml tests/data/event.json \
	tests/data/locked-zipcrypto.zip tests/data/locked-aes-256.zip tests/data/frames/tell.hex \
	tests/data/frames/have.hex
if HAVE_CRITERION
check_PROGRAMS += tests/test_keys tests/test_authorized_keys
TESTS += tests/test_keys tests/test_authorized_keys
tests_test_authorized_keys_SOURCES = tests/test_authorized_keys.c tests/directory_fixture.h tests/key_fixture.h
tests_test_authorized_keys_CFLAGS = $(UNIT_CFLAGS)
tests_test_authorized_keys_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
tests_test_keys_SOURCES = tests/test_keys.c tests/directory_fixture.h tests/key_fixture.h
tests_test_keys_CFLAGS = $(UNIT_CFLAGS) $(ZMQ_CFLAGS)
tests_test_keys_LDADD = $(BASE_LIBS) $(UNIT_LIBS) $(ZMQ_LIBS)
check_PROGRAMS += tests/test_spool tests/test_spool_alarm tests/test_spool_damage
TESTS += tests/test_spool tests/test_spool_alarm tests/test_spool_damage
tests_test_spool_damage_SOURCES = tests/test_spool_damage.c tests/directory_fixture.h
tests_test_spool_damage_CFLAGS = $(UNIT_CFLAGS)
tests_test_spool_damage_LDADD = $(SPOOL_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_spool_alarm_SOURCES = tests/test_spool_alarm.c
tests_test_spool_alarm_CFLAGS = $(UNIT_CFLAGS)
tests_test_spool_alarm_LDADD = $(SPOOL_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_spool_SOURCES = tests/test_spool.c tests/directory_fixture.h
tests_test_spool_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_test_spool_LDADD = $(SPOOL_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test_bus_frames tests/test_bus
TESTS += tests/test_bus_frames tests/test_bus
tests_test_bus_frames_SOURCES = tests/test_bus_frames.c
tests_test_bus_frames_CFLAGS = $(UNIT_CFLAGS)
tests_test_bus_frames_LDADD = $(BUS_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
EXTRA_DIST += tests/data/frames/hello.hex tests/data/frames/batch.hex \
	tests/data/frames/beat.hex tests/data/frames/welcome.hex tests/data/frames/ack.hex \
	tests/data/frames/refuse.hex
tests_test_bus_SOURCES = tests/test_bus.c
tests_test_bus_CFLAGS = $(UNIT_CFLAGS) $(ZMQ_CFLAGS)
tests_test_bus_LDADD = $(BUS_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test_publisher
TESTS += tests/test_publisher
tests_test_publisher_SOURCES = tests/test_publisher.c
tests_test_publisher_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_test_publisher_LDADD = $(PUBLISHER_LIBS) milter/libsession.a $(SPOOL_LIBS) $(BUS_LIBS) \
	$(BASE_LIBS) $(UNIT_LIBS)
endif

# The order of write, sync and answer, seen through a preloaded shim.
check_PROGRAMS += tests/tools/sync_shim.so tests/tools/spool_append
tests_tools_sync_shim_so_SOURCES = tests/tools/sync_shim.c
tests_tools_sync_shim_so_CFLAGS = -std=gnu11 $(WARN_CFLAGS) -fPIC
tests_tools_sync_shim_so_LDFLAGS = -shared
tests_tools_spool_append_SOURCES = tests/tools/spool_append.c
tests_tools_spool_append_LDADD = $(SPOOL_LIBS) $(BASE_LIBS)
TESTS += tests/it/spool_sync.py
EXTRA_DIST += tests/it/spool_sync.py

# Faults while mail goes on: a bounded run in check-system, a long one by
# `make faults FAULTS=1000 SEED=1`.
check_PROGRAMS += tests/tools/fault_shim.so
tests_tools_fault_shim_so_SOURCES = tests/tools/fault_shim.c
tests_tools_fault_shim_so_CFLAGS = -std=gnu11 $(WARN_CFLAGS) $(ZMQ_CFLAGS) -fPIC
tests_tools_fault_shim_so_LDFLAGS = -shared
EXTRA_DIST += tests/it/faults/balance.py tests/it/faults/bounded.py tests/it/faults/ground.py \
	tests/it/faults/long.py tests/it/faults/run.py tests/it/faults/selftest.py \
	tests/it/faults/shim.py tests/it/faults/stage.py tests/it/faults/strikes.py \
	tests/it/faults/strikes_disk.py tests/it/faults/strikes_flip.py tests/it/faults/strikes_kill.py \
	tests/it/faults/strikes_power.py tests/it/faults/strikes_time.py tests/it/faults/traffic.py

if HAVE_CRITERION
check_PROGRAMS += tests/test_settings tests/test_network tests/test_log
TESTS += tests/test_settings tests/test_network tests/test_log
tests_test_settings_SOURCES = tests/test_settings.c
tests_test_settings_CFLAGS = $(UNIT_CFLAGS)
tests_test_settings_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
tests_test_network_SOURCES = tests/test_network.c
tests_test_network_CFLAGS = $(UNIT_CFLAGS)
tests_test_network_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
tests_test_log_SOURCES = tests/test_log.c
tests_test_log_CFLAGS = $(UNIT_CFLAGS)
tests_test_log_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
endif

if HAVE_CRITERION
check_PROGRAMS += tests/test_out tests/test_control
TESTS += tests/test_out tests/test_control
tests_test_out_SOURCES = tests/test_out.c
tests_test_out_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
tests_test_out_LDADD = investigate/libcli.a $(BASE_LIBS) $(UNIT_LIBS)
tests_test_control_SOURCES = tests/test_control.c
tests_test_control_CFLAGS = $(UNIT_CFLAGS)
tests_test_control_LDADD = investigate/libcli.a $(BASE_LIBS) $(UNIT_LIBS)
endif
EXTRA_DIST += tests/data/out/table.txt tests/data/out/table-utc.txt tests/data/out/rows.json \
	tests/data/out/rows.csv

# Real servers: run by check-system, as root.
SYSTEM_TESTS += tests/it/sendmail.py
EXTRA_DIST += tests/it/mta.py tests/it/postfix.py tests/it/sendmail.py tests/it/engine.py
SYSTEM_TESTS += tests/it/finals.py tests/it/mailbox.py
EXTRA_DIST += tests/it/finals.py tests/it/mailbox.py
TESTS += tests/it/gaps.py
EXTRA_DIST += tests/it/gaps.py
SYSTEM_TESTS += tests/it/metrics.py
EXTRA_DIST += tests/it/coverage.py tests/it/metrics.py tests/it/store_faults.py
SYSTEM_TESTS += tests/it/roles.py
SYSTEM_TESTS += tests/it/journald.py tests/it/units.py
EXTRA_DIST += tests/it/journald.py tests/it/units.py
EXTRA_DIST += tests/it/roles.py
noinst_PROGRAMS += tests/tools/refuser
tests_tools_refuser_SOURCES = tests/tools/refuser.c
tests_tools_refuser_LDADD = $(MILTER_LIBS)
# Records, events and their codecs.
GENERATE = tests/generate.c tests/generate.h
if HAVE_CRITERION
check_PROGRAMS += tests/test_answer
TESTS += tests/test_answer
tests_test_answer_SOURCES = tests/test_answer.c $(GENERATE)
tests_test_answer_CFLAGS = $(UNIT_CFLAGS)
tests_test_answer_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test_ocsf
TESTS += tests/test_ocsf
tests_test_ocsf_SOURCES = tests/test_ocsf.c $(GENERATE)
tests_test_ocsf_CFLAGS = $(UNIT_CFLAGS)
tests_test_ocsf_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test_digest tests/test_event tests/test_record tests/test_text
TESTS += tests/test_digest tests/test_event tests/test_record tests/test_text
tests_test_digest_SOURCES = tests/test_digest.c
tests_test_digest_CFLAGS = $(UNIT_CFLAGS)
tests_test_digest_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
tests_test_event_SOURCES = tests/test_event.c
tests_test_event_CFLAGS = $(UNIT_CFLAGS)
tests_test_event_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
tests_test_record_SOURCES = tests/test_record.c
tests_test_record_CFLAGS = $(UNIT_CFLAGS)
tests_test_record_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
tests_test_text_SOURCES = tests/test_text.c
tests_test_text_CFLAGS = $(UNIT_CFLAGS)
tests_test_text_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
endif

if HAVE_CRITERION
check_PROGRAMS += tests/test_settings_check
TESTS += tests/test_settings_check
check_PROGRAMS += tests/test_descriptor
TESTS += tests/test_descriptor
tests_test_descriptor_SOURCES = tests/test_descriptor.c
tests_test_descriptor_CFLAGS = $(UNIT_CFLAGS)
tests_test_descriptor_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test_password_list
TESTS += tests/test_password_list
check_PROGRAMS += tests/test_sealed
TESTS += tests/test_sealed
tests_test_sealed_SOURCES = tests/test_sealed.c
tests_test_sealed_CFLAGS = $(UNIT_CFLAGS)
tests_test_sealed_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
tests_test_password_list_SOURCES = tests/test_password_list.c
tests_test_password_list_CFLAGS = $(UNIT_CFLAGS)
tests_test_password_list_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
tests_test_settings_check_SOURCES = tests/test_settings_check.c
tests_test_settings_check_CFLAGS = $(UNIT_CFLAGS)
tests_test_settings_check_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
endif

# Prints what the reader makes of messages; for other projects' test messages.
noinst_PROGRAMS += tests/tools/read_corpus
tests_tools_read_corpus_SOURCES = tests/tools/read_corpus.c
tests_tools_read_corpus_LDADD = $(READ_LIBS)
TESTS += tests/it/archives.py tests/it/corpora.py tests/it/damaged.py tests/it/readers.py tests/it/readings.py tests/it/testdata.py
# With ClamAV's engine and without, and what it alone opens.
if WITH_CLAMAV
TESTS += tests/it/set_equality.py
SYSTEM_TESTS += tests/it/engine.py
endif
SYSTEM_TESTS += tests/it/cost.py
EXTRA_DIST += tests/data/archives.json tests/it/archives.py tests/it/corpora.py tests/it/cost.py tests/it/damaged.py tests/it/damaged_mail.py tests/it/odd_mail.py tests/it/odd_names.py tests/data/readers.json tests/it/readers.py tests/it/readings.py tests/it/set_equality.py tests/it/testdata.py
if HAVE_CRITERION
check_PROGRAMS += tests/test_settings_docs
TESTS += tests/test_settings_docs
tests_test_settings_docs_SOURCES = tests/test_settings_docs.c
tests_test_settings_docs_CFLAGS = $(UNIT_CFLAGS)
tests_test_settings_docs_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
endif

# The tree itself: owners of libraries.
TESTS += tests/it/includes.py
EXTRA_DIST += tests/it/includes.py tests/it/docs.py

# The form of events, and the fuzz targets with their corpora.
check_PROGRAMS += tests/tools/emit_events
tests_tools_emit_events_SOURCES = tests/tools/emit_events.c $(GENERATE)
tests_tools_emit_events_LDADD = $(BASE_LIBS)
check_PROGRAMS += tests/tools/emit_answers
tests_tools_emit_answers_SOURCES = tests/tools/emit_answers.c $(GENERATE)
tests_tools_emit_answers_LDADD = $(BASE_LIBS)
check_PROGRAMS += tests/tools/emit_journal
tests_tools_emit_journal_SOURCES = tests/tools/emit_journal.c
tests_tools_emit_journal_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_tools_emit_journal_LDADD = $(STORE_LIBS) $(BASE_LIBS)
check_PROGRAMS += tests/tools/record_twice
tests_tools_record_twice_SOURCES = tests/tools/record_twice.c
tests_tools_record_twice_LDADD = $(READ_LIBS)
TESTS += tests/it/event_form.py tests/it/event_join.py
EXTRA_DIST += tests/it/event_form.py tests/it/event_join.py tests/tools/ocsf_check.py \
	tests/data/ocsf-1.8-email_activity.json tests/data/ocsf-1.8-journal.json \
	tests/data/ocsf-1.8-authentication.json tests/fuzz/corpus tests/fuzz/run.sh
tests_fuzz_fuzz_answer_SOURCES = tests/fuzz/fuzz_answer.c
tests_fuzz_fuzz_answer_LDADD = $(BASE_LIBS)
tests_fuzz_fuzz_ocsf_SOURCES = tests/fuzz/fuzz_ocsf.c
tests_fuzz_fuzz_ocsf_LDADD = $(BASE_LIBS)
tests_fuzz_fuzz_bus_SOURCES = tests/fuzz/fuzz_bus.c
tests_fuzz_fuzz_bus_LDADD = $(BUS_LIBS) $(BASE_LIBS)
tests_fuzz_fuzz_anchor_SOURCES = tests/fuzz/fuzz_anchor.c
tests_fuzz_fuzz_anchor_LDADD = $(BASE_LIBS)
FUZZ_TARGETS = tests/fuzz/fuzz_anchor tests/fuzz/fuzz_answer tests/fuzz/fuzz_bus tests/fuzz/fuzz_ocsf
if WITH_FUZZER
# libFuzzer brings main(); tests/fuzz/fuzz_x tests/fuzz/corpus/x
noinst_PROGRAMS += $(FUZZ_TARGETS)
tests_fuzz_fuzz_anchor_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_answer_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_bus_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_ocsf_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
else
check_PROGRAMS += $(FUZZ_TARGETS)
TESTS += $(FUZZ_TARGETS)
tests_fuzz_fuzz_anchor_SOURCES += tests/fuzz/replay.c
tests_fuzz_fuzz_answer_SOURCES += tests/fuzz/replay.c
tests_fuzz_fuzz_bus_SOURCES += tests/fuzz/replay.c
tests_fuzz_fuzz_ocsf_SOURCES += tests/fuzz/replay.c
endif

if HAVE_CRITERION
check_PROGRAMS += tests/test_mailbox
TESTS += tests/test_mailbox
tests_test_mailbox_SOURCES = tests/test_mailbox.c
tests_test_mailbox_CFLAGS = $(UNIT_CFLAGS)
tests_test_mailbox_LDADD = investigate/libcli.a $(BASE_LIBS) $(UNIT_LIBS)
endif

if HAVE_CRITERION
check_PROGRAMS += tests/test_store_blocks tests/test_block_feed tests/test_store_intervals
TESTS += tests/test_store_blocks tests/test_block_feed tests/test_store_intervals
check_PROGRAMS += tests/test_expire tests/test_erasure
TESTS += tests/test_expire tests/test_erasure
tests_test_erasure_SOURCES = tests/test_erasure.c tests/store_fixture.h
tests_test_erasure_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS) $(JANSSON_CFLAGS)
tests_test_erasure_LDADD = investigate/libcli.a $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_expire_SOURCES = tests/test_expire.c tests/store_fixture.h
tests_test_expire_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_test_expire_LDADD = $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test_store_unseen
TESTS += tests/test_store_unseen
tests_test_store_unseen_SOURCES = tests/test_store_unseen.c tests/store_fixture.h
tests_test_store_unseen_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_test_store_unseen_LDADD = $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_store_intervals_SOURCES = tests/test_store_intervals.c tests/store_fixture.h
tests_test_store_intervals_CFLAGS = $(UNIT_CFLAGS)
tests_test_store_intervals_LDADD = investigate/libcli.a $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_store_blocks_SOURCES = tests/test_store_blocks.c tests/store_fixture.h
tests_test_store_blocks_CFLAGS = $(UNIT_CFLAGS)
tests_test_store_blocks_LDADD = $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_block_feed_SOURCES = tests/test_block_feed.c tests/store_fixture.h
tests_test_block_feed_CFLAGS = $(UNIT_CFLAGS)
tests_test_block_feed_LDADD = investigate/libcli.a $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test_anchor tests/test_anchor_feed tests/test_roles
TESTS += tests/test_anchor tests/test_anchor_feed tests/test_roles
tests_test_anchor_SOURCES = tests/test_anchor.c
tests_test_anchor_CFLAGS = $(UNIT_CFLAGS)
tests_test_anchor_LDADD = milter/libsession.a $(BASE_LIBS) $(UNIT_LIBS)
tests_test_anchor_feed_SOURCES = tests/test_anchor_feed.c tests/store_fixture.h
tests_test_anchor_feed_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
tests_test_anchor_feed_LDADD = investigate/libcli.a $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_roles_SOURCES = tests/test_roles.c
tests_test_roles_CFLAGS = $(UNIT_CFLAGS)
tests_test_roles_LDADD = investigate/libcli.a $(BASE_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test_journal
TESTS += tests/test_journal
tests_test_journal_SOURCES = tests/test_journal.c tests/store_fixture.h
tests_test_journal_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
tests_test_journal_LDADD = $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test_query tests/test_store tests/test_store_search
TESTS += tests/test_query tests/test_store tests/test_store_search
tests_test_query_SOURCES = tests/test_query.c tests/cpu_fixture.h
tests_test_query_CFLAGS = $(UNIT_CFLAGS)
tests_test_query_LDADD = $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_store_search_SOURCES = tests/test_store_search.c tests/store_fixture.h
tests_test_store_search_CFLAGS = $(UNIT_CFLAGS)
tests_test_store_search_LDADD = $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_store_SOURCES = tests/test_store.c tests/store_fixture.h
tests_test_store_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_test_store_LDADD = $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test_store_mailbox
TESTS += tests/test_store_mailbox
tests_test_store_mailbox_SOURCES = tests/test_store_mailbox.c tests/store_fixture.h
tests_test_store_mailbox_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_test_store_mailbox_LDADD = $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test_store_delivery tests/test_trace_caps
TESTS += tests/test_store_delivery tests/test_trace_caps
tests_test_trace_caps_SOURCES = tests/test_trace_caps.c tests/store_fixture.h
tests_test_trace_caps_CFLAGS = $(UNIT_CFLAGS)
tests_test_trace_caps_LDADD = $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_store_delivery_SOURCES = tests/test_store_delivery.c tests/store_fixture.h
tests_test_store_delivery_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_test_store_delivery_LDADD = $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
endif

# The reader and what it stands on.
EXTRA_DIST += testdata
tests_fuzz_fuzz_mime_SOURCES = tests/fuzz/fuzz_mime.c
tests_fuzz_fuzz_mime_LDADD = $(READ_LIBS)
tests_fuzz_fuzz_header_SOURCES = tests/fuzz/fuzz_header.c
tests_fuzz_fuzz_header_LDADD = $(READ_LIBS)
tests_fuzz_fuzz_url_SOURCES = tests/fuzz/fuzz_url.c
tests_fuzz_fuzz_url_LDADD = $(READ_LIBS)
READER_FUZZ_TARGETS = tests/fuzz/fuzz_mime tests/fuzz/fuzz_header tests/fuzz/fuzz_url
if WITH_FUZZER
noinst_PROGRAMS += $(READER_FUZZ_TARGETS)
tests_fuzz_fuzz_mime_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_header_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_url_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
else
check_PROGRAMS += $(READER_FUZZ_TARGETS)
TESTS += $(READER_FUZZ_TARGETS)
tests_fuzz_fuzz_mime_SOURCES += tests/fuzz/replay.c
tests_fuzz_fuzz_header_SOURCES += tests/fuzz/replay.c
tests_fuzz_fuzz_url_SOURCES += tests/fuzz/replay.c
endif
if HAVE_CRITERION
READER_TESTS = tests/test_base64 tests/test_caps tests/test_mime tests/test_charset tests/test_content_field \
	tests/test_encoded_word tests/test_entity \
	tests/test_fingerprint tests/test_magic tests/test_url
check_PROGRAMS += $(READER_TESTS)
TESTS += $(READER_TESTS)
tests_test_base64_SOURCES = tests/test_base64.c
tests_test_base64_CFLAGS = $(UNIT_CFLAGS) $(GMIME_CFLAGS)
tests_test_base64_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_caps_SOURCES = tests/test_caps.c
tests_test_caps_CFLAGS = $(UNIT_CFLAGS)
tests_test_caps_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_mime_SOURCES = tests/test_mime.c tests/cpu_fixture.h
tests_test_mime_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
tests_test_mime_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_charset_SOURCES = tests/test_charset.c
tests_test_charset_CFLAGS = $(UNIT_CFLAGS)
tests_test_charset_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_encoded_word_SOURCES = tests/test_encoded_word.c
tests_test_encoded_word_CFLAGS = $(UNIT_CFLAGS)
tests_test_encoded_word_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_content_field_SOURCES = tests/test_content_field.c
tests_test_content_field_CFLAGS = $(UNIT_CFLAGS)
tests_test_content_field_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_entity_SOURCES = tests/test_entity.c
tests_test_entity_CFLAGS = $(UNIT_CFLAGS)
tests_test_entity_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_fingerprint_SOURCES = tests/test_fingerprint.c
tests_test_fingerprint_CFLAGS = $(UNIT_CFLAGS)
tests_test_fingerprint_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_magic_SOURCES = tests/test_magic.c
tests_test_magic_CFLAGS = $(UNIT_CFLAGS)
tests_test_magic_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_url_SOURCES = tests/test_url.c
tests_test_url_CFLAGS = $(UNIT_CFLAGS)
tests_test_url_LDADD = $(READ_LIBS) $(UNIT_LIBS)
endif
# Other readings of a message.
if HAVE_CRITERION
READING_TESTS = tests/test_boundary tests/test_embedded tests/test_pasted tests/test_readings tests/test_recode \
	tests/test_document_urls tests/test_rar_headers tests/test_seven_headers tests/test_mail_file tests/test_wide tests/test_zip_views \
	tests/test_tar_views
check_PROGRAMS += $(READING_TESTS)
TESTS += $(READING_TESTS)
tests_test_boundary_SOURCES = tests/test_boundary.c
tests_test_boundary_CFLAGS = $(UNIT_CFLAGS)
tests_test_boundary_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_embedded_SOURCES = tests/test_embedded.c tests/cpu_fixture.h
tests_test_embedded_CFLAGS = $(UNIT_CFLAGS)
tests_test_embedded_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_readings_SOURCES = tests/test_readings.c
tests_test_readings_CFLAGS = $(UNIT_CFLAGS)
tests_test_readings_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_pasted_SOURCES = tests/test_pasted.c
tests_test_pasted_CFLAGS = $(UNIT_CFLAGS)
tests_test_pasted_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_zip_views_SOURCES = tests/test_zip_views.c
tests_test_zip_views_CFLAGS = $(UNIT_CFLAGS)
tests_test_zip_views_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_tar_views_SOURCES = tests/test_tar_views.c
tests_test_tar_views_CFLAGS = $(UNIT_CFLAGS)
tests_test_tar_views_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_document_urls_SOURCES = tests/test_document_urls.c tests/cpu_fixture.h
tests_test_document_urls_CFLAGS = $(UNIT_CFLAGS)
tests_test_document_urls_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_mail_file_SOURCES = tests/test_mail_file.c
tests_test_mail_file_CFLAGS = $(UNIT_CFLAGS)
tests_test_mail_file_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_seven_headers_SOURCES = tests/test_seven_headers.c
tests_test_seven_headers_CFLAGS = $(UNIT_CFLAGS)
tests_test_seven_headers_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_rar_headers_SOURCES = tests/test_rar_headers.c
tests_test_rar_headers_CFLAGS = $(UNIT_CFLAGS)
tests_test_rar_headers_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_wide_SOURCES = tests/test_wide.c
tests_test_wide_CFLAGS = $(UNIT_CFLAGS)
tests_test_wide_LDADD = $(READ_LIBS) $(UNIT_LIBS)
tests_test_recode_SOURCES = tests/test_recode.c
tests_test_recode_CFLAGS = $(UNIT_CFLAGS)
tests_test_recode_LDADD = $(READ_LIBS) $(UNIT_LIBS)
endif
# The command line and the collector as whole programs.
check_PROGRAMS += tests/tools/sensor tests/tools/frames
tests_tools_frames_SOURCES = tests/tools/frames.c
tests_tools_frames_CFLAGS = $(AM_CFLAGS) $(ZMQ_CFLAGS)
tests_tools_frames_LDADD = $(BUS_LIBS) $(BASE_LIBS)
tests_tools_sensor_SOURCES = tests/tools/sensor.c
tests_tools_sensor_LDADD = $(BUS_LIBS) $(BASE_LIBS)
TESTS += tests/it/cli.py tests/it/collect.py tests/it/links.py tests/it/docs_sync.py
EXTRA_DIST += tests/it/cli.py tests/it/collect.py tests/it/links.py tests/it/docs_sync.py
TESTS += tests/it/delivery.py tests/it/block.py tests/it/store_care.py tests/it/passwords.py
EXTRA_DIST += tests/it/block.py tests/it/store_care.py tests/it/passwords.py
TESTS += tests/it/journal.py tests/it/later.py tests/it/retention.py tests/it/upgrade.py tests/it/unread.py
EXTRA_DIST += tests/it/journal.py tests/it/later.py tests/it/retention.py tests/it/upgrade.py tests/it/unread.py \
	tests/data/upgrade
EXTRA_DIST += tests/it/delivery.py tests/it/sensor.py

# The pages against the tree.
TESTS += tests/it/docs.py
# What the command line is made of.
if HAVE_CRITERION
CLI_TESTS = tests/test_archive tests/test_check tests/test_coverage tests/test_event_text tests/test_groups \
	tests/test_ingest tests/test_progress tests/test_reader
check_PROGRAMS += $(CLI_TESTS)
TESTS += $(CLI_TESTS)
tests_test_archive_SOURCES = tests/test_archive.c
tests_test_archive_CFLAGS = $(UNIT_CFLAGS)
tests_test_archive_LDADD = $(UNPACK_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_check_SOURCES = tests/test_check.c
tests_test_check_CFLAGS = $(UNIT_CFLAGS)
tests_test_check_LDADD = investigate/libcli.a $(BASE_LIBS) $(UNIT_LIBS)
tests_test_coverage_SOURCES = tests/test_coverage.c
tests_test_coverage_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
tests_test_coverage_LDADD = investigate/libcli.a $(BASE_LIBS) $(UNIT_LIBS)
tests_test_event_text_SOURCES = tests/test_event_text.c $(GENERATE)
tests_test_event_text_CFLAGS = $(UNIT_CFLAGS)
tests_test_event_text_LDADD = investigate/libcli.a $(BASE_LIBS) $(UNIT_LIBS)
tests_test_groups_SOURCES = tests/test_groups.c
tests_test_groups_CFLAGS = $(UNIT_CFLAGS)
tests_test_groups_LDADD = investigate/libcli.a $(BASE_LIBS) $(UNIT_LIBS)
tests_test_ingest_SOURCES = tests/test_ingest.c tests/store_fixture.h $(GENERATE)
tests_test_ingest_CFLAGS = $(UNIT_CFLAGS)
tests_test_ingest_LDADD = investigate/libcli.a $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_progress_SOURCES = tests/test_progress.c
tests_test_progress_CFLAGS = $(UNIT_CFLAGS)
tests_test_progress_LDADD = investigate/libcli.a $(BASE_LIBS) $(UNIT_LIBS)
tests_test_reader_SOURCES = tests/test_reader.c
tests_test_reader_CFLAGS = $(UNIT_CFLAGS)
tests_test_reader_LDADD = investigate/libcli.a $(BASE_LIBS) $(UNIT_LIBS)
endif

# The milter as a whole: what each message becomes, and reloads under load.
TESTS += tests/it/records.py tests/it/reload.py
EXTRA_DIST += tests/it/records.py tests/it/reload.py tests/data/golden

# What became of a message, from the MTA's log.
if HAVE_CRITERION
check_PROGRAMS += tests/test_delivery tests/test_ocsf_delivery
TESTS += tests/test_delivery tests/test_ocsf_delivery
tests_test_delivery_SOURCES = tests/test_delivery.c
tests_test_delivery_CFLAGS = $(UNIT_CFLAGS)
tests_test_delivery_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
tests_test_ocsf_delivery_SOURCES = tests/test_ocsf_delivery.c $(GENERATE)
tests_test_ocsf_delivery_CFLAGS = $(UNIT_CFLAGS)
tests_test_ocsf_delivery_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
endif
if HAVE_CRITERION
check_PROGRAMS += tests/test_log_tail tests/test_postfix_log tests/test_sendmail_log
TESTS += tests/test_log_tail tests/test_postfix_log tests/test_sendmail_log
check_PROGRAMS += tests/test_dovecot_log tests/test_journal_tail
TESTS += tests/test_dovecot_log tests/test_journal_tail
LOGIN_TESTS = tests/test_login_log tests/test_ocsf_login tests/test_store_logins \
	tests/test_assets_csv tests/test_devices
check_PROGRAMS += $(LOGIN_TESTS)
TESTS += $(LOGIN_TESTS)
tests_test_journal_tail_SOURCES = tests/test_journal_tail.c
tests_test_journal_tail_CFLAGS = $(UNIT_CFLAGS)
tests_test_journal_tail_LDADD = $(FOLLOW_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_dovecot_log_SOURCES = tests/test_dovecot_log.c
tests_test_login_log_SOURCES = tests/test_login_log.c
tests_test_login_log_CFLAGS = $(UNIT_CFLAGS)
tests_test_login_log_LDADD = $(FOLLOW_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_ocsf_login_SOURCES = tests/test_ocsf_login.c
tests_test_ocsf_login_CFLAGS = $(UNIT_CFLAGS)
tests_test_ocsf_login_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
tests_test_assets_csv_SOURCES = tests/test_assets_csv.c
tests_test_assets_csv_CFLAGS = $(UNIT_CFLAGS)
tests_test_assets_csv_LDADD = investigate/libcli.a $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_devices_SOURCES = tests/test_devices.c tests/store_fixture.h
tests_test_devices_CFLAGS = $(UNIT_CFLAGS)
tests_test_devices_LDADD = investigate/libcli.a $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_store_logins_SOURCES = tests/test_store_logins.c tests/store_fixture.h
tests_test_store_logins_CFLAGS = $(UNIT_CFLAGS)
tests_test_store_logins_LDADD = $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_dovecot_log_CFLAGS = $(UNIT_CFLAGS)
tests_test_dovecot_log_LDADD = $(FOLLOW_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_sendmail_log_SOURCES = tests/test_sendmail_log.c
tests_test_sendmail_log_CFLAGS = $(UNIT_CFLAGS)
tests_test_sendmail_log_LDADD = $(FOLLOW_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_log_tail_SOURCES = tests/test_log_tail.c
tests_test_log_tail_CFLAGS = $(UNIT_CFLAGS)
tests_test_log_tail_LDADD = $(FOLLOW_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_postfix_log_SOURCES = tests/test_postfix_log.c
tests_test_postfix_log_CFLAGS = $(UNIT_CFLAGS)
tests_test_postfix_log_LDADD = $(FOLLOW_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
endif
TESTS += tests/it/follow.py tests/it/follow_journal.py tests/it/assets.py
SYSTEM_TESTS += tests/it/logins.py
EXTRA_DIST += tests/it/follow.py tests/it/follow_journal.py tests/it/followed.py \
	tests/it/assets.py tests/it/logins.py
tests_fuzz_fuzz_postfix_log_SOURCES = tests/fuzz/fuzz_postfix_log.c
tests_fuzz_fuzz_postfix_log_LDADD = $(FOLLOW_LIBS) $(BASE_LIBS)
tests_fuzz_fuzz_delivery_SOURCES = tests/fuzz/fuzz_delivery.c
tests_fuzz_fuzz_delivery_LDADD = $(BASE_LIBS)
tests_fuzz_fuzz_sendmail_log_SOURCES = tests/fuzz/fuzz_sendmail_log.c
tests_fuzz_fuzz_sendmail_log_LDADD = $(FOLLOW_LIBS) $(BASE_LIBS)
tests_fuzz_fuzz_dovecot_log_SOURCES = tests/fuzz/fuzz_dovecot_log.c
tests_fuzz_fuzz_dovecot_log_LDADD = $(FOLLOW_LIBS) $(BASE_LIBS)
tests_fuzz_fuzz_login_SOURCES = tests/fuzz/fuzz_login.c
tests_fuzz_fuzz_login_LDADD = $(FOLLOW_LIBS) $(BASE_LIBS)
DELIVERY_FUZZ_TARGETS = tests/fuzz/fuzz_delivery tests/fuzz/fuzz_postfix_log \
	tests/fuzz/fuzz_sendmail_log tests/fuzz/fuzz_dovecot_log tests/fuzz/fuzz_login
if WITH_FUZZER
noinst_PROGRAMS += $(DELIVERY_FUZZ_TARGETS)
tests_fuzz_fuzz_delivery_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_postfix_log_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_sendmail_log_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_dovecot_log_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_login_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
else
check_PROGRAMS += $(DELIVERY_FUZZ_TARGETS)
TESTS += $(DELIVERY_FUZZ_TARGETS)
tests_fuzz_fuzz_delivery_SOURCES += tests/fuzz/replay.c
tests_fuzz_fuzz_postfix_log_SOURCES += tests/fuzz/replay.c
tests_fuzz_fuzz_sendmail_log_SOURCES += tests/fuzz/replay.c
tests_fuzz_fuzz_dovecot_log_SOURCES += tests/fuzz/replay.c
tests_fuzz_fuzz_login_SOURCES += tests/fuzz/replay.c
endif
# The milter before a peer that breaks the protocol.
TESTS += tests/it/milter_protocol.py
EXTRA_DIST += tests/it/milter_protocol.py

# What is in archives.
TESTS += tests/it/encrypted.py
EXTRA_DIST += tests/it/encrypted.py tests/it/rar.py
if HAVE_CRITERION
check_PROGRAMS += tests/test_encrypted_zip tests/test_passwords
TESTS += tests/test_encrypted_zip tests/test_passwords
tests_test_encrypted_zip_SOURCES = tests/test_encrypted_zip.c
tests_test_encrypted_zip_CFLAGS = $(UNIT_CFLAGS) $(ZIP_CFLAGS)
tests_test_encrypted_zip_LDADD = $(ENCRYPTED_LIBS) common/libread.a $(UNPACK_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_passwords_SOURCES = tests/test_passwords.c tests/cpu_fixture.h
tests_test_passwords_CFLAGS = $(UNIT_CFLAGS)
tests_test_passwords_LDADD = $(READ_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test_unpack
TESTS += tests/test_unpack
tests_test_unpack_SOURCES = tests/test_unpack.c
tests_test_unpack_CFLAGS = $(UNIT_CFLAGS) $(ARCHIVE_CFLAGS)
tests_test_unpack_LDADD = $(READ_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test_unpack_account
TESTS += tests/test_unpack_account
tests_test_unpack_account_SOURCES = tests/test_unpack_account.c
tests_test_unpack_account_CFLAGS = $(UNIT_CFLAGS)
tests_test_unpack_account_LDADD = $(READ_LIBS) $(UNIT_LIBS)
endif
tests_fuzz_fuzz_archive_SOURCES = tests/fuzz/fuzz_archive.c
tests_fuzz_fuzz_archive_LDADD = $(READ_LIBS)
if WITH_FUZZER
noinst_PROGRAMS += tests/fuzz/fuzz_archive
tests_fuzz_fuzz_archive_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
else
check_PROGRAMS += tests/fuzz/fuzz_archive
TESTS += tests/fuzz/fuzz_archive
tests_fuzz_fuzz_archive_SOURCES += tests/fuzz/replay.c
endif

# What stands on the programs' own disks, and readings by themselves.
OWN_FUZZ_TARGETS = tests/fuzz/fuzz_kept tests/fuzz/fuzz_keys tests/fuzz/fuzz_readings \
	tests/fuzz/fuzz_settings
tests_fuzz_fuzz_kept_SOURCES = tests/fuzz/fuzz_kept.c
tests_fuzz_fuzz_kept_LDADD = milter/libsession.a $(SPOOL_LIBS) $(BASE_LIBS)
tests_fuzz_fuzz_keys_SOURCES = tests/fuzz/fuzz_keys.c
tests_fuzz_fuzz_keys_LDADD = $(BASE_LIBS)
tests_fuzz_fuzz_readings_SOURCES = tests/fuzz/fuzz_readings.c
tests_fuzz_fuzz_readings_LDADD = $(READ_LIBS)
tests_fuzz_fuzz_settings_SOURCES = tests/fuzz/fuzz_settings.c
tests_fuzz_fuzz_settings_LDADD = $(BASE_LIBS)
if WITH_FUZZER
noinst_PROGRAMS += $(OWN_FUZZ_TARGETS)
tests_fuzz_fuzz_kept_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_keys_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_readings_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_settings_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
else
check_PROGRAMS += $(OWN_FUZZ_TARGETS)
TESTS += $(OWN_FUZZ_TARGETS)
tests_fuzz_fuzz_kept_SOURCES += tests/fuzz/replay.c
tests_fuzz_fuzz_keys_SOURCES += tests/fuzz/replay.c
tests_fuzz_fuzz_readings_SOURCES += tests/fuzz/replay.c
tests_fuzz_fuzz_settings_SOURCES += tests/fuzz/replay.c
endif

# What the actuators stand on.
if HAVE_CRITERION
ACTUATOR_TESTS = tests/test_actuator tests/test_line_reader tests/test_subprocess
check_PROGRAMS += $(ACTUATOR_TESTS)
TESTS += $(ACTUATOR_TESTS)
tests_test_actuator_SOURCES = tests/test_actuator.c
tests_test_actuator_CFLAGS = $(UNIT_CFLAGS)
tests_test_actuator_LDADD = $(ACTUATOR_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_line_reader_SOURCES = tests/test_line_reader.c
tests_test_line_reader_CFLAGS = $(UNIT_CFLAGS)
tests_test_line_reader_LDADD = $(ACTUATOR_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_subprocess_SOURCES = tests/test_subprocess.c
tests_test_subprocess_CFLAGS = $(UNIT_CFLAGS)
tests_test_subprocess_LDADD = $(ACTUATOR_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
# The queues of MTAs.
QUEUE_TESTS = tests/test_gateways tests/test_queue_entry tests/test_queue_exchange tests/test_queue_id \
	tests/test_queue_marks tests/test_queue_request tests/test_sendmail_qf
check_PROGRAMS += $(QUEUE_TESTS)
TESTS += $(QUEUE_TESTS)
tests_test_gateways_SOURCES = tests/test_gateways.c
tests_test_gateways_CFLAGS = $(UNIT_CFLAGS)
tests_test_gateways_LDADD = $(QUEUE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_queue_entry_SOURCES = tests/test_queue_entry.c
tests_test_queue_entry_CFLAGS = $(UNIT_CFLAGS)
tests_test_queue_entry_LDADD = $(QUEUE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_queue_exchange_SOURCES = tests/test_queue_exchange.c
tests_test_queue_exchange_CFLAGS = $(UNIT_CFLAGS)
tests_test_queue_exchange_LDADD = $(QUEUE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_queue_id_SOURCES = tests/test_queue_id.c
tests_test_queue_id_CFLAGS = $(UNIT_CFLAGS)
tests_test_queue_id_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
tests_test_queue_marks_SOURCES = tests/test_queue_marks.c
tests_test_queue_marks_CFLAGS = $(UNIT_CFLAGS)
tests_test_queue_marks_LDADD = $(QUEUE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_queue_request_SOURCES = tests/test_queue_request.c
tests_test_queue_request_CFLAGS = $(UNIT_CFLAGS)
tests_test_queue_request_LDADD = $(QUEUE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_sendmail_qf_SOURCES = tests/test_sendmail_qf.c
tests_test_sendmail_qf_CFLAGS = $(UNIT_CFLAGS)
tests_test_sendmail_qf_LDADD = $(QUEUE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
endif
SYSTEM_TESTS += tests/it/mta_queue.py
EXTRA_DIST += tests/it/mta_queue.py
tests_fuzz_fuzz_queue_SOURCES = tests/fuzz/fuzz_queue.c
tests_fuzz_fuzz_queue_LDADD = $(QUEUE_LIBS) $(BASE_LIBS)
if WITH_FUZZER
noinst_PROGRAMS += tests/fuzz/fuzz_queue
tests_fuzz_fuzz_queue_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
else
check_PROGRAMS += tests/fuzz/fuzz_queue
TESTS += tests/fuzz/fuzz_queue
tests_fuzz_fuzz_queue_SOURCES += tests/fuzz/replay.c
endif

# The mail store: a real Dovecot, and what it answers.
SYSTEM_TESTS += tests/it/mailstore_forms.py
EXTRA_DIST += tests/it/actuators.py tests/it/certificates.py tests/it/dovecot.py tests/it/mailstore.py \
	tests/it/mailstore_forms.py
if HAVE_CRITERION
check_PROGRAMS += tests/test_doveadm_answer tests/test_doveadm_client tests/test_quarantine
TESTS += tests/test_doveadm_answer tests/test_doveadm_client tests/test_quarantine
tests_test_doveadm_client_SOURCES = tests/test_doveadm_client.c
tests_test_doveadm_client_CFLAGS = $(UNIT_CFLAGS)
tests_test_doveadm_client_LDADD = $(MAILSTORE_LIBS) $(UNIT_LIBS)
tests_test_doveadm_answer_SOURCES = tests/test_doveadm_answer.c
tests_test_doveadm_answer_CFLAGS = $(UNIT_CFLAGS)
tests_test_doveadm_answer_LDADD = $(MAILSTORE_LIBS) $(UNIT_LIBS)
tests_test_quarantine_SOURCES = tests/test_quarantine.c
tests_test_quarantine_CFLAGS = $(UNIT_CFLAGS)
tests_test_quarantine_LDADD = $(MAILSTORE_LIBS) $(UNIT_LIBS)
endif

# A consumer of OpenC2 over HTTPS.
TESTS += tests/it/openc2_https.py
EXTRA_DIST += tests/it/openc2_consumer.py tests/it/openc2_https.py
if HAVE_CRITERION
check_PROGRAMS += tests/test_openc2_message
TESTS += tests/test_openc2_message
tests_test_openc2_message_SOURCES = tests/test_openc2_message.c
tests_test_openc2_message_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
tests_test_openc2_message_LDADD = $(OPENC2_LIBS) $(UNIT_LIBS)
endif
tests_fuzz_fuzz_openc2_SOURCES = tests/fuzz/fuzz_openc2.c
tests_fuzz_fuzz_openc2_LDADD = $(OPENC2_LIBS)
if WITH_FUZZER
noinst_PROGRAMS += tests/fuzz/fuzz_openc2
tests_fuzz_fuzz_openc2_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
else
check_PROGRAMS += tests/fuzz/fuzz_openc2
TESTS += tests/fuzz/fuzz_openc2
tests_fuzz_fuzz_openc2_SOURCES += tests/fuzz/replay.c
endif

# Containment: plans, who may not be touched, and what a question comes to.
TESTS += tests/it/plans.py tests/it/emit.py
EXTRA_DIST += tests/it/contain.py
EXTRA_DIST += tests/it/plans.py tests/it/emit.py
if HAVE_CRITERION
CONTAIN_TESTS = tests/test_plan tests/test_deny_list tests/test_planner tests/test_actuate \
	tests/test_plan_control tests/test_departures
check_PROGRAMS += $(CONTAIN_TESTS)
TESTS += $(CONTAIN_TESTS)
tests_test_plan_SOURCES = tests/test_plan.c
tests_test_plan_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
tests_test_plan_LDADD = investigate/libcli.a $(BASE_LIBS) $(UNIT_LIBS)
tests_test_deny_list_SOURCES = tests/test_deny_list.c
tests_test_deny_list_CFLAGS = $(UNIT_CFLAGS)
tests_test_deny_list_LDADD = investigate/libcli.a $(BASE_LIBS) $(UNIT_LIBS)
tests_test_actuate_SOURCES = tests/test_actuate.c
tests_test_actuate_CFLAGS = $(UNIT_CFLAGS)
tests_test_actuate_LDADD = investigate/libcli.a $(BASE_LIBS) $(UNIT_LIBS)
tests_test_plan_control_SOURCES = tests/test_plan_control.c tests/store_fixture.h
tests_test_plan_control_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
tests_test_plan_control_LDADD = investigate/libcli.a $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_departures_SOURCES = tests/test_departures.c tests/planner_fixture.h
tests_test_departures_CFLAGS = $(UNIT_CFLAGS)
tests_test_departures_LDADD = investigate/libcli.a $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_test_planner_SOURCES = tests/test_planner.c tests/planner_fixture.h tests/store_fixture.h
tests_test_planner_CFLAGS = $(UNIT_CFLAGS)
tests_test_planner_LDADD = investigate/libcli.a $(STORE_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
endif

# Evidence: brought, sealed, opened again.
noinst_PROGRAMS += tests/tools/unseal
tests_tools_unseal_SOURCES = tests/tools/unseal.c
tests_tools_unseal_LDADD = $(READ_LIBS)
TESTS += tests/it/fetch.py
EXTRA_DIST += tests/it/fetch.py
if HAVE_CRITERION
check_PROGRAMS += tests/test_evidence_zip
TESTS += tests/test_evidence_zip
tests_test_evidence_zip_SOURCES = tests/test_evidence_zip.c
tests_test_evidence_zip_CFLAGS = $(UNIT_CFLAGS)
tests_test_evidence_zip_LDADD = investigate/libcli.a investigate/libactuator.a $(BASE_LIBS) $(UNIT_LIBS)
endif
