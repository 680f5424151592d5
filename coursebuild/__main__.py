"""The instructor's commands, as make calls them: python -m coursebuild build|check|lab|publish."""

import argparse
import sys
from pathlib import Path

from coursebuild import settings as course_settings
from coursebuild.text import SourceError


def run_build(settings, args) -> int:
    from coursebuild import build

    if args.check:
        stale = build.differences(settings)
        for path in stale:
            print(f"{path.relative_to(settings.root)} differs from its source: run `make build`", file=sys.stderr)
        return 1 if stale else 0
    report = build.build(settings)
    for path in report.written:
        print(f"wrote   {path.relative_to(settings.root)}")
    for path in report.removed:
        print(f"removed {path.relative_to(settings.root)}: it has no source")
    for path, kept in report.kept_aside:
        print(f"kept    {path.name} had been edited by hand; that version is now {kept.relative_to(settings.root)}")
    if not report.changed:
        print("Everything is up to date.")
    return 0


def run_publish(settings, args) -> int:
    from coursebuild import publish

    if not args.dest:
        print("Name the folder of the public repository: make publish DEST=../public-course", file=sys.stderr)
        return 2
    try:
        publish.require_git()
        print(publish.publish(settings, Path(args.dest)))
    except publish.PublishError as error:
        print(error, file=sys.stderr)
        return 1
    if settings.is_placeholder:
        print(
            "Note: public_url in pyproject.toml is still the placeholder, so badges and the notebooks' first cells point "
            "nowhere. Set it, run `make build`, commit, and publish again."
        )
    return 0


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="coursebuild", description="Build, check and publish the course.")
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build", help="make the notebooks and the week table")
    building.add_argument("--check", action="store_true", help="write nothing; fail if a committed file differs")
    commands.add_parser("lab", help="start JupyterLab; all words after 'lab' go to it")
    publishing = commands.add_parser("publish", help="write the public repository")
    publishing.add_argument("dest", nargs="?", help="its folder: empty, missing, or a clean clone")
    try:
        settings = course_settings.load()
        if argv[:1] == ["lab"]:
            from coursebuild import lab

            lab.start(settings, argv[1:])
        args = parser.parse_args(argv)
        return {"build": run_build, "publish": run_publish}[args.command](settings, args)
    except (SourceError, ValueError) as error:  # SourceError names file and line, ValueError the setting
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
