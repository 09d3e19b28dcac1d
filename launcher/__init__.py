"""npu-launch: launch, watch and explain training jobs on Ascend NPUs.

    from launcher import Cluster, Recipe, launch, load_recipe, plan

The names are loaded when first used, so that `import launcher` costs nothing.
"""
