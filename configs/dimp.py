"""The box tracker DiMP-50 (Bhat et al., "Learning Discriminative Model Prediction for Tracking").

    python launch.py --mode convert --config configs/dimp.py --input dimp50.pth \\
        --output weights/dimp50

    for index, (box, score, flag) in vosjax.track_box("dog.mp4", box, weights="weights/dimp50"):
        print(index, box)

Expected: 26.1 M weights; the checkpoint's layer4 and fc, which the tracker does not use, are left
out. As published for these weights: AUC 56.9 on LaSOT, 68.4 on OTB-100.
"""

from vosjax.config import network


def get_config():
    return network("dimp")
