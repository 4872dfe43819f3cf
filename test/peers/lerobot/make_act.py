"""Makes an ACT policy of LeRobot with random weights: small, with one camera, a state of 7 and 7 actions.

Usage: python make_act.py FOLDER
Leaves a checkpoint as LeRobot saves one (config, weights, pre- and postprocessor with statistics that are not the
identity), and beside it `direct.json`: observations and the actions that the policy gives for them when it is called
directly, without any server.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.policies.act.modeling_act import ACTPolicy
from lerobot.policies.factory import make_pre_post_processors

HEIGHT, WIDTH, JOINTS, HORIZON = 48, 64, 7, 8
OBSERVATIONS = 4


def main() -> None:
    folder = Path(sys.argv[1])
    torch.manual_seed(7)
    config = ACTConfig(
        input_features={
            "observation.state": PolicyFeature(FeatureType.STATE, (JOINTS,)),
            "observation.images.front": PolicyFeature(FeatureType.VISUAL, (3, HEIGHT, WIDTH)),
        },
        output_features={"action": PolicyFeature(FeatureType.ACTION, (JOINTS,))},
        chunk_size=HORIZON,
        n_action_steps=HORIZON,
        pretrained_backbone_weights=None,
        dim_model=32,
        n_heads=2,
        dim_feedforward=64,
        n_encoder_layers=1,
        use_vae=False,
        device="cpu",
    )
    policy = ACTPolicy(config).eval()
    spread = np.arange(1, JOINTS + 1, dtype=np.float32)
    stats = {
        "observation.state": {"mean": torch.from_numpy(spread * 0.1), "std": torch.from_numpy(spread)},
        "observation.images.front": {"mean": torch.full((3, 1, 1), 0.45), "std": torch.full((3, 1, 1), 0.25)},
        "action": {"mean": torch.from_numpy(-spread), "std": torch.from_numpy(spread * 0.5)},
    }
    before, after = make_pre_post_processors(config, dataset_stats=stats)
    policy.save_pretrained(folder)
    before.save_pretrained(folder)
    after.save_pretrained(folder)

    random = np.random.default_rng(3)
    cases = []
    for _ in range(OBSERVATIONS):
        state = random.standard_normal(JOINTS).astype(np.float32)
        shade = int(random.integers(0, 200))
        # A picture anybody can make again from one number.
        y, x, c = np.indices((HEIGHT, WIDTH, 3))
        picture = ((y * 3 + x * 5 + c * 40 + shade) % 256).astype(np.uint8)
        batch = before(
            {
                "observation.state": torch.from_numpy(state).unsqueeze(0),
                "observation.images.front": torch.from_numpy(picture).permute(2, 0, 1).unsqueeze(0).float() / 255,
            }
        )
        with torch.inference_mode():
            chunk = policy.predict_action_chunk(batch)[0]
        actions = torch.stack([after(action.unsqueeze(0))[0] for action in chunk])
        cases.append({"state": state.tolist(), "shade": shade, "actions": actions.tolist()})
    (folder / "direct.json").write_text(json.dumps(cases))


if __name__ == "__main__":
    main()
