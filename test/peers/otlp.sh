#!/usr/bin/env bash
# Installs opentelemetry-proto, the protobuf definitions of OpenTelemetry, with which a test reads what we export over
# OTLP, into a cache outside the repository.
# Prints the path of its Python as the only stdout line. A second call finds it and returns at once;
# concurrent calls wait for one another.
#
# Usage: test/peers/otlp.sh
# Exit:  0 done, 4 no usable Python, 1 anything else. PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/lib-venv.sh"
peer_venv otlp 11 '5 to 30 s' 'opentelemetry-proto'
