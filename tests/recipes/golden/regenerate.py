"""Write the golden plans of the shipped recipes anew: what `npu-launch plan` says of each at full size on Ascend."""

from pathlib import Path

from launcher.planning.compose import plan
from launcher.planning.model import LaunchPlan
from launcher.planning.place import Place
from launcher.planning.rendering import render_text
from launcher.specs import load_cluster, load_recipe

HERE = Path(__file__).parent
ROOT = HERE.parents[2]

# Recipe to its cluster and to what makes it full-size: what the comments in it say.
FULL_SIZE: dict[str, tuple[str, list[str]]] = {
    "dpn_1p": (
        "atlas800_8p",
        [
            "args.dataset=/data/VOCdevkit/VOC2012",
            "args.train_images=null",
            "args.eval_images=null",
            "args.image_size=512",
            "args.width=64",
            "args.fc6_kernel=7",
            "args.fc6_dilation=4",
            "args.fc_channels=4096",
            "args.local_window=12",
            "args.context_window=9",
            "args.batch_size=8",
            "args.epochs=50",
            "args.learning_rate=0.01",
            "args.warmup_steps=500",
            "args.workers=4",
            "args.checkpoint_every=500",
            "data=[/data/VOCdevkit/VOC2012]",
        ],
    ),
    "pytorch_ddp_8p": (
        "atlas800_8p",
        [
            "args.dataset=/data/imagenet",
            "args.train_images=null",
            "args.eval_images=null",
            "args.image_size=224",
            "args.depth=18",
            "args.width=64",
            "args.stem=7x7",
            "args.batch_size=128",
            "args.epochs=90",
            "args.learning_rate=0.4",
            "args.warmup_steps=6255",
            "args.amp=float16",
            "args.loss_scale=dynamic",
            "args.workers=8",
            "args.checkpoint_every=1251",
            "data=[/data/imagenet]",
        ],
    ),
    "resnet50_8p": (
        "eight_atlas800",
        [
            "args.dataset=/data/imagenet",
            "args.train_images=null",
            "args.eval_images=null",
            "args.image_size=224",
            "args.depth=50",
            "args.width=64",
            "args.stem=7x7",
            "args.batch_size=128",
            "args.epochs=90",
            "args.learning_rate=0.4",
            "args.warmup_steps=6255",
            "args.amp_level=O2",
            "args.loss_scale=dynamic",
            "args.all_reduce_splits=85",
            "args.workers=8",
            "args.checkpoint_every=1251",
            "data=[/data/imagenet]",
        ],
    ),
    "resnext_64p": ("eight_atlas800", []),
    "sweep_8": ("atlas800_8p", []),
    "tensorflow_8p": (
        "atlas800_8p",
        [
            "args.dataset=/data/cifar-10-batches-bin",
            "args.train_images=null",
            "args.eval_images=null",
            "args.blocks=3",
            "args.width=16",
            "args.batch_size=128",
            "args.epochs=180",
            "args.learning_rate=0.8",
            "args.warmup_steps=240",
            "args.iterations_per_loop=48",
            "args.log_every=48",
            "args.checkpoint_every=480",
            "data=[/data/cifar-10-batches-bin]",
        ],
    ),
}


def full_size_plan(name: str) -> LaunchPlan:
    """The full-size plan of a recipe, wherever this repository lies."""
    cluster, overrides = FULL_SIZE[name]
    return plan(
        load_recipe(ROOT / "recipes" / f"{name}.yaml", ["relative_to=/home/train/recipes", *overrides]),
        load_cluster(ROOT / "clusters" / f"{cluster}.yaml"),
        Place(run="full-size-7f3a", directory="/runs/full-size-7f3a", scheduler_port=8118, python="/usr/bin/python3"),
    )


def golden_text(name: str) -> str:
    return render_text(full_size_plan(name))


def golden_path(name: str) -> Path:
    return HERE / f"{name}.txt"


if __name__ == "__main__":
    for each in FULL_SIZE:
        golden_path(each).write_text(golden_text(each))
