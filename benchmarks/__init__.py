"""Measurements, as ratios within one run where there is something to compare with. `make bench` runs them all."""
