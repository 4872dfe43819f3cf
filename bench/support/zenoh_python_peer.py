"""eclipse-zenoh in Python as a driver of bench/zenoh.ts: the same four roles as every driver there.

  serve ENDPOINT JSON    listens, answers queries with their payload
  ask ENDPOINT JSON      asks COUNT times, one after the other; prints milliseconds per round trip
  sink ENDPOINT JSON     listens, counts COUNT values; prints how many came in how long
  source ENDPOINT JSON   sends until it is killed
"""

import json
import sys
import threading
import time

import zenoh
import zenoh.shm as shm

KEY = "bench/value"


def say(**fields):
    print(json.dumps(fields), flush=True)


def open_session(role, endpoint, options):
    config = zenoh.Config()
    set_ = config.insert_json5
    listens = role in ("serve", "sink")
    set_("mode", '"peer"')
    set_("scouting/multicast/enabled", "false")
    set_("scouting/delay", "0")
    set_("listen/endpoints", json.dumps([endpoint] if listens else []))
    set_("connect/endpoints", json.dumps([] if listens else [endpoint]))
    set_("transport/shared_memory/enabled", json.dumps(options["shared"]))
    set_("transport/shared_memory/transport_optimization/messages", '["put"]')
    return zenoh.open(config)


def serve(session, _options):
    queryable = session.declare_queryable(KEY, lambda query: query.reply(KEY, query.payload))
    say(ready=True)
    sys.stdin.read()
    queryable.undeclare()


def ask(session, options):
    payload, took = b"x" * options["bytes"], []
    while not list(session.get(KEY, payload=payload)):
        time.sleep(0.01)
    for i in range(options["count"] + options["warmup"]):
        begin = time.perf_counter()
        for reply in session.get(KEY, payload=payload):
            assert len(reply.ok.payload) == len(payload)
        if i >= options["warmup"]:
            took.append((time.perf_counter() - begin) * 1e3)
    say(ms=took)


def sink(session, options):
    seen, begin, done = 0, 0.0, threading.Event()

    def count(sample):
        nonlocal seen, begin
        # Python cannot look into a payload without copying all of it, so it only asks for the length: cheaper.
        assert len(sample.payload) == options["bytes"]
        seen += 1
        if seen == options["warmup"]:
            begin = time.perf_counter()
        elif seen == options["warmup"] + options["count"]:
            say(count=options["count"], ms=(time.perf_counter() - begin) * 1e3, dropped=0)
            done.set()

    # On the thread that receives: the fastest way that this library has.
    session.declare_subscriber(KEY, zenoh.handlers.Callback(count, indirect=False))
    say(ready=True)
    done.wait()


def source(session, options):
    publisher = session.declare_publisher(KEY, congestion_control=zenoh.CongestionControl.BLOCK)
    frame = bytes(options["bytes"])
    while not publisher.matching_status.matching:
        time.sleep(0.01)
    if not options["allocate"]:
        while True:
            publisher.put(frame)
    provider = shm.ShmProvider.default_backend(64 * 1024 * 1024)
    policy = shm.BlockOn(shm.GarbageCollect())
    while True:
        memory = provider.alloc(len(frame), policy=policy)
        memory[:] = frame
        publisher.put(memory)


role, endpoint, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
session = open_session(role, endpoint, options)
{"serve": serve, "ask": ask, "sink": sink, "source": source}[role](session, options)
# Without the courtesies of closing: the figures are out.
sys.stdout.flush()
import os

os._exit(0)
