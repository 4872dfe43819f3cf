"""Prints a LeRobotDataset v3 as JSON, read by pandas and pyarrow in LeRobot's way: every numbered file, in name order."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

root = Path(sys.argv[1])


def plain(value):
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def table(folder):
    paths = sorted((root / folder).glob("*/*.parquet"))
    return pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)


tasks = pd.read_parquet(root / "meta/tasks.parquet")
# As LeRobot finds the words of a task: by the name of the row with that number.
words = [tasks.iloc[int(row.task_index)].name for row in tasks.itertuples()]
data = table("data")
episodes = table("meta/episodes")
json.dump(
    {
        "info": json.loads((root / "meta/info.json").read_text()),
        "tasks": words,
        "task_indices": {name: int(tasks.loc[name].task_index) for name in tasks.index},
        "episodes": [{key: plain(value) for key, value in row.items()} for row in episodes.to_dict("records")],
        "data": {key: [plain(value) for value in data[key]] for key in data},
        "stats": json.loads((root / "meta/stats.json").read_text()),
    },
    sys.stdout,
)
