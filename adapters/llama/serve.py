"""Serves a small language model by llama.cpp's own OpenAI-compatible server, on one thread and loopback.

Prints `port=<n>` when it answers. Ends by SIGTERM; with --until-stdin-ends when its standard input does.

Usage: python serve.py FOLDER [--name NAME] [--port PORT] [--until-stdin-ends]
       FOLDER holds one .gguf file; port 0: a free one.
"""

import argparse
import signal
import sys
import threading
from pathlib import Path

import xllamacpp


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--name", default="smollm2")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--until-stdin-ends", action="store_true")
    options = parser.parse_args()
    [weights] = Path(options.folder).glob("*.gguf")
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.model_alias = {options.name}
    params.hostnames = ["127.0.0.1"]
    params.port = options.port
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
    if options.until_stdin_ends:
        sys.stdin.read()
        return
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    while not ended.wait(1):
        pass


if __name__ == "__main__":
    main()
