"""The settings of sms.by under their former address."""

from mailkit.sandbox.smsby.state import SmsBySettings

__all__ = ["SmsBySettings"]
