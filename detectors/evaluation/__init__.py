"""Measuring detectors: COCO's numbers, FDDB's, and what a run of them leaves behind."""
