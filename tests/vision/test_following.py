"""Faces followed from frame to frame: looked up where they were, searched for nearby, and let go."""

from pathlib import Path

import numpy as np
import pytest

from fercli.vision.detection import Detection
from fercli.vision.following import FaceFollower
from fercli.vision.mtcnn.detector import FaceDetector
from fercli.vision.tracks import Track, link_tracks, seats_from_tracks
from fercli.vision.video.reader import VideoReader
from tests.drawn import NUM_PUPILS, DrawnLesson
from tests.vision.drawn import draw_face, draw_room


class Counting(FaceDetector):
    """Counts the pictures that are searched, by size."""

    def __init__(self) -> None:
        super().__init__(min_face_px=30, device="cpu")
        self.searched: list[tuple[int, ...]] = []

    def detect(self, images: list[np.ndarray]) -> list[list[Detection]]:  # type: ignore[override]
        self.searched += [image.shape[:2] for image in images]
        return super().detect(images)


def room(*faces: tuple[float, float]) -> np.ndarray:
    image = draw_room()
    for place in faces:
        draw_face(image, place, 80)
    return image


def middles(faces: list[Detection]) -> list[int]:
    return sorted(round((face.left + face.width / 2) / 10) * 10 for face in faces)


def test_face_that_stays_is_looked_up_and_not_searched_for() -> None:
    detector = Counting()
    follower = FaceFollower(detector)
    for shift in (0, 3, 6, 2):
        faces = follower.find(room((120 + shift, 130)), "a")
        assert abs(faces[0].left + faces[0].width / 2 - 120 - shift) < 6
    assert detector.searched == [(270, 480)]


def test_new_chunk_is_searched_whole() -> None:
    detector = Counting()
    follower = FaceFollower(detector)
    for chunk in ("a", "b", ""):
        follower.find(room((120, 130)), chunk)
    follower.find(room((120, 130)), "")
    assert detector.searched == [(270, 480)] * 4


def test_face_that_jumps_is_found_near_by() -> None:
    detector = Counting()
    follower = FaceFollower(detector)
    follower.find(room((120, 130), (350, 130)), "a")
    assert middles(follower.find(room((170, 130), (350, 130)), "a")) == [170, 350]
    # Three face sizes, in steps of 64 pixels, instead of the whole picture.
    assert detector.searched[1][0] < 480
    assert len(detector.searched) == 2


def test_face_that_hides_is_let_go_and_its_neighbour_is_not_taken_for_it() -> None:
    follower = FaceFollower(Counting())
    follower.find(room((150, 130), (260, 130)), "a")
    assert middles(follower.find(room((260, 130)), "a")) == [260]


def test_face_that_is_missed_once_is_looked_up_in_the_next_frame() -> None:
    class Blinking(Counting):
        """Finds nothing near the places while its eyes are shut."""

        is_shut = False

        def detect_near(self, image: np.ndarray, places: np.ndarray) -> list[Detection]:
            return [] if self.is_shut else super().detect_near(image, places)

        def detect(self, images: list[np.ndarray]) -> list[list[Detection]]:  # type: ignore[override]
            return [[] for _ in images] if self.is_shut else super().detect(images)

    follower = FaceFollower(detector := Blinking())
    follower.find(room((120, 130), (350, 130)), "a")
    detector.is_shut = True
    assert follower.find(room((120, 130), (350, 130)), "a") == []
    detector.is_shut = False
    assert middles(follower.find(room((120, 130), (350, 130)), "a")) == [120, 350]
    assert detector.searched == [(270, 480)]


def test_face_that_comes_back_is_found_at_its_old_place() -> None:
    follower = FaceFollower(Counting())
    follower.find(room((120, 130), (350, 130)), "a")
    assert middles(follower.find(room((120, 130)), "a")) == [120]
    assert middles(follower.find(room((120, 130), (350, 130)), "a")) == [120, 350]


def test_newcomer_waits_for_the_next_search() -> None:
    follower = FaceFollower(Counting())
    follower.find(room((120, 130)), "a")
    assert middles(follower.find(room((120, 130), (350, 130)), "a")) == [120]
    assert middles(follower.find(room((120, 130), (350, 130)), "b")) == [120, 350]


def test_frame_without_faces_is_no_trouble() -> None:
    follower = FaceFollower(Counting())
    assert follower.find(room(), "a") == []
    assert follower.find(room((120, 130)), "a") == []


def follow(path: Path, every: int, step: int) -> list[list[Detection]]:
    frames = [frame for frame in VideoReader(path) if frame.index % step == 0]
    follower = FaceFollower(FaceDetector(device="cpu"))
    return [follower.find(frame.rgb(), str(place // every)) for place, frame in enumerate(frames)]


def seats(found: list[list[Detection]]) -> list[list[int]]:
    """The seat of each face, as `fer subjects track` finds it."""
    boxes = [np.array([(f.left, f.top, f.width, f.height) for f in faces]).reshape(-1, 4) for faces in found]
    links = link_tracks(boxes)
    tracks: dict[int, list[tuple[int, np.ndarray]]] = {}
    for frame, numbers in enumerate(links):
        for number, box in zip(numbers, boxes[frame], strict=True):
            tracks.setdefault(number, []).append((frame, box))
    rows = [Track(np.array([box for _, box in tracks[n]]), tuple(f for f, _ in tracks[n])) for n in sorted(tracks)]
    of_track = seats_from_tracks(rows)
    return [[of_track[number] for number in numbers] for numbers in links]


def test_nobody_in_the_drawn_classroom_changes_seats(drawn_lesson: DrawnLesson) -> None:
    found = follow(drawn_lesson.video, every=5, step=4)
    people: dict[int, set[int]] = {}
    for place, (faces, numbers) in enumerate(zip(found, seats(found), strict=True)):
        truth = [box for box, _ in drawn_lesson.truth[4 * place]]
        for face, seat in zip(faces, numbers, strict=True):
            x, y = face.left + face.width / 2, face.top + face.height / 2
            inside = [left <= x <= left + width and top <= y <= top + height for left, top, width, height in truth]
            people.setdefault(seat, set()).add(inside.index(True))
    assert sorted(map(len, people.values())) == [1] * NUM_PUPILS
    assert [len(faces) for faces in found] == [NUM_PUPILS] * len(found)


@pytest.mark.real_data
def test_three_people_keep_their_seats(real_data: Path) -> None:
    found = follow(real_data / "videos/three-people.gif", every=5, step=1)
    assert [len(faces) for faces in found] == [3] * 41
    for faces, numbers in zip(found, seats(found), strict=True):
        order = np.argsort([face.left for face in faces])
        # The three sit side by side and stay there.
        assert [numbers[place] for place in order] == [0, 1, 2]
