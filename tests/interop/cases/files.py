"""The shipped files, judged by the tools that will read them."""

import glob
import json
import os
import re
import shutil

from world import Failed, Skip, expect, run


def bare(case):
    """Needs no world: `case(options)`."""
    case.bare = True
    return case


@bare
def case_prometheus_rules(options):
    if not shutil.which("promtool"):
        raise Skip("promtool is not installed")
    folder = os.path.join(options.root, "rules/prometheus")
    run("promtool", "check", "rules", os.path.join(folder, "sbc.rules.yml"))
    run("promtool", "test", "rules", os.path.join(folder, "sbc.test.yml"), cwd=folder)


@bare
def case_grafana_dashboard(options):
    for path in glob.glob(os.path.join(options.root, "rules/grafana/*.json")):
        with open(path) as f:
            board = json.load(f)
        expect(board.get("panels"), f"{path} has no panels")


@bare
def case_systemd_unit_is_hardened(options):
    if not shutil.which("systemd-analyze"):
        raise Skip("systemd-analyze is not installed")
    for unit in glob.glob(os.path.join(options.root, "systemd/*.service")):
        done = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit, ok=None)
        score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
        expect(score, f"{unit}: {done.stdout[-300:]}{done.stderr[-300:]}")
        expect(float(score[1]) <= 2.0, f"{unit}: exposure {score[1]}, at most 2.0")


@bare
def case_shipped_configurations_pass_the_check(options):
    work = options.dir
    for path in [os.path.join(options.root, "sbc.toml"), *sorted(glob.glob(os.path.join(options.root, "rules/routes/*.toml")))]:
        copy = os.path.join(work, os.path.basename(path))
        shutil.copy(path, copy)
        os.chmod(copy, 0o600)
        with open(copy) as f:
            for secret in re.findall(r'_file\s*=\s*"([^"]+)"', f.read()):
                secret = os.path.join(work, secret)
                with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
                    out.write("correct-horse-battery\n")
        done = run(options.sbc, "check", "-c", copy, ok=None)
        expect(done.returncode == 0, f"{path}: exit {done.returncode}: {(done.stdout + done.stderr)[-500:]}")


@bare
def case_every_problem_of_a_configuration_at_once(options):
    path = os.path.join(options.dir, "bad.toml")
    with open(path, "w") as f:
        f.write('[node]\nnmae = "x"\n[sip]\nt1 = "soon"\n[realm.a]\nlisten = ["sctp://1.2.3.4:5060"]\nleg = "fax"\n[[route]]\nto = ["nowhere"]\n')
    done = run(options.sbc, "check", "-c", path, ok=None)
    text = done.stdout + done.stderr
    expect(done.returncode == 64, f"exit {done.returncode}: {text}")
    for word in ("nmae", "t1", "sctp", "fax", "nowhere"):
        expect(word in text, f"{word!r} is not among the problems: {text}")
    if "panicked" in text:
        raise Failed(text)
