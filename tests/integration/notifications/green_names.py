"""Run by itself: a patched process with a slow resolver; prints how often another greenlet ran meanwhile."""

# ruff: noqa: E402  nothing may be imported before the patch

import os

os.environ["EVENTLET_NO_GREENDNS"] = "yes"

import eventlet

eventlet.monkey_patch()

import smtplib
import socket
import sys

from eventlet import patcher

from chassis.hosts.blocking import look_up_names_aside

SLEEP = patcher.original("time").sleep


def slow(*_, **__):
    """A resolver that blocks its thread and finds nobody."""
    SLEEP(0.5)
    raise socket.gaierror("nobody")


def main() -> None:
    """Asks as smtplib asks, and as Apprise does (requests, urllib3)."""
    import eventlet.green.socket as green
    import requests

    socket.getaddrinfo = green.getaddrinfo = slow
    if sys.argv[1] == "aside":
        look_up_names_aside()
    ticks = []

    def tick():
        while True:
            ticks.append(1)
            eventlet.sleep(0.02)

    eventlet.spawn(tick)
    eventlet.sleep(0)
    for ask in (
        lambda: smtplib.SMTP("mail.example.org"),
        lambda: requests.post("http://hook.example.org/"),
    ):
        before = len(ticks)
        try:
            ask()
        except OSError:
            print(len(ticks) - before)


main()
