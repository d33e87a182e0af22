"""Do the work of `fer add` for videos and folders of images: copy or link files, and describe them in rows."""

import dataclasses
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from fercli.core.batch import Batch
from fercli.core.commit import Commit
from fercli.core.errors import InputError, MediaError, ProjectError, TableError
from fercli.core.files import replacing, sha256_of, slug, unused
from fercli.core.places import LINKS, digest_of_all
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import PICTURES, Face, Frame, Link, Video
from fercli.core.stage import Plan
from fercli.core.words import counted
from fercli.engine import guard
from fercli.stages.add import AddResult, AddSettings
from fercli.stages.extract_frames.voted import voted_on
from fercli.vision.media import Listing, Media, MediaItem, find_media, list_files, shown

# What is run there may die of a file; see `engine/guard.py`.
_READING = "fercli.stages.add.reading"


@dataclass(frozen=True)
class VideoFacts:
    """What is noted of a video; `size` is width and height as shown."""

    size: tuple[int, int]
    fps: float
    num_frames: int
    duration_s: float
    codec: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class ImageFacts:
    """What is noted of an image; `size` is width and height."""

    size: tuple[int, int]
    sharpness: float
    phash: str


@dataclass(frozen=True, kw_only=True)
class MediaPlan(Plan):
    """What the paths name."""

    listing: Listing
    media: Media


def plan(
    project: Project, settings: AddSettings, paths: Sequence[Path], *, force: bool, progress: Progress
) -> MediaPlan:
    """List the videos and images below the paths.

    Raises:
        InputError: there are none.
    """
    listing = list_files(paths, project.root)
    media = find_media(listing)
    if not media.items and not listing.missing:
        places = ", ".join(shown(path) for path in paths)
        others = counted(media.num_foreign, "other file")
        told = f"{others}: {media.passed_over()}" if media.num_foreign else "nothing"
        raise InputError(
            f"no videos or images found in {places} ({told})",
            hint="Videos are MP4, MOV, MKV, AVI, WEBM, GIF...; images JPEG, PNG, BMP, WEBP, TIFF.",
        )
    return MediaPlan(
        lines=tuple(_lines(media.items, project, settings)),
        warnings=_passed_over(media),
        counts={"num_foreign": media.num_foreign},
        listing=listing,
        media=media,
    )


def run(project: Project, settings: AddSettings, plan: MediaPlan, *, progress: Progress, batch: Batch) -> "_Tally":
    """Copy or link what is new into the batch's room, and note what it is."""
    tally = _Tally(project, settings, batch, {video.video_id: video for video in project.rows(Video)})
    tally.failures += [Failure(shown(path), "no file or folder of this name") for path in plan.listing.missing]
    progress.start("adding files", total=len(plan.media.items))
    # What is finished has its name already; so it comes before what is still to find one.
    for item in sorted(plan.media.items, key=lambda item: not tally.has_taken(item)):
        tally.take(item)
        progress.advance(item=item.name)
    tally.check_any()
    return tally


def fold(
    project: Project, settings: AddSettings, plan: MediaPlan, tally: "_Tally", commit: Commit, *, force: bool
) -> AddResult:
    """Give the files their places and the tables their rows."""
    is_unchanged = tally.is_unchanged()
    outputs = tally.put(commit)
    tally.batch.commit_to(commit)
    result = tally.result(outputs, plan.media.num_foreign)
    passed_over = _passed_over(plan.media)
    # What this call notes anew is no news to the same call made again.
    commit.kept = replace(result, warnings=(*passed_over, *tally.warnings))
    return replace(result, is_unchanged=is_unchanged, warnings=(*passed_over, *result.warnings))


def _passed_over(media: Media) -> tuple[str, ...]:
    """What in the folders was neither video nor picture, by suffix."""
    if not media.num_foreign:
        return ()
    return (
        f"{counted(media.num_foreign, 'file that is no video or image', 'files that are no videos or images')} "
        f"passed over: {media.passed_over()}.",
    )


def _lines(items: Sequence[MediaItem], project: Project, settings: AddSettings) -> Iterator[str]:
    known = {video.sha256: video for video in project.rows(Video) if video.codec != PICTURES}
    sizes = {video.bytes for video in known.values()}
    for item in items:
        if item.is_pictures:
            yield f"add {counted(len(item.files), 'image')} of '{item.name}'"
            continue
        path = item.files[0]
        # Only a file of a known size is read to see whether it is known.
        is_like = bool(sizes) and path.is_file() and path.stat().st_size in sizes
        video = known.get(sha256_of(path)) if is_like else None
        if video is None:
            yield f"add video '{item.name}'"
        else:
            yield "; ".join([f"keep '{item.name}', known as '{video.video_id}'", *_told(video, _noted(settings))])


