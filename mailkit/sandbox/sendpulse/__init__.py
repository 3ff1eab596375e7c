"""The service SendPulse."""

from mailkit.sandbox.sendpulse.service import SendPulse
from mailkit.sandbox.sendpulse.settings import SendPulseSettings

__all__ = ["SendPulse", "SendPulseSettings"]
