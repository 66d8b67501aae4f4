# SPDX-License-Identifier: Apache-2.0
"""A backend that does, by path, what a well-behaved one would not. Raw sockets and threads, so that each byte and each
close is deliberate. Usage: faulty_backend.py PORT

  /sha           answers the SHA-256 and length of the request body, and whether it came chunked
  /head          answers the request head as it arrived
  /hang          reads the request, never answers             /reset        RST instead of an answer
  /reset-body    half of the promised body, then RST          /close-body   half of it, then FIN
  /garbage       bytes that are not HTTP                      /smuggle      CL and TE together
  /chunked/N     N chunks of 1000 bytes, with a trailer       /until-close  no length, ends by FIN
  /early         413 at once, without reading the body        /hints        103 before the 200
  /ws            101, then echoes bytes                       /slow/N       N bytes, one a 10 ms
  /status/N      that status                                  /zeros/N      N bytes, as fast as they go
  /no-continue   417 to Expect, body unread                   /big-head     a head of 200 KB
  /stall         reads nothing of the body for 20 s           /cookie       the same as /head, and sets SESSION=own
"""
import hashlib
import socket
import struct
import sys
import threading
import time


class Reader:
    def __init__(self, sock):
        self.sock, self.data = sock, b""

    def more(self):
        got = self.sock.recv(65536)
        if not got:
            raise EOFError
        self.data += got

    def until(self, mark):
        while mark not in self.data:
            self.more()
        out, self.data = self.data.split(mark, 1)
        return out + mark

    def exactly(self, n):
        while len(self.data) < n:
            self.more()
        out, self.data = self.data[:n], self.data[n:]
        return out

    def body(self, head):
        fields = {k.strip().lower(): v.strip() for k, v in
                  (line.split(":", 1) for line in head.decode("latin-1").split("\r\n")[1:] if ":" in line)}
        if fields.get("transfer-encoding") == "chunked":
            while size := int(self.until(b"\r\n").split(b";")[0], 16):
                yield self.exactly(size)
                self.exactly(2)
            while self.until(b"\r\n") != b"\r\n":
                pass
        left = int(fields.get("content-length", 0))
        while left:
            if not self.data:
                self.more()
            piece, self.data = self.data[:left], self.data[left:]
            left -= len(piece)
            yield piece


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def reply(sock, body=b"", status="200 OK", extra=""):
    sock.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body)


def zeros(sock, count):
    sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {count}\r\n\r\n".encode())
    block = bytes(1 << 16)
    for left in range(count, 0, -len(block)):
        sock.sendall(block[:left])


def sha(sock, reader, head):
    digest, size = hashlib.sha256(), 0
    if b"100-continue" in head.lower():
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    for piece in reader.body(head):
        digest.update(piece)
        size += len(piece)
    kind = "chunked" if b"transfer-encoding: chunked" in head.lower() else "length"
    reply(sock, f"{digest.hexdigest()} {size} {kind}\n".encode())


def websocket(sock, reader):
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    sock.sendall(reader.data)
    while data := sock.recv(65536):
        sock.sendall(data)


def one_way(sock, path):
    """Answers that do not need the body; True when the connection ends with it."""
    if path == "/hang":
        while sock.recv(65536):
            pass
    elif path == "/reset":
        reset(sock)
    elif path in ("/reset-body", "/close-body"):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"x" * 10000)
        time.sleep(0.1)
        if path == "/reset-body":
            reset(sock)
    elif path == "/garbage":
        sock.sendall(b"\x00\x01SSH-2.0-nonsense\r\n\r\n")
    elif path == "/smuggle":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    elif path == "/until-close":
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"until close\n" * 100)
    elif path == "/early":
        reply(sock, b"too big\n", "413 Content Too Large", "Connection: close\r\n")
    elif path == "/no-continue":
        reply(sock, b"no\n", "417 Expectation Failed", "Connection: close\r\n")
    elif path == "/stall":
        time.sleep(20)
    elif path == "/big-head":
        sock.sendall(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 100) for i in range(2000)) + b"\r\n")
    else:
        return False
    return True


def kept(sock, reader, head, path):
    number = int(path.rsplit("/", 1)[1]) if path.count("/") == 2 else 0
    if path == "/sha":
        return sha(sock, reader, head)
    for _ in reader.body(head):
        pass
    if path in ("/head", "/cookie"):
        reply(sock, head, extra="Set-Cookie: SESSION=own; HttpOnly\r\n" if path == "/cookie" else "")
    elif path.startswith("/chunked/"):
        chunk = b"3e8\r\n" + b"c" * 1000 + b"\r\n"
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" + chunk * number +
                     b"0\r\nX-Sum: 42\r\n\r\n")
    elif path == "/hints":
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        reply(sock, b"after hints\n")
    elif path.startswith("/slow/"):
        sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {number}\r\n\r\n".encode())
        for _ in range(number):
            sock.sendall(b"s")
            time.sleep(0.01)
    elif path.startswith("/status/"):
        sock.sendall(f"HTTP/1.1 {number} Some\r\n".encode() +
                     (b"\r\n" if number in (204, 304) else b"Content-Length: 0\r\n\r\n"))
    elif path.startswith("/zeros/"):
        zeros(sock, number)
    else:
        reply(sock, f"faulty {path}\n".encode())


def serve(sock):
    reader = Reader(sock)
    try:
        while True:
            head = reader.until(b"\r\n\r\n")
            path = head.split(b" ")[1].decode("latin-1").split("?")[0]
            if path == "/ws":
                websocket(sock, reader)
                return
            if one_way(sock, path):
                return
            kept(sock, reader, head, path)
    except (EOFError, OSError):
        pass
    finally:
        sock.close()


def main():
    listener = socket.socket(socket.AF_INET6)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("::", int(sys.argv[1])))
    listener.listen(512)
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


if __name__ == "__main__":
    main()
