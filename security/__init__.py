"""Who may: secrets, keys, host-key pins, file modes."""
