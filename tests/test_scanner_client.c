/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client against the real scanner, and against a scanner's end played by
 * the test where a worker has to lie or to wait at a known point.
 */
#include "config.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "answer.h"
#include "caps.h"
#include "scanner_client.h"
#include "scanner_protocol.h"

#define LONG_MS 20000 /* far more than anything here takes */
#define DEADLINE_US (30 * G_USEC_PER_SEC)

#define MAIL                                                             \
	"From: a@example.com\r\nTo: b@example.com\r\nSubject: hello\r\n" \
	"Message-ID: <1@example.com>\r\n\r\nbody\r\n"

typedef struct scanner_client client_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(client_t, scanner_client_free)

static void
assert_no_error(const GError *error)
{
	cr_assert_null(error, "%s", error != NULL ? error->message : "");
}

/* ---- reading in a thread ---- */

struct reading {
	pthread_t thread;
	struct scanner_client *client;
	int fd;
	const void *bytes;
	gsize length;
	guint timeout_ms;
	pid_t tid; /* atomic; 0 until the thread runs */
	struct record *record;
	GError *error;
};

static void *
read_in_thread(void *data)
{
	struct reading *reading = data;

	g_atomic_int_set(&reading->tid, (int)syscall(SYS_gettid));
	reading->record =
		scanner_client_read(reading->client, reading->fd, reading->bytes, reading->length,
				    reading->timeout_ms, &reading->error);
	return NULL;
}

static void
reading_start(struct reading *reading, struct scanner_client *client, const char *message,
	      guint timeout_ms)
{
	*reading = (struct reading){.client = client, .fd = -1, .timeout_ms = timeout_ms};
	reading->bytes = message;
	reading->length = strlen(message);
	cr_assert_eq(pthread_create(&reading->thread, NULL, read_in_thread, reading), 0);
}

static void
reading_finish(struct reading *reading)
{
	cr_assert_eq(pthread_join(reading->thread, NULL), 0);
}

static void
reading_clear(struct reading *reading)
{
	record_free(reading->record);
	g_clear_error(&reading->error);
}

static void
assert_read(struct reading *reading)
{
	reading_finish(reading);
	cr_assert_not_null(reading->record, "%s", reading->error ? reading->error->message : "");
	reading_clear(reading);
}

static void
assert_not_read(struct reading *reading, enum scanner_error code)
{
	reading_finish(reading);
	cr_assert_null(reading->record);
	cr_assert(g_error_matches(reading->error, SCANNER_ERROR, code), "%s",
		  reading->error->message);
	reading_clear(reading);
}

/* One turn of waiting for a condition, which must come true before the deadline. */
static void
nap_before(gint64 deadline)
{
	cr_assert_lt(g_get_monotonic_time(), deadline);
	poll(NULL, 0, 1);
}

/* Waits until the thread sleeps; here that is in the client's queue. */
static void
wait_queued(struct reading *reading)
{
	gint64 deadline = g_get_monotonic_time() + DEADLINE_US;
	char state = 0;

	while (state != 'S') {
		g_autofree char *path =
			g_strdup_printf("/proc/self/task/%d/stat", g_atomic_int_get(&reading->tid));
		g_autofree char *text = NULL;

		nap_before(deadline);
		if (g_file_get_contents(path, &text, NULL, NULL))
			state = strrchr(text, ')')[2];
	}
}

static struct scanner_counters
counters_of(struct scanner_client *client)
{
	struct scanner_counters counters;

	scanner_client_counters(client, &counters);
	return counters;
}

static guint
open_descriptors(void)
{
	g_autoptr(GDir) folder = g_dir_open("/proc/self/fd", 0, NULL);
	guint n = 0;

	while (g_dir_read_name(folder) != NULL)
		n++;
	return n;
}

/* ---- a scanner played by the test ---- */

/* Attaches a played scanner; returns its end of the control socket. */
static int
play_scanner(struct scanner_client *client)
{
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	scanner_client_attach(client, ends[0]);
	return ends[1];
}

static void
pass_fd(int socket_fd, const void *bytes, gsize length, int fd)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ancillary = {0};
	struct iovec part = {(void *)bytes, length};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = &ancillary,
				.msg_controllen = sizeof(ancillary)};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&header);

	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
	cr_assert_eq(sendmsg(socket_fd, &header, MSG_NOSIGNAL), (ssize_t)length);
}

/* Offers a worker of this number; returns the worker's end of its channel. */
static int
offer_worker(int control_fd, guint32 number)
{
	struct scanner_control control = {SCANNER_CONTROL_WORKER, number};
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	pass_fd(control_fd, &control, sizeof(control), ends[0]);
	close(ends[0]);
	return ends[1];
}

static gboolean
is_readable(int fd, guint timeout_ms)
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};

	return poll(&polled, 1, (int)timeout_ms) > 0;
}

/* Receives a message as a worker; its text is put into ret_text if not NULL. */
static struct scanner_request
receive_request(int worker_fd, char **ret_text)
{
	g_autofree char *packet = g_malloc0(sizeof(struct scanner_request) + CAP_INLINE_BYTES + 1);
	struct scanner_request request;
	ssize_t n;

	cr_assert(is_readable(worker_fd, LONG_MS), "no message came");
	n = recv(worker_fd, packet, sizeof(request) + CAP_INLINE_BYTES, 0);
	cr_assert_geq(n, (ssize_t)sizeof(request));
	memcpy(&request, packet, sizeof(request));
	if (ret_text != NULL)
		*ret_text = g_strdup(packet + sizeof(request));
	return request;
}

