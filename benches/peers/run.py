"""Times `push` against the same job in Python's grpcio and, where Go is installed, in Go; prints medians and ratios.

Usage: run.py [--records N] [--runs N]. Needs what the README's build needs, python3-venv, and for Go its toolchain with the
packages google.golang.org/grpc and google.golang.org/protobuf where GOPATH or /usr/share/gocode has them (Debian:
golang-go, golang-google-grpc-dev, golang-github-golang-protobuf-1-5-dev, protobuf-compiler, protoc-gen-go-1-5). The first `go`
and `protoc-gen-go` of PATH are taken, and GOPATH comes before Debian's folder, so that a newer Go can be compared with.

All clients run in turn against one receiver that costs next to nothing (sink.rs), over TLS on loopback, with requests of 10,000
records of 32-byte tokens. Figures are of whole processes: wall time, the client's own CPU time, and its peak memory.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
INTEROP = ROOT / "tests/interop/requirements.txt"


def build():
    """The program and the receiver, optimised."""
    command = ["cargo", "build", "--quiet", "--locked", "--release", "--bins", "--examples"]
    subprocess.run(command, cwd=ROOT, check=True)
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version=1", "--no-deps"], cwd=ROOT, check=True, capture_output=True
    )
    return pathlib.Path(json.loads(metadata.stdout)["target_directory"])


def python_client(target):
    venv = target / "peers-venv"
    python = venv / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", INTEROP]
    subprocess.run(pip, check=True)
    generated = target / "peers-python"
    generated.mkdir(exist_ok=True)
    protoc = [python, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}", f"--python_out={generated}", "sensor.proto"]
    subprocess.run(protoc, check=True)
    return [python, HERE / "client.py"], {"PYTHONPATH": str(generated)}


def go_client(target):
    """`None` where Go, its protobuf compiler or its gRPC is not there."""
    if not all(shutil.which(tool) for tool in ("go", "protoc", "protoc-gen-go")):
        return None
    path = target / "peers-go"
    package = path / "src/peers"
    (package / "sensor").mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "go/main.go", package)
    generate = ["protoc", f"-I{ROOT / 'proto'}", f"--go_out={package / 'sensor'}"]
    generate += ["--go_opt=Msensor.proto=peers/sensor", "--go_opt=paths=source_relative", "sensor.proto"]
    subprocess.run(generate, check=True)
    sources = [path, *filter(None, [os.environ.get("GOPATH")]), "/usr/share/gocode"]
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": ":".join(map(str, sources))}
    binary = path / "client"
    done = subprocess.run(["go", "build", "-o", binary, "."], cwd=package, env=environment)
    grpc = next((version for source in sources if (version := grpc_version(source))), "")
    subprocess.run(["go", "version"], check=True)
    print(grpc, flush=True)
    return [installed(binary, target)] if done.returncode == 0 else None


def grpc_version(source):
    """The line of grpc-go's sources that says its version, where they are."""
    file = pathlib.Path(source) / "src/google.golang.org/grpc/version.go"
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line for line in lines if line.startswith("const Version")), None)


def installed(binary, target):
    """A copy, as what is installed is one. Where a linker wrote a file, each of its pages is apart in the system's memory; a
    copy has larger pieces, which a process maps faster."""
    folder = target / "peers-installed"
    folder.mkdir(exist_ok=True)
    copy = folder / binary.name
    copy.unlink(missing_ok=True)
    return shutil.copy(binary, copy)


@contextlib.contextmanager
def receiver(target, folder):
    cacert = folder / "cacert.pem"
    process = subprocess.Popen([target / "release/examples/sink", cacert], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip(), process.stdout.readline().strip(), cacert
    finally:
        process.kill()
        process.wait()


def write_records(path, count, form):
    with open(path, "w") as file:
        if form == "csv":
            file.write("device_token,expire_time\n")
        for number in range(count):
            # Spread like hashes, the same in each run.
            token = f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}{number:016x}"
            expires = 4_000_000_000 + number % 1000
            if form == "csv":
                file.write(f"{token},{expires}\n")
            else:
                file.write(f'{{"device_token":"{token}","expire_time":{expires}}}\n')


