"""The Lambda Runtime API of one execution environment, with a clock on every step.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html: a runtime asks for the next invocation, posts the answer
and asks again. Written on bare sockets, so that what it costs itself is small beside what is measured.
"""

import socket
import threading
import time
import uuid

ARN = "arn:aws:lambda:us-east-1:000000000000:function:measured"


class RuntimeApi:
    """Serves one process; `invoke` hands it an event and waits for what it makes of it."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.polled = threading.Event()
        self.polled_at = None
        self.failed = None
        self._event = None
        self._handed = threading.Event()
        self._answered = threading.Event()
        self._answer = None
        threading.Thread(target=self._accept, daemon=True).start()

    def invoke(self, event, timeout=10.0):
        """The answer's (is_success, body) and the seconds between handing over the event and receiving it all."""
        self._answered.clear()
        self._event = event
        began = time.perf_counter()
        self._handed.set()
        if not self._answered.wait(timeout):
            raise TimeoutError("no answer")
        is_success, body, at = self._answer
        return is_success, body, at - began

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        reader = connection.makefile("rb")
        try:
            while True:
                line = reader.readline()
                if not line:
                    return
                method, path, _ = line.decode("ascii").split(" ", 2)
                body = self._body(reader)
                connection.sendall(self._reply(method, path, body))
        except OSError:
            return

    @staticmethod
    def _body(reader):
        length, is_chunked = 0, False
        while True:
            line = reader.readline().strip().lower()
            if not line:
                break
            name, _, value = line.partition(b":")
            if name == b"content-length":
                length = int(value)
            is_chunked |= name == b"transfer-encoding" and b"chunked" in value
        if not is_chunked:
            return reader.read(length)
        body = b""
        while size := int(reader.readline().split(b";")[0], 16):
            body += reader.read(size)
            reader.readline()
        reader.readline()
        return body

    def _reply(self, method, path, body):
        at = time.perf_counter()
        if method == "GET" and path.endswith("/invocation/next"):
            if not self.polled.is_set():
                self.polled_at = at
                self.polled.set()
            self._handed.wait()
            self._handed.clear()
            event = self._event
            head = (
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                f"lambda-runtime-aws-request-id: {uuid.uuid4()}\r\n"
                f"lambda-runtime-deadline-ms: {int((time.time() + 5) * 1000)}\r\n"
                f"lambda-runtime-invoked-function-arn: {ARN}\r\n"
                f"content-length: {len(event)}\r\n\r\n"
            )
            return head.encode("ascii") + event
        if path.endswith("/response") or path.endswith("/error"):
            if path.endswith("/init/error"):
                self.failed = body
                self.polled.set()
            self._answer = (path.endswith("/response"), body, at)
            self._answered.set()
        return b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
