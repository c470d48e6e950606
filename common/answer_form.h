/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answer_form.h - the form of a worker's answer, for answer_write.c and answer_read.c.
 *
 * A GVariant of RECORD_TYPE, in the machine's byte order: both ends are one program.
 */
#ifndef MAILTRACE_ANSWER_FORM_H
#define MAILTRACE_ANSWER_FORM_H

/*
 * The form.  "m" is a member that may be absent.
 * file: path parent names(text raw reading) declared_type detected_type
 *       disposition content_id encoding size flags digests
 *       variants(kind size digests) crc32 method readings malware
 */
#define ADDRESSES_TYPE "a(mss)"
#define FILE_TYPE "(sia(smays)msmsmsmsmstuaya(utay)mumsasas)"
#define RECORD_TYPE                                                                \
	"(tmsmsmaymsx" ADDRESSES_TYPE ADDRESSES_TYPE ADDRESSES_TYPE ADDRESSES_TYPE \
	"asasmsasa" FILE_TYPE "a(st)astayms)"

/* Members of RECORD_TYPE, by place. */
enum {
	RECORD_TICKET,
	RECORD_MESSAGE_ID,
	RECORD_SUBJECT,
	RECORD_SUBJECT_RAW,
	RECORD_DATE,
	RECORD_DATE_US,
	RECORD_FROM,
	RECORD_TO,
	RECORD_CC,
	RECORD_REPLY_TO,
	RECORD_DELIVERED_TO,
	RECORD_AUTHENTICATION_RESULTS,
	RECORD_LIST_ID,
	RECORD_URLS,
	RECORD_FILES,
	RECORD_ANOMALIES,
	RECORD_CAPS,
	RECORD_SIZE,
	RECORD_SHA256,
	RECORD_SCANNER,
};

/* Members of FILE_TYPE, by place. */
enum {
	FILE_AT_PATH,
	FILE_AT_PARENT,
	FILE_AT_NAMES,
	FILE_AT_DECLARED_TYPE,
	FILE_AT_DETECTED_TYPE,
	FILE_AT_DISPOSITION,
	FILE_AT_CONTENT_ID,
	FILE_AT_ENCODING,
	FILE_AT_SIZE,
	FILE_AT_FLAGS,
	FILE_AT_DIGESTS,
	FILE_AT_VARIANTS,
	FILE_AT_CRC32,
	FILE_AT_METHOD,
	FILE_AT_READINGS,
	FILE_AT_MALWARE,
};
#endif
