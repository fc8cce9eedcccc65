"""What a Bellwire server takes: bytes on disk per change, and memory per connection.

    cargo build --release && python3 tools/load/size.py

It starts the server on a free port and a new directory, and prints the table of docs/operate.md. It needs nothing but
Python. The figures in memory are resident bytes of the process; a socket's buffers in the kernel come on top.
"""

import json
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import urllib.request

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else "target/release/bellwire"
CHANGES = 100_000
ENTITIES = 1_000
ON_THE_WAY = 50
ATTRIBUTES = {
    "unit_of_measurement": "°C",
    "device_class": "temperature",
    "friendly_name": "Living room temperature",
}


class Server:
    def __init__(self, data):
        self.data = data
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--data", data, "--listen", "127.0.0.1:0", "--listen", "https://127.0.0.1:0"],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.ports = []
        while len(self.ports) < 2:
            found = re.match(r"Listening on https?://127\.0\.0\.1:(\d+)/", self.process.stderr.readline())
            self.ports += [int(found[1])] if found else []
        made = [PROGRAM, "token", "create", "--role", "admin", "--data", data]
        self.token = subprocess.run(made, capture_output=True, text=True, check=True).stdout.strip()

    def resident(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) * 1024

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[0]}/metrics") as metrics:
            return float(re.search(rf"^{name} (\S+)$", metrics.read().decode(), re.M)[1])

    def connect(self, tls=None):
        sock = socket.create_connection(("127.0.0.1", self.ports[1 if tls else 0]))
        if tls:
            sock = tls.wrap_socket(sock, server_hostname="127.0.0.1")
        sock.sendall(
            b"GET /api/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Authorization: Bearer " + self.token.encode() + b"\r\n\r\n"
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        assert head.startswith(b"HTTP/1.1 101"), head
        return sock

    def stop(self):
        self.process.terminate()
        assert self.process.wait() == 0

    def database_len(self):
        return os.path.getsize(os.path.join(self.data, "bellwire.db"))


def frame(message):
    text = json.dumps(message, ensure_ascii=False).encode()
    length = struct.pack("!B", 0x80 | len(text)) if len(text) < 126 else struct.pack("!BH", 0xFE, len(text))
    return b"\x81" + length + bytes(4) + text  # Masked with zeros.


def texts(sock):
    buffer = b""
    while True:
        buffer += sock.recv(65_536)
        while len(buffer) >= 4:
            length, at = buffer[1] & 127, 2
            if length == 126:
                length, at = struct.unpack("!H", buffer[2:4])[0], 4
            if len(buffer) < at + length:
                break
            if buffer[0] == 0x81:
                yield buffer[at : at + length]
            buffer = buffer[at + length :]


def ask_all(server, requests):
    """Sends them, so many at a time, and waits for all answers."""
    sock = server.connect()
    sock.sendall(frame({"type": "subscribe_entities", "entity_ids": []}))
    replies = texts(sock)
    next(replies)
    requests, on_the_way = iter(requests), 0
    while True:
        batch = [frame(request) for _, request in zip(range(ON_THE_WAY - on_the_way), requests)]
        sock.sendall(b"".join(batch))
        on_the_way += len(batch)
        if on_the_way == 0:
            return
        for _ in range(on_the_way):
            reply = next(replies)
            assert b'"success":true' in reply, reply
        on_the_way = 0


def state(number):
    return f"{15 + number / 7:.2f}"[:6]


def creates():
    for number in range(CHANGES):
        entity_id = f"sensor.temperature_{number % ENTITIES:04}"
        yield {"type": "states:create", "entity_id": entity_id, "state": state(number), "attributes": ATTRIBUTES}


def updates():
    for number in range(CHANGES):
        yield {"type": "states:update", "state_id": CHANGES - number % ENTITIES, "state": state(number + 1)}


def disk(data, what, requests):
    server = Server(data)
    before, log_before = server.database_len(), server.metric("bellwire_log_bytes")
    ask_all(server, requests)
    counted = server.metric("bellwire_log_bytes") - log_before
    wal = os.path.getsize(os.path.join(data, "bellwire.db-wal"))
    server.stop()  # What is in the WAL is in the database now.
    grown = server.database_len() - before
    print(f"| {what} | {grown / 1e6:.1f} MB | {grown / CHANGES:.0f} B | {counted / CHANGES:.0f} B | {wal / 1e6:.0f} MB |")
    return grown


def memory(what, connections, tls_of):
    with tempfile.TemporaryDirectory(dir=".") as data:
        server = Server(data)
        tls = tls_of(server)
        held = [server.connect(tls)]
        before = server.resident()
        held += [server.connect(tls) for _ in range(connections)]
        after = server.resident()
        print(f"| {what} | {before / 1e6:.1f} MB | {(after - before) / connections:.0f} B |")
        del held
        server.stop()


def trusting(server):
    return ssl.create_default_context(cafile=os.path.join(server.data, "tls/ca.pem"))


print(f"| {CHANGES:,} changes, {ENTITIES:,} entities | database | a change | of it counted by log.bytes_max | WAL |")
print("|---|---|---|---|---|")
with tempfile.TemporaryDirectory(dir=".") as folder:
    disk(folder, "`states:create`: a row of history, and the log", creates())
    disk(folder, "`states:update`: the log alone", updates())
print("\n| idle connections | the server with one of them | each further one |\n|---|---|---|")
memory("plain, 5,000", 5_000, lambda server: None)
memory("TLS, 2,000", 2_000, trusting)
