"""Where logs lie: those of our runs by the layout of a run, those that came from elsewhere by names and contents."""

from launcher.logs.sources.own import files_of_run
from launcher.logs.sources.recognising import Recognised, recognise

__all__ = ["Recognised", "files_of_run", "recognise"]