def _noted(settings: AddSettings) -> dict[str, str]:
    """Fields of a video that this call notes."""
    given = {"session": settings.session, "recorded_at": settings.recorded_at}
    return {name: value for name, value in given.items() if value}


def _told(old: Video, noted: Mapping[str, str]) -> Iterator[str]:
    """What a call notes anew of a video that is known."""
    for name, value in noted.items():
        if getattr(old, name) != value:
            was = f"was '{getattr(old, name)}'" if getattr(old, name) else "was not noted"
            yield f"its {name.replace('_', ' ')} {was} and is '{value}' now"


@dataclass
class _Tally:
    """What has come in so far; rows are written together at the end."""

    project: Project
    settings: AddSettings
    batch: Batch
    videos: dict[str, Video]
    frames: list[Frame] = dataclasses.field(default_factory=list)
    failures: list[Failure] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    ids: list[str] = dataclasses.field(default_factory=list)
    links: list[Link] = dataclasses.field(default_factory=list)
    num_videos: int = 0
    num_known: int = 0
    first_error: MediaError | None = None

    def has_taken(self, item: MediaItem) -> bool:
        """Whether an interrupted run has brought an item in, and all of it can be taken over."""
        record = self.batch.finished.get(item.key)
        return record is not None and self._is_there(record) and record["video"]["video_id"] not in self._datasets

    def take(self, item: MediaItem) -> None:
        """Bring one item in, or take over what an interrupted run has brought in."""
        record = self.batch.finished[item.key] if self.has_taken(item) else None
        if record is None:
            self._discard(item)
            try:
                record = self._take_pictures(item) if item.is_pictures else self._take_video(item.files[0])
            except MediaError as error:
                self.first_error = self.first_error or error
                self.failures.append(Failure(item.name, error.message))
                return
            self.batch.add(item.key, record)
        self._note(record)

    def check_any(self) -> None:
        """Raise the first error when nothing at all came in."""
        if self.ids:
            return
        if len(self.failures) == 1 and self.first_error:
            raise self.first_error
        first = self.failures[0]
        raise MediaError(
            f"none of the files could be added; {first.item}: {first.reason}", hint="Check the paths and the files."
        )

    def is_unchanged(self) -> bool:
        """Whether all of it was there already, and is noted as it was."""
        return not self.frames and not self.failures and not self.links and self._rows() == self.project.rows(Video)

    def put(self, commit: Commit) -> tuple[str, ...]:
        """Commit the tables, if anything is new; their paths and those of the files come back."""
        ids, videos = set(self.ids), self._rows()
        outputs = [self.project.relative(self.project.table_path(Video))]
        if not self.is_unchanged():
            commit.table(videos, Video)
        if self.links:
            links = self.project.places.links | {link.path: link for link in self.links}
            commit.table(links.values(), Link, self.project.root / LINKS)
        if self.frames:
            outputs.append(commit.table([*self.project.rows(Frame), *self.frames], Frame))
        return (*outputs, *sorted({video.path for video in videos if video.video_id in ids}))

    def result(self, outputs: tuple[str, ...], num_foreign: int) -> AddResult:
        """The stage's result."""
        has_videos = any(self.videos[video_id].codec != PICTURES for video_id in self.ids)
        warnings = (*self.warnings, *self._changes())
        return AddResult(
            num_videos=self.num_videos,
            num_pictures=len(self.frames),
            num_known=self.num_known,
            num_foreign=num_foreign,
            ids=tuple(dict.fromkeys(self.ids)),
            outputs=outputs,
            warnings=warnings,
            failures=tuple(self.failures),
            next_command="fer extract-frames" if has_videos else "fer align",
        )

    def _rows(self) -> list[Video]:
        ids = set(self.ids)
        noted: dict[str, Any] = dict(_noted(self.settings))
        rows = [replace(video, **noted) if video.video_id in ids else video for video in self.videos.values()]
        return sorted(rows, key=lambda video: video.video_id)

    def _changes(self) -> Iterator[str]:
        """A sentence for each video that was known and of which something else is noted now."""
        before = {video.video_id: video for video in self.project.rows(Video)}
        for video_id in dict.fromkeys(self.ids):
            old = before.get(video_id)
            for told in _told(old, _noted(self.settings)) if old else ():
                yield f"'{video_id}' was there already; {told}"

    def _note(self, record: Mapping[str, Any]) -> None:  # JSON of this module's own making
        video = Video(**record["video"])
        known = self.videos.get(video.video_id)
        self.videos[video.video_id] = video
        self.ids.append(video.video_id)
        self.frames += [Frame(**frame) for frame in record["frames"]]
        self.failures += [Failure(**failure) for failure in record["failures"]]
        self.warnings += record["warnings"]
        self.num_known += record["num_known"]
        self.links += [Link(**link) for link in record.get("links", ())]
        self.num_videos += known is None and video.codec != PICTURES

    def _take_video(self, path: Path) -> dict[str, Any]:  # JSON: see _note
        if not path.is_file() or not path.stat().st_size:
            _facts_of(path, None)  # says so
        digest = sha256_of(path)
        known = next((video for video in self.videos.values() if video.sha256 == digest), None)
        stream = self.settings.stream
        is_same = known is not None and (stream is None or stream == known.stream)
        if known and is_same and self._is_held(known):
            return _record(known, num_known=1)
        if known and not is_same and self._is_held(known):
            return self._take_stream(known)
        facts = _facts_of(path, stream)
        video_id = known.video_id if known else unused(slug(path.stem), {*self.videos, *self._datasets})
        links: list[dict[str, Any]] = []
        place = self._place(path, f"videos/{video_id}{path.suffix.lower()}", digest, links)
        video = Video(
            video_id,
            place,
            digest,
            path.stat().st_size,
            *facts.size,
            fps=facts.fps,
            num_frames=facts.num_frames,
            duration_s=facts.duration_s,
            codec=facts.codec,
            origin=shown(path),
            stream=stream,
        )
        return _record(video, warnings=[f"'{video_id}': {text}" for text in facts.warnings], links=links)

    def _take_stream(self, known: Video) -> dict[str, Any]:  # JSON: see _note
        """Read another stream of a video that came in before.

        Raises:
            MediaError: people have voted on faces of the stream before, or there is no such stream.
        """
        if voted_on(self.project, [frame for frame in self._known_frames if frame.video_id == known.video_id]):
            problem = f"'{known.video_id}' was added before, and faces of another of its video streams have votes"
            raise MediaError(problem, hint="Add it to a project of its own.")
        facts = _facts_of(self.project.inside(known.path, "videos.csv"), self.settings.stream)
        (width, height), declared = facts.size, (facts.fps, facts.num_frames, facts.duration_s, facts.codec)
        fps, num_frames, duration_s, codec = declared
        video = replace(
            known,
            width=width,
            height=height,
            fps=fps,
            num_frames=num_frames,
            duration_s=duration_s,
            codec=codec,
            stream=self.settings.stream,
        )
        told = (f"another of its video streams is read now: {self.settings.stream}", *facts.warnings)
        return _record(video, warnings=[f"'{known.video_id}': {text}" for text in told], num_known=1)

    def _is_held(self, video: Video) -> bool:
        """Whether the file of a video that came in before is there, and is the one that came in."""
        try:
            return self.project.inside(video.path, "videos.csv").exists()
        except TableError:
            return False

    def _take_pictures(self, item: MediaItem) -> dict[str, Any]:  # JSON: see _note
        digests = {file: sha256_of(file) for file in item.files}
        known = self._known_folder(slug(item.name), set(digests.values()))
        video_id = known.video_id if known else unused(slug(item.name), {*self.videos, *self._datasets})
        there = self._digests_in(known) if known else {}
        folder = _ImageFolder(video_id, self._place)
        folder.next_index = (known.num_frames or 0) if known else 0
        folder.taken = {Path(path).stem for path in there.values()}
        for file in item.files:
            if digests[file] not in there:
                there |= folder.take(file, digests[file])
        if not folder.frames and not known:
            raise MediaError(
                f"no image of '{item.name}' can be read; {folder.failures[0].reason}",
                hint="Open them in an image viewer; leave out or save again what it cannot show.",
            )
        digest = digest_of_all(there)
        if known:
            video = replace(known, num_frames=folder.next_index, bytes=known.bytes + folder.num_bytes, sha256=digest)
        else:
            size = folder.size
            video = Video(video_id, f"images/{video_id}", digest, folder.num_bytes, *size, codec=PICTURES)
            video = replace(video, num_frames=folder.next_index)
        num_known = len(item.files) - len(folder.frames) - len(folder.failures)
        more: dict[str, Any] = {"frames": folder.frames, "failures": folder.failures, "links": folder.links}
        return _record(video, num_known=num_known, **more)

    def _known_folder(self, name: str, digests: set[str]) -> Video | None:
        """The folder of this name that some of the pictures came into before."""
        for video in self.videos.values():
            is_namesake = video.video_id == name or video.video_id.rpartition("-")[0] == name
            if video.codec == PICTURES and is_namesake and digests & set(self._digests_in(video)):
                return video
        return None

    def _digests_in(self, video: Video) -> dict[str, str]:
        """The images that are frames already; a file that no row names was left by a killed command."""
        frames = [*self._known_frames, *self.frames]
        places = [frame.path for frame in frames if frame.video_id == video.video_id and frame.path]
        found = {place: self._found(place) for place in sorted(places)}
        return {sha256_of(path): place for place, path in found.items() if path.is_file()}

    def _found(self, place: str) -> Path:
        """Where a file lies: it waits in the room, or has its place in the project."""
        waiting = self.batch.room / place
        return waiting if waiting.exists() else self.project.inside(place, "frames.csv")

    @cached_property
    def _known_frames(self) -> list[Frame]:
        return self.project.rows(Frame)

    @cached_property
    def _datasets(self) -> set[str]:
        """Names of datasets, whose faces have ids of the same form as those of videos."""
        return {face.face_id.partition("/")[0] for face in self.project.rows(Face) if not face.video_id}

    def _discard(self, item: MediaItem) -> None:
        """Take away what waits of an item that has to be brought in anew, maybe under another name."""
        record = self.batch.finished.get(item.key)
        for path in _paths_in(record) if record else ():
            (self.batch.room / path).unlink(missing_ok=True)

    def _is_there(self, record: Mapping[str, Any]) -> bool:  # JSON: see _note
        return all(self._found(path).exists() for path in _paths_in(record))

    def _place(self, path: Path, wanted: str, digest: str, links: list[dict[str, Any]]) -> str:
        """Have a file wait for its place in the project, unless it lies in the project already; the place comes back.

        A link is noted in `links`, with what it leads to: no other link out of the project is ever followed.

        Raises:
            ProjectError: it cannot be written, or not be linked.
        """
        source = path.resolve()
        if source.is_relative_to(self.project.root):
            return self.project.relative(source)
        waiting = self.batch.room / wanted
        if self.settings.link:
            _link(source, waiting)
            links.append(dataclasses.asdict(Link(wanted, str(source), source.stat().st_size, digest)))
        else:
            with replacing(waiting) as temporary:
                shutil.copyfile(source, temporary)
        return wanted


