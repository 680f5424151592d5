import sys

from tests.homework.table import main

sys.exit(main(sys.argv[1:]))
