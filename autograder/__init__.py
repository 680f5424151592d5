"""The grading engine: student notebooks run contained, hidden tests stay outside. Linux only."""