def _facts_of(path: Path, stream: int | None) -> VideoFacts:
    facts: VideoFacts = guard.call(f"{_READING}:measure_video", path, stream, name=shown(path))
    return facts


def _link(source: Path, place: Path) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(source)
    except (OSError, NotImplementedError) as error:
        hint = "Use --copy. On Windows, links need developer mode."
        raise ProjectError(f"cannot link '{place.name}': {error}", hint=hint) from error


def _paths_in(record: Mapping[str, Any]) -> list[str]:  # JSON: see _Tally._note
    """The places of the files that an item has brought."""
    videos = [] if record["video"]["codec"] == PICTURES else [record["video"]["path"]]
    return [*videos, *(frame["path"] for frame in record["frames"])]


class _ImageFolder:
    """Takes images one by one into images/<video>/, as frames without a time."""

    def __init__(self, video_id: str, place: Callable[..., str]) -> None:
        self.next_index = 0
        self.num_bytes = 0
        self.size = (0, 0)
        self.taken: set[str] = set()
        self.frames: list[Frame] = []
        self.failures: list[Failure] = []
        self.links: list[dict[str, Any]] = []
        self._video_id = video_id
        self._place = place

    def take(self, file: Path, digest: str) -> dict[str, str]:
        """Bring in one image; its digest and place come back, nothing when it cannot be read."""
        try:
            seen: ImageFacts = guard.call(f"{_READING}:measure_image", file, name=shown(file))
        except MediaError as error:
            self.failures.append(Failure(shown(file), error.message))
            return {}
        name = unused(slug(file.stem), self.taken)
        self.taken.add(name)
        wanted = f"images/{self._video_id}/{name}{file.suffix.lower()}"
        place = self._place(file, wanted, digest, self.links)
        frame_id = f"{self._video_id}/f{self.next_index:06d}"
        self.frames.append(
            Frame(
                frame_id,
                self._video_id,
                self.next_index,
                None,
                place,
                "given",
                sharpness=seen.sharpness,
                phash=seen.phash,
                origin=shown(file),
            )
        )
        self.size = self.size if any(self.size) else seen.size
        self.num_bytes += file.stat().st_size
        self.next_index += 1
        return {digest: place}


def _record(
    video: Video,
    *,
    frames: Sequence[Frame] = (),
    failures: Sequence[Failure] = (),
    warnings: Sequence[str] = (),
    num_known: int = 0,
    links: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:  # JSON, for the journal
    return {
        "video": dataclasses.asdict(video),
        "frames": [dataclasses.asdict(frame) for frame in frames],
        "failures": [dataclasses.asdict(failure) for failure in failures],
        "warnings": list(warnings),
        "num_known": num_known,
        "links": list(links),
    }
