"""The report for circulation: a tagged PDF, and pictures of the page and of the PDF to look at."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from cba.errors import InputError
from cba.reporting.chromium import Browser, BrowserError, find_chromium, open_page

WIDTHS = (1280, 390)
"""Widths of the pictures: a desk and a telephone, in CSS pixels."""

_TALLEST = 4000
"""CSS pixels of one picture: a whole report would be taller than a browser can paint."""

_A4 = {"paperWidth": 8.27, "paperHeight": 11.69}
_MARGIN = dict.fromkeys(("marginTop", "marginBottom", "marginLeft", "marginRight"), 0.6)


def require_programs(*, pictures: bool = False) -> None:
    """Refuse at once where a program is missing, before any work is done.

    Parameters
    ----------
    pictures : bool
        Whether pictures of the PDF's pages are wanted too.

    Raises
    ------
    InputError
        If no Chromium is found, or no pdftoppm for pictures.

    Examples
    --------
    >>> require_programs()  # doctest: +SKIP
    """
    find_chromium()
    if pictures:
        _pdf_converter()


def picture_folder(folder: Path) -> Path:
    """Make the folder that pictures go into, before any work is done.

    Parameters
    ----------
    folder : Path
        Made if needed.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        If there is a file in its place or it cannot be made.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     picture_folder(Path(place) / "pictures").is_dir()
    True
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            "the folder of the pictures cannot be made",
            file=folder,
            found=error.strerror,
            allowed="a folder, or a name that is still free",
            cause="a file of that name, or a place that may not be written to",
            remedy="name another folder",
        ) from None
    return folder


def report_pdf(html: str | Path) -> bytes:
    """Print a page as a tagged PDF: same order, title, language, headings as an outline.

    Parameters
    ----------
    html : str or Path
        The page, or the file that holds it.

    Returns
    -------
    bytes
        A4; a section that a reader can change prints at the settings of the run.

    Raises
    ------
    InputError
        If no Chromium is found.
    BrowserError
        If it fails.

    Examples
    --------
    >>> report_pdf(Path("report.html"))[:5]  # doctest: +SKIP
    b'%PDF-'
    """
    if isinstance(html, Path):
        with open_page(html) as browser:
            return _printed(browser)
    with TemporaryDirectory(prefix="cba-print-") as folder:
        file = Path(folder) / "report.html"
        file.write_text(html, encoding="utf-8")
        return report_pdf(file)


def report_pictures(html: Path, folder: Path) -> list[Path]:
    """Take pictures of a page at each of :data:`WIDTHS`, and of every page of its PDF.

    Parameters
    ----------
    html : Path
        File of the page.
    folder : Path
        Made if needed; pictures of the same names in it are replaced.

    Returns
    -------
    list of Path
        ``report-<width>-<number>.png`` from top to bottom, then ``page-<number>.png``.

    Raises
    ------
    InputError
        If no Chromium, or no pdftoppm for the pages of the PDF, is found, or the folder cannot be made.
    BrowserError
        If one of them fails.

    Examples
    --------
    >>> report_pictures(Path("report.html"), Path("pictures"))  # doctest: +SKIP
    """
    converter = _pdf_converter()
    picture_folder(folder)
    taken: list[Path] = []
    printed = b""
    for width in WIDTHS:
        with open_page(html, width=width) as browser:
            taken += _pictures(browser, folder, width=width)
            printed = printed or _printed(browser)
    return taken + _pdf_pages(printed, folder, converter=converter)


def _printed(browser: Browser) -> bytes:
    answer = browser.ask(
        "Page.printToPDF",
        generateTaggedPDF=True,
        generateDocumentOutline=True,
        printBackground=True,
        displayHeaderFooter=False,
        **_A4,
        **_MARGIN,
    )
    return base64.b64decode(answer["data"])


def _pictures(browser: Browser, folder: Path, *, width: int) -> list[Path]:
    """Take the whole page in pieces from top to bottom."""
    size = browser.ask("Page.getLayoutMetrics")["cssContentSize"]
    taken = []
    for number, top in enumerate(range(0, int(size["height"]), _TALLEST), start=1):
        clip = {"x": 0, "y": top, "width": width, "height": min(_TALLEST, size["height"] - top), "scale": 1}
        answer = browser.ask("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        file = folder / f"report-{width}-{number:02d}.png"
        file.write_bytes(base64.b64decode(answer["data"]))
        taken.append(file)
    return taken


def _pdf_converter() -> str:
    found = shutil.which("pdftoppm")
    if found is None:
        raise InputError(
            "no pdftoppm is found on this machine",
            field="PATH",
            found="none",
            allowed="pdftoppm, of the package poppler-utils",
            cause="pictures of a PDF's pages are made by a program of its own",
            remedy="install it (Debian: apt-get install poppler-utils)",
        )
    return found


def _pdf_pages(pdf: bytes, folder: Path, *, converter: str) -> list[Path]:
    """Turn every page of a PDF into a picture."""
    with TemporaryDirectory(prefix="cba-pages-") as work:
        source = Path(work) / "report.pdf"
        source.write_bytes(pdf)
        made = subprocess.run(
            [converter, "-r", "60", "-png", str(source), str(Path(work) / "page")], capture_output=True
        )
        if made.returncode:
            raise BrowserError(f"pdftoppm failed: {made.stderr.decode(errors='replace').strip()}")
        pages = sorted(Path(work).glob("page-*.png"), key=lambda file: int(file.stem.split("-")[1]))
        return [
            Path(shutil.copy(file, folder / f"page-{number:03d}.png")) for number, file in enumerate(pages, 1)
        ]
