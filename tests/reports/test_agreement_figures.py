import numpy as np

from fercli.reports.figures.agreement import draw_class_agreement
from fercli.vision.images import decode_image


def test_chart_is_a_picture_that_grows_with_the_classes() -> None:
    few = draw_class_agreement({"happy": 0.8, "sad": None}, {"happy": 0.9, "sad": None})
    many = draw_class_agreement(dict.fromkeys("abcdefgh", -0.1), dict.fromkeys("abcdefgh", 0.5))
    assert decode_image(many, name="many").shape[0] > decode_image(few, name="few").shape[0]


def test_longer_bars_colour_more_of_the_picture() -> None:
    pictures = [draw_class_agreement({"happy": value}, {"happy": None}) for value in (0.1, 0.9)]
    blue = [(image[..., 2] > image[..., 0] + 60).sum() for image in map(pixels, pictures)]
    assert blue[1] > 3 * blue[0]


def pixels(data: bytes) -> np.ndarray:
    return decode_image(data, name="chart").astype(int)
