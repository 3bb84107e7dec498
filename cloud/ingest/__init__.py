"""Taking blocks in: the Sync service, its streams, and who may speak to it.

`service` is where gateways connect, `stream` one gateway's stream into the journal, `presence` its
news on the way to the registry, `courtesy` what lets it go before decoding, `health` the probe.
`enrolment` lets a gateway in by a token, `renewal` and `renew_call` renew its certificate, and
`identity` is the certificate authority behind both.
"""
