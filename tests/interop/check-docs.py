#!/usr/bin/env python3
"""Keeps the documents true to what is built: check-docs.py PLUGIN.so...

  - Each element of the plugins has a page docs/elements/NAME.md, which names in `backticks` every property, signal and
    action that gst-inspect-1.0 shows, each value of an enumeration and each field of its statistics; README.md links it.
  - Links between documents lead to a file and, with #, to a heading.
  - Tests that docs/threat-model.md names as proof exist: a table's cell with `tests/PATH` and `name` says that `name`
    stands in that file, or, where PATH has a *, in one of those files.
  - What docs/guide quotes as a message (*in italics*, **bold** or `code`, in the first cell of a table under "What messages
    mean" or "Troubleshooting") is a message of the sources; N, M, X, Y and … stand for anything.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
# GObject's, GstObject's and GstElement's own, which say nothing about an element. gst-inspect-1.0 shows the last three, which
# no element can define anew, where pads come and go; the page's table of pads tells about those.
EVERYBODYS = {"name", "parent", "pad-added", "pad-removed", "no-more-pads"}

failures = []
checks = 0


def check(good, words):
    global checks
    checks += 1
    if not good:
        failures.append(words)
        print(f"FAILED: {words}")


def inspect(what):
    done = subprocess.run(["gst-inspect-1.0", "--no-colors", str(what)], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"gst-inspect-1.0 {what}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def names_shown(text):
    """(what it is, name) of all that gst-inspect-1.0 says a user can set, read, call or connect to."""
    section = ""
    for line in text.splitlines():
        if re.match(r"^\S.*:$|^[A-Z].*:\s*$", line):
            section = line.rstrip(": ")
        if section in ("Element Properties", "Pad Properties"):
            for what, pattern in (("property", r"^  ([a-z][\w-]*)\s*: "), ("value", r"^\s{10,}\(\d+\): ([\w-]+)\s"),
                                  ("field of stats", r"^\s{26,}([a-z][a-z0-9-]*): ")):
                found = re.match(pattern, line)
                if found:
                    yield what, found.group(1)
        elif section in ("Element Signals", "Element Actions"):
            found = re.match(r'^  "([\w-]+)"', line)
            if found:
                yield section[len("Element "):-1].lower(), found.group(1)


def check_element(name, readme):
    page = TOP / "docs/elements" / f"{name}.md"
    check(page.exists(), f"there is no docs/elements/{name}.md")
    check(f"docs/elements/{name}.md" in readme, f"README.md has no link to docs/elements/{name}.md")
    if not page.exists():
        return
    words = page.read_text(encoding="utf-8")
    shown = [(what, item) for what, item in names_shown(inspect(name)) if item not in EVERYBODYS]
    check(shown, f"gst-inspect-1.0 {name} shows no property at all: is this script still right?")
    for what, item in shown:
        check(f"`{item}`" in words, f"docs/elements/{name}.md does not name the {what} `{item}`")


def anchors(text):
    """The names that GitHub gives to headings."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def check_links(path):
    text = path.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        here = path.relative_to(TOP)
        check(file.exists(), f"{here}: {link} leads nowhere")
        if anchor and file.suffix == ".md" and file.exists():
            check(anchor in anchors(file.read_text(encoding="utf-8")), f"{here}: {link}: there is no such heading")


def check_claims(path):
    claims = 0
    for row in path.read_text(encoding="utf-8").splitlines():
        if not row.startswith("|"):
            continue
        where, files = "", []
        for word in re.findall(r"`([^`]+)`", row.rstrip("| ").split("|")[-1]):
            if word.startswith("tests/"):
                where, files = word, [file for file in sorted(TOP.glob(word)) if file.is_file()]
                check(files, f"{path.name}: there is no {word}")
            elif files:
                claims += 1
                name = re.compile(r"(?<![\w-])" + re.escape(word) + r"(?![\w-])")
                check(any(name.search(file.read_text(encoding="utf-8")) for file in files),
                      f"{path.name}: {where} has no test {word}")
    check(claims > 0, f"{path.name} names no test at all: is this script still right?")


def messages_of_sources():
    """All sources with the pieces of their string literals put together."""
    text = "\n".join(file.read_text(encoding="utf-8") for folder in ("ext", "gst")
                     for file in sorted((TOP / folder).rglob("*.c")))
    text = re.sub(r'%"\s*\w+\s*"', "%d", text)
    return re.sub(r'(?<!\\)"\s*"', "", text).replace('\\"', '"')


def check_messages(path, sources):
    section = re.search(r"^## (?:What messages mean|Troubleshooting)$(.*?)(?=^## |\Z)", path.read_text(encoding="utf-8"),
                        re.MULTILINE | re.DOTALL)
    for row in (section.group(1) if section else "").splitlines():
        if not row.startswith("|"):
            continue
        for quoted in re.findall(r"\*([^*]+)\*|`([^`]+)`", row.split("|")[1]):
            words = quoted[0] or quoted[1]
            pattern = re.sub(r"\b[NMXY]\b|…", ".*", re.escape(words))
            pattern = re.sub(r"\b\d+\b", lambda number: rf"(?:{number.group()}|%\w+)", pattern)
            check(re.search(pattern, sources), f"{path.name}: no element says: {words}")


def main():
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    for plugin in sys.argv[1:]:
        elements = re.findall(r"^  ([a-z]\w*): ", inspect(plugin), re.MULTILINE)
        check(elements, f"{plugin} has no elements")
        for element in elements:
            check_element(element, readme)
    for path in sorted(TOP.glob("*.md")) + sorted((TOP / "docs").rglob("*.md")):
        check_links(path)
    sources = messages_of_sources()
    for path in sorted((TOP / "docs/guide").rglob("*.md")):
        check_messages(path, sources)
    check_claims(TOP / "docs/threat-model.md")
    print(f"Checks: {checks}, Failures: {len(failures)}, Errors: 0")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
