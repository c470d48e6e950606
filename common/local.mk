# SPDX-License-Identifier: BSD-2-Clause
# What both programs stand on.  libbase.a: GLib, libcrypto, jansson only, since
# the command line links it.  libread.a: what runs in the sandbox.  libbus.a:
# ZeroMQ.
noinst_LIBRARIES += common/libbase.a
common_libbase_a_SOURCES = \
	common/answer.h \
	common/authorized_keys.c common/authorized_keys.h \
	common/bus.h \
	common/caps.h \
	common/charset.h \
	common/digest.h \
	common/event.h \
	common/keys.c \
	common/keys.h \
	common/log.h \
	common/mime.h \
	common/network.h \
	common/ocsf.h \
	common/record.h \
	common/scanner_client.h \
	common/settings.h \
	common/text.h \
	common/trace_id.h \
	common/url.h \
	common/z85.c common/z85.h
common_libbase_a_SOURCES += common/answer_form.h common/answer_read.c common/answer_write.c common/digest.c common/event.c common/record.c common/text.c
common_libbase_a_SOURCES += common/log.c common/network.c common/settings.c \
	common/settings_keys.c common/settings_private.h common/settings_value.c \
	common/settings_check.c common/password_list.c common/password_list.h common/sealed.c common/sealed.h
common_libbase_a_SOURCES += common/ocsf.c common/ocsf_json.h common/ocsf_mailtrace.c common/ocsf_read.c
common_libbase_a_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) $(JANSSON_CFLAGS)
BASE_LIBS = common/libbase.a $(CRYPTO_LIBS) $(JANSSON_LIBS) $(GLIB_LIBS)
common_libbase_a_SOURCES += common/trace_id.c
common_libbase_a_SOURCES += common/domains.c common/domains.h common/json.h common/openc2.c common/openc2.h \
	common/openc2_json.c common/openc2_members.h
common_libbase_a_SOURCES += common/descriptor.c common/descriptor.h common/libexec.c \
	common/libexec.h
common_libbase_a_SOURCES += common/gateways.c common/gateways.h
common_libbase_a_SOURCES += common/key_file.c common/key_file.h common/signing_key.c \
	common/signing_key.h common/anchor.c common/anchor.h
common_libbase_a_SOURCES += common/block_chunk.c common/block_chunk.h common/block_list.c \
	common/block_list.h
common_libbase_a_SOURCES += common/scanner_client.c common/scanner_protocol.h \
	common/scanner_queue.c common/scanner_queue.h \
	common/scanner_exchange.c common/scanner_exchange.h common/scanner_spawn.c

noinst_LIBRARIES += common/libread.a
common_libread_a_SOURCES = \
	common/base64.c common/base64.h \
	common/boundary.c common/boundary.h \
	common/charset.c common/charset_guess.c common/charset_internal.h common/charset_jis.c \
	common/content_field.c common/content_field.h \
	common/document_urls.c common/document_urls.h \
	common/embedded.c common/embedded.h common/embedded_lines.h common/embedded_binhex.c \
	common/embedded_calendar.c common/embedded_html.c common/embedded_signed.c \
	common/embedded_tnef.c common/embedded_yenc.c \
	common/encoded_word.c common/encoded_word.h \
	common/entity.c common/entity.h common/entity_header.c common/entity_lines.c \
	common/entity_splitter.h \
	common/fingerprint.c common/fingerprint.h \
	common/magic.c common/magic.h \
	common/mail_file.c common/mail_file.h \
	common/mime.c common/mime_describe.c common/mime_header.c common/mime_leaf.c \
	common/mime_names.c common/mime_name_forms.c common/mime_otherwise.c \
	common/mime_reader.h common/mime_transfer.c \
	common/passwords.c common/passwords.h \
	common/password_labels.c common/password_labels.h \
	common/password_text.c common/password_text.h \
	common/password_words.c common/password_words.h \
	common/pasted.c common/pasted.h \
	common/rar_headers.c common/rar_headers.h common/seven_headers.c common/seven_headers.h \
	common/readings.c common/readings.h \
	common/recode.c common/recode.h common/recode_base64.c common/recode_forms.h common/recode_quoted.c \
	common/recode_uuencode.c \
	common/wide.c common/wide.h \
	common/unpack.c common/unpack.h common/unpack_private.h \
	common/unpack_account.c common/unpack_engine.c common/unpack_locked.c \
	common/unpack_member.c common/unpack_views.c common/unpack_wrapper.c \
	common/url.c
