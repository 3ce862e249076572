"""Counts the instructions of a push of one record and of 100,000 records.

Usage: run.py BINARY [--runs N] [--store]

The script fails if a count is more than 3 % above the stored count. With --store, it replaces the
stored counts (stored.json) instead. It compares nothing if the stored counts are from another
compiler, C library, version of valgrind or kind of CPU, because each of them changes the counts.

The script needs rustc and valgrind. The receiver is `serve` of the same binary. Only the client is
counted, with all its threads and its start, but without the kernel. The randomness of TLS and the
order of network events change each count a little, so it is the median of a few runs.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile

STORED = pathlib.Path(__file__).resolve().parent / "stored.json"
MAX_INCREASE = 0.03
JOBS = {"1 record": 1, "100,000 records": 100_000}

# No variable of the user, such as GLIBC_TUNABLES or OPENSSL_ia32cap, may change the counts.
ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C"}


def conditions():
    """Returns what changes the counts of equal sources.

    Valgrind simulates one model of CPU on all machines that have AVX2, and older models on others.
    """
    return {
        "rustc": version("rustc"),
        "libc": " ".join(platform.libc_ver()),
        "valgrind": version("valgrind"),
        "machine": platform.machine(),
        "avx2": " avx2 " in pathlib.Path("/proc/cpuinfo").read_text(),
    }


def version(program):
    output = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    return re.search(r"\d[\w.]*", output).group()


@contextlib.contextmanager
def receiver(binary, folder):
    """Runs the receiver, and yields the options of a push to it."""
    cacert = folder / "cacert.pem"
    command = [binary, "serve", "--listen", "127.0.0.1:0", "--write-cacert", cacert]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().strip().removeprefix("listening on ")
        yield ["--server", address, "--cacert", cacert]
    finally:
        process.kill()
        process.wait()


def write_records(path, count):
    """Writes records whose tokens are distributed like hashes, but equal in every run."""
    with open(path, "w") as file:
        file.write("device_token,expire_time\n")
        for number in range(count):
            token = f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}{number:016x}"
            file.write(f"{token},{4_000_000_000 + number % 1000}\n")


def count_instructions(command):
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    result = subprocess.run([*valgrind, *command], env=ENVIRONMENT, capture_output=True, text=True)
    assert result.returncode == 0, (result.returncode, result.stderr)
    return int(re.search(r"Collected : (\d+)", result.stderr).group(1))


def count_jobs(binary, runs):
    """Returns the median count of each job. Prints it with the difference between the runs."""
    medians = {}
    with tempfile.TemporaryDirectory() as name, receiver(binary, pathlib.Path(name)) as options:
        for job, records in JOBS.items():
            path = pathlib.Path(name) / "records.csv"
            write_records(path, records)
            push = [binary, "push", "--quiet", *options, path]
            counts = [count_instructions(push) for _ in range(runs)]
            medians[job] = median = round(statistics.median(counts))
            spread = (max(counts) - min(counts)) / median
            print(f"{job:16}{median:13,} instructions; the runs differ by {spread:.2%}", flush=True)
    return medians


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary", type=pathlib.Path)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--store", action="store_true")
    arguments = arguments.parse_args()
    # The number of threads, and with it the counts, depends on the number of processors.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    counts = count_jobs(arguments.binary.resolve(), arguments.runs)
    measured = {"conditions": conditions(), "instructions": counts}
    if arguments.store:
        STORED.write_text(json.dumps(measured, indent=2) + "\n")
        return
    stored = json.loads(STORED.read_text())
    if stored["conditions"] != measured["conditions"]:
        print(f"not compared, because the conditions differ:\nstored   {stored['conditions']}")
        print(f"measured {measured['conditions']}")
        return
    changes = {job: count / stored["instructions"][job] - 1 for job, count in counts.items()}
    for job, change in changes.items():
        print(f"{job:16}{change:+.2%} compared with the stored count")
    if max(changes.values()) > MAX_INCREASE:
        sys.exit(
            f"a count is more than {MAX_INCREASE:.0%} above the stored count; if the reason for it is worth that,"
            f" store the new counts: python3 {sys.argv[0]} {arguments.binary} --store"
        )


main()
