"""The plan of a video, made before it runs."""

import pytest

from vosjax.eval import plan, videos


def sequence(name="cow", frames=20, starts=None):
    starts = starts or {1: 0}
    names = tuple(f"{i:05d}" for i in range(frames))
    return videos.EvalVideo(name, names, starts, (), None, (), source=None, number=0)


@pytest.mark.parametrize("length, gap", [(150, 5), (20, 1), (45, 2), (3000, 20)])
def test_the_balanced_gap_keeps_about_as_many_memory_frames_in_any_video(length, gap):
    assert plan.balanced_mem_every(length, target=30) == gap


def test_capacity_is_a_power_of_two_up_to_the_limit():
    assert (
        plan.plan(sequence(), (8, 8), slots=4, mem_every=2, max_mem_frames=64).capacity == 16
    )  # holds 10
    assert plan.plan(sequence(), (8, 8), slots=4, mem_every=2, max_mem_frames=6).capacity == 6


def test_annotated_frames_have_room_beyond_the_limit():
    many = sequence(starts={1: 0, 2: 4, 3: 8})
    assert plan.plan(many, (8, 8), slots=4, mem_every=2, max_mem_frames=2).capacity == 4


def test_many_objects_make_groups_and_numbers_of_slots_are_few():
    starts = dict.fromkeys(range(1, 13), 0)
    planned = plan.plan(sequence(starts=starts), (8, 8), slots=10, mem_every=5, max_mem_frames=8)
    assert (planned.slots, planned.groups) == (10, 2)
    starts = dict.fromkeys(range(1, 6), 0)
    five = plan.plan(sequence(starts=starts), (8, 8), slots=10, mem_every=5, max_mem_frames=8)
    assert (five.slots, five.groups) == (6, 1)


def test_shares_are_disjoint_complete_and_balanced():
    videos = [sequence(f"v{i}", frames=n) for i, n in enumerate((40, 10, 10, 10, 10))]
    shares = [plan.share(videos, part, 2) for part in range(2)]
    assert sorted(video.name for share in shares for video in share) == [v.name for v in videos]
    assert [sum(len(video.frames) for video in share) for share in shares] == [40, 40]


def test_only_videos_of_one_plan_and_like_length_share_a_batch():
    def planned(name, frames, size=(8, 8)):
        video = sequence(name, frames)
        return plan.Plan(size, (0,), 2, 1, 8, 5), video

    batches = plan.batches(
        [planned("a", 20), planned("b", 19), planned("c", 8), planned("d", 20, (16, 8))], 4
    )
    assert sorted(sorted(video.name for _, video in batch) for batch in batches) == [
        ["a", "b"],
        ["c"],
        ["d"],
    ]
    assert all(len({pair[0] for pair in batch}) == 1 for batch in batches)
