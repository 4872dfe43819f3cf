"""The light trainer of apps/ar4-physical-ai: a LeRobotDataset v3 in, an action-chunking network as ONNX out.

A multilayer perceptron in numpy: it sees one frame (joints, gripper, cube, target) and answers the coming actions. The
network takes and gives plain units (radians, metres): scaling is inside of it, and arm actions are learned as
differences to where the joints are. LeRobot's ACT is the full trainer (`auraison policy train`); this one needs ten
seconds of one core.

    python train.py --dataset DIR --out policy.onnx [--steps 5000] [--seed 1] [--chunk 16] [--hidden 256] [--prefix 0]

With `--prefix N` it learns to continue the actions that are executed while it computes (training-time real-time
chunking): of each example the first 0 to N actions are shown and not scored. The network then has the inputs
`action_prefix` [1, N, width] and `prefix_length` [1].

Prints one JSON object per epoch on standard output: {"epoch", "epochs", "loss", "held_out"}.
"""

import argparse
import hashlib
import json
import math
import os
import pathlib
import sys

# Several threads would fight for the cores with whatever else this robot does.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
import onnx
import pyarrow.parquet as parquet
from onnx import TensorProto, helper, numpy_helper

STATE = "observation.state"
ENVIRONMENT = "observation.environment_state"
ACTION = "action"
# The gripper is the last number of a state; its actions are openings, not differences.
GRIPPER = -1
HELD_OUT_SHARE = 0.05
BATCH = 256


def names_of(feature):
    """What its numbers are, where somebody said so. None: names that are missing, or only places (0, 1, ...)."""
    names = feature.get("names")
    if not isinstance(names, list) or names == [str(i) for i in range(len(names))]:
        return None
    return names


def read_dataset(folder):
    """Frames in order: state, environment, action as float32, and the episode of each. Only what was committed: files
    of an export that was killed may lie beside it."""
    root = pathlib.Path(folder)
    info = json.loads((root / "meta" / "info.json").read_text())
    if not str(info.get("codebase_version", "")).startswith("v3"):
        sys.exit(f"{folder}: LeRobotDataset v3 expected, found {info.get('codebase_version')}")
    columns = {name: [] for name in (STATE, ENVIRONMENT, ACTION, "episode_index", "frame_index")}
    for path in sorted((root / "data").glob("**/*.parquet")):
        table = parquet.read_table(path, columns=list(columns))
        for name, parts in columns.items():
            parts.append(np.array(table.column(name).to_pylist()))
    data = {name: np.concatenate(parts) for name, parts in columns.items()}
    committed = data["episode_index"] < info["total_episodes"]
    data = {name: values[committed] for name, values in data.items()}
    order = np.lexsort((data["frame_index"], data["episode_index"]))
    data = {name: values[order] for name, values in data.items()}
    # A vector of one number is a column of plain numbers.
    vectors = [data[name].astype(np.float32).reshape(len(order), -1) for name in (STATE, ENVIRONMENT, ACTION)]
    return (*vectors, data["episode_index"].astype(np.int64), info)


def chunks_of(action, episode, length):
    """For each frame the actions of it and the frames after it; the last of an episode repeats. [n, length, width]"""
    ends = np.searchsorted(episode, episode, side="right") - 1
    index = np.minimum(np.arange(len(action))[:, None] + np.arange(length)[None, :], ends[:, None])
    return action[index]


class Adam:
    def __init__(self, values, rate):
        self.values, self.rate, self.step = values, rate, 0
        self.first = [np.zeros_like(v) for v in values]
        self.second = [np.zeros_like(v) for v in values]

    def update(self, gradients, scale):
        self.step += 1
        rate = self.rate * scale * math.sqrt(1 - 0.999**self.step) / (1 - 0.9**self.step)
        for value, gradient, m, v in zip(self.values, gradients, self.first, self.second):
            m += 0.1 * (gradient - m)
            v += 0.001 * (gradient * gradient - v)
            value -= rate * m / (np.sqrt(v) + 1e-8)


