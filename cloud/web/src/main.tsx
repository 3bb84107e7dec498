import { render } from "preact";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/tables.css";
import "./styles/tools.css";
import "./styles/enrol.css";
import { App } from "./app.tsx";
import { SessionGate } from "./session/session-gate.tsx";
import { applyTheme } from "./theme.ts";

applyTheme();
const page = document.getElementById("page");
if (page) {
  const gated = (
    <SessionGate>
      <App />
    </SessionGate>
  );
  render(gated, page);
}
