#!/usr/bin/env python3
"""Frames of captured stack traces: those of the folder VIGIL_STACKS (default ../shared/data/stacks beside the clone),
files *.jsonl as its README tells. Prints TAP with the share of right frames of each engine; PG* tells which server."""
import collections
import glob
import json
import os
import subprocess
import sys
import urllib.parse

DATABASE = "vigil_stacks"
JAVASCRIPT = {"v8", "v8-node", "spidermonkey", "jsc", "react-native", "hermes", "chakra", "opera"}
NAMELESS = {"", "?", "<anonymous>", "<unknown>", "anonymous function", "global code", "eval code", "eval", "<module>", "<main>"}
PLACELESS = {"", "native", "(native)", "[native code]", "<anonymous>", "eval code"}


def function_of(name):
    if name is None:
        return None
    for prefix in ("async ", "async*", "new "):
        name = name.removeprefix(prefix)
    if name.endswith("]") and " [as " in name:
        name = name[: name.index(" [as ")]
    while name.endswith("/<"):
        name = name[:-2]
    name = name.removesuffix("()")
    return None if name.lower() in NAMELESS or name.endswith(".<anonymous>") else name


def file_of(file):
    if file is None or file in PLACELESS or file.startswith("index "):
        return None
    return urllib.parse.unquote(file).removeprefix("file://")


READ = {"function": function_of, "file": file_of, "line": lambda v: v, "column": lambda v: v}


def is_placed(frame):
    return file_of(frame.get("file")) is not None or frame.get("line") is not None


def is_right(expected, got):
    return all(READ[key](expected[key]) == READ[key](got[key]) for key in READ if key in expected)


def right_frames(expected, got):
    """The length of the longest common subsequence."""
    table = [[0] * (len(got) + 1) for _ in range(len(expected) + 1)]
    for i, want in enumerate(expected):
        for j, have in enumerate(got):
            table[i + 1][j + 1] = table[i][j] + 1 if is_right(want, have) else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def psql(*arguments, database=DATABASE, text=None):
    return subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", database, *arguments],
                          input=text, stdout=subprocess.PIPE, text=True, check=True).stdout


def parsed(cases):
    """The frames that the extension reads, of all cases in one query."""
    document = json.dumps([[case["stack"], case["name"], case["message"]] for case in cases])
    quoted = "$vigil_cases$" + document + "$vigil_cases$"
    query = f"""
        SELECT coalesce(json_agg(f ORDER BY ordinal) FILTER (WHERE ordinal IS NOT NULL), '[]')
        FROM jsonb_array_elements({quoted}::jsonb) WITH ORDINALITY AS c (item, n)
        LEFT JOIN LATERAL vigil.parse_stack(item ->> 0, item ->> 1, item ->> 2) AS f ON true GROUP BY n ORDER BY n"""
    return [json.loads(line.replace("\n", "")) for line in psql("-R", "\x1e", text=query).split("\x1e") if line.strip()]


def main():
    source = os.path.dirname(os.path.abspath(__file__)) + "/../.."
    folder = os.environ.get("VIGIL_STACKS", source + "/../shared/data/stacks")
    files = sorted(glob.glob(folder + "/*.jsonl"))
    if not files:
        print("ok 1 - captured stacks # SKIP VIGIL_STACKS names no folder\n1..1")
        return 0
    cases = []
    for file in files:
        with open(file, encoding="utf-8") as lines:
            cases += [json.loads(line) for line in lines if line.strip()]
    subprocess.run(["dropdb", "--if-exists", "--force", DATABASE], check=True, stderr=subprocess.DEVNULL)
    subprocess.run(["createdb", DATABASE], check=True)
    try:
        psql("-c", os.environ.get("VIGIL_STACKS_SETUP", "CREATE EXTENSION pg_vigil"))
        answers = parsed(cases)
    finally:
        subprocess.run(["dropdb", "--if-exists", "--force", DATABASE], check=True)
    right, whole = collections.Counter(), collections.Counter()
    for case, answer in zip(cases, answers, strict=True):
        expected = [frame for frame in case["frames"] if is_placed(frame)]
        got = [frame for frame in answer if is_placed(frame)]
        found, most = right_frames(expected, got), max(len(expected), len(got))
        group = "JavaScript" if case["engine"] in JAVASCRIPT else "other languages"
        for key in (case["engine"], group, "all"):
            right[key] += found
            whole[key] += most
        if found < most:
            print(f"# {case['id']}: {found} of {most}")
    for key in sorted(whole):
        print(f"# {key}: {100 * right[key] / max(whole[key], 1):.1f} % of {whole[key]} frames")
    failures = 0
    for number, (key, least) in enumerate((("JavaScript", 0.99), ("all", 0.95)), start=1):
        good = right[key] >= least * whole[key]
        failures += not good
        print(f"{'ok' if good else 'not ok'} {number} - captured stacks: {least:.0%} of the frames right, {key}")
    print("1..2")
    return 1 if failures else 0


sys.exit(main())
