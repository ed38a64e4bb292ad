"""CIM/CGMES: a small model that pandapower's converter turns into a network (two buses at 20 kV, one line), written by hand."""

import zipfile

import pandapower as pp
import pytest

from gridplan import NetworkError, network

pytest.importorskip("lxml")

CIM = "http://iec.ch/TC57/2013/CIM-schema-cim16#"
NAMESPACES = (
    f'xmlns:cim="{CIM}" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:md="http://iec.ch/TC57/61970-552/ModelDescription/1#" xmlns:entsoe="http://entsoe.eu/CIM/SchemaExtension/3/1#"'
)
#: Object by object: class and number, then attributes; "->" refers to another object, "=>" to a value of an enumeration.
EQUIPMENT = """
GeographicalRegion gr | IdentifiedObject.name R
SubGeographicalRegion sgr | IdentifiedObject.name SR | SubGeographicalRegion.Region ->gr
BaseVoltage bv | BaseVoltage.nominalVoltage 20
Substation s1 | IdentifiedObject.name North | Substation.Region ->sgr
Substation s2 | IdentifiedObject.name South | Substation.Region ->sgr
VoltageLevel v1 | VoltageLevel.Substation ->s1 | VoltageLevel.BaseVoltage ->bv
VoltageLevel v2 | VoltageLevel.Substation ->s2 | VoltageLevel.BaseVoltage ->bv
ExternalNetworkInjection eni | IdentifiedObject.name grid | Equipment.EquipmentContainer ->v1 | \
ExternalNetworkInjection.maxInitialSymShCCurrent 10000 | ExternalNetworkInjection.minInitialSymShCCurrent 8000 | \
ExternalNetworkInjection.maxR1ToX1Ratio 0.1 | ExternalNetworkInjection.minR1ToX1Ratio 0.1 | \
ExternalNetworkInjection.maxP 100 | ExternalNetworkInjection.minP -100 | \
ExternalNetworkInjection.maxQ 100 | ExternalNetworkInjection.minQ -100 | \
ExternalNetworkInjection.governorSCD 0 | RegulatingCondEq.RegulatingControl ->rc
RegulatingControl rc | RegulatingControl.Terminal ->t1 | RegulatingControl.mode =>RegulatingControlModeKind.voltage
ACLineSegment line | IdentifiedObject.name L1 | Conductor.length 3 | ConductingEquipment.BaseVoltage ->bv | \
ACLineSegment.r 0.6 | ACLineSegment.x 0.24 | ACLineSegment.bch 0.0001 | ACLineSegment.gch 0
ConformLoad load | IdentifiedObject.name load | Equipment.EquipmentContainer ->v2
OperationalLimitType olt | IdentifiedObject.name PATL
OperationalLimitSet ols | OperationalLimitSet.Terminal ->t2
CurrentLimit cl | IdentifiedObject.name Normal | CurrentLimit.value 250 | OperationalLimit.OperationalLimitSet ->ols | \
OperationalLimit.OperationalLimitType ->olt
Terminal t1 | Terminal.ConductingEquipment ->eni | ACDCTerminal.sequenceNumber 1
Terminal t2 | Terminal.ConductingEquipment ->line | ACDCTerminal.sequenceNumber 1
Terminal t3 | Terminal.ConductingEquipment ->line | ACDCTerminal.sequenceNumber 2
Terminal t4 | Terminal.ConductingEquipment ->load | ACDCTerminal.sequenceNumber 1
"""
STATE = """
Terminal t1 | ACDCTerminal.connected true
Terminal t2 | ACDCTerminal.connected true
Terminal t3 | ACDCTerminal.connected true
Terminal t4 | ACDCTerminal.connected true
ConformLoad load | EnergyConsumer.p 1.2 | EnergyConsumer.q 0.4
ExternalNetworkInjection eni | ExternalNetworkInjection.p -1.2 | ExternalNetworkInjection.q -0.4 | \
ExternalNetworkInjection.referencePriority 1 | RegulatingCondEq.controlEnabled true
RegulatingControl rc | RegulatingControl.discrete false | RegulatingControl.enabled true | RegulatingControl.targetValue 20 | \
RegulatingControl.targetDeadband 0 | RegulatingControl.targetValueUnitMultiplier =>UnitMultiplier.k
"""
NODES = """
TopologicalNode n1 | IdentifiedObject.name north | TopologicalNode.BaseVoltage ->bv | \
TopologicalNode.ConnectivityNodeContainer ->v1
TopologicalNode n2 | IdentifiedObject.name south | TopologicalNode.BaseVoltage ->bv | \
TopologicalNode.ConnectivityNodeContainer ->v2
"""
ENDS = "\n".join(f"Terminal t{t} | Terminal.TopologicalNode ->n{n}" for t, n in ((1, 1), (2, 1), (3, 2), (4, 2)))
VOLTAGES = """
SvVoltage sv1 | SvVoltage.angle 0 | SvVoltage.v 20 | SvVoltage.TopologicalNode ->n1
SvVoltage sv2 | SvVoltage.angle 0 | SvVoltage.v 20 | SvVoltage.TopologicalNode ->n2
TopologicalIsland ti | TopologicalIsland.AngleRefTopologicalNode ->n1 | TopologicalIsland.TopologicalNodes ->n1
"""
ENTSOE = "http://entsoe.eu/CIM/"
PROFILES = {
    "EQ": (["EquipmentCore/3/1", "EquipmentOperation/3/1", "EquipmentShortCircuit/3/1"], [(EQUIPMENT, "ID")]),
    "SSH": (["SteadyStateHypothesis/1/1"], [(STATE, "about")]),
    "TP": (["Topology/4/1"], [(NODES, "ID"), (ENDS, "about")]),
    "SV": (["StateVariables/4/1"], [(VOLTAGES, "ID")]),
}


