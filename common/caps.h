/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * caps.h - every limit that outside bytes meet, with its reason.
 *
 * One home for all caps, so that SECURITY.md, mailtrace.conf(5) and the tests
 * at cap-1, cap and cap+1 speak of the same numbers.  A cap that is met is
 * noted in the record by the name given beside it.
 */
#ifndef MAILTRACE_CAPS_H
#define MAILTRACE_CAPS_H

/* Reading a message; in the worker. */
#define CAP_NESTING 256 /* real mail stays below 10, readers take 200; we recurse once a level */
#define CAP_NESTING_NAME "nesting"
#define CAP_PARTS 10000 /* a digest of a busy list has hundreds; each part costs ~1 KB */
#define CAP_PARTS_NAME "parts"
#define CAP_HEADER_BYTES (1024 * 1024) /* of one part; Postfix keeps 102,400 of a message */
#define CAP_HEADER_BYTES_NAME "header-bytes"
#define CAP_NAMES 16 /* names of one file: every reader's view of it */
#define CAP_NAMES_NAME "names"
#define CAP_NAME_BYTES 4096 /* of one name: PATH_MAX, as file systems have it */
#define CAP_NAME_BYTES_NAME "name-bytes"
#define CAP_DERIVED_NAMES_BYTES (256 * 1024) /* of names that readers make of others */
#define CAP_DERIVED_NAMES_BYTES_NAME "derived-names-bytes"
#define CAP_RAW_NAME_BYTES 1024 /* of one whose bytes are tried in several character sets */
#define CAP_SUBJECT_BYTES 16384 /* decoded; SMTP allows lines of 998, folded without end */
#define CAP_SUBJECT_BYTES_NAME "subject-bytes"
#define CAP_FIELD_BYTES 8192 /* any other header field kept as text */
#define CAP_FIELD_BYTES_NAME "field-bytes"
#define CAP_PARAMETER_BYTES 65536 /* of a Content-* field; a 4 KB name in RFC 2231 is 15 KB */
#define CAP_PARAMETERS 512	  /* of one field, RFC 2231's sections included */
#define CAP_PARAMETERS_NAME "parameters"
#define CAP_FIELDS 1000 /* header fields of use to us; a list's mail has dozens */
#define CAP_FIELDS_NAME "fields"
#define CAP_TRACE_FIELDS 64 /* each of Delivered-To and Authentication-Results */
#define CAP_TRACE_FIELDS_NAME "trace-fields"
#define CAP_NAMES_BYTES (4 * 1024 * 1024) /* of all files' names: an answer takes no more */
#define CAP_NAMES_BYTES_NAME "names-bytes"
#define CAP_ENCLOSED_BYTES (256 * 1024 * 1024) /* hashed again for each message around them */
#define CAP_ENCLOSED_BYTES_NAME "enclosed-bytes"
#define CAP_ADDRESS_FIELD_BYTES (256 * 1024) /* 1,000 addresses with long names */
#define CAP_ADDRESSES 1000		     /* of one header field */
#define CAP_ADDRESSES_NAME "addresses"
#define CAP_URLS 1000 /* newsletters have up to some hundred */
#define CAP_URLS_NAME "urls"
#define CAP_URL_BYTES 4096 /* browsers take more, mail clients rarely do */
#define CAP_URL_BYTES_NAME "url-bytes"
#define CAP_URL_SCAN_BYTES (4 * 1024 * 1024) /* of text searched for links */
#define CAP_URL_SCAN_BYTES_NAME "url-scan-bytes"
#define CAP_READINGS 64 /* of one message: each costs as much as reading it */
#define CAP_READINGS_NAME "readings"
#define CAP_TRIPLE_READINGS 48 /* after so many no three departures at once are tried */
#define CAP_TRIPLE_READINGS_NAME "triple-readings"
#define CAP_DECODINGS 6 /* contents that others of one show: with a body, a message has eight */
#define CAP_PAIR_DECODINGS 3   /* where two departures at once are read, which is rarer */
#define CAP_TRIPLE_DECODINGS 2 /* and where three are */
#define CAP_DECODINGS_NAME "decodings"
#define CAP_READING_OBJECTS 64 /* contents that only other readings show; real ones are few */
#define CAP_READING_OBJECTS_NAME "reading-objects"
#define CAP_READING_BYTES (512 * 1024 * 1024) /* read by them in all: some seconds */
#define CAP_READING_BYTES_NAME "reading-bytes"
#define CAP_ANOMALIES 256
#define CAP_ANOMALIES_NAME "anomalies"