/* Sends a packet with this head; body: length bytes. */
static void
send_packet(int worker_fd, struct scanner_piece head, const void *body, gsize length)
{
	g_autofree guint8 *packet = g_malloc(sizeof(head) + length);

	memcpy(packet, &head, sizeof(head));
	if (length > 0)
		memcpy(packet + sizeof(head), body, length);
	cr_assert_eq(send(worker_fd, packet, sizeof(head) + length, MSG_NOSIGNAL),
		     (ssize_t)(sizeof(head) + length));
}

static struct record *
plain_record(void)
{
	struct record *record = record_new();

	record_add_file(record, "1", -1);
	return record;
}

static void
answer_with(int worker_fd, guint64 ticket, const struct record *record)
{
	g_autoptr(GBytes) answer = answer_encode(record, ticket);
	gsize length;
	const guint8 *bytes = g_bytes_get_data(answer, &length);
	struct scanner_piece head = {.ticket = ticket, .length = length};

	while (head.offset < length) {
		gsize n = MIN(SCANNER_PIECE_BYTES, length - head.offset);

		send_packet(worker_fd, head, bytes + head.offset, n);
		head.offset += n;
	}
}

static void
answer_plainly(int worker_fd, guint64 ticket)
{
	g_autoptr(record_t) record = plain_record();

	answer_with(worker_fd, ticket, record);
}

/* Serves one message as an honest worker. */
static void
serve(int worker_fd)
{
	answer_plainly(worker_fd, receive_request(worker_fd, NULL).ticket);
}

/* The next request to replace a worker. */
static guint32
replaced_worker(int control_fd)
{
	struct scanner_control control;

	cr_assert(is_readable(control_fd, LONG_MS), "no worker is replaced");
	cr_assert_eq(recv(control_fd, &control, sizeof(control), 0), (ssize_t)sizeof(control));
	cr_assert_eq(control.kind, SCANNER_CONTROL_REPLACE);
	return control.worker;
}

static void
assert_channel_closed(int worker_fd)
{
	char byte;

	cr_assert(is_readable(worker_fd, LONG_MS));
	cr_assert_eq(recv(worker_fd, &byte, 1, 0), 0);
	close(worker_fd);
}

/* ---- waiting ---- */

Test(scanner_client, waits_for_a_scanner_until_its_time_is_over)
{
	g_autoptr(client_t) client = scanner_client_new();
	gint64 start = g_get_monotonic_time();
	struct reading reading;

	reading_start(&reading, client, MAIL, 150);
	assert_not_read(&reading, SCANNER_ERROR_BUSY);
	cr_assert_geq(g_get_monotonic_time() - start, 150 * 1000);
	cr_assert_eq(counters_of(client).failed, 1);
}

Test(scanner_client, reads_once_a_scanner_is_attached)
{
	g_autoptr(client_t) client = scanner_client_new();
	struct reading reading;
	int control, worker;

	reading_start(&reading, client, MAIL, LONG_MS);
	wait_queued(&reading);
	control = play_scanner(client);
	worker = offer_worker(control, 1);
	serve(worker);
	assert_read(&reading);
	close(worker);
	close(control);
}

/* As many open connections as there may be take the descriptor that a channel would need. */
Test(scanner_client, outlives_a_time_without_descriptors)
{
	g_autoptr(client_t) client = scanner_client_new();
	int control = play_scanner(client), worker, ends[2];
	struct scanner_control lost = {SCANNER_CONTROL_WORKER, 1};
	struct rlimit limit, none = {.rlim_cur = 1}; /* poll() wants one */
	struct reading reading;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none.rlim_max = limit.rlim_max;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	pass_fd(control, &lost, sizeof(lost), ends[0]);
	close(ends[0]);
	/* The worker sees its end once the client has received what it could not keep. */
	assert_channel_closed(ends[1]);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	worker = offer_worker(control, 2);
	reading_start(&reading, client, MAIL, LONG_MS);
	serve(worker);
	assert_read(&reading);
	close(worker);
	close(control);
}

Test(scanner_client, serves_readers_in_order)
{
	g_autoptr(client_t) client = scanner_client_new();
	int control = play_scanner(client);
	static const char *const messages[] = {"one", "two", "three", "four"};
	struct reading readings[G_N_ELEMENTS(messages)];
	int worker;

	for (gsize i = 0; i < G_N_ELEMENTS(messages); i++) {
		reading_start(&readings[i], client, messages[i], LONG_MS);
		wait_queued(&readings[i]);
	}
	worker = offer_worker(control, 1);
	for (gsize i = 0; i < G_N_ELEMENTS(messages); i++) {
		g_autofree char *text = NULL;
		struct scanner_request request = receive_request(worker, &text);

		cr_assert_str_eq(text, messages[i]);
		answer_plainly(worker, request.ticket);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(messages); i++)
		assert_read(&readings[i]);
	close(worker);
	close(control);
}

Test(scanner_client, a_reader_whose_time_is_over_leaves_the_queue)
{
	g_autoptr(client_t) client = scanner_client_new();
	int control = play_scanner(client);
	struct reading hasty, patient;
	g_autofree char *text = NULL;
	struct scanner_request request;
	int worker;

	reading_start(&hasty, client, "hasty", 50);
	wait_queued(&hasty);
	reading_start(&patient, client, "patient", LONG_MS);
	assert_not_read(&hasty, SCANNER_ERROR_BUSY);
	worker = offer_worker(control, 1);
	request = receive_request(worker, &text);
	cr_assert_str_eq(text, "patient");
	answer_plainly(worker, request.ticket);
	assert_read(&patient);
	close(worker);
	close(control);
}

