"""Writes tiny datasets in the exact layouts in which people download them, some parts damaged."""

import json

import cv2
import numpy as np
from PIL import Image

from data_prep import shards

SIZE = (40, 56)
PALETTE = bytes((37 * i) % 256 for i in range(768))  # any colours: ids are indices


def picture(seed, size=SIZE):
    """A smooth random picture uint8 [H, W, 3]."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (5, 7, 3), np.uint8)
    return cv2.resize(small, size[::-1], interpolation=cv2.INTER_LINEAR)


def jpeg(path, seed, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(seed, size)).save(path, "JPEG")
    return path


def truncate(path):
    path.write_bytes(path.read_bytes()[:-200])


def blocks(ids, size=SIZE, shift=0):
    """A label map with a block of 14x8 pixels for each id."""
    labels = np.zeros(size, np.uint8)
    for column, i in enumerate(ids):
        labels[4 + shift : 18 + shift, 2 + 9 * column : 10 + 9 * column] = i
    return labels


def palette_png(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    image.putpalette(PALETTE)
    image.save(path)
    return path


def grey_png(path, levels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(path)
    return path


def counts(mask):
    """Run lengths of a mask bool [H, W] in column order, off first."""
    flat = mask.T.reshape(-1).astype(np.int8)
    changes = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *changes, flat.size]).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def compressed(runs):
    """COCO's string for run lengths."""
    out = ""
    for i, value in enumerate(runs):
        value = value - runs[i - 2] if i > 2 else value
        while True:
            group, value = value & 31, value >> 5
            more = value != (-1 if group & 16 else 0)
            out += chr((group | 32 * more) + 48)
            if not more:
                break
    return out


def uncompressed_rle(mask):
    return dict(size=list(mask.shape), counts=counts(mask))


def compressed_rle(mask):
    return dict(size=list(mask.shape), counts=compressed(counts(mask)))


def write_json(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))


def youtube_vos(root):
    """2019: train with one long video, one with a lost mask; valid with a late object."""
    meta = {}
    for v, (name, count) in enumerate((("0a0a0a0a0a", 11), ("0b0b0b0b0b", 4))):
        names = [f"{5 * t:05d}" for t in range(count)]
        for t, stem in enumerate(names):
            jpeg(root / "train/JPEGImages" / name / f"{stem}.jpg", 100 * v + t)
            if (v, t) != (1, 2):
                palette_png(
                    root / "train/Annotations" / name / f"{stem}.png",
                    blocks([1, 2] if t >= 2 else [1], shift=t),
                )
        meta[name] = {
            "objects": {
                "1": {"category": "dog", "frames": names},
                "2": {"category": "cat", "frames": names[2:]},
            }
        }
    meta["0b0b0b0b0b"]["objects"]["7"] = {"category": "ape", "frames": ["00000"]}
    write_json(root / "train/meta.json", {"videos": meta})
    names = [f"{5 * t:05d}" for t in range(3)]
    for dense, step in (("valid", 5), ("valid_all_frames", 1)):
        for t in range(0, 11, step):
            jpeg(root / dense / "JPEGImages/0c0c0c0c0c" / f"{t:05d}.jpg", 200 + t)
    palette_png(root / "valid/Annotations/0c0c0c0c0c/00000.png", blocks([1]))
    palette_png(root / "valid/Annotations/0c0c0c0c0c/00005.png", blocks([0, 2]))
    write_json(
        root / "valid/meta.json",
        {
            "videos": {
                "0c0c0c0c0c": {
                    "objects": {
                        "1": {"category": "dog", "frames": names},
                        "2": {"category": "emu", "frames": names[1:]},
                    }
                }
            }
        },
    )
    return root


