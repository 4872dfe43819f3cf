"""An independent Zenoh participant for the tests: eclipse-zenoh, no code of ours.

Each result is one line of JSON on standard output. Commands:

  vla ENDPOINT KEY SEED COUNT [json]   asks a policy COUNT times with random observations
  refused ENDPOINT KEY                 asks what must be refused
  chat ENDPOINT KEY                    asks a model, whole and in pieces, and what must be refused
  ask ENDPOINT KEY SEED                asks on and on, also while nobody answers, until killed
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


def flat(array):
    return {"shape": list(array.shape), "dtype": "float32", "data": [float(x) for x in array.ravel()]}


def vla(session, key, seed, count, as_json):
    random = numpy.random.default_rng(seed)
    # The policy says what it takes.
    [reply] = list(session.get(key, timeout=10.0))
    description = json.loads(reply.ok.payload.to_bytes())
    say(description=description)
    encoding = zenoh.Encoding.APPLICATION_JSON if as_json else zenoh.Encoding("application/msgpack")
    write = (lambda value: json.dumps(value).encode()) if as_json else msgpack.packb
    read = json.loads if as_json else msgpack.unpackb
    for i in range(count):
        inputs = {name: random.uniform(-3, 12, size=shape).astype(numpy.float32) for name, shape in description["inputs"].items()}
        stamp = str(1_700_000_000_000_000_000 + i)
        tensors = {name: (flat if as_json else pack)(array) for name, array in inputs.items()}
        body = write({"tensors": tensors, "stamp": stamp, "task": "find the exit", "deadline_ms": 5000})
        start = time.perf_counter()
        replies = list(session.get(key, payload=body, encoding=encoding, timeout=10.0))
        took = (time.perf_counter() - start) * 1000
        for reply in replies:
            if reply.err is not None:
                say(error=read(reply.err.payload.to_bytes()))
                continue
            answer = read(reply.ok.payload.to_bytes())
            if as_json:
                actions = numpy.array(answer["actions"]["data"], dtype="<f4").reshape(answer["actions"]["shape"])
            else:
                actions = unpack(answer["actions"])
            say(
                inputs={name: array.tobytes().hex() for name, array in inputs.items()},
                actions=actions.astype("<f4").tobytes().hex(),
                shape=list(actions.shape),
                stamp=answer["stamp"],
                step_ms=answer["step_ms"],
                policy_hash=answer["policy_hash"],
                encoding=str(reply.ok.encoding),
                ms=took,
            )


def refused(session, key):
    """What must be refused; prints the typed errors."""
    [reply] = list(session.get(key, timeout=10.0))
    inputs = json.loads(reply.ok.payload.to_bytes())["inputs"]
    nan = {name: pack(numpy.full(shape, numpy.nan, dtype=numpy.float32)) for name, shape in inputs.items()}
    for body in (msgpack.packb({"tensors": nan}), b"\xc1\xff", msgpack.packb({"tensors": {}, "extra": 1})):
        for reply in session.get(key, payload=body, encoding=zenoh.Encoding("application/msgpack"), timeout=10.0):
            say(error=msgpack.unpackb(reply.err.payload.to_bytes()) if reply.err is not None else None)


def chat(session, key):
    """A model in the words of the OpenAI API; pieces are answers of their own."""
    question = {"messages": [{"role": "user", "content": "hi"}]}
    both = dict(encoding=zenoh.Encoding.APPLICATION_JSON, timeout=20.0)
    for body in (question, {**question, "stream": True}):
        replies = session.get(key, payload=json.dumps(body), consolidation=zenoh.ConsolidationMode.NONE, **both)
        say(answers=[json.loads(reply.ok.payload.to_bytes()) for reply in replies])
    # Who does not ask for the pieces gets the whole answer.
    replies = session.get(key, payload=json.dumps({**question, "stream": True}), **both)
    say(last=[json.loads(reply.ok.payload.to_bytes()) for reply in replies])
    for reply in session.get(key, payload=json.dumps({**question, "n": 2}), **both):
        say(error=json.loads(reply.err.payload.to_bytes()))
    [reply] = list(session.get(f"{key}/schema", timeout=10.0))
    say(schema=json.loads(reply.ok.payload.to_bytes())["title"])


def ask(session, key, seed):
    """One client for as long as it lives; says what became of each question."""
    random = numpy.random.default_rng(seed)
    [reply] = list(session.get(key, timeout=10.0))
    shapes = json.loads(reply.ok.payload.to_bytes())["inputs"]
    while True:
        tensors = {name: pack(random.uniform(-3, 12, size=shape).astype(numpy.float32)) for name, shape in shapes.items()}
        body = msgpack.packb({"tensors": tensors, "stamp": "0", "task": "", "deadline_ms": 1000})
        replies = list(session.get(key, payload=body, encoding=zenoh.Encoding("application/msgpack"), timeout=2.0))
        if not replies:
            say(missing=True)
        for reply in replies:
            if reply.err is not None:
                say(refused=str(reply.err.payload.to_bytes()))
            else:
                say(actions=msgpack.unpackb(reply.ok.payload.to_bytes())["actions"]["shape"])
        time.sleep(0.05)


def main():
    command, endpoint, key = sys.argv[1:4]
    with connect(endpoint) as session:
        if command == "vla":
            vla(session, key, int(sys.argv[4]), int(sys.argv[5]), sys.argv[6:] == ["json"])
            say(done=True)
        elif command == "ask":
            ask(session, key, int(sys.argv[4]))
        elif command == "chat":
            chat(session, key)
        elif command == "refused":
            refused(session, key)
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
