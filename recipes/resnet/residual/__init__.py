"""ResNet for image classification, trained data-parallel with MindSpore: torchvision's models, migrated."""
