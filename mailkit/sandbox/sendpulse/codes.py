"""The service's code tables in codes."""

LISTS = {
    0: "Active",
    1: "Deleted",
    3: "Waiting for an answer",
    4: "Loading addresses",
    5: "Copying addresses",
}
CONTACTS = {
    0: "New",
    1: "Active",
    2: "Confirmation requested",
    3: "Activation requested",
    4: "Unsubscribed",
    5: "Rejected",
    6: "Unsubscribed from all",
    7: "Activation is requested",
    8: "Blocked",
    9: "Sending error",
    14: "Temporarily unavailable",
}
RECIPIENTS = {
    0: "In queue",
    1: "Sent",
    2: "Delivered",
    3: "Opened",
    4: "Link redirected",
    5: "User unsubscribe",
    6: "No such email",
    7: "Temporary unavailable",
    8: "Unavailable",
    9: "Rejected as spam",
    10: "Mailbox is full",
    11: "Marked as spam by user",
    12: "Delivery failure",
    13: "Not sent",
    14: "No such domain",
    15: "Unsubscribed from newsletter",
    16: "Not valid email",
    17: "Temporary blocked",
    18: "Disabled by administrator",
    20: "Already unsubscribed",
}
CAMPAIGN_EVENTS = {
    "on_moderation": "The campaign is in moderation",
    "approve": "The campaign was approved",
    "rejected": "The campaign was rejected",
    "need_edit": "The message has to be edited",
    "sending": "The campaign is in the sending queue",
}
