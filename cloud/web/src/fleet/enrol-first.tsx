import { Command } from "../parts/command.tsx";

/** What an empty system shows: the way to its first gateway. */
export function EnrolFirst({ version }: { version: string }) {
  return (
    <section class="enrol" data-testid="enrol-first">
      <h1>No gateway has been enrolled yet</h1>
      <p class="lead">
        A gateway is the machine next to your MQTT broker. It joins with a token that works once:
        the token names it, carries this server's certificate, and is spent when the gateway's own
        key has been signed.
      </p>
      <ol class="steps">
        <li>
          <h2>On this server, make a token</h2>
          <Command text="tidegate-cloud token create plant-1" />
          <p class="quiet">
            <code>plant-1</code> becomes the gateway's name. The token is one line, good for one
            hour: copy it.
          </p>
        </li>
        <li>
          <h2>On the gateway, install and enrol</h2>
          <Command text={`pip install './tidegate-${version}-py3-none-any.whl[edge]'`} />
          <Command text="tidegate-edge init" />
          <Command text="tidegate-edge enroll TOKEN" />
          <p class="quiet">
            The wheel is the one this server was installed from. <code>init</code> writes{" "}
            <code>edge.toml</code>: put your broker's address and topics there.
          </p>
        </li>
        <li>
          <h2>Start it</h2>
          <Command text="tidegate-edge run" />
          <p class="quiet">It appears here within seconds, and its readings as they arrive.</p>
        </li>
      </ol>
    </section>
  );
}
