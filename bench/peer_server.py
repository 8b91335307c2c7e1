"""The product as a rig's peers are: the same masks, pages of 500, no access log; all else is as always.

`python -m bench.peer_server serve …` takes the arguments of the command line; with `unrecorded` before them it serves
without its ledger, to measure what that costs. It is no way to serve anybody.
"""

import logging
import signal
import sys

import app
import cli
from bench import unrecorded
from models.vocabulary import Category
from resolvers import compiler
from resolvers.masks import DEFAULT_MASKS, HeadAndTail, Masks

PAGE = 500
MASKS: Masks = {**DEFAULT_MASKS, Category.GOVERNMENT_ID: HeadAndTail(head=6, stars=8, tail=4)}
"""Of a number of 18 characters the rig shows six and four."""


def dress() -> None:
    """Make this process the rig's."""
    compiler.LARGEST_PAGE = PAGE
    app.DEFAULT_MASKS = MASKS
    logging.getLogger("needful.access").setLevel(logging.WARNING)


# Workers are processes that read this file anew, under another name.
if __name__ in ("__main__", "__mp_main__"):
    dress()
    if sys.argv[1:2] == ["unrecorded"]:
        unrecorded.leave_out()
if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(cli.main([word for word in sys.argv[1:] if word != "unrecorded"]))
