"""Rollouts: which gateway is offered which model, and when one goes on or is taken back.

`plan` has the rules (pure), `line` those of one session (pure), `packages` the folder of what was
published, `rollouts` does what people ask for, `desk` answers gateways and carries the rules out.
"""
