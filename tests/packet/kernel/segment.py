# SPDX-License-Identifier: Apache-2.0
"""TCP over IPv4 as bytes, for tests that write segments themselves."""
import socket
import struct


def checksum(data):
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def packet(source, destination, flags, seq=0, ack=0, window=65535, options=b"", payload=b""):
    """An IPv4 packet. Both ends are (address, port); the options are padded already."""
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(destination[0])
    tcp = struct.pack("!HHIIBBHHH", source[1], destination[1], seq % 2**32, ack % 2**32, (20 + len(options)) << 2, flags, window, 0, 0)
    tcp += options + payload
    total = checksum(addresses + struct.pack("!HH", 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", total) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + addresses
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp
