import { useEffect, useRef, useState } from "preact/hooks";

const SETTLE_MS = 180;

interface Props {
  label: string;
  value: string;
  /** Called when typing has paused, at once on Enter. */
  onSearch(text: string): void;
  placeholder?: string;
  /** The one search of a view, to which `/` leads. */
  main?: boolean;
  testid?: string;
}

/** A field to search by: asks when typing pauses, empties by Escape. */
export function SearchBox({ label, value, onSearch, placeholder, main, testid }: Props) {
  const [text, setText] = useState(value);
  const field = useRef<HTMLInputElement>(null);
  const timer = useRef(0);
  const told = useRef(value);
  useEffect(() => {
    if (value === told.current) return;
    told.current = value; // from outside: the back button, a link
    setText(value);
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => (main ? onSlash(() => field.current?.select()) : undefined), [main]);
  const tell = (wanted: string) => {
    clearTimeout(timer.current);
    if (wanted === told.current) return;
    told.current = wanted;
    onSearch(wanted);
  };
  const type = (typed: string) => {
    setText(typed);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => tell(typed.trim()), SETTLE_MS);
  };
  return (
    <label class="search">
      <span class="label">{label}</span>
      <input
        ref={field}
        type="search"
        value={text}
        placeholder={placeholder}
        autocomplete="off"
        spellcheck={false}
        maxLength={255}
        aria-keyshortcuts={main ? "/" : undefined}
        data-testid={testid}
        onInput={(event) => type(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") tell(event.currentTarget.value.trim());
          if (event.key === "Escape") {
            setText("");
            tell("");
          }
        }}
      />
    </label>
  );
}

/** `/` leads to the search, unless something is being typed already. */
function onSlash(lead: () => void): () => void {
  const listen = (event: KeyboardEvent) => {
    const at = event.target as HTMLElement;
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (at.matches("input, select, textarea")) return;
    event.preventDefault();
    lead();
  };
  document.addEventListener("keydown", listen);
  return () => document.removeEventListener("keydown", listen);
}
