"""The sandbox's page in a browser: what was captured, and buttons that make things happen.

`pages` has the addresses, `reading` what is shown there, `actions` what forms do. All of it is
rendered here, by jinja2, which escapes everything; the one script refreshes what is shown, and the
page works without it. The HTML of a message is shown in a frame that can run nothing, load
nothing, and go nowhere.
"""
