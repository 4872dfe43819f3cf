"""An eclipse-zenoh session that does what it is told: ENDPOINT SETTINGS, then one JSON object per line on stdin.

  {"sub": KEYEXPR}                              prints each value: key, size, priority, express, shared
  {"digest": KEYEXPR}                           prints at each value: key, encoding, count and hash of all bytes of that key
  {"put": KEY, "size": N, "count": N, "rate": HZ, "shared": BOOL}   prints {"put": KEY, "seconds": S} at the end
  {"get": KEYEXPR}                              prints {"get": KEYEXPR, "replies": [text]}
  {"serve": KEY}                                answers with the payload "ok"
  {"token": KEY}                                holds a liveliness token

Begins with {"open": true}, or {"refused": text} where it cannot connect.
"""

import hashlib
import json
import sys
import threading
import time

import zenoh
import zenoh.shm


speaking = threading.Lock()


def say(**fields):
    # Values are told from a thread of Zenoh's: one line at a time.
    with speaking:
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()


def connect(endpoint, settings):
    config = zenoh.Config()
    defaults = {
        "mode": "client",
        "connect/endpoints": [endpoint],
        "connect/timeout_ms": 2000,
        "scouting/multicast/enabled": False,
    }
    for key, value in {**defaults, **settings}.items():
        config.insert_json5(key, json.dumps(value))
    return zenoh.open(config)


def value(sample):
    say(
        key=str(sample.key_expr),
        size=len(sample.payload),
        priority=str(sample.priority).removeprefix("Priority.").lower(),
        express=sample.express,
        shared=sample.payload.as_shm() is not None,
    )


digests = {}


def digest(sample):
    key, data = str(sample.key_expr), sample.payload.to_bytes()
    count, hashed = digests.get(key, (0, hashlib.sha256()))
    hashed.update(data)
    digests[key] = (count + 1, hashed)
    say(key=key, encoding=str(sample.encoding), count=count + 1, sha256=hashed.hexdigest())


# Kept: with its provider, memory that is still on its way would be gone.
providers = []


def put(session, order):
    data = bytes(order.get("size", 8))
    publisher = session.declare_publisher(order["put"], congestion_control=zenoh.CongestionControl.BLOCK)
    provider = None
    if order.get("shared"):
        provider = zenoh.shm.ShmProvider.default_backend(16 * 1024 * 1024)
        providers.append(provider)
    begin = time.monotonic()
    for i in range(order.get("count", 1)):
        if order.get("rate"):
            time.sleep(max(0, begin + i / order["rate"] - time.monotonic()))
        if provider is None:
            publisher.put(data)
        else:
            memory = provider.alloc(len(data), policy=zenoh.shm.BlockOn(zenoh.shm.GarbageCollect()))
            memory[:] = bytes([i % 251]) * len(data)
            publisher.put(memory)
    say(put=order["put"], seconds=time.monotonic() - begin)


def main():
    endpoint, settings = sys.argv[1], json.loads(sys.argv[2])
    try:
        session = connect(endpoint, settings)
    except zenoh.ZError as error:
        say(refused=str(error))
        return
    kept = []
    say(open=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "sub" in order:
            kept.append(session.declare_subscriber(order["sub"], value))
        elif "digest" in order:
            kept.append(session.declare_subscriber(order["digest"], digest))
        elif "put" in order:
            put(session, order)
        elif "get" in order:
            replies = session.get(order["get"], timeout=3.0)
            say(get=order["get"], replies=[r.ok.payload.to_string() for r in replies if r.ok is not None])
        elif "serve" in order:
            key = order["serve"]
            kept.append(session.declare_queryable(key, lambda query, key=key: query.reply(key, "ok")))
        elif "token" in order:
            kept.append(session.liveliness().declare_token(order["token"]))
        say(done=order)


main()
