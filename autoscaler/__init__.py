"""What to do: the language, the decisions (pure), the two procedures (Cycle, Round), the ports they need."""
