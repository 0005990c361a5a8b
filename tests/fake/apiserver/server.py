# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTP: requests and answers."""

import base64
import gzip
import http.server
import json
import os
import select
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
import urllib.parse
import zlib

import faults
import protobuf
import store

GZIP_MIN = 128 * 1024  # apiserver/pkg/endpoints/handlers/responsewriters: smaller answers are sent as they are
VERSION = {"major": "1", "minor": "36", "gitVersion": "v1.36.2", "platform": "linux/amd64"}
ENDPOINTS_WARNING = '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'


class Closed(Exception):
    """The connection has ended; no answer follows."""


class Bell:
    """Can be read, for select(), once it was rung. (os.eventfd() came with Python 3.10.)"""

    def __init__(self):
        self.heard, self.rung = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def fileno(self):
        return self.heard

    def ring(self):
        try:
            os.write(self.rung, b".")
        except BlockingIOError:  # it has been ringing for long
            pass

    def still(self):
        try:
            os.read(self.heard, 65536)
        except BlockingIOError:
            pass

    def close(self):
        os.close(self.heard)
        os.close(self.rung)


class Answer:
    """One answer that is being sent, with the effects of a fault."""

    def __init__(self, handler, fault):
        self.handler = handler
        self.fault = fault
        self.left = fault.get("cut") if "after" not in fault else None  # bytes until the cut
        self.chunked = False

    def head(self, code, headers, length=None):
        h = self.handler
        h.note_status(code)
        h.send_response(code)
        for name, value in headers.items():
            h.send_header(name, value)
        for i in range(self.fault.get("headers", 0)):
            h.send_header("X-More-%d" % i, "x" * 78)
        self.chunked = length is None
        h.send_header(*(("Transfer-Encoding", "chunked") if self.chunked else ("Content-Length", str(length))))
        h.end_headers()

    def _write(self, data):
        self.handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) if self.chunked else data)

    def body(self, data):
        if self.left is not None and self.left <= len(data):
            self._write(data[:self.left] or b" ")
            self.handler.hang_up(self.fault.get("reset"))
        if self.left is not None:
            self.left -= len(data)
        step = 1 if self.fault.get("trickle") else len(data) or 1
        for i in range(0, len(data), step):
            self._write(data[i:i + step])

    def done(self):
        if self.chunked:
            self.handler.wfile.write(b"0\r\n\r\n")


