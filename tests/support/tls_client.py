# SPDX-License-Identifier: Apache-2.0
"""A TLS client whose sessions can be resumed, which curl's cannot from one run to the next."""
import socket
import ssl

from tests.support.lab import VIP4

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def client_context(version="1.3"):
    context = ssl._create_unverified_context()
    context.minimum_version = context.maximum_version = VERSIONS[version]
    return context


def get(lab, context, session=None, host="one.test", path="/"):
    """(whether it was resumed, the session for the next time, the answer), which must be 200."""
    with lab.client.entered():
        connection = socket.create_connection((VIP4, 443), timeout=30)
    with context.wrap_socket(connection, server_hostname=host, session=session) as tls:
        tls.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := tls.recv(65536):
            answer += part
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        return tls.session_reused, tls.session, answer.decode()
