"""The rungs of the ladder, asked of many webservers at once."""
