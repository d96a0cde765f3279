"""The models of an installation in one folder: whole versions, the champion's pointer, and the lineage of changes.

A change is copied, then pointed to, then told: the pointer is replaced in one step and carries its own line of the
lineage, so that a process killed in between leaves the old champion or the new one, and nothing is forgotten.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from nlp.errors import InputError, ModelError
from serving.durable import replace_file, sync, sync_folder
from serving.lineage import FORMAT, Champion, Change, Gate, champions

FRESH = ".new-"
POINTER, HISTORY, VERSIONS, LOCK = "champion.json", "history.jsonl", "versions", ".lock"
PARTS = ("model.json", "README.md", "*.safetensors")
"""What a model is made of. Anything else beside it may hold verbatims (held-out rows, reports) and is not copied."""
_VERSION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._\-]{0,61}[A-Za-z0-9])?", re.ASCII)
"""Fit for a folder's name and for an address; a BentoML tag has 63 characters at most."""


class NothingEarlier(ModelError):  # noqa: N818 - it is a state to report
    """There is no champion before the present one."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A version in the registry."""

    version: str
    folder: Path
    digest: str
    base: str | None


class Registry:
    """Versions under one folder; reading needs no lock, changes hold one that the system frees when a process dies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def champion(self) -> Champion | None:
        """The pointer; None before the first promotion. ModelError where the file is damaged."""
        path = self.folder / POINTER
        try:
            data = json.loads(path.read_text("utf-8"))
            if data.pop("format") != FORMAT:
                raise ModelError(f"{path}: written by a newer Holos; update Holos")
            return Champion(**{**data, "change": Change.from_dict(data["change"])})
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{path}: cannot be read ({type(error).__name__}); remove it, then promote a version again: until then "
                "the model that ships answers"
            ) from None

    def champion_folder(self) -> Path | None:
        """Where the champion lies; None where the model that ships is in use."""
        champion = self.champion()
        return self.path(champion.version) if champion and champion.version else None

    def stamp(self) -> tuple[int, ...] | None:
        """Changes whenever the pointer does; costs one look at the file system."""
        try:
            found = (self.folder / POINTER).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def path(self, version: str) -> Path:
        return self.folder / VERSIONS / version

    def versions(self) -> list[str]:
        """Versions that are there, by name."""
        try:
            found = [path.name for path in (self.folder / VERSIONS).iterdir() if _VERSION.fullmatch(path.name)]
        except OSError:
            return []
        return sorted(found)

    def lineage(self) -> list[Change]:
        """Every promotion and rollback, oldest first; a pointer that is damaged has nothing to add."""
        try:
            champion = self.champion()
        except ModelError:
            champion = None
        return self._lineage(champion)

    def passed(self, version: str) -> bool:
        """Whether this version was promoted through the gate before."""
        return any(change.to == version and change.gate.passed for change in self.lineage())

    def stored(self, version: str) -> Stored:
        """A version, whole; ModelError if it is not there or not what was promoted."""
        if not _VERSION.fullmatch(version) or not self.path(version).is_dir():
            raise ModelError(f"version {version} is not in {self.folder}; `holos models` lists those that are")
        folder = self.path(version)
        digest = digest_of(folder)
        known = {change.digest for change in self.lineage() if change.to == version}
        if known and digest not in known:
            raise ModelError(
                f"{folder} is not as it was promoted; go back with holos rollback, or promote another version"
            )
        return Stored(version, folder, digest, _base(folder))

    def previous(self) -> str | None:
        """What a rollback goes back to, None for the model that ships; NothingEarlier where that is in use."""
        stack = champions(self.lineage())
        if not stack:
            raise NothingEarlier(f"the model that ships is in use, and {self.folder} knows no model before it")
        return stack[-2] if len(stack) > 1 else None

    def add(self, source: Path, digest: str | None = None) -> Stored:
        """Copies a model folder into the registry, whole or not at all; one of the same content is left as it is.

        ModelError where it is not, or no more, the model with this `digest`.
        """
        from nlp.folder import load_model

        version = load_model(source).version  # a folder that is no whole model is refused here
        if not _VERSION.fullmatch(version):
            raise ModelError(f"{source}: version {version!r} has other signs than A-Z a-z 0-9 . _ - or over 63 of them")
        with self._locked():
            folder = self.path(version)
            if digest is not None and digest_of(source) != digest:
                raise ModelError(f"{source} was changed while it was compared; promote it again")
            if not folder.is_dir():
                _clean(folder.parent)
                _copy(source, folder)
            elif digest_of(folder) != digest_of(source):
                raise ModelError(
                    f"{self.folder} has another model of version {version}; train it again, or change `version` in "
                    f"{source / 'model.json'}"
                )
        return Stored(version, folder, digest_of(folder), _base(folder))

    def promote(
        self,
        version: str,
        gate: Gate,
        *,
        by: str,
        forced: bool = False,
        note: str | None = None,
        over: str | Literal[False] | None = False,
    ) -> Champion:
        """Makes a version of the registry the champion; ModelError if `over`, where given, is champion no more."""
        with self._locked():
            stored = self.stored(version)
            now = self.champion()
            before = now.version if now else None
            if over is not False and over != before:
                raise ModelError(f"{before or 'another model'} became champion meanwhile; promote again to compare")
            change = Change(0, "", "promotion", before, version, stored.digest, stored.base, by, forced, note, gate)
            return self._point(change, now)

    def rollback(self, *, by: str, note: str | None = None) -> Champion:
        """Goes back to the champion before; ModelError where there is none."""
        with self._locked():
            now, target = self.champion(), self.previous()
            stored = self.stored(target) if target else None
            before = now.version if now else None
            digest, base = (stored.digest, stored.base) if stored else (None, None)
            return self._point(Change(0, "", "rollback", before, target, digest, base, by, note=note), now)

    def _point(self, change: Change, now: Champion | None) -> Champion:
        past = self._lineage(now)
        number = max((each.number for each in past), default=0) + 1
        at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        change = replace(change, number=number, at=at)
        stack = champions([*past, change])
        previous = stack[-2] if len(stack) > 1 else None
        champion = Champion(change.to, change.digest, at, previous, change.forced, change.by, change)
        self._tell(past)  # of a change that was killed after its pointer
        replace_file(self.folder / POINTER, json.dumps(champion.to_dict(), ensure_ascii=False, indent=1) + "\n")
        self._tell([*past, change])
        return champion

    def _lineage(self, champion: Champion | None) -> list[Change]:
        changes = self._told()
        if champion and champion.change.number not in {change.number for change in changes}:
            changes.append(champion.change)
        return changes

    def _told(self) -> list[Change]:
        """The lines of the history; one that a killed process left unfinished is passed over."""
        changes = []
        try:
            lines = (self.folder / HISTORY).read_text("utf-8", "replace").splitlines()
        except OSError:
            return []
        for line in lines:
            try:
                changes.append(Change.from_dict(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
        return changes

    def _tell(self, changes: Sequence[Change]) -> None:
        """Appends what the history does not have yet."""
        told = {change.number for change in self._told()}
        new = [json.dumps(each.to_dict(), ensure_ascii=False) + "\n" for each in changes if each.number not in told]
        if not new:
            return
        with (self.folder / HISTORY).open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                torn = file.read(1) != b"\n"
                new = ["\n", *new] if torn else new
            file.write("".join(new).encode("utf-8"))
            sync(file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        import fcntl  # POSIX alone; reading the registry needs none of it

        try:
            (self.folder / VERSIONS).mkdir(parents=True, exist_ok=True)
            file = (self.folder / LOCK).open("ab")
        except OSError as error:
            raise InputError(
                f"{self.folder} cannot be written ({error.strerror}); set HOLOS_MODELS_DIR to a folder of yours"
            ) from None
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def digest_of(folder: Path) -> str:
    """SHA-256 over the names and contents of what a model is made of, in hex."""
    total = hashlib.sha256()
    for path in _parts(folder):
        total.update(f"{path.name} {path.stat().st_size}\n".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def copy_parts(source: Path, target: Path) -> None:
    """Copies what a model is made of, contents and not links."""
    for path in _parts(source):
        shutil.copyfile(path, target / path.name)


def _parts(folder: Path) -> list[Path]:
    return sorted({path for pattern in PARTS for path in folder.glob(pattern) if path.is_file()})


def _base(folder: Path) -> str | None:
    """The version that a model was trained from, as it says itself."""
    try:
        training = json.loads((folder / "model.json").read_text("utf-8")).get("training") or {}
    except (OSError, ValueError):
        return None
    base = training.get("base")
    return base if isinstance(base, str) else None


def _clean(folder: Path) -> None:
    """Removes what a killed process left of a copy."""
    for left in folder.glob(f"{FRESH}*"):
        shutil.rmtree(left, ignore_errors=True)


def _copy(source: Path, folder: Path) -> None:
    fresh = Path(tempfile.mkdtemp(prefix=FRESH, dir=folder.parent))
    try:
        copy_parts(source, fresh)
        fresh.chmod(0o755)  # temporary folders are made for their owner alone
        for path in fresh.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        fresh.rename(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
