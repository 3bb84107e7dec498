import { useState } from "preact/hooks";

const SAID_MS = 1_500;

/** A command to be run elsewhere, with a button that copies it. */
export function Command({ text }: { text: string }) {
  const [said, setSaid] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied");
    } catch {
      setSaid("Select it by hand"); // no clipboard outside localhost and HTTPS
    }
    setTimeout(() => setSaid(""), SAID_MS);
  };
  return (
    <div class="command">
      <code>{text}</code>
      <button type="button" onClick={copy} aria-label={`Copy: ${text}`}>
        {said || "Copy"}
      </button>
    </div>
  );
}
