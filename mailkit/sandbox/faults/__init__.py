"""Faults on order: what goes wrong, on which requests, and how often.

    sandbox.faults.add(Fault("reset_after_acting", on="smsby.bulk.send", after=2, times=1))

To add a kind of fault, write a subclass of `FaultKind` in the file of its family: `connections`,
`delays`, `bodies` or `refusals`. Its `name` orders it, its docstring is its help, its fields are
its parameters, and its methods do it. `Fault`, the control API and `mailkit sandbox --fault` find
it by that, and `mailkit sandbox --fault help` prints all of them.
"""

from mailkit.sandbox.faults.active import Faults
from mailkit.sandbox.faults.fault import KINDS, Fault, describe
from mailkit.sandbox.faults.kind import FaultContext, FaultKind

__all__ = ["KINDS", "Fault", "FaultContext", "FaultKind", "Faults", "describe"]
