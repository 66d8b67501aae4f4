# SPDX-License-Identifier: Apache-2.0
"""The benchmark runner itself: what it computes, what it writes, and that bad input never looks like a result."""
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "pktgen-scripts")]

from tests.support.lab import wait_for  # noqa: E402

from bench import distance, figures, l4, latency, machine, runner, sides  # noqa: E402

KEYS = {"name", "value", "unit", "peer", "peer_value", "ratio", "target", "ok", "spread", "command"}


def bench_sh(*arguments, env=None, cwd=None):
    return subprocess.run([ROOT / "pktgen-scripts/bench.sh", *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, timeout=280, env=env, cwd=cwd)


@pytest.fixture(autouse=True)
def apart(monkeypatch, tmp_path):
    """A lock of its own, so that a benchmark elsewhere on the machine is none of ours; and runner.main() takes SIGTERM."""
    lock = tmp_path / "lock"
    monkeypatch.setenv("SLUICE_BENCH_LOCK", str(lock))  # for bench.sh
    monkeypatch.setattr(machine, "LOCK", lock)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def fake(monkeypatch):
    """Registers a benchmark in place of all others, on a machine that is ready."""
    monkeypatch.setattr(runner, "BENCHMARKS", {})
    monkeypatch.setattr(runner, "prepare", lambda chosen, anyway: None)

    def register(function):
        function.__doc__ = "fake"
        runner.benchmark("fake")(function)
    return register


def test_the_ratio_is_the_median_over_rounds_and_the_spread_its_width():
    f = figures.compare("n", "u", [20, 30, 10], "p", [10, 10, 10], 2.0, command="c")
    assert (f.ratio, f.value, f.peer_value, f.ok) == (2.0, 20, 10, True)
    assert f.spread == pytest.approx((3.0 - 1.0) / 2.0)


def test_where_less_is_better_a_ratio_over_one_is_still_better():
    assert figures.compare("n", "us", [5.0], "p", [10.0], 1.5, less=True).ratio == 2.0
    assert figures.bound("n", "s", [1.0], 2.0).ok is True
    assert figures.bound("n", "s", [4.0], 2.0).ok is False


@pytest.mark.parametrize("own, others", [([], []), ([1], [1, 2]), ([0], [1]), ([1], [0])])
def test_missing_rounds_and_values_of_zero_are_no_result(own, others):
    with pytest.raises(figures.BenchError):
        figures.compare("n", "u", own, "p", others, 1.0)


def test_a_target_that_is_missed_is_told_in_the_verdict():
    assert "NOT reached" in str(figures.compare("n", "u", [1], "p", [2], 1.0))
    assert "NOT" not in str(figures.compare("n", "u", [2], "p", [1], 1.0))


def test_a_run_writes_one_object_a_figure_with_the_command_that_makes_it_again(fake, tmp_path, capsys):
    @fake
    def _(run):
        values = run.interleave({"a": lambda: 4.0, "b": lambda: 2.0})
        yield figures.compare("fake", "u", values["a"], "b", values["b"], 1.0, command=run.command)

    out = tmp_path / "out.json"
    assert runner.main(["fake", "--rounds", "3", "--json", str(out)]) == 0
    (figure,) = json.loads(out.read_text())
    assert set(figure) == KEYS
    assert figure["command"] == "pktgen-scripts/bench.sh fake --rounds 3"
    assert figure["ratio"] == 2.0
    assert "target 1: reached" in capsys.readouterr().out


def test_a_wrong_answer_fails_the_run_and_nothing_is_written(fake, tmp_path, capsys):
    @fake
    def _(run):
        yield figures.compare("fake", "u", [1], "p", [1], 1.0)
        raise figures.BenchError("wrong bytes")

    out = tmp_path / "out.json"
    assert runner.main(["--json", str(out)]) == 1
    assert not out.exists()
    assert "wrong bytes" in capsys.readouterr().err


def test_a_benchmark_without_a_figure_fails_the_run(fake, capsys):
    fake(lambda run: [])
    assert runner.main([]) == 1
    assert "gave no figure" in capsys.readouterr().err


def test_rounds_are_interleaved(fake):
    order = []

    @fake
    def _(run):
        run.interleave({name: lambda n=name: order.append(n) for name in "ab"})
        yield figures.compare("fake", "u", [1], "p", [1], 1.0)

    assert runner.main(["--rounds", "2"]) == 0
    assert order == ["a", "b", "a", "b"]


def rounds_at(*probes):
    """Rounds of one side whose value counts up, with what the distance was before and after each."""
    left, count = list(probes), iter(range(100))
    return distance.at_one_distance({"a": lambda: next(count)}, SimpleNamespace(rounds=2, note=print), probe=lambda: left.pop(0))


def test_rounds_of_two_distances_between_the_cores_are_not_mixed():
    assert rounds_at(250, 260, 1000, 1100, 240, 255) == ({"a": [0, 2]}, pytest.approx(251.25))


def test_a_round_under_which_the_cores_moved_is_measured_again():
    assert rounds_at(250, 1000, 250, 250, 250, 250)[0] == {"a": [1, 2]}


def test_cores_that_never_stay_give_fewer_rounds_or_none():
    assert rounds_at(250, 250, *[250, 1000] * 5)[0] == {"a": [0]}
    with pytest.raises(figures.BenchError, match="moved the cores"):
        rounds_at(*[250, 1000] * 6)


@pytest.mark.parametrize("arguments", [["no-such-benchmark"], ["start", "--rounds", "0"], ["start", "--json", "/no/such/f"],
                                       ["start", "--driver", "carrier-pigeon"]])
def test_bad_arguments_end_with_status_2_and_a_reason(arguments):
    done = bench_sh(*arguments)
    assert done.returncode == 2
    assert "error:" in done.stderr


def test_an_unknown_name_is_answered_with_the_known_ones():
    done = bench_sh("no-such-benchmark")
    assert "'no-such-benchmark'" in done.stderr and "http-small" in done.stderr


def test_a_peer_that_is_not_installed_is_named_and_no_figure_is_written(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for folder in ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"):
        for tool in Path(folder).iterdir() if Path(folder).is_dir() else ():
            if tool.name != "haproxy" and not (programs / tool.name).exists():
                (programs / tool.name).symlink_to(tool)
    out = tmp_path / "out.json"
    done = bench_sh("http-small", "--quick", "--json", out, env={**os.environ, "PATH": str(programs)})
    assert done.returncode == 1
    assert "not installed: haproxy" in done.stderr
    assert not out.exists()


@contextlib.contextmanager
def hog():
    """Somebody else on the balancer's core, of weight however low our own priority is."""
    with subprocess.Popen(["taskset", "-c", str(machine.LB_CORE), "sh", "-c", "while :; do :; done"],
                          start_new_session=True) as process:
        try:
            os.setpriority(os.PRIO_PROCESS, process.pid, -5)
            machine.weigh_session(process.pid, -5)
            yield process
        finally:
            process.kill()


def test_a_core_that_somebody_else_uses_is_refused():
    with hog(), pytest.raises(figures.BenchError, match="core 1 is taken"):
        machine.require_free_core(seconds=1)


def spent(**kwargs):
    return {"core": 1.5, "user": 0.5, "interrupts": 0.5, "own_user": 0.5, "own_system": 0.5, "wall": 2.0, **kwargs}


@pytest.mark.parametrize("others", [{"core": 1.7, "user": 0.7}, {"core": 1.7}, {"user": 0.7}])
def test_a_peer_does_not_pay_for_somebody_else_on_its_core(others, capsys):
    peer = object.__new__(sides.Nginx)  # without its lab
    peer.anyway = False
    assert peer.cost(spent()) == 1.5
    with pytest.raises(figures.BenchError, match="10% of a round of core 1 went to somebody else"):
        peer.cost(spent(**others))
    peer.anyway = True
    assert peer.cost(spent(**others)) == spent(**others)["core"]
    assert "somebody else" in capsys.readouterr().out


def test_the_time_of_a_process_is_its_own_and_its_childrens():
    ended = "for i in $(seq 200000); do :; done & wait"
    with subprocess.Popen(["sh", "-c", f"{ended}; while :; do :; done & wait"], start_new_session=True) as process:
        try:
            machine.weigh_session(process.pid, -5)
            time.sleep(1)
            begin, before = time.monotonic(), sum(machine.process_seconds(process.pid))

            def spent_since():
                return sum(machine.process_seconds(process.pid)) - before
            time.sleep(1)
            wait_for(lambda: spent_since() > 0.1, 60, "it to get some time")
            assert spent_since() < time.monotonic() - begin + 0.2
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_an_open_loop_that_does_not_keep_its_rate_is_no_result():
    result = {"offered_rate": 1000, "seconds": 10.0, "not_started": 10, "latency_us": {"p50": 1}}
    assert latency.on_schedule(result) == {"p50": 1}
    with pytest.raises(figures.BenchError, match="11 of 10000 requests were due and never started"):
        latency.on_schedule({**result, "not_started": 11})


def test_testpmds_cycles_must_be_of_the_packets_of_the_round():
    said = "".join(f"\n  CPU cycles/packet={c} (total cycles=7 / total macswap packets={n}) at 2000 MHz Clock\n"
                   for c, n in ((90.0, 500), (80.5, 1000)))
    assert l4.cycles_a_packet(said, 900, 1300) == 80.5
    for least, most in ((1001, 2000), (100, 999)):
        with pytest.raises(figures.BenchError, match="counted 1000 packets"):
            l4.cycles_a_packet(said, least, most)
    with pytest.raises(figures.BenchError, match="counted nothing"):
        l4.cycles_a_packet("", 0, 1)


def test_a_second_benchmark_at_the_same_time_is_refused(fake, capsys):
    fake(lambda run: [figures.compare("fake", "u", [1], "p", [1], 1.0)])
    with machine.only_bench():
        assert runner.main([]) == 1
    assert "another benchmark is running" in capsys.readouterr().err


def test_sigterm_ends_the_run_in_good_order(fake, capsys):
    closed = []

    class Thing:
        def close(self):
            closed.append(True)

    @fake
    def _(run):
        run.shared("thing", Thing)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        yield figures.compare("fake", "u", [1], "p", [1], 1.0)

    assert runner.main([]) == 1
    assert closed == [True]
    assert "SIGTERM" in capsys.readouterr().err


def test_start_is_measured_for_real(tmp_path):
    out = tmp_path / "out.json"
    done = bench_sh("start", "--quick", "--anyway", "--json", out.name, cwd=tmp_path)  # a bound so wide stands some company
    assert done.returncode == 0, done.stderr
    (figure,) = json.loads(out.read_text())
    assert set(figure) == KEYS
    assert figure["name"] == "start" and figure["peer_value"] == 2.0
    assert 0.01 < figure["value"] < 30
    assert f"{figure['ratio']:.2f}" in done.stdout