def forward(weights, x):
    """Outputs of every layer, the input first."""
    layers = [x]
    for i in range(0, len(weights), 2):
        x = x @ weights[i] + weights[i + 1]
        if i + 2 < len(weights):
            x = np.maximum(x, 0)
        layers.append(x)
    return layers


def backward(weights, layers, gradient):
    gradients = []
    for i in range(len(weights) - 2, -1, -2):
        inputs = layers[i // 2]
        gradients[:0] = [inputs.T @ gradient, gradient.sum(0)]
        if i > 0:
            gradient = (gradient @ weights[i].T) * (inputs > 0)
    return gradients


def with_prefix(x, y, scaling, width, rows, generator, jitter=0.0):
    """For each example a prefix of 0 to `rows` actions: inputs with it beside them, targets, and which of these count.

    Beside the inputs stand the prefix, zero where nothing is known, and what is known. It is noisy as they are: what a
    robot executes was never shown. After a prefix arm actions are learned as differences to its last one, not to where
    the joints are: so chunks meet, whatever was measured.
    """
    if rows == 0:
        return x, y, np.ones(y.shape, bool)
    mean, std = scaling
    n, length = len(x), y.shape[1] // width
    delays = generator.integers(0, rows + 1, n)
    fixed = np.arange(length)[None, :] < delays[:, None]
    known = fixed[:, :rows].astype(np.float32)
    each = known.repeat(width, 1)
    prefix = y[:, : rows * width] + (jitter * generator.standard_normal(each.shape)).astype(np.float32)
    plain = (y * std + mean).reshape(n, length, width)
    last = plain[np.arange(n), np.maximum(delays - 1, 0)] * (delays > 0)[:, None]
    last[:, GRIPPER] = 0
    shown = np.concatenate([x, prefix * each, known], 1)
    return shown, y - np.tile(last, length).astype(np.float32) / std, ~fixed.repeat(width, 1)


def fit(x, y, scaling, width, args, generator):
    """Huber loss, Adam, cosine decay. Every twentieth frame is held out, to see what is learned by heart."""
    n, hidden, prefix = len(x), args.hidden, args.prefix
    sizes = [x.shape[1] + prefix * (width + 1), hidden, hidden, y.shape[1]]
    weights = []
    for a, b in zip(sizes, sizes[1:]):
        weights += [
            (generator.standard_normal((a, b)) * math.sqrt(2 / a)).astype(np.float32),
            np.zeros(b, np.float32),
        ]
    mixed = generator.permutation(n)
    held = mixed[: int(n * HELD_OUT_SHARE)]
    seen = mixed[len(held) :]
    adam = Adam(weights, args.rate)
    # As many steps for few frames as for many: a small dataset is seen more often, not learned less.
    epochs = math.ceil(args.steps * BATCH / len(seen))
    steps = epochs * math.ceil(len(seen) / BATCH)
    for epoch in range(epochs):
        total, count = 0.0, 0
        generator.shuffle(seen)
        for start in range(0, len(seen), BATCH):
            rows = seen[start : start + BATCH]
            noisy = x[rows] + (args.jitter * generator.standard_normal((len(rows), x.shape[1]))).astype(np.float32)
            shown, wanted, scored = with_prefix(noisy, y[rows], scaling, width, prefix, generator, args.jitter)
            layers = forward(weights, shown)
            off = (layers[-1] - wanted) * scored
            # Huber with its knee at one deviation: a switch of phase is no outlier to chase.
            small = np.abs(off) < 1
            count += int(scored.sum())
            total += float(np.where(small, 0.5 * off * off, np.abs(off) - 0.5).sum())
            gradient = np.where(small, off, np.sign(off)).astype(np.float32) / off.size
            scale = 0.5 * (1 + math.cos(math.pi * adam.step / steps))
            adam.update(backward(weights, layers, gradient), scale)
        shown, wanted, scored = with_prefix(x[held], y[held], scaling, width, prefix, generator)
        off = (forward(weights, shown)[-1] - wanted)[scored]
        report = {"epoch": epoch + 1, "epochs": epochs, "loss": total / count, "held_out": float(np.abs(off).mean())}
        print(json.dumps(report), flush=True)
    return weights


def prefix_nodes(rows, width, scaling):
    """From `action_prefix` and `prefix_length` in plain units to what `with_prefix` shows: nodes, inputs, constants."""
    y_mean, y_std = (values[: rows * width].reshape(rows, width) for values in scaling[2:])
    tensors = {"prefix_mean": y_mean, "prefix_std": y_std}
    integers = {"places": np.arange(rows), "zero": [0], "one": [1]}
    integers |= {"as_rows": [rows, width], "as_row": [1, rows * width], "as_column": [rows, 1], "as_known": [1, rows]}
    nodes = [
        helper.make_node("Reshape", ["action_prefix", "as_rows"], ["fixed"]),
        helper.make_node("Less", ["places", "prefix_length"], ["is_known"]),
        helper.make_node("Cast", ["is_known"], ["known"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["known", "as_known"], ["known_row"]),
        helper.make_node("Reshape", ["known", "as_column"], ["known_column"]),
        helper.make_node("Sub", ["fixed", "joints"], ["fixed_differences"]),
        helper.make_node("Sub", ["fixed_differences", "prefix_mean"], ["fixed_centred"]),
        helper.make_node("Div", ["fixed_centred", "prefix_std"], ["fixed_scaled"]),
        helper.make_node("Mul", ["fixed_scaled", "known_column"], ["fixed_known"]),
        helper.make_node("Reshape", ["fixed_known", "as_row"], ["fixed_row"]),
        helper.make_node("Concat", ["layer_x", "fixed_row", "known_row"], ["layer_0"], axis=1),
        # Where the answer continues.
        helper.make_node("Sub", ["prefix_length", "one"], ["before"]),
        helper.make_node("Max", ["before", "zero"], ["place"]),
        helper.make_node("Gather", ["fixed", "place"], ["last"], axis=0),
        helper.make_node("Mul", ["last", "mask"], ["last_joints"]),
        helper.make_node("Less", ["before", "zero"], ["is_free"]),
        helper.make_node("Where", ["is_free", "joints", "last_joints"], ["here"]),
    ]
    inputs = [
        helper.make_tensor_value_info("action_prefix", TensorProto.FLOAT, [1, rows, width]),
        helper.make_tensor_value_info("prefix_length", TensorProto.INT64, [1]),
    ]
    return nodes, inputs, tensors, integers


def export(path, weights, scaling, shapes, chunk, bounds, prefix=0):
    """The network with its scaling, in plain units: state [1, 7], environment [1, 8] -> actions [chunk, 7].

    `bounds`: the least and the greatest of each number of the actions that were learned from. Beyond them nothing
    was ever shown, so nothing beyond them is answered.
    """
    x_mean, x_std, y_mean, y_std = scaling
    state, environment, width = shapes
    # Where the joints are is added to every action; the gripper's opening is not.
    mask = np.ones((1, width), np.float32)
    mask[0, GRIPPER] = 0
    tensors = {"x_mean": x_mean, "x_std": x_std, "y_mean": y_mean, "y_std": y_std, "mask": mask}
    tensors |= {"least": bounds[0][None], "greatest": bounds[1][None]}
    nodes = [
        helper.make_node("Concat", [STATE, ENVIRONMENT], ["seen"], axis=1),
        helper.make_node("Sub", ["seen", "x_mean"], ["centred"]),
        helper.make_node("Div", ["centred", "x_std"], ["layer_x" if prefix else "layer_0"]),
    ]
    more_inputs, integers = [], {}
    joints = helper.make_node("Mul", [STATE, "mask"], ["joints" if prefix else "here"])
    if prefix:
        more_nodes, more_inputs, more, integers = prefix_nodes(prefix, width, scaling)
        nodes += [joints, *more_nodes]
        tensors |= more
    last = "layer_0"
    for i in range(0, len(weights), 2):
        tensors |= {f"w_{i}": weights[i], f"b_{i}": weights[i + 1]}
        out = f"layer_{i + 2}"
        nodes.append(helper.make_node("Gemm", [last, f"w_{i}", f"b_{i}"], [out]))
        if i + 2 < len(weights):
            nodes.append(helper.make_node("Relu", [out], [f"{out}_relu"]))
            out = f"{out}_relu"
        last = out
    nodes += [
        helper.make_node("Mul", [last, "y_std"], ["scaled"]),
        helper.make_node("Add", ["scaled", "y_mean"], ["plain"]),
        helper.make_node("Reshape", ["plain", "shape"], ["differences"]),
        *([] if prefix else [joints]),
        helper.make_node("Add", ["differences", "here"], ["free"]),
        helper.make_node("Max", ["free", "least"], ["above"]),
        helper.make_node("Min", ["above", "greatest"], ["actions"]),
    ]
    initializers = [numpy_helper.from_array(np.ascontiguousarray(v, np.float32), k) for k, v in tensors.items()]
    integers = {"shape": [chunk, width], **integers}
    initializers += [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in integers.items()]
    graph = helper.make_graph(
        nodes,
        "chunk_mlp",
        [
            helper.make_tensor_value_info(STATE, TensorProto.FLOAT, [1, state]),
            helper.make_tensor_value_info(ENVIRONMENT, TensorProto.FLOAT, [1, environment]),
            *more_inputs,
        ],
        [helper.make_tensor_value_info("actions", TensorProto.FLOAT, [chunk, width])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    pathlib.Path(path).write_bytes(model.SerializeToString())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--name", default="ar4-pick-place")
    parser.add_argument("--steps", type=int, default=5000, help="gradient steps")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--chunk", type=int, default=16)
    parser.add_argument("--prefix", type=int, default=0, help="longest prefix that it is shown, in actions; 0: it takes none")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--jitter", type=float, default=0.01, help="noise on scaled inputs, deviations")
    parser.add_argument("--episodes", type=int, default=0, help="only the first so many; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if not 0 <= args.prefix < args.chunk:
        parser.error(f"--prefix {args.prefix}: 0 to {args.chunk - 1} expected, one action at least has to be learned")
    generator = np.random.default_rng(args.seed)
    state, environment, action, episode, info = read_dataset(args.dataset)
    if args.episodes > 0:
        chosen = episode < args.episodes
        state, environment, action, episode = (part[chosen] for part in (state, environment, action, episode))
    chunks = chunks_of(action, episode, args.chunk)
    offset = state.copy()
    offset[:, GRIPPER] = 0
    targets = (chunks - offset[:, None, :]).reshape(len(chunks), -1)
    x = np.concatenate([state, environment], 1)
    # What never changes in the data (a locked joint, a flat table) is not blown up by its own noise.
    scaling = []
    for values, floor in ((x, 1e-3), (targets, 1e-4)):
        scaling += [values.mean(0), np.maximum(values.std(0), floor)]
    x_mean, x_std, y_mean, y_std = scaling
    scaled = ((targets - y_mean) / y_std).astype(np.float32)
    weights = fit((x - x_mean) / x_std, scaled, (y_mean, y_std), action.shape[1], args, generator)
    shapes = (state.shape[1], environment.shape[1], action.shape[1])
    export(args.out, weights, scaling, shapes, args.chunk, (action.min(0), action.max(0)), args.prefix)
    names = names_of(info["features"][ACTION])
    digest = hashlib.sha256(pathlib.Path(args.out).read_bytes()).hexdigest()
    card = {
        "name": args.name,
        "sha256": digest,
        "inputs": {STATE: [1, shapes[0]], ENVIRONMENT: [1, shapes[1]]},
        "output": {"name": "actions", "shape": [args.chunk, shapes[2]]},
        "step_ms": 1000 / info["fps"],
        **({"action_names": names} if names else {}),
    }
    pathlib.Path(args.out + ".json").write_text(json.dumps(card, indent=2) + "\n")


if __name__ == "__main__":
    main()