def davis(root):
    """2017 with two resolutions, train and test-dev; 2016 with its own lists."""
    for size, where in ((SIZE, "480p"), ((80, 112), "Full-Resolution")):
        for sequence, masks in (("bear", 3), ("bus", 3), ("aerobatics", 1)):
            for t in range(3):
                jpeg(root / "JPEGImages" / where / sequence / f"{t:05d}.jpg", t, size)
                if t < masks:
                    palette_png(
                        root / "Annotations" / where / sequence / f"{t:05d}.png",
                        blocks([1, 2], size, shift=t),
                    )
    lists = {
        "2017/train": "bear\nbus\n",
        "2017/test-dev": "aerobatics\n",
        "480p/train": "".join(
            f"/JPEGImages/480p/bear/{t:05d}.jpg /Annotations/480p/bear/{t:05d}.png\n"
            for t in range(3)
        ),
    }
    for name, text in lists.items():
        (root / "ImageSets" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "ImageSets" / f"{name}.txt").write_text(text)
    return root


def track_truth(t):
    """Masks of the three tracks of `tracks` in frame t, None where absent."""
    return [
        blocks([1], shift=t) > 0,
        (blocks([0, 1], shift=t) > 0) if t != 1 else None,
        (blocks([0, 0, 1], shift=t) > 0) if t else None,
    ]


def tracks(images, path, *, named="{:05d}.jpg"):
    """A JSON of tracks: one video with polygon, compressed and uncompressed masks, one without."""
    rle = (uncompressed_rle, compressed_rle)
    kinds = [[], [], []]
    for t in range(3):
        for i, mask in enumerate(track_truth(t)):
            if mask is None:
                kinds[i].append(None)
            elif i < 2:
                kinds[i].append(rle[i](mask))
            else:
                y, x = np.nonzero(mask)
                x0, x1, y0, y1 = x.min(), x.max() + 1, y.min(), y.max() + 1
                kinds[i].append([[int(n) for n in (x0, y0, x1, y0, x1, y1, x0, y1)]])
    videos = []
    for v, name in enumerate(("00f0f0f0f0", "0c0c0c0c0c"), start=1):
        names = [f"{name}/{named.format(t + 1)}" for t in range(3)]
        for t, file in enumerate(names):
            jpeg(images / file, t)
        videos.append(dict(id=v, file_names=names, height=SIZE[0], width=SIZE[1], length=3))
    annotations = [
        dict(id=10 + i, video_id=1, category_id=1 + i % 2, segmentations=entry)
        for i, entry in enumerate(kinds)
    ]
    write_json(
        path,
        dict(
            videos=videos,
            annotations=annotations,
            categories=[dict(id=1, name="fish"), dict(id=2, name="bird")],
        ),
    )


def youtube_vis_2021(root):
    """YouTube-VIS of 2021: `tracks` beside the split's folder of pictures."""
    tracks(root / "train/JPEGImages", root / "train/instances.json")


def youtube_vis_2019(root):
    """YouTube-VIS of 2019: `tracks` above the split's folder."""
    tracks(root / "train/JPEGImages", root / "train.json")


def ovis(root):
    """OVIS: `tracks` with names and numbers of its own."""
    tracks(root / "train", root / "annotations_train.json", named="img_{:07d}.jpg")


def vspw(root):
    """One whole video and one with a damaged picture, a mask of another size and a lost mask."""
    for name in ("12_a", "988_f"):
        for t in range(4):
            jpeg(root / "data" / name / "origin" / f"{t:08d}.jpg", t)
            labels = np.full(SIZE, 17, np.uint8)
            labels[blocks([1, 1], shift=t) > 0] = 61
            labels[:2] = 0
            labels[-1] = 255
            grey_png(root / "data" / name / "mask" / f"{t:08d}.png", labels)
    broken = root / "data/988_f"
    truncate(broken / "origin/00000001.jpg")
    grey_png(broken / "mask/00000002.png", np.full((20, 20), 3, np.uint8))
    (broken / "mask/00000003.png").unlink()
    (root / "train.txt").write_text("12_a\n988_f\n")
    write_json(root / "label_num_dic_final.json", {"wall": 17, "person": 61})
    return root


def vipseg(root):
    """A video with 16-bit masks: two people, a wall, void and the wrong value."""
    for t in range(2):
        jpeg(root / "imgs/12_a" / f"{t:08d}.jpg", t)
        values = np.full(SIZE, 17, np.uint16)
        values[blocks([1], shift=t) > 0] = 6100
        values[blocks([0, 1], shift=t) > 0] = 12401
        values[:2] = 0
        values[-1] = 200 if t else 17
        grey_png(root / "panomasks/12_a" / f"{t:08d}.png", values)
    (root / "train.txt").write_text("12_a\n")
    return root


