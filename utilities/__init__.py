"""The ground: what would be true in any project. No word of scaling stands here."""
