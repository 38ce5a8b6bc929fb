"""What the comparison drivers share: our runner, taking turns, the table."""
import json
import os
import platform
import statistics
import subprocess
import sys
import time

RELEASE = "build/release"


class Runner:
    """Our side: one network in memory of bench_runner."""

    def __init__(self, config, threads, save=None):
        command = [f"{RELEASE}/bench/bench_runner", config, "--threads",
                   str(threads)]
        if save:
            command += ["--save", save]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL)
        words = self.ask("about").split()
        self.backend, self.madds = words[0], int(words[2])
        self.params = int(words[3])

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def seconds(self, what, batch, repeats):
        return float(self.ask(f"{what} {batch} {repeats}")) / 1e9

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def take_turns(sides, rounds):
    """{name: function -> seconds}; each side once a round, in turn.

    Worker threads of a peer go on spinning for some milliseconds after its
    run, on the processors that the next side needs: each turn begins after a
    pause, with one run that is not counted.
    """
    times = {name: [] for name in sides}
    for name, run in sides.items():  # warm-up, not counted
        run()
    for _ in range(rounds):
        for name, run in sides.items():
            time.sleep(0.03)
            run()
            times[name].append(run())
    return times


def p95(values):
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


def paired(ours, theirs):
    """Median over rounds of ours / theirs."""
    return statistics.median(a / b for a, b in zip(ours, theirs))


def machine():
    model = "unknown"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)),
            "system": platform.platform(),
            "load_at_start": os.getloadavg()[0]}


def pin(threads):
    """This process and its children on the first `threads` processors."""
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:threads]))


def report(rows, as_json):
    if as_json:
        json.dump({"machine": machine(), "rows": rows}, sys.stdout, indent=2)
        print()
        return
    print(f'{"case":44} {"peer":20} {"unit":9} {"ours":>10} {"theirs":>10} '
          f'{"ratio":>7}  p95 ours/theirs')
    for row in rows:
        print(f'{row["case"]:44} {row["peer"]:20} {row["unit"]:9} '
              f'{row["ours"]:10.1f} {row["theirs"]:10.1f} '
              f'{row["ratio"]:7.2f}  {row["ours_p95"]:.1f} / '
              f'{row["theirs_p95"]:.1f}')
