"""Read the text of a picture with PP-OCRv4: find lines, turn upside-down ones, read each.

Three models: the detector gives a probability of text a pixel, the classifier says whether a cut-out line
stands on its head, the recogniser gives character probabilities a column. Only NumPy and Pillow around
them; every picture and every line runs at its own size.
"""
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LINES = ("Hone reads this picture", "INVOICE 2026-0417", "Total: 1,284.50 EUR", "upside down text",
         "a slightly tilted line")


def draw_picture():
    """A picture of LINES, 640 x 480: one line upside down, one tilted by five degrees."""
    picture = Image.new("RGB", (640, 480), (250, 248, 240))
    for row, text in enumerate(LINES):
        font = ImageFont.load_default(size=(40, 34, 30, 32, 30)[row])
        left, top, right, bottom = font.getbbox(text)
        tile = Image.new("RGBA", (right + 16, bottom + 16), (0, 0, 0, 0))
        ImageDraw.Draw(tile).text((8, 8), text, fill=(20, 24, 60, 255), font=font)
        tile = tile.rotate((0, 0, 0, 180, 5)[row], Image.Resampling.BICUBIC, expand=True)
        picture.paste(tile, (40, 24 + 84 * row), tile)
    return picture


def to_input(picture, width, height):
    """A picture resized, as f32 [1, 3, height, width] in -1..1."""
    pixels = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR), np.float32)
    return np.ascontiguousarray((pixels / 127.5 - 1).transpose(2, 0, 1)[None])


# -- from the detector's map to boxes -----------------------------------------------------------------


@dataclass
class Box:
    """A rotated rectangle: centre, size along and across its axis, the axis as a unit vector."""

    centre: np.ndarray
    size: np.ndarray
    axis: np.ndarray

    def scaled(self, factors):
        along, across = self.axis * factors, np.array([-self.axis[1], self.axis[0]]) * factors
        size = self.size * [np.linalg.norm(along), np.linalg.norm(across)]
        return Box(self.centre * factors, size, along / np.linalg.norm(along))


def components(mask):
    """The connected regions of a 2-D mask (neighbours across edges), each an array of runs (y, x0, x1)."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    runs = np.stack([rows, starts, np.nonzero(edges == -1)[1]], 1)
    parent = list(range(len(runs)))

    def root(i):
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first = np.searchsorted(runs[:, 0], np.arange(mask.shape[0] + 1))
    for y in range(1, mask.shape[0]):
        above, here = range(first[y - 1], first[y]), range(first[y], first[y + 1])
        for i in here:
            for j in above:
                if runs[j, 1] < runs[i, 2] and runs[i, 1] < runs[j, 2]:
                    parent[root(i)] = root(j)
    groups = {}
    for i in range(len(runs)):
        groups.setdefault(root(i), []).append(i)
    return [runs[members] for members in groups.values()]


def convex_hull(points):
    """Andrew's monotone chain."""
    points = sorted(set(map(tuple, points)))

    def half(sequence):
        chain = []
        for p in sequence:
            while len(chain) > 1 and (chain[-1][0] - chain[-2][0]) * (p[1] - chain[-2][1]) <= \
                    (chain[-1][1] - chain[-2][1]) * (p[0] - chain[-2][0]):
                chain.pop()
            chain.append(p)
        return chain[:-1]

    return np.array(half(points) + half(reversed(points)), np.float64)


def smallest_rectangle(points):
    """The rectangle of least area around points (x, y): one of its sides lies on an edge of the hull."""
    hull = convex_hull(points)
    best = None
    for edge in np.roll(hull, -1, 0) - hull:
        axis = edge / np.linalg.norm(edge)
        frame = np.array([axis, [-axis[1], axis[0]]])
        along = hull @ frame.T
        low, high = along.min(0), along.max(0)
        if best is None or np.prod(high - low) < np.prod(best.size):
            best = Box((low + high) / 2 @ frame, high - low, axis)
    return upright(best)


def upright(box):
    """The same rectangle with its axis within 45 degrees of left to right."""
    if abs(box.axis[1]) > abs(box.axis[0]):
        box = Box(box.centre, box.size[::-1], np.array([box.axis[1], -box.axis[0]]))
    return box if box.axis[0] > 0 else Box(box.centre, box.size, -box.axis)


def text_boxes(probability, threshold=0.3, least_score=0.5, grow=1.6):
    """Boxes around text, in pixels of the map, from top to bottom. The net is trained to draw lines
    shrunken by area / perimeter, so each box grows by that times `grow` (Differentiable Binarization)."""
    boxes = []
    for runs in components(probability > threshold):
        score = np.mean([probability[y, a:b].mean() for y, a, b in runs])
        y, a, b = runs.T
        corners = np.concatenate([np.stack(p, 1) for p in ((a, y), (b, y), (a, y + 1), (b, y + 1))])
        box = smallest_rectangle(corners)
        if score < least_score or box.size.min() < 4:
            continue
        box.size = box.size + 2 * grow * np.prod(box.size) / (2 * box.size.sum())
        boxes.append(box)
    return sorted(boxes, key=lambda box: (box.centre[1], box.centre[0]))


def cut_out(picture, box):
    """The pixels of a rotated box as an upright picture; tall boxes are turned to read along them."""
    width, height = (max(1, round(s)) for s in box.size)
    across = np.array([-box.axis[1], box.axis[0]])
    corner = box.centre - box.axis * width / 2 - across * height / 2
    line = picture.transform((width, height), Image.Transform.AFFINE, (
        box.axis[0], across[0], corner[0], box.axis[1], across[1], corner[1]), Image.Resampling.BICUBIC)
    return line.transpose(Image.Transpose.ROTATE_90) if height > 1.5 * width else line


# -- the three models together ------------------------------------------------------------------------


class TextReader:
    """`detect`, `classify`, `recognise` map an input array to the model's one output array."""

    def __init__(self, detect, classify, recognise, characters):
        self.detect, self.classify, self.recognise = detect, classify, recognise
        self.characters = ["", *characters, " "]  # class 0 is CTC's blank

    def find(self, picture):
        """Boxes of text lines; the net wants a shorter side of 736 and multiples of 32."""
        scale = max(1.0, 736 / min(picture.size))
        width, height = (max(32, round(s * scale / 32) * 32) for s in picture.size)
        boxes = text_boxes(self.detect(to_input(picture, width, height))[0, 0])
        return [box.scaled(np.array(picture.size) / (width, height)) for box in boxes]

    def is_upside_down(self, line):
        x = np.zeros((1, 3, 48, 192), np.float32)
        width = min(192, -(-48 * line.width // line.height))
        x[..., :width] = to_input(line, width, 48)
        return self.classify(x)[0, 1] > 0.9

    def read(self, line):
        """(text, mean probability) of one upright line."""
        columns = self.recognise(to_input(line, max(16, round(48 * line.width / line.height)), 48))[0]
        best, score = columns.argmax(1), columns.max(1)
        kept = (best != 0) & (best != np.roll(best, 1))  # CTC: drop repeats, then blanks
        text = "".join(self.characters[i] for i in best[kept])
        return text.strip(), float(score[kept].mean()) if kept.any() else 0.0

    def __call__(self, picture):
        found = []
        for box in self.find(picture):
            line = cut_out(picture, box)
            if self.is_upside_down(line):
                line = line.transpose(Image.Transpose.ROTATE_180)
            text, score = self.read(line)
            if score > 0.5:
                found.append(text)
        return found
