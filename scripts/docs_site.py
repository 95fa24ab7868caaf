"""What MkDocs is taught to make the site of (`hooks` in mkdocs.yml).

Some pages are files that stand elsewhere in the repository, some are notebooks, and one holds what the commands say of
themselves. Links in all sources lead to files of the repository, as they do on GitHub; here they become links to pages.
"""

import posixpath
import re
from pathlib import Path

import click
import nbformat
from mkdocs.structure.files import File

from keras_gensynth_callback.cli.app import commands

ROOT = Path(__file__).resolve().parent.parent
# Page of the site -> file of the repository, of those that are not in docs/.
ELSEWHERE = {
    "contributing.md": "CONTRIBUTING.md",
    "changes.md": "CHANGELOG.md",
    "performance.md": "benchmarks/README.md",
    "tutorials/README.md": "tutorials/README.md",
}
ELSEWHERE.update({f"tutorials/{path.stem}.md": f"tutorials/{path.name}" for path in ROOT.glob("tutorials/*.ipynb")})
PAGES = {path: page for page, path in ELSEWHERE.items()}
COMMANDS = "<!-- What each command says of itself: scripts/docs_site.py. -->"
WIDTH = 80  # of what the commands say, in characters
LINK = re.compile(r"\[([^\]]+)\]\(([^)#:\s]+)(#[^)\s]*)?\)")


def on_files(files, config):
    """Adds the pages that are not in docs/."""
    for page, path in ELSEWHERE.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        content = notebook_as_markdown(text) if path.endswith(".ipynb") else text
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown, page, config, files):
    """Completes a page: links, and what the commands say."""
    source = ELSEWHERE.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return with_links_to_pages(markdown, page.file.src_uri, source).replace(COMMANDS, help_of_commands())


def with_links_to_pages(markdown, page, source):
    """Links to files of the repository as links to pages; what is no page is only named.

    Args:
        markdown: str.
        page: str, the page that the links stand on.
        source: str, the file of the repository that it is made of.
    """

    def linked(match):
        words, path, anchor = match.groups()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        target = PAGES.get(path) or (path[len("docs/") :] if path.startswith("docs/") else None)
        if target is None:
            if not (ROOT / path).exists():
                return match.group(0)  # MkDocs says that it leads to nowhere
            return f"{words} (`{path}` in the repository)"
        return f"[{words}]({posixpath.relpath(target, posixpath.dirname(page) or '.')}{anchor or ''})"

    return LINK.sub(linked, markdown)


def notebook_as_markdown(text):
    """A notebook with what it put out."""
    blocks = []
    for cell in nbformat.reads(text, as_version=4).cells:
        blocks.append(cell.source if cell.cell_type == "markdown" else f"```python\n{cell.source}\n```")
        blocks += [output_as_markdown(output) for output in cell.get("outputs", ())]
    return "\n\n".join(blocks)


def output_as_markdown(output):
    """What a cell printed, or its plot."""
    if output.output_type == "stream":
        return f"```text\n{output.text.rstrip()}\n```"
    return f"![plot](data:image/png;base64,{output.data['image/png'].strip()})"


def help_of_commands():
    """What `keras-gensynth` and each of its commands print with `--help`."""
    with_name = [("keras-gensynth", commands)]
    with_name += [(f"keras-gensynth {name}", command) for name, command in commands.commands.items()]
    blocks = []
    for name, command in with_name:
        context = click.Context(command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH)
        blocks.append(f"### {name}\n\n```text\n{command.get_help(context)}\n```")
    return "\n\n".join(blocks)