/* ---- retry ---- */

Test(scanner_client, tries_again_in_a_fresh_worker_after_a_death)
{
	g_autoptr(client_t) client = scanner_client_new();
	int control = play_scanner(client);
	int used = offer_worker(control, 1);
	struct reading first, second;
	int fresh;

	reading_start(&first, client, MAIL, LONG_MS);
	serve(used);
	assert_read(&first);
	reading_start(&second, client, MAIL, LONG_MS);
	receive_request(used, NULL);
	close(used);
	cr_assert_eq(replaced_worker(control), 1);
	fresh = offer_worker(control, 2);
	serve(fresh);
	assert_read(&second);
	cr_assert_eq(counters_of(client).retried, 1);
	cr_assert_eq(counters_of(client).read, 2);
	cr_assert_eq(counters_of(client).replaced, 1);
	close(fresh);
	close(control);
}

/* Serves one ordinary message through both workers, so that none of the two is fresh. */
static void
use_both(struct scanner_client *client, const int workers[2])
{
	struct reading readings[2];

	for (int i = 0; i < 2; i++)
		reading_start(&readings[i], client, MAIL, LONG_MS);
	/* A worker that has answered before the other was asked would be asked again. */
	for (int i = 0; i < 2; i++)
		cr_assert(is_readable(workers[i], LONG_MS));
	for (int i = 0; i < 2; i++)
		serve(workers[i]);
	for (int i = 0; i < 2; i++)
		assert_read(&readings[i]);
}

Test(scanner_client, does_not_try_again_in_a_used_worker)
{
	g_autoptr(client_t) client = scanner_client_new();
	int control = play_scanner(client);
	int workers[2] = {offer_worker(control, 1), offer_worker(control, 2)};
	struct pollfd polled[2] = {{workers[0], POLLIN, 0}, {workers[1], POLLIN, 0}};
	struct reading reading;
	int failing, fresh;

	use_both(client, workers);
	reading_start(&reading, client, MAIL, LONG_MS);
	cr_assert_gt(poll(polled, 2, LONG_MS), 0);
	failing = polled[0].revents != 0 ? 0 : 1;
	receive_request(workers[failing], NULL);
	close(workers[failing]);
	cr_assert_eq(replaced_worker(control), (guint32)failing + 1);
	wait_queued(&reading);
	cr_assert_not(is_readable(workers[1 - failing], 0));
	fresh = offer_worker(control, 3);
	serve(fresh);
	assert_read(&reading);
	close(workers[1 - failing]);
	close(fresh);
	close(control);
}

Test(scanner_client, has_a_used_worker_replaced_when_no_fresh_one_will_come)
{
	g_autoptr(client_t) client = scanner_client_new();
	int former = play_scanner(client);
	int lost = offer_worker(former, 1);
	struct reading unlucky, other;
	int control, used, fresh;

	reading_start(&unlucky, client, MAIL, LONG_MS);
	receive_request(lost, NULL);
	control = play_scanner(client);
	used = offer_worker(control, 7);
	reading_start(&other, client, MAIL, LONG_MS);
	serve(used);
	assert_read(&other);
	close(lost); /* the former scanner can replace it no more */
	cr_assert_eq(replaced_worker(control), 7);
	assert_channel_closed(used);
	fresh = offer_worker(control, 8);
	serve(fresh);
	assert_read(&unlucky);
	close(fresh);
	close(control);
	close(former);
}

Test(scanner_client, reports_a_second_death)
{
	g_autoptr(client_t) client = scanner_client_new();
	int control = play_scanner(client);
	struct reading reading;

	reading_start(&reading, client, MAIL, LONG_MS);
	for (guint32 number = 1; number <= 2; number++) {
		int worker = offer_worker(control, number);

		receive_request(worker, NULL);
		close(worker);
		cr_assert_eq(replaced_worker(control), number);
	}
	assert_not_read(&reading, SCANNER_ERROR_DIED);
	cr_assert_eq(counters_of(client).failed, 1);
	cr_assert_eq(counters_of(client).retried, 0);
	close(control);
}

Test(scanner_client, tells_how_the_first_attempt_failed_when_there_is_no_second)
{
	g_autoptr(client_t) client = scanner_client_new();
	int control = play_scanner(client);
	int worker = offer_worker(control, 1);
	struct reading reading;

	reading_start(&reading, client, MAIL, 300);
	receive_request(worker, NULL);
	close(worker);
	assert_not_read(&reading, SCANNER_ERROR_DIED);
	close(control);
}

Test(scanner_client, leaves_half_of_the_time_for_the_second_attempt)
{
	g_autoptr(client_t) client = scanner_client_new();
	int control = play_scanner(client);
	int silent = offer_worker(control, 1);
	struct reading reading;
	int fresh;

	reading_start(&reading, client, MAIL, 2000);
	receive_request(silent, NULL);
	cr_assert_eq(replaced_worker(control), 1);
	assert_channel_closed(silent);
	fresh = offer_worker(control, 2);
	serve(fresh);
	assert_read(&reading);
	close(fresh);
	close(control);
}

