"""What mkdocs does not do by itself: pages that lie outside of docs, and files that pages link to.

The README is the first page. A link to a file or folder of the project leads to a page that shows it, so that the site stands alone.
Knows nothing of what pages say.
"""

import json
import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from typing import Any

from pymdownx.slugs import slugify

ROOT = Path(__file__).resolve().parents[1]
MOVED = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)[^)\s#]+")
FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
LANGUAGES = {".yaml": "yaml", ".yml": "yaml", ".cff": "yaml", ".py": "python"}
LARGEST = 200_000  # bytes of a file that is shown


def on_config(config: Any) -> Any:
    """Anchors are those of forges, as the same links serve there."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    return config


def on_files(files: Any, config: Any) -> Any:
    """With a page for whatever is linked, from page to page, and lies outside of docs."""
    from mkdocs.structure.files import File

    texts = {name: (ROOT / name).read_text() for name in MOVED}
    texts |= {f"docs/{file.src_uri}": file.content_string for file in files if file.is_documentation_page()}
    waiting = [*texts]
    while waiting:
        path = waiting.pop()
        texts[path] = texts[path] or shown(ROOT / path)
        if page(path) != path.removeprefix("docs/"):
            files.append(File.generated(config, page(path), content=linked(texts[path], path)))
        found = {one for one in targets(texts[path], path) if not one.startswith("docs/") and one not in texts}
        texts |= dict.fromkeys(found, "")
        waiting += sorted(found)
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links out of docs lead to the pages of what they link to."""
    return markdown if page.file.generated_by else linked(markdown, f"docs/{page.file.src_uri}")


def page(path: str) -> str:
    """Where the site has a path of the project: `docs/data.md` at `data.md`, `config.yaml` at `files/config.yaml.md`."""
    return MOVED.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else f"files/{path}.md")


def targets(text: str, path: str) -> list[str]:
    """Paths from the root of what a text that lies at `path` links to, code left out."""
    prose = "".join(FENCED.split(text)[::2])
    return [normpath(join(dirname(path), link)) for link in LINK.findall(prose)]


def linked(text: str, path: str) -> str:
    """The text with links as the site has them."""

    def moved(link: re.Match[str]) -> str:
        return relpath(page(normpath(join(dirname(path), link[0]))), dirname(page(path)) or ".")

    parts = FENCED.split(text)
    return "".join(part if number % 2 else LINK.sub(moved, part) for number, part in enumerate(parts))


def shown(path: Path) -> str:
    """A file or folder of the project as Markdown."""
    title = f"# {path.relative_to(ROOT)}\n\n"
    if path.is_dir():
        return title + "\n".join(f"* [{one.name}]({path.name}/{one.name})" for one in sorted(path.iterdir()) if one.is_file())
    if path.suffix == ".md":
        return path.read_text()
    if path.suffix == ".ipynb":
        return "\n\n".join(filter(None, map(_cell, json.loads(path.read_text())["cells"])))
    if path.stat().st_size > LARGEST:
        return f"{title}A file of {path.stat().st_size:,} bytes."
    return f"{title}````{LANGUAGES.get(path.suffix, 'text')}\n{path.read_text().rstrip()}\n````"


def _cell(cell: dict[str, Any]) -> str:
    """A cell of a notebook with what it gave, images included."""
    text = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return text
    parts = [f"````python\n{text}\n````"]
    for output in cell["outputs"]:
        data = output.get("data", {"text/plain": output.get("text", "")})
        if "image/png" in data:
            parts.append(f"![result of the cell](data:image/png;base64,{''.join(data['image/png']).strip()})")
        else:
            parts.append(f"````text\n{''.join(data.get('text/plain', '')).rstrip()}\n````")
    return "\n\n".join(parts)
