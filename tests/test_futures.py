"""Time series of the elements from the tables of a study."""

from types import SimpleNamespace

import pandapower.networks as nw
import pandas as pd
import pytest

from gridplan import futures, powerflow
from gridplan.errors import StudyError

TIME = pd.date_range("2016-01-01", periods=4, freq="h")


def study(assignments):
    profiles = pd.DataFrame(
        {"time": TIME, "h0_p": [1.0, 0.5, 0.2, 0.8], "h0_q": [1.0, 1.0, 1.0, 1.0], "pv_p": [0.0, 0.1, 0.9, 0.0]}
    )
    tables = {"assignments": assignments, "profiles": profiles}
    return SimpleNamespace(name="test", table=tables.__getitem__)


def test_elements_follow_their_profiles():
    net = nw.create_cigre_network_mv(with_der="pv_wind")
    assigned = pd.DataFrame({"element": ["load", "load", "sgen"], "element_id": [0, 1, 0], "profile": ["h0", "h0", "pv"]})
    profiles = futures.profiles(study(assigned), net)
    assert list(profiles.shapes.columns) == ["h0_p", "h0_q", "pv_p"]
    assert list(profiles.elements["shape_q"]) == ["h0_q", "h0_q", "pv_p"]
    generation = powerflow.run(net, profiles).steps["generation_mw"].to_numpy()
    assert generation[2] - generation[0] == pytest.approx(0.9 * net.sgen.p_mw[0] * net.sgen.scaling[0])


def test_every_wrong_row_is_named_with_a_suggestion():
    net = nw.create_cigre_network_mv()
    assigned = pd.DataFrame({"element": ["load", "load", "load"], "element_id": [0, 1, 999], "profile": ["h0", "h00", "pv"]})
    with pytest.raises(StudyError) as caught:
        futures.profiles(study(assigned), net)
    assert "row 3, column 'profile': 'h00' is no profile; did you mean 'h0'?" in str(caught.value)
    assert "row 4, column 'element_id': load 999 is not in the network" in str(caught.value)
