"""The one error of the recipe that is the user's to mend."""


class RecipeError(Exception):
    """An option, a folder or a checkpoint cannot be used. The text is one line: what, what was expected, the remedy."""
