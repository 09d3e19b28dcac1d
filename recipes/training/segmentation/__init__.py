"""Images with a class for each pixel: where they come from, and how well they are told."""
