"""A real eclipse-zenoh client at one end of a route; no code of ours. One line of JSON per result.

    zenoh_route.py listen ENDPOINT KEYEXPR           counts by key, told whenever it was silent for 0.3 s
    zenoh_route.py put ENDPOINT KEY COUNT HZ ENCODING   CDR UInt32 from 0, as any program would send it
"""

import json
import struct
import sys
import threading
import time

import zenoh


def say(**fields):
    print(json.dumps(fields), flush=True)


def connect(endpoint):
    config = zenoh.Config()
    config.insert_json5("mode", '"client"')
    config.insert_json5("connect/endpoints", json.dumps([endpoint]))
    config.insert_json5("scouting/multicast/enabled", "false")
    return zenoh.open(config)


def listen(session, keyexpr):
    lock, seen, last = threading.Lock(), {}, [0.0, True]

    def receive(sample):
        payload = sample.payload.to_bytes()
        key = str(sample.key_expr)
        with lock:
            entry = seen.setdefault(key, {"count": 0, "bytes": 0, "numbers": [], "encoding": str(sample.encoding)})
            entry["count"] += 1
            entry["bytes"] += len(payload)
            if len(payload) == 8:
                entry["numbers"].append(struct.unpack("<I", payload[4:])[0])
            entry["note"] = json.loads(sample.attachment.to_bytes()) if sample.attachment else None
            last[0], last[1] = time.monotonic(), False

    subscriber = session.declare_subscriber(keyexpr, receive)
    say(ready=True)
    while True:
        time.sleep(0.1)
        with lock:
            if not last[1] and time.monotonic() - last[0] > 0.3:
                last[1] = True
                say(seen=seen)


def put(session, key, count, hz, encoding):
    publisher = session.declare_publisher(
        key, encoding=zenoh.Encoding(encoding), congestion_control=zenoh.CongestionControl.BLOCK
    )
    time.sleep(0.5)
    began = time.monotonic()
    for i in range(count):
        wait = i / hz - (time.monotonic() - began)
        if wait > 0:
            time.sleep(wait)
        publisher.put(struct.pack("<BBHI", 0, 1, 0, i))
    say(put=count)
    time.sleep(3600)


command, endpoint, *rest = sys.argv[1:]
session = connect(endpoint)
if command == "listen":
    listen(session, rest[0])
else:
    put(session, rest[0], int(rest[1]), float(rest[2]), rest[3])
