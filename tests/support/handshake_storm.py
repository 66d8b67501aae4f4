#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""New TLS clients without end: each sends a ClientHello, waits for the server's answer, which costs it a signature, resets,
and begins again. One ClientHello serves all, so that a client costs next to nothing.  handshake_storm.py ADDRESS PORT CLIENTS

Prints the number of answers a second, a line each."""
import contextlib
import selectors
import socket
import ssl
import struct
import sys
import time

RESET = struct.pack("ii", 1, 0)


def client_hello(name="storm.test"):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


def main(address, port, clients):
    hello, target = client_hello(), (address, int(port))
    selector = selectors.DefaultSelector()

    def begin():
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.connect_ex(target)
        selector.register(sock, selectors.EVENT_WRITE)

    for _ in range(int(clients)):
        begin()
    answers, next_line = 0, time.monotonic() + 1
    while True:
        for key, events in selector.select(0.1):
            sock, over = key.fileobj, False
            try:
                if events & selectors.EVENT_WRITE:
                    sock.send(hello)
                    selector.modify(sock, selectors.EVENT_READ)
                else:
                    answers += bool(sock.recv(65536))
                    over = True
            except OSError:  # reset, or no answer to the SYN for long
                over = True
            if over:
                selector.unregister(sock)
                sock.close()
                begin()
        if time.monotonic() >= next_line:
            print(answers, flush=True)
            answers, next_line = 0, time.monotonic() + 1


if __name__ == "__main__":
    main(*sys.argv[1:])
