"""The commands ``gridplan check | new | report | batch | metrics | compare | archive | verify | dictionary``.

What a command needs is imported when it runs, so that ``gridplan --help`` answers without pandapower or papermill.
"""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text
from typer.core import TyperGroup

from gridplan import __version__, tables
from gridplan.errors import GridplanError, InputError, ParameterError, Problem, ReportError
from gridplan.study import Study, doubts, examine
from gridplan.workers import warm

if TYPE_CHECKING:
    import pandas as pd
    from pandapower.auxiliary import pandapowerNet

# jsonschema would build a grammar of addresses for longer than all that a report imports; notebooks hold none.
sys.modules.setdefault("rfc3987_syntax", None)

NOTEBOOKS = Path("notebooks")
ELEMENTS = {"load": "load", "sgen": "static generator", "storage": "storage unit", "gen": "generator"}


class _Commands(TyperGroup):
    """Commands that answer an error of gridplan with its message instead of a traceback."""

    def invoke(self, ctx: typer.Context) -> Any:
        try:
            return super().invoke(ctx)
        except GridplanError as error:
            _say(str(error), style="red", error=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=_Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)


def _say(text: str, *, style: str = "", error: bool = False) -> None:
    """Print text as it is: names from a study are neither markup nor control codes of a terminal."""
    plain = "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
    Console(stderr=error, highlight=False).print(Text(plain, style=style), soft_wrap=True)


def _version(asked: bool) -> None:
    if asked:
        _say(f"gridplan {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Plan the modernisation of a distribution grid from the utility's own data."""


@app.command()
def check(study: Annotated[Path, typer.Argument(help="Study folder or .xlsx workbook.")]) -> None:
    """Check a study: print every problem of its tables and its network, or take stock of it."""
    found, problems = examine(study)
    net, more = _load(found)
    problems = (*problems, *more)
    problems += () if problems else _inventory(found)
    if problems:
        _say(f"study {study} has {len(problems)} problem{'s' if len(problems) > 1 else ''}:", style="bold red")
        _list(problems)
        raise typer.Exit(1)
    _take_stock(found, net)


def _load(study: Study) -> tuple[pandapowerNet | None, tuple[Problem, ...]]:
    """Open the network and check it against the tables that are free of problems."""
    if not study.network:
        return None, ()
    from gridplan import network  # noqa: PLC0415 - loads pandapower

    try:
        return network.load(study), ()
    except InputError as error:
        return None, error.problems


def _inventory(study: Study) -> tuple[Problem, ...]:
    """Check the IT/OT tables with each other, in a study that has needs."""
    if "needs" not in study.tables:
        return ()
    from gridplan import gaps  # noqa: PLC0415 - loads networkx

    try:
        gaps.facts(study.tables, year=study.base_year)
    except InputError as error:
        return error.problems
    return ()


def _list(problems: tuple[Problem, ...]) -> None:
    """Print problems under the file in which they are."""
    for file in dict.fromkeys(problem.where.partition(", ")[0] for problem in problems):
        _say(f"\n{file}", style="bold")
        for problem in problems:
            name, _, rest = problem.where.partition(", ")
            if name == file:
                said = str(dataclasses.replace(problem, where=rest))
                _say(f"  - {said.removeprefix(', ').removeprefix(': ')}")


def _take_stock(study: Study, net: pandapowerNet) -> None:
    from gridplan import network  # noqa: PLC0415 - loads pandapower

    _say(f"{study.title} ({study.name}), base year {study.base_year}", style="bold")
    for name, table in study.tables.items():
        _say(f"  {name}: {len(table)} rows, {len(table.columns)} columns")
    _say("network", style="bold")
    for row in network.describe(net).itertuples(index=False):
        amount = f", {row.quantity:,.4g} {row.unit}" if row.quantity == row.quantity else ""
        _say(f"  {row.item}{', ' if row.detail else ''}{row.detail}: {row.number}{amount}")
    findings = list(_findings(net))
    for severity, text in findings:
        _say(f"  {severity}: {text}", style="yellow" if severity == "warning" else "")
    warnings = [*_constant(network.unassigned(study, net)), *map(str, doubts(study))]
    count = len(warnings) + sum(severity == "warning" for severity, _ in findings)
    _say(f"No problem found; {count} warning{'s' if count != 1 else ''}.", style="green")
    for text in warnings:
        _say(f"  warning: {text}", style="yellow")


def _findings(net: pandapowerNet) -> Iterator[tuple[str, str]]:
    """Yield severity and text of what is to know about the network; the same finding at many elements only once."""
    from gridplan import network  # noqa: PLC0415 - loads pandapower

    same = ["severity", "check", "element", "found", "remedy"]
    for (severity, _, element, found, remedy), rows in network.diagnose(net).groupby(same, sort=False):
        numbers = rows["element_id"].dropna().astype(int).tolist()
        if len(numbers) > 1:
            shown = ", ".join(f"{element} {number}" for number in numbers[:3]) + (", ..." if len(numbers) > 3 else "")
            named = f"{len(numbers)} {element}{'es' if element.endswith(('s', 'ch')) else 's'} ({shown})"
        else:
            named = network.display_name(net, element, numbers[0]) if numbers else element
        yield severity, f"{named}: {found}; {remedy}"


def _constant(unassigned: pd.DataFrame) -> Iterator[str]:
    """Yield a warning for every kind of element that no profile moves."""
    for element, count, power in unassigned.itertuples(index=False):
        one = ELEMENTS[element] if count == 1 else f"{ELEMENTS[element]}s"
        follow, their = ("follows", "its") if count == 1 else ("follow", "their")
        yield f"{count} {one} ({power:.3g} MW) {follow} no profile: {their} power is constant all year"


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
    network: Annotated[str, typer.Option("--network", help="Network file, pandapower:<name> or simbench:<code>.")],
    name: Annotated[str | None, typer.Option("--name", help="Name of the study; by default that of the folder.")] = None,
) -> None:
    """Start a study from a network: its tables filled as far as the network tells, the rest ready to fill."""
    from gridplan.network.starter import new_study  # noqa: PLC0415 - loads pandapower

    made = new_study(folder, network, name=name)
    _say(f"Study {made} is made; its README.md says what is left to fill. List the empty cells with")
    _say(f"gridplan check {made}")


