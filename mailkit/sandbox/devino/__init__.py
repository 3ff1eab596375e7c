"""The service Devino."""

from mailkit.sandbox.devino.service import Devino
from mailkit.sandbox.devino.settings import DevinoSettings

__all__ = ["Devino", "DevinoSettings"]