Test(scanner_client, reports_a_worker_that_never_answers)
{
	g_autoptr(client_t) client = scanner_client_new();
	int control = play_scanner(client);
	int workers[2] = {offer_worker(control, 1), offer_worker(control, 2)};
	gint64 start = g_get_monotonic_time();
	struct reading reading;

	reading_start(&reading, client, MAIL, 200);
	assert_not_read(&reading, SCANNER_ERROR_TIMEOUT);
	cr_assert_geq(g_get_monotonic_time() - start, 200 * 1000);
	cr_assert_eq(counters_of(client).replaced, 2);
	close(workers[0]);
	close(workers[1]);
	close(control);
}

Test(scanner_client, a_worker_that_died_idle_costs_no_attempt)
{
	g_autoptr(client_t) client = scanner_client_new();
	int control = play_scanner(client);
	int dead = offer_worker(control, 1);
	struct reading reading;
	int worker;

	/* The second is offered after the first has come, and is put before it. */
	reading_start(&reading, client, MAIL, LONG_MS);
	serve(dead);
	assert_read(&reading);
	close(dead);
	reading_start(&reading, client, MAIL, LONG_MS);
	cr_assert_eq(replaced_worker(control), 1);
	worker = offer_worker(control, 2);
	serve(worker);
	assert_read(&reading);
	cr_assert_eq(counters_of(client).retried, 0);
	close(worker);
	close(control);
}

/* ---- lies ---- */

typedef void (*lie_fn)(int worker_fd, guint64 ticket);

static void
lie_runt(int worker_fd, guint64 ticket)
{
	cr_assert_eq(send(worker_fd, "x", 1, 0), 1);
}

static void
lie_wrong_ticket(int worker_fd, guint64 ticket)
{
	answer_plainly(worker_fd, ticket + 1);
}

/* The packets bear the right ticket, what is in them does not. */
static void
lie_wrong_ticket_inside(int worker_fd, guint64 ticket)
{
	g_autoptr(record_t) record = plain_record();
	g_autoptr(GBytes) answer = answer_encode(record, ticket + 1);
	gsize length = g_bytes_get_size(answer);

	send_packet(worker_fd, (struct scanner_piece){ticket, length, 0},
		    g_bytes_get_data(answer, NULL), length);
}

static void
lie_garbage(int worker_fd, guint64 ticket)
{
	char garbage[1000];

	memset(garbage, 0xa5, sizeof(garbage));
	send_packet(worker_fd, (struct scanner_piece){ticket, sizeof(garbage), 0}, garbage,
		    sizeof(garbage));
}

static void
lie_empty(int worker_fd, guint64 ticket)
{
	send_packet(worker_fd, (struct scanner_piece){ticket, 0, 0}, NULL, 0);
}

static void
lie_endless(int worker_fd, guint64 ticket)
{
	send_packet(worker_fd, (struct scanner_piece){ticket, G_MAXUINT64, 0}, "xxxx", 4);
}

static void
send_full_piece(int worker_fd, guint64 ticket, guint64 length, guint64 offset)
{
	g_autofree guint8 *body = g_malloc0(SCANNER_PIECE_BYTES);

	send_packet(worker_fd, (struct scanner_piece){ticket, length, offset}, body,
		    SCANNER_PIECE_BYTES);
}

static void
lie_one_byte_too_long(int worker_fd, guint64 ticket)
{
	send_full_piece(worker_fd, ticket, CAP_ANSWER_BYTES + 1, 0);
}

static void
lie_offset(int worker_fd, guint64 ticket)
{
	send_full_piece(worker_fd, ticket, 3 * SCANNER_PIECE_BYTES, 0);
	send_full_piece(worker_fd, ticket, 3 * SCANNER_PIECE_BYTES, 2 * SCANNER_PIECE_BYTES);
}

static void
lie_small_pieces(int worker_fd, guint64 ticket)
{
	send_packet(worker_fd, (struct scanner_piece){ticket, 100, 0}, "x", 1);
}

static void
lie_growing(int worker_fd, guint64 ticket)
{
	send_full_piece(worker_fd, ticket, 2 * SCANNER_PIECE_BYTES, 0);
	send_full_piece(worker_fd, ticket, 3 * SCANNER_PIECE_BYTES, SCANNER_PIECE_BYTES);
}

static void
lie_huge_packet(int worker_fd, guint64 ticket)
{
	gsize length = SCANNER_PIECE_BYTES + 1;
	g_autofree guint8 *body = g_malloc0(length);

	send_packet(worker_fd, (struct scanner_piece){ticket, length, 0}, body, length);
}

static const struct {
	const char *name;
	lie_fn tell;
} lies[] = {
	{"a packet shorter than its head", lie_runt},
	{"another ticket", lie_wrong_ticket},
	{"another ticket inside", lie_wrong_ticket_inside},
	{"garbage", lie_garbage},
	{"an empty answer", lie_empty},
	{"2^64-1 bytes", lie_endless},
	{"one byte over the cap", lie_one_byte_too_long},
	{"a piece left out", lie_offset},
	{"pieces of one byte", lie_small_pieces},
	{"a length that changes", lie_growing},
	{"a packet over the cap", lie_huge_packet},
};

/* Numbers of rows, since each test is a process of its own with other addresses. */
ParameterizedTestParameters(scanner_client, refuses_a_lie_and_asks_another)
{
	static int rows[G_N_ELEMENTS(lies)];

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
		rows[i] = (int)i;
	return cr_make_param_array(int, rows, G_N_ELEMENTS(rows));
}

