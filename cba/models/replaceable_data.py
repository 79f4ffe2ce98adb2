"""Turn constants of a built model into data that can be replaced, so that it is compiled once for many data sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor
from pymc.model.fgraph import fgraph_from_model, model_from_fgraph
from pytensor.graph.traversal import ancestors
from pytensor.tensor import TensorConstant


def with_replaceable_data(model: pm.Model, constants: Mapping[str, TensorConstant]) -> pm.Model:
    """Return a copy of a model in which some constants are shared variables.

    Parameters
    ----------
    model : pymc.Model
        A built model; it is not changed.
    constants : mapping of str to TensorConstant
        Constants of its graph, each under the name its shared variable gets.

    Returns
    -------
    pymc.Model
        The same densities; the data may be replaced after compiling, keeping their shapes.

    Examples
    --------
    >>> with pm.Model() as model:
    ...     level = pm.Normal("level")
    ...     seen = pm.Normal("seen", level, observed=np.array([1.0, 2.0]))
    >>> copy = with_replaceable_data(model, {"data": model.rvs_to_values[seen]})
    >>> copy.rvs_to_values[copy["seen"]].name
    'data'
    """
    graph, copies = fgraph_from_model(model)
    for name, constant in constants.items():
        data = np.asarray(constant.data)
        shared = pytensor.shared(data, name=name, shape=data.shape)
        graph.replace(copies[constant], shared, import_missing=True)
    return model_from_fgraph(graph, mutate_fgraph=True)


def constant_above(variable: Any, values: np.ndarray) -> TensorConstant:
    """Find the one constant a variable is computed from that holds the given values.

    Parameters
    ----------
    variable : tensor
        Variable of a graph.
    values : ndarray
        What the constant holds, to the last digit and in its type.

    Returns
    -------
    TensorConstant

    Raises
    ------
    ValueError
        If there is none, or more than one: the model is not written as the caller thinks.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> constant_above(pt.dvector("x") + np.array([1.0, 2.5]), np.array([1.0, 2.5])).data.tolist()
    [1.0, 2.5]
    """
    wanted = np.asarray(values)
    found = [
        node
        for node in ancestors([variable])
        if isinstance(node, TensorConstant)
        and node.data.shape == wanted.shape
        and node.data.dtype == wanted.dtype
        and np.array_equal(node.data, wanted)
    ]
    if len(found) != 1:
        raise ValueError(
            f"{variable} is computed from {len(found)} constants with these values, not from one"
        )
    return found[0]
