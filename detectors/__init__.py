"""Object detection: no model here yet; the folder is the place for SSD, YOLO and R-CNN heads."""
