"""Answers to homework {{number}}. What is particular to marking them would stand here: see tests/homework/particulars.py."""
