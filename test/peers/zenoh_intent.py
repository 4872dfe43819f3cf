"""An independent Zenoh participant that asks a robot for something: eclipse-zenoh, no code of ours.

  zenoh_intent.py ENDPOINT BASE TYPE   reads the schema, cancels an intent, puts another one twice, waits for its
                                       end, asks for what must be refused. Prints JSON lines.
"""

import json
import sys

import zenoh

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def say(**fields):
    print(json.dumps(fields), flush=True)


endpoint, base, kind = sys.argv[1:4]
config = zenoh.Config()
config.insert_json5("mode", '"client"')
config.insert_json5("connect/endpoints", json.dumps([endpoint]))
config.insert_json5("scouting/multicast/enabled", "false")
session = zenoh.open(config)


def ask(selector, payload=None, timeout=120.0):
    """The one answer: what it says, or the typed error."""
    more = {} if payload is None else {
        "payload": payload if isinstance(payload, bytes) else json.dumps(payload).encode(),
        "encoding": zenoh.Encoding.APPLICATION_JSON,
        "attachment": TRACE.encode(),
    }
    replies = list(session.get(selector, timeout=timeout, **more))
    assert len(replies) == 1, f"{selector}: {len(replies)} replies"
    reply = replies[0]
    if reply.ok is None:
        return {"error": json.loads(reply.err.payload.to_bytes())}
    answer = json.loads(reply.ok.payload.to_bytes())
    note = reply.ok.attachment
    if note is not None:
        answer["beside"] = note.to_bytes().decode()
    return answer


say(schema=ask(f"{base}/intent/schema"))
# First, while there is a way to go: a robot that stands at its goal has done the next run at once.
cut = ask(f"{base}/intent", {"type": kind})
say(cancelled=ask(f"{base}/runs/{cut['run_id']}/cancel"))
intent = {"type": kind, "idempotency_key": "from-python"}
say(put=ask(f"{base}/intent", intent))
say(ended=ask(f"{base}/intent?wait=110000", intent))
say(refused=ask(f"{base}/intent", {"type": kind, "priority": "5"}))
say(unknown=ask(f"{base}/intent", {"type": "no/such"}))
say(garbled=ask(f"{base}/intent", b"{"))
first = ask(f"{base}/intent", intent)
say(told=ask(f"{base}/runs/{first['run_id']}"))
say(runs=ask(f"{base}/runs"))
say(done=True)
session.close()
