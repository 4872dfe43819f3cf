#!/usr/bin/env bash
# Installs skills-ref, the reference validator of the Agent Skills format (agentskills.io), which our verdicts on
# SKILL.md packages are compared with, into a cache outside the repository.
# Prints the path of its Python as the only stdout line. A second call finds it and returns at once;
# concurrent calls wait for one another.
#
# Usage: test/peers/skills.sh
# Exit:  0 done, 4 no usable Python, 1 anything else. PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/lib-venv.sh"
peer_venv skills 11 '5 to 30 s' 'skills-ref'
