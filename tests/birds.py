"""A model that needs no training: an image says its own class."""

import numpy as np

from improve.engine.inference.predictor import Form

BIRDS = Form((8, 8, 3), "uint8", ("bird", "cat", "dog"))


class Sure:
    """Stands for a model: it says the class whose number the first pixel of an image holds."""

    form = BIRDS

    def probabilities(self, images):
        return np.eye(len(self.form.class_names))[images[:][:, 0, 0, 0] % len(self.form.class_names)]


def saying(labels):
    """Images of which `Sure` says these classes; no two are alike."""
    images = np.random.default_rng(1).integers(0, 256, (len(labels), 8, 8, 3)).astype(np.uint8)
    images[:, 0, 0, 0] = labels
    return images
