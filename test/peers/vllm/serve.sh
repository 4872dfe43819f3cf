#!/usr/bin/env bash
# Serves the model of test/peers/vllm.sh, named "tiny", in the foreground.
# Usage: source "$(bash test/peers/vllm.sh)"; test/peers/vllm/serve.sh PORT
set -euo pipefail
exec "$VLLM_PYTHON" -m vllm.entrypoints.openai.api_server \
  --model "$VLLM_MODEL" --served-model-name tiny --load-format dummy --dtype float32 --seed 1 \
  --max-model-len 4096 --max-num-seqs 16 --enforce-eager --distributed-executor-backend uni \
  --enable-auto-tool-choice --tool-call-parser hermes \
  --structured-outputs-config '{"backend":"xgrammar","disable_any_whitespace":true}' \
  --host 127.0.0.1 --port "$1"
