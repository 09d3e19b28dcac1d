"""From a suggestion to the change of a recipe that carries it out."""