ParameterizedTest(int *row, scanner_client, refuses_a_lie_and_asks_another)
{
	g_autoptr(client_t) client = scanner_client_new();
	int control = play_scanner(client);
	struct reading reading;

	reading_start(&reading, client, MAIL, LONG_MS);
	for (guint32 number = 1; number <= 2; number++) {
		int liar = offer_worker(control, number);

		lies[*row].tell(liar, receive_request(liar, NULL).ticket);
		cr_assert_eq(replaced_worker(control), number, "%s", lies[*row].name);
		close(liar);
	}
	assert_not_read(&reading, SCANNER_ERROR_ANSWER);
	close(control);
}

Test(scanner_client, drops_descriptors_that_a_worker_sends)
{
	g_autoptr(client_t) client = scanner_client_new();
	int control = play_scanner(client);
	int worker = offer_worker(control, 1);
	guint before = 0;

	for (int i = 0; i < 20; i++) {
		g_autoptr(record_t) record = plain_record();
		g_autoptr(GBytes) answer = NULL;
		g_autoptr(GByteArray) packet = g_byte_array_new();
		struct scanner_piece head = {0};
		struct reading reading;

		reading_start(&reading, client, MAIL, LONG_MS);
		head.ticket = receive_request(worker, NULL).ticket;
		answer = answer_encode(record, head.ticket);
		head.length = g_bytes_get_size(answer);
		g_byte_array_append(packet, (guint8 *)&head, sizeof(head));
		g_byte_array_append(packet, g_bytes_get_data(answer, NULL), head.length);
		pass_fd(worker, packet->data, packet->len, STDERR_FILENO);
		assert_read(&reading);
		if (i == 0)
			before = open_descriptors();
	}
	cr_assert_eq(open_descriptors(), before);
	close(worker);
	close(control);
}

Test(scanner_client, replaces_a_worker_that_speaks_unasked)
{
	g_autoptr(client_t) client = scanner_client_new();
	int control = play_scanner(client);
	int eager = offer_worker(control, 1);
	struct reading reading;
	int worker;

	reading_start(&reading, client, MAIL, LONG_MS);
	serve(eager);
	assert_read(&reading);
	/* An answer to the next message before it was asked. */
	answer_plainly(eager, 2);
	reading_start(&reading, client, MAIL, LONG_MS);
	cr_assert_eq(replaced_worker(control), 1);
	worker = offer_worker(control, 2);
	serve(worker);
	assert_read(&reading);
	close(eager);
	close(worker);
	close(control);
}

/* ---- workers that are replaced though they answered ---- */

/* Has one message answered with this record by a new worker; TRUE if that was replaced. */
static gboolean
is_replaced_after(const struct record *record)
{
	g_autoptr(client_t) client = scanner_client_new();
	int control = play_scanner(client);
	int worker = offer_worker(control, 1);
	struct reading reading;
	gboolean replaced;

	reading_start(&reading, client, MAIL, LONG_MS);
	answer_with(worker, receive_request(worker, NULL).ticket, record);
	assert_read(&reading);
	replaced = is_readable(control, 0);
	cr_assert_eq(counters_of(client).replaced, replaced ? 1 : 0);
	close(worker);
	close(control);
	return replaced;
}

Test(scanner_client, replaces_a_worker_after_caps_and_encrypted_files)
{
	g_autoptr(record_t) plain = plain_record();
	g_autoptr(record_t) capped = plain_record();
	g_autoptr(record_t) encrypted = plain_record();

	record_note_cap(capped, CAP_NESTING_NAME);
	record_add_file(encrypted, "2", 0)->flags = FILE_ENCRYPTED;
	cr_assert_not(is_replaced_after(plain));
	cr_assert(is_replaced_after(capped));
	cr_assert(is_replaced_after(encrypted));
}

Test(scanner_client, replaces_a_worker_after_its_messages)
{
	g_autoptr(client_t) client = scanner_client_new();
	int control = play_scanner(client);
	int worker = offer_worker(control, 1);

	for (guint i = 1; i <= WORKER_MESSAGES; i++) {
		struct reading reading;

		cr_assert_not(is_readable(control, 0));
		reading_start(&reading, client, MAIL, LONG_MS);
		serve(worker);
		assert_read(&reading);
	}
	cr_assert_eq(replaced_worker(control), 1);
	assert_channel_closed(worker);
	close(control);
}

Test(scanner_client, takes_a_long_answer_in_pieces)
{
	g_autoptr(client_t) client = scanner_client_new();
	int control = play_scanner(client);
	int worker = offer_worker(control, 1);
	g_autoptr(record_t) record = plain_record();
	struct reading reading;

	for (int i = 0; i < 1000; i++) {
		g_autofree char *url = g_strnfill(1000, 'u');

		g_ptr_array_add(record->urls, g_strdup_printf("http://%d/%s", i, url));
	}
	reading_start(&reading, client, MAIL, LONG_MS);
	answer_with(worker, receive_request(worker, NULL).ticket, record);
	reading_finish(&reading);
	cr_assert_not_null(reading.record);
	cr_assert_eq(reading.record->urls->len, 1000);
	cr_assert_str_eq(g_ptr_array_index(reading.record->urls, 999),
			 g_ptr_array_index(record->urls, 999));
	reading_clear(&reading);
	close(worker);
	close(control);
}

