"""The package's long description, and its addresses: a hook of the build, which pyproject.toml names.

Links of README.md are relative: right in a checkout, and dead where a package index shows them. Whoever builds a
release says in `TWINWIRE_REPOSITORY` where it can be looked at, such as https://git.example/twinwire/twinwire. Then
links and the picture lead there, to the tag of the version, and the addresses are in the package's metadata. In any
other build, as of a checkout that somebody installs, nothing is left that leads nowhere: of a link its text is.
"""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from hatchling.metadata.plugin.interface import MetadataHookInterface

VARIABLE = "TWINWIRE_REPOSITORY"
PLACES = {"Documentation": "docs", "Changelog": "CHANGELOG.md", "Security": "SECURITY.md"}
"""By the words of the index: what of the repository."""

_FENCED = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")


def description(text: str, repository: str | None, tag: str) -> str:
    """README.md as it is shown elsewhere; code stays as it is."""

    def link(found: re.Match[str]) -> str:
        picture, words, target = found["picture"], found["text"], found["target"]
        if urlsplit(target).scheme:
            return found[0]
        if repository is None or target.startswith("#"):
            return "" if picture else words
        return f"{picture}[{words}]({repository}/{'raw' if picture else 'blob'}/{tag}/{target})"

    parts = _FENCED.split(text)
    return "".join(part if number % 2 else _LINK.sub(link, part) for number, part in enumerate(parts))


def checked(repository: str) -> str:
    """Without a slash at its end. Raises ValueError for what is no address."""
    parts = urlsplit(repository)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or "@" in repository:
        raise ValueError(f"{VARIABLE} is no https URL of a repository")
    return repository.rstrip("/")


class Description(MetadataHookInterface):  # type: ignore[misc]
    """Gives `readme` and, in a release, `urls`."""

    def update(self, metadata: dict[str, object]) -> None:
        given = os.environ.get(VARIABLE)
        repository = checked(given) if given else None
        tag = f"v{metadata['version']}"
        text = Path(self.root, "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": description(text, repository, tag)}
        if repository is not None:
            places = {name: f"{repository}/blob/{tag}/{place}" for name, place in PLACES.items()}
            metadata["urls"] = {"Source": repository, **places}