def attribute(text):
    name, value = text.split(maxsplit=1)
    if value.startswith("->"):
        return f'<cim:{name} rdf:resource="#_{value[2:]}"/>'
    if value.startswith("=>"):
        return f'<cim:{name} rdf:resource="{CIM}{value[2:]}"/>'
    return f"<cim:{name}>{value}</cim:{name}>"


def objects(text, mode):
    for line in text.strip().splitlines():
        head, *attributes = line.split(" | ")
        kind, number = head.split()
        yield (
            f'<cim:{kind} rdf:{mode}="{"#" if mode == "about" else ""}_{number}">'
            + "".join(map(attribute, attributes))
            + f"</cim:{kind}>"
        )


def document(name):
    urls, parts = PROFILES[name]
    header = "".join(f"<md:Model.profile>{ENTSOE}{url}</md:Model.profile>" for url in urls)
    times = "".join(f"<md:Model.{t}>2020-01-01T00:00:00Z</md:Model.{t}>" for t in ("scenarioTime", "created"))
    body = "\n".join(line for text, mode in parts for line in objects(text, mode))
    model = f'<md:FullModel rdf:about="urn:uuid:{name}">{times}<md:Model.version>1</md:Model.version>{header}</md:FullModel>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<rdf:RDF {NAMESPACES}>\n{model}\n{body}\n</rdf:RDF>\n'


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_cgmes_model_becomes_a_network(tmp_path, form):
    source = tmp_path / "model"
    source.mkdir()
    for name in PROFILES:
        (source / f"{name}.xml").write_text(document(name), "utf-8")
    if form == "zip":
        with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
            for name in PROFILES:
                archive.write(source / f"{name}.xml", f"{name}.xml")
        source = tmp_path / "model.zip"
    net = network.open(source)
    network.check(net)
    assert net.bus.name.tolist() == ["north", "south"]
    assert net.line[["length_km", "r_ohm_per_km", "max_i_ka"]].iloc[0].tolist() == pytest.approx([3.0, 0.2, 0.25])
    assert net.load[["p_mw", "q_mvar"]].iloc[0].tolist() == [1.2, 0.4]
    pp.runpp(net, numba=False)
    assert net.res_line.pl_mw.sum() == pytest.approx(0.6 * (1.2**2 + 0.4**2) / 20**2, rel=0.05)


def test_a_model_without_equipment_is_refused(tmp_path):
    (tmp_path / "SV.xml").write_text(document("SV"), "utf-8")
    with pytest.raises(NetworkError, match=r"SV\.xml"):
        network.open(tmp_path / "SV.xml")
