# `ml.postprocessing`: a module with classes in 4.7, a package from 4.8 on.
import _model
import _omv
import math
from ml.utils import NMS


class fomo_postprocess:
    def __init__(self, threshold=0.4):
        self._low = math.ceil(threshold * 255)

    def __call__(self, model, inputs, outputs):
        _, rows, columns, classes = model.output_shape[0]
        values, found = outputs[0].flatten().tolist(), NMS(columns, rows, inputs[0].roi)
        for index in range(classes):
            grid = [
                [int(values[(y * columns + x) * classes + index] * 255) for x in range(columns)] for y in range(rows)
            ]
            for x, y, width, height, _, mean in _model.spots(grid, self._low, 255):
                found.add_bounding_box(x, y, x + width, y + height, mean / 255, index)
        return found.get_bounding_boxes()


_omv.prune("ml/postprocessing", globals())
