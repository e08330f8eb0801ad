"""The studio's history: everything is undone and done again, and survives whatever happens."""

import json

import pytest

from vosjax.studio import history as histories
from vosjax.studio import tables
from vosjax.studio.history import History

SQUARE = [[10, 10], [30, 10], [30, 30], [10, 30]]


def everything(state):
    """What undo and redo have to bring back."""
    return {key: state[key] for key in ("objects", "pins", "labelled", "scores")}


def test_everything_is_undone_and_done_again(client, video):
    states = [client.get(video).json()]

    def do(route, **body):
        states.append(client.done(f"{video}/{route}", **body))

    do("mark", frame=0, object=1, box=[5, 5, 12, 12])
    do("paint", frame=0, object=2, kind="polygon", points=SQUARE)
    do("paint", frame=0, object=2, kind="brush", points=[[20, 20]], radius=4, erase=True)
    client.done(f"{video}/propagate", frame=0)
    states.append(client.finished(video))
    do("pin", frame=4)
    do("clear", frame=6, object=1)
    do("objects/1/merge", into=2)
    do("objects", name="third")
    states.append(client.patch(f"{video}/objects/1", json={"hidden": True}).json())
    states.append(client.delete(f"{video}/objects/2").json())

    for before, after in reversed(list(zip(states, states[1:]))):
        assert client.get(video).json()["undo"] == after["undo"]
        assert everything(client.done(f"{video}/undo")) == everything(before)
    for after in states[1:]:
        assert everything(client.done(f"{video}/redo")) == everything(after)
    assert client.post(f"{video}/redo").status_code == 409


def test_a_new_action_ends_what_could_be_done_again(client, video):
    client.done(f"{video}/mark", frame=0, object=1, box=[5, 5, 12, 12])
    client.done(f"{video}/undo")
    state = client.done(f"{video}/mark", frame=1, object=1, box=[5, 5, 12, 12])
    assert state["redo"] is None and list(state["labelled"]) == ["1"]


def test_a_request_for_an_older_state_is_refused_with_the_new_one(client, video):
    old = client.get(video).json()["revision"]
    state = client.done(f"{video}/mark", frame=0, object=1, box=[5, 5, 12, 12])
    routes = {
        "mark": {"frame": 0, "object": 2, "box": [5, 5, 12, 12]},
        "undo": None,
        "redo": None,
        "propagate": {"frame": 0},
        "clear": {"frame": 0},
    }
    for route, body in routes.items():
        answer = client.post(f"{video}/{route}", json=body, headers={"if-match": str(old)})
        assert answer.status_code == 412
        assert answer.json()["state"] == state
    answer = client.post(f"{video}/undo", headers={"if-match": f'"{state["revision"]}"'})
    assert answer.status_code == 200


CHANGES = [
    ("a", {"pins": {"1": [None, [1]]}}),
    ("b", {"pins": {"1": [[1], [1, 2]]}, "labelled": {"1": [None, "f" * 32]}}),
    ("c", {"objects": {"1": [None, {"name": "x"}]}}),
]


def written(folder):
    """A history in which something was done, undone, and done again."""
    history = History(folder)
    for name, change in CHANGES:
        history.do(name, change)
    history.do_part("job", 7, {"labelled": {"2": [None, "a" * 32]}})
    history.do_part("job", 7, {"labelled": {"3": [None, "b" * 32]}})
    history.undo()
    history.undo()
    history.redo()
    return history


def facts(history):
    return history.tables, history.revision, history.undoable, history.redoable


@pytest.mark.parametrize("saved", [False, True], ids=["killed", "closed"])
def test_a_history_is_read_as_it_was_left(tmp_path, saved):
    history = written(tmp_path)
    if saved:
        history.close()
    again = History(tmp_path)
    assert facts(again) == facts(history)
    assert again.redo() == "job"
    assert again.tables["labelled"] == {"1": "f" * 32, "2": "a" * 32, "3": "b" * 32}
    assert not again.notes


def test_a_line_that_was_not_written_to_its_end_is_left_out(tmp_path):
    history = written(tmp_path)
    path = tmp_path / histories.FILE
    whole = path.read_bytes()
    for torn in (b'{"do":"d","chan', b"{", b"\x00\x00"):
        path.write_bytes(whole + torn)
        again = History(tmp_path)
        assert facts(again) == facts(history)
        assert path.read_bytes() == whole and not again.notes


def test_every_beginning_of_the_file_is_a_state_that_there_was(tmp_path):
    history = History(tmp_path / "whole")
    states = [json.dumps(history.tables)]
    for name, change in CHANGES:
        history.do(name, change)
        states.append(json.dumps(history.tables))
    data = (tmp_path / "whole" / histories.FILE).read_bytes()
    (tmp_path / "part").mkdir()
    for size in range(len(data) + 1):
        (tmp_path / "part" / histories.FILE).write_bytes(data[:size])
        assert json.dumps(History(tmp_path / "part").tables) == states[data[:size].count(b"\n")]


def test_what_comes_after_damage_is_put_aside_and_told(tmp_path):
    written(tmp_path)
    path = tmp_path / histories.FILE
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"?" + lines[2][1:], *lines[3:]]))
    again = History(tmp_path)
    assert again.undoable == "b" and "damaged" in again.notes[0]
    assert (tmp_path / histories.DAMAGED).read_bytes().startswith(b"?")
    assert facts(History(tmp_path)) == facts(again)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 99}'])
def test_a_damaged_state_file_is_made_anew_from_the_history(tmp_path, content):
    history = written(tmp_path)
    (tmp_path / histories.STATE).write_bytes(content)
    assert facts(History(tmp_path)) == facts(history)


def test_a_state_file_that_is_ahead_of_the_history_is_not_believed(tmp_path):
    history = written(tmp_path)
    history.save()
    path = tmp_path / histories.FILE
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0])
    assert History(tmp_path).tables["pins"] == {"1": [1]}


def test_parts_of_a_job_with_an_action_between_them_are_two_actions(tmp_path):
    history = History(tmp_path)
    history.do_part("job", 1, {"labelled": {"1": [None, "a"]}})
    history.do("paint", {"pins": {"9": [None, [1]]}})
    history.do_part("job", 1, {"labelled": {"2": [None, "b"]}})
    assert [history.undo(), history.undo(), history.undo()] == ["job", "paint", "job"]
    assert history.tables == tables.empty()


def test_changes_are_joined_to_one():
    first = {"pins": {"1": [None, [1]]}}
    second = {"pins": {"1": [[1], [1, 2]]}, "labelled": {"1": [None, "a"]}}
    assert tables.joined([first, second]) == {
        "pins": {"1": [None, [1, 2]]},
        "labelled": {"1": [None, "a"]},
    }
