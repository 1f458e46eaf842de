"""bin-face with BiDet's information bottleneck and sparse object prior (CVPR 2020)."""

_base_ = "./face.py"

model = dict(bottleneck=0.1, sparse=0.05)
