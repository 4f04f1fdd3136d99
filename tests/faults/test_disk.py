"""The rules of the disk in memory, which all that is said of power cuts stands on."""

from __future__ import annotations

from tests.faults.calls import Call, Change, Create, Remove, Rename, Resize, Sync, Write
from tests.faults.disk import Disk
from tests.faults.folders import Content, Folder, Tree, digest
from tests.faults.losses import all_lost, losses

BEFORE: Tree = {"dir": Folder(5), "dir/old": Content(b"old", 3, 5), "other": Folder(5)}
DIR, OLD, OTHER = 1, 2, 3


def disk_after(*changes: Change) -> Disk:
    disk = Disk(BEFORE)
    for time, change in enumerate(changes, 10):
        disk.apply(Call("call", "", time, (change,)))
    return disk


def names(tree: Tree) -> list[str]:
    return sorted(tree)


def data(tree: Tree, path: str) -> bytes:
    content = tree[path]
    assert isinstance(content, Content)
    return content.data + bytes(content.size - len(content.data))


def test_nothing_pending_nothing_lost() -> None:
    disk = Disk(BEFORE)
    assert disk.tree() == all_lost(disk) == BEFORE
    assert [tree for _, tree in losses(disk, 1)] == [BEFORE]


def test_a_file_needs_its_own_fsync_and_its_name_that_of_the_folder() -> None:
    made = (Create("dir/new"), Write(4, 0, b"new"))
    assert data(disk_after(*made).tree(), "dir/new") == b"new"
    assert names(all_lost(disk_after(*made, Sync(4)))) == names(BEFORE)
    assert data(all_lost(disk_after(*made, Sync(DIR))), "dir/new") == b""
    assert data(all_lost(disk_after(*made, Sync(4), Sync(DIR))), "dir/new") == b"new"
    assert names(all_lost(disk_after(*made, Sync(4), Sync(OTHER)))) == names(BEFORE)


def test_a_folder_that_is_not_durable_takes_all_with_it() -> None:
    made = (Create("dir/sub", is_folder=True), Create("dir/sub/new"), Sync(5), Sync(4))
    assert names(all_lost(disk_after(*made))) == names(BEFORE)
    assert "dir/sub/new" in all_lost(disk_after(*made, Sync(DIR)))


def test_a_rename_is_there_wholly_or_not_at_all() -> None:
    moved = disk_after(Rename("dir/old", "other/new"))
    left = {tuple(names(tree)) for _, tree in losses(moved, 1)}
    assert left == {("dir", "dir/old", "other"), ("dir", "other", "other/new")}
    assert names(all_lost(disk_after(Rename("dir/old", "other/new"), Sync(OTHER)))) == [
        "dir", "other", "other/new",
    ]  # fmt: skip


def test_an_fsync_of_the_folder_it_came_from_does_not_save_a_renamed_file() -> None:
    moved = disk_after(Rename("dir/old", "other/new"), Sync(DIR))
    assert names(all_lost(moved)) == ["dir", "other"]
    orphaned = disk_after(Rename("dir/old", "other/new")).orphaned()
    orphaned.apply(Call("fsync", "dir", 20, (Sync(DIR),)))
    assert names(all_lost(orphaned)) == ["dir", "other", "other/new"]


def test_what_is_durable_later_is_not_undone_by_what_came_before() -> None:
    disk = disk_after(Remove("dir/old"), Create("dir/old"), Sync(DIR))
    assert disk.steps == []
    disk = disk_after(Create("dir/x"), Rename("dir/x", "other/x"), Sync(OTHER))
    assert names(all_lost(disk)) == ["dir", "dir/old", "other", "other/x"]
    assert disk.steps == []


def test_after_a_failed_fsync_the_bytes_are_gone_for_good() -> None:
    disk = disk_after(Write(OLD, 0, b"new"), Sync(OLD, failed=True), Sync(OLD))
    assert data(disk.tree(), "dir/old") == b"new"
    assert data(all_lost(disk), "dir/old") == b"old"
    disk = disk_after(
        Write(OLD, 0, b"new"), Sync(OLD, failed=True), Write(OLD, 3, b"!"), Sync(OLD)
    )
    assert data(all_lost(disk), "dir/old") == b"old!"


def test_after_a_failed_fsync_names_may_still_become_durable() -> None:
    disk = disk_after(Remove("dir/old"), Sync(DIR, failed=True))
    assert "dir/old" in all_lost(disk)
    disk.apply(Call("fsync", "dir", 20, (Sync(DIR),)))
    assert "dir/old" not in all_lost(disk)


def test_contents_are_lost_halved_zeroed_and_by_blocks() -> None:
    disk = disk_after(Write(OLD, 3, b"x" * 2000))
    left = {what.rpartition(" ")[2]: data(tree, "dir/old") for what, tree in losses(disk, 1)}
    assert left["kept"] == b"old" + b"x" * 2000
    assert left["lost"] == b"old"
    assert left["halved"] == b"old" + b"x" * 1000
    assert left["zeroed"] == b"old" + bytes(2000)
    by_blocks = [tree for what, tree in losses(disk, 7, drawn=20) if "blocks" in what]
    assert len({digest(tree) for tree in by_blocks}) > 8  # of the 16 that there are
    assert all(data(tree, "dir/old")[:3] == b"old" for tree in by_blocks)


def test_fdatasync_saves_the_time_only_with_the_size() -> None:
    def times(*changes: Change) -> tuple[int, bytes]:
        tree = all_lost(disk_after(*changes))
        return tree["dir/old"].mtime, data(tree, "dir/old")

    assert times(Write(OLD, 0, b"new"), Sync(OLD, data_only=True)) == (5, b"new")
    assert times(Write(OLD, 0, b"longer"), Sync(OLD, data_only=True)) == (10, b"longer")
    assert times(Write(OLD, 0, b"new"), Sync(OLD)) == (10, b"new")


def test_a_file_of_zeros_takes_no_memory() -> None:
    disk = disk_after(Resize(OLD, 1 << 40), Sync(OLD), Write(OLD, 5, b"x"))
    content = disk.tree()["dir/old"]
    assert content == Content(b"old\0\0x", 1 << 40, 12)
    assert all_lost(disk)["dir/old"] == Content(b"old", 1 << 40, 10)
    shorter = disk_after(Resize(OLD, 2), Resize(OLD, 4)).tree()["dir/old"]
    assert shorter == Content(b"ol", 4, 11)


def test_names_are_lost_in_every_prefix_all_but_one_and_one_alone() -> None:
    disk = disk_after(*(Create(f"dir/{name}") for name in "abcd"))
    new = {
        "".join(path[-1] for path in tree if path.startswith("dir/") and path != "dir/old")
        for _, tree in losses(disk, 1)
    }
    assert {"", "a", "ab", "abc", "abcd", "bcd", "acd", "abd", "b", "c", "d"} <= new