def coco(root):
    """Four images: polygons and both run lengths; a crowd; only small objects; no annotation."""
    for i in range(5):
        jpeg(root / "val2017" / f"{i:012d}.jpg", i)
    truncate(root / "val2017/000000000004.jpg")
    left = np.zeros(SIZE, bool)
    left[3:30, 2:25] = True
    middle = np.zeros(SIZE, bool)
    middle[10:36, 20:45] = True
    crowd = np.zeros(SIZE, bool)
    crowd[:, 44:] = True
    box = [10.0, 5.0, 50.0, 5.0, 50.0, 38.0, 10.0, 38.0]
    entries = [
        (0, left, uncompressed_rle(left), 0),
        (0, middle, compressed_rle(middle), 0),
        (1, None, [box], 0),
        (1, crowd, uncompressed_rle(crowd), 1),
        (2, None, [[1.0, 1.0, 9.0, 1.0, 9.0, 9.0]], 0),
        (4, left, [box], 0),
    ]
    annotations = [
        dict(
            id=50 + n,
            image_id=image,
            category_id=18 if n % 2 else 1,
            segmentation=how,
            iscrowd=crowded,
            area=36.0 if image == 2 else 900.0,
        )
        for n, (image, _, how, crowded) in enumerate(entries)
    ]
    write_json(
        root / "annotations/instances_val2017.json",
        dict(
            images=[
                dict(id=i, file_name=f"{i:012d}.jpg", height=SIZE[0], width=SIZE[1])
                for i in range(5)
            ],
            annotations=annotations,
            categories=[dict(id=1, name="person"), dict(id=18, name="dog")],
        ),
    )
    return dict(left=left, middle=middle, crowd=crowd)


def greys():
    """Grey levels with two objects of 150 and 255 and a faint region."""
    levels = np.zeros(SIZE, np.uint8)
    levels[blocks([1]) > 0], levels[blocks([0, 1]) > 0], levels[30:] = 150, 255, 90
    return levels


def salient(root, images, masks, endings=(".jpg", ".png")):
    """Three photos; the second has no mask, the third one of another size."""
    for i in range(3):
        jpeg(root / images / f"{i}{endings[0]}", i)
    grey_png(root / masks / f"0{endings[1]}", greys())
    grey_png(root / masks / f"2{endings[1]}", greys()[:20])
    return root


def voc(root):
    base = root / "VOCdevkit/VOC2012"
    labels = blocks([1, 2])
    labels[0] = 255
    kinds = blocks([15, 3])
    jpeg(base / "JPEGImages/2007_000001.jpg", 0)
    palette_png(base / "SegmentationObject/2007_000001.png", labels)
    palette_png(base / "SegmentationClass/2007_000001.png", kinds)
    for split, text in (("train", "2007_000001\n"), ("val", "2007_000001\n2007_000002\n")):
        (base / "ImageSets/Segmentation").mkdir(parents=True, exist_ok=True)
        (base / "ImageSets/Segmentation" / f"{split}.txt").write_text(text)
    return root


def pixel_imagenet(root):
    jpeg(root / "images/n01440764/n01440764_18.JPEG", 0)
    grey_png(root / "masks/n01440764/n01440764_18.png", blocks([1, 2]))
    grey_png(root / "masks/n01440764/n01440764_99.png", blocks([1]))
    return root


def stored(root):
    """YouTube-VOS as a folder and prepared, and PASCAL VOC prepared: {what it is: folder}."""
    source = youtube_vos(root / "source")
    shards.prepare("youtube_vos/2019", source=source, output=root, splits=["train", "valid"])
    shards.prepare("pascal_voc", source=voc(root / "voc"), output=root, splits=["train"])
    return dict(
        folder=source / "train",
        prepared=root / "youtube_vos",
        valid=source / "valid",
        stills=root / "pascal_voc",
    )
