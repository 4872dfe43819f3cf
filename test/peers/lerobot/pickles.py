"""Writes LeRobot's messages as Python pickles them, every form of value in them: test/golden/lerobot holds the result.

Usage: python pickles.py FOLDER
"""

import pickle
import sys
from pathlib import Path

import numpy as np
import torch
from lerobot.async_inference.helpers import RemotePolicyConfig, TimedAction, TimedObservation

PICTURE = (np.arange(2 * 3 * 3) * 7 % 256).astype(np.uint8).reshape(2, 3, 3)


def main() -> None:
    folder = Path(sys.argv[1])
    values = {
        "float": 1.5,
        "whole": -7,
        "large": 2**40,
        "numpy32": np.float32(2.25),
        "numpy64": np.float64(-3.5),
        "tensor0": torch.tensor(4.75),
        "halves": torch.tensor([0.5, -1.25, 65504.0], dtype=torch.float16),
        "doubles": np.array([1.0, 2.0]),
        "fortran": np.asfortranarray(PICTURE),
        "flipped": np.ascontiguousarray(PICTURE[:, ::-1]),
        "chw": torch.from_numpy(PICTURE).permute(2, 0, 1),
        "front": PICTURE,
        "task": "pick the cube – ü",
    }
    chunk = torch.arange(12, dtype=torch.float32).reshape(4, 3) / 8
    features = {
        "observation.state": {"dtype": "float32", "shape": (2,), "names": ["a.pos", "b.pos"]},
        "observation.images.front": {
            "dtype": "image",
            "shape": (2, 3, 3),
            "names": ["height", "width", "channels"],
        },
    }
    messages = {
        "observation": TimedObservation(timestamp=1700000000.25, timestep=3, observation=values, must_go=True),
        "actions": [TimedAction(timestamp=1.5 + i, timestep=7 + i, action=row) for i, row in enumerate(chunk)],
        "setup": RemotePolicyConfig("act", "user/model", features, 50, "cpu"),
    }
    for name, message in messages.items():
        for protocol in (3, 4, 5):
            Path(folder, f"{name}-{protocol}.bin").write_bytes(pickle.dumps(message, protocol))


if __name__ == "__main__":
    main()
