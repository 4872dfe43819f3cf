"""Reads a page of metrics with the parser of Prometheus' own client. Prints type, samples and their sum by metric as
one JSON object.

Usage: stock_metrics.py FILE
"""

import json
import sys

from prometheus_client.parser import text_string_to_metric_families

with open(sys.argv[1], encoding="utf-8") as page:
    families = list(text_string_to_metric_families(page.read()))
print(
    json.dumps(
        {
            one.name: {"type": one.type, "samples": len(one.samples), "value": sum(s.value for s in one.samples)}
            for one in families
        }
    )
)
