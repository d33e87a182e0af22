"""Videos and folders of pictures to files and rows of the project."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fercli.core.errors import InputError, MediaError
from fercli.core.files import sha256_of, slug, unused
from fercli.core.journal import ItemJournal
from fercli.core.memory import fingerprint, recall, remember
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Frame, Video
from fercli.stages.add import AddResult, AddSettings
from fercli.stages.add.place_file import place_file
from fercli.vision.media import MediaItem, find_media, list_files, shown

PICTURES = "pictures"  # stands in the column codec of a folder of pictures


def add_media(
    project: Project, settings: AddSettings, paths: Sequence[Path], *, progress: Progress, dry_run: bool
) -> AddResult:
    """Copy or link videos and pictures into the project, and note what they are; see `stages.add.add`.

    Raises:
        InputError: nothing of what the paths name can be added.
    """
    listing = list_files(paths, project.root)
    mark = _mark(project, settings, listing.facts)
    if not dry_run and (known := recall(project.root, "add", mark, AddResult)) and not known.failures:
        return known
    media = find_media(listing)
    if not media.items and not listing.missing:
        raise InputError(
            f"no videos or pictures in {', '.join(shown(path) for path in paths)} ({media.num_foreign} other files)",
            hint="Videos are MP4, MOV, MKV, AVI, WEBM, GIF...; pictures JPEG, PNG, BMP, WEBP, TIFF.",
        )
    if dry_run:
        return AddResult(is_dry_run=True, num_foreign=media.num_foreign, plan=tuple(_plan(media.items)))
    with project.writing(), ItemJournal(project.root, "add", "files") as journal:
        tally = _Tally(project, settings, {video.video_id: video for video in project.rows(Video)})
        tally.failures += [Failure(shown(path), "no file or folder of this name") for path in listing.missing]
        progress.start("adding", total=len(media.items))
        for item in media.items:
            tally.take(item, journal)
            progress.advance(item=item.name)
        tally.check_any()
        is_unchanged = tally.is_unchanged()
        outputs = tally.write()
        journal.discard()
        result = tally.result(outputs, media.num_foreign)
        remember(project.root, "add", _mark(project, settings, listing.facts), settings, result=result)
    return replace(result, is_unchanged=is_unchanged)


def _mark(project: Project, settings: AddSettings, facts: Sequence[object]) -> str:
    return fingerprint(settings, [project.table_path(Video), project.table_path(Frame)], facts)


def _plan(items: Sequence[MediaItem]) -> Iterator[str]:
    for item in items:
        yield f"add {len(item.files)} pictures of '{item.name}'" if item.is_pictures else f"add video '{item.name}'"


@dataclass
class _Tally:
    """What has come in so far; rows are written together at the end."""

    project: Project
    settings: AddSettings
    videos: dict[str, Video]
    frames: list[Frame] = dataclasses.field(default_factory=list)
    failures: list[Failure] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    ids: list[str] = dataclasses.field(default_factory=list)
    num_videos: int = 0
    num_known: int = 0
    first_error: MediaError | None = None

    def take(self, item: MediaItem, journal: ItemJournal) -> None:
        """Bring one item in, or take over what an interrupted run has brought in."""
        record = journal.finished.get(item.key)
        if record is None:
            try:
                record = self._take_pictures(item) if item.is_pictures else self._take_video(item.files[0])
            except MediaError as error:
                self.first_error = self.first_error or error
                self.failures.append(Failure(item.name, error.message))
                return
            journal.add(item.key, record)
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
        return not self.frames and not self.failures and self._rows() == self.project.rows(Video)

    def write(self) -> tuple[str, ...]:
        """Replace the tables, if anything is new; their paths and those of the files come back."""
        ids, videos = set(self.ids), self._rows()
        outputs = [self.project.relative(self.project.table_path(Video))]
        if not self.is_unchanged():
            self.project.write_rows(videos, Video)
        if self.frames:
            outputs.append(self.project.write_rows([*self.project.rows(Frame), *self.frames], Frame))
        return (*outputs, *sorted({video.path for video in videos if video.video_id in ids}))

    def result(self, outputs: tuple[str, ...], num_foreign: int) -> AddResult:
        """The stage's result."""
        has_videos = any(self.videos[video_id].codec != PICTURES for video_id in self.ids)
        return AddResult(
            num_videos=self.num_videos,
            num_pictures=len(self.frames),
            num_known=self.num_known,
            num_foreign=num_foreign,
            ids=tuple(dict.fromkeys(self.ids)),
            outputs=outputs,
            warnings=tuple(self.warnings),
            failures=tuple(self.failures),
            next_command="fer extract-frames" if has_videos else "fer align",
        )

    def _rows(self) -> list[Video]:
        ids = set(self.ids)
        rows = [replace(video, **self._noted()) if video.video_id in ids else video for video in self.videos.values()]
        return sorted(rows, key=lambda video: video.video_id)

    def _noted(self) -> dict[str, Any]:  # fields of Video
        given = {"session": self.settings.session, "recorded_at": self.settings.recorded_at}
        return {name: value for name, value in given.items() if value}

    def _note(self, record: Mapping[str, Any]) -> None:  # JSON of this module's own making
        video = Video(**record["video"])
        known = self.videos.get(video.video_id)
        self.videos[video.video_id] = video
        self.ids.append(video.video_id)
        self.frames += [Frame(**frame) for frame in record["frames"]]
        self.failures += [Failure(**failure) for failure in record["failures"]]
        self.warnings += record["warnings"]
        self.num_known += record["num_known"]
        self.num_videos += known is None and video.codec != PICTURES

    def _take_video(self, path: Path) -> dict[str, Any]:  # JSON: see _note
        from fercli.vision.video.reader import probe_video, scan_video

        if not path.is_file() or not path.stat().st_size:
            probe_video(path)
        digest = sha256_of(path)
        known = next((video for video in self.videos.values() if video.sha256 == digest), None)
        if known and (self.project.root / known.path).exists():
            return _record(known, num_known=1)
        info = probe_video(path)
        span = scan_video(path)
        video_id = known.video_id if known else unused(slug(path.stem), set(self.videos))
        place = place_file(
            path, self.project.root, f"videos/{video_id}{path.suffix.lower()}", is_link=self.settings.link
        )
        video = Video(
            video_id,
            place,
            digest,
            path.stat().st_size,
            info.width,
            info.height,
            fps=round(info.fps, 6),
            num_frames=len(span.times_s),
            duration_s=round(span.end_s, 6),
            codec=info.codec,
        )
        return _record(video, warnings=[f"'{video_id}': {text}" for text in span.warnings])

    def _take_pictures(self, item: MediaItem) -> dict[str, Any]:  # JSON: see _note
        digests = {file: sha256_of(file) for file in item.files}
        known = self._known_folder(slug(item.name), set(digests.values()))
        video_id = known.video_id if known else unused(slug(item.name), set(self.videos))
        there = self._digests_in(known) if known else {}
        folder = PictureFolder(self.project.root, video_id, is_link=self.settings.link)
        folder.next_index = (known.num_frames or 0) if known else 0
        folder.taken = {Path(path).stem for path in there.values()}
        for file in item.files:
            if digests[file] not in there:
                there |= folder.take(file, digests[file])
        if not folder.frames and not known:
            raise MediaError(
                f"no picture of '{item.name}' can be read; {folder.failures[0].reason}",
                hint="Open them in a picture viewer; leave out or save again what it cannot show.",
            )
        digest = _digest_of(there)
        if known:
            video = replace(known, num_frames=folder.next_index, bytes=known.bytes + folder.num_bytes, sha256=digest)
        else:
            size = folder.size
            video = Video(video_id, f"images/{video_id}", digest, folder.num_bytes, *size, codec=PICTURES)
            video = replace(video, num_frames=folder.next_index)
        num_known = len(item.files) - len(folder.frames) - len(folder.failures)
        return _record(video, frames=folder.frames, failures=folder.failures, num_known=num_known)

    def _known_folder(self, name: str, digests: set[str]) -> Video | None:
        """The folder of this name that some of the pictures came into before."""
        for video in self.videos.values():
            is_namesake = video.video_id == name or video.video_id.rpartition("-")[0] == name
            if video.codec == PICTURES and is_namesake and digests & set(self._digests_in(video)):
                return video
        return None

    def _digests_in(self, video: Video) -> dict[str, str]:
        files = sorted(path for path in (self.project.root / video.path).glob("*") if path.is_file())
        return {sha256_of(path): self.project.relative(path) for path in files}


