"""Masks out of the page and into it: the export dialogue, and files that are dropped."""

import base64
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image


def png(labels):
    data = io.BytesIO()
    Image.fromarray(labels).save(data, "PNG")
    return data.getvalue()


def drop(page, *files):
    """Drops files, (name, bytes), on the page."""
    page.evaluate(
        """(files) => {
          const carried = new DataTransfer();
          for (const [name, data] of files) {
            const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
            carried.items.add(new File([bytes], name));
          }
          for (const type of ["dragenter", "dragover", "drop"]) {
            document.getElementById("stage").dispatchEvent(
              new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: carried }));
          }
        }""",
        [[name, base64.b64encode(data).decode()] for name, data in files],
    )


def exported(person, title, without=()):
    """The file that the dialogue gives for a format, without some objects, as bytes."""
    person.press("e")
    for name in without:
        person.page.get_by_role("dialog").get_by_label(name).uncheck()
    person.page.locator(".choice", has=person.page.get_by_text(title, exact=True)).click()
    with person.page.expect_download() as download:
        person.page.get_by_role("dialog").get_by_role("button", name="Export").click()
    with open(download.value.path(), "rb") as file:
        return file.read()


@pytest.fixture
def painted(person, film):
    person.choose_file(film)
    person.press("d")
    person.drag((50, 50), (90, 50))
    yield person
    person.no_errors()


def test_label_maps_are_exported_as_they_are(painted):
    archive = zipfile.ZipFile(io.BytesIO(exported(painted, "Label maps")))
    names = [name for name in archive.namelist() if name.endswith(".png")]
    assert len(names) == 1
    saved = np.array(Image.open(io.BytesIO(archive.read(names[0]))))
    np.testing.assert_array_equal(saved, painted.labels(0))


def test_json_holds_the_chosen_objects_alone(painted):
    painted.change("n")
    painted.drag((50, 90), (90, 90))
    assert len(json.loads(exported(painted, "COCO"))["annotations"]) == 2
    assert len(json.loads(exported(painted, "COCO", ["Object 1"]))["annotations"]) == 1


def test_masks_that_are_dropped_go_to_the_frame_that_is_shown(painted, clip):
    labels = np.where(clip[1][3] == 2, 7, 0).astype(np.uint8)
    painted.press(*["ArrowRight"] * 3)
    with painted.saved():
        drop(painted.page, ("ball.png", png(labels)))
    painted.reads("ball.png imported")
    assert np.count_nonzero(painted.labels(3)) == np.count_nonzero(labels)
    assert "3" in painted.state["pins"]
    painted.change("Control+z")
    assert painted.labels(3) is None


def test_until_it_is_answered_an_import_is_not_saved(painted, clip):
    held = []
    painted.page.route("**/import?*", lambda route: held.append(route))
    with painted.page.expect_request("**/import?*"):
        drop(painted.page, ("ball.png", png(clip[1][0])))
    painted.until("document.getElementById('saved-text').textContent === 'Saving …'")
    held.pop().continue_()
    painted.until("document.getElementById('saved-text').textContent === 'Saved'")
    painted.reads("ball.png imported")


def test_several_masks_go_to_the_frames_in_their_names(painted, clip):
    files = [(f"{frame:05d}.png", png(clip[1][frame])) for frame in (2, 5)]
    with painted.saved():
        drop(painted.page, *files)
    painted.reads("2 files imported")
    for frame in (2, 5):
        np.testing.assert_array_equal(painted.labels(frame), clip[1][frame])


def test_a_video_is_opened_by_a_drop(person, film):
    drop(person.page, ("dropped.mp4", film.read_bytes()))
    person.page.get_by_role("heading", name="dropped.mp4").wait_for(timeout=20000)
    person.no_errors()


def test_a_file_that_is_no_video_is_refused_in_one_line(person):
    drop(person.page, ("notes.mp4", b"no video at all"))
    line = person.page.locator("#status-error")
    line.filter(has_text="notes.mp4").wait_for()
    assert "\n" not in line.inner_text()
    drop(person.page, ("mask.png", b""))
    person.reads("Open the video first")


def test_a_removed_video_is_brought_back(person, film):
    person.choose_file(film)
    person.press("u")
    card = person.page.locator(".card")
    before = card.count()
    card.first.get_by_role("button", name="Remove").click()
    person.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    person.page.get_by_role("button", name="Undo", exact=True).click()
    person.until(f"document.querySelectorAll('.card').length === {before}")
    person.no_errors()