@app.command()
def report(  # noqa: PLR0913, PLR0917 - one argument for each option of the command
    notebook: Annotated[str, typer.Argument(help="Notebook file, or the name of one in ./notebooks.")],
    study: Annotated[Path, typer.Option("--study", help="Study folder or .xlsx workbook.")],
    parameter: Annotated[list[str] | None, typer.Option("-p", "--parameter", help="name=value; may be repeated.")] = None,
    file: Annotated[Path | None, typer.Option("-f", "--file", help="YAML file of parameters; -p overrides it.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of all reports.")] = Path("reports"),
    timeout: Annotated[float | None, typer.Option("--timeout", help="Limit of the whole run [s].")] = None,
    final: Annotated[bool, typer.Option("--final", help="Mark the report as final instead of draft.")] = False,
    classification: Annotated[str, typer.Option("--classification", help="Label on every page, such as Internal.")] = "",
    pdf: Annotated[bool, typer.Option("--pdf", help="Print the page to a PDF too; needs Chromium, Chrome or Edge.")] = False,
) -> None:
    """Run a notebook on a study and write its report, one offline HTML file."""
    from gridplan.report import RunOptions, gather, render  # noqa: PLC0415 - loads papermill

    source = find_notebook(notebook)
    values = gather(source, texts=parameter or (), file=file)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    screen = Console(stderr=True)
    # Where nobody watches, a bar leaves nothing but an empty line.
    with _stoppable(), Progress(*columns, console=screen, transient=True, disable=not screen.is_interactive) as progress:
        task = progress.add_task(escape(source.stem), total=None)
        options = RunOptions(
            status="FINAL" if final else "DRAFT",
            classification=classification,
            timeout_s=timeout,
            pdf=pdf,
            on_cell=lambda done, count: progress.update(task, completed=done, total=count),
        )
        run = render(source, study=study, parameters=values, out=out, options=options)
    _say(f"Written in {run.seconds:.0f} s, with {len(run.csv)} CSV files beside it. The newest is always {run.latest}")
    _say(str(run.page))


@app.command()
def batch(
    runs: Annotated[Path, typer.Argument(help="File of runs, runs.toml; data/schedules holds an example.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder of all reports, in place of the one in the file.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Runs at once on this machine.")] = None,
    scheduler: Annotated[str | None, typer.Option("--scheduler", help="Dask scheduler, tcp://host:8786.")] = None,
    wait: Annotated[float, typer.Option("--wait", min=0, help="How long to wait for another batch [s].")] = 0.0,
    check_only: Annotated[bool, typer.Option("--check", help="Check the file and list its runs, and run nothing.")] = False,
) -> None:
    """Make many reports, each published or failed on its own, with an index page, a summary for programs and an exit code.

    Exit code: 0 all complete; 1 nothing run, as the file or folder is not fit; 3 another batch runs; 4 at least one run is not
    complete; 5 all complete, but index, summary or notification failed; 130 stopped.
    """
    from gridplan.report import batch as batches  # noqa: PLC0415 - loads papermill
    from gridplan.report.batch.screen import Screen  # noqa: PLC0415

    asked = batches.read_runs(runs, out=out)
    if check_only:
        for job in asked.jobs:
            _say(job.name)
        return
    with _interruptible(), Screen(len(asked.jobs)) as screen:
        options = batches.Options(workers=workers, scheduler=scheduler, wait_s=wait, on_event=screen.show)
        try:
            summary = batches.run(asked, options)
        except ReportError as fault:
            _say(str(fault), style="red", error=True)
            raise typer.Exit(batches.BUSY if fault.fault == "batch" else batches.NOT_STARTED) from fault
    for text in screen.told(summary):
        _say(text, error=True)
    _say(str(summary.index or summary.out))
    raise typer.Exit(summary.exit_code)


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="Earlier run: its folder, its page, or an archive of it.")],
    after: Annotated[Path, typer.Argument(help="Later run, given in the same way.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the comparison.")] = Path("reports/compare"),
    pdf: Annotated[bool, typer.Option("--pdf", help="Print the page to a PDF too.")] = False,
) -> None:
    """Write what changed between two runs: inputs row by row, parameters, versions, key figures, roadmap, figures."""
    from gridplan.report import compare as compare_runs  # noqa: PLC0415 - loads papermill

    found = compare_runs(before, after, out=out, pdf=pdf)
    _say(found.summary)
    _say(str(found.page))