class PictureFolder:
    """Takes pictures one by one into images/<video>/, as frames without a time."""

    def __init__(self, root: Path, video_id: str, *, is_link: bool) -> None:
        self.next_index = 0
        self.num_bytes = 0
        self.size = (0, 0)
        self.taken: set[str] = set()
        self.frames: list[Frame] = []
        self.failures: list[Failure] = []
        self._root = root
        self._video_id = video_id
        self._is_link = is_link

    def take(self, file: Path, digest: str) -> dict[str, str]:
        """Bring in one picture; its digest and place come back, nothing when it cannot be read."""
        from fercli.vision.images import read_image
        from fercli.vision.quality import phash, sharpness

        try:
            image = read_image(file)
        except MediaError as error:
            self.failures.append(Failure(shown(file), error.message))
            return {}
        name = unused(slug(file.stem), self.taken)
        self.taken.add(name)
        wanted = f"images/{self._video_id}/{name}{file.suffix.lower()}"
        place = place_file(file, self._root, wanted, is_link=self._is_link)
        frame_id = f"{self._video_id}/f{self.next_index:06d}"
        sharp, digits = round(sharpness(image), 4), phash(image)
        self.frames.append(
            Frame(frame_id, self._video_id, self.next_index, None, place, "given", sharpness=sharp, phash=digits)
        )
        self.size = self.size if any(self.size) else (image.shape[1], image.shape[0])
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
) -> dict[str, Any]:  # JSON, for the journal
    return {
        "video": dataclasses.asdict(video),
        "frames": [dataclasses.asdict(frame) for frame in frames],
        "failures": [dataclasses.asdict(failure) for failure in failures],
        "warnings": list(warnings),
        "num_known": num_known,
    }


def _digest_of(pictures: Mapping[str, str]) -> str:
    import hashlib

    return hashlib.sha256("\n".join(sorted(pictures)).encode()).hexdigest()
