#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A pod that says who it is and what it was asked: pod.py NAME SERVICE ADDRESS PORT. HTTP/1.1 with keep-alive.

SIGTERM is what a kubelet sends: it goes on serving for a moment (what a preStop hook is for), answers with
`Connection: close`, then ends.
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

    def answer(self):
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
    def later():
        Handler.leaving = True
        time.sleep(1.5)
        server.shutdown()
    threading.Thread(target=later).start()


server = Server((ADDRESS, int(PORT)), Handler)
signal.signal(signal.SIGTERM, leave)
server.serve_forever(poll_interval=0.1)
