"""Rank tables: HCCL's description of a cluster, a module per format."""
