"""Rented VMs: one adapter to the port Provider a file.

`memory` is for simulations, `local` rents this machine's own processes; both misbehave on command (`faults`).
"""
