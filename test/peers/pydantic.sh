#!/usr/bin/env bash
# Installs Pydantic AI into a cache outside the repository, and prints the
# path of its Python. A second call finds it; concurrent calls wait for one another.
#
# Usage: test/peers/pydantic.sh
# Exit:  0 done, 4 no usable Python, 1 anything else.
set -euo pipefail
. "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/lib-venv.sh"
peer_venv pydantic 10 "70 MB, 10 to 60 s" "Pydantic AI"
