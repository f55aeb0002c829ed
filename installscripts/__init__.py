"""How a bare machine becomes a node, and how a webserver is born. So far this room holds only its paragraph:
today a node is installed by hand (README, "On a node"), and a webserver is born as its Provider makes it. The
Deployment may name an image, a size, a region and user-data, but no Provider of today passes them on.
"""
