#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the test suites and counts over all of them. The last line is `N passed, N failed, N skipped`.

A suite is a function that takes a Report and adds to it. A suite that cannot be built or started counts as one
failure, so that nothing is green by not running.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"


class Report:
    """Counts of one suite, and what a reader needs of its failures and skips."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self.notes = []

    def fail(self, what):
        self.failed += 1
        self.notes.append(f"FAILED {what}")

    def skip(self, what, why):
        self.skipped += 1
        self.notes.append(f"SKIPPED {what}: {why}")


def build(flavour, report, *targets):
    """True when it was built; the output is shown only when it was not."""
    done = subprocess.run([ROOT / "tests/support/build.sh", flavour, *targets], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout[-8000:])
        report.fail(f"building {flavour}")
    return done.returncode == 0


def run_as_user(command, **kwargs):
    """Pure tests run without root, as they promise, unless only root can reach the build folder."""
    drop = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    if os.geteuid() == 0 and subprocess.run([*drop, "test", "-x", command[0]], check=False).returncode == 0:
        command = [*drop, *map(str, command)]
    return subprocess.run(command, check=False, **kwargs)


def gtest_suite(suite):
    def run(report):
        if not build("check", report):
            return
        listed = json.loads(subprocess.run(["meson", "introspect", "--tests", BUILD / "check"], stdout=subprocess.PIPE,
                                           check=True).stdout)
        programs = [t for t in listed if any(s.endswith(":" + suite) for s in t["suite"])]
        if not programs:
            report.fail(f"{suite}: no test program found")
        for test in programs:
            if test["protocol"] == "gtest":
                run_gtest(test["cmd"], report)
            else:
                run_plain(test["name"], test["cmd"], report)
    return run


def count_status(name, done, report):
    """One test, which passed with exit status 0; the output is shown only when it did not."""
    if done.returncode == 0:
        report.passed += 1
    else:
        print(done.stdout[-4000:])
        report.fail(f"{name}: exit status {done.returncode}")


def run_plain(name, command, report):
    count_status(name, run_as_user(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                   timeout=120), report)


def run_gtest(command, report):
    name = Path(command[0]).name
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        out = Path(folder) / "out.json"
        try:
            done = run_as_user([*command, f"--gtest_output=json:{out}"], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace", timeout=600, cwd=folder)
            output, status = done.stdout, done.returncode
        except subprocess.TimeoutExpired as late:
            output, status = (late.stdout or b"").decode(errors="replace"), "over 600 s"
        result = json.loads(out.read_text()) if out.exists() else None
    failed_before = report.failed
    if result is not None:
        for group in result["testsuites"]:
            for test in group["testsuite"]:
                full = f"{name}: {group['name']}.{test['name']}"
                if test.get("failures"):
                    report.fail(full)
                elif test.get("result") == "SKIPPED":
                    report.skip(full, "by the test")
                else:
                    report.passed += 1
    if status != 0 and report.failed == failed_before:  # died, leaked or hung: no failed test tells of it
        report.fail(f"{name}: exit status {status}")
    if status != 0:
        print(output[-6000:])


def count_junit(path, report):
    for case in ET.parse(path).getroot().iter("testcase"):
        full = f"{case.get('classname')}.{case.get('name')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            report.fail(full)
        elif skipped is not None:
            report.skip(full, skipped.get("message", "").strip())
        else:
            report.passed += 1


FINAL = re.compile(r"ended with status|Sanitizer|runtime error:")  # what a program of ours died of is no matter of luck


def second_try_allowed(path):
    """One test or two that failed by what they assert, not in their set-up or by a program's death: a stalled machine may do that."""
    cases = list(ET.parse(path).getroot().iter("testcase"))
    failures = [f for f in (case.find("failure") for case in cases) if f is not None]
    return (1 <= len(failures) <= 2 and all(case.find("error") is None for case in cases)
            and not any(FINAL.search(f"{f.get('message')}{f.text}") for f in failures))


def run_pytest(folder, arguments, out, env):
    return subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "-ra", "--tb=short", "--timeout=300",
                           f"--override-ini=cache_dir={out.parent / 'cache'}", f"--junit-xml={out}", *arguments, ROOT / folder],
                          env=env, cwd=ROOT, check=False).returncode


def pytest_suite(folder, flavour=None, environment=None, arguments=()):
    """Real programs and kernels on a busy machine: what failed is tried once more, by itself, and named if it passes then."""
    def run(report):
        if flavour and not build(flavour, report):
            return
        with tempfile.TemporaryDirectory() as scratch:
            out, again = Path(scratch) / "junit.xml", Path(scratch) / "again.xml"
            env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", **(environment or {}))
            status = run_pytest(folder, arguments, out, env)
            if out.exists():
                count_junit(out, report)
            if status != 0 and report.failed == 0:
                report.fail(f"{folder}: pytest ended with status {status}")
            elif report.failed and second_try_allowed(out):
                print("-- once more", flush=True)
                if run_pytest(folder, (*arguments, "--last-failed"), again, env) == 0:
                    count_unsteady(again, report)
    return run


