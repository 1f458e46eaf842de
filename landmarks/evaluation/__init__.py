"""Measuring how well points are found: benchmarks, their metrics, reports."""
