"""ResNeXt with a DeepLabV3 head for semantic segmentation, trained data-parallel with MindSpore."""
