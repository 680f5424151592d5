"""The instructor's commands, as make calls them: python -m coursebuild build|lab|publish|new-lecture|new-homework."""

import argparse
import sys
from pathlib import Path

from coursebuild import settings as course_settings
from coursebuild.text import SourceError


def run_build(settings, args) -> int:
    from coursebuild import build, style

    if args.check:
        stale = build.differences(settings)
        for path in stale:
            print(f"{path.relative_to(settings.root)} differs from its source: run `make build`", file=sys.stderr)
        style.check(settings)
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
    style.check(settings)  # last, so that an author sees the notebook while it still has an unused import
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


def run_new(settings, args) -> int:
    from coursebuild import new

    kind = args.command.removeprefix("new-")
    form = {"lecture": "31_graph_networks", "homework": "hw2_convolutions"}[kind]
    if len(args.name) != 1:
        print(f"Name one {kind}: make new-{kind} {form}", file=sys.stderr)
        return 2
    try:
        written = {"lecture": new.lecture, "homework": new.homework}[kind](settings, args.name[0])
    except new.NameRefusedError as error:
        print(error, file=sys.stderr)
        return 1
    for path in written:
        print(f"wrote   {path.relative_to(settings.root)}")
    what = args.name[0].split("_")[0]
    print(
        f"It builds and passes its tests as it is: make build, then make test TEST_ARGS='-k {what}'. Then change it, a part at a time."
    )
    return 0


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="coursebuild", description="Build, check and publish the course.")
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build", help="make the notebooks and the week table")
    building.add_argument("--check", action="store_true", help="write nothing; fail if a committed file differs")
    commands.add_parser("lab", help="start JupyterLab; all words after 'lab' go to it")
    for kind, form in (("lecture", "31_graph_networks"), ("homework", "hw2_convolutions")):
        making = commands.add_parser(f"new-{kind}", help=f"write a {kind} that builds and passes its tests, to be changed")
        making.add_argument("name", nargs="*", help=f"such as {form}")
    publishing = commands.add_parser("publish", help="write the public repository")
    publishing.add_argument("dest", nargs="?", help="its folder: empty, missing, or a clean clone")
    try:
        settings = course_settings.load()
        if argv[:1] == ["lab"]:
            from coursebuild import lab

            lab.start(settings, argv[1:])
        args = parser.parse_args(argv)
        run = {"build": run_build, "publish": run_publish, "new-lecture": run_new, "new-homework": run_new}
        return run[args.command](settings, args)
    except (SourceError, ValueError) as error:  # SourceError names file and line, ValueError the setting
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
