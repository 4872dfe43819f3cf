"""What the reference validator says of skill folders: one folder per line in, one line of JSON per folder out."""

import json
import sys
from pathlib import Path

from skills_ref.parser import find_skill_md, parse_frontmatter
from skills_ref.validator import validate


def verdict(folder: Path) -> dict:
    try:
        errors = validate(folder)
    except Exception as error:  # it means to judge, not to fall over: a package it cannot even read is none
        return {"errors": [f"{type(error).__name__}: {error}"], "metadata": None}
    if errors:
        return {"errors": errors, "metadata": None}
    metadata, body = parse_frontmatter(find_skill_md(folder).read_text(encoding="utf-8"))
    return {"errors": [], "metadata": metadata, "body": body}


for line in sys.stdin:
    print(json.dumps(verdict(Path(line.rstrip("\n")))), flush=True)
