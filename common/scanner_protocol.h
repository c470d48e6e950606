/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scanner_protocol.h - what client, scanner and workers say to each other.
 *
 * All sockets are SOCK_SEQPACKET socketpairs: packets keep their bounds, and
 * the end of either side is seen by the other.  Nothing of this leaves the
 * machine; both ends are of one build.
 *
 * Control socket, one a scanner; the scanner's end is SCANNER_CONTROL_FD:
 *   scanner -> client  {WORKER, n} and, by SCM_RIGHTS, our end of the channel
 *                      of the new worker n.  Numbers are never used again.
 *   client -> scanner  {REPLACE, n}: kill worker n if it still lives.  A worker
 *                      that has ended by itself is replaced without asking, so
 *                      a number that is unknown is no error.
 *   The end of the client ends the scanner: workers finish the message they
 *   have, see the end of their channels, and the scanner follows the last one.
 *
 * Channel, one a worker; one message at a time:
 *   client -> worker   struct scanner_request, then the message (SCANNER_INLINE)
 *                      or, by SCM_RIGHTS, a file of at least length bytes that
 *                      the worker maps (SCANNER_MAPPED).
 *   worker -> client   the answer (answer.h) in packets: struct scanner_piece,
 *                      then SCANNER_PIECE_BYTES of it, less in the last.
 *   Packets and not a memfd carry the answer: a file that came from a worker
 *   that was taken over could be truncated under our mapping, or be one whose
 *   pages never arrive.  The client drops all descriptors that a worker sends.
 */
#ifndef MAILTRACE_SCANNER_PROTOCOL_H
#define MAILTRACE_SCANNER_PROTOCOL_H

#include <glib.h>

#include "caps.h"

#define SCANNER_CONTROL_FD 3
#define SCANNER_WORKERS_MAX 256 /* far above what cores there are; each costs some MB */

/* Exit status of a worker whose sandbox cannot be had: another would not fare better. */
#define WORKER_EXIT_SANDBOX 71 /* EX_OSERR of sysexits.h */

enum scanner_control_kind { SCANNER_CONTROL_WORKER = 1, SCANNER_CONTROL_REPLACE };

struct scanner_control {
	guint32 kind;	/* of enum scanner_control_kind */
	guint32 worker; /* its number */
};

enum scanner_form { SCANNER_INLINE = 1, SCANNER_MAPPED };

struct scanner_request {
	guint64 ticket; /* comes back with the answer */
	guint64 length; /* of the message, at most CAP_MESSAGE_BYTES */
	guint32 form;	/* of enum scanner_form; INLINE up to CAP_INLINE_BYTES */
	guint32 zero;
};

/* A packet of 64 KiB is far below the least SO_SNDBUF that Linux gives by default (208 KiB). */
#define SCANNER_PACKET_BYTES (64 * 1024)

struct scanner_piece {
	guint64 ticket;
	guint64 length; /* of the whole answer, at most CAP_ANSWER_BYTES */
	guint64 offset; /* where this piece begins */
};

#define SCANNER_PIECE_BYTES (SCANNER_PACKET_BYTES - sizeof(struct scanner_piece))
#endif
