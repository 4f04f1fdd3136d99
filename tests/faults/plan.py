"""How much of everything a full run tries: as much as fits into some minutes of two cores."""

from __future__ import annotations

from tests.faults.bench import Job


def full() -> list[Job]:
    """Give all jobs, the long ones first, so that none is left alone at the end."""
    return [
        *(Job("failed fsync, power loss", seed=seed, thin=2) for seed in (0, 2)),
        Job("error", seed=0, thin=4),
        Job("error", seed=3, thin=16),
        Job("lasting error", seed=0, thin=4),
        Job("lasting error", seed=2, thin=16),
        *(Job("power loss", seed=seed) for seed in range(5)),
        *(Job("side by side", seed=seed) for seed in (2, 3)),
        *(Job("killed, killed", seed=seed, thin=2) for seed in (0, 3)),
        *(Job("killed, power loss", seed=seed) for seed in (0, 2)),
        *(Job("power loss, power loss", seed=seed) for seed in (0, 1, 2)),
        Job("error though done", seed=0, thin=2),
        *(Job("failed fsync", seed=seed) for seed in range(4)),
        Job("short write", seed=0, thin=2),
        *(Job("kill", seed=seed) for seed in range(4)),
        *(Job("torn write", seed=seed) for seed in (0, 2)),
        Job("cancelled", seed=0, thin=3),
        Job("held", seed=0, thin=3),
        *(Job("process killed at random", seed=seed) for seed in range(2)),
        Job("process killed at a call"),
        Job("error from the system", thin=2),
        *(Job(f"power cut, {name}", thin=3) for name in ("ext4", "ext4 plain", "xfs", "btrfs")),
        Job("second owner"),
        *of_the_journal(),
        *of_the_inbox(),
        *(Job(mode, "usage") for mode in _USAGE),
        Job("damage", seed=0),
        Job("damage", seed=2),
    ]


def of_the_journal() -> list[Job]:
    """Give what differs where messages are added to a journal first."""
    return [
        *(Job("failed fsync, power loss", "warm journal", seed=seed, thin=3) for seed in (0, 2)),
        Job("error", "warm journal", thin=8),
        Job("lasting error", "warm journal", thin=8),
        *(Job("power loss", "journal", seed=seed) for seed in range(4)),
        *(Job("side by side", "journal", seed=seed) for seed in (2, 3)),
        *(Job("killed, killed", "journal", seed=seed, thin=3) for seed in (0, 3)),
        *(Job("killed, power loss", "journal", seed=seed) for seed in (0, 2)),
        *(Job("power loss, power loss", "journal", seed=seed) for seed in (0, 2)),
        Job("error though done", "warm journal", thin=3),
        *(Job("failed fsync", "warm journal", seed=seed) for seed in (0, 2)),
        Job("short write", "warm journal", thin=2),
        *(Job("kill", "journal", seed=seed) for seed in range(4)),
        *(Job("torn write", "journal", seed=seed) for seed in (0, 2)),
        Job("cancelled", "warm journal", thin=3),
        Job("held", "warm journal", thin=3),
        Job("process killed at random", "journal"),
        *(Job(f"power cut, {name}", "journal", thin=4) for name in ("ext4", "xfs", "btrfs")),
        Job("second owner", "journal"),
        Job("damage", "journal"),
    ]


def of_the_inbox() -> list[Job]:
    """Give what it is put to: one process has it, and its users share what is written."""
    return [
        *(Job("failed fsync, power loss", "inbox", seed=seed, thin=4) for seed in (0, 2)),
        *(Job("error", "inbox", seed=seed, thin=2 + seed) for seed in (0, 3)),
        *(Job("lasting error", "inbox", seed=seed, thin=2 + seed) for seed in (0, 2)),
        *(Job("power loss", "inbox", seed=seed) for seed in range(4)),
        *(Job("side by side", "inbox", seed=seed) for seed in range(4)),
        *(Job("killed, killed", "inbox", seed=seed) for seed in (0, 3)),
        *(Job("killed, power loss", "inbox", seed=seed) for seed in (0, 2)),
        *(Job("power loss, power loss", "inbox", seed=seed) for seed in (0, 1, 2)),
        Job("error though done", "inbox"),
        *(Job("failed fsync", "inbox", seed=seed) for seed in (0, 2)),
        Job("short write", "inbox"),
        *(Job("kill", "inbox", seed=seed) for seed in range(4)),
        *(Job("torn write", "inbox", seed=seed) for seed in (0, 2)),
        *(Job("cancelled", "inbox", seed=seed) for seed in (0, 2)),
    ]


# Every so many operations, and every so many cases, for a look in passing.
_BRIEF = {
    "kill": (1, 10),
    "torn write": (1, 15),
    "power loss": (1, 30),
    "side by side": (1, 70),
    "killed, killed": (1, 70),
    "killed, power loss": (1, 50),
    "power loss, power loss": (1, 40),
    "error": (7, 40),
    "lasting error": (7, 40),
    "error though done": (7, 10),
    "short write": (7, 6),
    "failed fsync": (7, 4),
    "failed fsync, power loss": (7, 12),
    "cancelled": (7, 10),
    "held": (7, 6),
    "second owner": (7, 1),
    "damage": (1, 6),
}
# What is counted is not synced, by its own word, and so survives what leaves the system running.
_USAGE = {
    "kill": (1, 2),
    "torn write": (1, 3),
    "error": (5, 3),
    "lasting error": (5, 3),
    "short write": (5, 3),
}
_BRIEF_JOURNAL = {
    "kill": (1, 12),
    "torn write": (1, 15),
    "power loss": (1, 30),
    "side by side": (1, 70),
    "killed, killed": (1, 70),
    "killed, power loss": (1, 50),
    "power loss, power loss": (1, 40),
}
_BRIEF_WARM_JOURNAL = {
    "error": (6, 40),
    "lasting error": (6, 40),
    "error though done": (6, 10),
    "short write": (6, 6),
    "failed fsync": (3, 4),
    "failed fsync, power loss": (6, 12),
    "cancelled": (6, 10),
    "held": (6, 6),
}
_BRIEF_INBOX = {
    "kill": (1, 3),
    "torn write": (1, 4),
    "power loss": (1, 4),
    "side by side": (1, 6),
    "killed, power loss": (1, 6),
    "error": (5, 12),
    "lasting error": (5, 12),
    "short write": (5, 6),
    "failed fsync": (5, 2),
    "failed fsync, power loss": (5, 8),
    "cancelled": (5, 2),
}


def brief() -> list[Job]:
    """Give a job of each mode that needs nothing but memory; together they take seconds."""
    return [
        Job(
            mode,
            subject,
            seed=2 * (mode == "side by side"),
            thin=thin,
            every=every,
            first_only=True,
        )
        for subject, modes in (
            ("files", _BRIEF),
            ("journal", _BRIEF_JOURNAL),
            ("warm journal", _BRIEF_WARM_JOURNAL),
            ("inbox", _BRIEF_INBOX),
            ("usage", _USAGE),
        )
        for mode, (every, thin) in modes.items()
    ]