/* Reading what is in archives; in the worker, for one message. */
#define CAP_MEMBERS 10000 /* an event has no room for more; a large source tree has thousands */
#define CAP_MEMBERS_NAME "members"
#define CAP_FILES 20000				  /* of a record: parts and members */
#define CAP_UNPACKED_BYTES (1024LL * 1024 * 1024) /* padded programs reach 700 MB */
#define CAP_UNPACKED_BYTES_NAME "unpacked-bytes"
#define CAP_UNPACK_RATIO 1100 /* of a part; deflate's most is 1,032 */
#define CAP_UNPACK_RATIO_NAME "unpack-ratio"
#define CAP_UNPACK_FREE_BYTES (256 * 1024 * 1024) /* where no ratio counts: a second's work */
#define CAP_KEPT_BYTES (128 * 1024 * 1024) /* of archives in memory to look into, at one time */
#define CAP_KEPT_BYTES_NAME "kept-bytes"
#define CAP_SCAN_NAME "scan" /* a limit of the engine's, which are those of unpacking */
#define CAP_SIGNATURES 64    /* of one file that are named; more say nothing new */
#define CAP_SIGNATURES_NAME "signatures"
#define CAP_SIGNATURE_BYTES 256 /* of a signature's name */
#define CAP_SIGNATURE_BYTES_NAME "signature-bytes"
#define CAP_SCAN_LEVELS 32 /* of files in files that the engine opens; it recurses */
#define CAP_PASSWORDS 20   /* words of a message tried on an archive; it is among the first */
#define CAP_PASSWORDS_NAME "passwords"
#define CAP_PASSWORD_BYTES 128		     /* of one; people type shorter ones */
#define CAP_PASSWORD_TEXT_BYTES (256 * 1024) /* text that is searched for them */
#define CAP_PASSWORD_TEXT_BYTES_NAME "password-text-bytes"
#define CAP_UNPACK_CPU_MS 4000 /* beside what the mail itself needs of the worker's seconds */
#define CAP_UNPACK_CPU_MS_NAME "unpack-cpu"

/* Messages whose archives a later mail may open; in the milter process. */
#define CAP_LOCKED_BYTES (32 * 1024 * 1024) /* of one; what mail systems let pass is less */
#define CAP_LOCKED_MESSAGES 1000	    /* at one time; the oldest go */
#define CAP_LATER_TRIES 4		    /* kept messages that one mail's words are tried on */
#define CAP_LATER_TEXT_BYTES (256 * 1024)   /* of that mail: a password stands in its text */
#define CAP_LATER_QUEUE 32		    /* messages that wait for it; further ones do not */

/* The envelope; in the milter process. */
#define CAP_PACKET_BYTES (1024 * 1024) /* from the MTA; a header field comes in one */
#define CAP_RECIPIENTS 10000	       /* Postfix: smtpd_recipient_limit is 1,000 */
#define CAP_RECIPIENTS_NAME "recipients"
#define CAP_ADDRESS_BYTES 1024 /* RFC 5321 4.5.3.1: 254, SMTPUTF8 and source routes more */
#define CAP_ADDRESS_BYTES_NAME "address-bytes"
#define CAP_ARGUMENTS 16 /* ESMTP parameters of one address */
#define CAP_ARGUMENTS_NAME "arguments"
#define CAP_TRACE_HEADERS 32 /* X-Mailtrace-Id fields looked at in one message */
#define CAP_TRACE_HEADERS_NAME "trace-headers"

/* Hand-overs. */
#define CAP_ANSWER_BYTES (4 * 1024 * 1024) /* a worker's answer, as bounded as an event */
#define CAP_EVENT_BYTES (4 * 1024 * 1024)  /* an event before it enters the spool */
#define CAP_EVENT_BYTES_NAME "event-bytes"
#define CAP_BLOCKS 64 /* blocked files noted of one message, the gravest; more say nothing new */
#define CAP_BLOCKS_NAME "blocks"
#define CAP_INLINE_BYTES (64 * 1024)		 /* a message in the packet; above it a memfd */
#define CAP_MESSAGE_BYTES (1024LL * 1024 * 1024) /* a message as a whole */
#define CAP_MESSAGE_BYTES_NAME "message-bytes"
#define CAP_CONFIG_BYTES (64 * 1024)	  /* a configuration file */
#define CAP_KEYS_BYTES (1024 * 1024)	  /* a key file; a list of 8,000 sensors fits */
#define CAP_BATCH_EVENTS 256		  /* events of one batch on the bus */
#define CAP_BATCH_BYTES (8 * 1024 * 1024) /* and their bytes */

