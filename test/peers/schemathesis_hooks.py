"""What the document of the API cannot say: no object anywhere has a key named __proto__ (the server refuses it)."""
import json

import schemathesis


@schemathesis.hook
def filter_body(context, body):
    try:
        return "__proto__" not in json.dumps(body, default=str)
    except (TypeError, ValueError):
        return True
