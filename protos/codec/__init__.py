"""The inside of a block: `header`, `body` and its `columns`, and the `content` that is hashed."""
