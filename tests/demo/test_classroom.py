import numpy as np
import pytest

from fercli.demo.classroom import Classroom, Lesson
from fercli.vision.mtcnn.detector import FaceDetector

SIZE = (640, 360)


def small_class(seed: int = 3, num_subjects: int = 3) -> Classroom:
    return Classroom(seed=seed, num_subjects=num_subjects, seconds=2.0, fps=2, size=SIZE)


def drawn(lesson: Lesson) -> np.ndarray:
    return np.stack(list(lesson.frames()))


def test_same_seed_draws_the_same_pixels() -> None:
    np.testing.assert_array_equal(drawn(small_class().lessons[0]), drawn(small_class().lessons[0]))


def test_a_lesson_can_be_drawn_twice() -> None:
    lesson = small_class().lessons[0]
    np.testing.assert_array_equal(drawn(lesson), drawn(lesson))


def test_another_seed_draws_another_class() -> None:
    assert np.any(drawn(small_class(3).lessons[0]) != drawn(small_class(4).lessons[0]))


def test_lesson_has_the_frames_and_size_it_promises() -> None:
    lesson = small_class().lessons[0]
    assert lesson.num_frames == 4
    assert drawn(lesson).shape == (4, 360, 640, 3)


def test_every_lesson_has_pupils_of_its_own() -> None:
    lessons = small_class(num_subjects=25).lessons
    assert [len(lesson.pupils) for lesson in lessons] == [9, 8, 8]
    assert len({pupil.name for lesson in lessons for pupil in lesson.pupils}) == 25


def test_truth_names_every_pupil_inside_the_frame() -> None:
    lesson = small_class().lessons[0]
    for index in range(lesson.num_frames):
        faces = lesson.truth(index)
        assert [face.pupil for face in faces] == [pupil.name for pupil in lesson.pupils]
        for face in faces:
            left, top, width, height = face.box
            assert 0 < left < left + width < 640
            assert 0 < top < top + height < 360
            assert np.all((face.landmarks > (left, top)) & (face.landmarks < (left + width, top + height)))


def test_pupils_move_and_the_room_does_not() -> None:
    frames = drawn(small_class().lessons[0]).astype(int)
    moved = np.abs(frames[0] - frames[-1]).max(axis=2)
    left, top, width, height = (round(value) for value in small_class().lessons[0].truth(0)[0].box)
    assert moved[top : top + height, left : left + width].max() > 30
    assert moved[:40, :].mean() < 5


@pytest.mark.parametrize(
    "wrong",
    [{"num_subjects": 0}, {"seconds": 0.0}, {"fps": 0}, {"size": (641, 360)}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_class_that_cannot_be_drawn_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a classroom needs"):
        Classroom(**{"num_subjects": 2, "seconds": 1.0, "fps": 1, "size": SIZE, **wrong})  # type: ignore[arg-type]


def test_mtcnn_finds_every_pupil_and_nothing_else() -> None:
    lesson = Classroom(seed=1, num_subjects=12, seconds=1.0, fps=1).lessons[0]
    (frame,) = lesson.frames()
    found = FaceDetector().detect([frame])[0]
    centers = np.array([face.landmarks[2] for face in lesson.truth(0)])
    assert len(found) == 12
    for face in found:
        nearest = np.linalg.norm(centers - face.landmarks[2], axis=1).min()
        assert nearest < 0.1 * face.width
