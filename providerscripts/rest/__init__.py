"""One vendor's REST API: typed errors, complete listings, a budget of requests."""
