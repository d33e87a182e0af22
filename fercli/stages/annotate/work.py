"""The work of `fer annotate`: seats for the annotators, the page served until it is stopped, votes imported."""

import getpass
import threading
import webbrowser
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from socket import socket

from fercli.core.errors import FerError, ProjectError, UsageError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.words import counted
from fercli.labels.pseudonyms import ADJUDICATOR, extend_pseudonyms
from fercli.stages.annotate import AnnotateResult, AnnotateSettings
from fercli.stages.annotate.desk import Desk
from fercli.stages.annotate.faces import Faces
from fercli.stages.annotate.review import ReviewDesk
from fercli.stages.annotate.seating import fill, read_models, wanted_faces
from fercli.stages.labels.archive import put_key, read_key
from fercli.stages.labels.importing import LabelsImportResult
from fercli.stages.labels.repeats import self_agreement
from fercli.stages.labels.waiting import page_lock
from fercli.stages.labels.waiting_work import take_waiting
from fercli.web.app import Hosts, Visitor, build_app
from fercli.web.serve import is_loopback, make_token, open_socket, own_names, serve, shown_host

# How long the end waits for another command that writes.
_PATIENCE_S = 30.0


def call(
    project: Project, settings: AnnotateSettings, face_id: str, *, progress: Progress, force: bool, dry_run: bool
) -> AnnotateResult:
    """Serve the page until Ctrl-C; then import what was labelled.

    Raises:
        MissingStageError: the project has no faces yet.
        ProjectError: the page of this project is open already.
        UsageError: options that do not go together, or no free port.
    """
    _check(settings, face_id)
    if dry_run:
        return _preview(project, settings)
    with page_lock(project) as is_ours:
        if not is_ours:
            hint = "Use its link, or stop it with Ctrl-C where it runs."
            raise ProjectError(f"the labelling page of '{project.root}' is open already", hint=hint)
        return _Page(project, settings, progress).serve(face_id)


def _check(settings: AnnotateSettings, face_id: str) -> None:
    if face_id and not settings.review:
        raise UsageError(f"unexpected '{face_id}'", hint=f"To see a face: fer annotate --review {face_id}")
    if settings.review and (settings.annotator or settings.only):
        raise UsageError("--review goes with neither --annotator nor --only", hint="The review is the owner's page.")
    if settings.only == "ties" and settings.annotator:
        raise UsageError("ties are resolved by one person, the adjudicator", hint="Leave out --annotator.")
    if settings.only == "ties" and (settings.blind or settings.suggest):
        raise UsageError("--only ties goes with neither --blind nor --suggest", hint="Leave them out.")
    if len(set(settings.annotator)) < len(settings.annotator):
        raise UsageError("--annotator names somebody twice", hint="Give each annotator one link.")


def _preview(project: Project, settings: AnnotateSettings) -> AnnotateResult:
    wanted = wanted_faces(project, settings, Faces(project))
    who = ", ".join(settings.annotator) if settings.annotator else "you"
    line = f"show {counted(len(wanted), 'face')} to {who}, {settings.order}"
    return AnnotateResult(is_dry_run=True, plan=(line,), num_faces=len(wanted))


@dataclass
class _Page:
    """One call that serves."""

    project: Project
    settings: AnnotateSettings
    progress: Progress

    def __post_init__(self) -> None:
        self._results: list[LabelsImportResult] = []
        self._importing = threading.Lock()

    def serve(self, face_id: str) -> AnnotateResult:
        models = read_models(self.project, self.settings, self.progress)
        names = _people(self.project, self.settings)
        desk = Desk(self.project, names, when_left=self._import_meanwhile)
        # The page opens at once; a project of a million faces is read meanwhile.
        reading = threading.Thread(target=fill, args=(desk, self.settings, models), daemon=True)
        reading.start()
        opened = open_socket(self.settings.host, self.settings.port)
        visitors, links = self._links(names, opened, face_id)
        hosts = Hosts(own_names(self.settings.host), opened.getsockname()[1], self._is_open)
        where, _, rest = links[0][1].partition("#")
        word, (token, *place) = make_token(), rest.split("/", 1)
        app = build_app(desk, visitors, hosts, ReviewDesk(desk), entries={word: token})
        self._tell(links)
        if self.settings.browser:
            webbrowser.open("/".join([f"{where}#once-{word}", *place]))
        serve(app, opened)
        reading.join()
        if desk.failure:
            raise desk.failure
        return self._result(desk)

    @property
    def _is_open(self) -> bool:
        return not is_loopback(self.settings.host)

    def _links(
        self, names: dict[str, str], opened: socket, face_id: str
    ) -> tuple[dict[str, Visitor], list[tuple[str, str]]]:
        """The visitors by token, and what to call each link."""
        where = f"http://{shown_host(self.settings.host)}:{opened.getsockname()[1]}"
        visitors, links = {}, []
        for annotator, name in names.items():
            token = make_token()
            visitors[token] = Visitor(annotator)
            links.append(("resolve ties" if annotator == ADJUDICATOR else f"{name}'s link", f"{where}/#{token}"))
        # Disagreements are nobody's business but the owner's.
        token = make_token()
        visitors[token] = Visitor("", is_owner=True)
        links.append(("review", f"{where}/review#{token}{f'/{face_id}' if face_id else ''}"))
        return visitors, links

    def _tell(self, links: Sequence[tuple[str, str]]) -> None:
        for name, link in links:
            self.progress.note(f"{name}: {link}")
        if self._is_open:
            self.progress.note("Faces and votes travel unencrypted in this network: use one that you trust.")
        self.progress.note("Every vote is saved at once. Stop with Ctrl-C.")

    def _import_meanwhile(self) -> None:
        """Everybody has closed the page: its votes are imported, and the page goes on."""
        try:
            self._take(is_last=False)
        except FerError as error:
            self.progress.note(f"votes wait, and are imported later: {error}")

    def _take(self, *, is_last: bool) -> None:
        with self._importing:
            result = take_waiting(self.project, is_last=is_last, patience_s=_PATIENCE_S if is_last else 2.0)
            if result is not None:
                self._results.append(result)

    def _result(self, desk: Desk) -> AnnotateResult:
        self._take(is_last=True)
        votes: Counter[str] = Counter()
        for result in self._results:
            votes.update(result.annotators)
        last = self._results[-1] if self._results else None
        return AnnotateResult(
            num_faces=max((len({item[0] for item in seat.items}) for seat in desk.seats.values()), default=0),
            num_votes=sum(result.num_votes for result in self._results),
            num_skipped=sum(seat.counts()["skipped"] for seat in desk.seats.values()),
            votes=dict(sorted(votes.items())),
            self_agreement={who: same / number for who, (number, same) in self_agreement(self.project).items()},
            outputs=last.outputs if last else (),
            warnings=last.warnings if last else (),
            failures=tuple(failure for result in self._results for failure in result.failures),
            next_command="fer labels" if last else "",
        )


def _people(project: Project, settings: AnnotateSettings) -> dict[str, str]:
    """Pseudonym -> name; who is new gets a pseudonym, which stands in the key from now on."""
    if settings.review:
        return {}
    if settings.only == "ties":
        return {ADJUDICATOR: ADJUDICATOR}
    given = settings.annotator or (_login(),)
    with project.commit(patience_s=_PATIENCE_S) as commit:
        key = read_key(project)
        extended = extend_pseudonyms(key, given)
        if extended != key:
            put_key(project, commit, extended)
    return {extended[name]: name for name in given}


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise UsageError("this machine does not say who you are", hint="Name yourself: --annotator NAME") from error
