"""The launch plan: a pure function of recipe, cluster and place, with no device, no network and no disk."""
