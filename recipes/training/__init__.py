"""What the recipes' scripts share, whatever they train; without a framework but for `on_mindspore`."""
