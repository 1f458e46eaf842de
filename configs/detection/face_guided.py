"""bin-face guided by its float twin, on features and on instances."""

_base_ = "./face.py"

model = dict(teacher="work_dirs/face_fp/last.pth", feature=1.0, instance=1.0)
