"""What `tidegate-cloud model` does, a file a verb; `cloud.commands.model` names them."""
