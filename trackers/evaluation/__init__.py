"""Measuring trackers on folders of annotated sequences: the metrics and protocols of the field.

    benchmarks (read sequences)  ->  protocols (run a tracker)  ->  scoring (by metrics and rules)
    ->  report  ->  tables, plots

`benchmarks` lists what can be evaluated and the `*_layout` modules read it from disk,
`entrants` turns names given by a user into trackers, `rivals` holds OpenCV's trackers,
`campaign` runs many trackers over many sequences and remembers what is finished.
`metrics` measures boxes frame by frame, `rules` says which frames a benchmark counts and how it
averages them. `comparison` puts reports side by side, `submission` packs what only a server can
score.
"""