class Watch:
    """A running watch: sends events from the history until its time is over."""

    def __init__(self, answer, server, resource, selector, as_protobuf):
        self.answer = answer
        self.server = server
        self.resource = resource
        self.selector = selector
        self.as_protobuf = as_protobuf
        self.fault = answer.fault
        self.sent = 0

    def _frame(self, kind, json_body, protobuf_body):
        if self.as_protobuf:
            return protobuf.watch_frame(kind, protobuf_body())
        return b'{"type":"%s","object":%s}\n' % (kind.encode(), json_body())

    def _due(self, what):
        return what in self.fault and self.sent == self.fault.get("after", 0)

    def _misbehave(self):
        """Called before each event and before waiting for one. True: the watch has ended."""
        if self._due("cut") and self.answer.left is None and "after" in self.fault:
            self.answer.left = self.fault["cut"]
        if self._due("stall"):
            self.answer.handler.wait_for_hangup()
        if self._due("garbage"):
            self.answer.body(self.fault["garbage"].encode())
            self.sent += 1
        if self._due("error"):
            self.error(faults.refusal(self.fault["error"]))
            return True
        return self._due("end")

    def event(self, kind, entry):
        if self._misbehave():
            return False
        self.answer.body(self._frame(kind, entry.whole, entry.enveloped))
        self.sent += 1
        return True

    def bookmark(self, rv, annotations=None):
        if self._misbehave():
            return False
        r = self.resource
        metadata = {"resourceVersion": str(rv)}
        if annotations:
            metadata["annotations"] = annotations
        rest = {"Service": {"spec": {}, "status": {"loadBalancer": {}}}, "Node": {"spec": {}, "status": {}},
                "EndpointSlice": {"addressType": "", "endpoints": None, "ports": None}}.get(r.kind, {})
        obj = {"kind": r.kind, "apiVersion": r.api_version, "metadata": metadata, **rest}
        self.answer.body(self._frame("BOOKMARK", lambda: store.compact_json(obj), lambda: protobuf.envelope(
            r.api_version, r.kind, protobuf.encode(r.kind, obj))))
        self.sent += 1
        return True

    def error(self, refused):
        self.answer.body(self._frame("ERROR", lambda: store.compact_json(refused.status), lambda: protobuf.envelope(
            "v1", "Status", protobuf.encode("Status", refused.status))))

    def initial(self, rv, entries, mark_the_end):
        for entry in entries:
            if not self.event("ADDED", entry):
                return False
        return not mark_the_end or self.bookmark(rv, {"k8s.io/initial-events-end": "true"})

    def follow(self, rv, seconds, bookmarks):
        settings = self.server.settings
        until = self.server.now() + min(seconds, settings["maxWatch"])
        next_bookmark = self.server.now() + settings["bookmarkInterval"]
        told = self.server.bookmarks_wanted
        while True:
            if self._misbehave():
                return
            self.answer.handler.wake.still()
            found = self.server.store.since(self.resource, rv)
            if found is None:
                self.error(store.expired_version(rv, self.server.store.oldest))
                return
            rv, changes = found
            for change in changes:
                event = change.event_for(self.selector)
                if event and not self.event(*event):
                    return
            wanted = self.server.bookmarks_wanted
            if bookmarks and (wanted != told or self.server.now() >= next_bookmark):
                told = wanted
                next_bookmark = self.server.now() + settings["bookmarkInterval"]
                if rv <= self.server.store.rv and not self.bookmark(rv):
                    return
            if self.server.now() >= until:
                return
            self.answer.handler.wait(min(until, next_bookmark) if bookmarks else until)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 0
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    # The connection

    def handle(self):
        self.wake = Bell()
        try:
            self.server.add_waker(self.wake)
            super().handle()
        except (Closed, OSError):
            pass
        finally:
            self.server.remove_waker(self.wake)
            self.wake.close()

    def handle_one_request(self):
        pending = getattr(self.connection, "pending", None)  # TLS may have read ahead
        if not (pending and pending()):
            self.server.park([self.connection.fileno()])
        super().handle_one_request()

    def wait(self, until=None):
        """Until something changes, or that time. A client that waits for an answer has nothing to say: if it does, it
        has gone away."""
        fd = self.connection.fileno()
        if fd < 0 or fd in self.server.park([fd, self.wake], until):
            raise Closed

    def wait_for_hangup(self):
        while True:
            self.wake.still()
            self.wait()

    def hang_up(self, reset=False):
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.server.forget(self.connection)
        self.connection.close()
        raise Closed

    # The request

    def note_status(self, code):
        self.record["status"] = code

    def do_GET(self):
        self.answer_request()

    def do_POST(self):
        self.answer_request()

    def do_PATCH(self):
        self.answer_request()

    def do_DELETE(self):
        self.answer_request()

    def answer_request(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        self.request_body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.record = {"method": self.command, "path": url.path, "query": self.query,
                       "headers": {k.lower(): v for k, v in self.headers.items()}}
        if url.path == "/_control":
            self.send_json(200, self.server.control(json.loads(self.request_body or b"{}")))
            return
        self.server.note_request(self.record)
        resource = store.BY_PATH.get(url.path)
        verb = self.verb()
        fault = self.server.faults.take(resource.plural if resource else url.path.rsplit("/", 1)[-1], verb)
        self.answer = Answer(self, fault)
        try:
            self.before_answer(fault)
            self.authenticate()
            if "repeat" in fault:
                self.send_endless(fault)
            elif "encoding" in fault:
                self.send_body(fault.get("status", 200), {"Content-Encoding": fault["encoding"]},
                               fault["body"].encode("latin-1"))
            elif "body" in fault:
                self.send_body(fault.get("status", 200), {"Content-Type": "application/json"}, fault["body"].encode())
            else:
                self.route(url.path, resource, verb)
        except store.Refused as refused:
            self.send_status(refused)

    def verb(self):
        if self.command != "GET":
            return self.command.lower()
        if self.query.get("watch") in ("1", "true"):
            return "watchlist" if self.query.get("sendInitialEvents") == "true" else "watch"
        return "continue" if self.query.get("continue") else "list"

    def before_answer(self, fault):
        until = self.server.now() + fault.get("delay", 0)
        while self.server.now() < until:
            self.wake.still()
            self.wait(until)
        if fault.get("silent"):
            self.wait_for_hangup()
        if fault.get("drop"):
            self.hang_up(fault.get("reset"))
        if "status" in fault and "body" not in fault:
            raise faults.refusal(fault["status"], fault.get("retryAfter"))
        if "tooLarge" in fault:
            raise store.too_large_version(self.query.get("resourceVersion", ""), self.server.store.rv)

    def client_certificate(self):
        try:
            return isinstance(self.connection, ssl.SSLSocket) and self.connection.getpeercert()
        except AttributeError:  # close_connections() took it apart meanwhile
            raise Closed from None

    def authenticate(self):
        settings = self.server.settings
        wanted = [settings[key] for key in ("token", "basic", "clientCert") if settings[key]]
        given = self.headers.get("Authorization") or ""
        if not wanted or given == "Bearer %s" % settings["token"]:
            return
        if settings["basic"] and given == "Basic " + base64.b64encode(settings["basic"].encode()).decode():
            return
        certificate = self.client_certificate()
        if certificate:
            name = dict(pair for part in certificate["subject"] for pair in part)["commonName"]
            if settings["clientCert"] in (name, True):
                return
        raise store.Refused(401, "Unauthorized", "Unauthorized")

    def route(self, path, resource, verb):
        if resource and self.command == "GET" and resource.plural not in self.server.settings["absent"]:
            self.get(resource, verb)
        elif path == "/version":
            self.send_json(200, VERSION)
        elif path in ("/healthz", "/livez", "/readyz"):
            self.send_body(200, {"Content-Type": "text/plain"}, b"ok")
        elif self.command == "POST" and path.endswith("/selfsubjectaccessreviews"):
            review = json.loads(self.request_body)
            wanted = review["spec"]["resourceAttributes"]["resource"]
            review["status"] = {"allowed": wanted not in self.server.settings["denied"]}
            self.send_json(201, review)
        elif self.command in ("POST", "PATCH") and "/events" in path:
            self.post_event(path)
        else:
            raise store.Refused(404, "NotFound", "the server could not find the requested resource", {})

    def get(self, resource, verb):
        fields = resource.fields if self.server.settings["fieldLabels"] else {"metadata.name", "metadata.namespace"}
        selector = store.Selector(resource, self.query.get("labelSelector", ""), self.query.get("fieldSelector", ""),
                                  fields)
        if verb in ("list", "continue"):
            self.list(resource, selector)
        else:
            self.watch(resource, selector)

    # Answers

    def accepts_protobuf(self):
        """The first content type of the client's list that this server supports."""
        for media_type in (self.headers.get("Accept") or "*/*").split(","):
            media_type = media_type.split(";")[0].strip()
            if media_type == protobuf.MEDIA_TYPE and self.server.settings["protobuf"]:
                return True
            if media_type in ("application/json", "application/*", "*/*"):
                return False
        raise store.Refused(406, "NotAcceptable", "only the following media types are accepted: application/json")

    def send_body(self, code, headers, body):
        if "contentType" in self.answer_fault():
            headers = dict(headers, **{"Content-Type": self.answer_fault()["contentType"]})
        accepted = self.headers.get("Accept-Encoding") or ""
        if len(body) > GZIP_MIN and "gzip" in accepted and "Content-Encoding" not in headers:
            headers = dict(headers, **{"Content-Encoding": "gzip"})
            body = gzip.compress(body, 1)
        answer = getattr(self, "answer", None) or Answer(self, {})
        answer.head(code, headers, len(body))
        answer.body(body)
        answer.done()

    def send_endless(self, fault):
        headers = {"Content-Type": "application/json"}
        block = fault["repeat"].encode()
        begin, block = fault["body"].encode(), block * (100000 // len(block) + 1)
        if fault.get("gzip"):
            headers["Content-Encoding"] = "gzip"
            deflate = zlib.compressobj(wbits=31)
            begin, block = (deflate.compress(data) + deflate.flush(zlib.Z_FULL_FLUSH) for data in (begin, block * 10))
        self.answer.head(fault.get("status", 200), headers)
        self.answer.body(begin)
        while True:
            self.answer.body(block)

    def answer_fault(self):
        answer = getattr(self, "answer", None)
        return answer.fault if answer else {}

    def send_json(self, code, obj):
        self.send_body(code, {"Content-Type": "application/json"}, store.compact_json(obj) + b"\n")

    def send_status(self, refused):
        headers = {"Content-Type": "application/json"}
        if refused.retry_after:
            headers["Retry-After"] = str(refused.retry_after)
        try:
            as_protobuf = self.accepts_protobuf()
        except store.Refused:
            as_protobuf = False
        if not as_protobuf:
            self.send_body(refused.code, headers, store.compact_json(refused.status) + b"\n")
            return
        headers["Content-Type"] = protobuf.MEDIA_TYPE
        self.send_body(refused.code, headers,
                       protobuf.envelope("v1", "Status", protobuf.encode("Status", refused.status)))

    def list(self, resource, selector):
        as_protobuf = self.accepts_protobuf()
        metadata, entries = self.server.store.list(resource, selector, self.query.get("resourceVersion", ""),
                                                   int(self.query.get("limit") or 0), self.query.get("continue", ""))
        headers = {"Warning": ENDPOINTS_WARNING} if resource.kind == "Endpoints" else {}
        kind = resource.kind + "List"
        if as_protobuf:
            body = protobuf.envelope(resource.api_version, kind, protobuf.list_message(
                metadata, [e.protobuf() for e in entries]))
            self.send_body(200, dict(headers, **{"Content-Type": protobuf.MEDIA_TYPE}), body)
            return
        head = '{"kind":"%s","apiVersion":"%s","metadata":' % (kind, resource.api_version)
        body = b'%s%s,"items":[%s]}\n' % (head.encode(), store.compact_json(metadata),
                                          b",".join(e.item() for e in entries))
        self.send_body(200, dict(headers, **{"Content-Type": "application/json"}), body)

    def check_watch(self, initial):
        """ListOptions validation (apimachinery/pkg/apis/meta/internalversion/validation)."""
        match = self.query.get("resourceVersionMatch", "")
        if initial and not self.server.settings["watchList"]:
            raise store.Refused(422, "Invalid", 'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: '
                                "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled")
        if initial and match != "NotOlderThan":
            raise store.Refused(422, "Invalid", 'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: '
                                "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        if match and not initial:
            raise store.Refused(422, "Invalid", 'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: '
                                "Forbidden: resourceVersionMatch is forbidden for watch")

    def watch(self, resource, selector):
        as_protobuf = self.accepts_protobuf()
        ignored = self.server.settings["watchList"] == "ignored"
        initial = not ignored and self.query.get("sendInitialEvents") == "true"
        bookmarks = self.query.get("allowWatchBookmarks") in ("1", "true")
        if not ignored:
            self.check_watch(initial)
        with self.server.store.lock:
            rv = self.server.store.check_version(self.query.get("resourceVersion", ""), not initial)
        content_type = protobuf.MEDIA_TYPE + ";stream=watch" if as_protobuf else "application/json"
        headers = {"Content-Type": self.answer.fault.get("contentType", content_type)}
        if resource.kind == "Endpoints":
            headers["Warning"] = ENDPOINTS_WARNING
        self.answer.head(200, headers)
        watch = Watch(self.answer, self.server, resource, selector, as_protobuf)
        with self.server.watching(resource.plural):
            self.stream(watch, rv, initial, bookmarks)
        self.answer.done()

    def stream(self, watch, rv, initial, bookmarks):
        seconds = float(self.query.get("timeoutSeconds") or 0) or 1800
        if initial or not rv:
            rv, entries = self.server.store.begin(watch.resource, watch.selector)
            if not watch.initial(rv, entries, initial and bookmarks):
                return
        watch.follow(rv, seconds, bookmarks)

    def post_event(self, path):
        code = self.server.settings["events"]
        if code >= 400:
            raise faults.refusal(code)
        event = {"path": path, "method": self.command, "contentType": self.headers.get("Content-Type")}
        if (event["contentType"] or "").startswith(protobuf.MEDIA_TYPE):
            event["protobuf"] = base64.b64encode(self.request_body).decode()
        else:
            event["object"] = json.loads(self.request_body)
        self.server.note_event(event)
        self.send_json(code, event.get("object", {}))


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address, contexts):
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.contexts = contexts
        self.store = store.Store()
        self.faults = faults.Faults()
        self.settings = {
            "token": None, "basic": None, "clientCert": None,  # any of them lets in; a common name, or true: any
            "tls": "good",  # "wrong-name", "other-ca": for connections that begin from now on
            "watchList": True,  # "ignored": as up to 1.18, where a watch has no such parameters
            "protobuf": True, "fieldLabels": True,
            "absent": [],  # resources that this server does not have
            "denied": [],  # resources of which access reviews say that we may not
            "events": 201,  # what it says to an Event
            "bookmarkInterval": 60, "maxWatch": 1800,
        }
        self.lock = threading.Lock()
        self.quiet = threading.Condition(self.lock)  # no thread has anything to do
        self.busy = 0  # threads of connections
        self.parked = {}  # those of them that wait: for which descriptors
        self.activity = 0  # how often one of them began or went on
        self.wakers = set()
        self.skipped = 0  # seconds
        self.stop = Bell()
        self.requests = []
        self.events = []
        self.watches = {}
        self.connections = set()
        self.bookmarks_wanted = 0
        self.store.on_change = self.wake_all
        super().__init__(address, Handler)

    def server_bind(self):
        """Unlike the inherited one, asks no name server for the name of its address."""
        socketserver.TCPServer.server_bind(self)

    # Time, and who waits for what

    def now(self):
        return time.monotonic() + self.skipped

    def elapse(self, seconds):
        self.skipped += seconds
        self.wake_all()

    def add_waker(self, bell):
        with self.lock:
            self.wakers.add(bell)

    def remove_waker(self, bell):
        with self.lock:
            self.wakers.discard(bell)

    def wake_all(self):
        with self.lock:
            for bell in self.wakers:
                bell.ring()

    def park(self, fds, until=None):
        """Waits in the thread of a connection; returns which of them can be read."""
        me = threading.get_ident()
        with self.lock:
            self.parked[me] = fds
            if len(self.parked) == self.busy:
                self.quiet.notify_all()
        try:
            seconds = None if until is None else max(0, until - self.now())
            return select.select(fds, [], [], seconds)[0]
        except ValueError:  # the connection was closed meanwhile
            raise Closed from None
        finally:
            with self.lock:
                del self.parked[me]
                self.activity += 1

    def is_idle(self):
        """Whether nothing happens until a client sends something or time passes. Call it with the lock."""
        if self.busy != len(self.parked):
            return False
        fds = [fd for fds in self.parked.values() for fd in fds]
        if self.socket.fileno() >= 0:
            fds.append(self.socket.fileno())
        return not select.select(fds, [], [], 0)[0]

    def get_request(self):
        with self.lock:
            self.busy += 1
            self.activity += 1
        try:
            return super().get_request()
        except OSError:
            self.leave()
            raise

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.leave()

    def leave(self):
        with self.lock:
            self.busy -= 1
            self.activity += 1
            if len(self.parked) == self.busy:
                self.quiet.notify_all()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (Closed, OSError)):
            super().handle_error(request, client_address)

    def forget(self, connection):
        with self.lock:
            self.connections.discard(connection)

    def finish_request(self, request, client_address):
        """Runs in the connection's own thread."""
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.contexts:
            request = self.contexts[self.settings["tls"]].wrap_socket(request, server_side=True)
        with self.lock:
            self.connections.add(request)
        try:
            super().finish_request(request, client_address)
        finally:
            self.forget(request)
            if request.fileno() >= 0:
                request.close()

    def watching(self, plural):
        server = self

        class Counted:
            def __enter__(self):
                with server.lock:
                    server.watches[plural] = server.watches.get(plural, 0) + 1

            def __exit__(self, *exc):
                with server.lock:
                    server.watches[plural] -= 1

        return Counted()

    def note_request(self, record):
        with self.lock:
            self.requests.append(record)

    def note_event(self, event):
        with self.lock:
            self.events.append(event)

    def close_connections(self):
        """Resets all connections at once, like a load balancer that restarts."""
        with self.lock:
            connections, self.connections = self.connections, set()
        for connection in connections:
            try:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def start(self):
        self.acceptor = threading.Thread(target=self.accept_all, daemon=True)
        self.acceptor.start()

    def accept_all(self):
        while self.stop not in select.select([self.socket, self.stop], [], [])[0]:
            self._handle_request_noblock()
        self.stop.still()

    def set_down(self, down):
        """True: end all connections and refuse new ones. False: serve again, on the same port."""
        if down and self.socket.fileno() >= 0:
            self.stop.ring()
            self.acceptor.join()
            self.socket.close()
            self.close_connections()
        elif not down and self.socket.fileno() < 0:
            self.socket = socket.socket(self.address_family, self.socket_type)
            self.server_bind()
            self.server_activate()
            self.start()

    # Control

    def control(self, order):
        """Executes the keys of a dictionary in their order; see CONTROLS."""
        try:
            ret = {}
            for key, value in order.items():
                if key not in CONTROLS:
                    raise ValueError("there is no %s" % key)
                ret.update(CONTROLS[key](self, value) or {})
            return dict({"ok": True, "rv": str(self.store.rv)}, **ret)
        except (KeyError, TypeError, ValueError, OSError) as e:
            return {"ok": False, "error": "%s: %s" % (type(e).__name__, e)}

    def set(self, settings):
        for key, value in settings.items():
            if key not in self.settings:
                raise ValueError("there is no setting %s" % key)
            self.settings[key] = value

    def restore_backup(self):
        self.store.restore()
        self.close_connections()

    def want_bookmark(self):
        self.bookmarks_wanted += 1
        self.store.advance(0)

    def put_all(self, objects):
        for obj in objects if isinstance(objects, list) else [objects]:
            self.store.put(obj)

    def delete_all(self, objects):
        for obj in objects if isinstance(objects, list) else [objects]:
            self.store.delete(obj)

    def generate(self, size):
        import generate

        for obj in generate.cluster(size["services"], size["endpoints"]):
            self.store.put(obj)
        for objects in self.store.objects.values():
            for entry in objects.values():
                entry.item(), entry.protobuf()

    def get(self, what):
        with self.lock:
            if what == "activity":
                self.quiet.wait_for(lambda: self.busy == len(self.parked), timeout=0.01)
                return {"idle": self.is_idle(), "activity": self.activity}
            if what == "state":
                return {"watches": dict(self.watches), "connections": len(self.connections),
                        "requests": len(self.requests), "faults": len(self.faults.faults), "hits": self.faults.hits}
            if what == "requests":
                return {"requests": list(self.requests)}
            if what == "events":
                return {"events": list(self.events)}
        if what == "objects":
            with self.store.lock:
                return {"objects": [dict(kind=e.resource.kind, **e.obj)
                                    for objects in self.store.objects.values() for e in objects.values()]}
        raise ValueError("there are no %s" % what)


CONTROLS = {
    "put": Server.put_all,  # an object or several, with their kind
    "delete": Server.delete_all,  # the same; kind, name and namespace are enough
    "load": lambda s, path: s.store.load(path),  # a recorded list
    "generate": Server.generate,  # {"services": N, "endpoints": M each}
    "fault": lambda s, fault: s.faults.add(fault),
    "clearFaults": lambda s, _: s.faults.clear(),
    "set": Server.set,
    "expire": lambda s, _: s.store.expire(),  # versions and continue tokens
    "backUp": lambda s, _: s.store.back_up(),
    "restore": lambda s, _: s.restore_backup(),  # the backup; connections end
    "advance": lambda s, count: s.store.advance(count),  # the version, without a change
    "elapse": lambda s, seconds: s.elapse(seconds),  # sets the server's clock forward
    "bookmark": lambda s, _: s.want_bookmark(),  # to all watches that allow them
    "down": Server.set_down,  # true, false; only by standard input
    "close": lambda s, _: s.close_connections(),
    "get": Server.get,  # "state", "requests", "events", "objects", "activity"
}