common_libread_a_CFLAGS = $(AM_CFLAGS) $(GMIME_CFLAGS)
READ_LIBS = common/libread.a $(SCAN_LIBS) common/libread.a $(UNPACK_LIBS) $(ENCRYPTED_LIBS) $(BASE_LIBS) $(GMIME_LIBS)

# Compressed streams and archives; libarchive's and liblzma's owner, for the sandbox.
noinst_LIBRARIES += common/libunpack.a
common_libunpack_a_SOURCES = common/archive.c common/archive_members.h common/archive_stream.h \
	common/archive_behind.c common/archive_behind.h \
	common/self_extracting.c common/self_extracting.h common/tar_views.c common/tar_views.h \
	common/compressed_end.c common/compressed_end.h common/xar_contents.c common/xar_contents.h
common_libunpack_a_CFLAGS = $(AM_CFLAGS) $(ARCHIVE_CFLAGS) $(LZMA_CFLAGS)
UNPACK_LIBS = common/libunpack.a $(ARCHIVE_LIBS) $(LZMA_LIBS)

# What zips say of themselves, and encrypted ones; libzip's owner, for the sandbox.
noinst_LIBRARIES += common/libencrypted.a
common_libencrypted_a_SOURCES = common/encrypted_zip.c common/encrypted_zip.h \
	common/zip_end.c common/zip_end.h \
	common/zip_entries.c common/zip_entries.h common/zip_views.c common/zip_views.h
common_libencrypted_a_CFLAGS = $(AM_CFLAGS) $(ZIP_CFLAGS)
ENCRYPTED_LIBS = common/libencrypted.a $(ZIP_LIBS)

# The engine; libclamav's owner, for the sandbox.
noinst_LIBRARIES += common/libscan.a
if WITH_CLAMAV
common_libscan_a_SOURCES = common/scan.c common/scan.h
else
common_libscan_a_SOURCES = common/scan_none.c common/scan.h
endif
common_libscan_a_CFLAGS = $(AM_CFLAGS) $(CLAMAV_CFLAGS)
SCAN_LIBS = common/libscan.a $(CLAMAV_LIBS)

# Metrics over HTTP; libmicrohttpd's owner.
noinst_LIBRARIES += common/libmetrics.a
common_libmetrics_a_SOURCES = common/metrics.c common/metrics.h common/metrics_server.c \
	common/metrics_server.h
common_libmetrics_a_CFLAGS = $(AM_CFLAGS) $(MICROHTTPD_CFLAGS)
METRICS_LIBS = common/libmetrics.a $(MICROHTTPD_LIBS)

# The bus; ZeroMQ's owner.
noinst_LIBRARIES += common/libbus.a
common_libbus_a_SOURCES = common/bus_collector.c common/bus_frames.c common/bus_frames.h \
	common/bus_live.c common/bus_live.h common/bus_sensor.c common/bus_socket.c \
	common/bus_socket.h common/bus_watch.c common/bus_zap.c common/bus_zap.h
common_libbus_a_CFLAGS = $(AM_CFLAGS) $(ZMQ_CFLAGS)
BUS_LIBS = common/libbus.a $(ZMQ_LIBS)

# What became of a message, from the MTA's log.
common_libbase_a_SOURCES += common/delivery.c common/delivery.h common/queue_id.c common/queue_id.h \
	common/ocsf_delivery.c common/ocsf_delivery.h common/ocsf_members.c \
	common/login.c common/login.h common/ocsf_login.c common/ocsf_login.h
