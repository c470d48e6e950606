# SPDX-License-Identifier: BSD-2-Clause
"""An example of an OpenC2 consumer: an HTTPS server that carries out commands, once each.

Holds what is sent against the OASIS transfer specification, 1.1 or 1.0.  What it answers is a
test's choice: say(command, times) is told how often it was asked, and returns a Said.
"""
import contextlib
import email.utils
import http.server
import json
import socket
import ssl
import threading
import uuid

TYPES = {"1.1": ("application/openc2+json;version=1.0",) * 2,
         "1.0": ("application/openc2-cmd+json;version=1.0", "application/openc2-rsp+json;version=1.0")}


class Said:
    """What is answered: a response's members, and how it comes."""

    def __init__(self, status=200, http=None, body=None, kind=None, cut=0, message=True, headers=None, length=None, **members):
        self.response = {"status": status, **members}
        self.http = http or (status if status >= 200 else 200)
        self.body, self.kind, self.cut = body, kind, cut  # bytes instead; media type; bytes that are not sent
        self.message, self.headers, self.length = message, headers, length  # in a message; its headers; padded to this


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        consumer = self.server.consumer
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with consumer.lock:
            consumer.posts.append((self.headers, body))
        command = consumer.check(self, body)
        said = consumer.answer(self.headers, command)
        if said:
            self.send(said, consumer.encode(said, self.headers["X-Request-ID"]))
        else:
            self.close_connection = True

    def send(self, said, text):
        self.send_response(said.http)
        self.send_header("Content-Type", said.kind or TYPES[self.server.consumer.transfer][1])
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(text[:len(text) - said.cut])
        if said.cut:
            self.close_connection = True

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A handshake that failed, or a client that is gone."""


class Consumer:
    """Use as a context; posts are what came, acts what was done: {command_id: times}."""

    def __init__(self, authority=None, transfer="1.1", clients=None, token=None, say=lambda command, times: Said(), path=None,
                 newest=None, days="2"):
        self.transfer, self.token, self.say, self.path = transfer, token, say, path or "/.well-known/openc2"
        self.lock, self.posts, self.asked, self.acts, self.complaints = threading.Lock(), [], {}, {}, []
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.consumer = self
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http{'s' if authority else ''}://{self.address}"
        if authority:
            # The handshake belongs to the thread of the connection, not to the one that accepts.
            self.server.socket = self.context(authority.sign("consumer", days=days), clients, newest).wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @staticmethod
    def context(certificate, clients, newest):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        if clients:
            context.load_verify_locations(clients.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        if newest:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, newest
        return context

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def commands(self):
        """Returns the commands as they came, in order."""
        with self.lock:
            return [self.command_of(body) for _, body in self.posts]

    def command_of(self, body):
        document = json.loads(body)
        return document if self.transfer == "1.0" else document["body"]["openc2"]["request"]

    def check(self, request, body):
        """Holds a request against the specification; returns the command."""
        headers, (wanted, answered) = request.headers, TYPES[self.transfer]
        document = json.loads(body)
        checks = {
            "the path (3.2.2)": request.path == self.path,
            "Host (3.4)": headers["Host"] == self.address or headers["Host"].split(":")[1] == self.address.split(":")[1],
            "Content-Type (3.3.1)": headers["Content-Type"] == wanted,
            "Accept (3.4)": headers["Accept"] == answered,
            "Cache-Control (3.2.1)": headers["Cache-Control"] == "no-cache",
            "Date (3.4)": email.utils.parsedate_to_datetime(headers["Date"]).utcoffset() is not None
            and headers["Date"].endswith(" GMT"),
            "X-Request-ID (3.3.3)": str(uuid.UUID(headers["X-Request-ID"], version=4)) == headers["X-Request-ID"],
            "TLS (3.2.3)": not isinstance(request.connection, ssl.SSLSocket) or request.connection.version() in ("TLSv1.2", "TLSv1.3"),
        }
        if self.transfer == "1.1":
            checks["members (3.3.2)"] = set(document) == {"headers", "body"}
            checks["request_id (3.3.3)"] = document["headers"]["request_id"] == headers["X-Request-ID"]
            checks["created (3.3.2)"] = abs(document["headers"]["created"] / 1000
                                            - email.utils.parsedate_to_datetime(headers["Date"]).timestamp()) < 60
        command = self.command_of(body)
        checks["one target"] = len(command["target"]) == 1
        checks["response_requested"] = command["args"]["response_requested"] == "complete"
        with self.lock:
            self.complaints += [what for what, good in checks.items() if not good]
        return command

    def answer(self, headers, command):
        if self.token and headers["Authorization"] != f"Bearer {self.token}":
            return Said(401, status_text="the token is expired")
        with self.lock:
            name = command["command_id"]
            self.asked[name] = times = self.asked.get(name, 0) + 1
        said = self.say(command, times)
        # Known by its id: what is asked again is answered again, and was done before.
        if said and said.response["status"] == 200:
            with self.lock:
                self.acts.setdefault(name, 0)
                self.acts[name] += not self.acts[name]
        return said

    def encode(self, said, request_id):
        if said.body is not None:
            return said.body
        if self.transfer == "1.0" or not said.message:
            document = said.response
        else:
            document = {"headers": said.headers or {"request_id": request_id, "from": "consumer"},
                        "body": {"openc2": {"response": said.response}}}
        text = json.dumps(document).encode()
        return text if said.length is None else text + b" " * (said.length - len(text))


@contextlib.contextmanager
def hanging_up():
    """A server that takes connections and hangs up, whatever is said; yields (port, how many there were)."""
    listener = socket.create_server(("127.0.0.1", 0))
    count = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                count.append(1)
                connection.close()
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], count
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
