"""A class of forty that hands in homework 1: as students do, and as attackers do, with the score that each must get.

    python -m tests.sample_class

makes the files, grades them by the command line, and compares every score with the roll's.

roll.py says who handed in what, and what it must get. making.py makes a submission of the release and of answers.
grading.py writes the files, grades them and compares.
"""
