"""Every Python block in the documents runs, those of a page one after another."""

import numpy as np
import pytest
from support import documents
from support.clips import clip

from vosjax import config

FRAMES, LABELS = clip(frames=4, height=48, width=64, objects=2)
BLOCKS = [
    block
    for block in documents.blocks()
    if block.language == "python" and not documents.named_file(block.text)
]
PAGES = list(dict.fromkeys(block.document for block in BLOCKS))


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch):
    documents.stand_ins(tmp_path)
    monkeypatch.chdir(tmp_path)
    names = dict(frame=FRAMES[0], next_frame=FRAMES[1], mask=LABELS[0], np=np)
    for block in BLOCKS:
        if block.document == page and block.mark != "parsed":
            exec(compile(block.text, str(block), "exec"), names)
    if "get_config" in names:
        assert config.parsed(names["get_config"]())


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_it_is_python_at_least(block):
    compile(block.text, str(block), "exec")
