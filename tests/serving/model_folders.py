"""Model folders of any version, for tests of the registry: copies of the model that ships."""

import json
import shutil
from pathlib import Path

SHIPPED = Path(__file__).parents[2] / "data" / "models" / "default"
VERBATIM = "Kurier zgubił moją paczkę 600123456"


def model_folder(folder: Path, version: str, **changes: object) -> Path:
    """The model that ships under another version, beside rows that training held back."""
    shutil.copytree(SHIPPED, folder)
    path = folder / "model.json"
    data = json.loads(path.read_text("utf-8")) | {"version": version} | changes
    path.write_text(json.dumps(data, ensure_ascii=False), "utf-8")
    (folder / "held.jsonl").write_text(json.dumps({"id": "1", "text": VERBATIM}) + "\n", "utf-8")
    return folder
