"""A launch plan written out: for a person to read, or as what starts it without npu-launch."""

from launcher.planning.rendering.artifact import Artifact
from launcher.planning.rendering.docker import docker_files, render_docker
from launcher.planning.rendering.k8s import k8s_files, render_k8s
from launcher.planning.rendering.parts import cann_folders
from launcher.planning.rendering.sh import render_sh, sh_files
from launcher.planning.rendering.slurm import render_slurm
from launcher.planning.rendering.text import render_text

__all__ = [
    "Artifact",
    "cann_folders",
    "docker_files",
    "k8s_files",
    "render_docker",
    "render_k8s",
    "render_sh",
    "render_slurm",
    "render_text",
    "sh_files",
]