@app.command()
def archive(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or a file in it.")],
    out: Annotated[Path | None, typer.Option("--out", help="File to write; by default beside the run.")] = None,
    with_inputs: Annotated[bool, typer.Option("--with-inputs", help="Put the files of the study in as well.")] = False,
) -> None:
    """Pack a run into one zip file with the hash of everything in it."""
    from gridplan.report import archive as archives  # noqa: PLC0415 - loads papermill

    _say(str(archives.pack(run, target=out, with_inputs=with_inputs)))


@app.command()
def verify(archive: Annotated[Path, typer.Argument(help="Archive, or folder of a run.")]) -> None:
    """Compute the hashes of an archive again; name what differs, is missing or is additional."""
    from gridplan.report import archive as archives  # noqa: PLC0415 - loads papermill

    found = archives.verify(archive)
    _say(f"{found.title}: {found.files} files are as they were recorded", style="bold")
    _say(f"  the study's files are {'in it' if found.inputs else 'not in it'}")
    _say(f"  SHA-256 of the record itself, to compare with the one noted when it was made: {found.manifest_sha256}")
    for problem in found.problems:
        _say(f"  - {problem}", style="red")
    if found.problems:
        raise typer.Exit(1)
    _say("Nothing was changed.", style="green")


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let a request to end (SIGTERM) stop what runs as Ctrl+C does."""
    main = threading.current_thread() is threading.main_thread()  # only there can signals be handled
    before = signal.signal(signal.SIGTERM, signal.default_int_handler) if main else None
    try:
        yield
    finally:
        if main:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Let a run that is stopped end its kernel and clear its files, and say so."""
    try:
        with _interruptible():
            yield
    except KeyboardInterrupt:
        _say("Stopped; nothing was published.", error=True)
        raise typer.Exit(130) from None


def find_notebook(name: str) -> Path:
    """Return the file of a notebook that is given as a path, or by name if it is in ``./notebooks``.

    Raises
    ------
    ParameterError
        There is none; the message suggests the nearest name.
    """
    for path in (Path(name), NOTEBOOKS / name, NOTEBOOKS / f"{name}.ipynb"):
        if path.suffix == ".ipynb" and path.is_file():
            return path
    known = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    problem = Problem(f"notebook '{name}'", "does not exist", remedy=tables.near(Path(name).stem, known))
    raise ParameterError("gridplan report", [problem])


@app.command()
def metrics(  # noqa: PLR0913, PLR0917 - one argument for each option of the command
    study: Annotated[Path, typer.Option("--study", help="Study folder or .xlsx workbook.")],
    out: Annotated[Path, typer.Option("--out", help="CSV file to write.")] = Path("metrics.csv"),
    scenario: Annotated[list[str] | None, typer.Option("--scenario", help="Scenario; may be repeated. All by default.")] = None,
    year: Annotated[list[int] | None, typer.Option("--year", help="Year; may be repeated. Every fifth by default.")] = None,
    every: Annotated[int, typer.Option("--every", help="Simulate one step of so many.")] = 4,
    scheduler: Annotated[
        str, typer.Option("--scheduler", help="local, serial, or the address of a Dask scheduler (tcp://host:8786).")
    ] = "local",
    workers: Annotated[int | None, typer.Option("--workers", help="Processes of a local run; one a core by default.")] = None,
    cache: Annotated[Path | None, typer.Option("--cache", help="Folder of earlier results, instead of the user's.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compute everything, and keep nothing.")] = False,
) -> None:
    """Write what every option of every application group gives, by area, scenario and year."""
    if scheduler == "local":
        warm()
    from gridplan import assess  # noqa: PLC0415 - loads pandapower
    from gridplan.study import read_study  # noqa: PLC0415 - pandas

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    screen = Console(stderr=True)
    with _stoppable(), Progress(*columns, console=screen, transient=True, disable=not screen.is_interactive) as progress:
        bar = progress.add_task("metrics", total=None)
        execution = assess.Execution(
            scheduler=scheduler,
            workers=workers,
            cache=None if fresh else cache or assess.default_cache(),
            on_task=lambda done, count: progress.update(bar, completed=done, total=count),
        )
        table = assess.metrics(
            read_study(study), scenarios=scenario, years=year, settings=assess.Settings(every=every), execution=execution
        )
    out.write_text(tables.to_csv(table), encoding="utf-8")
    _say(f"{len(table)} rows written to {out}", style="green")


@app.command()
def dictionary() -> None:
    """Print the data dictionary, every table and column of a study, as Markdown."""
    typer.echo(tables.dictionary_markdown(), nl=False)
