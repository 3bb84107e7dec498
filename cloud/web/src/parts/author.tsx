import { useState } from "preact/hooks";
import { useSession } from "../session/use-session.ts";

const STORED = "tidegate-author";
const CHARS_MAX = 100;

/** In whose name something is said. */
export interface Author {
  /** Empty while nobody is signed in and no name was typed. */
  name: string;
  /** As it was typed. */
  text: string;
  /** The server takes the name of who is signed in, whatever else is sent. */
  isSignedIn: boolean;
  type(name: string): void;
  /** Remember a typed name for the next form. */
  keep(): void;
}

/** Who is signed in; else who marked or judged last on this browser, until another name is typed. */
export function useAuthor(): Author {
  const session = useSession();
  const [typed, setTyped] = useState<string | undefined>();
  const signed = session && ["session", "token"].includes(session.way) ? session.name : null;
  // Read anew each time: another form of the view may have kept a name since.
  const text = typed ?? known();
  const name = signed ?? text.trim();
  const remember = () => {
    if (signed === null) keep(name);
  };
  return { name, text, isSignedIn: signed !== null, type: setTyped, keep: remember };
}

interface Props {
  author: Author;
  label: string;
  testid: string;
}

/** The field for a name; where somebody is signed in, that name. */
export function AuthorField({ author, label, testid }: Props) {
  if (author.isSignedIn) {
    return (
      <p class="quiet" data-testid={testid}>
        In the name of {author.name}
      </p>
    );
  }
  return (
    <label>
      {label}
      <input
        required
        maxLength={CHARS_MAX}
        value={author.text}
        autocomplete="name"
        data-testid={testid}
        onInput={(event) => author.type(event.currentTarget.value)}
      />
    </label>
  );
}

function known(): string {
  try {
    return localStorage.getItem(STORED) ?? "";
  } catch {
    return ""; // storage switched off: the name is typed each time
  }
}

function keep(name: string): void {
  try {
    localStorage.setItem(STORED, name);
  } catch {
    // storage switched off: the name is typed each time
  }
}
