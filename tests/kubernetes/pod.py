#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A pod that says who it is and what it was asked: pod.py NAME SERVICE ADDRESS PORT. HTTP/1.1 with keep-alive.

SIGUSR1: it is about to leave, goes on serving and answers with `Connection: close` (what a preStop hook is for).
SIGTERM: it ends when what it was asked is answered.
"""
import json
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME, SERVICE, ADDRESS, PORT = sys.argv[1:5]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "pod"
    disable_nagle_algorithm = True
    leaving = False
    busy = set()  # threads that answer

    def answer(self):
        Handler.busy.add(threading.get_ident())
        try:
            self.answer_now()
        finally:
            Handler.busy.discard(threading.get_ident())

    def answer_now(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length:
            self.rfile.read(length)
        body = json.dumps({"pod": NAME, "service": SERVICE, "host": self.headers.get("Host"), "path": self.path,
                           "method": self.command, "proto": self.request_version,
                           "headers": dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if Handler.leaving:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = answer

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256
    address_family = socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET


def leave(*_):
    Handler.leaving = True


def end(*_):
    threading.Thread(target=server.shutdown).start()


server = Server((ADDRESS, int(PORT)), Handler)
signal.signal(signal.SIGUSR1, leave)
signal.signal(signal.SIGTERM, end)
server.serve_forever(poll_interval=0.1)
for _ in range(100):
    if not Handler.busy:
        break
    time.sleep(0.05)
