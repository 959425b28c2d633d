#!/usr/bin/env python3
"""Frames of stack traces, in files *.jsonl: those of the folder stacks here, of which all must be right, and captured
ones of the folder VIGIL_STACKS (default ../shared/data/stacks beside the clone), as its README tells. Prints TAP with the
share of right frames of each engine; PG* tells which server.

A line is {id, engine, name, message, stack, frames: [{function, file, line, column}]}: a null is no value, a key that is
absent is not compared."""
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


def cases_of(folder):
    cases = []
    for file in sorted(glob.glob(folder + "/*.jsonl")):
        with open(file, encoding="utf-8") as lines:
            cases += [json.loads(line) for line in lines if line.strip()]
    return cases


def score(cases, answers, is_counted):
    """Right frames and all frames, by engine, by group of engines, and together."""
    right, whole = collections.Counter(), collections.Counter()
    for case, answer in zip(cases, answers, strict=True):
        expected = [frame for frame in case["frames"] if is_counted(frame)]
        got = [frame for frame in answer if is_counted(frame)]
        found, most = right_frames(expected, got), max(len(expected), len(got))
        group = "JavaScript" if case["engine"] in JAVASCRIPT else "other languages"
        for key in (case["engine"], group, "all"):
            right[key] += found
            whole[key] += most
        if found < most:
            print(f"# {case['id']}: {found} of {most}")
    for key in sorted(whole):
        print(f"# {key}: {100 * right[key] / max(whole[key], 1):.1f} % of {whole[key]} frames")
    return right, whole


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    own = cases_of(here + "/stacks")
    captured = cases_of(os.environ.get("VIGIL_STACKS", here + "/../../../shared/data/stacks"))
    subprocess.run(["dropdb", "--if-exists", "--force", DATABASE], check=True, stderr=subprocess.DEVNULL)
    subprocess.run(["createdb", DATABASE], check=True)
    try:
        psql("-c", os.environ.get("VIGIL_STACKS_SETUP", "CREATE EXTENSION pg_vigil"))
        answers = parsed(own + captured)
    finally:
        subprocess.run(["dropdb", "--if-exists", "--force", DATABASE], check=True)
    results = []
    right, whole = score(own, answers[: len(own)], lambda frame: True)
    results.append((own and right["all"] == whole["all"], "stacks of this project: all frames right"))
    if captured:
        right, whole = score(captured, answers[len(own) :], is_placed)
        for key, least in (("JavaScript", 0.99), ("all", 0.95)):
            results.append((right[key] >= least * whole[key], f"captured stacks: {least:.0%} of the frames right, {key}"))
    else:
        results.append((True, "captured stacks # SKIP VIGIL_STACKS names no folder"))
    for number, (good, what) in enumerate(results, start=1):
        print(f"{'ok' if good else 'not ok'} {number} - {what}")
    print(f"1..{len(results)}")
    return 0 if all(good for good, _ in results) else 1


sys.exit(main())
