"""Where things are, and the one address that the public release lives at."""

import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """Paths and addresses of one course.

    Attributes:
        root: the instructor's repository.
        public_url: address of the public repository, without a slash at its end.
        public_branch: the branch that students see.
        version: version of dlcourse, which the wheel's name holds.
    """

    root: Path
    public_url: str
    public_branch: str
    version: str

    @property
    def lectures(self) -> Path:
        return self.root / "lectures"

    @property
    def build(self) -> Path:
        return self.root / "build"

    @property
    def wheel_name(self) -> str:
        return f"dlcourse-{self.version}-py3-none-any.whl"

    @property
    def wheel_url(self) -> str:
        return f"{self.public_url}/raw/{self.public_branch}/dist/{self.wheel_name}"

    @property
    def readme_url(self) -> str:
        return f"{self.public_url}/blob/{self.public_branch}/README.md"

    @property
    def is_placeholder(self) -> bool:
        return "your_organisation" in self.public_url

    def colab_url(self, path: str) -> str | None:
        """Where Colab opens a notebook of the public repository; None when that is not on GitHub."""
        match = re.fullmatch(r"https://github\.com/([^/]+/[^/]+)", self.public_url)
        return match and f"https://colab.research.google.com/github/{match.group(1)}/blob/{self.public_branch}/{path}"

    def at(self, public_url: str) -> "Settings":
        """The same course, published elsewhere."""
        return replace(self, public_url=public_url.rstrip("/"))


def load(root: Path = ROOT) -> Settings:
    """Read the settings of the repository at root.

    Raises:
        ValueError: [tool.coursebuild] public_url is missing or is no http(s) address.
    """
    table = tomllib.loads((root / "pyproject.toml").read_text()).get("tool", {}).get("coursebuild", {})
    url = str(table.get("public_url", "")).rstrip("/")
    if not re.fullmatch(r"https?://[^\s/]+(/\S+)?", url):
        raise ValueError(f"pyproject.toml: set [tool.coursebuild] public_url to the public repository's address, got {url!r}")
    version = tomllib.loads((root / "dlcourse" / "pyproject.toml").read_text())["project"]["version"]
    return Settings(root=root, public_url=url, public_branch=table.get("public_branch", "main"), version=version)
