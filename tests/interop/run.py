#!/usr/bin/env python3
"""Runs the interop cases: real clients against the built binary, each case in network namespaces of its own.

    tests/interop/run.py [--only TEXT] [--sbc PATH] [--work DIR] [--list] [--no-sbc] [--keep]

A case is a function `case_*(world)` in `cases/`. Exit 0 if none failed. The last line is `N passed, N failed`.
"""

import argparse
import importlib
import os
import shutil
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import world as worlds  # noqa: E402
from world import Failed, Skip, World  # noqa: E402

MODULES = ["harness", "services", "calls", "failures", "dtmf", "sipp_cases", "border", "records", "files"]


def cases(extra):
    for module in [extra] if extra else MODULES:
        if not os.path.exists(os.path.join(HERE, "cases", f"{module}.py")):
            continue
        loaded = importlib.import_module(f"cases.{module}")
        for name, value in list(vars(loaded).items()):
            if name.startswith("case_") and callable(value):
                yield f"{module}.{name[5:]}", value


def one(name, case, options):
    directory = os.path.join(options.work, name)
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    if getattr(case, "bare", False):
        options.dir = directory
        return case(options)
    world = World(directory, options)
    try:
        return case(world)
    finally:
        world.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(HERE, "..", "..", "target")
    parser.add_argument("--only", action="append", default=[], help="run cases whose name holds this text; may be repeated")
    parser.add_argument("--sbc", default=os.path.join(target, "debug", "sbc"))
    parser.add_argument("--work", default=os.path.join(target, "interop"))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--no-sbc", action="store_true", help="only the cases that prove the harness itself")
    parser.add_argument("--keep", action="store_true", help="keep the folders of cases that passed")
    parser.add_argument("--require", action="store_true", help="a case that cannot run here has failed")
    parser.add_argument("--extra", choices=["soak", "load"], help="the long cases of one kind, and nothing else")
    options = parser.parse_args()
    options.sbc, options.work = os.path.abspath(options.sbc), os.path.abspath(options.work)
    options.root = os.path.abspath(os.path.join(HERE, "..", ".."))
    chosen = [(n, c) for n, c in cases(options.extra) if (not options.only or any(t in n for t in options.only))]
    if options.no_sbc:
        chosen = [(n, c) for n, c in chosen if n.startswith("harness.")]
    if options.list:
        print("\n".join(n for n, _ in chosen))
        return 0
    worlds.sweep()
    missing = worlds.namespaces_work()
    passed = failed = skipped = 0
    begun = time.monotonic()
    for name, case in chosen:
        start = time.monotonic()
        print(f"interop {name} ... ", end="", flush=True)
        try:
            if missing and not getattr(case, "bare", False):
                raise Skip(f"no network namespaces here: {missing}")
            one(name, case, options)
            verdict = "ok"
            passed += 1
            if not options.keep:
                shutil.rmtree(os.path.join(options.work, name), ignore_errors=True)
        except Skip as why:
            skipped += 1
            verdict = f"skipped: {why}"
        except Failed as why:
            failed += 1
            verdict = f"FAILED: {why}\n    logs: {os.path.join(options.work, name)}"
        except Exception:
            failed += 1
            verdict = f"FAILED\n{traceback.format_exc()}\n    logs: {os.path.join(options.work, name)}"
        print(f"{verdict} ({time.monotonic() - start:.1f} s)", flush=True)
    if skipped and options.require:
        failed, skipped = failed + skipped, 0
    print(f"interop: {time.monotonic() - begun:.0f} s")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed and not skipped else 0


if __name__ == "__main__":
    sys.exit(main())
