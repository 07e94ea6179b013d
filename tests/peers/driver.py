"""The callers and the counter between a peer and its store: both of tests/peers/driver."""

import json
import pathlib
import socket
import subprocess
import time

from machine import Process, free_port

SEPARATOR = b"\x1e"


class Driver:
    """The load generator: the same for every peer."""

    def __init__(self, binaries, folder):
        self.binaries, self.folder = pathlib.Path(binaries), pathlib.Path(folder)

    def begin(self, peer, requests, callers, warm=0.0, seconds=1.0):
        """Callers on their way; `Run.end` waits for them."""
        file = self.folder / "requests"
        file.write_bytes(b"".join(request + SEPARATOR for request in requests))
        command = [
            self.binaries / "load", f"127.0.0.1:{peer.port}", file, callers, int(warm * 1000), int(seconds * 1000),
            peer.code_member, peer.admitted_text,
        ]
        return Run(subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))

    def drive(self, *arguments, **options):
        return self.begin(*arguments, **options).end()


class Run:
    def __init__(self, popen):
        self.popen = popen
        if popen.stdout.readline() != "begun\n":
            raise RuntimeError("the callers did not begin")
        self.began = time.monotonic()

    def now_ms(self):
        return (time.monotonic() - self.began) * 1000

    def stop(self):
        """The end, before its time."""
        self.popen.stdin.close()
        return self.end()

    def end(self):
        out = self.popen.stdout.read()
        if self.popen.wait():
            raise RuntimeError("the callers broke off")
        return json.loads(out)


class Counter:
    """Between a peer and its store; killed, it is the store's outage."""

    def __init__(self, binaries, store, folder, is_raw=False):
        self.port, self.control = free_port(), free_port()
        command = [pathlib.Path(binaries) / "count", f"127.0.0.1:{self.port}", store, f"127.0.0.1:{self.control}"]
        self.process = Process(command + (["raw"] if is_raw else []), pathlib.Path(folder) / "count.log")
        self.address = f"127.0.0.1:{self.port}"
        self.start()

    def start(self):
        self.process.start()
        for _ in range(100):
            try:
                self.calls()
                return
            except OSError:
                time.sleep(0.01)

    def calls(self):
        with socket.create_connection(("127.0.0.1", self.control), timeout=2) as door:
            return json.loads(door.makefile().read())


class Request(bytes):
    """A whole request, as the callers send it; `key` is whose."""

    key = None


def http(method, path, key, headers=(), body=b""):
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    request = Request("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    request.key = key
    return request