class Job:
    """A command to time; `before` is run before each run, untimed."""

    def __init__(self, name, command, environment=None, before=None, says=None):
        self.name, self.command, self.before, self.says = name, command, before, says
        self.environment = {**os.environ, **(environment or {})}
        self.runs = []

    def run(self):
        if self.before:
            self.before()
        with tempfile.TemporaryFile() as output:
            to_output = [(os.POSIX_SPAWN_DUP2, output.fileno(), 1)]
            started = time.perf_counter()
            # The subprocess module's own work, half a millisecond, would be in every figure.
            process = os.posix_spawn(self.command[0], self.command, self.environment, file_actions=to_output)
            _, status, usage = os.wait4(process, 0)
            wall = time.perf_counter() - started
            code = os.waitstatus_to_exitcode(status)
            assert code == 0, (self.name, code)
            output.seek(0)
            text = output.read().decode()
        assert self.says is None or self.says in text, (self.name, text)
        self.runs.append((wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))

    def median(self, figure):
        return statistics.median(run[figure] for run in self.runs)


def report(title, jobs, runs):
    for _ in range(runs):
        # In another order each time, so that none always finds the caches as the same other left them.
        for job in random.sample(jobs, len(jobs)):
            job.run()
    print(f"\n{title}, medians of {runs} runs in turn")
    print(f"{'':34}{'wall s':>9}{'CPU s':>9}{'MiB':>8}{'wall ratio':>12}{'CPU ratio':>11}")
    base = jobs[0]
    for job in jobs:
        wall, cpu, memory = (job.median(figure) for figure in range(3))
        ratios = f"{wall / base.median(0):12.2f}{cpu / base.median(1):11.2f}"
        print(f"{job.name:34}{wall:9.4f}{cpu:9.4f}{memory:8.1f}{ratios}")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--records", type=int, default=1_000_000)
    arguments.add_argument("--runs", type=int, default=5)
    arguments = arguments.parse_args()
    target = build()
    python, python_environment = python_client(target)
    go = go_client(target)
    binary = installed(target / "release/sensor-license", target)
    with tempfile.TemporaryDirectory() as name, receiver(target, pathlib.Path(name)) as (address, slow, cacert):
        folder = pathlib.Path(name)
        one, many, lines = folder / "one.csv", folder / "many.csv", folder / "many.ndjson"
        write_records(one, 1, "csv")
        write_records(many, arguments.records, "csv")
        write_records(lines, arguments.records, "ndjson")
        ledger, kept = folder / "ledger", folder / "kept"

        def forget():
            for path in folder.glob("ledger*"):
                path.unlink()

        def push(*flags, count=None, server=address):
            command = [binary, "push", "--server", server, "--cacert", cacert, *flags]
            return command, (f"{count} acknowledged" if count is not None else None)

        def peers(file):
            jobs = [Job("Go", [*go, address, cacert, file])] if go else []
            return jobs + [Job("Python", [*python, address, cacert, file], python_environment)]

        def ours(name, *flags, count, before=None, server=address):
            command, says = push(*flags, count=count, server=server)
            return Job(f"sensor-license{name}", command, before=before, says=says)

        count = arguments.records
        command, _ = push("--ledger", kept, many)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        one_in_go, one_in_python = peers(one)[:-1], peers(one)
        report("One record", [*one_in_go, ours("", one, count=1)], arguments.runs * 16)
        # Python's start leaves little in the processor's caches of what the others need.
        report("One record, with Python between", [*one_in_python, ours("", one, count=1)], arguments.runs * 4)
        report(
            f"{count} records",
            peers(many)
            + [
                ours("", many, count=count),
                ours(", NDJSON", lines, count=count),
                ours(", new ledger", "--ledger", ledger, many, count=count, before=forget),
                ours(", nothing changed", "--ledger", kept, many, count=0),
                ours(", 50 ms away", many, count=count, server=slow),
                ours(", the same, 32 in flight", "--concurrency", "32", many, count=count, server=slow),
            ],
            arguments.runs,
        )


main()
