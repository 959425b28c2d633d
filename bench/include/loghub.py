#!/usr/bin/env python3
"""Prints the labelled log lines of the folder VIGIL_LOGHUB (default ../shared/data/loghub beside the clone) as CSV: data
set, line, true group. Prints nothing where there is no such folder."""
import csv
import glob
import os
import sys

folder = os.environ.get("VIGIL_LOGHUB", "../shared/data/loghub")
out = csv.writer(sys.stdout)
for path in sorted(glob.glob(os.path.join(folder, "*_structured.csv"))):
    name = os.path.basename(path).split("_")[0]
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            out.writerow([name, row["Content"], row["EventId"]])
