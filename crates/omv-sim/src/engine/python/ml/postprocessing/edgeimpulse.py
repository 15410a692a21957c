# `ml.postprocessing.edgeimpulse`: networks that say in which cell of a grid the middle of a thing is.
from ml.utils import NMS, dequantize


class Fomo:
    def __init__(self, threshold=0.4, w_scale=1.414214, h_scale=1.414214, nms_threshold=0.1, nms_sigma=0.001):
        self.threshold = threshold
        self.w_scale, self.h_scale = w_scale, h_scale
        self.nms_threshold, self.nms_sigma = nms_threshold, nms_sigma

    def __call__(self, model, inputs, outputs):
        _, rows, columns, classes = model.output_shape[0]
        _, height, width, _ = model.input_shape[0]
        values = outputs[0].flatten().tolist()
        found = NMS(width, height, inputs[0].roi)
        half_w, half_h = self.w_scale * width / columns / 2, self.h_scale * height / rows / 2
        for cell in range(rows * columns):
            # Class 0 is the background.
            scores = values[cell * classes + 1 : (cell + 1) * classes]
            score = dequantize(model, max(scores))
            if score > self.threshold:
                label = scores.index(max(scores)) + 1
                x = (cell % columns + 0.5) * width / columns
                y = (cell // columns + 0.5) * height / rows
                found.add_bounding_box(x - half_w, y - half_h, x + half_w, y + half_h, score, label)
        return found.get_bounding_boxes(self.nms_threshold, self.nms_sigma)
