"""How a bare machine becomes a node, and how a webserver is born. So far this room holds only its paragraph:
today a node is installed by hand (README, "On a node") and a webserver by the user-data its Deployment names."""
