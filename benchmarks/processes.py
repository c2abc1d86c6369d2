"""What processes use: CPU and memory, read from /proc."""

from __future__ import annotations

import os
from pathlib import Path


def own_seconds() -> float:
    """Return the CPU that this process and its children that ended have used."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def tree(*pids: int) -> list[int]:
    """Return processes and all their descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = list(pids)
    for each in found:
        found += [child for child in children.get(each, []) if child not in found]
    return found


def cpu_seconds(*pids: int) -> float:
    """Return the CPU that processes and their descendants have used."""
    ticks = 0
    for each in tree(*pids):
        try:
            values = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += int(values[11]) + int(values[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def machine_seconds() -> float:
    """Return the CPU that everything on the machine has used."""
    values = [int(value) for value in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(values) - values[3] - values[4]) / os.sysconf("SC_CLK_TCK")


def reset_peak(*pids: int) -> None:
    """Begin to measure the peak memory of processes and their descendants anew."""
    for each in tree(*pids):
        try:
            Path(f"/proc/{each}/clear_refs").write_text("5")
        except OSError:
            continue


def peaks_mb(*pids: int) -> list[float]:
    """Return the peak memory of each of processes and their descendants in MiB."""
    peaks = []
    for each in tree(*pids):
        try:
            lines = Path(f"/proc/{each}/status").read_text().splitlines()
        except OSError:
            continue
        peaks += [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
    return peaks


def peak_mb(*pids: int) -> float:
    """Return the peak memory of processes and their descendants in MiB, each at its own moment."""
    return sum(peaks_mb(*pids))
