"""Reads OTLP/HTTP JSON with OpenTelemetry's own protobuf definitions, no code of ours: what they refuse is refused.

  otlp_decode.py < request.json   prints the spans as one line of JSON. Ids in OTLP's JSON are hex where protobuf's own
                                  mapping has base64: that one difference is undone first, as the specification says.
"""

import base64
import json
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def base64_ids(value):
    if isinstance(value, list):
        return [base64_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(item)).decode() if key in ("traceId", "spanId", "parentSpanId") else base64_ids(item)
        for key, item in value.items()
    }


request = json_format.ParseDict(base64_ids(json.load(sys.stdin)), ExportTraceServiceRequest(), ignore_unknown_fields=False)
# Over the wire and back: every field is one that a collector keeps.
request = ExportTraceServiceRequest.FromString(request.SerializeToString())


def plain(attribute):
    return getattr(attribute.value, attribute.value.WhichOneof("value"))


spans = []
for resource in request.resource_spans:
    for scope in resource.scope_spans:
        for span in scope.spans:
            assert len(span.trace_id) == 16 and len(span.span_id) == 8 and len(span.parent_span_id) in (0, 8)
            spans.append({
                "trace_id": span.trace_id.hex(),
                "span_id": span.span_id.hex(),
                "parent_id": span.parent_span_id.hex(),
                "name": span.name,
                "start_ns": str(span.start_time_unix_nano),
                "end_ns": str(span.end_time_unix_nano),
                "kind": span.kind,
                "status": span.status.code,
                "error": span.status.message,
                "scope": scope.scope.name,
                "attributes": {one.key: plain(one) for one in span.attributes},
                "resource": {one.key: plain(one) for one in resource.resource.attributes},
            })
print(json.dumps(spans))
