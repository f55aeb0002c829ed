"""Talking to a webserver over SSH: one session, one command, the pinned host key first."""
