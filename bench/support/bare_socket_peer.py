"""A bare TCP socket as a driver of bench/zenoh.ts: what this machine lets any protocol do. Roles as there."""

import json
import socket
import sys
import time

role, endpoint, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
host, port = endpoint.removeprefix("tcp/").split(":")
size = options["bytes"]


def say(**fields):
    print(json.dumps(fields), flush=True)


def listen():
    server = socket.create_server((host, int(port)))
    say(ready=True)
    return server.accept()[0]


def read(connection, view):
    at = 0
    while at < len(view):
        got = connection.recv_into(view[at:])
        if got == 0:
            sys.exit(0)
        at += got


if role in ("serve", "sink"):
    connection = listen()
else:
    connection = socket.create_connection((host, int(port)))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
# Small messages travel many at a time, as in any batching protocol.
batch = max(1, 65_536 // size)
view = memoryview(bytearray(size * (batch if role in ("sink", "source") else 1)))
if role == "serve":
    while True:
        read(connection, view)
        connection.sendall(view)
elif role == "ask":
    took = []
    for i in range(options["count"] + options["warmup"]):
        begin = time.perf_counter()
        connection.sendall(view)
        read(connection, view)
        if i >= options["warmup"]:
            took.append((time.perf_counter() - begin) * 1e3)
    say(ms=took)
elif role == "source":
    try:
        while True:
            connection.sendall(view)
    except OSError:
        pass  # The other side has counted enough.
else:
    for _ in range(options["warmup"] // batch):
        read(connection, view)
    begin, turns = time.perf_counter(), options["count"] // batch
    for _ in range(turns):
        read(connection, view)
    say(count=turns * batch, ms=(time.perf_counter() - begin) * 1e3, dropped=0)
