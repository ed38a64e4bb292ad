"""Benchmark of the communication network: 1 000 sites, 5 000 links, flows of ten applications, against a loop over networkx.

The seconds are those of the processor, so that they hold on a busy machine.
"""

from __future__ import annotations

import argparse
import time

import networkx as nx
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from gridplan import communications

MARKS = {"source": "benchmark", "evidence": "M"}


def network(sites: int, links: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Sites at random places; a tree that connects all of them, and further links between random pairs."""
    random = np.random.default_rng(0)
    names = [f"s{number}" for number in range(sites)]
    places = pd.DataFrame({"site": names, "label": names, "kind": "station", "areas": [f"a{n % 20}" for n in range(sites)]})
    places["longitude"], places["latitude"] = random.uniform(7, 8, sites), random.uniform(48, 49, sites)
    places = places.assign(availability=0.9999, backup_h=random.choice([4, 24, 72], sites, p=[0.1, 0.2, 0.7]), **MARKS)
    media = pd.DataFrame(
        [
            ("fibre", 1e6, 1.0, 5.0, 0.9999, 72.0, 3),
            ("radio", 1e4, 40.0, 3.3, 0.999, 24.0, 2),
            ("public", 5e4, 45.0, 5.0, 0.995, 2.0, 2),
        ],
        columns=["medium", "capacity_kbps", "latency_ms", "us_per_km", "availability", "backup_h", "security_level"],
    ).assign(label="", **MARKS)
    media["label"] = media["medium"]
    one = np.concatenate([np.arange(1, sites), random.integers(0, sites, links - sites + 1)])
    other = np.concatenate([random.integers(0, np.arange(1, sites)), random.integers(0, sites, links - sites + 1)])
    other = np.where(one == other, (other + 1) % sites, other)
    table = pd.DataFrame(
        {"link": [f"l{n}" for n in range(links)], "from_site": [names[i] for i in one], "to_site": [names[i] for i in other]}
    )
    table["medium"] = random.choice(["fibre", "radio", "public"], links, p=[0.3, 0.4, 0.3])
    table["ownership"] = np.where(table["medium"] == "public", "public", "private")
    return places, table.assign(status="present", **MARKS), media


def asked(applications: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Needs of applications that end at thirty systems, and the systems."""
    systems = pd.DataFrame({"system": [f"y{n}" for n in range(30)], "site": [f"s{n % 3}" for n in range(30)]})
    rows = [
        (
            f"n{n}",
            f"app{n}",
            "communication",
            "station",
            f"y{n * 3 % 30}",
            (100, 2000, 15000)[n % 3],
            0.05 * (n + 1),
            0.99 + n / 1e3,
            (0, 24, 72)[n % 3],
            2,
        )
        for n in range(applications)
    ]
    columns = [
        "need",
        "application",
        "kind",
        "item",
        "to_system",
        "latency_ms",
        "data_kbps",
        "availability",
        "backup_h",
        "security_level",
    ]
    return pd.DataFrame(rows, columns=columns).assign(share_percent=np.nan), systems


def networkx_loop(flows: pd.DataFrame, links: pd.DataFrame, media: pd.DataFrame, most: int) -> float:
    """Route some flows one by one, each on the links fit for it, with a second path without the sites of the first; seconds."""
    given = links.merge(media, on="medium")
    start = time.process_time()
    for flow in flows.iloc[:: max(1, len(flows) // most)].itertuples():
        fit = given[(given.capacity_kbps >= flow.data_kbps) & (given.backup_h >= flow.backup_h)]
        graph = nx.from_pandas_edgelist(fit, "from_site", "to_site", ["latency_ms", "availability"])
        if flow.site not in graph or flow.to_site not in graph or not nx.has_path(graph, flow.site, flow.to_site):
            continue
        path = nx.dijkstra_path(graph, flow.site, flow.to_site, weight="latency_ms")
        rest = graph.subgraph(set(graph) - set(path[1:-1])).copy()
        if len(path) == 2:
            rest.remove_edge(*path)
        if nx.has_path(rest, flow.site, flow.to_site):
            nx.dijkstra_path(rest, flow.site, flow.to_site, weight="latency_ms")
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, default=1000)
    parser.add_argument("--links", type=int, default=5000)
    parser.add_argument("--applications", type=int, default=10)
    parser.add_argument("--loop", type=int, default=60, help="flows that the loop over networkx really routes")
    given = parser.parse_args()
    sites, links, media = network(given.sites, given.links)
    needs, systems = asked(given.applications)
    start = time.process_time()
    flows = communications.flows(needs, sites, systems)
    delivered = communications.deliver(flows, sites, links, media)
    routed = time.process_time()
    covered = communications.coverage(delivered)
    ours = time.process_time() - start
    routed_flows = len(range(0, len(flows), max(1, len(flows) // given.loop)))
    theirs = networkx_loop(flows, links, media, given.loop) / routed_flows * len(flows)
    table = Table("what", "seconds", "note", title=f"{given.sites} sites, {given.links} links, 30 systems, {len(flows)} flows")
    table.add_row(
        "gridplan: routes, pairs, load, latency",
        f"{routed - start:.2f}",
        f"{(delivered.flows.path != '').sum()} flows with a path",
    )
    table.add_row("gridplan: with coverage by area", f"{ours:.2f}", f"{covered.covered.mean():.0%} of needs and areas covered")
    table.add_row(
        "networkx, flow by flow, extrapolated", f"{theirs:.0f}", f"{routed_flows} flows routed; ratio {theirs / ours:.0f}"
    )
    Console().print(table)


if __name__ == "__main__":
    main()
