"""Open a network from a file, from pandapower's collection or from SimBench.

A source that cannot be read, or that only running foreign code could read, is refused with a
:class:`~gridplan.errors.NetworkError` that says what to do instead.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.util
import inspect
import os
import re
import warnings
import zipfile
from ast import literal_eval
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pandapower as pp
import pandapower.networks
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.errors import NetworkError, Problem, suggest
from gridplan.network.matpower import open_matpower
from gridplan.network.serialised import refuse_foreign_cells, refuse_foreign_objects

#: Version, voltage levels, kind of grid, neighbouring grids (or nothing), scenario, switches.
SIMBENCH_CODE = re.compile(r"\d+-\w+-\w+-[\w.]*-\d-(no_)?sw")
PICKLES = (".p", ".pkl", ".pickle")


def open(source: str | Path, *, folder: str | Path | None = None) -> pandapowerNet:  # noqa: A001 - the name of the act
    """Open a network.

    Parameters
    ----------
    source
        One of

        - a file: pandapower ``.json`` or ``.xlsx``; MATPOWER ``.m`` (its unit conversions included) or ``.mat``; CIM/CGMES
        ``.zip``
          or ``.xml``, or a folder of them; OpenDSS ``.dss`` (needs the extra ``opendss``);
        - ``pandapower:mv_oberrhein``, a network that comes with pandapower; arguments as in
          ``pandapower:create_cigre_network_mv?with_der=pv_wind``;
        - ``simbench:1-MV-rural--0-sw`` (needs the extra ``simbench``).
    folder
        Folder to which a relative path refers; the working directory if not given.

    Returns
    -------
    pandapowerNet
        The network as stored, in the format of the installed pandapower; not yet judged: see :func:`check`.

    Raises
    ------
    NetworkError
        The source is unknown, absent, damaged, of an unsupported kind, or would run code when read.
    """
    text = str(source)
    for prefix, opener in COLLECTIONS.items():
        if text.startswith(prefix):
            return _modern(_guarded(text, opener, text.removeprefix(prefix)))
    path = Path(folder or ".", text)
    if not path.exists():
        raise NetworkError(f"network {text}", [_absent(path, text)])
    return _modern(_guarded(text, _reader(path), path))


def _reader(path: Path) -> Callable[[Path], pandapowerNet]:
    """Find the reader for a file or folder, or say why there is none."""
    if path.is_dir():
        return _open_cim
    kind = path.suffix.lower()
    if kind in PICKLES:
        what = "a pickle runs code when it is opened, so it is not read"
        remedy = "open it where you trust it and save it with pandapower.to_json(net, 'network.json')"
        raise NetworkError(f"network {path.name}", [Problem(path.name, what, remedy=remedy)])
    if kind not in READERS:
        what = f"'{kind or 'no ending'}' is no kind of network file; allowed: {', '.join(READERS)}"
        raise NetworkError(f"network {path.name}", [Problem(path.name, what)])
    return READERS[kind]


def _guarded(name: str, opener: Callable[[Any], pandapowerNet], given: str | Path) -> pandapowerNet:
    """Call a reader; turn whatever it raises into an error that names the source."""
    try:
        with warnings.catch_warnings():
            # Converters of old formats warn about the formats; what matters of them is judged by diagnose.
            warnings.simplefilter("ignore")
            net = opener(given)
    except NetworkError:
        raise
    except Exception as error:
        what = f"cannot be read: {type(error).__name__}: {_first_line(error)}"
        raise NetworkError(f"network {name}", [Problem(str(name), what, remedy=_remedy(given))]) from error
    if not isinstance(net, pandapowerNet) or not isinstance(net.get("bus"), pd.DataFrame) or net.bus.empty:
        what = "holds no network with buses"
        raise NetworkError(f"network {name}", [Problem(str(name), what, remedy=_remedy(given))])
    return net


def _first_line(error: Exception) -> str:
    """Shorten a foreign message: some hold a whole file."""
    lines = str(error).strip().splitlines() or ["no reason given"]
    return lines[0][:200]


def _remedy(given: str | Path) -> str:
    return "check that the file is complete and of the kind its ending says" if isinstance(given, Path) else "check the name"


def _absent(path: Path, text: str) -> Problem:
    """Say that a file is missing, and which near names there are."""
    folder = path.parent
    present = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    near = difflib.get_close_matches(path.name, present, n=3, cutoff=0.5)
    if near:
        return Problem(text, "no such file", remedy="did you mean " + " or ".join(f"'{n}'" for n in near) + "?")
    if ":" in text:
        return Problem(text, "neither a file nor a collection", remedy=f"known collections: {', '.join(COLLECTIONS)}")
    return Problem(
        text, "no such file", remedy=f"looked in {folder.resolve()}" if folder.is_dir() else f"there is no folder {folder}"
    )


def _modern(net: pandapowerNet) -> pandapowerNet:
    """Add the transformer columns that pandapower 3 wants and older networks lack (else every power flow warns)."""
    for table in ("trafo", "trafo3w"):
        if len(net[table]) and "tap_dependency_table" not in net[table]:
            net[table]["tap_dependency_table"] = False
    return net


def _open_json(path: Path) -> pandapowerNet:
    text = path.read_text("utf-8")
    refuse_foreign_objects(text, path.name)
    return pp.from_json_string(text, convert=True)


def _open_excel(path: Path) -> pandapowerNet:
    refuse_foreign_cells(pd.read_excel(path, sheet_name=None, index_col=0, engine="openpyxl"), path.name)
    return pp.from_excel(os.fspath(path))


def _open_cim(path: Path) -> pandapowerNet:
    """Read CGMES 2.4.15 through pandapower's converter."""
    _need("lxml", "CIM/CGMES networks", extra="cim")
    files = sorted([*path.glob("*.xml"), *path.glob("*.zip")]) if path.is_dir() else [path]
    profiles = _cim_profiles(files)
    if not profiles:
        what = "holds no CIM/CGMES profile (an RDF file in the CIM namespace)"
        raise NetworkError(
            f"network {path.name}", [Problem(path.name, what, remedy="give the folder or zip with the EQ, SSH, TP files")]
        )
    from pandapower.converter.cim.cim2pp.from_cim import from_cim  # noqa: PLC0415 - needs lxml, which not everybody has

    return from_cim([os.fspath(f) for f in files], ignore_errors=False)