def count_unsteady(path, report):
    """They passed the second time: counted as passed, and named."""
    second = Report()
    count_junit(path, second)
    if second.passed == report.failed:
        report.passed += report.failed
        report.failed = 0
        report.notes = [re.sub("^FAILED", "UNSTEADY, passed the second time:", n) for n in report.notes]


def fuzz_suite(report):
    """A short run of each target on its kept corpus; hours belong to tests/soak.sh."""
    if not build("fuzz", report, "fuzzers"):
        return
    seconds = int(os.environ.get("SLUICE_FUZZ_SECONDS", "20"))
    targets = sorted(p for p in (BUILD / "fuzz/tests/fuzz").glob("fuzz_*") if p.is_file())
    if not targets:
        report.fail("fuzz: no target found")
    for target in targets:
        corpus = ROOT / "tests/fuzz/corpus" / target.name.removeprefix("fuzz_")
        with tempfile.TemporaryDirectory() as scratch:
            os.chmod(scratch, 0o777)
            found = Path(scratch) / "found"
            found.mkdir(mode=0o777)
            os.chmod(found, 0o777)
            folders = [str(found)] + ([str(corpus)] if corpus.is_dir() else [])
            done = run_as_user([target, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=4096",
                                "-print_final_stats=0", *folders], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", cwd=scratch)
            if done.returncode == 0:
                report.passed += 1
            else:
                for artefact in Path(scratch).glob("crash-*"):
                    print(f"{target.name}: input (hex): {artefact.read_bytes().hex()}")
                print(done.stdout[-4000:])
                report.fail(target.name)


def kernel_script(script, *arguments):
    return subprocess.run(["/usr/bin/python3", ROOT / "tests/packet/kernel" / script, *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=600, check=False)


def kernel_suite(report):
    """Our TCP against the kernel's: unittest, the traces, then goodput over an emulated link."""
    if not build("check", report, "tests/packet/tcp_echo", "tests/support/link/link"):
        return
    echo = BUILD / "check/tests/packet/tcp_echo"
    done = kernel_script("kernel_test.py", echo)
    ran = re.search(r"^Ran (\d+) tests", done.stdout, re.M)
    bad = re.findall(r"^(?:FAIL|ERROR): (\w+)", done.stdout, re.M)
    for name in bad:
        report.fail(f"kernel_test.{name}")
    report.passed += int(ran[1]) - len(bad) if ran else 0
    if done.returncode != 0:
        print(done.stdout[-6000:])
    if not ran or (done.returncode != 0 and not bad):
        report.fail(f"kernel_test: exit status {done.returncode}")
    oracle = kernel_script("oracle.py", ROOT / "tests/packet/traces", ROOT / "docs/tcp.md")
    if oracle.returncode == 77:
        report.skip("traces against the kernel", oracle.stdout.strip())
    else:
        count_status("traces against the kernel", oracle, report)
    goodput = kernel_script("goodput.py", echo, BUILD / "check/tests/support/link/link", "--quick")
    count_status("goodput over an emulated link", goodput, report)


def kubernetes_suite(report):
    """sluice-ingress between a real kube-apiserver, which is built first where it is not cached, and real appliances."""
    deps = subprocess.run([ROOT / "tests/support/deps.sh", "kubernetes"], check=False)
    built = deps.returncode == 0 and subprocess.run(["nice", ROOT / "tests/kubernetes/apiserver.sh"], check=False).returncode == 0
    if not built:
        report.fail("kubernetes: no API server")
    elif build("release", report, "mgmt/daemon/sluiced", "mgmt/ingress/sluice-ingress"):
        pytest_suite("tests/kubernetes")(report)


SUITES = {
    "lint": pytest_suite("tests/lint"),
    "unit": gtest_suite("unit"),
    "packet": gtest_suite("packet"),
    "kernel": kernel_suite,
    "fuzz": fuzz_suite,
    "e2e": pytest_suite("tests/e2e", flavour="release"),
    "vm": pytest_suite("tests/vm", flavour="release"),
    "pktgen": pytest_suite("tests/pktgen", flavour="release"),
    "sanitizer": pytest_suite("tests/e2e", flavour="check", environment={"SLUICE_BUILD": "check"},
                              arguments=("-m", "sanitizer")),
    "kubernetes": kubernetes_suite,
}


def main(arguments):
    if arguments == ["--list"]:
        print("\n".join(SUITES))
        return 0
    unknown = [a for a in arguments if a not in SUITES]
    if unknown:
        print(f"unknown suite {unknown[0]!r}; there are: {', '.join(SUITES)}", file=sys.stderr)
        return 2
    totals = Report()
    for name in arguments or SUITES:
        start = time.monotonic()
        print(f"== {name}", flush=True)
        report = Report()
        try:
            SUITES[name](report)
        except Exception as error:  # a broken suite is a failed suite, and the others still run
            report.fail(f"{name}: {error!r}")
        for note in report.notes:
            print(f"  {note}")
        print(f"   {name}: {report.passed} ok, {report.failed} not ok, {report.skipped} left out, "
              f"{time.monotonic() - start:.0f} s", flush=True)
        totals.passed += report.passed
        totals.failed += report.failed
        totals.skipped += report.skipped
    print(f"{totals.passed} passed, {totals.failed} failed, {totals.skipped} skipped")
    return 1 if totals.failed or not totals.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
