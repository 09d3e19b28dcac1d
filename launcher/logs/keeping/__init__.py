"""What is kept of runs that have ended, and for how long.

What is to be done is decided from sizes and ages alone (`deciding`); what lies in a run's folder (`belongings`), what a
run is (`inventory`) and the doing (`sweeping`, `packing`) are around it. Run as `python -m launcher.logs.keeping` it
sweeps once, out of everybody's way.
"""
