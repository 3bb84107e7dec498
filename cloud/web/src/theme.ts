import { useEffect, useState } from "preact/hooks";

export type Theme = "light" | "dark";

const STORED = "tidegate-theme";

/** The theme in force and a way to switch it; without a choice of the reader's the system decides. */
export function useTheme(): [Theme, () => void] {
  const [theme, setTheme] = useState<Theme>(() => chosen() ?? systemTheme());
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const follow = () => chosen() ?? setTheme(systemTheme());
    query.addEventListener("change", follow);
    return () => query.removeEventListener("change", follow);
  }, []);
  const toggle = () => {
    const next = theme === "dark" ? "light" : "dark";
    remember(next);
    setTheme(next);
  };
  return [theme, toggle];
}

/** Put the reader's earlier choice on the document; called before the first paint of content. */
export function applyTheme(): void {
  const choice = chosen();
  if (choice) document.documentElement.dataset.theme = choice;
}

function systemTheme(): Theme {
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function chosen(): Theme | undefined {
  try {
    const value = localStorage.getItem(STORED);
    return value === "light" || value === "dark" ? value : undefined;
  } catch {
    return undefined; // storage switched off: the choice lasts for this page only
  }
}

function remember(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(STORED, theme);
  } catch {
    // storage switched off: the attribute above holds until the page is left
  }
}
