"""All brokers of the suite, by name."""

from tests.brokers.activemq import ActiveMQ
from tests.brokers.broker import RealBroker
from tests.brokers.embedded import Embedded
from tests.brokers.mosquitto import Mosquitto
from tests.brokers.rabbitmq import RabbitMQ

KINDS: dict[str, type[RealBroker]] = {
    kind.kind: kind for kind in (Mosquitto, RabbitMQ, ActiveMQ, Embedded)
}