/* What became of a message; from the MTA's log. */
#define CAP_LOG_LINE_BYTES 8192 /* rsyslog's and syslog-ng's default; Postfix stays below 2,100 */
#define CAP_DELIVERY_TEXT_BYTES 1024	/* a reply of the next hop: RFC 5321 4.5.3.1.5 has 512 */
#define CAP_DELIVERY_BYTES (128 * 1024) /* twelve such texts, each byte escaped as JSON, fit */
#define CAP_LOGIN_BYTES (32 * 1024)	/* a user's name three times, each byte escaped, fits */
#define CAP_TRACE_LINES 10000 /* of one recipient's copies: an alias of some thousand people */
#define CAP_TRACE_QUEUES 1000 /* that its copies are followed through */
#define CAP_FOLDER_NAMES 100  /* that a folder had while a copy was in it: each is a question */
#define CAP_TRACE_HOPS 32     /* back from one of them; mail loops end earlier */

/* Assets: which device had which address. */
#define CAP_ASSETS_BYTES (16 * 1024 * 1024) /* of a file: 200,000 leases */
#define CAP_DEVICE_BYTES 253		    /* of a device's name: RFC 1035 2.3.4 */

/* Containment: a command to an actuator, and its answer. */
#define CAP_COMMAND_BYTES (1024 * 1024)
#define CAP_COMMAND_TEXT_BYTES 4096	       /* of a text in it; a header line is 998 */
#define CAP_COMMAND_LIST 256		       /* digests or flags in it */
#define CAP_COMMAND_COPIES 1000		       /* copies of one message in one mailbox */
#define CAP_OPENC2_ANSWER_BYTES (1024 * 1024)  /* of a consumer, over HTTPS */
#define CAP_QUEUE_LINE_BYTES (4 * 1024 * 1024) /* a message of postqueue -j: 10,000 recipients */
#define CAP_QUEUE_ANSWER_BYTES (64 * 1024)     /* between actuator and queue helper */
#define CAP_QUEUE_REQUESTS 256		       /* of one run of the queue helper */
#define CAP_PLAN_COMMANDS 10000		       /* of one plan; more are several plans */
#define CAP_PLAN_ENTRIES 20000		  /* recipients of a plan, and copies beyond its reach */
#define CAP_PLAN_BYTES (14 * 1024 * 1024) /* of a plan; with it, a request to the collector */
#define CAP_PLAN_FILE_BYTES (32 * 1024 * 1024) /* the same with line breaks and blanks */

/* The journal. */
#define CAP_JOURNAL_ENTRY_BYTES (24 * 1024)    /* twice that, as JSON in JSON, fits an answer */
#define CAP_JOURNAL_ARGUMENTS_BYTES (8 * 1024) /* of a command; lists are given as files */
#define CAP_JOURNAL_ANCHORS 1000000 /* of files to verify against: two years of one a minute */

/* A mail store's answers to an actuator. */
#define CAP_DOVEADM_LIST_BYTES (4 * 1024 * 1024)   /* 1,000 copies with their header fields */
#define CAP_DOVEADM_TEXT_BYTES (128 * 1024 * 1024) /* a message as JSON, which may double it */
#define CAP_DOVEADM_FIELD_BYTES 65536		   /* a name, or all X-Mailtrace-Id of a message */

/* Who asks for metrics. */
#define CAP_METRICS_CONNECTIONS 16	/* at once; one scraper has one */
#define CAP_METRICS_REQUEST_BYTES 16384 /* memory of a connection, for a request's head */

/* The sandbox of a worker. */
#define WORKER_MESSAGES 200			   /* then it is replaced */
#define WORKER_MEMORY_BYTES (1024LL * 1024 * 1024) /* RLIMIT_AS above what it inherits */
#define WORKER_CPU_SECONDS 30			   /* for one message */
#define WORKER_TIMEOUT_MS 60000			   /* for one message, by the wall clock */
#define WORKER_TEMP_BYTES (256LL * 1024 * 1024)	   /* its temporary folder on tmpfs */
#endif
