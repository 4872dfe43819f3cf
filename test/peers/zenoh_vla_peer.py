"""An independent Zenoh participant for the tests: eclipse-zenoh, no code of ours.

Each result is one line of JSON on standard output. Commands:

  vla ENDPOINT KEY SEED COUNT [json]   asks a policy COUNT times with random observations
  sub ENDPOINT KEYEXPR                 prints what it receives, until killed
  pub ENDPOINT KEY COUNT               publishes COUNT numbered messages of 1 KB, then one of 5 MB
  serve ENDPOINT KEY                   answers queries with the reversed payload, holds a liveliness token
"""

import hashlib
import json
import sys
import time

import msgpack
import numpy
import zenoh


def say(**fields):
    print(json.dumps(fields), flush=True)


def connect(endpoint):
    config = zenoh.Config()
    config.insert_json5("mode", '"client"')
    config.insert_json5("connect/endpoints", json.dumps([endpoint]))
    config.insert_json5("scouting/multicast/enabled", "false")
    return zenoh.open(config)


def pack(array):
    array = numpy.ascontiguousarray(array)
    return {"shape": list(array.shape), "dtype": str(array.dtype), "data": array.astype(array.dtype.newbyteorder("<")).tobytes()}


def unpack(value):
    return numpy.frombuffer(value["data"], dtype=numpy.dtype(value["dtype"]).newbyteorder("<")).reshape(value["shape"])


def vla(session, key, seed, count, as_json):
    random = numpy.random.default_rng(seed)
    for i in range(count):
        scan = random.uniform(0.05, 12.0, size=(1, 36)).astype(numpy.float32)
        state = random.normal(size=(4,)).astype(numpy.float32)
        stamp = str(1_700_000_000_000_000_000 + i)
        if as_json:
            flat = lambda a: {"shape": list(a.shape), "dtype": "float32", "data": [float(x) for x in a.ravel()]}
            body = json.dumps({"tensors": {"scan": flat(scan), "state": flat(state)}, "stamp": stamp}).encode()
            encoding = zenoh.Encoding.APPLICATION_JSON
        else:
            tensors = {"scan": pack(scan), "state": pack(state)}
            body = msgpack.packb({"tensors": tensors, "stamp": stamp, "task": "find the exit", "deadline_ms": 5000})
            encoding = zenoh.Encoding("application/msgpack")
        start = time.perf_counter()
        replies = list(session.get(key, payload=body, encoding=encoding, timeout=10.0))
        took = (time.perf_counter() - start) * 1000
        for reply in replies:
            if reply.err is not None:
                say(error=msgpack.unpackb(reply.err.payload.to_bytes()) if not as_json else json.loads(reply.err.payload.to_bytes()))
                continue
            raw = reply.ok.payload.to_bytes()
            if as_json:
                answer = json.loads(raw)
                actions = numpy.array(answer["actions"]["data"], dtype=numpy.float32).reshape(answer["actions"]["shape"])
            else:
                answer = msgpack.unpackb(raw)
                actions = unpack(answer["actions"])
            say(
                scan=scan.tobytes().hex(), state=state.tobytes().hex(), stamp=answer["stamp"], shape=list(actions.shape),
                actions=actions.astype("<f4").tobytes().hex(), step_ms=answer["step_ms"], policy_hash=answer["policy_hash"],
                encoding=str(reply.ok.encoding), ms=took,
            )
    # What must be refused, and how.
    if not as_json:
        scan = numpy.full((1, 36), numpy.nan, dtype=numpy.float32)
        bad = {"tensors": {"scan": pack(scan), "state": pack(numpy.zeros(4, numpy.float32))}}
        for body in (msgpack.packb(bad), b"\xc1\xff", msgpack.packb({"tensors": {}, "extra": 1})):
            for reply in session.get(key, payload=body, encoding=zenoh.Encoding("application/msgpack"), timeout=10.0):
                say(error=msgpack.unpackb(reply.err.payload.to_bytes()) if reply.err is not None else None)
        for reply in session.get(key, timeout=10.0):
            say(description=json.loads(reply.ok.payload.to_bytes()))


def main():
    command, endpoint, key = sys.argv[1:4]
    with connect(endpoint) as session:
        if command == "vla":
            vla(session, key, int(sys.argv[4]), int(sys.argv[5]), sys.argv[6:] == ["json"])
            say(done=True)
        elif command == "sub":
            def receive(sample):
                data = sample.payload.to_bytes()
                say(key=str(sample.key_expr), size=len(data), sha256=hashlib.sha256(data).hexdigest(), head=data[:16].decode("latin1").rstrip("\0"), encoding=str(sample.encoding))
            session.declare_subscriber(key, receive)
            say(ready=True)
            while True:
                time.sleep(1)
        elif command == "pub":
            publisher = session.declare_publisher(key, congestion_control=zenoh.CongestionControl.BLOCK)
            time.sleep(0.3)
            for i in range(int(sys.argv[4])):
                publisher.put(str(i).encode().ljust(1024, b"\0"))
            big = numpy.random.default_rng(1).bytes(5_000_000)
            publisher.put(big)
            say(done=True, sha256=hashlib.sha256(big).hexdigest())
            time.sleep(1)
        elif command == "serve":
            def answer(query):
                query.reply(query.key_expr, bytes(reversed(query.payload.to_bytes())))
            session.declare_queryable(key, answer)
            token = session.liveliness().declare_token(key)
            say(ready=True)
            while True:
                time.sleep(1)
        else:
            sys.exit(f"unknown command {command}")


main()
