"""Makes a tiny random ACT checkpoint as LeRobot saves one, and tells what torch answers to fixed observations.

    python lerobot_act.py OUT_DIR        prints {"observations": [...], "actions": [...]} as JSON
"""

import json
import pathlib
import sys

import torch
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.policies.act.modeling_act import ACTPolicy
from lerobot.policies.factory import make_pre_post_processors

HEIGHT, WIDTH, CAMERA = 48, 64, "observation.images.front"
torch.manual_seed(7)
out = pathlib.Path(sys.argv[1])
config = ACTConfig(
    input_features={
        "observation.state": PolicyFeature(FeatureType.STATE, (7,)),
        CAMERA: PolicyFeature(FeatureType.VISUAL, (3, HEIGHT, WIDTH)),
    },
    output_features={"action": PolicyFeature(FeatureType.ACTION, (7,))},
    chunk_size=8,
    n_action_steps=8,
    dim_model=32,
    n_heads=2,
    dim_feedforward=64,
    n_encoder_layers=1,
    n_decoder_layers=1,
    n_vae_encoder_layers=1,
    latent_dim=8,
    pretrained_backbone_weights=None,
    device="cpu",
    push_to_hub=False,
)
policy = ACTPolicy(config)
policy.eval()


def vector(low, high):
    return (low + (high - low) * torch.rand(7)).float()


stats = {
    "observation.state": {"mean": vector(-1, 1), "std": vector(0.2, 2), "min": vector(-3, -2), "max": vector(2, 3)},
    "action": {"mean": vector(-1, 1), "std": vector(0.2, 2), "min": vector(-3, -2), "max": vector(2, 3)},
    CAMERA: {"mean": torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1), "std": torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)},
}
pre, post = make_pre_post_processors(config, dataset_stats=stats)
policy.save_pretrained(out)
pre.save_pretrained(out)
post.save_pretrained(out)
observations, answers = [], []
for i in range(4):
    state = vector(-2, 2)
    picture = (torch.arange(HEIGHT * WIDTH * 3) * (7 + i) % 251).to(torch.uint8).reshape(HEIGHT, WIDTH, 3)
    batch = pre({"observation.state": state, CAMERA: picture.permute(2, 0, 1).float() / 255})
    with torch.no_grad():
        chunk = post(policy.predict_action_chunk(batch))
    observations.append({"state": state.tolist(), "picture": 7 + i})
    answers.append(chunk[0].tolist())
json.dump({"observations": observations, "actions": answers}, sys.stdout)
