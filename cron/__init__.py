"""When: the crontab, and what the daily commands do to a Profile."""
