"""The service Devino."""

from mailkit.sandbox.devino.service import Devino
from mailkit.sandbox.devino.state import DevinoSettings

__all__ = ["Devino", "DevinoSettings"]
