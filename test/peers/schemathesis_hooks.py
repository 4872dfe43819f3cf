"""What the document of the API cannot say: no object anywhere has a key named __proto__ (the server refuses it), and
no body as a whole is above the limit of the API (413, which Schemathesis does not take for a refusal)."""
import json

import schemathesis

BODY_BYTES_MAX = 1_000_000


@schemathesis.hook
def filter_body(context, body):
    try:
        text = json.dumps(body, default=str)
        return "__proto__" not in text and len(text) < BODY_BYTES_MAX
    except (TypeError, ValueError):
        return True
