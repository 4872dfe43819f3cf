"""LeRobot's ACT as a trainer: `lerobot-train` on a LeRobotDataset v3, then the checkpoint as ONNX.

    python train.py --dataset DIR --out model.onnx [--steps 20000] [--batch 8] [--chunk 50] [--seed 1000]
                    [--device cpu] [--name act] [--checkpoints DIR] [--lerobot "--policy.dim_model=256 ..."]

Prints one JSON object per report of LeRobot: {"step", "steps", "loss"}; what it says besides goes to standard error.
"""

import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

REPORT = re.compile(r"step:(\S+).*\bloss:(\S+)")
UNITS = {"K": 1e3, "M": 1e6, "B": 1e9}


def number(text):
    return float(text[:-1]) * UNITS[text[-1]] if text[-1] in UNITS else float(text)


def names_of(feature):
    """What its numbers are, where somebody said so. None: names that are missing, or only places (0, 1, ...)."""
    names = feature.get("names")
    if not isinstance(names, list) or names == [str(i) for i in range(len(names))]:
        return None
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--name", default="act")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--chunk", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--checkpoints", help="keep LeRobot's output in this folder; default: it is removed")
    parser.add_argument("--lerobot", default="", help="more arguments of lerobot-train")
    args = parser.parse_args()
    work = pathlib.Path(args.checkpoints or tempfile.mkdtemp(prefix="auraison-act-"))
    output = work / "run"
    report_every = max(1, min(200, args.steps // 20))
    command = [
        sys.executable,
        "-m",
        "lerobot.scripts.lerobot_train",
        "--dataset.repo_id=local/dataset",
        f"--dataset.root={args.dataset}",
        "--policy.type=act",
        "--policy.push_to_hub=false",
        f"--policy.device={args.device}",
        f"--policy.chunk_size={args.chunk}",
        f"--policy.n_action_steps={args.chunk}",
        f"--output_dir={output}",
        f"--steps={args.steps}",
        f"--batch_size={args.batch}",
        f"--seed={args.seed}",
        f"--log_freq={report_every}",
        f"--save_freq={args.steps}",
        "--num_workers=0",
        "--wandb.enable=false",
        *shlex.split(args.lerobot),
    ]
    # The dataset is here: nothing is looked up on a hub.
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    signal.signal(signal.SIGTERM, lambda *_: (child.terminate(), sys.exit(143)))
    try:
        for line in child.stdout:
            found = REPORT.search(line)
            if found:
                report = {"step": int(number(found[1])), "steps": args.steps, "loss": float(found[2])}
                print(json.dumps(report), flush=True)
            else:
                sys.stderr.write(line)
        if child.wait() != 0:
            sys.exit(f"lerobot-train ended with {child.returncode}")
        info = json.loads((pathlib.Path(args.dataset) / "meta" / "info.json").read_text())
        names = names_of(info["features"]["action"])
        checkpoint = output / "checkpoints" / "last" / "pretrained_model"
        export = [sys.executable, str(pathlib.Path(__file__).with_name("export.py")), "--checkpoint", str(checkpoint)]
        export += ["--out", args.out, "--name", args.name, "--step-ms", str(1000 / info["fps"])]
        if names:
            export += ["--action-names", ",".join(names)]
        subprocess.run(export, check=True, env=environment)
    finally:
        child.kill()
        if not args.checkpoints:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