/* ---- a new scanner ---- */

Test(scanner_client, finishes_at_the_former_scanner_what_is_under_way)
{
	g_autoptr(client_t) client = scanner_client_new();
	int former = play_scanner(client);
	int old_worker = offer_worker(former, 1);
	struct reading reading;
	struct scanner_request request;
	int control;

	reading_start(&reading, client, MAIL, LONG_MS);
	request = receive_request(old_worker, NULL);
	control = play_scanner(client);
	assert_channel_closed(former);
	answer_plainly(old_worker, request.ticket);
	assert_read(&reading);
	assert_channel_closed(old_worker);
	cr_assert_not(is_readable(control, 0));
	close(control);
}

Test(scanner_client, refuses_a_message_over_the_cap)
{
	g_autoptr(client_t) client = scanner_client_new();
	g_autoptr(GError) error = NULL;

	cr_assert_null(
		scanner_client_read(client, 0, NULL, CAP_MESSAGE_BYTES + 1, LONG_MS, &error));
	cr_assert(g_error_matches(error, SCANNER_ERROR, SCANNER_ERROR_MESSAGE));
}

/* ---- the real scanner ---- */

struct real {
	struct scanner_client *client;
	GPid pid;
};

static char *
scanner_path(void)
{
	const char *top = g_getenv("top_builddir");

	return g_build_filename(top != NULL ? top : ".", "milter", "scanner", NULL);
}

static void
real_attach(struct real *real, guint workers)
{
	g_autofree char *path = scanner_path();
	g_autoptr(GError) error = NULL;
	int control = scanner_spawn(path, &(struct scanner_options){.workers = workers}, &real->pid,
				    &error);

	assert_no_error(error);
	scanner_client_attach(real->client, control);
}

static struct real
real_start(guint workers)
{
	struct real real = {.client = scanner_client_new()};

	real_attach(&real, workers);
	return real;
}

static int
wait_for_end(GPid pid)
{
	int status;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/* Frees the client, whose scanner must then end in order. */
static void
real_end(struct real *real)
{
	int status;

	scanner_client_free(real->client);
	status = wait_for_end(real->pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", (unsigned)status);
}

static void
assert_message_read(struct scanner_client *client, const char *message)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(record_t) record =
		scanner_client_read(client, -1, message, strlen(message), LONG_MS, &error);

	cr_assert_not_null(record, "%s", error != NULL ? error->message : "");
	cr_assert_eq(record->size, strlen(message));
}

/* The parent of a process, or 0. */
static pid_t
parent_of(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
	g_autofree char *text = NULL;
	const char *end;

	if (!g_file_get_contents(path, &text, NULL, NULL) || (end = strrchr(text, ')')) == NULL)
		return 0;
	return (pid_t)strtol(end + 4, NULL, 10);
}

/* The children of a process, as a zero-terminated array of pid_t. */
static GArray *
children_of(pid_t pid)
{
	GArray *children = g_array_new(TRUE, FALSE, sizeof(pid_t));
	g_autoptr(GDir) folder = g_dir_open("/proc", 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(folder)) != NULL) {
		pid_t child = (pid_t)strtol(name, NULL, 10);

		if (child > 0 && parent_of(child) == pid)
			g_array_append_val(children, child);
	}
	return children;
}

/* The only worker of a scanner. */
static pid_t
only_worker(const struct real *real)
{
	g_autoptr(GArray) children = children_of(real->pid);

	cr_assert_eq(children->len, 1);
	return g_array_index(children, pid_t, 0);
}

/* Gone, or dead and waiting for an init that collects it, being no child of ours. */
static gboolean
is_gone(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
	g_autofree char *text = NULL;

	return !g_file_get_contents(path, &text, NULL, NULL) || strrchr(text, ')')[2] == 'Z';
}

static void
wait_gone(pid_t pid)
{
	gint64 deadline = g_get_monotonic_time() + DEADLINE_US;

	while (!is_gone(pid))
		nap_before(deadline);
}

Test(scanner, reads_a_message)
{
	struct real real = real_start(2);
	g_autoptr(GError) error = NULL;
	g_autoptr(record_t) record =
		scanner_client_read(real.client, -1, MAIL, strlen(MAIL), LONG_MS, &error);

	assert_no_error(error);
	cr_assert_str_eq(record->subject, "hello");
	cr_assert_str_eq(record->message_id, "<1@example.com>");
	cr_assert_geq(record->files->len, 1);
	real_end(&real);
}

static gboolean
has_name(const struct file *file, const char *text)
{
	for (guint i = 0; i < file->names->len; i++)
		if (strcmp(((struct file_name *)g_ptr_array_index(file->names, i))->text, text) ==
		    0)
			return TRUE;
	return FALSE;
}

/* The converters must have been opened before the sandbox was entered. */
Test(scanner, reads_japanese_inside_the_sandbox)
{
	static const char message[] =
		"Subject: =?ISO-2022-JP?B?GyRCQEE1YT1xGyhC?=\r\n"
		"MIME-Version: 1.0\r\n"
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
		"--b\r\nContent-Disposition: attachment;"
		" filename*=EUC-JP''%C0%C1%B5%E1%BD%F1.pdf\r\n\r\n%PDF\r\n"
		"--b\r\nContent-Type: application/pdf;"
		" name=\"=?Shift_JIS?B?kL+LgY+RLnBkZg==?=\"\r\n\r\n%PDF\r\n--b--\r\n";
	struct real real = real_start(1);
	g_autoptr(GError) error = NULL;
	g_autoptr(record_t) record =
		scanner_client_read(real.client, -1, message, sizeof(message) - 1, LONG_MS, &error);

	assert_no_error(error);
	cr_assert_str_eq(record->subject, "請求書");
	cr_assert_eq(record->files->len, 3);
	for (guint i = 1; i < 3; i++) {
		const struct file *pdf = g_ptr_array_index(record->files, i);

		cr_assert(has_name(pdf, "請求書.pdf"), "file %u", i);
		cr_assert_eq(pdf->flags & FILE_UNDECODED, 0);
	}
	real_end(&real);
}

