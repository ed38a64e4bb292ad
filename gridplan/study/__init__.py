"""Studies: everything an analysis needs, in a folder or in one workbook; read, checked, written.

A folder holds ``study.toml`` and tables ``<table>.csv`` or ``<table>.csv.gz``; a workbook ``.xlsx`` holds the same tables as
sheets, and the keys of ``study.toml`` as rows `key`, `value` of a sheet ``study``. The same content gives the same
:class:`Study`. The table ``sources`` says for every other file or sheet where it comes from and under which licence.
"""

from gridplan.study._read import Assumptions, Study, doubts, examine, inputs, network_files, place, read_study
from gridplan.study._write import refuse_existing, scaffold, write_study, write_workbook

__all__ = [
    "Assumptions",
    "Study",
    "doubts",
    "examine",
    "inputs",
    "network_files",
    "place",
    "read_study",
    "refuse_existing",
    "scaffold",
    "write_study",
    "write_workbook",
]
