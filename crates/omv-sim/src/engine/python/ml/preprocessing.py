# `ml.preprocessing`: from a picture to the numbers of an input.
import _omv
import image


class Normalization:
    def __init__(self, scale=(0.0, 1.0), mean=(0.0, 0.0, 0.0), stdev=(1.0, 1.0, 1.0), roi=None):
        self.scale, self.mean, self.stdev, self.roi = scale, mean, stdev, roi
        self._image = None

    def __call__(self, picture):
        if not isinstance(picture, image.Image):
            raise ValueError("Expected an image input")
        if self.roi is None:
            self.roi = (0, 0, picture.width(), picture.height())
        made = Normalization(self.scale, self.mean, self.stdev, self.roi)
        made._image = picture
        return made

    def _feed(self, model, index):
        channels = model.input_shape[index][-1]
        grey = lambda c: c[0] * 0.299 + c[1] * 0.587 + c[2] * 0.114
        mean = [grey(self.mean)] if channels == 1 else self.mean
        spread = [grey(self.stdev)] if channels == 1 else self.stdev
        low, high = self.scale
        factor = [(high - low) / 255 / each for each in spread]
        add = [(low - each) / one for each, one in zip(mean, spread)]
        # Up to 4.8 the picture keeps its shape and fills the input; from 5.0.0 on it is stretched.
        keeps = _omv.version < (5, 0, 0)
        _omv.call("model_image", model._id, index, self._image._number, list(self.roi), keeps, factor, add)
