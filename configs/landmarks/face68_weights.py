"""Faces with 1-bit weights alone, as Liu et al. find eyes (Neurocomputing 2020).

Eye Localization Based on Weight Binarization Cascade Convolution Neural Network,
doi 10.1016/j.neucom.2019.10.048. Their cascade goes from coarse to fine; here two hourglasses in a
row do, with the weights of BWN, and find the eyes among the 68 points.
"""

_base_ = "./face68_fast.py"

model = dict(network=dict(backbone=dict(method="bwn", stacks=2)))
