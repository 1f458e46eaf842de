"""Facial landmarks: no model here yet; the folder is the place for heatmap and regression heads."""
