"""Measuring trackers on folders of annotated sequences: the metrics and protocols of the field.

    sequences  ->  protocols (run a tracker)  ->  metrics (score its boxes)  ->  report

`entrants` turns names given by a user into trackers, `rivals` holds OpenCV's trackers,
`campaign` runs many trackers over many sequences and remembers what is finished.
"""
