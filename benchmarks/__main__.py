"""Run every benchmark, print the tables, and write build/bench.json."""

import json
import os
import platform
import sys

# BLAS threads that spin while they wait distort every other number on a small machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks import building, figures, grading, latency
from coursebuild import settings as course_settings

BENCHMARKS = {
    "building": building.measure,
    "figures": figures.measure,
    "grading": grading.measure,
    "latency": latency.measure,
}


def main() -> int:
    settings = course_settings.load()
    chosen = sys.argv[1:] or list(BENCHMARKS)
    results = {"machine": {"python": platform.python_version(), "cores": os.cpu_count(), "system": platform.platform()}}
    for name in chosen:
        if name not in BENCHMARKS:
            print(f"no benchmark {name!r}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
            return 2
        results[name] = BENCHMARKS[name](settings)
    out = settings.build / "bench.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(results, indent=1) + "\n")
    print(f"\nwritten: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
