"""What all tests share: where the real data lies, and how hypothesis looks for trouble."""

import contextlib
import io
import os
import re
from pathlib import Path

import pytest
from hypothesis import settings

# Kernels compile at their first call, so no example has a deadline. In CI the same examples come every time: a failure
# there must belong to the change, and the search for new ones happens at home.
settings.register_profile("scratchnet", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("scratchnet")

WHAT_TO_DO = "Set it to the folder with weights/, pictures/, faces/ and photos/, as an absolute path."


@pytest.fixture(scope="session")
def data_folder():
    """The folder of real weights and pictures, a pathlib.Path.

    SCRATCHNET_DATA unset: the test is skipped and says so. Set to a folder that is not there: the test fails, because
    whoever set it wanted these tests to run. A file missing inside it fails too, where the test opens it.
    """
    if not os.environ.get("SCRATCHNET_DATA"):
        pytest.skip(f"SCRATCHNET_DATA is not set. {WHAT_TO_DO}")
    folder = Path(os.environ["SCRATCHNET_DATA"])
    if not folder.is_dir():
        pytest.fail(f"SCRATCHNET_DATA is {str(folder)!r}, which is not a folder. {WHAT_TO_DO}", pytrace=False)
    return folder


@pytest.fixture(autouse=True)
def _real_tests_need_the_data(request):
    """The rule belongs to the marker: a test marked real obeys it even if it forgets to ask for the folder."""
    if request.node.get_closest_marker("real"):
        request.getfixturevalue("data_folder")


@pytest.fixture(scope="session")
def quick_lessons(tmp_path_factory):
    """All lessons, run once with --quick from a folder of nobody's. -> (that folder, exit code, {number: what it printed}).

    Their pages and pictures are in "a/new folder" under it.
    """
    from lessons import __main__ as lessons
    elsewhere, printed = tmp_path_factory.mktemp("lessons"), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.chdir(elsewhere)
        code = lessons.main(["--quick", "--out", "a/new folder"])
    parts = re.split(r"(?m)^(?=Lesson \d+: )", printed.getvalue())
    return elsewhere, code, {int(re.match(r"Lesson (\d+)", part)[1]): part for part in parts if part}
