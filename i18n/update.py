# SPDX-License-Identifier: GPL-2.0-or-later
"""Extracts every ``tr()`` of plugin/ into the .ts files beside this one, keeping what is translated.

``python i18n/update.py`` (needs pylupdate5 of pyqt5-dev-tools). pylupdate5 takes a function's own context
from ``translate("Terrane", …)`` only, so it is shown copies in which ``tr(`` is spelt that way.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PLUGIN = FOLDER.parent / "plugin"


def main() -> None:
    """Update all languages."""
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "plugin"
        names = []
        for source in sorted(PLUGIN.rglob("*.py")):
            if source.name == "i18n.py":
                continue
            target = copy / source.relative_to(PLUGIN)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text(encoding="utf-8")
            target.write_text(re.sub(r"\btr\(", 'translate("Terrane", ', text), encoding="utf-8")
            names.append(str(target.relative_to(place)))
        for language in FOLDER.glob("*.ts"):
            shutil.copy(language, place)
            command = ["pylupdate5", "-noobsolete", *names, "-ts", language.name]
            subprocess.run(command, cwd=place, check=True)  # noqa: S603 - a developer tool
            # Line numbers would change with every edit, and make every diff.
            updated = (Path(place) / language.name).read_text(encoding="utf-8")
            updated = re.sub(r"\s*<location [^>]*/>", "", updated)
            language.write_text(updated, encoding="utf-8")


if __name__ == "__main__":
    main()
