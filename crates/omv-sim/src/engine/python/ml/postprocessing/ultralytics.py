# `ml.postprocessing.ultralytics`: boxes of the YOLO family. Middle and size are parts of the picture.
from ml.utils import NMS, dequantize, quantize


class _Yolo:
    def __init__(self, threshold=0.6, nms_threshold=0.1, nms_sigma=0.1):
        self.threshold, self.nms_threshold, self.nms_sigma = threshold, nms_threshold, nms_sigma

    def __call__(self, model, inputs, outputs):
        _, rows, columns = model.output_shape[0]
        _, height, width, _ = model.input_shape[0]
        low, values = quantize(model, self.threshold), outputs[0].flatten().tolist()
        found, some = NMS(width, height, inputs[0].roi), False
        for box in self._boxes(values, rows, columns):
            score, classes = self._scores(box)
            if score > low:
                x, y, w, h = [dequantize(model, value) for value in box[:4]]
                score, label = dequantize(model, score), classes.index(max(classes))
                edges = (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height
                found.add_bounding_box(*edges, score, label)
                some = True
        return found.get_bounding_boxes(self.nms_threshold, self.nms_sigma) if some else ()


class YoloV5(_Yolo):
    # A box a row: its place, how sure it is a thing, and of which class.
    def _boxes(self, values, rows, columns):
        return [values[at * columns : (at + 1) * columns] for at in range(rows)]

    def _scores(self, box):
        return box[4], box[5:]


class YoloV8(_Yolo):
    # A box a column, without a score of its own.
    def _boxes(self, values, rows, columns):
        return [values[at::columns] for at in range(columns)]

    def _scores(self, box):
        return max(box[4:]), box[4:]
