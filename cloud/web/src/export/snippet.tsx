import { useState } from "preact/hooks";

const SAID_MS = 1_500;

/** Some lines to be run elsewhere, with a button that copies them. */
export function Snippet({ label, text, id }: { label: string; text: string; id: string }) {
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
    <div class="snippet">
      <div class="snippet-head">
        <span class="label">{label}</span>
        <button type="button" class="small-key" data-testid={`copy-${id}`} onClick={copy}>
          {said || "Copy"}
          <span class="sr"> the {label} command</span>
        </button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: whoever scrolls by keys has to get there */}
      <pre tabIndex={0} data-testid={id}>
        {text}
      </pre>
    </div>
  );
}
