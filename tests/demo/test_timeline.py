from itertools import pairwise

import numpy as np

from fercli.demo.expressions import EMOTIONS, REST, Expression
from fercli.demo.timeline import SEGMENT_S, Segment, Timeline, draw_timeline

STILL = np.zeros((6, 3))
SMILE = Expression(mouth_curve=1.0)
TWO = Timeline(
    (Segment(0.0, "neutral", 1.0, REST), Segment(2.0, "happy", 0.8, SMILE)), STILL, np.zeros(3), np.array([5.0])
)


def test_segments_cover_the_lesson_and_neighbours_differ() -> None:
    segments = draw_timeline(300.0, np.random.default_rng(1)).segments
    starts = np.array([segment.start_s for segment in segments])
    assert starts[0] == 0
    assert starts[-1] < 300 <= starts[-1] + SEGMENT_S[1]
    assert np.all((np.diff(starts) >= SEGMENT_S[0]) & (np.diff(starts) <= SEGMENT_S[1]))
    assert all(first.emotion != second.emotion for first, second in pairwise(segments))


def test_every_emotion_comes_up_and_none_takes_over() -> None:
    segments = draw_timeline(2000.0, np.random.default_rng(2)).segments
    shares = [sum(segment.emotion == emotion for segment in segments) / len(segments) for emotion in EMOTIONS]
    assert min(shares) > 0.09
    assert max(shares) < 0.26


def test_one_emotion_gives_way_softly_to_the_next() -> None:
    curves = [TWO.at(time).expression.mouth_curve for time in (1.9, 2.1, 2.25, 2.4, 2.6)]
    assert curves == sorted(curves)
    assert (curves[0], curves[2], curves[-1]) == (0.0, 0.5, 1.0)


def test_label_changes_half_way_through_a_change_when_both_are_faint() -> None:
    moods = {time: TWO.at(time) for time in (1.0, 2.2, 2.3, 3.0)}
    assert [mood.emotion for mood in moods.values()] == ["neutral", "neutral", "happy", "happy"]
    assert moods[2.2].intensity < moods[1.0].intensity
    assert moods[2.3].intensity < moods[3.0].intensity


def test_blink_shuts_the_lids() -> None:
    assert TWO.at(5.0).expression.lid_left < 0.2
    assert TWO.at(5.5).expression.lid_left == 1.0


def test_strength_of_an_expression_swells_and_fades() -> None:
    beating = Timeline(TWO.segments, STILL, np.array((0.2, 0.25, 0.0)), np.array([]))
    assert np.isclose(beating.at(5.0).expression.mouth_curve, 1.2)
    assert np.isclose(beating.at(7.0).expression.mouth_curve, 0.8)


def test_same_seed_gives_the_same_timeline() -> None:
    first, second = (draw_timeline(30.0, np.random.default_rng(3)).at(11.0) for _ in range(2))
    assert first == second
