#!/usr/bin/env python3
"""Reads a folder of captured requests for COPY, and tells what expected.json says of them.

payloads.py rows FOLDER       file, scenario and body of each request, as COPY text with a bytea
payloads.py expected FOLDER   the rows that the folder makes: `kind<TAB>name<TAB>number` lines
payloads.py captured FOLDER   the day of the oldest request

A request is a JSON object with "scenario" and "body"; see examples/payloads.
"""

import collections
import json
import pathlib
import sys


def requests(folder):
    """Every Sentry request of the folder, which may keep them in a folder of their own."""
    sentry = folder / "sentry"
    for path in sorted((sentry if sentry.is_dir() else folder).glob("*.json")):
        if path.name == "expected.json":
            continue
        request = json.loads(path.read_text(encoding="utf-8"))
        client = path.name.split("-")[0] + "/" if sentry.is_dir() else ""
        yield path.name, client + request["scenario"], request["body"]


def print_rows(folder):
    for name, scenario, body in requests(folder):
        print(name, scenario, "\\\\x" + body.encode("utf-8", "surrogatepass").hex(), sep="\t")


def session_rows(aggregates):
    """One row for each outcome that a group of sessions counts."""
    statuses = ("exited", "errored", "crashed", "abnormal", "unhandled")
    return sum(1 for group in aggregates for status in statuses if group.get(status, 0) > 0)


def rows_of(item):
    """What one item of an envelope becomes: pairs of event type and number."""
    kind = item["type"]
    if kind == "transaction":
        return [("transaction", 1), ("span", item.get("child_spans", 0))]
    numbers = {
        "event": lambda: ("error", 1),
        "span": lambda: ("span", item["spans"]),
        "sessions": lambda: ("session", session_rows(item["aggregates"])),
        "log": lambda: ("log", len(item["logs"])),
        "trace_metric": lambda: ("metric", len(item["metrics"])),
        "client_report": lambda: ("client_report", len(item["discarded_events"])),
    }
    return [numbers.get(kind, lambda: (kind, 1))()]


def print_expected(folder, expected):
    names = {name for name, _, _ in requests(folder)}
    rows = collections.Counter()
    for payload in expected["payloads"]:
        if payload["file"].split("/")[-1] not in names:
            continue
        rows["rejected"] += payload.get("rejected", 0)
        for item in payload["items"]:
            for kind, number in rows_of(item):
                rows[kind] += number
    for kind in sorted(rows):
        print("rows", kind, rows[kind], sep="\t")
    scenarios = {scenario for _, scenario, _ in requests(folder)}
    for scenario, facts in sorted(expected["scenarios"].items()):
        groups = facts.get("expected", {}).get("groups")
        if scenario in scenarios and groups is not None:
            print("groups", scenario, groups, sep="\t")


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("rows", "expected", "captured"):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[2])
    if sys.argv[1] == "rows":
        return print_rows(folder)
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    if sys.argv[1] == "captured":
        return print(expected["captured"])
    return print_expected(folder, expected)


if __name__ == "__main__":
    main()
