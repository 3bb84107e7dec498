"""How history leaves, by rule or by order, and what is told of it then."""