/* Each worker must survive a set that it has not preloaded and cannot load. */
Test(scanner, survives_character_sets_that_it_cannot_load)
{
	static const char *const names[] = {"IBM1390",	 "x-unknown", "../../etc/passwd", "UTF-7",
					    "ISO-IR-90", "TSCII",     "CP932//TRANSLIT"};
	struct real real = real_start(1);

	assert_message_read(real.client, MAIL);
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *message = g_strdup_printf(
			"Subject: =?%s?B?GyRCQEE1YT1xGyhC?=\r\nMIME-Version: 1.0\r\n"
			"Content-Type: text/html; charset=\"%s\"\r\n\r\nhttp://example.com/\r\n",
			names[i], names[i]);

		assert_message_read(real.client, message);
	}
	cr_assert_eq(counters_of(real.client).retried, 0);
	real_end(&real);
}

static char *
long_message(gsize length)
{
	char *message = g_strnfill(length, 'x');

	memcpy(message, MAIL, strlen(MAIL));
	for (gsize i = strlen(MAIL) + 70; i + 1 < length; i += 72)
		memcpy(message + i, "\r\n", 2);
	return message;
}

Test(scanner, reads_messages_around_the_size_of_a_packet)
{
	static const gsize lengths[] = {0,
					1,
					CAP_INLINE_BYTES - 1,
					CAP_INLINE_BYTES,
					CAP_INLINE_BYTES + 1,
					5 * 1024 * 1024};
	struct real real = real_start(1);

	for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
		g_autofree char *whole = long_message(MAX(lengths[i], strlen(MAIL)));
		g_autoptr(GError) error = NULL;
		g_autoptr(record_t) record =
			scanner_client_read(real.client, -1, whole, lengths[i], LONG_MS, &error);
		guint8 expected[SHA256_BYTES];

		assert_no_error(error);
		cr_assert_eq(record->size, lengths[i]);
		digest_sha256(whole, lengths[i], expected);
		cr_assert_arr_eq(record->sha256, expected, SHA256_BYTES);
	}
	real_end(&real);
}

static int
memory_file(const char *bytes, gsize length)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, bytes, length), (ssize_t)length);
	return fd;
}

Test(scanner, reads_a_sealed_memfd_and_leaves_it_as_it_was)
{
	struct real real = real_start(1);
	gsize length = 300000;
	g_autofree char *message = long_message(length);
	int fd = memory_file(message, length);
	g_autoptr(GError) error = NULL;
	g_autoptr(record_t) record = NULL;

	cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	record = scanner_client_read(real.client, fd, NULL, length, LONG_MS, &error);
	assert_no_error(error);
	cr_assert_eq(record->size, length);
	cr_assert_eq(lseek(fd, 0, SEEK_CUR), (off_t)length);
	close(fd);
	real_end(&real);
}

/* SIGBUS takes the worker, twice, and neither the scanner nor us. */
Test(scanner, survives_a_file_that_is_shorter_than_told)
{
	struct real real = real_start(1);
	int fd = memory_file("x", 1);
	g_autoptr(GError) error = NULL;

	cr_assert_null(scanner_client_read(real.client, fd, NULL, 1000000, LONG_MS, &error));
	cr_assert(g_error_matches(error, SCANNER_ERROR, SCANNER_ERROR_DIED));
	close(fd);
	assert_message_read(real.client, MAIL);
	real_end(&real);
}

struct load {
	struct scanner_client *client;
	guint messages;
	int stop;   /* atomic; set to end before all are read */
	guint read; /* atomic */
};

static void *
read_many(void *data)
{
	struct load *load = data;

	for (guint i = 0; i < load->messages && !g_atomic_int_get(&load->stop); i++) {
		g_autoptr(record_t) record =
			scanner_client_read(load->client, -1, MAIL, strlen(MAIL), LONG_MS, NULL);

		if (record != NULL && g_strcmp0(record->message_id, "<1@example.com>") == 0)
			g_atomic_int_inc(&load->read);
	}
	return NULL;
}

