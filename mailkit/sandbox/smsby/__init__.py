"""The service sms.by."""

from mailkit.sandbox.smsby.service import SmsBy
from mailkit.sandbox.smsby.state import SmsBySettings

__all__ = ["SmsBy", "SmsBySettings"]
