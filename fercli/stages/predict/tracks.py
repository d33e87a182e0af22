"""The faces of a video's frames, linked into tracks, and the word that stands by each for a while."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fercli.stages.predict import FacePrediction
from fercli.stages.predict.certainty import PLAIN, Certainty
from fercli.vision.tracks import link_tracks

# The word drawn on a face is that of its mean probabilities over this time, so that it does not flicker.
_STEADY_S = 0.5


def tracked(by_frame: Sequence[Sequence[FacePrediction]]) -> list[list[FacePrediction]]:
    """Each face with the name of its track; boxes of neighbouring frames that overlap are one face's."""
    boxes = [
        np.array([(face.left, face.top, face.width, face.height) for face in faces], np.float64).reshape(-1, 4)
        for faces in by_frame
    ]
    numbers = link_tracks(boxes)
    return [
        [replace(face, track=f"t{number:03d}") for face, number in zip(faces, found, strict=True)]
        for faces, found in zip(by_frame, numbers, strict=True)
    ]


def steady(
    by_frame: Sequence[Sequence[FacePrediction]],
    times_s: Sequence[float],
    classes: Sequence[str],
    certainty: Certainty = PLAIN,
) -> tuple[tuple[FacePrediction, ...], ...]:
    """Each face with the class of its track's mean probabilities about that time.

    A threshold, chosen for single faces, is applied to the mean, which is seldom as high as its highest face.
    """
    tracks: dict[str, list[tuple[float, FacePrediction]]] = defaultdict(list)
    for time_s, faces in zip(times_s, by_frame, strict=True):
        for face in faces:
            tracks[face.track].append((time_s, face))
    shown: dict[str, tuple[str, float]] = {}
    for seen in tracks.values():
        moments = [moment for moment, _ in seen]
        for time_s, face in seen:
            first, end = bisect_left(moments, time_s - _STEADY_S), bisect_right(moments, time_s + _STEADY_S)
            near = [other.probabilities for _, other in seen[first:end]]
            means = {name: sum(shares[name] for shares in near) / len(near) for name in classes}
            word = max(means, key=means.__getitem__)
            probability = round(means[word], 6)
            shown[face.face_id] = certainty.word(word, probability), probability
    return tuple(tuple(_showing(face, *shown[face.face_id]) for face in faces) for faces in by_frame)


def _showing(face: FacePrediction, word: str, probability: float) -> FacePrediction:
    return replace(face, shown=word, shown_probability=probability)
