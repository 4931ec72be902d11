import numpy as np

from improve.runs.predictions import Predictions


def test_the_images_that_a_run_gets_wrong_come_in_the_order_of_their_ids():
    probability = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    ids, missed = Predictions(np.array([0, 1, 1]), probability, np.array([7, 2, 5])).wrong_by_id
    assert (ids.tolist(), missed.tolist()) == ([2, 5, 7], [True, False, False])
