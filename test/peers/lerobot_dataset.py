"""Loads a dataset with stock LeRobot, reads every frame with its pictures, and prints what it saw as JSON.

With a second argument it also records a dataset of its own there: two episodes of six frames.
"""

import json
import os
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_CACHE", tempfile.mkdtemp())

import datasets
import numpy as np
from lerobot.datasets.compute_stats import aggregate_stats, get_feature_stats
from lerobot.datasets.lerobot_dataset import LeRobotDataset

datasets.disable_progress_bars()
root = sys.argv[1]
dataset = LeRobotDataset("auraison/test", root=root)
frames = []
for i in range(len(dataset)):
    item = dataset[i]
    frame = {"task": item["task"], "episode": int(item["episode_index"]), "timestamp": float(item["timestamp"])}
    for key in dataset.meta.features:
        if key in dataset.meta.video_keys:
            # Where the red square is in the middle row: a picture of another frame has it elsewhere.
            picture = item[key]
            middle = picture[:, picture.shape[1] // 2]
            red = (middle[0] - middle[1] - middle[2] > 0.3).nonzero().flatten()
            frame[key] = {"shape": list(picture.shape), "column": float(red.float().mean()) if len(red) else None}
        elif key.startswith("observation") or key == "action":
            frame[key] = [float(v) for v in item[key].reshape(-1)]
    frames.append(frame)

# What LeRobot itself would have written as statistics of the vectors, from the rows as they are.
own = {}
for key in ("observation.state", "action", "timestamp", "frame_index"):
    if key not in dataset.meta.features:
        continue
    parts = []
    for episode in range(dataset.meta.total_episodes):
        rows = dataset.hf_dataset.with_format("numpy").filter(lambda e: e == episode, input_columns="episode_index")[key]
        rows = np.asarray(rows)
        parts.append({key: get_feature_stats(rows, axis=0, keepdims=rows.ndim == 1)})
    own[key] = {name: np.asarray(value).tolist() for name, value in aggregate_stats(parts)[key].items()}
if len(sys.argv) > 2:
    names = [f"joint_{i}" for i in range(3)]
    made = LeRobotDataset.create(
        "auraison/made",
        fps=10,
        root=sys.argv[2],
        robot_type="stock",
        features={
            "observation.state": {"dtype": "float32", "shape": (3,), "names": names},
            "action": {"dtype": "float32", "shape": (3,), "names": names},
            "observation.images.top": {"dtype": "video", "shape": (48, 64, 3), "names": ["height", "width", "channels"]},
        },
    )
    for episode in range(2):
        for k in range(6):
            state = np.array([episode, k, 0.1 * k], dtype=np.float32)
            picture = np.full((48, 64, 3), 40 * k + 20, dtype=np.uint8)
            made.add_frame({"observation.state": state, "action": state + 1, "observation.images.top": picture, "task": f"stock task {episode}"})
        made.save_episode()
    made.finalize()

json.dump(
    {
        "episodes": dataset.num_episodes,
        "frames": len(dataset),
        "rows": len(dataset.hf_dataset),
        "fps": dataset.fps,
        "tasks": list(dataset.meta.tasks.index),
        "items": frames,
        "stats": {key: {name: np.asarray(v).tolist() for name, v in stats.items()} for key, stats in dataset.meta.stats.items()},
        "own_stats": own,
    },
    sys.stdout,
)
