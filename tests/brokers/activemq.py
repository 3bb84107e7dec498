"""ActiveMQ Classic with its MQTT connector: MQTT 3.1.1 alone. Its jars come from Maven by name."""

import shutil
from pathlib import Path

from tests.brokers.broker import PASSWORD, USER, Abilities, RealBroker, missing
from tests.brokers.certificates import STORE_PASSWORD

JARS = Path(__file__).parent.parent.parent / ".servers" / "activemq"
CONF = """\
<beans xmlns="http://www.springframework.org/schema/beans"
       xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
       xsi:schemaLocation="http://www.springframework.org/schema/beans
         http://www.springframework.org/schema/beans/spring-beans.xsd
         http://activemq.apache.org/schema/core
         http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="tests" useJmx="false"
          dataDirectory="{folder}/data">
    <persistenceAdapter><kahaDB directory="{folder}/data/kahadb"/></persistenceAdapter>
    <plugins><simpleAuthenticationPlugin><users>
      <authenticationUser username="{user}" password="{password}" groups="all"/>
    </users></simpleAuthenticationPlugin></plugins>
    <sslContext><sslContext
      keyStore="file:{folder}/server.p12" keyStoreType="PKCS12" keyStorePassword="{store}"
      trustStore="file:{folder}/trust.p12" trustStoreType="PKCS12"
      trustStorePassword="{store}"/></sslContext>
    <transportConnectors>
      <transportConnector name="mqtt" uri="mqtt://127.0.0.1:{port}"/>
      <transportConnector name="mqtts"
        uri="mqtt+nio+ssl://127.0.0.1:{tls_port}?transport.needClientAuth=true"/>
    </transportConnectors>
  </broker>
</beans>
"""


class ActiveMQ(RealBroker):
    """KahaDB on disk, synced at each message: what it acknowledged survives its end."""

    kind = "activemq"
    abilities = Abilities(mqtt_5=False)

    def command(self) -> list[str]:
        java = shutil.which("java")
        if java is None or not any(JARS.glob("activemq-broker-*.jar")):
            missing(self.kind, "make servers")
        conf = self.folder / "broker.xml"
        text = CONF.format(
            folder=self.folder,
            user=USER,
            password=PASSWORD,
            store=STORE_PASSWORD,
            port=self.port,
            tls_port=self.tls_port,
        )
        conf.write_text(text)
        home = [f"-Dactivemq.home={self.folder}", f"-Dactivemq.base={self.folder}"]
        main = ["org.apache.activemq.console.Main", "start", f"xbean:file:{conf}"]
        return [str(java), "-Xmx256m", "-cp", f"{JARS}/*", *home, *main]
