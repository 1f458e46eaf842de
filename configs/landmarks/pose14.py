"""14 joints of a person from 128x128 pixels."""

_base_ = "./face68.py"

model = dict(
    network=dict(
        scheme="pose14",
        input_size=128,
        settings=dict(crop=1.25, detector="", presence_threshold=0.2),
    )
)
# People lean, lie and stand on their hands; their pictures are small, and end close to them.
train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        length=4000 * 64,
        ranges=dict(rotation=25.0, scale=0.15, shift=0.06, low_resolution=0.15, backdrop=0.5),
    ),
)
optim_wrapper = dict(optimizer=dict(lr=3e-3))