def _cim_profiles(files: list[Path]) -> list[str]:
    """List the files, also inside archives, that look like CIM."""
    found = []
    for file in files:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                found += [
                    n for n in archive.namelist() if n.lower().endswith(".xml") and b"CIM-schema-cim" in archive.read(n)[:5000]
                ]
        elif b"CIM-schema-cim" in file.read_bytes()[:5000]:
            found.append(file.name)
    return found


def _open_dss(path: Path) -> pandapowerNet:
    """Read OpenDSS as a balanced network through pandapower's converter, which lets the OpenDSS engine compile the circuit."""
    _need("opendssdirect", "OpenDSS circuits", extra="opendss")
    from pandapower.converter.opendss import from_opendss  # noqa: PLC0415 - loads the OpenDSS engine

    with contextlib.chdir(path.parent):  # the engine changes the working folder to that of the circuit
        return from_opendss(os.fspath(path.resolve()))


def _open_powerfactory(path: Path) -> pandapowerNet:
    what = "a PowerFactory project can be read only inside a running, licensed PowerFactory"
    remedy = "run pandapower's from_pfd there and save with pandapower.to_json, or export CGMES 2.4.15 and open that"
    raise NetworkError(f"network {path.name}", [Problem(path.name, what, remedy=remedy)])


def _open_collected(name: str) -> pandapowerNet:
    """Make one of pandapower's own networks."""
    name, _, query = name.partition("?")
    known = _collection()
    if name not in known:
        problem = Problem(f"pandapower:{name}", "pandapower has no network of this name", remedy=suggest(name, known))
        raise NetworkError(f"network pandapower:{name}", [problem])
    function = known[name]
    arguments = dict(parse_qsl(query, keep_blank_values=True))
    allowed = list(inspect.signature(function).parameters)
    problems = [
        Problem(f"pandapower:{name}", f"'{a}' is no argument", remedy=suggest(a, allowed)) for a in arguments if a not in allowed
    ]
    if problems:
        raise NetworkError(f"network pandapower:{name}", problems)
    return function(**{key: _literal(value) for key, value in arguments.items()})


def _collection() -> dict[str, Callable[..., Any]]:
    """All functions of pandapower.networks that make a network without being told more."""
    functions = inspect.getmembers(pandapower.networks, inspect.isfunction)
    return {
        name: function
        for name, function in functions
        if function.__module__.startswith("pandapower.networks.")
        and all(p.default is not p.empty or p.kind is p.VAR_KEYWORD for p in inspect.signature(function).parameters.values())
    }


def _literal(text: str) -> Any:
    """Read ``False``, ``0.5`` or ``pv_wind`` as what it looks like."""
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _open_simbench(code: str) -> pandapowerNet:
    if not SIMBENCH_CODE.fullmatch(code):
        what = "is no SimBench code: version, voltage levels, kind of grid, neighbours or nothing, scenario, sw or no_sw"
        problem = Problem(f"simbench:{code}", what, remedy="give a code of the form 1-MV-rural--0-sw")
        raise NetworkError(f"network simbench:{code}", [problem])
    _need("simbench", "SimBench networks", extra="simbench")
    simbench = importlib.import_module("simbench")
    known = simbench.collect_all_simbench_codes()
    if code not in known:
        problem = Problem(f"simbench:{code}", "SimBench has no network of this code", remedy=suggest(code, known))
        raise NetworkError(f"network simbench:{code}", [problem])
    net = simbench.get_simbench_net(code)
    # SimBench's tap changers regulate the ratio, but its converter leaves their type empty in some grids and pandapower then
    # ignores them.
    ratio = net.trafo.tap_changer_type.isna() & (net.trafo.tap_step_percent > 0) & ~(net.trafo.tap_step_degree.abs() > 0)
    net.trafo["tap_changer_type"] = net.trafo.tap_changer_type.astype(object).where(~ratio, "Ratio")
    return net


def _need(module: str, what: str, *, extra: str) -> None:
    """Raise unless the package of an extra is there."""
    if importlib.util.find_spec(module) is None:
        remedy = f'run in the folder of the clone of gridplan: pip install -e ".[{extra}]"'
        problem = Problem(what, f"the package '{module}' is not installed", remedy=remedy)
        raise NetworkError(f"opening {what}", [problem])


COLLECTIONS: dict[str, Callable[[str], pandapowerNet]] = {"pandapower:": _open_collected, "simbench:": _open_simbench}
READERS: dict[str, Callable[[Path], pandapowerNet]] = {
    ".json": _open_json,
    ".xlsx": _open_excel,
    ".m": open_matpower,
    ".mat": open_matpower,
    ".zip": _open_cim,
    ".xml": _open_cim,
    ".dss": _open_dss,
    ".pfd": _open_powerfactory,
}
