import os
import sys

from tests.sample_class.grading import main

sys.exit(main(jobs=len(os.sched_getaffinity(0)) + 1))  # one more than cores: some only sleep
