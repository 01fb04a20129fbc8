"""The one step of a build that pyproject.toml cannot say: the app goes into the wheel as a part of lm2viz."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


class BuildWithApp(build_py):
    """Copies the app, and the table that it shows, to ``lm2viz/_app``, laid out as in the repository."""

    def run(self) -> None:
        """As setuptools does, then the copy; an editable install finds the app where it is."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "lm2viz" / "_app"
        shutil.rmtree(target, ignore_errors=True)  # what an earlier build left
        shutil.copytree(HERE / "app", target / "app", ignore=shutil.ignore_patterns("__pycache__"))
        (target / "docs" / "comparison").mkdir(parents=True)
        shutil.copy(HERE / "docs" / "comparison" / "table.json", target / "docs" / "comparison")


setup(cmdclass={"build_py": BuildWithApp})
