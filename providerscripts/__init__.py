"""The world: store, servers, balancers, probes, remote shell. Each file is a small adapter to a port."""
