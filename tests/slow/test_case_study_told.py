"""The case study, told from start to end: each of its claims on the numbers of its runs."""

import sys

import pytest

from conftest import CONFIGS

BENCHMARKS = CONFIGS.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from case_study import tell  # noqa: E402
from case_study_claims import CLAIMS  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The page and what it asked for; minutes."""
    folder = tmp_path_factory.mktemp("story") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(CONFIGS.parent)
        return tell(folder)


@pytest.mark.parametrize("name", CLAIMS)
def test_the_claim_holds(told, name):
    _, story = told
    assert name in story.claims, "the page does not make this claim"
    assert story.claims[name].holds, story.claims[name].says


def test_every_command_of_the_page_ran(told):
    page, story = told
    assert story.failed == []
    assert "DOES NOT HOLD" not in page
    assert "@TIME@" not in page
