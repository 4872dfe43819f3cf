"""A LeRobot checkpoint of ACT as an ONNX network with its card.

    python export.py --checkpoint DIR --out model.onnx --step-ms 50 [--name act] [--action-names a,b,...]

The network takes and gives normalised numbers, as it was trained; how they are normalised stands in the card, taken from
the checkpoint's own pre- and postprocessor. Images are inputs [1, 3, height, width] in 0..1.
"""

import argparse
import hashlib
import json
import pathlib
import sys
import warnings

import torch
from lerobot.configs.policies import PreTrainedConfig
from lerobot.policies.factory import get_policy_class
from safetensors.torch import load_file

# ACT unrolls its tokens by their number, which is fixed: the tracer's warnings about that do not apply.
warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
warnings.filterwarnings("ignore", category=DeprecationWarning)

STATE, ENVIRONMENT, ACTION = "observation.state", "observation.environment_state", "action"
# LeRobot's modes by the card's: which statistics stand for what.
MODES = {"MEAN_STD": ("mean_std", "mean", "std"), "MIN_MAX": ("min_max", "min", "max"), "QUANTILES": ("min_max", "q01", "q99"), "QUANTILE10": ("min_max", "q10", "q90")}
KEYS = {"mean_std": ("mean", "std"), "min_max": ("min", "max")}


def processor(folder, name, registry):
    """Configuration and statistics of the step `registry` in `name`.json; None where there is no such step."""
    config = json.loads((folder / f"{name}.json").read_text())
    for step in config["steps"]:
        if step.get("registry_name") == registry:
            state = load_file(folder / step["state_file"]) if step.get("state_file") else {}
            return step["config"], state
    return None


def scale(step, key, kind):
    """The card's form of the normalisation of one feature."""
    if step is None:
        return {"mode": "identity"}
    config, state = step
    mode = config["norm_map"].get(kind, "IDENTITY")
    if mode == "IDENTITY" or not any(name.startswith(f"{key}.") for name in state):
        return {"mode": "identity"}
    if mode not in MODES:
        sys.exit(f"normalisation {mode} of {key} is not known to model cards")
    if abs(config.get("eps", 1e-8) - 1e-8) > 1e-12:
        sys.exit(f"normalisation of {key} adds {config['eps']} where model cards add 1e-8")
    form, a, b = MODES[mode]
    first, second = KEYS[form]
    return {"mode": form, first: state[f"{key}.{a}"].reshape(-1).tolist(), second: state[f"{key}.{b}"].reshape(-1).tolist()}


class Chunk(torch.nn.Module):
    """Named inputs in order, one chunk of actions out."""

    def __init__(self, policy, names, images):
        super().__init__()
        self.model, self.names, self.images = policy.model, names, images

    def forward(self, *inputs):
        batch = dict(zip(self.names, inputs, strict=True))
        if self.images:
            batch["observation.images"] = [batch[name] for name in self.images]
        return self.model(batch)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--name", default="act")
    parser.add_argument("--step-ms", type=float, required=True, help="between two actions: 1000 / fps of its dataset")
    parser.add_argument("--action-names", default="")
    args = parser.parse_args()
    folder = pathlib.Path(args.checkpoint)
    config = PreTrainedConfig.from_pretrained(folder)
    if config.type != "act":
        sys.exit(f"a checkpoint of {config.type}: only ACT is exported by this trainer")
    config.device = "cpu"
    # Its weights come from the checkpoint, not from a model zoo.
    if hasattr(config, "pretrained_backbone_weights"):
        config.pretrained_backbone_weights = None
    policy = get_policy_class(config.type).from_pretrained(folder, config=config)
    policy.eval()
    vectors = [name for name in (STATE, ENVIRONMENT) if name in config.input_features]
    images = list(config.image_features)
    strangers = set(config.input_features) - set(vectors) - set(images)
    if strangers:
        sys.exit(f"inputs that this export does not know: {', '.join(sorted(strangers))}")
    shapes = {name: tuple(config.input_features[name].shape) for name in [*vectors, *images]}
    inputs = tuple(torch.zeros(1, *shape) for shape in shapes.values())
    network = Chunk(policy, list(shapes), images)
    with torch.no_grad():
        horizon, width = network(*inputs).shape[1:]
        torch.onnx.export(
            network,
            inputs,
            args.out,
            input_names=list(shapes),
            output_names=["actions"],
            opset_version=17,
            dynamo=False,
        )
    pre = processor(folder, "policy_preprocessor", "normalizer_processor")
    post = processor(folder, "policy_postprocessor", "unnormalizer_processor")
    kinds = {STATE: "STATE", ENVIRONMENT: "ENV", **{name: "VISUAL" for name in images}}
    names = [name for name in args.action_names.split(",") if name]
    card = {
        "name": args.name,
        "sha256": hashlib.sha256(pathlib.Path(args.out).read_bytes()).hexdigest(),
        "inputs": {name: [1, *shapes[name]] for name in vectors},
        "images": {name: [shapes[name][1], shapes[name][2], 3] for name in images},
        "output": {"name": "actions", "shape": [horizon, width]},
        "step_ms": args.step_ms,
        "normalization": {
            "inputs": {name: scale(pre, name, kinds[name]) for name in shapes},
            "output": scale(post, ACTION, "ACTION"),
        },
        **({"action_names": names} if names else {}),
    }
    pathlib.Path(f"{args.out}.json").write_text(json.dumps(card, indent=2) + "\n")


if __name__ == "__main__":
    main()
