"""Balancers: who sends visitors to webservers. One file per adapter, each with `build`."""