static void
run_load(struct load *load, guint threads)
{
	g_autofree pthread_t *ids = g_new(pthread_t, threads);

	for (guint i = 0; i < threads; i++)
		cr_assert_eq(pthread_create(&ids[i], NULL, read_many, load), 0);
	for (guint i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
}

Test(scanner, reads_ten_thousand_messages_with_many_threads_and_replaces_its_workers)
{
	guint before = open_descriptors();
	struct real real = real_start(2);
	struct load load = {.client = real.client, .messages = 500};
	struct scanner_counters counters;

	run_load(&load, 20);
	cr_assert_eq(load.read, 10000);
	counters = counters_of(real.client);
	cr_assert_eq(counters.read, 10000);
	cr_assert_eq(counters.retried, 0);
	cr_assert_eq(counters.failed, 0);
	/* Two workers share the messages: the last of each may be short of its number. */
	cr_assert_geq(counters.replaced, 10000 / WORKER_MESSAGES - 2);
	cr_assert_leq(counters.replaced, 10000 / WORKER_MESSAGES);
	real_end(&real);
	cr_assert_eq(open_descriptors(), before);
}

Test(scanner, replaces_a_worker_that_stands_still)
{
	struct real real = real_start(1);
	struct reading reading;
	pid_t stopped;

	assert_message_read(real.client, MAIL);
	stopped = only_worker(&real);
	cr_assert_eq(kill(stopped, SIGSTOP), 0);
	reading_start(&reading, real.client, MAIL, 2000);
	assert_read(&reading);
	wait_gone(stopped);
	cr_assert_neq(only_worker(&real), stopped);
	cr_assert_eq(counters_of(real.client).retried, 1);
	cr_assert_eq(counters_of(real.client).replaced, 1);
	real_end(&real);
}

/* The next kill follows only after more messages, so it cannot meet the retry of the last. */
static void
kill_worker_after(const struct real *real, struct load *load, guint messages)
{
	gint64 deadline = g_get_monotonic_time() + DEADLINE_US;
	guint goal = (guint)g_atomic_int_get(&load->read) + messages;
	pid_t worker = 0;

	while ((guint)g_atomic_int_get(&load->read) < goal)
		nap_before(deadline);
	while (worker == 0) {
		g_autoptr(GArray) children = children_of(real->pid);

		nap_before(deadline);
		worker = children->len > 0 ? g_array_index(children, pid_t, 0) : 0;
	}
	kill(worker, SIGKILL);
}

Test(scanner, loses_no_message_when_workers_are_killed)
{
	struct real real = real_start(1);
	struct load load = {.client = real.client, .messages = G_MAXUINT};
	struct scanner_counters counters;
	pthread_t reader;

	cr_assert_eq(pthread_create(&reader, NULL, read_many, &load), 0);
	for (guint i = 0; i < 20; i++)
		kill_worker_after(&real, &load, 25);
	g_atomic_int_set(&load.stop, TRUE);
	pthread_join(reader, NULL);
	counters = counters_of(real.client);
	cr_assert_eq(counters.failed, 0);
	cr_assert_eq(counters.read, load.read);
	/* That the last one died may not have been noticed. */
	cr_assert_geq(counters.replaced, 19);
	real_end(&real);
}

Test(scanner, its_workers_end_with_it_and_a_new_one_takes_over)
{
	struct real real = real_start(1);
	struct reading reading;
	pid_t orphan;

	assert_message_read(real.client, MAIL);
	orphan = only_worker(&real);
	cr_assert_eq(kill(real.pid, SIGKILL), 0);
	wait_for_end(real.pid);
	wait_gone(orphan);
	reading_start(&reading, real.client, MAIL, LONG_MS);
	wait_queued(&reading);
	real_attach(&real, 1);
	assert_read(&reading);
	real_end(&real);
}

Test(scanner, finishes_and_ends_on_sigterm)
{
	struct real real = real_start(2);
	int status;

	assert_message_read(real.client, MAIL);
	cr_assert_eq(kill(real.pid, SIGTERM), 0);
	/* Its workers serve on until their channels end. */
	assert_message_read(real.client, MAIL);
	scanner_client_free(real.client);
	status = wait_for_end(real.pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

Test(scanner, leaves_no_descriptor_and_no_process_after_many_lives)
{
	guint before = open_descriptors();

	for (int i = 0; i < 5; i++) {
		struct real real = real_start(3);
		g_autoptr(GArray) workers = NULL;

		assert_message_read(real.client, MAIL);
		workers = children_of(real.pid);
		real_end(&real);
		for (guint j = 0; j < workers->len; j++)
			cr_assert_neq(parent_of(g_array_index(workers, pid_t, j)), real.pid);
	}
	cr_assert_eq(open_descriptors(), before);
}

Test(scanner, a_program_that_is_missing_is_told)
{
	g_autoptr(GError) error = NULL;
	GPid pid = -5;
	guint before = open_descriptors();

	cr_assert_eq(scanner_spawn("/nonexistent/scanner", &(struct scanner_options){.workers = 1},
				   &pid, &error),
		     -1);
	cr_assert(g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT));
	cr_assert_eq(pid, -5);
	cr_assert_eq(open_descriptors(), before);
}

Test(scanner, refuses_to_be_started_by_hand)
{
	g_autofree char *path = scanner_path();
	char *argv[] = {path, (char *)"1", NULL};
	int status = 0;

	cr_assert(g_spawn_sync(NULL, argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, NULL, NULL,
			       &status, NULL));
	cr_assert(WIFEXITED(status));
	cr_assert_eq(WEXITSTATUS(status), 2);
}

Test(scanner, its_workers_are_inside_the_sandbox)
{
	struct real real = real_start(1);
	g_autofree char *path = NULL;
	g_autofree char *text = NULL;

	assert_message_read(real.client, MAIL);
	path = g_strdup_printf("/proc/%d/status", (int)only_worker(&real));
	cr_assert(g_file_get_contents(path, &text, NULL, NULL));
	cr_assert_not_null(strstr(text, "\nSeccomp:\t2\n"));
	cr_assert_not_null(strstr(text, "\nNoNewPrivs:\t1\n"));
	real_end(&real);
}
