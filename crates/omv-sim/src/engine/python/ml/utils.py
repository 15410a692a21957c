# `ml.utils`: what post-processing needs.
import math


def logit(x):
    return math.log(x / (1.0 - x))


def sigmoid(x):
    return 1.0 / (1.0 + math.exp(-x))


def quantize(model, value, index=0):
    if model.output_dtype[index] == "f":
        return value
    return value / model.output_scale[index] + model.output_zero_point[index]


def dequantize(model, value, index=0):
    if model.output_dtype[index] == "f":
        return value
    return (value - float(model.output_zero_point[index])) * model.output_scale[index]


def _overlap(a, b):
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(0, wide) * max(0, high)
    return both / (a[2] * a[3] + b[2] * b[3] - both)


class NMS:
    """Of boxes that lie over each other, the best stay; the others lose score by their overlap."""

    def __init__(self, window_w, window_h, roi):
        if roi[2] < 1 or roi[3] < 1:
            raise ValueError("Invalid ROI dimensions!")
        self.window_w, self.window_h, self.roi = window_w, window_h, roi
        self.boxes = []

    def add_bounding_box(self, xmin, ymin, xmax, ymax, score, label_index, keypoints=None):
        inside = lambda value, most: max(0.0, min(value, most))
        xmin, xmax = inside(xmin, self.window_w), inside(xmax, self.window_w)
        ymin, ymax = inside(ymin, self.window_h), inside(ymax, self.window_h)
        width, height = int(xmax - xmin), int(ymax - ymin)
        if 0.0 <= score <= 1.0 and width > 0 and height > 0:
            self.boxes.append([int(xmin), int(ymin), width, height, score, int(label_index), keypoints])

    def get_bounding_boxes(self, threshold=0.1, sigma=0.1):
        rest, kept = [list(box) for box in self.boxes], []
        while rest:
            best = max(rest, key=lambda box: box[4])
            rest.remove(best)
            kept.append(best)
            for box in rest:
                over = _overlap(best, box)
                box[4] *= math.exp(-over * over / sigma) if sigma > 0 else 1.0
            rest = [box for box in rest if box[4] >= threshold]
        if not kept:
            return []
        # From the window of the network to the picture; with its shape kept where the input was.
        import _omv

        x_scale, y_scale = self.roi[2] / self.window_w, self.roi[3] / self.window_h
        if _omv.version < (5, 0, 0):
            x_scale = y_scale = min(x_scale, y_scale)
        x_at = (self.roi[2] - self.window_w * x_scale) / 2 + self.roi[0]
        y_at = (self.roi[3] - self.window_h * y_scale) / 2 + self.roi[1]
        found = [[] for _ in range(max(box[5] for box in kept) + 1)]
        for x, y, width, height, score, label, points in kept:
            place = (int(x * x_scale + x_at), int(y * y_scale + y_at), int(width * x_scale), int(height * y_scale))
            found[label].append((place, score) if points is None else (place, score, points))
        return found
