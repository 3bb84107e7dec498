"""The registry: who may connect, what people said of series, and the audit trail."""
